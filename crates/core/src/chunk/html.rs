//! Reads HTML as browsers do, by the tokenizer of WHATWG: what is text, what is markup, what nobody sees.
//!
//! Builds no tree, so that nesting costs nothing and wrong nesting does no harm. Ignores attributes, and thereby style:
//! text hidden by CSS is text. Where a browser reads raw text that is seen (`<xmp>`, `<plaintext>`), reads markup.

use super::Sizer;
use super::visible::Visible;
use crate::Result;
use html5gum::{Emitter, Error, State, Tokenizer};
use std::ops::Range;

/// Bytes of markup between two questions to the sizer whether to go on: about a millisecond.
const BEAT: usize = 1 << 18;
/// Longer than any name that matters here.
const MAX_NAME: usize = 16;

/// The visible text of `source`. Asks `sizer` now and then whether to go on.
pub(super) fn read<'a>(source: &'a str, sizer: &dyn Sizer) -> Result<Visible<'a>> {
    let mut reader = Reader {
        source,
        visible: Visible::new(source),
        position: 0,
        text_start: 0,
        next_beat: BEAT,
        name: Vec::new(),
        is_end: false,
        is_self_closing: false,
        last_start: Vec::new(),
        raw: false,
        templates: 0,
    };
    for beat in Tokenizer::new_with_emitter(source, &mut reader) {
        let Ok(()) = beat;
        sizer.size("")?;
    }
    reader.visible.finish();
    Ok(reader.visible)
}

struct Reader<'a> {
    source: &'a str,
    visible: Visible<'a>,
    /// Byte after what the tokenizer has read.
    position: usize,
    /// Byte after the text that was read last.
    text_start: usize,
    next_beat: usize,
    /// The tag under way.
    name: Vec<u8>,
    is_end: bool,
    is_self_closing: bool,
    /// Name of the last start tag: the only one that ends raw text.
    last_start: Vec<u8>,
    /// Inside raw text.
    raw: bool,
    /// `<template>` elements open.
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
            layout(&mut self.visible, name, heading.is_some());
            match name {
                b"br" => self.visible.line_break(),
                b"pre" | b"listing" | b"xmp" => self.visible.open_preformatted(),
                _ => {}
            }
            if let Some(level) = heading {
                self.visible.open_heading(level);
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
                self.visible.close_heading();
            }
            layout(&mut self.visible, name, false);
            match name {
                b"br" => self.visible.line_break(),
                b"pre" | b"listing" | b"xmp" => self.visible.close_preformatted(),
                _ => {}
            }
        }
    }

    /// Whether the tokenizer passed on what stands in `range`, or something that it stands for. The tokenizer turns CR
    /// and CR LF into LF.
    fn is_literal(&self, text: &[u8], range: &Range<usize>) -> bool {
        let bytes = self.source.as_bytes().get(range.clone()).unwrap_or_default();
        let after_cr = range.start.checked_sub(1).and_then(|before| self.source.as_bytes().get(before)) == Some(&b'\r');
        bytes == text || (text == b"\n" && bytes == b"\r") || (after_cr && bytes.strip_prefix(b"\n") == Some(text))
    }
}

/// 1 to 6 for `h1` to `h6`.
fn heading_level(name: &[u8]) -> Option<u8> {
    match name {
        [b'h', level @ b'1'..=b'6'] => Some(level - b'0'),
        _ => None,
    }
}

/// The separation that a start or end tag makes. `announces`: a heading begins, whose section is kept together if it
/// fits, which is why it stands apart.
fn layout(visible: &mut Visible<'_>, name: &[u8], announces: bool) {
    match name {
        b"hr" => visible.block(3),
        b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" => visible.block(if announces { 3 } else { 2 }),
        b"address" | b"article" | b"aside" | b"blockquote" | b"body" | b"center" | b"details" | b"dialog" | b"dir"
        | b"div" | b"dl" | b"fieldset" | b"figure" | b"footer" | b"form" | b"header" | b"hgroup" | b"html"
        | b"listing" | b"main" | b"menu" | b"nav" | b"ol" | b"p" | b"plaintext" | b"pre" | b"search" | b"section"
        | b"table" | b"ul" | b"xmp" => visible.block(2),
        b"button" | b"caption" | b"dd" | b"dt" | b"figcaption" | b"legend" | b"li" | b"optgroup" | b"option"
        | b"select" | b"summary" | b"tbody" | b"tfoot" | b"thead" | b"tr" => visible.block(1),
        b"td" | b"th" => visible.cell(),
        _ => {}
    }
}

impl Emitter for &mut Reader<'_> {
    type Token = ();

    fn pop_token(&mut self) -> Option<()> {
        (self.position >= self.next_beat).then(|| self.next_beat = self.position + BEAT)
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
            self.visible.literal(range);
        } else if let Ok(text) = std::str::from_utf8(text) {
            self.visible.reference(text, range);
        }
    }

    fn emit_eof(&mut self) {
        self.visible.flush();
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
