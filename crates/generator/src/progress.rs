//! Whether the thread that computes makes progress: pings of the supervisor are answered only as long as it does, so that a
//! generator that hangs is replaced.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Longest time without a step of a computation. The largest step is the product of a slice of a prompt with one matrix.
const LONGEST_STEP: Duration = Duration::from_secs(5);

/// The time of the last step.
#[derive(Debug)]
pub struct Progress {
    start: Instant,
    /// Milliseconds from the start to the last step; 0 while nothing is computed.
    last: AtomicU64,
}

impl Default for Progress {
    fn default() -> Self {
        Self { start: Instant::now(), last: AtomicU64::new(0) }
    }
}

impl Progress {
    /// Notes a step.
    pub fn step(&self) {
        self.last.store(self.start.elapsed().as_millis() as u64 + 1, Relaxed);
    }

    /// Notes that nothing is computed.
    pub fn idle(&self) {
        self.last.store(0, Relaxed);
    }

    /// Whether nothing is computed, or a step was made not long ago.
    pub fn is_alive(&self) -> bool {
        self.is_alive_at(self.start.elapsed())
    }

    fn is_alive_at(&self, now: Duration) -> bool {
        let last = self.last.load(Relaxed);
        last == 0 || now.saturating_sub(Duration::from_millis(last)) < LONGEST_STEP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_or_busy_it_is_alive_and_stuck_it_is_not() {
        let progress = Progress::default();
        let later = Duration::from_secs(100);
        assert!(progress.is_alive_at(later));
        progress.step();
        assert!(progress.is_alive() && !progress.is_alive_at(later));
        progress.idle();
        assert!(progress.is_alive_at(later));
    }
}
