//! A text that the generator is writing, piece by piece.

use super::exchange::Exchange;
use super::{frame, unexpected};
use socle_core::Result;
use socle_core::generator::{Constraint, Finish, GeneratorSpec, Message};
use socle_core::protocol::{GeneratorRequest, GeneratorResponse};

/// How a text is to be written.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// Most tokens of the text.
    pub max_tokens: u32,
    /// 0 takes the most likely token each time; 1 draws tokens with the probabilities of the model.
    pub temperature: f32,
    /// Makes a drawn text repeatable.
    pub seed: Option<u64>,
    /// Texts before which it ends.
    pub stop: Vec<&'a str>,
    /// What it has to look like.
    pub constraint: Constraint<'a>,
}

/// A text that is complete.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Generated {
    /// The text.
    pub text: String,
    /// Tokens of the conversation.
    pub prompt_tokens: u32,
    /// Tokens of the text.
    pub answer_tokens: u32,
    /// Why it ended.
    pub finish: Finish,
}

/// A text that is being written. It owns what it needs, so it can be kept between the rows of a function that returns a
/// set. Dropping it stops the generator.
#[derive(Debug)]
pub struct Generation {
    exchange: Exchange,
    outcome: Option<(u32, u32, Finish)>,
}

impl Generation {
    /// Sends the request, and has the generator started if there is none.
    ///
    /// # Errors
    /// Those of [`super::generate`].
    pub fn start(generator: &GeneratorSpec, messages: &[Message<'_>], options: &Options<'_>) -> Result<Self> {
        let request = GeneratorRequest::Generate {
            generator: generator.clone(),
            messages: messages.to_vec(),
            max_tokens: options.max_tokens,
            temperature: options.temperature,
            seed: options.seed,
            stop: options.stop.clone(),
            constraint: options.constraint.clone(),
        };
        Ok(Self { exchange: Exchange::start(frame(&request)?)?, outcome: None })
    }

    /// Waits for a further piece of the text; `None` when it is complete.
    ///
    /// # Errors
    /// Those of [`super::generate`]. After an error there is no further piece.
    pub fn next_text(&mut self) -> Result<Option<String>> {
        if self.outcome.is_some() {
            return Ok(None);
        }
        match self.exchange.answer()?.ok_or_else(unexpected)? {
            GeneratorResponse::Text(piece) => {
                self.exchange.set_used();
                // A text of Postgres holds no NUL, and a model may write one.
                Ok(Some(piece.replace('\0', "\u{fffd}")))
            }
            GeneratorResponse::Generated { prompt_tokens, answer_tokens, finish } => {
                self.outcome = Some((prompt_tokens, answer_tokens, finish));
                Ok(None)
            }
            _ => Err(unexpected()),
        }
    }

    /// What is known of the text once [`Self::next_text`] has returned `None`, with the text itself, which the caller has
    /// collected.
    ///
    /// # Errors
    /// `Bug` before that.
    pub fn generated(&self, text: String) -> Result<Generated> {
        let (prompt_tokens, answer_tokens, finish) = self.outcome.ok_or_else(unexpected)?;
        Ok(Generated { text, prompt_tokens, answer_tokens, finish })
    }
}
