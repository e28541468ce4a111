//! Spreadsheets of LibreOffice. What a cell shows is stored as text beside its value; only dates and times are taken from
//! the value, since the text of those is made for one language.

use super::open;
use crate::Writer;
use crate::sheet::Grid;
use crate::xml::{Element, Token, Xml, decoded};
use socle_core::Result;

/// Most copies of a cell or row that has text: formulas and patterns fill this much at times, hostile files more.
const MAX_COPIES: u32 = 1000;

/// A cell that is being read.
#[derive(Default)]
struct Cell {
    copies: u32,
    value: Option<String>,
    text: String,
}

/// Writes what the document says.
///
/// # Errors
/// See [`crate::extract`].
pub fn read(bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let (_, content) = open(bytes, writer)?;
    let content = decoded(&content);
    let mut xml = Xml::new(&content);
    let mut sheets = 0;
    while let Some(token) = xml.next()? {
        let Token::Start(element) = token else { continue };
        match element.name().full() {
            "office:automatic-styles" | "office:font-face-decls" | "office:scripts" => xml.skip()?,
            "table:table" => {
                sheets += 1;
                sheet(&mut xml, Grid::new(sheets, &element.get("name").unwrap_or_default(), writer))?;
            }
            _ => {}
        }
    }
    writer.metadata().page_count = Some(sheets);
    Ok(())
}

fn sheet(xml: &mut Xml<'_>, mut grid: Grid<'_>) -> Result<()> {
    let mut row = 0u32;
    let mut row_copies = 1;
    let mut column = 0u32;
    // First column, number of copies and text.
    let mut cells: Vec<(u32, u32, String)> = Vec::new();
    let mut cell = Cell::default();
    let mut is_text = false;
    while let Some(token) = xml.next()? {
        match token {
            Token::Start(element) => match element.name().full() {
                // Comments; drawings; a table in a cell, as no spreadsheet shows it.
                "office:annotation"
                | "table:shapes"
                | "draw:frame"
                | "office:forms"
                | "table:table"
                | "table:named-expressions" => xml.skip()?,
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
                        cells.push((column, cell.copies.min(MAX_COPIES), text));
                    }
                    column = column.saturating_add(cell.copies);
                }
                "table:table-row" => {
                    let shown = if cells.is_empty() { 0 } else { row_copies.min(MAX_COPIES) };
                    for copy in 0..shown {
                        for (first, copies, text) in &cells {
                            for column in (0..*copies).map(|at| first.saturating_add(at)) {
                                grid.cell(row.saturating_add(copy), column, text)?;
                            }
                        }
                    }
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
    grid.end()
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
