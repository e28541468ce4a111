//! Excel workbooks since 2007 (XLSX). calamine reads the cells; drawings are read here.

use super::drawing;
use super::number_format::Format;
use super::{Grid, damaged, shown};
use crate::Writer;
use crate::archive::Archive;
use crate::ooxml::{self, Relation};
use crate::picture::write_referenced;
use crate::xml::{Token, Xml, decoded};
use calamine::{Data, DataRef, Reader, Xlsx, XlsxError};
use socle_core::Result;
use std::borrow::Cow;
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

/// Relationship types of sheets that calamine supports; it skips the last one.
const KINDS: [&str; 3] = ["worksheet", "chartsheet", "dialogsheet"];

struct Sheet {
    name: String,
    /// Name of the part with its cells.
    part: String,
    kind: String,
}

/// Reads the document and writes it as Markdown.
pub(super) fn read(bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let mut archive = Archive::open(bytes)?;
    ooxml::metadata(&mut archive, writer)?;
    archive.measure(|name| name.ends_with(".xml") || name.ends_with(".rels"), writer.limits())?;
    let main = ooxml::main_part(&mut archive, "xl/workbook.xml", writer.limits())?;
    let parts = ooxml::relations(&mut archive, &main, writer.limits())?;
    let workbook = archive.required(&main, writer.limits())?;
    let sheets = sheets(&decoded(&workbook), &parts)?;
    let bytes = without_macros(bytes, &mut archive, &main, &sheets, writer)?;
    let mut book = Xlsx::new(Cursor::new(&*bytes)).map_err(|error| damaged(&error))?;
    writer.metadata().page_count = u32::try_from(sheets.len()).ok();
    for (number, sheet) in (1..).zip(&sheets) {
        if !KINDS.contains(&sheet.kind.as_str()) {
            continue;
        }
        let drawn = drawing::read(&mut archive, &sheet.part, writer.limits())?;
        let begin = writer.length();
        let mut grid = Grid::new(number, &sheet.name, writer);
        grid.draw(drawn);
        if sheet.kind == "worksheet" {
            cells(&mut book, &sheet.name, &mut grid)?;
        }
        grid.end()?;
        let load = &mut |part: &str, writer: &mut Writer| archive.read(part, writer.limits());
        write_referenced(begin..writer.length(), writer, load)?;
    }
    Ok(())
}

fn cells(book: &mut Xlsx<Cursor<&[u8]>>, name: &str, grid: &mut Grid<'_>) -> Result<()> {
    let mut cells = match book.worksheet_cells_reader(name) {
        // A sheet without cells.
        Err(XlsxError::XmlEof(_)) => return Ok(()),
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
    Ok(())
}

/// The sheets in workbook order.
fn sheets(workbook: &str, parts: &[Relation]) -> Result<Vec<Sheet>> {
    let mut xml = Xml::new(workbook);
    let mut sheets = Vec::new();
    while let Some(token) = xml.next()? {
        let Token::Start(element) = token else { continue };
        if element.name().local() != "sheet" {
            continue;
        }
        let part = element.all("id").into_iter().find_map(|id| parts.iter().find(|part| part.id == id));
        sheets.extend(part.map(|part| Sheet {
            name: element.get("name").unwrap_or_default(),
            part: part.target.clone(),
            kind: part.kind.clone(),
        }));
    }
    Ok(sheets)
}

/// The workbook with macro sheets relabelled as a type that calamine skips; it treats unknown types as damage.
fn without_macros<'a>(
    bytes: &'a [u8],
    archive: &mut Archive<'_>,
    main: &str,
    sheets: &[Sheet],
    writer: &mut Writer,
) -> Result<Cow<'a, [u8]>> {
    let unknown: Vec<&str> =
        sheets.iter().map(|sheet| sheet.kind.as_str()).filter(|kind| !KINDS.contains(kind)).collect();
    if unknown.is_empty() {
        return Ok(bytes.into());
    }
    let name = ooxml::relations_of(main);
    let relations = archive.required(&name, writer.limits())?;
    let mut relations = decoded(&relations).into_owned();
    for (kind, quote) in unknown.iter().flat_map(|kind| [(kind, '"'), (kind, '\'')]) {
        relations = relations.replace(&format!("/{kind}{quote}"), &format!("/{}{quote}", KINDS[2]));
    }
    with_part(bytes, &name, relations.as_bytes())
}

/// A copy of an archive with one part replaced.
pub(super) fn with_part(bytes: &[u8], name: &str, part: &[u8]) -> Result<Cow<'static, [u8]>> {
    repacked(bytes, name, part).map(Cow::Owned).map_err(|error| damaged(&error))
}

fn repacked(bytes: &[u8], name: &str, part: &[u8]) -> zip::result::ZipResult<Vec<u8>> {
    let mut from = ZipArchive::new(Cursor::new(bytes))?;
    let mut to = ZipWriter::new(Cursor::new(Vec::with_capacity(bytes.len())));
    for at in 0..from.len() {
        let entry = from.by_index_raw(at)?;
        if !entry.name().is_ok_and(|other| other.trim_start_matches('/').eq_ignore_ascii_case(name)) {
            to.raw_copy_file(entry)?;
        }
    }
    to.start_file(name, SimpleFileOptions::default())?;
    to.write_all(part)?;
    Ok(to.finish()?.into_inner())
}
