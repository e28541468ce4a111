//! Runs code as another role.
//!
//! A switch lasts as long as the closure; after an error the end of the (sub)transaction restores the caller.
//!
//! What an owner has put on tables of its corpus runs as that owner, and leaves nothing in the session: it is confined
//! as Postgres confines what the maintenance of an index or a materialized view runs (roles, temporary tables, LISTEN,
//! prepared statements, deferred triggers), its settings end with it, and functions that take or release locks of the
//! session are refused.

use super::gucs;
use super::snapshot::in_new_snapshot;
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::cell::Cell;
use std::ffi::CStr;

/// Runs `work` as the bootstrap superuser: for the tables of socle itself, with static statements.
pub fn as_superuser<T>(work: impl FnOnce() -> T) -> T {
    become_user(pg_sys::Oid::from(pg_sys::BOOTSTRAP_SUPERUSERID), 0, work)
}

/// Runs `work` as the owner of a corpus, whatever role has called.
pub fn as_owner<T>(owner: pg_sys::Oid, work: impl FnOnce() -> T) -> T {
    confined(owner, 0, work)
}

/// Like [`as_owner`], for statements over the change log and the document table alone: policies on these are ignored,
/// as in foreign key checks (ri_triggers.c).
pub fn as_log_owner<T>(owner: pg_sys::Oid, work: impl FnOnce() -> T) -> T {
    confined(owner, pg_sys::SECURITY_NOFORCE_RLS, work)
}

/// Runs `work`, which reads tables with policies of other roles, as the caller, and leaves nothing in the session.
pub fn as_self<T>(work: impl FnOnce() -> T) -> T {
    confined(current_user(), 0, work)
}

fn confined<T>(owner: pg_sys::Oid, context: u32, work: impl FnOnce() -> T) -> T {
    let _confinement = Confinement::begin();
    gucs::in_guc_nest_level(|| become_user(owner, context | pg_sys::SECURITY_RESTRICTED_OPERATION, work))
}

/// Functions that change what a session holds beyond its transaction, and that Postgres does not refuse itself.
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
    /// Nesting depth of confinements.
    static CONFINED: Cell<u32> = const { Cell::new(0) };
    static HOOKED: Cell<bool> = const { Cell::new(false) };
    static NEXT_HOOK: Cell<pg_sys::object_access_hook_type> = const { Cell::new(None) };
}

/// While this exists, the functions in [`REFUSED`] raise an error.
struct Confinement;

impl Confinement {
    fn begin() -> Self {
        if !HOOKED.replace(true) {
            // SAFETY: a variable of this process, set as other libraries set it: the previous hook is called, too.
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

/// Object access hook, called for every function that is about to run: what does not concern socle passes at once.
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
        // SAFETY: called as this function was called. Nothing here has to be cleaned up after an error.
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

/// Runs `work` under [`gucs::PINNED_SEARCH_PATH`] and in a snapshot of its own, inside a procedure that ends
/// transactions and so cannot have settings of its own.
pub fn with_pinned_search_path<T>(work: impl FnOnce() -> T) -> T {
    in_new_snapshot(|| gucs::with_gucs(&[gucs::PINNED_SEARCH_PATH], work))
}

/// The role that has logged in, or that a superuser has made this session one of.
pub fn session_user() -> pg_sys::Oid {
    // SAFETY: reads a variable of this process.
    unsafe { pg_sys::GetSessionUserId() }
}

/// The name of a role; empty for one that is gone. To be called inside a transaction.
pub fn role_name(role: pg_sys::Oid) -> String {
    // SAFETY: a catalog lookup, which returns a C string, or null as it is asked to.
    unsafe {
        let name = pg_sys::GetUserNameFromId(role, true);
        if name.is_null() { String::new() } else { CStr::from_ptr(name).to_string_lossy().into_owned() }
    }
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
