//! Selects results from the candidates: reranked by a model, above the minimum scores, diverse.

use super::rank::Ranked;
use super::request::SearchRequest;
use super::reranker;
use super::scope::Scope;
use super::trace::Trace;
use socle_core::model::ModelSpec;
use socle_core::search::boost;
use socle_core::search::fusion::standard_scores;
use socle_core::search::mmr::diversify;
use socle_core::search::rerank::default_weight;
use socle_core::{Error, Kind, Result};
use std::collections::HashMap;

const VECTORS: &str = include_str!("../../sql/search/vectors.sql");

/// What was selected of the candidates.
pub struct Selection {
    /// The results with the index of their corpus, best first.
    pub chosen: Vec<(usize, Ranked)>,
    /// Number of results of all pages, if there are no more candidates.
    pub total: usize,
}

/// The results of one page; `None` as for [`reranker::score`].
///
/// # Errors
/// Those of [`Scope::rows`] and of `socle.rerank`.
pub fn select(
    scopes: &[Scope<'_>],
    mut ranked: Vec<(usize, Ranked)>,
    request: &SearchRequest,
    trace: &mut Trace,
) -> Result<Option<Selection>> {
    if let Some(model) = &request.reranker {
        let there = trace.places(&ranked);
        ranked.truncate(request.rerank_count);
        trace.lost(&there, &ranked, || format!("not among the best {} that are reranked", request.rerank_count));
        let scored = trace.timed(("rerank", ""), || reranker::score(scopes, ranked, &request.query, model))?;
        let Some(scored) = scored else { return Ok(None) };
        let weight = weight(request, model);
        ranked = combine(scored.ranked, weight);
        trace.note(("rerank", ""), || {
            let stored = match scored.stored {
                0 => String::new(),
                stored => format!("; token vectors of {stored} were stored"),
            };
            format!("{} candidates, {} with weight {weight:.2}{stored}", ranked.len(), model.name)
        });
    }
    ranked = above_thresholds(ranked, request, trace);
    let total = ranked.len();
    let there = trace.places(&ranked);
    if request.diversity > 0.0 {
        ranked = diversify_passages(scopes, ranked, request)?;
        trace.lost(&there, &ranked, || "too similar to better results".into());
    }
    let there = trace.places(&ranked);
    ranked.truncate(request.limit);
    trace.lost(&there, &ranked, || format!("not among the best {}", request.limit));
    let there = trace.places(&ranked);
    ranked.drain(..request.offset.min(ranked.len()));
    trace.lost(&there, &ranked, || format!("among the first {} results, before result_offset", request.offset));
    trace.results(&ranked);
    Ok(Some(Selection { chosen: ranked, total }))
}

/// Those of the candidates whose scores reach the minimum.
pub fn above_thresholds(
    mut ranked: Vec<(usize, Ranked)>,
    request: &SearchRequest,
    trace: &mut Trace,
) -> Vec<(usize, Ranked)> {
    if let Some(least) = request.min_score {
        let there = trace.places(&ranked);
        ranked.retain(|(_, ranked)| ranked.rerank.unwrap_or(ranked.score) >= least);
        trace.lost(&there, &ranked, || format!("its score is below min_score, {least}"));
    }
    if let Some(least) = request.min_similarity {
        let there = trace.places(&ranked);
        ranked.retain(|(_, ranked)| ranked.vector.is_some_and(|vector| vector.score >= least));
        trace.lost(&there, &ranked, || format!("its vector_score is below min_similarity, {least}"));
    }
    if let Some(least) = request.min_rerank {
        let there = trace.places(&ranked);
        ranked.retain(|(_, ranked)| ranked.rerank.is_some_and(|score| score >= least));
        trace.lost(&there, &ranked, || format!("its rerank_score is below min_rerank, {least}"));
    }
    ranked
}

/// The ids of the chunks of each corpus.
pub fn by_corpus(corpora: usize, ranked: &[(usize, Ranked)]) -> Vec<Vec<i64>> {
    let mut chunks = vec![Vec::new(); corpora];
    for (at, ranked) in ranked {
        chunks[*at].push(ranked.chunk_id);
    }
    chunks
}

/// Weight of the reranker relative to the first ranking.
fn weight(request: &SearchRequest, model: &ModelSpec) -> f64 {
    request.rerank_weight.unwrap_or_else(|| default_weight(model.kind, &request.query))
}

/// Combines the scores of a reranker with those of the first ranking, both as standard scores: together they rank
/// better than a small model alone, which knows nothing of the collection. Standard scores have no unit, so that logits and
/// sums of similarities are treated alike.
fn combine(mut ranked: Vec<(usize, Ranked)>, weight: f64) -> Vec<(usize, Ranked)> {
    let first: Vec<f64> = ranked.iter().map(|(_, ranked)| ranked.relevance()).collect();
    let anew: Vec<f64> = ranked.iter().map(|(_, ranked)| ranked.rerank.unwrap_or(f64::NAN)).collect();
    let (first, anew) = (standard_scores(&first), standard_scores(&anew));
    // A single candidate, or equal ones, keep their scores.
    if first.iter().chain(&anew).all(|score| *score == 0.0) {
        return ranked;
    }
    let both = first.into_iter().zip(anew);
    let both = both.map(|(first, anew)| (1.0 - weight) * first + weight * anew);
    let both: Vec<f64> = both.collect();
    let floor = boost::floor(&both);
    for ((_, ranked), score) in ranked.iter_mut().zip(both) {
        let factor = ranked.boost.map(|boost| boost.factor);
        ranked.score = score;
        if let Some(factor) = factor {
            ranked.multiply(factor, floor);
        }
    }
    ranked.sort_by(|a, b| b.1.score.total_cmp(&a.1.score));
    ranked
}

fn diversify_passages(
    scopes: &[Scope<'_>],
    ranked: Vec<(usize, Ranked)>,
    request: &SearchRequest,
) -> Result<Vec<(usize, Ranked)>> {
    let mut vectors: HashMap<(usize, i64), Vec<f32>> = HashMap::new();
    for (at, chunks) in
        by_corpus(scopes.len(), &ranked).into_iter().enumerate().filter(|(_, chunks)| !chunks.is_empty())
    {
        let found =
            scopes[at].rows(VECTORS, &chunks, 0, |row| (row.get::<i64>(1).unwrap_or_default(), row.vector(2)))?;
        vectors.extend(found.into_iter().map(|(chunk, vector)| ((at, chunk), vector)));
    }
    let none: Vec<f32> = Vec::new();
    let of: Vec<&[f32]> =
        ranked.iter().map(|(at, ranked)| vectors.get(&(*at, ranked.chunk_id)).unwrap_or(&none).as_slice()).collect();
    let relevance: Vec<f64> = ranked.iter().map(|(_, ranked)| ranked.score).collect();
    let mut between = || {
        pgrx::check_for_interrupts!();
    };
    let order =
        diversify(&relevance, &of, request.diversity, request.limit, &mut between).map_err(|error| {
            match error.kind {
                Kind::DimensionMismatch => Error::new(Kind::InvalidArgument, "diversity requires corpora of one model"),
                _ => error,
            }
        })?;
    Ok(order.into_iter().map(|at| ranked[at].clone()).collect())
}
