//! Texts and presentations of LibreOffice and others (OpenDocument): the text as it stands once all changes are accepted,
//! without comments, headers and footers. Spreadsheets share the archive and the metadata, their cells are read in
//! [`sheet`].

mod reader;
pub mod sheet;
mod style;

use crate::Writer;
use crate::archive::{Archive, encrypted};
use crate::xml::{Token, Xml, decoded};
use reader::Reader;
use socle_core::Result;
use style::Styles;

/// Writes what the document says.
///
/// # Errors
/// See [`crate::extract`].
pub fn read(bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let (mut archive, content) = open(bytes, writer)?;
    let content = decoded(&content);
    let mut styles = Styles::default();
    if let Some(part) = archive.read("styles.xml", writer.limits())? {
        styles.read(&decoded(&part))?;
    }
    styles.read(&content)?;
    let mut reader = Reader::new(writer, styles);
    reader.run(&content)?;
    let pages = reader.page();
    if pages > 0 {
        writer.metadata().page_count = Some(pages);
    }
    Ok(())
}

/// Opens the archive, reads the metadata and unpacks the content.
fn open<'a>(bytes: &'a [u8], writer: &mut Writer) -> Result<(Archive<'a>, Vec<u8>)> {
    let mut archive = Archive::open(bytes)?;
    if let Some(manifest) = archive.read("META-INF/manifest.xml", writer.limits())?
        && decoded(&manifest).contains("encryption-data")
    {
        return Err(encrypted());
    }
    if let Some(part) = archive.read("meta.xml", writer.limits())? {
        metadata(&decoded(&part), writer);
    }
    let content = archive.required("content.xml", writer.limits())?;
    Ok((archive, content))
}

/// Reads the metadata; what is damaged just there is left out.
fn metadata(text: &str, writer: &mut Writer) {
    let mut xml = Xml::new(text);
    while let Ok(Some(token)) = xml.next() {
        let Token::Start(element) = token else { continue };
        let metadata = writer.metadata();
        match element.name().full() {
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
