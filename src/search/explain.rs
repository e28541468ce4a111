//! `socle.explain_search`: what a search did, step by step, and where one chunk was won or lost. Shows numbers alone, and
//! of a chunk that the caller may not see no more than of one that does not exist.

use super::trace::{Line, Trace};
use super::wish::Wish;
use super::{run, with_corpora};
use crate::argument::Arguments;
use crate::error::report;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::Result;
use std::time::Instant;

/// Position of the argument after those of `socle.search`.
const CHUNK: usize = 17;

type Explained = TableIterator<'static, (name!(step, String), name!(milliseconds, Option<f64>), name!(detail, String))>;

#[pg_extern(sql = false)]
fn explain_search(call: pg_sys::FunctionCallInfo) -> Result<Explained, ErrorReport> {
    let explained = || -> Result<Vec<Line>> {
        let arguments = Arguments::new(call);
        let (Some(corpus), Some(wish)) = (arguments.word(0, "corpus")?, Wish::read(arguments)?) else {
            return Ok(Vec::new());
        };
        let mut trace = Trace { explained: true, chunk: arguments.long(CHUNK), ..Trace::default() };
        let begun = Instant::now();
        let results = with_corpora(&[corpus], |corpora| run(corpora, &wish, &mut trace))?;
        let total = Line {
            step: "total",
            milliseconds: Some(begun.elapsed().as_secs_f64() * 1e3),
            detail: format!("{} results", results.len()),
        };
        let fate = trace.fate.into_iter().map(|detail| Line { step: "chunk", milliseconds: None, detail });
        Ok(trace.lines.into_iter().chain([total]).chain(fate).collect())
    };
    let lines = explained().map_err(report)?;
    Ok(TableIterator::new(lines.into_iter().map(|line| (line.step.to_string(), line.milliseconds, line.detail))))
}
