//! Which chunks of an earlier version of a text can stay as they are, so that an edit changes few of them.
//!
//! Chunks are cut one after another, and an edit would move every cut that follows it. Chunks at both ends of the text
//! that still are there stay; only what lies between them is cut anew, their neighbours included: a text that grows by a
//! sentence at a time must not become a heap of chunks of one sentence.

use super::slice;
use std::ops::Range;
use unicode_segmentation::GraphemeCursor;

/// Chunks that stay, as ranges of the text in bytes.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Kept {
    /// From the start of the text on.
    pub head: Vec<Range<usize>>,
    /// Up to the end of the text.
    pub tail: Vec<Range<usize>>,
}

impl Kept {
    /// Compares `text` with the chunks of its earlier version, in their order.
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
        // The neighbours of what changed are cut with it.
        head.pop();
        if !tail.is_empty() {
            tail.remove(0);
        }
        Self { head, tail }
    }

    /// What has to be cut.
    pub(super) fn between(&self, text: &str) -> Range<usize> {
        self.head.last().map_or(0, |last| last.end)..self.tail.first().map_or(text.len(), |first| first.start)
    }
}

/// `chunk` where it goes on from `last`, nothing but white space between them.
fn after(text: &str, last: Option<&Range<usize>>, chunk: &str) -> Option<Range<usize>> {
    let end = last.map_or(0, |last| last.end);
    // A chunk may begin with the end of the last.
    let from = last.map_or(0, |last| last.start + first_length(text, last.start));
    let rest = slice(text, end..text.len());
    let space = rest.len() - rest.trim_start().len();
    let limit = (end + space).saturating_add(chunk.len()).min(text.len());
    let window = text.get(from..limit)?;
    let start = from + window.find(chunk)?;
    let range = start..start + chunk.len();
    (range.end > end && joins(text, end, start) && is_clean(text, &range)).then_some(range)
}

/// `chunk` where `next` goes on from it, nothing but white space between them.
fn before(text: &str, next: Option<&Range<usize>>, chunk: &str) -> Option<Range<usize>> {
    let start = next.map_or(text.len(), |next| next.start);
    let to = next.map_or(text.len(), |next| next.end.saturating_sub(last_length(text, next.end)));
    let space = start - slice(text, 0..start).trim_end().len();
    let limit = (start - space).saturating_sub(chunk.len());
    let window = text.get(limit..to)?;
    let from = limit + window.rfind(chunk)?;
    let range = from..from + chunk.len();
    (range.start < start && joins(text, range.end, start) && is_clean(text, &range)).then_some(range)
}

fn joins(text: &str, end: usize, start: usize) -> bool {
    start <= end || slice(text, end..start).trim().is_empty()
}

fn first_length(text: &str, at: usize) -> usize {
    slice(text, at..text.len()).chars().next().map_or(0, char::len_utf8)
}

fn last_length(text: &str, at: usize) -> usize {
    slice(text, 0..at).chars().next_back().map_or(0, char::len_utf8)
}

/// An accent that was written after a chunk makes its last letter another one.
fn is_clean(text: &str, range: &Range<usize>) -> bool {
    [range.start, range.end]
        .into_iter()
        .all(|at| GraphemeCursor::new(at, text.len(), true).is_boundary(text, 0).unwrap_or_default())
}
