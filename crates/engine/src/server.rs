//! The server thread: owns all connections, reads requests, writes responses, notices when a backend disconnects.
//!
//! It never computes. Memory is bounded by back-pressure: while the queued requests exceed a limit, only connections
//! without any request in progress are read from, and beyond a second limit their requests are rejected.

mod connection;

use crate::lane::Lane;
use crate::request::{Job, Request};
use crate::response_queue::{ResponseQueue, frame};
use crate::scheduler::Scheduler;
use crate::statistics::Statistics;
use crate::worker::Resources;
use connection::{Connection, Message, Received};
use mio::net::{UnixListener, UnixStream};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use socle_child::control::Control;
use socle_child::process;
use socle_core::protocol::{ALIVE_INTERVAL_SECONDS, EngineReport, FLAG_SUSPECT, PROTOCOL_VERSION, Response};
use socle_core::{Error, Kind};
use std::collections::HashMap;
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

const LISTENER: Token = Token(0);
const TERMINATION: Token = Token(1);
/// The response queue is not empty.
pub const RESPONSES: Token = Token(2);
/// The fork server has ended.
const FORK_SERVER: Token = Token(3);
const FIRST_CONNECTION: u64 = 4;

/// Longest time that the shutdown waits for backends to read their last frames.
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(200);

/// The server thread and what it works with.
pub struct Server {
    /// Its event queue.
    pub poll: Poll,
    /// The socket that backends connect to.
    pub listener: UnixListener,
    /// Becomes readable at SIGTERM.
    pub termination: UnixStream,
    /// Gets the requests.
    pub scheduler: Arc<Scheduler>,
    /// Gives the responses.
    pub responses: Arc<ResponseQueue>,
    /// Resources of the workers, for the report.
    pub resources: Resources,
    /// Counters for the report.
    pub statistics: Arc<Statistics>,
    /// The socket to the supervisor.
    pub control: Control,
    /// The report with the fields that never change.
    pub report: EngineReport,
    /// Directories that did not exist when the sandbox was entered, and so are not accessible.
    pub missing: Vec<PathBuf>,
}

/// All connections.
#[derive(Debug, Default)]
struct Connections {
    open: HashMap<u64, Connection>,
    /// Connections accepted since the start.
    accepted: u64,
    /// A connection waits to be accepted. Has to be remembered, because the poll reports it only once.
    backlog: bool,
    /// Size of all requests in progress or being received, in bytes.
    bytes: usize,
}

impl Server {
    /// Serves until SIGTERM or the end of the fork server, then exits the process.
    ///
    /// # Errors
    /// When polling or accepting fails for good.
    pub fn run(mut self) -> io::Result<()> {
        self.poll.registry().register(&mut self.listener, LISTENER, Interest::READABLE)?;
        self.poll.registry().register(&mut self.termination, TERMINATION, Interest::READABLE)?;
        let fork_server = self.resources.fork_server.socket().as_raw_fd();
        self.poll.registry().register(&mut SourceFd(&fork_server), FORK_SERVER, Interest::READABLE)?;
        let mut connections = Connections::default();
        let mut events = Events::with_capacity(256);
        self.control.ready();
        loop {
            let waiting = connections.open.values().any(|connection| !connection.requests.is_empty());
            let timeout = (waiting || connections.backlog).then(|| Duration::from_secs(ALIVE_INTERVAL_SECONDS));
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(&mut connections)?,
                    TERMINATION | FORK_SERVER => shut_down(&mut connections),
                    Token(token) => {
                        if let Some(connection) = connections.open.get_mut(&(token as u64)) {
                            connection.readable |= event.is_readable();
                            connection.writable |= event.is_writable();
                            connection.closed |= event.is_read_closed() || event.is_error();
                        }
                    }
                }
            }
            for outgoing in self.responses.take() {
                if let Some(connection) = connections.open.get_mut(&outgoing.connection)
                    && let Some(request) = connection.accept(outgoing)
                {
                    connections.bytes -= request.bytes;
                }
            }
            self.advance(&mut connections);
            if connections.backlog {
                // Descriptors may have become free.
                self.accept(&mut connections)?;
            }
        }
    }

    fn accept(&self, connections: &mut Connections) -> io::Result<()> {
        connections.backlog = false;
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                // Out of descriptors or memory.
                Err(_) => {
                    connections.backlog = true;
                    return Ok(());
                }
            };
            let peer = rustix::net::sockopt::socket_peercred(&stream).map(|peer| peer.uid);
            if peer != Ok(rustix::process::geteuid()) {
                continue;
            }
            let number = FIRST_CONNECTION + connections.accepted;
            connections.accepted += 1;
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(number as usize), interest)?;
            connections.open.insert(number, Connection::new(stream));
        }
    }

    /// Reads from and writes to all connections, and removes those that are closed.
    fn advance(&self, connections: &mut Connections) {
        let numbers: Vec<u64> = connections.open.keys().copied().collect();
        for number in numbers {
            let Some(mut connection) = connections.open.remove(&number) else { continue };
            if self.advance_one(number, &mut connection, connections) {
                connections.open.insert(number, connection);
            } else {
                let in_progress: usize = connection.requests.values().map(|request| request.bytes).sum();
                connections.bytes -= in_progress + connection.reserved;
                self.scheduler.cancel(number, connection.requests.into_values());
                self.resources.keyword.forget_connection(number);
            }
        }
    }

    /// Reads from and writes to one connection. False when it is closed.
    fn advance_one(&self, number: u64, connection: &mut Connection, connections: &mut Connections) -> bool {
        loop {
            connection.keep_alive();
            if connection.closed || !connection.flush() {
                return false;
            }
            match connection.next(&mut connections.bytes) {
                Ok(Some(received)) => self.receive(number, connection, connections, received),
                Ok(None) => return true,
                Err(()) => return false,
            }
        }
    }

    fn receive(&self, number: u64, connection: &mut Connection, connections: &mut Connections, received: Received) {
        let Received { id, flags, bytes, message } = received;
        match message {
            Err(error) => connection.reject(id, error),
            Ok(Message::Hello(PROTOCOL_VERSION)) => {
                connection.handshake_done = true;
                connection.push(frame(id, &Response::Welcome { pid: std::process::id() }), None);
            }
            Ok(Message::Hello(protocol)) => {
                if process::executable_was_replaced() {
                    connection.push(frame(id, &Response::Goodbye), None);
                    connection.flush();
                    shut_down(connections);
                }
                let message = "the socle engine and this session are of different versions";
                let detail = format!("The engine speaks protocol {PROTOCOL_VERSION}, the session {protocol}.");
                let error = Error::new(Kind::EngineUnavailable, message).detail(detail);
                connection.reject(id, error.hint("Reconnect; if that does not help, restart the server."));
            }
            Ok(_) if !connection.handshake_done => connection.closed = true,
            Ok(Message::Report) => {
                let report = Response::Report(Box::new(self.report(connections, connection)));
                connection.push(frame(id, &report), None);
            }
            Ok(Message::Job(job)) => {
                if self.missing.iter().any(|path| path.exists()) {
                    // The directory was created after the sandbox was entered: only the next engine can access it.
                    connection.push(frame(0, &Response::Goodbye), None);
                    connection.flush();
                    shut_down(connections);
                }
                let request = Arc::new(Request::new(number, id, flags & FLAG_SUSPECT != 0, bytes, job));
                connections.bytes += bytes;
                connection.requests.insert(id, request.clone());
                self.scheduler.submit(request);
            }
        }
    }

    /// The report of the engine. `current` is the connection that asks, which is not in `connections` meanwhile.
    fn report(&self, connections: &Connections, current: &Connection) -> EngineReport {
        let reading = self.statistics.read();
        let all = || connections.open.values().chain([current]);
        let queue = |lane: Lane| {
            let is_bulk = |lane: Lane| matches!(lane, Lane::Bulk | Lane::Document | Lane::BulkDocument);
            let in_lane = |job: &Job| is_bulk(job.lane()) == is_bulk(lane);
            let requests = all().flat_map(|connection| connection.requests.values());
            requests.filter(|request| in_lane(&request.job)).count() as u32
        };
        EngineReport {
            onnxruntime_version: self.resources.store.runtime_version(),
            memory_bytes: socle_child::resident_bytes(),
            models: self.resources.store.report(),
            connection_count: all().count() as u32,
            interactive_queue: queue(Lane::Interactive),
            bulk_queue: queue(Lane::Bulk),
            request_count: reading.requests,
            batch_count: reading.batches,
            text_count: reading.texts,
            token_count: reading.tokens,
            tokens_per_second: reading.tokens_per_second,
            latency_p50_ms: reading.latency_p50_ms,
            latency_p95_ms: reading.latency_p95_ms,
            ..self.report.clone()
        }
    }
}

/// Says goodbye to every backend, which then sends its unanswered requests to the next engine, and exits the process.
fn shut_down(connections: &mut Connections) -> ! {
    let deadline = Instant::now() + GOODBYE_TIMEOUT;
    for connection in connections.open.values_mut() {
        connection.push(frame(0, &Response::Goodbye), None);
    }
    while Instant::now() < deadline && !connections.open.is_empty() {
        connections.open.retain(|_, connection| connection.flush() && !connection.is_flushed());
        for connection in connections.open.values_mut() {
            connection.writable = true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    process::exit_now(0)
}
