//! What differs between the supported versions of Postgres. The only file with `cfg(feature = "pgNN")`.

use pgrx::pg_sys;
use std::ffi::CStr;
#[cfg(any(feature = "pg17", feature = "pg18"))]
use std::sync::OnceLock;

/// Installs a signal handler.
///
/// # Safety
/// The handler must be safe to run at any instruction of this process.
pub unsafe fn set_signal_handler(signal: i32, handler: unsafe extern "C-unwind" fn(i32)) {
    #[cfg(feature = "pg18")]
    // SAFETY: the caller's guarantee.
    unsafe {
        pg_sys::pqsignal_be(signal, Some(handler))
    };
    #[cfg(not(feature = "pg18"))]
    // SAFETY: the caller's guarantee.
    unsafe {
        pg_sys::pqsignal(signal, Some(handler))
    };
}

/// Checks whether a role has USAGE on a schema.
///
/// # Safety
/// To be called inside a transaction.
pub unsafe fn schema_usage(schema: pg_sys::Oid, role: pg_sys::Oid) -> pg_sys::AclResult::Type {
    let right = pg_sys::ACL_USAGE as pg_sys::AclMode;
    #[cfg(feature = "pg15")]
    // SAFETY: the caller's guarantee.
    unsafe {
        pg_sys::pg_namespace_aclcheck(schema, role, right)
    }
    #[cfg(not(feature = "pg15"))]
    // SAFETY: the caller's guarantee.
    unsafe {
        pg_sys::object_aclcheck(pg_sys::NamespaceRelationId, schema, role, right)
    }
}

/// The setting that keeps `transaction_timeout`, which 17 introduced, from ending a worker.
pub fn transaction_timeout() -> Option<(&'static CStr, &'static CStr)> {
    if cfg!(any(feature = "pg17", feature = "pg18")) { Some((c"transaction_timeout", c"0")) } else { None }
}

/// The wait event under which sessions wait for the engine: `Extension: SocleEngine` from 17 on, where extensions may
/// name theirs, else `Extension: Extension`.
pub fn engine_wait_event() -> u32 {
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    {
        static EVENT: OnceLock<u32> = OnceLock::new();
        named(&EVENT, c"SocleEngine")
    }
    #[cfg(not(any(feature = "pg17", feature = "pg18")))]
    pg_sys::PG_WAIT_EXTENSION
}

/// The wait event of a sync worker without work, likewise `Extension: SocleIdle`.
pub fn idle_wait_event() -> u32 {
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    {
        static EVENT: OnceLock<u32> = OnceLock::new();
        named(&EVENT, c"SocleIdle")
    }
    #[cfg(not(any(feature = "pg17", feature = "pg18")))]
    pg_sys::PG_WAIT_EXTENSION
}

#[cfg(any(feature = "pg17", feature = "pg18"))]
fn named(event: &OnceLock<u32>, name: &'static CStr) -> u32 {
    // SAFETY: a session or worker attached to shared memory asks for a name that lives forever.
    *event.get_or_init(|| unsafe { pg_sys::WaitEventExtensionNew(name.as_ptr()) })
}

/// Whether a part of `ALTER TABLE` gives a generated column another expression (17 and later).
pub fn sets_expression(part: pg_sys::AlterTableType::Type) -> bool {
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    {
        part == pg_sys::AlterTableType::AT_SetExpression
    }
    #[cfg(not(any(feature = "pg17", feature = "pg18")))]
    {
        let _ = part;
        false
    }
}

/// Whether a role has USAGE on a schema.
pub fn may_use_schema(schema: pg_sys::Oid, role: pg_sys::Oid) -> bool {
    let right = pg_sys::ACL_USAGE as pg_sys::AclMode;
    // SAFETY: a catalog lookup inside a transaction.
    #[cfg(not(feature = "pg15"))]
    let allowed = unsafe { pg_sys::object_aclcheck(pg_sys::NamespaceRelationId, schema, role, right) };
    // SAFETY: as above.
    #[cfg(feature = "pg15")]
    let allowed = unsafe { pg_sys::pg_namespace_aclcheck(schema, role, right) };
    allowed == pg_sys::AclResult::ACLCHECK_OK
}
