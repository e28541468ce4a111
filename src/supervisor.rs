//! The supervisor: one background worker per cluster that keeps the engine running, and generator and egress process when
//! they are wanted. None holds up the others.
//!
//! Started by the postmaster where socle is preloaded, else by the first session that needs the engine; ends with the
//! server. It has no database connection, so that it never blocks DROP DATABASE, and it needs no consistent catalog, so
//! that it runs on a hot standby. It has no transaction and no shared memory of its own.

pub mod assignment;
mod child;
mod keeper;
mod launcher;
pub mod program;
pub mod wake;
mod wake_socket;
mod workers;

use crate::pg::background_worker::Registration;
use crate::pg::worker_process::{self, Reaction};
use crate::pg::{backend, gucs, version, wait};
use keeper::Keeper;
use pgrx::prelude::*;
use program::{EGRESS, ENGINE, GENERATOR};
use rustix::event::epoll;
use socle_core::protocol::{RUNTIME_DIRECTORY, SUPERVISOR_LOCK};
use socle_core::{Error, Kind, Result};
use std::fs::{DirBuilder, File};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::time::Duration;
use workers::Workers;
pub use workers::now as clock;

const NAME: &str = "socle supervisor";

/// Lock file in [`RUNTIME_DIRECTORY`], held by the session that has a supervisor started.
const STARTING_LOCK: &str = "starting.lock";

/// Longest sleep between two checks of the children.
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
    is_locked(SUPERVISOR_LOCK)
}

/// Whether a process holds this lock file in [`RUNTIME_DIRECTORY`].
pub fn is_locked(name: &str) -> bool {
    let Ok(lock) = File::open(Path::new(RUNTIME_DIRECTORY).join(name)) else { return false };
    // Taken for a moment if it is free; the processes that hold one try for longer than that.
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
    engine: Keeper,
    generator: Keeper,
    egress: Keeper,
    workers: Workers,
    /// Whether the server was a standby when that was last looked at.
    was_in_recovery: bool,
}

impl Supervisor {
    fn new() -> Self {
        Self {
            library: Library::as_it_is(),
            engine: Keeper::new(&ENGINE),
            generator: Keeper::new(&GENERATOR),
            egress: Keeper::new(&EGRESS),
            workers: Workers::new(),
            was_in_recovery: backend::is_in_recovery(),
        }
    }

    fn run(&mut self) {
        while !worker_process::asked_to_leave() {
            if worker_process::reload_if_asked() {
                self.keepers().into_iter().for_each(Keeper::reload);
            }
            // A standby that is promoted goes on in a chain of the ledger of its own.
            if self.was_in_recovery && !backend::is_in_recovery() {
                self.was_in_recovery = false;
                self.egress.reload();
            }
            if self.keepers().iter().any(|keeper| keeper.is_due()) {
                if self.library.was_replaced() {
                    pgrx::log!("{NAME}: the library was replaced; another supervisor takes over");
                    self.stop_children();
                    return self.make_way();
                }
                self.keepers().into_iter().filter(|keeper| keeper.is_due()).for_each(Keeper::start);
            }
            self.wait();
            self.workers.look();
            if self.workers.take_generator_wanted() {
                self.generator.want();
            }
            if self.workers.take_egress_wanted() {
                self.egress.want();
            }
            let Self { library, engine, generator, egress, .. } = self;
            [engine, generator, egress].into_iter().for_each(|keeper| keeper.look(library));
        }
        self.stop_children();
    }

    fn keepers(&mut self) -> [&mut Keeper; 3] {
        [&mut self.engine, &mut self.generator, &mut self.egress]
    }

    /// Ends in favour of a supervisor that runs the current library. Without a free slot a session starts it.
    fn make_way(&mut self) {
        // For no database in particular: it looks into all of them.
        let _ = registration().with_argument(0).start();
    }

    fn stop_children(&mut self) {
        // Told first, all of them, so that none waits for another.
        self.keepers().into_iter().for_each(|keeper| keeper.begin_stop());
        self.keepers().into_iter().for_each(Keeper::end_stop);
    }

    /// Waits until a child, a session or a transaction has sent something, or something is due.
    fn wait(&self) {
        let timeout = self.engine.until_due().min(self.generator.until_due()).min(self.egress.until_due());
        if timeout.is_zero() {
            return;
        }
        let timeout = self.workers.until_due().map_or(timeout, |due| due.clamp(SHORTEST, timeout.max(SHORTEST)));
        match any_of([self.engine.socket(), self.generator.socket(), self.egress.socket(), self.workers.socket()]) {
            Ok(sockets) => wait::wait_for_socket(sockets.as_fd(), false, timeout, version::engine_wait_event()),
            Err(_) => wait::wait_for_time(timeout.min(Duration::from_millis(100))),
        }
    }
}

/// One descriptor that becomes readable when one of these does.
fn any_of<const COUNT: usize>(sockets: [Option<BorrowedFd<'_>>; COUNT]) -> rustix::io::Result<OwnedFd> {
    let set = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for socket in sockets.into_iter().flatten() {
        epoll::add(&set, socket, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
    }
    Ok(set)
}
