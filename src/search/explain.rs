//! `socle.explain_search`: what a search did, step by step, and where one chunk was found or lost. Shows numbers alone,
//! and of a chunk that the caller may not see no more than of one that does not exist.

use super::request::SearchRequest;
use super::trace::Trace;
use super::{name_of_one, names_of_many, run, with_corpora};
use crate::pg::arguments::Arguments;
use crate::pg::error::report;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::Result;
use std::time::Instant;

/// Position of the argument that follows those of `socle.search`.
const CHUNK: usize = 33;

type Explained = TableIterator<'static, (name!(step, String), name!(milliseconds, Option<f64>), name!(detail, String))>;

#[pg_extern(sql = false)]
fn explain_search(call: pg_sys::FunctionCallInfo) -> Result<Explained, ErrorReport> {
    let arguments = Arguments::new(call);
    name_of_one(arguments).and_then(|names| explain(&names, arguments)).map_err(report)
}

#[pg_extern(sql = false)]
fn explain_search_many(call: pg_sys::FunctionCallInfo) -> Result<Explained, ErrorReport> {
    let arguments = Arguments::new(call);
    names_of_many(arguments).and_then(|names| explain(&names, arguments)).map_err(report)
}

fn explain(names: &[String], arguments: Arguments) -> Result<Explained> {
    let request = if names.is_empty() { None } else { SearchRequest::read(arguments)? };
    let Some(request) = request else { return Ok(TableIterator::new(std::iter::empty())) };
    let mut trace = Trace::explained(arguments.i64(CHUNK));
    let begun = Instant::now();
    let found = with_corpora(names, |corpora| run(corpora, &request, &mut trace))?;
    found.report();
    trace.took(("total", ""), begun.elapsed().as_secs_f64() * 1e3);
    let waiting = match found.waiting() {
        0 => String::new(),
        waiting => format!(", {waiting} left out because changes of their documents are pending"),
    };
    trace.note(("total", ""), || format!("{} results{waiting}", found.passages.len()));
    let lines = trace.into_lines().map(|(step, milliseconds, detail)| (step.to_string(), milliseconds, detail));
    Ok(TableIterator::new(lines))
}
