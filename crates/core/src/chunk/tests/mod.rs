//! What every chunking must satisfy, checked from the outside: [`checked`] is used by all tests, on any input.

mod html;
mod incremental;
mod language;
mod limit;
mod markdown;
mod property;

use super::*;
use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

/// Like a tokenizer: not additive, with special tokens around every text and long words in several tokens.
pub(super) struct Pieces;

impl Sizer for Pieces {
    fn size(&self, text: &str) -> Result<usize> {
        Ok(2 + text.split_whitespace().map(|word| word.len().div_ceil(3)).sum::<usize>())
    }
}

/// Smaller for some longer texts: a tokenizer that has "abcd" as one token but "abc" as three.
pub(super) struct Uneven;

impl Sizer for Uneven {
    fn size(&self, text: &str) -> Result<usize> {
        let length = text.chars().count();
        Ok(if length.is_multiple_of(4) { length / 4 } else { length.div_ceil(2) + 1 })
    }
}

pub(super) fn rule(max_size: usize, overlap: usize, format: Format) -> ChunkRule {
    ChunkRule::new(max_size, overlap, format).unwrap()
}

fn collect(text: &str, rule: &ChunkRule, sizer: &dyn Sizer) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    chunk(text, rule, sizer, &mut |chunk| {
        chunks.push(chunk);
        Ok(())
    })
    .unwrap();
    chunks
}

/// The characters `range` of `text`.
fn characters(text: &str, range: Range<usize>) -> String {
    text.chars().skip(range.start).take(range.len()).collect()
}

fn is_single_cluster(text: &str) -> bool {
    text.graphemes(true).nth(1).is_none()
}

fn assert_boundary(text: &str, character: usize) {
    let byte = text.char_indices().nth(character).map_or(text.len(), |(byte, _)| byte);
    let boundary = GraphemeCursor::new(byte, text.len(), true).is_boundary(text, 0).unwrap();
    assert!(boundary, "character {character} of {text:?} is inside a grapheme cluster");
}

/// The chunks of `text`, after a check of everything that is promised.
pub(super) fn checked(text: &str, rule: &ChunkRule, sizer: &dyn Sizer) -> Vec<Chunk> {
    let chunks = collect(text, rule, sizer);
    assert_eq!(chunks, collect(text, rule, sizer), "deterministic");
    for chunk in &chunks {
        assert_eq!(chunk.size, sizer.size(&chunk.content).unwrap());
        assert!(chunk.size <= rule.max_size || is_single_cluster(&chunk.content), "{chunk:?} is too large");
        assert!(!chunk.content.trim().is_empty());
    }
    match rule.format {
        Format::Html => check_html(text, rule, sizer, &chunks),
        _ => {
            for chunk in &chunks {
                assert_eq!(chunk.content, characters(text, chunk.start..chunk.end), "offsets reproduce the content");
            }
            let ranges = chunks.iter().map(|chunk| chunk.start..chunk.end).collect::<Vec<_>>();
            check_ranges(text, &ranges, rule, sizer);
        }
    }
    chunks
}

/// Nothing but white space is lost, the order is that of the text, overlap is limited, no grapheme cluster is cut.
fn check_ranges(text: &str, ranges: &[Range<usize>], rule: &ChunkRule, sizer: &dyn Sizer) {
    let mut end = 0;
    for (index, range) in ranges.iter().enumerate() {
        assert_boundary(text, range.start);
        assert_boundary(text, range.end);
        assert!(range.end > end, "chunk {index} brings nothing new");
        if range.start >= end {
            let gap = characters(text, end..range.start);
            assert!(gap.trim().is_empty(), "{gap:?} is lost");
        } else {
            let repeated = characters(text, range.start..end);
            assert!(sizer.size(&repeated).unwrap() <= rule.overlap, "{repeated:?} is repeated");
            assert!(index > 0 && range.start > ranges[index - 1].start);
        }
        end = range.end;
    }
    let rest = characters(text, end..text.chars().count());
    assert!(rest.trim().is_empty(), "{rest:?} is lost");
}

/// The contents make up the visible text, and the range of each reads the same alone.
fn check_html(text: &str, rule: &ChunkRule, sizer: &dyn Sizer, chunks: &[Chunk]) {
    let visible = super::html::read(text, &Characters).unwrap().text;
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for chunk in chunks {
        let from = match ranges.last() {
            None => 0,
            Some(last) if rule.overlap > 0 => last.start + 1,
            Some(last) => last.end,
        };
        let byte = visible.char_indices().nth(from).map_or(visible.len(), |(byte, _)| byte);
        let found = byte + visible[byte..].find(&chunk.content).expect("content is not part of the visible text");
        let start = visible[..found].chars().count();
        ranges.push(start..start + chunk.content.chars().count());
        assert_reads_alone(text, chunk);
    }
    if rule.overlap == 0 {
        check_ranges(&visible, &ranges, rule, sizer);
    }
}

/// The range of `chunk` gives its content, and no shorter range does.
fn assert_reads_alone(text: &str, chunk: &Chunk) {
    let all = rule(usize::MAX, 0, Format::Html);
    let alone = |range: Range<usize>| {
        let chunks = collect(&characters(text, range), &all, &Characters);
        chunks.into_iter().map(|chunk| chunk.content).collect::<Vec<_>>()
    };
    let range = chunk.start..chunk.end;
    if ["<pre", "<xmp", "<listing"].iter().any(|tag| text.contains(tag)) {
        let words = |texts: Vec<String>| texts.concat().split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(alone(range)), words(vec![chunk.content.clone()]));
        return;
    }
    assert_eq!(alone(range.clone()), [chunk.content.as_str()], "{:?}", characters(text, range));
    // A reference may do without its semicolon.
    let is_reference = characters(text, chunk.end - 1..chunk.end) == ";" && !chunk.content.ends_with(';');
    let end = chunk.end - usize::from(is_reference);
    for shorter in [chunk.start + 1..chunk.end, chunk.start..end - 1] {
        assert_ne!(alone(shorter.clone()), [chunk.content.as_str()], "{:?}", characters(text, shorter));
    }
}

#[test]
fn format_has_a_name_for_each_value_and_no_other() {
    for name in Format::NAMES {
        assert_eq!(name.parse::<Format>().unwrap().name(), *name);
    }
    let error = "HTML".parse::<Format>().unwrap_err();
    assert_eq!(error.kind, Kind::InvalidArgument);
    assert_eq!(error.message, "format \"HTML\" does not exist");
    assert_eq!(error.hint.as_deref(), Some("The formats are: plain, markdown, html."));
}

#[test]
fn rule_refuses_sizes_that_cannot_be() {
    assert_eq!(ChunkRule::new(0, 0, Format::Plain).unwrap_err().message, "chunk size must be at least 1");
    let error = ChunkRule::new(5, 5, Format::Plain).unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (Kind::InvalidArgument, "overlap must be smaller than chunk size")
    );
    assert!(ChunkRule::new(5, 4, Format::Plain).is_ok());
    let unchecked = ChunkRule { max_size: 1, overlap: 1, format: Format::Plain };
    assert!(chunk("a", &unchecked, &Characters, &mut |_| Ok(())).is_err());
}
