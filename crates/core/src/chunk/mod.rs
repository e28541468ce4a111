//! Cuts a document into chunks of whole sentences, paragraphs and sections as far as they fit, in any language.
//!
//! A chunk never starts or ends inside a grapheme cluster, never exceeds its maximum size as the sizer measures it, and
//! has the exact character offsets of its source. Time and memory are linear in the length of the document. The format
//! is not guessed and text is not normalised: `plain` and `markdown` return the text of the document unchanged.

mod grapheme;
mod html;
mod html_text;
mod incremental;
mod markdown;
mod markdown_limits;
mod offset;
mod outline;
#[cfg(test)]
mod tests;
mod window;
mod window_sizer;

use crate::{Error, Kind, Result};
use offset::CharacterOffset;
use outline::Outline;
pub(crate) use outline::heading_in_path;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::str::FromStr;
use window::Windows;

/// Format of a document.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Format {
    /// Text without markup. Empty lines separate paragraphs.
    Plain,
    /// CommonMark with the extensions of GitHub.
    Markdown,
    /// HTML, parsed as browsers do. Chunks contain the visible text.
    Html,
}

impl Format {
    /// The names that [`Format::from_str`] takes.
    pub const NAMES: &'static [&'static str] = &["plain", "markdown", "html"];

    /// The name used in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Markdown => "markdown",
            Self::Html => "html",
        }
    }
}

impl FromStr for Format {
    type Err = Error;

    /// Parses the name used in SQL.
    ///
    /// # Errors
    /// [`Kind::InvalidArgument`] for anything but one of [`Format::NAMES`].
    fn from_str(name: &str) -> Result<Self> {
        match name {
            "plain" => Ok(Self::Plain),
            "markdown" => Ok(Self::Markdown),
            "html" => Ok(Self::Html),
            _ => Err(Error::new(Kind::InvalidArgument, format!("format \"{name}\" does not exist"))
                .hint(format!("The formats are: {}.", Self::NAMES.join(", ")))),
        }
    }
}

/// Parameters of chunking.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChunkRule {
    /// Largest size of a chunk in the unit of the sizer, at least 1. Only a single grapheme cluster may exceed it.
    pub max_size: usize,
    /// How much of the end of a chunk the next one may repeat, in the unit of the sizer, less than `max_size`.
    pub overlap: usize,
    /// Format of the document.
    pub format: Format,
}

impl ChunkRule {
    /// A validated rule.
    ///
    /// # Errors
    /// [`Kind::InvalidArgument`] if `max_size` is 0 or `overlap` is not smaller than `max_size`.
    pub fn new(max_size: usize, overlap: usize, format: Format) -> Result<Self> {
        let rule = Self { max_size, overlap, format };
        rule.check().map(|()| rule)
    }

    fn check(&self) -> Result<()> {
        if self.max_size == 0 {
            return Err(Error::new(Kind::InvalidArgument, "chunk size must be at least 1"));
        }
        if self.overlap >= self.max_size {
            return Err(Error::new(Kind::InvalidArgument, "overlap must be smaller than chunk size")
                .detail(format!("The overlap is {}, the chunk size {}.", self.overlap, self.max_size)));
        }
        Ok(())
    }
}

/// A chunk of a document.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Chunk {
    /// The text: exactly the characters `start..end` of the document, or for [`Format::Html`] their visible text.
    pub content: String,
    /// The headings in force at the first character, outermost first, at most six, each of at most
    /// [`MAX_HEADING_CHARACTERS`]; then, for a chunk that begins within a table below the beginning of its header row,
    /// the cells of that row, which is cut likewise.
    pub heading_path: Vec<String>,
    /// First character in the document, counted in Unicode scalar values from 0, as `substr` counts from 1.
    pub start: usize,
    /// The character after the last, counted like `start`.
    pub end: usize,
    /// Size of `content` in the unit of the sizer.
    pub size: usize,
}

/// Maximum length of a heading in a path, in characters. Longer headings are cut at a grapheme cluster boundary,
/// because every chunk carries its path and an unclosed `<h1>` may contain megabytes.
pub const MAX_HEADING_CHARACTERS: usize = 500;

/// Measures text, for example in tokens of a model, and is called regularly to allow cancellation.
pub trait Sizer {
    /// The size of `text`. The result must depend on `text` alone; it need not grow with the text, nor be the sum of
    /// the sizes of its parts. Also called with the empty text every few milliseconds, only so that it can cancel.
    ///
    /// # Errors
    /// Any error ends the chunking at once, [`Kind::Cancelled`] for example.
    fn size(&self, text: &str) -> Result<usize>;
}

/// Measures in characters (Unicode scalar values).
#[derive(Clone, Copy, Debug, Default)]
pub struct Characters;

impl Sizer for Characters {
    fn size(&self, text: &str) -> Result<usize> {
        Ok(text.chars().count())
    }
}

/// Passes the chunks of `text` to `emit` in document order. Only white space between chunks is left out; a text of
/// white space alone has no chunks. Deterministic.
///
/// # Errors
/// [`Kind::InvalidArgument`] for a rule that [`ChunkRule::new`] would refuse; the errors of `sizer` and `emit`, after
/// which neither is called again.
pub fn chunk(text: &str, rule: &ChunkRule, sizer: &dyn Sizer, emit: &mut dyn FnMut(Chunk) -> Result<()>) -> Result<()> {
    rechunk(text, &[], rule, sizer, emit)
}

/// As [`chunk`], for a text whose previous version had the chunks `previous`, cut by the same rule. Chunks at both ends
/// of the text that are still valid are reused, so that an edit changes few. Deterministic.
///
/// # Errors
/// As [`chunk`].
pub fn rechunk(
    text: &str,
    previous: &[&str],
    rule: &ChunkRule,
    sizer: &dyn Sizer,
    emit: &mut dyn FnMut(Chunk) -> Result<()>,
) -> Result<()> {
    rule.check()?;
    let mut characters = CharacterOffset::new(text);
    let mut finish = |content: &str, outline: &Outline, at: usize, source: Range<usize>, size: usize| {
        let start = characters.at(source.start);
        let end = characters.at(source.end);
        emit(Chunk { content: content.to_owned(), heading_path: outline.path(at), start, end, size })
    };
    match rule.format {
        Format::Plain => {
            let outline = Outline::default();
            Windows::new(text, rule, sizer, &outline, None).run(previous, &mut |range, size| {
                finish(slice(text, range.clone()), &outline, range.start, range, size)
            })
        }
        Format::Markdown => {
            let markdown = markdown::read(text, sizer)?;
            Windows::new(text, rule, sizer, &markdown.outline, Some(&markdown.structure)).run(
                previous,
                &mut |range, size| {
                    let content = slice(text, range.clone());
                    // A heading starts after its indentation.
                    let at = range.start + (content.len() - content.trim_start().len());
                    finish(content, &markdown.outline, at, range, size)
                },
            )
        }
        Format::Html => {
            let html = html::read(text, sizer)?;
            Windows::new(&html.text, rule, sizer, &html.outline, None).run(previous, &mut |range, size| {
                let content = slice(&html.text, range.clone());
                finish(content, &html.outline, range.start, html.source(range), size)
            })
        }
    }
}

/// The bytes `range` of `text`; empty if the range is out of bounds or does not lie on character boundaries.
fn slice(text: &str, range: Range<usize>) -> &str {
    text.get(range).unwrap_or_default()
}

/// The first character boundary at or after byte `at`, at most the length of `text`.
fn character_boundary(text: &str, at: usize) -> usize {
    (at..text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len())
}
