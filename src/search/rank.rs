//! From two lists to one: candidates of both legs without what is stale, fused, ranked anew, thinned out.

use super::keyword::{self, Question};
use super::scope::Scope;
use super::trace::Trace;
use super::vector_leg;
use super::wish::{Mode, Wish};
use socle_core::Result;
use socle_core::search::fusion::{Candidate, REFERENCE_DEPTH, fuse};
use std::collections::{HashMap, HashSet};

const VISIBLE: &str = include_str!("../../sql/search/visible.sql");

/// Hits of words that are looked through before all of them are: this many times what is wanted, and at least so many.
const FIRST_PASS: (usize, usize) = (10, 200);

/// Each look after that is so many times as long as the one before, up to so many hits: often one chunk that is gone, and
/// still in its segment, is all that has to be made up for.
const LATER_PASSES: (u32, u32) = (4, 20_000);

/// How often candidates that are stale are made up for by looking further.
const MAX_ROUNDS: usize = 8;

/// What one leg says of a chunk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Position among the candidates of the leg, from 1; `None` when only the other leg found it.
    pub rank: Option<usize>,
    /// Cosine similarity, or BM25.
    pub score: f64,
    /// The same as the fusion counted it.
    pub normalised: Option<f64>,
}

/// A chunk with its place in the ranking.
#[derive(Clone, Debug)]
pub struct Ranked {
    /// Which one.
    pub chunk_id: i64,
    /// What the ranking goes by.
    pub score: f64,
    /// What the vectors say.
    pub vector: Option<Standing>,
    /// What the words say.
    pub keyword: Option<Standing>,
    /// What the cross-encoder says.
    pub rerank: Option<f64>,
}

/// Both legs of a search in one corpus, best first, without what is stale.
#[derive(Debug, Default)]
struct Legs {
    vector: Vec<(i64, f64)>,
    keyword: Vec<(i64, f64)>,
    /// Similarities of chunks that were found by words, and scores of those that were found by their vector.
    similarities: HashMap<i64, f64>,
    scores: HashMap<i64, f64>,
    stale: HashSet<i64>,
}

/// The ranking of the candidates of one corpus, and whether there are more.
///
/// # Errors
/// As the legs.
pub fn rank(scope: &Scope<'_>, wish: &Wish, trace: &mut Trace) -> Result<(Vec<Ranked>, bool)> {
    let depth = wish.candidate_count.max(REFERENCE_DEPTH);
    let mut wanted = depth;
    let mut legs = Legs::default();
    for _ in 0..MAX_ROUNDS {
        legs = candidates(scope, wish, wanted, trace)?;
        let cut = |leg: &Vec<(i64, f64)>, stale: usize| leg.len() < depth && leg.len() + stale >= wanted;
        let lost = legs.stale.len();
        if lost == 0 || !(cut(&legs.vector, lost) || cut(&legs.keyword, lost)) {
            break;
        }
        wanted = wanted.saturating_mul(4);
    }
    legs.vector.truncate(depth);
    legs.keyword.truncate(depth);
    let ranked = match wish.mode {
        Mode::Vector => single(&legs.vector, |standing| (Some(standing), None)),
        Mode::Keyword => single(&legs.keyword, |standing| (None, Some(standing))),
        Mode::Hybrid => fused(&legs, wish)?,
    };
    trace.candidates(scope.corpus, &ranked, &legs.stale);
    Ok((ranked, legs.vector.len() >= depth || legs.keyword.len() >= depth))
}

fn candidates(scope: &Scope<'_>, wish: &Wish, wanted: usize, trace: &mut Trace) -> Result<Legs> {
    let mut legs = Legs::default();
    if wish.mode.has_vectors() {
        let (found, path) = trace.timed("vector", || vector_leg::nearest(scope, wanted))?;
        trace.note("vector", format!("{} candidates, {}", found.len(), path.words()));
        legs.vector = found;
    }
    if wish.mode.has_words() {
        let found: Vec<i64> = legs.vector.iter().map(|(chunk, _)| *chunk).collect();
        trace.timed("keyword", || words(scope, wish, wanted, found, &mut legs))?;
        trace.note("keyword", format!("{} candidates in {} segments", legs.keyword.len(), scope.segments.len()));
    }
    let mut all: Vec<i64> = legs.vector.iter().chain(&legs.keyword).map(|(chunk, _)| *chunk).collect();
    all.sort_unstable();
    all.dedup();
    legs.stale = trace.timed("changes", || scope.stale(all))?;
    legs.vector.retain(|(chunk, _)| !legs.stale.contains(chunk));
    legs.keyword.retain(|(chunk, _)| !legs.stale.contains(chunk));
    Ok(legs)
}

/// The keyword leg: in one look as a rule, and through the complete list when what may be seen is far down.
fn words(scope: &Scope<'_>, wish: &Wish, wanted: usize, found: Vec<i64>, legs: &mut Legs) -> Result<()> {
    let first = if scope.restricted { (FIRST_PASS.0 * wish.limit).max(FIRST_PASS.1).max(wanted) } else { wanted };
    let mut question = Question {
        limit: u32::try_from(first).unwrap_or(u32::MAX),
        after: None,
        restrict: scope.eligible.clone(),
        score: found,
    };
    loop {
        let answer = keyword::ask(scope.corpus, &scope.segments, wish, &question)?;
        legs.scores.extend(answer.scores.iter().map(|(chunk, score)| (*chunk, f64::from(*score))));
        // What the other leg has found can be seen.
        let mut visible: HashMap<i64, f64> = legs.vector.iter().copied().collect();
        let chunks: Vec<i64> =
            answer.hits.iter().map(|(chunk, _)| *chunk).filter(|chunk| !visible.contains_key(chunk)).collect();
        visible.extend(scope.rows(VISIBLE, &chunks, 0, |row| {
            (row.get::<i64>(1).unwrap_or_default(), 1.0 - row.get::<f64>(2).unwrap_or(f64::NAN))
        })?);
        for (chunk, score) in &answer.hits {
            if let Some(similarity) = visible.get(chunk) {
                legs.keyword.push((*chunk, f64::from(*score)));
                legs.similarities.insert(*chunk, *similarity);
            }
        }
        match answer.hits.last() {
            Some((chunk, score)) if answer.more && legs.keyword.len() < wanted => {
                question.after = Some((*score, *chunk));
                question.limit = question.limit.saturating_mul(LATER_PASSES.0).min(LATER_PASSES.1);
                question.score = Vec::new();
            }
            _ => break,
        }
    }
    legs.keyword.truncate(wanted);
    Ok(())
}

/// One leg by itself.
fn single(leg: &[(i64, f64)], place: impl Fn(Standing) -> (Option<Standing>, Option<Standing>)) -> Vec<Ranked> {
    leg.iter()
        .enumerate()
        .map(|(at, (chunk_id, score))| {
            let (vector, keyword) = place(Standing { rank: Some(at + 1), score: *score, normalised: None });
            Ranked { chunk_id: *chunk_id, score: *score, vector, keyword, rerank: None }
        })
        .collect()
}

fn fused(legs: &Legs, wish: &Wish) -> Result<Vec<Ranked>> {
    let places = |leg: &[(i64, f64)]| -> HashMap<i64, (usize, f64)> {
        leg.iter().enumerate().map(|(at, (chunk, score))| (*chunk, (at + 1, *score))).collect()
    };
    let (vector, keyword) = (places(&legs.vector), places(&legs.keyword));
    let mut chunks: Vec<i64> = vector.keys().chain(keyword.keys()).copied().collect();
    chunks.sort_unstable();
    chunks.dedup();
    let candidates: Vec<Candidate> = chunks
        .into_iter()
        .map(|chunk_id| Candidate {
            chunk_id,
            vector: vector.get(&chunk_id).map(|place| place.1).or_else(|| legs.similarities.get(&chunk_id).copied()),
            keyword: keyword.get(&chunk_id).map(|place| place.1).or_else(|| legs.scores.get(&chunk_id).copied()),
        })
        .collect();
    let reference = |leg: &[(i64, f64)]| leg.iter().take(REFERENCE_DEPTH).map(|(_, score)| *score).collect::<Vec<_>>();
    let fused =
        fuse(wish.fusion, wish.keyword_weight, &candidates, &reference(&legs.vector), &reference(&legs.keyword))?;
    let raw: HashMap<i64, Candidate> =
        candidates.into_iter().map(|candidate| (candidate.chunk_id, candidate)).collect();
    Ok(fused
        .into_iter()
        .filter_map(|fused| {
            let raw = raw.get(&fused.chunk_id)?;
            let standing = |places: &HashMap<i64, (usize, f64)>, score: Option<f64>, normalised: Option<f64>| {
                let rank = places.get(&fused.chunk_id).map(|place| place.0);
                score.map(|score| Standing { rank, score, normalised })
            };
            Some(Ranked {
                chunk_id: fused.chunk_id,
                score: fused.score,
                vector: standing(&vector, raw.vector, fused.vector),
                keyword: standing(&keyword, raw.keyword, fused.keyword),
                rerank: None,
            })
        })
        .collect())
}
