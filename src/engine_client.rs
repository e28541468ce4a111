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
use std::time::Instant;

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
    Exchange::new(count).go_on(request, answer, None).map(drop)
}

/// Requests of which some are not answered yet. The engine stops working for them when this is dropped.
pub struct Exchange {
    pending: VecDeque<Pending>,
    /// Taken out while in use, so that an error on the way closes it; there is one if requests are under way.
    connection: Option<Connection>,
    deaths: usize,
    /// Those that go to an endpoint, for whose answers [`Self::go_on`] waits in the end, however long that takes.
    elsewhere: RefCell<Elsewhere>,
}

impl Exchange {
    /// An exchange of `count` requests, none of which is sent yet.
    pub fn new(count: usize) -> Self {
        let pending = (0..count).map(|number| Pending { number, suspect: false }).collect();
        Self { pending, connection: None, deaths: 0, elsewhere: RefCell::default() }
    }

    /// Goes on until all requests are answered (true), or until `until`. `request` and `answer` are those of
    /// [`exchange_as_made`], the same each time.
    ///
    /// # Errors
    /// Those of [`exchange_as_made`].
    pub fn go_on<'a>(
        &mut self,
        request: &dyn Fn(usize) -> Result<Option<Request<'a>>>,
        answer: &mut dyn FnMut(usize, Vec<Response>) -> Result<()>,
        until: Option<Instant>,
    ) -> Result<bool> {
        let elsewhere = &self.elsewhere;
        let of_engine = |number: usize| match request(number)? {
            Some(request) => elsewhere.borrow_mut().take(number, request),
            None => Ok(None),
        };
        while self.connection.is_some() || !self.pending.is_empty() {
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => connect()?,
            };
            match connection.pipeline(&mut self.pending, &of_engine, answer, until) {
                Ok(true) => drop(IDLE.with(|idle| idle.replace(Some(connection)))),
                Ok(false) => {
                    self.connection = Some(connection);
                    return Ok(false);
                }
                Err(Lost::Left) => {}
                Err(Lost::Died) if connection.died_alone() => {
                    return Err(Error::new(Kind::InferenceFailed, "the socle engine crashed on this request")
                        .detail("No other request was running. The server log may have details.")
                        .hint("Find the text by bisecting those of the statement, or try another model."));
                }
                Err(Lost::Died) => {
                    self.deaths += 1;
                    if self.deaths == MAX_DEATHS {
                        let crashed = format!("The engine crashed {MAX_DEATHS} times during this statement.");
                        return Err(unavailable(&ENGINE, &crashed));
                    }
                }
                Err(Lost::Failed(error)) => return Err(error),
            }
        }
        self.elsewhere.take().finish(answer)?;
        Ok(true)
    }
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
