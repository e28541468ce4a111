//! Drawings of Office Open XML that are parts of their own: charts, and diagrams (SmartArt), whose texts are a list.

use crate::Limits;
use crate::archive::Archive;
use crate::chart::Chart;
use crate::flow::{Flow, Shape};
use crate::ooxml::Relation;
use crate::xml::{Token, Xml, decoded};
use socle_core::Result;
use std::collections::HashMap;

/// What a part with a drawing says.
#[derive(Debug)]
pub enum Drawing {
    /// A chart.
    Chart(Chart),
    /// The texts of a diagram.
    Diagram(Vec<String>),
}

/// Drawings by what they are called in the part that shows them.
pub type Drawings = HashMap<String, Drawing>;

/// The drawings among these parts.
///
/// # Errors
/// See [`Archive::read`].
pub fn drawings(archive: &mut Archive<'_>, parts: &[Relation], limits: &mut Limits) -> Result<Drawings> {
    let mut drawings = HashMap::new();
    for part in parts.iter().filter(|part| matches!(part.kind.as_str(), "chart" | "chartEx" | "diagramData")) {
        let Some(bytes) = archive.read(&part.target, limits)? else { continue };
        let text = decoded(&bytes);
        let drawing = match part.kind.as_str() {
            "chart" => Drawing::Chart(Chart::read(&text)?),
            "chartEx" => Drawing::Chart(Chart::read_extended(&text)?),
            _ => Drawing::Diagram(diagram(&text)?),
        };
        drawings.insert(part.id.clone(), drawing);
    }
    Ok(drawings)
}

impl Drawing {
    /// Writes it: a chart as its titles and a table, a diagram as a list.
    ///
    /// # Errors
    /// See [`Flow::page`].
    pub fn write(&self, flow: &mut Flow<'_>) -> Result<()> {
        match self {
            Self::Chart(chart) => chart.write(flow),
            Self::Diagram(texts) => texts.iter().try_for_each(|text| {
                flow.begin_paragraph();
                flow.text(text);
                flow.end_paragraph(Shape::Item(0, None))
            }),
        }
    }

    /// What it says where its numbers are said already, as in the workbook that it is made from.
    pub fn texts(self) -> Vec<String> {
        match self {
            Self::Chart(chart) => chart.titles(),
            Self::Diagram(texts) => texts,
        }
    }
}

/// The texts of the points of a diagram.
fn diagram(text: &str) -> Result<Vec<String>> {
    let mut xml = Xml::new(text);
    let mut texts = Vec::new();
    let (mut point, mut in_run) = (String::new(), false);
    while let Some(token) = xml.next()? {
        match token {
            Token::Start(element) => match element.name().local() {
                "pt" => point.clear(),
                "p" | "br" if !point.is_empty() => point.push(' '),
                // The text of a point and a piece of it have the same name; only pieces lie in runs.
                "r" | "fld" => in_run = true,
                _ => {}
            },
            Token::End(name) => match name.local() {
                "r" | "fld" => in_run = false,
                "pt" if !point.trim().is_empty() => texts.push(std::mem::take(&mut point)),
                _ => {}
            },
            Token::Text(text) if in_run => point.push_str(&text),
            Token::Text(_) => {}
        }
    }
    Ok(texts)
}
