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

/// The answer of Postgres to whether a role has USAGE on a schema. To be called inside a transaction.
pub fn schema_usage(schema: pg_sys::Oid, role: pg_sys::Oid) -> pg_sys::AclResult::Type {
    let right = pg_sys::ACL_USAGE as pg_sys::AclMode;
    // SAFETY: a catalog lookup inside a transaction.
    #[cfg(not(feature = "pg15"))]
    let usage = unsafe { pg_sys::object_aclcheck(pg_sys::NamespaceRelationId, schema, role, right) };
    // SAFETY: as above.
    #[cfg(feature = "pg15")]
    let usage = unsafe { pg_sys::pg_namespace_aclcheck(schema, role, right) };
    usage
}

/// The number of the current transaction in this process; 0 once it has ended, or begun to end after its commit or
/// abort was recorded.
pub fn local_transaction() -> pg_sys::LocalTransactionId {
    // SAFETY: the entry of this process in shared memory, which it has as long as it runs transactions.
    unsafe {
        let Some(process) = pg_sys::MyProc.as_ref() else { return 0 };
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        let transaction = process.vxid.lxid;
        #[cfg(not(any(feature = "pg17", feature = "pg18")))]
        let transaction = process.lxid;
        transaction
    }
}

/// The type of a column in the description of a row; `None` beyond the last column.
///
/// # Safety
/// The description is one of Postgres.
pub unsafe fn column_type(description: pg_sys::TupleDesc, index: usize) -> Option<pg_sys::Oid> {
    // SAFETY: the caller's guarantee. From 18 on, the full descriptions of columns follow the compact ones (tupdesc.h).
    unsafe {
        let count = usize::try_from((*description).natts).unwrap_or_default();
        #[cfg(feature = "pg18")]
        let columns = (*description).compact_attrs.as_ptr().add(count).cast::<pg_sys::FormData_pg_attribute>();
        #[cfg(not(feature = "pg18"))]
        let columns = (*description).attrs.as_ptr();
        (index < count).then(|| (*columns.add(index)).atttypid)
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

/// The wait event under which sessions wait for the generator, likewise `Extension: SocleGenerator`.
pub fn generator_wait_event() -> u32 {
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    {
        static EVENT: OnceLock<u32> = OnceLock::new();
        named(&EVENT, c"SocleGenerator")
    }
    #[cfg(not(any(feature = "pg17", feature = "pg18")))]
    pg_sys::PG_WAIT_EXTENSION
}

/// The wait event under which sessions wait for the egress process, likewise `Extension: SocleEgress`.
pub fn egress_wait_event() -> u32 {
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    {
        static EVENT: OnceLock<u32> = OnceLock::new();
        named(&EVENT, c"SocleEgress")
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
