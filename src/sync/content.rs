//! Contents of documents: text as it is in the source, or files that the engine has to extract text from.

use super::Job;
use super::claim::Claim;
use super::document::Document;
use super::slice::{Failure, SliceState};
use crate::catalog::sql_template::UNREADABLE;
use crate::engine_client::{self, Exchange};
use crate::pg::gucs;
use crate::worker::transaction::WorkerError;
use pgrx::spi::SpiHeapTupleData;
use socle_core::document::{Certainty, Pages};
use socle_core::protocol::{Request, Response};
use socle_core::{Error, Kind, memory};
use std::fmt::Display;
use std::future::poll_fn;
use std::task::Poll;

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

/// Documents that the engine extracts the text of, with their files.
pub struct Extraction {
    exchange: Exchange,
    /// By number of the request; taken out when their text is there.
    files: Vec<Option<Document>>,
}

/// Documents whose text is there, and claims on those whose file cannot be read, with the reason: these are common, and do
/// not affect the others.
type Outcomes = (Vec<Document>, Vec<(Claim, Error)>);

impl Extraction {
    /// Takes out the documents that have to be extracted, and returns the others.
    pub fn begin(documents: Vec<Document>) -> (Self, Vec<Document>, Vec<(Claim, Error)>) {
        let (mut files, mut ready, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for mut document in documents {
            match &document.content {
                // A file without bytes has an empty text.
                Some(Content::File { bytes, .. }) if bytes.is_empty() => {
                    document.content = Some(Content::default());
                    ready.push(document);
                }
                Some(Content::Refused(error)) => failed.push((document.claim, error.clone())),
                Some(Content::File { .. }) => files.push(Some(document)),
                _ => ready.push(document),
            }
        }
        (Self { exchange: Exchange::new(files.len()), files }, ready, failed)
    }

    /// Whether all documents have been taken out.
    pub fn is_over(&self) -> bool {
        self.files.iter().all(Option::is_none)
    }

    /// Waits until all are extracted, or until the slice has waited as long as it may now and there is something to go on
    /// with: a document whose text is there, or what the caller has (`has_other`).
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn next(&mut self, job: &Job, state: &SliceState, has_other: bool) -> Result<Outcomes, Failure> {
        let Self { exchange, files } = self;
        let mut results: Vec<(usize, Result<Content, Error>)> = Vec::new();
        let request = |number: usize| {
            let Some(Content::File { bytes, media_type, name }) =
                files[number].as_ref().and_then(|file| file.content.as_ref())
            else {
                return Ok(None);
            };
            let (media_type, name) = (media_type.as_deref(), name.as_deref());
            let (limits, ocr) = (gucs::extract_limits(), job.ocr.clone());
            Ok(Some(Request::Extract { media_type, name, limits, bulk: true, ocr, bytes }))
        };
        poll_fn(|_| {
            let mut answer = |number: usize, answers: Vec<Response>| {
                results.push((number, extracted(answers)?));
                Ok(())
            };
            match state.go_on(exchange, &request, &mut answer) {
                Ok(is_over) if is_over || has_other || !results.is_empty() => Poll::Ready(Ok(())),
                Ok(_) => Poll::Pending,
                Err(error) => Poll::Ready(Err(Failure::new("extract", error))),
            }
        })
        .await?;
        let (mut read, mut failed) = Outcomes::default();
        for (number, result) in results {
            let Some(mut document) = files[number].take() else { continue };
            match result {
                Ok(content) => {
                    document.content = Some(content);
                    read.push(document);
                }
                Err(error) => failed.push((document.claim, error)),
            }
        }
        Ok((read, failed))
    }
}

/// The text in the answer to a request, or why there is none.
fn extracted(mut answers: Vec<Response>) -> Result<Result<Content, Error>, Error> {
    match answers.pop() {
        Some(Response::Extracted(document)) => {
            let origin = Origin { pages: Pages::of(&document), certainty: Certainty::of(&document) };
            Ok(Ok(Content::Text(document.markdown, origin)))
        }
        Some(Response::Failed { error, .. }) => Ok(Err(error)),
        _ => Err(engine_client::unexpected()),
    }
}
