//! Documents that are handed back undone. While somebody has a table of their corpus locked, that is tried again between the
//! turns of the corpora.

use super::claim::{self, Claim};
use crate::catalog::CorpusSpec;
use crate::worker::transaction::{WorkerError, transaction};
use pgrx::Uuid;
use std::time::{Duration, Instant};

/// Time between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// Time within which the names of tables that were renamed are found again.
const RENAMED: Duration = Duration::from_secs(10);

/// Documents to be handed back.
#[derive(Debug)]
pub struct HandBack {
    /// Name of their corpus.
    pub corpus: String,
    /// Lease under which they were claimed.
    pub lease: Uuid,
    /// Claims on them.
    pub claims: Vec<Claim>,
    /// They take long: they are claimed again by a worker that has room for them.
    pub long: bool,
}

/// Documents that could not be handed back yet. They are leased until they are, or until this worker has exited.
#[derive(Debug, Default)]
pub struct HandBacks {
    waiting: Vec<(Instant, HandBack)>,
    tried: Option<Instant>,
}

impl HandBack {
    /// Hands them back, under the current names of the tables of the corpus. False if that has to be tried again; `begun`: when
    /// it was tried first.
    fn is_done(&self, begun: Instant) -> bool {
        let attempt = || -> Result<(), WorkerError> {
            let Some(corpus) = transaction(|| Ok(CorpusSpec::try_find(&self.corpus)?))? else { return Ok(()) };
            let (Some(_), Some(_)) = (corpus.tables.chunk, corpus.tables.change) else { return Ok(()) };
            let release = if self.long { claim::put_off } else { claim::release };
            release(&corpus, self.lease, &self.claims)
        };
        match attempt() {
            Ok(()) => true,
            Err(trouble) if trouble.is_a_lock() || (trouble.is_permanent() && begun.elapsed() < RENAMED) => false,
            Err(trouble) => {
                pgrx::log!("socle sync: corpus \"{}\": {}", self.corpus, trouble.message);
                true
            }
        }
    }
}

impl HandBacks {
    /// Whether all has been handed back.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Hands documents back, now or later.
    pub fn add(&mut self, back: HandBack) {
        let now = Instant::now();
        if !back.claims.is_empty() && !back.is_done(now) {
            self.waiting.push((now, back));
        }
    }

    /// Tries again what could not be handed back, unless that was just tried.
    pub fn retry(&mut self) {
        if self.tried.is_none_or(|tried| tried.elapsed() > PAUSE) {
            self.waiting.retain(|(begun, back)| !back.is_done(*begun));
            self.tried = Some(Instant::now());
        }
    }
}
