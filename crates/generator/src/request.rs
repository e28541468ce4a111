//! A request of a backend, from its message to its last response.

use crate::constraint;
use crate::responses::Responses;
use crate::sampler::Sampler;
use crate::stop::AnswerText;
use socle_core::generator::{Constraint, GeneratorOverrides, GeneratorSpec, Message, MessageRole};
use socle_core::protocol::{GeneratorRequest, GeneratorResponse};
use socle_core::{Error, Kind, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Highest temperature.
const MAX_TEMPERATURE: f32 = 5.0;

/// A request in progress. Its response goes to the connection it came from; nothing is sent after the last one.
#[derive(Clone, Debug)]
pub struct Request {
    /// Number of the connection.
    pub connection: u64,
    /// Number that the backend has given it.
    pub id: u32,
    /// When it arrived.
    pub arrived: Instant,
    cancelled: Arc<AtomicBool>,
    responses: Arc<Responses>,
}

impl Request {
    /// A request that has just arrived.
    pub fn new(connection: u64, id: u32, responses: Arc<Responses>) -> Self {
        Self { connection, id, arrived: Instant::now(), cancelled: Arc::default(), responses }
    }

    /// Marks it as one that nobody waits for.
    pub fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    /// Whether nobody waits for it.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Relaxed)
    }

    /// Sends a response.
    pub fn respond(&self, response: &GeneratorResponse) {
        self.responses.send(self.connection, self.id, response);
    }

    /// Sends the last response.
    pub fn fail(&self, error: Error) {
        self.respond(&GeneratorResponse::Failed { error });
    }
}

/// A message with a text of its own.
pub type OwnedMessage = (MessageRole, String);

/// What a request asks for.
#[derive(Debug)]
pub enum Task {
    /// See [`GeneratorRequest::Inspect`].
    Inspect {
        /// Name to register.
        name: String,
        /// Path of the file.
        file: String,
        /// Properties stated by the caller.
        overrides: GeneratorOverrides,
    },
    /// See [`GeneratorRequest::CountTokens`].
    Count {
        /// The generator.
        generator: GeneratorSpec,
        /// The conversation.
        messages: Vec<OwnedMessage>,
    },
    /// See [`GeneratorRequest::Generate`].
    Generate {
        /// The generator.
        generator: GeneratorSpec,
        /// The conversation.
        messages: Vec<OwnedMessage>,
        /// How the answer is made.
        answer: Box<Answer>,
    },
}

/// How an answer is made.
#[derive(Debug)]
pub struct Answer {
    /// Most tokens.
    pub max_tokens: usize,
    /// Chooses them.
    pub sampler: Sampler,
    /// Assembles and ends it.
    pub text: AnswerText,
}

impl Task {
    /// The task of a message; `None` for a message that is answered at once.
    ///
    /// # Errors
    /// `InvalidArgument` when an argument is outside of its range.
    pub fn new(request: GeneratorRequest<'_>) -> Result<Option<Self>> {
        Ok(Some(match request {
            GeneratorRequest::Hello { .. } | GeneratorRequest::Report => return Ok(None),
            GeneratorRequest::Inspect { name, file, overrides } => {
                Self::Inspect { name: name.into(), file: file.into(), overrides }
            }
            GeneratorRequest::CountTokens { generator, messages } => {
                Self::Count { generator, messages: owned(&messages)? }
            }
            GeneratorRequest::Generate { generator, messages, max_tokens, temperature, seed, stop, constraint } => {
                let answer = Box::new(Answer::new(max_tokens, temperature, seed, &stop, &constraint)?);
                Self::Generate { generator, messages: owned(&messages)?, answer }
            }
        }))
    }
}

impl Answer {
    fn new(
        max_tokens: u32,
        temperature: f32,
        seed: Option<u64>,
        stop: &[&str],
        constraint: &Constraint<'_>,
    ) -> Result<Self> {
        if max_tokens == 0 {
            return Err(Error::new(Kind::InvalidArgument, "an answer must be allowed at least one token"));
        }
        if !(0.0..=MAX_TEMPERATURE).contains(&temperature) {
            return Err(Error::new(
                Kind::InvalidArgument,
                format!("the temperature must be between 0 and {MAX_TEMPERATURE}"),
            ));
        }
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64);
        let sampler = Sampler::new(temperature, seed.unwrap_or_else(now), constraint::compile(constraint)?);
        Ok(Self { max_tokens: max_tokens as usize, sampler, text: AnswerText::new(stop)? })
    }
}

fn owned(messages: &[Message<'_>]) -> Result<Vec<OwnedMessage>> {
    if messages.is_empty() {
        return Err(Error::new(Kind::InvalidArgument, "a conversation has at least one message"));
    }
    Ok(messages.iter().map(|message| (message.role, message.content.to_string())).collect())
}

/// The messages without texts of their own.
pub fn borrowed(messages: &[OwnedMessage]) -> Vec<Message<'_>> {
    messages.iter().map(|(role, content)| Message { role: *role, content }).collect()
}
