//! Dynamic XFA forms, which only Adobe software renders: the page is a placeholder, and the values are in XML (XFA
//! specification 3.3, chapter 4).

use super::{Sheet, decompress, metadata};
use crate::Writer;
use crate::xml::{Token, Xml};
use hayro_syntax::Pdf;
use hayro_syntax::object::{Dict, Object, Stream};
use socle_core::{Error, Kind, Result};

/// Maximum number of characters of the placeholder page.
const MAX_LETTERS: usize = 2_000;
/// Elements of formatted text, which are part of the value of the field around them.
const FORMATS: [&str; 8] = ["body", "html", "p", "span", "b", "i", "br", "a"];

/// Whether the pages are a placeholder for a form.
pub(super) fn is_placeholder(pdf: &Pdf, sheets: &[Sheet]) -> bool {
    let Some(catalog) = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id()) else { return false };
    if parts(&catalog).is_empty() {
        return false;
    }
    let [sheet] = sheets else { return false };
    let text: String = sheet.lines.iter().map(|line| line.text() + "\n").collect();
    let rendered = catalog.get::<bool>("NeedsRendering").unwrap_or(false);
    text.chars().count() < MAX_LETTERS && (rendered || text.trim_start().to_lowercase().starts_with("please wait"))
}

/// Writes the values, a line per field.
///
/// # Errors
/// [`Kind::NotSupported`] if there are none.
pub(super) fn read(pdf: &Pdf, writer: &mut Writer) -> Result<()> {
    let catalog = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id()).unwrap_or_default();
    let mut xml = Vec::new();
    for part in parts(&catalog) {
        if let Some(bytes) = decompress::unpack(&part, writer.limits())? {
            xml.extend_from_slice(&bytes);
        }
    }
    let text = metadata::text_string(&xml);
    let values = values(&text);
    if values.is_empty() {
        return Err(Error::new(Kind::NotSupported, "document is a form that only Adobe's programs show (XFA)")
            .hint("Open it in Adobe Reader, and print it to a new PDF."));
    }
    for group in values {
        writer.paragraph(&group.join("\n"))?;
    }
    Ok(())
}

/// The streams of the form.
fn parts<'a>(catalog: &Dict<'a>) -> Vec<Stream<'a>> {
    let form = catalog.get::<Dict<'a>>("AcroForm").and_then(|form| form.get::<Object<'a>>("XFA"));
    match form {
        Some(Object::Stream(stream)) => vec![stream],
        Some(Object::Array(list)) => list.iter::<Object<'a>>().filter_map(|part| part.into_stream()).collect(),
        _ => Vec::new(),
    }
}

/// Names and values of the fields; consecutive fields of one element form a group.
fn values(xml: &str) -> Vec<Vec<String>> {
    let mut groups: Vec<Vec<String>> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    let (mut depth_of_data, mut text, mut last_parent) = (None, String::new(), 0usize);
    let mut xml = Xml::new(xml);
    // Keeps what was read before an error.
    while let Ok(Some(token)) = xml.next() {
        match token {
            Token::Start(element) => {
                let name = element.name().local().to_string();
                if name == "data" && names.last().is_some_and(|name| name == "datasets") {
                    depth_of_data = Some(names.len());
                }
                if !FORMATS.contains(&name.as_str()) {
                    text.clear();
                }
                names.push(name);
            }
            Token::Text(more) => text.push_str(&more),
            Token::End(_) => {
                let name = names.pop().unwrap_or_default();
                if depth_of_data == Some(names.len()) {
                    depth_of_data = None;
                }
                if FORMATS.contains(&name.as_str()) {
                    text.push(' ');
                    continue;
                }
                let value = text.split_whitespace().collect::<Vec<_>>().join(" ");
                text.clear();
                if depth_of_data.is_none() || value.is_empty() {
                    continue;
                }
                let line = format!("{name}: {value}");
                match groups.last_mut().filter(|_| last_parent == names.len()) {
                    Some(group) => group.push(line),
                    None => groups.push(vec![line]),
                }
                last_parent = names.len();
            }
        }
    }
    groups
}
