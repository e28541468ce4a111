//! The connection of the backend that waits for a request: its frames, signs of life, and its end, which ends the request.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socle_core::protocol::{ALIVE_INTERVAL_SECONDS, EgressResponse, FrameBuffer, MAX_EGRESS_FRAME, encode};
use std::fmt::{self, Display, Formatter};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Size of a read in bytes.
const READ_BYTES: usize = 64 << 10;

/// Longest wait for a frame that a backend has to send, or to take.
const FRAME_PATIENCE: Duration = Duration::from_secs(10);

/// Why a request ended before its answer was there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stopped {
    /// Nobody waits for it any more.
    Cancelled,
    /// Its time was up.
    TimedOut,
}

impl Display for Stopped {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "nobody waits for the answer",
            Self::TimedOut => "the time is up",
        })
    }
}

impl std::error::Error for Stopped {}

impl From<Stopped> for io::Error {
    fn from(stopped: Stopped) -> Self {
        Self::other(stopped)
    }
}

/// A connection of a backend. One thread uses it.
#[derive(Debug)]
pub struct Caller {
    stream: UnixStream,
    last_sent: Mutex<Instant>,
    stopped: OnceLock<Stopped>,
}

impl Caller {
    /// A connection that has been accepted.
    ///
    /// # Errors
    /// Whatever fcntl(2) fails with.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, last_sent: Mutex::new(Instant::now()), stopped: OnceLock::new() })
    }

    /// Why the request ended, if it was from this side.
    pub fn stopped(&self) -> Option<Stopped> {
        self.stopped.get().copied()
    }

    fn stop(&self, why: Stopped) -> Stopped {
        *self.stopped.get_or_init(|| why)
    }

    /// Reads what has come, and waits for it.
    ///
    /// # Errors
    /// When the backend goes away, is silent for too long, or sends more than it may.
    pub fn receive(&self, buffer: &mut FrameBuffer) -> io::Result<()> {
        let mut bytes = [0; READ_BYTES];
        match (&self.stream).read(&mut bytes) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                buffer.extend(bytes.get(..count).unwrap_or_default());
                if buffer.len() > MAX_EGRESS_FRAME + READ_BYTES { Err(ErrorKind::InvalidData.into()) } else { Ok(()) }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if ready(&mut [PollFd::new(&self.stream, PollFlags::IN)], FRAME_PATIENCE)? {
                    Ok(())
                } else {
                    Err(ErrorKind::TimedOut.into())
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Sends a response. Waits for a backend that reads slowly, until the deadline at most.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn send(&self, id: u32, response: &EgressResponse, deadline: Instant) -> Result<(), Stopped> {
        let Ok(frame) = encode(id, 0, response) else { return Err(self.stop(Stopped::Cancelled)) };
        let mut rest = frame.as_slice();
        while !rest.is_empty() {
            match (&self.stream).write(rest) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    let mut watched = [PollFd::new(&self.stream, PollFlags::OUT)];
                    if left.is_zero() || !ready(&mut watched, left).unwrap_or(false) {
                        return Err(self.stop(Stopped::TimedOut));
                    }
                }
                Err(_) => return Err(self.stop(Stopped::Cancelled)),
            }
        }
        *self.last_sent.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Ok(())
    }

    /// Sends the last response. A backend that does not take it gets none.
    pub fn finish(&self, id: u32, response: &EgressResponse) {
        let _ = self.send(id, response, Instant::now() + FRAME_PATIENCE);
    }

    /// Checks that somebody waits and that it is before the deadline.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn check(&self, deadline: Instant) -> Result<(), Stopped> {
        if let Some(why) = self.stopped() {
            return Err(why);
        }
        let mut watched = [PollFd::new(&self.stream, PollFlags::IN | PollFlags::RDHUP)];
        if ready(&mut watched, Duration::ZERO).unwrap_or(true) {
            return Err(self.stop(Stopped::Cancelled));
        }
        if Instant::now() >= deadline { Err(self.stop(Stopped::TimedOut)) } else { Ok(()) }
    }

    /// Waits until a socket is ready, and meanwhile shows the backend that its request is in progress.
    ///
    /// # Errors
    /// [`Stopped`]: at once when the backend goes away, and at the deadline.
    pub fn wait(&self, socket: BorrowedFd<'_>, wanted: PollFlags, deadline: Instant) -> Result<(), Stopped> {
        if self.wait_for(socket, wanted, deadline)? { Ok(()) } else { Err(self.stop(Stopped::TimedOut)) }
    }

    /// The same with a limit that is not that of the request: false where the socket is not ready by then.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn wait_for(&self, socket: BorrowedFd<'_>, wanted: PollFlags, until: Instant) -> Result<bool, Stopped> {
        let interval = Duration::from_secs(ALIVE_INTERVAL_SECONDS);
        loop {
            if let Some(why) = self.stopped() {
                return Err(why);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            let sent = *self.last_sent.lock().unwrap_or_else(PoisonError::into_inner);
            let silent = sent.elapsed();
            if silent >= interval {
                self.send(0, &EgressResponse::Alive, until)?;
                continue;
            }
            let mut watched = [
                // A backend has nothing to send while it waits: what can be read is the end of the connection.
                PollFd::new(&self.stream, PollFlags::IN | PollFlags::RDHUP),
                PollFd::from_borrowed_fd(socket, wanted),
            ];
            if !ready(&mut watched, left.min(interval - silent)).unwrap_or(false) {
                continue;
            }
            if !watched[0].revents().is_empty() {
                return Err(self.stop(Stopped::Cancelled));
            }
            return Ok(true);
        }
    }
}

impl AsFd for Caller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// Waits for one of these for at most that long.
fn ready(watched: &mut [PollFd<'_>], patience: Duration) -> io::Result<bool> {
    let patience = Timespec {
        tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: patience.subsec_nanos().into(),
    };
    match poll(watched, Some(&patience)) {
        Ok(count) => Ok(count > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
