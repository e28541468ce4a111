//! Why work on a corpus does not go on: what `state_reason` says beyond what workers have recorded. It is determined
//! when it is read, and nothing is written for it: what keeps workers from writing may be the reason.

use super::status::watched;
use crate::catalog::CorpusSpec;
use crate::catalog::heap_counts;
use crate::pg::backend;
use crate::pg::error::{report, spi};
use crate::pg::run_as::{as_superuser, current_user};
use crate::pg::snapshot::in_new_snapshot;
use crate::pg::{gucs, spi};
use crate::supervisor::{self, wake};
use crate::vector_index::OLD_SECONDS;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::Result;
use socle_core::protocol::{RUNTIME_DIRECTORY, WORKERS_FILE};
use std::path::Path;

const OBSTACLE: &str = include_str!("../../sql/corpus/wait_reason.sql");
const WORKERS: &str = include_str!("../../sql/corpus/workers_here.sql");
const FILLED_TO: &str = "SELECT $1::timestamptz";
const READ_ONLY: &str = include_str!("../../sql/corpus/read_only.sql");
const READ_ONLY_FILE: &str = include_str!("../../sql/corpus/read_only_file.sql");

type Report = TableIterator<'static, (name!(corpus, String), name!(reason, String))>;

#[pg_extern(sql = false)]
fn wait_reasons() -> Result<Report, ErrorReport> {
    let rows = || -> Result<Vec<(String, String)>> {
        let mut rows = Vec::new();
        for (corpus, _) in watched()? {
            if let Some(reason) = wait_reason(&corpus)? {
                rows.push((corpus.name, reason));
            }
        }
        Ok(rows)
    };
    rows().map(TableIterator::new).map_err(report)
}

/// Why no worker can do anything in this database; `None` where one can. Has one look for work, as whoever asks waits for it.
#[pg_extern(sql = false)]
fn worker_obstacle() -> Result<Option<String>, ErrorReport> {
    if backend::is_in_recovery() {
        return Ok(None);
    }
    wake::now();
    let obstacle = || -> Result<Option<String>> {
        if let Some(reason) = forbidden()? {
            return Ok(Some(reason));
        }
        let (here, _) = workers()?;
        Ok((here == 0).then(without_slot).flatten())
    };
    obstacle().map_err(report)
}

/// What work on a corpus waits for; `None` where nothing is pending, or where work goes on. Runs no code of its owner,
/// and shows no data.
///
/// # Errors
/// Whatever Postgres raises.
pub fn wait_reason(corpus: &CorpusSpec) -> Result<Option<String>> {
    let filling = corpus.progress.state == "filling";
    if !corpus.progress.bound || corpus.tables.chunk.is_none() || !(filling || corpus.progress.state == "active") {
        return Ok(None);
    }
    // While another session has locked the log, its contents are not known, but the session is.
    let filled_to = filled_to(corpus)?;
    let backlog = in_new_snapshot(|| heap_counts::backlog(corpus, filled_to));
    if backlog.as_ref().is_some_and(|backlog| backlog.pending == 0) && !filling {
        return Ok(None);
    }
    let is_put_off = backlog.as_ref().is_some_and(|backlog| backlog.put_off);
    let (overdue, filled, again) = backlog
        .map_or((false, false, None), |backlog| (backlog.overdue, filling && !backlog.behind, backlog.next_attempt));
    if let Some(reason) = forbidden()? {
        return Ok(Some(reason));
    }
    let arguments = [corpus.name.as_str().into(), current_user().into(), filled.then_some(OLD_SECONDS).into()];
    if let Some(reason) = as_superuser(|| in_new_snapshot(|| spi::query_text(OBSTACLE, &arguments)))? {
        return Ok(Some(reason));
    }
    let (here, all) = workers()?;
    let waits = overdue || filled;
    Ok(match (here, all, again) {
        (0, _, _) if waits && without_slot().is_some() => without_slot(),
        (0, _, _) if waits && !supervisor::is_running() => Some(
            "no supervisor is running: the next write to a source, or call that needs the engine, starts it"
                .to_string(),
        ),
        (0, all @ 1.., _) if waits => {
            Some(format!("waits for a sync worker: all {all} are working in other databases"))
        }
        (1.., _, _) if is_put_off => {
            Some("long documents wait until a sync worker has room for them: see pg_stat_activity".to_string())
        }
        (_, _, Some(at)) if !overdue => {
            let seconds = (at - backend::now()).max(0) as f64 / 1e6;
            Some(format!("failed changes are retried in {seconds:.0} s: see socle.job_failure"))
        }
        _ => None,
    })
}

/// What keeps workers from working here at all.
fn forbidden() -> Result<Option<String>> {
    if gucs::sync_workers() == 0 {
        return Ok(Some("socle.sync_workers is 0: no change is processed".to_string()));
    }
    as_superuser(|| in_new_snapshot(read_only))
}

/// Number of sync workers in this database, and in all.
fn workers() -> Result<(i64, i64)> {
    let there = as_superuser(|| {
        in_new_snapshot(|| Spi::connect(|client| client.select(WORKERS, Some(1), &[])?.first().get_two::<i64, i64>()))
    });
    let (here, all) = there.map_err(spi)?;
    Ok((here.unwrap_or_default(), all.unwrap_or_default()))
}

/// The reason if the supervisor finds no place for a worker.
fn without_slot() -> Option<String> {
    let is_so = Path::new(RUNTIME_DIRECTORY).join(WORKERS_FILE).exists();
    is_so.then(|| "no background worker can be started: all of max_worker_processes are in use".to_string())
}

/// Changes up to this time belong to the first fill; in microseconds since 2000-01-01.
fn filled_to(corpus: &CorpusSpec) -> Result<i64> {
    let text = corpus.progress.filled_to.as_str().into();
    let time =
        Spi::connect(|client| client.select(FILLED_TO, Some(1), &[text])?.first().get_one::<TimestampWithTimeZone>());
    Ok(time.map_err(spi)?.map_or(i64::MIN, i64::from))
}

/// The reason if workers are read-only: they begin with what is set for their database and role, or for the cluster.
fn read_only() -> Result<Option<String>> {
    let mine = backend::is_read_only_by_default();
    let is_on = match spi::query_text(READ_ONLY, &[])?.as_deref() {
        Some("on") => true,
        Some("live") => mine,
        Some("unknown") => {
            let setting = spi::query_text(READ_ONLY_FILE, &[])?;
            setting.is_some_and(|setting| ["on", "true", "yes", "1"].contains(&setting.to_lowercase().as_str()))
        }
        _ => false,
    };
    Ok(is_on.then(|| {
        "the database is read-only: default_transaction_read_only is on; changes stay pending until it is off"
            .to_string()
    }))
}
