//! In whose name something is done.
//!
//! A switch lasts as long as the closure; an error on the way restores the caller with the (sub)transaction that it ends.

use crate::setting;
use pgrx::pg_sys;

/// Does `work` as the superuser that the cluster was made with: for the tables of socle itself, by static statements.
pub fn as_superuser<T>(work: impl FnOnce() -> T) -> T {
    become_user(pg_sys::Oid::from(pg_sys::BOOTSTRAP_SUPERUSERID), 0, work)
}

/// Does `work` as the owner of a corpus, who called for it: with his rights and nobody else's.
pub fn as_owner<T>(owner: pg_sys::Oid, work: impl FnOnce() -> T) -> T {
    become_user(owner, 0, work)
}

/// Does `work` as the owner of a corpus who did not call for it, as maintenance commands do: what his tables make run can
/// neither change roles nor leave settings behind.
pub fn as_restricted_owner<T>(owner: pg_sys::Oid, work: impl FnOnce() -> T) -> T {
    become_user(owner, pg_sys::SECURITY_RESTRICTED_OPERATION, work)
}

/// Inserts into the change log as its owner, as foreign keys are checked (ri_triggers.c).
pub fn as_log_owner<T>(owner: pg_sys::Oid, work: impl FnOnce() -> T) -> T {
    become_user(owner, pg_sys::SECURITY_NOFORCE_RLS, work)
}

fn become_user<T>(user: pg_sys::Oid, context: u32, work: impl FnOnce() -> T) -> T {
    let (mut before, mut before_context) = (pg_sys::InvalidOid, 0);
    // SAFETY: both functions only read and write variables of this process; work that raises an error leaves the
    // restoration to the end of the (sub)transaction (xact.c, AbortTransaction and AbortSubTransaction).
    unsafe {
        pg_sys::GetUserIdAndSecContext(&mut before, &mut before_context);
        let context = before_context | (context | pg_sys::SECURITY_LOCAL_USERID_CHANGE).cast_signed();
        pg_sys::SetUserIdAndSecContext(user, context);
        let result = work();
        pg_sys::SetUserIdAndSecContext(before, before_context);
        result
    }
}

/// Does `work` under the names of Postgres and in a snapshot of its own, inside a procedure that ends transactions and so
/// cannot have settings of its own.
pub fn with_own_names<T>(work: impl FnOnce() -> T) -> T {
    in_own_snapshot(|| setting::during(&[setting::OWN_NAMES], work))
}

/// Does `work` in a snapshot of its own, and under the names of whoever called a procedure that ends transactions.
pub fn in_own_snapshot<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: a transaction is under way; an error ends it, and the snapshot with it.
    unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot()) };
    let result = work();
    // SAFETY: pushed above.
    unsafe { pg_sys::PopActiveSnapshot() };
    result
}

/// The current user.
pub fn current() -> pg_sys::Oid {
    // SAFETY: reads a variable of this process.
    unsafe { pg_sys::GetUserId() }
}

/// Whether the current user has the rights of `role`.
pub fn may_act_as(role: pg_sys::Oid) -> bool {
    // SAFETY: a catalog lookup inside a transaction.
    unsafe { pg_sys::has_privs_of_role(current(), role) }
}

/// Whether the current user is a superuser.
pub fn is_superuser() -> bool {
    // SAFETY: a catalog lookup inside a transaction.
    unsafe { pg_sys::superuser() }
}
