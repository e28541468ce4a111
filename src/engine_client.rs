//! A session's connection to the engine: connects (having the engine started if there is none), sends requests,
//! collects answers, and carries on when the engine dies in between.
//!
//! The connection outlives a statement that succeeds. A statement that fails or is cancelled closes it, and the engine
//! stops working for it. No transaction state and no lock of ours is held while waiting.

pub mod batch;
mod connection;
pub mod embedding;

use crate::pg::wait;
use crate::supervisor;
use connection::{Connection, Lost};
use socle_core::protocol::{EngineReport, FAILURE_FILE, RUNTIME_DIRECTORY, Request, Response};
use socle_core::{Error, Kind, Result};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

/// Longest wait for an engine to come up.
const START_PATIENCE: Duration = Duration::from_secs(15);

/// Time between two attempts to connect.
const RETRY: Duration = Duration::from_millis(10);

/// Time after which a supervisor that was requested and has not started is requested again.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// Longest wait for a free worker slot: parallel workers come and go.
const SLOT_PATIENCE: Duration = Duration::from_secs(2);

/// Engine deaths after which a statement fails, though it is not known to have caused one. The engine dies at most
/// about once a second.
const MAX_DEATHS: usize = 100;

thread_local! {
    /// The connection between statements. Taken out while in use, so that an error on the way closes it.
    static IDLE: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

/// A request with its number in the statement, and whether an engine died while it was being processed.
#[derive(Clone, Copy, Debug)]
struct Pending {
    number: usize,
    suspect: bool,
}

/// Sends `count` requests, made one by one as the engine takes them, and passes the complete answers of each to
/// `answer`, in the order in which they come.
///
/// # Errors
/// `EngineUnavailable` when there is no engine, `NoWorkerSlot` when none can be started, `InferenceFailed` when the
/// engine died of a request, and whatever `answer` returns.
pub fn exchange<'a>(
    count: usize,
    request: &dyn Fn(usize) -> Request<'a>,
    answer: &mut dyn FnMut(usize, Vec<Response>) -> Result<()>,
) -> Result<()> {
    exchange_as_made(count, &|number| Ok(Some(request(number))), answer)
}

/// Like [`exchange`], with requests that take some time to make, or that turn out to be unnecessary (`None`). Each is
/// sent before the next is made, so that the engine works on it meanwhile.
///
/// # Errors
/// Those of [`exchange`], and whatever `request` returns.
pub fn exchange_as_made<'a>(
    count: usize,
    request: &dyn Fn(usize) -> Result<Option<Request<'a>>>,
    answer: &mut dyn FnMut(usize, Vec<Response>) -> Result<()>,
) -> Result<()> {
    let mut pending: VecDeque<Pending> = (0..count).map(|number| Pending { number, suspect: false }).collect();
    let mut deaths = 0;
    while !pending.is_empty() {
        let mut connection = connect()?;
        match connection.pipeline(&mut pending, request, answer) {
            Ok(()) => IDLE.with(|idle| idle.replace(Some(connection))),
            Err(Lost::Left) => None,
            Err(Lost::Died { alone: true }) => {
                return Err(Error::new(Kind::InferenceFailed, "the socle engine crashed on this request")
                    .detail("No other request was running. The server log may have details.")
                    .hint("Find the text by bisecting those of the statement, or try another model."));
            }
            Err(Lost::Died { alone: false }) => {
                deaths += 1;
                if deaths == MAX_DEATHS {
                    return Err(unavailable(&format!("The engine crashed {deaths} times during this statement.")));
                }
                None
            }
            Err(Lost::Failed(error)) => return Err(error),
        };
    }
    Ok(())
}

/// Sends one request and returns its answers.
///
/// # Errors
/// Those of [`exchange`].
pub fn ask(request: Request<'_>) -> Result<Vec<Response>> {
    let mut answers = Vec::new();
    exchange(1, &|_| request.clone(), &mut |_, parts| {
        answers = parts;
        Ok(())
    })?;
    Ok(answers)
}

/// The state of the engine, or `None` when none runs. Starts none.
///
/// # Errors
/// `EngineUnavailable` when it runs and does not answer.
pub fn report() -> Result<Option<EngineReport>> {
    let connection = match idle() {
        Some(connection) => Some(connection),
        None => Connection::open()?,
    };
    if connection.is_none() {
        return Ok(None);
    }
    IDLE.with(|idle| idle.replace(connection));
    match ask(Request::Report)?.pop() {
        Some(Response::Report(report)) => Ok(Some(*report)),
        _ => Err(unexpected()),
    }
}

/// The error for an answer of the wrong kind.
pub fn unexpected() -> Error {
    Error::new(Kind::Bug, "the socle engine sent a response of an unexpected type")
}

/// The connection of an earlier statement, if its engine is still alive.
fn idle() -> Option<Connection> {
    IDLE.with(RefCell::take).filter(Connection::is_alive)
}

/// A connection to an engine, started if need be.
fn connect() -> Result<Connection> {
    if let Some(connection) = idle() {
        return Ok(connection);
    }
    let begun = Instant::now();
    let mut asked: Option<Instant> = None;
    let mut start_lock = None;
    loop {
        if let Some(connection) = Connection::open()? {
            return Ok(connection);
        }
        if supervisor::is_running() {
            if let Some(reason) = failure() {
                return Err(unavailable(&reason));
            }
        } else if asked.is_none_or(|asked| asked.elapsed() > ASK_AGAIN) {
            if start_lock.is_none() {
                let unusable = |error| unavailable(&format!("Its runtime directory cannot be used: {error}."));
                start_lock = supervisor::try_start_lock().map_err(unusable)?;
            }
            if start_lock.is_some() {
                match supervisor::register_now() {
                    Ok(()) => asked = Some(Instant::now()),
                    // One that was requested before may still be starting.
                    Err(error) if asked.is_none() && begun.elapsed() > SLOT_PATIENCE => return Err(error),
                    Err(_) => {}
                }
            }
        }
        if begun.elapsed() > START_PATIENCE {
            return Err(unavailable(&format!("It did not start within {} s.", START_PATIENCE.as_secs())));
        }
        wait::wait_for_time(RETRY);
    }
}

/// Why the supervisor cannot start an engine.
pub fn failure() -> Option<String> {
    std::fs::read_to_string(Path::new(RUNTIME_DIRECTORY).join(FAILURE_FILE)).ok().filter(|reason| !reason.is_empty())
}

fn unavailable(detail: &str) -> Error {
    Error::new(Kind::EngineUnavailable, "the socle engine is not available")
        .detail(detail)
        .hint("The server log has details; the engine is restarted automatically.")
}
