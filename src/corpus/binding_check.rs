//! Checks whether a corpus still matches what it was bound to, by the catalogs, after commands that may have changed
//! it, whatever they were, and before a corpus is resumed.
//!
//! A chunk belongs to the source row with its key. Where the key no longer tells rows apart, or was rewritten, no chunk
//! is visible from that very command on: the policy of the chunk table is closed, and the corpus is broken with the
//! reason.

use super::ddl_command::Command;
use super::{create, ddl_events, lifecycle, rekey};
use crate::capture;
use crate::catalog::CorpusSpec;
use crate::pg::run_as::{as_owner, as_superuser};
use crate::pg::subtransaction::attempt;
use crate::pg::{gucs, spi};
use crate::supervisor::wake;
use serde::Deserialize;
use socle_core::corpus::key::{Widening, widens};
use socle_core::{Error, Kind, Result};

const BINDING_CHECK: &str = include_str!("../../sql/corpus/binding_check.sql");
const SET_KEY_HOLDS: &str = include_str!("../../sql/corpus/set_key_holds.sql");
const SET_KEY: &str = include_str!("../../sql/corpus/set_key.sql");
const CLOSE: &str = include_str!("../../sql/corpus/close_chunks.sql");
const MISSED: &str = include_str!("../../sql/corpus/missed_change.sql");

/// What a corpus depends on, in its current state.
#[derive(Debug, Deserialize)]
pub struct BindingCheck {
    name: String,
    state: String,
    /// `key_holds` of the corpus: its key is intact so far.
    key_holds: bool,
    /// The policy of the chunk table shows no row.
    closed: bool,
    /// The chunk table has a policy.
    has_policy: bool,
    /// The key is unique and not null in the source.
    told_apart: bool,
    /// Columns of the current primary key of the source.
    primary_key: Option<String>,
    /// Types of the key columns: in the source, and in the tables of the corpus.
    types: Option<Vec<Option<String>>>,
    chunk_types: Option<Vec<Option<String>>>,
    change_types: Option<Vec<Option<String>>>,
    document_types: Option<Vec<Option<String>>>,
    /// A table that inherits from the source, if any.
    heir: Option<String>,
    /// The source has the trigger that captures changes.
    has_trigger: bool,
    /// Statements that make triggers fire for replicated changes again (`ENABLE ALWAYS TRIGGER`).
    turned: Vec<String>,
}

/// How the key types of the source compare with those in the tables of the corpus.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Types {
    /// They are the same.
    Same,
    /// Those of the source hold more values.
    Wider(Widening),
    /// Those of the source hold other values.
    Other,
}

/// Reads the current state of what corpora are bound to.
///
/// # Errors
/// `Bug` when the tables of socle cannot be read.
pub fn read(names: &[String]) -> Result<Vec<BindingCheck>> {
    let rows = as_superuser(|| spi::query_texts(BINDING_CHECK, &[names.to_vec().into()]))?;
    rows.iter()
        .map(|row| {
            serde_json::from_str(row).map_err(|error| {
                Error::new(Kind::Bug, "could not read the tables and columns of a corpus").detail(error.to_string())
            })
        })
        .collect()
}

/// Makes corpora follow a command, or marks them broken. A corpus that cannot follow raises no error.
///
/// # Errors
/// Those of [`read`].
pub fn follow(names: &[String], command: &Command) -> Result<()> {
    for binding in read(names)? {
        let Some(corpus) = CorpusSpec::try_find(&binding.name)? else { continue };
        if let Err(code) = attempt(|| binding.settle(&corpus, command)) {
            let reason = format!(
                "a DDL command on its source could not be processed ({code}): socle.resume_corpus() retries and reports why"
            );
            lose_key(&corpus, &reason)?;
        }
    }
    Ok(())
}

impl BindingCheck {
    /// Why the key no longer tells which row a chunk belongs to; `None` where it does.
    fn lost(&self, corpus: &CorpusSpec, command: &Command) -> Option<String> {
        let key = corpus.tables.key_columns.join(", ");
        if corpus.tables.key_columns.iter().any(|column| command.rewritten.contains(column)) {
            return Some(format!("its key ({key}) was rewritten: socle.resume_corpus() adopts the new values"));
        }
        if !self.told_apart {
            return Some(match &self.primary_key {
                Some(now) => format!(
                    "the primary key of its source is no longer ({key}) but ({now}): socle.resume_corpus() adopts it"
                ),
                None => format!(
                    "its source no longer has the primary key ({key}): add a primary key and call socle.resume_corpus()"
                ),
            });
        }
        (self.types() == Types::Other)
            .then(|| format!("its key ({key}) has another type: socle.resume_corpus() adopts the new values"))
    }

    /// Compares the key types of the source with those in the tables of the corpus.
    pub fn types(&self) -> Types {
        let Some(now) = &self.types else { return Types::Other };
        let mut found = Types::Same;
        for own in [&self.chunk_types, &self.change_types, &self.document_types] {
            let Some(own) = own.as_ref().filter(|own| own.len() == now.len()) else { return Types::Other };
            for pair in own.iter().zip(now) {
                found = match pair {
                    (Some(old), Some(new)) if old == new => found,
                    (Some(old), Some(new)) => match widens(old, new) {
                        Some(Widening::Free) if found != Types::Same => found,
                        Some(widening) => Types::Wider(widening),
                        None => return Types::Other,
                    },
                    _ => return Types::Other,
                };
            }
        }
        found
    }

    /// The current types of the key columns, as SQL.
    pub fn key_types(&self) -> Vec<&str> {
        self.types.iter().flatten().map(|name| name.as_deref().unwrap_or_default()).collect()
    }

    /// Whether documents have to be matched to rows by their contents again.
    pub fn has_lost_key(&self) -> bool {
        !self.key_holds || self.closed || !self.told_apart || self.types() == Types::Other
    }

    /// Checks for what only the owner of the source can repair: a table that inherits from it.
    ///
    /// # Errors
    /// `NotInState`.
    pub fn check(&self) -> Result<()> {
        match &self.heir {
            Some(heir) => Err(Error::new(Kind::NotInState, format!("corpus \"{}\" {}", self.name, inherits(heir)))
                .hint("Use ALTER TABLE ... NO INHERIT, or partitions.")),
            None => Ok(()),
        }
    }

    /// Whether source and tables of the corpus are as it needs them.
    pub fn is_sound(&self) -> bool {
        self.heir.is_none() && self.has_trigger && !self.has_lost_key() && self.types() == Types::Same
    }

    /// Whether the source has the trigger that captures changes.
    pub fn has_trigger(&self) -> bool {
        self.has_trigger
    }

    /// Whether the chunk table has lost its policy.
    pub fn lacks_policy(&self) -> bool {
        !self.has_policy
    }

    /// Makes triggers fire for replicated changes again.
    ///
    /// # Errors
    /// What Postgres raises.
    pub fn turn_triggers(&self) -> Result<()> {
        self.turned.iter().try_for_each(|statement| spi::run(statement, &[]))
    }

    fn settle(&self, corpus: &CorpusSpec, command: &Command) -> Result<()> {
        let (Some(owner), Some(_), Some(_)) = (corpus.tables.owner, corpus.tables.change, corpus.tables.source) else {
            return Ok(());
        };
        match self.lost(corpus, command) {
            Some(reason) if self.key_holds => return lose_key(corpus, &reason),
            Some(reason) => return lifecycle::set_state(&corpus.name, "broken", Some(&reason)),
            None if !self.key_holds => return Ok(()),
            None => {}
        }
        let _suppressed = ddl_events::SuppressDdlEvents::begin();
        if self.types() != Types::Same {
            as_owner(owner.into(), || rekey::widen(corpus, self))?;
            after_widening(corpus, self.types())?;
        } else if self.closed {
            as_superuser(|| create::protect(corpus))?;
        }
        if let Some(heir) = &self.heir {
            broken(
                corpus,
                &self.state,
                &format!("it {}: ALTER TABLE ... NO INHERIT, then socle.resume_corpus()", inherits(heir)),
            )?;
        } else if !self.has_trigger {
            broken(
                corpus,
                &self.state,
                "the trigger on its source was dropped: socle.resume_corpus() creates it again",
            )?;
        }
        as_owner(owner.into(), || self.turn_triggers())?;
        let compare = command.compare || !self.turned.is_empty();
        if command.only_dropped && !compare {
            return Ok(());
        }
        if attempt(|| as_owner(owner.into(), || lifecycle::start(corpus, compare))).is_err() && compare {
            as_superuser(|| spi::run(MISSED, &[corpus.name.as_str().into()]))?;
        }
        wake::at_commit();
        Ok(())
    }
}

fn inherits(heir: &str) -> String {
    format!("does not see the rows of {heir}, which inherits from its source")
}

/// After a rewrite of the chunk table, which drops the vector index, has the sync worker build that again.
///
/// # Errors
/// `Bug` when the tables of socle cannot be written.
pub fn after_widening(corpus: &CorpusSpec, types: Types) -> Result<()> {
    if types == Types::Wider(Widening::Rewrite) && corpus.progress.state == "active" {
        lifecycle::set_state(&corpus.name, "filling", None)?;
    }
    invalidate(corpus);
    Ok(())
}

/// Hides all chunks until the corpus is resumed.
fn lose_key(corpus: &CorpusSpec, reason: &str) -> Result<()> {
    close(corpus)?;
    lifecycle::set_state(&corpus.name, "broken", Some(reason))?;
    invalidate(corpus);
    Ok(())
}

/// Closes the policy. As superuser: the statement runs nothing of the owner's, and does not fail for a missing
/// privilege.
///
/// # Errors
/// What Postgres raises, a lock timeout above all.
pub fn close(corpus: &CorpusSpec) -> Result<()> {
    let _suppressed = ddl_events::SuppressDdlEvents::begin();
    as_superuser(|| {
        gucs::with_gucs(&[gucs::QUIET], || spi::run(&corpus.sql(CLOSE), &[]))?;
        spi::run(SET_KEY_HOLDS, &[corpus.name.as_str().into(), false.into()])
    })
}

/// Makes the current key of the source, which the documents already have, the key of the corpus.
///
/// # Errors
/// `Bug` when the tables of socle cannot be written.
pub fn adopt_key(corpus: &CorpusSpec) -> Result<()> {
    let name = corpus.name.as_str();
    let key = [
        name.into(),
        corpus.tables.key_columns.clone().into(),
        corpus.tables.key_operators.clone().into(),
        corpus.tables.chunk_key_columns.clone().into(),
    ];
    as_superuser(|| spi::run(SET_KEY, &key))?;
    create::bind(name)?;
    as_superuser(|| spi::run(SET_KEY_HOLDS, &[name.into(), true.into()]))
}

fn broken(corpus: &CorpusSpec, state: &str, reason: &str) -> Result<()> {
    if state != "broken" {
        lifecycle::set_state(&corpus.name, "broken", Some(reason))?;
        invalidate(corpus);
    }
    Ok(())
}

fn invalidate(corpus: &CorpusSpec) {
    corpus.tables.change.into_iter().for_each(|change| capture::invalidate(change.into()));
}
