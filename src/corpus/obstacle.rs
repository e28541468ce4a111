//! Why work on a corpus does not go on: what `state_reason` says beyond what workers have noted. It is found out when somebody
//! looks, and nothing is written for it: what keeps workers from writing may be the reason.

use super::identity::{as_log_owner, as_superuser, current, in_own_snapshot};
use super::status::readable;
use super::{CorpusSpec, count};
use crate::error::{report, spi};
use crate::sync::index::OLD_SECONDS;
use crate::{query, setting, supervisor};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::Result;
use socle_core::protocol::{RUNTIME_DIRECTORY, WORKERS_FILE};
use std::path::Path;

const DUE: &str = include_str!("../../sql/corpus/due.sql");
const BEHIND: &str = include_str!("../../sql/corpus/behind.sql");
const OBSTACLE: &str = include_str!("../../sql/query/obstacle.sql");
const WORKERS: &str = include_str!("../../sql/query/workers_here.sql");
const READ_ONLY: &str = include_str!("../../sql/query/read_only.sql");
const READ_ONLY_FILE: &str = include_str!("../../sql/query/read_only_file.sql");

type Report = TableIterator<'static, (name!(corpus, String), name!(reason, String))>;

#[pg_extern(sql = false)]
fn corpus_obstacles() -> Result<Report, ErrorReport> {
    let rows = || -> Result<Vec<(String, String)>> {
        let mut rows = Vec::new();
        for corpus in readable()? {
            // One that somebody has altered would be an error here, for all who look.
            if count::counts(&corpus).is_none() {
                continue;
            }
            if let Some(reason) = obstacle(&corpus)? {
                rows.push((corpus.name, reason));
            }
        }
        Ok(rows)
    };
    rows().map(TableIterator::new).map_err(report)
}

/// What work on a corpus waits for; `None` where nothing waits, or where it goes on. To be asked of those whose change log the
/// caller may read, or in his name.
///
/// # Errors
/// Whatever Postgres raises.
pub fn obstacle(corpus: &CorpusSpec) -> Result<Option<String>> {
    let (Some(owner), Some(_), Some(_)) = (corpus.owner, corpus.change, corpus.chunk) else { return Ok(None) };
    let filling = corpus.state == "filling";
    if !corpus.bound || !(filling || corpus.state == "active") {
        return Ok(None);
    }
    let due = corpus.sql(DUE);
    let row = as_log_owner(owner.into(), || {
        in_own_snapshot(|| {
            Spi::connect(|client| client.select(due.as_str(), Some(1), &[])?.first().get_three::<bool, bool, f64>())
        })
    });
    let (pending, overdue, again) = row.map_err(spi)?;
    if pending != Some(true) && !filling {
        return Ok(None);
    }
    if setting::sync_workers() == 0 {
        return Ok(Some("socle.sync_workers is 0: nothing is done".to_string()));
    }
    if let Some(reason) = as_superuser(|| in_own_snapshot(read_only))? {
        return Ok(Some(reason));
    }
    let filled = filling && !is_behind(corpus, owner.into())?;
    let arguments = [corpus.name.as_str().into(), current().into(), filled.then_some(OLD_SECONDS).into()];
    if let Some(reason) = as_superuser(|| in_own_snapshot(|| query::text(OBSTACLE, &arguments)))? {
        return Ok(Some(reason));
    }
    let there = as_superuser(|| {
        in_own_snapshot(|| Spi::connect(|client| client.select(WORKERS, Some(1), &[])?.first().get_two::<i64, i64>()))
    });
    let (here, all) = there.map_err(spi)?;
    let waits = overdue == Some(true) || filled;
    Ok(match (here.unwrap_or_default(), all.unwrap_or_default(), again) {
        (0, _, _) if waits && Path::new(RUNTIME_DIRECTORY).join(WORKERS_FILE).exists() => {
            Some("no background worker can be started: all of max_worker_processes are in use".to_string())
        }
        (0, _, _) if waits && !supervisor::is_running() => {
            Some("no supervisor runs: the next write to a source, or call that needs the engine, starts it".to_string())
        }
        (0, all @ 1.., _) if waits => {
            Some(format!("waits for its turn: all {all} sync workers are in other databases"))
        }
        (_, _, Some(seconds)) if overdue != Some(true) => {
            Some(format!("changes that failed are tried again in {seconds:.0} s: see socle.job_failure"))
        }
        _ => None,
    })
}

/// Whether the first fill is under way.
fn is_behind(corpus: &CorpusSpec, owner: pg_sys::Oid) -> Result<bool> {
    let sql = corpus.sql(BEHIND);
    let filled_to = [corpus.filled_to.as_str().into()];
    as_log_owner(owner, || in_own_snapshot(|| query::holds(&sql, &filled_to)))
}

/// Workers begin with what is set for the database and the role they have, or for the cluster.
fn read_only() -> Result<Option<String>> {
    // SAFETY: reads a variable of this process.
    let mine = unsafe { pg_sys::DefaultXactReadOnly };
    let is_on = match query::text(READ_ONLY, &[])?.as_deref() {
        Some("on") => true,
        Some("live") => mine,
        Some("unknown") => {
            let setting = query::text(READ_ONLY_FILE, &[])?;
            setting.is_some_and(|setting| ["on", "true", "yes", "1"].contains(&setting.to_lowercase().as_str()))
        }
        _ => false,
    };
    Ok(is_on.then(|| {
        "the database is read-only: default_transaction_read_only is on; changes wait until it is off".to_string()
    }))
}
