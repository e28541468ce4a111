//! `socle.drop_corpus`, `pause_corpus`, `resume_corpus`, `retry_failed`.

use super::source::Source;
use super::{binding_check, create, ddl_events, rekey};
use crate::capture;
use crate::catalog::CorpusSpec;
use crate::catalog::spec;
use crate::catalog::sql_template::{expand, identifier};
use crate::ledger::{self, Event, EventKind};
use crate::model;
use crate::pg::arguments::Arguments;
use crate::pg::error::{report, spi};
use crate::pg::run_as::{as_log_owner, as_owner, as_superuser};
use crate::pg::{backend, relation, spi, wait};
use crate::supervisor::wake;
use crate::vector_index;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::{Error, Kind, Result};
use std::time::Duration;

const LEFT_TABLE: &str = include_str!("../../sql/corpus/left_table.sql");
const SET_STATE: &str = include_str!("../../sql/corpus/set_corpus_state.sql");
const DELETE: &str = include_str!("../../sql/corpus/delete_corpus.sql");
const PARTITIONS: &str = include_str!("../../sql/corpus/partitions.sql");
const TRUNCATE_TRIGGERS: &str = include_str!("../../sql/corpus/truncate_triggers.sql");
const TREE: &str = include_str!("../../sql/corpus/partition_tree.sql");
const TRIGGERS: &str = include_str!("../../sql/corpus/create_triggers.sql");
const HAS_VECTOR_INDEX: &str = include_str!("../../sql/corpus/has_vector_index.sql");
const TRUNCATE_TRIGGER: &str = include_str!("../../sql/corpus/create_truncate_trigger.sql");
pub const REQUEST_RESYNC: &str = include_str!("../../sql/corpus/request_resync.sql");
const RETRY: &str = include_str!("../../sql/corpus/retry.sql");
const FORGET_LEASES: &str = include_str!("../../sql/corpus/forget_leases.sql");

/// Attempts to lock a chunk table before its lock is waited for, and the pause between them.
const LOCK_ATTEMPTS: usize = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// The corpus that the first argument of a call names, if the caller owns it.
pub fn own_corpus(call: pg_sys::FunctionCallInfo, argument: &str) -> Result<CorpusSpec> {
    let name = Arguments::new(call).short_text(0, argument)?;
    let name = name.ok_or_else(|| Error::new(Kind::InvalidArgument, format!("{argument} must not be null")))?;
    let corpus = CorpusSpec::find(&name)?;
    corpus.require_owner()?;
    Ok(corpus)
}

/// The owner of a corpus whose source, change log and chunk table all exist.
pub fn complete(corpus: &CorpusSpec) -> Result<pg_sys::Oid> {
    let missing = |what: &str| {
        Error::new(Kind::NotInState, format!("the {what} of corpus \"{}\" does not exist", corpus.name))
            .hint("Drop the corpus with socle.drop_corpus() and create it again.")
    };
    corpus.tables.source.ok_or_else(|| missing("source"))?;
    corpus.tables.change.ok_or_else(|| missing("change log"))?;
    corpus.tables.owner.map(Into::into).ok_or_else(|| missing("chunk table"))
}

/// OIDs of the source and its partitions.
pub fn tree(corpus: &CorpusSpec) -> Result<Vec<pg_sys::Oid>> {
    let source = pg_sys::Oid::from(corpus.tables.source.unwrap_or_default());
    Spi::connect(|client| {
        let rows = client.select(TREE, None, &[source.into()])?;
        rows.map(|row| Ok(row.get(1)?.unwrap_or(pg_sys::InvalidOid))).collect::<pgrx::spi::Result<_>>()
    })
    .map_err(spi)
}

/// Creates the truncate triggers that are missing on the source and its partitions; with `compare`, requests a resync.
/// To be called as the owner.
pub fn start(corpus: &CorpusSpec, compare: bool) -> Result<()> {
    let Some(source) = corpus.tables.source else { return Ok(()) };
    let trigger = format!("socle_truncate_{}", corpus.name);
    let arguments = [pg_sys::Oid::from(source).into(), trigger.as_str().into()];
    let _suppressed = ddl_events::SuppressDdlEvents::begin();
    for relation in spi::query_texts(PARTITIONS, &arguments)? {
        let extra = [("relation", relation.as_str()), ("truncate_trigger", &identifier(&trigger))];
        spi::run(&expand(TRUNCATE_TRIGGER, corpus, &extra), &[])?;
    }
    if compare { spi::run(&corpus.sql(REQUEST_RESYNC), &[]) } else { Ok(()) }
}

#[pg_extern(sql = false)]
fn drop_corpus(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    let dropped = || -> Result<()> {
        backend::prevent_if_read_only(c"socle.drop_corpus()");
        let corpus = own_corpus(call, "name")?;
        let keep_chunks = Arguments::new(call).boolean(1).unwrap_or_default();
        if let Some(successor) = corpus.successor()? {
            as_owner_of(&successor, || remove(&successor, false))?;
            as_superuser(|| spi::run(DELETE, &[successor.name.as_str().into()]))?;
        }
        // Tables before the row, in the lock order of workers.
        as_owner_of(&corpus, || remove(&corpus, keep_chunks))?;
        as_superuser(|| spi::run(DELETE, &[corpus.name.as_str().into()]))?;
        ledger::record(
            Event::new(EventKind::DropCorpus).with("corpus", corpus.name.as_str()).with("keeps_chunks", keep_chunks),
        );
        Ok(())
    };
    dropped().map_err(report)
}

fn as_owner_of(corpus: &CorpusSpec, work: impl FnOnce() -> Result<()>) -> Result<()> {
    match corpus.tables.owner {
        Some(owner) => as_owner(owner.into(), work),
        None => work(),
    }
}

/// Drops triggers and tables. To be called as the owner.
pub fn remove(corpus: &CorpusSpec, keep_chunks: bool) -> Result<()> {
    let _suppressed = ddl_events::SuppressDdlEvents::begin();
    if let Some(change) = corpus.tables.change {
        as_superuser(|| vector_index::cancel(change.into(), true))?;
    }
    remove_triggers(corpus)?;
    spi::run(&corpus.sql("DROP TABLE IF EXISTS {change}, {document}"), &[])?;
    if keep_chunks {
        return Ok(());
    }
    take_from_builder(corpus)?;
    spi::run(&corpus.sql("DROP TABLE IF EXISTS {chunk}"), &[])
}

/// Drops triggers and tables of a corpus whose chunk table is gone, and with it the record of its owner. Another role
/// may have given its own table the name of one that was dropped earlier: that one stays.
pub fn remove_rest(corpus: &CorpusSpec) -> Result<()> {
    let _suppressed = ddl_events::SuppressDdlEvents::begin();
    remove_triggers(corpus)?;
    for table in [corpus.tables.change, corpus.tables.document].into_iter().flatten() {
        if let Some(table) = spi::query_text(LEFT_TABLE, &[pg_sys::Oid::from(table).into()])? {
            spi::run(&format!("DROP TABLE {table}"), &[])?;
        }
    }
    Ok(())
}

/// Locks the chunk table before it is dropped. An index build that has begun since builds were cancelled would wait for
/// this transaction, and this transaction for the build.
fn take_from_builder(corpus: &CorpusSpec) -> Result<()> {
    let (Some(chunk), Some(change)) = (corpus.tables.chunk, corpus.tables.change) else { return Ok(()) };
    for _ in 0..LOCK_ATTEMPTS {
        if relation::try_lock_exclusively(chunk.into()) {
            break;
        }
        as_superuser(|| vector_index::cancel(change.into(), true))?;
        wait::wait_for_time(LOCK_PAUSE);
    }
    // Any other holder of the lock is waited for.
    Ok(())
}

/// Drops the triggers on the source. To be called as its owner.
pub fn remove_triggers(corpus: &CorpusSpec) -> Result<()> {
    let Some(source) = corpus.tables.source else { return Ok(()) };
    let _suppressed = ddl_events::SuppressDdlEvents::begin();
    let capture = identifier(&format!("socle_capture_{}", corpus.name));
    spi::run(&expand("DROP TRIGGER IF EXISTS {trigger} ON {source_table}", corpus, &[("trigger", &capture)]), &[])?;
    let truncate = format!("socle_truncate_{}", corpus.name);
    let arguments = [pg_sys::Oid::from(source).into(), truncate.as_str().into()];
    for relation in spi::query_texts(TRUNCATE_TRIGGERS, &arguments)? {
        spi::run(&format!("DROP TRIGGER {} ON {relation}", identifier(&truncate)), &[])?;
    }
    Ok(())
}

#[pg_extern(sql = false)]
fn pause_corpus(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    let paused = || -> Result<()> {
        backend::prevent_if_read_only(c"socle.pause_corpus()");
        let corpus = own_corpus(call, "name")?;
        set_state(&corpus.name, "paused", Some("socle.pause_corpus() was called"))?;
        corpus.tables.change.into_iter().for_each(|change| capture::invalidate(change.into()));
        Ok(())
    };
    paused().map_err(report)
}

/// Sets state and reason of a corpus.
pub fn set_state(name: &str, state: &str, reason: Option<&str>) -> Result<()> {
    let arguments = [name.into(), state.into(), reason.into()];
    as_superuser(|| spi::run(SET_STATE, &arguments))
}

#[pg_extern(sql = false)]
fn resume_corpus(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    let resumed = || -> Result<()> {
        backend::prevent_if_read_only(c"socle.resume_corpus()");
        let corpus = own_corpus(call, "name")?;
        let owner = complete(&corpus)?;
        if binding_check::read(std::slice::from_ref(&corpus.name))?.is_empty() {
            // A row that was restored, or written by hand: whoever resumes it creates the corpus.
            let options = &corpus.options;
            let models = [Some(&options.model), options.token_model.as_ref(), options.ocr_model.as_ref()];
            models.into_iter().flatten().try_for_each(|name| model::find(name).map(drop))?;
        }
        spec::check_models(&corpus)?;
        if !create::bind(&corpus.name)? {
            return Err(Error::new(Kind::NotInState, format!("tables of corpus \"{}\" are missing", corpus.name))
                .hint("Drop the corpus with socle.drop_corpus(keep_chunks => true) and create it again."));
        }
        let corpus = mend(CorpusSpec::find(&corpus.name)?, owner)?;
        as_owner(owner, || -> Result<()> {
            // Leases and transactions of another cluster, or of workers that are gone.
            spi::run(&corpus.sql(FORGET_LEASES), &[])?;
            start(&corpus, true)
        })?;
        let chunk = [pg_sys::Oid::from(corpus.tables.chunk.unwrap_or_default()).into()];
        let indexed = spi::query_bool(HAS_VECTOR_INDEX, &chunk)?;
        set_state(&corpus.name, if indexed { "active" } else { "filling" }, None)?;
        corpus.tables.change.into_iter().for_each(|change| capture::invalidate(change.into()));
        wake::at_commit();
        Ok(())
    };
    resumed().map_err(report)
}

/// Adapts the tables of a corpus to the current key, types and triggers of its source.
fn mend(corpus: CorpusSpec, owner: pg_sys::Oid) -> Result<CorpusSpec> {
    let binding = binding_check::read(std::slice::from_ref(&corpus.name))?.pop();
    let binding = binding.ok_or_else(|| Error::new(Kind::Bug, "a corpus that was bound is not"))?;
    binding.check()?;
    let lost = binding.has_lost_key();
    let corpus = if lost {
        let source = as_owner(owner, || Source::read(corpus.tables.source.unwrap_or_default().into()))?;
        binding_check::close(&corpus)?;
        let corpus = as_owner(owner, || rekey::rekey(&corpus, &source))?;
        binding_check::adopt_key(&corpus)?;
        CorpusSpec::find(&corpus.name)?
    } else {
        if binding.types() != binding_check::Types::Same {
            as_owner(owner, || rekey::widen(&corpus, &binding))?;
        }
        corpus
    };
    let _suppressed = ddl_events::SuppressDdlEvents::begin();
    as_owner(owner, || -> Result<()> {
        // Only where needed: it takes a lock that readers have to wait for.
        if lost || binding.lacks_policy() {
            create::protect(&corpus)?;
        }
        if !binding.has_trigger() {
            let trigger = identifier(&format!("socle_capture_{}", corpus.name));
            spi::run(&expand(TRIGGERS, &corpus, &[("capture_trigger", &trigger)]), &[])?;
        }
        binding.turn_triggers()
    })?;
    Ok(corpus)
}

#[pg_extern(sql = false)]
fn retry_failed(call: pg_sys::FunctionCallInfo) -> Result<i64, ErrorReport> {
    let retried = || -> Result<i64> {
        backend::prevent_if_read_only(c"socle.retry_failed()");
        let corpus = own_corpus(call, "corpus")?;
        let owner = complete(&corpus)?;
        let sql = corpus.sql(RETRY);
        let count = as_log_owner(owner, || {
            Spi::connect_mut(|client| client.update(sql.as_str(), Some(1), &[])?.first().get_one::<i64>())
        });
        wake::at_commit();
        Ok(count.map_err(spi)?.unwrap_or_default())
    };
    retried().map_err(report)
}
