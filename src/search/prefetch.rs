//! The first step of a search: the query is embedded, and while the engine does that, the corpora are opened, the
//! keyword index is searched and the chunks of its hits are read. Only what needs the vector of the query comes after.

use super::CorpusSearch;
use super::keyword_retriever::first_question;
use super::request::{Mode, SearchRequest};
use super::scope::Scope;
use super::trace::Trace;
use crate::catalog::{CorpusSpec, model_of};
use crate::engine_client;
use crate::keyword_index::segments::Hits;
use crate::vector_index::is_indexed_whole;
use socle_core::Result;
use socle_core::model::ModelSpec;
use socle_core::protocol::{Request, Response, Role};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;

const VISIBLE_VECTORS: &str = include_str!("../../sql/search/visible_vectors.sql");

/// Partial sums that are computed side by side.
const LANES: usize = 8;

/// The first hits of the keyword index.
#[derive(Debug)]
pub struct PrefetchedHits {
    /// Number of hits asked for.
    pub limit: u32,
    /// The hits.
    pub hits: Hits,
    /// Vectors of those that pass, by chunk.
    pub vectors: HashMap<i64, Vec<f32>>,
}

impl PrefetchedHits {
    /// The hits that pass, with their cosine similarities.
    pub fn visible(&self, query: &[f32]) -> HashMap<i64, f64> {
        self.vectors.iter().map(|(chunk, vector)| (*chunk, similarity(query, vector))).collect()
    }
}

/// A model, and the vector of the query under it once it is computed.
struct QueryEmbedding<'a> {
    digest: &'a str,
    model: Result<ModelSpec>,
    vector: Result<Rc<[f32]>>,
}

/// Opens the corpora and gives each the vector of the query. Warns where there is none and `vector_optional` allows
/// that.
///
/// # Errors
/// Those of the model, where vectors are not optional; `EngineUnavailable`; those of `open`.
pub fn embed_and_prefetch<'a>(
    corpora: &'a [CorpusSpec],
    request: &SearchRequest,
    trace: &mut Trace,
    open: &dyn Fn(&mut Trace) -> Result<Vec<CorpusSearch<'a>>>,
) -> Result<Vec<CorpusSearch<'a>>> {
    let mut query_embeddings: Vec<QueryEmbedding<'_>> = Vec::new();
    for corpus in corpora {
        let digest = &corpus.options.model_digest;
        if query_embeddings.iter().all(|query_embedding| query_embedding.digest != digest) {
            // The question is put to all of them: it is as secret as the one of which the least may leave.
            let model = model_of(corpus).map(|model| model.of_corpora(corpora.iter().map(CorpusSpec::policy)));
            query_embeddings.push(QueryEmbedding { digest, model, vector: Err(engine_client::unexpected()) });
        }
    }
    let mut searched = embed_and_retrieve_keywords(corpora, request, &mut query_embeddings, trace, open)?;
    for CorpusSearch { scope, .. } in &mut searched {
        let corpus = scope.corpus;
        let Some(query_embedding) =
            query_embeddings.iter().find(|query_embedding| query_embedding.digest == corpus.options.model_digest)
        else {
            continue;
        };
        match query_embedding.model.as_ref().map(|_| ()).and(query_embedding.vector.as_ref()) {
            Ok(vector) => scope.compare_with(vector.clone()),
            Err(error) if request.vector_optional && request.mode == Mode::Hybrid => {
                pgrx::warning!("corpus \"{}\" is searched by keyword only: {error}", corpus.name);
            }
            Err(error) if error.hint.is_none() && request.mode == Mode::Hybrid => {
                let hint = "vector_optional => true searches by keyword only when the model cannot be used.";
                return Err(error.clone().hint(hint));
            }
            Err(error) => return Err(error.clone()),
        }
    }
    Ok(searched)
}

/// Has the query embedded, and meanwhile opens the corpora, searches their keyword indexes, and reads the chunks of the
/// hits.
fn embed_and_retrieve_keywords<'a>(
    corpora: &'a [CorpusSpec],
    request: &SearchRequest,
    query_embeddings: &mut [QueryEmbedding<'_>],
    trace: &mut Trace,
    open: &dyn Fn(&mut Trace) -> Result<Vec<CorpusSearch<'a>>>,
) -> Result<Vec<CorpusSearch<'a>>> {
    let models: Vec<(usize, ModelSpec)> = query_embeddings
        .iter()
        .enumerate()
        .filter_map(|(at, query_embedding)| Some((at, query_embedding.model.as_ref().ok()?.clone())))
        .collect();
    let (begun, beside) = (Instant::now(), Cell::new(0.0));
    let (trace, opened, asked) = (RefCell::new(trace), OnceCell::new(), RefCell::new(HashMap::new()));
    let aside = |begun: Instant| beside.set(beside.get() + begun.elapsed().as_secs_f64() * 1e3);
    let engine_request = |number: usize| -> Result<Option<Request<'_>>> {
        let Some(at) = number.checked_sub(models.len()) else {
            return Ok(Some(embedding(&models[number].1, &request.query)));
        };
        if opened.get().is_none() {
            let begun = Instant::now();
            let searched = open(&mut trace.borrow_mut())?;
            let _ = opened.set(searched);
            aside(begun);
        }
        let Some(CorpusSearch { scope, .. }) = opened.get().and_then(|searched| searched.get(at)) else {
            return Ok(None);
        };
        if !is_prefetched(scope, request) {
            return Ok(None);
        }
        let question = first_question(scope, request, request.depth());
        let engine_request = question.request(&scope.segments, request.keyword_query(&scope.rules));
        asked.borrow_mut().insert(at, question.limit);
        Ok(Some(engine_request))
    };
    let mut found: Vec<(usize, PrefetchedHits)> = Vec::new();
    let outcome =
        engine_client::exchange_as_made(models.len() + corpora.len(), &engine_request, &mut |number, mut answers| {
            let Some(answer) = answers.pop() else { return Err(engine_client::unexpected()) };
            let Some(at) = number.checked_sub(models.len()) else {
                let (at, model) = &models[number];
                query_embeddings[*at].vector = embedded(answer, model).map(Rc::from);
                return Ok(());
            };
            let begun = Instant::now();
            // Any other answer comes again, and is handled, when the keyword retriever runs.
            if let (Some(hits), Some(limit)) = (Hits::read(answer), asked.borrow().get(&at)) {
                let Some(searched) = opened.get().and_then(|searched| searched.get(at)) else { return Ok(()) };
                found.push((at, read(searched, *limit, hits)?));
            }
            aside(begun);
            trace.borrow_mut().took(("keyword", &corpora[at].name), begun.elapsed().as_secs_f64() * 1e3);
            Ok(())
        });
    let trace = trace.into_inner();
    trace.took(("embed", ""), begun.elapsed().as_secs_f64() * 1e3 - beside.get());
    let mut searched = opened.into_inner().map_or_else(|| open(trace), Ok)?;
    for (at, prefetched) in found {
        searched[at].scope.prefetched = Some(prefetched);
    }
    match outcome {
        // It is not known which model failed.
        Err(error) if request.vector_optional && request.mode == Mode::Hybrid => {
            query_embeddings.iter_mut().for_each(|query_embedding| query_embedding.vector = Err(error.clone()));
        }
        outcome => outcome?,
    }
    Ok(searched)
}

/// Whether the keyword index is searched while the query is embedded. `halfvec` is compared by PostgreSQL alone, so that
/// all similarities are computed alike.
fn is_prefetched(scope: &Scope<'_>, request: &SearchRequest) -> bool {
    request.mode == Mode::Hybrid && !scope.segments.is_empty() && is_indexed_whole(scope.corpus.options.dimensions)
}

/// Reads the hits that pass, with their vectors.
fn read(searched: &CorpusSearch<'_>, limit: u32, hits: Hits) -> Result<PrefetchedHits> {
    let chunks: Vec<i64> = hits.hits.iter().map(|(chunk, _)| *chunk).collect();
    let rows = searched
        .scope
        .rows(VISIBLE_VECTORS, &chunks, 0, |row| (row.get::<i64>(1).unwrap_or_default(), row.vector(2)))?;
    Ok(PrefetchedHits { limit, hits, vectors: rows.into_iter().collect() })
}

/// A query longer than the window of the model is truncated, as the rest still counts for the keyword retriever.
fn embedding<'a>(model: &ModelSpec, query: &'a str) -> Request<'a> {
    Request::Embed { model: model.clone(), role: Role::Query, truncate: true, heads: vec![""], contents: vec![query] }
}

fn embedded(answer: Response, model: &ModelSpec) -> Result<Vec<f32>> {
    match answer {
        Response::Vectors(vector) if vector.len() == model.dimensions as usize => Ok(vector),
        Response::Failed { error, .. } => Err(error),
        _ => Err(engine_client::unexpected()),
    }
}

/// Embeds a query.
///
/// # Errors
/// Those of the model; `EngineUnavailable`.
pub fn embed(model: &ModelSpec, query: &str) -> Result<Vec<f32>> {
    engine_client::ask(embedding(model, query))?
        .pop()
        .map_or_else(|| Err(engine_client::unexpected()), |answer| embedded(answer, model))
}

/// Cosine similarity as pgvector computes it: NaN where one vector is all zeros or of another length.
pub fn similarity(one: &[f32], other: &[f32]) -> f64 {
    if one.len() != other.len() {
        return f64::NAN;
    }
    let mut sums = [[0.0_f32; LANES]; 3];
    let mut add = |lane: usize, a: f32, b: f32| {
        sums[0][lane] += a * b;
        sums[1][lane] += a * a;
        sums[2][lane] += b * b;
    };
    let (ones, others) = (one.as_chunks::<LANES>(), other.as_chunks::<LANES>());
    for (a, b) in ones.0.iter().zip(others.0) {
        (0..LANES).for_each(|lane| add(lane, a[lane], b[lane]));
    }
    for (lane, (a, b)) in ones.1.iter().zip(others.1).enumerate() {
        add(lane, *a, *b);
    }
    let [product, one, other] = sums.map(|lanes| lanes.iter().map(|sum| f64::from(*sum)).sum::<f64>());
    (product / (one * other).sqrt()).clamp(-1.0, 1.0)
}
