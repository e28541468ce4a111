//! The connection of one backend: decodes its requests and writes its responses, without blocking.

use crate::request::{Job, Request};
use crate::response_queue::{OutgoingFrame, frame};
use mio::net::UnixStream;
use socle_core::protocol::{self, ALIVE_INTERVAL_SECONDS, FrameBuffer, MAX_FIRST_FRAME, MAX_FRAME, Response};
use socle_core::{Error, Kind, Result};
use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

/// Largest number of requests in progress of one connection.
const MAX_REQUESTS: usize = 8;

/// Size of a read in bytes.
const READ_BYTES: usize = 64 << 10;

/// Size of the requests in progress or being received, over all connections, beyond which only connections without a
/// request in progress are read from. In bytes.
const READ_LIMIT_BYTES: usize = 64 << 20;

/// Size of the requests in progress or being received, over all connections, beyond which further ones are rejected unless
/// they are small. In bytes: four times the read limit. A request of the largest size is still accepted when there is no
/// other.
const MAX_QUEUE_BYTES: usize = 4 * READ_LIMIT_BYTES;

/// Largest frame that is never rejected and is not counted before it is complete, so that queries are answered while large
/// requests wait. In bytes.
const SMALL_FRAME_BYTES: usize = READ_BYTES;

/// The connection of one backend.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    incoming: FrameBuffer,
    /// Frames to be written, each with the channel that is notified when it is.
    outgoing: VecDeque<(Vec<u8>, Option<SyncSender<()>>)>,
    /// Bytes of the first outgoing frame that have been written.
    written: usize,
    last_sent: Instant,
    /// The backend has sent a Hello of this version of the protocol.
    pub handshake_done: bool,
    /// A read may return bytes.
    pub readable: bool,
    /// A write may accept bytes.
    pub writable: bool,
    /// The backend has disconnected.
    pub closed: bool,
    /// Requests in progress, by the number that the backend has given them.
    pub requests: HashMap<u32, Arc<Request>>,
    /// Size of the frame that is being received, in bytes; 0 when its header is not there yet or it is small.
    pub reserved: usize,
}

/// A frame from the backend.
#[derive(Debug)]
pub struct Received {
    /// Number that the backend has given to the request.
    pub id: u32,
    /// Flags of the frame.
    pub flags: u8,
    /// Size of the frame in bytes.
    pub bytes: usize,
    /// The decoded message, or why it is rejected.
    pub message: Result<Message>,
}

/// A decoded message.
#[derive(Debug)]
pub enum Message {
    /// See [`protocol::Request::Hello`].
    Hello(u32),
    /// See [`protocol::Request::Report`].
    Report,
    /// A request that a worker serves.
    Job(Job),
}

impl Connection {
    /// A connection that has just been accepted.
    pub fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            incoming: FrameBuffer::default(),
            outgoing: VecDeque::new(),
            written: 0,
            last_sent: Instant::now(),
            handshake_done: false,
            readable: true,
            writable: true,
            closed: false,
            requests: HashMap::new(),
            reserved: 0,
        }
    }

    /// The next message, or `None` when none is complete or the connection is not to be read from now. `held` is the size
    /// of all requests in progress or being received, over all connections, in bytes; see [`READ_LIMIT_BYTES`] and
    /// [`MAX_QUEUE_BYTES`].
    ///
    /// # Errors
    /// The connection has to be closed: the backend has disconnected or violates the protocol.
    pub fn next(&mut self, held: &mut usize) -> Result<Option<Received>, ()> {
        loop {
            if self.requests.len() >= MAX_REQUESTS || (*held > READ_LIMIT_BYTES && !self.requests.is_empty()) {
                return Ok(None);
            }
            let limit = if self.handshake_done { MAX_FRAME } else { MAX_FIRST_FRAME };
            if self.reserved == 0
                && let Some((id, bytes)) = self.incoming.next_header()
                && bytes > SMALL_FRAME_BYTES
                && bytes <= limit
            {
                if *held > MAX_QUEUE_BYTES {
                    self.incoming.skip_frame();
                    return Ok(Some(Received { id, flags: 0, bytes, message: Err(overloaded(*held)) }));
                }
                self.reserved = bytes;
                *held += bytes;
            }
            let before = self.incoming.len();
            if let Some(frame) = self.incoming.next_frame(limit).map_err(drop)? {
                let message = frame.message().map(message);
                let (id, flags) = (frame.id, frame.flags);
                let bytes = before - self.incoming.len();
                *held -= std::mem::take(&mut self.reserved);
                self.incoming.shrink();
                return Ok(Some(Received { id, flags, bytes, message }));
            }
            if !self.readable {
                return Ok(None);
            }
            let mut bytes = [0; READ_BYTES];
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(()),
                Ok(count) => self.incoming.extend(&bytes[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(()),
            }
        }
    }

    /// Queues a frame.
    pub fn push(&mut self, frame: Vec<u8>, written: Option<SyncSender<()>>) {
        self.outgoing.push_back((frame, written));
    }

    /// Queues a response. Returns the request if this is its final response.
    pub fn accept(&mut self, outgoing: OutgoingFrame) -> Option<Arc<Request>> {
        self.push(outgoing.frame, outgoing.written);
        if outgoing.last { self.requests.remove(&outgoing.id) } else { None }
    }

    /// Queues an error as the final response to a request that was not accepted.
    pub fn reject(&mut self, id: u32, error: Error) {
        self.push(frame(id, &Response::Failed { error, item: None }), None);
    }

    /// Queues a keep-alive frame if a request is in progress and nothing was sent for a while.
    pub fn keep_alive(&mut self) {
        let due = self.last_sent.elapsed() >= Duration::from_secs(ALIVE_INTERVAL_SECONDS);
        if due && self.outgoing.is_empty() && !self.requests.is_empty() {
            self.push(frame(0, &Response::Alive), None);
        }
    }

    /// Whether all queued frames have been written.
    pub fn is_flushed(&self) -> bool {
        self.outgoing.is_empty()
    }

    /// Writes as much as the socket accepts. False when the backend has disconnected.
    pub fn flush(&mut self) -> bool {
        while self.writable
            && let Some((bytes, written)) = self.outgoing.front()
        {
            match self.stream.write(&bytes[self.written..]) {
                Ok(count) if self.written + count == bytes.len() => {
                    if let Some(written) = written {
                        // Fails when the worker no longer waits.
                        let _ = written.try_send(());
                    }
                    self.written = 0;
                    self.last_sent = Instant::now();
                    self.outgoing.pop_front();
                }
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }
}

fn overloaded(held: usize) -> Error {
    Error::new(Kind::OutOfMemory, "too many requests are queued for the socle engine")
        .detail(format!("They take {} MB, the limit is {} MB.", held >> 20, MAX_QUEUE_BYTES >> 20))
        .hint("Try again later, or with smaller texts.")
}

fn message(request: protocol::Request<'_>) -> Message {
    match request {
        protocol::Request::Hello { protocol } => Message::Hello(protocol),
        other => Job::new(other).map_or(Message::Report, Message::Job),
    }
}
