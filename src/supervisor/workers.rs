//! The background workers that the supervisor starts and wakes: sync workers, at most `socle.sync_workers` in the
//! cluster, databases in turns, and besides them index workers. [`socle_core::fair_queue`] decides; this module acts.

use crate::pg::background_worker::{Registration, Worker, WorkerState};
use crate::pg::{backend, gucs};
use rustix::net::{AddressFamily, RecvFlags, SocketAddrUnix, SocketFlags, SocketType, bind, recv, socket_with};
use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, clock_gettime};
use socle_core::fair_queue::message::{MESSAGE_BYTES, Message};
use socle_core::fair_queue::{Action, FairQueue, Limits, Task};
use socle_core::protocol::{RUNTIME_DIRECTORY, WAKE_SOCKET, WORKERS_FILE};
use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

/// `backend_type` of sync workers, and of index workers.
const SYNC: &str = "socle sync";
const BUILD: &str = "socle index";

/// Index workers that build take no more than one in `SHARE` slots for background workers, and no more than `MOST`; those that
/// clear away what erasures have left take as many.
const SHARE: i32 = 4;
const MOST: usize = 4;

/// Time after which the database that the supervisor was started for is checked again: the transaction that had it
/// started may not have committed by the first check.
const LOOK_AGAIN: Duration = Duration::from_secs(3);

/// The workers, and the turns of databases.
#[derive(Debug)]
pub struct Workers {
    socket: Option<OwnedFd>,
    queue: FairQueue,
    running: HashMap<u64, Worker>,
    again: Option<(Duration, u32)>,
    due: Option<Duration>,
    /// Workers that were still starting when they were to be asked to exit.
    to_ask: Vec<u64>,
    without_slot: bool,
    generator_wanted: bool,
    egress_wanted: bool,
}

/// Time since the machine was started, the same in all processes.
pub fn now() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

impl Workers {
    /// Opens the socket that transactions send to. Without it, workers only start when sessions start a supervisor.
    pub fn new() -> Self {
        let socket = open_socket();
        if let Err(error) = &socket {
            pgrx::log!("socle supervisor: could not open \"{WAKE_SOCKET}\": {error}");
        }
        let queue = FairQueue::new(now());
        let mut workers = Self {
            socket: socket.ok(),
            queue,
            running: HashMap::new(),
            again: None,
            due: None,
            to_ask: Vec::new(),
            without_slot: true,
            generator_wanted: false,
            egress_wanted: false,
        };
        workers.explain(false);
        workers
    }

    /// The socket that becomes readable when a message arrives.
    pub fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// Time until something is due without a message.
    pub fn until_due(&self) -> Option<Duration> {
        self.due.map(|due| due.saturating_sub(now()))
    }

    /// Checks the database that the supervisor was started for.
    pub fn begin_with(&mut self, database: u32) {
        self.again = Some((now() + LOOK_AGAIN, database));
        self.queue.work_available(database, now());
    }

    /// Reads messages, wakes and starts workers, and forgets those that ended.
    pub fn look(&mut self) {
        let mut bytes = [0_u8; MESSAGE_BYTES + 1];
        while let Some(socket) = &self.socket
            && let Ok((_, size)) = recv(socket, &mut bytes[..], RecvFlags::DONTWAIT)
        {
            if let Some((database, message)) = bytes.get(..size).and_then(Message::decode) {
                self.take(database, message);
            }
        }
        if let Some((_, database)) = self.again.take_if(|(at, _)| *at <= now()) {
            self.take(database, Message::WorkAvailable);
            // A session has had this supervisor started; other databases may have work that was left by an earlier one. On a
            // standby the launcher would wait for the promotion, and take a slot.
            if !backend::is_in_recovery() {
                launch();
            }
        }
        self.forget_ended();
        self.act();
    }

    /// Whether a session has asked for the generator since this was last called.
    pub fn take_generator_wanted(&mut self) -> bool {
        std::mem::take(&mut self.generator_wanted)
    }

    /// The same for the egress process.
    pub fn take_egress_wanted(&mut self) -> bool {
        std::mem::take(&mut self.egress_wanted)
    }

    fn take(&mut self, database: u32, message: Message) {
        let now = now();
        let there = match message {
            Message::WorkAvailable => self.queue.work_available(database, now),
            Message::NeedsSecondWorker => self.queue.needs_second_worker(database, now),
            Message::BuildIndex(corpus) => return self.queue.task_wanted(database, Task::Build(corpus)),
            Message::ClearResidue(corpus) => return self.queue.task_wanted(database, Task::Clear(corpus)),
            Message::WorkerIdle(worker) => return self.queue.worker_idle(worker),
            Message::WorkerBlocked(worker) => return self.queue.worker_blocked(worker),
            Message::WorkerUnblocked(worker) => return self.queue.worker_unblocked(worker),
            Message::GeneratorWanted => {
                self.generator_wanted = true;
                return;
            }
            Message::EgressWanted => {
                self.egress_wanted = true;
                return;
            }
            Message::WorkerLeaving { worker, last_checked_at, next_check_in, did_work } => {
                return self.queue.worker_leaving(worker, last_checked_at, next_check_in, did_work, now);
            }
        };
        // The handler of a connected process only checks for messages and sets the latch.
        for worker in there {
            self.signal(worker, Signal::USR1);
        }
    }

    /// Signals a worker; false for one that is still starting.
    fn signal(&self, worker: u64, signal: Signal) -> bool {
        match self.running.get(&worker).map(Worker::state) {
            Some(WorkerState::Running(pid)) => {
                // The postmaster says that this process is the worker, which handles the signal.
                let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, signal));
                true
            }
            Some(WorkerState::Starting) => false,
            Some(WorkerState::Ended) | None => true,
        }
    }

    fn forget_ended(&mut self) {
        let ended = self.running.extract_if(|_, worker| worker.state() == WorkerState::Ended);
        for (number, _) in ended.collect::<Vec<_>>() {
            self.queue.worker_ended(number, now());
        }
    }

    fn act(&mut self) {
        let limits = Limits { sync_workers: gucs::sync_workers(), builders: share(), clearers: share() };
        let (actions, due) = self.queue.next_actions(limits, now());
        self.due = due;
        let mut without_slot = false;
        for action in actions {
            match action {
                Action::RequestExit(worker) => self.to_ask.push(worker),
                Action::Start { worker, database, task, max_wait } => {
                    if !exists(database) {
                        self.queue.worker_not_started(worker);
                        self.queue.remove_database(database);
                    } else if let Some(started) = start(worker, database, task, max_wait) {
                        self.running.insert(worker, started);
                    } else {
                        without_slot = true;
                        self.queue.worker_not_started(worker);
                    }
                }
            }
        }
        let to_ask = std::mem::take(&mut self.to_ask);
        self.to_ask = to_ask.into_iter().filter(|worker| !self.signal(*worker, Signal::USR2)).collect();
        self.explain(without_slot);
    }

    /// Creates the file that tells sessions that no slot is free, or removes it.
    fn explain(&mut self, without_slot: bool) {
        if self.without_slot == without_slot {
            return;
        }
        self.without_slot = without_slot;
        let file = Path::new(RUNTIME_DIRECTORY).join(WORKERS_FILE);
        // If the file cannot be written, sessions do not learn it, and no more.
        let _ = if without_slot { std::fs::write(file, "") } else { std::fs::remove_file(file) };
    }
}

/// Number of workers that may build indexes at a time, and of those that may clear away what erasures have left.
fn share() -> usize {
    usize::try_from(backend::worker_slots() / SHARE).unwrap_or_default().clamp(1, MOST)
}

/// Whether a database has a directory, in whichever tablespace.
fn exists(database: u32) -> bool {
    if Path::new("base").join(database.to_string()).exists() {
        return true;
    }
    let spaces = std::fs::read_dir("pg_tblspc").into_iter().flatten().flatten();
    let versions = spaces.flat_map(|space| std::fs::read_dir(space.path()).into_iter().flatten().flatten());
    versions.into_iter().any(|version| version.path().join(database.to_string()).exists())
}

/// Has every database checked once, as soon as the server takes writes.
pub fn launch() {
    if Registration::new("socle launcher", "socle_launcher_main").connected().start().is_none() {
        pgrx::log!("socle supervisor: no background worker slot is free to look for work: raise max_worker_processes");
    }
}

fn start(number: u64, database: u32, task: Task, patience: Duration) -> Option<Worker> {
    let (name, function, corpus) = match task {
        Task::Sync => (SYNC, "socle_sync_main", 0),
        Task::Build(corpus) => (BUILD, "socle_build_main", corpus),
        Task::Clear(corpus) => (BUILD, "socle_clear_main", corpus),
    };
    let assignment = super::assignment::Assignment { number, corpus, patience };
    Registration::new(name, function).connected().with_argument(database).with_extra(&assignment.encode()).start()
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
