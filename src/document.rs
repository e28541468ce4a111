//! Text of files: `socle.extract`, `socle.extract_text` and `socle.document_metadata`. The bytes go to the engine, which
//! has a process for each document that may die; nothing is parsed here.

mod import;

use crate::argument::Arguments;
use crate::error::report;
use crate::{client, setting};
use pgrx::JsonB;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde_json::{Map, Value};
use socle_core::Result;
use socle_core::document::{Document, Metadata};
use socle_core::protocol::{Request, Response};

type Rows = TableIterator<
    'static,
    (
        name!(ordinal, i32),
        name!(page, Option<i32>),
        name!(heading_path, Vec<String>),
        name!(kind, &'static str),
        name!(content, String),
    ),
>;

#[pg_extern(sql = false)]
fn extract(call: pg_sys::FunctionCallInfo) -> Result<Rows, ErrorReport> {
    let document = document(Arguments::new(call)).map_err(report)?.unwrap_or_default();
    let rows: Vec<_> = document
        .rows()
        .enumerate()
        .map(|(at, row)| {
            let heading_path = row.heading_path.iter().map(ToString::to_string).collect();
            (number(at + 1), row.page.map(u32::cast_signed), heading_path, row.kind.name(), row.content.to_string())
        })
        .collect();
    Ok(TableIterator::new(rows))
}

#[pg_extern(sql = false)]
fn extract_text(call: pg_sys::FunctionCallInfo) -> Result<Option<String>, ErrorReport> {
    Ok(document(Arguments::new(call)).map_err(report)?.map(|document| document.markdown))
}

#[pg_extern(sql = false)]
fn document_metadata(call: pg_sys::FunctionCallInfo) -> Result<Option<JsonB>, ErrorReport> {
    Ok(document(Arguments::new(call)).map_err(report)?.map(|document| JsonB(json(document.metadata))))
}

/// The arguments that the three functions share: the file, its media type, its name.
fn document(arguments: Arguments) -> Result<Option<Document>> {
    let Some(bytes) = arguments.document(0, "document")? else { return Ok(None) };
    let (media_type, name) = (arguments.word(1, "media_type")?, arguments.word(2, "file_name")?);
    let request = Request::Extract {
        media_type: media_type.as_deref(),
        name: name.as_deref(),
        limits: setting::extract_limits(),
        bytes: &bytes,
    };
    match client::ask(request)?.pop() {
        Some(Response::Extracted(document)) => Ok(Some(*document)),
        Some(Response::Failed { error, .. }) => Err(error),
        _ => Err(client::unexpected()),
    }
}

/// What is known, and nothing for what is not.
fn json(metadata: Metadata) -> Value {
    let Metadata { media_type, title, author, language, created, modified, page_count, pages_without_text } = metadata;
    let texts = [
        ("media_type", Some(media_type)),
        ("title", title),
        ("author", author),
        ("language", language),
        ("created", created),
        ("modified", modified),
    ];
    let mut object: Map<String, Value> =
        texts.into_iter().filter_map(|(name, text)| Some((name.to_string(), text?.into()))).collect();
    let counts = [("page_count", page_count), ("pages_without_text", pages_without_text)];
    object.extend(counts.into_iter().filter_map(|(name, count)| Some((name.to_string(), count?.into()))));
    Value::Object(object)
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
