//! A session's connection to the engine: connects (having the engine started if there is none), sends requests,
//! collects answers, and carries on when the engine dies in between.
//!
//! The connection outlives a statement that succeeds. A statement that fails or is cancelled closes it, and the engine
//! stops working for it. No transaction state and no lock of ours is held while waiting.

pub mod batch;
mod connection;
pub mod elsewhere;
pub mod embedding;

use crate::child_client::{self, Lost, unavailable};
use crate::supervisor::program::ENGINE;
use connection::Connection;
use elsewhere::Elsewhere;
use socle_core::protocol::{EngineReport, Request, Response};
use socle_core::{Error, Kind, Result};
use std::cell::RefCell;
use std::collections::VecDeque;

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
/// sent before the next is made, so that the engine works on it meanwhile. A request whose model runs on an endpoint goes
/// there, and is answered after those of the engine.
///
/// # Errors
/// Those of [`exchange`], and whatever `request` returns.
pub fn exchange_as_made<'a>(
    count: usize,
    request: &dyn Fn(usize) -> Result<Option<Request<'a>>>,
    answer: &mut dyn FnMut(usize, Vec<Response>) -> Result<()>,
) -> Result<()> {
    let elsewhere = RefCell::new(Elsewhere::default());
    let of_engine = |number: usize| match request(number)? {
        Some(request) => elsewhere.borrow_mut().take(number, request),
        None => Ok(None),
    };
    exchange_with_engine(count, &of_engine, answer)?;
    elsewhere.into_inner().finish(answer)
}

fn exchange_with_engine<'a>(
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
            Err(Lost::Died) if connection.died_alone() => {
                return Err(Error::new(Kind::InferenceFailed, "the socle engine crashed on this request")
                    .detail("No other request was running. The server log may have details.")
                    .hint("Find the text by bisecting those of the statement, or try another model."));
            }
            Err(Lost::Died) => {
                deaths += 1;
                if deaths == MAX_DEATHS {
                    let crashed = format!("The engine crashed {deaths} times during this statement.");
                    return Err(unavailable(&ENGINE, &crashed));
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
    child_client::unexpected(&ENGINE)
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
    child_client::connect(&ENGINE, &mut Connection::open)
}

/// Why the supervisor cannot start an engine.
pub fn failure() -> Option<String> {
    ENGINE.failure().map(|(reason, _)| reason)
}
