//! The process that forks a reader for each document, ends those that take too long or that nobody waits for any more,
//! and says of each how it ended. It has one thread, which is why it may fork.
//!
//! Started by the engine before anything else; ends with the engine.

use super::reader;
use crate::process;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketFlags, SocketType, recvmsg,
    send, socketpair,
};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open, waitpid};
use socle_core::document::ExtractLimits;
use socle_core::{Error, Kind};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Bytes of [`encode`].
const ORDER: usize = 12;

/// Bytes of [`Ended::to_bytes`], which follow whatever the reader has written.
pub const TRAILER: usize = 5;

/// Readers at the same time; more documents wait. The engine has no more threads that wait for one.
const MAX_READERS: usize = 64;

/// Added to a wait for a deadline, which has passed then.
const TICK: Duration = Duration::from_millis(1);

/// How a reader ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    /// By itself, with this status.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
    /// By us, because its time was over.
    Late,
    /// It never began.
    Unborn(i32),
}

impl Ended {
    fn to_bytes(self) -> [u8; TRAILER] {
        let (kind, code) = match self {
            Self::Exited(status) => (0, status),
            Self::Signalled(signal) => (1, signal),
            Self::Late => (2, 0),
            Self::Unborn(error) => (3, error),
        };
        let [a, b, c, d] = code.to_le_bytes();
        [kind, a, b, c, d]
    }

    /// The inverse of what the nursery sends.
    pub fn from_bytes([kind, a, b, c, d]: [u8; TRAILER]) -> Self {
        let code = i32::from_le_bytes([a, b, c, d]);
        match kind {
            0 => Self::Exited(code),
            1 => Self::Signalled(code),
            2 => Self::Late,
            _ => Self::Unborn(code),
        }
    }

    /// What the user is told.
    pub fn error(self, limits: ExtractLimits) -> Error {
        let failed = |message: &str| Error::new(Kind::ExtractionFailed, message);
        let seconds = limits.seconds;
        let late = || {
            failed("reading the document took too long")
                .detail(format!("It was ended after {seconds} s."))
                .hint("If the document is what it should be, have a superuser raise socle.extract_timeout.")
        };
        match self {
            Self::Late | Self::Signalled(libc::SIGXCPU) => late(),
            // Rust ends a process so that gets no memory or has used up its stack (std::alloc::handle_alloc_error).
            Self::Signalled(libc::SIGABRT) => failed("reading the document takes too much memory")
                .detail(format!("It was ended at {} MB, or at the end of its stack.", limits.memory_bytes >> 20))
                .hint("If the document is what it should be, have a superuser raise socle.extract_memory_limit."),
            Self::Signalled(signal) => {
                failed("reading the document crashed").detail(format!("Its process was ended by signal {signal}."))
            }
            Self::Exited(reader::UNPROTECTED) => {
                Error::new(Kind::NotSupported, "documents cannot be read on this system").detail(
                    "The kernel offers no seccomp, and nothing else would hold a document that takes over its reader.",
                )
            }
            Self::Exited(status) => {
                failed("reading the document failed").detail(format!("Its process ended with status {status}."))
            }
            Self::Unborn(error) => failed("could not start a process to read the document")
                .detail(io::Error::from_raw_os_error(error).to_string()),
        }
    }
}

/// Limits on their way to the nursery.
pub fn encode(limits: ExtractLimits) -> [u8; ORDER] {
    let mut order = [0; ORDER];
    order[..4].copy_from_slice(&limits.seconds.to_le_bytes());
    order[4..].copy_from_slice(&limits.memory_bytes.to_le_bytes());
    order
}

fn decode(order: [u8; ORDER]) -> (Duration, u64) {
    let [a, b, c, d, rest @ ..] = order;
    (Duration::from_secs(u32::from_le_bytes([a, b, c, d]).into()), u64::from_le_bytes(rest))
}

/// A reader.
struct Reader {
    pid: Pid,
    /// Readable when it has ended.
    life: OwnedFd,
    /// Its socket, to which its end is written.
    socket: OwnedFd,
    deadline: Instant,
    late: bool,
    state: State,
}

/// Where a reader is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Reading,
    /// It has ended, and that is still to be said.
    Ended([u8; TRAILER]),
    Done,
}

/// Forks. Returns in the calling process alone, with its end of the line.
///
/// # Errors
/// When the operating system gives no process.
pub fn start() -> io::Result<OwnedFd> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let parent = std::process::id();
    // SAFETY: this process has a single thread, so that the new one finds no lock held.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            drop(ours);
            // Whatever ends this, there is nothing more to do.
            let _ = serve(&theirs, parent);
            process::exit_now(0)
        }
        _ => Ok(ours),
    }
}

fn serve(line: &OwnedFd, parent: u32) -> io::Result<()> {
    process::become_nursery()?;
    if !process::is_child_of(parent) {
        return Ok(());
    }
    let mut readers: Vec<Reader> = Vec::new();
    loop {
        let (order, ready) = wait(line, &readers)?;
        for (reader, events) in readers.iter_mut().zip(ready) {
            reader.look(events);
        }
        readers.retain(|reader| reader.state != State::Done);
        if order {
            match receive(line)? {
                Some((socket, timeout, memory)) => readers.extend(Reader::start(socket, timeout, memory)),
                None => return Ok(()),
            }
        }
    }
}

/// Waits until something happens. Says whether there is an order, and for each reader what happened to its process and
/// its socket.
fn wait(line: &OwnedFd, readers: &[Reader]) -> io::Result<(bool, Vec<(PollFlags, PollFlags)>)> {
    let orders = if readers.len() < MAX_READERS { PollFlags::IN } else { PollFlags::empty() };
    let mut watched = vec![PollFd::new(line, orders)];
    for reader in readers {
        let (life, socket) = match reader.state {
            State::Reading => (PollFlags::IN, PollFlags::empty()),
            _ => (PollFlags::empty(), PollFlags::OUT),
        };
        watched.push(PollFd::new(&reader.life, life));
        watched.push(PollFd::new(&reader.socket, socket));
    }
    let soonest = readers.iter().filter(|reader| !reader.late).map(|reader| reader.deadline).min();
    let patience = soonest.map(|deadline| deadline.saturating_duration_since(Instant::now()) + TICK);
    let patience = patience.and_then(|patience| Timespec::try_from(patience).ok());
    match poll(&mut watched, patience.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut events = watched.iter().map(PollFd::revents);
    let order = events.next().is_some_and(|events| !events.is_empty());
    let events: Vec<PollFlags> = events.collect();
    Ok((order, events.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()))
}

/// The next order, or `None` when the engine is gone.
fn receive(line: &OwnedFd) -> io::Result<Option<(OwnedFd, Duration, u64)>> {
    let mut order = [0; ORDER];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(line, &mut [IoSliceMut::new(&mut order)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut descriptors = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let socket = descriptors.next().and_then(|mut descriptors| descriptors.next());
    let (timeout, memory) = decode(order);
    Ok(socket.filter(|_| received.bytes == ORDER).map(|socket| (socket, timeout, memory)))
}

impl Reader {
    /// Forks a reader. When that fails, says so to whoever waits.
    fn start(socket: OwnedFd, timeout: Duration, memory: u64) -> Option<Self> {
        let nursery = std::process::id();
        // SAFETY: this process has a single thread.
        let pid = match unsafe { libc::fork() } {
            0 => reader::run(socket, nursery, timeout, memory),
            pid => Pid::from_raw(pid).filter(|_| pid > 0),
        };
        let born = pid.ok_or_else(io::Error::last_os_error).and_then(|pid| {
            let life = pidfd_open(pid, PidfdFlags::empty());
            if life.is_err() {
                let _ = kill_process(pid, Signal::KILL);
                let _ = waitpid(Some(pid), WaitOptions::empty());
            }
            Ok((pid, life?))
        });
        match born {
            Ok((pid, life)) => {
                let deadline = Instant::now() + timeout;
                Some(Self { pid, life, socket, deadline, late: false, state: State::Reading })
            }
            Err(error) => {
                let unborn = Ended::Unborn(error.raw_os_error().unwrap_or_default());
                let _ = send(&socket, &unborn.to_bytes(), SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
                None
            }
        }
    }

    fn look(&mut self, (life, socket): (PollFlags, PollFlags)) {
        if self.state == State::Reading {
            if life.contains(PollFlags::IN) {
                self.state = State::Ended(self.reap().to_bytes());
            } else if self.deadline <= Instant::now() || socket.contains(PollFlags::HUP) {
                // Its time is over, or nobody waits for it any more.
                self.late = true;
                let _ = kill_process(self.pid, Signal::KILL);
            }
        }
        if let State::Ended(trailer) = self.state {
            // What the reader has written may fill the socket.
            match send(&self.socket, &trailer, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                _ => self.state = State::Done,
            }
        }
    }

    fn reap(&self) -> Ended {
        let status = waitpid(Some(self.pid), WaitOptions::empty());
        match status {
            _ if self.late => Ended::Late,
            Ok(Some((_, status))) => match status.terminating_signal() {
                Some(signal) => Ended::Signalled(signal),
                None => Ended::Exited(status.exit_status().unwrap_or(-1)),
            },
            _ => Ended::Exited(-1),
        }
    }
}
