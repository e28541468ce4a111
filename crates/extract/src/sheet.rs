//! Spreadsheets: each sheet is a page with its name as heading, and the cells say what a reader sees. Rows that follow
//! each other are a table. Excel is read by calamine, spreadsheets of LibreOffice by our own reader, since they store what
//! each cell shows.

mod grid;
mod number;

use crate::archive::{Archive, encrypted};
use crate::ooxml;
use crate::{Media, Writer};
use calamine::{Data, DataRef, Reader, SheetType, Xls, XlsError, Xlsx, XlsxError};
pub use grid::Grid;
use number::Format;
use socle_core::{Error, Kind, Result};
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Writes what the document says.
///
/// # Errors
/// See [`crate::extract`].
pub fn read(bytes: &[u8], media: Media, writer: &mut Writer) -> Result<()> {
    match media {
        Media::Ods => crate::opendocument::sheet::read(bytes, writer),
        // calamine looks where damaged workbooks of the old format tell it to. That costs the document, not the process.
        Media::Xls => catch_unwind(AssertUnwindSafe(|| xls(bytes, writer)))
            .unwrap_or_else(|_| Err(damaged(&"the workbook contradicts itself"))),
        _ => xlsx(bytes, writer),
    }
}

fn xlsx(bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let mut archive = Archive::open(bytes)?;
    ooxml::metadata(&mut archive, writer)?;
    archive.measure(|name| name.ends_with(".xml") || name.ends_with(".rels"), writer.limits())?;
    let mut book = Xlsx::new(Cursor::new(bytes)).map_err(|error| damaged(&error))?;
    let sheets: Vec<(String, SheetType)> =
        book.sheets_metadata().iter().map(|sheet| (sheet.name.clone(), sheet.typ)).collect();
    writer.metadata().page_count = u32::try_from(sheets.len()).ok();
    for (number, (name, kind)) in (1..).zip(sheets) {
        if kind != SheetType::WorkSheet {
            continue;
        }
        let mut grid = Grid::new(number, &name, writer);
        let mut cells = match book.worksheet_cells_reader(&name) {
            // A sheet without cells.
            Err(XlsxError::XmlEof(_)) => continue,
            cells => cells.map_err(|error| damaged(&error))?,
        };
        let plain = Format::default();
        let formats: Vec<Format> = cells
            .styles()
            .iter()
            .map(|style| {
                style.number_format.as_ref().map_or_else(Format::default, |format| Format::new(&format.format_code))
            })
            .collect();
        while let Some((cell, style)) = cells.next_cell_with_style_id().map_err(|error| damaged(&error))? {
            let (row, column) = cell.get_position();
            match cell.get_value() {
                DataRef::SharedString(text) => grid.cell(row, column, text)?,
                value => {
                    grid.cell(row, column, &shown(&Data::from(value.clone()), formats.get(style).unwrap_or(&plain)))?
                }
            }
        }
        grid.end()?;
    }
    Ok(())
}

fn xls(bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let mut book = Xls::new(Cursor::new(bytes)).map_err(|error| match error {
        XlsError::Password => encrypted(),
        error => damaged(&error),
    })?;
    if let Ok(properties) = book.workbook_properties() {
        let metadata = writer.metadata();
        metadata.title = properties.title.filter(|title| !title.is_empty());
        metadata.author = properties.creator.filter(|creator| !creator.is_empty());
        metadata.created = properties.created;
        metadata.modified = properties.modified;
    }
    let names = book.sheet_names();
    writer.metadata().page_count = u32::try_from(names.len()).ok();
    for (number, name) in (1..).zip(names) {
        let Ok(range) = book.worksheet_range(&name) else { continue };
        let (first_row, first_column) = range.start().unwrap_or_default();
        let mut grid = Grid::new(number, &name, writer);
        for (row, column, value) in range.used_cells() {
            let at = |first: u32, at: usize| first.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
            grid.cell(at(first_row, row), at(first_column, column), &shown(value, &Format::default()))?;
        }
        grid.end()?;
    }
    Ok(())
}

/// What a cell shows. Dates and times are shown as ISO 8601 writes them, since how they are shown depends on the reader.
fn shown(value: &Data, format: &Format) -> String {
    match value {
        Data::Int(number) => format.shown(*number as f64),
        Data::Float(number) => format.shown(*number),
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => text.clone(),
        Data::Bool(value) => if *value { "TRUE" } else { "FALSE" }.to_string(),
        Data::DateTime(moment) if moment.is_duration() => number::duration(moment.as_f64()),
        Data::DateTime(moment) => number::moment(moment.as_f64(), moment.to_ymd_hms_milli()),
        Data::Error(error) => error.to_string(),
        _ => String::new(),
    }
}

fn damaged(error: &impl std::fmt::Display) -> Error {
    Error::new(Kind::DamagedDocument, "document is damaged").detail(error.to_string())
}
