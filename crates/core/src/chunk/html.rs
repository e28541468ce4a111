//! Extracts the visible text of HTML with the WHATWG tokenizer, as browsers do, and leaves out markup and hidden
//! elements.
//!
//! Builds no tree, so that nesting costs nothing and wrong nesting does no harm. Ignores attributes, and thereby style:
//! text hidden by CSS is text. Where a browser reads raw text that is seen (`<xmp>`, `<plaintext>`), reads markup.

use super::Sizer;
use super::html_text::HtmlText;
use crate::Result;
use html5gum::{Emitter, Error, State, Tokenizer};
use std::ops::Range;

/// Bytes of markup between two cancellation checks: about a millisecond of work.
const CHECK_INTERVAL: usize = 1 << 18;
/// Bytes of a tag name that are kept; no name that is compared with is longer.
const MAX_NAME: usize = 16;

/// The visible text of `source`. Calls `sizer` every [`CHECK_INTERVAL`] bytes, so that it can cancel.
pub(super) fn read<'a>(source: &'a str, sizer: &dyn Sizer) -> Result<HtmlText<'a>> {
    let mut reader = Reader {
        source,
        html: HtmlText::new(source),
        position: 0,
        text_start: 0,
        next_check: CHECK_INTERVAL,
        name: Vec::new(),
        is_end: false,
        is_self_closing: false,
        last_start: Vec::new(),
        raw: false,
        templates: 0,
    };
    for check in Tokenizer::new_with_emitter(source, &mut reader) {
        let Ok(()) = check;
        sizer.size("")?;
    }
    reader.html.finish();
    Ok(reader.html)
}

struct Reader<'a> {
    source: &'a str,
    html: HtmlText<'a>,
    /// Bytes that the tokenizer has consumed.
    position: usize,
    /// End of the text that was emitted last, in bytes.
    text_start: usize,
    next_check: usize,
    /// Name of the current tag.
    name: Vec<u8>,
    is_end: bool,
    is_self_closing: bool,
    /// Name of the last start tag: the only one that ends raw text.
    last_start: Vec<u8>,
    /// Whether the tokenizer is inside raw text, such as a script.
    raw: bool,
    /// Number of open `<template>` elements.
    templates: usize,
}

impl Reader<'_> {
    fn open(&mut self) -> Option<State> {
        std::mem::swap(&mut self.last_start, &mut self.name);
        let name = self.last_start.as_slice();
        let raw = match name {
            b"title" | b"textarea" => Some(State::RcData),
            b"style" | b"iframe" | b"noembed" | b"noframes" | b"noscript" => Some(State::RawText),
            b"script" => Some(State::ScriptData),
            _ => None,
        };
        if raw.is_some() || name == b"template" {
            // XHTML, which a browser would read to the end of the document as script.
            if self.is_self_closing {
                return None;
            }
            self.raw = raw.is_some();
            self.templates += usize::from(raw.is_none());
        } else if self.templates == 0 {
            let heading = heading_level(name);
            separate(&mut self.html, name, heading.is_some());
            match name {
                b"br" => self.html.line_break(),
                b"pre" | b"listing" | b"xmp" => self.html.open_preformatted(),
                b"table" => self.html.open_table(),
                b"tr" => self.html.open_row(),
                b"th" | b"td" => self.html.open_cell(name == b"th"),
                _ => {}
            }
            if let Some(level) = heading {
                self.html.open_heading(level);
            }
        }
        raw
    }

    fn close(&mut self) {
        self.last_start.clear();
        let name = self.name.as_slice();
        if self.raw {
            self.raw = false;
        } else if name == b"template" {
            self.templates = self.templates.saturating_sub(1);
        } else if self.templates == 0 {
            if heading_level(name).is_some() {
                self.html.close_heading();
            }
            separate(&mut self.html, name, false);
            match name {
                b"br" => self.html.line_break(),
                b"pre" | b"listing" | b"xmp" => self.html.close_preformatted(),
                b"tr" | b"thead" => self.html.close_row(),
                b"table" => self.html.close_table(),
                _ => {}
            }
        }
    }

    /// Whether `text`, as the tokenizer emitted it, is the source in `range` itself and not the value of a character
    /// reference. The tokenizer turns CR and CR LF into LF.
    fn is_literal(&self, text: &[u8], range: &Range<usize>) -> bool {
        let bytes = self.source.as_bytes().get(range.clone()).unwrap_or_default();
        let after_cr = range.start.checked_sub(1).and_then(|before| self.source.as_bytes().get(before)) == Some(&b'\r');
        bytes == text || (text == b"\n" && bytes == b"\r") || (after_cr && bytes.strip_prefix(b"\n") == Some(text))
    }
}

/// The level of a heading element, 1 to 6; `None` for other elements.
fn heading_level(name: &[u8]) -> Option<u8> {
    match name {
        [b'h', level @ b'1'..=b'6'] => Some(level - b'0'),
        _ => None,
    }
}

/// Adds the separator that a start or end tag implies. `starts_heading`: a heading begins, which gets a wider
/// separator, so that it stays with its section if that fits into a chunk.
fn separate(html: &mut HtmlText<'_>, name: &[u8], starts_heading: bool) {
    match name {
        b"hr" => html.block(3),
        b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" => html.block(if starts_heading { 3 } else { 2 }),
        b"address" | b"article" | b"aside" | b"blockquote" | b"body" | b"center" | b"details" | b"dialog" | b"dir"
        | b"div" | b"dl" | b"fieldset" | b"figure" | b"footer" | b"form" | b"header" | b"hgroup" | b"html"
        | b"listing" | b"main" | b"menu" | b"nav" | b"ol" | b"p" | b"plaintext" | b"pre" | b"search" | b"section"
        | b"table" | b"ul" | b"xmp" => html.block(2),
        b"button" | b"caption" | b"dd" | b"dt" | b"figcaption" | b"legend" | b"li" | b"optgroup" | b"option"
        | b"select" | b"summary" | b"tbody" | b"tfoot" | b"thead" | b"tr" => html.block(1),
        b"td" | b"th" => html.cell(),
        _ => {}
    }
}

impl Emitter for &mut Reader<'_> {
    type Token = ();

    fn pop_token(&mut self) -> Option<()> {
        (self.position >= self.next_check).then(|| self.next_check = self.position + CHECK_INTERVAL)
    }

    fn move_position(&mut self, offset: isize) {
        self.position = self.position.saturating_add_signed(offset);
    }

    fn init_string(&mut self) {
        self.text_start = self.position;
    }

    fn emit_string(&mut self, text: &[u8]) {
        let range = self.text_start..self.position;
        self.text_start = self.position;
        if self.raw || self.templates > 0 || range.is_empty() {
            return;
        }
        if self.is_literal(text, &range) {
            self.html.literal(range);
        } else if let Ok(text) = std::str::from_utf8(text) {
            self.html.reference(text, range);
        }
    }

    fn emit_eof(&mut self) {
        self.html.flush();
    }

    fn emit_current_tag(&mut self) -> Option<State> {
        let state = if self.is_end {
            self.close();
            None
        } else {
            self.open()
        };
        self.text_start = self.position;
        state
    }

    fn init_start_tag(&mut self) {
        self.name.clear();
        self.is_end = false;
        self.is_self_closing = false;
    }

    fn init_end_tag(&mut self) {
        self.name.clear();
        self.is_end = true;
    }

    fn push_tag_name(&mut self, name: &[u8]) {
        let room = MAX_NAME.saturating_sub(self.name.len());
        self.name.extend(name.iter().take(room));
    }

    fn set_self_closing(&mut self) {
        self.is_self_closing = true;
    }

    fn current_is_appropriate_end_tag_token(&mut self) -> bool {
        self.is_end && !self.last_start.is_empty() && self.last_start == self.name
    }

    fn should_emit_errors(&mut self) -> bool {
        false
    }

    fn set_last_start_tag(&mut self, _name: Option<&[u8]>) {}
    fn emit_error(&mut self, _error: Error) {}
    fn init_comment(&mut self) {}
    fn push_comment(&mut self, _text: &[u8]) {}
    fn emit_current_comment(&mut self) {}
    fn init_doctype(&mut self) {}
    fn set_force_quirks(&mut self) {}
    fn push_doctype_name(&mut self, _name: &[u8]) {}
    fn set_doctype_public_identifier(&mut self, _value: &[u8]) {}
    fn set_doctype_system_identifier(&mut self, _value: &[u8]) {}
    fn push_doctype_public_identifier(&mut self, _value: &[u8]) {}
    fn push_doctype_system_identifier(&mut self, _value: &[u8]) {}
    fn emit_current_doctype(&mut self) {}
    fn init_attribute(&mut self) {}
    fn push_attribute_name(&mut self, _name: &[u8]) {}
    fn push_attribute_value(&mut self, _value: &[u8]) {}
}
