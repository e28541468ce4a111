//! What an endpoint is asked for: a text, vectors or scores. How each is written and read is decided in
//! [`socle_core::endpoint::dialect`].

use socle_core::Result;
use socle_core::endpoint::dialect::numbers::{MAX_BYTES, MAX_TEXTS, not_computed};
use socle_core::endpoint::dialect::{Conversation, Trouble, Use};
use socle_core::endpoint::{CorpusPolicy, EndpointSpec};
use socle_core::generator::{Message, MessageRole};
use socle_core::protocol::{EgressRequest, EgressResponse};
use socle_core::{Error, Kind};

/// What an endpoint is asked for.
#[derive(Debug)]
pub enum Task {
    /// The next message of a conversation.
    Generate(Generation),
    /// Vectors of texts.
    Embed(Texts),
    /// Scores of documents for a query.
    Rerank(String, Texts),
}

/// A conversation, and how it is to go on.
#[derive(Debug)]
pub struct Generation {
    /// The conversation.
    pub messages: Vec<(MessageRole, String)>,
    /// Largest number of tokens of the answer.
    pub max_tokens: u32,
    /// 0 takes the most likely token each time.
    pub temperature: f32,
    /// Makes a drawn answer repeatable.
    pub seed: Option<u64>,
    /// Texts before which the answer ends.
    pub stop: Vec<String>,
}

/// Texts for a model.
#[derive(Debug)]
pub struct Texts {
    /// Name of the model, as the server knows it.
    pub model: String,
    /// Whether the server may cut texts to its window.
    pub truncate: bool,
    /// The texts.
    pub texts: Vec<String>,
}

impl Task {
    /// The task of a request, with its endpoint and the corpora that it has text of; `None` for a request without one.
    pub fn of(request: EgressRequest<'_>) -> Option<(EndpointSpec, Vec<CorpusPolicy>, Self)> {
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_string).collect();
        match request {
            EgressRequest::Generate { endpoint, corpora, messages, max_tokens, temperature, seed, stop } => {
                let messages = messages.iter().map(|message| (message.role, message.content.to_string())).collect();
                let generation = Generation { messages, max_tokens, temperature, seed, stop: owned(stop) };
                Some((*endpoint, corpora, Self::Generate(generation)))
            }
            EgressRequest::Embed { endpoint, corpora, model, truncate, texts } => {
                let texts = Texts { model: model.to_string(), truncate, texts: owned(texts) };
                Some((*endpoint, corpora, Self::Embed(texts)))
            }
            EgressRequest::Rerank { endpoint, corpora, model, truncate, query, documents } => {
                let texts = Texts { model: model.to_string(), truncate, texts: owned(documents) };
                Some((*endpoint, corpora, Self::Rerank(query.to_string(), texts)))
            }
            EgressRequest::Hello { .. }
            | EgressRequest::Append { .. }
            | EgressRequest::Prune { .. }
            | EgressRequest::Checkpoint
            | EgressRequest::Report => None,
        }
    }

    /// What it uses the endpoint for.
    pub fn purpose(&self) -> Use {
        match self {
            Self::Generate(_) => Use::Generate,
            Self::Embed(_) => Use::Embed,
            Self::Rerank(..) => Use::Rerank,
        }
    }

    /// The texts before which an answer ends.
    pub fn stop(&self) -> &[String] {
        if let Self::Generate(generation) = self { &generation.stop } else { &[] }
    }

    /// The body of its request.
    ///
    /// # Errors
    /// `NotSupported` for what the dialect of the endpoint cannot say; `InputTooLong`.
    pub fn body(&self, endpoint: &EndpointSpec) -> Result<String> {
        match self {
            Self::Generate(task) => {
                let messages: Vec<Message<'_>> =
                    task.messages.iter().map(|(role, content)| Message { role: *role, content }).collect();
                let (max_tokens, temperature, seed) = (task.max_tokens, task.temperature, task.seed);
                endpoint.dialect.body(endpoint, &Conversation { messages: &messages, max_tokens, temperature, seed })
            }
            Self::Embed(task) => {
                let texts = task.checked(endpoint, false)?;
                endpoint.dialect.embedding_body(endpoint, &task.model, &texts, task.truncate)
            }
            Self::Rerank(query, task) => {
                let texts = task.checked(endpoint, true)?;
                endpoint.dialect.rerank_body(endpoint, &task.model, (query, &texts), task.truncate)
            }
        }
    }

    /// The numbers of a whole answer; `None` for a task that is answered with a text.
    pub fn numbers(&self, endpoint: &EndpointSpec, body: &[u8]) -> Option<Result<EgressResponse, Trouble>> {
        match self {
            Self::Generate(_) => None,
            Self::Embed(task) => {
                Some(endpoint.dialect.read_vectors(body, task.texts.len()).map(EgressResponse::Vectors))
            }
            Self::Rerank(_, task) => {
                Some(endpoint.dialect.read_scores(body, task.texts.len()).map(EgressResponse::Scores))
            }
        }
    }
}

impl Texts {
    fn checked(&self, endpoint: &EndpointSpec, of_scores: bool) -> Result<Vec<&str>> {
        if !endpoint.dialect.computes(of_scores) {
            return Err(not_computed(endpoint, of_scores));
        }
        let bytes: usize = self.texts.iter().map(String::len).sum();
        // A single text may be larger: whether it fits is for the server to say.
        if self.texts.len() > MAX_TEXTS || (self.texts.len() > 2 && bytes > 2 * MAX_BYTES) {
            return Err(Error::new(Kind::InputTooLong, "request is too large for an endpoint")
                .detail(format!("It has {} texts with {bytes} bytes.", self.texts.len())));
        }
        Ok(self.texts.iter().map(String::as_str).collect())
    }
}
