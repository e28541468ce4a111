//! Text of files: `socle.extract`, `socle.extract_text` and `socle.document_metadata`. The bytes go to the engine,
//! which reads each document in a process of its own that may die; nothing is parsed here.

use crate::pg::arguments::Arguments;
use crate::pg::error::report;
use crate::pg::gucs;
use crate::{engine_client, model};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{JsonB, PgMemoryContexts};
use serde_json::{Map, Value, json};
use socle_core::Result;
use socle_core::document::{Document, Metadata, Ocr, RecognizedPage};
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
    let extracted = document(Arguments::new(call)).map_err(report)?;
    let document = extracted.map(|extracted| extracted.document).unwrap_or_default();
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
    Ok(document(Arguments::new(call)).map_err(report)?.map(|extracted| extracted.document.markdown))
}

#[pg_extern(sql = false)]
fn document_metadata(call: pg_sys::FunctionCallInfo) -> Result<Option<JsonB>, ErrorReport> {
    Ok(document(Arguments::new(call)).map_err(report)?.map(|extracted| JsonB(metadata_json(extracted))))
}

/// A document, and how its pictures were recognised.
struct Extracted {
    document: Document,
    ocr: Option<Ocr>,
}

/// Extracts from the arguments that the three functions share: the file, its media type, its name, which pictures are
/// recognised.
fn document(arguments: Arguments) -> Result<Option<Extracted>> {
    let Some(bytes) = arguments.document(0, "document")? else { return Ok(None) };
    let (media_type, name) = (arguments.short_text(1, "media_type")?, arguments.short_text(2, "file_name")?);
    let ocr = model::session_ocr(model::ocr_mode(arguments.short_text(3, "ocr")?)?)?;
    let request = Request::Extract {
        media_type: media_type.as_deref(),
        name: name.as_deref(),
        limits: gucs::extract_limits(),
        bulk: false,
        ocr: ocr.clone(),
        bytes,
    };
    match engine_client::ask(request)?.pop() {
        Some(Response::Extracted(document)) => {
            note_unsure(&document.metadata.recognized);
            Ok(Some(Extracted { document: *document, ocr }))
        }
        Some(Response::Failed { error, .. }) => Err(error),
        _ => Err(engine_client::unexpected()),
    }
}

/// Says that a text was recognised and is not sure to be right.
fn note_unsure(recognized: &[RecognizedPage]) {
    let unsure = recognized.iter().filter(|page| page.is_unsure()).count();
    if let Some(all) = RecognizedPage::all(recognized).filter(|_| unsure > 0) {
        pgrx::notice!(
            "{unsure} of {} recognized pages have text that is unsure; the confidence over all pages is {:.2}",
            recognized.len(),
            all.confidence()
        );
    }
}

/// What was recognised as JSON: on how many pages, how sure the model was, on which pages it was not, the languages, and
/// the model.
fn recognition(metadata: &Metadata, ocr: Option<&Ocr>) -> Vec<(String, Value)> {
    let recognized = &metadata.recognized;
    let Some(all) = RecognizedPage::all(recognized) else { return Vec::new() };
    let unsure: Vec<Value> = recognized.iter().filter(|page| page.is_unsure()).map(|page| page.page.into()).collect();
    let model = ocr.map(|ocr| json!({"name": ocr.model.name, "digest": ocr.model.digest()}));
    let missing = |language: &String| {
        let letters = ocr?.model.ocr.as_ref()?.missing_letters(language);
        (!letters.is_empty()).then(|| (language.clone(), letters.into()))
    };
    let missing: Map<String, Value> = metadata.recognized_languages.iter().filter_map(missing).collect();
    [
        ("pages_recognized", Some(recognized.len().into())),
        ("recognition_confidence", Some(all.confidence().into())),
        ("unread_stamps", Some(all.unread_stamps).filter(|count| *count > 0).map(Value::from)),
        (
            "unsure_pages",
            Some(unsure.into()).filter(|pages: &Value| pages.as_array().is_some_and(|all| !all.is_empty())),
        ),
        (
            "recognition_languages",
            Some(metadata.recognized_languages.clone()).filter(|all| !all.is_empty()).map(Value::from),
        ),
        ("missing_letters", Some(missing.into()).filter(|letters: &Value| letters != &json!({}))),
        ("recognition_model", model),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_string(), value?)))
    .collect()
}

/// Metadata as JSON, without what is unknown.
fn metadata_json(Extracted { document, ocr }: Extracted) -> Value {
    let metadata = document.metadata;
    let recognized = recognition(&metadata, ocr.as_ref());
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
        ("unread_pictures", metadata.unread_pictures),
    ];
    object.extend(counts.into_iter().filter_map(|(name, count)| Some((name.to_string(), count?.into()))));
    object.extend(recognized);
    Value::Object(object)
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
