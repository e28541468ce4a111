//! Runs what may fail without failing the transaction of the caller.

use super::error::{sqlstate, sqlstate_text};
use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;
use socle_core::Result;
use std::panic::AssertUnwindSafe;

/// Runs `work` in a subtransaction. A failure undoes it, and returns its SQLSTATE: not its message, which may be worded
/// by the owner of what was worked on. What ends or interrupts the caller's own command is raised all the same:
/// cancellation, deadlocks, the caller's own lock timeout.
///
/// # Errors
/// The SQLSTATE of the failure.
pub fn attempt<T>(work: impl FnOnce() -> Result<T>) -> std::result::Result<T, String> {
    // SAFETY: variables of this process, inside a transaction. What is begun here is ended below.
    let (context, owner) = unsafe {
        let before = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(before.0);
        // Shows what the transaction has done so far: pgrx has SPI take a new snapshot only once a (sub)transaction has
        // written.
        pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot());
        before
    };
    let result = PgTryBuilder::new(AssertUnwindSafe(|| match work() {
        Ok(done) => {
            // SAFETY: what was pushed and begun above.
            unsafe {
                pg_sys::PopActiveSnapshot();
                pg_sys::ReleaseCurrentSubTransaction();
            }
            Ok(done)
        }
        Err(error) => Err((sqlstate_text(sqlstate(error.kind) as i32), None)),
    }))
    .catch_others(|error| Err((sqlstate_of(&error), Some(Box::new(error)))))
    .catch_rust_panic(|error| Err((sqlstate_of(&error), Some(Box::new(error)))))
    .execute();
    // SAFETY: as above.
    unsafe {
        if result.is_err() {
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
    }
    result.map_err(|(code, error)| match error {
        Some(error) if is_of_the_caller(&code) => error.rethrow(),
        _ => code,
    })
}

fn is_of_the_caller(code: &str) -> bool {
    code.starts_with("57") || matches!(code, "40P01" | "55P03")
}

fn sqlstate_of(error: &CaughtError) -> String {
    match error {
        CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) => {
            sqlstate_text(report.sql_error_code() as i32)
        }
        CaughtError::RustPanic { .. } => "XX000".into(),
    }
}
