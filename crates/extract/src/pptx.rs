//! PowerPoint (Office Open XML): each slide is a page with its title as heading, then its shapes from top to bottom,
//! then the speaker notes. Headers, footers and comments are left out.

mod bullet;

use crate::Writer;
use crate::archive::Archive;
use crate::block_builder::{BlockBuilder, ParagraphKind, Slide};
use crate::list_label::Label;
use crate::ooxml::{self, Relation, main_part, metadata, relations};
use crate::ooxml_drawing::{Drawings, drawings};
use crate::ooxml_picture::{OpenShapes, PictureFill};
use crate::xml::{Element, Token, Xml, decoded};
use bullet::{Bullet, Counters, Inherited, Levels};
use socle_core::Result;
use std::collections::HashMap;
use std::rc::Rc;

/// Reads the document and writes it as Markdown.
///
/// # Errors
/// As [`crate::extract`].
pub fn read(bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let mut archive = Archive::open(bytes)?;
    let main = main_part(&mut archive, "ppt/presentation.xml", writer.limits())?;
    let presentation = archive.required(&main, writer.limits())?;
    metadata(&mut archive, writer)?;
    let parts = relations(&mut archive, &main, writer.limits())?;
    let slides = slides(&decoded(&presentation), &parts)?;
    writer.metadata().page_count = u32::try_from(slides.len()).ok();
    let mut layouts = HashMap::new();
    let mut flow = BlockBuilder::new(writer);
    for (number, name) in (1..).zip(slides) {
        let Some(slide) = archive.read(&name, flow.writer().limits())? else { continue };
        let parts = relations(&mut archive, &name, flow.writer().limits())?;
        let inherited = inherited(&mut archive, &parts, &mut layouts, &mut flow)?;
        let drawings = drawings(&mut archive, &parts, flow.writer().limits())?;
        flow.page(number)?;
        let begin = flow.writer().length();
        flow.begin_slide();
        let mut reader = Reader::new(&mut flow, inherited, false);
        reader.drawings = drawings;
        reader.run(&decoded(&slide))?;
        flow.end_slide()?;
        flow.finish()?;
        let within = begin..flow.writer().length();
        if let Some(part) = parts.iter().find(|part| part.kind == "notesSlide")
            && let Some(notes) = archive.read(&part.target, flow.writer().limits())?
        {
            Reader::new(&mut flow, Rc::default(), true).run(&decoded(&notes))?;
            flow.finish()?;
        }
        // After the notes, which are not below the headings of a picture, and no text of the slide.
        ooxml::pictures(&mut archive, &parts, within, flow.writer())?;
    }
    flow.finish()
}

/// The part names of the slides in presentation order.
fn slides(presentation: &str, parts: &[Relation]) -> Result<Vec<String>> {
    let mut xml = Xml::new(presentation);
    let mut slides = Vec::new();
    while let Some(token) = xml.next()? {
        let Token::Start(element) = token else { continue };
        if element.name().local() != "sldId" {
            continue;
        }
        // Two attributes have the local name "id": the slide number and, with a prefix, the relationship identifier.
        let part = element.all("id").into_iter().find_map(|id| parts.iter().find(|part| part.id == id));
        slides.extend(part.map(|part| part.target.clone()));
    }
    Ok(slides)
}

/// What a slide inherits from its layout and slide master.
fn inherited(
    archive: &mut Archive<'_>,
    parts: &[Relation],
    known: &mut HashMap<String, Rc<Inherited>>,
    flow: &mut BlockBuilder<'_>,
) -> Result<Rc<Inherited>> {
    let Some(layout) = parts.iter().find(|part| part.kind == "slideLayout") else { return Ok(Rc::default()) };
    if let Some(inherited) = known.get(&layout.target) {
        return Ok(Rc::clone(inherited));
    }
    let mut inherited = Inherited::default();
    if let Some(bytes) = archive.read(&layout.target, flow.writer().limits())? {
        inherited.layout(&decoded(&bytes))?;
    }
    let above = relations(archive, &layout.target, flow.writer().limits())?;
    if let Some(master) = above.iter().find(|part| part.kind == "slideMaster")
        && let Some(bytes) = archive.read(&master.target, flow.writer().limits())?
    {
        inherited.master(&decoded(&bytes))?;
    }
    let inherited = Rc::new(inherited);
    known.insert(layout.target.clone(), Rc::clone(&inherited));
    Ok(inherited)
}

/// The role of a text box on a slide.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Purpose {
    /// Content.
    #[default]
    Free,
    Title,
    Content,
    /// Date, slide number, header or footer.
    Repeated,
}

struct Reader<'f, 'w> {
    flow: &'f mut BlockBuilder<'w>,
    inherited: Rc<Inherited>,
    is_notes: bool,
    drawings: Drawings,
    purpose: Purpose,
    /// The identifier of the box, and its own list styles.
    id: String,
    levels: Levels,
    counters: Counters,
    /// Whether the title has text already.
    has_title: bool,
    level: usize,
    own: Option<Bullet>,
    in_text: bool,
    /// Positions of shapes in a group are relative to the group.
    shapes: OpenShapes,
    fill: PictureFill,
}

impl<'f, 'w> Reader<'f, 'w> {
    fn new(flow: &'f mut BlockBuilder<'w>, inherited: Rc<Inherited>, is_notes: bool) -> Self {
        Self {
            flow,
            inherited,
            is_notes,
            drawings: Drawings::new(),
            purpose: Purpose::Free,
            id: String::new(),
            levels: Levels::default(),
            counters: Counters::default(),
            has_title: false,
            level: 0,
            own: None,
            in_text: false,
            shapes: OpenShapes::default(),
            fill: PictureFill::default(),
        }
    }

    fn run(&mut self, slide: &str) -> Result<()> {
        let mut xml = Xml::new(slide);
        while let Some(token) = xml.next()? {
            match token {
                Token::Start(element) => self.start(&element, &mut xml)?,
                Token::End(name) => self.end(name.local())?,
                Token::Text(text) if self.in_text && !self.shapes.is_hidden() => self.flow.text(&text),
                Token::Text(_) => {}
            }
        }
        Ok(())
    }

    fn start(&mut self, element: &Element<'_>, xml: &mut Xml<'_>) -> Result<()> {
        if is_shape(element.name().local()) {
            self.flow.slide().filter(|_| self.shapes.count() == 0).into_iter().for_each(Slide::begin);
            self.shapes.begin();
        }
        self.shapes.properties(element);
        if self.shapes.is_hidden() {
            return Ok(());
        }
        match element.name().local() {
            // Fallback content for older programs.
            "Fallback" => xml.skip()?,
            "off" => self.place(bullet::place(element)),
            "sp" => {
                self.purpose = if self.is_notes { Purpose::Repeated } else { Purpose::Free };
                self.id.clear();
                self.levels = Levels::default();
                self.counters = Counters::default();
            }
            "graphicFrame" => self.purpose = Purpose::Free,
            "ph" => {
                self.purpose = purpose(element.get("type").as_deref(), self.is_notes);
                self.id = element.get("idx").unwrap_or_default();
                self.place(self.inherited.place(&self.id));
            }
            "txBody" if self.purpose == Purpose::Repeated => xml.skip()?,
            "txBody" if self.purpose == Purpose::Title => {
                self.has_title = false;
                self.flow.begin_paragraph();
            }
            "lstStyle" => self.levels = bullet::levels(xml)?,
            "p" if self.purpose == Purpose::Title => {
                if self.has_title {
                    self.flow.text("\n");
                }
                self.has_title = true;
            }
            "p" => {
                self.flow.begin_paragraph();
                self.level = 0;
                self.own = None;
            }
            "pPr" => self.level = element.number("lvl").unwrap_or(0).min(bullet::LEVELS - 1),
            "fld" if element.get("type").is_some_and(|kind| kind == "slidenum") => xml.skip()?,
            "t" => self.in_text = true,
            "br" => self.flow.text("\n"),
            "tab" if !self.in_text => {}
            "tbl" => self.flow.begin_table(),
            "tr" => self.flow.row(0),
            "tc" => self.flow.cell(),
            "chart" | "relIds" => {
                let id = element.get("dm").or_else(|| element.get("id"));
                if let Some(drawing) = id.and_then(|id| self.drawings.remove(&id)) {
                    drawing.write(self.flow)?;
                }
            }
            _ if !self.is_notes && self.fill.read(element) => {}
            _ => self.own = bullet::bullet(element).or(self.own.take()),
        }
        Ok(())
    }

    /// Sets the upper and left edge of the open shape, unless it is in a group.
    fn place(&mut self, place: Option<(i64, i64)>) {
        if let (Some((top, left)), Some(slide), 1) = (place, self.flow.slide(), self.shapes.count()) {
            slide.place(top, left);
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
            "t" => self.in_text = false,
            "p" if self.purpose == Purpose::Title => {}
            "p" => self.end_paragraph()?,
            "txBody" if self.purpose == Purpose::Title => {
                self.purpose = Purpose::Free;
                self.flow.end_paragraph(ParagraphKind::Heading(1))?;
            }
            "tbl" => self.flow.end_table()?,
            _ => {}
        }
        Ok(())
    }

    fn end_paragraph(&mut self) -> Result<()> {
        let is_empty = self.flow.open_paragraph_text().is_none_or(|text| text.trim().is_empty());
        if is_empty {
            return self.flow.end_paragraph(ParagraphKind::Text);
        }
        let bullet = self.own.take().or_else(|| self.levels.get(self.level)?.clone()).unwrap_or_else(|| {
            if self.purpose == Purpose::Content { self.inherited.get(&self.id, self.level) } else { Bullet::Nothing }
        });
        let shape = match self.counters.next(self.level, &bullet) {
            Label::Nothing => ParagraphKind::Text,
            Label::Bullet => ParagraphKind::Item(self.level, None),
            Label::Number(number, _) => ParagraphKind::Item(self.level, Some(number)),
            Label::Text(label) => {
                if let Some(text) = self.flow.open_paragraph_text() {
                    text.insert_str(0, &format!("{label} "));
                }
                ParagraphKind::Item(self.level, None)
            }
        };
        self.flow.end_paragraph(shape)
    }
}

/// Whether an element is a shape with a position of its own.
fn is_shape(name: &str) -> bool {
    matches!(name, "sp" | "grpSp" | "graphicFrame" | "pic" | "cxnSp")
}

/// The role of a placeholder. On a notes page, only the body is content.
fn purpose(kind: Option<&str>, is_notes: bool) -> Purpose {
    match kind {
        Some("body") if is_notes => Purpose::Free,
        _ if is_notes => Purpose::Repeated,
        Some("title" | "ctrTitle") => Purpose::Title,
        Some("dt" | "ftr" | "hdr" | "sldNum" | "sldImg") => Purpose::Repeated,
        _ => Purpose::Content,
    }
}
