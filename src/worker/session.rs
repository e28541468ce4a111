//! The session of a worker: its start, its settings, what it reports of itself, and the signals that it is sent.

use super::transaction::{WorkerError, transaction};
use crate::pg::backend;
use crate::pg::version::transaction_timeout;
use crate::pg::worker_process::{self, Reaction, set};
use crate::pg::{gucs, plan_cache, spi, wait};
use pgrx::prelude::*;
use std::ffi::{CStr, CString};
use std::time::Duration;

const READ_ONLY: &str = include_str!("../../sql/corpus/read_only.sql");
const DATABASE_SETTINGS: &str = include_str!("../../sql/sync/database_settings.sql");

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

/// Connects to the database, with `name` as application name.
pub fn begin(database: pg_sys::Oid, name: &CStr) {
    worker_process::handle_signals(&[
        (libc::SIGTERM, Reaction::Die),
        (libc::SIGHUP, Reaction::Reload),
        // From the supervisor: another database has no worker, this one is to exit.
        (libc::SIGUSR2, Reaction::Leave),
    ]);
    worker_process::connect(database);
    worker_process::show_name(name);
    SETTINGS.into_iter().chain(transaction_timeout()).for_each(set);
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

/// What is set for the database or for the role of this session, as it was when this session first looked: a later `ALTER
/// DATABASE … SET` or `ALTER ROLE … SET` concerns new sessions alone, and so needs another worker.
#[derive(Debug, Default)]
pub struct DatabaseSettings(Option<Vec<String>>);

impl DatabaseSettings {
    /// Whether something else is set by now. What cannot be looked at has not changed.
    pub fn have_changed(&mut self) -> bool {
        let read = || Ok(plan_cache::rows(DATABASE_SETTINGS, &[], 0, |row| row.get::<String>(1).unwrap_or_default())?);
        let Ok(now) = transaction(read) else { return false };
        match &self.0 {
            Some(known) => *known != now,
            None => {
                // What was set after this session had begun, and before it looked.
                now.iter().for_each(|setting| apply(setting));
                self.0 = Some(now);
                false
            }
        }
    }
}

/// Applies a setting of socle, written as `name=value`.
fn apply(setting: &str) {
    if let Some((name, value)) = setting.split_once('=').filter(|(name, _)| name.starts_with("socle."))
        && let (Ok(name), Ok(value)) = (CString::new(name), CString::new(value))
    {
        // In a transaction, as a value that is not valid is an error. It stays when that commits.
        let _ = transaction(|| {
            set((&name, &value));
            Ok(())
        });
    }
}

/// Shows in `pg_stat_activity` what this worker does.
pub fn show(what: &str) {
    let what = CString::new(what.replace('\0', "")).unwrap_or_default();
    worker_process::show_activity(&what);
}

/// Waits for work, while the engine does what this worker shows.
pub fn sleep_showing(what: &str, timeout: Duration) {
    show(what);
    wait::wait_for_work(timeout);
}

/// Waits for work, shown as idle.
pub fn sleep(timeout: Duration) {
    worker_process::show_idle();
    wait::wait_for_work(timeout);
}
