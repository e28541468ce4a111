//! The keyword retriever: the best hits among the chunks that pass, and the keyword scores of those that the vector
//! retriever has found.
//!
//! One pass as a rule, and more of the list, or all, where visible chunks are far down in it.

use super::request::SearchRequest;
use super::scope::Scope;
use crate::keyword_index::segments::{self, Question};
use socle_core::Result;
use socle_core::protocol::{MAX_HITS, QueryTruncation};
use std::collections::{HashMap, HashSet};

const VISIBLE: &str = include_str!("../../sql/search/visible.sql");

/// Hits of the first pass where the scope is restricted: this many times the limit, and at least so many.
const FIRST_PASS: (usize, usize) = (10, 200);

/// Factor by which each pass is longer than the one before, until it has everything: where one hit of a hundred is
/// visible, two passes are enough.
const LATER_PASS: u32 = 16;

/// Hits whose visibility is checked by one statement.
const SLICE: usize = 3_200;

/// The result of the keyword retriever.
#[derive(Debug, Default)]
pub struct KeywordCandidates {
    /// Chunks that pass, with BM25 scores, best first.
    pub hits: Vec<(i64, f64)>,
    /// Cosine similarities of these chunks; NaN without a query vector.
    pub similarities: HashMap<i64, f64>,
    /// Keyword scores of chunks that the vector retriever may have found; no entry for those that no keyword matches.
    pub scores: HashMap<i64, f64>,
    /// Chunks of the vector retriever that an operator of the query excludes.
    pub refused: HashSet<i64>,
    /// The query has a required phrase: only hits can be results.
    pub has_phrases: bool,
    /// Parts of the query that were not searched for.
    pub left_out: QueryTruncation,
    /// Words of the query that the index does not have, and what was searched for instead.
    pub corrections: Vec<(String, Vec<String>)>,
    /// Terms of the query that have synonyms, and these.
    pub synonyms: Vec<(String, Vec<String>)>,
}

/// The question of the first pass.
pub fn first_question(scope: &Scope<'_>, request: &SearchRequest, wanted: usize) -> Question {
    let first = if scope.restricted { (FIRST_PASS.0 * request.limit).max(FIRST_PASS.1).max(wanted) } else { wanted };
    let limit = u32::try_from(first).unwrap_or(u32::MAX);
    let restrict = scope.listed().cloned();
    let use_vocabulary = !scope.secured || restrict.is_some();
    Question { limit, after: None, restrict, score: Vec::new(), use_vocabulary }
}

/// Whether a prefix of the query stands for more words of the index than are searched for.
///
/// # Errors
/// Those of [`segments::ask`].
pub fn cuts_prefixes(scope: &Scope<'_>, request: &SearchRequest) -> Result<bool> {
    let answer =
        segments::ask(scope.corpus, &scope.segments, request.keyword_query(&scope.rules), &Question::default())?;
    Ok(answer.left_out.prefix_words > 0)
}

/// The best `wanted` hits that pass, and the keyword scores of the chunks that the vector retriever has `found`.
///
/// # Errors
/// Those of [`segments::ask`] and [`Scope::rows`].
pub fn hits(
    scope: &Scope<'_>,
    request: &SearchRequest,
    wanted: usize,
    found: &[(i64, f64)],
) -> Result<KeywordCandidates> {
    let mut question = first_question(scope, request, wanted);
    let mut candidates = KeywordCandidates::default();
    let mut visible: HashMap<i64, f64> = found.iter().copied().collect();
    let mut looked: HashSet<i64> = HashSet::new();
    let (mut hits, mut more) = (Vec::new(), true);
    question.score = found.iter().map(|(chunk, _)| *chunk).collect();
    let prefetched = scope.prefetched.as_ref().filter(|prefetched| prefetched.limit == question.limit);
    if let Some(prefetched) = prefetched {
        visible.extend(prefetched.visible(scope.vector().unwrap_or_default()));
        (hits, more) = (prefetched.hits.hits.clone(), prefetched.hits.more);
        candidates.left_out = prefetched.hits.left_out;
        candidates.corrections.clone_from(&prefetched.hits.corrections);
        candidates.synonyms.clone_from(&prefetched.hits.synonyms);
        looked.extend(hits.iter().map(|(chunk, _)| *chunk));
        candidates.scores = hits.iter().map(|(chunk, score)| (*chunk, f64::from(*score))).collect();
        question.score.retain(|chunk| !looked.contains(chunk));
        question.limit = 0;
    }
    if question.limit > 0 || !question.score.is_empty() {
        let answer = segments::ask(scope.corpus, &scope.segments, request.keyword_query(&scope.rules), &question)?;
        candidates.scores.extend(answer.scores.iter().map(|(chunk, score)| (*chunk, f64::from(*score))));
        candidates.refused = answer.refused.into_iter().collect();
        candidates.has_phrases = answer.has_phrases;
        candidates.left_out = answer.left_out;
        candidates.corrections = answer.corrections;
        candidates.synonyms = answer.synonyms;
        if prefetched.is_none() {
            (hits, more) = (answer.hits, answer.more);
        }
    }
    question.limit = prefetched.map_or(question.limit, |prefetched| prefetched.limit);
    loop {
        for slice in hits.chunks(SLICE) {
            let unknown = |chunk: &i64| !visible.contains_key(chunk) && !looked.contains(chunk);
            let chunks: Vec<i64> = slice.iter().map(|(chunk, _)| *chunk).filter(unknown).collect();
            visible.extend(scope.rows(VISIBLE, &chunks, 0, |row| {
                (row.get::<i64>(1).unwrap_or_default(), 1.0 - row.get::<f64>(2).unwrap_or(f64::NAN))
            })?);
            candidates.take(slice, &visible);
            if candidates.hits.len() >= wanted {
                break;
            }
        }
        match hits.last() {
            Some((chunk, score)) if more && candidates.hits.len() < wanted => {
                let limit = question.limit.saturating_mul(LATER_PASS).min(MAX_HITS);
                question = Question { limit, after: Some((*score, *chunk)), score: Vec::new(), ..question };
                looked.clear();
                let answer =
                    segments::ask(scope.corpus, &scope.segments, request.keyword_query(&scope.rules), &question)?;
                (hits, more) = (answer.hits, answer.more);
            }
            _ => break,
        }
    }
    candidates.hits.truncate(wanted);
    Ok(candidates)
}

impl KeywordCandidates {
    /// Adds the hits that pass.
    fn take(&mut self, hits: &[(i64, f32)], visible: &HashMap<i64, f64>) {
        for (chunk, score) in hits {
            if let Some(similarity) = visible.get(chunk) {
                self.hits.push((*chunk, f64::from(*score)));
                self.similarities.insert(*chunk, *similarity);
            }
        }
    }
}
