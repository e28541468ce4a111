//! One backend's socket: bytes in, requests out, answers in, bytes out.

use crate::outbox::{Outgoing, frame};
use crate::request::{Job, Request};
use mio::net::UnixStream;
use socle_core::protocol::{self, ALIVE_INTERVAL_SECONDS, FrameBuffer, MAX_FIRST_FRAME, MAX_FRAME, Response};
use socle_core::{Error, Kind, Result};
use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

/// Requests of one connection under way at the same time.
const MAX_REQUESTS: usize = 8;

const READ_BYTES: usize = 64 << 10;

/// Bytes of requests under way or coming in, over all connections, beyond which only connections without any are read
/// from.
const QUEUE_BYTES: usize = 64 << 20;

/// The same, beyond which those are refused, too. Room for four sessions that each send as much as the queues hold; a
/// single request of the largest size is always taken by an engine that has nothing else to do.
const MAX_HELD_BYTES: usize = 4 * QUEUE_BYTES;

/// Bytes of a frame that is never refused, and counted only once it is there: queries are answered while documents wait.
const SMALL_FRAME: usize = READ_BYTES;

/// A connection.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    incoming: FrameBuffer,
    outgoing: VecDeque<(Vec<u8>, Option<SyncSender<()>>)>,
    /// Bytes of the first outgoing frame that have been written.
    written: usize,
    last_sent: Instant,
    /// The backend speaks our protocol.
    pub welcomed: bool,
    /// There may be bytes to read.
    pub readable: bool,
    /// There may be room to write.
    pub writable: bool,
    /// The other side has gone.
    pub closed: bool,
    /// Requests under way.
    pub requests: HashMap<u32, Arc<Request>>,
    /// Bytes of the frame that is coming in, from its header on, until it is there.
    pub claimed: usize,
}

/// What a connection has received.
#[derive(Debug)]
pub struct Received {
    /// The backend's number for it.
    pub id: u32,
    /// Flags of the frame.
    pub flags: u8,
    /// Bytes of the frame.
    pub bytes: usize,
    /// What is asked.
    pub message: Result<Message>,
}

/// What is asked.
#[derive(Debug)]
pub enum Message {
    /// See [`protocol::Request::Hello`].
    Hello(u32),
    /// See [`protocol::Request::Report`].
    Report,
    /// Work.
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
            welcomed: false,
            readable: true,
            writable: true,
            closed: false,
            requests: HashMap::new(),
            claimed: 0,
        }
    }

    /// The next message, if one is complete. `held` are the bytes of requests under way or coming in, over all
    /// connections. Beyond [`QUEUE_BYTES`], only a connection that has nothing under way is read from; beyond
    /// [`MAX_HELD_BYTES`], its requests are refused unless they are small.
    ///
    /// # Errors
    /// The connection has to be dropped: the other side has left, or what it sends is not our protocol.
    pub fn next(&mut self, held: &mut usize) -> Result<Option<Received>, ()> {
        loop {
            if self.requests.len() >= MAX_REQUESTS || (*held > QUEUE_BYTES && !self.requests.is_empty()) {
                return Ok(None);
            }
            let limit = if self.welcomed { MAX_FRAME } else { MAX_FIRST_FRAME };
            if self.claimed == 0
                && let Some((id, bytes)) = self.incoming.next_header()
                && bytes > SMALL_FRAME
                && bytes <= limit
            {
                if *held > MAX_HELD_BYTES {
                    self.incoming.skip_frame();
                    return Ok(Some(Received { id, flags: 0, bytes, message: Err(crowded(*held)) }));
                }
                self.claimed = bytes;
                *held += bytes;
            }
            let before = self.incoming.len();
            if let Some(frame) = self.incoming.next_frame(limit).map_err(drop)? {
                let message = frame.message().map(message);
                let (id, flags) = (frame.id, frame.flags);
                let bytes = before - self.incoming.len();
                *held -= std::mem::take(&mut self.claimed);
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

    /// Takes a frame to be written.
    pub fn push(&mut self, frame: Vec<u8>, written: Option<SyncSender<()>>) {
        self.outgoing.push_back((frame, written));
    }

    /// Takes an answer to be written.
    pub fn accept(&mut self, outgoing: Outgoing) -> Option<Arc<Request>> {
        self.push(outgoing.frame, outgoing.written);
        if outgoing.last { self.requests.remove(&outgoing.id) } else { None }
    }

    /// Takes an error to be written.
    pub fn refuse(&mut self, id: u32, error: Error) {
        self.push(frame(id, &Response::Failed { error, item: None }), None);
    }

    /// Shows a waiting backend that the engine lives.
    pub fn keep_alive(&mut self) {
        let due = self.last_sent.elapsed() >= Duration::from_secs(ALIVE_INTERVAL_SECONDS);
        if due && self.outgoing.is_empty() && !self.requests.is_empty() {
            self.push(frame(0, &Response::Alive), None);
        }
    }

    /// Everything has been written.
    pub fn is_flushed(&self) -> bool {
        self.outgoing.is_empty()
    }

    /// Writes what can be written. False when the other side has gone.
    pub fn flush(&mut self) -> bool {
        while self.writable
            && let Some((bytes, told)) = self.outgoing.front()
        {
            match self.stream.write(&bytes[self.written..]) {
                Ok(count) if self.written + count == bytes.len() => {
                    if let Some(told) = told {
                        // Whoever waited may have given up.
                        let _ = told.try_send(());
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

fn crowded(held: usize) -> Error {
    Error::new(Kind::OutOfMemory, "too many requests wait for the socle engine")
        .detail(format!("They hold {} MB, the limit is {} MB.", held >> 20, MAX_HELD_BYTES >> 20))
        .hint("Try again later, or with smaller texts.")
}

fn message(request: protocol::Request<'_>) -> Message {
    match request {
        protocol::Request::Hello { protocol } => Message::Hello(protocol),
        other => Job::new(other).map_or(Message::Report, Message::Job),
    }
}
