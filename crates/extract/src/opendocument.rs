//! OpenDocument texts and presentations, as an archive or as flat XML: the text with all tracked changes accepted,
//! without comments, headers and footers. The cells of spreadsheets are read by [`sheet`].

mod left_out;
mod reader;
pub mod sheet;
mod style;

use crate::Writer;
use crate::archive::{Archive, encrypted};
use crate::picture::{of_data_url, write_referenced};
use crate::xml::{Token, Xml, decoded};
use reader::{Charts, Reader};
use socle_core::Result;
use std::borrow::Cow;
use style::Styles;

/// Reads the document and writes it as Markdown.
///
/// # Errors
/// As [`crate::extract`].
pub fn read(bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let begin = writer.length();
    let mut file = File::open(bytes, writer)?;
    let mut styles = Styles::default();
    if let Some(part) = file.part("styles.xml", writer)? {
        styles.read(&decoded(&part))?;
    }
    let content = std::mem::take(&mut file.content);
    let content = decoded(&content);
    styles.read(&content)?;
    let charts = file.charts(&content, writer)?;
    let mut reader = Reader::new(writer, styles, charts);
    reader.run(&content)?;
    let pages = reader.page();
    if pages > 0 {
        writer.metadata().page_count = Some(pages);
    }
    file.write_pictures(begin, writer)
}

/// A document: an archive of parts, or flat XML.
struct File<'a> {
    archive: Option<Archive<'a>>,
    content: Cow<'a, [u8]>,
}

impl<'a> File<'a> {
    /// Opens the document, reads the metadata and decompresses the content.
    fn open(bytes: &'a [u8], writer: &mut Writer) -> Result<Self> {
        if !bytes.starts_with(b"PK") {
            metadata(&decoded(bytes), writer);
            return Ok(Self { archive: None, content: bytes.into() });
        }
        let mut archive = Archive::open(bytes)?;
        if let Some(manifest) = archive.read("META-INF/manifest.xml", writer.limits())?
            && decoded(&manifest).contains("encryption-data")
        {
            return Err(encrypted());
        }
        if let Some(part) = archive.read("meta.xml", writer.limits())? {
            metadata(&decoded(&part), writer);
        }
        let content = archive.required("content.xml", writer.limits())?.into();
        Ok(Self { archive: Some(archive), content })
    }

    fn part(&mut self, name: &str, writer: &mut Writer) -> Result<Option<Vec<u8>>> {
        self.archive.as_mut().map_or(Ok(None), |archive| archive.read(name, writer.limits()))
    }

    /// Writes the text of the pictures that were noted since the text had the length `begin`.
    fn write_pictures(&mut self, begin: usize, writer: &mut Writer) -> Result<()> {
        let load = &mut |name: &str, writer: &mut Writer| match of_data_url(name) {
            Some(picture) => Ok(Some(picture)),
            None => self.part(name.trim_start_matches("./"), writer),
        };
        write_referenced(begin..writer.length(), writer, load).map(drop)
    }

    /// The charts that the content refers to, by name. In flat XML, charts are inline.
    fn charts(&mut self, content: &str, writer: &mut Writer) -> Result<Charts> {
        let mut charts = Charts::new();
        if self.archive.is_none() || !content.contains(":object") {
            return Ok(charts);
        }
        let mut xml = Xml::new(content);
        while let Some(token) = xml.next()? {
            let Token::Start(element) = token else { continue };
            let Some(name) = element.get("href").filter(|_| element.name().full() == "draw:object") else { continue };
            let folder = name.trim_start_matches("./").trim_end_matches('/').to_string();
            if let Some(part) = self.part(&format!("{folder}/content.xml"), writer)? {
                let text = decoded(&part);
                // Formulas are objects, too.
                if text.contains("office:chart") {
                    charts.insert(name, text.into_owned());
                }
            }
        }
        Ok(charts)
    }
}

/// Reads the metadata. Damaged metadata is ignored.
fn metadata(text: &str, writer: &mut Writer) {
    let mut xml = Xml::new(text);
    while let Ok(Some(token)) = xml.next() {
        let Token::Start(element) = token else { continue };
        let metadata = writer.metadata();
        match element.name().full() {
            // In flat XML, the text follows; authors of comments in it are not authors of the document.
            "office:body" | "office:settings" | "office:styles" => break,
            "dc:title" => metadata.title = value(&mut xml),
            "meta:initial-creator" => metadata.author = value(&mut xml).or(metadata.author.take()),
            "dc:creator" => metadata.author = metadata.author.take().or(value(&mut xml)),
            "dc:language" => metadata.language = value(&mut xml),
            "meta:creation-date" => metadata.created = value(&mut xml),
            "dc:date" => metadata.modified = value(&mut xml),
            "meta:document-statistic" => {
                let pages = element.number("page-count").and_then(|pages| u32::try_from(pages).ok());
                metadata.page_count = pages.filter(|pages| *pages > 0);
            }
            _ => {}
        }
    }
}

fn value(xml: &mut Xml<'_>) -> Option<String> {
    xml.text().ok().map(|text| text.trim().to_string()).filter(|text| !text.is_empty())
}
