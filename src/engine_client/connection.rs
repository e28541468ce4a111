//! One socket to one engine, from the greeting to the last answer.

use super::{Pending, unexpected};
use crate::pg::{allocator, backend, wait};
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, send, socket_with};
use socle_core::protocol::{
    FLAG_SUSPECT, Frame, FrameBuffer, MAX_FRAME, PROTOCOL_VERSION, RUNTIME_DIRECTORY, Request, Response, SOCKET_NAME,
    encode,
};
use socle_core::{Error, Kind, Result, memory};
use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Once;
use std::time::{Duration, Instant};

/// Most requests sent and not answered; the engine reads no more than that from one connection.
const MAX_UNDER_WAY: usize = 8;

/// Longest silence. The engine sends a keepalive every second while it works, and a supervisor ends one that hangs for
/// ten.
const SILENCE: Duration = Duration::from_secs(20);

const READ_BYTES: usize = 64 << 10;

/// A connection that has been accepted by the engine.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    incoming: FrameBuffer,
    next_id: u32,
}

/// Why a connection ended before every answer came.
#[derive(Debug)]
pub enum Lost {
    /// The engine left on purpose and handed the requests back.
    Left,
    /// The engine died.
    Died {
        /// One of our requests was being processed with no other beside it.
        alone: bool,
    },
    /// An error that makes another attempt pointless.
    Failed(Error),
}

impl From<Error> for Lost {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A request that was sent and is not yet fully answered.
#[derive(Debug)]
struct UnderWay {
    pending: Pending,
    parts: Vec<Response>,
    alone: bool,
}

impl Connection {
    /// Connects to the running engine, if there is one.
    ///
    /// # Errors
    /// `EngineUnavailable` when it does not answer or speaks another protocol.
    pub fn open() -> Result<Option<Self>> {
        let Some(stream) = open_socket()? else { return Ok(None) };
        let mut connection = Self { stream, incoming: FrameBuffer::default(), next_id: 1 };
        let hello = encode(0, 0, &Request::Hello { protocol: PROTOCOL_VERSION })?;
        match connection.greet(&hello) {
            Ok(()) => Ok(Some(connection)),
            Err(Lost::Failed(error)) => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Whether the engine at the other end still lives: an idle connection has nothing to read.
    pub fn is_alive(&self) -> bool {
        let mut byte = [0];
        matches!((&self.stream).read(&mut byte), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    /// Sends what is pending and passes on the answers. Requests leave `pending` when they are answered; those that
    /// were sent when the connection was lost are put back.
    pub fn pipeline<'a>(
        &mut self,
        pending: &mut VecDeque<Pending>,
        request: &dyn Fn(usize) -> Result<Option<Request<'a>>>,
        answer: &mut dyn FnMut(usize, Vec<Response>) -> Result<()>,
    ) -> Result<(), Lost> {
        let mut under_way = HashMap::new();
        let result = self.exchange(pending, &mut under_way, request, answer);
        let died = matches!(result, Err(Lost::Died { .. }));
        let alone = under_way.values().any(|sent| sent.alone);
        for sent in under_way.into_values() {
            pending.push_front(Pending { suspect: sent.pending.suspect || died, ..sent.pending });
        }
        if died { Err(Lost::Died { alone }) } else { result }
    }

    fn exchange<'a>(
        &mut self,
        pending: &mut VecDeque<Pending>,
        under_way: &mut HashMap<u32, UnderWay>,
        request: &dyn Fn(usize) -> Result<Option<Request<'a>>>,
        answer: &mut dyn FnMut(usize, Vec<Response>) -> Result<()>,
    ) -> Result<(), Lost> {
        let mut outgoing = Outgoing::default();
        loop {
            while under_way.len() < MAX_UNDER_WAY
                && let Some(next) = pending.pop_front()
            {
                let Some(request) = request(next.number)? else { continue };
                let id = self.next_id;
                self.next_id = self.next_id.wrapping_add(1).max(1);
                let flags = if next.suspect { FLAG_SUSPECT } else { 0 };
                outgoing.add(encode(id, flags, &request)?)?;
                under_way.insert(id, UnderWay { pending: next, parts: Vec::new(), alone: false });
                outgoing.send(&self.stream)?;
            }
            if under_way.is_empty() {
                return Ok(());
            }
            self.transfer(&mut outgoing)?;
            while let Some(frame) = self.incoming.next_frame(MAX_FRAME)? {
                take_frame(&frame, under_way, answer)?;
            }
        }
    }

    fn greet(&mut self, hello: &[u8]) -> Result<(), Lost> {
        let mut outgoing = Outgoing { bytes: hello.to_vec(), sent: 0 };
        loop {
            self.transfer(&mut outgoing)?;
            if let Some(frame) = self.incoming.next_frame(MAX_FRAME)? {
                match frame.message()? {
                    Response::Welcome { .. } => return Ok(()),
                    Response::Goodbye => return Err(Lost::Left),
                    Response::Failed { error, .. } => return Err(error.into()),
                    _ => return Err(unexpected().into()),
                }
            }
        }
    }

    /// Writes what the socket takes and waits until something has been read.
    fn transfer(&mut self, outgoing: &mut Outgoing) -> Result<(), Lost> {
        let begun = Instant::now();
        let mut bytes = [0; READ_BYTES];
        loop {
            outgoing.send(&self.stream)?;
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(Lost::Died { alone: false }),
                Ok(count) => {
                    self.incoming.reserve(count)?;
                    self.incoming.extend(&bytes[..count]);
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Err(Lost::Died { alone: false }),
            }
            if begun.elapsed() > SILENCE {
                return Err(Lost::Failed(super::unavailable(&format!(
                    "It has sent nothing for {} s.",
                    SILENCE.as_secs()
                ))));
            }
            wait::wait_for_socket(self.stream.as_fd(), !outgoing.is_sent(), Duration::from_secs(1));
        }
    }
}

/// Bytes still to be sent.
#[derive(Debug, Default)]
struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outgoing {
    fn is_sent(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// Appends a frame.
    fn add(&mut self, frame: Vec<u8>) -> Result<()> {
        if self.bytes.is_empty() {
            self.bytes = frame;
            return Ok(());
        }
        memory::reserve(&mut self.bytes, frame.len())?;
        self.bytes.extend_from_slice(&frame);
        Ok(())
    }

    fn send(&mut self, stream: &UnixStream) -> Result<(), Lost> {
        while !self.is_sent() {
            match send(stream, &self.bytes[self.sent..], SendFlags::NOSIGNAL) {
                Ok(count) => self.sent += count,
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                // What the engine sent before it died is still to be read.
                Err(_) => self.sent = self.bytes.len(),
            }
        }
        self.bytes.clear();
        self.sent = 0;
        Ok(())
    }
}

fn take_frame(
    frame: &Frame<'_>,
    under_way: &mut HashMap<u32, UnderWay>,
    answer: &mut dyn FnMut(usize, Vec<Response>) -> Result<()>,
) -> Result<(), Lost> {
    // Decoding makes many allocations, together as large as the frame, and larger for small pieces.
    allocator::restock()?;
    memory::ensure(frame.len().saturating_mul(2))?;
    let response: Response = frame.message()?;
    match response {
        Response::Alive => return Ok(()),
        Response::Goodbye => return Err(Lost::Left),
        _ => {}
    }
    let Some(sent) = under_way.get_mut(&frame.id) else { return Err(unexpected().into()) };
    match response {
        Response::Alone => sent.alone = true,
        response if !response.is_last() => sent.parts.push(response),
        response => {
            let Some(mut sent) = under_way.remove(&frame.id) else { return Err(unexpected().into()) };
            sent.parts.push(response);
            answer(sent.pending.number, sent.parts)?;
        }
    }
    Ok(())
}

/// A connected socket that never blocks, or `None` when no engine listens.
fn open_socket() -> Result<Option<UnixStream>> {
    static RESERVED: Once = Once::new();
    // One descriptor for the life of this session, counted against max_files_per_process like those of Postgres.
    RESERVED.call_once(backend::reserve_descriptor);
    let failed = |errno: rustix::io::Errno| {
        Error::new(Kind::EngineUnavailable, "could not connect to the socle engine").detail(errno.to_string())
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(failed)?;
    let address = SocketAddrUnix::new(format!("{RUNTIME_DIRECTORY}/{SOCKET_NAME}")).map_err(failed)?;
    match connect(&socket, &address) {
        Ok(()) => Ok(Some(UnixStream::from(socket))),
        // No socket, no listener any more, or a full backlog.
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::CONNREFUSED | rustix::io::Errno::AGAIN) => Ok(None),
        Err(errno) => Err(failed(errno)),
    }
}
