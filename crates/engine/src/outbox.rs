//! The way of an answer from a worker to the thread that owns the sockets.

use crate::request::{Lane, Request};
use crate::statistics::Statistics;
use mio::Waker;
use socle_core::protocol::{Response, encode};
use socle_core::{Error, Result};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};

/// A frame on its way to a connection.
#[derive(Debug)]
pub struct Outgoing {
    /// The connection.
    pub connection: u64,
    /// The request that it answers.
    pub id: u32,
    /// The bytes.
    pub frame: Vec<u8>,
    /// The request ends with it.
    pub last: bool,
    /// Told when the bytes have left this process.
    pub written: Option<SyncSender<()>>,
}

/// Where workers put answers.
#[derive(Debug)]
pub struct Outbox {
    queue: Mutex<Vec<Outgoing>>,
    waker: Waker,
    statistics: Arc<Statistics>,
}

impl Outbox {
    /// An empty outbox that wakes the server through `waker`.
    pub fn new(waker: Waker, statistics: Arc<Statistics>) -> Self {
        Self { queue: Mutex::default(), waker, statistics }
    }

    /// Sends an answer after which more follow. With `written`, that channel is told when the bytes have left.
    pub fn send_part(&self, request: &Request, response: &Response, written: Option<SyncSender<()>>) {
        self.push(request, response, false, written);
    }

    /// Sends the last answer of a request, unless it has had one.
    pub fn answer(&self, request: &Request, response: &Response) {
        if request.claim_answer() {
            let latency = (request.job.lane() == Lane::Interactive).then(|| request.arrived.elapsed());
            self.statistics.answered(latency);
            self.push(request, response, true, None);
        }
    }

    /// Sends an error as the last answer.
    pub fn fail(&self, request: &Request, error: Error, item: Option<usize>) {
        let item = item.and_then(|item| u32::try_from(item).ok());
        self.answer(request, &Response::Failed { error, item });
    }

    /// What has come since the last call.
    pub fn take(&self) -> Vec<Outgoing> {
        std::mem::take(&mut *self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, request: &Request, response: &Response, last: bool, written: Option<SyncSender<()>>) {
        let (connection, id) = (request.connection, request.id);
        let frame = frame(id, response);
        let outgoing = Outgoing { connection, id, frame, last, written };
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push(outgoing);
        // It fails only when the server is gone, and the process with it.
        let _ = self.waker.wake();
    }
}

/// A response as bytes; one that is too large becomes the error that says so.
pub fn frame(id: u32, response: &Response) -> Vec<u8> {
    let encoded: Result<Vec<u8>> = encode(id, 0, response);
    encoded.or_else(|error| encode(id, 0, &Response::Failed { error, item: None })).unwrap_or_default()
}
