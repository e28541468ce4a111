//! What a session does alike with the engine, the generator and the egress process: connecting to the program, having it started if there
//! is none, and exchanging frames.

mod channel;

pub use channel::{Channel, Greeting, Lost, Outgoing};

use crate::pg::wait;
use crate::supervisor::program::Program;
use crate::supervisor::{self, wake};
use socle_core::{Error, Kind, Result};
use std::time::{Duration, Instant};

/// Longest wait for a program to come up.
const START_PATIENCE: Duration = Duration::from_secs(15);

/// Time between two attempts to connect.
const RETRY: Duration = Duration::from_millis(10);

/// Time after which a supervisor that was requested and has not started is requested again.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// Time after which the supervisor is asked again for a program that is started on demand: it may not have listened yet.
const WANT_AGAIN: Duration = Duration::from_millis(200);

/// Longest wait for a free worker slot: parallel workers come and go.
const SLOT_PATIENCE: Duration = Duration::from_secs(2);

/// Age up to which the failure of a program that is started on demand counts. The supervisor has had the longest of its
/// pauses by then, so the program is tried again at once.
const FAILURE_COUNTS: Duration = Duration::from_secs(10);

/// A connection made by `open`, which returns `None` while there is no program that listens. Has the program started if
/// need be.
///
/// # Errors
/// `EngineUnavailable` when the program does not start, `NoWorkerSlot` when no supervisor can be started, and what `open`
/// returns.
pub fn connect<T>(program: &Program, open: &mut dyn FnMut() -> Result<Option<T>>) -> Result<T> {
    let begun = Instant::now();
    let mut asked: Option<Instant> = None;
    let mut wanted: Option<Instant> = None;
    let mut start_lock = None;
    loop {
        if let Some(connection) = open()? {
            return Ok(connection);
        }
        if supervisor::is_running() {
            if let Some(message) = program.wanted_by
                && wanted.is_none_or(|wanted| wanted.elapsed() > WANT_AGAIN)
            {
                wanted = Some(Instant::now());
                wake::notify(message);
            }
            if let Some((reason, age)) = program.failure()
                && (!program.is_on_demand() || age < FAILURE_COUNTS)
            {
                return Err(unavailable(program, &reason));
            }
        } else if asked.is_none_or(|asked| asked.elapsed() > ASK_AGAIN) {
            if start_lock.is_none() {
                let unusable = |error| unavailable(program, &format!("Its runtime directory cannot be used: {error}."));
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
            return Err(unavailable(program, &format!("It did not start within {} s.", START_PATIENCE.as_secs())));
        }
        wait::wait_for_time(RETRY);
    }
}

/// The error for a program that cannot be used.
pub fn unavailable(program: &Program, detail: &str) -> Error {
    let hint = if program.is_on_demand() {
        "The server log has details; it is started again when it is needed."
    } else {
        "The server log has details; the engine is restarted automatically."
    };
    Error::new(Kind::EngineUnavailable, format!("the socle {} is not available", program.name))
        .detail(detail)
        .hint(hint)
}

/// The error for an answer of the wrong kind.
pub fn unexpected(program: &Program) -> Error {
    Error::new(Kind::Bug, format!("the socle {} sent a response of an unexpected type", program.name))
}
