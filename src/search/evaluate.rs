//! `socle.evaluate`: the quality of searches of a corpus, by queries and judgments in tables of the user, and how much
//! of the exact result its vector index finds.
//!
//! Reads those tables and searches as the caller. Refuses tables that lack columns and keys that cannot be those of the source.

use super::omission::notice;
use super::prefetch::embed;
use super::request::{self, Mode, SearchRequest};
use super::scope::Scope;
use super::source_key;
use super::trace::Trace;
use super::vector_retriever;
use super::{run, with_corpora};
use crate::catalog::sql_template::identifier;
use crate::catalog::{CorpusSpec, model_of};
use crate::model;
use crate::pg::arguments::Arguments;
use crate::pg::error::report;
use crate::pg::jsonb_key::Key;
use crate::pg::run_as::as_self;
use crate::pg::{plan_cache, value};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::protocol::QuerySyntax;
use socle_core::search::metrics::{Quality, mean, measure};
use socle_core::{Error, Kind, Result, language};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

const COLUMNS: &str = include_str!("../../sql/search/evaluation_columns.sql");

/// Number of first results that are measured: by default, and at most.
const DEFAULT_K: usize = 10;
const MAX_K: i32 = 1_000;

/// Time between two progress notices.
const SAY_EVERY: Duration = Duration::from_secs(5);

type Evaluated = TableIterator<
    'static,
    (
        name!(mode, String),
        name!(query_count, i32),
        name!(ndcg, Option<f64>),
        name!(recall, Option<f64>),
        name!(reciprocal_rank, Option<f64>),
        name!(index_recall, Option<f64>),
        name!(median_milliseconds, Option<f64>),
    ),
>;

/// Grades of documents for a query, by their key as JSON.
type Grades = HashMap<String, i32>;

/// A query whose results were judged.
struct Judged {
    query: String,
    grades: Rc<Grades>,
}

/// Measurements of one mode so far.
struct Tally {
    request: SearchRequest,
    qualities: Vec<Quality>,
    milliseconds: Vec<f64>,
    /// Results that were left out because changes of their documents are pending.
    waiting: usize,
}

#[pg_extern(sql = false)]
fn evaluate(call: pg_sys::FunctionCallInfo) -> Result<Evaluated, ErrorReport> {
    let (tallies, index_recalls) = evaluated(Arguments::new(call)).map_err(report)?;
    Ok(TableIterator::new(tallies.into_iter().map(move |mut tally| {
        let quality = mean(&tally.qualities);
        let index_recall = if tally.request.mode.has_vectors() { average(&index_recalls) } else { None };
        (
            tally.request.mode.name().to_string(),
            i32::try_from(tally.qualities.len()).unwrap_or(i32::MAX),
            quality.map(|quality| quality.ndcg),
            quality.map(|quality| quality.recall),
            quality.map(|quality| quality.reciprocal_rank),
            index_recall,
            median(&mut tally.milliseconds),
        )
    })))
}

fn evaluated(arguments: Arguments) -> Result<(Vec<Tally>, Vec<f64>)> {
    let (Some(name), Some(queries), Some(judgments)) =
        (arguments.short_text(0, "corpus")?, arguments.oid(1), arguments.oid(2))
    else {
        return Ok((Vec::new(), Vec::new()));
    };
    with_corpora(&[name], |corpora| measured(corpora, tallies(arguments)?, (queries, judgments)))
}

fn measured(
    corpora: &[CorpusSpec],
    mut tallies: Vec<Tally>,
    (queries, judgments): (pg_sys::Oid, pg_sys::Oid),
) -> Result<(Vec<Tally>, Vec<f64>)> {
    let all = judged(&corpora[0], queries, judgments)?;
    let with_vectors = tallies.iter().find(|tally| tally.request.mode.has_vectors()).map(|tally| tally.request.clone());
    let mut index_recalls = Vec::new();
    let mut said = Instant::now();
    for (done, judged) in all.iter().enumerate() {
        pgrx::check_for_interrupts!();
        if said.elapsed() > SAY_EVERY {
            said = Instant::now();
            pgrx::notice!("{done} of {} queries are evaluated", all.len());
        }
        plan_cache::in_own_memory_context(|| {
            tallies.iter_mut().try_for_each(|tally| tally.search(corpora, judged))?;
            if let Some(request) = &with_vectors {
                index_recalls.extend(index_recall(&corpora[0], request, &judged.query)?);
            }
            Ok(())
        })?;
    }
    let waiting: usize = tallies.iter().map(|tally| tally.waiting).sum();
    if waiting > 0 {
        notice(
            &format!("{waiting} results were left out: changes of their documents are pending"),
            "Evaluate again after CALL socle.sync_corpus(...).",
        );
    }
    Ok((tallies, index_recalls))
}

/// The requested modes, each with its search.
fn tallies(arguments: Arguments) -> Result<Vec<Tally>> {
    let k = request::number(arguments, 3, "k", 1..=MAX_K)?.unwrap_or(DEFAULT_K);
    let mut request = SearchRequest::new(String::new());
    request.limit = k;
    request.candidate_count = request.candidate_count.max(k);
    request.fusion = arguments.short_text(5, "fusion")?.map_or(Ok(request.fusion), |name| name.parse())?;
    request.filter = arguments.json(7);
    request.reranker =
        arguments.short_text(8, "rerank_model")?.map(|name| model::rerank_model(Some(name))).transpose()?;
    request.rerank_count = request::rerank_count(arguments, 9)?.unwrap_or(request.rerank_count).max(k);
    request.rerank_weight = request::rerank_weight(arguments, 10)?;
    request.language = arguments.short_text(11, "language")?.map(|name| language::canonical(&name)).transpose()?;
    request.syntax =
        arguments.short_text(12, "query_syntax")?.map_or(Ok(request.syntax), |name| QuerySyntax::named(&name))?;
    let (weights, has_fields) = request::only_fields(arguments, 15, request::weights(arguments, 13)?)?;
    request.weights = weights;
    request.group_by_document = true;
    request.shown = false;
    let mut modes: Vec<Mode> = Vec::new();
    match arguments.limited_texts(4, "modes")? {
        Some(names) => {
            for name in names.elements.into_iter().flatten() {
                let mode = Mode::parse(name)?;
                if !modes.contains(&mode) {
                    modes.push(mode);
                }
            }
        }
        None => modes.extend([Mode::Vector, Mode::Keyword, Mode::Hybrid]),
    }
    let mut tallies = Vec::with_capacity(modes.len());
    for mode in modes {
        let keyword_weight = if mode == Mode::Hybrid { arguments.f64(6) } else { None };
        // What words are looked for in says nothing to vectors, which are beside the others for comparison.
        let has_fields = has_fields && mode.has_keyword();
        let request = SearchRequest { mode, keyword_weight, has_fields, ..request.clone() };
        request.check()?;
        tallies.push(Tally { request, qualities: Vec::new(), milliseconds: Vec::new(), waiting: 0 });
    }
    Ok(tallies)
}

impl Tally {
    fn search(&mut self, corpora: &[CorpusSpec], judged: &Judged) -> Result<()> {
        self.request.query = Rc::new(judged.query.clone());
        let begun = Instant::now();
        let found = run(corpora, &self.request, &mut Trace::default())?;
        self.milliseconds.push(begun.elapsed().as_secs_f64() * 1e3);
        self.waiting += found.waiting();
        let ranking: Vec<String> = found.passages.iter().map(|passage| passage.key.0.clone()).collect();
        self.qualities.extend(measure(&ranking, &judged.grades, self.request.limit));
        Ok(())
    }
}

/// The part of the nearest chunks that the vector retriever finds as it runs. Compared by similarity, as equally
/// similar chunks may replace each other; `None` when no chunk passes.
fn index_recall(corpus: &CorpusSpec, request: &SearchRequest, query: &str) -> Result<Option<f64>> {
    let vector = embed(&model_of(corpus)?, query)?;
    let mut scope = Scope::new(corpus, request)?;
    scope.compare_with(vector.into());
    let exact = vector_retriever::exact(&scope, request.limit)?;
    let Some((_, least)) = exact.last() else { return Ok(None) };
    let (found, _) = vector_retriever::nearest(&scope, request.candidate_count, false)?;
    let good = found.iter().take(exact.len()).filter(|(_, similarity)| similarity >= least).count();
    Ok(Some(good as f64 / exact.len() as f64))
}

/// The queries that have judgments, in the order of their table.
fn judged(corpus: &CorpusSpec, queries: pg_sys::Oid, judgments: pg_sys::Oid) -> Result<Vec<Judged>> {
    let (table, columns) = columns(queries, "queries", &["the id of a query", "its text"])?;
    let (id, text) = (&columns[0].0, &columns[1].0);
    let sql = format!("SELECT q.{id}, q.{text} FROM {table} q");
    let queries = as_self(|| plan_cache::rows(&sql, &[], 0, |row| (row.text(1), row.text(2))))?;
    let grades = grades(corpus, judgments)?;
    let grades: HashMap<String, Rc<Grades>> = grades.into_iter().map(|(id, grades)| (id, Rc::new(grades))).collect();
    Ok(queries
        .into_iter()
        .filter_map(|(id, query)| {
            let query = query.filter(|query| !query.trim().is_empty())?;
            Some(Judged { query, grades: grades.get(&id?)?.clone() })
        })
        .collect())
}

/// Judgments by the id of the query; of several for one document, the best.
fn grades(corpus: &CorpusSpec, judgments: pg_sys::Oid) -> Result<HashMap<String, Grades>> {
    let wanted = ["the id of a query", "the key of a document", "its grade"];
    let (table, columns) = columns(judgments, "judgments", &wanted)?;
    let (id, document, grade) = (&columns[0].0, &columns[1].0, &columns[2].0);
    let is_json = columns[1].1;
    if !is_json && corpus.tables.key_columns.len() != 1 {
        return Err(Error::new(Kind::WrongColumnType, format!("column {document} of {table} must be of type jsonb"))
            .detail(format!("The key of a document of corpus \"{}\" has several columns.", corpus.name))
            .hint("Write it as socle.search does in its column source_key."));
    }
    let types = source_key::types(corpus);
    // As the source writes it, which is how results have it; a document that is missing, or not visible, matches no
    // result.
    let key = |text: String| -> Result<Key> {
        let (written, values) = if is_json {
            let written = value::canonical(&text);
            let values = source_key::values(&written, &corpus.tables.key_columns, &types);
            (written, values)
        } else {
            let json = types.first().map_or_else(|| value::string(&text), |key_type| value::json_of(&text, *key_type));
            (value::key(&corpus.tables.key_columns, std::iter::once(Some(json))), Some(vec![text]))
        };
        let found = values.map(|values| source_key::in_source(corpus, &types, &values)).transpose()?.flatten();
        Ok(found.unwrap_or(written))
    };
    let sql = format!(
        "SELECT j.{id}, j.{document}, j.{grade} FROM {table} j WHERE num_nulls(j.{id}, j.{document}, j.{grade}) = 0"
    );
    let rows = as_self(|| plan_cache::rows(&sql, &[], 0, |row| (row.text(1), row.text(2), row.text(3))))?;
    let mut grades: HashMap<String, Grades> = HashMap::new();
    for row in rows {
        let (Some(id), Some(document), Some(grade)) = row else { continue };
        let grade = grade_of(&grade)?;
        let known = grades.entry(id).or_default().entry(key(document)?.0).or_insert(grade);
        *known = grade.max(*known);
    }
    Ok(grades)
}

/// A grade of any numeric type.
fn grade_of(text: &str) -> Result<i32> {
    let number = match text {
        "t" => Some(1.0),
        "f" => Some(0.0),
        text => text.trim().parse::<f64>().ok(),
    };
    match number.map(f64::round) {
        Some(number) if number.abs() <= f64::from(i32::MAX) => Ok(number as i32),
        _ => {
            // Raises the error of Postgres, as for every integer.
            value::read(text, pg_sys::INT4OID);
            Err(Error::new(Kind::InvalidArgument, format!("grade \"{text}\" is not an integer")))
        }
    }
}

/// The name of a table as SQL, and its first columns: quoted name, and whether it is JSON.
fn columns(table: pg_sys::Oid, argument: &str, wanted: &[&str]) -> Result<(String, Vec<(String, bool)>)> {
    let found = plan_cache::rows(COLUMNS, &[table.into()], 0, |row| {
        (row.get::<String>(1), row.get::<String>(2), row.get::<bool>(3) == Some(true))
    })?;
    let name = found.first().and_then(|column| column.0.clone()).unwrap_or_else(|| format!("with OID {table}"));
    if found.len() < wanted.len() {
        let message = format!("table {name} of {argument} must have at least {} columns", wanted.len());
        return Err(Error::new(Kind::InvalidArgument, message).detail(format!("They are {}.", wanted.join(", "))));
    }
    let columns = found.into_iter().map(|(_, column, json)| (identifier(&column.unwrap_or_default()), json)).collect();
    Ok((name, columns))
}

fn average(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        _ if values.is_empty() => None,
        0 => Some(f64::midpoint(values[middle - 1], values[middle])),
        _ => Some(values[middle]),
    }
}
