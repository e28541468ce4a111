//! Documents that are broken or want to break the reader: each is text or an error that says why, and never a panic.

use super::{fixture, read};
use socle_core::Kind;
use std::io::{Cursor, Read, Write};
use zip::write::SimpleFileOptions;

const FIXTURES: [&str; 11] = [
    "handbook.docx",
    "handbook.odt",
    "handbook.rtf",
    "handbook.epub",
    "slides.pptx",
    "slides.odp",
    "workbook.xlsx",
    "workbook.ods",
    "workbook.xls",
    "features.docx",
    "features.rtf",
];

/// An archive of these entries.
pub fn packed(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A Word document with this body.
fn docx(document: &[u8]) -> Vec<u8> {
    packed(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", document)])
}

/// A text of LibreOffice with this body.
fn odt(body: &str) -> Vec<u8> {
    let content = format!(
        "<office:document-content><office:body><office:text>{body}</office:text></office:body></office:document-content>"
    );
    packed(&[("content.xml", content.as_bytes()), ("META-INF/manifest.xml", b"<manifest/>")])
}

/// A workbook with one sheet, called "Far".
pub fn xlsx(sheet: &str) -> Vec<u8> {
    xlsx_of(sheet, "worksheet", &[])
}

/// A workbook with one sheet of a kind, called "Far", and other parts.
pub fn xlsx_of(sheet: &str, kind: &str, parts: &[(&str, &str)]) -> Vec<u8> {
    let relation = |kind: &str, target: &str| {
        format!(
            "<Relationships xmlns='http://schemas.openxmlformats.org/package/2006/relationships'><Relationship Id='r1' \
             Type='http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}' Target='{target}'/></Relationships>"
        )
    };
    let workbook = "<workbook xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main' \
                    xmlns:r='http://schemas.openxmlformats.org/officeDocument/2006/relationships'><sheets><sheet \
                    name='Far' sheetId='1' r:id='r1'/></sheets></workbook>";
    let (of_package, of_book) =
        (relation("officeDocument", "xl/workbook.xml"), relation(kind, "worksheets/sheet1.xml"));
    let mut entries: Vec<(&str, &[u8])> = vec![
        ("[Content_Types].xml", b"<Types/>"),
        ("_rels/.rels", of_package.as_bytes()),
        ("xl/workbook.xml", workbook.as_bytes()),
        ("xl/_rels/workbook.xml.rels", of_book.as_bytes()),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
    ];
    entries.extend(parts.iter().map(|(name, content)| (*name, content.as_bytes())));
    packed(&entries)
}

#[test]
fn truncated_documents_are_damaged() {
    for name in FIXTURES {
        let bytes = fixture(name);
        // Old workbooks are filled up to whole sectors; the last of them may say nothing.
        let least = if name.ends_with("xls") { 1024 } else { 10 };
        for step in 0..16 {
            let length = bytes.len().saturating_sub(least) * step / 16;
            match read(&bytes[..length], name) {
                // Text that was read before RTF was cut off is still there, and it is said that more is missing.
                Ok(document) if name.ends_with("rtf") => assert!(
                    document.metadata.incomplete.is_some() && !document.markdown.is_empty(),
                    "{name} with {length} bytes"
                ),
                Ok(document) => {
                    assert!(name.ends_with("xls"), "{name} with {length} bytes: {}", document.markdown.len())
                }
                Err(error) => assert!(
                    matches!(error.kind, Kind::DamagedDocument | Kind::NotSupported),
                    "{name} with {length} bytes: {error:?}"
                ),
            }
        }
    }
}

#[test]
fn changed_bytes_never_panic() {
    for name in FIXTURES {
        let bytes = fixture(name);
        for step in 0..24usize {
            let mut changed = bytes.clone();
            // Any spread will do, as long as it is the same each time.
            for turn in 0..4 {
                let at = (step * 2_654_435_761 + turn * 40_503) % changed.len();
                changed[at] = changed[at].wrapping_add(1 << (step % 8));
            }
            let _ = read(&changed, name);
        }
    }
}

#[test]
fn changed_parts_never_panic() {
    for name in FIXTURES.iter().filter(|name| !name.ends_with("rtf") && !name.ends_with("xls")) {
        let bytes = fixture(name);
        let mut zip = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
        let mut parts: Vec<(String, Vec<u8>)> = Vec::new();
        for at in 0..zip.len() {
            let mut entry = zip.by_index(at).unwrap();
            let part_name = entry.name().unwrap().into_owned();
            let mut part = Vec::new();
            entry.read_to_end(&mut part).unwrap();
            if ["ml", "rels", "opf", "mimetype"].iter().any(|end| part_name.ends_with(end)) {
                parts.push((part_name, part));
            }
        }
        for step in 1..16usize {
            let mut changed = parts.clone();
            for (_, part) in changed.iter_mut().filter(|(_, part)| part.len() > 100) {
                // An element, an attribute or some text is gone or there twice.
                let start = step * 2_654_435_761 % (part.len() - 60);
                let piece = part[start..start + step].to_vec();
                match step % 3 {
                    0 => drop(part.splice(start..start, piece)),
                    1 => drop(part.drain(start..start + step)),
                    _ => part[start] = b"<>\"&/09\xff"[step % 8],
                }
            }
            let changed: Vec<(&str, &[u8])> = changed.iter().map(|(name, part)| (&**name, &**part)).collect();
            let _ = read(&packed(&changed), name);
        }
    }
}

#[test]
fn names_deceive_nobody() {
    for name in FIXTURES {
        let right = read(&fixture(name), name).unwrap();
        for other in ["file", "file.pdf", "file.txt", "file.docx", "file.xls"] {
            assert_eq!(read(&fixture(name), other).unwrap(), right, "{name} as {other}");
        }
        assert_eq!(read(b"", name).unwrap_err().kind, Kind::DamagedDocument);
    }
}

#[test]
fn bombs_do_not_unpack() {
    let zeros = vec![b' '; 3 << 20];
    for bytes in [
        docx(&zeros),
        packed(&[("[Content_Types].xml", b"<Types/>"), ("ppt/presentation.xml", &zeros)]),
        packed(&[("content.xml", &zeros), ("META-INF/manifest.xml", b"<manifest/>")]),
        packed(&[("META-INF/container.xml", &zeros)]),
        xlsx(&String::from_utf8(zeros.clone()).unwrap()),
    ] {
        assert!(bytes.len() < 16 << 10);
        assert_eq!(read(&bytes, "bomb").unwrap_err().kind, Kind::InputTooLong);
    }
}

#[test]
fn entities_are_not_expanded() {
    let bomb = "<?xml version='1.0'?><!DOCTYPE d [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>\
                <!ENTITY file SYSTEM 'file:///etc/passwd'>]><w:document><w:body><w:p><w:r><w:t>before &b;&file;&amp;&#233; \
                after</w:t></w:r></w:p></w:body></w:document>";
    assert_eq!(read(&docx(bomb.as_bytes()), "bomb.docx").unwrap().markdown, "before &é after");
}

#[test]
fn nesting_costs_no_stack() {
    let nested = |open: &str, close: &str, count: usize| format!("{}deep{}", open.repeat(count), close.repeat(count));
    let table = nested("<w:tbl><w:tr><w:tc><w:p><w:r><w:t>", "</w:t></w:r></w:p></w:tc></w:tr></w:tbl>", 10_000);
    let document = format!("<w:document><w:body>{table}</w:body></w:document>");
    assert!(read(&docx(document.as_bytes()), "deep.docx").unwrap().markdown.contains("deep"));
    let list = nested("<text:list><text:list-item><text:p>", "</text:p></text:list-item></text:list>", 10_000);
    assert!(read(&odt(&list), "deep.odt").unwrap().markdown.contains("deep"));
    let frames = nested("<text:p><draw:frame><draw:text-box>", "</draw:text-box></draw:frame></text:p>", 10_000);
    assert!(read(&odt(&frames), "deep.odt").is_ok());
    let groups = format!("{{\\rtf1 {}", nested("{", "}", 10_000));
    assert_eq!(read(groups.as_bytes(), "deep.rtf").unwrap_err().kind, Kind::DamagedDocument);
    let tables = format!("{{\\rtf1 {}}}", "\\pard\\intbl\\itap9999 x\\nestcell\\nestrow".repeat(1000));
    assert!(read(tables.as_bytes(), "deep.rtf").is_ok());
}

#[test]
fn repetitions_are_bounded() {
    let cell = "<table:table-cell table:number-columns-repeated='16384'><text:p>again</text:p></table:table-cell>";
    let rows = format!("<table:table-row table:number-rows-repeated='1048576'>{cell}</table:table-row>");
    let content = format!(
        "<office:document-content><office:body><office:spreadsheet><table:table table:name='T'>{rows}</table:table>\
         </office:spreadsheet></office:body></office:document-content>"
    );
    let mut bytes = Vec::new();
    // The media type lies first and unpacked, as the standard wants it.
    let mut zip = zip::ZipWriter::new(Cursor::new(&mut bytes));
    zip.start_file("mimetype", SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored))
        .unwrap();
    zip.write_all(b"application/vnd.oasis.opendocument.spreadsheet").unwrap();
    zip.start_file("content.xml", SimpleFileOptions::default()).unwrap();
    zip.write_all(content.as_bytes()).unwrap();
    zip.finish().unwrap();
    // Nothing is cut without a sign.
    assert_eq!(read(&bytes, "again.ods").unwrap_err().kind, Kind::InputTooLong);
    let columns = |count: u32| {
        format!(
            "<table:table><table:table-row><table:table-cell table:number-columns-repeated='{count}'><text:p>x</text:p></table:table-cell>\
             </table:table-row><table:table-row table:number-rows-repeated='2'><table:covered-table-cell \
             table:number-columns-repeated='2'/><table:table-cell><text:p>y</text:p></table:table-cell></table:table-row></table:table>"
        )
    };
    let found = read(&odt(&columns(3)), "columns.odt").unwrap().markdown;
    assert_eq!(found, "| x | x | x |\n| --- | --- | --- |\n|  |  | y |\n|  |  | y |");
    assert_eq!(read(&odt(&columns(100_000)), "columns.odt").unwrap_err().kind, Kind::InputTooLong);
    let spaces = "<text:p>a<text:s text:c='4000000000'/>b</text:p>".repeat(1000);
    assert!(read(&odt(&spaces), "spaces.odt").unwrap().markdown.len() < 1 << 20);
    let spans = "<w:tc><w:tcPr><w:gridSpan w:val='4000000000'/></w:tcPr><w:p><w:r><w:t>x</w:t></w:r></w:p></w:tc>";
    let document = format!("<w:document><w:body><w:tbl><w:tr>{spans}{spans}</w:tr></w:tbl></w:body></w:document>");
    assert!(read(&docx(document.as_bytes()), "spans.docx").unwrap().markdown.len() < 1 << 20);
}

#[test]
fn rtf_without_its_end_is_read() {
    let rtf = |text: &str| read(text.as_bytes(), "a.rtf");
    let document = rtf(r"{\rtf1\ansi Words of the file.\par More words.\par").unwrap();
    assert_eq!(document.markdown, "Words of the file.\n\nMore words.");
    assert!(document.metadata.incomplete.is_some());
    assert_eq!(rtf(r"{\rtf1\ansi Words.\par}").unwrap().metadata.incomplete, None);
    for cut in
        [r"{\rtf1 Words.\par {\b and bo", r"{\rtf1 Words.\par {\pict\pngblip 8950", r"{\rtf1 Words.{\footnote a note"]
    {
        let document = rtf(cut).unwrap();
        assert!(document.markdown.starts_with("Words."), "{cut}");
        assert_eq!(document.metadata.incomplete.as_deref(), Some("the file ends within a group"), "{cut}");
    }
    assert_eq!(rtf(r"{\rtf1{\fonttbl{\f0 Ari").unwrap_err().kind, Kind::DamagedDocument);
}

#[test]
fn encrypted_documents_say_so() {
    let manifest = b"<manifest:manifest><manifest:file-entry><manifest:encryption-data/></manifest:file-entry></manifest:manifest>";
    let odt = packed(&[("content.xml", b"\x01\x02"), ("META-INF/manifest.xml", manifest)]);
    let encryption = b"<encryption><EncryptedData><EncryptionMethod Algorithm='http://www.w3.org/2001/04/xmlenc#aes128-cbc'/></EncryptedData></encryption>";
    let epub = packed(&[("META-INF/container.xml", b"<container/>"), ("META-INF/encryption.xml", encryption)]);
    // The first bit of the flags of an entry says that it is encrypted.
    let mut zip = docx(b"<w:document/>");
    for (mark, flags) in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)] {
        for at in 0..zip.len() - 4 {
            if &zip[at..at + 4] == mark {
                zip[at + flags] |= 1;
            }
        }
    }
    for bytes in [odt, epub, zip] {
        let error = read(&bytes, "secret").unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (Kind::NotSupported, "document is encrypted"));
    }
}
