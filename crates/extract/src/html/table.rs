//! Data tables. A table that is used only for layout is read cell by cell as ordinary content.

use super::name::Tag;
use super::tree::{Element, Keep, Tree, What};
use super::white_space::append_collapsed;
use socle_core::{Error, Kind, Result};
use std::ops::Range;

/// Maximum number of columns; cells further right go into the last one.
const MAX_COLUMNS: usize = 256;
/// A table of few rows with a longer cell, in bytes, is taken for layout.
const LONG_CELL: usize = 2000;
const FEW_ROWS: usize = 3;

pub(super) struct Table {
    /// The caption, and text outside of cells.
    pub(super) before: String,
    pub(super) rows: Vec<Vec<String>>,
}

#[derive(Default)]
struct Grid {
    before: String,
    rows: Vec<Vec<String>>,
    /// For each column, the number of rows that a cell above still spans.
    taken: Vec<usize>,
    /// Total number of cells.
    count: usize,
}

/// The table whose nodes are in `inside`; `None` if it is a layout table. `most`: maximum size in bytes.
pub(super) fn read(tree: &Tree, inside: Range<usize>, keep: Keep, most: usize) -> Result<Option<Table>> {
    let mut grid = Grid::default();
    let mut in_cell = 0;
    let mut at = inside.start;
    while at < inside.end
        && let Some(node) = tree.nodes.get(at)
    {
        at += 1;
        if at > in_cell {
            in_cell = 0;
        }
        match &node.what {
            What::Text(range) => {
                append_collapsed(grid.target(in_cell > 0), tree.text.get(range.clone()).unwrap_or_default())
            }
            What::Picture(_) => {}
            What::Element(element) if keep.drops(element) => at = node.end,
            What::Element(element) => match element.tag {
                Tag::Heading(_) | Tag::Preformatted => return Ok(None),
                Tag::Row => grid.row(),
                Tag::Cell => {
                    grid.cell(element);
                    in_cell = node.end;
                }
                tag if tag.is_block() || matches!(tag, Tag::LineBreak | Tag::Apart) => {
                    append_collapsed(grid.target(in_cell > 0), " ");
                }
                _ => {}
            },
        }
        // Each cell takes at least three bytes of Markdown.
        if grid.count.saturating_mul(3) > most {
            return Err(Error::new(Kind::InputTooLong, "table has too many cells"));
        }
    }
    Ok(grid.finish())
}

impl Grid {
    fn target(&mut self, in_cell: bool) -> &mut String {
        let cell = self.rows.last_mut().filter(|_| in_cell).and_then(|row| row.last_mut());
        cell.unwrap_or(&mut self.before)
    }

    fn row(&mut self) {
        self.rows.push(Vec::new());
    }

    fn cell(&mut self, element: &Element) {
        if self.rows.is_empty() {
            self.row();
        }
        let Some(row) = self.rows.last_mut() else { return };
        if row.is_empty() {
            self.taken.iter_mut().for_each(|rows| *rows = rows.saturating_sub(1));
        }
        let before = row.len();
        while row.len() < MAX_COLUMNS && self.taken.get(row.len()).is_some_and(|rows| *rows > 0) {
            row.push(String::new());
        }
        self.count += row.len().saturating_sub(before) + 1;
        let (columns, rows) = element.span;
        if row.len() >= MAX_COLUMNS {
            if let Some(last) = row.last_mut() {
                last.push(' ');
            }
            return;
        }
        let start = row.len();
        row.push(String::new());
        let end = start.saturating_add(columns).min(MAX_COLUMNS);
        if self.taken.len() < end {
            self.taken.resize(end, 0);
        }
        // Spanned cells stay empty; they are added together with the next cell.
        for taken in self.taken.iter_mut().take(end).skip(start) {
            *taken = rows;
        }
    }

    fn finish(self) -> Option<Table> {
        let rows: Vec<Vec<String>> = self.rows;
        let used = |column: usize| rows.iter().any(|row| row.get(column).is_some_and(|cell| !cell.trim().is_empty()));
        let width = rows.iter().map(Vec::len).max().unwrap_or(0);
        let columns: Vec<usize> = (0..width).filter(|column| used(*column)).collect();
        let long = rows.len() <= FEW_ROWS && rows.iter().flatten().any(|cell| cell.len() > LONG_CELL);
        if columns.len() < 2 || long {
            return None;
        }
        let rows = rows
            .into_iter()
            .map(|mut row| {
                // Not padded to the widest row, because there may be many rows.
                columns.iter().map_while(|column| row.get_mut(*column).map(std::mem::take)).collect()
            })
            .filter(|row: &Vec<String>| row.iter().any(|cell| !cell.trim().is_empty()))
            .collect();
        Some(Table { before: self.before, rows })
    }
}
