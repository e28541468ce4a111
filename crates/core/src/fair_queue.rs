//! Fair scheduling of background workers between databases: which database gets a sync worker next, which worker has to
//! exit to make room, and when a crashed worker is replaced.
//!
//! A pure state machine: the supervisor reports events and carries out the resulting [`Action`]s. Times are durations
//! since an origin that all processes on the machine share (`CLOCK_MONOTONIC`).

mod corpus_tasks;
pub mod message;

use corpus_tasks::CorpusTasks;
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

/// Minimum run time of a worker before it can be replaced in favour of a database that has already been served.
const QUANTUM: Duration = Duration::from_secs(2);

/// Minimum run time of a worker before it can be replaced in favour of a database whose work has just arrived: short,
/// because a user may wait for a single row, but well above the time to start a worker, some hundredths of a second.
const SHORT_QUANTUM: Duration = Duration::from_millis(500);

/// Delay before a worker is started again in a database whose last worker crashed, that is, ended without
/// [`FairQueue::worker_leaving`]. Doubled with each crash, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Upper bound of the delay after repeated crashes and after repeated builds of an index.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// A worker that ran at least this long before it crashed restarts the sequence of delays at [`FIRST_PAUSE`].
const HEALTHY_LIFETIME: Duration = Duration::from_secs(30);

/// Delay before a worker is started again in a database whose last worker did nothing. Without it, a paused corpus that
/// is written to a thousand times a second would start as many workers.
const IDLE_PAUSE: Duration = Duration::from_millis(500);

/// The task of a worker.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Task {
    /// Synchronises the corpora of its database.
    Sync,
    /// Builds the vector index of one corpus, identified by the OID of its change log.
    Build(u32),
    /// Clears away what an erasure has left in one corpus, identified in the same way.
    Clear(u32),
}

/// Maximum numbers of concurrent workers.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Sync workers: `socle.sync_workers`.
    pub sync_workers: usize,
    /// Workers that build indexes, in addition to sync workers.
    pub builders: usize,
    /// Workers that clear away what erasures have left, in addition to both: a build may take hours.
    pub clearers: usize,
}

/// An instruction to the supervisor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Start a worker. If that fails, call [`FairQueue::worker_not_started`].
    Start {
        /// Number that identifies the worker in all later events.
        worker: u64,
        /// OID of the database it connects to.
        database: u32,
        /// Its task.
        task: Task,
        /// How long it waits for concurrent transactions; 0 for a sync worker.
        max_wait: Duration,
    },
    /// Ask the worker with this number to exit.
    RequestExit(u64),
}

#[derive(Debug)]
struct Worker {
    number: u64,
    database: u32,
    task: Task,
    started: Duration,
    exit_requested: bool,
    idle: bool,
    blocked: bool,
    /// It has announced that it exits; its process may still run.
    left: bool,
}

impl Worker {
    fn is_syncing(&self) -> bool {
        self.task == Task::Sync && !self.left
    }

    /// Whether it is available for work: a sync worker that is neither blocked nor about to exit.
    fn is_active(&self) -> bool {
        self.is_syncing() && !self.exit_requested && !self.blocked
    }
}

/// A database that waits for a sync worker.
#[derive(Debug)]
struct Waiting {
    database: u32,
    /// Its work has just arrived; it has not been served since.
    is_new: bool,
    /// It already has a worker and wants a second one.
    is_second: bool,
}

/// A delay before the next worker of a database.
#[derive(Debug)]
struct Pause {
    length: Duration,
    until: Duration,
}

/// Which workers may be asked to exit.
#[derive(Clone, Copy, Debug)]
enum Preempt {
    /// Those without work: in favour of a second worker of a database.
    Idle,
    /// Those that ran for [`SHORT_QUANTUM`], too: in favour of a database whose work has just arrived.
    AfterShortQuantum,
    /// Those that ran for [`QUANTUM`], too.
    AfterQuantum,
}

impl Preempt {
    fn in_favour_of(is_new: bool) -> Self {
        if is_new { Self::AfterShortQuantum } else { Self::AfterQuantum }
    }
}

/// The workers of the cluster and the databases that wait for one.
#[derive(Debug, Default)]
pub struct FairQueue {
    workers: Vec<Worker>,
    waiting: VecDeque<Waiting>,
    /// Index builds and erasures.
    tasks: CorpusTasks,
    /// Databases that are to be checked again at a time.
    scheduled: HashMap<u32, Duration>,
    /// When each database last reported work.
    work_reported_at: HashMap<u32, Duration>,
    pauses: HashMap<u32, Pause>,
    /// Number of the worker that was started last.
    last_number: u64,
}

impl FairQueue {
    /// An empty queue. Worker numbers start at `now` in nanoseconds, to differ from those of an earlier supervisor.
    #[must_use]
    pub fn new(now: Duration) -> Self {
        Self { last_number: u64::try_from(now.as_nanos()).unwrap_or_default(), ..Self::default() }
    }

    /// A database has work. Returns the numbers of its sync workers, which are to be woken.
    pub fn work_available(&mut self, database: u32, now: Duration) -> Vec<u64> {
        self.work_reported_at.insert(database, now);
        let mut workers = Vec::new();
        for worker in self.workers.iter_mut().filter(|worker| worker.database == database && worker.is_syncing()) {
            worker.idle = false;
            workers.push(worker.number);
        }
        // A worker that is blocked or about to exit will not do it.
        if !self.workers.iter().any(|worker| worker.database == database && worker.is_active()) {
            self.enqueue(database, true, false);
        }
        workers
    }

    /// A database has more work than one worker can do. Returns the numbers of its sync workers, which are to be woken.
    pub fn needs_second_worker(&mut self, database: u32, now: Duration) -> Vec<u64> {
        let workers = self.work_available(database, now);
        if self.workers.iter().filter(|worker| worker.database == database && worker.is_syncing()).count() < 2 {
            self.enqueue(database, true, true);
        }
        workers
    }

    fn enqueue(&mut self, database: u32, is_new: bool, is_second: bool) {
        match self.waiting.iter_mut().find(|waiting| waiting.database == database) {
            Some(waiting) => waiting.is_second &= is_second,
            None => self.waiting.push_back(Waiting { database, is_new, is_second }),
        }
    }

    /// A corpus has a task of its own: [`Task::Build`] or [`Task::Clear`]. Does nothing if that is queued or in progress.
    pub fn task_wanted(&mut self, database: u32, task: Task) {
        if !self.workers.iter().any(|worker| worker.database == database && worker.task == task && !worker.left) {
            self.tasks.push(database, task);
        }
    }

    /// A worker has nothing to do.
    pub fn worker_idle(&mut self, worker: u64) {
        self.with(worker, |worker| worker.idle = true);
    }

    /// A worker is blocked by code of a corpus owner. Another worker may take over meanwhile.
    pub fn worker_blocked(&mut self, worker: u64) {
        let database = self.with(worker, |worker| {
            worker.blocked = true;
            worker.database
        });
        if let Some(database) = database
            && !self.workers.iter().any(|worker| worker.database == database && worker.is_active())
        {
            self.enqueue(database, true, false);
        }
    }

    /// A blocked worker continues.
    pub fn worker_unblocked(&mut self, worker: u64) {
        self.with(worker, |worker| worker.blocked = false);
    }

    fn with<T>(&mut self, number: u64, change: impl FnOnce(&mut Worker) -> T) -> Option<T> {
        self.workers.iter_mut().find(|worker| worker.number == number).map(change)
    }

    /// A worker announces that it exits. Work reported since `last_checked_at`, when it last looked for work, needs
    /// another worker. `next_check_in` is the time until the database is to be checked again, `None` if there is no
    /// reason to; `did_work` is false if the worker found nothing to do. Of a worker with a task of a corpus it says that
    /// the task has not failed.
    pub fn worker_leaving(
        &mut self,
        worker: u64,
        last_checked_at: Duration,
        next_check_in: Option<Duration>,
        did_work: bool,
        now: Duration,
    ) {
        let Some((database, task)) = self.with(worker, |worker| {
            worker.left = true;
            (worker.database, worker.task)
        }) else {
            return;
        };
        if task != Task::Sync {
            return;
        }
        self.pauses.remove(&database);
        let unseen = self.work_reported_at.get(&database).is_some_and(|reported_at| *reported_at >= last_checked_at);
        if !did_work {
            self.pauses.insert(database, Pause { length: Duration::ZERO, until: now + IDLE_PAUSE });
        }
        match next_check_in {
            _ if unseen => self.enqueue(database, true, false),
            Some(Duration::ZERO) => self.enqueue(database, false, false),
            Some(time) => {
                let at = self.scheduled.entry(database).or_insert(now + time);
                *at = (*at).min(now + time);
            }
            None => {}
        }
    }

    /// The process of a worker has ended. A sync worker that had not announced it has crashed and is replaced after a
    /// delay.
    pub fn worker_ended(&mut self, worker: u64, now: Duration) {
        let Some(at) = self.workers.iter().position(|one| one.number == worker) else { return };
        let worker = self.workers.swap_remove(at);
        if worker.task != Task::Sync {
            return self.tasks.ended(worker.database, worker.task, worker.left, now);
        }
        if worker.left {
            return;
        }
        let last = match self.pauses.get(&worker.database) {
            Some(pause) if now.saturating_sub(worker.started) < HEALTHY_LIFETIME => pause.length,
            _ => Duration::ZERO,
        };
        let length = (last * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        self.pauses.insert(worker.database, Pause { length, until: now + length });
        self.enqueue(worker.database, false, false);
    }

    /// A worker could not be started. Its task returns to the front of the queue.
    pub fn worker_not_started(&mut self, worker: u64) {
        let Some(at) = self.workers.iter().position(|one| one.number == worker) else { return };
        let Worker { database, task, .. } = self.workers.swap_remove(at);
        match task {
            Task::Sync => self.waiting.push_front(Waiting { database, is_new: true, is_second: false }),
            Task::Build(_) | Task::Clear(_) => self.tasks.put_back(database, task),
        }
    }

    /// A database was dropped: forgets everything about it but its running workers.
    pub fn remove_database(&mut self, database: u32) {
        self.waiting.retain(|waiting| waiting.database != database);
        self.tasks.remove_database(database);
        self.scheduled.remove(&database);
        self.work_reported_at.remove(&database);
        self.pauses.remove(&database);
    }

    /// Numbers of all workers whose process is not known to have ended.
    pub fn workers(&self) -> impl Iterator<Item = u64> {
        self.workers.iter().map(|worker| worker.number)
    }

    /// The actions to carry out now, and when to call this again if no event comes before; `None` to wait for an event.
    pub fn next_actions(&mut self, limits: Limits, now: Duration) -> (Vec<Action>, Option<Duration>) {
        for (database, _) in self.scheduled.extract_if(|_, at| *at <= now).collect::<Vec<_>>() {
            // A worker that is there looks by itself, and says when it leaves what is to be looked at later.
            if !self.has_active_worker(database) {
                self.enqueue(database, false, false);
            }
        }
        let mut actions = Vec::new();
        if limits.sync_workers > 0 {
            self.start_tasks(Task::Build(0), limits.builders, now, &mut actions);
            self.start_tasks(Task::Clear(0), limits.clearers, now, &mut actions);
        }
        self.start_syncs(limits, now, &mut actions);
        let pauses =
            self.waiting.iter().filter_map(|waiting| self.pauses.get(&waiting.database)).map(|pause| pause.until);
        let due = self.scheduled.values().copied().chain(pauses).chain(self.tasks.due()).filter(|at| *at > now);
        let quantum = (!self.waiting.is_empty()).then_some(now + SHORT_QUANTUM / 2);
        (actions, due.chain(quantum).min())
    }

    /// Number of sync workers that count against `socle.sync_workers`. One worker of each database in which a task of a
    /// corpus is being done does not count, because it is needed to end what users wait for. Neither do blocked workers
    /// and those asked to exit, up to the value of the setting, at least 2.
    fn counted_workers(&self, limits: Limits) -> usize {
        let all = self.workers.iter().filter(|worker| worker.is_syncing()).count();
        let active = self.workers.iter().filter(|worker| worker.is_active()).count();
        let databases: HashSet<u32> = self.busy().collect();
        let beside_builds = databases.iter().filter(|database| self.has_active_worker(**database)).count();
        let uncounted = (all - active).min(limits.sync_workers.max(2));
        (all - uncounted).saturating_sub(beside_builds)
    }

    /// Databases of the workers that do a task of a corpus.
    fn busy(&self) -> impl Iterator<Item = u32> {
        self.workers.iter().filter(|worker| worker.task != Task::Sync && !worker.left).map(|worker| worker.database)
    }

    /// Whether a database has an active sync worker.
    fn has_active_worker(&self, database: u32) -> bool {
        self.workers.iter().any(|worker| worker.database == database && worker.is_active())
    }

    fn start_syncs(&mut self, limits: Limits, now: Duration, actions: &mut Vec<Action>) {
        let paused = |queue: &Self, waiting: &Waiting| {
            queue.pauses.get(&waiting.database).is_some_and(|pause| pause.until > now)
        };
        // Databases without a worker come first.
        for is_second in [false, true] {
            let mut at = 0;
            while let Some(waiting) = self.waiting.get(at) {
                if (waiting.is_second && self.has_active_worker(waiting.database)) != is_second || paused(self, waiting)
                {
                    at += 1;
                    continue;
                }
                let (database, is_new) = (waiting.database, waiting.is_new);
                let is_beside_build =
                    self.busy().any(|building| building == database) && !self.has_active_worker(database);
                if self.counted_workers(limits) >= limits.sync_workers && !(is_beside_build && limits.sync_workers > 0)
                {
                    let chosen = self.request_exit(
                        limits,
                        if is_second { Preempt::Idle } else { Preempt::in_favour_of(is_new) },
                        now,
                    );
                    let Some(worker) = chosen else {
                        at += 1;
                        continue;
                    };
                    actions.push(Action::RequestExit(worker));
                    // With too many workers that have not exited yet, wait for this one.
                    if self.counted_workers(limits) >= limits.sync_workers {
                        at += 1;
                        continue;
                    }
                }
                self.waiting.remove(at);
                actions.push(self.start(database, Task::Sync, Duration::ZERO, now));
            }
        }
        // The setting was lowered, or an index is complete.
        if self.counted_workers(limits) > limits.sync_workers
            && let Some(worker) = self.request_exit(limits, Preempt::AfterQuantum, now)
        {
            actions.push(Action::RequestExit(worker));
        }
    }

    /// Chooses and marks a worker to ask to exit: an idle one, else one of several in a database, else the oldest.
    fn request_exit(&mut self, limits: Limits, preempt: Preempt, now: Duration) -> Option<u64> {
        let quantum = match preempt {
            _ if limits.sync_workers == 0 => Duration::ZERO,
            Preempt::Idle => Duration::MAX,
            Preempt::AfterShortQuantum => SHORT_QUANTUM,
            Preempt::AfterQuantum => QUANTUM,
        };
        let active_workers =
            |database| self.workers.iter().filter(|one| one.database == database && one.is_active()).count();
        let databases: HashSet<u32> = self.busy().collect();
        let chosen = self
            .workers
            .iter()
            .filter(|worker| {
                worker.is_active() && (active_workers(worker.database) > 1 || !databases.contains(&worker.database))
            })
            .filter(|worker| worker.idle || now.saturating_sub(worker.started) >= quantum)
            .max_by_key(|worker| {
                (worker.idle, active_workers(worker.database) > 1, now.saturating_sub(worker.started))
            })?
            .number;
        self.with(chosen, |worker| worker.exit_requested = true);
        Some(chosen)
    }

    /// Starts workers for tasks of the same kind as `kind`, up to `limit` at a time.
    fn start_tasks(&mut self, kind: Task, limit: usize, now: Duration, actions: &mut Vec<Action>) {
        let is_such =
            |worker: &&Worker| std::mem::discriminant(&worker.task) == std::mem::discriminant(&kind) && !worker.left;
        loop {
            let such = self.workers.iter().filter(is_such);
            let busy: HashSet<u32> = such.clone().map(|worker| worker.database).collect();
            if such.count() >= limit {
                return;
            }
            let Some((database, task, max_wait)) = self.tasks.next(kind, &busy, now) else { return };
            actions.push(self.start(database, task, max_wait, now));
            if !self.has_active_worker(database) {
                self.enqueue(database, true, false);
            }
        }
    }

    fn start(&mut self, database: u32, task: Task, max_wait: Duration, now: Duration) -> Action {
        self.last_number = self.last_number.wrapping_add(1);
        let number = self.last_number;
        let (exit_requested, idle, blocked, left) = (false, false, false, false);
        self.workers.push(Worker { number, database, task, started: now, exit_requested, idle, blocked, left });
        Action::Start { worker: number, database, task, max_wait }
    }
}

#[cfg(test)]
mod tests;
