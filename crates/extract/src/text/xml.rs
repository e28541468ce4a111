//! XML of any kind: the text of its elements, without their names. An element that holds others is a paragraph, its
//! parts are lines of it. Entities that a document defines are not resolved, so that none can grow.

use crate::Writer;
use crate::html::body;
use crate::html::name::Raw;
use crate::html::token::{Attributes, Sink, read};
use socle_core::Result;

pub(super) fn write(source: &str, writer: &mut Writer) -> Result<()> {
    let reader = read(&without_doctype(source), true, Reader::default());
    for paragraph in reader.paragraphs.iter().chain(std::iter::once(&reader.paragraph)) {
        if is_html(paragraph) {
            body(paragraph, writer)?;
        } else {
            writer.paragraph(paragraph)?;
        }
    }
    Ok(())
}

/// Without the definitions that a doctype may hold, which the tokenizer of HTML does not know.
fn without_doctype(source: &str) -> String {
    let Some((before, doctype)) = source.split_once("<!DOCTYPE") else { return source.to_string() };
    let after = match (doctype.find('['), doctype.find('>')) {
        (Some(start), Some(end)) if start < end => doctype.find("]>").map(|end| end + 2),
        (_, end) => end.map(|end| end + 1),
    };
    format!("{before}{}", after.and_then(|after| doctype.get(after..)).unwrap_or_default())
}

/// Feeds hold pages as text.
fn is_html(text: &str) -> bool {
    let text = text.trim();
    text.starts_with('<') && ["</", "/>", "<br>", "<p>", "<img "].iter().any(|mark| text.contains(mark))
}

#[derive(Default)]
struct Reader {
    paragraphs: Vec<String>,
    paragraph: String,
    /// Whether each open element holds others.
    open: Vec<bool>,
    /// A tag came after the last text.
    after_tag: bool,
    /// Two tags, or a line break, came after the last text.
    apart: bool,
}

impl Reader {
    fn tag(&mut self) {
        self.apart |= self.after_tag;
        self.after_tag = true;
    }

    fn end_paragraph(&mut self) {
        let paragraph = std::mem::take(&mut self.paragraph);
        if !paragraph.trim().is_empty() {
            self.paragraphs.push(paragraph);
        }
    }
}

impl Sink for Reader {
    fn start(&mut self, _name: &[u8], _attributes: &Attributes, closes_itself: bool) {
        if let Some(holds) = self.open.last_mut() {
            *holds = true;
        }
        self.tag();
        if !closes_itself {
            self.open.push(false);
        }
    }

    fn end(&mut self, _name: &[u8]) {
        self.tag();
        // The text of an element that holds others as a part of a sentence is not torn.
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
        if self.apart && !self.paragraph.is_empty() {
            self.paragraph.push('\n');
        }
        (self.after_tag, self.apart) = (false, false);
        if is_html(text) {
            self.end_paragraph();
            self.paragraphs.push(text.to_string());
            return;
        }
        // A line break in the source is none in the text.
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
}
