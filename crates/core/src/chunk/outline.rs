//! The headings of a document, those of its tables included, and the path in force at an offset, for all formats.

use super::{MAX_HEADING_CHARACTERS, slice};
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

struct Heading {
    range: Range<usize>,
    /// 1 to 6.
    level: u8,
    text: String,
    parent: Option<usize>,
    /// Not inside a block quote, a list or another container.
    is_top_level: bool,
}

/// A table whose rows have a header row.
struct Table {
    /// From after the first byte of the header row to the end of the table.
    below: Range<usize>,
    /// The cells of the header row.
    header: String,
}

/// Between the cells of a header row in a path.
const CELL_SEPARATOR: &str = " | ";

/// The headings and tables of a text in their order, by byte offset.
#[derive(Default)]
pub(super) struct Outline {
    headings: Vec<Heading>,
    /// The innermost heading from each offset on, ascending by offset.
    changes: Vec<(usize, Option<usize>)>,
    /// No table contains another.
    tables: Vec<Table>,
}

/// A state of an outline that [`Outline::truncate`] returns to.
#[derive(Clone, Copy, Default)]
pub(super) struct Checkpoint {
    headings: usize,
    changes: usize,
    tables: usize,
}

impl Outline {
    /// Appends a heading. Ignores one without text.
    pub(super) fn push(&mut self, range: Range<usize>, level: u8, text: &str, is_top_level: bool) {
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
        self.headings.push(Heading { range, level, text, parent, is_top_level });
    }

    /// Appends a table; `range` begins with its header row. Ignores one without text in the header row, and one within
    /// the last.
    pub(super) fn push_table<'t>(&mut self, range: Range<usize>, cells: impl Iterator<Item = &'t str>) {
        let mut header = String::new();
        for cell in cells {
            // Enough for the maximum length of a heading.
            if header.len() > 4 * MAX_HEADING_CHARACTERS {
                break;
            }
            header.push_str(if header.is_empty() { "" } else { CELL_SEPARATOR });
            header.push_str(cell.trim());
        }
        let header = title(&header);
        let is_after = self.tables.last().is_none_or(|last| last.below.end <= range.start);
        if is_after && header.contains(char::is_alphanumeric) {
            self.tables.push(Table { below: range.start + 1..range.end, header });
        }
    }

    /// Lets the last table, if it reaches `from`, reach `end`.
    pub(super) fn extend_table(&mut self, from: usize, end: usize) {
        if let Some(table) = self.tables.last_mut().filter(|table| table.below.end >= from) {
            table.below.end = table.below.end.max(end);
        }
    }

    /// The innermost heading after the last change.
    pub(super) fn innermost(&self) -> Option<usize> {
        self.changes.last().and_then(|&(_, heading)| heading)
    }

    /// From `at` on, `innermost` is in force again, as at the end of a block quote.
    pub(super) fn resume(&mut self, at: usize, innermost: Option<usize>) {
        if self.innermost() != innermost {
            self.changes.push((at, innermost));
        }
    }

    /// The current state.
    pub(super) fn checkpoint(&self) -> Checkpoint {
        Checkpoint { headings: self.headings.len(), changes: self.changes.len(), tables: self.tables.len() }
    }

    /// Removes everything added since `checkpoint`.
    pub(super) fn truncate(&mut self, checkpoint: Checkpoint) {
        self.headings.truncate(checkpoint.headings);
        self.changes.truncate(checkpoint.changes);
        self.tables.truncate(checkpoint.tables);
    }

    /// The headings in force at `at`, outermost first; within a table, below its first byte, its header row comes last.
    pub(super) fn path(&self, at: usize) -> Vec<String> {
        let next = self.changes.partition_point(|&(from, _)| from <= at);
        let mut innermost = next.checked_sub(1).and_then(|last| self.changes.get(last)).and_then(|change| change.1);
        let mut path = Vec::new();
        while let Some(heading) = innermost.and_then(|index| self.headings.get(index)) {
            path.push(heading.text.clone());
            innermost = heading.parent;
        }
        path.reverse();
        let table = self.tables.partition_point(|table| table.below.end <= at);
        path.extend(self.tables.get(table).filter(|table| table.below.contains(&at)).map(|table| table.header.clone()));
        path
    }

    /// Start of the first top-level heading that starts in `range`.
    pub(super) fn first_in(&self, range: &Range<usize>) -> Option<usize> {
        let next = self.headings.partition_point(|heading| heading.range.start < range.start);
        let headings = self.headings.get(next..).unwrap_or_default().iter();
        let mut starts = headings.take_while(|heading| heading.range.start < range.end);
        starts.find(|heading| heading.is_top_level).map(|heading| heading.range.start)
    }

    /// Whether a heading starts at `at`.
    pub(super) fn has_heading_at(&self, at: usize) -> bool {
        self.headings.binary_search_by_key(&at, |heading| heading.range.start).is_ok()
    }

    /// The end of `range` of `text` without trailing headings; its start if it consists of headings.
    pub(super) fn without_last_headings(&self, text: &str, range: &Range<usize>) -> usize {
        let mut end = range.end;
        let next = self.headings.partition_point(|heading| heading.range.start < range.end);
        for heading in self.headings.get(..next).unwrap_or_default().iter().rev() {
            let after = slice(text, heading.range.end.min(end)..end);
            if !heading.is_top_level || heading.range.start < range.start || !after.trim_start().is_empty() {
                break;
            }
            end = heading.range.start;
        }
        if slice(text, range.start..end).trim_start().is_empty() { range.start } else { end }
    }
}

/// The text of a heading on one line, cut to [`MAX_HEADING_CHARACTERS`].
fn title(text: &str) -> String {
    let mut title = String::new();
    for word in text.split_whitespace() {
        if !title.is_empty() {
            title.push(' ');
        }
        title.push_str(word);
        // Enough for the maximum number of characters, each of at most four bytes.
        if title.len() > 4 * MAX_HEADING_CHARACTERS {
            break;
        }
    }
    heading_in_path(&title).to_string()
}

/// A heading for a path: cut to [`MAX_HEADING_CHARACTERS`] at a grapheme cluster boundary.
pub(crate) fn heading_in_path(heading: &str) -> &str {
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
