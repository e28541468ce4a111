//! A connection to one engine: several requests at once, answered in any order.

use super::{Pending, unexpected};
use crate::child_client::{Channel, Greeting, Lost, Outgoing};
use crate::pg::{allocator, backend};
use crate::supervisor::program::ENGINE;
use socle_core::protocol::{FLAG_SUSPECT, Frame, PROTOCOL_VERSION, Request, Response, encode};
use socle_core::{Result, memory};
use std::collections::{HashMap, VecDeque};
use std::sync::Once;
use std::time::Instant;

/// Most requests sent and not answered; the engine reads no more than that from one connection.
const MAX_UNDER_WAY: usize = 8;

/// A connection that has been accepted by the engine.
#[derive(Debug)]
pub struct Connection {
    channel: Channel,
    next_id: u32,
    /// Requests that were sent and are not fully answered, by the number that the engine knows them by.
    under_way: HashMap<u32, UnderWay>,
    outgoing: Outgoing,
    died_alone: bool,
}

/// A request that was sent and is not yet fully answered.
#[derive(Debug)]
struct UnderWay {
    pending: Pending,
    parts: Vec<Response>,
    alone: bool,
}

impl Connection {
    /// Connects to the running engine, if there is one.
    ///
    /// # Errors
    /// `EngineUnavailable` when it does not answer or speaks another protocol.
    pub fn open() -> Result<Option<Self>> {
        static RESERVED: Once = Once::new();
        // One descriptor for the life of this session, counted against max_files_per_process like those of Postgres.
        RESERVED.call_once(backend::reserve_descriptor);
        let hello = encode(0, 0, &Request::Hello { protocol: PROTOCOL_VERSION })?;
        let read = |frame: &Frame<'_>| {
            Ok(match frame.message()? {
                Response::Welcome { .. } => Greeting::Welcome,
                Response::Goodbye => Greeting::Goodbye,
                Response::Failed { error, .. } => Greeting::Failed(error),
                _ => Greeting::Unexpected,
            })
        };
        let channel = Channel::open(&ENGINE, hello, &read)?;
        Ok(channel.map(|channel| Self {
            channel,
            next_id: 1,
            under_way: HashMap::new(),
            outgoing: Outgoing::default(),
            died_alone: false,
        }))
    }

    /// Whether the engine at the other end still lives.
    pub fn is_alive(&self) -> bool {
        self.channel.is_alive()
    }

    /// Whether the engine died while it processed one of our requests with no other beside it.
    pub fn died_alone(&self) -> bool {
        self.died_alone
    }

    /// Sends what is pending and passes on the answers, until all has been answered (true), or until `until`. Requests
    /// leave `pending` when they are sent; those that were sent when the connection was lost are put back.
    pub fn pipeline<'a>(
        &mut self,
        pending: &mut VecDeque<Pending>,
        request: &dyn Fn(usize) -> Result<Option<Request<'a>>>,
        answer: &mut dyn FnMut(usize, Vec<Response>) -> Result<()>,
        until: Option<Instant>,
    ) -> Result<bool, Lost> {
        let result = self.exchange(pending, request, answer, until);
        if let Err(lost) = &result {
            let died = matches!(lost, Lost::Died);
            self.died_alone = died && self.under_way.values().any(|sent| sent.alone);
            for sent in std::mem::take(&mut self.under_way).into_values() {
                pending.push_front(Pending { suspect: sent.pending.suspect || died, ..sent.pending });
            }
        }
        result
    }

    fn exchange<'a>(
        &mut self,
        pending: &mut VecDeque<Pending>,
        request: &dyn Fn(usize) -> Result<Option<Request<'a>>>,
        answer: &mut dyn FnMut(usize, Vec<Response>) -> Result<()>,
        until: Option<Instant>,
    ) -> Result<bool, Lost> {
        loop {
            while self.under_way.len() < MAX_UNDER_WAY
                && let Some(next) = pending.pop_front()
            {
                let Some(request) = request(next.number)? else { continue };
                let id = self.next_id;
                self.next_id = self.next_id.wrapping_add(1).max(1);
                let flags = if next.suspect { FLAG_SUSPECT } else { 0 };
                self.outgoing.add(encode(id, flags, &request)?)?;
                self.under_way.insert(id, UnderWay { pending: next, parts: Vec::new(), alone: false });
                self.channel.send(&mut self.outgoing);
            }
            if self.under_way.is_empty() {
                return Ok(true);
            }
            let has_come = self.channel.transfer(&mut self.outgoing, until)?;
            while let Some(frame) = self.channel.next_frame()? {
                take_frame(&frame, &mut self.under_way, answer)?;
            }
            if !has_come {
                return Ok(false);
            }
        }
    }
}

fn take_frame(
    frame: &Frame<'_>,
    under_way: &mut HashMap<u32, UnderWay>,
    answer: &mut dyn FnMut(usize, Vec<Response>) -> Result<()>,
) -> Result<(), Lost> {
    // Decoding makes many allocations, together as large as the frame, and larger for small pieces.
    allocator::restock()?;
    memory::ensure(frame.len().saturating_mul(2))?;
    let response: Response = frame.message()?;
    match response {
        Response::Alive => return Ok(()),
        Response::Goodbye => return Err(Lost::Left),
        _ => {}
    }
    let Some(sent) = under_way.get_mut(&frame.id) else { return Err(unexpected().into()) };
    match response {
        Response::Alone => sent.alone = true,
        Response::NotAlone => sent.alone = false,
        response if !response.is_last() => sent.parts.push(response),
        response => {
            let Some(mut sent) = under_way.remove(&frame.id) else { return Err(unexpected().into()) };
            sent.parts.push(response);
            answer(sent.pending.number, sent.parts)?;
        }
    }
    Ok(())
}
