//! What is noted of each request before its first byte leaves, and how it ended. The one place where a ledger belongs: where it
//! cannot be written, [`Intent::record`] fails, and nothing leaves.

use socle_child::seconds_since_1970;
use socle_core::Result;
use socle_core::endpoint::{CorpusPolicy, EndpointSpec};
use socle_core::protocol::EndpointUse;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What was done with each endpoint.
#[derive(Debug, Default)]
pub struct Statistics(Mutex<BTreeMap<String, EndpointUse>>);

impl Statistics {
    /// All endpoints that were used.
    pub fn report(&self) -> Vec<EndpointUse> {
        self.lock().values().cloned().collect()
    }

    /// Notes a request that was refused before anything left.
    pub fn refuse(&self, endpoint: &str) {
        self.change(endpoint, |used| used.refusal_count += 1);
    }

    fn change(&self, endpoint: &str, change: impl FnOnce(&mut EndpointUse)) {
        let mut all = self.lock();
        let used = all.entry(endpoint.to_string()).or_default();
        used.name = endpoint.to_string();
        used.used_at = seconds_since_1970();
        change(used);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, EndpointUse>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is about to leave, or has left. Dropped without an outcome, it counts as failed.
#[derive(Debug)]
pub struct Intent<'a> {
    statistics: &'a Statistics,
    endpoint: &'a str,
    is_over: bool,
}

impl<'a> Intent<'a> {
    /// Notes that a body of that many bytes is about to be sent, with text of these corpora.
    ///
    /// # Errors
    /// Those of the ledger, once there is one. Nothing may be sent then.
    pub fn record(
        statistics: &'a Statistics,
        endpoint: &'a EndpointSpec,
        _corpora: &[CorpusPolicy],
        bytes: usize,
    ) -> Result<Self> {
        statistics.change(&endpoint.name, |used| {
            used.request_count += 1;
            used.sent_bytes += bytes as u64;
        });
        Ok(Self { statistics, endpoint: &endpoint.name, is_over: false })
    }

    /// Notes that bytes of the answer have come.
    pub fn received(&self, bytes: usize) {
        self.statistics.change(self.endpoint, |used| used.received_bytes += bytes as u64);
    }

    /// Notes that the answer is complete.
    pub fn succeed(mut self) {
        self.is_over = true;
    }
}

impl Drop for Intent<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.statistics.change(self.endpoint, |used| used.failure_count += 1);
        }
    }
}
