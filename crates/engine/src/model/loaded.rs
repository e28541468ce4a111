//! A loaded model: tokenizes texts and computes vectors or scores.
//!
//! Guarantees that the window is never exceeded silently, that prefixes are always added, and that the result of a text
//! does not depend on the batch.

use super::head::Head;
use super::late_interaction;
use super::pooling;
use super::session::{InputDefaults, Output, Session};
use super::tokenizer::{Tokenizer, Tokens};
use crate::pending_response::TextResult;
use ort::session::{NoSelectedOutputs, RunOptions};
use socle_core::model::{LateInteraction, Layer, ModelKind, ModelSpec};
use socle_core::protocol::Role;
use socle_core::search::token_vectors;
use socle_core::{Error, Kind, Result};
use std::collections::HashSet;
use std::sync::Arc;

/// Bytes of a text for each token of the window that are tokenized at most when the text is truncated. Typical tokens have
/// 3 to 5 bytes.
const CUT_BYTES_PER_TOKEN: usize = 1024;

/// A loaded model under one of its registrations.
#[derive(Debug)]
pub struct Model {
    /// Its registration.
    pub spec: ModelSpec,
    parts: Arc<SharedParts>,
}

/// Number of tokens of each prefix that are not pooled, special tokens before it included.
#[derive(Clone, Copy, Debug, Default)]
struct PrefixLengths {
    query: usize,
    passage: usize,
}

/// What all registrations of one digest share.
#[derive(Debug)]
struct SharedParts {
    tokenizer: Tokenizer,
    session: Session,
    head: Head,
    /// Number of special tokens at the beginning of every input.
    start_length: usize,
    /// Number of special tokens at the end of every input.
    suffix_length: usize,
    skipped: PrefixLengths,
    /// Tokens of documents that take no part in late interaction.
    uncompared: HashSet<u32>,
}

impl Model {
    /// Assembles a model.
    ///
    /// # Errors
    /// `InferenceFailed` when the tokenizer fails on a single letter or a prefix.
    pub fn new(spec: ModelSpec, tokenizer: Tokenizer, session: Session, head: Head) -> Result<Self> {
        let (start_length, suffix_length) = tokenizer.frame()?;
        let skips = spec.late_interaction.as_ref().is_some_and(|late| late.skips_punctuation);
        let uncompared = if skips { late_interaction::punctuation(&tokenizer, start_length)? } else { HashSet::new() };
        let skipped = PrefixLengths::default();
        let parts = SharedParts { tokenizer, session, head, start_length, suffix_length, skipped, uncompared };
        let mut model = Self { spec, parts: Arc::new(parts) };
        if !model.spec.pool_prefix {
            let skipped = PrefixLengths {
                query: model.prefix_length(&model.spec.query_prefix)?,
                passage: model.prefix_length(&model.spec.passage_prefix)?,
            };
            if let Some(parts) = Arc::get_mut(&mut model.parts) {
                parts.skipped = skipped;
            }
        }
        Ok(model)
    }

    /// Number of tokens of a prefix and the special tokens before it, counted as Sentence-Transformers does: without the
    /// white space at its end, which tokenizers add to the next word.
    fn prefix_length(&self, prefix: &str) -> Result<usize> {
        if prefix.is_empty() {
            return Ok(0);
        }
        Ok(self.encode("", prefix.trim())?.len().saturating_sub(self.parts.suffix_length))
    }

    fn encode(&self, prefix: &str, text: &str) -> Result<Tokens> {
        let text = prefixed(prefix, text);
        if self.spec.lower_case {
            return self.parts.tokenizer.encode(&text.to_lowercase());
        }
        self.parts.tokenizer.encode(&text)
    }

    /// The same model for another registration of the same digest, whose name errors will show.
    pub fn registered_as(&self, spec: &ModelSpec) -> Self {
        Self { spec: spec.clone(), parts: self.parts.clone() }
    }

    /// Whether there is no other [`Model`] that shares its memory.
    pub fn is_idle(&self) -> bool {
        Arc::strong_count(&self.parts) == 1
    }

    /// Sets the layers after pooling and the length of the vectors that they return. Only for a model that is not shared.
    pub fn set_layers(&mut self, layers: Vec<Layer>, dimensions: u32, head: Head) {
        (self.spec.layers, self.spec.dimensions) = (layers, dimensions);
        if let Some(parts) = Arc::get_mut(&mut self.parts) {
            parts.head = head;
        }
    }

    /// The largest token id of its tokenizer.
    pub fn max_token_id(&self) -> u32 {
        self.parts.tokenizer.max_id
    }

    /// Checks the kind of the model.
    ///
    /// # Errors
    /// `WrongModelKind` when it is of another kind.
    pub fn require(&self, kind: ModelKind) -> Result<()> {
        if self.spec.kind == kind {
            return Ok(());
        }
        let (is, needed) = (self.spec.kind.name(), kind.name());
        Err(Error::new(Kind::WrongModelKind, format!("model \"{}\" is of kind {is}, not {needed}", self.spec.name)))
    }

    /// The number of tokens of a passage, prefix and special tokens included.
    ///
    /// # Errors
    /// `InferenceFailed` when the tokenizer fails.
    pub fn count(&self, passage: &str) -> Result<usize> {
        let marker = usize::from(self.spec.late_interaction.is_some());
        Ok(self.encode(&self.spec.passage_prefix, passage)?.len() + marker)
    }

    /// The tokens of a text with its prefix. With `truncate`, they are cut to the window.
    ///
    /// # Errors
    /// `InputTooLong` when they exceed the window and `truncate` is false.
    pub fn tokens(&self, role: Role, text: &str, truncate: bool) -> Result<Tokens> {
        let (prefix, skipped) = match role {
            Role::Query => (&self.spec.query_prefix, self.parts.skipped.query),
            Role::Passage => (&self.spec.passage_prefix, self.parts.skipped.passage),
        };
        let text = if truncate { self.beginning(text) } else { text };
        let tokens = Tokens { skipped, ..self.encode(prefix, text)? };
        self.fit(tokens, truncate, "text has")
    }

    /// The tokens of a text preceded by as much of `head` as fits into the window: all, half, a quarter, … or nothing.
    ///
    /// # Errors
    /// As [`Self::tokens`] for the text alone.
    pub fn tokens_with_head(&self, role: Role, head: &str, text: &str, truncate: bool) -> Result<Tokens> {
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

    /// The tokens of a query and a document for a reranker. With `truncate`, the end of the document is cut.
    ///
    /// # Errors
    /// `InputTooLong` when they exceed the window and `truncate` is false, or the query alone fills it.
    pub fn pair(&self, query: &str, document: &str, truncate: bool) -> Result<Tokens> {
        let document = if truncate { self.beginning(document) } else { document };
        let tokens = self.parts.tokenizer.encode_pair(query, document)?;
        if tokens.len() > self.window() {
            let query = self.parts.tokenizer.encode(query)?.len();
            if query + self.parts.suffix_length >= self.window() {
                return Err(self.too_long("query has", query));
            }
        }
        self.fit(tokens, truncate, "query and document together have")
    }

    /// The tokens of a query for late interaction: marked, and filled with masks. With `truncate`, it is cut to the window.
    ///
    /// # Errors
    /// `InputTooLong` when it exceeds the window and `truncate` is false.
    pub fn marked_query(&self, query: &str, truncate: bool) -> Result<Tokens> {
        let late = self.late_interaction()?;
        let tokens = self.marked(late.query_marker, query, truncate, "query has")?;
        Ok(late_interaction::filled(tokens, late, self.window()))
    }

    /// The tokens of a document for late interaction. With `truncate`, its end is cut.
    ///
    /// # Errors
    /// `InputTooLong` when they exceed the window and `truncate` is false.
    pub fn marked_document(&self, document: &str, truncate: bool) -> Result<Tokens> {
        self.marked(self.late_interaction()?.document_marker, document, truncate, "text has")
    }

    fn marked(&self, marker: u32, text: &str, truncate: bool, what: &str) -> Result<Tokens> {
        let text = if truncate { self.beginning(text) } else { text };
        let mut tokens = self.encode("", text)?;
        let at = self.parts.start_length.min(tokens.len());
        tokens.type_ids.insert(at, tokens.type_ids.first().copied().unwrap_or_default());
        tokens.ids.insert(at, marker);
        self.fit(tokens, truncate, what)
    }

    fn late_interaction(&self) -> Result<&LateInteraction> {
        let missing = || Error::new(Kind::Bug, "the model has no late interaction");
        self.spec.late_interaction.as_ref().ok_or_else(missing)
    }

    /// For each document, its score by late interaction with the vectors of a query that [`Self::run`] has returned; without
    /// them, the vectors of its tokens that take part in a comparison.
    ///
    /// # Errors
    /// As [`Self::run`] and [`token_vectors::pack`].
    pub fn compare(
        &self,
        queries: &[Option<&[f32]>],
        documents: &[&Tokens],
        options: &RunOptions<NoSelectedOutputs>,
    ) -> Result<Vec<TextResult>> {
        let width = self.spec.dimensions as usize;
        let vectors = self.run(documents, options)?;
        let mut rest = vectors.as_slice();
        let results = queries.iter().zip(documents).map(|(query, document)| {
            let (own, others) = rest.split_at((document.len() * width).min(rest.len()));
            rest = others;
            let tokens = document.ids.iter().zip(own.chunks_exact(width));
            let compared = tokens.filter(|(id, _)| !self.parts.uncompared.contains(id)).map(|(_, vector)| vector);
            let compared: Vec<&[f32]> = compared.collect();
            Ok(match query {
                Some(query) => TextResult::Numbers(vec![late_interaction::max_sim(query, &compared, width)]),
                None => TextResult::TokenVectors(token_vectors::pack(&compared, width)?),
            })
        });
        results.collect()
    }

    /// The vectors or scores of a batch, one after the other; those of all tokens for late interaction.
    ///
    /// # Errors
    /// As [`Session::run`], [`pooling::pool`] and [`pooling::finish`].
    pub fn run(&self, batch: &[&Tokens], options: &RunOptions<NoSelectedOutputs>) -> Result<Vec<f32>> {
        let output = self.output(batch, options)?;
        match self.spec.kind {
            ModelKind::Reranker => pooling::scores(&output, batch.len()),
            ModelKind::LateInteraction => {
                let lengths: Vec<usize> = batch.iter().map(|tokens| tokens.len()).collect();
                let width = self.spec.dimensions as usize;
                let vectors = late_interaction::token_vectors(&output, width, &lengths)?;
                pooling::finish(vectors, self.spec.normalize, width)
            }
            ModelKind::Embedding => {
                let texts: Vec<_> = batch.iter().map(|tokens| tokens.skipped.min(tokens.len())..tokens.len()).collect();
                let pooled_dimensions = self.spec.pooled_dimensions() as usize;
                let pooled = pooling::pool(&output, self.spec.pooling, pooled_dimensions, &texts)?;
                let vectors = self.parts.head.apply(pooled, pooled_dimensions);
                pooling::finish(vectors, self.spec.normalize, self.spec.dimensions as usize)
            }
            // Loaded as another type.
            ModelKind::Ocr => Err(Error::new(Kind::Bug, "a model for pictures was given a text")),
        }
    }

    /// The output of the graph for a batch, not pooled.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn output(&self, batch: &[&Tokens], options: &RunOptions<NoSelectedOutputs>) -> Result<Output> {
        let defaults = InputDefaults { pad_id: self.spec.pad_id, first_position: self.spec.first_position };
        self.parts.session.run(batch, defaults, &self.spec.output, options)
    }

    fn window(&self) -> usize {
        self.spec.max_tokens as usize
    }

    /// The beginning of a text that certainly covers the window. The rest need not be tokenized when the text is truncated.
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
            let suffix_length = self.parts.suffix_length.min(window);
            for ids in [&mut tokens.ids, &mut tokens.type_ids] {
                ids.drain(window - suffix_length..count - suffix_length);
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
