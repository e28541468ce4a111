//! Edits leave alone what they did not touch.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

fn again(text: &str, previous: &[Chunk], rule: &ChunkRule) -> Vec<Chunk> {
    let previous: Vec<&str> = previous.iter().map(|chunk| chunk.content.as_str()).collect();
    let mut chunks = Vec::new();
    rechunk(text, &previous, rule, &Pieces, &mut |chunk| {
        chunks.push(chunk);
        Ok(())
    })
    .unwrap();
    for chunk in &chunks {
        assert_eq!(chunk.size, Pieces.size(&chunk.content).unwrap());
        assert!(chunk.size <= rule.max_size || is_single_cluster(&chunk.content), "{chunk:?} is too large");
        if rule.format != Format::Html {
            assert_eq!(chunk.content, characters(text, chunk.start..chunk.end), "offsets reproduce the content");
        }
    }
    chunks
}

/// Chunks of `new` that `old` does not have.
fn changed(old: &[Chunk], new: &[Chunk]) -> usize {
    let mut there: HashMap<&str, usize> = HashMap::new();
    for chunk in old {
        *there.entry(&chunk.content).or_default() += 1;
    }
    new.iter()
        .filter(|chunk| match there.get_mut(chunk.content.as_str()) {
            Some(count @ 1..) => {
                *count -= 1;
                false
            }
            _ => true,
        })
        .count()
}

fn paragraphs(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| {
            format!("Paragraph number {number} has {} words. {}", number % 17 + 9, "Word. ".repeat(number % 17))
        })
        .collect()
}

#[test]
fn one_edited_paragraph_changes_at_most_three_chunks() {
    for overlap in [0, 8] {
        let rule = rule(60, overlap, Format::Plain);
        let before = paragraphs(400);
        let old = collect(&before.join("\n\n"), &rule, &Pieces);
        for at in [0, 1, 57, 200, 398, 399] {
            for paragraph in [
                "Short.",
                "",
                "Another paragraph that is about as long as the one that was here before. It has two sentences.",
            ] {
                let mut after = before.clone();
                after[at] = paragraph.to_string();
                let new = again(&after.join("\n\n"), &old, &rule);
                assert!(changed(&old, &new) <= 3, "{overlap} {at} {paragraph:?}: {}", changed(&old, &new));
            }
        }
    }
}

#[test]
fn the_same_text_has_the_same_chunks() {
    for format in [Format::Plain, Format::Markdown] {
        for overlap in [0, 8] {
            let rule = rule(60, overlap, format);
            let text = paragraphs(100).join("\n\n");
            let old = collect(&text, &rule, &Pieces);
            assert_eq!(again(&text, &old, &rule), old);
        }
    }
    let html: String = paragraphs(50).iter().map(|text| format!("<h2>Head</h2><p>{text}</p>")).collect();
    let rule = rule(60, 0, Format::Html);
    let old = collect(&html, &rule, &Pieces);
    assert_eq!(again(&html, &old, &rule), old);
    let new = again(&html.replacen("Paragraph number 25", "Absatz Nummer 25", 1), &old, &rule);
    assert!(changed(&old, &new) <= 3);
}

#[test]
fn a_text_that_grows_by_sentences_does_not_fall_apart() {
    let rule = rule(60, 0, Format::Plain);
    let mut text = String::new();
    let mut chunks = Vec::new();
    for number in 0..200 {
        text.push_str(&format!("Line {number} of a log that grows. "));
        chunks = again(&text, &chunks, &rule);
    }
    assert!(chunks.len() <= collect(&text, &rule, &Pieces).len() + 2, "{}", chunks.len());
}

#[test]
fn headings_are_those_of_the_new_text() {
    let rule = rule(40, 0, Format::Markdown);
    let body = |number: usize| {
        format!(
            "## Part {number}\n\nSome words about part {number}, enough to fill a chunk of their own in this test.\n\n"
        )
    };
    let text: String = std::iter::once("# Old title\n\n".to_string()).chain((0..30).map(body)).collect();
    let old = collect(&text, &rule, &Pieces);
    let new = again(&text.replacen("Old title", "New title", 1), &old, &rule);
    assert!(new.iter().all(|chunk| chunk.heading_path.first().is_none_or(|title| title == "New title")));
    assert!(changed(&old, &new) <= 3);
}

#[test]
fn an_accent_after_a_chunk_belongs_to_it() {
    let rule = rule(8, 0, Format::Plain);
    let old = collect("aaaa bbbb cccc dddd eeee ffff", &rule, &Pieces);
    for chunk in again("aaaa bbbb cccc\u{301} dddd eeee ffff", &old, &rule) {
        assert!(!chunk.content.starts_with('\u{301}'));
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_whatever_was_there_before(
        text in "[ab\u{e9}\u{301}\u{1f468}\u{200d} \n#.-]{0,200}", other in "[ab\u{e9}\u{301}\u{1f468}\u{200d} \n#.-]{0,200}",
        size in 4usize..20, overlap in 0usize..4, markdown in any::<bool>(),
    ) {
        let rule = rule(size, overlap, if markdown { Format::Markdown } else { Format::Plain });
        let old = collect(&other, &rule, &Pieces);
        let new = again(&text, &old, &rule);
        let mut end = 0;
        for chunk in &new {
            prop_assert!(chunk.start <= end || characters(&text, end..chunk.start).trim().is_empty(), "text was left out");
            prop_assert!(chunk.end > end);
            assert_boundary(&text, chunk.start);
            assert_boundary(&text, chunk.end);
            end = chunk.end;
        }
        prop_assert!(characters(&text, end..text.chars().count()).trim().is_empty(), "text was left out at the end");
    }
}
