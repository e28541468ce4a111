//! Runs text-splitter over a text in windows, because it walks everything that remains for every chunk, which is
//! quadratic in the length of what it is given.
//!
//! A window holds about [`WINDOW_CHUNKS`] chunks. All but the last are emitted, since the last might have gone on; the
//! next window starts there. Nothing here knows where a text comes from.

use super::fit::Fit;
use super::markdown::Structure;
use super::outline::Outline;
use super::{ChunkRule, Sizer, character_boundary, slice};
use crate::{Error, Kind, Result};
use std::ops::Range;
use text_splitter::{ChunkConfig, MarkdownSplitter, TextSplitter};

/// Chunks per window. Time per byte grows with it, and a chunk per window is lost; 8 to 32 make no difference.
const WINDOW_CHUNKS: usize = 16;
/// Shortest window in bytes: below, what a window costs by itself shows.
const MIN_WINDOW: usize = 256;
/// Longest window in bytes, unless it holds fewer than two chunks: text-splitter takes up to 40 times the memory of it.
const MAX_WINDOW: usize = 1 << 21;
/// Longest window in bytes that is parsed as Markdown, which takes up to 100 times the memory of it. Only chunks of
/// hundreds of kilobytes need longer ones.
const MAX_MARKDOWN_WINDOW: usize = 1 << 20;

/// Takes the range of a chunk in bytes and its size.
pub(super) type EmitRange<'e> = &'e mut dyn FnMut(Range<usize>, usize) -> Result<()>;

/// The chunks of one text.
pub(super) struct Windows<'a> {
    text: &'a str,
    rule: &'a ChunkRule,
    sizer: &'a dyn Sizer,
    outline: &'a Outline,
    /// Present for Markdown.
    structure: Option<&'a Structure>,
    /// End of the last chunk.
    end: usize,
}

impl<'a> Windows<'a> {
    pub(super) fn new(
        text: &'a str,
        rule: &'a ChunkRule,
        sizer: &'a dyn Sizer,
        outline: &'a Outline,
        structure: Option<&'a Structure>,
    ) -> Self {
        Self { text, rule, sizer, outline, structure, end: 0 }
    }

    /// Emits every chunk of the text.
    pub(super) fn run(mut self, emit: EmitRange<'_>) -> Result<()> {
        // A token of two bytes at the least: the first window shows how long chunks really are.
        let shortest = self.rule.max_size.max(MIN_WINDOW);
        let longest = self.rule.max_size.saturating_mul(2).max(MAX_WINDOW);
        let mut length = self.rule.max_size.saturating_mul(WINDOW_CHUNKS).clamp(shortest, longest);
        let mut start = 0;
        while start < self.text.len() {
            self.sizer.size("")?;
            let window = start..character_boundary(self.text, start.saturating_add(length));
            let short = self.structure.filter(|_| window.len() <= MAX_MARKDOWN_WINDOW);
            let markdown = short.filter(|structure| structure.applies(self.text, &window));
            let fit = Fit::new(self.text, window.clone(), self.rule, self.sizer, self.structure.is_some());
            if window.end == self.text.len() && fit.size(fit.trim(window.clone()))? <= self.rule.max_size {
                return self.cut(&fit, fit.trim(window), emit);
            }
            let spans = self.spans(&fit, &window, markdown.is_some())?;
            let settled = if window.end == self.text.len() { spans.len() } else { self.settled(&fit, start, &spans) };
            let next = self.accept(&fit, &spans, settled, emit)?.unwrap_or(window.end);
            if next == start {
                length = length.saturating_mul(2);
            } else {
                let bytes: usize = spans.iter().map(Range::len).sum();
                length = (bytes / spans.len().max(1)).saturating_mul(WINDOW_CHUNKS).clamp(shortest, longest);
                start = next;
            }
        }
        Ok(())
    }

    /// What text-splitter makes of a window, moved to grapheme boundaries.
    fn spans(&self, fit: &Fit<'_>, window: &Range<usize>, markdown: bool) -> Result<Vec<Range<usize>>> {
        let text = slice(self.text, window.clone());
        let config = ChunkConfig::new(self.rule.max_size)
            .with_sizer(fit)
            .with_trim(false)
            .with_overlap(self.rule.overlap)
            .map_err(|error| Error::new(Kind::Bug, error.to_string()))?;
        let mut spans: Vec<Range<usize>> = Vec::new();
        let mut add = |item: Result<(usize, &str)>| -> Result<()> {
            let (offset, piece) = item?;
            let end = fit.floor(window.start + offset + piece.len());
            let last_end = spans.last().map_or(window.start, |last| last.end);
            if end > last_end {
                spans.push(fit.floor(window.start + offset).min(last_end)..end);
            }
            Ok(())
        };
        if markdown {
            MarkdownSplitter::new(config).try_chunk_indices(text).try_for_each(&mut add)?;
        } else {
            TextSplitter::new(config).try_chunk_indices(text).try_for_each(&mut add)?;
        }
        Ok(spans)
    }

    /// How many spans of a window that is not the last can be emitted; 0 asks for a longer window.
    fn settled(&self, fit: &Fit<'_>, start: usize, spans: &[Range<usize>]) -> usize {
        let last = spans.len().saturating_sub(1);
        let begins = |index: usize| spans.get(index).map(|span| fit.trim(span.clone()).start);
        let advances = |index: usize| spans.get(index).is_some_and(|span| span.start > start);
        let preferred = self.structure.and_then(|structure| match structure.end_of_fence(start) {
            Some(end) => (1..last).find(|&index| begins(index) >= Some(end)),
            None => (last / 2..=last).rev().find(|&index| begins(index).is_some_and(|at| structure.is_anchor(at))),
        });
        preferred.filter(|&index| advances(index)).unwrap_or(if advances(last) { last } else { 0 })
    }

    /// Emits the first `settled` spans. Returns where the next window starts, nothing if at the end of this one.
    fn accept(
        &mut self,
        fit: &Fit<'_>,
        spans: &[Range<usize>],
        settled: usize,
        emit: EmitRange<'_>,
    ) -> Result<Option<usize>> {
        for (index, span) in spans.iter().take(settled).enumerate() {
            let range = fit.trim(span.clone());
            let headings = self.outline.without_last_headings(self.text, &range).map(|end| fit.floor(end));
            match headings.filter(|&end| index + 1 < spans.len() && end > span.start) {
                // A heading goes with what it announces.
                Some(end) => {
                    self.cut(fit, fit.trim(range.start..end), emit)?;
                    return Ok(Some(end));
                }
                None => self.cut(fit, range, emit)?,
            }
        }
        Ok(spans.get(settled).map(|span| span.start))
    }

    /// Emits `range`, once it repeats no more than it may and is not too large, as one chunk or several.
    fn cut(&mut self, fit: &Fit<'_>, mut range: Range<usize>, emit: EmitRange<'_>) -> Result<()> {
        if range.start < self.end && fit.size(range.start..self.end.min(range.end))? > self.rule.overlap {
            range = fit.trim(self.end.min(range.end)..range.end);
        }
        while range.end > self.end && !range.is_empty() {
            let piece = fit.longest(&range)?;
            emit(piece.clone(), fit.size(piece.clone())?)?;
            self.end = piece.end;
            range = fit.trim(piece.end..range.end);
        }
        Ok(())
    }
}
