//! `socle.facets`: how many documents that match a query, and that the caller may see, have each value of some columns, or a
//! value in each of some ranges.
//!
//! Mode "keyword" counts every match, the other modes the candidates of a search. Columns are read as the caller; values
//! become JSON by `pg::value`.

use super::MAX_LISTED;
use super::keyword_retriever::first_question;
use super::omission::{Omission, Outcome, omissions};
use super::request::{self, MAX_CANDIDATES, Mode, SearchRequest};
use super::scope::Scope;
use super::source_columns::{check_values, columns};
use super::trace::Trace;
use super::{CorpusSearch, each_once, prefetch, rank, with_corpora};
use crate::catalog::CorpusSpec;
use crate::catalog::sql_template::expand;
use crate::keyword_index::segments::{self, KeywordQuery, Question};
use crate::pg::arguments::Arguments;
use crate::pg::error::report;
use crate::pg::jsonb_key::Key;
use crate::pg::plan_cache::in_own_memory_context;
use crate::pg::value;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::protocol::{MAX_HITS, QuerySyntax};
use socle_core::search::filter::{self, Facet, Parameter};
use socle_core::{Result, language};

const TOTAL: &str = include_str!("../../sql/search/facet_total.sql");
const VALUES: &str = include_str!("../../sql/search/facet_values.sql");
const RANGES: &str = include_str!("../../sql/search/facet_ranges.sql");

/// Condition that a document has one of the chunks `$2`.
const MATCHES: &str = "EXISTS (SELECT FROM {chunk} k WHERE k.chunk_id = ANY ($2) AND {same k s})";

/// Most values of a column.
const MAX_VALUES: i32 = 10_000;
const DEFAULT_VALUES: usize = 10;

/// Longest value that is shown as it is, in bytes of JSON.
const MAX_VALUE_BYTES: usize = 10_000;

/// Characters that are shown of a longer value.
const SHOWN_CHARACTERS: usize = 1_000;

/// A line of the result.
#[derive(Default)]
struct Count {
    column: Option<String>,
    value: Option<Key>,
    lower: Option<Key>,
    upper: Option<Key>,
    documents: i64,
}

/// What is counted.
struct Wanted {
    columns: Vec<String>,
    ranges: Option<String>,
    value_limit: usize,
    /// Only documents that match the query.
    has_query: bool,
}

/// Documents that are counted.
struct Matches {
    /// Chunks that match, whether or not the caller may see them; `None` for all documents.
    chunks: Option<Vec<i64>>,
    left_out: Omission,
}

type Counted = TableIterator<
    'static,
    (
        name!(column_name, Option<String>),
        name!(value, Option<Key>),
        name!(lower_bound, Option<Key>),
        name!(upper_bound, Option<Key>),
        name!(document_count, i64),
    ),
>;

#[pg_extern(sql = false)]
fn facets(call: pg_sys::FunctionCallInfo) -> Result<Counted, ErrorReport> {
    let counts = counted(Arguments::new(call)).map_err(report)?;
    let counts = counts.into_iter();
    Ok(TableIterator::new(counts.map(|count| (count.column, count.value, count.lower, count.upper, count.documents))))
}

fn counted(arguments: Arguments) -> Result<Vec<Count>> {
    let Some(name) = arguments.short_text(0, "corpus")? else { return Ok(Vec::new()) };
    let query = arguments.content(1, "query")?.filter(|query| !query.trim().is_empty());
    let names = arguments.limited_texts(2, "columns")?.map(|names| names.elements).unwrap_or_default();
    let wanted = Wanted {
        columns: each_once(names.into_iter().map(|name| name.map(str::to_string)).collect()),
        value_limit: request::number(arguments, 3, "value_limit", 0..=MAX_VALUES)?.unwrap_or(DEFAULT_VALUES),
        ranges: arguments.json(8),
        has_query: query.is_some(),
    };
    let mut request = SearchRequest::new(query.unwrap_or_default());
    request.shown = false;
    request.mode = arguments.short_text(4, "mode")?.map_or(Ok(Mode::Keyword), |name| Mode::parse(&name))?;
    request.filter = arguments.json(5);
    request.syntax =
        arguments.short_text(6, "query_syntax")?.map_or(Ok(request.syntax), |name| QuerySyntax::named(&name))?;
    request.language = arguments.short_text(7, "language")?.map(|name| language::canonical(&name)).transpose()?;
    let candidates = request::number(arguments, 9, "candidate_count", 1..=MAX_CANDIDATES as i32)?;
    request.candidate_count = candidates.unwrap_or(request.candidate_count);
    request.limit = request.candidate_count;
    request.min_similarity = arguments.f64(10);
    (request.weights, request.has_fields) = request::only_fields(arguments, 11, request.weights)?;
    request.check()?;
    let (counts, left_out) = with_corpora(&[name], |corpora| count(corpora, &request, &wanted))?;
    Outcome { omissions: left_out, ..Outcome::default() }.report();
    Ok(counts)
}

/// The counts, and what is left out of them by the name of its corpus.
type Counts = (Vec<Count>, Vec<(String, Omission)>);

fn count(corpora: &[CorpusSpec], request: &SearchRequest, wanted: &Wanted) -> Result<Counts> {
    let Some(corpus) = corpora.first() else { return Ok((Vec::new(), Vec::new())) };
    let mut trace = Trace::default();
    let open = |trace: &mut Trace| Ok(vec![CorpusSearch::open(corpus, request, trace)?.listed_for_prefixes()?]);
    let mut scopes: Vec<Scope<'_>> = if !wanted.has_query {
        vec![Scope::new(corpus, request)?]
    } else {
        let searched = if request.mode.has_vectors() {
            prefetch::embed_and_prefetch(corpora, request, &mut trace, &open)?
        } else {
            open(&mut trace)?
        };
        searched.into_iter().map(|searched| searched.scope).collect()
    };
    let Some(scope) = scopes.first_mut() else { return Ok((Vec::new(), Vec::new())) };
    let source = pg_sys::Oid::from(corpus.tables.source.unwrap_or_default());
    let ranges = wanted.ranges.as_deref();
    let facets = filter::facets(&wanted.columns, ranges, &columns(source)?, "s", scope.next_parameter())?;
    let bounds: Vec<Parameter> =
        facets.iter().filter_map(|facet| Some(facet.bounds.as_ref()?.parameter.clone())).collect();
    check_values("ranges of", &bounds)?;
    let matches = match request.mode {
        _ if !wanted.has_query => Matches { chunks: None, left_out: Omission::default() },
        Mode::Keyword => every_match(scope, request)?,
        _ => candidates(scope, request, &mut trace)?,
    };
    let mut counts = vec![Count { documents: total(scope, matches.chunks.as_deref())?, ..Count::default() }];
    for facet in &facets {
        counts.extend(of_facet(scope, facet, matches.chunks.as_deref(), wanted.value_limit)?);
    }
    Ok((counts, vec![(corpus.name.clone(), matches.left_out)]))
}

/// Every chunk that a keyword query matches, but those whose documents have changed since. Where row security applies, the
/// index is asked about visible chunks alone, so that others do not decide which words a prefix stands for.
fn every_match(scope: &mut Scope<'_>, request: &SearchRequest) -> Result<Matches> {
    let mut question = first_question(scope, request, MAX_HITS as usize);
    if scope.secured && scope.list_all(MAX_LISTED)? {
        question.restrict = scope.listed().cloned();
    }
    let query = KeywordQuery { visible_statistics: scope.secured, ..request.keyword_query(&scope.rules) };
    let mut chunks: Vec<i64> = Vec::new();
    let mut left_out = Omission::default();
    loop {
        let answer = segments::ask(scope.corpus, &scope.segments, query, &question)?;
        left_out.words = answer.left_out;
        chunks.extend(answer.hits.iter().map(|(chunk, _)| *chunk));
        match answer.hits.last() {
            Some((chunk, score)) if answer.more => {
                question = Question { after: Some((*score, *chunk)), ..question };
            }
            _ => break,
        }
    }
    let stale = scope.stale(chunks.clone())?;
    chunks.retain(|chunk| !stale.waiting.contains(chunk) && !stale.gone.contains(chunk));
    if !stale.waiting.is_empty() {
        let waiting: Vec<i64> = stale.waiting.into_iter().collect();
        left_out.waiting = usize::try_from(total(scope, Some(&waiting))?).unwrap_or_default();
    }
    Ok(Matches { chunks: Some(chunks), left_out })
}

/// The candidates of a search.
fn candidates(scope: &Scope<'_>, request: &SearchRequest, trace: &mut Trace) -> Result<Matches> {
    let ranking = rank::rank(scope, request, trace)?;
    let left_out = omissions(&[scope], std::slice::from_ref(&ranking), request)?;
    let mut ranked = ranking.ranked;
    if let Some(least) = request.min_similarity {
        ranked.retain(|ranked| ranked.vector.is_some_and(|vector| vector.score >= least));
    }
    let chunks = ranked.into_iter().map(|ranked| ranked.chunk_id).collect();
    Ok(Matches { chunks: Some(chunks), left_out: left_out.into_iter().next().unwrap_or_default() })
}

/// Number of documents that pass, of those that have one of the chunks.
fn total(scope: &Scope<'_>, chunks: Option<&[i64]>) -> Result<i64> {
    let matches = condition(scope, chunks);
    let names = [("matches", matches.as_str())];
    let found = scope.rows_with(TOTAL, &names, &[], chunks.unwrap_or_default(), 0, |row| row.get::<i64>(1))?;
    Ok(found.into_iter().flatten().next().unwrap_or_default())
}

fn of_facet(scope: &Scope<'_>, facet: &Facet, chunks: Option<&[i64]>, value_limit: usize) -> Result<Vec<Count>> {
    let matches = condition(scope, chunks);
    let chunks = chunks.unwrap_or_default();
    let names = [("matches", matches.as_str()), ("value", facet.value.as_str()), ("join", facet.join.as_str())];
    let column = || Some(facet.column.clone());
    // NULL is a value.
    let null = || Some(Key("null".to_string()));
    let Some(bounds) = &facet.bounds else {
        return scope.rows_with(VALUES, &names, &[], chunks, value_limit, |row| Count {
            column: column(),
            value: in_own_memory_context(|| row.json(1)).map(shown).or_else(null),
            documents: row.get(2).unwrap_or_default(),
            ..Count::default()
        });
    };
    let names = [&names[..], &[("bounds", bounds.sql.as_str())]].concat();
    let further = std::slice::from_ref(&bounds.parameter);
    scope.rows_with(RANGES, &names, further, chunks, 0, |row| Count {
        column: column(),
        value: if row.get::<i32>(1).is_none() { null() } else { None },
        lower: row.json(2),
        upper: row.json(3),
        documents: row.get(4).unwrap_or_default(),
    })
}

/// A value as it is shown: a long one as a text, the beginning of what it is in JSON.
fn shown(value: Key) -> Key {
    if value.0.len() <= MAX_VALUE_BYTES {
        return value;
    }
    let text: Option<String> = serde_json::from_str(&value.0).ok();
    let text = text.as_deref().unwrap_or(&value.0);
    let beginning: String = text.chars().take(SHOWN_CHARACTERS).chain(['…']).collect();
    Key(value::string(&beginning))
}

/// The condition that a document has one of the chunks, as SQL.
fn condition(scope: &Scope<'_>, chunks: Option<&[i64]>) -> String {
    chunks.map_or_else(|| "true".to_string(), |_| expand(MATCHES, scope.corpus, &[]))
}
