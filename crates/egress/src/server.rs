//! Accepts connections of backends and gives each a thread of its own, which serves its one request. The thread that accepts
//! does nothing else.

use crate::call::{self, Call, Service};
use crate::caller::Caller;
use crate::sandbox::Accessible;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socle_child::control::Control;
use socle_child::{panic_message, process};
use socle_core::protocol::{
    EGRESS_PROTOCOL_VERSION, EgressReport, EgressRequest, EgressResponse, FrameBuffer, MAX_EGRESS_FRAME,
    MAX_FIRST_FRAME, SessionName,
};
use socle_core::{Error, Kind, Result};
use std::io::{self, ErrorKind};
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// Most requests in progress. Each has a thread and a connection.
pub const MAX_REQUESTS: usize = 64;

/// Most connections: those beyond the requests are told so, or ask for the state.
const MAX_CONNECTIONS: usize = 2 * MAX_REQUESTS;

/// The thread that accepts, and what it works with.
#[derive(Debug)]
pub struct Server {
    /// The listening socket, non-blocking.
    pub listener: UnixListener,
    /// Readable when SIGTERM has arrived.
    pub termination: UnixStream,
    /// What requests are served with.
    pub service: Arc<Service>,
    /// The socket to the supervisor.
    pub control: Control,
    /// The parts of the report that do not change.
    pub report: EgressReport,
    /// What was accessible when the sandbox was entered.
    pub accessible: Accessible,
}

/// Counts the connections and the requests in progress.
#[derive(Debug, Default)]
struct Load {
    connections: AtomicUsize,
    requests: AtomicUsize,
    /// The process ends when nobody is connected any more, so that connections end with their next response.
    is_leaving: AtomicBool,
}

/// One of a number, as long as it lives.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, SeqCst);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl Server {
    /// Serves until the process is told to exit, has not been used for a while, or cannot read what it should.
    ///
    /// # Errors
    /// Whatever poll(2) fails with.
    pub fn run(self) -> io::Result<()> {
        self.control.ready();
        let load = Arc::new(Load::default());
        let mut used = Instant::now();
        loop {
            let mut watched =
                [PollFd::new(&self.listener, PollFlags::IN), PollFd::new(&self.termination, PollFlags::IN)];
            match poll(&mut watched, Some(&Timespec { tv_sec: 1, tv_nsec: 0 })) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if !watched[1].revents().is_empty() {
                return Ok(());
            }
            let is_idle = load.connections.load(SeqCst) == 0;
            // A backend whose connection has not been accepted yet tries the next process.
            if self.accessible.is_outdated() || process::executable_was_replaced() {
                load.is_leaving.store(true, SeqCst);
                if is_idle {
                    return Ok(());
                }
            }
            let accepted = self.accept(&load);
            if accepted || !is_idle {
                used = Instant::now();
            }
            let idle_timeout = Duration::from_secs(self.service.settings.idle_timeout_seconds.into());
            if !idle_timeout.is_zero() && used.elapsed() >= idle_timeout {
                return Ok(());
            }
        }
    }

    fn accept(&self, load: &Arc<Load>) -> bool {
        let stream = match self.listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(_) => {
                // There are no descriptors left: the next turn tries again.
                std::thread::sleep(Duration::from_millis(10));
                return false;
            }
        };
        let peer = rustix::net::sockopt::socket_peercred(&stream).map(|peer| peer.uid);
        if peer != Ok(rustix::process::geteuid()) || load.connections.load(SeqCst) >= MAX_CONNECTIONS {
            return true;
        }
        let (service, load, report) = (self.service.clone(), load.clone(), self.report.clone());
        // Counted before the thread runs, so that the process does not leave meanwhile.
        load.connections.fetch_add(1, SeqCst);
        let thread = std::thread::Builder::new().name("socle request".into());
        let failed = load.clone();
        let spawned = thread.spawn(move || {
            let _ = converse(stream, &service, &load, report);
            load.connections.fetch_sub(1, SeqCst);
        });
        if spawned.is_err() {
            failed.connections.fetch_sub(1, SeqCst);
        }
        true
    }
}

/// The conversation with a backend.
fn converse(stream: UnixStream, service: &Service, load: &Load, report: EgressReport) -> io::Result<()> {
    let caller = Arc::new(Caller::new(stream)?);
    let mut buffer = FrameBuffer::default();
    let mut session = None;
    let violated = |_: Error| io::Error::from(ErrorKind::InvalidData);
    loop {
        let limit = if session.is_some() { MAX_EGRESS_FRAME } else { MAX_FIRST_FRAME };
        let Some(frame) = buffer.next_frame(limit).map_err(violated)? else {
            caller.receive(&mut buffer)?;
            continue;
        };
        let (id, message) = (frame.id, frame.message::<EgressRequest<'_>>());
        let response = match message {
            Ok(EgressRequest::Hello { protocol: EGRESS_PROTOCOL_VERSION, session: name }) => {
                session = Some(name);
                EgressResponse::Welcome { pid: std::process::id() }
            }
            Ok(EgressRequest::Hello { protocol, .. }) => {
                let message = "the egress process of socle and this session are of different versions";
                let detail = format!("The process speaks protocol {EGRESS_PROTOCOL_VERSION}, the session {protocol}.");
                let error = Error::new(Kind::EngineUnavailable, message).detail(detail);
                EgressResponse::Failed { error: error.hint("Reconnect; if that does not help, restart the server.") }
            }
            Ok(request) => {
                let Some(session) = &session else { return Err(ErrorKind::InvalidData.into()) };
                if let Some(response) = answer_here(service, load, &report, &request, session) {
                    response
                } else {
                    let Some(call) = Call::new(request) else { return Err(ErrorKind::InvalidData.into()) };
                    let last = answer(service, load, &caller, id, session, &call);
                    caller.finish(id, &last.unwrap_or_else(|error| EgressResponse::Failed { error }));
                    // One request for each connection: its thread is restricted to the port of its endpoint.
                    return Ok(());
                }
            }
            Err(_) if session.is_none() => return Err(ErrorKind::InvalidData.into()),
            Err(error) => EgressResponse::Failed { error },
        };
        caller.finish(id, &response);
        // A session keeps its connection for further entries of the ledger, unless there are too many of them.
        if load.connections.load(SeqCst) > MAX_REQUESTS || load.is_leaving.load(SeqCst) {
            return Ok(());
        }
    }
}

/// The response to a request by which nothing leaves; `None` for others.
fn answer_here(
    service: &Service,
    load: &Load,
    report: &EgressReport,
    request: &EgressRequest<'_>,
    session: &SessionName,
) -> Option<EgressResponse> {
    let ledger = &service.ledger;
    let response = match request {
        EgressRequest::Report => {
            let status = ledger.status();
            let (ledger_origin, ledger_number) = status.last.unzip();
            Ok(EgressResponse::Report(Box::new(EgressReport {
                running: load.requests.load(SeqCst) as u32,
                endpoints: service.statistics.report(),
                ledger_origin,
                ledger_number: ledger_number.unwrap_or_default(),
                ledger_failure: status.failure,
                ..report.clone()
            })))
        }
        EgressRequest::Append { kind, fields } => {
            ledger.append_told(kind.clone(), fields, session).map(|written| EgressResponse::Appended {
                origin: written.origin,
                number: written.stamp.number,
                hash: written.stamp.hash.to_string(),
            })
        }
        EgressRequest::Prune { before } => ledger
            .prune(before.clone(), session)
            .map(|pruned| EgressResponse::Pruned { segments: pruned.segments, entries: pruned.entries }),
        EgressRequest::Checkpoint => {
            ledger.checkpoint().map(|checkpoint| EgressResponse::Checkpoint(checkpoint.to_string()))
        }
        EgressRequest::Hello { .. } | EgressRequest::Generate { .. } => return None,
    };
    Some(response.unwrap_or_else(|error| EgressResponse::Failed { error }))
}

fn answer(
    service: &Service,
    load: &Load,
    caller: &Arc<Caller>,
    id: u32,
    session: &SessionName,
    call: &Call,
) -> Result<EgressResponse> {
    let _counted = Counted::new(&load.requests);
    if load.requests.load(SeqCst) > MAX_REQUESTS {
        return Err(Error::new(Kind::OutOfMemory, "too many requests to endpoints are in progress")
            .detail(format!("The limit is {MAX_REQUESTS}."))
            .hint("Try again later."));
    }
    let served = catch_unwind(AssertUnwindSafe(|| call::serve(service, caller, id, session, call)));
    served.unwrap_or_else(|panic| {
        // What a panic says may hold anything; this goes to the log of nobody.
        drop(panic_message(panic.as_ref()));
        Err(Error::new(Kind::Bug, "the egress process failed"))
    })
}

/// What `work` returns; `None` if it panics. What a panic says may hold anything and goes to the log of nobody.
pub fn panic_free<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}
