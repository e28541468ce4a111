//! The handbook and the slides in all formats.

use super::{blocks, document, known};
use socle_core::document::BlockKind;

#[test]
fn the_measure_finds_what_is_missing_and_what_is_out_of_order() {
    let words = |text: &str| known::words(text);
    let recall = |found: &str| known::recall(&words("one two three four"), &words(found));
    assert_eq!(recall("zero one two three four five"), 1.0);
    assert_eq!(recall("one two four"), 0.75);
    assert_eq!(recall("two three four one"), 0.75);
    assert_eq!(words("a[^12] b, c’d é\n[^3]: | 5 |"), ["a", "b", "c", "d", "é", "5"]);
}

#[test]
fn handbooks_are_their_text_to_the_letter() {
    // Words, headings, depths and numbers of lists, tables, code and notes at once.
    for name in ["handbook.docx", "handbook.odt", "handbook.rtf"] {
        let found = document(name).markdown;
        let expected = known::text("handbook.txt");
        for (found, expected) in found.lines().zip(expected.lines()) {
            // White space that does not break a line is a space like others.
            assert_eq!(found, expected.replace(['\u{a0}', '\u{202f}'], " "), "{name}");
        }
        assert_eq!(found.lines().count(), expected.trim_end().lines().count(), "{name}");
    }
}

#[test]
fn words_of_all_formats_arrive_in_order() {
    let handbook = known::words(&known::text("handbook.txt"));
    let book = known::words(&known::text_with_notes_at_end("handbook.txt"));
    let slides = known::words(&known::text("slides.txt"));
    for (name, expected) in [
        ("handbook.docx", &handbook),
        ("handbook.odt", &handbook),
        ("handbook.rtf", &handbook),
        ("handbook.epub", &book),
        ("slides.pptx", &slides),
        ("slides.odp", &slides),
    ] {
        let found = known::words(&document(name).markdown);
        let recall = known::recall(expected, &found);
        assert!(recall >= 0.99, "{name}: {recall}");
        // Nothing is said twice, but a book has a page with its title, author and date, and signs that lead to notes.
        assert!(found.len() <= expected.len() + 20, "{name}: {} words instead of {}", found.len(), expected.len());
    }
}

#[test]
fn books_keep_their_structure() {
    let book = document("handbook.epub");
    let text = document("handbook.docx");
    for level in 1..=3 {
        let of = |document| blocks(document, |kind| kind == BlockKind::Heading(level)).join("\n");
        assert!(of(&book).ends_with(&of(&text)), "{}", of(&book));
    }
    let of = |document| blocks(document, |kind| matches!(kind, BlockKind::Table | BlockKind::Code)).join("\n\n");
    assert_eq!(of(&book), of(&text));
    let lists = |document| blocks(document, |kind| kind == BlockKind::List).join("\n\n");
    assert!(lists(&book).contains("3. All pages that the table of contents promises are there:\n   - appendices"));
    assert!(lists(&book).contains("     - folded maps stay folded;"));
}

#[test]
fn slides_have_titles_pages_and_notes() {
    for name in ["slides.pptx", "slides.odp"] {
        let document = document(name);
        let expected = known::text("slides.txt").replace("\n> ", "\n\n").replace("\n- ", "\n\n- ");
        let lines = |text: &str| text.lines().filter(|line| !line.is_empty()).map(str::to_string).collect::<Vec<_>>();
        assert_eq!(lines(&document.markdown), lines(&expected), "{name}");
        let pages: Vec<(Option<u32>, &str)> = document.rows().map(|row| (row.page, row.kind.name())).collect();
        let expected = [
            (1, "heading"),
            (1, "paragraph"),
            (1, "paragraph"),
            (2, "heading"),
            (2, "list"),
            (2, "paragraph"),
            (3, "heading"),
            (3, "table"),
            (4, "heading"),
            (4, "list"),
            (4, "paragraph"),
        ];
        assert_eq!(pages, expected.map(|(page, kind)| (Some(page), kind)), "{name}");
        assert_eq!(document.metadata.page_count, Some(4), "{name}");
    }
}

#[test]
fn documents_say_who_made_them() {
    for name in ["handbook.docx", "handbook.odt", "handbook.rtf", "handbook.epub", "slides.pptx", "slides.odp"] {
        let metadata = document(name).metadata;
        let title = if name.starts_with("slides") { "The harbour archive" } else { "Handbook of the Harbour Archive" };
        assert_eq!(metadata.title.as_deref(), Some(title), "{name}");
        assert_eq!(metadata.author.as_deref(), Some("Marta Hafen"), "{name}");
        assert!(metadata.created.is_some_and(|time| time.starts_with("2024-03-05")), "{name}");
        // LibreOffice states no language in RTF.
        let language = (!name.ends_with("rtf")).then_some("en-GB");
        assert_eq!(metadata.language.as_deref(), language, "{name}");
    }
}
