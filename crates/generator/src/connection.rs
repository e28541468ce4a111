//! The connection of one backend: decodes its requests and writes its responses, without blocking.

use crate::request::{Request, Task};
use crate::responses::frame;
use socle_core::protocol::{
    ALIVE_INTERVAL_SECONDS, FrameBuffer, GeneratorRequest, GeneratorResponse, MAX_FIRST_FRAME, MAX_GENERATOR_FRAME,
};
use socle_core::{Error, Result};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Size of a read in bytes.
const READ_BYTES: usize = 64 << 10;

/// The connection of one backend.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    incoming: FrameBuffer,
    outgoing: VecDeque<Vec<u8>>,
    /// Bytes of the first outgoing frame that have been written.
    written: usize,
    last_sent: Instant,
    /// The backend has sent a Hello of this version of the protocol.
    pub handshake_done: bool,
    /// The request in progress.
    pub request: Option<Request>,
}

/// A decoded message.
#[derive(Debug)]
pub enum Received {
    /// See [`GeneratorRequest::Hello`].
    Hello(u32),
    /// See [`GeneratorRequest::Report`].
    Report,
    /// A request that takes time.
    Task(Task),
}

/// The connection has to be closed: the backend has disconnected or violates the protocol.
#[derive(Debug)]
pub struct Closed;

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
            request: None,
        }
    }

    /// The socket.
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Whether a frame has yet to be written.
    pub fn has_output(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Reads what has arrived.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn read(&mut self) -> Result<(), Closed> {
        let mut bytes = [0; READ_BYTES];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(Closed),
                Ok(count) => self.incoming.extend(bytes.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Closed),
            }
            // A backend that sends more than one request may send is not read from any further.
            if self.incoming.len() > MAX_GENERATOR_FRAME + READ_BYTES {
                return Err(Closed);
            }
        }
    }

    /// The next message, and the number of its request; `None` when none is complete or a request is in progress.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn receive(&mut self) -> Result<Option<(u32, Result<Received>)>, Closed> {
        if self.request.is_some() {
            return Ok(None);
        }
        let limit = if self.handshake_done { MAX_GENERATOR_FRAME } else { MAX_FIRST_FRAME };
        let Some(frame) = self.incoming.next_frame(limit).map_err(|_| Closed)? else { return Ok(None) };
        let received = frame.message().and_then(|message: GeneratorRequest<'_>| match message {
            GeneratorRequest::Hello { protocol } => Ok(Received::Hello(protocol)),
            other => Ok(Task::new(other)?.map_or(Received::Report, Received::Task)),
        });
        let id = frame.id;
        self.incoming.shrink();
        Ok(Some((id, received)))
    }

    /// Queues a frame.
    pub fn push(&mut self, frame: Vec<u8>) {
        self.outgoing.push_back(frame);
    }

    /// Queues an error as the response to a request that was not accepted.
    pub fn reject(&mut self, id: u32, error: Error) {
        self.push(frame(id, &GeneratorResponse::Failed { error }));
    }

    /// Queues a keep-alive frame if a request is in progress and nothing was sent for a while.
    pub fn keep_alive(&mut self) {
        let due = self.last_sent.elapsed() >= Duration::from_secs(ALIVE_INTERVAL_SECONDS);
        if due && self.outgoing.is_empty() && self.request.is_some() {
            self.push(frame(0, &GeneratorResponse::Alive));
        }
    }

    /// Writes as much as the socket accepts.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn flush(&mut self) -> Result<(), Closed> {
        while let Some(frame) = self.outgoing.front() {
            match self.stream.write(frame.get(self.written..).unwrap_or_default()) {
                Ok(count) => {
                    self.written += count;
                    if self.written >= frame.len() {
                        self.written = 0;
                        self.last_sent = Instant::now();
                        self.outgoing.pop_front();
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Closed),
            }
        }
        Ok(())
    }
}
