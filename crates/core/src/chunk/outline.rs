//! The headings of a document and which of them hold at an offset. Does not know where headings come from.

use super::{MAX_HEADING_CHARACTERS, slice};
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

struct Heading {
    range: Range<usize>,
    /// 1 to 6.
    level: u8,
    text: String,
    parent: Option<usize>,
    /// Not inside a block quote, a list or the like.
    top: bool,
}

/// The headings of a text in their order, by byte offset.
#[derive(Default)]
pub(super) struct Outline {
    headings: Vec<Heading>,
    /// From an offset on, this heading is the innermost.
    changes: Vec<(usize, Option<usize>)>,
}

/// A state of an outline to return to.
#[derive(Clone, Copy, Default)]
pub(super) struct Mark {
    headings: usize,
    changes: usize,
}

impl Outline {
    /// Adds a heading after all others. One without text is none.
    pub(super) fn push(&mut self, range: Range<usize>, level: u8, text: &str, top: bool) {
        let text = title(text);
        if text.is_empty() {
            return;
        }
        let mut parent = self.innermost();
        while let Some(heading) = parent.and_then(|index| self.headings.get(index)) {
            if heading.level < level {
                break;
            }
            parent = heading.parent;
        }
        self.changes.push((range.start, Some(self.headings.len())));
        self.headings.push(Heading { range, level, text, parent, top });
    }

    /// The innermost heading at the end of what was added.
    pub(super) fn innermost(&self) -> Option<usize> {
        self.changes.last().and_then(|&(_, heading)| heading)
    }

    /// From `at` on, the heading that was innermost before a block quote or the like holds again.
    pub(super) fn restore(&mut self, at: usize, innermost: Option<usize>) {
        if self.innermost() != innermost {
            self.changes.push((at, innermost));
        }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { headings: self.headings.len(), changes: self.changes.len() }
    }

    pub(super) fn truncate(&mut self, mark: Mark) {
        self.headings.truncate(mark.headings);
        self.changes.truncate(mark.changes);
    }

    /// The headings that hold at `at`, outermost first.
    pub(super) fn path(&self, at: usize) -> Vec<String> {
        let next = self.changes.partition_point(|&(from, _)| from <= at);
        let mut innermost = next.checked_sub(1).and_then(|last| self.changes.get(last)).and_then(|change| change.1);
        let mut path = Vec::new();
        while let Some(heading) = innermost.and_then(|index| self.headings.get(index)) {
            path.push(heading.text.clone());
            innermost = heading.parent;
        }
        path.reverse();
        path
    }

    /// Start of the first heading that starts in `range`, in no block quote or the like.
    pub(super) fn first_in(&self, range: &Range<usize>) -> Option<usize> {
        let next = self.headings.partition_point(|heading| heading.range.start < range.start);
        let headings = self.headings.get(next..).unwrap_or_default().iter();
        let mut starts = headings.take_while(|heading| heading.range.start < range.end);
        starts.find(|heading| heading.top).map(|heading| heading.range.start)
    }

    /// Whether a heading starts at `at`.
    pub(super) fn has_heading_at(&self, at: usize) -> bool {
        self.headings.binary_search_by_key(&at, |heading| heading.range.start).is_ok()
    }

    /// The end of `range` of `text` without the headings it ends with: its start if it consists of headings.
    pub(super) fn without_last_headings(&self, text: &str, range: &Range<usize>) -> usize {
        let mut end = range.end;
        let next = self.headings.partition_point(|heading| heading.range.start < range.end);
        for heading in self.headings.get(..next).unwrap_or_default().iter().rev() {
            let after = slice(text, heading.range.end.min(end)..end);
            if !heading.top || heading.range.start < range.start || !after.trim_start().is_empty() {
                break;
            }
            end = heading.range.start;
        }
        if slice(text, range.start..end).trim_start().is_empty() { range.start } else { end }
    }
}

/// The text of a heading on one line, as a path has it.
fn title(text: &str) -> String {
    let mut title = String::new();
    for word in text.split_whitespace() {
        if !title.is_empty() {
            title.push(' ');
        }
        title.push_str(word);
        // What is cut off is not gathered; no character has more than four bytes.
        if title.len() > 4 * MAX_HEADING_CHARACTERS {
            break;
        }
    }
    in_path(&title).to_string()
}

/// A heading as a path has it: cut at a grapheme cluster to [`MAX_HEADING_CHARACTERS`].
pub(crate) fn in_path(heading: &str) -> &str {
    let mut length = 0;
    if heading.len() <= MAX_HEADING_CHARACTERS {
        return heading;
    }
    let past = heading.grapheme_indices(true).find(|(_, cluster)| {
        length += cluster.chars().count();
        length > MAX_HEADING_CHARACTERS
    });
    past.map_or(heading, |(at, _)| slice(heading, 0..at).trim_end())
}
