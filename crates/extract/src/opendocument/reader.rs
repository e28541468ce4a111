//! Reads the body of OpenDocument texts and presentations.

use super::left_out::{is_hidden, is_left_out};
use super::style::{LEVELS, OUTLINE, Styles};
use crate::Writer;
use crate::block_builder::{BlockBuilder, ParagraphKind};
use crate::list_label::Label;
use crate::picture::Crop;
use crate::xml::{Element, Token, Xml};
use socle_core::Result;
use std::collections::HashMap;
use std::rc::Rc;

/// The context of a paragraph.
enum Context {
    /// A list.
    List,
    /// A list item: its paragraphs are joined.
    Item(Item),
    /// The title of a slide: its paragraphs are joined. Whether it has text already.
    Title(bool),
    /// A cell, a text box or a note, which is independent of the contexts around it.
    Apart,
}

/// A context with the number of lists around it up to the nearest independent context; stored, because searching for
/// them would take quadratic time.
struct Place {
    context: Context,
    depth: usize,
    /// Style of the innermost list.
    list: Option<Rc<str>>,
}

/// A list item.
#[derive(Default)]
struct Item {
    /// Its explicit number, if any.
    start: Option<u64>,
    /// Whether it has received its number: an item that starts with a list has none.
    is_counted: bool,
    /// Role of the open paragraph; `None` if none is open.
    open: Option<ParagraphKind>,
}

/// The bytes of a picture in flat XML, as a reference to it.
///
/// # Errors
/// [`DamagedDocument`](socle_core::Kind::DamagedDocument) if it is not XML.
pub fn inline_picture(xml: &mut Xml<'_>) -> Result<String> {
    Ok(format!("data:image/;base64,{}", xml.text()?))
}

/// Contents of chart parts by name.
pub type Charts = HashMap<String, String>;

/// A reader that writes as it goes.
pub struct Reader<'w> {
    flow: BlockBuilder<'w>,
    styles: Styles,
    /// Open contexts, innermost last.
    places: Vec<Place>,
    /// Counters of lists by style.
    counters: HashMap<String, [u64; LEVELS]>,
    /// Roles of the open paragraphs; `None` for those that are joined to an item.
    paragraphs: Vec<Option<ParagraphKind>>,
    page: u32,
    /// Repetitions of the open cells and rows, innermost last.
    copies: Vec<usize>,
    charts: Charts,
    /// What is cut off the pictures in the open frames, innermost last.
    crops: Vec<Crop>,
    /// Whether a chart was read in the open frame, of which a picture follows for other programs.
    has_chart: bool,
    /// Whether the last character was white space, so that more of it collapses.
    is_space: bool,
}

impl<'w> Reader<'w> {
    /// A reader of a document with these styles.
    pub fn new(writer: &'w mut Writer, styles: Styles, charts: Charts) -> Self {
        Self {
            flow: BlockBuilder::new(writer),
            styles,
            places: Vec::new(),
            counters: HashMap::new(),
            paragraphs: Vec::new(),
            page: 0,
            copies: Vec::new(),
            charts,
            crops: Vec::new(),
            has_chart: false,
            is_space: true,
        }
    }

    /// Number of slides read.
    pub fn page(&self) -> u32 {
        self.page
    }

    /// Reads the content part.
    ///
    /// # Errors
    /// As [`crate::extract`].
    pub fn run(&mut self, content: &str) -> Result<()> {
        let mut xml = Xml::new(content);
        let mut in_body = false;
        while let Some(token) = xml.next()? {
            match token {
                Token::Start(element) if !in_body => in_body = element.name().full() == "office:body",
                Token::Start(element) => self.start(&element, &mut xml)?,
                Token::End(name) if in_body => self.end(name.full())?,
                Token::Text(text) if in_body => self.text(&text),
                Token::End(_) | Token::Text(_) => {}
            }
        }
        self.flow.finish()
    }

    /// Appends text with white space collapsed as the standard requires.
    fn text(&mut self, text: &str) {
        if self.paragraphs.is_empty() {
            return;
        }
        let mut written = String::with_capacity(text.len());
        for c in text.chars() {
            let is_space = matches!(c, ' ' | '\t' | '\n' | '\r');
            match (is_space, self.is_space) {
                (true, true) => {}
                (true, false) => written.push(' '),
                (false, _) => written.push(c),
            }
            self.is_space = is_space;
        }
        self.flow.text(&written);
    }

    fn sign(&mut self, text: &str) {
        self.is_space = false;
        self.flow.text(text);
    }

    fn start(&mut self, element: &Element<'_>, xml: &mut Xml<'_>) -> Result<()> {
        let style = || element.get("style-name").unwrap_or_default();
        match element.name().full() {
            "office:binary-data" if self.flow.writer().ocr().is_on() => {
                self.picture(inline_picture(xml)?)?;
            }
            name if is_left_out(name) || is_hidden(element) => xml.skip()?,
            "text:p" | "text:h" if self.styles.is_hidden("paragraph", &style()) => xml.skip()?,
            "text:span" if self.styles.is_hidden("text", &style()) => xml.skip()?,
            "text:p" => self.paragraph(element),
            "text:h" => self.heading(element)?,
            "text:s" => self.sign(&" ".repeat(element.number("c").unwrap_or(1).min(256))),
            "text:tab" => self.sign("\t"),
            "text:line-break" => self.sign("\n"),
            "text:list" => self.list(element)?,
            "text:list-item" => self.item(element),
            "text:list-header" => self.push(Context::Apart, None),
            "text:note-body" => {
                self.flow.begin_note();
                self.push(Context::Apart, None);
            }
            "table:table" => self.flow.begin_table(),
            "table:table-row" => {
                self.flow.row(0);
                self.copies.push(element.number("number-rows-repeated").unwrap_or(1));
            }
            "table:table-cell" | "table:covered-table-cell" => {
                self.flow.cell();
                self.copies.push(element.number("number-columns-repeated").unwrap_or(1));
                self.push(Context::Apart, None);
            }
            "draw:frame" | "draw:custom-shape" => self.frame(element, xml)?,
            "draw:text-box" if !matches!(self.context(), Some(Context::Title(_))) => {
                self.push(Context::Apart, None);
            }
            "draw:image" if self.has_chart => self.flow.writer().picture(),
            "draw:image" => {
                // In flat XML, its bytes follow, which are read only where pictures are recognised.
                match element.get("href") {
                    Some(name) => self.picture(name)?,
                    None => self.flow.writer().picture(),
                }
            }
            "draw:object" => {
                let chart = element.get("href").and_then(|name| self.charts.remove(&name));
                self.has_chart = chart.is_some();
                chart.map_or(Ok(()), |chart| self.chart(&chart))?;
            }
            "draw:page" => {
                self.page += 1;
                self.flow.page(self.page)?;
                self.flow.begin_slide();
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, name: &str) -> Result<()> {
        match name {
            "text:p" | "text:h" => {
                if let Some(Some(shape)) = self.paragraphs.pop() {
                    self.flow.end_paragraph(shape)?;
                }
            }
            "text:list" | "text:list-header" => drop(self.places.pop()),
            "table:table-cell" | "table:covered-table-cell" => {
                self.places.pop();
                let copies = self.copies.pop().unwrap_or(1);
                self.flow.repeat_cell(copies)?;
            }
            "table:table-row" => {
                let copies = self.copies.pop().unwrap_or(1);
                self.flow.repeat_row(copies)?;
            }
            "text:list-item" => {
                self.end_joined()?;
                self.places.pop();
            }
            "draw:frame" | "draw:custom-shape" => {
                self.end_joined()?;
                self.places.pop();
                self.crops.pop();
            }
            "draw:text-box" if matches!(self.context(), Some(Context::Apart)) => drop(self.places.pop()),
            "text:note-body" => {
                self.places.pop();
                let text = self.flow.end_note();
                self.flow.call_note(&text);
                self.is_space = false;
            }
            "table:table" => self.flow.end_table()?,
            "draw:page" => self.flow.end_slide()?,
            _ => {}
        }
        Ok(())
    }

    fn frame(&mut self, element: &Element<'_>, xml: &mut Xml<'_>) -> Result<()> {
        match element.get("class").as_deref() {
            Some("date-time" | "footer" | "header" | "page-number" | "page") => return xml.skip(),
            Some("title") => self.push(Context::Title(false), None),
            _ => self.push(Context::Apart, None),
        }
        self.crops.push(self.styles.crop(element));
        self.has_chart = false;
        Ok(())
    }

    /// Adds a picture, of which the frame around it may show a part.
    fn picture(&mut self, reference: String) -> Result<()> {
        let crop = self.crops.last().copied().unwrap_or_default();
        self.flow.picture(reference, crop)
    }

    /// Writes a chart: its titles, then its data as a table.
    fn chart(&mut self, content: &str) -> Result<()> {
        let mut xml = Xml::new(content);
        let mut in_body = false;
        self.push(Context::Apart, None);
        while let Some(token) = xml.next()? {
            match token {
                Token::Start(element) if !in_body => in_body = element.name().full() == "office:chart",
                Token::Start(element) if element.name().full() == "chart:legend" => xml.skip()?,
                Token::Start(element) => self.start(&element, &mut xml)?,
                Token::End(name) if in_body => self.end(name.full())?,
                Token::Text(text) if in_body => self.text(&text),
                Token::End(_) | Token::Text(_) => {}
            }
        }
        self.places.pop();
        Ok(())
    }

    fn paragraph(&mut self, element: &Element<'_>) {
        self.is_space = true;
        let is_open = match self.context() {
            Some(Context::Item(item)) => item.open.is_some(),
            Some(Context::Title(has_begun)) => std::mem::replace(has_begun, true),
            _ => return self.own_paragraph(element),
        };
        if is_open {
            self.flow.text("\n");
        } else {
            self.flow.begin_paragraph();
            self.begin_item();
        }
        self.paragraphs.push(None);
    }

    /// Begins a paragraph that is not joined to an item or title.
    fn own_paragraph(&mut self, element: &Element<'_>) {
        self.flow.begin_paragraph();
        let style = element.get("style-name").unwrap_or_default();
        let shape = if self.styles.is_code(&style) {
            ParagraphKind::Code
        } else if self.styles.is_title(&style) {
            ParagraphKind::Heading(1)
        } else {
            ParagraphKind::Text
        };
        self.paragraphs.push(Some(shape));
    }

    fn heading(&mut self, element: &Element<'_>) -> Result<()> {
        self.end_joined()?;
        self.is_space = true;
        self.flow.begin_paragraph();
        let level = element.number("outline-level").unwrap_or(1).clamp(1, LEVELS);
        let label = if let Some(label) = self.count_item() {
            label
        } else if element.get("is-list-header").as_deref() == Some("true") {
            Label::Nothing
        } else {
            self.count(OUTLINE, level - 1, None);
            self.label(OUTLINE, level - 1)
        };
        match label {
            Label::Number(_, text) | Label::Text(text) => self.flow.text(&format!("{text} ")),
            Label::Bullet | Label::Nothing => {}
        }
        self.paragraphs.push(Some(ParagraphKind::Heading(u8::try_from(level).unwrap_or(1))));
        Ok(())
    }

    fn list(&mut self, element: &Element<'_>) -> Result<()> {
        // Text after a nested list in the same item becomes a paragraph.
        self.end_joined()?;
        let depth = self.depth();
        let style = element.get("style-name").map(Rc::from).or_else(|| self.list_style());
        let style = style.unwrap_or_else(|| Rc::from("none"));
        let goes_on =
            element.get("continue-numbering").as_deref() == Some("true") || element.get("continue-list").is_some();
        if !goes_on {
            self.reset(&style, depth);
        }
        self.push(Context::List, Some(style));
        Ok(())
    }

    fn item(&mut self, element: &Element<'_>) {
        let start = element.number("start-value").and_then(|start| u64::try_from(start).ok());
        self.push(Context::Item(Item { start, ..Item::default() }), None);
    }

    /// The role of a paragraph in an item: the first one gets the label, those after a nested list have none.
    fn begin_item(&mut self) {
        let shape = match self.count_item() {
            Some(Label::Number(number, _)) => ParagraphKind::Item(self.depth().saturating_sub(1), Some(number)),
            Some(Label::Bullet) => ParagraphKind::Item(self.depth().saturating_sub(1), None),
            Some(Label::Text(text)) => {
                self.flow.text(&format!("{text} "));
                ParagraphKind::Item(self.depth().saturating_sub(1), None)
            }
            Some(Label::Nothing) | None => ParagraphKind::Text,
        };
        if let Some(Context::Item(item)) = self.context() {
            item.open = Some(shape);
        }
    }

    /// Counts the innermost item and returns its label, once.
    fn count_item(&mut self) -> Option<Label> {
        let start = match self.context() {
            Some(Context::Item(item)) if !item.is_counted => {
                item.is_counted = true;
                item.start
            }
            _ => return None,
        };
        let depth = self.depth().saturating_sub(1);
        let style = self.list_style()?;
        self.count(&style, depth, start);
        Some(self.label(&style, depth))
    }

    /// Ends the innermost item or title, or its open paragraph.
    fn end_joined(&mut self) -> Result<()> {
        let shape = match self.context() {
            Some(Context::Item(item)) => item.open.take(),
            Some(Context::Title(has_begun)) => std::mem::take(has_begun).then_some(ParagraphKind::Heading(1)),
            _ => None,
        };
        shape.map_or(Ok(()), |shape| self.flow.end_paragraph(shape))
    }

    /// The innermost context.
    fn context(&mut self) -> Option<&mut Context> {
        self.places.last_mut().map(|place| &mut place.context)
    }

    fn push(&mut self, context: Context, list: Option<Rc<str>>) {
        let (depth, around) = match self.places.last() {
            Some(place) if !matches!(context, Context::Apart) => (place.depth, place.list.clone()),
            _ => (0, None),
        };
        let depth = depth + usize::from(matches!(context, Context::List));
        self.places.push(Place { context, depth, list: list.or(around) });
    }

    /// Style of the innermost list.
    fn list_style(&self) -> Option<Rc<str>> {
        self.places.last()?.list.clone()
    }

    /// Number of lists around.
    fn depth(&self) -> usize {
        self.places.last().map_or(0, |place| place.depth)
    }

    fn label(&self, list: &str, at: usize) -> Label {
        self.counters.get(list).map_or(Label::Bullet, |counters| self.styles.label(list, at.min(LEVELS - 1), counters))
    }

    fn count(&mut self, list: &str, at: usize, start: Option<u64>) {
        let at = at.min(LEVELS - 1);
        if !self.counters.contains_key(list) {
            self.reset(list, 0);
        }
        if let Some(counter) = self.counters.get_mut(list).and_then(|counters| counters.get_mut(at)) {
            *counter = start.unwrap_or(counter.saturating_add(1));
        }
        self.reset(list, at + 1);
    }

    /// Resets all counters from a level on.
    fn reset(&mut self, list: &str, from: usize) {
        let starts: Vec<u64> = (0..LEVELS).map(|at| self.styles.start(list, at).saturating_sub(1)).collect();
        let counters = self.counters.entry(list.to_string()).or_insert([0; LEVELS]);
        for (counter, start) in counters.iter_mut().zip(starts).skip(from) {
            *counter = start;
        }
    }
}
