//! Runs text-splitter over a text in windows, because it walks everything that remains for every chunk, which is
//! quadratic in the length of what it is given.
//!
//! A window holds about [`WINDOW_CHUNKS`] chunks. All but the last are emitted, since the last might have gone on; the
//! next window starts there. Nothing here knows where a text comes from.

use super::fit::Fit;
use super::grapheme::join;
use super::guard::survive;
use super::kept::Kept;
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

/// A chunk is sparse, and what follows may be cut to fill it, if it is not larger than this part of its size.
const SPARSE: usize = 8;
/// More line breaks, tabs and the like than these end a chunk, even if the tokenizer does not mind them: text-splitter
/// takes each for a word, and all of them in turn for the start of an overlap.
const MAX_GAP: usize = 16;
/// So does more white space of any kind, in bytes.
const MAX_SPACES: usize = 1024;

/// Takes the range of a chunk in bytes and its size.
pub(super) type EmitRange<'e> = &'e mut dyn FnMut(Range<usize>, usize) -> Result<()>;

/// A part of a text. `is_last`: nothing that follows belongs to the last chunk.
struct Window {
    range: Range<usize>,
    is_last: bool,
}

/// Ranges to become chunks, and where the next window starts if the rest of this one is void.
struct Spans {
    spans: Vec<Range<usize>>,
    next: Option<usize>,
}

/// Where a chunk should end.
enum End {
    /// Where text-splitter ends it.
    Same,
    /// Here.
    At(usize),
    /// Not to be seen in this window.
    Beyond,
}

/// The chunks of one text.
pub(super) struct Windows<'a> {
    text: &'a str,
    rule: &'a ChunkRule,
    sizer: &'a dyn Sizer,
    outline: &'a Outline,
    /// Present for Markdown.
    structure: Option<&'a Structure>,
    /// The last chunk.
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

    /// Emits every chunk of the text, those of `previous` that can stay among them.
    pub(super) fn run(mut self, previous: &[&str], emit: EmitRange<'_>) -> Result<()> {
        let kept = Kept::find(self.text, previous);
        let between = kept.between(self.text);
        for range in kept.head {
            self.keep(range, emit)?;
        }
        let whole = self.text;
        self.text = slice(whole, 0..between.end);
        self.cut_from(between.start, emit)?;
        self.text = whole;
        for range in kept.tail {
            self.keep(range, emit)?;
        }
        Ok(())
    }

    /// Emits a chunk as it was.
    fn keep(&mut self, range: Range<usize>, emit: EmitRange<'_>) -> Result<()> {
        let size = self.sizer.size(slice(self.text, range.clone()))?;
        self.last = range.clone();
        emit(range, size)
    }

    fn cut_from(&mut self, mut start: usize, emit: EmitRange<'_>) -> Result<()> {
        let shortest = self.rule.max_size.max(MIN_WINDOW);
        let longest = self.rule.max_size.saturating_mul(2).max(MAX_WINDOW);
        // A byte per token is a guess: the first window shows how long chunks really are.
        let mut length = self.rule.max_size.saturating_mul(WINDOW_CHUNKS).clamp(shortest, longest);
        loop {
            self.sizer.size("")?;
            start += blank(slice(self.text, start..self.text.len()));
            if start == self.text.len() {
                return Ok(());
            }
            let end = character_boundary(self.text, start.saturating_add(length));
            let gap = gap(slice(self.text, start..end)).map_or(end, |gap| start + gap);
            let range = start..self.heading_after_fence(start..gap).unwrap_or(gap);
            let window = Window { range: range.clone(), is_last: range.end < end || end == self.text.len() };
            let fit = Fit::new(self.text, range.clone(), self.rule, self.sizer, self.structure.is_some());
            if window.is_last && fit.size(fit.trim(range.clone()))? <= self.rule.max_size {
                self.cut(&fit, fit.trim(range.clone()), emit)?;
                start = range.end;
                continue;
            }
            let Spans { mut spans, next } = self.spans(&fit, &window)?;
            let next = next.unwrap_or_else(|| {
                let (settled, end) =
                    if window.is_last { (spans.len(), range.end) } else { (self.settled(&fit, start, &spans), start) };
                let next = spans.get(settled).map_or(end, |span| span.start);
                spans.truncate(settled);
                next
            });
            for span in &spans {
                self.cut(&fit, fit.trim(span.clone()), emit)?;
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

    /// The first heading after the fenced code in whose middle `range` starts: text-splitter sees none until there.
    fn heading_after_fence(&self, range: Range<usize>) -> Option<usize> {
        let fence = self.structure?.end_of_fence(range.start)?;
        let heading = self.outline.first_in(&(fence..range.end))?;
        slice(self.text, range.start..heading).ends_with(['\n', '\r']).then_some(heading)
    }

    /// What text-splitter makes of a window.
    fn spans(&self, fit: &Fit<'_>, window: &Window) -> Result<Spans> {
        let text = slice(self.text, window.range.clone());
        let config = || {
            let config = ChunkConfig::new(self.rule.max_size).with_sizer(fit).with_trim(false);
            config.with_overlap(self.rule.overlap).map_err(|error| Error::new(Kind::Bug, error.to_string()))
        };
        let short = self.structure.filter(|_| text.len() <= MAX_MARKDOWN_WINDOW);
        if short.is_some_and(|structure| structure.applies(self.text, &window.range)) {
            let splitter = MarkdownSplitter::new(config()?);
            if let Some(pieces) = survive(|| splitter.try_chunk_indices(text)) {
                return self.collect(fit, window, pieces);
            }
        }
        self.collect(fit, window, TextSplitter::new(config()?).try_chunk_indices(text))
    }

    /// Moves pieces of a window to grapheme boundaries, up to the first that should end elsewhere.
    fn collect<'t>(
        &self,
        fit: &Fit<'_>,
        window: &Window,
        pieces: impl Iterator<Item = Result<(usize, &'t str)>>,
    ) -> Result<Spans> {
        let start = window.range.start;
        let mut spans: Vec<Range<usize>> = Vec::new();
        for piece in pieces {
            let (offset, piece) = piece?;
            let end = fit.floor(start + offset + piece.len());
            let last_end = spans.last().map_or(start, |last| last.end);
            if end <= last_end {
                continue;
            }
            if let Some(last) = spans.last_mut() {
                match self.better_end(fit, last, window)? {
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
            spans.push(fit.floor(start + offset).min(last_end)..end);
        }
        Ok(Spans { spans, next: None })
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

    /// Where `span`, which is not the last of `window`, should end.
    ///
    /// A heading goes with what it announces, so that it must not be the last in a chunk, nor the only one in it. More
    /// generally, text-splitter would rather leave a title, "For example:" or "```rust" alone than cut what comes next.
    fn better_end(&self, fit: &Fit<'_>, span: &Range<usize>, window: &Window) -> Result<End> {
        let range = fit.trim(span.clone());
        let body = fit.floor(self.outline.without_last_headings(self.text, &range));
        // Not if little would be left: headings upon headings are a table of contents.
        if body < range.end && slice(self.text, range.start..body).trim_end().len() > range.len() / 2 {
            return Ok(End::At(body));
        }
        let rest = slice(self.text, range.end..window.range.end).trim_start();
        let next = fit.floor(window.range.end - rest.len());
        let sparse = body == range.start
            || (!self.outline.has_heading_at(next) && fit.size(range.clone())? <= self.rule.max_size / SPARSE);
        if !sparse || range.is_empty() {
            return Ok(End::Same);
        }
        let Some((sizer, room)) = fit.after(range.start, next)? else { return Ok(End::Same) };
        let config = ChunkConfig::new(room).with_sizer(sizer).with_trim(false);
        let rest = slice(self.text, next..window.range.end);
        let Some(more) = TextSplitter::new(config).try_chunk_indices(rest).next() else { return Ok(End::Same) };
        let (offset, more) = more?;
        let end = fit.floor(next + offset + more.len());
        if end == window.range.end && !window.is_last {
            return Ok(End::Beyond);
        }
        let filled = fit.trim(range.start..end);
        let fits = filled.end > range.end && fit.size(filled)? <= self.rule.max_size;
        Ok(if fits { End::At(end) } else { End::Same })
    }

    /// Emits `range` as one chunk, or several if it is too large, without what it must not repeat of the last.
    fn cut(&mut self, fit: &Fit<'_>, mut range: Range<usize>, emit: EmitRange<'_>) -> Result<()> {
        let last = self.last.clone();
        if range.end <= last.end {
            return Ok(());
        }
        if range.start < last.end
            && (range.start <= last.start
                || fit.size(range.start..last.end)? > self.rule.overlap
                || fit.size(range.clone())? > self.rule.max_size)
        {
            range = fit.trim(last.end..range.end);
        }
        while !range.is_empty() {
            let piece = fit.longest(&range)?;
            emit(piece.clone(), fit.size(piece.clone())?)?;
            range = fit.trim(piece.end..range.end);
            self.last = piece;
        }
        Ok(())
    }
}

/// How many bytes of white space at the start of `text` to skip: blank lines, and indentation that would be a gap.
fn blank(text: &str) -> usize {
    let rest = text.trim_start();
    let space = slice(text, 0..text.len() - rest.len());
    let line = space.rfind(['\n', '\r']).map_or(0, |newline| newline + 1);
    match (space.chars().next_back(), rest.chars().next()) {
        (_, None) => text.len(),
        (Some(last), Some(first)) if gap(slice(space, line..space.len())).is_some() => {
            // The last space may carry an accent.
            space.len() - if join(last, first) { last.len_utf8() } else { 0 }
        }
        _ => line,
    }
}

/// Where the first gap begins: more white space than [`MAX_GAP`] or [`MAX_SPACES`].
fn gap(text: &str) -> Option<usize> {
    let (mut start, mut end, mut length, mut last) = (0, 0, 0, ' ');
    for (at, character) in text.char_indices().filter(|(_, character)| character.is_whitespace()) {
        if end != at {
            // The first space may belong to what stands before it.
            let joined = slice(text, 0..at).chars().next_back().is_some_and(|before| join(before, character));
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
