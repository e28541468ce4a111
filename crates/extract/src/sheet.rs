//! Spreadsheets: each sheet is a page with its name as heading, and the cells say what a reader sees. Rows that follow
//! each other are a table; what text boxes and titles of charts say comes after the cells. New workbooks of Excel are read
//! by calamine, spreadsheets of LibreOffice by our own reader, since they store what each cell shows, and so are old
//! workbooks, whose cells may be far from each other. Hidden sheets are read; macros and comments are not.

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
        // calamine looks where damaged workbooks of the binary variant tell it to. That costs the document, not the process.
        Media::Xlsb => catch_unwind(AssertUnwindSafe(|| xlsb(bytes, writer)))
            .unwrap_or_else(|_| Err(damaged(&"the workbook contradicts itself"))),
        _ => xlsx::read(bytes, writer),
    }
}

/// The binary variant of new workbooks.
fn xlsb(bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let mut archive = Archive::open(bytes)?;
    crate::ooxml::metadata(&mut archive, writer)?;
    archive.measure(|name| [".bin", ".xml", ".rels"].iter().any(|end| name.ends_with(end)), writer.limits())?;
    // calamine tells sheets of macros, which it takes for damage, by their folder, and knows no paths from the top.
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

/// A number that is a date or a time, as ISO 8601 writes it.
fn moment(value: f64, is_duration: bool, is_1904: bool) -> String {
    if is_duration {
        return number_format::duration(value);
    }
    number_format::moment(value, ExcelDateTime::new(value, ExcelDateTimeType::DateTime, is_1904).to_ymd_hms_milli())
}

/// What a cell shows. Dates and times are shown as ISO 8601 writes them, since how they are shown depends on the reader.
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
