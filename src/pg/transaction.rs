//! Transactions of background workers: begun and ended here, whatever happens in them. The transactions of a session are
//! begun and ended by its client.

use super::error::require;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;
use std::panic::AssertUnwindSafe;

/// Runs `work` in a transaction of its own, in a snapshot. A failure rolls the transaction back; `ended` runs after it
/// in any case.
///
/// # Errors
/// What `work` returns, or what `caught` makes of what it raises.
pub fn run<T, E>(
    work: impl FnOnce() -> Result<T, E>,
    caught: fn(CaughtError) -> E,
    ended: impl FnOnce(),
) -> Result<T, E> {
    // SAFETY: reads variables of this process.
    let may_begin = unsafe { !pg_sys::MyBgworkerEntry.is_null() && !pg_sys::IsTransactionState() };
    require(may_begin, "a transaction is begun inside another one");
    // SAFETY: a worker in no transaction; this is how the workers of Postgres run one.
    unsafe {
        pg_sys::SetCurrentStatementStartTimestamp();
        pg_sys::StartTransactionCommand();
    }
    let attempt = AssertUnwindSafe(|| -> Result<T, E> {
        // SAFETY: the transaction has just begun. Errors while it commits are caught like all others.
        unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot()) };
        let result = work()?;
        // SAFETY: see above.
        unsafe {
            pg_sys::PopActiveSnapshot();
            pg_sys::CommitTransactionCommand();
        }
        Ok(result)
    });
    let result = PgTryBuilder::new(attempt)
        .catch_others(|error| Err(caught(error)))
        .catch_rust_panic(|error| Err(caught(error)))
        .execute();
    ended();
    if result.is_err() {
        // SAFETY: ends whatever is left of the transaction; harmless when nothing is.
        unsafe { pg_sys::AbortCurrentTransaction() };
    }
    result
}

/// Whether this process is in a transaction: a worker is not while a model works for it.
pub fn is_open() -> bool {
    // SAFETY: reads a variable of this process.
    unsafe { pg_sys::IsTransactionState() }
}

/// Runs `work`, which writes, even if the transaction of the session has been set read only. An error in `work` ends the
/// transaction, and the setting with it.
pub fn with_writes_allowed<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: a variable of this process, which the end of the transaction resets.
    let read_only = unsafe {
        let before = pg_sys::XactReadOnly;
        pg_sys::XactReadOnly = false;
        before
    };
    let result = work();
    // SAFETY: as above.
    unsafe { pg_sys::XactReadOnly = read_only };
    result
}
