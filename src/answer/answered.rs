//! `socle.answer`: an answer from a corpus, with citations, or that the corpus has none.
//!
//! An extractive answer has sentences of the documents and no word besides. A generated one has the sentences of a generator
//! that a passage supports. What a passage says has no influence on what is done, only on its rank and on what a generator
//! writes.

use super::asked::{AnswerPlaces, Wanted, Writer};
use super::attribution::Removed;
use super::judged::{CitedSentence, Judged};
use super::options;
use super::recorded::{self, Asked};
use super::writing::{Writing, understandable};
use crate::catalog::CorpusSpec;
use crate::language_model::LanguageModel;
use crate::pg::arguments::Arguments;
use crate::pg::error::report;
use crate::pg::jsonb_key::Key;
use crate::pg::value;
use crate::search::omission::Outcome;
use crate::search::request::SearchRequest;
use crate::search::{name_of_one, names_of_many, with_corpora};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::Result;
use socle_core::answer::citation::compose;
use socle_core::endpoint::{self, CorpusPolicy};

/// How a generated answer ended of which no sentence is left.
pub const UNSUPPORTED: &str = "unsupported";

/// Why an answer is extractive that was to be generated.
pub const UNSUPPORTED_REASON: &str = "no generated sentence is supported by a passage: the answer is extractive";

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
        name!(removed, Key),
        name!(unmatched_words, Vec<String>),
        name!(generator, Option<String>),
        name!(model_digest, Option<String>),
        name!(prompt_tokens, Option<i32>),
        name!(answer_tokens, Option<i32>),
        name!(finish, Option<String>),
    ),
>;

/// What a generator has done for an answer.
#[derive(Clone, Debug)]
pub struct Generation {
    /// Name of the generator.
    pub generator: String,
    /// Its digest.
    pub digest: String,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens that were generated.
    pub answer_tokens: u32,
    /// Why it ended.
    pub finish: String,
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
    /// See [`Judged::relevance`].
    pub relevance: f64,
    /// See [`Judged::coverage`].
    pub coverage: f64,
    /// The share of the sentences that a passage supports.
    pub grounded: Option<f64>,
    /// The citations, one for each sentence, as JSON.
    pub citations: Vec<String>,
    /// The sentences that no passage supports.
    pub removed: Vec<Removed>,
    /// The words of the question that no passage has.
    pub unmatched: Vec<String>,
    /// What a generator has done.
    pub generation: Option<Generation>,
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
    let Some((request, wanted)) = asked(names, arguments)? else { return Ok(None) };
    let (answer, outcome, asked) = with_corpora(names, |corpora| {
        answered(corpora, &request, &wanted).map(|(answer, outcome)| (answer, outcome, Asked::of(corpora)))
    })?;
    outcome.report();
    recorded::tell(&asked, &request, &answer);
    Ok(Some(answer))
}

/// What a function that answers is asked; `None` without a question or a corpus.
///
/// # Errors
/// `InvalidArgument` and others for the arguments; those of the generator, where it writes the question anew.
pub fn asked(names: &[String], arguments: Arguments) -> Result<Option<(SearchRequest, Wanted)>> {
    let places = AnswerPlaces::WITH_CONVERSATION;
    let Some(question) = options::question(arguments)? else { return Ok(None) };
    let turns = options::turns(arguments, AnswerPlaces::CONVERSATION)?;
    let wanted = Wanted::read(arguments, places)?;
    let mut request = options::options(arguments, places.search(), question)?;
    if names.is_empty() {
        return Ok(None);
    }
    let policies = policies(names, wanted.writer.as_ref())?;
    request.query = understandable((*request.query).clone(), &turns, &policies, wanted.writer.as_ref())?.into();
    options::spare_reranker(&mut request)?;
    Ok(Some((request, wanted)))
}

/// What the corpora say about endpoints, checked before anything of the question can leave: a question is as secret as what it
/// is asked of. Nothing is read where nothing leaves.
///
/// # Errors
/// `NotPermitted` where one of them does not allow the endpoint; `UnknownCorpus`.
fn policies(names: &[String], writer: Option<&Writer>) -> Result<Vec<CorpusPolicy>> {
    let Some(LanguageModel::Endpoint(endpoint)) = writer.map(|writer| &writer.generator) else { return Ok(Vec::new()) };
    let policies = names.iter().map(|name| CorpusSpec::find_to_read(name).map(|corpus| corpus.policy()));
    let policies = policies.collect::<Result<Vec<_>>>()?;
    endpoint::refusal(&endpoint.name, &policies).map_or(Ok(policies), Err)
}

fn rows(answer: Option<Answer>) -> Answers {
    TableIterator::new(answer.into_iter().map(|answer| {
        let (is_declined, reason) = (answer.refusal.is_some(), answer.reason());
        let (generator, digest, prompt_tokens, answer_tokens, finish) = parts(answer.generation);
        (
            answer.text,
            is_declined,
            reason,
            answer.grounded,
            answer.relevance,
            answer.coverage,
            value::canonical(&format!("[{}]", answer.citations.join(","))),
            removed(&answer.removed),
            answer.unmatched,
            generator,
            digest,
            prompt_tokens,
            answer_tokens,
            finish,
        )
    }))
}

/// The columns of a generation: generator, digest, tokens of prompt and answer, finish.
pub type GenerationColumns = (Option<String>, Option<String>, Option<i32>, Option<i32>, Option<String>);

/// The columns of a generation.
pub fn parts(generation: Option<Generation>) -> GenerationColumns {
    let Some(generation) = generation else { return (None, None, None, None, None) };
    let tokens = |count: u32| Some(i32::try_from(count).unwrap_or(i32::MAX));
    (
        Some(generation.generator),
        Some(generation.digest),
        tokens(generation.prompt_tokens),
        tokens(generation.answer_tokens),
        Some(generation.finish),
    )
}

/// Sentences that were removed, as JSON.
pub fn removed(removed: &[Removed]) -> Key {
    let object = |removed: &Removed| {
        format!("{{\"text\":{},\"reason\":{}}}", value::string(&removed.text), value::string(&removed.reason))
    };
    value::canonical(&format!("[{}]", removed.iter().map(object).collect::<Vec<_>>().join(",")))
}

/// Answers a question from corpora that are open, and says what the search left out.
///
/// # Errors
/// Those of the search, the engine, the models and the generator.
pub fn answered(corpora: &[CorpusSpec], request: &SearchRequest, wanted: &Wanted) -> Result<(Answer, Outcome)> {
    let (judged, outcome) = Judged::new(corpora, request, wanted)?;
    let mut answer = Answer::of(&judged);
    if judged.refusal.is_none() && wanted.writer.is_some() {
        answer.write(corpora, request, &judged, wanted)?;
    }
    if answer.text.is_none() && (judged.refusal.is_none() || wanted.always) {
        answer.extract(corpora, request, &judged, wanted)?;
    }
    Ok((answer, outcome))
}

impl Answer {
    /// What is known before there is a sentence.
    pub fn of(judged: &Judged) -> Self {
        Self {
            refusal: judged.refusal.clone(),
            lacks_name: judged.lacks_name,
            relevance: judged.relevance,
            coverage: judged.coverage,
            unmatched: judged.unmatched.clone(),
            ..Self::default()
        }
    }

    /// Why there is no answer, or another one than was asked for.
    pub fn reason(&self) -> Option<String> {
        let is_replaced = self.generation.as_ref().is_some_and(|generation| generation.finish == UNSUPPORTED);
        self.refusal.clone().or_else(|| is_replaced.then(|| UNSUPPORTED_REASON.to_string()))
    }

    /// Has the generator write, as far as passages support it.
    fn write(
        &mut self,
        corpora: &[CorpusSpec],
        request: &SearchRequest,
        judged: &Judged,
        wanted: &Wanted,
    ) -> Result<()> {
        let Some(writer) = &wanted.writer else { return Ok(()) };
        let mut writing = Writing::begin(corpora, request, judged, writer)?;
        let mut kept = Vec::new();
        while let Some(claim) = writing.next_claim()? {
            kept.extend(writing.check(corpora, &claim)?);
        }
        self.take(kept);
        self.finish(&mut writing, &writer.generator)
    }

    /// Notes how a generation has ended; the sentences that are kept are there by now.
    ///
    /// # Errors
    /// `Bug` before it has ended.
    pub fn finish(&mut self, writing: &mut Writing, generator: &LanguageModel) -> Result<()> {
        let (generated, attribution) = writing.end()?;
        let finish = if self.citations.is_empty() { UNSUPPORTED } else { generated.finish.name() };
        self.grounded = attribution.grounded();
        self.removed.clone_from(&attribution.removed);
        self.generation = Some(Generation {
            generator: generator.name().to_string(),
            digest: generator.digest(),
            prompt_tokens: generated.prompt_tokens,
            answer_tokens: generated.answer_tokens,
            finish: finish.to_string(),
        });
        Ok(())
    }

    /// Chooses sentences of the passages.
    fn extract(
        &mut self,
        corpora: &[CorpusSpec],
        request: &SearchRequest,
        judged: &Judged,
        wanted: &Wanted,
    ) -> Result<()> {
        let sentences = judged.sentences(corpora, request, wanted.sentences)?;
        if sentences.is_empty() && self.refusal.is_none() {
            self.refusal = Some("no passage has a sentence".to_string());
        }
        self.grounded = self.grounded.or((!sentences.is_empty()).then_some(1.0));
        self.take(sentences);
        Ok(())
    }

    /// Takes the sentences of the answer.
    pub fn take(&mut self, sentences: Vec<CitedSentence>) {
        let numbered = sentences.iter().zip(1..).map(|(sentence, number)| (number, sentence.text.as_str()));
        self.text = (!sentences.is_empty()).then(|| compose(numbered));
        self.citations = sentences.into_iter().map(|sentence| sentence.citation).collect();
    }
}
