//! Passes on what the tokenizer of WHATWG reads. Keeps the few attributes that matter.

use super::name::{self, Raw};
use html5gum::{Emitter, Error, State, Tokenizer};

/// Longer than any name that matters here.
const MAX_NAME: usize = 64;
/// Longer than any value that matters here; a picture in an attribute is not kept.
const MAX_VALUE: usize = 1 << 16;
/// More attributes than an element has whose attributes matter.
const MANY: usize = 100;

/// Attributes of a tag: names in lower case, as the tokenizer gives them.
pub(crate) type Attributes = Vec<(Vec<u8>, Vec<u8>)>;

/// Takes what is read, in order.
pub(crate) trait Sink {
    /// A start tag. `closes_itself`: it is an end tag too.
    fn start(&mut self, name: &[u8], attributes: &Attributes, closes_itself: bool);
    /// An end tag.
    fn end(&mut self, name: &[u8]);
    /// Text, with its references resolved. It may come in parts.
    fn text(&mut self, text: &str);
    /// Text of the title of the document.
    fn title(&mut self, text: &str);
    fn end_title(&mut self);
    /// What the content of an element is, if it is not markup.
    fn raw(&self, name: &[u8]) -> Option<Raw>;
    /// Whether an attribute is kept.
    fn wants(&self, attribute: &[u8]) -> bool {
        name::matters(attribute)
    }
}

/// Reads a whole document or a part of one. `xml`: a tag can close itself, and text can be marked as text.
pub(crate) fn read<S: Sink>(source: &str, xml: bool, sink: S) -> S {
    let mut reader = Reader {
        sink,
        xml,
        name: Vec::new(),
        is_end: false,
        is_self_closing: false,
        attributes: Vec::new(),
        attribute: Default::default(),
        last_start: Vec::new(),
        raw: None,
    };
    for never in Tokenizer::new_with_emitter(source, &mut reader) {
        let Ok(()) = never;
    }
    reader.sink
}

struct Reader<S> {
    sink: S,
    xml: bool,
    name: Vec<u8>,
    is_end: bool,
    is_self_closing: bool,
    attributes: Attributes,
    attribute: (Vec<u8>, Vec<u8>),
    /// Name of the last start tag: the only one that ends raw text.
    last_start: Vec<u8>,
    /// Inside raw text.
    raw: Option<Raw>,
}

impl<S: Sink> Reader<S> {
    fn end_attribute(&mut self) {
        let (name, value) = std::mem::take(&mut self.attribute);
        // Looking for the same name takes time that grows with the square of their number.
        let is_new = |(other, _): &(Vec<u8>, Vec<u8>)| *other != name;
        if self.sink.wants(&name) && (self.attributes.len() > MANY || self.attributes.iter().all(is_new)) {
            self.attributes.push((name, value));
        }
    }

    fn open(&mut self) -> Option<State> {
        std::mem::swap(&mut self.last_start, &mut self.name);
        let name = self.last_start.as_slice();
        let raw = self.sink.raw(name);
        if raw.is_none() {
            self.sink.start(name, &self.attributes, self.is_self_closing && self.xml);
        }
        self.raw = raw.filter(|_| !self.is_self_closing);
        self.raw.map(|raw| match raw {
            Raw::Title | Raw::Field => State::RcData,
            Raw::Script => State::ScriptData,
            Raw::Unseen => State::RawText,
        })
    }

    fn close(&mut self) {
        self.last_start.clear();
        match self.raw.take() {
            None => self.sink.end(&self.name),
            Some(Raw::Title) => self.sink.end_title(),
            Some(_) => {}
        }
    }
}

fn extend(kept: &mut Vec<u8>, more: &[u8], most: usize) {
    let room = most.saturating_sub(kept.len());
    kept.extend(more.iter().take(room));
}

impl<S: Sink> Emitter for &mut Reader<S> {
    type Token = ();

    fn emit_string(&mut self, text: &[u8]) {
        let text = String::from_utf8_lossy(text);
        match self.raw {
            None | Some(Raw::Field) => self.sink.text(&text),
            Some(Raw::Title) => self.sink.title(&text),
            Some(Raw::Script | Raw::Unseen) => {}
        }
    }

    fn emit_current_tag(&mut self) -> Option<State> {
        self.end_attribute();
        let state = if self.is_end {
            self.close();
            None
        } else {
            self.open()
        };
        self.attributes.clear();
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
        extend(&mut self.name, name, MAX_NAME);
    }

    fn set_self_closing(&mut self) {
        self.is_self_closing = true;
    }

    fn init_attribute(&mut self) {
        self.end_attribute();
    }

    fn push_attribute_name(&mut self, name: &[u8]) {
        extend(&mut self.attribute.0, name, MAX_NAME);
    }

    fn push_attribute_value(&mut self, value: &[u8]) {
        extend(&mut self.attribute.1, value, if self.sink.wants(b"") { usize::MAX } else { MAX_VALUE });
    }

    fn current_is_appropriate_end_tag_token(&mut self) -> bool {
        self.is_end && !self.last_start.is_empty() && self.last_start == self.name
    }

    fn adjusted_current_node_present_but_not_in_html_namespace(&mut self) -> bool {
        self.xml
    }

    fn should_emit_errors(&mut self) -> bool {
        false
    }

    fn pop_token(&mut self) -> Option<()> {
        None
    }

    fn set_last_start_tag(&mut self, _name: Option<&[u8]>) {}
    fn emit_eof(&mut self) {}
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
}
