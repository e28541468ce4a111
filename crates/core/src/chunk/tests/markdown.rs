//! Headings of Markdown, and cuts that respect its structure.

use super::*;
use crate::chunk::markdown::{self, read_sections};

fn paths(text: &str, max_size: usize) -> Vec<(String, String)> {
    let chunks = checked(text, &rule(max_size, 0, Format::Markdown), &Characters);
    chunks.into_iter().map(|chunk| (chunk.content, chunk.heading_path.join(" > "))).collect()
}

/// The headings in force at the first character of `word`.
fn path_at(text: &str, word: &str) -> String {
    let at = text.find(word).unwrap();
    markdown::read(text, &Characters).unwrap().outline.path(at).join(" > ")
}

#[test]
fn chunks_follow_the_sections() {
    let text = "Avant-propos.\n\n# Guide\n\nDeux mots.\n\n## Installer\n\nUne phrase. Une autre phrase.\n\n### Détail\n\nFin.\n\n\
                ## Utiliser\n\nEncore une fois.\n";
    let expected = [
        ("Avant-propos.", ""),
        ("# Guide\n\nDeux mots.", "Guide"),
        ("## Installer\n\nUne phrase. Une autre phrase.", "Guide > Installer"),
        ("### Détail\n\nFin.", "Guide > Installer > Détail"),
        ("## Utiliser\n\nEncore une fois.", "Guide > Utiliser"),
    ];
    assert_eq!(paths(text, 45), expected.map(|(content, path)| (content.to_owned(), path.to_owned())));
}

#[test]
fn headings_lose_their_markup() {
    let text = "# A *b* `c` [d](e) ![f](g) &amp; \"h\" \\* <i>j</i> {#k}\n\nx\n\nL\nm\n---\n\ny\n\n##\n\nz\n\n## ~~n~~ ##\n\nw";
    assert_eq!(path_at(text, "x"), "A b c d & \"h\" * j");
    assert_eq!(path_at(text, "y"), "A b c d & \"h\" * j > L m");
    assert_eq!(path_at(text, "z"), "A b c d & \"h\" * j > L m", "a heading without text is none");
    assert_eq!(path_at(text, "w"), "A b c d & \"h\" * j > n");
}

#[test]
fn a_level_replaces_what_is_not_above_it() {
    let text = "### three\n\nq1\n\n# one\n\nq2\n\n### deep\n\nq3\n\n## two\n\nq4\n\n# uno\n\nq5";
    let expected = [("q1", "three"), ("q2", "one"), ("q3", "one > deep"), ("q4", "one > two"), ("q5", "uno")];
    for (word, path) in expected {
        assert_eq!(path_at(text, word), path);
    }
}

#[test]
fn code_and_front_matter_have_no_headings() {
    let text = "---\ntitle: x\n# no\n---\n\n# yes\n\n```sh\n# no\n```\n\n    # no\n\n~~~\nno\n==\n~~~\n\n<!--\n# no\n-->\n\nq1";
    assert_eq!(path_at(text, "q1"), "yes");
    assert_eq!(path_at(text, "title"), "");
    assert_eq!(path_at("a\n\n---\n# yes\n\nq1\n\n---\n\nq2", "q2"), "yes", "rules are not front matter");
    assert_eq!(path_at("---\n\n# yes\n\n---\nq1", "q1"), "yes");
}

#[test]
fn a_quoted_heading_holds_as_long_as_the_quotation() {
    let text = "# one\n\n> ## quoted\n>\n> q1\n\nq2\n\n- ## item\n\n  q3\n- q4\n\n## two\n\nq5";
    let expected = [("q1", "one > quoted"), ("q2", "one"), ("q3", "one > item"), ("q4", "one"), ("q5", "one > two")];
    for (word, path) in expected {
        assert_eq!(path_at(text, word), path, "{word}");
    }
}

#[test]
fn an_indented_heading_is_in_its_own_path() {
    let chunks = paths("  ## two\n\n    code", 60);
    assert_eq!(chunks, [("  ## two\n\n    code".to_owned(), "two".to_owned())], "several lines keep their indentation");
}

#[test]
fn a_heading_goes_with_what_it_announces() {
    // Two sentences of 30 characters follow, too long together for a chunk of 50.
    let body = "Here are twenty-nine letters. Here are twenty-nine letters.";
    let chunks = paths(&format!("Before.\n\n# Title\n\n{body}"), 50);
    assert_eq!(chunks[1].0, "# Title\n\nHere are twenty-nine letters.");
    let chunks = paths(&format!("{body} And some more of it.\n\n## Title\n\n{body}"), 100);
    assert!(chunks.iter().all(|(content, _)| !content.ends_with("Title")), "{chunks:?}");
    let chunks = paths(&format!("```rust\n{}\n```\n", "let number = 1;\n".repeat(20)), 100);
    assert!(chunks.iter().all(|(content, _)| content != "```rust"), "{chunks:?}");
}

#[test]
fn a_list_is_cut_between_its_items() {
    let text = (1..9).map(|item| format!("- Item number {item} has\n  two lines.\n")).collect::<String>();
    for (content, _) in paths(&text, 70) {
        assert!(content.starts_with("- Item") && content.ends_with("lines."), "{content:?}");
    }
}

/// A window may start in the middle of fenced code; then the end of the fence must not look like the start of another.
#[test]
fn headings_after_long_code_start_a_chunk() {
    let code = "x = 1\n\ny = 2\n\n".repeat(200);
    let text = format!("# one\n\n```\n{code}```\n\n## two\n\nAfter.\n\n## three\n\nEnd.");
    let chunks = paths(&text, 40);
    let starts = chunks.iter().filter(|(content, _)| content.contains("##"));
    let expected = ("## two\n\nAfter.\n\n## three\n\nEnd.".to_owned(), "one > two".to_owned());
    assert_eq!(starts.collect::<Vec<_>>(), [&expected]);
}

/// A block longer than what is parsed at a time: the headings after it are found, and none in it.
#[test]
fn long_blocks_are_read_in_parts() {
    let fence = format!("~~~~ sh\n{}# code\n~~~~\n", "# no\n~~~\n".repeat(100));
    let quote = "> q\n".repeat(100);
    let line = format!("{}# no\n", "w ".repeat(500));
    let table = format!("|a|b|\n|-|-|\n{}\n", "|c|d|\n".repeat(100));
    let text = format!("# one\n\n{fence}\n## two\n\n{quote}\n## three\n\n{line}\n## four\n\n{table}\n## five\n\nend");
    let outline = read_sections(&text, &Characters, 64, 128).unwrap().outline;
    for (word, path) in [("# code", "one"), ("> q", "one > two"), ("w w", "one > three"), ("|c|", "one > four > a | b")]
    {
        assert_eq!(outline.path(text.rfind(word).unwrap()).join(" > "), path);
    }
    assert_eq!(outline.path(text.len()), ["one", "five"]);
    let unclosed = format!("# one\n\n```\n{}", "# no\n".repeat(100));
    assert_eq!(read_sections(&unclosed, &Characters, 64, 128).unwrap().outline.path(unclosed.len()), ["one"]);
}

/// Issue 921 of pulldown-cmark is still open in a way.
#[test]
fn a_panic_of_the_parser_costs_nothing() {
    let text = "# one\n\n- [ ] \\\n  - \n\n## two\n\nend";
    assert_eq!(path_at(text, "end"), "one > two");
    let text = format!("{}{text}", "word ".repeat(100));
    checked(&text, &rule(10, 0, Format::Markdown), &Characters);
}

fn table(rows: usize) -> String {
    let rows: String = (0..rows).map(|row| format!("| Schraube {row} | M{} | {row},50 € |\n", row % 9)).collect();
    format!("| Artikel | *Größe* | `Preis` |\n| --- | --- | --- |\n{rows}")
}

#[test]
fn each_chunk_of_a_table_has_its_header_row_in_the_path() {
    let text = format!("# Lager\n\nEin Satz.\n\n{}\nNach der Tabelle.\n", table(400));
    let chunks = checked(&text, &rule(300, 0, Format::Markdown), &Characters);
    assert!(chunks.len() > 40);
    for chunk in &chunks {
        let has_header = chunk.content.contains("Artikel");
        let path =
            if has_header || chunk.content.starts_with("Nach") { "Lager" } else { "Lager > Artikel | Größe | Preis" };
        assert_eq!(chunk.heading_path.join(" > "), path, "{}", chunk.content);
    }
    assert_eq!(chunks.iter().filter(|chunk| chunk.content.contains("Artikel")).count(), 1);
    // A quoted table, two tables in a row, a table without a header, and what looks like a table in a block of code.
    let text = "> | a | b |\n> |---|---|\n> | q1 | 2 |\n\n| c |\n|---|\n| q2 |\n\n|  |  |\n|--|--|\n| q3 | 4 |\n\n```\n| e |\n|---|\n| q4 |\n```\n";
    for (word, path) in [("q1", "a | b"), ("q2", "c"), ("q3", ""), ("q4", "")] {
        assert_eq!(path_at(text, word), path, "{word}");
    }
    assert_eq!(path_at("| a |\n|---|\n| 1 |\n", "| a"), "", "the header row itself");
}

#[test]
fn a_table_longer_than_what_is_parsed_at_a_time_keeps_its_header() {
    let text = format!("{}\n\nEnde mit | Strich.\n", table(300));
    let markdown = read_sections(&text, &Characters, 1_000, 2_000).unwrap();
    for row in [1, 100, 299] {
        let at = text.find(&format!("| Schraube {row} ")).unwrap();
        assert_eq!(markdown.outline.path(at), ["Artikel | Größe | Preis"], "{row}");
    }
    assert!(markdown.outline.path(text.find("Ende").unwrap()).is_empty());
}
