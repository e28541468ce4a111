//! Charts of Office Open XML: the numbers behind the picture, as a table with a column for each series.

use crate::flow::{Flow, Shape};
use crate::xml::{Token, Xml};
use socle_core::Result;
use std::collections::{BTreeMap, BTreeSet};

/// Most series that are shown. Nobody can tell more lines apart.
const MAX_SERIES: usize = 62;

/// A chart.
#[derive(Debug, Default)]
pub struct Chart {
    title: String,
    categories: BTreeMap<usize, String>,
    series: Vec<Series>,
}

#[derive(Debug, Default)]
struct Series {
    name: String,
    values: BTreeMap<usize, String>,
}

/// What the text that is being read belongs to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    None,
    Title,
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
        let mut part = Part::None;
        let mut at = 0;
        let mut is_text = false;
        while let Some(token) = xml.next()? {
            match token {
                Token::Start(element) => match element.name().local() {
                    // Titles of axes say less than they look.
                    "catAx" | "valAx" | "dateAx" | "serAx" | "legend" => xml.skip()?,
                    "title" => part = Part::Title,
                    "ser" => chart.series.push(Series::default()),
                    "tx" if part == Part::None => part = Part::Name,
                    "cat" | "xVal" => part = Part::Category,
                    "val" | "yVal" => part = Part::Value,
                    "pt" => at = element.number("idx").unwrap_or(0),
                    "v" | "t" => is_text = true,
                    _ => {}
                },
                Token::End(name) => match name.local() {
                    "title" | "cat" | "xVal" | "val" | "yVal" => part = Part::None,
                    "tx" if part == Part::Name => part = Part::None,
                    "v" | "t" => is_text = false,
                    _ => {}
                },
                Token::Text(text) if is_text => chart.add(part, at, &text),
                Token::Text(_) => {}
            }
        }
        chart.series.truncate(MAX_SERIES);
        Ok(chart)
    }

    fn add(&mut self, part: Part, at: usize, text: &str) {
        let is_first = self.series.len() == 1;
        let place = match (part, self.series.last_mut()) {
            (Part::Title, _) => &mut self.title,
            (Part::Name, Some(series)) => &mut series.name,
            // Each series repeats the categories.
            (Part::Category, Some(_)) if is_first => self.categories.entry(at).or_default(),
            (Part::Value, Some(series)) => series.values.entry(at).or_default(),
            _ => return,
        };
        place.push_str(text);
    }

    /// Writes the title and the table.
    ///
    /// # Errors
    /// See [`crate::Writer::table`].
    pub fn write(&self, flow: &mut Flow<'_>) -> Result<()> {
        flow.begin_paragraph();
        flow.text(&self.title);
        flow.end_paragraph(Shape::Text)?;
        flow.begin_table();
        row(flow, None, self.series.iter().map(|series| Some(&series.name)))?;
        let values = self.series.iter().flat_map(|series| series.values.keys());
        for at in self.categories.keys().chain(values).collect::<BTreeSet<_>>() {
            row(flow, self.categories.get(at), self.series.iter().map(|series| series.values.get(at)))?;
        }
        flow.end_table()
    }
}

fn row<'a>(
    flow: &mut Flow<'_>,
    first: Option<&'a String>,
    others: impl Iterator<Item = Option<&'a String>>,
) -> Result<()> {
    flow.row(0);
    std::iter::once(first).chain(others).try_for_each(|text| {
        flow.cell();
        flow.begin_paragraph();
        flow.text(text.map_or("", String::as_str));
        flow.end_paragraph(Shape::Text)
    })
}
