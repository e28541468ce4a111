//! Plain text and Markdown in any common encoding. Source code and JSON become code blocks, Jupyter notebooks their
//! text and code, XML the text of its elements and attributes.

mod fictionbook;
mod markdown;
mod notebook;
#[cfg(test)]
mod tests;
mod xml;

use crate::encoding::{declared, decode};
use crate::media::root;
use crate::{Media, Writer};
use serde::de::IgnoredAny;
use socle_core::Result;

/// Reads the document and writes it as Markdown.
///
/// # Errors
/// As [`crate::extract`].
pub fn read(media: Media, bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let text = decode(bytes, None);
    let start = text.trim_start();
    if media == Media::Markdown {
        markdown::write(&text, writer)
    } else if media == Media::FictionBook {
        fictionbook::write(&crate::xml::decoded(bytes), writer)
    } else if let Media::Code(language) = media
        && !(language == "json" && notebook::is_likely(&text))
    {
        writer.code(Some(language), &text)
    } else if start.starts_with("<?xml") || is_xml(&text) {
        // Only XML declares its encoding.
        xml::write(&decode(bytes, declared(bytes).as_deref()), writer)
    } else if let Some(book) = notebook::parse(start) {
        notebook::write(&book, writer)
    } else if start.starts_with(['{', '[']) && is_json(start) {
        writer.code(Some("json"), &text)
    } else {
        plain(&text, writer)
    }
}

/// Writes plain text, whose paragraphs are separated by empty lines.
pub(crate) fn plain(text: &str, writer: &mut Writer) -> Result<()> {
    let mut paragraph = String::new();
    for line in text.lines().flat_map(|line| line.split(['\r', '\u{c}'])) {
        let is_empty = line.trim().is_empty();
        if is_empty && !paragraph.is_empty() {
            writer.paragraph(&paragraph)?;
            paragraph.clear();
        } else if !is_empty {
            paragraph.push_str(line);
            paragraph.push('\n');
        }
    }
    writer.paragraph(&paragraph)
}

/// Whether a text is JSON or JSON Lines.
fn is_json(text: &str) -> bool {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    values.all(|value| value.is_ok())
}

/// Whether a text without an XML declaration is XML: it ends with the end tag of its root element.
fn is_xml(text: &str) -> bool {
    let Some((root, _)) = root(text) else { return false };
    let end = root.find(|c: char| c.is_whitespace() || matches!(c, '>' | '/'));
    let name = end.and_then(|end| root.get(..end)).unwrap_or_default();
    let rest = text.trim_end().strip_suffix('>').and_then(|text| text.strip_suffix(name));
    !name.is_empty() && rest.is_some_and(|rest| rest.ends_with("</"))
}
