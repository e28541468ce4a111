//! The counters that the report of the generator shows.

use socle_core::protocol::GeneratorReport;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Number of requests, the last ones, over which the median is computed.
const MAX_LATENCIES: usize = 1000;

/// Length in seconds of the window over which tokens per second are computed.
const RATE_SECONDS: u64 = 10;

/// Counters since the start of the generator.
#[derive(Debug)]
pub struct Statistics {
    start: Instant,
    counters: Mutex<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    requests: u64,
    prompt_tokens: u64,
    answer_tokens: u64,
    /// Times to the first token of the last requests, the newest last.
    first_tokens: VecDeque<Duration>,
    /// Seconds since the start and the tokens of answers in each, the newest last.
    recent: VecDeque<(u64, u64)>,
}

impl Default for Statistics {
    fn default() -> Self {
        Self { start: Instant::now(), counters: Mutex::default() }
    }
}

impl Statistics {
    fn change(&self, change: impl FnOnce(&mut Counters)) {
        change(&mut self.counters.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Counts an answered request.
    pub fn record_response(&self) {
        self.change(|counters| counters.requests += 1);
    }

    /// Counts the tokens of a run.
    pub fn record_run(&self, prompt_tokens: usize, answer_tokens: usize) {
        let second = self.start.elapsed().as_secs();
        self.change(|counters| {
            counters.prompt_tokens += prompt_tokens as u64;
            counters.answer_tokens += answer_tokens as u64;
            match counters.recent.back_mut() {
                Some((last, count)) if *last == second => *count += answer_tokens as u64,
                _ => counters.recent.push_back((second, answer_tokens as u64)),
            }
            while counters.recent.front().is_some_and(|(oldest, _)| oldest + RATE_SECONDS < second) {
                counters.recent.pop_front();
            }
        });
    }

    /// Counts a first token, which came this long after its request.
    pub fn record_first_token(&self, latency: Duration) {
        self.change(|counters| {
            if counters.first_tokens.len() == MAX_LATENCIES {
                counters.first_tokens.pop_front();
            }
            counters.first_tokens.push_back(latency);
        });
    }

    /// Writes the counters into a report.
    pub fn report(&self, report: &mut GeneratorReport) {
        let counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let mut latencies: Vec<Duration> = counters.first_tokens.iter().copied().collect();
        latencies.sort_unstable();
        let middle = latencies.len().div_ceil(2).saturating_sub(1);
        let now = self.start.elapsed();
        let recent = counters.recent.iter().filter(|(second, _)| second + RATE_SECONDS >= now.as_secs());
        let seconds = now.as_secs_f64().clamp(0.001, RATE_SECONDS as f64);
        report.request_count = counters.requests;
        report.prompt_token_count = counters.prompt_tokens;
        report.answer_token_count = counters.answer_tokens;
        report.tokens_per_second = recent.map(|(_, tokens)| *tokens).sum::<u64>() as f64 / seconds;
        report.first_token_p50_ms = latencies.get(middle).map(|latency| latency.as_secs_f64() * 1000.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_counts_what_was_done() {
        let statistics = Statistics::default();
        let report = || {
            let mut report = GeneratorReport::default();
            statistics.report(&mut report);
            report
        };
        assert_eq!(report().first_token_p50_ms, None);
        for latency in [9, 1, 2] {
            statistics.record_first_token(Duration::from_millis(latency));
        }
        statistics.record_run(64, 0);
        statistics.record_run(0, 3);
        statistics.record_response();
        let report = report();
        assert_eq!((report.request_count, report.prompt_token_count, report.answer_token_count), (1, 64, 3));
        assert_eq!(report.first_token_p50_ms, Some(2.0));
        assert!(report.tokens_per_second > 0.0);
    }
}
