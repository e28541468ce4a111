//! Completed blocks that are not written yet: paragraphs and tables, which may be nested.

use super::ParagraphKind;
use crate::picture::Crop;

/// A paragraph or a table.
#[derive(Clone)]
pub(super) enum Block {
    Text(ParagraphKind, String),
    Table(Vec<Row>),
    /// A picture, by what refers to its bytes, and what is cut off it.
    Picture(String, Crop),
}

/// The blocks of a cell.
pub(super) type Cell = Vec<Block>;
/// The cells of a row.
pub(super) type Row = Vec<Cell>;

/// Whether a table is used only for layout: it has one cell with text, or one row with a cell that contains a table, a
/// heading or more than three blocks.
pub(super) fn is_layout(rows: &[Row]) -> bool {
    let cells = || rows.iter().flatten().filter(|cell| cell.iter().any(has_text));
    let is_page = |cell: &Cell| {
        let structure = |block: &Block| matches!(block, Block::Table(_) | Block::Text(ParagraphKind::Heading(_), _));
        cell.iter().any(structure) || cell.iter().filter(|block| has_text(block)).count() > 3
    };
    cells().count() == 1 || rows.len() == 1 && cells().any(is_page)
}

pub(super) fn has_text(block: &Block) -> bool {
    match block {
        Block::Text(_, text) => !text.trim().is_empty(),
        Block::Table(rows) => rows.iter().flatten().flatten().any(has_text),
        Block::Picture(..) => false,
    }
}

/// The pictures in the cells of a table.
pub(super) fn pictures(rows: &[Row], found: &mut Vec<(String, Crop)>) {
    for block in rows.iter().flatten().flatten() {
        match block {
            Block::Picture(reference, crop) => found.push((reference.clone(), *crop)),
            Block::Table(rows) => pictures(rows, found),
            Block::Text(..) => {}
        }
    }
}

/// Flattens blocks to the text of one cell: a nested table becomes "a, b; c, d".
pub(super) fn flat(blocks: &[Block]) -> String {
    let mut line = String::new();
    for block in blocks.iter().filter(|block| has_text(block)) {
        if !line.is_empty() {
            line.push(' ');
        }
        match block {
            Block::Text(ParagraphKind::Item(_, Some(number)), text) => {
                line.push_str(&format!("{number}. {}", text.trim()))
            }
            Block::Text(_, text) => line.push_str(text.trim()),
            Block::Table(rows) => {
                let filled = |cells: &Row| {
                    let cells = cells.iter().map(|cell| flat(cell)).filter(|cell| !cell.is_empty());
                    cells.collect::<Vec<_>>().join(", ")
                };
                let rows = rows.iter().map(filled).filter(|row| !row.is_empty());
                line.push_str(&rows.collect::<Vec<_>>().join("; "));
            }
            Block::Picture(..) => {}
        }
    }
    line
}
