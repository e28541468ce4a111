//! One request to the generator, on a connection of its own, with its answers.

use super::unexpected;
use crate::child_client::{self, Channel, Greeting, Lost, Outgoing};
use crate::pg::{allocator, backend, client};
use crate::supervisor::program::GENERATOR;
use socle_core::protocol::{Frame, GENERATOR_PROTOCOL_VERSION, GeneratorRequest, GeneratorResponse, encode};
use socle_core::{Error, Kind, Result, memory};
use std::sync::Once;

/// A request under way. Dropping it ends the work on it.
#[derive(Debug)]
pub struct Exchange {
    /// The request, kept so that it can be sent again.
    frame: Vec<u8>,
    /// `None` once the exchange is over.
    channel: Option<Channel>,
    outgoing: Outgoing,
    /// Whether the request may be sent to another generator.
    repeatable: bool,
    /// A generator died that had this request.
    has_died: bool,
}

impl Exchange {
    /// Sends a request, and has the generator started if there is none.
    ///
    /// # Errors
    /// Those of [`child_client::connect`]; `OutOfMemory`.
    pub fn start(frame: Vec<u8>) -> Result<Self> {
        let mut exchange =
            Self { frame, channel: None, outgoing: Outgoing::default(), repeatable: true, has_died: false };
        exchange.connect()?;
        Ok(exchange)
    }

    /// Sends a request to a generator that runs; `None` when none does. It is not repeated.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn with_running(frame: Vec<u8>) -> Result<Option<Self>> {
        let Some(channel) = open()? else { return Ok(None) };
        let mut outgoing = Outgoing::default();
        outgoing.add(frame)?;
        Ok(Some(Self { frame: Vec::new(), channel: Some(channel), outgoing, repeatable: false, has_died: false }))
    }

    fn connect(&mut self) -> Result<()> {
        let channel = child_client::connect(&GENERATOR, &mut open)?;
        self.outgoing = Outgoing::default();
        self.outgoing.add(memory::copy_bytes(&self.frame)?)?;
        channel.send(&mut self.outgoing);
        self.channel = Some(channel);
        Ok(())
    }

    /// Has the request not sent again, because a part of its answer has been used.
    pub fn set_used(&mut self) {
        self.repeatable = false;
    }

    /// The next answer; `None` once all have come, and where a request that is not repeated was lost.
    ///
    /// # Errors
    /// What the generator answers; `InferenceFailed` where it died in the middle, or twice; those of another connection.
    pub fn answer(&mut self) -> Result<Option<GeneratorResponse>> {
        loop {
            let Some(channel) = &mut self.channel else { return Ok(None) };
            match receive(channel, &mut self.outgoing) {
                Ok(answer) => {
                    if answer.is_last() {
                        self.channel = None;
                    }
                    return match answer {
                        GeneratorResponse::Failed { error } => Err(error),
                        answer => Ok(Some(answer)),
                    };
                }
                Err(lost) => {
                    self.channel = None;
                    self.recover(lost)?;
                }
            }
        }
    }

    fn recover(&mut self, lost: Lost) -> Result<()> {
        match lost {
            Lost::Failed(error) => Err(error),
            _ if self.frame.is_empty() => Ok(()),
            Lost::Left if self.repeatable => self.connect(),
            Lost::Died if self.repeatable && !self.has_died => {
                self.has_died = true;
                self.connect()
            }
            Lost::Died if self.repeatable => Err(Error::new(
                Kind::InferenceFailed,
                "the socle generator crashed on this request",
            )
            .detail("It was tried twice. The server log may have details.")
            .hint(
                "Try a shorter text or another generator. Another request that ran at the same time may be the cause.",
            )),
            Lost::Died => Err(interrupted("the socle generator crashed while it wrote this text")),
            Lost::Left => Err(interrupted("the socle generator was replaced while it wrote this text")),
        }
    }
}

fn interrupted(message: &str) -> Error {
    Error::new(Kind::InferenceFailed, message)
        .detail("A part of the text was in use already, so it was not begun again.")
        .hint("Try again. The server log has details.")
}

fn open() -> Result<Option<Channel>> {
    static RESERVED: Once = Once::new();
    // One descriptor, counted against max_files_per_process like those of Postgres.
    RESERVED.call_once(backend::reserve_descriptor);
    let hello = encode(0, 0, &GeneratorRequest::Hello { protocol: GENERATOR_PROTOCOL_VERSION })?;
    Channel::open(&GENERATOR, hello, &|frame| {
        Ok(match frame.message()? {
            GeneratorResponse::Welcome { .. } => Greeting::Welcome,
            GeneratorResponse::Goodbye => Greeting::Goodbye,
            GeneratorResponse::Failed { error } => Greeting::Failed(error),
            _ => Greeting::Unexpected,
        })
    })
}

/// The next answer that is more than a sign of life.
fn receive(channel: &mut Channel, outgoing: &mut Outgoing) -> Result<GeneratorResponse, Lost> {
    loop {
        while let Some(frame) = channel.next_frame()? {
            match read(&frame)? {
                GeneratorResponse::Alive => {}
                GeneratorResponse::Goodbye => return Err(Lost::Left),
                GeneratorResponse::Welcome { .. } => return Err(unexpected().into()),
                answer => return Ok(answer),
            }
        }
        channel.transfer(outgoing, None)?;
        // Nobody reads what is written for a client that is gone.
        client::require_connected();
    }
}

fn read(frame: &Frame<'_>) -> Result<GeneratorResponse> {
    // Decoding makes allocations, together as large as the frame.
    allocator::restock()?;
    memory::ensure(frame.len().saturating_mul(2))?;
    frame.message()
}
