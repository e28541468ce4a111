//! What a search has found for a question, and whether that answers it: the gate before every answer, extractive or
//! generated. Below it no generator is asked.

use super::asked::Wanted;
use super::citation::Cited;
use super::context::Context;
use super::sentences::compared;
use super::words::QuestionWords;
use crate::catalog::CorpusSpec;
use crate::search::omission::Outcome;
use crate::search::passage::Passage as Hit;
use crate::search::request::SearchRequest;
use crate::search::run;
use crate::search::trace::Trace;
use socle_core::Result;
use socle_core::answer::choose::{Evidence, choose, coverage, unmatched};
use socle_core::model::ModelKind;

/// Best passages that the words of the question are looked for in: what is further down answers nothing as a rule.
const COVERED_BY: usize = 3;

/// Sentences that are placed beyond those that are wanted, in case one does not stand where it should.
const SPARE: usize = 3;

/// What was found, and what is thought of it.
pub struct Judged {
    /// The search results, the best first.
    pub hits: Vec<Hit>,
    /// All passages of them.
    context: Context,
    words: QuestionWords,
    /// Why the question is declined.
    pub refusal: Option<String>,
    /// The question has a name or a number that no passage has.
    pub lacks_name: bool,
    /// See [`Evidence::relevance`].
    pub relevance: f64,
    /// See [`Evidence::coverage`].
    pub coverage: f64,
    /// The words of the question that no passage has.
    pub unmatched: Vec<String>,
}

/// A sentence of an answer with its citation as JSON.
#[derive(Clone, Debug)]
pub struct CitedSentence {
    /// Its text.
    pub text: String,
    /// The citation.
    pub citation: String,
}

impl Judged {
    /// Searches corpora that are open, and says what the search left out.
    ///
    /// # Errors
    /// Those of the search, the engine and the models.
    pub fn new(corpora: &[CorpusSpec], request: &SearchRequest, wanted: &Wanted) -> Result<(Self, Outcome)> {
        let mut outcome = run(corpora, request, &mut Trace::default())?;
        let hits = std::mem::take(&mut outcome.passages);
        let scores = hits.iter().filter(|_| has_cross_encoder(request));
        let reranked = scores.filter_map(|passage| passage.ranked.rerank).reduce(f64::max);
        let context = Context::whole(&hits)?;
        let words = QuestionWords::find(corpora, request, &context.passages, true)?;
        let evidence = Evidence { reranked, coverage: coverage(&words.words, &words.held(0..COVERED_BY)) };
        let missing = unmatched(&words.words, &words.held(0..context.passages.len()));
        let is_empty = context.passages.is_empty();
        let refusal = if is_empty {
            Some("no passage was found".to_string())
        } else if words.words.is_empty() {
            Some("the question has no word that can be looked for".to_string())
        } else {
            evidence.refusal(wanted.min_relevance, &missing)
        };
        let judged = Self {
            lacks_name: is_empty || words.words.is_empty() || missing.iter().any(|word| word.is_name),
            relevance: if is_empty { 0.0 } else { evidence.relevance() },
            coverage: if is_empty { 0.0 } else { evidence.coverage },
            unmatched: missing.into_iter().map(|word| word.text).collect(),
            refusal,
            hits,
            context,
            words,
        };
        Ok((judged, outcome))
    }

    /// The sentences of the passages that answer the question best, at most `count`, each cited where it stands.
    ///
    /// # Errors
    /// Those of the engine and the models.
    pub fn sentences(
        &self,
        corpora: &[CorpusSpec],
        request: &SearchRequest,
        count: usize,
    ) -> Result<Vec<CitedSentence>> {
        let sentences = compared(corpora, request, &self.context.passages, &self.words)?;
        let candidates: Vec<_> = sentences.iter().map(|sentence| sentence.candidate(&self.context.passages)).collect();
        let mut chosen: Vec<CitedSentence> = Vec::new();
        for (at, support) in choose(&candidates, count + SPARE) {
            if chosen.len() == count {
                break;
            }
            let sentence = &sentences[at];
            let cited = Cited { passage: sentence.passage, range: sentence.range.clone(), support };
            if let Some(citation) = cited.citation(corpora, &self.context, chosen.len() + 1)? {
                chosen.push(CitedSentence { text: sentence.text(&self.context.passages).to_string(), citation });
            }
        }
        Ok(chosen)
    }
}

/// Whether there is a reranker whose scores have a scale: those of late interaction grow with the question.
pub fn has_cross_encoder(request: &SearchRequest) -> bool {
    request.reranker.as_ref().is_some_and(|model| model.kind == ModelKind::Reranker)
}
