//! The session of a worker: its start, its settings, what it reports of itself, and the signals that it is sent.

use super::transaction::{WorkerError, transaction};
use crate::pg::backend;
use crate::pg::version::{set_signal_handler, transaction_timeout};
use crate::pg::{gucs, spi, wait};
use pgrx::prelude::*;
use std::ffi::{CStr, CString};
use std::time::Duration;

const READ_ONLY: &str = include_str!("../../sql/corpus/read_only.sql");

/// Settings of the whole session, in force before any of its transactions begins, whatever has been set for the
/// database or for the role: the search_path is pinned, users do not wait for a worker that waits for them, and no time
/// limit of user sessions ends a worker.
const SETTINGS: [(&CStr, &CStr); 7] = [
    (c"role", c"none"),
    gucs::PINNED_SEARCH_PATH,
    LOCK_TIMEOUT,
    (c"statement_timeout", c"0"),
    (c"idle_in_transaction_session_timeout", c"0"),
    (c"default_transaction_isolation", c"read committed"),
    (c"default_transaction_deferrable", c"off"),
];
const LOCK_TIMEOUT: (&CStr, &CStr) = (c"lock_timeout", c"200ms");

unsafe extern "C-unwind" {
    // Signal handlers of Postgres. Through `pg_sys` they would run inside pgrx's guard, which is not for signal handlers.
    fn die(signal: i32);
    fn SignalHandlerForConfigReload(signal: i32);
    fn SignalHandlerForShutdownRequest(signal: i32);
}

/// Connects to the database, with `name` as application name.
pub fn begin(database: pg_sys::Oid, name: &CStr) {
    // SAFETY: the start of a background worker, as Postgres's own do it: handlers, signals, connection.
    unsafe {
        set_signal_handler(libc::SIGTERM, die);
        set_signal_handler(libc::SIGHUP, SignalHandlerForConfigReload);
        // From the supervisor: another database has no worker, this one is to exit.
        set_signal_handler(libc::SIGUSR2, SignalHandlerForShutdownRequest);
        pg_sys::BackgroundWorkerUnblockSignals();
        pg_sys::BackgroundWorkerInitializeConnectionByOid(database, pg_sys::InvalidOid, 0);
        pg_sys::pgstat_report_appname(name.as_ptr());
    }
    SETTINGS.into_iter().chain(transaction_timeout()).for_each(set);
}

fn set((name, value): (&CStr, &CStr)) {
    let (context, source) = (pg_sys::GucContext::PGC_SUSET, pg_sys::GucSource::PGC_S_OVERRIDE);
    // SAFETY: settings of this process, by C strings.
    unsafe { pg_sys::SetConfigOption(name.as_ptr(), value.as_ptr(), context, source) };
}

/// Runs `work`, waiting so long for each lock, instead of no longer than users can wait for this worker.
pub fn waiting_for_locks<T>(patience: Duration, work: impl FnOnce() -> T) -> T {
    let patience = CString::new(format!("{}ms", patience.as_millis().min(i32::MAX as u128))).unwrap_or_default();
    set((LOCK_TIMEOUT.0, &patience));
    let done = work();
    set(LOCK_TIMEOUT);
    done
}

/// Whether this session can write, and whether a new one could.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Writing {
    /// It can, and so could a new one.
    Possible,
    /// The database is read-only by `default_transaction_read_only`.
    Forbidden,
    /// The default has changed since this session began, which keeps the old one.
    Changed,
}

/// Whether the database can be written. The default that a provider sets to stop a full disk is respected.
///
/// # Errors
/// Whatever Postgres raises.
pub fn writing() -> Result<Writing, WorkerError> {
    let mine = backend::is_read_only_by_default();
    let theirs = transaction(|| Ok(spi::query_text(READ_ONLY, &[])?))?;
    Ok(match theirs.as_deref() {
        Some("on") if mine => Writing::Forbidden,
        Some("off") if !mine => Writing::Possible,
        Some("live") if mine => Writing::Forbidden,
        Some("live") => Writing::Possible,
        _ => Writing::Changed,
    })
}

/// Shows in `pg_stat_activity` what this worker does.
pub fn show(what: &str) {
    let what = CString::new(what.replace('\0', "")).unwrap_or_default();
    // SAFETY: the function copies the string.
    unsafe { pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_RUNNING, what.as_ptr()) };
}

/// Reports statistics of written tables, for autovacuum: at most once a second, or now.
pub fn report_statistics(now: bool) {
    // SAFETY: in no transaction, as Postgres's own workers do between two.
    unsafe { pg_sys::pgstat_report_stat(now) };
}

/// Waits for work, shown as idle.
pub fn sleep(timeout: Duration) {
    // SAFETY: the function only writes to this worker's own entry.
    unsafe { pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_IDLE, std::ptr::null()) };
    wait::wait_for_work(timeout);
}

/// Whether the supervisor has asked this worker to exit.
pub fn asked_to_leave() -> bool {
    // SAFETY: a flag that only this process's signal handler and main thread touch.
    unsafe { std::ptr::read_volatile(&raw const pg_sys::ShutdownRequestPending) != 0 }
}

/// Reads the configuration if it has changed.
pub fn reload_if_asked() {
    // SAFETY: a flag that only this process's signal handler and main thread touch, and reading the configuration at the
    // top of the main loop, as Postgres's own workers do.
    unsafe {
        if std::ptr::read_volatile(&raw const pg_sys::ConfigReloadPending) != 0 {
            std::ptr::write_volatile(&raw mut pg_sys::ConfigReloadPending, 0);
            pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
        }
    }
}
