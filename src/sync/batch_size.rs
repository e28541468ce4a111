//! How much of a corpus is taken at once: about as much as can be done in a turn, by what the last turns did, so that others
//! have theirs soon.

use crate::worker::session::asked_to_leave;
use std::time::{Duration, Instant};

/// What a claim should take, and a slice of it, the smallest part after which a worker may leave.
const CLAIM: Duration = Duration::from_millis(500);
const SLICE: Duration = Duration::from_millis(250);

/// Beyond this the rest of a claim is handed back.
const TURN: Duration = Duration::from_secs(1);

/// Documents of one claim, and bytes of a slice, unless one document alone is larger.
const DOCUMENTS: std::ops::RangeInclusive<f64> = 8.0..=256.0;
const BYTES: std::ops::RangeInclusive<f64> = 65_536.0..=1_048_576.0;

/// What is known of the speed of one corpus.
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

/// A turn that is under way.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    begun: Instant,
    documents: usize,
}

impl Turn {
    /// Others wait.
    pub fn is_over(&self) -> bool {
        self.begun.elapsed() > TURN || asked_to_leave()
    }
}

impl BatchSize {
    /// Documents that are claimed at once.
    pub fn documents(&self) -> i64 {
        self.documents as i64
    }

    /// Bytes that are worked on together.
    pub fn bytes(&self) -> u64 {
        self.bytes as u64
    }

    /// So many documents are begun with. Should the turn be cut short, fewer are taken the next time.
    pub fn begin_turn(&mut self, documents: usize) -> Turn {
        self.documents = (self.documents / 2.0).max(*DOCUMENTS.start());
        Turn { begun: Instant::now(), documents }
    }

    /// A slice took so long.
    pub fn slice(&mut self, took: Duration) {
        let factor = SLICE.as_secs_f64() / took.as_secs_f64().max(0.001);
        self.bytes = (self.bytes * factor.clamp(0.5, 2.0)).clamp(*BYTES.start(), *BYTES.end());
    }

    /// All documents of a turn are done.
    pub fn end_turn(&mut self, turn: &Turn) {
        let rate = turn.documents as f64 / turn.begun.elapsed().as_secs_f64().max(0.001);
        self.documents = (rate * CLAIM.as_secs_f64()).clamp(*DOCUMENTS.start(), *DOCUMENTS.end());
    }
}
