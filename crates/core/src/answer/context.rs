//! Packs search results into a number of tokens: no text twice, chunks that follow each other as one passage.

use super::on_one_line;
use super::sentence::sentences;
use crate::Result;
use crate::search::neighbours::{ContextChunk, append};
use std::collections::HashSet;
use std::ops::Range;

/// A search result. Offsets are in characters, `end` is the position after the last.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// Which document it is of: equal for those of one document.
    pub document: usize,
    /// Numbers of its first and its last chunk in the document.
    pub ordinals: (i32, i32),
    /// First character in the document.
    pub start: i32,
    /// Position after the last.
    pub end: i32,
    /// The text.
    pub content: &'a str,
}

/// A part of a passage that stands in the document without a gap.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Piece {
    /// Its first byte in the passage.
    pub at: usize,
    /// Its first character in the document.
    pub start: i32,
}

/// One or more search results that follow each other in their document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Passage {
    /// The results, by number, the best first.
    pub hits: Vec<usize>,
    /// Numbers of its first and its last chunk.
    pub ordinals: (i32, i32),
    /// First character in the document.
    pub start: i32,
    /// Position after the last.
    pub end: i32,
    /// The text.
    pub content: String,
    /// Where its parts stand in the document; the first begins with the passage.
    pub pieces: Vec<Piece>,
    /// Its size in tokens.
    pub tokens: usize,
}

impl Passage {
    /// Where the characters of a range of bytes stand in the document. The range must not span the end of a piece.
    pub fn offsets(&self, range: &Range<usize>) -> (i32, i32) {
        let piece = self.pieces.iter().rev().find(|piece| piece.at <= range.start);
        let (at, start) = piece.map_or((0, self.start), |piece| (piece.at, piece.start));
        let count = |range: Range<usize>| self.content.get(range).map_or(0, |text| text.chars().count());
        let start = start.saturating_add(i32::try_from(count(at..range.start)).unwrap_or(i32::MAX));
        (start, start.saturating_add(i32::try_from(count(range.clone())).unwrap_or(i32::MAX)))
    }

    /// The parts of a range of bytes that lie in one piece each.
    pub fn within_pieces(&self, range: &Range<usize>) -> Vec<Range<usize>> {
        let mut cuts: Vec<usize> = self.pieces.iter().map(|piece| piece.at).collect();
        cuts.retain(|at| range.contains(at) && *at > range.start);
        let (mut parts, mut start) = (Vec::new(), range.start);
        for end in cuts.into_iter().chain([range.end]) {
            let text = &self.content[start..end];
            let first = start + (text.len() - text.trim_start().len());
            let part = first..first + text.trim().len();
            parts.extend((!part.is_empty()).then_some(part));
            start = end;
        }
        parts
    }
}

/// Counts the tokens of a text, which is that of a passage whose best result has this number.
pub type Count<'a> = &'a mut dyn FnMut(usize, &str) -> Result<usize>;

/// The results, the best first, that have at most `max_tokens` together, in the order of their best ones. A result that
/// does not fit is left out; the best one of all is cut at the end of a sentence instead, or of a word. Empty if not
/// even that fits.
///
/// # Errors
/// Those of `count`.
pub fn pack(found: &[Found<'_>], max_tokens: usize, count: Count<'_>) -> Result<Vec<Passage>> {
    let mut passages: Vec<Passage> = Vec::new();
    let mut known: HashSet<String> = HashSet::new();
    for (number, hit) in found.iter().enumerate() {
        if !known.insert(on_one_line(hit.content)) {
            continue;
        }
        let touches = |passage: &Passage| {
            found[passage.hits[0]].document == hit.document && touch(passage.ordinals, hit.ordinals)
        };
        let (touching, others): (Vec<&Passage>, Vec<&Passage>) = passages.iter().partition(|passage| touches(passage));
        let mut hits: Vec<usize> =
            touching.iter().flat_map(|passage| passage.hits.iter().copied()).chain([number]).collect();
        hits.sort_unstable();
        let mut merged = merged(found, hits);
        merged.tokens = count(merged.hits[0], &merged.content)?;
        let used: usize = others.iter().map(|passage| passage.tokens).sum();
        if used + merged.tokens <= max_tokens {
            passages.retain(|passage| !touches(passage));
            passages.push(merged);
            passages.sort_by_key(|passage| passage.hits[0]);
        } else if passages.is_empty() {
            passages.extend(shortened(merged, max_tokens, count)?);
            break;
        }
    }
    Ok(passages)
}

/// Whether chunks overlap or follow each other.
fn touch(one: (i32, i32), other: (i32, i32)) -> bool {
    one.0 <= other.1.saturating_add(1) && other.0 <= one.1.saturating_add(1)
}

/// The results `hits`, which touch each other, as one passage.
fn merged(found: &[Found<'_>], hits: Vec<usize>) -> Passage {
    let mut parts: Vec<&Found<'_>> = hits.iter().map(|hit| &found[*hit]).collect();
    parts.sort_by_key(|part| (part.ordinals, part.start));
    let mut passage = Passage {
        hits,
        ordinals: parts[0].ordinals,
        start: parts[0].start,
        end: parts[0].start,
        content: String::new(),
        pieces: Vec::new(),
        tokens: 0,
    };
    for part in parts {
        if !passage.pieces.is_empty() && part.ordinals.1 <= passage.ordinals.1 {
            continue;
        }
        let (before, end) = (passage.content.len(), passage.end);
        let chunk = ContextChunk { ordinal: part.ordinals.0, start: part.start, end: part.end, content: part.content };
        let known = append(&mut passage.content, &chunk, end);
        let added = part.content.len() - known;
        let repeated = i32::try_from(part.content[..known].chars().count()).unwrap_or(i32::MAX);
        // What was there already goes on without a gap, as far as the text is that of the document.
        if passage.pieces.is_empty() || part.start > end || passage.content.len() - before > added {
            let at = passage.content.len() - added;
            passage.pieces.push(Piece { at, start: part.start.saturating_add(repeated) });
        }
        passage.end = end.max(part.end);
        passage.ordinals.1 = passage.ordinals.1.max(part.ordinals.1);
    }
    passage
}

/// The beginning of a passage that fits, up to the end of a sentence; of a word, if the first sentence is too long.
fn shortened(mut passage: Passage, max_tokens: usize, count: Count<'_>) -> Result<Option<Passage>> {
    let content = std::mem::take(&mut passage.content);
    let best = passage.hits[0];
    let of_sentences: Vec<usize> = sentences(&content, false).into_iter().map(|sentence| sentence.range.end).collect();
    let mut last = longest(&content, &of_sentences, &mut |text| Ok(count(best, text)? <= max_tokens))?;
    if last.is_none() {
        let first = of_sentences.first().copied().unwrap_or(content.len());
        let gaps = content[..first].char_indices().filter(|(_, sign)| sign.is_whitespace());
        let of_words: Vec<usize> = gaps.map(|(at, _)| at).filter(|at| *at > 0).collect();
        last = longest(&content, &of_words, &mut |text| Ok(count(best, text)? <= max_tokens))?;
    }
    let Some(end) = last else { return Ok(None) };
    passage.tokens = count(best, &content[..end])?;
    let range = passage.pieces.iter().rev().map(|piece| piece.at).find(|at| *at < end).unwrap_or_default()..end;
    let last = passage.pieces.last().map_or(0, |piece| piece.at)..content.len();
    passage.content = content;
    // The characters of markup are not those of its text: where the text that is left ends in it is not known, and offsets
    // that are too wide are true.
    if passage.offsets(&last).1 == passage.end {
        passage.end = passage.offsets(&range).1;
    }
    passage.content.truncate(end);
    passage.pieces.retain(|piece| piece.at < end);
    Ok(Some(passage))
}

/// The last of the ends up to which a text fits: a longer text has at least as many tokens, but for a few.
fn longest(text: &str, ends: &[usize], fits: &mut dyn FnMut(&str) -> Result<bool>) -> Result<Option<usize>> {
    let (mut low, mut high) = (0, ends.len());
    while low < high {
        let middle = low.midpoint(high);
        if fits(&text[..ends[middle]])? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low.checked_sub(1).map(|last| ends[last]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::{self, Characters, Chunk, ChunkRule, Format};
    use proptest::prelude::*;

    fn hit(document: usize, ordinal: i32, start: i32, content: &str) -> Found<'_> {
        let end = start + content.chars().count() as i32;
        Found { document, ordinals: (ordinal, ordinal), start, end, content }
    }

    fn words(_: usize, text: &str) -> Result<usize> {
        Ok(text.split_whitespace().count())
    }

    fn contents(found: &[Found<'_>], max_tokens: usize) -> Vec<String> {
        pack(found, max_tokens, &mut words).unwrap().into_iter().map(|passage| passage.content).collect()
    }

    #[test]
    fn neighbours_become_one_passage_and_shared_text_stands_once() {
        let found =
            [hit(1, 2, 5, "c d e f"), hit(2, 1, 1, "other text"), hit(1, 1, 1, "a b c d"), hit(1, 4, 20, "far away")];
        let passages = pack(&found, 100, &mut words).unwrap();
        let summary: Vec<_> = passages.iter().map(|passage| (passage.content.as_str(), passage.hits.clone())).collect();
        assert_eq!(summary, [("a b c d e f", vec![0, 2]), ("other text", vec![1]), ("far away", vec![3])]);
        assert_eq!((passages[0].start, passages[0].end, passages[0].ordinals, passages[0].tokens), (1, 12, (1, 2), 6));
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_the_best_is_cut_at_a_sentence() {
        let found = [
            hit(1, 1, 1, "One two three. Four five six."),
            hit(2, 1, 1, "seven eight nine ten"),
            hit(3, 1, 1, "last one"),
        ];
        assert_eq!(contents(&found, 8), ["One two three. Four five six.", "last one"]);
        assert_eq!(contents(&found, 5), ["One two three."]);
        assert_eq!(contents(&found, 2), ["One two"]);
        assert_eq!(contents(&found, 0), Vec::<String>::new());
        let cut = pack(&found, 4, &mut words).unwrap().remove(0);
        assert_eq!((cut.start, cut.end, cut.tokens), (1, 15, 3));
        // Of markup, which is longer than its text.
        let markup = [Found { end: 60, ..hit(1, 1, 1, "One two three. Four five six.") }];
        let cut = pack(&markup, 4, &mut words).unwrap().remove(0);
        assert_eq!((cut.start, cut.end, cut.content.as_str()), (1, 60, "One two three."));
    }

    #[test]
    fn equal_text_comes_once_whatever_its_white_space() {
        let found = [hit(1, 1, 1, "the same  text"), hit(2, 1, 1, "the same text"), hit(3, 1, 1, "another")];
        assert_eq!(contents(&found, 100), ["the same  text", "another"]);
    }

    #[test]
    fn offsets_go_on_after_a_gap() {
        let found = [hit(1, 1, 1, "abé d"), hit(1, 2, 9, "fg hi")];
        let passage = pack(&found, 100, &mut words).unwrap().remove(0);
        assert_eq!(passage.content, "abé d\n\nfg hi");
        assert_eq!(passage.offsets(&(0..4)), (1, 4));
        assert_eq!(passage.offsets(&(11..13)), (12, 14));
        assert_eq!(passage.within_pieces(&(5..13)), [5..6, 8..13]);
    }

    proptest! {
        #[test]
        fn every_part_of_a_passage_stands_at_its_offsets(
            text in "([a-zé]{1,9}[ .\n]{1,3}){1,60}", size in 8..40_usize, overlap in 0..4_usize, order in any::<u64>(), tokens in 1..60_usize,
        ) {
            let rule = ChunkRule::new(size, overlap, Format::Plain).unwrap();
            let mut chunks: Vec<Chunk> = Vec::new();
            chunk::chunk(&text, &rule, &Characters, &mut |chunk| { chunks.push(chunk); Ok(()) }).unwrap();
            let mut found: Vec<Found<'_>> = chunks.iter().zip(1..).map(|(chunk, ordinal)| Found {
                document: 1, ordinals: (ordinal, ordinal), start: chunk.start as i32 + 1, end: chunk.end as i32 + 1, content: &chunk.content,
            }).collect();
            found.sort_by_key(|hit| (hit.ordinals.0 as u64).wrapping_mul(order | 1) >> 7);
            let passages = pack(&found, tokens, &mut words).unwrap();
            prop_assert!(passages.iter().map(|passage| passage.tokens).sum::<usize>() <= tokens);
            let letters: Vec<char> = text.chars().collect();
            for passage in &passages {
                for range in passage.within_pieces(&(0..passage.content.len())) {
                    let (start, end) = passage.offsets(&range);
                    let there: String = letters[start as usize - 1..end as usize - 1].iter().collect();
                    prop_assert_eq!(&passage.content[range], there);
                }
            }
        }
    }
}
