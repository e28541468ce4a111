//! The scores of a reranker for the candidates of a search.
//!
//! Where a corpus stores the token vectors of the reranker, these are read, as the caller, and compared here: the model only
//! runs for the query. It runs for those documents that have none, or none that can be read.

use super::passage;
use super::rank::Ranked;
use super::scope::Scope;
use super::select::by_corpus;
use crate::catalog::privileges;
use crate::engine_client;
use crate::engine_client::batch;
use socle_core::Result;
use socle_core::model::ModelSpec;
use socle_core::protocol::{Request, Response};
use socle_core::search::token_vectors::{self, Query, TokenVectors};
use std::collections::HashMap;

const TOKEN_VECTORS: &str = include_str!("../../sql/search/token_vectors.sql");

/// Candidates with the scores of a reranker.
pub struct Scored {
    /// Those that the caller may read.
    pub ranked: Vec<(usize, Ranked)>,
    /// How many were scored with stored token vectors.
    pub stored: usize,
}

/// Scores candidates; `None` as for [`passage::contents`].
///
/// # Errors
/// Those of [`Scope::rows`] and of `socle.rerank`.
pub fn score(
    scopes: &[Scope<'_>],
    ranked: Vec<(usize, Ranked)>,
    query: &str,
    model: &ModelSpec,
) -> Result<Option<Scored>> {
    let Some(contents) = passage::contents(scopes, &ranked)? else { return Ok(None) };
    let known = stored_scores(scopes, &ranked, query, model)?;
    let mut scored = Scored { ranked: Vec::with_capacity(ranked.len()), stored: 0 };
    let (mut places, mut texts) = (Vec::new(), Vec::new());
    for (at, mut candidate) in ranked {
        let Some(content) = contents.get(&(at, candidate.chunk_id)) else { continue };
        candidate.rerank = known.get(&(at, candidate.chunk_id)).copied();
        if candidate.rerank.is_some() {
            scored.stored += 1;
        } else {
            places.push(scored.ranked.len());
            texts.push(content.with_title());
        }
        scored.ranked.push((at, candidate));
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let model = model.clone().of_corpora(scopes.iter().map(|scope| scope.corpus.policy()));
    for (place, score) in places.into_iter().zip(model_scores(&texts, query, &model)?) {
        scored.ranked[place].1.rerank = Some(score);
    }
    Ok(Some(scored))
}

/// The scores that the model gives to texts.
fn model_scores(texts: &[&str], query: &str, model: &ModelSpec) -> Result<Vec<f64>> {
    let requests = batch::split(model, texts);
    let engine_request = |number: usize| Request::Rerank {
        model: model.clone(),
        truncate: true,
        query,
        documents: texts[requests[number].clone()].to_vec(),
    };
    let mut all = vec![f64::NAN; texts.len()];
    engine_client::exchange(requests.len(), &engine_request, &mut |number, mut answers| match answers.pop() {
        Some(Response::Scores(scores)) if scores.len() == requests[number].len() => {
            for (place, score) in all[requests[number].clone()].iter_mut().zip(scores) {
                *place = f64::from(score);
            }
            Ok(())
        }
        Some(Response::Failed { error, .. }) => Err(error),
        _ => Err(engine_client::unexpected()),
    })?;
    Ok(all)
}

/// The scores of candidates with stored token vectors of the model that the caller may read, by index of the corpus and
/// `chunk_id`.
fn stored_scores(
    scopes: &[Scope<'_>],
    ranked: &[(usize, Ranked)],
    query: &str,
    model: &ModelSpec,
) -> Result<HashMap<(usize, i64), f64>> {
    let mut scores = HashMap::new();
    let digest = Some(model.digest());
    let chunks = by_corpus(scopes.len(), ranked);
    let stores = |at: &usize| {
        let corpus = scopes[*at].corpus;
        !chunks[*at].is_empty()
            && corpus.options.token_model_digest == digest
            && privileges::may_read_token_vectors(corpus)
    };
    let of_model: Vec<usize> = (0..scopes.len()).filter(stores).collect();
    if of_model.is_empty() {
        return Ok(scores);
    }
    let query = query_vectors(query, model)?;
    let (width, most) = (model.dimensions as usize, model.max_tokens as usize);
    for at in of_model {
        let mut damaged = 0;
        scopes[at].rows(TOKEN_VECTORS, &chunks[at], 0, |row| {
            pgrx::check_for_interrupts!();
            let score = row.with_bytes(2, token_vectors::size(width, most), |bytes| {
                TokenVectors::read(bytes?, width, most)?.max_sim(&query)
            });
            match score {
                Some(Some(score)) => {
                    scores.insert((at, row.get(1).unwrap_or_default()), f64::from(score));
                }
                Some(None) => damaged += 1,
                None => {}
            }
        })?;
        if damaged > 0 {
            pgrx::notice!(
                "token vectors of {damaged} chunks of corpus \"{}\" are damaged: the model scored them instead",
                scopes[at].corpus.name
            );
        }
    }
    Ok(scores)
}

/// The vectors of the tokens of a query.
fn query_vectors(query: &str, model: &ModelSpec) -> Result<Query> {
    let width = model.dimensions as usize;
    match engine_client::ask(Request::QueryTokens { model: model.clone(), query })?.pop() {
        Some(Response::Vectors(values)) if width > 0 && values.len() % width == 0 => Ok(Query::new(values, width)),
        Some(Response::Failed { error, .. }) => Err(error),
        _ => Err(engine_client::unexpected()),
    }
}
