//! Event triggers: corpora follow renames of what they consist of, notice what is dropped, and are resynced after
//! commands that change rows without firing row triggers.
//!
//! They run inside commands of users who may not know of socle, so they do nothing unless a corpus is concerned.

use super::ddl_command::{self, Command};
use super::{binding_check, lifecycle};
use crate::catalog::CorpusSpec;
use crate::ledger::{self, Event, EventKind};
use crate::pg::backend;
use crate::pg::error::{raise, report, spi};
use crate::pg::event_trigger::EventTriggerCall;
use crate::pg::run_as::{as_owner, as_superuser, current_user};
use crate::pg::snapshot::before_the_command;
use crate::pg::subtransaction::attempt;
use crate::pg::{extension_version, gucs, plan_cache, spi};
use crate::supervisor::wake;
use crate::vector_index;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde_json::Value;
use socle_core::Result;
use std::cell::Cell;

const ANY_RENAMED: &str = include_str!("../../sql/corpus/any_renamed.sql");
const RENAMED: &str = include_str!("../../sql/corpus/renamed_corpora.sql");
const RENAME: &str = include_str!("../../sql/corpus/rename_corpus.sql");
const CONCERNED: &str = include_str!("../../sql/corpus/concerned_corpora.sql");
const ONLY_NEW: &str = include_str!("../../sql/corpus/only_new.sql");
const ALTERED_COLUMNS: &str = include_str!("../../sql/corpus/altered_columns.sql");
const CLOSE: &str = include_str!("../../sql/corpus/close_chunks.sql");
const UNKEYED: &str = include_str!("../../sql/corpus/unkeyed_corpora.sql");
const DROPPED: &str = include_str!("../../sql/corpus/dropped_parts.sql");
const DELETE: &str = include_str!("../../sql/corpus/delete_corpus.sql");
const HAS_DEPENDENTS: &str = include_str!("../../sql/corpus/has_dependents.sql");
const CONCERNED_BY_DDL: &str = include_str!("../../sql/corpus/concerned_by_ddl.sql");
const CONCERNED_BY_DROP: &str = include_str!("../../sql/corpus/concerned_by_drop.sql");
const BOUND: &str = "SELECT b.corpus FROM socle.corpus_binding b ORDER BY b.corpus";
/// Names both tables, so that they are locked in the order in which an update of the extension locks them.
const ANY: &str = "SELECT EXISTS (SELECT FROM socle.corpus AS c JOIN socle.corpus_binding AS b ON b.corpus = c.name)";

/// The event trigger function `socle_internal.follow_ddl()`.
#[pg_guard]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn follow_ddl(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    if DDL_EVENTS_SUPPRESSED.get() {
        return pg_sys::Datum::null();
    }
    if extension_version::is_under_way() {
        // A script of the extension. What it leaves may be what workers wait for.
        wake::at_commit();
        return pg_sys::Datum::null();
    }
    if !extension_version::is_of_own_version() {
        return finish(refuse_if_concerned(CONCERNED_BY_DDL));
    }
    // SAFETY: Postgres is calling this function.
    let call = unsafe { EventTriggerCall::of(call) };
    finish(follow(&ddl_command::read(call)))
}

/// The event trigger function `socle_internal.prepare_ddl()`.
#[pg_guard]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn prepare_ddl(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: Postgres is calling this function.
    let call = unsafe { EventTriggerCall::of(call) };
    let retyped = ddl_command::read(call).retyped;
    if DDL_EVENTS_SUPPRESSED.get() || retyped.is_empty() || !extension_version::is_of_own_version() {
        return pg_sys::Datum::null();
    }
    let relation = ddl_command::altered_relation(call);
    finish(gucs::with_gucs(&[gucs::PINNED_SEARCH_PATH], || make_way(relation, retyped)))
}

/// The event trigger function `socle_internal.follow_drop()`.
#[pg_guard]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn follow_drop(_call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    if DDL_EVENTS_SUPPRESSED.get() || extension_version::is_under_way() {
        return pg_sys::Datum::null();
    }
    if !extension_version::is_of_own_version() {
        return finish(refuse_if_concerned(CONCERNED_BY_DROP));
    }
    finish(dropped())
}

/// The fmgr info record of [`follow_ddl`]: calling convention version 1.
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_follow_ddl() -> &'static pg_sys::Pg_finfo_record {
    const V1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &V1
}

/// The fmgr info record of [`prepare_ddl`].
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_prepare_ddl() -> &'static pg_sys::Pg_finfo_record {
    pg_finfo_follow_ddl()
}

/// The fmgr info record of [`follow_drop`].
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_follow_drop() -> &'static pg_sys::Pg_finfo_record {
    pg_finfo_follow_ddl()
}

thread_local! {
    static DDL_EVENTS_SUPPRESSED: Cell<bool> = const { Cell::new(false) };
}

/// While this exists, commands are those of socle itself, and the event triggers ignore them.
#[derive(Debug)]
pub struct SuppressDdlEvents(bool);

impl SuppressDdlEvents {
    /// Suppresses the event triggers.
    pub fn begin() -> Self {
        Self(DDL_EVENTS_SUPPRESSED.replace(true))
    }
}

impl Drop for SuppressDdlEvents {
    fn drop(&mut self) {
        DDL_EVENTS_SUPPRESSED.set(self.0);
    }
}

fn finish(result: Result<()>) -> pg_sys::Datum {
    if let Err(error) = result {
        raise(error);
    }
    pg_sys::Datum::null()
}

/// Between an update of the library and that of the extension, commands on tables of corpora could not be followed:
/// they are refused, all others pass.
fn refuse_if_concerned(question: &str) -> Result<()> {
    if as_superuser(|| spi::query_bool(question, &[]))? { extension_version::require_own_version() } else { Ok(()) }
}

/// Up to three text columns of a row.
type Row = (String, Option<String>, Option<String>);

fn rows_of(sql: &str) -> Result<Vec<Row>> {
    Spi::connect(|client| {
        let rows = client.select(sql, None, &[])?;
        let width = rows.columns()?;
        rows.map(|row| {
            let optional = |at: usize| if at <= width { row.get::<String>(at) } else { Ok(None) };
            Ok((row.get::<String>(1)?.unwrap_or_default(), optional(2)?, optional(3)?))
        })
        .collect::<pgrx::spi::Result<_>>()
    })
    .map_err(spi)
}

fn none_is_concerned() -> Result<bool> {
    spi::query_bool(ANY, &[]).map(|any| !any)
}

fn follow_names() -> Result<()> {
    as_superuser(|| {
        if !spi::query_bool(ANY_RENAMED, &[])? {
            return Ok(());
        }
        for (row, ..) in rows_of(RENAMED)? {
            let Ok(mut row) = serde_json::from_str::<Value>(&row) else { continue };
            let template = renamed_template(&row);
            row["template"] = Value::String(template);
            spi::run(RENAME, &[pgrx::JsonB(row).into()])?;
        }
        Ok(())
    })
}

/// The template with the current names of its columns.
fn renamed_template(row: &Value) -> String {
    let names =
        |key: &str| -> Vec<&str> { row[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect() };
    let mut template = row["template"].as_str().unwrap_or_default().to_string();
    for (old, new) in names("old_columns").into_iter().zip(names("template_columns")) {
        if old != new {
            template = template.replace(&format!("{{{old}}}"), &format!("{{{new}}}"));
        }
    }
    template
}

/// The function `socle_internal.after_update()`: has every corpus resynced after an update of the extension.
#[pg_extern(sql = false)]
fn after_update() -> Result<(), ErrorReport> {
    let started = || -> Result<()> {
        for name in spi::query_texts(BOUND, &[])? {
            let Some(corpus) = CorpusSpec::try_find(&name)? else { continue };
            let (Some(owner), Some(change), Some(_)) =
                (corpus.tables.owner, corpus.tables.change, corpus.tables.source)
            else {
                continue;
            };
            as_owner(owner.into(), || lifecycle::start(&corpus, true))?;
            for relation in lifecycle::tree(&corpus)? {
                // Sessions may have cached what they found in the tables of the previous version.
                backend::invalidate_relation(relation);
            }
            crate::capture::invalidate(change.into());
        }
        wake::at_commit();
        Ok(())
    };
    started().map_err(report)
}

/// Makes corpora follow a command that may concern them. If they cannot be determined, the command gets a warning, no
/// error.
fn follow(command: &Command) -> Result<()> {
    if none_is_concerned()? || spi::query_bool(ONLY_NEW, &[])? {
        return Ok(());
    }
    let concerned = attempt(|| {
        follow_names()?;
        as_superuser(|| spi::query_texts(CONCERNED, &[]))
    });
    match concerned {
        Ok(names) => binding_check::follow(&names, command),
        Err(code) => {
            pgrx::warning!("corpora may not reflect this command ({code}): see socle.resume_corpus()");
            Ok(())
        }
    }
}

/// Closes the policies that name columns which are about to get another type: Postgres alters no column that a policy
/// names. [`follow`] opens them again. The chunk table is locked here, before the source, in the order of readers; the
/// change log is locked after the source, in the order of writers.
fn make_way(relation: pg_sys::Oid, columns: Vec<String>) -> Result<()> {
    if none_is_concerned()? {
        return Ok(());
    }
    let arguments = [relation.into(), columns.into(), current_user().into()];
    let names = attempt(|| as_superuser(|| spi::query_texts(ALTERED_COLUMNS, &arguments))).unwrap_or_default();
    let _suppressed = SuppressDdlEvents::begin();
    for name in names {
        let Some(corpus) = CorpusSpec::try_find(&name)? else { continue };
        if corpus.tables.chunk.is_some() && corpus.tables.change.is_some() && corpus.tables.document.is_some() {
            as_superuser(|| gucs::with_gucs(&[gucs::QUIET], || spi::run(&corpus.sql(CLOSE), &[])))?;
        }
    }
    Ok(())
}

fn dropped() -> Result<()> {
    if none_is_concerned()? {
        return Ok(());
    }
    let row = |row: plan_cache::Row| {
        (row.get::<String>(1), row.get::<String>(2), row.get::<String>(3), row.get::<pg_sys::Oid>(4))
    };
    for (name, part, identity, change) in before_the_command(|| plan_cache::rows(DROPPED, &[], 0, row))? {
        let name = name.unwrap_or_default();
        let Some(corpus) = CorpusSpec::try_find(&name)? else { continue };
        let identity = identity.unwrap_or_default();
        match part.as_deref() {
            Some("table") => end(&corpus)?,
            Some("trigger") => {
                if let (Some(owner), Some(_), Some(_)) =
                    (corpus.tables.owner, corpus.tables.change, corpus.tables.source)
                {
                    as_owner(owner.into(), || lifecycle::start(&corpus, true))?;
                    wake::at_commit();
                }
            }
            part => {
                lifecycle::set_state(&name, "broken", Some(&format!("{identity} was dropped")))?;
                if let (Some("log"), Some(change)) = (part, change) {
                    // Sync workers, which cancel the build of an index that a session waits for, wait for this transaction
                    // from now on. If it went on to wait for the build, that would be a deadlock.
                    as_superuser(|| vector_index::cancel(change, true))?;
                }
            }
        }
    }
    // The constraint that made the key unique may have been dropped with it.
    let bound = attempt(|| as_superuser(|| spi::query_texts(UNKEYED, &[]))).unwrap_or_default();
    binding_check::follow(&bound, &Command { only_dropped: true, ..Command::default() })
}

/// Removes the rest of a corpus whose source or chunk table is gone. A chunk table that other objects depend on stays.
fn end(corpus: &CorpusSpec) -> Result<()> {
    if let Some(successor) = corpus.successor()? {
        end(&successor)?;
    }
    as_superuser(|| spi::run(DELETE, &[corpus.name.as_str().into()]))?;
    let event = Event::new(EventKind::DropCorpus).with("corpus", corpus.name.as_str());
    ledger::record(event.with("reason", "its source or chunk table was dropped"));
    let chunk: Option<pg_sys::Oid> = corpus.tables.chunk.map(Into::into);
    let needed = match chunk {
        Some(chunk) => spi::query_bool(HAS_DEPENDENTS, &[chunk.into()])?,
        None => true,
    };
    match corpus.tables.owner {
        Some(owner) => as_owner(owner.into(), || lifecycle::remove(corpus, needed)),
        None => as_superuser(|| lifecycle::remove_rest(corpus)),
    }
}
