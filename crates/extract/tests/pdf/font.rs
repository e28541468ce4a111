//! What the codes of fonts stand for, and what is said where nobody knows.

use super::LIMITS;
use super::made::{CATALOG, made, object, stream, text};
use hayro_cmap::{CMap, CMapName, load_embedded};
use socle_core::Kind;
use socle_core::document::Document;
use socle_extract::extract;

/// A TrueType font of 2,000 glyphs without an outline, and without a table that says which characters they show.
fn program() -> Vec<u8> {
    const GLYPHS: u16 = 2_000;
    let mut head = vec![0u8; 54];
    head[..4].copy_from_slice(&[0, 1, 0, 0]);
    head[12..16].copy_from_slice(&[0x5f, 0x0f, 0x3c, 0xf5]);
    head[18..20].copy_from_slice(&1000u16.to_be_bytes());
    let mut hhea = vec![0u8; 36];
    hhea[..4].copy_from_slice(&[0, 1, 0, 0]);
    hhea[34..36].copy_from_slice(&1u16.to_be_bytes());
    let mut maxp = vec![0u8; 32];
    maxp[..4].copy_from_slice(&[0, 1, 0, 0]);
    maxp[4..6].copy_from_slice(&GLYPHS.to_be_bytes());
    let hmtx = [vec![2, 88], vec![0; 2 * usize::from(GLYPHS)]].concat();
    let loca = vec![0u8; 2 * (usize::from(GLYPHS) + 1)];
    let tables: [(&[u8; 4], Vec<u8>); 6] =
        [(b"glyf", vec![0; 4]), (b"head", head), (b"hhea", hhea), (b"hmtx", hmtx), (b"loca", loca), (b"maxp", maxp)];
    let mut font = vec![0, 1, 0, 0, 0, 6, 0, 64, 0, 2, 0, 32];
    let mut at = 12 + 16 * tables.len();
    for (tag, table) in &tables {
        font.extend_from_slice(*tag);
        for number in [0, at, table.len()] {
            font.extend_from_slice(&(number as u32).to_be_bytes());
        }
        at += table.len().next_multiple_of(4);
    }
    for (_, mut table) in tables {
        table.resize(table.len().next_multiple_of(4), 0);
        font.append(&mut table);
    }
    font
}

/// A document with a font that is embedded, from these entries, and these instructions before the codes.
fn embedded(before: &str, codes: &str, ordering: &str, entries: &str, map: &[u8]) -> Vec<u8> {
    let contents = format!("{before} BT /G 14 Tf 72 700 Td <{codes}> Tj ET");
    let font = format!("<</Type /Font /Subtype /Type0 /BaseFont /AAAAAA+Sample /DescendantFonts [6 0 R] {entries}>>");
    let descendant = format!(
        "<</Type /Font /Subtype /CIDFontType2 /BaseFont /AAAAAA+Sample /DW 600 /FontDescriptor 7 0 R /CIDToGIDMap 9 0 R \
         /CIDSystemInfo <</Registry (Adobe) /Ordering ({ordering}) /Supplement 2>>>>"
    );
    let descriptor = "<</Type /FontDescriptor /FontName /AAAAAA+Sample /Flags 4 /FontFile2 8 0 R>>";
    let more = [
        object(&font),
        object(&descendant),
        object(descriptor),
        stream("", &program()),
        stream("", &[0, 1].repeat(30_000)),
        stream("", map),
    ];
    let fonts = "<</F <</Type /Font /Subtype /Type1 /BaseFont /Helvetica>> /G 5 0 R>>";
    let kid = format!("<</Type /Page /Parent 2 0 R /Contents 4 0 R /Resources <</Font {fonts}>>>>");
    let tree = object("<</Type /Pages /Kids [3 0 R] /Count 1>>");
    let mut objects = vec![object(CATALOG), tree, object(&kid), stream("", contents.as_bytes())];
    objects.extend(more);
    made(&objects)
}

fn read(bytes: &[u8]) -> Document {
    extract(bytes, None, None, LIMITS).unwrap()
}

/// A text in the numbers of a collection.
fn numbers(text: &str, map: CMapName<'_>) -> String {
    let map = CMap::parse(load_embedded(map).unwrap(), load_embedded).unwrap();
    text.chars().map(|c| format!("{:04x}", map.lookup_cid_code(u32::from(c), 2).unwrap())).collect()
}

#[test]
fn characters_of_known_collections() {
    for (ordering, map, text) in [
        ("Japan1", CMapName::UniJisUtf16H, "港の記録は灰色の箱にある。"),
        ("GB1", CMapName::UniGbUtf16H, "港口档案放在灰色的盒子里。"),
        ("CNS1", CMapName::UniCnsUtf16H, "港口檔案放在灰色的盒子裡。"),
        ("Korea1", CMapName::UniKsUtf16H, "항구기록은회색상자에있다"),
    ] {
        let codes = numbers(text, map);
        let document = read(&embedded("", &codes, ordering, "/Encoding /Identity-H", b""));
        assert_eq!(document.markdown, text, "{ordering}");
        assert_eq!(document.metadata.unknown_characters, None);
        let named = read(&embedded("", &codes, ordering, "/Encoding /Identity-H /ToUnicode /Identity-H", b""));
        assert_eq!(named.markdown, text, "{ordering}");
    }
    assert_eq!(read(&embedded("", "034b034d034f", "Japan1", "/Encoding /Identity-H", b"")).markdown, "あいう");
    // Codes of Shift JIS, whose table says which collection it leads to.
    assert_eq!(read(&embedded("", "82a082a282a4", "Identity", "/Encoding /90ms-RKSJ-H", b"")).markdown, "あいう");
    // A map that knows some of the codes.
    let some = b"1 beginbfchar <034b> <0041> endbfchar";
    let entries = "/Encoding /Identity-H /ToUnicode 10 0 R";
    assert_eq!(read(&embedded("", "034b034d", "Japan1", entries, some)).markdown, "Aい");
}

#[test]
fn maps_that_are_named_or_not_quite_right() {
    let codes = "00410042004500440020004400410043004500200042004500410044";
    let named = "/Encoding /Identity-H /ToUnicode /Identity-H";
    assert_eq!(read(&embedded("", codes, "Identity", named, b"")).markdown, "ABED DACE BEAD");
    let latin = text(72.0, 760.0, 11.0, "Name of the buyer and his town:");
    let document = read(&embedded(&latin, codes, "Identity", named, b""));
    assert!(document.markdown.ends_with("town:\n\n# ABED DACE BEAD"), "{}", document.markdown);
    let entries = "/Encoding /Identity-H /ToUnicode 10 0 R";
    for (head, map) in [
        (
            "/CIDSystemInfo <</Registry (Adobe) /Ordering (UC>) /Supplement 0>> def /CMapName /Adobe-Identity-UC> def",
            "",
        ),
        ("", "<0009> <>"),
        ("/Unknown usecmap", ""),
        ("/CMapName (unclosed def", ""),
    ] {
        let map = format!(
            "begincmap {head}\n1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n7 beginbfchar\n<0001> <0020>\n{map}\n\
             <0002> <0041>\nendbfchar\n2 beginbfrange\n<0003> <0004> <0042>\n<0005> <0006> [<0044> <0045>]\nendbfrange\nendcmap"
        );
        let codes = "00020003000600050001000500020004000600010003000600020005";
        let result = extract(&embedded("", codes, "Identity", entries, map.as_bytes()), None, None, LIMITS);
        assert_eq!(result.map(|document| document.markdown).as_deref(), Ok("ABED DACE BEAD"), "{head} {map}");
    }
}

#[test]
fn what_nobody_knows_is_said() {
    let codes = "00020003000600050002000500020004000600070003000600020005";
    let unknown =
        |before: &str| extract(&embedded(before, codes, "Identity", "/Encoding /Identity-H", b""), None, None, LIMITS);
    let error = unknown("").unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (Kind::NotSupported, "fonts of the document do not map to characters")
    );
    // Beside a line of another font: 14 characters are missing, on a page that says more than that.
    let document = unknown(&text(72.0, 760.0, 11.0, "Order of 4 May, for Mr Sample, to be sent by rail")).unwrap();
    assert_eq!(document.markdown, "Order of 4 May, for Mr Sample, to be sent by rail");
    assert_eq!((document.metadata.pages_without_text, document.metadata.unknown_characters), (None, Some(14)));
    let document = unknown(&text(72.0, 760.0, 11.0, "Order no. 4")).unwrap();
    assert_eq!(document.markdown, "Order no. 4");
    assert_eq!((document.metadata.pages_without_text, document.metadata.unknown_characters), (Some(1), Some(14)));
    // A font that cannot be read at all: its codes are no letters, though their bytes may look like some.
    let font = object("<</Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Nowhere /DescendantFonts [3 0 R]>>");
    let pages = object("<</Type /Pages /Kids [3 0 R] /Count 1>>");
    let kid = object(
        "<</Type /Page /Parent 2 0 R /Contents 4 0 R /Resources <</Font <</F <</Type /Font /Subtype /Type1 /BaseFont /Helvetica>> /G 5 0 R>>>>>>",
    );
    let contents =
        stream("", b"BT /F 12 Tf 50 700 Td (Hello harbour) Tj ET BT /G 12 Tf 50 600 Td <0041004200430044> Tj ET");
    let document = read(&made(&[object(CATALOG), pages, kid, contents, font]));
    assert_eq!((document.markdown.as_str(), document.metadata.unknown_characters), ("Hello harbour", Some(4)));
}
