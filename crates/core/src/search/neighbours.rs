//! Expands hits to passages with the adjacent chunks, without repeating text that chunks share.
//!
//! Works on the chunks of one document, which overlap if the corpus has an overlap. A passage never spans a missing
//! chunk. White space that no chunk contains becomes a line break, or an empty line if it had more than one character.

use std::ops::Range;

/// A chunk of the document. Offsets are in characters (Unicode scalar values), from any base; `end` is the position
/// after the last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ContextChunk<'a> {
    /// Its number in the document.
    pub ordinal: i32,
    /// First character in the document.
    pub start: i32,
    /// The position after the last character.
    pub end: i32,
    /// The characters `start..end` of the document, or what a reader of HTML sees of them.
    pub content: &'a str,
}

/// A chunk that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Its number in the document.
    pub ordinal: i32,
    /// Relevance, greater is better.
    pub score: f64,
}

/// Hits with the text around them.
#[derive(Clone, Debug, PartialEq)]
pub struct Passage {
    /// Positions in the list of hits, best first, equal ones by rising ordinal. Never empty.
    pub hits: Vec<usize>,
    /// Score of the best hit.
    pub score: f64,
    /// Ordinals of the first and the last chunk.
    pub ordinals: (i32, i32),
    /// First character in the document.
    pub start: i32,
    /// The position after the last character.
    pub end: i32,
    /// The text.
    pub content: String,
}

/// Expands each hit by up to `reach` chunks on both sides; with a `reach` of at least 1, passages that overlap or are
/// adjacent are merged and have the score of their best hit. Returns the passages best first, equal ones in document
/// order.
///
/// `parts` are chunks of the document in any order. A passage ends where one is missing; a hit that is not among them
/// is left out.
pub fn passages(hits: &[Hit], parts: &[ContextChunk<'_>], reach: u32) -> Vec<Passage> {
    let mut parts: Vec<&ContextChunk<'_>> = parts.iter().collect();
    parts.sort_by_key(|part| part.ordinal);
    parts.dedup_by_key(|part| part.ordinal);
    let mut places: Vec<(usize, usize)> = hits
        .iter()
        .enumerate()
        .filter_map(|(hit, Hit { ordinal, .. })| {
            Some((parts.binary_search_by_key(ordinal, |part| part.ordinal).ok()?, hit))
        })
        .collect();
    places.sort_unstable();
    let mut windows: Vec<(Range<usize>, Vec<usize>)> = Vec::new();
    for (place, hit) in places {
        let window = window(&parts, place, reach as usize);
        match windows.last_mut() {
            Some((last, hits)) if are_mergeable(&parts, last, &window, reach) => {
                last.end = window.end;
                hits.push(hit);
            }
            _ => windows.push((window, vec![hit])),
        }
    }
    let mut passages: Vec<Passage> =
        windows.into_iter().filter_map(|(window, found)| passage(hits, parts.get(window)?, found)).collect();
    passages.sort_by(|a, b| b.score.total_cmp(&a.score));
    passages
}

/// Up to `reach` chunks on both sides of number `place` that follow each other without a gap.
fn window(parts: &[&ContextChunk<'_>], place: usize, reach: usize) -> Range<usize> {
    let mut window = place..place + 1;
    while window.end - place <= reach && window.end < parts.len() && follows(parts, window.end) {
        window.end += 1;
    }
    while place - window.start < reach && window.start > 0 && follows(parts, window.start) {
        window.start -= 1;
    }
    window
}

/// Whether chunk number `at`, at least 1, is the next after the one before.
fn follows(parts: &[&ContextChunk<'_>], at: usize) -> bool {
    parts[at - 1].ordinal.checked_add(1) == Some(parts[at].ordinal)
}

fn are_mergeable(parts: &[&ContextChunk<'_>], last: &Range<usize>, next: &Range<usize>, reach: u32) -> bool {
    next.start < last.end || reach > 0 && next.start == last.end && follows(parts, next.start)
}

fn passage(hits: &[Hit], parts: &[&ContextChunk<'_>], mut found: Vec<usize>) -> Option<Passage> {
    let (first, last) = (parts.first()?, parts.last()?);
    // They come by rising ordinal, and the sort is stable.
    found.sort_by(|a, b| hits[*b].score.total_cmp(&hits[*a].score));
    let mut content = first.content.to_owned();
    let mut end = first.end;
    for part in &parts[1..] {
        append(&mut content, part, end);
        end = end.max(part.end);
    }
    let score = hits[*found.first()?].score;
    Some(Passage { hits: found, score, ordinals: (first.ordinal, last.ordinal), start: first.start, end, content })
}

/// Appends what `part` adds to a text that ends at `end` of the document. Returns how many bytes of it were there already.
pub(crate) fn append(text: &mut String, part: &ContextChunk<'_>, end: i32) -> usize {
    let known = match i64::from(part.start) - i64::from(end) {
        repeated @ ..0 => overlap(text, part.content, repeated.unsigned_abs()),
        gap => {
            text.push_str(match gap {
                0 => "",
                1 => "\n",
                _ => "\n\n",
            });
            0
        }
    };
    text.push_str(&part.content[known..]);
    known
}

/// Length in bytes of the overlap between the end of `text` and the start of `content`, which share `repeated`
/// characters of the document. For the visible text of markup, that is an upper bound, and the longest match is taken;
/// where such a text repeats itself, the match may be too long and a repetition is lost.
fn overlap(text: &str, content: &str, repeated: u64) -> usize {
    let ends = content.char_indices().map(|(at, character)| at + character.len_utf8());
    let ends: Vec<usize> = ends.take(usize::try_from(repeated).unwrap_or(usize::MAX)).collect();
    ends.into_iter().rev().find(|end| text.ends_with(&content[..*end])).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::{self, Characters, Chunk, ChunkRule, Format};
    use proptest::prelude::*;

    fn part(ordinal: i32, start: i32, content: &str) -> ContextChunk<'_> {
        ContextChunk { ordinal, start, end: start + content.chars().count() as i32, content }
    }

    fn hits(found: &[(i32, f64)]) -> Vec<Hit> {
        found.iter().map(|(ordinal, score)| Hit { ordinal: *ordinal, score: *score }).collect()
    }

    fn contents(passages: &[Passage]) -> Vec<&str> {
        passages.iter().map(|passage| passage.content.as_str()).collect()
    }

    #[test]
    fn text_that_two_chunks_share_stands_once() {
        // 0123456789…, in characters of several bytes, shared ones "cd" and "é".
        let parts = [part(1, 1, "abcd"), part(2, 3, "cdé"), part(3, 5, "éf")];
        let passages = passages(&hits(&[(2, 0.5)]), &parts, 1);
        let expected =
            Passage { hits: vec![0], score: 0.5, ordinals: (1, 3), start: 1, end: 7, content: "abcdéf".into() };
        assert_eq!(passages, [expected]);
    }

    #[test]
    fn repetition_in_the_document_is_kept() {
        let parts = [part(1, 1, "aaaa"), part(2, 4, "aaaa"), part(3, 8, "aa")];
        assert_eq!(contents(&passages(&hits(&[(2, 1.0)]), &parts, 1)), ["aaaaaaaaa"]);
    }

    #[test]
    fn lost_white_space_becomes_a_line_break_or_an_empty_line() {
        let parts = [part(1, 1, "a"), part(2, 2, "b"), part(3, 4, "c"), part(4, 7, "d")];
        assert_eq!(contents(&passages(&hits(&[(1, 1.0)]), &parts, 9)), ["ab\nc\n\nd"]);
    }

    #[test]
    fn what_a_reader_sees_overlaps_as_far_as_it_agrees() {
        // "one <b>two</b>" and "<b>two</b> three": ten characters of the markup are in both, three of the text.
        let parts = [
            ContextChunk { ordinal: 1, start: 1, end: 15, content: "one two" },
            ContextChunk { ordinal: 2, start: 5, end: 21, content: "two three" },
        ];
        assert_eq!(contents(&passages(&hits(&[(1, 1.0)]), &parts, 1)), ["one two three"]);
    }

    #[test]
    fn neighbourhoods_that_touch_are_one_passage_scored_by_the_better() {
        let parts: Vec<ContextChunk<'_>> = (1..=9).map(|ordinal| part(ordinal, ordinal, "x")).collect();
        let found = hits(&[(2, 0.1), (5, 0.9), (9, 0.5)]);
        let passages = passages(&found, &parts, 1);
        let summary: Vec<_> =
            passages.iter().map(|passage| (passage.ordinals, passage.score, passage.hits.clone())).collect();
        assert_eq!(summary, [((1, 6), 0.9, vec![1, 0]), ((8, 9), 0.5, vec![2])]);
    }

    #[test]
    fn without_neighbours_hits_stay_apart_and_come_once() {
        let parts = [part(1, 1, "a"), part(2, 2, "b")];
        let found = hits(&[(2, 0.5), (1, 0.5), (2, 0.7), (4, 1.0)]);
        let passages = passages(&found, &parts, 0);
        assert_eq!(contents(&passages), ["b", "a"]);
        assert_eq!(passages[0].hits, [2, 0]);
    }

    #[test]
    fn a_missing_chunk_is_not_bridged() {
        let parts = [part(4, 4, "d"), part(1, 1, "a"), part(2, 2, "b"), part(5, 5, "e")];
        assert_eq!(contents(&passages(&hits(&[(2, 0.5), (4, 0.7)]), &parts, 3)), ["de", "ab"]);
        assert_eq!(passages(&[], &parts, 3), []);
        assert_eq!(passages(&hits(&[(i32::MAX, 1.0)]), &[part(i32::MAX, 1, "z")], u32::MAX).len(), 1);
    }

    const ENDINGS: [&str; 9] = ["", "a", " ", ". ", "\n\n", "<p>", "</p>", "<b>", "&eacute;"];

    proptest! {
        #[test]
        fn all_chunks_give_back_the_document(
            endings in proptest::collection::vec(0..ENDINGS.len(), 0..60), html: bool,
            (max_size, overlap) in (4..30_usize, 0..4_usize), reach in 0..4_u32,
        ) {
            // Where a text repeats itself, how much of it two chunks of HTML share cannot be known.
            let word = |at: usize| if html { char::from_u32(0x4E00 + at as u32).unwrap() } else { 'a' };
            let text: String = endings.iter().enumerate().map(|(at, ending)| format!("{}{}", word(at), ENDINGS[*ending])).collect();
            let format = if html { Format::Html } else { Format::Plain };
            let cut = |overlap: usize| {
                let mut chunks: Vec<Chunk> = Vec::new();
                let rule = ChunkRule::new(max_size, overlap, format).unwrap();
                chunk::chunk(&text, &rule, &Characters, &mut |chunk| { chunks.push(chunk); Ok(()) }).unwrap();
                chunks
            };
            let chunks = cut(overlap);
            let parts: Vec<ContextChunk<'_>> = chunks.iter().zip(1..).map(|(chunk, ordinal)| {
                ContextChunk { ordinal, start: chunk.start as i32 + 1, end: chunk.end as i32 + 1, content: &chunk.content }
            }).collect();
            let letters = |text: &str| text.split_whitespace().collect::<String>();
            let whole: String = cut(0).iter().map(|chunk| letters(&chunk.content)).collect();
            let one = passages(&hits(&[(1, 1.0)]), &parts, u32::MAX);
            prop_assert_eq!(one.iter().map(|passage| letters(&passage.content)).collect::<String>(), &whole[..]);
            let every: Vec<Hit> = parts.iter().map(|part| Hit { ordinal: part.ordinal, score: 1.0 }).collect();
            let merged = passages(&every, &parts, reach);
            prop_assert_eq!(merged.len(), if reach == 0 { parts.len() } else { parts.len().min(1) });
        }
    }
}
