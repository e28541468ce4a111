//! What a mail looks like as a document, whether it came over the network or out of Outlook: the subject as heading, who
//! wrote to whom and when, the text, and what was attached, each file under a heading of its own.

use crate::{Media, Writer, html};
use socle_core::{Error, Kind, Result};
use std::borrow::Cow;

/// A text of this share of the HTML, in percent, or less only says that there is HTML.
const STUB: usize = 25;

/// A mail without what is attached.
#[derive(Default)]
pub(crate) struct Letter<'a> {
    pub(crate) subject: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) cc: Option<String>,
    /// As RFC 3339 if it could be read.
    pub(crate) date: Option<String>,
    /// The parts of the text.
    pub(crate) text: Vec<Part<'a>>,
    /// The same as HTML.
    pub(crate) html: Vec<Part<'a>>,
}

pub(crate) enum Part<'a> {
    Plain(Cow<'a, str>),
    Html(Cow<'a, str>),
}

impl Letter<'_> {
    /// Writes the mail, and into the metadata what it says about itself. Returns whether it has any text. A text of nothing
    /// but pictures counts as a page without text.
    pub(crate) fn write(&self, writer: &mut Writer) -> Result<bool> {
        let metadata = writer.metadata();
        metadata.title = self.subject.clone();
        metadata.author = self.from.clone();
        metadata.created = self.date.as_deref().and_then(html::time);
        writer.heading(1, self.subject.as_deref().unwrap_or_default())?;
        let fields = [("From", &self.from), ("To", &self.to), ("Cc", &self.cc), ("Date", &self.date)];
        let lines: Vec<String> = fields
            .into_iter()
            .filter_map(|(name, value)| {
                let value = value.as_deref().map(|value| value.split_whitespace().collect::<Vec<_>>().join(" "))?;
                (!value.is_empty()).then(|| format!("{name}: {value}"))
            })
            .collect();
        writer.paragraph(&lines.join("\n"))?;
        let before = writer.length();
        self.write_text(writer)?;
        let has_text = writer.length() > before;
        if !has_text && writer.has_picture() {
            writer.metadata().pages_without_text = Some(1);
        }
        Ok(has_text)
    }

    /// The text, unless there is none to speak of beside the HTML.
    fn write_text(&self, writer: &mut Writer) -> Result<()> {
        let plain: usize = self.text.iter().map(Part::length).sum();
        if plain > 0 && self.html.iter().any(|part| matches!(part, Part::Html(_))) {
            let mut trial = Writer::new(Media::Html, *writer.limits());
            // One that is too long for a document is certainly no stub.
            let html = match self.html.iter().try_for_each(|part| part.write(&mut trial)) {
                Ok(()) => trial.finish().markdown.len(),
                Err(_) => 0,
            };
            if plain.saturating_mul(100) > html.saturating_mul(STUB) {
                return self.text.iter().try_for_each(|part| part.write(writer));
            }
        }
        let parts = if self.html.is_empty() { &self.text } else { &self.html };
        parts.iter().try_for_each(|part| part.write(writer))
    }
}

impl Part<'_> {
    fn length(&self) -> usize {
        match self {
            Self::Plain(text) => text.trim().len(),
            // A text that is HTML itself is no alternative to it.
            Self::Html(_) => 0,
        }
    }

    fn write(&self, writer: &mut Writer) -> Result<()> {
        match self {
            Self::Plain(text) => plain(text, writer),
            Self::Html(source) => html::body(source, writer),
        }
    }
}

/// Writes the text of a mail: paragraphs between empty lines, and what it quotes as quotations.
fn plain(text: &str, writer: &mut Writer) -> Result<()> {
    let (mut paragraph, mut depth) = (String::new(), 0);
    for line in text.lines() {
        let (quotes, rest) = quoted(line);
        if rest.trim().is_empty() || quotes != depth {
            write_paragraph(depth, &paragraph, writer)?;
            paragraph.clear();
            depth = quotes;
        }
        paragraph.push_str(rest);
        paragraph.push('\n');
    }
    write_paragraph(depth, &paragraph, writer)
}

fn write_paragraph(depth: usize, text: &str, writer: &mut Writer) -> Result<()> {
    if depth > 0 { writer.quotation(depth, text) } else { writer.paragraph(text) }
}

/// How many times a line is quoted, and the line without the marks.
fn quoted(line: &str) -> (usize, &str) {
    let (mut depth, mut rest) = (0, line);
    // "> >" and ">>" are the same.
    while let Some(after) = rest.strip_prefix('>').or_else(|| rest.strip_prefix(" >").filter(|_| depth > 0)) {
        depth += 1;
        rest = after;
    }
    (depth, rest)
}

/// Writes a file that is attached. One that cannot be read leaves a line that says why; only a document that is too long
/// is an error.
pub(crate) fn attach(name: &str, media_type: Option<&str>, bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let media = match Media::detect(bytes, media_type, Some(name)) {
        Ok(media) => media,
        Err(error) => return refuse(name, &error, writer),
    };
    // Mails have headings of their own.
    if matches!(media, Media::Mail | Media::Msg) {
        let result = writer.nested(1, |writer| crate::read(media, bytes, writer));
        return result.or_else(|error| refuse(name, &error, writer));
    }
    let before = writer.length();
    writer.heading(2, name)?;
    let start = writer.length();
    let result = writer.nested(2, |writer| crate::read(media, bytes, writer));
    // A heading alone says nothing.
    if writer.length() == start {
        writer.cut(before);
    }
    match result {
        Err(error) => refuse(name, &error, writer),
        Ok(()) if writer.length() == before => refuse(name, &Error::new(Kind::NotSupported, "no text"), writer),
        Ok(()) => Ok(()),
    }
}

/// A line in the place of a file that cannot be read.
pub(crate) fn refuse(name: &str, error: &Error, writer: &mut Writer) -> Result<()> {
    let name = if name.trim().is_empty() { "without a name" } else { name };
    writer.paragraph(&format!("attachment {}: {error}", name.split_whitespace().collect::<Vec<_>>().join(" ")))
}
