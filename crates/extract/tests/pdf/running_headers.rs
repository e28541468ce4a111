//! What repeats in the margins of pages goes but for the first; what stands only once, or differs, always stays.

use super::made::{artifact, bold, book, prose, text};
use super::{LIMITS, file};
use socle_core::document::{BlockKind, Document};
use socle_extract::extract;

fn read(pages: &[String]) -> Document {
    extract(&book(pages), None, None, LIMITS).unwrap()
}

fn count(document: &Document, text: &str) -> usize {
    document.markdown.matches(text).count()
}

/// Pages from a function of their number, from 1.
fn numbered(count: usize, page: impl Fn(usize) -> String) -> Vec<String> {
    (1..=count).map(page).collect()
}

#[test]
fn one_page_loses_nothing() {
    let head = text(72.0, 810.0, 8.0, "Harbour Board, page 1 of 1") + &text(290.0, 30.0, 8.0, "1");
    let document = read(&[head.clone() + &prose(1, 760.0, 20)]);
    assert!(document.markdown.starts_with("Harbour Board, page 1 of 1"), "{}", document.markdown);
    assert!(document.markdown.ends_with("\n\n1"), "{}", document.markdown);
    let tagged = artifact(&head) + &prose(1, 760.0, 20);
    assert_eq!(read(&[tagged]).markdown, document.markdown);
    // Nor does a document of several pages whose margins say different things.
    let places = ["Oslo", "Riga", "Genoa", "Hull"];
    let document = read(&numbered(4, |page| {
        artifact(&text(72.0, 810.0, 8.0, &format!("Letter from {}", places[page - 1]))) + &prose(page, 760.0, 20)
    }));
    assert!(places.iter().all(|place| count(&document, &format!("Letter from {place}")) == 1), "{}", document.markdown);
}

#[test]
fn running_heads_stay_once() {
    // In letters as large as the text, as books have them, and in smaller ones.
    for size in [8.0, 11.0] {
        let pages = numbered(100, |page| {
            let part = if page <= 50 { "Part of the rivers" } else { "Part of the seas" };
            let outer = if page % 2 == 0 { (72.0, 400.0) } else { (500.0, 72.0) };
            text(outer.1, 800.0, size, part)
                + &text(outer.0, 800.0, size, &page.to_string())
                + &text(72.0, 30.0, 8.0, "Printed in Hull, not for sale")
                + &prose(page, 760.0, 45)
        });
        let document = read(&pages);
        for head in ["Part of the rivers", "Part of the seas", "Printed in Hull, not for sale"] {
            assert_eq!(count(&document, head), 1, "{head} in {size}");
        }
        let alone = document.rows().find(|row| row.content.bytes().all(|byte| byte.is_ascii_digit()));
        assert_eq!(alone, None);
        // The rest is there, and the head of page 51 stands there.
        assert_eq!(count(&document, "The "), 100 * 45);
        let seas = document.rows().find(|row| row.content == "Part of the seas").unwrap();
        assert_eq!((seas.page, seas.kind), (Some(51), BlockKind::Paragraph));
    }
    let minutes = |page: usize| {
        text(72.0, 810.0, 9.0, "Confidential - Harbour Board, Minutes of 3 May 2024")
            + &text(
                72.0,
                760.0,
                11.0,
                ["The chair opened the meeting.", "The crane was repaired.", "Lunch followed."][page - 1],
            )
            + &text(72.0, 744.0, 11.0, "Nobody objected to that.")
    };
    let document = read(&numbered(3, minutes));
    assert!(document.markdown.starts_with("Confidential - Harbour Board, Minutes of 3 May 2024\n\nThe chair"));
    assert_eq!(count(&document, "Confidential"), 1);
    // Larger than the text beside the number of the page, and on left pages higher than on right ones.
    let pages = numbered(20, |page| {
        let (y, number, head) = if page % 2 == 0 { (800.0, 72.0, 200.0) } else { (793.0, 500.0, 72.0) };
        text(head, y, 16.0, "Codes of the crane")
            + &text(number, y, 11.0, &format!("page {page}"))
            + &prose(page, 750.0, 40)
    });
    let large = read(&pages);
    assert_eq!((count(&large, "Codes of the crane"), count(&large, "page ")), (1, 0), "{}", large.markdown);
    // The same line in the text of each page is no head.
    assert_eq!(count(&document, "Nobody objected"), 3);
}

#[test]
fn heads_that_the_document_names_stay_once() {
    let document = read(&numbered(3, |page| {
        artifact(&text(72.0, 800.0, 11.0, "Draft of 3 May 2024"))
            + &artifact(&text(290.0, 30.0, 11.0, &page.to_string()))
            + &artifact(&text(400.0, 30.0, 11.0, &format!("Copy for {}", ["Ada", "Ben", "Cy"][page - 1])))
            + &artifact("BT /F 60 Tf 0.7 0.7 -0.7 0.7 200 300 Tm (SAMPLE) Tj ET")
            + &prose(page, 780.0, 50)
    }));
    assert_eq!(["Draft of", "SAMPLE", "Ada", "Ben", "Cy"].map(|word| count(&document, word)), [1; 5]);
    assert!(!document.rows().any(|row| row.content.trim() == "2"), "{}", document.markdown);
}

#[test]
fn numbers_of_pages_go_and_other_numbers_stay() {
    type Foot = (&'static str, fn(usize) -> String);
    let feet: [Foot; 6] = [
        ("bare", |page| page.to_string()),
        ("dashes", |page| format!("- {page} -")),
        ("named", |page| format!("Page {page} of 4")),
        ("Roman", |page| ["i", "ii", "iii", "iv"][page - 1].to_string()),
        ("later", |page| (page + 16).to_string()),
        ("chapter", |page| format!("2-{page}")),
    ];
    for (kind, foot) in feet {
        let with = read(&numbered(4, |page| prose(page, 760.0, 40) + &text(290.0, 30.0, 9.0, &foot(page))));
        let without = read(&numbered(4, |page| prose(page, 760.0, 40)));
        assert_eq!(with.markdown, without.markdown, "{kind}");
    }
    let heads: [fn(usize) -> String; 6] = [
        |page| format!("Exhibit {page}"),
        |page| format!("Exhibit {}", page * 3 + 5),
        |page| format!("Invoice no. {}", 1000 + page),
        |page| format!("Statement 2024-00{page}"),
        |page| format!("{page}/2024"),
        |page| format!("Lot {page} of 4 - ropes"),
    ];
    for head in heads {
        for size in [8.0, 11.0, 16.0] {
            let document = read(&numbered(4, |page| text(72.0, 800.0, size, &head(page)) + &prose(page, 760.0, 40)));
            for page in 1..=4 {
                assert_eq!(count(&document, &head(page)), 1, "{} in {size}", head(page));
            }
        }
    }
    // A number that belongs to a word on its row.
    let document = read(&numbered(6, |page| {
        text(72.0, 800.0, 8.0, "Exhibit") + &text(112.0, 800.0, 8.0, &page.to_string()) + &prose(page, 760.0, 40)
    }));
    assert!(
        (1..=6).all(|page| document.rows().any(|row| row.content.ends_with(&page.to_string()))),
        "{}",
        document.markdown
    );
    // With the number of the page in it, a head stays once.
    let document = read(&numbered(6, |page| {
        text(72.0, 800.0, 8.0, &format!("Minutes of 3 May, page {page} of 6")) + &prose(page, 760.0, 40)
    }));
    assert_eq!((count(&document, "Minutes of 3 May, page 1 of 6"), count(&document, "Minutes of 3 May")), (1, 1));
}

#[test]
fn bills_and_statements_keep_what_they_say() {
    let goods =
        ["Consulting hours", "Travel by train", "Hotel in Lyon", "Printing of leaflets", "Phone calls", "Paper"];
    for same_total in [false, true] {
        let total = |page: usize| if same_total { "120.50".to_string() } else { format!("{}.10", 88 + 41 * page) };
        let invoice = |page: usize| {
            let mut contents = text(72.0, 770.0, 16.0, &format!("Invoice {}", 1000 + page))
                + &text(72.0, 745.0, 11.0, &format!("Due: 2024-0{page}-15"));
            for line in 0..goods.len() {
                contents += &text(72.0, 700.0 - 16.0 * line as f32, 11.0, goods[(line + page) % goods.len()]);
            }
            contents
                + &text(72.0, 120.0, 11.0, &format!("Total amount: {} EUR", total(page)))
                + &text(72.0, 104.0, 11.0, &format!("Pay to account 12{page}4 5678"))
                + &text(72.0, 30.0, 7.0, "Harbour Services Ltd, registered in Hull under 1234567")
        };
        let document = read(&numbered(6, invoice));
        for page in 1..=6 {
            let wanted = [
                format!("Invoice {}", 1000 + page),
                format!("Due: 2024-0{page}-15"),
                format!("Pay to account 12{page}4 5678"),
            ];
            assert!(wanted.iter().all(|text| count(&document, text) == 1), "{}", document.markdown);
            assert!(count(&document, &format!("Total amount: {} EUR", total(page))) >= 1);
        }
        assert_eq!(count(&document, "Total amount:"), 6);
        assert_eq!(count(&document, "registered in Hull"), 1);
    }
}

#[test]
fn names_of_what_differs_stay_with_it() {
    let letter = |page: usize| {
        let row = |y: f32, name: &str, value: String| text(350.0, y, 8.0, name) + &text(430.0, y, 8.0, &value);
        row(800.0, "Invoice no.", format!("A-{}", 17 * page))
            + &row(790.0, "Customer", format!("C-{}", 90 - page))
            + &text(72.0, 800.0, 8.0, "Harbour Services Ltd")
            + &text(72.0, 740.0, 8.0, "Your order:")
            + &prose(page, 700.0, 30)
    };
    let document = read(&numbered(6, letter));
    assert_eq!(["Invoice no.", "Customer", "Your order:"].map(|name| count(&document, name)), [6; 3]);
    assert!((1..=6).all(|page| count(&document, &format!("A-{}", 17 * page)) >= 1));
    assert_eq!(count(&document, "Harbour Services Ltd"), 1, "{}", document.markdown);
}

#[test]
fn tables_that_go_on_keep_their_heads() {
    let statement = |page: usize| {
        let mut contents =
            text(72.0, 800.0, 9.0, "Bank of Hull") + &text(400.0, 800.0, 9.0, &format!("Page {page} of 3"));
        for (column, head) in ["Date", "Text", "Amount", "Balance"].into_iter().enumerate() {
            contents += &text(72.0 + 120.0 * column as f32, 760.0, 10.0, head);
        }
        for row in 1..=20 {
            let cells =
                [format!("0{page}.{row:02}."), format!("Rope {row}"), format!("{row}.00"), format!("{}.00", 900 - row)];
            for (column, cell) in cells.iter().enumerate() {
                contents += &text(72.0 + 120.0 * column as f32, 760.0 - 15.0 * row as f32, 10.0, cell);
            }
        }
        contents
    };
    let document = read(&numbered(3, statement));
    let tables: Vec<&str> = document.rows().filter(|row| row.kind == BlockKind::Table).map(|row| row.content).collect();
    assert_eq!(tables.len(), 3, "{}", document.markdown);
    assert!(
        tables
            .iter()
            .all(|table| table.starts_with("| Date | Text | Amount | Balance |") && table.lines().count() == 22)
    );
    assert_eq!((count(&document, "Bank of Hull"), count(&document, "Page")), (1, 0));
}

#[test]
fn headings_and_rows_of_tables_stay() {
    let document =
        read(&numbered(3, |page| text(72.0, 770.0, 20.0, &format!("Chapter {page}")) + &prose(page, 730.0, 3)));
    let headings: Vec<&str> =
        document.rows().filter(|row| matches!(row.kind, BlockKind::Heading(_))).map(|row| row.content).collect();
    assert_eq!(headings, ["Chapter 1", "Chapter 2", "Chapter 3"]);
    // Bold, and no larger than the text.
    let document = read(&numbered(8, |page| bold(72.0, 770.0, 11.0, "Summary") + &prose(page, 740.0, 30)));
    assert_eq!(count(&document, "Summary"), 8);
    // A table without lines whose last row, or first, holds the same number twice, on one page and on several.
    let row = |y: f32, cells: [&str; 5]| -> String {
        cells.iter().enumerate().map(|(at, cell)| text(72.0 + 95.0 * at as f32, y, 11.0, cell)).collect()
    };
    let page = text(72.0, 780.0, 11.0, "Account of the harbour fund")
        + &row(740.0, ["Item", "Budget", "Spent", "Plan", "Real"])
        + &row(724.0, ["Stones", "900", "750", "12", "11"])
        + &row(708.0, ["Cranes", "250", "250", "70", "70"]);
    let document = read(std::slice::from_ref(&page));
    assert!(document.markdown.ends_with("| Cranes | 250 | 250 | 70 | 70 |"), "{}", document.markdown);
    let document = read(&[page.clone(), page.clone(), page]);
    assert_eq!(count(&document, "| Cranes | 250 | 250 | 70 | 70 |"), 3, "{}", document.markdown);
    let document = read(&[text(72.0, 790.0, 11.0, "2024")
        + &text(300.0, 790.0, 11.0, "2024")
        + &text(72.0, 770.0, 11.0, "Income")
        + &text(300.0, 770.0, 11.0, "Costs")
        + &text(72.0, 750.0, 11.0, "10")
        + &text(300.0, 750.0, 11.0, "20")]);
    assert_eq!(count(&document, "2024"), 2, "{}", document.markdown);
}

#[test]
fn the_same_bytes_say_the_same_each_time() {
    let mut files: Vec<Vec<u8>> =
        ["handbook.pdf", "columns.pdf", "slides.pdf", "pdf/weasyprint.pdf", "pdf/encodings.pdf"]
            .into_iter()
            .chain(["pdf/groff-columns.pdf", "pdf/reportlab-columns.pdf", "pdf/typst-columns.pdf"])
            .map(file)
            .collect();
    files.push(book(&numbered(30, |page| {
        text(72.0, 800.0, 8.0, ["Rivers", "Seas"][page % 2])
            + &text(290.0, 30.0, 8.0, &page.to_string())
            + &text(72.0, 30.0, 8.0, &(page % 7).to_string())
            + &prose(page, 760.0, 20)
    })));
    for bytes in files {
        let first = extract(&bytes, None, None, LIMITS).unwrap();
        assert!((0..20).all(|_| extract(&bytes, None, None, LIMITS).unwrap() == first));
    }
}
