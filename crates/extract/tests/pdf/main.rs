//! PDFs against what they are known to say, and PDFs that were made to do harm.
#![allow(clippy::unwrap_used, missing_docs)]

mod font;
mod form;
mod layout;
mod made;
mod running_headers;

use made::{CATALOG, FONT, HELLO, made, object, page, pages, stream};
use socle_core::Kind;
use socle_core::document::{BlockKind, Document};
use socle_extract::{Limits, extract};
use std::fmt::Write as _;
use std::io::Write as _;

const LIMITS: Limits = Limits { output: 1 << 24, unpacked: 1 << 26, depth: 8 };

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/files/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn read(name: &str) -> Document {
    extract(&file(name), None, None, LIMITS).unwrap()
}

/// The words of the handbook, without notes, marks and numbers of lists. `languages` are its parts, by their first word.
fn handbook(languages: &[&str], code: bool) -> Vec<String> {
    let text = String::from_utf8(file("handbook.txt")).unwrap();
    let (mut text_of_part, mut wanted, mut in_code) = (String::new(), false, false);
    for line in text.lines().filter(|line| !line.starts_with("[^")) {
        if let Some(title) = line.strip_prefix("# ").filter(|_| !in_code) {
            wanted = languages.iter().any(|part| title.starts_with(part));
        }
        in_code ^= line.starts_with("```");
        let line = line.trim_start();
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        let line = line.get(digits..).and_then(|rest| rest.strip_prefix(". ")).filter(|_| digits > 0).unwrap_or(line);
        if wanted && (code || !in_code) {
            writeln!(text_of_part, "{line}").unwrap();
        }
    }
    while let Some(at) = text_of_part.find("[^") {
        text_of_part.replace_range(at..at + 4, "");
    }
    words(&text_of_part)
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_string).collect()
}

/// How many words of the first list are in the second in the same order.
fn in_order(wanted: &[String], found: &[String]) -> usize {
    let mut best = vec![0; found.len() + 1];
    for word in wanted {
        let mut above_left = 0;
        for at in 0..found.len() {
            let above = best[at + 1];
            best[at + 1] = if *word == found[at] { above_left + 1 } else { above.max(best[at]) };
            above_left = above;
        }
    }
    best[found.len()]
}

fn headings(document: &Document) -> Vec<(u8, &str, u32)> {
    let level = |kind| if let BlockKind::Heading(level) = kind { Some(level) } else { None };
    document.rows().filter_map(|row| Some((level(row.kind)?, row.content, row.page?))).collect()
}

fn text_of(document: &Document, kind: BlockKind) -> Vec<&str> {
    document.rows().filter(|row| row.kind == kind).map(|row| row.content).collect()
}

const ALL: [&str; 4] = ["Handbook", "Manuel", "Handbuch", "Podręcznik"];

#[test]
fn words_come_in_order() {
    for name in
        ["handbook.pdf", "columns.pdf", "pdf/typst-columns.pdf", "pdf/weasyprint.pdf", "pdf/reportlab-columns.pdf"]
    {
        let (wanted, found) = (handbook(&ALL, true), words(&read(name).markdown));
        let common = in_order(&wanted, &found);
        assert!(common * 1000 >= wanted.len() * 999, "{name}: {common} of {}", wanted.len());
        // Notes and numbers of lists are all that is in addition.
        assert!(common * 10 >= found.len() * 9, "{name}: {common} of {} found", found.len());
    }
    let (wanted, found) = (handbook(&["Handbook", "Handbuch"], false), words(&read("pdf/groff-columns.pdf").markdown));
    assert_eq!(in_order(&wanted, &found), wanted.len());
}

#[test]
fn structure_is_found() {
    let text = String::from_utf8(file("handbook.txt")).unwrap();
    let mut wanted = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        in_code ^= line.starts_with("```");
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        if level > 0 && !in_code {
            wanted.push((u8::try_from(level).unwrap(), line[level..].trim()));
        }
    }
    for name in ["handbook.pdf", "columns.pdf", "pdf/typst-columns.pdf", "pdf/weasyprint.pdf"] {
        let document = read(name);
        let found: Vec<(u8, &str)> = headings(&document).iter().map(|(level, title, _)| (*level, *title)).collect();
        assert_eq!(found, wanted, "{name}");
        let code = text_of(&document, BlockKind::Code);
        assert!(code.first().unwrap().contains("\n    if temperature > 18.5:\n        return False\n"), "{name}");
    }
    for name in ["handbook.pdf", "pdf/weasyprint.pdf"] {
        let document = read(name);
        let tables = text_of(&document, BlockKind::Table);
        assert_eq!(tables.len(), 4, "{name}");
        assert!(
            tables[0]
                .starts_with("| Day | Summer | Winter | Remarks |\n| --- | --- | --- | --- |\n| Monday | 9:00–17:00 |")
        );
        assert!(tables[3].ends_with("| Łukasz Źrebiec | 22 555 01 02 | 9–16 |"), "{name}");
        let lists = text_of(&document, BlockKind::List);
        assert!(
            lists[0].contains("3. All pages that the table of contents promises are there:\n   - appendices"),
            "{name}"
        );
        assert!(lists[0].contains("\n     - folded maps stay folded;\n"), "{name}");
    }
}

#[test]
fn pages_and_metadata_are_told() {
    let document = read("handbook.pdf");
    let pages: Vec<u32> =
        headings(&document).iter().filter(|(level, ..)| *level == 1).map(|(.., page)| *page).collect();
    assert_eq!(pages, [1, 3, 4, 6]);
    let metadata = &document.metadata;
    assert_eq!(metadata.title.as_deref(), Some("Handbook of the Harbour Archive"));
    assert_eq!(metadata.author.as_deref(), Some("Marta Hafen"));
    assert_eq!(metadata.language.as_deref(), Some("en-GB"));
    assert_eq!(metadata.page_count, Some(6));
    assert!(metadata.created.as_deref().unwrap().starts_with("20"));
    // What stands at the head or the foot of each page stays once, and numbers of pages not at all.
    for name in ["handbook.pdf", "pdf/weasyprint.pdf", "pdf/reportlab-columns.pdf"] {
        let markdown = read(name).markdown;
        assert!(markdown.matches("internal rules").count() <= 1, "{name}");
        let alone = markdown
            .lines()
            .find(|line| line.len() < 10 && line.bytes().all(|b| !b.is_ascii_alphabetic()) && line.contains('1'));
        assert_eq!(alone, None, "{name}");
    }
}

#[test]
fn words_are_whole() {
    let document = read("pdf/typst-columns.pdf");
    for word in [
        "Kraftfahrzeughaftpflichtversicherungsbescheinigungen",
        "Hafenverwaltungsangestelltenversicherung",
        "dix-sept",
        "ci-dessous",
        "przechowuje",
        "affidavits",
        "flotilla",
    ] {
        assert!(document.markdown.contains(word), "{word}");
    }
    assert!(!document.markdown.contains(['\u{ad}', '\u{fb01}', '\u{fb03}', '\u{fffd}']));
}

#[test]
fn fonts_that_the_file_does_not_bring() {
    // Their codes are those of UniJIS-UCS2-H, UniGB-UCS2-H and UniKS-UCS2-H.
    let text = "港の記録は灰色の箱にある。\n\n港口档案放在灰色的盒子里。\n\n항구 기록은 회색 상자에 있다.";
    assert_eq!(read("pdf/encodings.pdf").markdown, text);
}

#[test]
fn slides_have_their_tables_and_lists() {
    let document = read("slides.pdf");
    let text = String::from_utf8(file("slides.txt")).unwrap();
    let shown: Vec<&str> = text.lines().filter(|line| !line.starts_with("> ")).collect();
    assert_eq!(words(&document.markdown), words(&shown.join("\n")));
    assert_eq!(document.metadata.page_count, Some(4));
    let table = document.rows().find(|row| row.kind == BlockKind::Table).unwrap();
    assert!(table.content.ends_with("| Friday | 9:00–13:00 | closed |"));
    assert_eq!(table.page, Some(3));
}

#[test]
fn encrypted_and_scanned_documents() {
    for name in ["pdf/unlocked.pdf", "pdf/unlocked-rc4.pdf"] {
        let document = read(name);
        assert_eq!(document.markdown, "The fluffy affidavit of the first flotilla is kept in the grey box.", "{name}");
        assert_eq!(document.metadata.title.as_deref(), Some("The fluffy affidavit"), "{name}");
    }
    let error = extract(&file("pdf/locked.pdf"), None, None, LIMITS).unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (Kind::NotSupported, "document is encrypted"));
    let error = extract(&file("pdf/scanned.pdf"), None, None, LIMITS).unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (Kind::NotSupported, "document has no text: its pages are images")
    );
    assert!(error.hint.unwrap().contains("OCR"));
}

#[test]
fn pages_that_are_images_are_counted() {
    let read = |contents: &[&[u8]]| extract(&pages(contents), None, None, LIMITS);
    let document = read(&[b"/I Do", HELLO, b"/I Do BT /F 12 Tf ( ) Tj ET", b"", b"/I Do"]).unwrap();
    assert_eq!(document.markdown, "Hello harbour");
    assert_eq!((document.metadata.page_count, document.metadata.pages_without_text), (Some(5), Some(3)));
    assert_eq!(document.blocks[0].page, Some(2));
    assert_eq!(read(&[HELLO, b""]).unwrap().metadata.pages_without_text, None);
    assert_eq!(read(&[b"/I Do", b""]).unwrap_err().message, "document has no text: its pages are images");
}

#[test]
fn page_trees_that_lie() {
    let document = extract(&page(stream("", HELLO), "", &[]), None, None, LIMITS).unwrap();
    assert_eq!(document.markdown, "Hello harbour");
    let huge = object("<</Type /Pages /Kids [3 0 R 2 0 R 3 0 R] /Count 2147483647>>");
    let kid = object(&format!("<</Type /Page /Contents 4 0 R /Resources <<{FONT}>>>>"));
    let document = extract(&made(&[object(CATALOG), huge, kid, stream("", HELLO)]), None, None, LIMITS).unwrap();
    assert_eq!((document.markdown.as_str(), document.metadata.page_count), ("Hello harbour", Some(1)));
    let round = made(&[object(CATALOG), object("<</Type /Pages /Kids [2 0 R] /Count 1>>")]);
    assert_eq!(extract(&round, None, None, LIMITS).unwrap_err().kind, Kind::DamagedDocument);
    let deep = format!("<</Type /Pages /Kids [3 0 R] /X {}{}>>", "[".repeat(100_000), "]".repeat(100_000));
    let result = extract(&made(&[object(CATALOG), object(&deep)]), None, None, LIMITS);
    assert_eq!(result.unwrap_err().kind, Kind::DamagedDocument);
}

#[test]
fn forms_and_fonts_that_harm() {
    // A form that draws itself, and 20 forms of which each draws the next twice.
    let itself = stream("/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources <</XObject <</X 5 0 R>>>>", b"/X Do");
    let result = extract(&page(stream("", b"/X Do"), "/XObject <</X 5 0 R>>", &[itself]), None, None, LIMITS);
    assert_eq!(result.unwrap().markdown, "");
    let forms: Vec<Vec<u8>> = (6..26)
        .map(|next| {
            let entries = format!("/Subtype /Form /BBox [0 0 9 9] /Resources <</XObject <</X {next} 0 R>>>>");
            stream(&entries, b"/X Do /X Do")
        })
        .collect();
    let result = extract(&page(stream("", b"/X Do"), "/XObject <</X 5 0 R>>", &forms), None, None, LIMITS);
    assert_eq!(result.unwrap_err().kind, Kind::InputTooLong);
    let font = object(
        "<</Type /Font /Subtype /Type1 /BaseFont /X /FirstChar 999999999999 /LastChar 9999999999999 /Widths [1]>>",
    );
    let contents = stream("", b"BT /G 12 Tf 50 700 Td (Hello harbour) Tj ET");
    let document = extract(&page(contents, "/Font <</G 5 0 R>>", &[font]), None, None, LIMITS);
    assert!(document.is_ok());
    // Widths for two thousand million characters.
    let font = object("<</Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Identity-H /DescendantFonts [6 0 R]>>");
    let wide = object(
        "<</Type /Font /Subtype /CIDFontType2 /BaseFont /X /CIDSystemInfo <</Registry (Adobe) /Ordering (Identity)>> \
         /W [0 2000000000 500]>>",
    );
    let contents = stream("", b"BT /G 12 Tf 50 700 Td (Hello harbour) Tj ET");
    let result = extract(&page(contents, "/Font <</G 5 0 R>>", &[font, wide]), None, None, LIMITS);
    assert_eq!(result.unwrap_err().message, "fonts of the document do not map to characters");
    // Far away, and very large.
    let far = format!("1{}", "0".repeat(30));
    let contents = format!("BT /F 12 Tf {far} -{far} Td (a) Tj {far} 0 0 {far} 0 0 Tm (b) Tj ET 0 0 m {far} {far} l S");
    let contents = stream("", contents.as_bytes());
    assert_eq!(extract(&page(contents, "", &[]), None, None, LIMITS).unwrap().markdown, "");
}

#[test]
fn bombs_are_counted() {
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..64 {
        packer.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    let bomb = page(stream("/Filter /FlateDecode", &packer.finish().unwrap()), "", &[]);
    assert!(bomb.len() < 1 << 20);
    let limits = Limits { unpacked: 1 << 22, ..LIMITS };
    assert_eq!(extract(&bomb, None, None, limits).unwrap_err().kind, Kind::InputTooLong);
}

#[test]
fn parts_of_files() {
    for name in ["pdf/weasyprint.pdf", "pdf/unlocked.pdf", "pdf/scanned.pdf"] {
        let whole = file(name);
        for eighths in 0..8 {
            // It may say something or be damaged, but says which.
            if let Err(error) = extract(&whole[..whole.len() * eighths / 8], None, None, LIMITS) {
                assert!(matches!(error.kind, Kind::DamagedDocument | Kind::NotSupported), "{name}: {error}");
            }
        }
    }
    // Without its table of objects, a document is still read.
    let mut bytes = page(stream("", HELLO), "", &[]);
    let table = bytes.windows(5).position(|five| five == b"xref\n").unwrap();
    bytes.truncate(table);
    bytes.extend_from_slice(b"trailer\n<</Root 1 0 R>>\n");
    assert_eq!(extract(&bytes, None, None, LIMITS).unwrap().markdown, "Hello harbour");
}

/// A document with a font whose codes are UTF-16, each half as wide as high, and these instructions.
fn in_utf_16(contents: &str) -> Vec<u8> {
    let font =
        "<</Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Identity-H /DescendantFonts [6 0 R] /ToUnicode 7 0 R>>";
    let wide = "<</Type /Font /Subtype /CIDFontType2 /BaseFont /X /CIDSystemInfo <</Registry (Adobe) /Ordering (Identity) \
                /Supplement 0>> /DW 500>>";
    let ranges: String =
        ["00", "05", "06", "fb", "fe"].map(|high| format!("<{high}00> <{high}ff> <{high}00>\n")).concat();
    let map = format!(
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n/CMapName /X def\n/CMapType 2 def\n1 \
         begincodespacerange\n<0000> <ffff>\nendcodespacerange\n5 beginbfrange\n{ranges}endbfrange\nendcmap end end"
    );
    page(
        stream("", contents.as_bytes()),
        "/Font <</G 5 0 R>>",
        &[object(font), object(wide), stream("", map.as_bytes())],
    )
}

/// The instruction that shows a text.
fn show(text: &str) -> String {
    format!("<{}> Tj ", text.encode_utf16().map(|unit| format!("{unit:04x}")).collect::<String>())
}

/// Words of Hebrew or Arabic, the first of them, and words of others in turn, as they stand on a line from left to right.
fn drawn(parts: &[&str]) -> String {
    let turn = |(at, part): (usize, &&str)| if at % 2 == 0 { part.chars().rev().collect() } else { part.to_string() };
    parts.iter().enumerate().map(turn).collect::<Vec<String>>().into_iter().rev().collect()
}

#[test]
fn lines_from_right_to_left_are_read_in_their_order() {
    let hebrew = ["הקובץ ", "report.pdf", " נשמר בארכיון הנמל בשנת ", "2024", " בתיבה האפורה."];
    let arabic = ["حُفظ الملف ", "report.pdf", " في أرشيف الميناء سنة ", "2024", " في الصندوق الرمادي."];
    for parts in [hebrew, arabic] {
        let line = drawn(&parts);
        let text = |document: &[u8]| extract(document, None, None, LIMITS).unwrap().markdown;
        let at_once = format!("BT /G 12 Tf 50 700 Td {} ET", show(&line));
        // A mark over a letter stands in its line like a letter here, after it as one reads.
        let wanted = parts.concat();
        if !wanted.contains('\u{64f}') {
            assert_eq!(text(&in_utf_16(&at_once)), wanted);
        }
        // Each character for itself, the first to be read first; marks at the place of their letter.
        let mut x = 50.0 + 6.0 * line.chars().count() as f32;
        let mut contents = String::from("BT /G 12 Tf ");
        for part in &parts {
            let is_turned = !part.is_ascii();
            let width = 6.0 * part.chars().filter(|c| *c != '\u{64f}').count() as f32;
            let mut at = if is_turned { x } else { x - width };
            for c in part.chars() {
                let is_mark = c == '\u{64f}';
                at -= if is_turned && !is_mark { 6.0 } else { 0.0 };
                contents.push_str(&format!("1 0 0 1 {at} 700 Tm {}", show(&c.to_string())));
                at += if is_turned { 0.0 } else { 6.0 };
            }
            x -= width;
        }
        contents.push_str("ET");
        assert_eq!(text(&in_utf_16(&contents)), wanted);
    }
    // Letters in the forms that they have beside each other, with a ligature; two lines of one paragraph.
    let forms = "\u{fee1}\u{fefc}\u{feb4}\u{edf}".replace('\u{edf}', "\u{fedf}\u{fe8d}");
    let contents = format!("BT /G 12 Tf 50 700 Td {} 0 -14 Td {} ET", show(&forms), show(&drawn(&["قديم ", "12"])));
    let text = extract(&in_utf_16(&contents), None, None, LIMITS).unwrap().markdown;
    assert_eq!(text, "السلام قديم 12");
}
