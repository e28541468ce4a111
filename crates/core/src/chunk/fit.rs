//! Stands between text-splitter and the sizer of the caller, so that every cut text-splitter considers is a cut we make:
//! it is moved to a grapheme boundary and trimmed before it is measured.
//!
//! A single grapheme cluster is reported to fit, always, which keeps text-splitter from going down to characters. Sizes
//! that matter to the caller are never estimated.

use super::grapheme::Clusters;
use super::{ChunkRule, Sizer, slice};
use crate::{Error, Result};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::Range;
use text_splitter::TryChunkSizer;

/// The measure of one window of a text. All offsets are bytes of the whole text.
pub(super) struct Fit<'a> {
    text: &'a str,
    rule: &'a ChunkRule,
    sizer: &'a dyn Sizer,
    clusters: Clusters,
    indentation: bool,
    sizes: RefCell<HashMap<Range<usize>, usize>>,
    /// A range that is far too large, with its size. What starts there and goes farther need not be measured.
    too_large: Cell<Option<(usize, usize, usize)>>,
}

impl<'a> Fit<'a> {
    /// Measures `window` of `text`. With `indentation`, the first of several lines keeps its indentation.
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

    /// `range` without the white space around it. White space that is part of a cluster with something else stays.
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

    /// The size of `range` as the sizer sees it.
    pub(super) fn size(&self, range: Range<usize>) -> Result<usize> {
        if let Some(&size) = self.sizes.borrow().get(&range) {
            return Ok(size);
        }
        let size = self.sizer.size(slice(self.text, range.clone()))?;
        self.sizes.borrow_mut().insert(range, size);
        Ok(size)
    }

    /// The longest beginning of `range` that fits, at least one grapheme cluster. Everything, normally: text-splitter
    /// takes a text for small enough, unmeasured, that has no more bytes than the size allows tokens.
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

    /// What text-splitter is to believe about `range`.
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
        // Beyond 5/4 text-splitter itself no longer expects a longer text to fit.
        if size > self.rule.max_size.saturating_add(self.rule.max_size / 4).saturating_add(1) {
            self.too_large.set(Some((range.start, range.end, size)));
        }
        Ok(size)
    }

    /// The measure of what goes on at `next` from `start..next`, without the size of that, and the room there is, which
    /// is not 0.
    pub(super) fn after(&self, start: usize, next: usize) -> Result<Option<(FitAfter<'_>, usize)>> {
        let used = self.size(start..next)?;
        let room = self.rule.max_size.checked_sub(used).filter(|&room| room > 0);
        Ok(room.map(|room| (FitAfter { fit: self, start, next, used }, room)))
    }

    /// The place of `chunk` in the text. text-splitter passes pieces of the text it was given, never copies.
    fn locate(&self, chunk: &str) -> Option<Range<usize>> {
        let start = chunk.as_ptr().addr().checked_sub(self.text.as_ptr().addr())?;
        Some(start..start + chunk.len()).filter(|range| range.end <= self.text.len())
    }
}

impl TryChunkSizer for &Fit<'_> {
    type Error = Error;

    fn try_size(&self, chunk: &str) -> Result<usize> {
        self.locate(chunk).map_or_else(|| self.sizer.size(chunk), |range| self.reported(range))
    }
}

/// The measure of a text that goes on from one that is already there.
pub(super) struct FitAfter<'a> {
    fit: &'a Fit<'a>,
    start: usize,
    next: usize,
    used: usize,
}

impl TryChunkSizer for FitAfter<'_> {
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
