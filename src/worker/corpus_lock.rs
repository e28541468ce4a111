//! Locks that workers take on a corpus, so that two do not do the same work.

use super::transaction::{WorkerError, transaction};
use crate::pg::lock::{self, Purpose, Until};
use pgrx::prelude::*;

const STATE: &str = include_str!("../../sql/sync/corpus_state.sql");

/// The current state of a corpus, locked until the transaction ends. What the transaction reads afterwards is as fresh.
///
/// # Errors
/// Whatever Postgres raises.
pub fn state(name: &str) -> Result<Option<String>, WorkerError> {
    Ok(Spi::connect_mut(|client| {
        let rows = client.update(STATE, Some(1), &[name.into()])?;
        if rows.is_empty() { Ok(None) } else { rows.first().get_one::<String>() }
    })?)
}

/// Runs `work`, which may begin transactions of its own, unless another worker does the same for the same corpus;
/// `None` if so. The lock is held by the session, so that it outlives the transactions of the work, and their failure.
///
/// # Errors
/// What `work` returns; whatever Postgres raises.
pub fn exclusively<T>(
    purpose: Purpose,
    change: pg_sys::Oid,
    work: impl FnOnce() -> Result<T, WorkerError>,
) -> Result<Option<T>, WorkerError> {
    if !transaction(|| Ok(lock::take(purpose, change, Until::Returned)))? {
        return Ok(None);
    }
    let done = work();
    transaction(|| {
        lock::give_back(purpose, change);
        Ok(())
    })?;
    done.map(Some)
}

/// Takes the claim lock of a corpus for the rest of the transaction, if it is free.
pub fn try_lock_claims(change: pg_sys::Oid) -> bool {
    lock::take(Purpose::Claim, change, Until::TransactionEnd)
}
