//! Adapter between text-splitter and the sizer of the caller. Every candidate range is moved to grapheme cluster
//! boundaries and trimmed before it is measured, so that text-splitter measures exactly the chunks that are emitted.
//!
//! A single grapheme cluster is always reported to fit, which keeps text-splitter from splitting it into characters.
//! Sizes that are returned to the caller are never estimated.

use super::grapheme::Clusters;
use super::{ChunkRule, Sizer, slice};
use crate::{Error, Result};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::Range;
use text_splitter::TryChunkSizer;

/// Measures ranges in one window of a text. All offsets are bytes of the whole text.
pub(super) struct WindowSizer<'a> {
    text: &'a str,
    rule: &'a ChunkRule,
    sizer: &'a dyn Sizer,
    clusters: Clusters,
    indentation: bool,
    sizes: RefCell<HashMap<Range<usize>, usize>>,
    /// Start, end and size of a range that is far too large: longer ranges with the same start need not be measured.
    too_large: Cell<Option<(usize, usize, usize)>>,
}

impl<'a> WindowSizer<'a> {
    /// A sizer for `window` of `text`. With `indentation`, trimming keeps the indentation of the first of several
    /// lines.
    pub(super) fn new(
        text: &'a str,
        window: Range<usize>,
        rule: &'a ChunkRule,
        sizer: &'a dyn Sizer,
        indentation: bool,
    ) -> Self {
        let clusters = Clusters::new(text, window);
        Self { text, rule, sizer, clusters, indentation, sizes: RefCell::default(), too_large: Cell::new(None) }
    }

    /// The last grapheme boundary at or before `at`.
    pub(super) fn floor(&self, at: usize) -> usize {
        self.clusters.floor(at)
    }

    /// `range` without the white space around it, except white space inside a grapheme cluster with another character.
    pub(super) fn trim(&self, range: Range<usize>) -> Range<usize> {
        let text = slice(self.text, range.clone());
        let trimmed = text.trim_start();
        if trimmed.is_empty() {
            return range.start..range.start;
        }
        let mut start = self.clusters.floor(range.end - trimmed.len()).max(range.start);
        let end = self.clusters.ceiling(range.end - trimmed.len() + trimmed.trim_end().len()).min(range.end);
        if self.indentation && slice(self.text, start..end).contains(['\n', '\r']) {
            let line = slice(self.text, range.start..start);
            match line.rfind(['\n', '\r']) {
                Some(newline) => start = range.start + newline + 1,
                None if slice(self.text, 0..range.start).ends_with(['\n', '\r']) || range.start == 0 => {
                    start = range.start;
                }
                None => {}
            }
        }
        start..end
    }

    fn is_single(&self, range: &Range<usize>) -> bool {
        self.clusters.end_of_first(self.text, range.start) >= range.end
    }

    /// The size of `range` in the unit of the sizer.
    pub(super) fn size(&self, range: Range<usize>) -> Result<usize> {
        if let Some(&size) = self.sizes.borrow().get(&range) {
            return Ok(size);
        }
        let size = self.sizer.size(slice(self.text, range.clone()))?;
        self.sizes.borrow_mut().insert(range, size);
        Ok(size)
    }

    /// The longest prefix of `range` that fits, at least one grapheme cluster. Usually all of it; but text-splitter
    /// does not measure a text that has no more bytes than the maximum size has tokens.
    pub(super) fn longest(&self, range: &Range<usize>) -> Result<Range<usize>> {
        let fits = |end: usize| -> Result<bool> {
            let part = self.trim(range.start..end);
            Ok(self.size(part)? <= self.rule.max_size)
        };
        if self.is_single(range) || fits(range.end)? {
            return Ok(range.clone());
        }
        let ends = self.boundaries(range);
        let (mut low, mut high) = (0, ends.len());
        while low + 1 < high {
            let middle = low.midpoint(high);
            if fits(ends.get(middle).copied().unwrap_or(range.end))? {
                low = middle;
            } else {
                high = middle;
            }
        }
        let end = ends.get(low).copied().unwrap_or(range.end);
        let space = slice(self.text, range.start..end).rfind(char::is_whitespace).map(|space| range.start + space);
        match space.map(|space| self.trim(range.start..self.clusters.floor(space))) {
            Some(words) if !words.is_empty() && self.size(words.clone())? <= self.rule.max_size => Ok(words),
            _ => Ok(self.trim(range.start..end)),
        }
    }

    /// The ends of the grapheme clusters of `range`.
    fn boundaries(&self, range: &Range<usize>) -> Vec<usize> {
        let next = |&at: &usize| (at < range.end).then(|| self.clusters.end_of_first(self.text, at));
        std::iter::successors(next(&range.start), next).take_while(|&end| end <= range.end).collect()
    }

    /// The size of `range` as reported to text-splitter.
    fn reported(&self, range: Range<usize>) -> Result<usize> {
        let range = self.trim(self.clusters.floor(range.start)..self.clusters.floor(range.end));
        if range.is_empty() {
            return Ok(0);
        }
        if let Some((start, end, size)) = self.too_large.get()
            && start == range.start
            && end <= range.end
        {
            return Ok(size);
        }
        let size = self.size(range.clone())?;
        if self.is_single(&range) {
            return Ok(size.min(self.rule.max_size));
        }
        // Beyond 5/4 of the maximum, text-splitter itself no longer expects a longer text to fit.
        if size > self.rule.max_size.saturating_add(self.rule.max_size / 4).saturating_add(1) {
            self.too_large.set(Some((range.start, range.end, size)));
        }
        Ok(size)
    }

    /// A sizer for text at `next` that is appended to `start..next`, and the remaining size, which is at least 1;
    /// `None` if nothing remains.
    pub(super) fn continuation(&self, start: usize, next: usize) -> Result<Option<(ContinuationSizer<'_>, usize)>> {
        let used = self.size(start..next)?;
        let room = self.rule.max_size.checked_sub(used).filter(|&room| room > 0);
        Ok(room.map(|room| (ContinuationSizer { fit: self, start, next, used }, room)))
    }

    /// The range of `chunk` in the text. text-splitter passes slices of the text it was given, never copies.
    fn locate(&self, chunk: &str) -> Option<Range<usize>> {
        let start = chunk.as_ptr().addr().checked_sub(self.text.as_ptr().addr())?;
        Some(start..start + chunk.len()).filter(|range| range.end <= self.text.len())
    }
}

impl TryChunkSizer for &WindowSizer<'_> {
    type Error = Error;

    fn try_size(&self, chunk: &str) -> Result<usize> {
        self.locate(chunk).map_or_else(|| self.sizer.size(chunk), |range| self.reported(range))
    }
}

/// Measures text that continues a range, by how much the range grows.
pub(super) struct ContinuationSizer<'a> {
    fit: &'a WindowSizer<'a>,
    start: usize,
    next: usize,
    used: usize,
}

impl TryChunkSizer for ContinuationSizer<'_> {
    type Error = Error;

    fn try_size(&self, chunk: &str) -> Result<usize> {
        match self.fit.locate(chunk) {
            Some(range) if range.start == self.next => {
                Ok(self.fit.reported(self.start..range.end)?.saturating_sub(self.used))
            }
            _ => self.fit.try_size(chunk),
        }
    }
}
