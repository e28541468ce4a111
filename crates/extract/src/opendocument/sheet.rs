//! OpenDocument spreadsheets. The displayed text of a cell is stored beside its value; only dates and times are taken
//! from the value, because their text is localised.

use super::File;
use super::left_out::is_hidden;
use super::reader::{Charts, inline_picture};
use super::style::Styles;
use crate::Writer;
use crate::block_builder::too_many_copies;
use crate::picture::Crop;
use crate::sheet::{Grid, SheetDrawings};
use crate::xml::{Element, Token, Xml, decoded};
use socle_core::Result;

/// Maximum number of repetitions of cells with text: formulas may fill whole columns, hostile files whole sheets.
const MAX_COPIES: u64 = 1 << 21;

/// The open cell.
#[derive(Default)]
struct Cell {
    copies: u32,
    value: Option<String>,
    text: String,
}

/// Reads the document and writes it as Markdown.
///
/// # Errors
/// As [`crate::extract`].
pub fn read(bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let mut file = File::open(bytes, writer)?;
    let content = std::mem::take(&mut file.content);
    let content = decoded(&content);
    let mut shapes = Shapes { charts: file.charts(&content, writer)?, ..Shapes::default() };
    if writer.ocr().is_on() && content.contains("draw:image") {
        shapes.reads_pictures = true;
        shapes.styles.read(&content)?;
    }
    let mut xml = Xml::new(&content);
    let mut sheets = 0;
    while let Some(token) = xml.next()? {
        let Token::Start(element) = token else { continue };
        match element.name().full() {
            "office:automatic-styles" | "office:font-face-decls" | "office:scripts" => xml.skip()?,
            "table:table" => {
                sheets += 1;
                let begin = writer.length();
                let grid = Grid::new(sheets, &element.get("name").unwrap_or_default(), writer);
                sheet(&mut xml, grid, &mut shapes)?;
                file.write_pictures(begin, writer)?;
            }
            _ => {}
        }
    }
    writer.metadata().page_count = Some(sheets);
    Ok(())
}

fn sheet(xml: &mut Xml<'_>, mut grid: Grid<'_>, shapes: &mut Shapes) -> Result<()> {
    let mut row = 0u32;
    let mut row_copies = 1;
    let mut column = 0u32;
    // First column, number of repetitions and text.
    let mut cells: Vec<(u32, u32, String)> = Vec::new();
    let mut cell = Cell::default();
    let mut is_text = false;
    let mut drawn = SheetDrawings::default();
    while let Some(token) = xml.next()? {
        match token {
            Token::Start(element) => match element.name().full() {
                // Comments, and tables in a cell, which spreadsheets do not display.
                "office:annotation" | "office:forms" | "table:table" | "table:named-expressions" => xml.skip()?,
                name if name.starts_with("draw:") && is_hidden(&element) => xml.skip()?,
                name if name.starts_with("draw:") => shapes.read(xml, &element, &mut drawn)?,
                "table:table-row" => {
                    row_copies = copies(&element, "number-rows-repeated");
                    column = 0;
                }
                "table:table-cell" | "table:covered-table-cell" => cell = begin(&element),
                "text:p" => {
                    is_text = true;
                    if !cell.text.is_empty() {
                        cell.text.push('\n');
                    }
                }
                "text:s" => cell.text.push(' '),
                "text:line-break" | "text:tab" => cell.text.push(' '),
                _ => {}
            },
            Token::End(name) => match name.full() {
                "text:p" => is_text = false,
                "table:table-cell" | "table:covered-table-cell" => {
                    let text = cell.value.take().unwrap_or_else(|| std::mem::take(&mut cell.text));
                    if !text.trim().is_empty() {
                        cells.push((column, cell.copies, text));
                    }
                    column = column.saturating_add(cell.copies);
                }
                "table:table-row" => {
                    write_row(&mut grid, row, row_copies, &cells)?;
                    cells.clear();
                    row = row.saturating_add(row_copies);
                }
                "table:table" => break,
                _ => {}
            },
            Token::Text(text) if is_text => cell.text.push_str(&text),
            Token::Text(_) => {}
        }
    }
    grid.draw(drawn);
    grid.end()
}

/// Writes the cells of a row, each with its first column and number of repetitions, as often as the row is repeated.
fn write_row(grid: &mut Grid<'_>, row: u32, row_copies: u32, cells: &[(u32, u32, String)]) -> Result<()> {
    let wide: u64 = cells.iter().map(|(_, copies, _)| u64::from(*copies)).sum();
    if wide.saturating_mul(u64::from(row_copies)) > MAX_COPIES {
        return Err(too_many_copies());
    }
    for copy in 0..if cells.is_empty() { 0 } else { row_copies } {
        for (first, copies, text) in cells {
            for column in (0..*copies).map(|at| first.saturating_add(at)) {
                grid.cell(row.saturating_add(copy), column, text)?;
            }
        }
    }
    Ok(())
}

/// What the shapes of all sheets refer to.
#[derive(Default)]
struct Shapes {
    charts: Charts,
    styles: Styles,
    /// Whether pictures are recognised.
    reads_pictures: bool,
}

impl Shapes {
    /// Reads a shape: texts of boxes, pictures, and titles of charts, whose data is in the cells.
    fn read(&mut self, xml: &mut Xml<'_>, first: &Element<'_>, drawn: &mut SheetDrawings) -> Result<()> {
        let (mut text, mut depth, mut paragraphs) = (String::new(), 1_usize, 0_usize);
        let (mut crop, mut shown) = (Crop::Nothing, None);
        self.begin(first, &mut crop, &mut shown, drawn);
        while depth > 0
            && let Some(token) = xml.next()?
        {
            match token {
                Token::Start(element) => match element.name().full() {
                    "office:binary-data" if self.reads_pictures => drawn.pictures.push((inline_picture(xml)?, crop)),
                    // Inline charts, and descriptions of pictures.
                    "table:table" | "office:binary-data" | "svg:title" | "svg:desc" | "chart:legend"
                    | "office:meta" => xml.skip()?,
                    _ if is_hidden(&element) => xml.skip()?,
                    name => {
                        self.begin(&element, &mut crop, &mut shown, drawn);
                        if name == "text:p" && !text.is_empty() {
                            text.push('\n');
                        }
                        if matches!(name, "text:s" | "text:tab" | "text:line-break") {
                            text.push(' ');
                        }
                        paragraphs += usize::from(name == "text:p");
                        depth += 1;
                    }
                },
                Token::End(name) => {
                    paragraphs -= usize::from(name.full() == "text:p" && paragraphs > 0);
                    depth -= 1;
                }
                Token::Text(more) if paragraphs > 0 => text.push_str(&more),
                Token::Text(_) => {}
            }
        }
        drawn.texts.push(text);
        shown.map_or(Ok(()), |chart| titles(&chart, drawn))
    }

    /// Begins a frame, a picture or a chart.
    fn begin(&mut self, element: &Element<'_>, crop: &mut Crop, chart: &mut Option<String>, drawn: &mut SheetDrawings) {
        match element.name().full() {
            "draw:frame" => *crop = self.styles.crop(element),
            "draw:image" => {
                drawn.has_picture = true;
                // After a chart comes a picture of it.
                let is_read = self.reads_pictures && chart.is_none();
                drawn.pictures.extend(element.get("href").filter(|_| is_read).map(|name| (name, *crop)));
            }
            "draw:object" => {
                let of_name = |name: String| self.charts.remove(&name);
                *chart = element.get("href").and_then(of_name).or(chart.take());
            }
            _ => {}
        }
    }
}

/// The titles of a chart.
fn titles(chart: &str, drawn: &mut SheetDrawings) -> Result<()> {
    let mut xml = Xml::new(chart);
    while let Some(token) = xml.next()? {
        let Token::Start(element) = token else { continue };
        match element.name().full() {
            "table:table" | "chart:legend" => xml.skip()?,
            "text:p" => drawn.texts.push(xml.text()?),
            _ => {}
        }
    }
    Ok(())
}

fn begin(element: &Element<'_>) -> Cell {
    let value = match element.get("value-type").as_deref() {
        Some("date") => element.get("date-value").map(|date| moment(&date)),
        Some("time") => element.get("time-value").map(|time| clock(&time)),
        _ => None,
    };
    Cell { copies: copies(element, "number-columns-repeated"), value, text: String::new() }
}

fn copies(element: &Element<'_>, name: &str) -> u32 {
    element.number(name).and_then(|number| u32::try_from(number).ok()).unwrap_or(1)
}

/// A date such as `2024-03-05`, or with a time such as `2024-03-05T09:30:00` as `2024-03-05 09:30`.
fn moment(date: &str) -> String {
    match date.split_once('T') {
        Some((day, time)) => {
            format!("{day} {}", time.strip_suffix(":00").filter(|time| time.len() == 5).unwrap_or(time))
        }
        None => date.to_string(),
    }
}

/// A time such as `PT09H30M00S` as `09:30`.
fn clock(time: &str) -> String {
    let Some(rest) = time.strip_prefix("PT") else { return time.to_string() };
    let parts: Vec<&str> = rest.split(['H', 'M', 'S']).collect();
    match parts.as_slice() {
        [hours, minutes, "" | "0" | "00", ..] => format!("{hours:0>2}:{minutes:0>2}"),
        [hours, minutes, seconds, ..] => format!("{hours:0>2}:{minutes:0>2}:{seconds:0>2}"),
        _ => time.to_string(),
    }
}
