//! Charts of Office Open XML: their titles, and their data as a table with a column for each series.

use crate::block_builder::{BlockBuilder, ParagraphKind};
use crate::xml::{Token, Xml};
use socle_core::{Error, Kind, Result};
use std::collections::{BTreeMap, BTreeSet};

/// Maximum number of cells of the table: a small file may declare many series with distinct categories.
const MAX_CELLS: usize = 1 << 20;

/// The titles and the data of a chart.
#[derive(Debug, Default)]
pub struct Chart {
    title: String,
    axes: Vec<String>,
    categories: BTreeMap<usize, String>,
    series: Vec<Series>,
}

#[derive(Debug, Default)]
struct Series {
    name: String,
    values: BTreeMap<usize, String>,
}

/// The part of the chart that the current text belongs to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    None,
    Title,
    Axis,
    Name,
    Category,
    Value,
}

impl Chart {
    /// Reads a part with a chart.
    ///
    /// # Errors
    /// [`DamagedDocument`](socle_core::Kind::DamagedDocument) if it is not XML.
    pub fn read(text: &str) -> Result<Self> {
        let mut xml = Xml::new(text);
        let mut chart = Self::default();
        let (mut part, mut at, mut is_text, mut in_axis) = (Part::None, 0, false, false);
        while let Some(token) = xml.next()? {
            match token {
                Token::Start(element) => match element.name().local() {
                    "legend" => xml.skip()?,
                    "catAx" | "valAx" | "dateAx" | "serAx" => in_axis = true,
                    "title" => part = chart.title(in_axis),
                    "p" => chart.space(part),
                    "ser" => chart.series.push(Series::default()),
                    "tx" if part == Part::None => part = Part::Name,
                    "cat" | "xVal" => part = Part::Category,
                    "val" | "yVal" => part = Part::Value,
                    "pt" => at = element.number("idx").unwrap_or(0),
                    "v" | "t" => is_text = true,
                    _ => {}
                },
                Token::End(name) => match name.local() {
                    "catAx" | "valAx" | "dateAx" | "serAx" => in_axis = false,
                    "title" | "cat" | "xVal" | "val" | "yVal" => part = Part::None,
                    "tx" if part == Part::Name => part = Part::None,
                    "v" | "t" => is_text = false,
                    _ => {}
                },
                Token::Text(text) if is_text => chart.add(part, at, &text),
                Token::Text(_) => {}
            }
        }
        Ok(chart)
    }

    /// Reads a chart part of the kinds added in Office 2016 (chartex), in which the data precedes the series.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_extended(text: &str) -> Result<Self> {
        let mut xml = Xml::new(text);
        let mut chart = Self::default();
        let (mut part, mut at, mut is_text, mut in_axis) = (Part::None, 0, false, false);
        let mut names: Vec<String> = Vec::new();
        while let Some(token) = xml.next()? {
            match token {
                Token::Start(element) => match element.name().local() {
                    "legend" | "f" => xml.skip()?,
                    "axis" => in_axis = true,
                    "data" => chart.series.push(Series::default()),
                    "title" => part = chart.title(in_axis),
                    "p" => chart.space(part),
                    "series" => names.push(String::new()),
                    "tx" if part == Part::None => part = Part::Name,
                    "strDim" => part = Part::Category,
                    "numDim" => part = Part::Value,
                    "pt" => {
                        at = element.number("idx").unwrap_or(0);
                        is_text = true;
                    }
                    "v" | "t" => is_text = true,
                    _ => {}
                },
                Token::End(name) => match name.local() {
                    "axis" => in_axis = false,
                    "title" | "strDim" | "numDim" => part = Part::None,
                    "tx" if part == Part::Name => part = Part::None,
                    "pt" | "v" | "t" => is_text = false,
                    _ => {}
                },
                Token::Text(text) if is_text && part == Part::Name => {
                    names.last_mut().into_iter().for_each(|name| name.push_str(&text))
                }
                Token::Text(text) if is_text => chart.add(part, at, &text),
                Token::Text(_) => {}
            }
        }
        for (series, name) in chart.series.iter_mut().zip(names) {
            series.name = name;
        }
        Ok(chart)
    }

    /// Begins the title of the chart or of an axis.
    fn title(&mut self, in_axis: bool) -> Part {
        if in_axis {
            self.axes.push(String::new());
        }
        if in_axis { Part::Axis } else { Part::Title }
    }

    /// Separates the lines of a title.
    fn space(&mut self, part: Part) {
        let title = match part {
            Part::Title => Some(&mut self.title),
            Part::Axis => self.axes.last_mut(),
            _ => None,
        };
        if let Some(title) = title.filter(|title| !title.is_empty()) {
            title.push(' ');
        }
    }

    fn add(&mut self, part: Part, at: usize, text: &str) {
        let is_first = self.series.len() == 1;
        let place = match (part, self.series.last_mut()) {
            (Part::Title, _) => &mut self.title,
            (Part::Axis, _) => match self.axes.last_mut() {
                Some(axis) => axis,
                None => return,
            },
            (Part::Name, Some(series)) => &mut series.name,
            // The categories are repeated in each series.
            (Part::Category, Some(_)) if is_first => self.categories.entry(at).or_default(),
            (Part::Value, Some(series)) => series.values.entry(at).or_default(),
            _ => return,
        };
        place.push_str(text);
    }

    /// The title of the chart and those of its axes.
    pub fn titles(self) -> Vec<String> {
        std::iter::once(self.title).chain(self.axes).filter(|title| !title.trim().is_empty()).collect()
    }

    /// Writes the titles and the table.
    ///
    /// # Errors
    /// [`Kind::InputTooLong`] if it has too many cells; see [`crate::Writer::table`].
    pub fn write(&self, flow: &mut BlockBuilder<'_>) -> Result<()> {
        let values = self.series.iter().flat_map(|series| series.values.keys());
        let places: BTreeSet<&usize> = self.categories.keys().chain(values).collect();
        if places.len().saturating_mul(self.series.len()) > MAX_CELLS {
            return Err(Error::new(Kind::InputTooLong, format!("chart has more than {MAX_CELLS} cells")));
        }
        for title in std::iter::once(&self.title).chain(&self.axes) {
            flow.begin_paragraph();
            flow.text(title);
            flow.end_paragraph(ParagraphKind::Text)?;
        }
        flow.begin_table();
        row(flow, None, self.series.iter().map(|series| Some(&series.name)))?;
        for at in places {
            row(flow, self.categories.get(at), self.series.iter().map(|series| series.values.get(at)))?;
        }
        flow.end_table()
    }
}

fn row<'a>(
    flow: &mut BlockBuilder<'_>,
    first: Option<&'a String>,
    others: impl Iterator<Item = Option<&'a String>>,
) -> Result<()> {
    flow.row(0);
    std::iter::once(first).chain(others).try_for_each(|text| {
        flow.cell();
        flow.begin_paragraph();
        flow.text(text.map_or("", String::as_str));
        flow.end_paragraph(ParagraphKind::Text)
    })
}
