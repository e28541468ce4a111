//! The server thread: owns all connections, reads requests, writes responses, notices when a backend disconnects. It never
//! computes.

use crate::connection::{Closed, Connection, Received};
use crate::llama::library;
use crate::request::Request;
use crate::responses::{Responses, frame};
use crate::service::{MAX_REQUESTS, Service};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socle_child::control::Control;
use socle_child::{process, resident_bytes};
use socle_core::protocol::{ALIVE_INTERVAL_SECONDS, GENERATOR_PROTOCOL_VERSION, GeneratorReport, GeneratorResponse};
use socle_core::{Error, Kind};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest time that the shutdown waits for backends to read their last frames.
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(200);

/// The server thread and what it works with.
#[derive(Debug)]
pub struct Server {
    /// The listening socket, non-blocking.
    pub listener: UnixListener,
    /// Readable when SIGTERM has arrived.
    pub termination: UnixStream,
    /// Responses of the other threads.
    pub responses: Arc<Responses>,
    /// What requests are served with.
    pub service: Arc<Service>,
    /// The socket to the supervisor.
    pub control: Control,
    /// The parts of the report that do not change.
    pub report: GeneratorReport,
    /// Directories that did not exist when the sandbox was entered.
    pub missing: Vec<PathBuf>,
}

/// The connections, by their numbers.
type Connections = BTreeMap<u64, Connection>;

impl Server {
    /// Serves until the process is told to exit, or has not been used for `socle.generator_idle_timeout`.
    ///
    /// # Errors
    /// Whatever poll(2) fails with.
    pub fn run(self) -> io::Result<()> {
        self.control.ready();
        let mut connections = Connections::new();
        let mut accepted = 0;
        let mut used = Instant::now();
        loop {
            self.wait(&connections)?;
            if is_readable(&self.termination) || is_readable(&self.service.fork_server.socket()) {
                shut_down(&mut connections);
            }
            self.accept(&mut connections, &mut accepted);
            for outgoing in self.responses.take() {
                // The backend may have disconnected.
                if let Some(connection) = connections.get_mut(&outgoing.connection) {
                    connection.push(outgoing.frame);
                    if outgoing.last {
                        connection.request = None;
                    }
                }
            }
            self.advance(&mut connections);
            if connections.values().any(|connection| connection.request.is_some()) {
                used = Instant::now();
            }
            let idle_timeout = Duration::from_secs(self.service.settings.idle_timeout_seconds.into());
            if !idle_timeout.is_zero() && used.elapsed() >= idle_timeout {
                shut_down(&mut connections);
            }
        }
    }

    /// Waits until there is something to do, and at most as long as a waiting backend may be without a frame.
    fn wait(&self, connections: &Connections) -> io::Result<()> {
        let mut watched = vec![
            PollFd::new(&self.listener, PollFlags::IN),
            PollFd::new(&self.termination, PollFlags::IN),
            PollFd::from_borrowed_fd(self.responses.descriptor(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.service.fork_server.socket(), PollFlags::IN),
        ];
        for connection in connections.values() {
            let output = if connection.has_output() { PollFlags::OUT } else { PollFlags::empty() };
            watched.push(PollFd::from_borrowed_fd(connection.socket(), PollFlags::IN | output));
        }
        let timeout = Timespec { tv_sec: ALIVE_INTERVAL_SECONDS.cast_signed(), tv_nsec: 0 };
        match poll(&mut watched, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn accept(&self, connections: &mut Connections, accepted: &mut u64) {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => continue,
                // None is waiting, or there are no descriptors left: the next turn tries again.
                Err(error) => {
                    if error.kind() != ErrorKind::WouldBlock {
                        std::thread::sleep(Duration::from_millis(10));
                    }
                    return;
                }
            };
            let peer = rustix::net::sockopt::socket_peercred(&stream).map(|peer| peer.uid);
            if peer != Ok(rustix::process::geteuid()) || stream.set_nonblocking(true).is_err() {
                continue;
            }
            connections.insert(*accepted, Connection::new(stream));
            *accepted += 1;
        }
    }

    /// Reads from and writes to all connections, and removes those that are closed.
    fn advance(&self, connections: &mut Connections) {
        let numbers: Vec<u64> = connections.keys().copied().collect();
        for number in numbers {
            let Some(mut connection) = connections.remove(&number) else { continue };
            match self.advance_one(number, &mut connection, connections) {
                Ok(()) => drop(connections.insert(number, connection)),
                Err(Closed) => {
                    if let Some(request) = &connection.request {
                        request.cancel();
                    }
                }
            }
        }
    }

    fn advance_one(&self, number: u64, connection: &mut Connection, others: &mut Connections) -> Result<(), Closed> {
        connection.read()?;
        while let Some((id, received)) = connection.receive()? {
            match received {
                Err(error) => connection.reject(id, error),
                Ok(received) => self.receive((number, id), connection, others, received)?,
            }
        }
        connection.keep_alive();
        connection.flush()
    }

    fn receive(
        &self,
        (number, id): (u64, u32),
        connection: &mut Connection,
        others: &mut Connections,
        received: Received,
    ) -> Result<(), Closed> {
        match received {
            Received::Hello(GENERATOR_PROTOCOL_VERSION) => {
                connection.handshake_done = true;
                connection.push(frame(id, &GeneratorResponse::Welcome { pid: std::process::id() }));
            }
            Received::Hello(protocol) => {
                if process::executable_was_replaced() {
                    say_goodbye(connection);
                    shut_down(others);
                }
                let message = "the socle generator and this session are of different versions";
                let detail =
                    format!("The generator speaks protocol {GENERATOR_PROTOCOL_VERSION}, the session {protocol}.");
                let error = Error::new(Kind::EngineUnavailable, message).detail(detail);
                connection.reject(id, error.hint("Reconnect; if that does not help, restart the server."));
            }
            _ if !connection.handshake_done => return Err(Closed),
            Received::Report => {
                let report = self.report(others, connection);
                connection.push(frame(id, &GeneratorResponse::Report(Box::new(report))));
            }
            Received::Task(task) => {
                if self.missing.iter().any(|path| path.exists()) {
                    // The directory was created after the sandbox was entered: only the next generator can access it.
                    say_goodbye(connection);
                    shut_down(others);
                }
                let in_progress = others.values().filter(|connection| connection.request.is_some()).count();
                if in_progress >= MAX_REQUESTS {
                    connection.reject(id, overloaded());
                    return Ok(());
                }
                let request = Request::new(number, id, self.responses.clone());
                connection.request = Some(request.clone());
                self.service.begin(request, task);
            }
        }
        Ok(())
    }

    /// The report of the generator. `current` is the connection that asks, which is not in `others` meanwhile.
    fn report(&self, others: &Connections, current: &Connection) -> GeneratorReport {
        let all = || others.values().chain([current]);
        let requests = all().filter(|connection| connection.request.is_some()).count() as u32;
        let running = (self.service.decoder.running() as u32).min(requests);
        let mut report = GeneratorReport {
            library_version: library::loaded().map(|_| library::RELEASE.to_string()),
            memory_bytes: resident_bytes(),
            generators: self.service.store.report(),
            connection_count: all().count() as u32,
            running,
            queued: requests - running,
            ..self.report.clone()
        };
        self.service.statistics.report(&mut report);
        report
    }
}

fn overloaded() -> Error {
    Error::new(Kind::OutOfMemory, "too many requests are queued for the socle generator")
        .detail(format!("The limit is {MAX_REQUESTS}."))
        .hint("Try again later.")
}

/// Whether a socket has something to read, or was closed.
fn is_readable(socket: &impl AsFd) -> bool {
    let mut watched = [PollFd::new(socket, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut watched, Some(&now)).is_ok_and(|count| count > 0)
}

fn say_goodbye(connection: &mut Connection) {
    connection.push(frame(0, &GeneratorResponse::Goodbye));
    let _ = connection.flush();
}

/// Says goodbye to every backend, which then sends its unanswered request to the next generator, and exits the process.
fn shut_down(connections: &mut Connections) -> ! {
    let deadline = Instant::now() + GOODBYE_TIMEOUT;
    for connection in connections.values_mut() {
        connection.push(frame(0, &GeneratorResponse::Goodbye));
    }
    while Instant::now() < deadline && !connections.is_empty() {
        connections.retain(|_, connection| connection.flush().is_ok() && connection.has_output());
        std::thread::sleep(Duration::from_millis(1));
    }
    process::exit_now(0)
}
