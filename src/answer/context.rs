//! `socle.context_passages` and `socle.context`: the best passages for a question within a number of tokens, numbered, as
//! rows and as one text.

use super::options::{self, Places};
use super::token_counter::TokenCounter;
use crate::catalog::{CorpusSpec, model_of};
use crate::engine_client;
use crate::pg::arguments::Arguments;
use crate::pg::error::report;
use crate::pg::jsonb_key::Key;
use crate::pg::value;
use crate::search::omission::Outcome;
use crate::search::passage::Passage as Hit;
use crate::search::request;
use crate::search::trace::Trace;
use crate::search::{name_of_one, names_of_many, run, with_corpora};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::answer::context::{Found, Passage, pack};
use socle_core::answer::{content_hash, on_one_line};
use socle_core::{Error, Kind, Result};
use std::collections::HashMap;

/// Number of tokens: by default, and at most.
const DEFAULT_TOKENS: usize = 2_000;
const MAX_TOKENS: i32 = 1_000_000;

/// Where the options of the search stand among the arguments, and the conversation.
const PLACES: Places = Places::together(5);
const CONVERSATION: usize = 17;

type Passages = TableIterator<
    'static,
    (
        name!(number, i32),
        name!(corpus_name, String),
        name!(source_key, Key),
        name!(title, Option<String>),
        name!(heading_path, Vec<String>),
        name!(page, Option<i32>),
        name!(start_offset, i32),
        name!(end_offset, i32),
        name!(content, String),
        name!(content_sha256, String),
        name!(score, f64),
        name!(vector_score, Option<f64>),
        name!(keyword_score, Option<f64>),
        name!(rerank_score, Option<f64>),
        name!(token_count, i32),
    ),
>;

/// A passage and the search result that it is best known by.
#[derive(Debug)]
pub struct NumberedPassage {
    /// Its best search result.
    pub best: Hit,
    /// Its text, and where that stands.
    pub passage: Passage,
    /// Where each of its search results begins in the document, and the page on which it does, in the order of the document.
    pages: Vec<(i32, Option<i32>)>,
}

impl NumberedPassage {
    fn new(passage: Passage, hits: &[Hit]) -> Self {
        let mut pages: Vec<_> = passage.hits.iter().map(|hit| (hits[*hit].start, hits[*hit].page)).collect();
        pages.sort_unstable();
        Self { best: hits[passage.hits[0]].clone(), passage, pages }
    }

    /// The page on which the search result begins that has a character of the document; `None` in formats without pages.
    pub fn page(&self, character: i32) -> Option<i32> {
        let after = self.pages.partition_point(|(start, _)| *start <= character);
        self.pages.get(after.saturating_sub(1)).and_then(|(_, page)| *page)
    }
}

/// The passages for a question, in the order of their numbers, which begin with 1.
#[derive(Debug, Default)]
pub struct Context {
    /// The passages.
    pub passages: Vec<NumberedPassage>,
}

/// How large a context is, and in which order.
#[derive(Debug)]
pub struct ContextSize {
    /// Most tokens, heads included.
    pub max_tokens: usize,
    /// Name of the argument that says so.
    pub argument: &'static str,
    /// Passages of one document stand together, in its order.
    pub in_document_order: bool,
    /// What counts tokens; `None` for the model of each corpus.
    pub token_counter: Option<TokenCounter>,
}

#[pg_extern(sql = false)]
fn context_passages(call: pg_sys::FunctionCallInfo) -> Result<Passages, ErrorReport> {
    let arguments = Arguments::new(call);
    name_of_one(arguments).and_then(|names| context_of(&names, arguments)).map(rows).map_err(report)
}

#[pg_extern(sql = false)]
fn context_passages_many(call: pg_sys::FunctionCallInfo) -> Result<Passages, ErrorReport> {
    let arguments = Arguments::new(call);
    names_of_many(arguments).and_then(|names| context_of(&names, arguments)).map(rows).map_err(report)
}

#[pg_extern(sql = false)]
fn context(call: pg_sys::FunctionCallInfo) -> Result<Option<String>, ErrorReport> {
    let arguments = Arguments::new(call);
    name_of_one(arguments).and_then(|names| context_of(&names, arguments)).map(|found| found.text()).map_err(report)
}

#[pg_extern(sql = false)]
fn context_many(call: pg_sys::FunctionCallInfo) -> Result<Option<String>, ErrorReport> {
    let arguments = Arguments::new(call);
    names_of_many(arguments).and_then(|names| context_of(&names, arguments)).map(|found| found.text()).map_err(report)
}

fn context_of(names: &[String], arguments: Arguments) -> Result<Context> {
    let Some(request) = options::read(arguments, PLACES, CONVERSATION)? else { return Ok(Context::default()) };
    let size = ContextSize::read(arguments, 2)?;
    if names.is_empty() {
        return Ok(Context::default());
    }
    let (context, outcome) = with_corpora(names, |corpora| {
        let outcome = run(corpora, &request, &mut Trace::default())?;
        Ok((Context::new(corpora, &outcome.passages, &size)?, Outcome { passages: Vec::new(), ..outcome }))
    })?;
    outcome.report();
    Ok(context)
}

fn rows(context: Context) -> Passages {
    TableIterator::new(context.passages.into_iter().enumerate().map(|(at, numbered)| {
        let page = numbered.page(numbered.passage.start);
        let NumberedPassage { best, passage, .. } = numbered;
        (
            value::position(at),
            best.corpus,
            best.key,
            best.title,
            best.heading_path,
            page,
            passage.start,
            passage.end,
            passage.content.clone(),
            content_hash(&passage.content),
            best.ranked.score,
            best.ranked.vector.map(|retrieved| retrieved.score).filter(|score| !score.is_nan()),
            best.ranked.keyword.map(|retrieved| retrieved.score),
            best.ranked.rerank,
            value::count(passage.tokens),
        )
    }))
}

impl ContextSize {
    /// Reads the number of tokens, the order and the model from argument number `at` on.
    ///
    /// # Errors
    /// `InvalidArgument`; `UnknownModel`.
    pub fn read(arguments: Arguments, at: usize) -> Result<Self> {
        let name = arguments.short_text(at + 2, "token_model")?;
        Ok(Self {
            max_tokens: request::number(arguments, at, "max_tokens", 1..=MAX_TOKENS)?.unwrap_or(DEFAULT_TOKENS),
            argument: "max_tokens",
            in_document_order: request::second_of(arguments, at + 1, "passage_order", ["relevance", "document"])?,
            token_counter: name.map(|name| TokenCounter::find(&name)).transpose()?,
        })
    }
}

impl Context {
    /// The passages that fit, of search results, the best first.
    ///
    /// # Errors
    /// `InvalidArgument` where not even one word of the best result fits; those of the models whose tokens are counted.
    pub fn new(corpora: &[CorpusSpec], hits: &[Hit], size: &ContextSize) -> Result<Self> {
        let found = found(hits);
        let mut counters: HashMap<&str, TokenCounter> = HashMap::new();
        for corpus in corpora {
            let of_corpus = || model_of(corpus).map(|model| TokenCounter::Model(Box::new(model)));
            counters.insert(corpus.name.as_str(), size.token_counter.clone().map_or_else(of_corpus, Ok)?);
        }
        let mut count = |best: usize, content: &str| {
            let counter = counters.get(hits[best].corpus.as_str()).ok_or_else(engine_client::unexpected)?;
            counter.count(&format!("{}{content}", head(found.len(), &hits[best])))
        };
        let mut passages = pack(&found, size.max_tokens, &mut count)?;
        if passages.is_empty() && !hits.is_empty() {
            return Err(Error::new(
                Kind::InvalidArgument,
                format!("{} {} is too small for a passage", size.argument, size.max_tokens),
            )
            .detail("Title and headings of a passage count.")
            .hint("Pass at least 100."));
        }
        if size.in_document_order {
            let first = |document: usize| found.iter().position(|hit| hit.document == document);
            passages.sort_by_key(|passage| (first(found[passage.hits[0]].document), passage.start));
        }
        Ok(Self::of(passages, hits))
    }

    /// All passages of search results, the best first.
    ///
    /// # Errors
    /// None, as nothing is counted.
    pub fn whole(hits: &[Hit]) -> Result<Self> {
        Ok(Self::of(pack(&found(hits), usize::MAX, &mut |_, _| Ok(0))?, hits))
    }

    fn of(passages: Vec<Passage>, hits: &[Hit]) -> Self {
        Self { passages: passages.into_iter().map(|passage| NumberedPassage::new(passage, hits)).collect() }
    }

    /// The passages as one text, each after its number; `None` without one.
    pub fn text(&self) -> Option<String> {
        let texts = self.passages.iter().zip(1..);
        let texts =
            texts.map(|(passage, number)| format!("{}{}", head(number, &passage.best), passage.passage.content));
        let texts: Vec<String> = texts.collect();
        (!texts.is_empty()).then(|| texts.join("\n\n"))
    }
}

/// Search results as they are packed.
fn found(hits: &[Hit]) -> Vec<Found<'_>> {
    let mut documents: HashMap<(&str, &Key), usize> = HashMap::new();
    let found = hits.iter().map(|hit| {
        let next = documents.len();
        let document = *documents.entry((hit.corpus.as_str(), &hit.key)).or_insert(next);
        Found { document, ordinals: hit.ordinals, start: hit.start, end: hit.end, content: &hit.content }
    });
    found.collect()
}

/// The line before a passage: its number, title and headings.
fn head(number: usize, hit: &Hit) -> String {
    let heading = heading(hit);
    if heading.is_empty() { format!("[{number}]\n") } else { format!("[{number}] {heading}") }
}

/// Title and headings of a search result as a line, with its end; empty without any.
pub fn heading(hit: &Hit) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in hit.title.as_deref().into_iter().chain(hit.heading_path.iter().map(String::as_str)) {
        // A title with line feeds could else be read as a passage of its own.
        let part = on_one_line(part);
        if !part.is_empty() && parts.last() != Some(&part) {
            parts.push(part);
        }
    }
    if parts.is_empty() { String::new() } else { format!("{}\n", parts.join(" › ")) }
}
