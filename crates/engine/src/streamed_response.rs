//! Sends a long response in parts with flow control: a part is sent when the backend has read the one before it, so that
//! a response of any length takes the memory of two parts. Gives up on a backend that cancels or does not read.

use crate::request::Request;
use crate::response_queue::ResponseQueue;
use socle_core::protocol::Response;
use socle_core::{Error, Kind, Result};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// Longest wait until a part is written to the socket. A backend that does not read blocks a worker for that long.
const SEND_TIMEOUT: Duration = Duration::from_secs(60);

/// Interval at which the wait checks whether the request was cancelled.
const CANCEL_INTERVAL: Duration = Duration::from_millis(100);

/// The partial responses of one request. The final one is sent with [`ResponseQueue::answer`].
pub struct StreamedResponse<'a> {
    responses: &'a ResponseQueue,
    request: &'a Request,
    /// Notified when the part that was sent last has been written to the socket; `None` before the first.
    written: Option<Receiver<()>>,
}

impl<'a> StreamedResponse<'a> {
    /// A response of which nothing has been sent.
    pub fn new(responses: &'a ResponseQueue, request: &'a Request) -> Self {
        Self { responses, request, written: None }
    }

    /// Sends a part once the one before it has been written to the socket.
    ///
    /// # Errors
    /// `Cancelled` when the request was cancelled or the backend has not read for `SEND_TIMEOUT`.
    pub fn send_part(&mut self, part: &Response) -> Result<()> {
        self.wait()?;
        let (written, wait) = sync_channel(1);
        self.responses.send_part(self.request, part, Some(written));
        self.written = Some(wait);
        Ok(())
    }

    fn wait(&mut self) -> Result<()> {
        let Some(written) = self.written.take() else { return Ok(()) };
        let begun = Instant::now();
        let cancelled = || Error::new(Kind::Cancelled, "the request was cancelled");
        loop {
            match written.recv_timeout(CANCEL_INTERVAL) {
                Ok(()) => return Ok(()),
                Err(RecvTimeoutError::Timeout) if begun.elapsed() > SEND_TIMEOUT => {
                    let seconds = SEND_TIMEOUT.as_secs();
                    return Err(cancelled().detail(format!("The session has read nothing for {seconds} s.")));
                }
                Err(RecvTimeoutError::Timeout) if !self.request.is_cancelled() => {}
                Err(_) => return Err(cancelled()),
            }
        }
    }
}
