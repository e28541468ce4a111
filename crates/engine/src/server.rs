//! The thread that owns every connection: reads requests, writes answers, notices who has left.
//!
//! It never computes. A connection whose requests already fill the queues is not read from until some are answered, so
//! that memory stays bounded and whoever sends waits; one that has nothing under way is read from, up to a limit.

mod connection;

use crate::control::Control;
use crate::outbox::{Outbox, frame};
use crate::process;
use crate::request::{Job, Lane, Request};
use crate::scheduler::Scheduler;
use crate::statistics::Statistics;
use crate::work::Resources;
use connection::{Connection, Message, Received};
use mio::net::{UnixListener, UnixStream};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
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
/// Answers are in the outbox.
pub const OUTBOX: Token = Token(2);
/// The process that forks readers of documents is gone.
const NURSERY: Token = Token(3);
const FIRST_CONNECTION: u64 = 4;

/// Longest time that leaving takes.
const FAREWELL: Duration = Duration::from_millis(200);

/// What the server works with.
pub struct Server {
    /// Where events come from.
    pub poll: Poll,
    /// New connections.
    pub listener: UnixListener,
    /// Becomes readable at SIGTERM.
    pub termination: UnixStream,
    /// Where requests go.
    pub scheduler: Arc<Scheduler>,
    /// Where answers come from.
    pub outbox: Arc<Outbox>,
    /// What the workers work with.
    pub resources: Resources,
    /// For the report.
    pub statistics: Arc<Statistics>,
    /// Told when serving begins.
    pub control: Control,
    /// The parts of the report that never change.
    pub report: EngineReport,
    /// Directories that the sandbox could not open because they were not there.
    pub missing: Vec<PathBuf>,
}

/// The connections and what they have under way.
#[derive(Debug, Default)]
struct Connections {
    open: HashMap<u64, Connection>,
    accepted: u64,
    /// Somebody could not be accepted. The listener does not tell of him again, so he has to be remembered.
    backlog: bool,
    /// Bytes of requests under way or coming in.
    bytes: usize,
}

impl Server {
    /// Serves until SIGTERM.
    ///
    /// # Errors
    /// Only what makes serving impossible.
    pub fn run(mut self) -> io::Result<()> {
        self.poll.registry().register(&mut self.listener, LISTENER, Interest::READABLE)?;
        self.poll.registry().register(&mut self.termination, TERMINATION, Interest::READABLE)?;
        let nursery = self.resources.nursery.line().as_raw_fd();
        self.poll.registry().register(&mut SourceFd(&nursery), NURSERY, Interest::READABLE)?;
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
                    TERMINATION | NURSERY => leave(&mut connections),
                    Token(token) => {
                        if let Some(connection) = connections.open.get_mut(&(token as u64)) {
                            connection.readable |= event.is_readable();
                            connection.writable |= event.is_writable();
                            connection.closed |= event.is_read_closed() || event.is_error();
                        }
                    }
                }
            }
            for outgoing in self.outbox.take() {
                if let Some(connection) = connections.open.get_mut(&outgoing.connection)
                    && let Some(request) = connection.accept(outgoing)
                {
                    connections.bytes -= request.bytes;
                }
            }
            self.advance(&mut connections);
            if connections.backlog {
                // Whoever left has given descriptors back.
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
                // No descriptor to be had.
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

    /// Reads and writes whatever can be, and drops whoever has left.
    fn advance(&self, connections: &mut Connections) {
        let numbers: Vec<u64> = connections.open.keys().copied().collect();
        for number in numbers {
            let Some(mut connection) = connections.open.remove(&number) else { continue };
            if self.advance_one(number, &mut connection, connections) {
                connections.open.insert(number, connection);
            } else {
                let under_way: usize = connection.requests.values().map(|request| request.bytes).sum();
                connections.bytes -= under_way + connection.claimed;
                self.scheduler.cancel(number, connection.requests.into_values());
                self.resources.keyword.forget_connection(number);
            }
        }
    }

    /// False when the connection has to go.
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
            Err(error) => connection.refuse(id, error),
            Ok(Message::Hello(PROTOCOL_VERSION)) => {
                connection.welcomed = true;
                connection.push(frame(id, &Response::Welcome { pid: std::process::id() }), None);
            }
            Ok(Message::Hello(protocol)) => {
                if process::executable_was_replaced() {
                    connection.push(frame(id, &Response::Goodbye), None);
                    connection.flush();
                    leave(connections);
                }
                let message = "the socle engine and this session are of different versions";
                let detail = format!("The engine speaks protocol {PROTOCOL_VERSION}, the session {protocol}.");
                let error = Error::new(Kind::EngineUnavailable, message).detail(detail);
                connection.refuse(id, error.hint("Reconnect; if that does not help, restart the server."));
            }
            Ok(_) if !connection.welcomed => connection.closed = true,
            Ok(Message::Report) => {
                let report = Response::Report(Box::new(self.report(connections, connection)));
                connection.push(frame(id, &report), None);
            }
            Ok(Message::Job(job)) => {
                if self.missing.iter().any(|path| path.exists()) {
                    // The sandbox was closed before this directory was made; a new engine gets to see it.
                    connection.push(frame(0, &Response::Goodbye), None);
                    connection.flush();
                    leave(connections);
                }
                let request = Arc::new(Request::new(number, id, flags & FLAG_SUSPECT != 0, bytes, job));
                connections.bytes += bytes;
                connection.requests.insert(id, request.clone());
                self.scheduler.submit(request);
            }
        }
    }

    /// `current` is not among the connections while its request is handled.
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
            memory_bytes: crate::resident_bytes(),
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

/// Hands every unanswered request back to its backend, for the engine that comes next, and ends the process.
fn leave(connections: &mut Connections) -> ! {
    let deadline = Instant::now() + FAREWELL;
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
