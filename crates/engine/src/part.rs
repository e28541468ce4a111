//! Long answers in parts: one is made while the one before it leaves, so that an answer takes no more memory than its
//! reader has taken off us. Refuses to wait for a reader that is gone or reads nothing.

use crate::outbox::Outbox;
use crate::request::Request;
use socle_core::protocol::Response;
use socle_core::{Error, Kind, Result};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// Longest wait for a part of an answer to leave: a session that reads nothing holds a worker up.
const PART_PATIENCE: Duration = Duration::from_secs(60);

/// Time between two looks at whether anybody still waits.
const CANCEL_INTERVAL: Duration = Duration::from_millis(100);

/// Sends the parts of the answer to one request.
pub struct PartSender<'a> {
    outbox: &'a Outbox,
    request: &'a Request,
    /// Told when the last part has left.
    leaving: Option<Receiver<()>>,
}

impl<'a> PartSender<'a> {
    /// Nothing has been sent yet.
    pub fn new(outbox: &'a Outbox, request: &'a Request) -> Self {
        Self { outbox, request, leaving: None }
    }

    /// Sends a part after which more follow, once the one before it has left.
    ///
    /// # Errors
    /// `Cancelled` when nobody reads.
    pub fn send(&mut self, part: &Response) -> Result<()> {
        self.wait()?;
        let (written, wait) = sync_channel(1);
        self.outbox.send_part(self.request, part, Some(written));
        self.leaving = Some(wait);
        Ok(())
    }

    fn wait(&mut self) -> Result<()> {
        let Some(leaving) = self.leaving.take() else { return Ok(()) };
        let begun = Instant::now();
        let cancelled = || Error::new(Kind::Cancelled, "the request was cancelled");
        loop {
            match leaving.recv_timeout(CANCEL_INTERVAL) {
                Ok(()) => return Ok(()),
                Err(RecvTimeoutError::Timeout) if begun.elapsed() > PART_PATIENCE => {
                    let seconds = PART_PATIENCE.as_secs();
                    return Err(cancelled().detail(format!("The session has read nothing for {seconds} s.")));
                }
                Err(RecvTimeoutError::Timeout) if !self.request.is_cancelled() => {}
                Err(_) => return Err(cancelled()),
            }
        }
    }
}
