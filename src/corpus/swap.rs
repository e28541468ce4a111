//! How a corpus that was filled beside another replaces it: in one short transaction, with what users have put on the
//! old chunk table carried over.
//!
//! Runs in a sync worker. Locks are taken in the order source, chunk tables: once no writer of the source is active, no
//! session can hold keys for the old change log. A conflicting lock is waited for no longer than lock_timeout, and the
//! worker tries again.

use super::{create, lifecycle};
use crate::capture;
use crate::catalog::CorpusSpec;
use crate::catalog::sql_template::{expand, identifier, literal};
use crate::pg::run_as::{as_owner, as_superuser};
use crate::pg::spi;
use pgrx::prelude::*;
use serde::Deserialize;
use socle_core::document::OcrMode;
use socle_core::{Error, Kind, Result};

const LOCK: &str = include_str!("../../sql/corpus/swap_lock.sql");
const RENAME: &str = include_str!("../../sql/corpus/swap_rename.sql");
const TRIGGERS: &str = include_str!("../../sql/corpus/create_triggers.sql");
const END_LEASES: &str = include_str!("../../sql/corpus/end_leases.sql");
const CARRIED: &str = include_str!("../../sql/corpus/carried_over.sql");
const POLICIES: &str = include_str!("../../sql/corpus/carried_policies.sql");
const PARTS: &str = include_str!("../../sql/corpus/parts_to_rename.sql");
const DEPENDENTS: &str = include_str!("../../sql/corpus/chunk_dependents.sql");
const REPLACE_KEYWORDS: &str = include_str!("../../sql/corpus/keyword_replace.sql");
const REPLACE: &str = include_str!("../../sql/corpus/replace_corpus.sql");
const FAILURES: &str = include_str!("../../sql/corpus/swap_failures.sql");
const SHOWN: &str = include_str!("../../sql/corpus/failures_shown.sql");
const SHOW: &str = include_str!("../../sql/corpus/show_failures.sql");

/// Checks that no object depends on the chunk table that a swap could not carry over.
///
/// # Errors
/// `NotInState`, naming the objects.
pub fn check_dependents(corpus: &CorpusSpec) -> Result<()> {
    let names = spi::query_texts(DEPENDENTS, &[chunk_of(corpus).into()])?;
    if names.is_empty() {
        return Ok(());
    }
    Err(Error::new(Kind::NotInState, format!("chunk table \"{}\" cannot be replaced", corpus.tables.chunk_table))
        .detail(format!("It is used by {}.", names.join(", ")))
        .hint("Drop these first and create them again afterwards, or create another corpus."))
}

/// Documents of which the corpus that is to be replaced has chunks, and that failed in the one that is to replace it.
#[derive(Debug, Deserialize)]
pub struct Failures {
    /// Those that were set aside and that its owner has not been shown: see [`Self::hold`].
    pub set_aside: i64,
    /// Those that are going to be tried again.
    pub tried_again: i64,
    /// When the last one of those that were set aside failed.
    last: Option<String>,
}

impl Failures {
    /// Counts them.
    ///
    /// # Errors
    /// Whatever Postgres raises.
    pub fn of(old: &CorpusSpec, new: &CorpusSpec) -> Result<Self> {
        let owner = pg_sys::Oid::from(new.tables.owner.unwrap_or_default());
        let sql = expand(FAILURES, new, &[("old_document", &table(old, &old.tables.document_table))]);
        let is_off = |corpus: &CorpusSpec| OcrMode::parse(&corpus.options.ocr) == Some(OcrMode::Off);
        let does_without = is_off(new) && !is_off(old);
        let shown = as_superuser(|| spi::query_text(SHOWN, &[new.name.as_str().into()]))?;
        let counted = as_owner(owner, || spi::query_text(&sql, &[does_without.into(), shown.into()]))?;
        serde_json::from_str(&counted.unwrap_or_default())
            .map_err(|error| Error::new(Kind::Bug, "failures could not be counted").detail(error.to_string()))
    }

    /// Pauses `new` and says why. Whoever resumes it has been shown these failures.
    ///
    /// # Errors
    /// Whatever Postgres raises.
    pub fn hold(&self, old: &CorpusSpec, new: &CorpusSpec) -> Result<()> {
        let (count, old, name) = (self.set_aside, &old.name, &new.name);
        let reason = format!(
            "documents have failed of which corpus \"{old}\" has chunks ({count}), so it is not replaced: see socle.job_failure; \
             socle.resume_corpus('{name}') replaces it without them, socle.retry_failed('{name}') before that tries them again, \
             socle.drop_corpus('{name}') abandons the change"
        );
        lifecycle::set_state(name, "paused", Some(&reason))?;
        as_superuser(|| spi::run(SHOW, &[name.as_str().into(), self.last.as_deref().into()]))?;
        new.tables.change.into_iter().for_each(|change| capture::invalidate(change.into()));
        Ok(())
    }
}

/// Replaces `old` by `new`. To be called in a transaction of its own.
///
/// # Errors
/// `NotInState` when an object has come to depend on the old chunk table meanwhile; what Postgres raises, a lock
/// timeout above all.
pub fn swap(old: &CorpusSpec, new: &CorpusSpec) -> Result<()> {
    let owner = pg_sys::Oid::from(old.tables.owner.unwrap_or_default());
    as_owner(owner, || {
        let (old_chunk, new_chunk) = (table(old, &old.tables.chunk_table), table(new, &new.tables.chunk_table));
        spi::execute(&expand(LOCK, new, &[("old_chunk", &old_chunk)]))?;
        check_dependents(old)?;
        let policies = spi::query_texts(POLICIES, &[chunk_of(old).into(), old_chunk.as_str().into()])?;
        let carried = spi::query_texts(CARRIED, &[chunk_of(old).into(), new_chunk.as_str().into()])?;
        carried.iter().try_for_each(|statement| spi::execute(statement))?;
        lifecycle::remove(old, false)?;
        lifecycle::remove_triggers(new)?;
        rename(old, new)?;
        policies.iter().try_for_each(|policy| spi::execute(policy))
    })?;
    let row = [old.name.as_str().into(), new.name.as_str().into()];
    as_superuser(|| spi::run(REPLACE_KEYWORDS, &row))?;
    as_superuser(|| spi::run(REPLACE, &row))?;
    create::bind(&old.name)?;
    let corpus = CorpusSpec::find(&old.name)?;
    as_owner(owner, || {
        let _suppressed = super::ddl_events::SuppressDdlEvents::begin();
        let trigger = identifier(&format!("socle_capture_{}", corpus.name));
        spi::execute(&expand(TRIGGERS, &corpus, &[("capture_trigger", &trigger)]))?;
        let comment = literal(&create::chunk_comment(&corpus));
        spi::execute(&expand("COMMENT ON TABLE {chunk} IS {comment}", &corpus, &[("comment", &comment)]))?;
        // A worker that has documents leased under the old names can no longer write them.
        spi::execute(&corpus.sql(END_LEASES))?;
        // The resync finds what came between.
        lifecycle::start(&corpus, true)
    })
}

/// Gives tables, indexes and sequences of `new` the names of those of `old`.
fn rename(old: &CorpusSpec, new: &CorpusSpec) -> Result<()> {
    let _suppressed = super::ddl_events::SuppressDdlEvents::begin();
    for (from, to) in [
        (&new.tables.chunk_table, &old.tables.chunk_table),
        (&new.tables.change_table, &old.tables.change_table),
        (&new.tables.document_table, &old.tables.document_table),
    ] {
        spi::execute(&expand(RENAME, new, &[("from", &table(new, from)), ("to", &identifier(to))]))?;
    }
    let tables = [new.tables.chunk, new.tables.change, new.tables.document].into_iter().flatten();
    let tables: Vec<pg_sys::Oid> = tables.map(pg_sys::Oid::from).collect();
    let arguments = [new.name.as_str().into(), old.name.as_str().into(), tables.into()];
    spi::query_texts(PARTS, &arguments)?.iter().try_for_each(|statement| spi::execute(statement))
}

fn table(corpus: &CorpusSpec, name: &str) -> String {
    format!("{}.{}", identifier(&corpus.tables.chunk_schema), identifier(name))
}

fn chunk_of(corpus: &CorpusSpec) -> pg_sys::Oid {
    corpus.tables.chunk.unwrap_or_default().into()
}
