//! Writes a mail as a document, for MIME and Outlook messages alike: the subject as heading, addresses and date, then
//! the text.

use crate::picture::{of_data_url, write_referenced};
use crate::{Media, Writer, html};
use socle_core::Result;
use std::borrow::Cow;

/// A plain-text body of at most this percentage of the length of the HTML body is a stub that refers to the HTML.
const STUB_PERCENT: usize = 25;

/// A mail without its attachments.
#[derive(Default)]
pub(crate) struct MailMessage<'a> {
    pub(crate) subject: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) cc: Option<String>,
    /// In RFC 3339 if it could be parsed, else as in the file.
    pub(crate) date: Option<String>,
    /// The plain-text alternative.
    pub(crate) text: Vec<Body<'a>>,
    /// The HTML alternative.
    pub(crate) html: Vec<Body<'a>>,
    /// The pictures that the HTML may refer to, by their addresses.
    pub(crate) pictures: Vec<(String, Cow<'a, [u8]>)>,
}

/// What was written of a mail.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// Whether it has any text.
    pub(crate) has_text: bool,
    /// Addresses of pictures whose text was written.
    pub(crate) pictures: Vec<String>,
}

/// A decoded text part.
pub(crate) enum Body<'a> {
    Plain(Cow<'a, str>),
    Html(Cow<'a, str>),
}

impl MailMessage<'_> {
    /// Writes the mail and sets the metadata. A text that consists of pictures counts as a page without text.
    pub(crate) fn write(&self, writer: &mut Writer) -> Result<Written> {
        let metadata = writer.metadata();
        metadata.title = self.subject.clone();
        metadata.author = self.from.clone();
        metadata.created = self.date.as_deref().and_then(crate::timestamp::rfc_3339);
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
        let load = &mut |address: &str, _: &mut Writer| {
            let attached = self.pictures.iter().find(|(name, _)| name == address);
            Ok(attached.map(|(_, bytes)| bytes.to_vec()).or_else(|| of_data_url(address)))
        };
        let pictures = write_referenced(before..writer.length(), writer, load)?;
        let has_text = writer.length() > before;
        if !has_text && writer.has_picture() {
            writer.metadata().pages_without_text = Some(1);
        }
        Ok(Written { has_text, pictures })
    }

    /// Writes the plain text, or the HTML if the plain text is missing or a stub.
    fn write_text(&self, writer: &mut Writer) -> Result<()> {
        let plain: usize = self.text.iter().map(Body::length).sum();
        if plain > 0 && self.html.iter().any(|part| matches!(part, Body::Html(_))) {
            let mut trial = Writer::new(Media::Html, *writer.limits());
            // HTML beyond the limit cannot be written instead.
            let html = match self.html.iter().try_for_each(|part| part.write(&mut trial)) {
                Ok(()) => trial.finish().markdown.len(),
                Err(_) => 0,
            };
            if plain.saturating_mul(100) > html.saturating_mul(STUB_PERCENT) {
                return self.text.iter().try_for_each(|part| part.write(writer));
            }
        }
        let parts = if self.html.is_empty() { &self.text } else { &self.html };
        parts.iter().try_for_each(|part| part.write(writer))
    }
}

impl Body<'_> {
    fn length(&self) -> usize {
        match self {
            Self::Plain(text) => text.trim().len(),
            // HTML among the plain-text parts is no alternative to HTML.
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

/// Writes plain text: paragraphs separated by empty lines, and quoted lines as block quotes.
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

/// The quotation depth of a line, and the line without quotation marks.
fn quoted(line: &str) -> (usize, &str) {
    let (mut depth, mut rest) = (0, line);
    // "> >" is the same as ">>".
    while let Some(after) = rest.strip_prefix('>').or_else(|| rest.strip_prefix(" >").filter(|_| depth > 0)) {
        depth += 1;
        rest = after;
    }
    (depth, rest)
}
