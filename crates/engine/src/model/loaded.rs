//! A model in memory: text in, vectors or scores out.
//!
//! Keeps the promises of the registered model: its window is never exceeded silently, its prefixes are always there,
//! and a text has one vector whatever shares its run.

use super::pooling;
use super::session::{Output, Session};
use super::tokenizer::{Tokenizer, Tokens};
use ort::session::{NoSelectedOutputs, RunOptions};
use socle_core::model::{ModelKind, ModelSpec};
use socle_core::protocol::Role;
use socle_core::{Error, Kind, Result};
use std::sync::Arc;

/// Bytes of text for each token of the window that are looked at when a text is cut. Real tokens have 3 to 5.
const CUT_BYTES_PER_TOKEN: usize = 1024;

/// A loaded model, as one of its registrations knows it.
#[derive(Debug)]
pub struct Model {
    /// What it is registered as.
    pub spec: ModelSpec,
    parts: Arc<Parts>,
}

/// What is in memory, once for all registrations of one digest.
#[derive(Debug)]
struct Parts {
    tokenizer: Tokenizer,
    session: Session,
    /// Special tokens that end every input.
    tail: usize,
}

impl Model {
    /// Puts the parts together.
    ///
    /// # Errors
    /// `InferenceFailed` when the tokenizer cannot encode a single letter.
    pub fn new(spec: ModelSpec, tokenizer: Tokenizer, session: Session) -> Result<Self> {
        let (_, tail) = tokenizer.frame()?;
        Ok(Self { spec, parts: Arc::new(Parts { tokenizer, session, tail }) })
    }

    /// The same model for a registration of the same digest, under the name that its owner knows.
    pub fn registered_as(&self, spec: &ModelSpec) -> Self {
        Self { spec: spec.clone(), parts: self.parts.clone() }
    }

    /// Nobody holds it under any other registration.
    pub fn is_idle(&self) -> bool {
        Arc::strong_count(&self.parts) == 1
    }

    /// The largest token id that its tokenizer can give.
    pub fn max_token_id(&self) -> u32 {
        self.parts.tokenizer.max_id
    }

    /// Raises `WrongModelKind` unless the model is of this kind.
    ///
    /// # Errors
    /// See above.
    pub fn require(&self, kind: ModelKind) -> Result<()> {
        if self.spec.kind == kind {
            return Ok(());
        }
        let (is, needed) = (self.spec.kind.name(), kind.name());
        Err(Error::new(Kind::WrongModelKind, format!("model \"{}\" is of kind {is}, not {needed}", self.spec.name)))
    }

    /// The number of tokens that a passage becomes, prefix and special tokens included.
    ///
    /// # Errors
    /// `InferenceFailed` when the tokenizer fails.
    pub fn count(&self, passage: &str) -> Result<usize> {
        Ok(self.parts.tokenizer.encode(&prefixed(&self.spec.passage_prefix, passage))?.len())
    }

    /// The tokens of a text with its prefix. With `truncate` it is cut to the window.
    ///
    /// # Errors
    /// `InputTooLong` when it does not fit into the window, naming count and limit.
    pub fn tokens(&self, role: Role, text: &str, truncate: bool) -> Result<Tokens> {
        let prefix = match role {
            Role::Query => &self.spec.query_prefix,
            Role::Passage => &self.spec.passage_prefix,
        };
        let text = if truncate { self.head(text) } else { text };
        let tokens = self.parts.tokenizer.encode(&prefixed(prefix, text))?;
        self.fit(tokens, truncate, "text has")
    }

    /// The tokens of a text with as much of `head` before it as fits into the window: all, half, a quarter, … or nothing.
    ///
    /// # Errors
    /// As [`Self::tokens`] for the text alone.
    pub fn headed_tokens(&self, role: Role, head: &str, text: &str, truncate: bool) -> Result<Tokens> {
        let mut head = self.head(head);
        while !head.is_empty() {
            match self.tokens(role, &format!("{head}{text}"), false) {
                Err(error) if error.kind == Kind::InputTooLong => {
                    head = &head[..head.floor_char_boundary(head.len() / 2)];
                }
                result => return result,
            }
        }
        self.tokens(role, text, truncate)
    }

    /// The tokens of a query and a document for a cross-encoder. With `truncate` the document is cut.
    ///
    /// # Errors
    /// `InputTooLong` when the pair does not fit, or the query leaves no room for any document.
    pub fn pair(&self, query: &str, document: &str, truncate: bool) -> Result<Tokens> {
        let document = if truncate { self.head(document) } else { document };
        let tokens = self.parts.tokenizer.encode_pair(query, document)?;
        if tokens.len() > self.window() {
            let query = self.parts.tokenizer.encode(query)?.len();
            if query + self.parts.tail >= self.window() {
                return Err(self.too_long("query has", query));
            }
        }
        self.fit(tokens, truncate, "query and document together have")
    }

    /// Vectors or scores of a batch, one after the other.
    ///
    /// # Errors
    /// See [`Session::run`] and [`pooling::pool`].
    pub fn run(&self, batch: &[&Tokens], options: &RunOptions<NoSelectedOutputs>) -> Result<Vec<f32>> {
        let output = self.output(batch, options)?;
        match self.spec.kind {
            ModelKind::Reranker => pooling::scores(&output, batch.len()),
            ModelKind::Embedding => {
                let lengths: Vec<usize> = batch.iter().map(|tokens| tokens.len()).collect();
                let dimensions = self.spec.dimensions as usize;
                pooling::pool(&output, self.spec.pooling, self.spec.normalize, dimensions, &lengths)
            }
        }
    }

    /// The raw output of a batch.
    ///
    /// # Errors
    /// See [`Session::run`].
    pub fn output(&self, batch: &[&Tokens], options: &RunOptions<NoSelectedOutputs>) -> Result<Output> {
        self.parts.session.run(batch, self.spec.pad_id, &self.spec.output, options)
    }

    fn window(&self) -> usize {
        self.spec.max_tokens as usize
    }

    /// The beginning of a text that is going to be cut anyway, so that nobody tokenises the rest.
    fn head<'a>(&self, text: &'a str) -> &'a str {
        let limit = self.window().saturating_mul(CUT_BYTES_PER_TOKEN).min(text.len());
        &text[..text.floor_char_boundary(limit)]
    }

    fn fit(&self, mut tokens: Tokens, truncate: bool, what: &str) -> Result<Tokens> {
        let (count, window) = (tokens.len(), self.window());
        if count > window {
            if !truncate {
                return Err(self.too_long(what, count));
            }
            let tail = self.parts.tail.min(window);
            for ids in [&mut tokens.ids, &mut tokens.type_ids] {
                ids.drain(window - tail..count - tail);
            }
        }
        Ok(tokens)
    }

    fn too_long(&self, what: &str, count: usize) -> Error {
        let name = &self.spec.name;
        Error::new(Kind::InputTooLong, format!("{what} {count} tokens, model \"{name}\" takes {}", self.window()))
            .hint("Split the text with socle.chunk() for this model, or set socle.truncate_input to cut it.")
    }
}

fn prefixed<'a>(prefix: &str, text: &'a str) -> std::borrow::Cow<'a, str> {
    if prefix.is_empty() { text.into() } else { format!("{prefix}{text}").into() }
}
