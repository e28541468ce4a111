//! What bytes are taken for.

use super::Media;
use crate::archive::tests::packed;
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
    assert_eq!(detect(&zip(&[("[Content_Types].xml", ""), ("xl/workbook.bin", "")])), Ok(Media::Xlsb));
}

#[test]
fn office_documents_with_parts_anywhere_say_what_they_are() {
    for (kind, media) in [
        ("openxmlformats-officedocument.spreadsheetml.sheet.main+xml", Media::Xlsx),
        ("ms-excel.sheet.macroEnabled.main+xml", Media::Xlsx),
        ("ms-excel.sheet.binary.macroEnabled.main", Media::Xlsb),
        ("openxmlformats-officedocument.wordprocessingml.document.main+xml", Media::Docx),
        ("ms-word.document.macroEnabled.main+xml", Media::Docx),
        ("openxmlformats-officedocument.presentationml.slideshow.main+xml", Media::Pptx),
    ] {
        let types = format!("<Types><Override PartName='/a.xml' ContentType='application/vnd.{kind}'/></Types>");
        let bytes = packed(&[("[Content_Types].xml", types.as_bytes()), ("a.xml", b"")]);
        assert_eq!(detect(&bytes), Ok(media), "{kind}");
    }
    assert_eq!(refused(&packed(&[("[Content_Types].xml", b"<Types/>"), ("a.xml", b"")])), "ZIP archive cannot be read");
}

#[test]
fn documents_in_one_piece_of_xml_are_known_by_their_root() {
    let open = |kind: &str| {
        format!(
            "<?xml version='1.0'?>\n<office:document xmlns:office='urn:oasis:names:tc:opendocument:xmlns:office:1.0' \
             office:mimetype='application/vnd.oasis.opendocument.{kind}'><office:body/></office:document>"
        )
    };
    for (kind, media) in [("text", Media::Odt), ("spreadsheet", Media::Ods), ("presentation", Media::Odp)] {
        assert_eq!(Media::detect(open(kind).as_bytes(), Some("text/xml"), Some("a.xml")), Ok(media));
    }
    assert_eq!(refused(open("graphics").as_bytes()), "OpenDocument drawing cannot be read");
    assert_eq!(
        detect(b"<FictionBook xmlns='http://www.gribuser.ru/xml/fictionbook/2.0'><body/>"),
        Ok(Media::FictionBook)
    );
    assert_eq!(detect(b"<document><p>text</p></document>"), Ok(Media::Plain));
}

#[test]
fn code_is_known_by_its_name_its_type_and_its_first_line() {
    let with = |bytes: &[u8], media: Option<&str>, name: Option<&str>| Media::detect(bytes, media, name).unwrap();
    let code = b"a, b = 1, 2\nc, d = 3, 4\ne, f = 5, 6\n";
    assert_eq!(with(code, None, Some("x/A.PY")), Media::Code("python"));
    assert_eq!(with(code, Some("text/x-python; charset=utf-8"), None), Media::Code("python"));
    assert_eq!(with(code, Some("text/plain"), Some("a.yaml")), Media::Code("yaml"));
    assert_eq!(with(b"#!/usr/bin/python3\n", None, None), Media::Code("python"));
    // Content wins where it is certain.
    assert_eq!(with(b"<!doctype html><p>x", None, Some("a.php")), Media::Html);
    assert_eq!(with(b"%PDF-1.7\n", None, Some("a.py")), Media::Pdf);
    assert_eq!(with(b"Words of a letter.", None, Some("a.json")), Media::Plain);
    assert_eq!(with(b"{\"a\": 1, // not quite\n}", None, Some("a.json")), Media::Code("json"));
}

#[test]
fn lines_without_anything_may_stand_before_the_head_of_a_mail() {
    assert_eq!(detect(b"   \r\n\t\n\nFrom: a@b.c\nTo: d@e.f\nSubject: x\n\nbody"), Ok(Media::Mail));
}

/// Bytes that look random.
fn noise(letters: &[u8], count: usize) -> Vec<u8> {
    let mut number = 1_u32;
    let mut next = || {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        letters[(number >> 16) as usize % letters.len()]
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn sound_that_looks_like_letters_is_no_text() {
    let latin: Vec<u8> = (0xc0..=0xff).chain(b'A'..=b'Z').chain(b'a'..=b'z').chain(*b"\xa1\xb6\xbf/?'").collect();
    let sound = noise(&latin, 2000);
    assert_eq!(refused(&sound), "format of the document is not known");
    for (media, name) in [(Some("audio/basic"), None), (None, Some("a.au")), (Some("audio/x-wav"), Some("a.txt"))] {
        assert_eq!(Media::detect(&sound, media, name).unwrap_err().message, "audio file cannot be read");
    }
    // Silence.
    assert!(Media::detect(&[0xff; 2000], Some("audio/basic"), None).is_err());
    // Who is wrong about a text is not believed.
    assert_eq!(Media::detect(b"#EXTM3U\na.mp3\n", Some("audio/x-mpegurl"), None), Ok(Media::Plain));
    assert_eq!(
        Media::detect("<svg><text>Größe</text></svg>".as_bytes(), Some("image/svg+xml"), None),
        Ok(Media::Plain)
    );
    for head in [&b"RIFF\x24\0\0\0WAVEbext"[..], b".snd\0\0\0\x18", b"FORM\0\0\0\0AIFFCOMM", b"#!SILK_V3"] {
        assert_eq!(refused(head), "audio file cannot be read");
    }
    // Texts of all countries in their old encodings are no noise.
    for (text, label) in [
        ("Привет мир, как дела? Это обычный текст на русском языке. ", "windows-1251"),
        ("L'été dernier, la forêt brûlait. «Où?» Ça coûte 5 € — déjà! ", "windows-1252"),
        ("สวัสดีชาวโลก นี่คือข้อความภาษาไทย ", "windows-874"),
        ("İstanbul'da yağmur yağıyor, şemsiyeni unutma. ", "windows-1254"),
        ("第3回PHP勉強会は東京で開かれます。参加費は円です。", "shift_jis"),
        ("שלום עולם, זהו טקסט בעברית. ", "windows-1255"),
    ] {
        let encoding = encoding_rs::Encoding::for_label(label.as_bytes()).unwrap();
        let bytes = encoding.encode(&text.repeat(4)).0.into_owned();
        assert_eq!(detect(&bytes), Ok(Media::Plain), "{label}");
    }
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
    assert_eq!(refused(b"8BPS\0\x01\0\0"), "Photoshop image cannot be read");
    assert_eq!(refused(b"\0\0\0\x18ftypmp42"), "video file cannot be read");
    assert_eq!(refused(b"\x7fELF\x02\x01"), "executable file cannot be read");
    assert_eq!(refused(b"\x1f\x8b\x08\0"), "gzip archive cannot be read");
    let noise: Vec<u8> = (0..2000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    assert_eq!(refused(&noise), "format of the document is not known");
    let empty = detect(b"").unwrap_err();
    assert_eq!((empty.kind, empty.message.as_str()), (Kind::DamagedDocument, "document is empty"));
}

#[test]
fn pixels_and_other_numbers_are_no_text() {
    let white = vec![0xff; 4000];
    let with = |head: &[u8]| [head, &white].concat();
    let targa = |map: u8, kind: u8| with(&[0, map, kind, 0, 0, 0, 0, 0, 0, 0, 0, 0, 200, 0, 5, 0, 32, 0]);
    for (bytes, name) in [
        (with(b"DDS \x7c\0\0\0"), "DDS image"),
        (targa(0, 2), "TGA image"),
        (targa(0, 10), "TGA image"),
        (with(b"\x0a\x05\x01\x08\0\0\0\0"), "PCX image"),
        (with(b"\0\0\x01\0\x01\0"), "icon image"),
        (with(b"8BPS\0\x02"), "Photoshop image"),
        (with(b"\0\0\0\x20ftyphevc"), "HEIF image"),
        (with(b"\0\0\0\x20ftypmsf1"), "HEIF image"),
        (with(b"\xff\x0a"), "JPEG XL image"),
        (with(b"qoif\0\0\x01\0"), "QOI image"),
        (with(b"\x01\xda\x01\x01"), "SGI image"),
        (with(b"\x59\xa6\x6a\x95"), "Sun raster image"),
        (with(b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n"), "Radiance image"),
        (with(b"FLIF"), "FLIF image"),
        (b"/* XPM */\nstatic char *a[] = {\n\"1 1 1 1\"};".to_vec(), "XPM image"),
        (with(b"070701"), "cpio archive"),
        (with(b"AC1032\0\0"), "DWG drawing"),
    ] {
        assert_eq!(refused(&bytes), format!("{name} cannot be read"));
    }
    // Without a head that is known: white, and a head of small numbers before what could be letters.
    assert_eq!(refused(&white), "format of the document is not known");
    let head: Vec<u8> = (0..64).map(|at| if at % 3 == 0 { 7 } else { 1 }).collect();
    assert_eq!(refused(&[head, b"words ".repeat(1000)].concat()), "format of the document is not known");
    for text in ["FLIF is a format", "070701 was a day", "AC10 manual", "BLENDER", "ID3 tags", "FWS", "DDS is one"] {
        assert_eq!(detect(text.as_bytes()), Ok(Media::Plain), "{text}");
    }
}
