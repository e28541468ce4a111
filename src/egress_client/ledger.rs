//! What a session asks of the process that writes the ledger. An entry that was not confirmed may be in the ledger all the same.

use super::{Exchange, unexpected};
use crate::child_client::Lost;
use crate::pg::wait;
use socle_core::protocol::{EgressRequest, EgressResponse, SessionName};
use socle_core::{Error, Kind, Result};
use std::cell::RefCell;
use std::time::{Duration, Instant};

/// Longest time for which a process that takes no more connections, or leaves, is asked again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Time between two attempts.
const RETRY: Duration = Duration::from_millis(10);

/// An entry that is on disk.
#[derive(Clone, Debug)]
pub struct Appended {
    /// The chain that it is in.
    pub origin: String,
    /// Its number there.
    pub number: u64,
}

/// Appends entries, given by kind and fields, in this order.
///
/// # Errors
/// Those of the ledger and of the process: the entry, or one of those after it, may not be there.
pub fn append(entries: &[(&str, String)]) -> Result<Vec<Appended>> {
    let mut appended = Vec::new();
    for (kind, fields) in entries {
        let request = EgressRequest::Append { kind: (*kind).to_string(), fields: fields.clone() };
        match ask(&request)? {
            EgressResponse::Appended { origin, number, .. } => appended.push(Appended { origin, number }),
            _ => return Err(unexpected()),
        }
    }
    Ok(appended)
}

/// Has entries from before a time removed. Returns the numbers of files and entries.
///
/// # Errors
/// As [`append`].
pub fn prune(before: String) -> Result<(u64, u64)> {
    match ask(&EgressRequest::Prune { before })? {
        EgressResponse::Pruned { segments, entries } => Ok((segments, entries)),
        _ => Err(unexpected()),
    }
}

/// The text of a checkpoint.
///
/// # Errors
/// As [`append`].
pub fn checkpoint() -> Result<String> {
    match ask(&EgressRequest::Checkpoint)? {
        EgressResponse::Checkpoint(text) => Ok(text),
        _ => Err(unexpected()),
    }
}

thread_local! {
    /// The connection of this session, and who it was opened for. The process closes it after some seconds without a request.
    static KEPT: RefCell<Option<(SessionName, Exchange)>> = const { RefCell::new(None) };
}

/// The response to a request that may be sent twice: what that does is to say something twice.
fn ask(request: &EgressRequest<'_>) -> Result<EgressResponse> {
    let (begun, session) = (Instant::now(), super::session());
    loop {
        // Taken out, so that an error or a cancel closes it: its response would be that to the next request.
        let kept = KEPT.take().filter(|(kept, exchange)| *kept == session && exchange.channel.is_alive());
        let mut exchange = match kept {
            Some((_, mut exchange)) => {
                exchange.send(request)?;
                exchange
            }
            None => Exchange::start(request)?,
        };
        match exchange.receive() {
            Err(Lost::Failed(error)) => return Err(error),
            Ok(response) => {
                KEPT.set(Some((session, exchange)));
                return match response {
                    EgressResponse::Failed { error } => Err(error),
                    response => Ok(response),
                };
            }
            Err(Lost::Left | Lost::Died) if begun.elapsed() < PATIENCE => wait::wait_for_time(RETRY),
            Err(Lost::Left | Lost::Died) => {
                return Err(Error::new(
                    Kind::ConnectionLost,
                    "the process that writes the ledger ended again and again",
                )
                .hint("The server log has details."));
            }
        }
    }
}
