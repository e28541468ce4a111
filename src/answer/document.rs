//! The present text of a document, read from the source as the caller: that of its columns, or what the engine extracts
//! from its file; and where a quote stands in it, in characters of the document.
//!
//! HTML is parsed by the engine alone. The visible text of a part of the markup is that of the part by itself, because
//! what separates two words depends only on what stands between them.

use crate::catalog::privileges::as_reader;
use crate::catalog::sql_template::{UNREADABLE, expand, identifier};
use crate::catalog::{self, CorpusSpec};
use crate::engine_client;
use crate::pg::{gucs, plan_cache};
use crate::search::similar::key_parameters;
use crate::search::source_key;
use pgrx::datum::DatumWithOid;
use socle_core::answer::citation::{Letters, characters, nearest};
use socle_core::answer::content_hash;
use socle_core::chunk::Chunk;
use socle_core::chunk::Format;
use socle_core::protocol::{Request, Response};
use socle_core::{Error, Kind, Result, memory};
use std::ops::Range;

const DOCUMENT: &str = include_str!("../../sql/answer/document.sql");

/// Size of the parts of a document in which a quote is looked for, in characters.
const PART: u32 = 4_000;

/// The present text of a document.
#[derive(Debug)]
pub struct Document {
    text: String,
    format: Format,
    /// The title of the document.
    pub title: Option<String>,
}

impl Document {
    /// The document of a key, a JSON object, if there is one that the caller may read.
    ///
    /// # Errors
    /// `InvalidArgument` for what is no key of the source; those of extracting text; `NotPermitted` for a large object that
    /// the caller may not read.
    pub fn of_key(corpus: &CorpusSpec, key: &str) -> Result<Option<Self>> {
        Self::read(corpus, &source_key::condition(corpus), &key_parameters(corpus, key)?)
    }

    /// The document of a chunk, likewise.
    ///
    /// # Errors
    /// Those of [`Self::of_key`], except the first.
    pub fn of_chunk(corpus: &CorpusSpec, chunk: i64) -> Result<Option<Self>> {
        let condition = expand("EXISTS (SELECT FROM {chunk} k WHERE k.chunk_id = $1 AND {same k s})", corpus, &[]);
        Self::read(corpus, &condition, &[chunk.into()])
    }

    fn read(corpus: &CorpusSpec, condition: &str, parameters: &[DatumWithOid<'_>]) -> Result<Option<Self>> {
        let (limit, text_limit) = (gucs::max_document_bytes(), gucs::max_input_bytes());
        let has_files = corpus.has_files();
        // As it comes, and as it is kept.
        memory::ensure(2 * if has_files { limit } else { text_limit })?;
        let title = corpus
            .options
            .title_column
            .as_deref()
            .map_or("NULL::text".into(), |title| format!("s.{}", identifier(title)));
        let text =
            if has_files { "{text {limit}}" } else { "CASE WHEN {size} <= {text_limit} THEN {text {limit}} END" };
        let statement = DOCUMENT.replace("{content}", text);
        let statement =
            statement.replace("{limit}", &limit.to_string()).replace("{text_limit}", &text_limit.to_string());
        let sql = expand(&statement, corpus, &[("same", condition), ("title", &title)]);
        let read = |row: plan_cache::Row| {
            let bytes = if has_files { row.get::<Vec<u8>>(1) } else { None };
            let text = if has_files { None } else { row.text(1) };
            (bytes, text, [2, 3, 4, 5].map(|column| row.text(column)))
        };
        let found =
            gucs::with_gucs(&gucs::RENDERING, || as_reader(corpus, || plan_cache::rows(&sql, parameters, 1, read)))?;
        let Some((bytes, text, [refusal, media_type, name, title])) = found.into_iter().next() else { return Ok(None) };
        let (text, format) = match (text, bytes) {
            (Some(text), _) => (text, corpus.parsed_format()?),
            (None, Some(bytes)) if refusal.is_none() && !bytes.is_empty() => {
                (extracted(corpus, &bytes, media_type.as_deref(), name.as_deref())?, Format::Markdown)
            }
            (None, _) if !has_files => return Err(too_large(text_limit, "socle.max_input_bytes")),
            (None, _) if refusal.as_deref() == Some(UNREADABLE) => {
                return Err(Error::new(Kind::NotPermitted, "permission denied for the large object"));
            }
            (None, _) if refusal.is_some() => return Err(too_large(limit, "socle.max_document_bytes")),
            (None, _) => (String::new(), Format::Markdown),
        };
        Ok(Some(Self { text, format, title }))
    }

    /// Whether its characters are not those of the text that readers see.
    pub fn is_markup(&self) -> bool {
        self.format == Format::Html
    }

    /// The text in a range of characters, from 0; of HTML, the visible text.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn part(&self, range: Range<usize>) -> Result<String> {
        let part = characters(&self.text, range);
        if self.format != Format::Html || part.is_empty() {
            return Ok(part.to_string());
        }
        let parts = visible(part, u32::MAX)?;
        Ok(parts.into_iter().map(|chunk| chunk.content).collect::<Vec<_>>().join("\n"))
    }

    /// The visible text of markup in a range of characters that may begin or end inside a tag.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn seen_within(&self, range: Range<usize>) -> Result<String> {
        let is_within = |place: &Range<usize>| place.start < range.end && range.start < place.end;
        let (mut first, mut last) = (usize::MAX, 0);
        // Where a part begins and ends, text is seen: what stands between can be read by itself.
        for part in visible(&self.text, PART)?.into_iter().map(|part| part.start..part.end).filter(is_within) {
            for sign in visible(characters(&self.text, part.clone()), 1)? {
                let sign = sign.start + part.start..sign.end + part.start;
                if range.start <= sign.start && sign.end <= range.end {
                    first = first.min(sign.start);
                    last = last.max(sign.end);
                }
            }
        }
        if first < last { self.part(first..last) } else { Ok(String::new()) }
    }

    /// Where a quote of this hash stands, nearest to `near`.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn find(&self, quote: &str, hash: &str, near: usize) -> Result<Option<Range<usize>>> {
        if self.format != Format::Html {
            return nearest(&self.text, quote, hash, near);
        }
        let mut parts = Letters::default();
        for chunk in visible(&self.text, PART)? {
            parts.extend(&chunk.content, &(chunk.start..chunk.end));
        }
        for place in parts.occurrences(quote, near) {
            if let Some(range) = self.place_within(place, quote, hash, near)? {
                return Ok(Some(range));
            }
        }
        Ok(None)
    }

    /// The exact place of a quote of this hash in a range of characters that has it, nearest to `near`.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn place_within(
        &self,
        range: Range<usize>,
        quote: &str,
        hash: &str,
        near: usize,
    ) -> Result<Option<Range<usize>>> {
        let part = characters(&self.text, range.clone());
        let letters = match self.format {
            Format::Html => {
                let mut letters = Letters::default();
                for chunk in visible(part, 1)? {
                    letters.extend(&chunk.content, &(chunk.start..chunk.end));
                }
                letters
            }
            Format::Plain | Format::Markdown => Letters::new(part)?,
        };
        for place in letters.occurrences(quote, near.saturating_sub(range.start)) {
            let place = place.start + range.start..place.end + range.start;
            if content_hash(&self.part(place.clone())?) == hash {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }
}

fn too_large(limit: usize, setting: &str) -> Error {
    Error::new(Kind::InputTooLong, format!("the document has more than {limit} bytes"))
        .hint(format!("A superuser can raise {setting}."))
}

fn extracted(corpus: &CorpusSpec, bytes: &[u8], media_type: Option<&str>, name: Option<&str>) -> Result<String> {
    let (limits, ocr) = (gucs::extract_limits(), catalog::ocr_of(corpus)?);
    let request = Request::Extract { media_type, name, limits, bulk: false, ocr, bytes };
    match engine_client::ask(request)?.pop() {
        Some(Response::Extracted(document)) => Ok(document.markdown),
        Some(Response::Failed { error, .. }) => Err(error),
        _ => Err(engine_client::unexpected()),
    }
}

/// The visible text of markup, in parts of at most so many characters.
fn visible(markup: &str, max_size: u32) -> Result<Vec<Chunk>> {
    let request = Request::Chunk {
        model: None,
        max_size: Some(max_size),
        overlap: 0,
        format: Format::Html,
        previous: Vec::new(),
        content: markup,
    };
    let mut parts = Vec::new();
    for answer in engine_client::ask(request)? {
        match answer {
            Response::Chunks { chunks, .. } => parts.extend(chunks),
            Response::Failed { error, .. } => return Err(error),
            _ => return Err(engine_client::unexpected()),
        }
    }
    Ok(parts)
}
