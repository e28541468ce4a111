//! `socle.cite`: whether a citation still holds, and the text that stands at its place now.
//!
//! A citation names a document by its key and a place by characters, and has a hash: it outlives chunks, which go with
//! every change. Of a document that row security hides, the same is said as of one that does not exist.

use super::document::Document;
use crate::catalog::CorpusSpec;
use crate::catalog::privileges;
use crate::pg::arguments::Arguments;
use crate::pg::error::report;
use crate::pg::privilege::may_select;
use crate::pg::value;
use crate::search;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::Deserialize;
use serde_json::value::RawValue;
use socle_core::answer::content_hash;
use socle_core::{Error, Kind, Result};

type Cited = TableIterator<
    'static,
    (
        name!(state, String),
        name!(content, Option<String>),
        name!(title, Option<String>),
        name!(start_offset, Option<i32>),
        name!(end_offset, Option<i32>),
    ),
>;

/// A citation, as far as it is looked at.
#[derive(Deserialize)]
struct Citation<'a> {
    corpus: String,
    #[serde(borrow)]
    source_key: &'a RawValue,
    start_offset: i32,
    end_offset: i32,
    content_sha256: String,
    quote: Option<String>,
}

/// What becomes of a citation.
#[derive(Default)]
pub struct State {
    /// valid, moved, changed, gone or hidden.
    pub name: &'static str,
    content: Option<String>,
    title: Option<String>,
    /// Offsets from 1.
    place: Option<(i32, i32)>,
}

#[pg_extern(sql = false)]
fn cite(call: pg_sys::FunctionCallInfo) -> Result<Cited, ErrorReport> {
    let arguments = Arguments::new(call);
    let state = arguments.json(0).map(|citation| state_of(&citation)).transpose().map_err(report)?;
    Ok(TableIterator::new(state.into_iter().map(|state| {
        let place = state.place;
        (state.name.to_string(), state.content, state.title, place.map(|place| place.0), place.map(|place| place.1))
    })))
}

/// The state of a citation.
///
/// # Errors
/// `InvalidArgument` for what is none; those of the search and the engine.
pub fn state_of(json: &str) -> Result<State> {
    let citation: Citation<'_> = serde_json::from_str(json).map_err(|error| {
        Error::new(Kind::InvalidArgument, "citation must be an object as socle.answer returns it")
            .detail(format!("{error}."))
            .hint("Needed are corpus, source_key, start_offset, end_offset and content_sha256; with quote, it is found again where it has moved to.")
    })?;
    if citation.start_offset < 1 || citation.end_offset < citation.start_offset {
        return Err(Error::new(Kind::InvalidArgument, "start_offset must be at least 1, and end_offset not before it"));
    }
    if !citation.source_key.get().starts_with('{') {
        return Err(Error::new(Kind::InvalidArgument, "source_key of a citation must be an object"));
    }
    if citation.quote.as_ref().is_some_and(|quote| content_hash(quote) != citation.content_sha256) {
        return Err(Error::new(Kind::InvalidArgument, "the quote of the citation is not that of its content_sha256"));
    }
    let gone = State { name: "gone", ..State::default() };
    let corpus = match CorpusSpec::find_to_read(&citation.corpus) {
        Ok(corpus) => corpus,
        Err(error) if error.kind == Kind::UnknownCorpus => return Ok(gone),
        Err(error) => return Err(error),
    };
    let Some(source) = corpus.tables.source else { return Ok(gone) };
    let keys = corpus.tables.key_columns.iter().map(String::as_str);
    let mut columns = corpus.read_columns().into_iter().chain(corpus.options.title_column.as_deref()).chain(keys);
    // Known before any row is read: it says nothing of rows.
    if !may_select(source.into(), columns.clone()) {
        return Ok(State { name: "hidden", ..State::default() });
    }
    // Not before: a role without privileges would stand in the owner's way.
    privileges::hold_source(&corpus)?;
    search::require_key(&corpus)?;
    if columns.any(|column| value::column_type(source.into(), column).is_none()) {
        return Ok(gone);
    }
    match Document::of_key(&corpus, citation.source_key.get()) {
        Ok(Some(document)) => state_in(&document, &citation),
        Ok(None) => Ok(gone),
        // A key of other columns, since one was renamed, or of another type is that of no document.
        Err(error) if error.kind == Kind::InvalidArgument => Ok(gone),
        // A file without a text any longer does not have the one that was cited.
        Err(error) if matches!(error.kind, Kind::DamagedDocument | Kind::NotSupported) => {
            Ok(State { name: "changed", ..State::default() })
        }
        Err(error) => Err(error),
    }
}

/// The state of a citation of a document that is there.
fn state_in(document: &Document, citation: &Citation<'_>) -> Result<State> {
    let from_zero = |offset: i32| usize::try_from(offset - 1).unwrap_or_default();
    let (start, end) = (from_zero(citation.start_offset), from_zero(citation.end_offset));
    let there = document.part(start..end)?;
    let state = |name, content, place| State {
        name,
        content: Some(content),
        title: document.title.clone(),
        place: Some(place),
    };
    if content_hash(&there) == citation.content_sha256 {
        return Ok(state("valid", there, (citation.start_offset, citation.end_offset)));
    }
    if let Some(quote) = &citation.quote
        && let Some(place) = document.find(quote, &citation.content_sha256, start)?
    {
        let offset = |place: usize| i32::try_from(place + 1).unwrap_or(i32::MAX);
        let moved = (offset(place.start), offset(place.end));
        return Ok(state("moved", document.part(place)?, moved));
    }
    let there = if document.is_markup() { document.seen_within(start..end)? } else { there };
    Ok(state("changed", there, (citation.start_offset, citation.end_offset)))
}
