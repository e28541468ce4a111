//! The fork server: a process with a single thread that forks a process for each piece of untrusted input (a document, a
//! model that is tried), kills those that exceed their time or whose request was cancelled, and reports how each ended.
//!
//! Started before anything else by the process that it ends with. A process of several threads must not fork without
//! exec, because the child would find locks held by threads that it does not have.

use crate::{process, sandbox};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, recvmsg, send, sendmsg, socketpair,
};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open, waitpid};
use std::ffi::CStr;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Size of a spawn request in bytes: 4 of seconds of processor time, 4 of seconds, 8 of the memory limit. See [`encode`].
const SPAWN_REQUEST_BYTES: usize = 16;

/// Size of an encoded [`ReaderExit`] in bytes. It follows what the process itself has written.
pub const EXIT_BYTES: usize = 5;

/// Reader processes that run at the same time; further spawn requests wait in the socket. At least the number of worker
/// threads of the two document lanes of the engine (`lane::MAX_DOCUMENTS`, each four times).
const MAX_READERS: usize = 256;

/// Added to the timeout of poll(2), so that the deadline has passed when it returns.
const TICK: Duration = Duration::from_millis(1);

/// How a reader process ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReaderExit {
    /// Exited with this status.
    Exited(i32),
    /// Killed by this signal.
    Signalled(i32),
    /// Killed by the fork server at its deadline.
    TimedOut,
    /// Not started; the error number of fork(2) or pidfd_open(2).
    SpawnFailed(i32),
}

impl ReaderExit {
    fn to_bytes(self) -> [u8; EXIT_BYTES] {
        let (kind, code) = match self {
            Self::Exited(status) => (0, status),
            Self::Signalled(signal) => (1, signal),
            Self::TimedOut => (2, 0),
            Self::SpawnFailed(error) => (3, error),
        };
        let [a, b, c, d] = code.to_le_bytes();
        [kind, a, b, c, d]
    }

    /// Decodes what `to_bytes` has encoded.
    pub fn from_bytes([kind, a, b, c, d]: [u8; EXIT_BYTES]) -> Self {
        let code = i32::from_le_bytes([a, b, c, d]);
        match kind {
            0 => Self::Exited(code),
            1 => Self::Signalled(code),
            2 => Self::TimedOut,
            _ => Self::SpawnFailed(code),
        }
    }
}

/// The limits of a forked process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReaderLimits {
    /// Processor time in seconds.
    pub processor_seconds: u32,
    /// Elapsed time in seconds, after which the fork server ends it.
    pub seconds: u32,
    /// Address space in bytes.
    pub memory_bytes: u64,
}

/// Encodes the limits as a spawn request.
fn encode(limits: ReaderLimits) -> [u8; SPAWN_REQUEST_BYTES] {
    let mut request = [0; SPAWN_REQUEST_BYTES];
    request[..4].copy_from_slice(&limits.processor_seconds.to_le_bytes());
    request[4..8].copy_from_slice(&limits.seconds.to_le_bytes());
    request[8..].copy_from_slice(&limits.memory_bytes.to_le_bytes());
    request
}

/// The limits of a spawn request.
fn decode(request: [u8; SPAWN_REQUEST_BYTES]) -> ReaderLimits {
    let [a, b, c, d, e, f, g, h, rest @ ..] = request;
    ReaderLimits {
        processor_seconds: u32::from_le_bytes([a, b, c, d]),
        seconds: u32::from_le_bytes([e, f, g, h]),
        memory_bytes: u64::from_le_bytes(rest),
    }
}

/// A forked process.
struct Reader {
    pid: Pid,
    /// Readable once the process has ended.
    pidfd: OwnedFd,
    /// A duplicate of the reader's socket, to which its [`ReaderExit`] is written.
    socket: OwnedFd,
    deadline: Instant,
    /// SIGKILL was sent, at the deadline or because the request was cancelled.
    killed: bool,
    state: State,
}

/// What a reader process has yet to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Reading,
    /// Has ended; its exit is not yet reported.
    Ended([u8; EXIT_BYTES]),
    Done,
}

/// What a forked process does: it has the socket, the process id of the fork server, the limit of its processor time, and
/// that of its memory in bytes.
pub type Run = fn(OwnedFd, u32, Duration, u64) -> !;

/// The other end of the socket to the fork server.
#[derive(Debug)]
pub struct ForkServer {
    socket: OwnedFd,
}

impl ForkServer {
    /// Forks the fork server, a process called `name`. To be called while this process has a single thread and no descriptor
    /// open that the forked processes must not inherit. Does not return in the child.
    ///
    /// # Errors
    /// Whatever socketpair(2) or fork(2) fails with.
    pub fn start(name: &CStr, run: Run) -> io::Result<Self> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let parent = std::process::id();
        // SAFETY: this process has a single thread, so that the new one finds no lock held.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                drop(ours);
                // An error ends the process like the end of its parent does.
                let _ = serve(&theirs, parent, name, run);
                process::exit_now(0)
            }
            _ => Ok(Self { socket: ours }),
        }
    }

    /// The socket, which becomes readable when the fork server has ended: no process is forked from then on.
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Has a process forked, whose socket is `theirs`. What it writes is followed by a [`ReaderExit`].
    ///
    /// # Errors
    /// Whatever sendmsg(2) fails with, when the fork server has ended.
    pub fn spawn(&self, theirs: &UnixStream, limits: ReaderLimits) -> io::Result<()> {
        let descriptors = [theirs.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        let request = encode(limits);
        sendmsg(&self.socket, &[IoSlice::new(&request)], &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }
}

fn serve(socket: &OwnedFd, parent: u32, name: &CStr, run: Run) -> io::Result<()> {
    process::become_fork_server(name)?;
    if !process::is_child_of(parent) {
        return Ok(());
    }
    // The processes that are forked begin with this, and confine themselves further.
    sandbox::enter_fork_server();
    let mut readers: Vec<Reader> = Vec::new();
    loop {
        let (has_request, ready) = wait(socket, &readers)?;
        for (reader, events) in readers.iter_mut().zip(ready) {
            reader.advance(events);
        }
        readers.retain(|reader| reader.state != State::Done);
        if has_request {
            match receive(socket)? {
                Some((socket, limits)) => readers.extend(Reader::start(run, socket, limits)),
                None => return Ok(()),
            }
        }
    }
}

/// Waits for an event. Returns whether a spawn request can be received, and for each reader the events of its pidfd and
/// its socket.
fn wait(socket: &OwnedFd, readers: &[Reader]) -> io::Result<(bool, Vec<(PollFlags, PollFlags)>)> {
    let requests = if readers.len() < MAX_READERS { PollFlags::IN } else { PollFlags::empty() };
    let mut watched = vec![PollFd::new(socket, requests)];
    for reader in readers {
        let (pidfd, socket) = match reader.state {
            State::Reading => (PollFlags::IN, PollFlags::empty()),
            _ => (PollFlags::empty(), PollFlags::OUT),
        };
        watched.push(PollFd::new(&reader.pidfd, pidfd));
        watched.push(PollFd::new(&reader.socket, socket));
    }
    let soonest = readers.iter().filter(|reader| !reader.killed).map(|reader| reader.deadline).min();
    let timeout = soonest.map(|deadline| deadline.saturating_duration_since(Instant::now()) + TICK);
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    match poll(&mut watched, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut events = watched.iter().map(PollFd::revents);
    let has_request = events.next().is_some_and(|events| !events.is_empty());
    let events: Vec<PollFlags> = events.collect();
    Ok((has_request, events.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()))
}

/// The next spawn request, or `None` when the parent has ended.
fn receive(socket: &OwnedFd) -> io::Result<Option<(OwnedFd, ReaderLimits)>> {
    let mut request = [0; SPAWN_REQUEST_BYTES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(socket, &mut [IoSliceMut::new(&mut request)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut descriptors = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let socket = descriptors.next().and_then(|mut descriptors| descriptors.next());
    Ok(socket.filter(|_| received.bytes == SPAWN_REQUEST_BYTES).map(|socket| (socket, decode(request))))
}

impl Reader {
    /// Forks a reader. A failure is reported through `socket`.
    fn start(run: Run, socket: OwnedFd, limits: ReaderLimits) -> Option<Self> {
        let fork_server_pid = std::process::id();
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        // SAFETY: this process has a single thread.
        let pid = match unsafe { libc::fork() } {
            0 => run(socket, fork_server_pid, seconds(limits.processor_seconds), limits.memory_bytes),
            pid => Pid::from_raw(pid).filter(|_| pid > 0),
        };
        let spawned = pid.ok_or_else(io::Error::last_os_error).and_then(|pid| {
            let pidfd = pidfd_open(pid, PidfdFlags::empty());
            if pidfd.is_err() {
                let _ = kill_process(pid, Signal::KILL);
                let _ = waitpid(Some(pid), WaitOptions::empty());
            }
            Ok((pid, pidfd?))
        });
        match spawned {
            Ok((pid, pidfd)) => {
                let deadline = Instant::now() + seconds(limits.seconds);
                Some(Self { pid, pidfd, socket, deadline, killed: false, state: State::Reading })
            }
            Err(error) => {
                let failed = ReaderExit::SpawnFailed(error.raw_os_error().unwrap_or_default());
                let _ = send(&socket, &failed.to_bytes(), SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
                None
            }
        }
    }

    /// Handles the events of the pidfd and the socket, and the deadline.
    fn advance(&mut self, (pidfd, socket): (PollFlags, PollFlags)) {
        if self.state == State::Reading {
            if pidfd.contains(PollFlags::IN) {
                self.state = State::Ended(self.reap().to_bytes());
            } else if self.deadline <= Instant::now() || socket.contains(PollFlags::HUP) {
                // The deadline has passed, or the other end was closed because the request was cancelled.
                self.killed = true;
                let _ = kill_process(self.pid, Signal::KILL);
            }
        }
        if let State::Ended(exit) = self.state {
            // EAGAIN: the answer of the reader fills the socket buffer until it is read.
            match send(&self.socket, &exit, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                _ => self.state = State::Done,
            }
        }
    }

    fn reap(&self) -> ReaderExit {
        let status = waitpid(Some(self.pid), WaitOptions::empty());
        match status {
            _ if self.killed => ReaderExit::TimedOut,
            Ok(Some((_, status))) => match status.terminating_signal() {
                Some(signal) => ReaderExit::Signalled(signal),
                None => ReaderExit::Exited(status.exit_status().unwrap_or(-1)),
            },
            _ => ReaderExit::Exited(-1),
        }
    }
}
