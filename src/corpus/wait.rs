//! `socle.wait_for_corpus`: waits until committed changes are in the chunks.

use super::wait_reason::wait_reason;
use crate::capture;
use crate::catalog::CorpusSpec;
use crate::catalog::privileges::require_chunks;
use crate::pg::arguments::Arguments;
use crate::pg::backend;
use crate::pg::error::{report, spi};
use crate::pg::run_as::as_log_owner;
use crate::pg::snapshot::in_new_snapshot;
use crate::pg::{spi, wait};
use crate::supervisor::wake;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::{Error, Kind, Result};
use std::time::{Duration, Instant};

const OWN_CHANGES: &str = include_str!("../../sql/corpus/own_changes.sql");
const WAITING: &str = include_str!("../../sql/corpus/waiting.sql");

/// Shortest and longest time between two looks: short, because a session waits, and doubling, because it may take long.
const FIRST_POLL: Duration = Duration::from_millis(10);
pub const LONGEST_POLL: Duration = Duration::from_millis(200);

#[pg_extern(sql = false)]
fn wait_for_corpus(call: pg_sys::FunctionCallInfo) -> Result<bool, ErrorReport> {
    wait_for(Arguments::new(call)).map_err(report)
}

fn wait_for(arguments: Arguments) -> Result<bool> {
    let corpus = CorpusSpec::find(&arguments.short_text(0, "corpus")?.unwrap_or_default())?;
    let timeout = arguments.seconds(1).unwrap_or_default();
    let timeout = Duration::try_from_secs_f64(timeout)
        .map_err(|_| Error::new(Kind::InvalidArgument, "timeout must not be negative or infinite"))?;
    let (Some(_), Some(change), Some(owner)) = (corpus.tables.chunk, corpus.tables.change, corpus.tables.owner) else {
        return Err(broken(&corpus.name));
    };
    // A role that may read the chunks may wait for them.
    require_chunks(&corpus);
    check_transaction(&corpus, change.into(), owner.into())?;
    if backend::is_in_recovery() {
        return Err(Error::new(Kind::NotInState, "recovery is in progress")
            .detail("A standby follows the primary: wait there."));
    }
    wake::now();
    let snapshot = spi::query_text("SELECT pg_current_snapshot()::text", &[])?.unwrap_or_default();
    let sql = corpus.sql(WAITING);
    let begun = Instant::now();
    let mut poll = FIRST_POLL;
    loop {
        let (waiting, failed) = as_log_owner(owner.into(), || counts(&sql, &snapshot))?;
        if waiting == 0 && !keyword_index_pending(&corpus.name)? {
            if failed > 0 {
                pgrx::notice!("{failed} changes of corpus \"{}\" have failed: see socle.job_failure", corpus.name);
            }
            return Ok(failed == 0);
        }
        if let Some(state) = inactive_state(&corpus.name)? {
            pgrx::notice!(
                "corpus \"{}\" is {state}: {waiting} changes pending until socle.resume_corpus()",
                corpus.name
            );
            return Ok(false);
        }
        let rest = timeout.saturating_sub(begun.elapsed());
        if rest.is_zero() {
            report_wait_reason(&corpus.name)?;
            return Ok(false);
        }
        wait::wait_for_time(poll.min(rest));
        poll = (poll * 2).min(LONGEST_POLL);
    }
}

/// Reports what a corpus waits for, if it is known.
fn report_wait_reason(name: &str) -> Result<()> {
    if let Some(reason) = why(name)? {
        pgrx::notice!("corpus \"{name}\" waits: {reason}");
    }
    Ok(())
}

/// What a corpus waits for: what workers have recorded, else what can be determined now.
pub fn why(name: &str) -> Result<Option<String>> {
    let Some(corpus) = in_new_snapshot(|| CorpusSpec::try_find(name))? else { return Ok(None) };
    if corpus.progress.state_reason.is_some() { Ok(corpus.progress.state_reason) } else { wait_reason(&corpus) }
}

/// What [`inactive_state`] returns for a corpus that does not exist.
pub const DROPPED: &str = "dropped";

/// The keywords of a first fill are indexed once its chunks are there.
fn keyword_index_pending(name: &str) -> Result<bool> {
    let corpus = in_new_snapshot(|| CorpusSpec::try_find(name))?;
    Ok(corpus.is_some_and(|corpus| corpus.progress.state == "filling" && corpus.progress.keyword_missing_count > 0))
}

/// The state of a corpus that no worker works on; `None` for any other.
pub fn inactive_state(name: &str) -> Result<Option<String>> {
    Ok(match in_new_snapshot(|| CorpusSpec::try_find(name))? {
        Some(corpus) if corpus.progress.bound => {
            Some(corpus.progress.state).filter(|state| state == "paused" || state == "broken")
        }
        Some(_) => Some("restored from a dump".to_string()),
        None => Some(DROPPED.to_string()),
    })
}

/// The error for a corpus that lacks a table.
pub fn broken(name: &str) -> Error {
    Error::new(Kind::NotInState, format!("corpus \"{name}\" is broken"))
        .hint("See socle.corpus_status for the reason, and drop it with socle.drop_corpus() if it cannot be repaired.")
}

/// Refuses a transaction that would wait for itself, or not see what it has waited for.
fn check_transaction(corpus: &CorpusSpec, change: pg_sys::Oid, owner: pg_sys::Oid) -> Result<()> {
    if backend::keeps_its_snapshot() {
        return Err(Error::new(
            Kind::ActiveTransaction,
            "socle.wait_for_corpus() needs isolation level READ COMMITTED",
        )
        .detail("This transaction would not see what it had waited for."));
    }
    let sql = corpus.sql(OWN_CHANGES);
    let own = as_log_owner(owner, || {
        Spi::connect(|client| client.select(sql.as_str(), Some(1), &[])?.first().get_one::<bool>())
    });
    if capture::has_pending(change) || own.map_err(spi)? == Some(true) {
        return Err(Error::new(Kind::ActiveTransaction, "this transaction has changed the source itself")
            .detail("Its changes are processed after it commits.")
            .hint("Call socle.wait_for_corpus() in a transaction of its own."));
    }
    Ok(())
}

/// The two numbers of a row, read in a new snapshot.
pub fn counts(sql: &str, argument: &str) -> Result<(i64, i64)> {
    let counts = in_new_snapshot(|| {
        Spi::connect(|client| client.select(sql, Some(1), &[argument.into()])?.first().get_two::<i64, i64>())
    });
    let (waiting, failed) = counts.map_err(spi)?;
    Ok((waiting.unwrap_or_default(), failed.unwrap_or_default()))
}
