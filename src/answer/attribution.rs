//! Checks the sentences that a generator has written, one by one, against the passages of its prompt: what supports a
//! sentence is cited for it, and a sentence that nothing supports is removed.

use super::citation::Cited;
use super::context::{Context, NumberedPassage, heading};
use super::judged::{CitedSentence, has_cross_encoder};
use super::sentences::{has_lines_as_blocks, reranked};
use super::words::{QuestionWords, capitals_are_names};
use crate::catalog::CorpusSpec;
use crate::search::request::SearchRequest;
use socle_core::Result;
use socle_core::answer::attribution::{Claim, MAX_CLAIMS, Overlap, Part, best, claims, missing_name, parts};
use socle_core::answer::choose::coverage;
use socle_core::answer::particular::names;
use socle_core::protocol::QuerySyntax;
use std::collections::HashSet;
use std::rc::Rc;

/// A sentence that was removed.
#[derive(Clone, Debug)]
pub struct Removed {
    /// Its text.
    pub text: String,
    /// Why no passage supports it.
    pub reason: String,
}

/// The passages that sentences are compared with, and what has become of those so far.
pub struct Attribution {
    request: SearchRequest,
    context: Context,
    parts: Vec<Part>,
    capitals_are_names: bool,
    names: HashSet<String>,
    said: HashSet<String>,
    kept_count: usize,
    /// The sentences that no passage supports.
    pub removed: Vec<Removed>,
}

impl Attribution {
    /// Sentences are compared with the passages of this context.
    pub fn new(corpora: &[CorpusSpec], request: &SearchRequest, context: Context) -> Self {
        let mut all = Vec::new();
        for (number, NumberedPassage { best, passage, .. }) in context.passages.iter().enumerate() {
            all.extend(parts(number, passage, has_lines_as_blocks(corpora, &best.corpus)));
        }
        let texts = context.passages.iter().flat_map(|passage| {
            let title = passage.best.title.as_deref().into_iter();
            title.chain([passage.passage.content.as_str()])
        });
        let names = names(texts.chain([request.query.as_str()]));
        Self {
            request: request.clone(),
            parts: all,
            capitals_are_names: capitals_are_names(corpora, request),
            names,
            said: HashSet::new(),
            kept_count: 0,
            removed: Vec::new(),
            context,
        }
    }

    /// The sentences of a text that is complete.
    pub fn claims(&self, text: &str) -> Vec<Claim> {
        claims(text, self.capitals_are_names, &self.names)
    }

    /// The share of the sentences so far that passages support; `None` without a sentence.
    pub fn grounded(&self) -> Option<f64> {
        let all = self.kept_count + self.removed.len();
        (all > 0).then(|| self.kept_count as f64 / all as f64)
    }

    /// A sentence with its citation, or `None` if it was removed.
    ///
    /// # Errors
    /// Those of the engine and the models.
    pub fn check(&mut self, corpora: &[CorpusSpec], claim: &Claim) -> Result<Option<CitedSentence>> {
        let found = if self.kept_count + self.removed.len() >= MAX_CLAIMS {
            Err(format!("only {MAX_CLAIMS} sentences are looked at"))
        } else if self.said.insert(claim.text.to_lowercase()) {
            self.support(corpora, claim)?
        } else {
            Err("it is said already".to_string())
        };
        match found {
            Ok(citation) => {
                self.kept_count += 1;
                Ok(Some(CitedSentence { text: claim.text.clone(), citation }))
            }
            Err(reason) => {
                self.removed.push(Removed { text: claim.text.clone(), reason });
                Ok(None)
            }
        }
    }

    /// The citation of the part of a passage that supports a sentence, or why none does.
    fn support(&self, corpora: &[CorpusSpec], claim: &Claim) -> Result<Result<String, String>> {
        let overlaps = self.overlaps(corpora, claim)?;
        let reranker = self.request.reranker.as_ref().filter(|_| has_cross_encoder(&self.request));
        let candidates = match claim.candidates(&self.parts, &overlaps) {
            Ok(candidates) => candidates,
            Err(reason) => return Ok(Err(reason)),
        };
        let (at, support) = match reranker {
            None => (candidates[0], overlaps[candidates[0]].share),
            Some(model) => {
                let texts: Vec<String> = candidates.iter().map(|at| self.text(&self.parts[*at])).collect();
                let scores = |query: &str| -> Result<Vec<f64>> {
                    Ok(reranked(corpora, model, query, &texts)?.into_iter().map(f64::from).collect())
                };
                let for_sentence = scores(&claim.text)?;
                match best(&for_sentence, &scores(&self.request.query)?) {
                    Ok(best) => (candidates[best], for_sentence[best]),
                    Err(reason) => return Ok(Err(reason)),
                }
            }
        };
        let Part { passage, range, .. } = &self.parts[at];
        let cited = Cited { passage: *passage, range: range.clone(), support };
        let citation = cited.citation(corpora, &self.context, self.kept_count + 1)?;
        Ok(citation.ok_or_else(|| "the document has another text by now".to_string()))
    }

    /// A part of a passage with its title and headings.
    fn text(&self, part: &Part) -> String {
        let passage = &self.context.passages[part.passage];
        format!("{}{}", heading(&passage.best), &passage.passage.content[part.range.clone()])
    }

    /// What each part has of the words of a sentence, in any form, as the keyword index reads words.
    fn overlaps(&self, corpora: &[CorpusSpec], claim: &Claim) -> Result<Vec<Overlap>> {
        let query = Rc::new(claim.text.clone());
        let request = SearchRequest { query, syntax: QuerySyntax::Plain, ..self.request.clone() };
        let words = QuestionWords::find(corpora, &request, &self.context.passages, false)?;
        let anywhere = words.held(0..self.context.passages.len());
        let overlap = |part: &Part| {
            let held = words.in_part(part.passage, &part.range);
            Overlap {
                // A sentence without a word of its own says nothing that a passage could.
                share: if words.words.is_empty() { 0.0 } else { coverage(&words.words, &held) },
                missing: missing_name(&words.words, &held, &anywhere, self.capitals_are_names),
            }
        };
        Ok(self.parts.iter().map(overlap).collect())
    }
}
