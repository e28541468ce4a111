//! EPUB books: reads the chapters, which are HTML, in the order of the spine.

use crate::Writer;
use crate::archive::{Archive, encrypted};
use crate::ooxml::resolved;
use crate::picture::{of_data_url, write_referenced};
use crate::xml::{Token, Xml, decoded};
use socle_core::{Error, Kind, Result};
use std::collections::HashMap;

/// Font obfuscation algorithms; a book that uses no others is not encrypted.
const FONT_ALGORITHMS: [&str; 2] = ["http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"];

/// Reads the document and writes it as Markdown.
///
/// # Errors
/// As [`crate::extract`].
pub fn read(bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let mut archive = Archive::open(bytes)?;
    if let Some(part) = archive.read("META-INF/encryption.xml", writer.limits())?
        && is_encrypted(&decoded(&part))
    {
        return Err(encrypted());
    }
    let container = archive.required("META-INF/container.xml", writer.limits())?;
    let package = package_name(&decoded(&container))?;
    let text = archive.required(&package, writer.limits())?;
    let book = Book::read(&decoded(&text))?;
    let folder = package.rsplit_once('/').map_or("", |(folder, _)| folder);
    for chapter in book.chapters() {
        let path = resolved(folder, &unescaped(chapter));
        let Some(bytes) = archive.read(&path, writer.limits())? else { continue };
        let begin = writer.length();
        crate::html::body(&decoded(&bytes), writer)?;
        drop(bytes);
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let load = &mut |address: &str, writer: &mut Writer| match of_data_url(address) {
            Some(picture) => Ok(Some(picture)),
            None => archive.read(&resolved(folder, &unescaped(address)), writer.limits()),
        };
        write_referenced(begin..writer.length(), writer, load)?;
    }
    // The metadata of chapters does not describe the book.
    let metadata = writer.metadata();
    metadata.title = book.title;
    metadata.author = (!book.authors.is_empty()).then(|| book.authors.join(", "));
    metadata.language = book.language;
    metadata.created = book.created;
    metadata.modified = book.modified;
    metadata.page_count = None;
    Ok(())
}

fn is_encrypted(text: &str) -> bool {
    let mut xml = Xml::new(text);
    while let Ok(Some(token)) = xml.next() {
        if let Token::Start(element) = token
            && element.name().local() == "EncryptionMethod"
            && element.get("Algorithm").is_none_or(|name| !FONT_ALGORITHMS.contains(&name.as_str()))
        {
            return true;
        }
    }
    false
}

/// The path of the package document.
fn package_name(container: &str) -> Result<String> {
    let mut xml = Xml::new(container);
    while let Some(token) = xml.next()? {
        if let Token::Start(element) = token
            && element.name().local() == "rootfile"
            && let Some(path) = element.get("full-path")
        {
            return Ok(path);
        }
    }
    Err(Error::new(Kind::DamagedDocument, "book does not list its parts"))
}

#[derive(Default)]
struct Book {
    title: Option<String>,
    authors: Vec<String>,
    language: Option<String>,
    created: Option<String>,
    modified: Option<String>,
    /// Paths of content documents by manifest identifier, and whether they are the table of contents.
    parts: HashMap<String, (String, bool)>,
    spine: Vec<String>,
}

impl Book {
    fn read(text: &str) -> Result<Self> {
        let mut xml = Xml::new(text);
        let mut book = Self::default();
        while let Some(token) = xml.next()? {
            let Token::Start(element) = token else { continue };
            match element.name().local() {
                "item" => book.parts.extend(element.get("id").zip(element.get("href")).map(|(id, href)| {
                    let is_contents =
                        element.get("properties").is_some_and(|all| all.split(' ').any(|one| one == "nav"));
                    (id, (href, is_contents))
                })),
                "itemref" => book.spine.extend(element.get("idref")),
                "title" => book.title = book.title.take().or(value(&mut xml)?),
                "creator" => book.authors.extend(value(&mut xml)?),
                "language" => book.language = book.language.take().or(value(&mut xml)?),
                "date" => match element.get("event").as_deref() {
                    None | Some("publication" | "creation") => book.created = book.created.take().or(value(&mut xml)?),
                    Some("modification") => book.modified = value(&mut xml)?,
                    _ => {}
                },
                "meta" if element.get("property").as_deref() == Some("dcterms:modified") => {
                    book.modified = value(&mut xml)?;
                }
                _ => {}
            }
        }
        Ok(book)
    }

    /// Paths of the chapters in reading order, without the table of contents, which repeats their headings.
    fn chapters(&self) -> impl Iterator<Item = &str> {
        let parts = self.spine.iter().filter_map(|id| self.parts.get(id));
        parts.filter(|(_, is_contents)| !is_contents).map(|(name, _)| name.as_str())
    }
}

fn value(xml: &mut Xml<'_>) -> Result<Option<String>> {
    Ok(Some(xml.text()?.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|text| !text.is_empty()))
}

/// A reference with percent-encoding (`%20`) decoded.
fn unescaped(reference: &str) -> String {
    let reference = reference.split('#').next().unwrap_or_default();
    let mut bytes = Vec::with_capacity(reference.len());
    let mut rest = reference.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
