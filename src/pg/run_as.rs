//! In whose name something is done.
//!
//! A switch lasts as long as the closure; an error on the way restores the caller with the (sub)transaction that it ends.
//!
//! What an owner has put on tables of his corpus runs as that owner, and leaves nothing in the session: it is confined as
//! Postgres confines what an index or a materialized view makes run (roles, temporary tables, LISTEN, prepared statements,
//! deferred triggers), its settings end with it, and so that it neither takes nor returns locks of the session, the functions
//! for that are refused.

use super::gucs;
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::cell::Cell;
use std::ffi::CStr;

/// Does `work` as the superuser that the cluster was made with: for the tables of socle itself, by static statements.
pub fn as_superuser<T>(work: impl FnOnce() -> T) -> T {
    become_user(pg_sys::Oid::from(pg_sys::BOOTSTRAP_SUPERUSERID), 0, work)
}

/// Does `work` as the owner of a corpus, whoever has called for it.
pub fn as_owner<T>(owner: pg_sys::Oid, work: impl FnOnce() -> T) -> T {
    confined(owner, 0, work)
}

/// The same for statements over the change log and the table of documents alone: policies on these do not count, as for the
/// checks of foreign keys (ri_triggers.c).
pub fn as_log_owner<T>(owner: pg_sys::Oid, work: impl FnOnce() -> T) -> T {
    confined(owner, pg_sys::SECURITY_NOFORCE_RLS, work)
}

/// Does `work`, which reads what others have put policies on, as the caller, with nothing left in his session.
pub fn as_self<T>(work: impl FnOnce() -> T) -> T {
    confined(current_user(), 0, work)
}

fn confined<T>(owner: pg_sys::Oid, context: u32, work: impl FnOnce() -> T) -> T {
    let _confinement = Confinement::begin();
    gucs::in_guc_nest_level(|| become_user(owner, context | pg_sys::SECURITY_RESTRICTED_OPERATION, work))
}

/// Functions that change what a session holds beyond its transaction, and that Postgres does not refuse by itself.
const REFUSED: [u32; 14] = [
    pg_sys::F_PG_ADVISORY_LOCK_INT8,
    pg_sys::F_PG_ADVISORY_LOCK_SHARED_INT8,
    pg_sys::F_PG_TRY_ADVISORY_LOCK_INT8,
    pg_sys::F_PG_TRY_ADVISORY_LOCK_SHARED_INT8,
    pg_sys::F_PG_ADVISORY_UNLOCK_INT8,
    pg_sys::F_PG_ADVISORY_UNLOCK_SHARED_INT8,
    pg_sys::F_PG_ADVISORY_LOCK_INT4_INT4,
    pg_sys::F_PG_ADVISORY_LOCK_SHARED_INT4_INT4,
    pg_sys::F_PG_TRY_ADVISORY_LOCK_INT4_INT4,
    pg_sys::F_PG_TRY_ADVISORY_LOCK_SHARED_INT4_INT4,
    pg_sys::F_PG_ADVISORY_UNLOCK_INT4_INT4,
    pg_sys::F_PG_ADVISORY_UNLOCK_SHARED_INT4_INT4,
    pg_sys::F_PG_ADVISORY_UNLOCK_ALL,
    pg_sys::F_SETSEED,
];

thread_local! {
    /// How many confinements are under way, one in the other.
    static CONFINED: Cell<u32> = const { Cell::new(0) };
    static HOOKED: Cell<bool> = const { Cell::new(false) };
    static NEXT_HOOK: Cell<pg_sys::object_access_hook_type> = const { Cell::new(None) };
}

/// While this is held, functions of [`REFUSED`] are.
struct Confinement;

impl Confinement {
    fn begin() -> Self {
        if !HOOKED.replace(true) {
            // SAFETY: a variable of this process, set as other libraries set it: whoever was there is called, too.
            unsafe {
                NEXT_HOOK.set(pg_sys::object_access_hook);
                pg_sys::object_access_hook = Some(accessed);
            }
        }
        CONFINED.set(CONFINED.get() + 1);
        Self
    }
}

impl Drop for Confinement {
    fn drop(&mut self) {
        CONFINED.set(CONFINED.get() - 1);
    }
}

/// Called for every function that is about to run: what is no concern of ours passes at once.
unsafe extern "C-unwind" fn accessed(
    access: pg_sys::ObjectAccessType::Type,
    class: pg_sys::Oid,
    object: pg_sys::Oid,
    part: i32,
    argument: *mut std::ffi::c_void,
) {
    if access == pg_sys::ObjectAccessType::OAT_FUNCTION_EXECUTE
        && CONFINED.get() > 0
        && REFUSED.contains(&object.to_u32())
    {
        refuse(object);
    }
    if let Some(next) = NEXT_HOOK.get() {
        // SAFETY: called as this function was called. There is nothing here that an error would have to clean up.
        unsafe { next(access, class, object, part, argument) };
    }
}

#[pg_guard]
extern "C-unwind" fn refuse(function: pg_sys::Oid) {
    // SAFETY: a catalog lookup inside a transaction; the name is copied.
    let name = unsafe {
        let name = pg_sys::get_func_name(function);
        if name.is_null() { String::new() } else { CStr::from_ptr(name).to_string_lossy().into_owned() }
    };
    let message = format!("cannot execute {name}() within security-restricted operation");
    let code = PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE;
    pg_sys::panic::ErrorReport::new(code, message, pgrx::function_name!()).report(PgLogLevel::ERROR);
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
pub fn with_pinned_search_path<T>(work: impl FnOnce() -> T) -> T {
    in_new_snapshot(|| gucs::with_gucs(&[gucs::PINNED_SEARCH_PATH], work))
}

/// Does `work` in a snapshot of its own, and under the names of whoever called a procedure that ends transactions.
pub fn in_new_snapshot<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: a transaction is under way; an error ends it, and the snapshot with it.
    unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot()) };
    let result = work();
    // SAFETY: pushed above.
    unsafe { pg_sys::PopActiveSnapshot() };
    result
}

/// Does `work`, which reads catalogs, in the latest snapshot: what is locked is as it says. That of the catalog, which can be
/// had beside a parallel plan, too.
pub fn in_latest_catalog_snapshot<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: as above; what is pushed is a copy.
    unsafe { pg_sys::PushCopiedSnapshot(pg_sys::GetCatalogSnapshot(pg_sys::AttributeRelationId)) };
    let result = work();
    // SAFETY: pushed above.
    unsafe { pg_sys::PopActiveSnapshot() };
    result
}

/// The current user.
pub fn current_user() -> pg_sys::Oid {
    // SAFETY: reads a variable of this process.
    unsafe { pg_sys::GetUserId() }
}

/// Whether the current user has the rights of `role`.
pub fn may_act_as(role: pg_sys::Oid) -> bool {
    // SAFETY: a catalog lookup inside a transaction.
    unsafe { pg_sys::has_privs_of_role(current_user(), role) }
}

/// Whether the current user is a superuser.
pub fn is_superuser() -> bool {
    // SAFETY: a catalog lookup inside a transaction.
    unsafe { pg_sys::superuser() }
}
