//! `socle.chunk`: splits a text into chunks.

use crate::pg::arguments::Arguments;
use crate::pg::error::report;
use crate::{engine_client, model};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::chunk::Format;
use socle_core::protocol::{Request, Response};
use socle_core::{Error, Kind, Result, memory};

type Chunks = TableIterator<
    'static,
    (
        name!(ordinal, i32),
        name!(content, String),
        name!(heading_path, Vec<String>),
        name!(start_offset, i32),
        name!(end_offset, i32),
        name!(token_count, i32),
    ),
>;

#[pg_extern(sql = false)]
fn chunk(call: pg_sys::FunctionCallInfo) -> Result<Chunks, ErrorReport> {
    chunks(Arguments::new(call)).map_err(report)
}

fn chunks(arguments: Arguments) -> Result<Chunks> {
    let Some(content) = arguments.content(0, "content")? else { return Ok(TableIterator::new(Vec::new())) };
    let invalid = |message: &str| Error::new(Kind::InvalidArgument, message);
    let max_size = match arguments.i32(1).map(u32::try_from) {
        None => None,
        Some(Ok(size @ 1..)) => Some(size),
        Some(_) => return Err(invalid("max_tokens must be at least 1")),
    };
    let overlap = u32::try_from(arguments.i32(2).unwrap_or_default())
        .map_err(|_| invalid("overlap_tokens must not be negative"))?;
    let format: Format = arguments.short_text(3, "format")?.as_deref().unwrap_or("plain").parse()?;
    let model = arguments.short_text(4, "model")?.map(|name| model::find(&name)).transpose()?;
    let request = Request::Chunk { model, max_size, overlap, format, previous: Vec::new(), content: &content };
    let mut rows = Vec::new();
    for answer in engine_client::ask(request)? {
        match answer {
            Response::Chunks { chunks, .. } => {
                memory::reserve(&mut rows, chunks.len())?;
                rows.extend(chunks);
            }
            Response::Failed { error, .. } => return Err(error),
            _ => return Err(engine_client::unexpected()),
        }
    }
    let number = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    Ok(TableIterator::new(rows.into_iter().enumerate().map(move |(at, chunk)| {
        // substr() counts characters from 1; the end is the position after the last one.
        let (start, end) = (number(chunk.start + 1), number(chunk.end + 1));
        (number(at + 1), chunk.content, chunk.heading_path, start, end, number(chunk.size))
    })))
}
