//! Carries responses from the threads that make them to the server thread, which it wakes.

use rustix::event::{EventfdFlags, eventfd};
use socle_core::protocol::{GeneratorResponse, encode};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

/// An encoded response.
#[derive(Debug)]
pub struct Outgoing {
    /// Number of the connection.
    pub connection: u64,
    /// The frame.
    pub frame: Vec<u8>,
    /// Whether it is the last one to its request.
    pub last: bool,
}

/// The responses that the server thread has not taken yet.
#[derive(Debug)]
pub struct Responses {
    wake: OwnedFd,
    queue: Mutex<Vec<Outgoing>>,
}

impl Responses {
    /// An empty queue.
    ///
    /// # Errors
    /// Whatever eventfd(2) fails with.
    pub fn new() -> io::Result<Self> {
        Ok(Self { wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?, queue: Mutex::default() })
    }

    /// The descriptor that is readable while there are responses.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// Queues a response.
    pub fn send(&self, connection: u64, id: u32, response: &GeneratorResponse) {
        let outgoing = Outgoing { connection, frame: frame(id, response), last: response.is_last() };
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push(outgoing);
        // Fails only when the counter is at its maximum, and then the descriptor is readable.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    /// Takes all responses.
    pub fn take(&self) -> Vec<Outgoing> {
        // Before the queue: what is queued in between wakes again.
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
        std::mem::take(&mut *self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A response as a frame; empty when it cannot be encoded, which no response of the generator is large enough for.
pub fn frame(id: u32, response: &GeneratorResponse) -> Vec<u8> {
    encode(id, 0, response).unwrap_or_default()
}
