//! The line to the supervisor: settings come in, signs of life and log lines go out, and its end is the engine's end.

use crate::process;
use rustix::event::{PollFd, PollFlags, poll};
use serde::Serialize;
use socle_core::protocol::{
    EngineSettings, FrameBuffer, FromEngine, MAX_FIRST_FRAME, ToEngine, VERSION, VERSION_VARIABLE, encode,
};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The version before supervisors said which one they are of.
const OLDEST: &str = "0.1.0";

/// Longest wait for the settings.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// The engine's end of the control socket.
#[derive(Clone, Debug)]
pub struct Control {
    writer: Arc<Mutex<UnixStream>>,
}

/// The version of the supervisor, where it is not that of this engine.
pub fn other_version() -> Option<String> {
    // The first that said so was 0.2.0.
    let version = std::env::var(VERSION_VARIABLE).unwrap_or_else(|_| OLDEST.into());
    (version != VERSION).then_some(version)
}

/// Ends a supervisor that would start engines of another version for ever, because it knows of no versions; a session starts
/// another, out of the library that is there now. Not where the server holds the old library: it would come again.
pub fn end_supervisor_of(version: &str) {
    if version != OLDEST {
        return;
    }
    let parent_of = |pid: u32| {
        let line = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name of the program, in parentheses, may hold anything.
        line.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    let own = std::process::id();
    let Some((supervisor, postmaster)) = parent_of(own).and_then(|pid| Some((pid, parent_of(pid)?))) else { return };
    let has_loaded = |pid: u32| {
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        maps.lines().any(|line| line.contains("/socle.so"))
    };
    // A shell that somebody has started this program from is no supervisor.
    if has_loaded(supervisor)
        && !has_loaded(postmaster)
        && let Some(supervisor) = rustix::process::Pid::from_raw(supervisor.cast_signed())
    {
        let _ = rustix::process::kill_process(supervisor, rustix::process::Signal::TERM);
    }
}

/// Reads the settings from standard input, which the supervisor has made a socket.
///
/// # Errors
/// Whatever reading fails with; also when something else comes, or nothing.
pub fn connect() -> io::Result<(UnixStream, EngineSettings)> {
    // SAFETY: descriptor 0 is open (it was inherited) and used nowhere else in this process.
    let mut stream = unsafe { UnixStream::from_raw_fd(0) };
    stream.set_read_timeout(Some(START_PATIENCE))?;
    let mut buffer = FrameBuffer::default();
    loop {
        if let Some(ToEngine::Start(settings)) = next(&mut buffer)? {
            stream.set_read_timeout(None)?;
            return Ok((stream, settings));
        }
        read(&mut stream, &mut buffer)?;
    }
}

impl Control {
    /// Answers the supervisor on a thread of its own. When the supervisor or the postmaster goes, so does this process.
    ///
    /// # Errors
    /// When the socket cannot be shared or no thread is to be had.
    pub fn start(stream: UnixStream, settings: &EngineSettings) -> io::Result<Self> {
        let control = Self { writer: Arc::new(Mutex::new(stream.try_clone()?)) };
        control.send(&FromEngine::Version(VERSION.into()));
        let postmaster = process::watch(settings.postmaster_pid);
        let own = control.clone();
        std::thread::Builder::new().name("socle control".into()).spawn(move || {
            // Whatever ends this, the engine has no supervisor any more.
            let _ = own.serve(stream, postmaster);
            process::exit_now(1)
        })?;
        Ok(control)
    }

    /// Tells the supervisor that the socket is open.
    pub fn ready(&self) {
        self.send(&FromEngine::Ready);
    }

    /// Puts a line into the server log.
    pub fn log(&self, line: impl Into<String>) {
        self.send(&FromEngine::Log(line.into()));
    }

    fn serve(&self, mut stream: UnixStream, postmaster: Option<OwnedFd>) -> io::Result<()> {
        let mut buffer = FrameBuffer::default();
        loop {
            let mut watched = vec![PollFd::new(&stream, PollFlags::IN)];
            watched.extend(postmaster.as_ref().map(|pid| PollFd::from_borrowed_fd(pid.as_fd(), PollFlags::IN)));
            poll(&mut watched, None)?;
            if watched.get(1).is_some_and(|pid| !pid.revents().is_empty()) {
                return Ok(());
            }
            read(&mut stream, &mut buffer)?;
            while let Some(message) = next(&mut buffer)? {
                if message == ToEngine::Ping {
                    self.send(&FromEngine::Pong);
                }
            }
        }
    }

    fn send<T: Serialize>(&self, message: &T) {
        let Ok(frame) = encode(0, 0, message) else { return };
        // If the supervisor is gone, the reading side notices.
        let _ = self.writer.lock().unwrap_or_else(PoisonError::into_inner).write_all(&frame);
    }
}

fn next(buffer: &mut FrameBuffer) -> io::Result<Option<ToEngine>> {
    let message = buffer.next_frame(MAX_FIRST_FRAME).and_then(|frame| frame.map(|frame| frame.message()).transpose());
    message.map_err(|error| io::Error::other(error.to_string()))
}

fn read(stream: &mut UnixStream, buffer: &mut FrameBuffer) -> io::Result<()> {
    let mut bytes = [0; 4096];
    match stream.read(&mut bytes)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        count => {
            buffer.extend(&bytes[..count]);
            Ok(())
        }
    }
}
