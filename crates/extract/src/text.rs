//! Plain text and markdown in any common encoding. Code and JSON stay as they are, notebooks become their texts and code,
//! XML becomes the text of its elements and attributes.

mod charset;
mod encoding;
mod fictionbook;
mod markdown;
mod notebook;
#[cfg(test)]
mod tests;
mod xml;

use crate::html::declared;
use crate::media::root;
use crate::{Media, Writer};
pub(crate) use charset::code_page;
pub(crate) use encoding::{decode, is_text, is_unicode, stated};
use serde::de::IgnoredAny;
use socle_core::Result;

/// Writes what the document says.
///
/// # Errors
/// See [`crate::extract`].
pub fn read(media: Media, bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let text = decode(bytes, None);
    let start = text.trim_start();
    if media == Media::Markdown {
        markdown::write(&text, writer)
    } else if media == Media::Book {
        fictionbook::write(&crate::xml::decoded(bytes), writer)
    } else if let Media::Code(language) = media
        && !(language == "json" && notebook::is_likely(&text))
    {
        writer.code(Some(language), &text)
    } else if start.starts_with("<?xml") || is_xml(&text) {
        // Only XML says what its encoding is.
        xml::write(&decode(bytes, declared(bytes).as_deref()), writer)
    } else if let Some(book) = notebook::parse(start) {
        notebook::write(&book, writer)
    } else if start.starts_with(['{', '[']) && is_json(start) {
        writer.code(Some("json"), &text)
    } else {
        plain(&text, writer)
    }
}

/// Writes text whose paragraphs are separated by empty lines.
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

/// Whether a text is JSON: one value, or one on each line.
fn is_json(text: &str) -> bool {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    values.all(|value| value.is_ok())
}

/// Whether a text without a declaration is XML: it ends with the element that it begins with.
fn is_xml(text: &str) -> bool {
    let Some((root, _)) = root(text) else { return false };
    let end = root.find(|c: char| c.is_whitespace() || matches!(c, '>' | '/'));
    let name = end.and_then(|end| root.get(..end)).unwrap_or_default();
    let rest = text.trim_end().strip_suffix('>').and_then(|text| text.strip_suffix(name));
    !name.is_empty() && rest.is_some_and(|rest| rest.ends_with("</"))
}
