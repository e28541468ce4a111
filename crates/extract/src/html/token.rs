//! Passes the tokens of the WHATWG tokenizer to a [`Sink`], with the attributes that are used.

use super::name::{self, Raw};
use html5gum::{Emitter, Error, State, Tokenizer};

/// Bytes of a name that are kept; no name that is compared with is longer.
const MAX_NAME: usize = 64;
/// Bytes of an attribute value that are kept; enough for everything but data URLs.
const MAX_VALUE: usize = 1 << 16;
/// Maximum number of attributes kept per element.
const MANY: usize = 100;

/// Attributes of a tag as (name, value), names in lower case.
pub(crate) type Attributes = Vec<(Vec<u8>, Vec<u8>)>;

/// Receives tokens in document order.
pub(crate) trait Sink {
    /// A start tag. `closes_itself`: it is self-closing.
    fn start(&mut self, name: &[u8], attributes: &Attributes, closes_itself: bool);
    /// An end tag.
    fn end(&mut self, name: &[u8]);
    /// Text with character references resolved; contiguous text may come in several calls.
    fn text(&mut self, text: &str);
    /// Text of the `<title>` element.
    fn title(&mut self, text: &str);
    /// The end of the `<title>` element.
    fn end_title(&mut self);
    /// How the content of an element is tokenized, if it is not markup.
    fn raw(&self, name: &[u8]) -> Option<Raw>;
    /// Whether an attribute is kept.
    fn wants(&self, attribute: &[u8]) -> bool {
        name::matters(attribute)
    }
}

/// Tokenizes a document or a fragment. `xml`: self-closing tags and CDATA sections are recognised.
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
    /// Whether the tokenizer is inside raw text.
    raw: Option<Raw>,
}

impl<S: Sink> Reader<S> {
    fn end_attribute(&mut self) {
        let (name, value) = std::mem::take(&mut self.attribute);
        // Checking for duplicates takes quadratic time.
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
        // A picture may be in its address.
        let is_whole = self.sink.wants(b"") || self.attribute.0 == b"src" || self.attribute.0.ends_with(b"href");
        extend(&mut self.attribute.1, value, if is_whole { usize::MAX } else { MAX_VALUE });
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
