//! The text of an HTML document as a reader sees it, and where each character of it comes from.
//!
//! White space collapses and blocks are separated as in CSS, approximately. What separates two words depends only on the
//! markup between them, never on what they are inside of, except for `<pre>`: so that a part of the markup reads the same
//! alone. Knows no names of elements.

use super::grapheme::join;
use super::outline::Outline;
use super::slice;
use std::ops::Range;

/// Where a piece of text comes from.
#[derive(Clone, Copy)]
struct Origin {
    /// First byte in the markup.
    source: usize,
    /// Bytes in the markup, if they are not the text itself but stand for it (`&eacute;`); else 0.
    reference: u32,
}

struct Piece {
    /// First byte in the text. The piece goes on to the next one.
    at: usize,
    origin: Origin,
}

struct OpenHeading {
    level: u8,
    start: Option<usize>,
}

/// Builds the text.
pub(super) struct Visible<'a> {
    source: &'a str,
    /// The visible text so far.
    pub(super) text: String,
    /// The headings, by offset in `text`.
    pub(super) outline: Outline,
    pieces: Vec<Piece>,
    /// Markup that is text and has not been read yet.
    run: Range<usize>,
    /// What separates the next character from the last: line breaks, else a tab, else a space.
    newlines: usize,
    tab: bool,
    space: Option<Origin>,
    /// `<pre>` elements open.
    preformatted: usize,
    /// Right after `<pre>`, where one line break does not count.
    fresh: bool,
    heading: Option<OpenHeading>,
}

impl<'a> Visible<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        Self {
            source,
            text: String::new(),
            outline: Outline::default(),
            pieces: Vec::new(),
            run: 0..0,
            newlines: 0,
            tab: false,
            space: None,
            preformatted: 0,
            fresh: false,
            heading: None,
        }
    }

    /// Markup that is its own text.
    pub(super) fn literal(&mut self, range: Range<usize>) {
        if self.run.end == range.start {
            self.run.end = range.end;
        } else {
            self.flush();
            self.run = range;
        }
    }

    /// Markup that stands for `text`.
    pub(super) fn reference(&mut self, text: &str, range: Range<usize>) {
        self.flush();
        let origin = Origin { source: range.start, reference: u32::try_from(range.len()).unwrap_or(u32::MAX) };
        self.fresh = false;
        for character in text.chars() {
            if self.preformatted == 0 && is_space(character) {
                self.white_space(origin);
            } else {
                self.append(character.encode_utf8(&mut [0; 4]), origin);
            }
        }
    }

    /// A boundary between blocks, with at least `newlines` line breaks. Ends a heading that was never closed.
    pub(super) fn block(&mut self, newlines: usize) {
        self.flush();
        self.fresh = false;
        if self.heading.as_ref().is_some_and(|heading| heading.start.is_some()) {
            self.close_heading();
        }
        self.newlines = self.newlines.max(newlines);
        self.space = None;
    }

    /// A forced line break.
    pub(super) fn line_break(&mut self) {
        self.flush();
        self.fresh = false;
        self.newlines = self.newlines.max((self.newlines + 1).min(2));
        self.space = None;
    }

    /// A boundary between cells of a table.
    pub(super) fn cell(&mut self) {
        self.flush();
        self.fresh = false;
        self.tab = true;
        self.space = None;
    }

    /// The start of preformatted text.
    pub(super) fn open_preformatted(&mut self) {
        self.flush();
        self.preformatted += 1;
        self.fresh = true;
    }

    /// Its end. More ends than starts do no harm.
    pub(super) fn close_preformatted(&mut self) {
        self.flush();
        self.preformatted = self.preformatted.saturating_sub(1);
    }

    /// The start of a heading; `level` is 1 to 6.
    pub(super) fn open_heading(&mut self, level: u8) {
        self.close_heading();
        self.heading = Some(OpenHeading { level, start: None });
    }

    /// Its end.
    pub(super) fn close_heading(&mut self) {
        self.flush();
        if let Some(OpenHeading { level, start: Some(start) }) = self.heading.take() {
            let range = start..self.text.len();
            self.outline.push(range.clone(), level, slice(&self.text, range), true);
        }
    }

    /// The end of the document.
    pub(super) fn finish(&mut self) {
        self.close_heading();
    }

    /// The smallest range of markup that `range` of the text comes from. Both ends must not be separators.
    pub(super) fn source(&self, range: Range<usize>) -> Range<usize> {
        let last = slice(&self.text, range.clone()).chars().next_back().map_or(0, char::len_utf8);
        let (first_at, first) = self.origin(range.start);
        let (last_at, origin) = self.origin(range.end - last);
        let start = if first.reference > 0 { first.source } else { first.source + (range.start - first_at) };
        let end = match origin.reference as usize {
            0 => origin.source + (range.end - last_at),
            length => origin.source + length,
        };
        start..end
    }

    fn origin(&self, at: usize) -> (usize, Origin) {
        let next = self.pieces.partition_point(|piece| piece.at <= at);
        let piece = next.checked_sub(1).and_then(|index| self.pieces.get(index));
        piece.map_or((0, Origin { source: 0, reference: 0 }), |piece| (piece.at, piece.origin))
    }

    /// Reads the markup that has come together as text.
    pub(super) fn flush(&mut self) {
        let start = self.run.start;
        let text = slice(self.source, std::mem::replace(&mut self.run, 0..0));
        let mut at = 0;
        for part in text.split_inclusive(|character| is_space(character) || character == '\0') {
            let word = part.trim_end_matches(|character| is_space(character) || character == '\0');
            if !word.is_empty() {
                self.fresh = false;
                self.append(word, Origin { source: start + at, reference: 0 });
            }
            at += part.len();
            if let Some(character) = part.chars().next_back().filter(|&character| is_space(character)) {
                let origin = Origin { source: start + at - 1, reference: 0 };
                match self.preformatted {
                    0 => self.white_space(origin),
                    _ => self.verbatim(character, text.as_bytes().get(at) == Some(&b'\n'), origin),
                }
            }
        }
    }

    /// White space in preformatted text. CR LF and CR are line breaks like LF.
    fn verbatim(&mut self, character: char, before_newline: bool, origin: Origin) {
        match character {
            '\r' if before_newline => {}
            '\n' | '\r' if self.fresh => self.fresh = false,
            '\r' => self.append("\n", origin),
            _ => {
                self.fresh = false;
                self.append(character.encode_utf8(&mut [0; 4]), origin);
            }
        }
    }

    fn white_space(&mut self, origin: Origin) {
        let pending = self.newlines > 0 || self.tab || self.space.is_some();
        let last = self.text.chars().next_back().filter(|_| !pending);
        if last.is_some_and(|last| join(last, ' ')) {
            self.append(" ", origin);
        } else {
            self.space = Some(origin);
        }
    }

    fn append(&mut self, text: &str, origin: Origin) {
        // A space that forms a cluster with the next character is content, wherever it stands.
        let space = self.space.filter(|_| text.chars().next().is_some_and(|first| join(' ', first)));
        if !self.text.is_empty() {
            if self.newlines > 0 {
                let present = self.text.bytes().rev().take_while(|&byte| byte == b'\n').count();
                self.text.extend(std::iter::repeat_n('\n', self.newlines.saturating_sub(present)));
            } else if self.tab {
                self.text.push('\t');
            } else if let Some(origin) = self.space.filter(|_| space.is_none() && !self.text.ends_with(' ')) {
                self.push(" ", origin);
            }
        }
        (self.newlines, self.tab, self.space) = (0, false, None);
        if let Some(heading) = &mut self.heading {
            heading.start.get_or_insert(self.text.len());
        }
        if let Some(origin) = space {
            self.push(" ", origin);
        }
        self.push(text, origin);
    }

    fn push(&mut self, text: &str, origin: Origin) {
        let at = self.text.len();
        let continues = self.pieces.last().is_some_and(|piece| {
            origin.reference == 0
                && piece.origin.reference == 0
                && piece.origin.source + (at - piece.at) == origin.source
        });
        if !continues {
            self.pieces.push(Piece { at, origin });
        }
        self.text.push_str(text);
    }
}

/// White space as HTML understands it. Other kinds, for example U+00A0, do not collapse.
fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\x0c' | '\r')
}
