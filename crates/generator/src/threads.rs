//! How many threads compute. The threads of llama.cpp wait for each other some hundred times for each token, without
//! pausing: if one of them has no processor, the others only waste theirs, and hardly anything is computed. As long as they have
//! their processors, the number stays the same, because sums of another number of threads round otherwise.
//!
//! Knows no clock.

use std::time::Duration;

/// Shortest run that tells anything.
const SHORTEST: Duration = Duration::from_millis(1);

/// Share of its time that each thread has to have had a processor: below, there is other work for the processors; above, there is
/// room for more threads.
const SHARES: (f64, f64) = (0.75, 0.9);

/// Runs in a row with room for more threads after which there are more again.
const CALM_RUNS: u32 = 50;

/// How many threads compute the next run.
#[derive(Debug)]
pub struct Threads {
    most: u32,
    count: u32,
    calm: u32,
}

impl Threads {
    /// As many as `most`, and never more.
    pub fn new(most: u32) -> Self {
        Self { most, count: most, calm: 0 }
    }

    /// The number for the next run.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Records how long a run took, and how much time of processors.
    pub fn record(&mut self, time: Duration, processor_time: Duration) {
        if time < SHORTEST {
            return;
        }
        let share = processor_time.as_secs_f64() / time.as_secs_f64() / f64::from(self.count);
        if share < SHARES.0 {
            (self.count, self.calm) = (1, 0);
        } else if share < SHARES.1 {
            self.calm = 0;
        } else {
            self.calm += 1;
        }
        if self.calm >= CALM_RUNS {
            (self.count, self.calm) = ((2 * self.count).min(self.most), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records runs of 10 ms in each of which every thread had a processor for this share of the time.
    fn run(threads: &mut Threads, runs: u32, share: f64) -> u32 {
        for _ in 0..runs {
            let time = Duration::from_millis(10);
            threads.record(time, time.mul_f64(share * f64::from(threads.count())));
        }
        threads.count()
    }

    #[test]
    fn there_are_as_many_threads_as_find_a_processor() {
        let mut threads = Threads::new(6);
        assert_eq!(run(&mut threads, 1000, 0.8), 6, "they stay while it is enough");
        threads.record(Duration::from_micros(10), Duration::ZERO);
        assert_eq!(threads.count(), 6, "a short run tells nothing");
        assert_eq!(run(&mut threads, 1, 0.5), 1);
        assert_eq!(run(&mut threads, 1000, 0.8), 1, "one that is interrupted is not joined by others");
        assert_eq!(run(&mut threads, CALM_RUNS - 1, 1.0), 1);
        assert_eq!(run(&mut threads, 1, 1.0), 2);
        assert_eq!(run(&mut threads, 2 * CALM_RUNS, 0.95), 6, "never more than are permitted");
        assert_eq!(run(&mut Threads::new(1), 1000, 1.0), 1);
    }
}
