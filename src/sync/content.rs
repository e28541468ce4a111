//! What chunks are made from: text as it stands in the source, or files that the engine has to read first.

use super::document::Document;
use super::{Failure, Job};
use crate::{client, setting};
use pgrx::spi::SpiHeapTupleData;
use socle_core::document::Pages;
use socle_core::protocol::{Request, Response};
use socle_core::{Error, Kind};

/// What chunks are made from.
#[derive(Debug)]
pub enum Content {
    /// Text, and where its pages begin.
    Text(String, Pages),
    /// A file, from which the engine has to read the text first.
    File {
        /// Its bytes.
        bytes: Vec<u8>,
        /// What the source says that it is.
        media_type: Option<String>,
        /// What the source says that it is called.
        name: Option<String>,
    },
}

impl Default for Content {
    fn default() -> Self {
        Self::Text(String::new(), Pages::default())
    }
}

impl Content {
    /// What a row of `sql/corpus/read.sql` holds.
    ///
    /// # Errors
    /// Of SPI.
    pub fn read(job: &Job, row: &SpiHeapTupleData<'_>) -> pgrx::spi::Result<Self> {
        if !job.corpus.has_files() {
            return Ok(Content::Text(row.get::<String>(5)?.unwrap_or_default(), Pages::default()));
        }
        Ok(Content::File {
            bytes: row.get::<Vec<u8>>(5)?.unwrap_or_default(),
            media_type: row.get(9)?,
            name: row.get(10)?,
        })
    }

    /// The text; empty while it has not been read from the file.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text, _) => text,
            Self::File { .. } => "",
        }
    }

    /// Where the pages of the text begin.
    pub fn pages(self) -> Pages {
        match self {
            Self::Text(_, pages) => pages,
            Self::File { .. } => Pages::default(),
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Text(text, _) => text.len(),
            Self::File { bytes, .. } => bytes.len(),
        }
    }
}

fn size(document: &Document) -> usize {
    document.content.as_ref().map_or(0, Content::size)
}

/// Raises `InputTooLong` for the first of the documents `which` that is larger than `limit` bytes.
///
/// # Errors
/// See above.
pub fn check_sizes(documents: &[Document], which: &[usize], limit: usize, hint: &str) -> Result<(), Failure> {
    let Some(at) = which.iter().find(|at| size(&documents[**at]) > limit) else { return Ok(()) };
    let message = format!("document has {} bytes, the limit is {limit}", size(&documents[*at]));
    let error = Error::new(Kind::InputTooLong, message).hint(hint);
    Err(Failure::of(documents[*at].claim.leader, "read", error))
}

/// Has the engine read the files that changed.
pub fn extract(documents: &mut [Document]) -> Result<(), Failure> {
    let files: Vec<usize> =
        (0..documents.len()).filter(|at| matches!(documents[*at].content, Some(Content::File { .. }))).collect();
    check_sizes(documents, &files, setting::max_document_bytes(), "A superuser can raise socle.max_document_bytes.")?;
    // Nothing is in a file without bytes, as in a text without characters.
    let (empty, files): (Vec<usize>, Vec<usize>) = files.into_iter().partition(|at| size(&documents[*at]) == 0);
    let mut texts: Vec<(usize, Content)> = empty.into_iter().map(|at| (at, Content::default())).collect();
    let mut culprit = None;
    let request = |number: usize| {
        let (bytes, media_type, name) = match &documents[files[number]].content {
            Some(Content::File { bytes, media_type, name }) => (bytes.as_slice(), media_type, name),
            _ => (&[][..], &None, &None),
        };
        let limits = setting::extract_limits();
        Request::Extract { media_type: media_type.as_deref(), name: name.as_deref(), limits, bytes }
    };
    let answered = client::exchange(files.len(), &request, &mut |number, mut answers| match answers.pop() {
        Some(Response::Extracted(document)) => {
            let pages = Pages::of(&document);
            texts.push((files[number], Content::Text(document.markdown, pages)));
            Ok(())
        }
        Some(Response::Failed { error, .. }) => {
            culprit = Some(files[number]);
            Err(error)
        }
        _ => Err(client::unexpected()),
    });
    answered.map_err(|error| match culprit {
        Some(at) => Failure::of(documents[at].claim.leader, "extract", error),
        None => Failure::new("extract", error),
    })?;
    for (at, text) in texts {
        documents[at].content = Some(text);
    }
    Ok(())
}
