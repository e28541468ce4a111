//! What a background worker does in its own process: signals, the connection to a database, settings, what
//! `pg_stat_activity` shows of it, its end.

use super::version::set_signal_handler;
use pgrx::pg_sys;
use std::ffi::CStr;

unsafe extern "C-unwind" {
    // Signal handlers of Postgres. Through `pg_sys` they would run inside pgrx's guard, which is not for signal handlers.
    fn die(signal: i32);
    fn SignalHandlerForConfigReload(signal: i32);
    fn SignalHandlerForShutdownRequest(signal: i32);
}

/// What a signal has a worker do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reaction {
    /// End at the next check for interrupts.
    Die,
    /// Read the configuration: see [`reload_if_asked`].
    Reload,
    /// End when it is convenient: see [`asked_to_leave`].
    Leave,
}

/// Installs signal handlers, and unblocks the signals, which are blocked when a worker starts.
pub fn handle_signals(reactions: &[(i32, Reaction)]) {
    for (signal, reaction) in reactions {
        let handler = match reaction {
            Reaction::Die => die,
            Reaction::Reload => SignalHandlerForConfigReload,
            Reaction::Leave => SignalHandlerForShutdownRequest,
        };
        // SAFETY: the handlers of Postgres only set flags and the latch.
        unsafe { set_signal_handler(*signal, handler) };
    }
    // SAFETY: the handlers are installed.
    unsafe { pg_sys::BackgroundWorkerUnblockSignals() };
}

/// Connects to a database as the bootstrap superuser; with an invalid OID, to shared catalogs only. Ends the process
/// where that fails.
pub fn connect(database: pg_sys::Oid) {
    // SAFETY: the function checks that this is a worker that may connect, and has not done so yet.
    unsafe { pg_sys::BackgroundWorkerInitializeConnectionByOid(database, pg_sys::InvalidOid, 0) };
}

/// Sets a setting of this process, with the rights of a superuser, over all other sources.
pub fn set((name, value): (&CStr, &CStr)) {
    let (context, source) = (pg_sys::GucContext::PGC_SUSET, pg_sys::GucSource::PGC_S_OVERRIDE);
    // SAFETY: settings of this process, by C strings.
    unsafe { pg_sys::SetConfigOption(name.as_ptr(), value.as_ptr(), context, source) };
}

/// Sets `application_name` as shown in `pg_stat_activity`.
pub fn show_name(name: &CStr) {
    // SAFETY: the function copies the string.
    unsafe { pg_sys::pgstat_report_appname(name.as_ptr()) };
}

/// Shows in `pg_stat_activity` what this worker does.
pub fn show_activity(what: &CStr) {
    // SAFETY: the function copies the string.
    unsafe { pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_RUNNING, what.as_ptr()) };
}

/// Shows this worker as idle.
pub fn show_idle() {
    // SAFETY: the function only writes to the entry of this worker.
    unsafe { pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_IDLE, std::ptr::null()) };
}

/// Reports statistics of written tables, for autovacuum: at most once a second, or now. To be called in no transaction.
pub fn report_statistics(now: bool) {
    // SAFETY: workers of Postgres call it in this way between two transactions; inside one it changes nothing but when
    // the statistics are seen.
    unsafe { pg_sys::pgstat_report_stat(now) };
}

/// Whether this worker has been asked to leave.
pub fn asked_to_leave() -> bool {
    // SAFETY: a flag that only the signal handler and the main thread of this process touch.
    unsafe { std::ptr::read_volatile(&raw const pg_sys::ShutdownRequestPending) != 0 }
}

/// Reads the configuration if this worker has been asked to, and returns whether it has. To be called in no transaction.
pub fn reload_if_asked() -> bool {
    // SAFETY: a flag that only the signal handler and the main thread of this process touch, and reading the
    // configuration at the top of the main loop, as workers of Postgres do.
    unsafe {
        if std::ptr::read_volatile(&raw const pg_sys::ConfigReloadPending) == 0 {
            return false;
        }
        std::ptr::write_volatile(&raw mut pg_sys::ConfigReloadPending, 0);
        pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
    }
    true
}

/// Ends this worker with exit code 0: the postmaster does not start it again.
#[allow(unreachable_code, reason = "the binding for 18 alone does not say that proc_exit does not return")]
pub fn end() -> ! {
    // SAFETY: ends this process the way PostgreSQL processes end.
    unsafe { pg_sys::proc_exit(0) };
    unreachable!("proc_exit does not return")
}
