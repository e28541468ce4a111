//! Retry delays of failed changes.

use std::time::Duration;

/// Delay before the second attempt.
const FIRST: Duration = Duration::from_secs(5);

/// Maximum delay between two attempts.
const LONGEST: Duration = Duration::from_secs(300);

/// Delay after `attempts` failed attempts, at least 1: 5 s, doubled each time, at most 5 min.
pub fn backoff(attempts: u32) -> Duration {
    let factor = 1_u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
    FIRST.saturating_mul(factor).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_become_rarer_but_never_end() {
        let seconds: Vec<u64> = (1..=8).map(|attempts| backoff(attempts).as_secs()).collect();
        assert_eq!(seconds, [5, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(backoff(u32::MAX), LONGEST);
        assert_eq!(backoff(0), FIRST);
    }
}
