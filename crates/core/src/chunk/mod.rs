//! Cuts a document into chunks: whole sentences, paragraphs and sections as far as they fit, in any language.
//!
//! A chunk never begins or ends inside a grapheme cluster, never exceeds its size in the exact measure of its sizer, and
//! says where it comes from, to the character. Time and memory are linear in the document. Refuses to guess the format
//! and to normalise text: what `plain` and `markdown` return is what the document says.

mod fit;
mod grapheme;
mod guard;
mod html;
mod kept;
mod markdown;
mod offset;
mod outline;
#[cfg(test)]
mod tests;
mod visible;
mod window;

use crate::{Error, Kind, Result};
use offset::CharacterOffset;
use outline::Outline;
pub(crate) use outline::in_path;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::str::FromStr;
use window::Windows;

/// How a document is to be read.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Format {
    /// Text without markup. Empty lines separate paragraphs.
    Plain,
    /// CommonMark with the extensions of GitHub.
    Markdown,
    /// HTML as browsers read it. A chunk holds the visible text.
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

/// How a document is to be cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChunkRule {
    /// Largest size of a chunk in the unit of the sizer, at least 1. Only a single grapheme cluster may exceed it.
    pub max_size: usize,
    /// How much of the end of a chunk the next one may repeat, in the unit of the sizer, less than `max_size`.
    pub overlap: usize,
    /// How to read the document.
    pub format: Format,
}

impl ChunkRule {
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

/// A piece of a document, small enough for a model.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Chunk {
    /// The text: exactly the characters `start..end` of the document, or for [`Format::Html`] what a reader sees of them.
    pub content: String,
    /// The headings in force at the first character, outermost first, at most six, each of at most
    /// [`MAX_HEADING_CHARACTERS`].
    pub heading_path: Vec<String>,
    /// First character in the document, counted in Unicode scalar values from 0, as `substr` counts from 1.
    pub start: usize,
    /// The character after the last, counted like `start`.
    pub end: usize,
    /// Size of `content` in the unit of the sizer.
    pub size: usize,
}

/// Longer headings are cut, at a grapheme cluster: each chunk carries its path, and an unclosed `<h1>` may go on for
/// megabytes.
pub const MAX_HEADING_CHARACTERS: usize = 500;

/// Measures text, for example in tokens of a model.
pub trait Sizer {
    /// The size of `text`. The result must depend on `text` alone; it need not grow with the text, nor be the sum of the
    /// sizes of its parts. Also called with the empty text, every few milliseconds, only to ask whether to go on.
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

/// Hands the chunks of `text` to `emit`, in their order in the document. Between two chunks only white space is left
/// out. A text of white space alone has no chunk. The same arguments give the same chunks.
///
/// # Errors
/// [`Kind::InvalidArgument`] for a rule that [`ChunkRule::new`] would refuse; the errors of `sizer` and `emit`, after
/// which neither is called again.
pub fn chunk(text: &str, rule: &ChunkRule, sizer: &dyn Sizer, emit: &mut dyn FnMut(Chunk) -> Result<()>) -> Result<()> {
    rechunk(text, &[], rule, sizer, emit)
}

/// As [`chunk`], for a text whose earlier version had the chunks `previous`, cut by the same rule: those that are still
/// there stay, so that an edit changes few. The same arguments give the same chunks.
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
                    // The indentation of a heading stands before it.
                    let at = range.start + (content.len() - content.trim_start().len());
                    finish(content, &markdown.outline, at, range, size)
                },
            )
        }
        Format::Html => {
            let visible = html::read(text, sizer)?;
            Windows::new(&visible.text, rule, sizer, &visible.outline, None).run(previous, &mut |range, size| {
                let content = slice(&visible.text, range.clone());
                finish(content, &visible.outline, range.start, visible.source(range), size)
            })
        }
    }
}

/// The bytes `range` of `text`; nothing where that is outside of it or inside a character.
fn slice(text: &str, range: Range<usize>) -> &str {
    text.get(range).unwrap_or_default()
}

/// The first end of a character at or after byte `at`, at most the length of `text`.
fn character_boundary(text: &str, at: usize) -> usize {
    (at..text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len())
}
