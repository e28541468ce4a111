//! A text that an endpoint is writing, piece by piece.

use super::{Exchange, registered::require_open, unexpected};
use socle_core::Result;
use socle_core::endpoint::{CorpusPolicy, EndpointSpec, estimated_tokens, refusal};
use socle_core::generator::{Finish, Message};
use socle_core::protocol::{EgressRequest, EgressResponse};

/// From this size on, a server that read much less than it was sent is told about.
const MIN_SUSPICIOUS_BYTES: usize = 4_000;

/// No tokenizer has tokens of more bytes than this on average over a text of that size.
const MAX_BYTES_PER_TOKEN: usize = 10;

/// A text that is being written. Dropping it ends the request.
#[derive(Debug)]
pub struct Generation {
    exchange: Exchange,
    sent_bytes: usize,
    messages: usize,
    received_bytes: usize,
    outcome: Option<(u32, u32, Finish)>,
}

impl Generation {
    /// Sends the request, and has the egress process started if there is none. The conversation has questions to these
    /// corpora, or passages of them.
    ///
    /// # Errors
    /// `NotPermitted` where a corpus does not allow the endpoint; what the egress process refuses.
    pub fn start(
        endpoint: &EndpointSpec,
        corpora: &[CorpusPolicy],
        messages: &[Message<'_>],
        options: (u32, f32, Option<u64>),
        stop: &[&str],
    ) -> Result<Self> {
        // The egress process asks this again.
        if let Some(error) = refusal(&endpoint.name, corpora) {
            return Err(error);
        }
        require_open(endpoint, corpora)?;
        let (max_tokens, temperature, seed) = options;
        let request = EgressRequest::Generate {
            endpoint: Box::new(endpoint.clone()),
            corpora: corpora.to_vec(),
            messages: messages.to_vec(),
            max_tokens,
            temperature,
            seed,
            stop: stop.to_vec(),
        };
        Ok(Self {
            exchange: Exchange::start(&request)?,
            sent_bytes: messages.iter().map(|message| message.content.len()).sum(),
            messages: messages.len(),
            received_bytes: 0,
            outcome: None,
        })
    }

    /// Waits for a further piece of the text; `None` when it is complete.
    ///
    /// # Errors
    /// Those of [`Self::start`]; those of the endpoint and the connection to it.
    pub fn next_text(&mut self) -> Result<Option<String>> {
        if self.outcome.is_some() {
            return Ok(None);
        }
        match self.exchange.answer()? {
            EgressResponse::Text(piece) => {
                self.received_bytes += piece.len();
                // A text of Postgres holds no NUL.
                Ok(Some(piece.replace('\0', "\u{fffd}")))
            }
            EgressResponse::Generated { prompt_tokens, answer_tokens, finish } => {
                warn_if_cut(self.sent_bytes, prompt_tokens.map(u64::from));
                if self.received_bytes == 0 {
                    pgrx::warning!(
                        "the endpoint has written no text: a model that thinks first may need more max_tokens"
                    );
                }
                let estimate = |bytes, messages| u32::try_from(estimated_tokens(bytes, messages)).unwrap_or(u32::MAX);
                self.outcome = Some((
                    prompt_tokens.unwrap_or_else(|| estimate(self.sent_bytes, self.messages)),
                    answer_tokens.unwrap_or_else(|| estimate(self.received_bytes, 0)),
                    finish,
                ));
                Ok(None)
            }
            _ => Err(unexpected()),
        }
    }

    /// Tokens of prompt and answer and why it ended, once it has: as the server counts them, or else estimated.
    ///
    /// # Errors
    /// `Bug` before that.
    pub fn outcome(&self) -> Result<(u32, u32, Finish)> {
        self.outcome.ok_or_else(unexpected)
    }
}

/// Warns of a server that has read far fewer tokens than it was sent: some cut what is too long for them and say nothing.
pub fn warn_if_cut(sent_bytes: usize, tokens: Option<u64>) {
    let Some(read) = tokens else { return };
    if sent_bytes >= MIN_SUSPICIOUS_BYTES && read < (sent_bytes / MAX_BYTES_PER_TOKEN) as u64 {
        pgrx::warning!(
            "the server of the endpoint read {read} tokens of {sent_bytes} bytes: it seems to have cut them, so give it a larger context, or the endpoint fewer context_tokens, its model fewer max_tokens"
        );
    }
}
