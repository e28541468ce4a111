//! The queue of encoded responses from the worker threads to the server thread, which owns the sockets.

use crate::lane::Lane;
use crate::request::Request;
use crate::statistics::Statistics;
use mio::Waker;
use socle_core::protocol::{Response, encode};
use socle_core::{Error, Result};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};

/// A frame to be sent to a connection.
#[derive(Debug)]
pub struct OutgoingFrame {
    /// Number of the connection.
    pub connection: u64,
    /// Identifier of the request, as the backend has numbered it.
    pub id: u32,
    /// Header and message.
    pub frame: Vec<u8>,
    /// It is the final response of the request.
    pub last: bool,
    /// Notified when the frame has been written to the socket.
    pub written: Option<SyncSender<()>>,
}

/// The queue. Shared by all worker threads.
#[derive(Debug)]
pub struct ResponseQueue {
    queue: Mutex<Vec<OutgoingFrame>>,
    waker: Waker,
    statistics: Arc<Statistics>,
}

impl ResponseQueue {
    /// An empty queue that wakes the server thread through `waker`.
    pub fn new(waker: Waker, statistics: Arc<Statistics>) -> Self {
        Self { queue: Mutex::default(), waker, statistics }
    }

    /// Sends a partial response, after which more follow. `written` is notified when it has been written to the socket.
    pub fn send_part(&self, request: &Request, response: &Response, written: Option<SyncSender<()>>) {
        self.push(request, response, false, written);
    }

    /// Sends the final response of a request, unless one was sent before.
    pub fn answer(&self, request: &Request, response: &Response) {
        if request.claim_answer() {
            let latency = (request.job.lane() == Lane::Interactive).then(|| request.arrived.elapsed());
            self.statistics.record_response(latency);
            self.push(request, response, true, None);
        }
    }

    /// Sends an error as the final response. `item` is the index of the text that it is about, where it is one.
    pub fn fail(&self, request: &Request, error: Error, item: Option<usize>) {
        let item = item.and_then(|item| u32::try_from(item).ok());
        self.answer(request, &Response::Failed { error, item });
    }

    /// Takes all queued frames, in the order in which they were sent.
    pub fn take(&self) -> Vec<OutgoingFrame> {
        std::mem::take(&mut *self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, request: &Request, response: &Response, last: bool, written: Option<SyncSender<()>>) {
        let (connection, id) = (request.connection, request.id);
        let frame = frame(id, response);
        let outgoing = OutgoingFrame { connection, id, frame, last, written };
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push(outgoing);
        // Fails only when the poll of the server thread is closed, and that ends the process.
        let _ = self.waker.wake();
    }
}

/// Encodes a response as a frame. One that is too large becomes the error that says so.
pub fn frame(id: u32, response: &Response) -> Vec<u8> {
    let encoded: Result<Vec<u8>> = encode(id, 0, response);
    encoded.or_else(|error| encode(id, 0, &Response::Failed { error, item: None })).unwrap_or_default()
}
