//! Snapshots: `work` runs in one that is pushed before it and popped after it. After an error the end of the
//! (sub)transaction pops it. All of this is called inside a transaction.

use pgrx::pg_sys;

/// Runs `work` in a snapshot of its own, under the search_path of the caller of a procedure that ends transactions.
pub fn in_new_snapshot<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: what is pushed is popped below, or by the end of the transaction.
    unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot()) };
    popping(work)
}

/// Runs `work` in a snapshot that shows what has been committed by now, at any isolation level.
pub fn in_latest_snapshot<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: as above.
    unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot()) };
    popping(work)
}

/// Runs `work`, which reads catalogs, in the latest snapshot, so that it sees the current state of what is locked. A
/// catalog snapshot, because one can be taken beside a parallel plan, too.
pub fn in_latest_catalog_snapshot<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: as above; what is pushed is a copy.
    unsafe { pg_sys::PushCopiedSnapshot(pg_sys::GetCatalogSnapshot(pg_sys::AttributeRelationId)) };
    popping(work)
}

/// Runs `work`, which only reads ordinary tables, in a snapshot that shows what has been committed by now, beside a parallel
/// plan, too. A catalog snapshot as above, but never one that was taken earlier: nothing says that ordinary tables have changed.
pub fn in_latest_snapshot_to_read<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: as above. No relation has this OID, so that none has caches whose invalidation would have ended the earlier one.
    unsafe { pg_sys::PushCopiedSnapshot(pg_sys::GetCatalogSnapshot(pg_sys::InvalidOid)) };
    popping(work)
}

/// Runs `work`, which only reads, in a snapshot that sees what others have committed by now, and of this transaction
/// what came before the running command.
pub fn before_the_command<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: a command has an active snapshot, taken before it began, if it has one at all; the one that is changed is
    // a copy, which lives until it is popped, or until an error ends the transaction.
    unsafe {
        let begun = pg_sys::ActiveSnapshotSet().then(|| (*pg_sys::GetActiveSnapshot()).curcid);
        pg_sys::PushCopiedSnapshot(pg_sys::GetLatestSnapshot());
        if let Some(begun) = begun {
            (*pg_sys::GetActiveSnapshot()).curcid = begun;
        }
    }
    popping(work)
}

fn popping<T>(work: impl FnOnce() -> T) -> T {
    let result = work();
    // SAFETY: pushed by each caller.
    unsafe { pg_sys::PopActiveSnapshot() };
    result
}
