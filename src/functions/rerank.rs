//! `socle.rerank`: scores documents for a query with a reranker.

use crate::engine_client::batch;
use crate::engine_client::embedding::locate;
use crate::pg::arguments::Arguments;
use crate::pg::error::report;
use crate::pg::gucs;
use crate::{engine_client, model};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::protocol::{Request, Response};
use socle_core::{Error, Kind, Result};

type Ranked = TableIterator<'static, (name!(ordinal, i32), name!(score, f32))>;

#[pg_extern(sql = false)]
fn rerank(call: pg_sys::FunctionCallInfo) -> Result<Ranked, ErrorReport> {
    ranked(Arguments::new(call)).map(TableIterator::new).map_err(report)
}

/// Ordinal and score of each document that is not NULL, best first, ties in input order.
fn ranked(arguments: Arguments) -> Result<Vec<(i32, f32)>> {
    let query = arguments.content(0, "query")?;
    let documents = arguments.limited_texts(1, "documents")?;
    let (Some(query), Some(documents)) = (query, documents) else { return Ok(Vec::new()) };
    if query.trim().is_empty() {
        return Err(Error::new(Kind::InvalidArgument, "query must not be empty or only white space"));
    }
    let spec = model::rerank_model(arguments.short_text(2, "model")?)?.of_corpora([]);
    let (positions, texts): (Vec<usize>, Vec<&str>) =
        documents.elements.iter().enumerate().filter_map(|(at, text)| Some((at, (*text)?))).unzip();
    let requests = batch::split(&spec, &texts);
    let mut scores = vec![0.0; texts.len()];
    let truncate = gucs::truncate_input();
    let request = |number: usize| Request::Rerank {
        model: spec.clone(),
        truncate,
        query: &query,
        documents: texts[requests[number].clone()].to_vec(),
    };
    engine_client::exchange(requests.len(), &request, &mut |number, mut answers| match answers.pop() {
        Some(Response::Scores(values)) if values.len() == requests[number].len() => {
            scores[requests[number].clone()].copy_from_slice(&values);
            Ok(())
        }
        Some(Response::Failed { error, item }) => {
            Err(locate(error, &requests[number], item, Some(("documents", &positions))))
        }
        _ => Err(engine_client::unexpected()),
    })?;
    let mut ranked: Vec<(i32, f32)> =
        positions.iter().zip(scores).map(|(at, score)| (i32::try_from(at + 1).unwrap_or(i32::MAX), score)).collect();
    ranked.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    Ok(ranked)
}
