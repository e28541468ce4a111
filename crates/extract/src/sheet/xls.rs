//! Excel workbooks before 2007 (BIFF 5 and 8 in a compound file, MS-XLS). Cells are read in sequence, so that distant
//! cells need no more memory than others. Of drawings, texts and chart titles are read.

use super::biff::{Record, Records, encoding, long, number};
use super::grid::SheetDrawings;
use super::number_format::{Format, Kind};
use super::summary_information;
use super::{Grid, moment};
use crate::Writer;
use crate::archive::encrypted;
use cfb::CompoundFile;
use encoding_rs::{Encoding, WINDOWS_1252};
use socle_core::Result;
use std::io::{Cursor, Read};

/// Record types (MS-XLS 2.3).
const BEGIN: u16 = 0x809;
const END: u16 = 0x0a;
const PASSWORD: u16 = 0x2f;
const SHEET: u16 = 0x85;
const CODE_PAGE: u16 = 0x42;
const DATES: u16 = 0x22;
const FORMAT: u16 = 0x41e;
const STYLE: u16 = 0xe0;
const STRINGS: u16 = 0xfc;
const SHARED_TEXT: u16 = 0xfd;
const TEXT: u16 = 0x204;
const RICH_TEXT: u16 = 0xd6;
const NUMBER: u16 = 0x203;
const SHORT_NUMBER: u16 = 0x27e;
const SHORT_NUMBERS: u16 = 0xbd;
const TRUTH_OR_ERROR: u16 = 0x205;
const FORMULA: [u16; 3] = [0x06, 0x206, 0x406];
const RESULT: u16 = 0x207;
const OBJECT: u16 = 0x5d;
const DRAWN_TEXT: u16 = 0x1b6;
const CHART_TEXT: u16 = 0x100d;
/// Types of drawing objects.
const PICTURE: u16 = 8;
const COMMENT: u16 = 0x19;
/// Types of sheets.
const CELLS: u8 = 0;
const CHART: u8 = 2;

/// Reads the document and writes it as Markdown.
pub(super) fn read(bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let mut file = CompoundFile::open(Cursor::new(bytes)).map_err(|error| super::damaged(&error))?;
    // Streams may share sectors, so their total length may exceed that of the file.
    let length = bytes.len();
    let mut stream = |name: &str| -> Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        let Ok(stream) = file.open_stream(name) else { return Ok(None) };
        let most = u64::try_from(length).unwrap_or(u64::MAX);
        stream.take(most).read_to_end(&mut bytes).map_err(|error| super::damaged(&error))?;
        Ok(Some(bytes))
    };
    let about = stream("\u{5}SummaryInformation").unwrap_or_default().unwrap_or_default();
    let content = match stream("Workbook")?.filter(|content| !content.is_empty()) {
        Some(content) => Some(content),
        None => stream("Book")?,
    };
    let content = content.ok_or_else(|| super::damaged(&"it has no cells"))?;
    summary_information::read(&about, writer.metadata());
    let book = Book::read(&content)?;
    writer.metadata().page_count = u32::try_from(book.sheets.len()).ok();
    for (page, sheet) in (1..).zip(&book.sheets) {
        if matches!(sheet.kind, CELLS | CHART) {
            book.write(&content, page, sheet, writer)?;
        }
    }
    Ok(())
}

struct Sheet {
    name: String,
    place: usize,
    kind: u8,
}

/// The globals of a workbook.
struct Book {
    /// Whether it is BIFF 8, else BIFF 5.
    is_wide: bool,
    encoding: &'static Encoding,
    is_1904: bool,
    formats: Vec<(u16, Format, Kind)>,
    styles: Vec<u16>,
    strings: Vec<String>,
    sheets: Vec<Sheet>,
}

impl Book {
    fn read(content: &[u8]) -> Result<Self> {
        let mut book = Self {
            is_wide: true,
            encoding: WINDOWS_1252,
            is_1904: false,
            formats: Vec::new(),
            styles: Vec::new(),
            strings: Vec::new(),
            sheets: Vec::new(),
        };
        let mut has_begun = false;
        for record in Records::at(content, 0) {
            let bytes = record.content();
            match record.kind {
                BEGIN => {
                    has_begun = true;
                    book.is_wide = number(bytes, 0) != 0x500;
                }
                PASSWORD => return Err(encrypted()),
                CODE_PAGE => book.encoding = encoding(number(bytes, 0)),
                DATES => book.is_1904 = number(bytes, 0) == 1,
                FORMAT => {
                    let code = if book.is_wide { record.from(2).string() } else { book.short(bytes, 2) };
                    book.formats.push((number(bytes, 0), Format::new(&code), Kind::of(&code)));
                }
                STYLE => book.styles.push(number(bytes, 2)),
                STRINGS => {
                    let mut parts = record.from(8);
                    while !parts.is_empty() {
                        book.strings.push(parts.string());
                    }
                }
                SHEET => {
                    let length = usize::from(bytes.get(6).copied().unwrap_or_default());
                    let name = if book.is_wide { record.from(7).characters(length) } else { book.short(bytes, 6) };
                    let place = usize::try_from(long(bytes, 0)).unwrap_or(usize::MAX);
                    book.sheets.push(Sheet { name, place, kind: bytes.get(5).copied().unwrap_or_default() });
                }
                END => break,
                _ => {}
            }
        }
        if has_begun { Ok(book) } else { Err(super::damaged(&"it does not begin as a workbook does")) }
    }

    /// A BIFF 5 string with an 8-bit length.
    fn short(&self, bytes: &[u8], place: usize) -> String {
        let length = usize::from(bytes.get(place).copied().unwrap_or_default());
        self.narrow(bytes, place + 1, length)
    }

    fn narrow(&self, bytes: &[u8], place: usize, length: usize) -> String {
        let rest = bytes.get(place..).unwrap_or_default();
        self.encoding.decode_without_bom_handling(rest.get(..length).unwrap_or(rest)).0.into_owned()
    }

    /// A string with a 16-bit length.
    fn text(&self, record: &Record<'_>, place: usize) -> String {
        if self.is_wide {
            return record.from(place).string();
        }
        let bytes = record.content();
        self.narrow(bytes, place + 2, usize::from(number(bytes, place)))
    }

    fn write(&self, content: &[u8], page: u32, sheet: &Sheet, writer: &mut Writer) -> Result<()> {
        let mut drawn = SheetDrawings::default();
        let mut grid = Grid::new(page, &sheet.name, writer);
        let (mut depth, mut is_comment, mut due, mut has_ended) = (0_usize, false, None, false);
        for record in Records::at(content, sheet.place) {
            let bytes = record.content();
            match record.kind {
                BEGIN => depth += 1,
                END if depth <= 1 => {
                    has_ended = true;
                    break;
                }
                END => depth -= 1,
                OBJECT => {
                    is_comment = number(bytes, 4) == COMMENT;
                    drawn.has_picture |= number(bytes, 4) == PICTURE;
                }
                DRAWN_TEXT if !is_comment => drawn.texts.push(self.drawn(&record)),
                // Series names and titles.
                CHART_TEXT if depth > 1 || sheet.kind == CHART => {
                    let length = usize::from(bytes.get(2).copied().unwrap_or_default());
                    drawn.texts.push(if self.is_wide {
                        record.from(3).characters(length)
                    } else {
                        self.short(bytes, 2)
                    });
                }
                RESULT => {
                    if let Some((row, column)) = due.take() {
                        grid.cell(row, column, &self.text(&record, 0))?;
                    }
                }
                _ if depth == 1 && sheet.kind == CELLS => due = self.cell(&record, &mut grid)?.or(due),
                _ => {}
            }
        }
        grid.draw(drawn);
        grid.end()?;
        if !has_ended {
            writer.metadata().incomplete = Some(format!("the sheet \"{}\" ends too early", sheet.name));
        }
        Ok(())
    }

    /// The text of a drawing, which is in the record after it.
    fn drawn(&self, record: &Record<'_>) -> String {
        let length = usize::from(number(record.content(), 10));
        if self.is_wide {
            return record.from(record.content().len()).characters(length);
        }
        self.narrow(record.content(), 18, length)
    }

    /// Writes the cells of a record. Returns the position of a formula cell whose string result is in a following
    /// record.
    fn cell(&self, record: &Record<'_>, grid: &mut Grid<'_>) -> Result<Option<(u32, u32)>> {
        let bytes = record.content();
        let (row, column) = (u32::from(number(bytes, 0)), u32::from(number(bytes, 2)));
        let style = number(bytes, 4);
        match record.kind {
            SHARED_TEXT => {
                let text = usize::try_from(long(bytes, 6)).ok().and_then(|at| self.strings.get(at));
                grid.cell(row, column, text.map_or("", String::as_str))?;
            }
            TEXT | RICH_TEXT => grid.cell(row, column, &self.text(record, 6))?,
            NUMBER => grid.cell(row, column, &self.shown(double(bytes, 6), style))?,
            SHORT_NUMBER => grid.cell(row, column, &self.shown(unpacked(long(bytes, 6)), style))?,
            SHORT_NUMBERS => {
                let numbers = bytes.get(4..bytes.len().saturating_sub(2)).unwrap_or_default().chunks_exact(6);
                for (column, one) in (column..).zip(numbers) {
                    grid.cell(row, column, &self.shown(unpacked(long(one, 2)), number(one, 0)))?;
                }
            }
            TRUTH_OR_ERROR => {
                let value = bytes.get(6).copied().unwrap_or_default();
                grid.cell(row, column, if bytes.get(7) == Some(&1) { error(value) } else { truth(value) })?;
            }
            kind if FORMULA.contains(&kind) => match bytes.get(6..14) {
                Some([0, .., 0xff, 0xff]) => return Ok(Some((row, column))),
                Some([1, _, value, .., 0xff, 0xff]) => grid.cell(row, column, truth(*value))?,
                Some([2, _, value, .., 0xff, 0xff]) => grid.cell(row, column, error(*value))?,
                Some([_, .., 0xff, 0xff]) | None => {}
                Some(_) => grid.cell(row, column, &self.shown(double(bytes, 6), style))?,
            },
            _ => {}
        }
        Ok(None)
    }

    /// A number in the format of its cell style.
    fn shown(&self, value: f64, style: u16) -> String {
        let id = self.styles.get(usize::from(style)).copied().unwrap_or(0);
        let known = self.formats.iter().find(|(number, ..)| *number == id);
        let kind = known.map_or_else(|| Kind::of(built_in(id)), |(.., kind)| *kind);
        match (kind, known) {
            (Kind::Number, Some((_, format, _))) => format.shown(value),
            (Kind::Number, None) => Format::new(built_in(id)).shown(value),
            (kind, _) => moment(value, kind == Kind::Duration, self.is_1904),
        }
    }
}

fn truth(value: u8) -> &'static str {
    if value == 0 { "FALSE" } else { "TRUE" }
}

fn error(code: u8) -> &'static str {
    match code {
        0x00 => "#NULL!",
        0x07 => "#DIV/0!",
        0x0f => "#VALUE!",
        0x17 => "#REF!",
        0x1d => "#NAME?",
        0x24 => "#NUM!",
        _ => "#N/A",
    }
}

fn double(bytes: &[u8], place: usize) -> f64 {
    bytes.get(place..place + 8).and_then(|eight| eight.try_into().ok()).map_or(0.0, f64::from_le_bytes)
}

/// Decodes an RK number: an integer or the upper half of a double, optionally divided by 100.
fn unpacked(short: u32) -> f64 {
    let value =
        if short & 2 == 0 { f64::from_bits(u64::from(short & !3) << 32) } else { f64::from(short.cast_signed() >> 2) };
    if short & 1 == 1 { value / 100.0 } else { value }
}

/// The built-in number formats.
fn built_in(id: u16) -> &'static str {
    match id {
        1 => "0",
        2 => "0.00",
        3 => "#,##0",
        4 => "#,##0.00",
        5 | 6 => "\"$\"#,##0_);(\"$\"#,##0)",
        7 | 8 => "\"$\"#,##0.00_);(\"$\"#,##0.00)",
        9 => "0%",
        10 => "0.00%",
        11 => "0.00E+00",
        12 => "# ?/?",
        13 => "# ??/??",
        14 | 27..=36 | 50..=58 => "yyyy-mm-dd",
        15..=17 => "d-mmm-yy",
        18..=21 | 45 | 47 => "h:mm",
        22 => "m/d/yy h:mm",
        37 | 38 => "#,##0_);(#,##0)",
        39 | 40 => "#,##0.00_);(#,##0.00)",
        41 | 42 => "#,##0",
        43 | 44 => "#,##0.00",
        46 => "[h]:mm:ss",
        48 => "##0.0E+0",
        _ => "General",
    }
}
