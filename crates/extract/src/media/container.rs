//! Detects the format of ZIP archives and compound files by the names of their parts, without decompressing them.

use super::signature::unreadable;
use super::{Media, root as root_element};
use crate::archive::Archive;
use crate::limits::Limits;
use cfb::CompoundFile;
use socle_core::{Error, Kind, Result};
use std::io::Cursor;

/// Maximum number of parts examined.
const MAX_PARTS: usize = 100_000;
/// Size of the end-of-central-directory record with the longest comment.
const END: usize = 22 + 0xffff;

/// The format of a ZIP archive. `name`: file name, used where the contents are ambiguous.
pub(super) fn zip(bytes: &[u8], name: &str) -> Result<Media> {
    let parts = directory(bytes).unwrap_or_else(|| local(bytes));
    let has = |start: &str| parts.iter().any(|part| part.starts_with(start.as_bytes()));
    if let Some(media) = media_type(bytes) {
        return open_document(&media);
    }
    // Some writers use backslashes or a leading slash; the reader then reports the damage.
    let office = has("[Content_Types].xml") || has("_rels/");
    match () {
        () if has("xl/workbook.bin") => Ok(Media::Xlsb),
        () if office && has("word/") => Ok(Media::Docx),
        () if office && has("ppt/") => Ok(Media::Pptx),
        () if office && has("xl/") => Ok(Media::Xlsx),
        () if has("[Content_Types].xml")
            && let Some(media) = content_type(bytes) =>
        {
            media
        }
        () if has("visio/") => Err(unreadable("Visio drawing")),
        () if has("FixedDoc") || has("Documents/1/FixedDoc") => Err(unreadable("XPS document")),
        () if has("Index/Document.iwa") || has("Index.zip") => Err(unreadable("iWork document")),
        () if has("META-INF/container.xml") => Ok(Media::Epub),
        () if has("content.xml") && has("META-INF/manifest.xml") => Ok(match name.rsplit('.').next() {
            Some("ods" | "ots") => Media::Ods,
            Some("odp" | "otp") => Media::Odp,
            _ => Media::Odt,
        }),
        () => Err(unreadable("ZIP archive")),
    }
}

/// What an Office document is whose parts lie in other places than usual: it says itself what its main part is.
fn content_type(bytes: &[u8]) -> Option<Result<Media>> {
    let mut limits = Limits { output: 0, unpacked: 1 << 20, depth: 0 };
    let types = Archive::open(bytes).ok()?.read("[Content_Types].xml", &mut limits).ok()??;
    let types = String::from_utf8_lossy(&types);
    let main = |name: &str| {
        types.contains(&format!("{name}.main+xml")) || types.contains(&format!("{name}.macroEnabled.main+xml"))
    };
    Some(match () {
        () if main("wordprocessingml.document") || main("wordprocessingml.template") || main("ms-word.document") => {
            Ok(Media::Docx)
        }
        () if main("spreadsheetml.sheet") || main("spreadsheetml.template") || main("ms-excel.sheet") => {
            Ok(Media::Xlsx)
        }
        () if main("presentationml.presentation")
            || main("presentationml.slideshow")
            || main("ms-powerpoint.presentation") =>
        {
            Ok(Media::Pptx)
        }
        () if types.contains("ms-excel.sheet.binary.macroEnabled.main") => Ok(Media::Xlsb),
        () => return None,
    })
}

/// What a text is that holds a document in one piece of XML, by its outermost element.
pub(super) fn flat(text: &str) -> Option<Result<Media>> {
    let (root, _) = root_element(text)?;
    let name = root.split(|c: char| c.is_whitespace() || matches!(c, '>' | '/')).next()?;
    let tag = root.split('>').next()?;
    match name.rsplit(':').next()? {
        "FictionBook" => Some(Ok(Media::FictionBook)),
        "document" if tag.contains("urn:oasis:names:tc:opendocument:xmlns:office:1.0") => {
            let media = tag.split_once("mimetype=")?.1.trim_start_matches(['"', '\'']);
            Some(open_document(media.split(['"', '\'']).next()?))
        }
        _ => None,
    }
}

/// The content of an initial uncompressed `mimetype` entry, as in OpenDocument and EPUB.
fn media_type(bytes: &[u8]) -> Option<String> {
    let name = 30..38;
    (bytes.get(name)? == b"mimetype").then_some(())?;
    let number = |at: usize| bytes.get(at..at + 2).and_then(|two| two.try_into().ok()).map(u16::from_le_bytes);
    let start = 38 + usize::from(number(28)?);
    // The entry must be stored uncompressed.
    (number(8)? == 0).then_some(())?;
    let text = bytes.get(start..)?;
    let end = text.iter().position(|byte| !matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'+'));
    let text = text.get(..end.unwrap_or(text.len()).min(100))?;
    text.starts_with(b"application/").then(|| String::from_utf8_lossy(text).into_owned())
}

fn open_document(media: &str) -> Result<Media> {
    let kind = media.strip_prefix("application/vnd.oasis.opendocument.").unwrap_or(media);
    match kind.trim_end_matches("-template").trim_end_matches("-master") {
        "text" => Ok(Media::Odt),
        "presentation" => Ok(Media::Odp),
        "spreadsheet" => Ok(Media::Ods),
        // The signature of the next entry follows without a separator.
        kind if kind.starts_with("application/epub+zip") => Ok(Media::Epub),
        _ => Err(unreadable("OpenDocument drawing")),
    }
}

/// Names of the parts, from the directory at the end.
fn directory(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let tail = bytes.len().saturating_sub(END);
    let end = tail + bytes.get(tail..)?.windows(4).rposition(|four| four == b"PK\x05\x06")?;
    let size = u32::from_le_bytes(bytes.get(end + 12..end + 16)?.try_into().ok()?);
    let mut rest = bytes.get(end.checked_sub(size as usize)?..end)?;
    let mut parts = Vec::new();
    while rest.starts_with(b"PK\x01\x02") && parts.len() < MAX_PARTS {
        let number = |at: usize| rest.get(at..at + 2).and_then(|two| two.try_into().ok()).map(u16::from_le_bytes);
        let (name, extra, comment) = (usize::from(number(28)?), usize::from(number(30)?), usize::from(number(32)?));
        parts.push(rest.get(46..46 + name)?);
        rest = rest.get(46 + name + extra + comment..)?;
    }
    (!parts.is_empty()).then_some(parts)
}

/// Names of the parts of an archive that has lost its end.
fn local(bytes: &[u8]) -> Vec<&[u8]> {
    let starts = bytes.windows(4).enumerate().filter(|(_, four)| *four == b"PK\x03\x04").map(|(at, _)| at);
    let names = starts.filter_map(|at| {
        let length = bytes.get(at + 26..at + 28).and_then(|two| two.try_into().ok()).map(u16::from_le_bytes)?;
        bytes.get(at + 30..at + 30 + usize::from(length))
    });
    names.take(MAX_PARTS).collect()
}

/// What a compound file is: the format of Office before 2007, of Outlook, and of encrypted documents.
pub(super) fn compound(bytes: &[u8]) -> Result<Media> {
    let parts = root(bytes).unwrap_or_else(|| entries(bytes));
    let has = |name: &str| parts.iter().any(|part| part.eq_ignore_ascii_case(name));
    match () {
        () if has("EncryptedPackage") => {
            Err(Error::new(Kind::NotSupported, "document is encrypted").hint("Save it without a password."))
        }
        () if has("__properties_version1.0") => Ok(Media::Msg),
        () if has("WordDocument") => Err(unreadable("Word document from before 2007 (DOC)")),
        () if has("PowerPoint Document") => Err(unreadable("PowerPoint presentation from before 2007 (PPT)")),
        () if has("Workbook") || has("Book") => Ok(Media::Xls),
        () if has("VisioDocument") => Err(unreadable("Visio drawing")),
        () if parts.is_empty() => Err(Error::new(Kind::DamagedDocument, "compound file is damaged")),
        () => Err(super::unknown()),
    }
}

/// Names of what lies in the compound file directly, and not in a document in it.
fn root(bytes: &[u8]) -> Option<Vec<String>> {
    let file = CompoundFile::open(Cursor::new(bytes)).ok()?;
    let names: Vec<String> = file.read_root_storage().take(MAX_PARTS).map(|entry| entry.name().to_string()).collect();
    (!names.is_empty()).then_some(names)
}

/// Names of whatever looks like an entry of the directory, for a compound file that is damaged.
fn entries(bytes: &[u8]) -> Vec<String> {
    let entries = bytes.chunks_exact(128).filter_map(|entry| {
        let length = usize::from(u16::from_le_bytes(entry.get(64..66)?.try_into().ok()?));
        let name = entry.get(..length.checked_sub(2)?).filter(|name| (4..=62).contains(&name.len()))?;
        let kind = entry.get(66)?;
        let units = name.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(u16::from_le_bytes);
        let name = String::from_utf16(&units.collect::<Vec<_>>()).ok()?;
        (matches!(kind, 1 | 2) && name.is_ascii()).then_some(name)
    });
    entries.take(MAX_PARTS).collect()
}
