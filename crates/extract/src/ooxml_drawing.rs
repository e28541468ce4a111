//! Drawings of Office Open XML that are separate parts: charts and diagrams (SmartArt).

use crate::archive::Archive;
use crate::block_builder::{BlockBuilder, ParagraphKind};
use crate::chart::Chart;
use crate::limits::Limits;
use crate::ooxml::Relation;
use crate::xml::{Token, Xml, decoded};
use socle_core::Result;
use std::collections::HashMap;

/// The content of a drawing part.
#[derive(Debug)]
pub enum Drawing {
    /// A chart.
    Chart(Chart),
    /// The texts of a diagram.
    Diagram(Vec<String>),
}

/// Drawings by the relationship identifier that the referring part uses.
pub type Drawings = HashMap<String, Drawing>;

/// The drawings among these parts.
///
/// # Errors
/// As [`Archive::read`].
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
    /// Writes a chart as titles and a table, a diagram as a list.
    ///
    /// # Errors
    /// As [`BlockBuilder::page`].
    pub fn write(&self, flow: &mut BlockBuilder<'_>) -> Result<()> {
        match self {
            Self::Chart(chart) => chart.write(flow),
            Self::Diagram(texts) => texts.iter().try_for_each(|text| {
                flow.begin_paragraph();
                flow.text(text);
                flow.end_paragraph(ParagraphKind::Item(0, None))
            }),
        }
    }

    /// The texts without the data of a chart, for a workbook, which contains the data already.
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
                // A text body and a text run have the same local name; only the latter is inside a run.
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
