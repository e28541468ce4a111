//! The socket by which a process sends messages to the supervisor. What may fail is done when it is opened: sending
//! neither allocates nor raises, so it may follow a commit, or happen in a signal handler.
//!
//! `tests/project` compiles this file, too, and counts the allocations; so it uses nothing of PostgreSQL.

use rustix::net::{SendFlags, SocketAddrUnix, sendto};
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

/// A socket, and the address of the supervisor.
#[derive(Debug)]
pub struct WakeSocket {
    socket: UnixDatagram,
    address: SocketAddrUnix,
}

impl WakeSocket {
    /// Opens a socket for messages to the socket at `path`, which need not exist yet.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { socket: UnixDatagram::unbound()?, address: SocketAddrUnix::new(path)? })
    }

    /// Sends a message. Where it cannot be sent at once, it is lost.
    pub fn send(&self, message: &[u8]) {
        let _ = sendto(&self.socket, message, SendFlags::DONTWAIT | SendFlags::NOSIGNAL, &self.address);
    }
}
