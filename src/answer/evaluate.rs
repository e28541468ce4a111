//! `socle.evaluate_answers` and `socle.calibrate`: how good the answers of a corpus are, and the threshold that declines
//! best, by questions and references in a table of the user, which is read as the caller.

use super::answered::{Answer, UNSUPPORTED, answered};
use super::asked::{AnswerPlaces, Wanted, max_sentences};
use super::options::{self, Places};
use crate::catalog::CorpusSpec;
use crate::catalog::sql_template::identifier;
use crate::pg::arguments::Arguments;
use crate::pg::error::report;
use crate::pg::jsonb_key::Key;
use crate::pg::run_as::as_self;
use crate::pg::{plan_cache, value};
use crate::search::omission::notice;
use crate::search::request::SearchRequest;
use crate::search::with_corpora;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde_json::Value;
use socle_core::answer::quality::{Judged, Match, best_threshold, compare, is_key, thresholds};
use socle_core::{Error, Kind, Result};
use std::rc::Rc;
use std::time::{Duration, Instant};

const COLUMNS: &str = include_str!("../../sql/answer/question_columns.sql");

/// Time between two progress notices.
const SAY_EVERY: Duration = Duration::from_secs(5);

type Evaluated = TableIterator<
    'static,
    (
        name!(question_count, i32),
        name!(answerable_count, i32),
        name!(contained, Option<f64>),
        name!(token_f1, Option<f64>),
        name!(declined_wrongly, i32),
        name!(unanswerable_count, i32),
        name!(declined_rightly, i32),
        name!(generated_count, i32),
        name!(grounded, Option<f64>),
        name!(median_milliseconds, Option<f64>),
        name!(judged_cited, Option<f64>),
    ),
>;

type Calibrated = TableIterator<
    'static,
    (
        name!(min_relevance, f64),
        name!(is_best, bool),
        name!(answered_rightly, i32),
        name!(answered_wrongly, i32),
        name!(declined_wrongly, i32),
        name!(declined_rightly, i32),
        name!(unanswerable_answered, i32),
    ),
>;

/// A question with its references; without any, the corpus is to have no answer.
struct Question {
    text: String,
    references: Vec<String>,
    /// The keys of the documents that are judged to hold the answer.
    judged: Vec<Value>,
}

/// What became of a question.
struct Outcome {
    is_answerable: bool,
    answer: Answer,
    quality: Match,
    /// Whether a document is cited that is judged to hold the answer; `None` without a judgment.
    judged_cited: Option<bool>,
    milliseconds: f64,
}

#[pg_extern(sql = false)]
fn evaluate_answers(call: pg_sys::FunctionCallInfo) -> Result<Evaluated, ErrorReport> {
    evaluated(Arguments::new(call)).map(TableIterator::new).map_err(report)
}

#[pg_extern(sql = false)]
fn calibrate(call: pg_sys::FunctionCallInfo) -> Result<Calibrated, ErrorReport> {
    calibrated(Arguments::new(call)).map(TableIterator::new).map_err(report)
}

/// A row of each function.
type Row = (i32, i32, Option<f64>, Option<f64>, i32, i32, i32, i32, Option<f64>, Option<f64>, Option<f64>);
type Threshold = (f64, bool, i32, i32, i32, i32, i32);

fn evaluated(arguments: Arguments) -> Result<Vec<Row>> {
    let places = AnswerPlaces::WITHOUT;
    let wanted = Wanted::read(arguments, places)?;
    let Some(outcomes) = outcomes(arguments, places.search(), &wanted)? else { return Ok(Vec::new()) };
    let (answerable, others): (Vec<&Outcome>, Vec<&Outcome>) =
        outcomes.iter().partition(|outcome| outcome.is_answerable);
    let mean = |measure: &dyn Fn(&Outcome) -> f64| {
        let sum: f64 = answerable.iter().map(|outcome| measure(outcome)).sum();
        (!answerable.is_empty()).then(|| sum / answerable.len() as f64)
    };
    let declined = |outcomes: &[&Outcome]| outcomes.iter().filter(|outcome| outcome.answer.refusal.is_some()).count();
    let mut milliseconds: Vec<f64> = outcomes.iter().map(|outcome| outcome.milliseconds).collect();
    milliseconds.sort_unstable_by(f64::total_cmp);
    let generated = outcomes.iter().filter_map(|outcome| outcome.answer.generation.as_ref());
    let grounded = outcomes.iter().filter_map(|outcome| outcome.answer.grounded);
    let answered = outcomes.iter().filter(|outcome| outcome.answer.refusal.is_none());
    let judged_cited = answered.filter_map(|outcome| outcome.judged_cited.map(|cited| f64::from(u8::from(cited))));
    Ok(vec![(
        value::count(outcomes.len()),
        value::count(answerable.len()),
        mean(&|outcome| f64::from(u8::from(outcome.quality.contained))),
        mean(&|outcome| outcome.quality.f1),
        value::count(declined(&answerable)),
        value::count(others.len()),
        value::count(declined(&others)),
        value::count(generated.filter(|generation| generation.finish != UNSUPPORTED).count()),
        average(grounded),
        milliseconds.get(milliseconds.len() / 2).copied(),
        average(judged_cited),
    )])
}

fn average(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0, 0.0), |(count, sum), value| (count + 1, sum + value));
    (count > 0).then(|| sum / f64::from(count))
}

fn calibrated(arguments: Arguments) -> Result<Vec<Threshold>> {
    let wanted = Wanted { sentences: max_sentences(arguments, 2)?, min_relevance: None, always: true, writer: None };
    let places = Places { mode: "search_mode", ..Places::together(3) };
    let Some(outcomes) = outcomes(arguments, places, &wanted)? else { return Ok(Vec::new()) };
    let judged: Vec<Judged> = outcomes
        .iter()
        .map(|outcome| Judged {
            relevance: outcome.answer.relevance,
            is_answerable: outcome.is_answerable,
            is_right: outcome.quality.contained,
            is_refused: outcome.answer.lacks_name || outcome.answer.text.is_none(),
        })
        .collect();
    let best = best_threshold(&judged);
    let mut all: Vec<_> = thresholds(&judged).into_iter().map(|outcome| (outcome, false)).collect();
    all.extend(best.map(|best| (best, true)));
    all.sort_by(|a, b| a.0.threshold.total_cmp(&b.0.threshold).then(b.1.cmp(&a.1)));
    all.dedup_by(|next, kept| next.0.threshold == kept.0.threshold);
    Ok(all
        .into_iter()
        .map(|(outcome, is_best)| {
            (
                outcome.threshold,
                is_best,
                value::count(outcome.right),
                value::count(outcome.wrong),
                value::count(outcome.declined_wrongly),
                value::count(outcome.declined_rightly),
                value::count(outcome.answered_wrongly),
            )
        })
        .collect())
}

/// Answers all questions. `None` without a corpus or a table.
fn outcomes(arguments: Arguments, places: Places, wanted: &Wanted) -> Result<Option<Vec<Outcome>>> {
    let (Some(name), Some(table)) = (arguments.short_text(0, "corpus")?, arguments.oid(1)) else { return Ok(None) };
    let request = options::options(arguments, places, String::new())?;
    with_corpora(&[name], |corpora| answers(corpora, &request, &questions(table)?, wanted)).map(Some)
}

fn answers(
    corpora: &[CorpusSpec],
    request: &SearchRequest,
    questions: &[Question],
    wanted: &Wanted,
) -> Result<Vec<Outcome>> {
    let (mut outcomes, mut waiting, mut said) = (Vec::with_capacity(questions.len()), 0, Instant::now());
    for question in questions {
        pgrx::check_for_interrupts!();
        if said.elapsed() > SAY_EVERY {
            said = Instant::now();
            pgrx::notice!("{} of {} questions are answered", outcomes.len(), questions.len());
        }
        let mut request = SearchRequest { query: Rc::new(question.text.clone()), ..request.clone() };
        options::spare_reranker(&mut request)?;
        let begun = Instant::now();
        let (answer, found) = plan_cache::in_own_memory_context(|| answered(corpora, &request, wanted))?;
        let milliseconds = begun.elapsed().as_secs_f64() * 1e3;
        waiting += found.waiting();
        let references: Vec<&str> = question.references.iter().map(String::as_str).collect();
        let quality = compare(answer.text.as_deref().unwrap_or_default(), &references);
        let judged_cited = (!question.judged.is_empty()).then(|| cites_one_of(&answer.citations, &question.judged));
        outcomes.push(Outcome { is_answerable: !references.is_empty(), answer, quality, judged_cited, milliseconds });
    }
    if waiting > 0 {
        notice(
            &format!("{waiting} results were left out: changes of their documents are pending"),
            "Evaluate again after CALL socle.sync_corpus(...).",
        );
    }
    Ok(outcomes)
}

/// Whether one of these citations is of one of these documents.
fn cites_one_of(citations: &[String], judged: &[Value]) -> bool {
    let key = |citation: &String| serde_json::from_str::<Value>(citation).ok()?.get_mut("source_key").map(Value::take);
    citations.iter().filter_map(key).any(|cited| judged.iter().any(|judged| is_key(&cited, judged)))
}

/// The questions of a table, in its order.
fn questions(table: pg_sys::Oid) -> Result<Vec<Question>> {
    let found = plan_cache::rows(COLUMNS, &[table.into()], 0, |row| {
        (row.get::<String>(1), row.get::<String>(2), row.get::<bool>(3) == Some(true))
    })?;
    let name = found.first().and_then(|column| column.0.clone()).unwrap_or_else(|| format!("with OID {table}"));
    let [(_, Some(question), _), (_, Some(reference), is_list), key @ ..] = found.as_slice() else {
        return Err(Error::new(
            Kind::InvalidArgument,
            format!("table {name} of questions must have at least 2 columns"),
        )
        .detail("They are the question and its reference, a text or a list of texts.")
        .hint("A question without a reference is one that the corpus does not answer."));
    };
    // Between built-in types, no role can define a cast.
    let cast = if *is_list { "::pg_catalog.text[]" } else { "" };
    let key = if key.is_empty() { "NULL::pg_catalog.text" } else { "q.source_key" };
    let sql = format!("SELECT q.{}, q.{}{cast}, {key} FROM {name} q", identifier(question), identifier(reference));
    let rows = as_self(|| {
        plan_cache::rows(&sql, &[], 0, |row| {
            let references = if *is_list {
                row.get::<Vec<Option<String>>>(2).unwrap_or_default().into_iter().flatten().collect()
            } else {
                row.text(2).into_iter().collect()
            };
            (row.text(1), references, row.json(3))
        })
    })?;
    let asked = rows.into_iter().filter_map(|(text, references, key): (Option<String>, Vec<String>, Option<Key>)| {
        let judged = match key.and_then(|key| serde_json::from_str(&key.0).ok()) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(keys)) => keys,
            Some(key) => vec![key],
        };
        let text = text.filter(|text| !text.trim().is_empty())?;
        let references = references.into_iter().filter(|reference| !reference.trim().is_empty()).collect();
        Some(Question { text, references, judged })
    });
    Ok(asked.collect())
}
