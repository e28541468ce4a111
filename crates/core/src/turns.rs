//! Whose turn it is: which databases get a sync worker now, which worker makes room, and when one that died is replaced.
//!
//! The supervisor tells what happened and does what comes out. Time is handed in, as the time since some moment that all
//! processes of the machine share.

pub mod message;

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

/// What a worker may do undisturbed before it makes room for a database that has had its turn.
const QUANTUM: Duration = Duration::from_secs(2);

/// The same where the other database has just got work: short, because somebody may wait for one row; and not shorter,
/// because starting a worker costs some hundredths of a second.
const SHORT_QUANTUM: Duration = Duration::from_millis(500);

/// Time before a worker is started again in a database where the last one ended without a word. Doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// A worker that lived longer than this did not fail for the reason that the one before it failed for.
const HEALTHY: Duration = Duration::from_secs(30);

/// Time before a worker is started again in a database whose last one had nothing to do: a paused corpus may be written
/// to a thousand times a second.
const REST: Duration = Duration::from_millis(500);

/// How long the first build of an index waits for transactions of others, and how much longer each further one. A build that
/// gives up begins anew when those are gone.
const PATIENCE: Duration = Duration::from_secs(30);
const MORE_PATIENCE: u32 = 8;
const MOST_PATIENCE: u32 = 4_096;

/// What a worker is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Task {
    /// Keeps the corpora of its database true.
    Sync,
    /// Builds the vector index of one corpus, by its change log.
    Build(u32),
}

/// How many workers there may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `socle.sync_workers`.
    pub sync_workers: usize,
    /// Of those that build indexes, beside the others.
    pub builders: usize,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Have a worker started, and say whether that worked.
    Start {
        /// Its number.
        worker: u64,
        /// Its database, by OID.
        database: u32,
        /// What for.
        task: Task,
        /// How long it waits for transactions of others.
        patience: Duration,
    },
    /// Ask this worker to leave.
    Ask(u64),
}

#[derive(Debug)]
struct Worker {
    number: u64,
    database: u32,
    task: Task,
    started: Duration,
    asked: bool,
    idle: bool,
    slow: bool,
    /// It has said goodbye, or was never started.
    gone: bool,
}

impl Worker {
    fn syncs(&self) -> bool {
        self.task == Task::Sync && !self.gone
    }

    /// It does its share.
    fn counts(&self) -> bool {
        self.syncs() && !self.asked && !self.slow
    }
}

#[derive(Debug)]
struct Want {
    database: u32,
    /// It has just got work, and not had its turn.
    fresh: bool,
    /// One more than it has.
    more: bool,
}

#[derive(Debug)]
struct Pause {
    length: Duration,
    until: Duration,
}

/// Which workers make room.
#[derive(Clone, Copy, Debug)]
enum Room {
    /// Those without work: for a second worker of a database.
    Idle,
    /// Those that have had a short time: for a database that has just got work.
    First,
    /// Those that have had their turn.
    Turn,
}

impl Room {
    fn of(fresh: bool) -> Self {
        if fresh { Self::First } else { Self::Turn }
    }
}

/// Time before the next attempt after that many.
fn pause(count: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1_u32.checked_shl(count.saturating_sub(1)).unwrap_or(u32::MAX)).min(LONGEST_PAUSE)
}

/// The state of all turns.
#[derive(Debug, Default)]
pub struct Turns {
    workers: Vec<Worker>,
    waiting: VecDeque<Want>,
    builds: VecDeque<(u32, u32)>,
    /// How often the index of a corpus was begun, and when it may be begun again.
    begun: HashMap<(u32, u32), (u32, Duration)>,
    later: Vec<(Duration, u32)>,
    woken: HashMap<u32, Duration>,
    pauses: HashMap<u32, Pause>,
    next: u64,
}

impl Turns {
    /// `now` makes the numbers of workers differ from those of an earlier supervisor.
    #[must_use]
    pub fn new(now: Duration) -> Self {
        Self { next: u64::try_from(now.as_nanos()).unwrap_or_default(), ..Self::default() }
    }

    /// A database has work. Returns the workers that have to look.
    pub fn wake(&mut self, database: u32, now: Duration) -> Vec<u64> {
        self.woken.insert(database, now);
        let mut there = Vec::new();
        for worker in self.workers.iter_mut().filter(|worker| worker.database == database && worker.syncs()) {
            worker.idle = false;
            there.push(worker.number);
        }
        // One that is held up, or about to leave, does not see to it.
        if !self.workers.iter().any(|worker| worker.database == database && worker.counts()) {
            self.want(database, true, false);
        }
        there
    }

    /// A database has more work than one worker can do.
    pub fn more(&mut self, database: u32, now: Duration) -> Vec<u64> {
        let there = self.wake(database, now);
        if self.workers.iter().filter(|worker| worker.database == database && worker.syncs()).count() < 2 {
            self.want(database, true, true);
        }
        there
    }

    fn want(&mut self, database: u32, fresh: bool, more: bool) {
        match self.waiting.iter_mut().find(|want| want.database == database) {
            Some(want) => want.more &= more,
            None => self.waiting.push_back(Want { database, fresh, more }),
        }
    }

    /// The vector index of a corpus is to be built.
    pub fn build(&mut self, database: u32, corpus: u32) {
        let at_it = |worker: &Worker| worker.database == database && worker.task == Task::Build(corpus) && !worker.gone;
        if !self.builds.contains(&(database, corpus)) && !self.workers.iter().any(at_it) {
            self.builds.push_back((database, corpus));
        }
    }

    /// A worker has nothing to do.
    pub fn idle(&mut self, worker: u64) {
        self.with(worker, |worker| worker.idle = true);
    }

    /// A worker is held up by what an owner has it run: another takes over meanwhile.
    pub fn slow(&mut self, worker: u64) {
        let database = self.with(worker, |worker| {
            worker.slow = true;
            worker.database
        });
        if let Some(database) = database
            && !self.workers.iter().any(|worker| worker.database == database && worker.counts())
        {
            self.want(database, true, false);
        }
    }

    /// It goes on.
    pub fn back(&mut self, worker: u64) {
        self.with(worker, |worker| worker.slow = false);
    }

    fn with<T>(&mut self, number: u64, change: impl FnOnce(&mut Worker) -> T) -> Option<T> {
        self.workers.iter_mut().find(|worker| worker.number == number).map(change)
    }

    /// A worker leaves. What was wanted of its database since it looked for the last time, nobody has seen.
    pub fn goodbye(&mut self, worker: u64, looked_at: Duration, again: Option<Duration>, worked: bool, now: Duration) {
        let Some(database) = self.with(worker, |worker| {
            worker.gone = true;
            worker.database
        }) else {
            return;
        };
        self.pauses.remove(&database);
        let unseen = self.woken.get(&database).is_some_and(|woken| *woken >= looked_at);
        if !worked {
            self.pauses.insert(database, Pause { length: Duration::ZERO, until: now + REST });
        }
        match again {
            _ if unseen => self.want(database, true, false),
            Some(Duration::ZERO) => self.want(database, false, false),
            Some(time) => self.later.push((now + time, database)),
            None => {}
        }
    }

    /// The process of a worker is no more. One that ended without a word is replaced, after a while.
    pub fn ended(&mut self, worker: u64, now: Duration) {
        let Some(at) = self.workers.iter().position(|one| one.number == worker) else { return };
        let worker = self.workers.swap_remove(at);
        if let Task::Build(corpus) = worker.task
            && let Some((count, until)) = self.begun.get_mut(&(worker.database, corpus))
        {
            *until = now + pause(*count);
        }
        if worker.gone || worker.task != Task::Sync {
            return;
        }
        let last = match self.pauses.get(&worker.database) {
            Some(pause) if now.saturating_sub(worker.started) < HEALTHY => pause.length,
            _ => Duration::ZERO,
        };
        let length = (last * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        self.pauses.insert(worker.database, Pause { length, until: now + length });
        self.want(worker.database, false, false);
    }

    /// A worker could not be started.
    pub fn not_started(&mut self, worker: u64) {
        let Some(at) = self.workers.iter().position(|one| one.number == worker) else { return };
        let Worker { database, task, .. } = self.workers.swap_remove(at);
        match task {
            Task::Sync => self.waiting.push_front(Want { database, fresh: true, more: false }),
            Task::Build(corpus) => self.builds.push_front((database, corpus)),
        }
    }

    /// A database is no more.
    pub fn forget(&mut self, database: u32) {
        self.waiting.retain(|want| want.database != database);
        self.builds.retain(|build| build.0 != database);
        self.begun.retain(|build, _| build.0 != database);
        self.later.retain(|(_, one)| *one != database);
        self.woken.remove(&database);
        self.pauses.remove(&database);
    }

    /// Workers that there are, as far as is known.
    pub fn workers(&self) -> impl Iterator<Item = u64> {
        self.workers.iter().map(|worker| worker.number)
    }

    /// What is to be done, and when this is to be asked again, if it is known.
    pub fn next(&mut self, limits: Limits, now: Duration) -> (Vec<Action>, Option<Duration>) {
        for (_, database) in self.later.extract_if(.., |(at, _)| *at <= now).collect::<Vec<_>>() {
            self.want(database, false, false);
        }
        let mut actions = Vec::new();
        if limits.sync_workers > 0 {
            self.start_builds(limits, now, &mut actions);
        }
        self.start_syncs(limits, now, &mut actions);
        let pauses = self.waiting.iter().filter_map(|want| self.pauses.get(&want.database)).map(|pause| pause.until);
        let builds = self.builds.iter().filter_map(|build| self.begun.get(build)).map(|(_, until)| *until);
        let due = self.later.iter().map(|(at, _)| *at).chain(pauses).chain(builds).filter(|at| *at > now);
        let quantum = (!self.waiting.is_empty()).then_some(now + SHORT_QUANTUM / 2);
        (actions, due.chain(quantum).min())
    }

    /// Workers that count against the setting. One of each database where an index is built does not: it lets users have
    /// the table who wait for the build. Nor do those that are held up or were asked to leave, up to some number.
    fn count(&self, limits: Limits) -> usize {
        let all = self.workers.iter().filter(|worker| worker.syncs()).count();
        let share = self.workers.iter().filter(|worker| worker.counts()).count();
        let watched: HashSet<u32> = self.building().collect();
        let watching = watched.iter().filter(|database| self.serves(**database)).count();
        let uncounted = (all - share).min(limits.sync_workers.max(2));
        (all - uncounted).saturating_sub(watching)
    }

    fn building(&self) -> impl Iterator<Item = u32> {
        self.workers.iter().filter(|worker| worker.task != Task::Sync && !worker.gone).map(|worker| worker.database)
    }

    /// Whether a database has a worker that does its share.
    fn serves(&self, database: u32) -> bool {
        self.workers.iter().any(|worker| worker.database == database && worker.counts())
    }

    fn start_syncs(&mut self, limits: Limits, now: Duration, actions: &mut Vec<Action>) {
        let paused =
            |turns: &Self, want: &Want| turns.pauses.get(&want.database).is_some_and(|pause| pause.until > now);
        // Those that have none come first.
        for more in [false, true] {
            let mut at = 0;
            while let Some(want) = self.waiting.get(at) {
                if (want.more && self.serves(want.database)) != more || paused(self, want) {
                    at += 1;
                    continue;
                }
                let (database, fresh) = (want.database, want.fresh);
                let watches = self.building().any(|building| building == database) && !self.serves(database);
                if self.count(limits) >= limits.sync_workers && !(watches && limits.sync_workers > 0) {
                    let room = self.make_room(limits, if more { Room::Idle } else { Room::of(fresh) }, now);
                    let Some(worker) = room else {
                        at += 1;
                        continue;
                    };
                    actions.push(Action::Ask(worker));
                    // Where too many take their time, it has to be gone first.
                    if self.count(limits) >= limits.sync_workers {
                        at += 1;
                        continue;
                    }
                }
                self.waiting.remove(at);
                actions.push(self.start(database, Task::Sync, Duration::ZERO, now));
            }
        }
        // The setting was lowered, or an index is complete.
        if self.count(limits) > limits.sync_workers
            && let Some(worker) = self.make_room(limits, Room::Turn, now)
        {
            actions.push(Action::Ask(worker));
        }
    }

    /// The worker that is asked to leave: one without work first, then one of several in a database, then the oldest.
    fn make_room(&mut self, limits: Limits, room: Room, now: Duration) -> Option<u64> {
        let quantum = match room {
            _ if limits.sync_workers == 0 => Duration::ZERO,
            Room::Idle => Duration::MAX,
            Room::First => SHORT_QUANTUM,
            Room::Turn => QUANTUM,
        };
        let of = |database| self.workers.iter().filter(|one| one.database == database && one.counts()).count();
        let watched: HashSet<u32> = self.building().collect();
        let chosen = self
            .workers
            .iter()
            .filter(|worker| worker.counts() && (of(worker.database) > 1 || !watched.contains(&worker.database)))
            .filter(|worker| worker.idle || now.saturating_sub(worker.started) >= quantum)
            .max_by_key(|worker| (worker.idle, of(worker.database) > 1, now.saturating_sub(worker.started)))?
            .number;
        self.with(chosen, |worker| worker.asked = true);
        Some(chosen)
    }

    fn start_builds(&mut self, limits: Limits, now: Duration, actions: &mut Vec<Action>) {
        while self.building().count() < limits.builders {
            // One database does not keep others from theirs.
            let busy: HashSet<u32> = self.building().collect();
            let ready = |build: &(u32, u32)| self.begun.get(build).is_none_or(|(_, until)| *until <= now);
            let other = self.builds.iter().position(|build| ready(build) && !busy.contains(&build.0));
            let Some(at) = other.or_else(|| self.builds.iter().position(ready)) else { return };
            let Some((database, corpus)) = self.builds.remove(at) else { return };
            let (begun, _) = self.begun.entry((database, corpus)).or_default();
            let patience = PATIENCE.saturating_mul(MORE_PATIENCE.saturating_pow(*begun).min(MOST_PATIENCE));
            *begun = begun.saturating_add(1);
            actions.push(self.start(database, Task::Build(corpus), patience, now));
            if !self.serves(database) {
                self.want(database, true, false);
            }
        }
    }

    fn start(&mut self, database: u32, task: Task, patience: Duration, now: Duration) -> Action {
        self.next = self.next.wrapping_add(1);
        let number = self.next;
        let (asked, idle, slow, gone) = (false, false, false, false);
        self.workers.push(Worker { number, database, task, started: now, asked, idle, slow, gone });
        Action::Start { worker: number, database, task, patience }
    }
}

#[cfg(test)]
mod tests;
