//! Where things stand: vertical text in tiers, diagrams, and paragraphs in large letters.

use super::LIMITS;
use super::made::{bold, book, made, object, prose, stream, text};
use socle_core::document::{BlockKind, Document};
use socle_extract::extract;

fn read(bytes: &[u8]) -> Document {
    extract(bytes, None, None, LIMITS).unwrap()
}

#[test]
fn tiers_of_vertical_text_are_read_one_after_the_other() {
    let upper =
        ["川は山の中から出て", "細い谷を下りながら", "村の畑に水を運んで", "町の橋の下を流れて", "広い海に注いでいる"];
    let lower =
        ["海では船が風を待ち", "港には人が集まって", "魚を売る声が聞こえ", "夕方になると静かに", "灯台の光が回りだす"];
    let mut contents = String::new();
    for (tier, y) in [(upper, 780), (lower, 600)] {
        for (at, line) in tier.iter().enumerate() {
            let codes: String = line.encode_utf16().map(|unit| format!("{unit:04x}")).collect();
            contents += &format!("BT /F 12 Tf {} {y} Td <{codes}> Tj ET\n", 500 - 20 * at);
        }
    }
    let font = "<</Type /Font /Subtype /Type0 /BaseFont /Ryumin-Light-UniJIS-UCS2-V /Encoding /UniJIS-UCS2-V /DescendantFonts \
        [<</Type /Font /Subtype /CIDFontType0 /BaseFont /Ryumin-Light /CIDSystemInfo <</Registry (Adobe) /Ordering (Japan1) \
        /Supplement 2>>>>]>>";
    let page = format!(
        "<</Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources <</Font <</F {font}>>>>>>"
    );
    let document = read(&made(&[
        object("<</Type /Catalog /Pages 2 0 R>>"),
        object("<</Type /Pages /Kids [3 0 R] /Count 1>>"),
        object(&page),
        stream("", contents.as_bytes()),
    ]));
    let letters: String = document.markdown.split_whitespace().collect();
    assert_eq!(letters, upper.concat() + &lower.concat());
    assert!(document.rows().all(|row| row.kind == BlockKind::Paragraph), "{}", document.markdown);
}

#[test]
fn labels_of_a_diagram_are_lines() {
    let mut contents = text(200.0, 620.0, 12.0, "Height of the tide per day");
    for at in 0..=40 {
        contents += &format!("{0} 400 m {0} 600 l S\n", 72 + 10 * at);
    }
    for at in 0..=10 {
        contents += &format!("72 {0} m 472 {0} l S\n", 400 + 20 * at);
    }
    contents +=
        &(text(150.0, 560.0, 8.0, "North") + &text(300.0, 470.0, 8.0, "South") + &text(40.0, 600.0, 8.0, "100"));
    let document = read(&book(&[contents]));
    assert!(document.rows().all(|row| row.kind != BlockKind::Table), "{}", document.markdown);
    let lines: Vec<&str> = document.rows().map(|row| row.content).collect();
    assert_eq!(lines, ["Height of the tide per day", "100", "North", "South"]);
    // A calendar that is nearly empty is a table.
    let mut contents = String::new();
    for at in 0..=7 {
        contents += &format!("{0} 400 m {0} 580 l S\n", 72 + 60 * at);
    }
    for at in 0..=6 {
        contents += &format!("72 {0} m 492 {0} l S\n", 400 + 30 * at);
    }
    for (at, day) in ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].into_iter().enumerate() {
        contents += &text(76.0 + 60.0 * at as f32, 560.0, 9.0, day);
    }
    contents += &text(196.0, 470.0, 9.0, "Regatta");
    let document = read(&book(&[contents]));
    let table = document.rows().find(|row| row.kind == BlockKind::Table).unwrap();
    assert!(table.content.contains("|  |  | Regatta |"), "{}", table.content);
}

#[test]
fn sentences_in_large_letters_are_no_headings() {
    let notice = [
        "The board, its chair and all of its members declare that what this",
        "report says is true, exact and complete, and that nothing in it is",
        "false, and answer for it together and one by one before the law.",
    ];
    let mut first = bold(237.0, 740.0, 16.0, "First part: notice");
    for (at, line) in notice.into_iter().enumerate() {
        first += &bold(if at == 0 { 100.0 } else { 72.0 }, 690.0 - 31.0 * at as f32, 14.0, line);
    }
    first += &bold(100.0, 592.0, 14.0, "All members came to the meeting at which it was read.");
    let document = read(&book(&[first, bold(72.0, 790.0, 14.0, "Second part") + &prose(1, 760.0, 40)]));
    let headings: Vec<&str> =
        document.rows().filter(|row| matches!(row.kind, BlockKind::Heading(_))).map(|row| row.content).collect();
    assert_eq!(headings, ["First part: notice", "Second part"], "{}", document.markdown);
    assert!(document.markdown.contains("before the law."));
}
