//! Text of files: `socle.extract`, `socle.extract_text` and `socle.document_metadata`. The bytes go to the engine,
//! which reads each document in a process of its own that may die; nothing is parsed here.

use crate::engine_client;
use crate::pg::arguments::Arguments;
use crate::pg::error::report;
use crate::pg::gucs;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{JsonB, PgMemoryContexts};
use serde_json::{Map, Value};
use socle_core::Result;
use socle_core::document::{Document, Metadata};
use socle_core::protocol::{Request, Response};

type Rows = TableIterator<
    'static,
    (
        name!(ordinal, i32),
        name!(page, Option<i32>),
        name!(heading_path, Vec<&'static str>),
        name!(kind, &'static str),
        name!(content, &'static str),
    ),
>;

/// Makes the rows one by one from the document: every row repeats the headings above it, so that all rows together may
/// be a thousand times as large as what they are made from. Postgres checks for interrupts between two rows.
#[pg_extern(sql = false)]
fn extract(call: pg_sys::FunctionCallInfo) -> Result<Rows, ErrorReport> {
    let document = document(Arguments::new(call)).map_err(report)?.unwrap_or_default();
    // The wrapper of this function runs it in the multi-call memory context, which the iterator goes to as well, and
    // what came later is dropped first.
    let document = PgMemoryContexts::CurrentMemoryContext.leak_and_drop_on_delete(document);
    // SAFETY: nothing else refers to the document, and it lives as long as the iterator: see above.
    let document: &'static Document = unsafe { &*document };
    let rows = document.rows().enumerate().map(|(at, row)| {
        (number(at + 1), row.page.map(u32::cast_signed), row.heading_path.to_vec(), row.kind.name(), row.content)
    });
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

/// Extracts from the arguments that the three functions share: the file, its media type, its name.
fn document(arguments: Arguments) -> Result<Option<Document>> {
    let Some(bytes) = arguments.document(0, "document")? else { return Ok(None) };
    let (media_type, name) = (arguments.short_text(1, "media_type")?, arguments.short_text(2, "file_name")?);
    let request = Request::Extract {
        media_type: media_type.as_deref(),
        name: name.as_deref(),
        limits: gucs::extract_limits(),
        bulk: false,
        ocr: None,
        bytes,
    };
    match engine_client::ask(request)?.pop() {
        Some(Response::Extracted(document)) => Ok(Some(*document)),
        Some(Response::Failed { error, .. }) => Err(error),
        _ => Err(engine_client::unexpected()),
    }
}

/// Metadata as JSON, without what is unknown.
fn json(metadata: Metadata) -> Value {
    let Metadata { media_type, title, author, language, created, modified, incomplete, .. } = metadata;
    let texts = [
        ("media_type", Some(media_type)),
        ("title", title),
        ("author", author),
        ("language", language),
        ("created", created),
        ("modified", modified),
        ("incomplete", incomplete),
    ];
    let mut object: Map<String, Value> =
        texts.into_iter().filter_map(|(name, text)| Some((name.to_string(), text?.into()))).collect();
    let counts = [
        ("page_count", metadata.page_count),
        ("pages_without_text", metadata.pages_without_text),
        ("unknown_characters", metadata.unknown_characters),
    ];
    object.extend(counts.into_iter().filter_map(|(name, count)| Some((name.to_string(), count?.into()))));
    Value::Object(object)
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
