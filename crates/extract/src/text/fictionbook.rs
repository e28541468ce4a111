//! FictionBook 2, books in XML. Section titles become headings by depth; embedded pictures are left out.

use crate::Writer;
use crate::block_builder::{BlockBuilder, ParagraphKind};
use crate::xml::{Element, Token, Xml};
use socle_core::Result;
use std::collections::HashMap;

/// Media type of FictionBook.
const MEDIA_TYPE: &str = "application/x-fictionbook+xml";

pub(super) fn write(source: &str, writer: &mut Writer) -> Result<()> {
    let notes = notes(source)?;
    let mut reader =
        Reader { flow: BlockBuilder::new(writer), notes, depth: 0, title: None, open: 0, has_title: false };
    let mut xml = Xml::new(source);
    let mut about = About::default();
    while let Some(token) = xml.next()? {
        match token {
            Token::Start(element) if element.name().local() == "description" => {
                about = About::read(&mut xml)?;
            }
            // Notes are written where they are referred to.
            Token::Start(element) if element.name().local() == "body" && is_notes(&element) => xml.skip()?,
            Token::Start(element) => reader.start(&element, &mut xml, about.title.as_deref())?,
            Token::End(name) => reader.end(name.local())?,
            Token::Text(text) => reader.text(&text),
        }
    }
    reader.flow.finish()?;
    let metadata = writer.metadata();
    metadata.media_type = MEDIA_TYPE.to_string();
    metadata.title = about.title;
    metadata.author = (!about.authors.is_empty()).then(|| about.authors.join(", "));
    metadata.language = about.language;
    metadata.created = about.date;
    Ok(())
}

fn is_notes(body: &Element<'_>) -> bool {
    body.get("name").is_some_and(|name| matches!(name.as_str(), "notes" | "comments" | "footnotes"))
}

/// The texts of notes by identifier.
fn notes(source: &str) -> Result<HashMap<String, String>> {
    let mut xml = Xml::new(source);
    let mut notes = HashMap::new();
    let mut in_notes = false;
    let mut id = None;
    while let Some(token) = xml.next()? {
        match token {
            Token::Start(element) => match element.name().local() {
                "body" => in_notes = is_notes(&element),
                "section" if in_notes => id = element.get("id"),
                "title" if in_notes => xml.skip()?,
                "p" | "v" if in_notes => {
                    if let Some(id) = &id {
                        let text: &mut String = notes.entry(id.clone()).or_default();
                        text.push(' ');
                        text.push_str(&xml.text()?);
                    }
                }
                "binary" => xml.skip()?,
                _ => {}
            },
            Token::End(name) if name.local() == "body" => in_notes = false,
            Token::End(_) | Token::Text(_) => {}
        }
    }
    Ok(notes)
}

/// Reads the metadata.
#[derive(Default)]
struct About {
    title: Option<String>,
    authors: Vec<String>,
    language: Option<String>,
    date: Option<String>,
}

impl About {
    fn read(xml: &mut Xml<'_>) -> Result<Self> {
        let mut about = Self::default();
        let mut depth = 1_usize;
        let mut in_title = false;
        while depth > 0
            && let Some(token) = xml.next()?
        {
            match token {
                Token::Start(element) => {
                    let name = element.name().local().to_string();
                    match name.as_str() {
                        "book-title" if in_title => about.title = words(xml)?,
                        "author" if in_title => about.authors.extend(person(xml)?),
                        "lang" if in_title => about.language = words(xml)?,
                        "date" if in_title => {
                            let stated = element.get("value");
                            let shown = words(xml)?;
                            about.date = stated.filter(|date| !date.trim().is_empty()).or(shown);
                        }
                        _ => {
                            in_title |= name == "title-info";
                            depth += 1;
                        }
                    }
                }
                Token::End(name) => {
                    in_title &= name.local() != "title-info";
                    depth -= 1;
                }
                Token::Text(_) => {}
            }
        }
        Ok(about)
    }
}

/// The name of a person, without e-mail and web addresses.
fn person(xml: &mut Xml<'_>) -> Result<Option<String>> {
    let mut names = Vec::new();
    while let Some(token) = xml.next()? {
        match token {
            Token::Start(element) => {
                let is_name = element.name().local().ends_with("-name") || element.name().local() == "nickname";
                let text = words(xml)?;
                names.extend(text.filter(|_| is_name));
            }
            Token::End(_) => break,
            Token::Text(_) => {}
        }
    }
    Ok((!names.is_empty()).then(|| names.join(" ")))
}

fn words(xml: &mut Xml<'_>) -> Result<Option<String>> {
    Ok(Some(xml.text()?.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|text| !text.is_empty()))
}

struct Reader<'w> {
    flow: BlockBuilder<'w>,
    notes: HashMap<String, String>,
    /// Number of open sections.
    depth: u8,
    /// Lines of the open title.
    title: Option<String>,
    /// Number of open paragraphs.
    open: usize,
    /// Whether the book has a title.
    has_title: bool,
}

impl Reader<'_> {
    fn text(&mut self, text: &str) {
        match &mut self.title {
            Some(title) => title.push_str(text),
            None if self.open > 0 => self.flow.text(text),
            None => {}
        }
    }

    fn start(&mut self, element: &Element<'_>, xml: &mut Xml<'_>, book: Option<&str>) -> Result<()> {
        let name = element.name().local();
        if !self.has_title && matches!(name, "section" | "p" | "epigraph") && self.title.is_none() {
            self.has_title = true;
            self.heading(1, book.unwrap_or_default())?;
        }
        match name {
            "binary" | "stylesheet" => xml.skip()?,
            "image" => self.flow.writer().picture(),
            "section" => self.depth = self.depth.saturating_add(1),
            "title" => {
                self.has_title = true;
                self.title = Some(String::new());
            }
            "p" | "v" | "subtitle" | "text-author" | "date" if self.title.is_none() => {
                self.flow.begin_paragraph();
                self.open += 1;
            }
            "table" => self.flow.begin_table(),
            "tr" => self.flow.row(0),
            "td" | "th" => {
                self.flow.cell();
                self.flow.begin_paragraph();
                self.open += 1;
            }
            "a" if element.get("type").as_deref() == Some("note") && self.title.is_none() => {
                let id = element.get("href").unwrap_or_default();
                if let Some(text) = self.notes.remove(id.trim_start_matches('#')) {
                    xml.skip()?;
                    self.flow.call_note(text.trim());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn heading(&mut self, level: u8, text: &str) -> Result<()> {
        self.flow.begin_paragraph();
        self.flow.text(text);
        self.flow.end_paragraph(ParagraphKind::Heading(level))
    }

    fn end(&mut self, name: &str) -> Result<()> {
        match name {
            "section" => self.depth = self.depth.saturating_sub(1),
            "title" => {
                let title = self.title.take().unwrap_or_default();
                self.heading(self.depth.saturating_add(1), &title)?;
            }
            "p" | "v" if self.title.is_some() => self.text("\n"),
            "p" | "v" | "subtitle" | "text-author" | "date" | "td" | "th" if self.open > 0 => {
                self.open -= 1;
                let level = self.depth.saturating_add(2);
                let shape = if name == "subtitle" { ParagraphKind::Heading(level) } else { ParagraphKind::Text };
                self.flow.end_paragraph(shape)?;
            }
            "table" => self.flow.end_table()?,
            _ => {}
        }
        Ok(())
    }
}
