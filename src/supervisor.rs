//! The supervisor: one background worker per cluster that keeps an engine running.
//!
//! Started by the postmaster where socle is preloaded, else by the first session that needs the engine; ends with the
//! server. It has no database connection, so that it never blocks DROP DATABASE, and it needs no consistent catalog, so
//! that it runs on a hot standby. It has no transaction and no shared memory of its own.

pub mod assignment;
mod child;
mod launcher;
pub mod wake;
mod wake_socket;
mod workers;

use crate::pg::background_worker::Registration;
use crate::pg::worker_process::{self, Reaction};
use crate::pg::{backend, gucs, wait};
use child::{Child, Ended};
use pgrx::prelude::*;
use rustix::event::epoll;
use socle_core::protocol::{EngineSettings, FAILURE_FILE, RUNTIME_DIRECTORY, SUPERVISOR_LOCK};
use socle_core::{Error, Kind, Result};
use std::fs::{DirBuilder, File};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, Instant};
use workers::Workers;
pub use workers::now as clock;

const NAME: &str = "socle supervisor";

/// Lock file in [`RUNTIME_DIRECTORY`], held by the session that has a supervisor started.
const STARTING_LOCK: &str = "starting.lock";

/// Milliseconds before each further attempt after an engine that never became ready. Nothing changes by itself then, so
/// attempts are few.
const START_BACKOFF: [u64; 3] = [2_000, 5_000, 10_000];

/// Milliseconds before each restart of an engine that was ready and died. The first one is immediate: a session is
/// waiting.
const CRASH_BACKOFF: [u64; 6] = [0, 0, 100, 200, 500, 1_000];

/// An engine that lived this long before it died resets the back-off.
const HEALTHY: Duration = Duration::from_secs(10);

/// Longest sleep between two checks of the engine.
const TICK: Duration = Duration::from_secs(1);

/// Shortest sleep while something is due.
const SHORTEST: Duration = Duration::from_millis(10);

/// Registers the supervisor with the postmaster, if it is preloading this library.
pub fn register_at_start() {
    if backend::is_preloading() {
        registration().at_server_start();
    }
}

/// The lock to call [`register_now`] under, as long as the file is open; `None` while another session has it. Sessions that
/// all registered a supervisor would each take a worker slot, and the last would find none.
///
/// # Errors
/// Those of the file system.
pub fn try_start_lock() -> std::io::Result<Option<File>> {
    let lock = open_lock(STARTING_LOCK)?;
    Ok(lock.try_lock().is_ok().then_some(lock))
}

/// Has the postmaster start a supervisor. A second one finds the lock taken and exits.
///
/// # Errors
/// `NoWorkerSlot` when `max_worker_processes` are in use.
pub fn register_now() -> Result<()> {
    // The database of this process may have pending work.
    let registered = registration().with_argument(backend::my_database().to_u32()).start();
    // Another session may just have started one.
    if registered.is_some() || is_running() {
        return Ok(());
    }
    Err(Error::new(Kind::NoWorkerSlot, "could not start the socle supervisor")
        .detail("All background worker slots are in use.")
        .hint("Raise max_worker_processes, or add socle to shared_preload_libraries."))
}

/// Whether a supervisor is running.
pub fn is_running() -> bool {
    let Ok(lock) = File::open(Path::new(RUNTIME_DIRECTORY).join(SUPERVISOR_LOCK)) else { return false };
    // Taken for a moment if it is free; the supervisor tries for longer than that.
    lock.try_lock_shared().is_err()
}

fn registration() -> Registration {
    Registration::new(NAME, "socle_supervisor_main")
}

/// Entry point of the supervisor process.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn socle_supervisor_main(database: pg_sys::Datum) {
    worker_process::handle_signals(&[(libc::SIGTERM, Reaction::Leave), (libc::SIGHUP, Reaction::Reload)]);
    match take_lock() {
        Ok(Some(_lock)) => {
            let mut supervisor = Supervisor::new();
            match u32::try_from(database.value()) {
                Ok(database @ 1..) => supervisor.workers.begin_with(database),
                // Started with the server, for no database in particular.
                _ => workers::launch(),
            }
            supervisor.run();
        }
        Ok(None) => {}
        Err(error) => pgrx::log!("{NAME}: {error}"),
    }
    // Exit code 0: the postmaster does not start this worker again, a session does when it needs it.
    worker_process::end();
}

/// The lock that only one supervisor of this cluster can hold; `None` when another one does.
fn take_lock() -> std::io::Result<Option<File>> {
    let lock = open_lock(SUPERVISOR_LOCK)?;
    // Sessions that check for a supervisor hold it for a moment.
    for _ in 0..20 {
        if lock.try_lock().is_ok() {
            return Ok(Some(lock));
        }
        wait::wait_for_time(Duration::from_millis(10));
    }
    Ok(None)
}

fn open_lock(name: &str) -> std::io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(RUNTIME_DIRECTORY)?;
    File::create(Path::new(RUNTIME_DIRECTORY).join(name))
}

/// The file of this library, by device and inode, to tell whether it was replaced.
#[derive(Debug)]
struct Library(Option<(u64, u64)>);

impl Library {
    fn as_it_is() -> Self {
        let file = std::fs::metadata(gucs::library_directory().join("socle.so"));
        Self(file.map(|file| (file.dev(), file.ino())).ok())
    }

    /// Whether a process that loads the library now gets another file than this one. False while there is none.
    fn was_replaced(&self) -> bool {
        let now = Self::as_it_is().0;
        !backend::is_preloaded() && now.is_some() && now != self.0
    }
}

#[derive(Debug)]
struct Supervisor {
    library: Library,
    engine: Option<Child>,
    workers: Workers,
    started: u32,
    /// Number of engines in a row that never became ready.
    failed_starts: usize,
    /// Number of engines in a row that became ready and died young.
    crashes: usize,
    next_start: Option<Instant>,
}

impl Supervisor {
    fn new() -> Self {
        Self {
            library: Library::as_it_is(),
            engine: None,
            workers: Workers::new(),
            started: 0,
            failed_starts: 0,
            crashes: 0,
            next_start: None,
        }
    }

    fn run(&mut self) {
        self.explain(None);
        while !worker_process::asked_to_leave() {
            self.reload_if_asked();
            if self.engine.is_none() && self.next_start.is_none_or(|at| at <= Instant::now()) {
                if self.library.was_replaced() {
                    pgrx::log!("{NAME}: the library was replaced; another supervisor takes over");
                    return self.make_way();
                }
                self.start();
            }
            self.wait();
            self.workers.look();
            if let Some(mut engine) = self.engine.take() {
                match engine.look() {
                    None => self.engine = Some(engine),
                    Some(ended) => self.ended(&engine, &ended),
                }
            }
            if self.engine.as_ref().is_some_and(Child::is_ready) {
                self.explain(None);
            }
        }
        if let Some(engine) = self.engine.take() {
            engine.stop();
        }
    }

    /// Ends in favour of a supervisor that runs the current library. Without a free slot a session starts it.
    fn make_way(&mut self) {
        // For no database in particular: it looks into all of them.
        let _ = registration().with_argument(0).start();
    }

    fn start(&mut self) {
        let settings = settings(self.started);
        match Child::start(&settings) {
            Ok(child) => {
                self.started += 1;
                self.engine = Some(child);
            }
            Err(error) => self.failed_start(&error.to_string()),
        }
    }

    fn ended(&mut self, engine: &Child, ended: &Ended) {
        if matches!(ended, Ended::OtherVersion) && backend::is_preloaded() {
            let reason = format!("{ended}: the server has loaded the library at its start and has to be restarted");
            return self.failed_start(&reason);
        }
        if matches!(ended, Ended::OtherVersion) && self.library.was_replaced() {
            self.next_start = None;
            return;
        }
        if let Ended::OnPurpose = ended {
            self.next_start = None;
            return;
        }
        if !engine.is_ready() {
            // Killed while it started: once is no sign that the next one fails as well, and sessions are waiting.
            if self.failed_starts == 0 && ended.is_by_signal() {
                self.failed_starts = 1;
                self.next_start = None;
                pgrx::log!("{NAME}: {ended} before it was ready; starting another");
                return;
            }
            return self.failed_start(&ended.to_string());
        }
        if engine.age() > HEALTHY {
            self.crashes = 0;
        }
        let delay = CRASH_BACKOFF[self.crashes.min(CRASH_BACKOFF.len() - 1)];
        self.crashes += 1;
        self.next_start = Some(Instant::now() + Duration::from_millis(delay));
        pgrx::log!("{NAME}: {ended}; starting another in {delay} ms");
    }

    fn failed_start(&mut self, reason: &str) {
        let delay = START_BACKOFF[self.failed_starts.min(START_BACKOFF.len() - 1)];
        self.failed_starts += 1;
        self.next_start = Some(Instant::now() + Duration::from_millis(delay));
        self.explain(Some(reason));
        // Logs the 1st, 2nd, 4th, 8th … failure, not one every ten seconds for ever.
        if self.failed_starts.is_power_of_two() {
            pgrx::log!("{NAME}: the engine does not start: {reason}; attempt {}", self.failed_starts);
        }
    }

    /// Writes the reason why there is no engine to the file that sessions read, or removes the file.
    fn explain(&mut self, reason: Option<&str>) {
        let file = Path::new(RUNTIME_DIRECTORY).join(FAILURE_FILE);
        let result = match reason {
            Some(reason) => {
                // Renamed into place, so that no session reads half of it.
                let new = file.with_extension("new");
                std::fs::write(&new, reason).and_then(|()| std::fs::rename(&new, &file))
            }
            None if self.failed_starts > 0 || self.started == 0 => {
                self.failed_starts = 0;
                std::fs::remove_file(&file).or_else(|error| match error.kind() {
                    std::io::ErrorKind::NotFound => Ok(()),
                    _ => Err(error),
                })
            }
            None => Ok(()),
        };
        if let Err(error) = result {
            pgrx::log!("{NAME}: could not write \"{}\": {error}", file.display());
        }
    }

    fn reload_if_asked(&mut self) {
        if !worker_process::reload_if_asked() {
            return;
        }
        // A setting may have kept the engine from starting.
        self.next_start = None;
        if let Some(engine) = &mut self.engine {
            engine.restart_if_changed(&settings(self.started));
        }
    }

    /// Waits until the engine or a transaction has sent something, or something is due.
    fn wait(&self) {
        let until_start = self.next_start.map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = match (&self.engine, until_start) {
            (Some(_), _) => TICK,
            (None, Some(until_start)) => until_start.min(TICK),
            (None, None) => return,
        };
        let timeout = self.workers.until_due().map_or(timeout, |due| due.clamp(SHORTEST, timeout.max(SHORTEST)));
        let engine = self.engine.as_ref().map(Child::socket);
        match both(engine, self.workers.socket()) {
            Ok(sockets) => wait::wait_for_socket(sockets.as_fd(), false, timeout),
            Err(_) => wait::wait_for_time(timeout.min(Duration::from_millis(100))),
        }
    }
}

/// One descriptor that becomes readable when one of several does.
fn both(first: Option<BorrowedFd<'_>>, second: Option<BorrowedFd<'_>>) -> rustix::io::Result<OwnedFd> {
    let set = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for socket in [first, second].into_iter().flatten() {
        epoll::add(&set, socket, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
    }
    Ok(set)
}

fn settings(restart_count: u32) -> EngineSettings {
    EngineSettings {
        supervisor_pid: std::process::id(),
        postmaster_pid: backend::postmaster_pid(),
        restart_count,
        threads: gucs::engine_threads(),
        memory_limit_bytes: gucs::engine_memory_limit(),
        batch_tokens: gucs::engine_batch_tokens(),
        model_directory: gucs::model_directory().to_string_lossy().into_owned(),
        onnxruntime_library: gucs::onnxruntime_library().to_string_lossy().into_owned(),
    }
}
