//! What is noted of each request before its first byte leaves, and how it ended: in the ledger, and in counts. Where the ledger
//! cannot be written, [`Intent::record`] fails, and nothing leaves. An intent without an outcome means that it may have left.

use crate::ledger::LedgerWriter;
use serde_json::Value;
use socle_child::seconds_since_1970;
use socle_core::endpoint::dialect::Use;
use socle_core::endpoint::{CorpusPolicy, EndpointSpec};
use socle_core::protocol::{EndpointUse, SessionName};
use socle_core::{Error, Result};
use socle_ledger::Draft;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering::Relaxed};
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

/// Where requests are noted, and for whom.
#[derive(Clone, Copy, Debug)]
pub struct Register<'a> {
    /// The counts.
    pub statistics: &'a Statistics,
    /// The ledger.
    pub ledger: &'a LedgerWriter,
    /// Who asks.
    pub session: &'a SessionName,
    /// What for.
    pub purpose: Use,
}

/// A request that is about to leave, or has left. Dropped without an outcome, it counts as failed.
#[derive(Debug)]
pub struct Intent<'a> {
    register: Register<'a>,
    endpoint: &'a str,
    /// Its entry in the ledger.
    number: u64,
    received: AtomicU64,
    status: AtomicU16,
    is_over: bool,
}

impl<'a> Register<'a> {
    /// Notes a request that is refused before anything left. That it cannot be noted changes nothing.
    pub fn refuse(&self, endpoint: &EndpointSpec, corpora: &[CorpusPolicy], error: &Error) {
        self.statistics.refuse(&endpoint.name);
        let refusal = described("refusal", endpoint, corpora)
            .with("use", self.purpose.name())
            .with("reason", format!("{:?}", error.kind));
        let _ = self.ledger.append(refusal, self.session);
    }
}

impl<'a> Intent<'a> {
    /// Notes that a body of that many bytes is about to be sent, with text of these corpora. It is on disk when this returns.
    ///
    /// # Errors
    /// Those of the ledger. Nothing may be sent then.
    pub fn record(
        register: Register<'a>,
        endpoint: &'a EndpointSpec,
        corpora: &[CorpusPolicy],
        bytes: usize,
    ) -> Result<Self> {
        let request = described("request", endpoint, corpora).with("use", register.purpose.name()).with("bytes", bytes);
        let noted = register.ledger.append(request, register.session);
        let written = noted.inspect_err(|_| register.statistics.refuse(&endpoint.name))?;
        register.statistics.change(&endpoint.name, |used| {
            used.request_count += 1;
            used.sent_bytes += bytes as u64;
        });
        let (received, status) = (AtomicU64::new(0), AtomicU16::new(0));
        let number = written.stamp.number;
        Ok(Self { register, endpoint: &endpoint.name, number, received, status, is_over: false })
    }

    /// Notes the status of the answer.
    pub fn answered(&self, status: u16) {
        self.status.store(status, Relaxed);
    }

    /// Notes that bytes of the answer have come.
    pub fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Relaxed);
        self.register.statistics.change(self.endpoint, |used| used.received_bytes += bytes as u64);
    }

    /// Notes how it ended: with a complete answer, or with this error.
    pub fn end<T>(mut self, result: &Result<T>) {
        self.is_over = true;
        if result.is_err() {
            self.register.statistics.change(self.endpoint, |used| used.failure_count += 1);
        }
        self.tell(result.as_ref().err().map_or("complete".to_string(), |error| format!("{:?}", error.kind)));
    }

    fn tell(&self, result: String) {
        let status = match self.status.load(Relaxed) {
            0 => Value::Null,
            status => status.into(),
        };
        let outcome = Draft::new("outcome")
            .with("request", self.number)
            .with("endpoint", self.endpoint)
            .with("result", result)
            .with("status", status)
            .with("received_bytes", self.received.load(Relaxed));
        // The request is noted: without an outcome it counts as one that may have left, which is true.
        let _ = self.register.ledger.append(outcome, self.register.session);
    }
}

impl Drop for Intent<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.register.statistics.change(self.endpoint, |used| used.failure_count += 1);
            self.tell("Bug".to_string());
        }
    }
}

/// An entry about a request: what is known before an address of the endpoint is.
fn described(kind: &str, endpoint: &EndpointSpec, corpora: &[CorpusPolicy]) -> Draft {
    let corpora: Vec<Value> = corpora.iter().map(|corpus| corpus.name.as_str().into()).collect();
    Draft::new(kind)
        .with("endpoint", endpoint.name.as_str())
        .with("url", endpoint.url.as_str())
        .with("dialect", endpoint.dialect.name())
        .with("model", endpoint.model.as_str())
        .with("corpora", corpora)
}
