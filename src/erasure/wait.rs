//! `CALL socle.wait_for_erasure(…)`: waits until workers have cleared away what deleted rows have left.
//!
//! A procedure, because deleted rows stay as long as any snapshot may see them, and that of a waiting query would: each look
//! is a transaction of its own.

use super::receipt::Receipt;
use crate::pg::arguments::Arguments;
use crate::pg::backend;
use crate::pg::error::report;
use crate::pg::procedure::{may_commit, with_transactions};
use crate::pg::run_as::with_pinned_search_path;
use crate::pg::snapshot::in_latest_snapshot_to_read;
use crate::pg::{plan_cache, spi, wait};
use crate::residue::LOOK_EVERY;
use crate::supervisor::wake;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::{Error, Kind, Result};
use std::time::{Duration, Instant};

const STATES: &str = include_str!("../../sql/erasure/states.sql");
const IS_KNOWN: &str = include_str!("../../sql/erasure/is_known.sql");

#[pg_extern(sql = false)]
fn wait_for_erasure(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    wait_for(call).map_err(report)
}

fn wait_for(call: pg_sys::FunctionCallInfo) -> Result<()> {
    if !may_commit(call) {
        return Err(Error::new(
            Kind::ActiveTransaction,
            "CALL socle.wait_for_erasure() cannot run inside a transaction block",
        )
        .detail("Deleted rows stay as long as a transaction may see them.")
        .hint("Call it by itself, with autocommit, or look at socle.erasure_status."));
    }
    let arguments = Arguments::new(call);
    let receipt = arguments.limited_json(0, "receipt")?;
    let receipt = receipt.ok_or_else(|| Error::new(Kind::InvalidArgument, "receipt must not be null"))?;
    let receipt = Receipt::parse(&receipt)?;
    let timeout = Duration::try_from_secs_f64(arguments.seconds(1).unwrap_or(f64::MAX))
        .map_err(|_| Error::new(Kind::InvalidArgument, "timeout must not be null, negative or infinite"))?;
    if backend::is_in_recovery() {
        return Err(Error::new(Kind::NotInState, "recovery is in progress")
            .detail("A standby follows the primary: wait there."));
    }
    with_pinned_search_path(|| require_known(&receipt))?;
    wake::now();
    let begun = Instant::now();
    with_transactions(|transactions| {
        loop {
            // Neither a lock nor a snapshot is held until the next look.
            transactions.commit();
            let pending = with_pinned_search_path(|| pending(&receipt))?;
            transactions.commit();
            let Some((corpus, reason)) = pending.into_iter().next() else { return Ok(()) };
            if begun.elapsed() >= timeout {
                return Err(Error::new(Kind::NotInState, format!("the erasure in corpus \"{corpus}\" is pending"))
                    .detail(reason)
                    .hint("It goes on by itself: see socle.erasure_status."));
            }
            wait::wait_for_time(LOOK_EVERY);
        }
    })
}

/// Refuses a receipt of another server, or of a transaction that has not committed.
fn require_known(receipt: &Receipt) -> Result<()> {
    if receipt.corpora.is_empty() || spi::query_bool(IS_KNOWN, &[receipt.erasure.as_str().into()])? {
        return Ok(());
    }
    Err(Error::new(Kind::NotInState, "no erasure of this database that the caller may see has this receipt")
        .detail("It is of another database, of another role, or of a transaction that was rolled back."))
}

/// The corpora where an erasure is pending, and what for.
///
/// # Errors
/// Those of [`plan_cache::rows`].
pub fn pending(receipt: &Receipt) -> Result<Vec<(String, String)>> {
    let arguments = [receipt.erasure.as_str().into()];
    in_latest_snapshot_to_read(|| {
        plan_cache::rows(STATES, &arguments, 0, |row| (row.get(1).unwrap_or_default(), row.get(3).unwrap_or_default()))
    })
}
