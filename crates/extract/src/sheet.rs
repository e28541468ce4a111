//! Excel workbooks: each sheet is a page with its name as heading, and cells have their displayed values. Consecutive
//! rows form a table; texts of boxes and chart titles follow the cells. calamine reads new workbooks; the old binary
//! format has a reader of its own, because calamine allocates the rectangle around the cells. Hidden sheets are read;
//! macros and comments are not.

mod biff;
mod drawing;
mod grid;
mod number_format;
mod summary_information;
mod xls;
mod xlsx;

use crate::archive::Archive;
use crate::xml::decoded;
use crate::{Media, Writer};
use calamine::{Data, ExcelDateTime, ExcelDateTimeType, Reader, SheetType, Xlsb};
pub use grid::{Grid, SheetDrawings};
use number_format::Format;
use socle_core::{Error, Kind, Result};
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Reads the document and writes it as Markdown.
///
/// # Errors
/// As [`crate::extract`].
pub fn read(bytes: &[u8], media: Media, writer: &mut Writer) -> Result<()> {
    match media {
        Media::Xls => xls::read(bytes, writer),
        // calamine panics on damaged binary workbooks.
        Media::Xlsb => catch_unwind(AssertUnwindSafe(|| xlsb(bytes, writer)))
            .unwrap_or_else(|_| Err(damaged(&"the workbook contradicts itself"))),
        _ => xlsx::read(bytes, writer),
    }
}

/// Reads a binary workbook (XLSB).
fn xlsb(bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let mut archive = Archive::open(bytes)?;
    crate::ooxml::metadata(&mut archive, writer)?;
    archive.measure(|name| [".bin", ".xml", ".rels"].iter().any(|end| name.ends_with(end)), writer.limits())?;
    // calamine treats macro sheets as damage and does not support absolute paths: both are rewritten.
    let name = "xl/_rels/workbook.bin.rels";
    let relations = archive.read(name, writer.limits())?.unwrap_or_default();
    let known = decoded(&relations).replace("macrosheets/", "dialogsheets/").replace("\"/xl/", "\"");
    let bytes =
        if known.as_bytes() == relations { bytes.into() } else { xlsx::with_part(bytes, name, known.as_bytes())? };
    let mut book = Xlsb::new(Cursor::new(&*bytes)).map_err(|error| damaged(&error))?;
    let sheets: Vec<(String, SheetType)> =
        book.sheets_metadata().iter().map(|sheet| (sheet.name.clone(), sheet.typ)).collect();
    writer.metadata().page_count = u32::try_from(sheets.len()).ok();
    for (number, (name, kind)) in (1..).zip(sheets) {
        if kind != SheetType::WorkSheet {
            continue;
        }
        let mut grid = Grid::new(number, &name, writer);
        let mut cells = book.worksheet_cells_reader(&name).map_err(|error| damaged(&error))?;
        while let Some(cell) = cells.next_cell().map_err(|error| damaged(&error))? {
            let (row, column) = cell.get_position();
            grid.cell(row, column, &shown(&Data::from(cell.get_value().clone()), &Format::default()))?;
        }
        grid.end()?;
    }
    Ok(())
}

/// A serial date or time in ISO 8601.
fn moment(value: f64, is_duration: bool, is_1904: bool) -> String {
    if is_duration {
        return number_format::duration(value);
    }
    number_format::moment(value, ExcelDateTime::new(value, ExcelDateTimeType::DateTime, is_1904).to_ymd_hms_milli())
}

/// The displayed value of a cell. Dates and times are in ISO 8601, because their display depends on the locale.
fn shown(value: &Data, format: &Format) -> String {
    match value {
        Data::Int(number) => format.shown(*number as f64),
        Data::Float(number) => format.shown(*number),
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => text.clone(),
        Data::Bool(value) => if *value { "TRUE" } else { "FALSE" }.to_string(),
        Data::DateTime(moment) if moment.is_duration() => number_format::duration(moment.as_f64()),
        Data::DateTime(moment) => number_format::moment(moment.as_f64(), moment.to_ymd_hms_milli()),
        Data::Error(error) => error.to_string(),
        _ => String::new(),
    }
}

fn damaged(error: &impl std::fmt::Display) -> Error {
    Error::new(Kind::DamagedDocument, "document is damaged").detail(error.to_string())
}
