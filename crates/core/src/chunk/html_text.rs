//! The visible text of an HTML document, with the source position of each character.
//!
//! White space collapses and blocks are separated approximately as in CSS. The separator between two words depends only
//! on the markup between them and not on the elements around them, except for `<pre>`, so that a part of the markup
//! alone gives the same text. Element names are known to `html.rs` only.

use super::grapheme::form_one_cluster;
use super::outline::Outline;
use super::slice;
use std::ops::Range;

/// The source position of a piece of text.
#[derive(Clone, Copy)]
struct Origin {
    /// First byte in the source.
    source: usize,
    /// Length in the source in bytes of a character reference such as `&eacute;`; 0 if the text stands there literally.
    reference: u32,
}

/// A piece of the text whose source is contiguous.
struct Piece {
    /// First byte in the text. The piece ends where the next one starts.
    at: usize,
    origin: Origin,
}

struct OpenHeading {
    level: u8,
    start: Option<usize>,
}

/// A table that has not ended.
#[derive(Default)]
struct OpenTable {
    /// Start of the text of the row that may be the header row.
    row: Option<usize>,
    /// That row has a cell; all of its cells are headers.
    has_cells: bool,
    has_headers_only: bool,
    /// The text of the header row; `None` if there is none.
    header: Option<Range<usize>>,
    /// The first row with cells has ended, or the table contains others and is there for the layout.
    is_settled: bool,
}

/// The visible text while it is being built.
pub(super) struct HtmlText<'a> {
    source: &'a str,
    /// The visible text so far.
    pub(super) text: String,
    /// The headings, by offset in `text`.
    pub(super) outline: Outline,
    pieces: Vec<Piece>,
    /// Literal text in the source that has not been processed yet.
    pending_text: Range<usize>,
    /// Pending separator before the next character: line breaks, else a tab, else a space.
    newlines: usize,
    tab: bool,
    space: Option<Origin>,
    /// Number of open `<pre>` elements.
    preformatted: usize,
    /// Whether `<pre>` was just opened, where HTML ignores one line break.
    at_pre_start: bool,
    heading: Option<OpenHeading>,
    tables: Vec<OpenTable>,
}

impl<'a> HtmlText<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        Self {
            source,
            text: String::new(),
            outline: Outline::default(),
            pieces: Vec::new(),
            pending_text: 0..0,
            newlines: 0,
            tab: false,
            space: None,
            preformatted: 0,
            at_pre_start: false,
            heading: None,
            tables: Vec::new(),
        }
    }

    /// Adds text that stands literally in `range` of the source.
    pub(super) fn literal(&mut self, range: Range<usize>) {
        if self.pending_text.end == range.start {
            self.pending_text.end = range.end;
        } else {
            self.flush();
            self.pending_text = range;
        }
    }

    /// Adds `text`, the value of the character reference in `range` of the source.
    pub(super) fn reference(&mut self, text: &str, range: Range<usize>) {
        self.flush();
        let origin = Origin { source: range.start, reference: u32::try_from(range.len()).unwrap_or(u32::MAX) };
        self.at_pre_start = false;
        for character in text.chars() {
            if self.preformatted == 0 && is_space(character) {
                self.white_space(origin);
            } else {
                self.append(character.encode_utf8(&mut [0; 4]), origin);
            }
        }
    }

    /// Adds a block boundary of at least `newlines` line breaks. Ends a heading that was never closed.
    pub(super) fn block(&mut self, newlines: usize) {
        self.flush();
        self.at_pre_start = false;
        if self.heading.as_ref().is_some_and(|heading| heading.start.is_some()) {
            self.close_heading();
        }
        self.newlines = self.newlines.max(newlines);
        self.space = None;
    }

    /// Adds a forced line break.
    pub(super) fn line_break(&mut self) {
        self.flush();
        self.at_pre_start = false;
        self.newlines = self.newlines.max((self.newlines + 1).min(2));
        self.space = None;
    }

    /// Adds a boundary between table cells.
    pub(super) fn cell(&mut self) {
        self.flush();
        self.at_pre_start = false;
        self.tab = true;
        self.space = None;
    }

    /// Starts preformatted text.
    pub(super) fn open_preformatted(&mut self) {
        self.flush();
        self.preformatted += 1;
        self.at_pre_start = true;
    }

    /// Ends preformatted text. Does nothing if none is open.
    pub(super) fn close_preformatted(&mut self) {
        self.flush();
        self.preformatted = self.preformatted.saturating_sub(1);
    }

    /// Starts a heading; `level` is 1 to 6.
    pub(super) fn open_heading(&mut self, level: u8) {
        self.close_heading();
        self.heading = Some(OpenHeading { level, start: None });
    }

    /// Ends the open heading, if any, and adds it to the outline.
    pub(super) fn close_heading(&mut self) {
        self.flush();
        if let Some(OpenHeading { level, start: Some(start) }) = self.heading.take() {
            let range = start..self.text.len();
            self.outline.push(range.clone(), level, slice(&self.text, range), true);
        }
    }

    /// Starts a table. One that contains another has no header row.
    pub(super) fn open_table(&mut self) {
        if let Some(outer) = self.tables.last_mut() {
            (outer.header, outer.is_settled) = (None, true);
        }
        self.tables.push(OpenTable::default());
    }

    /// Starts a row of a table.
    pub(super) fn open_row(&mut self) {
        self.close_row();
        if let Some(table) = self.tables.last_mut().filter(|table| !table.is_settled) {
            (table.row, table.has_cells, table.has_headers_only) = (Some(self.text.len()), false, true);
        }
    }

    /// Starts a cell of a row, after the separator.
    pub(super) fn open_cell(&mut self, is_header: bool) {
        if let Some(table) = self.tables.last_mut().filter(|table| !table.is_settled) {
            table.has_cells = true;
            table.has_headers_only &= is_header;
        }
    }

    /// Ends the row of a table, if one is open. The first one with cells is the header row if all of these are headers.
    pub(super) fn close_row(&mut self) {
        self.flush();
        let Some(table) = self.tables.last_mut().filter(|table| !table.is_settled && table.has_cells) else { return };
        if let Some(start) = table.row.take().filter(|_| table.has_headers_only) {
            let row = slice(&self.text, start..self.text.len());
            table.header = Some(self.text.len() - row.trim_start().len()..self.text.len());
        }
        table.is_settled = true;
    }

    /// Ends a table, if one is open.
    pub(super) fn close_table(&mut self) {
        self.close_row();
        if let Some(header) = self.tables.pop().and_then(|table| table.header) {
            let cells = slice(&self.text, header.clone()).split('\t');
            self.outline.push_table(header.start..self.text.len(), cells);
        }
    }

    /// Ends the document.
    pub(super) fn finish(&mut self) {
        self.close_heading();
        while !self.tables.is_empty() {
            self.close_table();
        }
    }

    /// The smallest source range that contains `range` of the text, which must not start or end with a separator.
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

    /// Processes the pending literal text.
    pub(super) fn flush(&mut self) {
        let start = self.pending_text.start;
        let text = slice(self.source, std::mem::replace(&mut self.pending_text, 0..0));
        let mut at = 0;
        for part in text.split_inclusive(|character| is_space(character) || character == '\0') {
            let word = part.trim_end_matches(|character| is_space(character) || character == '\0');
            if !word.is_empty() {
                self.at_pre_start = false;
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

    /// Adds white space of preformatted text. CR LF and CR become LF.
    fn verbatim(&mut self, character: char, before_newline: bool, origin: Origin) {
        match character {
            '\r' if before_newline => {}
            '\n' | '\r' if self.at_pre_start => self.at_pre_start = false,
            '\r' => self.append("\n", origin),
            _ => {
                self.at_pre_start = false;
                self.append(character.encode_utf8(&mut [0; 4]), origin);
            }
        }
    }

    fn white_space(&mut self, origin: Origin) {
        let pending = self.newlines > 0 || self.tab || self.space.is_some();
        let last = self.text.chars().next_back().filter(|_| !pending);
        if last.is_some_and(|last| form_one_cluster(last, ' ')) {
            self.append(" ", origin);
        } else {
            self.space = Some(origin);
        }
    }

    fn append(&mut self, text: &str, origin: Origin) {
        // A space that forms a grapheme cluster with the next character is content, not a separator.
        let space = self.space.filter(|_| text.chars().next().is_some_and(|first| form_one_cluster(' ', first)));
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

/// ASCII white space as HTML defines it. Other white space, for example U+00A0, does not collapse.
fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\x0c' | '\r')
}
