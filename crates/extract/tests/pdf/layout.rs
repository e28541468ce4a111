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

/// Lines in size 10: how far from the left, whether they end there, how far from the bottom, and what they say.
fn placed(lines: &[(f32, bool, f32, &str)]) -> String {
    // About as wide as the letters are.
    let width = |line: &str| 5.0 * line.chars().count() as f32;
    lines.iter().map(|(x, ends, y, line)| text(if *ends { x - width(line) } else { *x }, *y, 10.0, line)).collect()
}

fn tables(document: &Document) -> Vec<&str> {
    document.rows().filter(|row| row.kind == BlockKind::Table).map(|row| row.content).collect()
}

#[test]
fn two_labels_and_their_values_are_read_row_by_row() {
    let totals = [("Subtotal", "23.651,15 EUR"), ("Total", "28.095,12 EUR")];
    let dates = [("Number:", "2026-00471"), ("Name:", "Anna White")];
    for pairs in [totals, dates] {
        let [(first, one), (second, two)] = pairs;
        let lines = placed(&[(72.0, false, 400.0, first), (72.0, false, 386.0, second)]);
        let values = placed(&[(300.0, false, 400.0, one), (300.0, false, 386.0, two)]);
        let document = read(&book(&[prose(1, 740.0, 10) + &lines + &values]));
        let expected = format!("| {first} | {one} |\n| --- | --- |\n| {second} | {two} |");
        assert_eq!(tables(&document), [expected], "{}", document.markdown);
    }
    // Addresses.
    let left = placed(&[(72.0, false, 400.0, "Harbour Ltd"), (72.0, false, 386.0, "Quay 1, 20457 Hamburg")]);
    let right = placed(&[(300.0, false, 400.0, "Anna White"), (300.0, false, 386.0, "Hill 3, 51147 Cologne")]);
    let document = read(&book(&[prose(1, 740.0, 10) + &left + &right]));
    assert!(tables(&document).is_empty(), "{}", document.markdown);
    let place = |text: &str| document.markdown.find(text).unwrap();
    assert!(place("Quay 1") < place("Anna White"), "{}", document.markdown);
}

#[test]
fn an_invoice_has_its_address_above_the_table_and_the_totals_in_it() {
    let head = placed(&[
        (72.0, false, 740.0, "Harbour Ltd, Long Quay 12, Hamburg"),
        (520.0, true, 740.0, "Invoice no. 2026-00471"),
        (72.0, false, 716.0, "Shipping Company of the North"),
        (72.0, false, 704.0, "Sand Gate 5"),
        (72.0, false, 682.0, "Invoice"),
    ]);
    let row = |y: f32, cells: [&str; 5]| {
        let [item, name, count, rate, amount] = cells;
        placed(&[(72.0, false, y, item), (110.0, false, y, name)])
            + &placed(&[(330.0, true, y, count), (420.0, true, y, rate), (520.0, true, y, amount)])
    };
    let items = row(660.0, ["Item", "Name", "Count", "Tax", "Amount"])
        + &row(644.0, ["A", "Berth", "14", "19 %", "17.500,00"])
        + &row(628.0, ["B", "Towage", "2", "19 %", "6.961,50"]);
    let totals = placed(&[
        (420.0, true, 612.0, "Subtotal of all the items"),
        (520.0, true, 612.0, "24.461,50"),
        (420.0, true, 596.0, "Total"),
        (520.0, true, 596.0, "29.109,19"),
    ]);
    let document = read(&book(&[head + &items + &totals]));
    let expected = "| Item | Name | Count | Tax | Amount |\n| --- | --- | --- | --- | --- |\n\
        | A | Berth | 14 | 19 % | 17.500,00 |\n| B | Towage | 2 | 19 % | 6.961,50 |\n\
        |  |  | Subtotal of all the items |  | 24.461,50 |\n|  |  |  | Total | 29.109,19 |";
    assert_eq!(tables(&document), [expected], "{}", document.markdown);
    let table = document.markdown.find("| Item").unwrap();
    assert!(document.markdown.find("2026-00471").is_some_and(|at| at < table), "{}", document.markdown);
}
