//! Word (Office Open XML): the text with all tracked changes accepted, without comments, headers and footers.
//!
//! Heading levels come from styles (`style`), list numbers from counting (`numbering`), and pages from the breaks of
//! the last layout, which are used only if their number agrees with the stated page count.

mod numbering;
mod style;

use crate::archive::Archive;
use crate::attachment::write_unreadable;
use crate::block_builder::{BlockBuilder, ParagraphKind};
use crate::list_label::Label;
use crate::ooxml::{self, Relation, main_part, metadata, relations};
use crate::ooxml_drawing::{Drawings, drawings};
use crate::ooxml_picture::{OpenShapes, PictureFill, is_hidden_vml};
use crate::xml::{Element, Token, Xml, decoded};
use crate::{Limits, Media, Writer};
use numbering::Numbering;
use socle_core::Result;
use std::collections::HashMap;
use style::{Properties, Styles};

/// Reads the document and writes it as Markdown.
///
/// # Errors
/// As [`crate::extract`].
pub fn read(bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let begin = writer.length();
    let mut archive = Archive::open(bytes)?;
    let main = main_part(&mut archive, "word/document.xml", writer.limits())?;
    let document = archive.required(&main, writer.limits())?;
    let document = decoded(&document);
    metadata(&mut archive, writer)?;
    let parts = relations(&mut archive, &main, writer.limits())?;
    let mut part = |kind: &str, writer: &mut Writer| -> Result<String> {
        let Some(relation) = parts.iter().find(|relation| relation.kind == kind) else { return Ok(String::new()) };
        let bytes = archive.read(&relation.target, writer.limits())?;
        Ok(bytes.map(|bytes| decoded(&bytes).into_owned()).unwrap_or_default())
    };
    let styles = Styles::read(&part("styles", writer)?)?;
    let numbering = Numbering::read(&part("numbering", writer)?)?;
    let notes = [part("footnotes", writer)?, part("endnotes", writer)?];
    let drawings = drawings(&mut archive, &parts, writer.limits())?;
    let chunks = chunks(&mut archive, &parts, writer.limits())?;
    let pages = writer.metadata().page_count;
    let breaks = document.matches("lastRenderedPageBreak").count();
    let has_pages = pages.is_some_and(|pages| usize::try_from(pages) == Ok(breaks + 1));
    let metadata = writer.metadata();
    metadata.language = metadata.language.take().or_else(|| styles.language.clone());

    let mut reader = Reader {
        flow: BlockBuilder::new(writer),
        styles,
        numbering,
        notes: HashMap::new(),
        drawings,
        chunks,
        paragraphs: Vec::new(),
        spans: Vec::new(),
        carried: String::new(),
        page: has_pages.then_some(1),
        in_properties: false,
        in_row_properties: false,
        in_text: false,
        is_hidden: false,
        shapes: OpenShapes::default(),
        fill: PictureFill::default(),
    };
    for (part, name) in notes.iter().zip(["footnote", "endnote"]) {
        reader.notes(part, name)?;
    }
    if let Some(page) = reader.page {
        reader.flow.page(page)?;
    }
    reader.run(&mut Xml::new(&document))?;
    reader.flow.finish()?;
    if reader.flow.is_empty() {
        // Some documents have all of their text in headers and footers.
        for relation in parts.iter().filter(|relation| matches!(relation.kind.as_str(), "header" | "footer")) {
            if let Some(bytes) = archive.read(&relation.target, reader.flow.writer().limits())? {
                reader.run(&mut Xml::new(&decoded(&bytes)))?;
            }
        }
        reader.flow.finish()?;
    }
    drop(reader);
    ooxml::pictures(&mut archive, &parts, begin..writer.length(), writer)
}

/// Embedded files that are part of the text (altChunk), mostly HTML.
fn chunks(
    archive: &mut Archive<'_>,
    parts: &[Relation],
    limits: &mut Limits,
) -> Result<HashMap<String, (String, Vec<u8>)>> {
    let mut chunks = HashMap::new();
    for part in parts.iter().filter(|part| part.kind == "aFChunk") {
        if let Some(bytes) = archive.read(&part.target, limits)? {
            let name = part.target.rsplit('/').next().unwrap_or_default().to_string();
            chunks.insert(part.id.clone(), (name, bytes));
        }
    }
    Ok(chunks)
}

/// The state of an open paragraph.
#[derive(Default)]
struct Paragraph {
    style: Option<String>,
    own: Properties,
    /// Whether its text is joined to the next paragraph: its mark was deleted, or it is a drop cap.
    is_carried: bool,
}

/// The state of an open row and its open cell.
#[derive(Default)]
struct Span {
    before: usize,
    columns: usize,
    has_begun: bool,
    is_deleted: bool,
}

struct Reader<'w> {
    flow: BlockBuilder<'w>,
    styles: Styles,
    numbering: Numbering,
    /// Texts of footnotes and endnotes by kind and identifier.
    notes: HashMap<(&'static str, String), String>,
    drawings: Drawings,
    /// Names and bytes of embedded files by relationship identifier.
    chunks: HashMap<String, (String, Vec<u8>)>,
    paragraphs: Vec<Paragraph>,
    spans: Vec<Span>,
    carried: String,
    page: Option<u32>,
    in_properties: bool,
    in_row_properties: bool,
    in_text: bool,
    is_hidden: bool,
    shapes: OpenShapes,
    fill: PictureFill,
}

impl Reader<'_> {
    fn notes(&mut self, part: &str, name: &'static str) -> Result<()> {
        let mut xml = Xml::new(part);
        let mut id = None;
        while let Some(token) = xml.next()? {
            match token {
                Token::Start(element) if element.name().local() == name => {
                    id = element.get("id");
                    self.flow.begin_note();
                }
                Token::End(end) if end.local() == name => {
                    let text = self.flow.end_note();
                    self.notes.extend(id.take().map(|id| ((name, id), text)));
                }
                Token::Start(element) => self.start(&element, &mut xml)?,
                Token::End(end) => self.end(end.local())?,
                Token::Text(text) => self.text(&text),
            }
        }
        Ok(())
    }

    fn run(&mut self, xml: &mut Xml<'_>) -> Result<()> {
        while let Some(token) = xml.next()? {
            match token {
                Token::Start(element) => self.start(&element, xml)?,
                Token::End(name) => self.end(name.local())?,
                Token::Text(text) => self.text(&text),
            }
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        if self.in_text && !self.is_hidden && !self.shapes.is_hidden() {
            self.flow.text(text);
        }
    }

    /// The character that an element such as a tab represents.
    fn sign(&mut self, text: &str) {
        if !self.in_properties && !self.is_hidden {
            self.flow.text(text);
        }
    }

    fn start(&mut self, element: &Element<'_>, xml: &mut Xml<'_>) -> Result<()> {
        let name = element.name().local();
        if self.is_in_hidden_shape(element) {
            return Ok(());
        }
        match name {
            // What is in hidden text is hidden, too.
            "drawing" | "pict" | "object" if self.is_hidden => xml.skip()?,
            _ if is_hidden_vml(element) => xml.skip()?,
            // Deleted and moved text, fallback content, ruby text, and previous properties.
            "del" if !self.in_properties && !self.in_row_properties => xml.skip()?,
            "moveFrom" | "Fallback" | "rt" | "sdtPr" | "pPrChange" | "rPrChange" | "tblPrChange" | "trPrChange"
            | "tcPrChange" | "sectPr" => xml.skip()?,
            "p" => {
                self.flow.begin_paragraph();
                let carried = std::mem::take(&mut self.carried);
                self.flow.text(&carried);
                self.paragraphs.push(Paragraph::default());
            }
            "pPr" => self.in_properties = true,
            "r" => self.is_hidden = self.hides_paragraph(),
            "t" => self.in_text = true,
            "tbl" => {
                self.flow.begin_table();
                self.spans.push(Span::default());
            }
            "tr" => self.spans.last_mut().into_iter().for_each(|span| *span = Span::default()),
            "trPr" => self.in_row_properties = true,
            "tc" => self.cell(),
            // Fractions, superscripts and subscripts of formulas: a/b, a^b, a_b.
            "den" => self.sign("/"),
            "sup" => self.sign("^"),
            "sub" => self.sign("_"),
            "rad" => self.sign("√"),
            "tab" | "ptab" => self.sign("\t"),
            "br" | "cr" => self.sign("\n"),
            "noBreakHyphen" => self.sign("-"),
            "sym" => self.sign(symbol(element)),
            "footnoteReference" | "endnoteReference" => {
                let kind = if name == "footnoteReference" { "footnote" } else { "endnote" };
                // Only the first reference to a note writes its text.
                let text = self.notes.remove(&(kind, element.get("id").unwrap_or_default()));
                self.flow.call_note(&text.unwrap_or_default());
            }
            "chart" | "relIds" => self.drawing(element)?,
            _ if self.fill.read(element) => {}
            "altChunk" => {
                if let Some((name, bytes)) = element.get("id").and_then(|id| self.chunks.remove(&id)) {
                    self.chunk(&name, &bytes)?;
                }
            }
            "lastRenderedPageBreak" => {
                if let Some(page) = &mut self.page {
                    *page += 1;
                    self.flow.page(*page)?;
                }
            }
            _ => self.property(element),
        }
        Ok(())
    }

    /// Whether an element is in a shape that is hidden, or makes one hidden.
    fn is_in_hidden_shape(&mut self, element: &Element<'_>) -> bool {
        if is_shape(element.name().local()) {
            self.shapes.begin();
        }
        self.shapes.properties(element);
        self.shapes.is_hidden()
    }

    /// Writes a chart or a diagram.
    fn drawing(&mut self, element: &Element<'_>) -> Result<()> {
        let id = element.get("dm").or_else(|| element.get("id"));
        let drawing = id.and_then(|id| self.drawings.remove(&id));
        drawing.map_or(Ok(()), |drawing| drawing.write(&mut self.flow))
    }

    /// Writes an embedded file. One that cannot be read is replaced by a line with the reason.
    fn chunk(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.flow.embed(|writer| {
            let result = Media::detect(bytes, None, Some(name)).and_then(|media| crate::read(media, bytes, writer));
            result.or_else(|error| write_unreadable(name, &error, writer))
        })
    }

    fn property(&mut self, element: &Element<'_>) {
        let name = element.name().local();
        let value = || element.get("val");
        if let Some(span) = self.spans.last_mut() {
            match name {
                "gridSpan" => span.columns = element.number("val").unwrap_or(1),
                "gridBefore" => span.before = element.number("val").unwrap_or(0),
                "del" if self.in_row_properties => span.is_deleted = true,
                _ => {}
            }
        }
        let Some(paragraph) = self.paragraphs.last_mut() else { return };
        match name {
            "vanish" if !self.in_properties => self.is_hidden = element.is_on(),
            "rStyle" if !self.in_properties => {
                self.is_hidden |= self.styles.resolve(value().as_deref()).properties.is_hidden.unwrap_or_default();
            }
            _ if !self.in_properties => {}
            "pStyle" => paragraph.style = value(),
            "outlineLvl" => paragraph.own.outline = value().and_then(|value| value.parse().ok()),
            "numId" => paragraph.own.list = value(),
            "ilvl" => paragraph.own.level = element.number("val"),
            "del" => paragraph.is_carried = true,
            "framePr" => paragraph.is_carried |= element.get("dropCap").is_some_and(|kind| kind != "none"),
            _ => {}
        }
    }

    /// Whether the style of the open paragraph hides its text.
    fn hides_paragraph(&self) -> bool {
        let style = self.paragraphs.last().and_then(|paragraph| paragraph.style.as_deref());
        style.is_some_and(|style| self.styles.resolve(Some(style)).properties.is_hidden == Some(true))
    }

    fn cell(&mut self) {
        if let Some(span) = self.spans.last_mut() {
            if !span.has_begun {
                self.flow.row(span.before);
                span.has_begun = true;
            }
            span.columns = 1;
            self.flow.cell();
        }
    }

    fn end(&mut self, name: &str) -> Result<()> {
        let is_hidden = self.shapes.is_hidden();
        if is_shape(name) {
            self.shapes.end();
        }
        if is_hidden {
            return Ok(());
        }
        if let Some((picture, crop)) = self.fill.take(name) {
            self.flow.picture(picture, crop)?;
        }
        match name {
            "p" => self.end_paragraph()?,
            "pPr" => self.in_properties = false,
            "trPr" => self.in_row_properties = false,
            "t" => self.in_text = false,
            "r" => self.is_hidden = false,
            "tc" => {
                if let Some(span) = self.spans.last() {
                    self.flow.end_cell(span.columns);
                }
            }
            "tr" if self.spans.last().is_some_and(|span| span.is_deleted && span.has_begun) => self.flow.drop_row(),
            "tbl" => {
                self.spans.pop();
                self.flow.end_table()?;
            }
            _ => {}
        }
        Ok(())
    }

    fn end_paragraph(&mut self) -> Result<()> {
        let paragraph = self.paragraphs.pop().unwrap_or_default();
        if paragraph.is_carried
            && let Some(text) = self.flow.open_paragraph_text()
        {
            self.carried = std::mem::take(text);
            return self.flow.end_paragraph(ParagraphKind::Text);
        }
        let style = self.styles.resolve(paragraph.style.as_deref());
        let heading = match paragraph.own.outline {
            Some(level) if level < 9 => Some(level + 1),
            Some(_) => None,
            None => style.heading,
        };
        let list = paragraph.own.list.or(style.properties.list).filter(|id| id != "0");
        let level = paragraph.own.level.or(style.properties.level).unwrap_or(0);
        let list_of_style = |style: &str| self.styles.resolve(Some(style)).properties.list;
        let label = list.and_then(|id| self.numbering.next(&id, level, list_of_style)).unwrap_or(Label::Nothing);
        let label_text = match &label {
            Label::Number(_, text) if heading.is_some() => Some(text.clone()),
            Label::Text(text) => Some(text.clone()),
            _ => None,
        };
        if let Some(label) = label_text
            && let Some(text) = self.flow.open_paragraph_text().filter(|text| !text.trim().is_empty())
        {
            text.insert_str(0, &format!("{label} "));
        }
        let shape = match (heading, label) {
            (Some(level), _) => ParagraphKind::Heading(level),
            (None, Label::Number(number, _)) => ParagraphKind::Item(level, Some(number)),
            (None, Label::Bullet | Label::Text(_)) => ParagraphKind::Item(level, None),
            (None, Label::Nothing) if style.is_code => ParagraphKind::Code,
            (None, Label::Nothing) => ParagraphKind::Text,
        };
        self.flow.end_paragraph(shape)
    }
}

/// Whether an element is a drawing or a shape of one.
fn is_shape(name: &str) -> bool {
    matches!(name, "inline" | "anchor" | "pic" | "wsp" | "wgp" | "grpSp" | "graphicFrame")
}

/// A character of a symbol font; only check marks and boxes, as in forms, have a meaning.
fn symbol(element: &Element<'_>) -> &'static str {
    if !element.get("font").is_some_and(|font| font.starts_with("Wingdings")) {
        return "";
    }
    match element.get("char").unwrap_or_default().to_uppercase().trim_start_matches("F0") {
        "FE" | "52" => "☑",
        "FD" | "53" | "54" => "☒",
        "A8" | "6F" | "A3" => "☐",
        "FC" => "✓",
        "FB" => "✗",
        "E0" => "→",
        _ => "",
    }
}
