//! Cells and rows that a document repeats, and tables whose rows have cells of different widths.

use super::block::{Cell, has_text};
use super::{BlockBuilder, MAX_SPAN};
use socle_core::{Error, Kind, Result};

/// Maximum number of repetitions of a cell or row with text in a text document.
const MAX_COPIES: usize = 1000;

/// Cell edges nearer than this are taken to be the same, in twips: a millimetre.
const EDGE_TOLERANCE: i32 = 57;

impl BlockBuilder<'_> {
    /// Repeats the last cell, `copies` times in total.
    ///
    /// # Errors
    /// [`Kind::InputTooLong`] if it has text and is repeated too often.
    pub fn repeat_cell(&mut self, copies: usize) -> Result<()> {
        let Some(row) = self.table().and_then(|rows| rows.last_mut()) else { return Ok(()) };
        let Some(cell) = row.last().filter(|_| copies > 1) else { return Ok(()) };
        if !cell.iter().any(has_text) {
            row.extend((1..copies.min(MAX_SPAN)).map(|_| Cell::new()));
        } else if copies > MAX_COPIES {
            return Err(too_many_copies());
        } else {
            row.extend(vec![cell.clone(); copies - 1]);
        }
        Ok(())
    }

    /// Repeats the last row, `copies` times in total.
    ///
    /// # Errors
    /// As [`Self::repeat_cell`].
    pub fn repeat_row(&mut self, copies: usize) -> Result<()> {
        let Some(rows) = self.table() else { return Ok(()) };
        let Some(row) = rows.last().filter(|row| copies > 1 && row.iter().flatten().any(has_text)) else {
            return Ok(());
        };
        if copies > MAX_COPIES {
            return Err(too_many_copies());
        }
        rows.extend(vec![row.clone(); copies - 1]);
        Ok(())
    }

    /// Aligns the cells of the innermost table to columns, given the right edges of the cells of each row: a cell as
    /// wide as two of another row is followed by an empty one.
    pub fn align_columns(&mut self, edges: &[Vec<i32>]) {
        let mut columns: Vec<i32> = edges.iter().flatten().copied().collect();
        columns.sort_unstable();
        columns.dedup_by(|next, last| next.saturating_sub(*last) <= EDGE_TOLERANCE);
        if columns.len() > MAX_SPAN {
            return;
        }
        let Some(rows) = self.table() else { return };
        for (row, edges) in rows.iter_mut().zip(edges) {
            let mut edges = edges.iter();
            let mut at = 0;
            for cell in std::mem::take(row) {
                row.push(cell);
                let Some(edge) = edges.next() else { continue };
                let end = columns.partition_point(|column| *column <= edge.saturating_add(EDGE_TOLERANCE));
                row.extend((at + 1..end).map(|_| Cell::new()));
                at = end.max(at + 1);
            }
        }
    }
}

/// The error for cells or rows with text that are repeated more than [`MAX_COPIES`] times.
pub(crate) fn too_many_copies() -> Error {
    Error::new(Kind::InputTooLong, "table repeats a cell too often").hint(
        "It may be crafted to exhaust the server. If it is genuine, delete the cells that are filled beyond its end.",
    )
}
