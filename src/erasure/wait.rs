//! `socle.wait_for_erasure`: waits until workers have cleared away what deleted rows have left.

use super::receipt::Receipt;
use crate::pg::arguments::Arguments;
use crate::pg::backend;
use crate::pg::error::report;
use crate::pg::run_as::as_superuser;
use crate::pg::snapshot::in_latest_snapshot_to_read;
use crate::pg::{plan_cache, spi, wait};
use crate::residue::LOOK_EVERY;
use crate::supervisor::wake;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::{Error, Kind, Result};
use std::time::{Duration, Instant};

const STATES: &str = include_str!("../../sql/erasure/states.sql");
const IS_OWN: &str = include_str!("../../sql/erasure/is_own.sql");
const IS_KNOWN: &str = include_str!("../../sql/erasure/is_known.sql");

#[pg_extern(sql = false)]
fn wait_for_erasure(call: pg_sys::FunctionCallInfo) -> Result<bool, ErrorReport> {
    wait_for(Arguments::new(call)).map_err(report)
}

fn wait_for(arguments: Arguments) -> Result<bool> {
    let receipt = Receipt::parse(&arguments.limited_json(0, "receipt")?.unwrap_or_default())?;
    let timeout = Duration::try_from_secs_f64(arguments.seconds(1).unwrap_or_default())
        .map_err(|_| Error::new(Kind::InvalidArgument, "timeout must not be negative or infinite"))?;
    if backend::is_in_recovery() {
        return Err(Error::new(Kind::NotInState, "recovery is in progress")
            .detail("A standby follows the primary: wait there."));
    }
    require_known(&receipt)?;
    if as_superuser(|| spi::query_bool(IS_OWN, &[receipt.erasure.as_str().into()]))? {
        return Err(Error::new(Kind::ActiveTransaction, "this transaction has called socle.forget() itself")
            .detail("What deleted rows leave is cleared away after it has committed.")
            .hint("Call socle.wait_for_erasure() in a transaction of its own."));
    }
    if backend::keeps_its_snapshot() {
        return Err(Error::new(
            Kind::ActiveTransaction,
            "socle.wait_for_erasure() needs isolation level READ COMMITTED",
        ));
    }
    wake::now();
    let begun = Instant::now();
    loop {
        let pending = pending(&receipt)?;
        if pending.is_empty() {
            return Ok(true);
        }
        if begun.elapsed() >= timeout {
            for (corpus, reason) in pending {
                pgrx::notice!("the erasure in corpus \"{corpus}\" is pending: {reason}");
            }
            return Ok(false);
        }
        wait::wait_for_time(LOOK_EVERY);
    }
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
