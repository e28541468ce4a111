//! What a session asks of the egress process: texts, vectors and scores of an endpoint, its state.
//!
//! Each request has a connection of its own. Closing it, as an error or a cancel does, ends the request. No lock of ours is
//! held while waiting. A request is never sent again by itself, because it may have left the machine.

mod computation;
mod generation;
pub mod ledger;
mod registered;

pub use computation::Computation;
pub use generation::{Generation, warn_if_cut};
pub use registered::{find, registered, require_open, require_unlabelled, row};

use crate::child_client::{self, Channel, Greeting, Lost, Outgoing};
use crate::pg::{allocator, backend, client, run_as, transaction};
use crate::supervisor;
use crate::supervisor::program::EGRESS;
use socle_core::protocol::{
    EGRESS_LOCK, EGRESS_PROTOCOL_VERSION, EgressReport, EgressRequest, EgressResponse, MAX_EGRESS_FRAME, SessionName,
    encode,
};
use socle_core::{Error, Kind, Result, memory};
use std::cell::RefCell;
use std::sync::Once;

/// The state of the egress process, or `None` when none runs. Starts none.
///
/// # Errors
/// `EngineUnavailable` when it runs and does not answer.
pub fn report() -> Result<Option<EgressReport>> {
    let Some(channel) = open()? else { return Ok(None) };
    let mut exchange = Exchange::new(channel, &EgressRequest::Report)?;
    match exchange.receive() {
        Ok(EgressResponse::Report(report)) => Ok(Some(*report)),
        Ok(EgressResponse::Failed { error }) | Err(Lost::Failed(error)) => Err(error),
        Ok(_) => Err(unexpected()),
        Err(Lost::Left | Lost::Died) => Ok(None),
    }
}

/// Why the supervisor could not start it the last time that a session asked for it.
pub fn failure() -> Option<String> {
    EGRESS.failure().map(|(reason, _)| reason)
}

/// Whether it is about to listen.
pub fn is_starting() -> bool {
    supervisor::is_locked(EGRESS_LOCK)
}

/// A request under way. Dropping it ends the work on it.
#[derive(Debug)]
struct Exchange {
    channel: Channel,
    outgoing: Outgoing,
}

impl Exchange {
    /// Sends a request, and has the egress process started if there is none.
    fn start(request: &EgressRequest<'_>) -> Result<Self> {
        Self::new(child_client::connect(&EGRESS, &mut open)?, request)
    }

    fn new(channel: Channel, request: &EgressRequest<'_>) -> Result<Self> {
        let mut exchange = Self { channel, outgoing: Outgoing::default() };
        exchange.send(request)?;
        Ok(exchange)
    }

    /// Sends a further request, after the last answer.
    fn send(&mut self, request: &EgressRequest<'_>) -> Result<()> {
        let frame = encode(1, 0, request)?;
        if frame.len() > MAX_EGRESS_FRAME {
            return Err(Error::new(Kind::InputTooLong, "request is too large for an endpoint")
                .detail(format!("It has {} bytes, the limit is {MAX_EGRESS_FRAME}.", frame.len())));
        }
        self.outgoing.add(frame)?;
        self.channel.send(&mut self.outgoing);
        Ok(())
    }

    /// The next answer.
    fn answer(&mut self) -> Result<EgressResponse> {
        match self.receive() {
            Ok(EgressResponse::Failed { error }) | Err(Lost::Failed(error)) => Err(error),
            Ok(answer) => Ok(answer),
            Err(Lost::Left | Lost::Died) => {
                Err(Error::new(Kind::ConnectionLost, "the socle egress process ended before the answer was complete")
                    .detail("The request may have been sent, so it was not sent again.")
                    .hint("Try again. The server log has details."))
            }
        }
    }

    /// The next answer that is more than a sign of life.
    fn receive(&mut self) -> Result<EgressResponse, Lost> {
        loop {
            while let Some(frame) = self.channel.next_frame()? {
                // Decoding makes allocations, together as large as the frame.
                allocator::restock()?;
                memory::ensure(frame.len().saturating_mul(2))?;
                match frame.message()? {
                    EgressResponse::Alive => {}
                    answer => return Ok(answer),
                }
            }
            self.channel.transfer(&mut self.outgoing, None)?;
            // Nobody reads what is written for a client that is gone.
            client::require_connected();
        }
    }
}

fn open() -> Result<Option<Channel>> {
    static RESERVED: Once = Once::new();
    // Two descriptors, that of a request and the one that is kept for the ledger, counted against max_files_per_process like
    // those of Postgres.
    RESERVED.call_once(|| (0..2).for_each(|_| backend::reserve_descriptor()));
    let hello = EgressRequest::Hello { protocol: EGRESS_PROTOCOL_VERSION, session: session() };
    let hello = encode(0, 0, &hello)?;
    Channel::open(&EGRESS, hello, &|frame| {
        Ok(match frame.message()? {
            EgressResponse::Welcome { .. } => Greeting::Welcome,
            EgressResponse::Failed { error } => Greeting::Failed(error),
            _ => Greeting::Unexpected,
        })
    })
}

thread_local! {
    /// Who a worker is while no transaction is open: whose rights it had when it was last asked whether a door is open.
    static REMEMBERED: RefCell<SessionName> = RefCell::default();
}

/// Remembers who this session is, inside a transaction.
fn remember_session() {
    REMEMBERED.replace(session());
}

/// Who this session is.
fn session() -> SessionName {
    if !transaction::is_open() {
        return REMEMBERED.with_borrow(Clone::clone);
    }
    SessionName {
        database: backend::database_name(),
        role: run_as::role_name(run_as::current_user()),
        session_role: run_as::role_name(run_as::session_user()),
        pid: std::process::id(),
    }
}

/// Has the egress process started if there is none, and waits until it listens.
///
/// # Errors
/// When it does not start.
pub fn start() -> Result<()> {
    child_client::connect(&EGRESS, &mut open).map(drop)
}

fn unexpected() -> Error {
    child_client::unexpected(&EGRESS)
}
