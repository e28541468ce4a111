//! Runs text-splitter over a text in windows, because it visits all of the remaining text for each chunk, which takes
//! time quadratic in the length of its input.
//!
//! A window contains about [`WINDOW_CHUNKS`] chunks. All but the last are emitted; the last might continue, so the next
//! window starts with it. Independent of the format but for the optional [`Structure`] of Markdown.

use super::grapheme::form_one_cluster;
use super::incremental::Unchanged;
use super::markdown::Structure;
use super::markdown_limits::catch_parser_panic;
use super::outline::Outline;
use super::window_sizer::WindowSizer;
use super::{ChunkRule, Sizer, character_boundary, slice};
use crate::{Error, Kind, Result};
use std::ops::Range;
use text_splitter::{ChunkConfig, MarkdownSplitter, TextSplitter};

/// Chunks per window. Time per byte grows with it, and a chunk per window is lost; 8 to 32 make no difference.
const WINDOW_CHUNKS: usize = 16;
/// Shortest window in bytes; below, the fixed cost per window dominates.
const MIN_WINDOW: usize = 256;
/// Longest window in bytes, unless it holds fewer than two chunks: text-splitter takes up to 40 times the memory of it.
const MAX_WINDOW: usize = 1 << 21;
/// Longest window in bytes that is parsed as Markdown, which takes up to 100 times the memory of it. Only chunks of
/// hundreds of kilobytes need longer ones.
const MAX_MARKDOWN_WINDOW: usize = 1 << 20;

/// A chunk of at most 1/8 of the maximum size is sparse: the text after it may be cut to fill it.
const SPARSE_FRACTION: usize = 8;
/// A run of more white space characters other than U+0020 ends a chunk, even if it has few tokens: text-splitter takes
/// each for a word, and each of them in turn for the start of an overlap.
const MAX_GAP: usize = 16;
/// A run of more white space of any kind, in bytes, ends a chunk, too.
const MAX_SPACES: usize = 1024;

/// Receives the byte range of a chunk and its size.
pub(super) type EmitRange<'e> = &'e mut dyn FnMut(Range<usize>, usize) -> Result<()>;

/// A part of a text. `is_last`: its last chunk ends with it.
struct Window {
    range: Range<usize>,
    is_last: bool,
}

/// Ranges that become chunks, and the start of the next window if the rest of this one is discarded.
struct Spans {
    spans: Vec<Range<usize>>,
    next: Option<usize>,
}

/// Where a chunk should end.
enum End {
    /// Where text-splitter ends it.
    Same,
    /// At this byte offset.
    At(usize),
    /// Possibly beyond the end of the window.
    Beyond,
}

/// Cuts one text into chunks.
pub(super) struct Windows<'a> {
    text: &'a str,
    rule: &'a ChunkRule,
    sizer: &'a dyn Sizer,
    outline: &'a Outline,
    /// `None` for formats other than Markdown.
    structure: Option<&'a Structure>,
    /// Range of the chunk emitted last.
    last: Range<usize>,
}

impl<'a> Windows<'a> {
    pub(super) fn new(
        text: &'a str,
        rule: &'a ChunkRule,
        sizer: &'a dyn Sizer,
        outline: &'a Outline,
        structure: Option<&'a Structure>,
    ) -> Self {
        Self { text, rule, sizer, outline, structure, last: 0..0 }
    }

    /// Emits all chunks of the text, reusing those of `previous` that are still valid.
    pub(super) fn run(mut self, previous: &[&str], emit: EmitRange<'_>) -> Result<()> {
        let unchanged = Unchanged::find(self.text, previous);
        let between = unchanged.between(self.text);
        for range in unchanged.head {
            self.emit_unchanged(range, emit)?;
        }
        let whole = self.text;
        self.text = slice(whole, 0..between.end);
        self.cut_from(between.start, emit)?;
        self.text = whole;
        for range in unchanged.tail {
            self.emit_unchanged(range, emit)?;
        }
        Ok(())
    }

    /// Emits a reused chunk.
    fn emit_unchanged(&mut self, range: Range<usize>, emit: EmitRange<'_>) -> Result<()> {
        let size = self.sizer.size(slice(self.text, range.clone()))?;
        self.last = range.clone();
        emit(range, size)
    }

    fn cut_from(&mut self, mut start: usize, emit: EmitRange<'_>) -> Result<()> {
        let shortest = self.rule.max_size.max(MIN_WINDOW);
        let longest = self.rule.max_size.saturating_mul(2).max(MAX_WINDOW);
        // Assumes one byte per token at first; later windows use the average length of the chunks so far.
        let mut length = self.rule.max_size.saturating_mul(WINDOW_CHUNKS).clamp(shortest, longest);
        loop {
            self.sizer.size("")?;
            start += skippable_white_space(slice(self.text, start..self.text.len()));
            if start == self.text.len() {
                return Ok(());
            }
            let end = character_boundary(self.text, start.saturating_add(length));
            let gap = gap(slice(self.text, start..end)).map_or(end, |gap| start + gap);
            let range = start..self.heading_after_fence(start..gap).unwrap_or(gap);
            let window = Window { range: range.clone(), is_last: range.end < end || end == self.text.len() };
            let sizer = WindowSizer::new(self.text, range.clone(), self.rule, self.sizer, self.structure.is_some());
            if window.is_last && sizer.size(sizer.trim(range.clone()))? <= self.rule.max_size {
                self.emit_span(&sizer, sizer.trim(range.clone()), emit)?;
                start = range.end;
                continue;
            }
            let Spans { mut spans, next } = self.spans(&sizer, &window)?;
            let next = next.unwrap_or_else(|| {
                let (settled, end) = if window.is_last {
                    (spans.len(), range.end)
                } else {
                    (self.settled(&sizer, start, &spans), start)
                };
                let next = spans.get(settled).map_or(end, |span| span.start);
                spans.truncate(settled);
                next
            });
            for span in &spans {
                self.emit_span(&sizer, sizer.trim(span.clone()), emit)?;
            }
            if next == start {
                length = length.saturating_mul(2);
            } else {
                let bytes: usize = spans.iter().map(Range::len).sum();
                length = (bytes / spans.len().max(1)).saturating_mul(WINDOW_CHUNKS).clamp(shortest, longest);
                start = next;
            }
        }
    }

    /// If `range` starts inside fenced code, the first heading after that code: until there, text-splitter cannot
    /// recognise headings.
    fn heading_after_fence(&self, range: Range<usize>) -> Option<usize> {
        let fence = self.structure?.end_of_fence(range.start)?;
        let heading = self.outline.first_in(&(fence..range.end))?;
        slice(self.text, range.start..heading).ends_with(['\n', '\r']).then_some(heading)
    }

    /// Splits a window with text-splitter.
    fn spans(&self, sizer: &WindowSizer<'_>, window: &Window) -> Result<Spans> {
        let text = slice(self.text, window.range.clone());
        let config = || {
            let config = ChunkConfig::new(self.rule.max_size).with_sizer(sizer).with_trim(false);
            config.with_overlap(self.rule.overlap).map_err(|error| Error::new(Kind::Bug, error.to_string()))
        };
        let short = self.structure.filter(|_| text.len() <= MAX_MARKDOWN_WINDOW);
        if short.is_some_and(|structure| structure.applies(self.text, &window.range)) {
            let splitter = MarkdownSplitter::new(config()?);
            if let Some(pieces) = catch_parser_panic(|| splitter.try_chunk_indices(text)) {
                return self.collect(sizer, window, pieces);
            }
        }
        self.collect(sizer, window, TextSplitter::new(config()?).try_chunk_indices(text))
    }

    /// Moves pieces of a window to grapheme cluster boundaries, up to the first that should end elsewhere.
    fn collect<'t>(
        &self,
        sizer: &WindowSizer<'_>,
        window: &Window,
        pieces: impl Iterator<Item = Result<(usize, &'t str)>>,
    ) -> Result<Spans> {
        let start = window.range.start;
        let mut spans: Vec<Range<usize>> = Vec::new();
        for piece in pieces {
            let (offset, piece) = piece?;
            let end = sizer.floor(start + offset + piece.len());
            let last_end = spans.last().map_or(start, |last| last.end);
            if end <= last_end {
                continue;
            }
            if let Some(last) = spans.last_mut() {
                match self.better_end(sizer, last, window)? {
                    End::Same => {}
                    End::At(end) => {
                        last.end = end;
                        return Ok(Spans { spans, next: Some(end) });
                    }
                    End::Beyond => {
                        let next = Some(last.start);
                        spans.pop();
                        return Ok(Spans { spans, next });
                    }
                }
            }
            spans.push(sizer.floor(start + offset).min(last_end)..end);
        }
        Ok(Spans { spans, next: None })
    }

    /// Number of spans of a window that can be emitted, if it is not the last one; 0 requests a longer window.
    fn settled(&self, sizer: &WindowSizer<'_>, start: usize, spans: &[Range<usize>]) -> usize {
        let last = spans.len().saturating_sub(1);
        let begins = |index: usize| spans.get(index).map(|span| sizer.trim(span.clone()).start);
        let advances = |index: usize| spans.get(index).is_some_and(|span| span.start > start);
        let preferred = self.structure.and_then(|structure| match structure.end_of_fence(start) {
            Some(end) => (1..last).find(|&index| begins(index) >= Some(end)),
            None => {
                (last / 2..=last).rev().find(|&index| begins(index).is_some_and(|at| structure.is_restart_point(at)))
            }
        });
        preferred.filter(|&index| advances(index)).unwrap_or(if advances(last) { last } else { 0 })
    }

    /// Where `span`, which is not the last of `window`, should end.
    ///
    /// A heading belongs to the text after it, so it must neither end a chunk nor be one by itself. More generally,
    /// text-splitter would rather leave a title, "For example:" or "```rust" alone than cut the text after it.
    fn better_end(&self, sizer: &WindowSizer<'_>, span: &Range<usize>, window: &Window) -> Result<End> {
        let range = sizer.trim(span.clone());
        let body = sizer.floor(self.outline.without_last_headings(self.text, &range));
        // Unless little would remain: a sequence of headings is a table of contents.
        if body < range.end && slice(self.text, range.start..body).trim_end().len() > range.len() / 2 {
            return Ok(End::At(body));
        }
        let rest = slice(self.text, range.end..window.range.end).trim_start();
        let next = sizer.floor(window.range.end - rest.len());
        let sparse = body == range.start
            || (!self.outline.has_heading_at(next)
                && sizer.size(range.clone())? <= self.rule.max_size / SPARSE_FRACTION);
        if !sparse || range.is_empty() {
            return Ok(End::Same);
        }
        let Some((rest_sizer, room)) = sizer.continuation(range.start, next)? else { return Ok(End::Same) };
        let config = ChunkConfig::new(room).with_sizer(rest_sizer).with_trim(false);
        let rest = slice(self.text, next..window.range.end);
        let Some(more) = TextSplitter::new(config).try_chunk_indices(rest).next() else { return Ok(End::Same) };
        let (offset, more) = more?;
        let end = sizer.floor(next + offset + more.len());
        if end == window.range.end && !window.is_last {
            return Ok(End::Beyond);
        }
        let filled = sizer.trim(range.start..end);
        let fits = filled.end > range.end && sizer.size(filled)? <= self.rule.max_size;
        Ok(if fits { End::At(end) } else { End::Same })
    }

    /// Emits `range` as one chunk, or as several if it is too large, without the part of the last chunk that it must
    /// not repeat.
    fn emit_span(&mut self, sizer: &WindowSizer<'_>, mut range: Range<usize>, emit: EmitRange<'_>) -> Result<()> {
        let last = self.last.clone();
        if range.end <= last.end {
            return Ok(());
        }
        if range.start < last.end
            && (range.start <= last.start
                || sizer.size(range.start..last.end)? > self.rule.overlap
                || sizer.size(range.clone())? > self.rule.max_size)
        {
            range = sizer.trim(last.end..range.end);
        }
        while !range.is_empty() {
            let piece = sizer.longest(&range)?;
            emit(piece.clone(), sizer.size(piece.clone())?)?;
            range = sizer.trim(piece.end..range.end);
            self.last = piece;
        }
        Ok(())
    }
}

/// Number of bytes of white space at the start of `text` to skip: blank lines, and indentation that would be a gap.
fn skippable_white_space(text: &str) -> usize {
    let rest = text.trim_start();
    let space = slice(text, 0..text.len() - rest.len());
    let line = space.rfind(['\n', '\r']).map_or(0, |newline| newline + 1);
    match (space.chars().next_back(), rest.chars().next()) {
        (_, None) => text.len(),
        (Some(last), Some(first)) if gap(slice(space, line..space.len())).is_some() => {
            // The last space may carry a combining mark.
            space.len() - if form_one_cluster(last, first) { last.len_utf8() } else { 0 }
        }
        _ => line,
    }
}

/// Offset of the first gap, a run of white space that exceeds [`MAX_GAP`] or [`MAX_SPACES`]; `None` if there is none.
fn gap(text: &str) -> Option<usize> {
    let (mut start, mut end, mut length, mut last) = (0, 0, 0, ' ');
    for (at, character) in text.char_indices().filter(|(_, character)| character.is_whitespace()) {
        if end != at {
            // The first space may form a cluster with the character before it.
            let joined =
                slice(text, 0..at).chars().next_back().is_some_and(|before| form_one_cluster(before, character));
            start = if joined { at + character.len_utf8() } else { at };
            length = 0;
        }
        end = at + character.len_utf8();
        length += usize::from(character != ' ' && (last, character) != ('\r', '\n'));
        last = character;
        if length > MAX_GAP || end > start + MAX_SPACES {
            return Some(start);
        }
    }
    None
}
