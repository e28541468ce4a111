//! Incremental chunking: finds the chunks of the previous version of a text that remain valid, so that an edit changes
//! few.
//!
//! Chunk boundaries depend on those before them, so an edit would move all that follow it. Therefore the chunks at both
//! ends of the text that still occur there are reused, and only the text between them is cut again, including the
//! neighbours of the change: a text that grows by one sentence at a time must not end up with one chunk per sentence.

use super::slice;
use std::ops::Range;
use unicode_segmentation::GraphemeCursor;

/// Reusable chunks, as byte ranges of the new text.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Unchanged {
    /// A contiguous sequence from the start of the text.
    pub head: Vec<Range<usize>>,
    /// A contiguous sequence up to the end of the text.
    pub tail: Vec<Range<usize>>,
}

impl Unchanged {
    /// Compares `text` with the chunks of its previous version, which are in the order of the text.
    pub(super) fn find(text: &str, previous: &[&str]) -> Self {
        let mut head: Vec<Range<usize>> = Vec::new();
        for chunk in previous {
            let Some(next) = after(text, head.last(), chunk) else { break };
            head.push(next);
        }
        let end = head.last().map_or(0, |last| last.end);
        if head.len() == previous.len() && slice(text, end..text.len()).trim().is_empty() {
            return Self { head, tail: Vec::new() };
        }
        let mut tail: Vec<Range<usize>> = Vec::new();
        for chunk in previous.get(head.len()..).unwrap_or_default().iter().rev() {
            match before(text, tail.last(), chunk).filter(|next| next.start >= end) {
                Some(next) => tail.push(next),
                None => break,
            }
        }
        tail.reverse();
        // The neighbours of the change are cut again with it.
        head.pop();
        if !tail.is_empty() {
            tail.remove(0);
        }
        Self { head, tail }
    }

    /// The byte range that has to be cut again.
    pub(super) fn between(&self, text: &str) -> Range<usize> {
        self.head.last().map_or(0, |last| last.end)..self.tail.first().map_or(text.len(), |first| first.start)
    }
}

/// The range of `chunk` after `last`, if at most white space lies between them.
fn after(text: &str, last: Option<&Range<usize>>, chunk: &str) -> Option<Range<usize>> {
    let end = last.map_or(0, |last| last.end);
    // A chunk may overlap the previous one.
    let from = last.map_or(0, |last| last.start + first_character_length(text, last.start));
    let rest = slice(text, end..text.len());
    let space = rest.len() - rest.trim_start().len();
    let limit = (end + space).saturating_add(chunk.len()).min(text.len());
    let window = text.get(from..limit)?;
    let start = from + window.find(chunk)?;
    let range = start..start + chunk.len();
    (range.end > end && is_adjacent(text, end, start) && is_at_cluster_boundaries(text, &range)).then_some(range)
}

/// The range of `chunk` before `next`, if at most white space lies between them.
fn before(text: &str, next: Option<&Range<usize>>, chunk: &str) -> Option<Range<usize>> {
    let start = next.map_or(text.len(), |next| next.start);
    let to = next.map_or(text.len(), |next| next.end.saturating_sub(last_character_length(text, next.end)));
    let space = start - slice(text, 0..start).trim_end().len();
    let limit = (start - space).saturating_sub(chunk.len());
    let window = text.get(limit..to)?;
    let from = limit + window.rfind(chunk)?;
    let range = from..from + chunk.len();
    (range.start < start && is_adjacent(text, range.end, start) && is_at_cluster_boundaries(text, &range))
        .then_some(range)
}

/// Whether at most white space lies between `end` and `start`.
fn is_adjacent(text: &str, end: usize, start: usize) -> bool {
    start <= end || slice(text, end..start).trim().is_empty()
}

fn first_character_length(text: &str, at: usize) -> usize {
    slice(text, at..text.len()).chars().next().map_or(0, char::len_utf8)
}

fn last_character_length(text: &str, at: usize) -> usize {
    slice(text, 0..at).chars().next_back().map_or(0, char::len_utf8)
}

/// Whether both ends are grapheme cluster boundaries: a combining mark inserted after a chunk changes its last
/// character.
fn is_at_cluster_boundaries(text: &str, range: &Range<usize>) -> bool {
    [range.start, range.end]
        .into_iter()
        .all(|at| GraphemeCursor::new(at, text.len(), true).is_boundary(text, 0).unwrap_or_default())
}
