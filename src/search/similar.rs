//! `socle.similar`: the chunks most similar to a document or a chunk of a corpus, by the vectors that are stored, to some
//! texts, or to a vector.
//!
//! A search of mode "vector", with the same rights and filters, whose query is the mean direction of these vectors. Of a
//! document that the caller may not see it says what it says of one that does not exist.

use super::omission::{Outcome, notice};
use super::passage::Passage;
use super::request::{self, MAX_RESULTS, Mode, SearchRequest};
use super::source_columns::check_values;
use super::source_key;
use super::trace::Trace;
use super::{CorpusSearch, results_of, with_corpora};
use crate::catalog::privileges::as_reader;
use crate::catalog::sql_template::expand;
use crate::catalog::{CorpusSpec, model_of};
use crate::engine_client::embedding;
use crate::pg::arguments::{Arguments, Texts};
use crate::pg::error::report;
use crate::pg::jsonb_key::Key;
use crate::pg::{gucs, plan_cache};
use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde_json::value::RawValue;
use socle_core::protocol::Role;
use socle_core::search::direction::Direction;
use socle_core::search::filter::Parameter;
use socle_core::{Error, Kind, Result};
use std::collections::BTreeMap;

const ORIGIN: &str = include_str!("../../sql/search/origin.sql");

/// Most texts that are compared at once; each is embedded.
const MAX_TEXTS: usize = 1_000;

/// Most chunks of a document whose vectors are read, the first ones: 16 MB for vectors of 4,000 dimensions.
const MAX_CHUNKS: usize = 1_000;

type Similar = TableIterator<
    'static,
    (
        name!(corpus_name, String),
        name!(chunk_id, i64),
        name!(source_key, Key),
        name!(title, Option<String>),
        name!(heading_path, Vec<String>),
        name!(page, Option<i32>),
        name!(content, String),
        name!(start_offset, i32),
        name!(end_offset, i32),
        name!(score, f64),
        name!(fresh_at, Option<TimestampWithTimeZone>),
        name!(stale, bool),
    ),
>;

/// What is compared with the chunks of a corpus.
enum Origin {
    /// The document of this key, a JSON object.
    Document(String),
    /// The chunk of this id.
    Chunk(i64),
    /// Texts that the model of the corpus embeds, and their positions in the array of the caller.
    Texts(Vec<&'static str>, Vec<usize>),
    /// A vector of that model.
    Vector(Vec<f32>),
}

#[pg_extern(sql = false)]
fn similar(call: pg_sys::FunctionCallInfo) -> Result<Similar, ErrorReport> {
    let passages = similar_to(Arguments::new(call)).map_err(report)?;
    Ok(TableIterator::new(passages.into_iter().map(|passage| {
        (
            passage.corpus,
            passage.ranked.chunk_id,
            passage.key,
            passage.title,
            passage.heading_path,
            passage.page,
            passage.content,
            passage.start,
            passage.end,
            passage.ranked.score,
            passage.fresh_at,
            passage.ranked.stale,
        )
    })))
}

fn similar_to(arguments: Arguments) -> Result<Vec<Passage>> {
    let Some(name) = arguments.short_text(0, "corpus")? else { return Ok(Vec::new()) };
    let origin = origin(arguments)?;
    let mut request = SearchRequest::new(String::new());
    (request.mode, request.shown) = (Mode::Vector, false);
    request.limit = request::number(arguments, 3, "result_limit", 0..=MAX_RESULTS)?.unwrap_or(request.limit);
    request.filter = arguments.json(4);
    request.min_similarity = arguments.f64(5);
    request.group_by_document = arguments.boolean(6).unwrap_or(true);
    request.stale_shown = request::second_of(arguments, 7, "stale", ["omit", "show"])?;
    request.offset = request::number(arguments, 8, "result_offset", 0..=MAX_RESULTS)?.unwrap_or_default();
    request.limit += request.offset;
    request.candidate_count = request.candidate_count.max(request.limit);
    request.check()?;
    let found = with_corpora(&[name], |corpora| search(corpora, &origin, &request))?;
    found.report();
    Ok(found.passages)
}

/// What the arguments name.
fn origin(arguments: Arguments) -> Result<Origin> {
    let given = [
        arguments.json(1).map(Origin::Document),
        arguments.i64(2).map(Origin::Chunk),
        arguments.limited_texts(9, "texts")?.map(texts).transpose()?,
        arguments.vector(10).map(Origin::Vector),
    ];
    let mut given = given.into_iter().flatten();
    if let (Some(origin), None) = (given.next(), given.next()) {
        return Ok(origin);
    }
    let message = "exactly one of source_key, chunk_id, texts and embedding must be given";
    Err(Error::new(Kind::InvalidArgument, message).hint(
        "source_key is the key of a document as socle.search returns it, chunk_id a chunk, texts are embedded by the model of \
         the corpus, and embedding is a vector of that model.",
    ))
}

fn texts(texts: Texts) -> Result<Origin> {
    let (mut present, mut positions) = (Vec::new(), Vec::new());
    for (at, text) in texts.elements.into_iter().enumerate() {
        let Some(text) = text else { continue };
        if text.trim().is_empty() {
            let message = format!("element {} of texts must not be empty or only white space", at + 1);
            return Err(Error::new(Kind::InvalidArgument, message).hint("Leave such texts out."));
        }
        present.push(text);
        positions.push(at);
    }
    match present.len() {
        0 => Err(Error::new(Kind::InvalidArgument, "texts must not be empty")),
        1..=MAX_TEXTS => Ok(Origin::Texts(present, positions)),
        _ => Err(Error::new(Kind::InvalidArgument, format!("texts must have at most {MAX_TEXTS} elements"))),
    }
}

fn search(corpora: &[CorpusSpec], origin: &Origin, request: &SearchRequest) -> Result<Outcome> {
    let nothing = Outcome::default();
    let Some(corpus) = corpora.first() else { return Ok(nothing) };
    let (chunks, direction) = vectors(corpus, origin)?;
    let request = SearchRequest { except_document_of: chunks.first().copied(), ..request.clone() };
    let mut trace = Trace::default();
    // Also without chunks: an error of the filter does not depend on whether there are some.
    let mut searched = CorpusSearch::open(corpus, &request, &mut trace)?;
    let Some(vector) = direction.mean() else { return Ok(nothing) };
    if !searched.scope.stale(chunks)?.waiting.is_empty() {
        notice(
            "the document is compared as it was: changes of it are pending",
            "socle.corpus_status shows what the work waits for.",
        );
    }
    searched.scope.compare_with(vector.into());
    results_of(corpora, vec![searched], &request, &mut trace)
}

/// The chunks that the caller may see of what is compared, and the mean direction of the vectors.
fn vectors(corpus: &CorpusSpec, origin: &Origin) -> Result<(Vec<i64>, Direction)> {
    let mut direction = Direction::default();
    let (condition, parameters) = match origin {
        Origin::Chunk(chunk) => ("k.chunk_id = $1".to_string(), vec![DatumWithOid::from(*chunk)]),
        Origin::Document(key) => (source_key::condition(corpus), key_parameters(corpus, key)?),
        Origin::Texts(texts, positions) => {
            let (model, truncate) = (model_of(corpus)?, gucs::truncate_input());
            let vectors = embedding::vectors(&model, Role::Passage, truncate, texts, Some(("texts", positions)))?;
            vectors.iter().for_each(|vector| direction.add(vector));
            return Ok((Vec::new(), direction));
        }
        Origin::Vector(vector) => {
            check_vector(corpus, vector)?;
            direction.add(vector);
            return Ok((Vec::new(), direction));
        }
    };
    let limit = MAX_CHUNKS.to_string();
    let sql = expand(ORIGIN, corpus, &[("origin", &condition), ("limit", &limit)]);
    let chunks = as_reader(corpus, || {
        plan_cache::rows(&sql, &parameters, 0, |row| {
            direction.add(&row.vector(2));
            row.get::<i64>(1).unwrap_or_default()
        })
    })?;
    Ok((chunks, direction))
}

/// Refuses a vector that cannot be compared with those of the corpus.
fn check_vector(corpus: &CorpusSpec, vector: &[f32]) -> Result<()> {
    let dimensions = corpus.options.dimensions as usize;
    let name = &corpus.name;
    if vector.len() != dimensions {
        let message =
            format!("embedding has {} dimensions, the vectors of corpus \"{name}\" have {dimensions}", vector.len());
        return Err(Error::new(Kind::InvalidArgument, message)
            .hint(format!("Compute it with the model of the corpus, \"{}\".", corpus.options.model)));
    }
    if vector.iter().all(|value| *value == 0.0) {
        return Err(Error::new(Kind::InvalidArgument, "embedding has no direction: all of its numbers are 0"));
    }
    Ok(())
}

/// The values of a key that a caller has written, as parameters.
///
/// # Errors
/// `InvalidArgument` for what is no key of the source; `WrongColumnType` where its type has a domain.
pub fn key_parameters(corpus: &CorpusSpec, key: &str) -> Result<Vec<DatumWithOid<'static>>> {
    const HINT: &str = "Write it as socle.search does in its column source_key.";
    let columns = &corpus.tables.key_columns;
    let names = || columns.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(", ");
    let types = source_key::types(corpus);
    let object: Option<BTreeMap<String, &RawValue>> = serde_json::from_str(key).ok();
    let is_key = |object: &BTreeMap<String, &RawValue>| {
        // The JSON value null is a value of type jsonb.
        let is_value = |value: &&RawValue, key_type| value.get() != "null" || key_type == pg_sys::JSONBOID;
        let has = |(column, key_type): (&String, &pg_sys::Oid)| {
            object.get(column).is_some_and(|value| is_value(value, *key_type))
        };
        object.len() == columns.len() && columns.iter().zip(&types).all(has)
    };
    let values = source_key::values(&Key(key.to_string()), columns, &types);
    let (Some(_), Some(values)) = (object.filter(is_key), values) else {
        return Err(Error::new(
            Kind::InvalidArgument,
            format!("source_key must be an object with the columns {}", names()),
        )
        .hint(HINT));
    };
    if !source_key::are_read_without_checks(&types) {
        return Err(Error::new(Kind::WrongColumnType, "source_key is not possible: the type of the key has a domain")
            .hint("Pass chunk_id."));
    }
    let written = columns.iter().zip(&types).zip(&values);
    let written: Vec<Parameter> = written
        .map(|((column, key_type), value)| {
            let (column, value) = (column.clone(), value.clone());
            Parameter { column, type_id: key_type.to_u32(), value }
        })
        .collect();
    check_values("source_key,", &written).map_err(|error| error.hint(HINT))?;
    Ok(source_key::parameters(&types, &values))
}
