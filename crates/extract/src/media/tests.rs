//! What bytes are taken for.

use super::Media;
use socle_core::{Kind, Result};
use std::io::{Cursor, Write};

fn detect(bytes: &[u8]) -> Result<Media> {
    Media::detect(bytes, None, None)
}

/// What is refused, in the words of the error.
fn refused(bytes: &[u8]) -> String {
    let error = detect(bytes).unwrap_err();
    assert_eq!(error.kind, Kind::NotSupported);
    error.message
}

/// An archive of parts that are not packed. Check sums are left out, which nobody reads here.
fn zip(parts: &[(&str, &str)]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in parts {
        let sizes = [0, content.len() as u32, content.len() as u32];
        let place = bytes.len() as u32;
        let lengths = [name.len() as u16, 0];
        bytes.extend(b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0");
        directory.extend(b"PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\0\0");
        for target in [&mut bytes, &mut directory] {
            target.extend(sizes.iter().flat_map(|size| size.to_le_bytes()));
            target.extend(lengths.iter().flat_map(|length| length.to_le_bytes()));
        }
        directory.extend([0; 10]);
        directory.extend(place.to_le_bytes());
        directory.extend(name.as_bytes());
        bytes.extend(name.as_bytes());
        bytes.extend(content.as_bytes());
    }
    let (count, start) = (parts.len() as u16, bytes.len() as u32);
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([count, count].iter().flat_map(|count| count.to_le_bytes()));
    bytes.extend([directory.len() as u32, start].iter().flat_map(|number| number.to_le_bytes()));
    bytes.extend([0, 0]);
    bytes
}

fn compound(streams: &[&str]) -> Vec<u8> {
    let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
    for stream in streams {
        if let Some((storage, _)) = stream.split_once('/') {
            file.create_storage_all(storage).unwrap();
        }
        file.create_stream(stream).unwrap().write_all(&[1; 100]).unwrap();
    }
    file.into_inner().into_inner()
}

#[test]
fn archives_are_known_by_their_parts() {
    for (parts, media) in [
        (&[("[Content_Types].xml", ""), ("word/document2.xml", "")][..], Media::Docx),
        (&[("docProps/app.xml", ""), ("_rels/.rels", ""), ("ppt/presentation.xml", "")], Media::Pptx),
        (&[("[Content_Types].xml", ""), ("xl/workbook.xml", "")], Media::Xlsx),
        (&[("mimetype", "application/vnd.oasis.opendocument.text"), ("content.xml", "")], Media::Odt),
        (&[("mimetype", "application/vnd.oasis.opendocument.presentation-template"), ("content.xml", "")], Media::Odp),
        (&[("mimetype", "application/vnd.oasis.opendocument.spreadsheet"), ("content.xml", "")], Media::Ods),
        (&[("mimetype", "application/epub+zip"), ("META-INF/container.xml", "")], Media::Epub),
        (&[("META-INF/container.xml", ""), ("mimetype", "application/epub+zip")], Media::Epub),
    ] {
        let mut bytes = zip(parts);
        assert_eq!(detect(&bytes), Ok(media));
        // Without its directory.
        bytes.truncate(bytes.windows(4).position(|four| four == b"PK\x01\x02").unwrap());
        assert_eq!(detect(&bytes), Ok(media), "cut");
    }
    let names = zip(&[("content.xml", ""), ("META-INF/manifest.xml", "")]);
    assert_eq!(Media::detect(&names, None, Some("a.ODS")), Ok(Media::Ods));
    assert_eq!(refused(&zip(&[("a.txt", "text")])), "ZIP archive cannot be read");
    // An archive that holds a document that is not packed is an archive.
    let inner = zip(&[("[Content_Types].xml", ""), ("word/document.xml", "")]);
    let inner = String::from_utf8_lossy(&inner);
    assert_eq!(refused(&zip(&[("a.docx", &inner)])), "ZIP archive cannot be read");
    assert_eq!(
        refused(&zip(&[("[Content_Types].xml", ""), ("xl/workbook.bin", "")])),
        "Excel binary workbook (XLSB) cannot be read"
    );
}

#[test]
fn compound_files_are_known_by_their_streams() {
    assert_eq!(detect(&compound(&["Workbook", "MBD0/WordDocument"])), Ok(Media::Xls));
    assert_eq!(detect(&compound(&["__properties_version1.0", "__attach/WordDocument"])), Ok(Media::Msg));
    let word = compound(&["WordDocument", "ObjectPool/Workbook"]);
    assert_eq!(refused(&word), "Word document from before 2007 (DOC) cannot be read");
    assert_eq!(detect(&word).unwrap_err().hint.as_deref(), Some("Save it as DOCX."));
    assert_eq!(refused(&compound(&["EncryptionInfo", "EncryptedPackage"])), "document is encrypted");
    // Damaged: the entries are still there.
    let mut damaged = word.clone();
    damaged[44..80].fill(0xee);
    assert_eq!(refused(&damaged), "Word document from before 2007 (DOC) cannot be read");
    assert_eq!(detect(&word[..500]).unwrap_err().kind, Kind::DamagedDocument);
}

#[test]
fn text_is_known_by_its_shape() {
    for (text, media) in [
        ("<!DOCTYPE html><p>x", Media::Html),
        (" <!-- a --><HTML lang=en>", Media::Html),
        ("<?xml version='1.0'?><!DOCTYPE html PUBLIC 'x'>\n<html>", Media::Html),
        ("<?xml version='1.0'?><html xmlns='x'>", Media::Html),
        ("<?xml version='1.0'?><rss>", Media::Plain),
        ("<p>part of a page", Media::Html),
        ("<quoted> text", Media::Plain),
        ("{\\rtf1\\ansi x}", Media::Rtf),
        ("From: a@b.c\nTo: d@e.f\nSubject: x\n\nbody", Media::Mail),
        ("From a@b.c Mon May  6 07:08:09 2024\nReceived: x\n\ty\nMessage-ID: z\n", Media::Mail),
        ("Note: this\nis: text\n", Media::Plain),
        ("a,b,c\n1,\"2,3\",4\n5,6,7\n", Media::Csv),
        ("a;b;c\n1,5;2;3\n5;6;7\n", Media::Csv),
        ("a\tb\n1\t2\n3\t4", Media::Csv),
        ("One, two, three.\nFour, five and six.\nSeven.", Media::Plain),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n", Media::Plain),
        ("# Head\n\ntext", Media::Plain),
        ("MZ is a name, BM another", Media::Plain),
        ("All about %PDF-1.4 files", Media::Plain),
        ("A PDF begins with %PDF-1.7; objects end with endobj.", Media::Plain),
        ("A PDF begins with %PDF-1.7 or so, and its objects, as 1 0 R, end with endobj.", Media::Plain),
        ("{\"a\":1,\"b\":2,\"c\":3}\n{\"a\":4,\"b\":5,\"c\":6}\n{\"a\":7,\"b\":8,\"c\":9}\n", Media::Plain),
        (" [1,2,3]\n[4,5,6]\n[7,8,9]\n", Media::Plain),
        ("   \n ", Media::Plain),
    ] {
        assert_eq!(detect(text.as_bytes()), Ok(media), "{text}");
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(detect(&wide), Ok(media), "UTF-16 {text}");
    }
}

#[test]
fn hints_count_where_content_leaves_a_choice() {
    let with = |bytes: &[u8], media: Option<&str>, name: Option<&str>| Media::detect(bytes, media, name).unwrap();
    assert_eq!(with(b"# Head", None, Some("README.MD")), Media::Markdown);
    assert_eq!(with(b"# Head", Some("text/markdown; charset=utf-8"), Some("a.txt")), Media::Markdown);
    assert_eq!(with(b"<h1 align=center>Head</h1>\n\ntext", None, Some("a.md")), Media::Markdown);
    assert_eq!(with(b"a,b", Some("text/csv"), None), Media::Csv);
    assert_eq!(with(b"text alone", Some("text/html"), None), Media::Html);
    let rows = b"a,b,c\n1,2,3\n4,5,6\n";
    assert_eq!(with(rows, None, None), Media::Csv);
    assert_eq!(with(rows, Some("text/plain; charset=utf-8"), None), Media::Plain);
    assert_eq!(with(rows, None, Some("table.TXT")), Media::Plain);
    assert_eq!(with(rows, Some("text/plain"), Some("a.csv")), Media::Csv);
    assert_eq!(with(rows, Some("application/octet-stream"), Some("a.csv")), Media::Csv);
    assert_eq!(with(b"Subject: x\n\nbody", Some("message/rfc822"), None), Media::Mail);
    // Content wins.
    assert_eq!(with(b"%PDF-1.7\n", Some("text/csv"), Some("a.docx")), Media::Pdf);
    assert_eq!(with(b"<!doctype html>", Some("application/pdf"), Some("a.md")), Media::Html);
    assert_eq!(with(b"plain text", Some("application/pdf"), Some("a.pdf")), Media::Plain);
    assert_eq!(with(b"junk before %PDF-1.7\n1 0 obj endobj", None, None), Media::Pdf);
}

#[test]
fn what_cannot_be_read_is_named() {
    assert_eq!(refused(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"), "PNG image cannot be read");
    assert_eq!(refused(b"\0\0\0\x18ftypmp42"), "video file cannot be read");
    assert_eq!(refused(b"\x7fELF\x02\x01"), "executable file cannot be read");
    assert_eq!(refused(b"\x1f\x8b\x08\0"), "gzip archive cannot be read");
    let noise: Vec<u8> = (0..2000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    assert_eq!(refused(&noise), "format of the document is not known");
    let empty = detect(b"").unwrap_err();
    assert_eq!((empty.kind, empty.message.as_str()), (Kind::DamagedDocument, "document is empty"));
}
