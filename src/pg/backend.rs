//! Safe access to variables of a PostgreSQL process, and to server functions that take no pointers that could be
//! invalid.

use pgrx::pg_sys;
use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, Ordering};

static PRELOADED: AtomicBool = AtomicBool::new(false);

/// Whether the postmaster is loading this library now, at its start, by shared_preload_libraries; false in pg_upgrade.
pub fn is_preloading() -> bool {
    // SAFETY: plain variables, set before libraries are loaded.
    let preloading = unsafe { pg_sys::process_shared_preload_libraries_in_progress && !pg_sys::IsBinaryUpgrade };
    PRELOADED.fetch_or(preloading, Ordering::Relaxed);
    preloading
}

/// Whether the postmaster has loaded this library, and every process has it from there: another file in its place has
/// no effect before the server is restarted.
pub fn is_preloaded() -> bool {
    PRELOADED.load(Ordering::Relaxed)
}

/// The database that this process is connected to.
pub fn my_database() -> pg_sys::Oid {
    // SAFETY: reads a variable of this process.
    unsafe { pg_sys::MyDatabaseId }
}

/// The process number of the postmaster.
pub fn postmaster_pid() -> u32 {
    // SAFETY: set at the start of the postmaster and inherited.
    unsafe { pg_sys::PostmasterPid }.unsigned_abs()
}

/// `max_worker_processes`.
pub fn worker_slots() -> i32 {
    // SAFETY: reads a variable that is set at the start of the server.
    unsafe { pg_sys::max_worker_processes }
}

/// Counts a descriptor that this process keeps open against `max_files_per_process`, like those of Postgres.
pub fn reserve_descriptor() {
    // SAFETY: the function only counts.
    unsafe { pg_sys::ReserveExternalFD() };
}

/// Whether this server is a standby, or in crash recovery.
pub fn is_in_recovery() -> bool {
    // SAFETY: reads shared memory that every process is attached to.
    unsafe { pg_sys::RecoveryInProgress() }
}

/// `default_transaction_read_only` of this process.
pub fn is_read_only_by_default() -> bool {
    // SAFETY: reads a variable of this process.
    unsafe { pg_sys::DefaultXactReadOnly }
}

/// Whether all statements of this transaction see the same snapshot: REPEATABLE READ or SERIALIZABLE.
pub fn keeps_its_snapshot() -> bool {
    // SAFETY: reads a variable of this process.
    unsafe { pg_sys::XactIsoLevel }.unsigned_abs() >= pg_sys::XACT_REPEATABLE_READ
}

/// The current time as stored in a `timestamptz`: microseconds since 2000-01-01 00:00 UTC.
pub fn now() -> i64 {
    // SAFETY: reads the clock.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

/// Invalidates what all sessions have cached of a table. To be called inside a transaction.
pub fn invalidate_relation(relation: pg_sys::Oid) {
    // SAFETY: sends a message at commit; raises an error for a table that does not exist.
    unsafe { pg_sys::CacheInvalidateRelcacheByRelid(relation) };
}

/// Identifies the cluster; its standbys and copies have the same.
pub fn system_identifier() -> u64 {
    // SAFETY: reads shared memory that every process is attached to.
    unsafe { pg_sys::GetSystemIdentifier() }
}

/// The timeline that this server writes; 0 on a standby, which follows those of its primary.
pub fn timeline() -> u32 {
    if is_in_recovery() {
        return 0;
    }
    // SAFETY: reads shared memory; the timeline is known once recovery has ended.
    unsafe { pg_sys::GetWALInsertionTimeLine() }
}

/// Whether background workers can run: not in a server of a single user, and not while pg_upgrade works.
pub fn has_workers() -> bool {
    // SAFETY: plain variables, set at the start of the process.
    unsafe { pg_sys::IsUnderPostmaster && !pg_sys::IsBinaryUpgrade }
}

/// The number of the transaction, if it has one: it has written.
pub fn transaction_number() -> Option<u64> {
    // SAFETY: reads a variable of this process.
    let number = unsafe { pg_sys::GetTopFullTransactionIdIfAny() }.value;
    (number != 0).then_some(number)
}

/// The name of the database that this process is connected to. To be called inside a transaction.
pub fn database_name() -> String {
    // SAFETY: a catalog lookup, which returns a C string, or null for a database that is gone.
    unsafe {
        let name = pg_sys::get_database_name(my_database());
        if name.is_null() { String::new() } else { CStr::from_ptr(name).to_string_lossy().into_owned() }
    }
}

/// Raises 25006 on a standby and in a read-only transaction.
pub fn prevent_if_read_only(command: &CStr) {
    // SAFETY: the name is a C string, and the function only checks and raises.
    unsafe { pg_sys::PreventCommandIfReadOnly(command.as_ptr()) };
}

/// The name of a type as SQL, with its schema. To be called inside a transaction.
pub fn type_name(type_oid: pg_sys::Oid) -> String {
    // SAFETY: a catalog lookup, which returns a C string.
    unsafe {
        let name = pg_sys::format_type_extended(type_oid, -1, pg_sys::FORMAT_TYPE_FORCE_QUALIFY as u16);
        CStr::from_ptr(name).to_string_lossy().into_owned()
    }
}

/// Cryptographically random bytes, or `None` when the operating system has none.
pub fn random_bytes<const COUNT: usize>() -> Option<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    // SAFETY: writes that many bytes.
    unsafe { pg_sys::pg_strong_random(bytes.as_mut_ptr().cast(), bytes.len()) }.then_some(bytes)
}
