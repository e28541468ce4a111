//! The counters and latencies that the view `socle.engine_status` shows.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Number of interactive requests, the last ones, over which percentiles of latency are computed.
const MAX_LATENCIES: usize = 1000;

/// Length in seconds of the window over which tokens per second are computed.
const RATE_SECONDS: u64 = 10;

/// Counters since the start of the engine.
#[derive(Debug)]
pub struct Statistics {
    start: Instant,
    requests: AtomicU64,
    batches: AtomicU64,
    texts: AtomicU64,
    tokens: AtomicU64,
    recent: Mutex<Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    /// Latencies of the last interactive requests, the newest last.
    latencies: VecDeque<Duration>,
    /// Seconds since the start and the tokens run in each, the newest last.
    tokens: VecDeque<(u64, u64)>,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Requests answered.
    pub requests: u64,
    /// Runs of models.
    pub batches: u64,
    /// Texts and pairs run.
    pub texts: u64,
    /// Tokens run, padding not counted.
    pub tokens: u64,
    /// Tokens per second over the last `RATE_SECONDS` seconds.
    pub tokens_per_second: f64,
    /// Median latency of recent interactive requests in milliseconds.
    pub latency_p50_ms: Option<f64>,
    /// 95th percentile of latency of recent interactive requests in milliseconds.
    pub latency_p95_ms: Option<f64>,
}

impl Default for Statistics {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            requests: AtomicU64::new(0),
            batches: AtomicU64::new(0),
            texts: AtomicU64::new(0),
            tokens: AtomicU64::new(0),
            recent: Mutex::default(),
        }
    }
}

impl Statistics {
    /// Counts a run of a model.
    pub fn record_batch(&self, texts: usize, tokens: usize) {
        self.batches.fetch_add(1, Relaxed);
        self.texts.fetch_add(texts as u64, Relaxed);
        self.tokens.fetch_add(tokens as u64, Relaxed);
        let second = self.start.elapsed().as_secs();
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        match recent.tokens.back_mut() {
            Some((last, count)) if *last == second => *count += tokens as u64,
            _ => recent.tokens.push_back((second, tokens as u64)),
        }
        while recent.tokens.front().is_some_and(|(oldest, _)| oldest + RATE_SECONDS < second) {
            recent.tokens.pop_front();
        }
    }

    /// Counts an answered request. `latency` is the time since its arrival if it was an interactive one.
    pub fn record_response(&self, latency: Option<Duration>) {
        self.requests.fetch_add(1, Relaxed);
        if let Some(latency) = latency {
            let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            if recent.latencies.len() == MAX_LATENCIES {
                recent.latencies.pop_front();
            }
            recent.latencies.push_back(latency);
        }
    }

    /// The counters now.
    pub fn read(&self) -> Reading {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let mut latencies: Vec<Duration> = recent.latencies.iter().copied().collect();
        latencies.sort_unstable();
        let percentile = |percent: usize| {
            let at = (latencies.len() * percent).div_ceil(100).saturating_sub(1);
            latencies.get(at).map(|latency| latency.as_secs_f64() * 1000.0)
        };
        let now = self.start.elapsed();
        let counted = recent.tokens.iter().filter(|(second, _)| second + RATE_SECONDS >= now.as_secs());
        let seconds = now.as_secs_f64().clamp(0.001, RATE_SECONDS as f64);
        Reading {
            requests: self.requests.load(Relaxed),
            batches: self.batches.load(Relaxed),
            texts: self.texts.load(Relaxed),
            tokens: self.tokens.load(Relaxed),
            tokens_per_second: counted.map(|(_, tokens)| *tokens).sum::<u64>() as f64 / seconds,
            latency_p50_ms: percentile(50),
            latency_p95_ms: percentile(95),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_last_thousand() {
        let statistics = Statistics::default();
        assert_eq!(statistics.read().latency_p50_ms, None);
        for _ in 0..500 {
            statistics.record_response(Some(Duration::from_secs(9)));
        }
        for millisecond in 1..=1000 {
            statistics.record_response(Some(Duration::from_millis(millisecond)));
        }
        statistics.record_response(None);
        let reading = statistics.read();
        assert_eq!((reading.latency_p50_ms, reading.latency_p95_ms), (Some(500.0), Some(950.0)));
        assert_eq!(reading.requests, 1501);
    }

    #[test]
    fn runs_are_counted() {
        let statistics = Statistics::default();
        statistics.record_batch(3, 60);
        statistics.record_batch(1, 40);
        let reading = statistics.read();
        assert_eq!((reading.batches, reading.texts, reading.tokens), (2, 4, 100));
        assert!(reading.tokens_per_second > 0.0);
    }
}
