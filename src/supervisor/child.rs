//! The engine or the generator as a child process of the supervisor, with a control socket on its standard input.

use super::program::Program;
use rustix::process::{Pid, Signal, kill_process};
use socle_core::protocol::{
    EXIT_OTHER_VERSION, FrameBuffer, FromEngine, MAX_FIRST_FRAME, ToChild, VERSION, VERSION_VARIABLE, encode,
};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Time between two pings.
const PING_INTERVAL: Duration = Duration::from_secs(1);

/// Silence after which a child counts as hung and is killed.
const HUNG: Duration = Duration::from_secs(10);

/// Time that a child has to exit when it is told to.
const FAREWELL: Duration = Duration::from_millis(500);

/// A running child.
#[derive(Debug)]
pub struct Child {
    program: &'static Program,
    process: std::process::Child,
    control: UnixStream,
    incoming: FrameBuffer,
    /// The number of others before it that it was told, and the frame that told it, with its settings.
    restart_count: u32,
    start_frame: Vec<u8>,
    started: Instant,
    ready: bool,
    leaving: bool,
    /// It has reported the version of this library.
    of_own_version: bool,
    /// It has reported another version, or none.
    of_other_version: bool,
    /// When the ping was sent that has not been answered.
    unanswered: Option<Instant>,
    last_ping: Instant,
}

/// How a child ended.
#[derive(Debug)]
pub enum Ended {
    /// It was told to, or exited in favour of a newer executable.
    OnPurpose,
    /// It did not answer and was killed.
    Hung,
    /// It is of another version than this library.
    OtherVersion,
    /// It exited or was killed.
    Died(ExitStatus),
}

impl Ended {
    /// Whether it was killed by a signal, through a fault of its own or from outside.
    pub fn is_by_signal(&self) -> bool {
        matches!(self, Self::Died(status) if status.signal().is_some())
    }

    /// A sentence about the program, without a full stop.
    pub fn describe(&self, program: &Program) -> String {
        let name = program.name;
        match self {
            Self::OnPurpose => format!("the {name} left"),
            Self::OtherVersion => format!("the {name} is not of version {VERSION}, as the library is"),
            Self::Hung => format!("the {name} did not answer for {} s and was killed", HUNG.as_secs()),
            Self::Died(status) => match status.signal() {
                Some(signal) => format!("the {name} was ended by signal {signal}"),
                None => format!("the {name} exited with code {}", status.code().unwrap_or_default()),
            },
        }
    }
}

impl Child {
    /// Starts a child, which has that number of others before it.
    ///
    /// # Errors
    /// An error that names the executable, if it is missing or cannot be run.
    pub fn start(program: &'static Program, restart_count: u32) -> io::Result<Self> {
        let start_frame = (program.start_frame)(restart_count).map_err(|error| io::Error::other(error.to_string()))?;
        let path = program.path();
        let (ours, theirs) = UnixStream::pair()?;
        let data_directory = std::env::current_dir()?;
        // Forked by the only thread of this process: a child asks to die with the thread that forked it. It closes
        // inherited descriptors itself, first thing.
        let process = Command::new(&path)
            .arg0(program.executable)
            .arg(data_directory)
            .env_clear()
            .envs(program.environment.iter().copied())
            .env(VERSION_VARIABLE, VERSION)
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("could not run \"{}\": {error}", path.display())))?;
        let mut child = Self {
            program,
            process,
            control: ours,
            incoming: FrameBuffer::default(),
            restart_count,
            start_frame,
            started: Instant::now(),
            ready: false,
            leaving: false,
            of_own_version: false,
            of_other_version: false,
            unanswered: None,
            last_ping: Instant::now(),
        };
        child.control.set_nonblocking(true)?;
        // If it is lost, the silence that follows ends this child.
        let _ = child.control.write_all(&child.start_frame);
        child.unanswered = Some(Instant::now());
        Ok(child)
    }

    /// The control socket, readable when [`Self::look`] has something to do.
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }

    /// Whether the child has opened its socket.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// Time since the child was started.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Reads messages of the child, pings it when due, and returns how it ended if it did.
    pub fn look(&mut self) -> Option<Ended> {
        let connected = self.read();
        // A process closes its descriptors a moment before it can be waited for.
        let patience = if connected { Duration::ZERO } else { FAREWELL };
        if let Some(status) = self.wait_at_most(patience) {
            if status.code() == Some(EXIT_OTHER_VERSION) {
                return Some(Ended::OtherVersion);
            }
            // Only a child that was ready exits with 0 of its own accord; another program may well do so at once.
            let left = self.leaving || self.ready && status.code() == Some(0);
            return Some(if left { Ended::OnPurpose } else { Ended::Died(status) });
        }
        // Checked only after reading: a supervisor that was stopped itself finds the answers waiting.
        let hung = self.unanswered.is_some_and(|since| since.elapsed() > HUNG);
        if self.of_other_version {
            self.kill();
            return Some(Ended::OtherVersion);
        }
        if !connected || hung {
            self.kill();
            return Some(Ended::Hung);
        }
        if self.last_ping.elapsed() >= PING_INTERVAL {
            self.last_ping = Instant::now();
            self.unanswered.get_or_insert_with(Instant::now);
            self.ping();
        }
        None
    }

    /// Has the child exit in favour of one with the current settings, if they differ from its own.
    pub fn restart_if_changed(&mut self) {
        if (self.program.start_frame)(self.restart_count).is_ok_and(|frame| frame != self.start_frame) {
            self.leaving = true;
            self.signal(Signal::TERM);
        }
    }

    /// Tells the child to end with the server.
    pub fn begin_stop(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends the child, which was told to.
    pub fn end_stop(mut self) {
        if self.wait_at_most(FAREWELL).is_none() {
            self.kill();
        }
    }

    /// The exit status, if the process ends within that time.
    fn wait_at_most(&mut self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            match self.process.try_wait() {
                Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(2)),
                Ok(status) => return status,
                Err(_) => return None,
            }
        }
    }

    /// Reads messages; false when the child has closed its end.
    fn read(&mut self) -> bool {
        let mut bytes = [0; 4096];
        loop {
            match self.control.read(&mut bytes) {
                Ok(0) => return false,
                Ok(count) => self.incoming.extend(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        loop {
            match self.incoming.next_frame(MAX_FIRST_FRAME).map(|frame| frame.map(|frame| frame.message())) {
                Ok(None) => return true,
                Ok(Some(Ok(message))) => match message {
                    FromEngine::Version(version) => {
                        self.of_own_version = version == VERSION;
                        self.of_other_version = !self.of_own_version;
                    }
                    FromEngine::Ready if !self.of_own_version => self.of_other_version = true,
                    FromEngine::Ready => {
                        self.ready = true;
                        self.unanswered = None;
                    }
                    FromEngine::Pong => self.unanswered = None,
                    FromEngine::Log(line) => pgrx::log!("socle {}: {line}", self.program.name),
                },
                // This is not a message of our program.
                _ => return false,
            }
        }
    }

    fn ping(&mut self) {
        // The settings have no part in this message. If it is lost, the silence that follows ends this child.
        let _ = encode(0, 0, &ToChild::<()>::Ping).map(|frame| self.control.write_all(&frame));
    }

    fn signal(&self, signal: Signal) {
        // The process has not been waited for, so its pid is still its own.
        let _ = kill_process(Pid::from_child(&self.process), signal);
    }

    fn kill(&mut self) {
        // Both fail only when the process has ended and been waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
