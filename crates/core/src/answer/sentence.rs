//! Cuts a passage into sentences: what can stand in an answer by itself, with its place in the passage.
//!
//! A list item, a row of a table and a block of code count as sentences. A sentence that ends with a colon goes on to what
//! it introduces. Headings are sentences that answer nothing, and are marked as such.

use std::ops::Range;

/// Longest sentence, in bytes. A longer one is cut between two words.
const MAX_BYTES: usize = 800;

/// Longest text that is joined to the sentence that introduces it, in bytes.
const MAX_INTRODUCED: usize = 400;

/// A line of at least so many bytes may go on in the next one; a shorter one was ended on purpose.
const MIN_WRAPPED: usize = 40;

/// What stands before a full stop that ends no sentence, in lower case.
const ABBREVIATIONS: [&str; 36] = [
    "abb", "al", "art", "bzw", "ca", "cf", "chap", "co", "d.h", "dr", "e.g", "ex", "fig", "i.e", "inc", "jr", "ltd",
    "m", "mm", "mme", "mr", "mrs", "ms", "no", "nr", "o.ä", "p", "p.ex", "pp", "prof", "s", "st", "u.a", "usw", "vs",
    "z.b",
];

/// First words that refer to the sentence before, in lower case. Those that often do not, such as `it`, are left out.
const BACK_REFERENCES: [&str; 16] = [
    "they",
    "these",
    "those",
    "this",
    "ils",
    "elles",
    "cela",
    "ceci",
    "celui-ci",
    "celle-ci",
    "ceux-ci",
    "celles-ci",
    "dies",
    "diese",
    "dieser",
    "dieses",
];

/// A sentence of a passage.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sentence {
    /// Its bytes, without white space around them.
    pub range: Range<usize>,
    /// Whether it is a heading.
    pub is_heading: bool,
}

/// What the lines of a text are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Block {
    Text,
    Heading,
    Code,
}

/// The sentences of a text, in order. Each line is a block where `lines_are_blocks`, as in the visible text of HTML;
/// otherwise lines that are long go on in the next one.
pub fn sentences(text: &str, lines_are_blocks: bool) -> Vec<Sentence> {
    let mut sentences: Vec<Sentence> = Vec::new();
    for (range, block) in blocks(text, lines_are_blocks) {
        match block {
            Block::Text => {
                let found = ends(&text[range.clone()]).into_iter().scan(range.start, |start, end| {
                    let sentence = trimmed(text, *start..range.start + end);
                    *start = range.start + end;
                    Some(sentence)
                });
                sentences.extend(found.map(|range| Sentence { range, is_heading: false }));
            }
            Block::Heading | Block::Code => {
                sentences.push(Sentence { range: trimmed(text, range), is_heading: block == Block::Heading });
            }
        }
    }
    sentences.retain(|sentence| !sentence.range.is_empty());
    let joined = joined(text, sentences);
    joined.into_iter().flat_map(|sentence| short_enough(text, sentence)).collect()
}

/// The sentences as they can be read by themselves: one that refers to the sentence before comes with it, if both stand in
/// one paragraph. The sentence before comes alone, too.
pub fn self_contained(text: &str, sentences: Vec<Sentence>) -> Vec<Sentence> {
    let mut complete: Vec<Sentence> = Vec::with_capacity(sentences.len());
    for (at, sentence) in sentences.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| &sentences[before]).filter(|before| {
            !before.is_heading
                && refers_back(&text[sentence.range.clone()])
                && !text[before.range.end..sentence.range.start].contains('\n')
                && sentence.range.end - before.range.start <= MAX_BYTES
        });
        let start = before.map_or(sentence.range.start, |before| before.range.start);
        complete.push(Sentence { range: start..sentence.range.end, is_heading: sentence.is_heading });
    }
    complete
}

fn refers_back(sentence: &str) -> bool {
    let first = sentence.split(|sign: char| !(sign.is_alphanumeric() || sign == '-')).next().unwrap_or_default();
    BACK_REFERENCES.contains(&first.to_lowercase().as_str())
}

/// The blocks of a text: paragraphs, list items, rows of tables, headings, code between fences.
fn blocks(text: &str, lines_are_blocks: bool) -> Vec<(Range<usize>, Block)> {
    let mut blocks: Vec<(Range<usize>, Block)> = Vec::new();
    let (mut start, mut fence, mut goes_on): (usize, Option<&str>, bool) = (0, None, false);
    for line in text.split_inclusive('\n') {
        let range = start..start + line.len();
        start = range.end;
        let content = line.trim();
        let mark = ["```", "~~~"].into_iter().find(|mark| content.starts_with(mark));
        match (fence, mark, blocks.last_mut()) {
            (Some(open), mark, Some((code, _))) => {
                code.end = range.end;
                fence = Some(open).filter(|open| mark != Some(*open));
                goes_on = false;
            }
            (None, Some(mark), _) if !lines_are_blocks => {
                fence = Some(mark);
                blocks.push((range, Block::Code));
            }
            _ if content.is_empty() => goes_on = false,
            (_, _, Some((paragraph, Block::Text))) if goes_on && !begins_block(content) => {
                paragraph.end = range.end;
                goes_on = content.len() >= MIN_WRAPPED;
            }
            _ => {
                let hashes = content.bytes().take_while(|byte| *byte == b'#').count();
                let is_heading = !lines_are_blocks
                    && (1..=6).contains(&hashes)
                    && content[hashes..].starts_with(char::is_whitespace);
                blocks.push((range, if is_heading { Block::Heading } else { Block::Text }));
                goes_on = !lines_are_blocks && !is_heading && !content.starts_with('|') && content.len() >= MIN_WRAPPED;
            }
        }
    }
    blocks
}

/// Whether a line begins a list item, a row of a table, a heading or a quotation.
fn begins_block(line: &str) -> bool {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let after = &line[digits..];
    line.starts_with(['#', '|', '>'])
        || ["- ", "* ", "+ ", "• "].iter().any(|mark| line.starts_with(mark))
        || ((1..=3).contains(&digits) && (after.starts_with(". ") || after.starts_with(") ")))
}

/// The byte offsets at which the sentences of a paragraph end; the last is its length.
fn ends(text: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut start = 0;
    let mut signs = text.char_indices().peekable();
    while let Some((at, sign)) = signs.next() {
        if !matches!(sign, '.' | '!' | '?' | '…' | '。' | '！' | '？') {
            continue;
        }
        // What closes the sentence belongs to it.
        let mut end = at + sign.len_utf8();
        while let Some((next, closing)) = signs.next_if(|(_, next)| ".!?…\"'”’»)]".contains(*next)) {
            end = next + closing.len_utf8();
        }
        let rest = &text[end..];
        let is_wide = matches!(sign, '。' | '！' | '？');
        let next = rest.trim_start().chars().next();
        let is_end = is_wide
            || (rest.starts_with(char::is_whitespace)
                && !next.is_some_and(char::is_lowercase)
                && !(sign == '.' && ends_with_abbreviation(&text[start..at])));
        if is_end && !rest.trim().is_empty() {
            ends.push(end);
            start = end;
        }
    }
    ends.push(text.len());
    ends
}

/// Whether the full stop after a text ends no sentence: after an abbreviation, an initial, or the number of a list item.
fn ends_with_abbreviation(text: &str) -> bool {
    let word = text.rsplit(|sign: char| sign.is_whitespace() || "([\"'«“".contains(sign)).next().unwrap_or_default();
    let mut letters = word.chars();
    let is_initial = letters.next().is_some_and(char::is_uppercase) && letters.next().is_none();
    let is_number =
        word.len() == text.trim_start().len() && !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    is_initial || is_number || ABBREVIATIONS.contains(&word.to_lowercase().as_str())
}

fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}

/// Joins a sentence that ends with a colon with the next one.
fn joined(text: &str, sentences: Vec<Sentence>) -> Vec<Sentence> {
    let mut joined: Vec<Sentence> = Vec::with_capacity(sentences.len());
    for sentence in sentences {
        match joined.last_mut() {
            Some(last)
                if !last.is_heading
                    && !sentence.is_heading
                    && text[last.range.clone()].ends_with(':')
                    && sentence.range.len() <= MAX_INTRODUCED
                    && last.range.len() <= MAX_INTRODUCED =>
            {
                last.range.end = sentence.range.end;
            }
            _ => joined.push(sentence),
        }
    }
    joined
}

/// A sentence, or the parts of one that is too long.
fn short_enough(text: &str, sentence: Sentence) -> Vec<Sentence> {
    let (mut parts, mut rest) = (Vec::new(), sentence.range);
    while rest.len() > MAX_BYTES {
        let limit = (rest.start + MAX_BYTES / 2..=rest.start + MAX_BYTES).rev().find(|at| text.is_char_boundary(*at));
        let limit = limit.unwrap_or(rest.end);
        let end = text[rest.start..limit].rfind(char::is_whitespace).map_or(limit, |at| rest.start + at);
        parts.push(trimmed(text, rest.start..end));
        rest = trimmed(text, end..rest.end);
    }
    parts.push(rest);
    parts.retain(|part| !part.is_empty());
    parts.into_iter().map(|range| Sentence { range, is_heading: sentence.is_heading }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(text: &str) -> Vec<&str> {
        sentences(text, false).into_iter().map(|sentence| &text[sentence.range]).collect()
    }

    #[test]
    fn sentences_end_where_a_reader_ends_them() {
        assert_eq!(
            cut(
                "Stop the server, e.g. with systemctl. Then (as Dr. Who did) wait! \"Done.\" Version 9.1 is old; cf. J. Doe."
            ),
            [
                "Stop the server, e.g. with systemctl.",
                "Then (as Dr. Who did) wait!",
                "\"Done.\"",
                "Version 9.1 is old; cf. J. Doe."
            ]
        );
        assert_eq!(cut("東京都。大阪。"), ["東京都。", "大阪。"]);
        assert_eq!(cut("Où est-il ? Voir p. 12. Fin"), ["Où est-il ?", "Voir p. 12.", "Fin"]);
    }

    #[test]
    fn lines_that_are_wrapped_are_one_sentence_and_items_are_their_own() {
        let text = "A paragraph whose line is long enough to be wrapped\ngoes on here. Next.\n\n- one item\n- another item\n1. first";
        assert_eq!(
            cut(text),
            [
                "A paragraph whose line is long enough to be wrapped\ngoes on here.",
                "Next.",
                "- one item",
                "- another item",
                "1. first"
            ]
        );
        let lines = "A paragraph whose line is long enough to be wrapped\nAnother one.";
        assert_eq!(sentences(lines, true).len(), 2);
    }

    #[test]
    fn code_stays_whole_and_with_the_sentence_that_introduces_it() {
        let text = "## Restore\n\nTo restore a backup, run:\n\n```\npg_restore -d db. File\ntwo\n```\n\nThen go on.";
        let found = sentences(text, false);
        assert!(found[0].is_heading && &text[found[0].range.clone()] == "## Restore");
        assert_eq!(&text[found[1].range.clone()], "To restore a backup, run:\n\n```\npg_restore -d db. File\ntwo\n```");
        assert_eq!(&text[found[2].range.clone()], "Then go on.");
    }

    #[test]
    fn what_refers_to_the_sentence_before_comes_with_it() {
        let text = "Cats sleep. They hunt at night. This is long.\n\nThese are not cats.";
        let found = self_contained(text, sentences(text, false));
        let texts: Vec<&str> = found.into_iter().map(|sentence| &text[sentence.range]).collect();
        assert_eq!(
            texts,
            [
                "Cats sleep.",
                "Cats sleep. They hunt at night.",
                "They hunt at night. This is long.",
                "These are not cats."
            ]
        );
    }

    #[test]
    fn what_is_too_long_is_cut_between_words() {
        let text = "word ".repeat(500);
        let parts = cut(&text);
        assert!(
            parts.len() > 2 && parts.iter().all(|part| part.len() <= MAX_BYTES && part.ends_with("word")),
            "{parts:?}"
        );
        assert_eq!(cut(&"é".repeat(1000)).concat().chars().count(), 1000);
    }

    proptest! {
        #[test]
        fn no_word_is_lost_and_none_stands_twice(text in "[a-zA-Zé東.:!?#|`~ \n1-3-]{0,300}", lines: bool) {
            let sentences = sentences(&text, lines);
            prop_assert!(sentences.windows(2).all(|pair| pair[0].range.end <= pair[1].range.start));
            let kept: String = sentences.iter().map(|sentence| &text[sentence.range.clone()]).collect();
            let letters = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(letters(&kept), letters(&text));
        }
    }
}
