//! The sync workers that the supervisor starts and wakes: at most `socle.sync_workers` in the cluster, databases in turns.

use super::registration_of;
use crate::setting;
use pgrx::pg_sys;
use rustix::net::{AddressFamily, RecvFlags, SocketAddrUnix, SocketFlags, SocketType, bind, recv, socket_with};
use socle_core::protocol::{RUNTIME_DIRECTORY, WAKE_SOCKET};
use std::collections::{HashMap, HashSet, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

const NAME: &str = "socle sync";

/// A worker that was told of work this shortly before it ended may not have seen it.
const UNSEEN: Duration = Duration::from_secs(5);

/// Time before a worker is started again in a database where the last one ended at once. Doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Time before a worker is started again in a database whose last one had nothing to do: a paused corpus may be written
/// to a thousand times a second.
const REST: Duration = Duration::from_millis(500);

/// What a worker may do undisturbed before it has to make room for a database that has none.
const QUANTUM: Duration = Duration::from_secs(2);

/// Time after which a worker that was asked to leave, but builds an index, is not waited for any more.
const PATIENCE: Duration = Duration::from_secs(10);

/// A worker that lived shorter than this has failed to start.
const TOO_SHORT: Duration = Duration::from_secs(1);

/// Databases that want workers, and the workers they have.
#[derive(Debug)]
pub struct Workers {
    socket: Option<OwnedFd>,
    running: Vec<Worker>,
    /// Databases that wait for a worker, the longest first.
    waiting: VecDeque<pg_sys::Oid>,
    /// Databases that may have one worker more than the setting says.
    watched: HashSet<pg_sys::Oid>,
    woken: HashMap<pg_sys::Oid, Instant>,
    pauses: HashMap<pg_sys::Oid, Pause>,
}

#[derive(Debug)]
struct Worker {
    database: pg_sys::Oid,
    handle: *mut pg_sys::BackgroundWorkerHandle,
    started: Instant,
    /// When it was asked to leave.
    asked: Option<Instant>,
}

#[derive(Debug)]
struct Pause {
    length: Duration,
    until: Instant,
}

enum State {
    Starting,
    Running(i32),
    Ended,
}

impl Workers {
    /// Opens the socket that transactions send to. Without it, workers only start when sessions start a supervisor.
    pub fn new() -> Self {
        let socket = open_socket();
        if let Err(error) = &socket {
            pgrx::log!("socle supervisor: could not open \"{WAKE_SOCKET}\": {error}");
        }
        Self {
            socket: socket.ok(),
            running: Vec::new(),
            waiting: VecDeque::new(),
            watched: HashSet::new(),
            woken: HashMap::new(),
            pauses: HashMap::new(),
        }
    }

    /// What becomes readable when a database has work.
    pub fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// Reads what was sent, wakes and starts workers, and forgets those that ended.
    pub fn look(&mut self) {
        let mut message = [0_u8; 16];
        while let Some(socket) = &self.socket
            && let Ok((_, 5)) = recv(socket, &mut message[..], RecvFlags::DONTWAIT)
        {
            let database = u32::from_le_bytes([message[0], message[1], message[2], message[3]]);
            match message[4] {
                0 => self.want(database.into(), 1),
                1 => self.want(database.into(), 2),
                3 => {
                    self.watched.insert(database.into());
                    self.want(database.into(), 2);
                }
                _ => {
                    let rest = Pause { length: Duration::ZERO, until: Instant::now() + REST };
                    self.pauses.insert(database.into(), rest);
                }
            }
        }
        self.forget_ended();
        self.start_waiting();
    }

    /// Notes that a database is worth that many workers.
    pub fn want(&mut self, database: pg_sys::Oid, count: usize) {
        self.woken.insert(database, Instant::now());
        let mut present = 0;
        for worker in self.running.iter().filter(|worker| worker.database == database) {
            present += 1;
            if let State::Running(pid) = worker.state() {
                // The handler of a connected process does nothing but look for messages and set the latch.
                // SAFETY: plain system call on a process that the postmaster says is this worker.
                unsafe { libc::kill(pid, libc::SIGUSR1) };
            }
        }
        if present >= count {
            self.watched.remove(&database);
        } else if !self.waiting.contains(&database) {
            self.waiting.push_back(database);
        }
    }

    fn forget_ended(&mut self) {
        for worker in std::mem::take(&mut self.running) {
            if !matches!(worker.state(), State::Ended) {
                self.running.push(worker);
                continue;
            }
            // SAFETY: the handle was allocated by the registration, and is not used again.
            unsafe { pg_sys::pfree(worker.handle.cast()) };
            let left = self.pauses.get(&worker.database).is_some_and(|pause| pause.length.is_zero());
            if worker.started.elapsed() < TOO_SHORT && !left {
                let last = self.pauses.get(&worker.database).map_or(Duration::ZERO, |pause| pause.length);
                let length = (last * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
                self.pauses.insert(worker.database, Pause { length, until: Instant::now() + length });
            } else if !left {
                self.pauses.remove(&worker.database);
            }
            let unseen = self
                .woken
                .get(&worker.database)
                .is_some_and(|woken| woken.elapsed() < UNSEEN && *woken > worker.started);
            if unseen && !self.waiting.contains(&worker.database) {
                self.waiting.push_back(worker.database);
            }
        }
    }

    fn start_waiting(&mut self) {
        let watched = |workers: &Self| workers.waiting.iter().position(|database| workers.watched.contains(database));
        for _ in 0..self.waiting.len() {
            let first = if self.running.len() < setting::sync_workers() { Some(0) } else { watched(self) };
            let Some(database) = first.and_then(|at| self.waiting.remove(at)) else { return self.make_room() };
            let paused = self.pauses.get(&database).is_some_and(|pause| pause.until > Instant::now());
            match if paused { None } else { start(database) } {
                Some(worker) => {
                    self.running.push(worker);
                    self.watched.remove(&database);
                    if self.pauses.get(&database).is_some_and(|pause| pause.length.is_zero()) {
                        self.pauses.remove(&database);
                    }
                }
                None => self.waiting.push_back(database),
            }
        }
    }
}

impl Workers {
    /// Asks one worker to leave, if a database waits that has none: one of several in a database first, then the oldest.
    fn make_room(&mut self) {
        let workers_of = |database| self.running.iter().filter(|worker| worker.database == database).count();
        if self.running.iter().any(|worker| worker.asked.is_some_and(|asked| asked.elapsed() < PATIENCE))
            || !self.waiting.iter().any(|database| workers_of(*database) == 0)
        {
            return;
        }
        let rank =
            |worker: &Worker| (worker.asked.is_none(), workers_of(worker.database) > 1, worker.started.elapsed());
        let ranks: Vec<_> = self.running.iter().map(rank).collect();
        let old = ranks.iter().enumerate().filter(|(_, (_, _, age))| *age > QUANTUM);
        let Some((at, _)) = old.max_by_key(|(_, rank)| **rank) else { return };
        let worker = &mut self.running[at];
        if let State::Running(pid) = worker.state() {
            worker.asked = Some(Instant::now());
            // SAFETY: plain system call on a process that the postmaster says is this worker, which handles the signal.
            unsafe { libc::kill(pid, libc::SIGUSR2) };
        }
    }
}

impl Worker {
    fn state(&self) -> State {
        let mut pid = 0;
        // SAFETY: the handle was given by the registration.
        match unsafe { pg_sys::GetBackgroundWorkerPid(self.handle, &mut pid) } {
            pg_sys::BgwHandleStatus::BGWH_STARTED => State::Running(pid),
            pg_sys::BgwHandleStatus::BGWH_NOT_YET_STARTED => State::Starting,
            _ => State::Ended,
        }
    }
}

/// Has every database looked into once, as soon as the server takes writes.
pub fn launch() {
    let mut worker = registration_of("socle launcher", "socle_launcher_main");
    worker.bgw_flags |= pg_sys::BGWORKER_BACKEND_DATABASE_CONNECTION as i32;
    worker.bgw_start_time = pg_sys::BgWorkerStartTime::BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = pg_sys::BGW_NEVER_RESTART;
    // SAFETY: the structure is complete, and this process is attached to shared memory.
    if !unsafe { pg_sys::RegisterDynamicBackgroundWorker(&mut worker, std::ptr::null_mut()) } {
        pgrx::log!("socle supervisor: no background worker slot is free to look for work: raise max_worker_processes");
    }
}

fn start(database: pg_sys::Oid) -> Option<Worker> {
    let mut worker = registration_of(NAME, "socle_sync_main");
    worker.bgw_flags |= pg_sys::BGWORKER_BACKEND_DATABASE_CONNECTION as i32;
    worker.bgw_start_time = pg_sys::BgWorkerStartTime::BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = pg_sys::BGW_NEVER_RESTART;
    worker.bgw_main_arg = pg_sys::Datum::from(database.to_u32());
    let mut handle = std::ptr::null_mut();
    // SAFETY: the structure is complete, and this process is attached to shared memory.
    let registered = unsafe { pg_sys::RegisterDynamicBackgroundWorker(&mut worker, &mut handle) };
    registered.then(|| Worker { database, handle, started: Instant::now(), asked: None })
}

fn open_socket() -> rustix::io::Result<OwnedFd> {
    let path = Path::new(RUNTIME_DIRECTORY).join(WAKE_SOCKET);
    // Left by a supervisor that is gone: this one holds the lock.
    let _ = std::fs::remove_file(&path);
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
    bind(&socket, &SocketAddrUnix::new(&path)?)?;
    Ok(socket)
}
