//! How much of a corpus is claimed at once: about as much as fits into a turn, by the speed of the last turns, so that
//! other corpora have theirs soon.

use crate::pg::worker_process::asked_to_leave;
use std::time::{Duration, Instant};

/// Time that a claim should take, and a slice of it, the smallest part after which a worker may exit.
const CLAIM: Duration = Duration::from_millis(500);
const SLICE: Duration = Duration::from_millis(250);

/// Time after which the rest of a claim is handed back.
const TURN: Duration = Duration::from_secs(1);

/// Range of documents in a claim, and of bytes in a slice, unless one document alone is larger.
const DOCUMENTS: std::ops::RangeInclusive<f64> = 8.0..=256.0;
const BYTES: std::ops::RangeInclusive<f64> = 65_536.0..=1_048_576.0;

/// Amounts that one corpus is processed in, adapted to its speed.
#[derive(Clone, Copy, Debug)]
pub struct BatchSize {
    documents: f64,
    bytes: f64,
}

impl Default for BatchSize {
    fn default() -> Self {
        Self { documents: 64.0, bytes: 262_144.0 }
    }
}

/// A turn in progress.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    begun: Instant,
    documents: usize,
}

impl Turn {
    /// Whether its time is over, or the worker was asked to exit.
    pub fn is_over(&self) -> bool {
        self.begun.elapsed() > TURN || asked_to_leave()
    }
}

impl BatchSize {
    /// Number of documents that are claimed at once.
    pub fn documents(&self) -> i64 {
        self.documents as i64
    }

    /// Bytes of documents that are processed together.
    pub fn bytes(&self) -> u64 {
        self.bytes as u64
    }

    /// Begins a turn with so many documents. Should it be cut short, fewer are claimed the next time.
    pub fn begin_turn(&mut self, documents: usize) -> Turn {
        self.documents = (self.documents / 2.0).max(*DOCUMENTS.start());
        Turn { begun: Instant::now(), documents }
    }

    /// Adapts the bytes of a slice to the time that one took.
    pub fn slice(&mut self, took: Duration) {
        let factor = SLICE.as_secs_f64() / took.as_secs_f64().max(0.001);
        self.bytes = (self.bytes * factor.clamp(0.5, 2.0)).clamp(*BYTES.start(), *BYTES.end());
    }

    /// Adapts the documents of a claim to a turn that has done all of its own.
    pub fn end_turn(&mut self, turn: &Turn) {
        let rate = turn.documents as f64 / turn.begun.elapsed().as_secs_f64().max(0.001);
        self.documents = (rate * CLAIM.as_secs_f64()).clamp(*DOCUMENTS.start(), *DOCUMENTS.end());
    }
}
