//! XML of any vocabulary: the text of elements and the values of attributes, without names. An element with children
//! becomes a paragraph, its children lines. Entities defined by the document are not resolved, and Base64 data is left
//! out.

use crate::Writer;
use crate::html::body;
use crate::html::name::Raw;
use crate::html::token::{Attributes, Sink, read};
use socle_core::Result;

/// Attributes that describe storage or presentation and have no text.
const TECHNICAL: &[&str] = &[
    "align",
    "checksum",
    "class",
    "color",
    "encoding",
    "guid",
    "hash",
    "height",
    "href",
    "id",
    "ids",
    "idref",
    "idrefs",
    "lang",
    "length",
    "md5",
    "media-type",
    "mimetype",
    "ref",
    "rel",
    "role",
    "schema",
    "sha1",
    "sha256",
    "src",
    "style",
    "target",
    "type",
    "uri",
    "url",
    "uuid",
    "version",
    "width",
    "xmlns",
];
/// Prefixes of application-specific attributes.
const PREFIXES: &[&str] = &[
    "config", "draw", "fo", "number", "o", "pkg", "r", "rdf", "ss", "style", "svg", "v", "w", "wp", "wx", "x", "xlink",
    "xml", "xmlns", "xsi",
];
/// Attributes that are written even if the element has text of its own.
const SPEAKING: &[&str] = &[
    "abstract",
    "alt",
    "author",
    "caption",
    "comment",
    "description",
    "label",
    "name",
    "note",
    "remark",
    "subject",
    "summary",
    "text",
    "title",
    "value",
];
/// Minimum length of a run of letters and digits that is taken for Base64; longer than any word or number.
const BASE64: usize = 120;

pub(super) fn write(source: &str, writer: &mut Writer) -> Result<()> {
    let reader = read(&without_doctype(source), true, Reader { is_drawing: is_drawing(source), ..Reader::default() });
    if reader.has_binary {
        writer.picture();
    }
    for paragraph in reader.paragraphs.iter().chain(std::iter::once(&reader.paragraph)) {
        if is_html(paragraph) {
            body(paragraph, writer)?;
        } else {
            writer.paragraph(paragraph)?;
        }
    }
    Ok(())
}

/// Whether it is SVG, whose attributes are coordinates.
fn is_drawing(source: &str) -> bool {
    crate::media::root(source).is_some_and(|(root, _)| root.starts_with("svg") || root.starts_with("svg:svg"))
}

/// Removes the internal subset of the doctype, which the HTML tokenizer does not support.
fn without_doctype(source: &str) -> String {
    let Some((before, doctype)) = source.split_once("<!DOCTYPE") else { return source.to_string() };
    let after = match (doctype.find('['), doctype.find('>')) {
        (Some(start), Some(end)) if start < end => doctype.find("]>").map(|end| end + 2),
        (_, end) => end.map(|end| end + 1),
    };
    format!("{before}{}", after.and_then(|after| doctype.get(after..)).unwrap_or_default())
}

/// Whether the text of an element is escaped HTML, as in feeds.
fn is_html(text: &str) -> bool {
    let text = text.trim();
    text.starts_with('<') && ["</", "/>", "<br>", "<p>", "<img "].iter().any(|mark| text.contains(mark))
}

/// Whether a text is Base64 data: long lines without spaces, of mixed letters and digits.
fn is_base64(text: &str) -> bool {
    let text = text.trim();
    let mut lines = text.split_ascii_whitespace();
    text.len() >= BASE64
        && text.bytes().all(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_' | b'\n' | b'\r' | b' ' | b'\t')
        })
        && [u8::is_ascii_uppercase, u8::is_ascii_lowercase, u8::is_ascii_digit]
            .iter()
            .all(|kind| text.bytes().any(|byte| kind(&byte)))
        && lines.next().is_some_and(|first| first.len() >= 40)
        && lines.by_ref().count() <= text.len() / 40
}

/// The attribute values to write if the element has no text of its own, and if it has.
#[derive(Default)]
struct Said {
    alone: String,
    beside: String,
}

#[derive(Default)]
struct Reader {
    paragraphs: Vec<String>,
    paragraph: String,
    /// For each open element, whether it has children.
    open: Vec<bool>,
    /// Whether a tag followed the last text.
    after_tag: bool,
    /// Whether two tags or a line break followed the last text.
    apart: bool,
    /// Attribute values of the last tag, until it is known whether text follows.
    said: Said,
    is_drawing: bool,
    has_binary: bool,
}

impl Reader {
    fn tag(&mut self) {
        let said = std::mem::take(&mut self.said);
        self.line(&said.alone);
        self.apart |= self.after_tag;
        self.after_tag = true;
    }

    /// Writes a value on a line of its own.
    fn line(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if !self.paragraph.is_empty() {
            self.paragraph.push('\n');
        }
        self.paragraph.push_str(text);
        self.apart = true;
    }

    fn end_paragraph(&mut self) {
        let paragraph = std::mem::take(&mut self.paragraph);
        if !paragraph.trim().is_empty() {
            self.paragraphs.push(paragraph);
        }
    }

    fn say(&mut self, attributes: &Attributes) {
        for (name, value) in attributes {
            let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
            let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
            let (prefix, local) = name.split_once(':').unwrap_or(("", &name));
            let is_link = ["http://", "https://", "urn:", "#"].iter().any(|start| value.starts_with(start));
            if PREFIXES.contains(&prefix) || TECHNICAL.contains(&local) || is_link {
                continue;
            }
            if is_base64(&value) {
                self.has_binary = true;
                continue;
            }
            if !value.chars().any(char::is_alphanumeric) {
                continue;
            }
            let targets =
                [Some(&mut self.said.alone), Some(&mut self.said.beside).filter(|_| SPEAKING.contains(&local))];
            for target in targets.into_iter().flatten() {
                if !target.is_empty() {
                    target.push(' ');
                }
                target.push_str(&value);
            }
        }
    }
}

impl Sink for Reader {
    fn start(&mut self, _name: &[u8], attributes: &Attributes, closes_itself: bool) {
        if let Some(holds) = self.open.last_mut() {
            *holds = true;
        }
        self.tag();
        if !self.is_drawing {
            self.say(attributes);
        }
        if closes_itself {
            self.tag();
        } else {
            self.open.push(false);
        }
    }

    fn end(&mut self, _name: &[u8]) {
        self.tag();
        // Mixed content is not split into lines.
        if self.open.pop() == Some(true) && self.apart {
            self.end_paragraph();
        }
    }

    fn text(&mut self, text: &str) {
        if text.trim().is_empty() {
            self.apart |= text.contains('\n');
            if !self.apart {
                self.paragraph.push_str(text);
            }
            return;
        }
        let said = std::mem::take(&mut self.said);
        self.line(&said.beside);
        if is_base64(text) {
            self.has_binary = true;
            return;
        }
        if self.apart && !self.paragraph.is_empty() {
            self.paragraph.push('\n');
        }
        (self.after_tag, self.apart) = (false, false);
        if is_html(text) {
            self.end_paragraph();
            self.paragraphs.push(text.to_string());
            return;
        }
        // A line break in the source is a space in the text.
        let lines: Vec<&str> = text.lines().collect();
        self.paragraph.push_str(&lines.join(" "));
        if text.ends_with('\n') {
            self.paragraph.push(' ');
        }
    }

    fn title(&mut self, _text: &str) {}
    fn end_title(&mut self) {}

    fn raw(&self, _name: &[u8]) -> Option<Raw> {
        None
    }

    fn wants(&self, _attribute: &[u8]) -> bool {
        true
    }
}
