//! A model in memory: text in, vectors or scores out.
//!
//! Keeps the promises of the registered model: its window is never exceeded silently, its prefixes are always there,
//! and a text has one vector whatever shares its run.

use super::head::Head;
use super::pooling;
use super::session::{Filling, Output, Session};
use super::tokenizer::{Tokenizer, Tokens};
use ort::session::{NoSelectedOutputs, RunOptions};
use socle_core::model::{Layer, ModelKind, ModelSpec};
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

/// Tokens of the prefixes that are not pooled.
#[derive(Clone, Copy, Debug, Default)]
struct Skipped {
    query: usize,
    passage: usize,
}

/// What is in memory, once for all registrations of one digest.
#[derive(Debug)]
struct Parts {
    tokenizer: Tokenizer,
    session: Session,
    head: Head,
    /// Special tokens that end every input.
    tail: usize,
    skipped: Skipped,
}

impl Model {
    /// Puts the parts together.
    ///
    /// # Errors
    /// `InferenceFailed` when the tokenizer cannot encode a single letter.
    pub fn new(spec: ModelSpec, tokenizer: Tokenizer, session: Session, head: Head) -> Result<Self> {
        let (_, tail) = tokenizer.frame()?;
        let parts = Parts { tokenizer, session, head, tail, skipped: Skipped::default() };
        let mut model = Self { spec, parts: Arc::new(parts) };
        if !model.spec.pool_prefix {
            let skipped = Skipped {
                query: model.skip(&model.spec.query_prefix)?,
                passage: model.skip(&model.spec.passage_prefix)?,
            };
            if let Some(parts) = Arc::get_mut(&mut model.parts) {
                parts.skipped = skipped;
            }
        }
        Ok(model)
    }

    /// The tokens of a prefix, with the special tokens before it, as Sentence-Transformers counts them: alone, without
    /// the white space that ends most prefixes and that tokenizers give to the word behind it.
    fn skip(&self, prefix: &str) -> Result<usize> {
        if prefix.is_empty() {
            return Ok(0);
        }
        Ok(self.encode("", prefix.trim())?.len().saturating_sub(self.parts.tail))
    }

    fn encode(&self, prefix: &str, text: &str) -> Result<Tokens> {
        let text = prefixed(prefix, text);
        if self.spec.lower_case {
            return self.parts.tokenizer.encode(&text.to_lowercase());
        }
        self.parts.tokenizer.encode(&text)
    }

    /// The same model for a registration of the same digest, under the name that its owner knows.
    pub fn registered_as(&self, spec: &ModelSpec) -> Self {
        Self { spec: spec.clone(), parts: self.parts.clone() }
    }

    /// Nobody holds it under any other registration.
    pub fn is_idle(&self) -> bool {
        Arc::strong_count(&self.parts) == 1
    }

    /// Sets the layers after pooling and the length of the vectors that they give.
    pub fn set_layers(&mut self, layers: Vec<Layer>, dimensions: u32, head: Head) {
        (self.spec.layers, self.spec.dimensions) = (layers, dimensions);
        if let Some(parts) = Arc::get_mut(&mut self.parts) {
            parts.head = head;
        }
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
        Ok(self.encode(&self.spec.passage_prefix, passage)?.len())
    }

    /// The tokens of a text with its prefix. With `truncate` it is cut to the window.
    ///
    /// # Errors
    /// `InputTooLong` when it does not fit into the window, naming count and limit.
    pub fn tokens(&self, role: Role, text: &str, truncate: bool) -> Result<Tokens> {
        let (prefix, skipped) = match role {
            Role::Query => (&self.spec.query_prefix, self.parts.skipped.query),
            Role::Passage => (&self.spec.passage_prefix, self.parts.skipped.passage),
        };
        let text = if truncate { self.beginning(text) } else { text };
        let tokens = Tokens { skipped, ..self.encode(prefix, text)? };
        self.fit(tokens, truncate, "text has")
    }

    /// The tokens of a text with as much of `head` before it as fits into the window: all, half, a quarter, … or nothing.
    ///
    /// # Errors
    /// As [`Self::tokens`] for the text alone.
    pub fn headed_tokens(&self, role: Role, head: &str, text: &str, truncate: bool) -> Result<Tokens> {
        let mut head = self.beginning(head);
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
        let document = if truncate { self.beginning(document) } else { document };
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
    /// See [`Session::run`], [`pooling::pool`] and [`pooling::finish`].
    pub fn run(&self, batch: &[&Tokens], options: &RunOptions<NoSelectedOutputs>) -> Result<Vec<f32>> {
        let output = self.output(batch, options)?;
        match self.spec.kind {
            ModelKind::Reranker => pooling::scores(&output, batch.len()),
            ModelKind::Embedding => {
                let texts: Vec<_> = batch.iter().map(|tokens| tokens.skipped.min(tokens.len())..tokens.len()).collect();
                let pooled_dimensions = self.spec.pooled_dimensions() as usize;
                let pooled = pooling::pool(&output, self.spec.pooling, pooled_dimensions, &texts)?;
                let vectors = self.parts.head.apply(pooled, pooled_dimensions);
                pooling::finish(vectors, self.spec.normalize, self.spec.dimensions as usize)
            }
        }
    }

    /// The raw output of a batch.
    ///
    /// # Errors
    /// See [`Session::run`].
    pub fn output(&self, batch: &[&Tokens], options: &RunOptions<NoSelectedOutputs>) -> Result<Output> {
        let filling = Filling { pad_id: self.spec.pad_id, first_position: self.spec.first_position };
        self.parts.session.run(batch, filling, &self.spec.output, options)
    }

    fn window(&self) -> usize {
        self.spec.max_tokens as usize
    }

    /// The beginning of a text that is going to be cut anyway, so that nobody tokenises the rest.
    fn beginning<'a>(&self, text: &'a str) -> &'a str {
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
