//! Ranks the candidates of one corpus: those of both retrievers, without stale ones, fused into one list.

use super::keyword_retriever::{self, KeywordCandidates};
use super::request::{Mode, SearchRequest};
use super::scope::{Scope, Stale};
use super::trace::Trace;
use super::vector_retriever;
use socle_core::Result;
use socle_core::protocol::{FieldWeights, QueryTruncation};
use socle_core::search::boost;
use socle_core::search::fusion::{self, Candidate, REFERENCE_DEPTH, fuse};
use std::collections::HashMap;

/// Most rounds that make up for candidates that are left out by looking further: up to 25,600 of each retriever.
const MAX_ROUNDS: usize = 5;

/// Factor by which each round looks further.
const FURTHER: usize = 4;

/// Rank and score of a chunk in one retriever.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetrieverScore {
    /// Position among the candidates of the retriever, from 1; `None` when only the other retriever found it.
    pub rank: Option<usize>,
    /// Cosine similarity, or BM25 score.
    pub score: f64,
    /// The score as fusion counted it.
    pub normalised: Option<f64>,
}

/// What a boost has done to a score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Boosted {
    /// What the score above the floor was multiplied by.
    pub factor: f64,
    /// The score before.
    pub relevance: f64,
}

/// A chunk with its scores.
#[derive(Clone, Debug)]
pub struct Ranked {
    /// Id of the chunk.
    pub chunk_id: i64,
    /// The score that the ranking is ordered by.
    pub score: f64,
    /// Rank and score in the vector retriever.
    pub vector: Option<RetrieverScore>,
    /// Rank and score in the keyword retriever.
    pub keyword: Option<RetrieverScore>,
    /// Score of the reranker.
    pub rerank: Option<f64>,
    /// The boost in `score`.
    pub boost: Option<Boosted>,
    /// Its document has changed since it was chunked.
    pub stale: bool,
}

impl Ranked {
    /// The score without boost.
    pub fn relevance(&self) -> f64 {
        self.boost.map_or(self.score, |boost| boost.relevance)
    }

    /// Multiplies the part of the score above `floor`.
    pub fn multiply(&mut self, factor: f64, floor: f64) {
        self.boost = Some(Boosted { factor, relevance: self.score });
        self.score = boost::boosted(self.score, floor, factor);
    }
}

/// The ranked candidates of one corpus.
#[derive(Debug, Default)]
pub struct Ranking {
    /// The candidates, best first.
    pub ranked: Vec<Ranked>,
    /// The same with those that were left out because changes of their documents are pending, if there are any.
    pub with_waiting: Option<Vec<Ranked>>,
    /// There may be more candidates.
    pub more: bool,
    /// Parts of the query that the keyword index was not searched for.
    pub left_out: QueryTruncation,
}

/// Chunks and scores, best first.
type ScoredChunks = Vec<(i64, f64)>;

/// What both retrievers have found in one corpus, without what must not be returned.
#[derive(Debug, Default)]
struct Retrieved {
    vector: ScoredChunks,
    keyword: KeywordCandidates,
    /// Chunks of documents that have changed since.
    stale: Stale,
    /// Both lists with candidates whose changes are pending, where those are left out.
    with_waiting: Option<(ScoredChunks, ScoredChunks)>,
    /// A retriever has lost candidates, and too few are left.
    lacking: bool,
}

/// Ranks the candidates of one corpus.
///
/// # Errors
/// Those of the retrievers.
pub fn rank(scope: &Scope<'_>, request: &SearchRequest, trace: &mut Trace) -> Result<Ranking> {
    let depth = request.depth();
    let mut wanted = depth;
    let mut retrieved = retrieve(scope, request, (wanted, depth), trace)?;
    for _ in 1..MAX_ROUNDS {
        if !retrieved.lacking {
            break;
        }
        wanted = wanted.saturating_mul(FURTHER);
        retrieved = retrieve(scope, request, (wanted, depth), trace)?;
    }
    if retrieved.lacking && !(retrieved.stale.waiting.is_empty() && retrieved.stale.gone.is_empty()) {
        pgrx::notice!("changes of the documents of most chunks of corpus \"{}\" are pending", scope.corpus.name);
    }
    let ranked = merged(scope, &mut retrieved, request, trace)?;
    trace.candidates(&scope.corpus.name, &ranked, (&retrieved.stale, &retrieved.keyword.refused));
    let more = retrieved.vector.len() >= depth || retrieved.keyword.hits.len() >= depth;
    let with_waiting = match retrieved.with_waiting.take() {
        Some((vector, hits)) => {
            (retrieved.vector, retrieved.keyword.hits) = (vector, hits);
            Some(merged(scope, &mut retrieved, request, &mut Trace::default())?)
        }
        None => None,
    };
    Ok(Ranking { ranked, with_waiting, more, left_out: retrieved.keyword.left_out })
}

/// Merges both lists into one ranking, with boosts.
fn merged(
    scope: &Scope<'_>,
    retrieved: &mut Retrieved,
    request: &SearchRequest,
    trace: &mut Trace,
) -> Result<Vec<Ranked>> {
    retrieved.vector.truncate(request.depth());
    retrieved.keyword.hits.truncate(request.depth());
    let first = |list: &[(i64, f64)]| list.len().min(request.candidate_count);
    let mut ranked = match request.mode {
        Mode::Vector => single(&retrieved.vector[..first(&retrieved.vector)], |score| (Some(score), None)),
        Mode::Keyword => single(&retrieved.keyword.hits[..first(&retrieved.keyword.hits)], |score| (None, Some(score))),
        Mode::Hybrid => fused(retrieved, request)?,
    };
    for ranked in &mut ranked {
        ranked.stale = retrieved.stale.waiting.contains(&ranked.chunk_id);
    }
    if let Some(boosts) = &scope.boosts {
        super::boost::apply(scope, boosts, floor(retrieved, request), &mut ranked, trace)?;
    }
    Ok(ranked)
}

/// The score from which boosts count: that of a chunk without any of the words, or less than that of the best hits.
fn floor(retrieved: &Retrieved, request: &SearchRequest) -> f64 {
    let (vector, keyword) = (reference(&retrieved.vector), reference(&retrieved.keyword.hits));
    match request.mode {
        Mode::Keyword => 0.0,
        Mode::Vector => boost::floor(&vector),
        Mode::Hybrid => fusion::floor(request.fusion, request.keyword_weight, &vector, &keyword),
    }
}

/// The scores that normalisation looks at.
fn reference(list: &[(i64, f64)]) -> Vec<f64> {
    list.iter().take(REFERENCE_DEPTH).map(|(_, score)| *score).collect()
}

/// The corrections of the query, for `socle.explain_search`.
fn corrections(corrections: &[(String, Vec<String>)]) -> String {
    if corrections.is_empty() {
        return String::new();
    }
    let describe = |(word, found): &(String, Vec<String>)| format!("{word} as {}", found.join(", "));
    format!("; corrected: {}", corrections.iter().map(describe).collect::<Vec<_>>().join("; "))
}

/// The synonyms of the query, for `socle.explain_search`.
fn synonyms(synonyms: &[(String, Vec<String>)]) -> String {
    let describe = |(term, others): &(String, Vec<String>)| format!("; {term} finds {}", others.join(", "));
    synonyms.iter().map(describe).collect()
}

/// The weights of fields, for `socle.explain_search`.
fn weights(FieldWeights { content, title, headings }: FieldWeights) -> String {
    format!("content counts {content}, titles {title}, headings {headings}")
}

/// Asks both retrievers for the best `wanted` candidates, of which `depth` have to be left.
fn retrieve(
    scope: &Scope<'_>,
    request: &SearchRequest,
    (wanted, depth): (usize, usize),
    trace: &mut Trace,
) -> Result<Retrieved> {
    let mut retrieved = Retrieved::default();
    // Without a vector, keywords decide alone where that is allowed.
    if request.mode.has_vectors() && scope.vector().is_some() {
        let (explained, step) = (trace.explained, ("vector", scope.corpus.name.as_str()));
        let (found, path) = trace.timed(step, || vector_retriever::nearest(scope, wanted, explained))?;
        trace.note(step, || format!("{} candidates, {}", found.len(), path.describe()));
        retrieved.vector = found;
    }
    if request.mode.has_keyword() {
        let step = ("keyword", scope.corpus.name.as_str());
        retrieved.keyword = trace.timed(step, || keyword_retriever::hits(scope, request, wanted, &retrieved.vector))?;
        let (hits, segments) = (retrieved.keyword.hits.len(), scope.segments.len());
        let left_out = retrieved.keyword.left_out.describe().map(|words| format!("; not searched for: {words}"));
        let corrections = corrections(&retrieved.keyword.corrections);
        let synonyms = synonyms(&retrieved.keyword.synonyms);
        let weights = weights(request.weights);
        trace.note(step, || {
            let left_out = left_out.unwrap_or_default();
            format!("{hits} candidates in {segments} segments; {weights}{left_out}{corrections}{synonyms}")
        });
    }
    let mut all: Vec<i64> = retrieved.vector.iter().chain(&retrieved.keyword.hits).map(|(chunk, _)| *chunk).collect();
    all.sort_unstable();
    all.dedup();
    retrieved.stale = trace.timed(("changes", &scope.corpus.name), || scope.stale(all))?;
    let (stale, refused) = (&retrieved.stale, &retrieved.keyword.refused);
    let is_left_out =
        |chunk: &i64| stale.gone.contains(chunk) || (!request.stale_shown && stale.waiting.contains(chunk));
    // What an operator excludes is no hit. A required phrase is in hits only, which are searched for anyway.
    let counts = |chunk: &i64| is_left_out(chunk) || (refused.contains(chunk) && !retrieved.keyword.has_phrases);
    let lacks = |list: &[(i64, f64)]| {
        let lost = list.iter().filter(|(chunk, _)| counts(chunk)).count();
        lost > 0 && list.len() >= wanted && list.len() - lost < depth
    };
    retrieved.lacking = lacks(&retrieved.vector) || lacks(&retrieved.keyword.hits);
    retrieved.vector.retain(|(chunk, _)| !stale.gone.contains(chunk) && !refused.contains(chunk));
    retrieved.keyword.hits.retain(|(chunk, _)| !stale.gone.contains(chunk));
    if !request.stale_shown && !stale.waiting.is_empty() {
        retrieved.with_waiting = Some((retrieved.vector.clone(), retrieved.keyword.hits.clone()));
        retrieved.vector.retain(|(chunk, _)| !stale.waiting.contains(chunk));
        retrieved.keyword.hits.retain(|(chunk, _)| !stale.waiting.contains(chunk));
    }
    Ok(retrieved)
}

/// The ranking of one retriever alone.
fn single(
    list: &[(i64, f64)],
    place: impl Fn(RetrieverScore) -> (Option<RetrieverScore>, Option<RetrieverScore>),
) -> Vec<Ranked> {
    list.iter()
        .enumerate()
        .map(|(at, (chunk_id, score))| {
            let (vector, keyword) = place(RetrieverScore { rank: Some(at + 1), score: *score, normalised: None });
            Ranked { chunk_id: *chunk_id, score: *score, vector, keyword, rerank: None, boost: None, stale: false }
        })
        .collect()
}

fn fused(retrieved: &Retrieved, request: &SearchRequest) -> Result<Vec<Ranked>> {
    let places = |list: &[(i64, f64)]| -> HashMap<i64, (usize, f64)> {
        list.iter().enumerate().map(|(at, (chunk, score))| (*chunk, (at + 1, *score))).collect()
    };
    let (vector, keyword) = (places(&retrieved.vector), places(&retrieved.keyword.hits));
    // Normalisation looks at more of a list than there may be candidates.
    let first =
        |list: &'_ [(i64, f64)]| list.iter().take(request.candidate_count).map(|(chunk, _)| *chunk).collect::<Vec<_>>();
    let mut chunks = [first(&retrieved.vector), first(&retrieved.keyword.hits)].concat();
    chunks.sort_unstable();
    chunks.dedup();
    let candidates: Vec<Candidate> = chunks
        .into_iter()
        .map(|chunk_id| Candidate {
            chunk_id,
            vector: vector
                .get(&chunk_id)
                .map(|place| place.1)
                .or_else(|| retrieved.keyword.similarities.get(&chunk_id).copied()),
            keyword: keyword
                .get(&chunk_id)
                .map(|place| place.1)
                .or_else(|| retrieved.keyword.scores.get(&chunk_id).copied()),
        })
        .collect();
    let fused = fuse(
        request.fusion,
        request.keyword_weight,
        &candidates,
        &reference(&retrieved.vector),
        &reference(&retrieved.keyword.hits),
    )?;
    let raw: HashMap<i64, Candidate> =
        candidates.into_iter().map(|candidate| (candidate.chunk_id, candidate)).collect();
    Ok(fused
        .into_iter()
        .filter_map(|fused| {
            let raw = raw.get(&fused.chunk_id)?;
            let retrieved = |places: &HashMap<i64, (usize, f64)>, score: Option<f64>, normalised: Option<f64>| {
                let rank = places.get(&fused.chunk_id).map(|place| place.0);
                score.map(|score| RetrieverScore { rank, score, normalised })
            };
            Some(Ranked {
                chunk_id: fused.chunk_id,
                score: fused.score,
                vector: retrieved(&vector, raw.vector, fused.vector),
                keyword: retrieved(&keyword, raw.keyword, fused.keyword),
                rerank: None,
                boost: None,
                stale: false,
            })
        })
        .collect())
}
