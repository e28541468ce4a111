//! Contents of documents: text as it is in the source, or files that the engine has to extract text from.

use super::claim::Claim;
use super::document::Document;
use super::{Failure, Job};
use crate::catalog::sql_template::UNREADABLE;
use crate::engine_client;
use crate::pg::gucs;
use crate::worker::transaction::WorkerError;
use pgrx::spi::SpiHeapTupleData;
use socle_core::document::{Certainty, Pages};
use socle_core::protocol::{Request, Response};
use socle_core::{Error, Kind, memory};
use std::collections::HashMap;
use std::fmt::Display;

/// The content of a document.
#[derive(Debug)]
pub enum Content {
    /// Text, and where it comes from.
    Text(String, Origin),
    /// A file, from which the engine has to extract the text first.
    File {
        /// Its bytes.
        bytes: Vec<u8>,
        /// Its media type according to the source.
        media_type: Option<String>,
        /// Its name according to the source.
        name: Option<String>,
    },
    /// A file that is not read, and why.
    Refused(Error),
}

/// Where the text of a file comes from.
#[derive(Debug, Default)]
pub struct Origin {
    /// Where its pages begin.
    pub pages: Pages,
    /// What of it was recognised in pictures.
    pub certainty: Certainty,
}

impl Default for Content {
    fn default() -> Self {
        Self::Text(String::new(), Origin::default())
    }
}

impl Content {
    /// The content in a row of `sql/sync/read.sql`, which does not read files of more than `limit` bytes.
    ///
    /// # Errors
    /// Those of SPI; `OutOfMemory`.
    pub fn read(job: &Job, row: &SpiHeapTupleData<'_>, limit: i64) -> Result<Self, WorkerError> {
        if !job.corpus.has_files() {
            let text = row.get::<&str>(5)?.unwrap_or_default();
            return Ok(Content::Text(memory::copy(text).map_err(of_the_document)?, Origin::default()));
        }
        if let Some(refusal) = row.get::<String>(11)? {
            return Ok(Content::Refused(refused(&refusal, limit)));
        }
        Ok(Content::File {
            bytes: memory::copy_bytes(row.get::<&[u8]>(5)?.unwrap_or_default()).map_err(of_the_document)?,
            media_type: row.get(9)?,
            name: row.get(10)?,
        })
    }

    /// The text; empty while it has not been extracted from the file.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text, _) => text,
            Self::File { .. } | Self::Refused(_) => "",
        }
    }

    /// Where the text comes from.
    pub fn origin(self) -> Origin {
        match self {
            Self::Text(_, origin) => origin,
            Self::File { .. } | Self::Refused(_) => Origin::default(),
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Text(text, _) => text.len(),
            Self::File { bytes, .. } => bytes.len(),
            Self::Refused(_) => 0,
        }
    }
}

/// The memory that a document needs is its own fault, not that of the corpus.
fn of_the_document(error: Error) -> WorkerError {
    WorkerError { kind: None, ..error.into() }
}

fn size(document: &Document) -> usize {
    document.content.as_ref().map_or(0, Content::size)
}

/// Checks that none of the documents `which` is larger than `limit` bytes.
///
/// # Errors
/// `InputTooLong` for the first that is.
pub fn check_sizes(documents: &[Document], which: &[usize], limit: usize) -> Result<(), Failure> {
    let Some(at) = which.iter().find(|at| size(&documents[**at]) > limit) else { return Ok(()) };
    let error =
        too_large(size(&documents[*at]), limit).hint("Split it, or have a superuser raise socle.max_input_bytes.");
    Err(Failure::of(documents[*at].claim.job_id, "read", error))
}

fn too_large(size: impl Display, limit: impl Display) -> Error {
    Error::new(Kind::InputTooLong, format!("document has {size} bytes, the limit is {limit}"))
}

/// The error for a file that `sql/sync/read.sql` does not read.
fn refused(refusal: &str, limit: i64) -> Error {
    if refusal == UNREADABLE {
        return Error::new(Kind::NotPermitted, "permission denied for the large object")
            .detail("The owner of the corpus has no right to read it.");
    }
    too_large(refusal, limit).hint("A superuser can raise socle.max_document_bytes.")
}

/// Has the engine extract the text of files that changed. Those that cannot be read are common, and do not affect the
/// others: they are removed from `documents` and returned with the reason.
///
/// # Errors
/// When the engine does not answer.
pub fn extract(job: &Job, documents: &mut Vec<Document>) -> Result<Vec<(Claim, Error)>, Failure> {
    let mut results: HashMap<usize, Result<Content, Error>> = HashMap::new();
    let mut files = Vec::new();
    for (at, document) in documents.iter().enumerate() {
        match &document.content {
            // A file without bytes has an empty text.
            Some(Content::File { bytes, .. }) if bytes.is_empty() => drop(results.insert(at, Ok(Content::default()))),
            Some(Content::Refused(error)) => drop(results.insert(at, Err(error.clone()))),
            Some(Content::File { bytes, media_type, name }) => files.push((at, bytes, media_type, name)),
            _ => {}
        }
    }
    let request = |number: usize| {
        let (_, bytes, media_type, name) = files[number];
        let (media_type, name) = (media_type.as_deref(), name.as_deref());
        Request::Extract { media_type, name, limits: gucs::extract_limits(), bulk: true, ocr: job.ocr.clone(), bytes }
    };
    engine_client::exchange(files.len(), &request, &mut |number, mut answers| {
        let result = match answers.pop() {
            Some(Response::Extracted(document)) => {
                let origin = Origin { pages: Pages::of(&document), certainty: Certainty::of(&document) };
                Ok(Content::Text(document.markdown, origin))
            }
            Some(Response::Failed { error, .. }) => Err(error),
            _ => return Err(engine_client::unexpected()),
        };
        results.insert(files[number].0, result);
        Ok(())
    })
    .map_err(|error| Failure::new("extract", error))?;
    let mut failed = Vec::new();
    let mut kept = Vec::with_capacity(documents.len());
    for (at, mut document) in std::mem::take(documents).into_iter().enumerate() {
        match results.remove(&at) {
            Some(Err(error)) => {
                failed.push((document.claim, error));
                continue;
            }
            Some(Ok(text)) => document.content = Some(text),
            None => {}
        }
        kept.push(document);
    }
    *documents = kept;
    Ok(failed)
}
