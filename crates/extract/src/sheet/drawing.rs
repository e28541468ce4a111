//! Drawings on a sheet: the texts of text boxes, chart titles and diagrams, and pictures. Comments and hidden shapes are left
//! out.

use super::grid::SheetDrawings;
use crate::archive::Archive;
use crate::limits::Limits;
use crate::ooxml::relations;
use crate::ooxml_drawing::drawings;
use crate::ooxml_picture::{OpenShapes, PictureFill};
use crate::xml::{Token, Xml, decoded};
use socle_core::Result;

/// Reads the drawings of the sheet in the part `sheet`.
///
/// # Errors
/// As [`Archive::read`].
pub(super) fn read(archive: &mut Archive<'_>, sheet: &str, limits: &mut Limits) -> Result<SheetDrawings> {
    let mut drawn = SheetDrawings::default();
    for part in relations(archive, sheet, limits)? {
        if !matches!(part.kind.as_str(), "drawing" | "vmlDrawing") {
            continue;
        }
        let Some(bytes) = archive.read(&part.target, limits)? else { continue };
        if part.kind == "drawing" {
            drawn.shapes(archive, &part.target, &decoded(&bytes), limits)?;
        } else {
            drawn.controls(&decoded(&bytes));
        }
    }
    Ok(drawn)
}

impl SheetDrawings {
    fn shapes(&mut self, archive: &mut Archive<'_>, name: &str, text: &str, limits: &mut Limits) -> Result<()> {
        let parts = relations(archive, name, limits)?;
        let mut drawings = drawings(archive, &parts, limits)?;
        let mut xml = Xml::new(text);
        let (mut shape, mut in_run) = (None, false);
        let (mut open, mut fill) = (OpenShapes::default(), PictureFill::default());
        while let Some(token) = xml.next()? {
            match &token {
                Token::Start(element) => {
                    if is_shape(element.name().local()) {
                        open.begin();
                    }
                    open.properties(element);
                }
                Token::End(name) if is_shape(name.local()) => open.end(),
                Token::End(_) | Token::Text(_) => {}
            }
            if open.is_hidden() {
                continue;
            }
            match token {
                Token::Start(element) => match element.name().local() {
                    // Fallback content for older programs.
                    "Fallback" => xml.skip()?,
                    "txBody" => shape = Some(String::new()),
                    "p" | "br" => shape.iter_mut().filter(|text| !text.is_empty()).for_each(|text| text.push('\n')),
                    "t" => in_run = true,
                    _ if fill.read(&element) => self.has_picture = true,
                    "chart" | "relIds" => {
                        let id = element.get("dm").or_else(|| element.get("id"));
                        let drawing = id.and_then(|id| drawings.remove(&id));
                        self.texts.extend(drawing.into_iter().flat_map(|drawing| drawing.texts()));
                    }
                    _ => {}
                },
                Token::End(name) => {
                    let part = |id: &str| parts.iter().find(|part| part.id == id).map(|part| part.target.clone());
                    self.pictures.extend(fill.take(name.local()).and_then(|(id, crop)| Some((part(&id)?, crop))));
                    match name.local() {
                        "t" => in_run = false,
                        "txBody" => self.texts.extend(shape.take()),
                        _ => {}
                    }
                }
                Token::Text(text) if in_run => shape.iter_mut().for_each(|shape| shape.push_str(&text)),
                Token::Text(_) => {}
            }
        }
        Ok(())
    }

    /// Reads form controls from VML. Comments have boxes there, too, which are left out.
    fn controls(&mut self, text: &str) {
        let mut xml = Xml::new(text);
        let (mut shape, mut in_box, mut is_comment) = (String::new(), false, false);
        // VML is not always well-formed; keeps what was read before the error.
        while let Ok(Some(token)) = xml.next() {
            match token {
                Token::Start(element) => match element.name().local() {
                    "textbox" => in_box = true,
                    "ClientData" => is_comment = element.get("ObjectType").as_deref() == Some("Note"),
                    "div" | "br" if in_box && !shape.is_empty() => shape.push('\n'),
                    _ => {}
                },
                Token::End(name) => match name.local() {
                    "textbox" => in_box = false,
                    "shape" => {
                        let text = std::mem::take(&mut shape);
                        self.texts.extend(Some(text).filter(|_| !std::mem::take(&mut is_comment)));
                    }
                    _ => {}
                },
                Token::Text(text) if in_box => shape.push_str(&text),
                Token::Text(_) => {}
            }
        }
    }
}

fn is_shape(name: &str) -> bool {
    matches!(name, "sp" | "grpSp" | "graphicFrame" | "pic" | "cxnSp")
}
