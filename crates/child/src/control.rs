//! The socket to the supervisor: settings come in, answers to pings and log lines go out. When it closes, the process exits.

use crate::process;
use rustix::event::{PollFd, PollFlags, poll};
use serde::Serialize;
use serde::de::DeserializeOwned;
use socle_core::protocol::{FrameBuffer, FromEngine, MAX_FIRST_FRAME, ToChild, VERSION, VERSION_VARIABLE, encode};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The only version whose supervisor does not set [`VERSION_VARIABLE`].
pub const UNANNOUNCED_VERSION: &str = "0.1.0";

/// Longest wait for the settings after the start of the process.
const SETTINGS_TIMEOUT: Duration = Duration::from_secs(10);

/// This process's end of the control socket.
#[derive(Clone, Debug)]
pub struct Control {
    writer: Arc<Mutex<UnixStream>>,
}

/// The version of the supervisor, if it differs from that of this program.
pub fn other_version() -> Option<String> {
    let version = std::env::var(VERSION_VARIABLE).unwrap_or_else(|_| UNANNOUNCED_VERSION.into());
    (version != VERSION).then_some(version)
}

/// Reads the settings from standard input, which is a socket to the supervisor. Returns the socket and the settings.
///
/// # Errors
/// Whatever reading fails with; also for a malformed frame, the end of the stream, or no settings in time.
pub fn connect<S: DeserializeOwned>() -> io::Result<(UnixStream, S)> {
    // SAFETY: descriptor 0 is open (it was inherited) and used nowhere else in this process.
    let mut stream = unsafe { UnixStream::from_raw_fd(0) };
    stream.set_read_timeout(Some(SETTINGS_TIMEOUT))?;
    let mut buffer = FrameBuffer::default();
    loop {
        if let Some(ToChild::Start(settings)) = next(&mut buffer)? {
            stream.set_read_timeout(None)?;
            return Ok((stream, settings));
        }
        read(&mut stream, &mut buffer)?;
    }
}

impl Control {
    /// Starts the thread that answers the supervisor. It exits the process when the supervisor or the postmaster ends. Pings
    /// are answered while `is_alive`: the supervisor kills a process that does not answer.
    ///
    /// # Errors
    /// When the socket cannot be duplicated or no thread started.
    pub fn start(
        stream: UnixStream,
        postmaster_pid: u32,
        is_alive: impl Fn() -> bool + Send + 'static,
    ) -> io::Result<Self> {
        let control = Self { writer: Arc::new(Mutex::new(stream.try_clone()?)) };
        control.send(&FromEngine::Version(VERSION.into()));
        let postmaster = process::open_pidfd(postmaster_pid);
        let own = control.clone();
        std::thread::Builder::new().name("socle control".into()).spawn(move || {
            // Returns only when the supervisor or the postmaster has ended, or the socket failed.
            let _ = own.serve(stream, postmaster, is_alive);
            process::exit_now(1)
        })?;
        Ok(control)
    }

    /// Tells the supervisor that this process accepts connections.
    pub fn ready(&self) {
        self.send(&FromEngine::Ready);
    }

    /// Writes a line to the server log.
    pub fn log(&self, line: impl Into<String>) {
        self.send(&FromEngine::Log(line.into()));
    }

    fn serve(
        &self,
        mut stream: UnixStream,
        postmaster: Option<OwnedFd>,
        is_alive: impl Fn() -> bool,
    ) -> io::Result<()> {
        let mut buffer = FrameBuffer::default();
        loop {
            let mut watched = vec![PollFd::new(&stream, PollFlags::IN)];
            watched.extend(postmaster.as_ref().map(|pid| PollFd::from_borrowed_fd(pid.as_fd(), PollFlags::IN)));
            poll(&mut watched, None)?;
            if watched.get(1).is_some_and(|pid| !pid.revents().is_empty()) {
                return Ok(());
            }
            read(&mut stream, &mut buffer)?;
            while let Some(message) = next::<()>(&mut buffer)? {
                if matches!(message, ToChild::Ping) && is_alive() {
                    self.send(&FromEngine::Pong);
                }
            }
        }
    }

    fn send<T: Serialize>(&self, message: &T) {
        let Ok(frame) = encode(0, 0, message) else { return };
        // An error means that the supervisor has ended, which `serve` notices when it reads.
        let _ = self.writer.lock().unwrap_or_else(PoisonError::into_inner).write_all(&frame);
    }
}

fn next<S: DeserializeOwned>(buffer: &mut FrameBuffer) -> io::Result<Option<ToChild<S>>> {
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
