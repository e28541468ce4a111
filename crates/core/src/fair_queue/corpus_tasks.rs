//! Tasks that concern one corpus each, and that a worker of its own does: which is next, and when one that has failed is tried
//! again. A task that fails delays itself alone: no other corpus, and no task of another kind.

use super::{FIRST_PAUSE, LONGEST_PAUSE, Task};
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

/// How long the first attempt waits for concurrent transactions to end.
pub(super) const FIRST_MAX_WAIT: Duration = Duration::from_secs(30);

/// Factor by which each further attempt to build the same index waits longer.
const WAIT_FACTOR: u32 = 8;
/// Upper bound of the product of these factors, which gives a wait of 34 hours.
const LARGEST_WAIT_FACTOR: u32 = 4_096;

/// A task of a corpus of a database.
type Key = (u32, Task);

/// The tasks that wait, and those that have failed.
#[derive(Debug, Default)]
pub(super) struct CorpusTasks {
    waiting: VecDeque<Key>,
    /// For each task that has begun and not succeeded since: the number of attempts, and the earliest time of the next one.
    attempts: HashMap<Key, (u32, Duration)>,
}

impl CorpusTasks {
    /// Adds a task, unless it waits already.
    pub(super) fn push(&mut self, database: u32, task: Task) {
        if !self.waiting.contains(&(database, task)) {
            self.waiting.push_back((database, task));
        }
    }

    /// Puts back a task that could not be begun.
    pub(super) fn put_back(&mut self, database: u32, task: Task) {
        self.waiting.push_front((database, task));
    }

    /// Takes out the next task of the same kind as `kind`, with the time that it may wait for others. Databases without one in
    /// progress come first.
    pub(super) fn next(&mut self, kind: Task, busy: &HashSet<u32>, now: Duration) -> Option<(u32, Task, Duration)> {
        let ready = |key: &Key| {
            std::mem::discriminant(&key.1) == std::mem::discriminant(&kind)
                && self.attempts.get(key).is_none_or(|(_, until)| *until <= now)
        };
        let other = self.waiting.iter().position(|key| ready(key) && !busy.contains(&key.0));
        let at = other.or_else(|| self.waiting.iter().position(ready))?;
        let key = self.waiting.remove(at)?;
        let (attempts, _) = self.attempts.entry(key).or_default();
        let factor = match key.1 {
            Task::Build(_) => WAIT_FACTOR.saturating_pow(*attempts).min(LARGEST_WAIT_FACTOR),
            Task::Sync | Task::Clear(_) => 1,
        };
        *attempts = attempts.saturating_add(1);
        Some((key.0, key.1, FIRST_MAX_WAIT.saturating_mul(factor)))
    }

    /// The worker of a task has ended. One that has not succeeded is tried again after a delay, longer each time.
    pub(super) fn ended(&mut self, database: u32, task: Task, succeeded: bool, now: Duration) {
        if succeeded {
            self.attempts.remove(&(database, task));
        } else if let Some((count, until)) = self.attempts.get_mut(&(database, task)) {
            *until = now + pause(*count);
        }
    }

    /// When a task that waits may be tried again.
    pub(super) fn due(&self) -> impl Iterator<Item = Duration> {
        self.waiting.iter().filter_map(|key| self.attempts.get(key)).map(|(_, until)| *until)
    }

    /// Forgets everything about a database.
    pub(super) fn remove_database(&mut self, database: u32) {
        self.waiting.retain(|key| key.0 != database);
        self.attempts.retain(|key, _| key.0 != database);
    }
}

/// Delay before the next attempt after `count` attempts.
fn pause(count: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1_u32.checked_shl(count.saturating_sub(1)).unwrap_or(u32::MAX)).min(LONGEST_PAUSE)
}
