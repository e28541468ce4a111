//! The connections to endpoints and to name servers, and how the HTTP client uses them: TCP sockets that never block. Every
//! wait ends with the backend that asks, and at the deadline of the request, however slowly bytes come.

use crate::caller::Caller;
use rustix::event::PollFlags;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};
use socle_core::endpoint::address;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport};
use ureq::{config::Config, http::Uri};

/// Longest wait for a connection, to all addresses of a name together.
pub const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// Connects to one of the addresses, each of which has its part of the time that is left.
///
/// # Errors
/// The last one; those of [`Caller::wait`].
pub fn open(addresses: &[SocketAddr], caller: &Caller, deadline: Instant) -> io::Result<TcpStream> {
    let deadline = deadline.min(Instant::now() + CONNECT_PATIENCE);
    let mut last = io::Error::from(ErrorKind::AddrNotAvailable);
    for (at, address) in addresses.iter().enumerate() {
        let now = Instant::now();
        let part = deadline.saturating_duration_since(now) / u32::try_from(addresses.len() - at).unwrap_or(1);
        match open_one(*address, caller, now + part) {
            Ok(stream) => return Ok(stream),
            Err(_) if caller.stopped().is_some() => return Err(ErrorKind::ConnectionAborted.into()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn open_one(address: SocketAddr, caller: &Caller, deadline: Instant) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)?;
    match connect(&socket, &address) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS | rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    if !caller.wait_for(socket.as_fd(), PollFlags::OUT, deadline)? {
        return Err(ErrorKind::TimedOut.into());
    }
    sockopt::socket_error(&socket)??;
    sockopt::set_tcp_nodelay(&socket, true)?;
    Ok(TcpStream::from(socket))
}

/// Reads what is there, and waits for it with a limit that is not that of the request; 0 at the end.
///
/// # Errors
/// Those of the socket; those of [`Caller::wait_for`].
pub fn read_within(mut stream: &TcpStream, bytes: &mut [u8], caller: &Caller, until: Instant) -> io::Result<usize> {
    loop {
        match stream.read(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if !caller.wait_for(stream.as_fd(), PollFlags::IN, until)? {
                    return Err(ErrorKind::TimedOut.into());
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Writes all of these bytes.
///
/// # Errors
/// Those of the socket; those of [`Caller::wait`].
pub fn write_all(mut stream: &TcpStream, mut bytes: &[u8], caller: &Caller, deadline: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                caller.wait(stream.as_fd(), PollFlags::OUT, deadline)?;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads what is there, and waits for it; 0 at the end.
///
/// # Errors
/// Those of the socket; those of [`Caller::wait`].
pub fn read_some(mut stream: &TcpStream, bytes: &mut [u8], caller: &Caller, deadline: Instant) -> io::Result<usize> {
    loop {
        // Also when there is always something to read, the end of the backend and of the time have to be noticed.
        caller.check(deadline)?;
        match stream.read(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                caller.wait(stream.as_fd(), PollFlags::IN, deadline)?;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Gives the HTTP client the addresses that were looked up and checked, and no others.
#[derive(Clone, Debug)]
pub struct Checked(pub Vec<SocketAddr>);

impl Resolver for Checked {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = self.empty();
        // As many as the type holds.
        self.0.iter().take(16).for_each(|address| addresses.push(*address));
        if addresses.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(addresses) }
    }
}

/// Opens the connection of a request.
#[derive(Debug)]
pub struct Dial {
    /// Who waits for the answer.
    pub caller: Arc<Caller>,
    /// When its time is up.
    pub deadline: Instant,
    /// Whether this machine and private networks may be connected to.
    pub allowed: (bool, bool),
}

impl Connector<()> for Dial {
    type Out = Wire;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Wire>, ureq::Error> {
        let addresses: Vec<SocketAddr> = details.addrs.iter().copied().collect();
        // Checked before; here again, because these are the ones that are connected to.
        let refused = |_| ureq::Error::Io(ErrorKind::PermissionDenied.into());
        let (loopback, private) = self.allowed;
        addresses.iter().try_for_each(|at| address::check(at.ip(), loopback, private)).map_err(refused)?;
        let stream = open(&addresses, &self.caller, self.deadline)?;
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Wire { stream, buffers, caller: self.caller.clone(), deadline: self.deadline }))
    }
}

/// A connection to an endpoint.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    buffers: LazyBuffers,
    caller: Arc<Caller>,
    deadline: Instant,
}

impl Transport for Wire {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        Ok(write_all(&self.stream, output, &self.caller, self.deadline)?)
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        let count = read_some(&self.stream, self.buffers.input_append_buf(), &self.caller, self.deadline)?;
        self.buffers.input_appended(count);
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        // No connection is used for a second request.
        false
    }
}
