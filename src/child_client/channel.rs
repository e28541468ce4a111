//! One socket to the engine or the generator: frames in both directions, every wait interruptible.

use super::{unavailable, unexpected};
use crate::pg::{client, wait};
use crate::supervisor::program::Program;
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, send, socket_with};
use socle_core::protocol::{Frame, FrameBuffer, MAX_FRAME, RUNTIME_DIRECTORY};
use socle_core::{Error, Kind, Result, memory};
use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Longest silence. Both programs send a keepalive every second while they work, and the supervisor ends one that hangs
/// for ten.
const SILENCE: Duration = Duration::from_secs(20);

/// Time after which it is looked whether the client that the answer is for is still there.
const CLIENT_CHECK: Duration = Duration::from_millis(200);

const READ_BYTES: usize = 64 << 10;

/// Why a connection ended before every answer came.
#[derive(Debug)]
pub enum Lost {
    /// The program left on purpose and handed the requests back.
    Left,
    /// The program died.
    Died,
    /// An error that makes another attempt pointless.
    Failed(Error),
}

impl From<Error> for Lost {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// What the answer to the greeting means.
#[derive(Debug)]
pub enum Greeting {
    /// The connection is accepted.
    Welcome,
    /// The program exits in favour of another one.
    Goodbye,
    /// The program refuses the connection.
    Failed(Error),
    /// It is none.
    Unexpected,
}

/// A connection that has been accepted.
#[derive(Debug)]
pub struct Channel {
    program: &'static Program,
    stream: UnixStream,
    incoming: FrameBuffer,
    /// Since when nothing has come, though it was looked for.
    silent_since: Option<Instant>,
}

impl Channel {
    /// Connects to the running program, if there is one. `hello` is the frame that greets it, `read` reads the answer.
    ///
    /// # Errors
    /// `EngineUnavailable` when it does not answer, and what it refuses the connection with.
    pub fn open(
        program: &'static Program,
        hello: Vec<u8>,
        read: &dyn Fn(&Frame<'_>) -> Result<Greeting>,
    ) -> Result<Option<Self>> {
        let Some(stream) = open_socket(program)? else { return Ok(None) };
        let mut channel = Self { program, stream, incoming: FrameBuffer::default(), silent_since: None };
        match channel.greet(hello, read) {
            Ok(()) => Ok(Some(channel)),
            Err(Lost::Failed(error)) => Err(error),
            Err(_) => Ok(None),
        }
    }

    fn greet(&mut self, hello: Vec<u8>, read: &dyn Fn(&Frame<'_>) -> Result<Greeting>) -> Result<(), Lost> {
        let mut outgoing = Outgoing { bytes: hello, sent: 0 };
        loop {
            self.transfer(&mut outgoing, None)?;
            if let Some(frame) = self.incoming.next_frame(MAX_FRAME)? {
                return match read(&frame)? {
                    Greeting::Welcome => Ok(()),
                    Greeting::Goodbye => Err(Lost::Left),
                    Greeting::Failed(error) => Err(error.into()),
                    Greeting::Unexpected => Err(unexpected(self.program).into()),
                };
            }
        }
    }

    /// Whether the program at the other end still lives: an idle connection has nothing to read.
    pub fn is_alive(&self) -> bool {
        let mut byte = [0];
        matches!((&self.stream).read(&mut byte), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    /// Writes what the socket takes, without waiting.
    pub fn send(&self, outgoing: &mut Outgoing) {
        outgoing.send(&self.stream);
    }

    /// The next frame of those that were read.
    ///
    /// # Errors
    /// Kind `Bug` if it is too large.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>> {
        self.incoming.next_frame(MAX_FRAME)
    }

    /// Writes what the socket takes and waits until something has been read (true), or until `until`.
    ///
    /// # Errors
    /// The end of the connection.
    pub fn transfer(&mut self, outgoing: &mut Outgoing, until: Option<Instant>) -> Result<bool, Lost> {
        let mut bytes = [0; READ_BYTES];
        let mut has_waited = false;
        loop {
            outgoing.send(&self.stream);
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(Lost::Died),
                Ok(count) => {
                    self.silent_since = None;
                    self.incoming.reserve(count)?;
                    self.incoming.extend(&bytes[..count]);
                    return Ok(true);
                }
                // Nobody waits for an answer to a client that is gone.
                Err(error) if error.kind() == ErrorKind::WouldBlock && has_waited => client::require_connected(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Err(Lost::Died),
            }
            if self.silent_since.get_or_insert_with(Instant::now).elapsed() > SILENCE {
                let silent = format!("It has sent nothing for {} s.", SILENCE.as_secs());
                return Err(Lost::Failed(unavailable(self.program, &silent)));
            }
            let left = until.map_or(CLIENT_CHECK, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Ok(false);
            }
            let event = (self.program.wait_event)();
            wait::wait_for_socket(self.stream.as_fd(), !outgoing.is_sent(), left.min(CLIENT_CHECK), event);
            has_waited = true;
        }
    }
}

/// Bytes still to be sent.
#[derive(Debug, Default)]
pub struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outgoing {
    fn is_sent(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// Appends a frame.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn add(&mut self, frame: Vec<u8>) -> Result<()> {
        if self.bytes.is_empty() {
            self.bytes = frame;
            return Ok(());
        }
        memory::reserve(&mut self.bytes, frame.len())?;
        self.bytes.extend_from_slice(&frame);
        Ok(())
    }

    fn send(&mut self, stream: &UnixStream) {
        while !self.is_sent() {
            match send(stream, &self.bytes[self.sent..], SendFlags::NOSIGNAL) {
                Ok(count) => self.sent += count,
                Err(rustix::io::Errno::AGAIN) => return,
                Err(rustix::io::Errno::INTR) => {}
                // What the program sent before it died is still to be read.
                Err(_) => self.sent = self.bytes.len(),
            }
        }
        self.bytes.clear();
        self.sent = 0;
    }
}

/// A connected socket that never blocks, or `None` when nothing listens.
fn open_socket(program: &Program) -> Result<Option<UnixStream>> {
    let failed = |errno: rustix::io::Errno| {
        Error::new(Kind::EngineUnavailable, format!("could not connect to the socle {}", program.name))
            .detail(errno.to_string())
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(failed)?;
    let address = SocketAddrUnix::new(format!("{RUNTIME_DIRECTORY}/{}", program.socket)).map_err(failed)?;
    match connect(&socket, &address) {
        Ok(()) => Ok(Some(UnixStream::from(socket))),
        // No socket, no listener any more, or a full backlog.
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::CONNREFUSED | rustix::io::Errno::AGAIN) => Ok(None),
        Err(errno) => Err(failed(errno)),
    }
}
