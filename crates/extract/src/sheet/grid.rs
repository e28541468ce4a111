//! Collects the cells of a sheet and writes them as tables. Cells come row by row; only one table is held, with its
//! texts in one string, so that a million cells take little more than their text.
//!
//! Empty rows end a table, except for up to [`MAX_GAP`] of them before a row with numbers, which may separate headers
//! from data.

use crate::Writer;
use crate::picture::Crop;
use socle_core::Result;

/// Maximum number of consecutive empty rows inside a table.
const MAX_GAP: u32 = 2;

struct Cell {
    row: u32,
    column: u32,
    /// End of its text, which starts at the end of the previous cell.
    end: usize,
}

/// The cells of a sheet.
pub struct Grid<'w> {
    writer: &'w mut Writer,
    page: u32,
    /// The name of the sheet until it is written with the first text; a sheet without text is left out.
    name: Option<String>,
    text: String,
    cells: Vec<Cell>,
    /// Index of the first cell after a gap.
    gap: Option<usize>,
    /// The drawings on the sheet.
    drawn: SheetDrawings,
}

/// The drawings on a sheet.
#[derive(Debug, Default)]
pub struct SheetDrawings {
    /// Texts of boxes and chart titles.
    pub texts: Vec<String>,
    /// Whether there are pictures.
    pub has_picture: bool,
    /// Those that can be recognised: what refers to them, and what is cut off them.
    pub(crate) pictures: Vec<(String, Crop)>,
}

impl<'w> Grid<'w> {
    /// An empty sheet; `page` counts from 1.
    pub fn new(page: u32, name: &str, writer: &'w mut Writer) -> Self {
        Self {
            writer,
            page,
            name: Some(name.to_string()),
            text: String::new(),
            cells: Vec::new(),
            gap: None,
            drawn: SheetDrawings::default(),
        }
    }

    /// Adds a cell. Ignores cells without text.
    ///
    /// # Errors
    /// As [`Writer::table`].
    pub fn cell(&mut self, row: u32, column: u32, text: &str) -> Result<()> {
        if text.trim().is_empty() {
            return Ok(());
        }
        if let Some(last) = self.cells.last().map(|cell| cell.row).filter(|last| *last != row) {
            self.end_row()?;
            // Rows out of order are damage; only the layout of the table suffers.
            if row < last || row - last > MAX_GAP + 1 {
                self.write()?;
            } else if row - last > 1 {
                self.gap = Some(self.cells.len());
            }
        }
        self.text.push_str(text);
        self.cells.push(Cell { row, column, end: self.text.len() });
        // Each cell adds its delimiters.
        self.writer.fits(self.text.len() + 3 * self.cells.len())
    }

    /// Sets the drawings, which are written after the cells.
    pub fn draw(&mut self, drawn: SheetDrawings) {
        self.drawn = drawn;
    }

    /// Ends the sheet.
    ///
    /// # Errors
    /// As [`Writer::table`].
    pub fn end(mut self) -> Result<()> {
        self.end_row()?;
        self.write()?;
        let SheetDrawings { texts, has_picture, pictures } = std::mem::take(&mut self.drawn);
        for text in texts.iter().filter(|text| !text.trim().is_empty()) {
            self.begin()?;
            self.writer.paragraph(text)?;
        }
        if has_picture {
            if self.name.is_some() {
                self.writer.page(self.page);
            }
            self.writer.picture();
        }
        let title = self.name.as_deref();
        pictures.iter().for_each(|(part, crop)| self.writer.picture_under(title, part, *crop));
        Ok(())
    }

    /// Writes the name of the sheet before the first text.
    fn begin(&mut self) -> Result<()> {
        match self.name.take() {
            Some(name) => {
                self.writer.page(self.page);
                self.writer.heading(1, &name)
            }
            None => Ok(()),
        }
    }

    /// Writes the cells before a gap, unless the row after it continues the table.
    fn end_row(&mut self) -> Result<()> {
        let Some(first) = self.gap.take().filter(|first| *first > 0 && *first < self.cells.len()) else {
            return Ok(());
        };
        let start = self.cells.get(first - 1).map_or(0, |cell| cell.end);
        let mut starts = std::iter::once(start).chain(self.cells.iter().skip(first).map(|cell| cell.end));
        if starts.any(|start| self.text.get(start..).is_some_and(is_number)) {
            return Ok(());
        }
        let text = self.text.split_off(start);
        let mut cells = self.cells.split_off(first);
        self.write()?;
        cells.iter_mut().for_each(|cell| cell.end -= start);
        (self.text, self.cells) = (text, cells);
        Ok(())
    }

    fn write(&mut self) -> Result<()> {
        if self.cells.is_empty() {
            return Ok(());
        }
        self.begin()?;
        let (text, cells) = (std::mem::take(&mut self.text), std::mem::take(&mut self.cells));
        // Empty columns are left out.
        let mut columns: Vec<u32> = cells.iter().map(|cell| cell.column).collect();
        columns.sort_unstable();
        columns.dedup();
        let starts = || std::iter::once(0).chain(cells.iter().map(|cell| cell.end));
        let texts: Vec<&str> =
            starts().zip(&cells).map(|(start, cell)| text.get(start..cell.end).unwrap_or_default()).collect();
        if columns.len() == 1 {
            // A single column is written as lines of text.
            let lines = texts.iter().map(|cell| cell.replace('\n', " "));
            return self.writer.paragraph(&lines.collect::<Vec<_>>().join("\n"));
        }
        let lengths: Vec<usize> = cells.chunk_by(|a, b| a.row == b.row).map(<[Cell]>::len).collect();
        let mut rest = &texts[..];
        let rows = lengths.iter().map(|length| {
            let (row, after) = rest.split_at_checked(*length).unwrap_or((rest, &[]));
            rest = after;
            row
        });
        // The empty cells between widely spread cells could take gigabytes.
        let column = |cell: &Cell| columns.binary_search(&cell.column).unwrap_or_default();
        let widths = cells.chunk_by(|a, b| a.row == b.row).map(|row| row.iter().map(column).max().unwrap_or(0) + 1);
        if Writer::is_sparse(widths.sum(), cells.len()) {
            return self.writer.sparse_table(rows.map(|row| row.iter().copied()));
        }
        let rows: Vec<Vec<&str>> = cells
            .chunk_by(|a, b| a.row == b.row)
            .zip(rows)
            .map(|(cells, texts)| {
                let mut row = vec![""; cells.iter().map(column).max().unwrap_or(0) + 1];
                for (cell, text) in cells.iter().zip(texts) {
                    if let Some(place) = row.get_mut(column(cell)) {
                        *place = text;
                    }
                }
                row
            })
            .collect();
        self.writer.table(&rows)
    }
}

/// Whether a cell starts like a number, an amount or a date.
fn is_number(text: &str) -> bool {
    text.trim_start_matches(['-', '+', '(', '$', '€', '£', '¥', ' ', '.']).starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::Grid;
    use crate::{Limits, Media, Writer};

    /// A sheet with a cell in each row and each column.
    fn diagonal(count: u32) -> String {
        let mut writer = Writer::new(Media::Xlsx, Limits { output: 4 << 20, unpacked: 0, depth: 0 });
        let mut grid = Grid::new(1, "Far", &mut writer);
        (0..count).for_each(|at| grid.cell(at, at, &format!("cell {at}")).unwrap());
        grid.end().unwrap();
        writer.finish().markdown
    }

    #[test]
    fn a_sheet_that_is_mostly_gaps_takes_no_room_for_them() {
        assert!(diagonal(3).ends_with("|  |  | cell 2 |"));
        for count in [3_000, 20_000] {
            let lines = diagonal(count);
            assert!(lines.len() < 16 * count as usize, "{} bytes", lines.len());
            assert!(lines.starts_with("# Far\n\ncell 0\ncell 1\n"));
            assert!(lines.ends_with(&format!("\ncell {}", count - 1)));
        }
    }
}
