//! `socle.answer`: the sentences of a corpus that answer a question, each with a citation, or that it has no answer.
//!
//! No text is generated: each sentence stands in its document at the offsets of its citation, which is looked at before it
//! is returned. What a passage says has no influence on what is done, only on its rank.

use super::context::Context;
use super::document::Document;
use super::options;
use super::sentences::{Sentence, compared};
use super::words::QuestionWords;
use crate::catalog::CorpusSpec;
use crate::pg::arguments::Arguments;
use crate::pg::error::report;
use crate::pg::jsonb_key::Key;
use crate::pg::value;
use crate::search::omission::Outcome;
use crate::search::request::{self, SearchRequest};
use crate::search::trace::Trace;
use crate::search::{name_of_one, names_of_many, run, with_corpora};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::answer::choose::{Evidence, choose, coverage, unmatched};
use socle_core::answer::citation::compose;
use socle_core::answer::content_hash;
use socle_core::model::ModelKind;
use socle_core::{Error, Kind, Result};

/// Sentences of an answer: by default, and at most.
const DEFAULT_SENTENCES: usize = 3;
const MAX_SENTENCES: i32 = 20;

/// Best passages that the words of the question are looked for in: what is further down answers nothing as a rule.
const COVERED_BY: usize = 3;

/// Sentences that are placed beyond those that are wanted, in case one does not stand where it should.
const SPARE: usize = 3;

/// Number of the first option of the search among the arguments.
const FIRST_OPTION: usize = 4;

type Answers = TableIterator<
    'static,
    (
        name!(answer, Option<String>),
        name!(declined, bool),
        name!(reason, Option<String>),
        name!(grounded, Option<f64>),
        name!(relevance, f64),
        name!(coverage, f64),
        name!(citations, Key),
        name!(unmatched_words, Vec<String>),
    ),
>;

/// What is asked besides the question.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Most sentences.
    pub sentences: usize,
    /// Least relevance; `None` for the default.
    pub min_relevance: Option<f64>,
    /// Sentences are chosen even where the question is declined.
    pub always: bool,
}

/// An answer.
#[derive(Debug, Default)]
pub struct Answer {
    /// Its sentences with their numbers; `None` without one.
    pub text: Option<String>,
    /// Why there is no answer.
    pub refusal: Option<String>,
    /// The question has a name or a number that no passage has.
    pub lacks_name: bool,
    /// See [`Evidence::relevance`].
    pub relevance: f64,
    /// See [`Evidence::coverage`].
    pub coverage: f64,
    /// The citations, one for each sentence, as JSON.
    pub citations: Vec<String>,
    /// The words of the question that no passage has.
    pub unmatched: Vec<String>,
}

#[pg_extern(sql = false)]
fn answer(call: pg_sys::FunctionCallInfo) -> Result<Answers, ErrorReport> {
    let arguments = Arguments::new(call);
    name_of_one(arguments).and_then(|names| answer_of(&names, arguments)).map(rows).map_err(report)
}

#[pg_extern(sql = false)]
fn answer_many(call: pg_sys::FunctionCallInfo) -> Result<Answers, ErrorReport> {
    let arguments = Arguments::new(call);
    names_of_many(arguments).and_then(|names| answer_of(&names, arguments)).map(rows).map_err(report)
}

fn answer_of(names: &[String], arguments: Arguments) -> Result<Option<Answer>> {
    let Some(request) = options::read(arguments, FIRST_OPTION)? else { return Ok(None) };
    let wanted =
        Wanted { sentences: max_sentences(arguments)?, min_relevance: min_relevance(arguments, 3)?, always: false };
    if names.is_empty() {
        return Ok(None);
    }
    let (answer, outcome) = with_corpora(names, |corpora| answered(corpora, &request, wanted))?;
    outcome.report();
    Ok(Some(answer))
}

/// Most sentences of an answer.
///
/// # Errors
/// `InvalidArgument` outside 1 to [`MAX_SENTENCES`].
pub fn max_sentences(arguments: Arguments) -> Result<usize> {
    Ok(request::number(arguments, 2, "max_sentences", 1..=MAX_SENTENCES)?.unwrap_or(DEFAULT_SENTENCES))
}

/// The least relevance of an answer.
///
/// # Errors
/// `InvalidArgument` for NaN.
pub fn min_relevance(arguments: Arguments, at: usize) -> Result<Option<f64>> {
    match arguments.f64(at) {
        Some(least) if least.is_nan() => {
            Err(Error::new(Kind::InvalidArgument, "min_relevance must be a number, not NaN"))
        }
        least => Ok(least),
    }
}

fn rows(answer: Option<Answer>) -> Answers {
    TableIterator::new(answer.into_iter().map(|answer| {
        let grounded = answer.text.as_ref().map(|_| 1.0);
        (
            answer.text,
            answer.refusal.is_some(),
            answer.refusal,
            grounded,
            answer.relevance,
            answer.coverage,
            value::canonical(&format!("[{}]", answer.citations.join(","))),
            answer.unmatched,
        )
    }))
}

/// Answers a question from corpora that are open, and says what the search left out.
///
/// # Errors
/// Those of the search, the engine and the models.
pub fn answered(corpora: &[CorpusSpec], request: &SearchRequest, wanted: Wanted) -> Result<(Answer, Outcome)> {
    let outcome = run(corpora, request, &mut Trace::default())?;
    // The scores of late interaction grow with the question and have no scale of their own.
    let is_cross_encoder = request.reranker.as_ref().is_some_and(|model| model.kind == ModelKind::Reranker);
    let scores = outcome.passages.iter().filter(|_| is_cross_encoder).filter_map(|passage| passage.ranked.rerank);
    let reranked = scores.reduce(f64::max);
    let context = Context::whole(&outcome.passages)?;
    let words = QuestionWords::find(corpora, request, &context.passages)?;
    let evidence = Evidence { reranked, coverage: coverage(&words.words, &words.held(0..COVERED_BY)) };
    let missing = unmatched(&words.words, &words.held(0..context.passages.len()));
    let refusal = if context.passages.is_empty() {
        Some("no passage was found".to_string())
    } else if words.words.is_empty() {
        Some("the question has no word that can be looked for".to_string())
    } else {
        evidence.refusal(wanted.min_relevance, &missing)
    };
    let mut answer = Answer {
        lacks_name: context.passages.is_empty() || words.words.is_empty() || missing.iter().any(|word| word.is_name),
        relevance: if context.passages.is_empty() { 0.0 } else { evidence.relevance() },
        coverage: if context.passages.is_empty() { 0.0 } else { evidence.coverage },
        unmatched: missing.into_iter().map(|word| word.text).collect(),
        refusal,
        ..Answer::default()
    };
    if answer.refusal.is_none() || wanted.always {
        let sentences = compared(corpora, request, &context.passages, &words)?;
        answer.take(corpora, &context, &sentences, wanted.sentences)?;
    }
    if answer.refusal.is_none() && answer.text.is_none() {
        answer.refusal = Some("no passage has a sentence".to_string());
    }
    Ok((answer, Outcome { passages: Vec::new(), ..outcome }))
}

impl Answer {
    /// Chooses sentences, and cites each where it stands.
    fn take(&mut self, corpora: &[CorpusSpec], context: &Context, sentences: &[Sentence], count: usize) -> Result<()> {
        let candidates: Vec<_> = sentences.iter().map(|sentence| sentence.candidate(&context.passages)).collect();
        let mut chosen: Vec<(&Sentence, String)> = Vec::new();
        for (at, score) in choose(&candidates, count + SPARE) {
            if chosen.len() == count {
                break;
            }
            let sentence = &sentences[at];
            if let Some(citation) = cited(corpora, context, sentence, score, chosen.len() + 1)? {
                chosen.push((sentence, citation));
            }
        }
        if chosen.is_empty() {
            return Ok(());
        }
        let texts = chosen.iter().zip(1..).map(|((sentence, _), number)| (number, sentence.text(&context.passages)));
        self.text = Some(compose(texts));
        self.citations = chosen.into_iter().map(|(_, citation)| citation).collect();
        Ok(())
    }
}

/// The citation of a sentence as JSON; `None` if it does not stand where its chunk says. Where documents are files, chunks
/// of a file that has changed are no results, and the text of the same file is the same.
fn cited(
    corpora: &[CorpusSpec],
    context: &Context,
    sentence: &Sentence,
    support: f64,
    number: usize,
) -> Result<Option<String>> {
    let (best, passage) = (&context.passages[sentence.passage].best, &context.passages[sentence.passage].passage);
    let Some(corpus) = corpora.iter().find(|corpus| corpus.name == best.corpus) else { return Ok(None) };
    let quote = sentence.text(&context.passages);
    let hash = content_hash(quote);
    let (mut start, mut end) = passage.offsets(&sentence.range);
    // With chunks around a result, white space between them may be another than in the document.
    let is_wide = passage.ordinals.1 - passage.ordinals.0 >= i32::try_from(passage.hits.len()).unwrap_or(i32::MAX);
    if !corpus.has_files() || is_wide {
        let Some(document) = Document::of_chunk(corpus, best.ranked.chunk_id)? else { return Ok(None) };
        let from_zero = |offset: i32| usize::try_from(offset - 1).unwrap_or_default();
        // Characters of markup are not those of its text: the quote is somewhere in the passage.
        let whole = from_zero(passage.start)..from_zero(passage.end);
        let near = if document.is_markup() { whole.start } else { from_zero(start) };
        let Some(place) = document.place_within(whole, quote, &hash, near)? else { return Ok(None) };
        let offset = |place: usize| i32::try_from(place + 1).unwrap_or(i32::MAX);
        (start, end) = (offset(place.start), offset(place.end));
    }
    let mut members = vec![
        format!("\"number\":{number}"),
        format!("\"corpus\":{}", value::string(&best.corpus)),
        format!("\"source_key\":{}", best.key.0),
        format!("\"start_offset\":{start}"),
        format!("\"end_offset\":{end}"),
        format!("\"quote\":{}", value::string(quote)),
        format!("\"content_sha256\":{}", value::string(&hash)),
        format!("\"support\":{support:.3}"),
    ];
    members.extend(best.title.as_ref().map(|title| format!("\"title\":{}", value::string(title))));
    members.extend(best.page.map(|page| format!("\"page\":{page}")));
    Ok(Some(format!("{{{}}}", members.join(","))))
}
