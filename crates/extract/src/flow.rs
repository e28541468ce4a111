//! Puts text in order while its structure is still open: paragraphs with text boxes in them, tables in tables, notes that
//! belong below the paragraph they are called in. What is closed goes to the [`Writer`].
//!
//! Each `begin` has its `end`, as the elements of XML do, so neither damaged nor hostile nesting can confuse it, and
//! nesting below [`MAX_DEPTH`] is read as if it were not nested.

mod block;
mod slide;

use crate::{Media, Writer};
use block::{Block, Cell, Row, flat, has_text, is_layout};
pub use slide::Slide;
use socle_core::{Error, Kind, Result};

/// Deepest nesting of paragraphs, tables and notes in each other. Word refuses tables deeper than about this.
const MAX_DEPTH: usize = 64;

/// Most columns that one cell spans, and most that are left out before a row: as many as Word allows.
const MAX_SPAN: usize = 63;

/// Most copies of a cell or a row with text in a text: who writes one means a few.
const MAX_COPIES: usize = 1000;

/// Edges of cells that are nearer than this are meant to be the same, in twips: a millimetre.
const NEAR: i32 = 57;

/// What a paragraph is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shape {
    /// Running text.
    Text,
    /// A heading of a level, from 1.
    Heading(u8),
    /// An item of a list, with its depth from 0.
    Item(usize, Option<u64>),
    /// Text in which every space counts.
    Code,
}

enum Place {
    /// Its text, and what is anchored in it and comes after it.
    Paragraph(String, Vec<Block>),
    Table(Vec<Row>),
    Note(Vec<Block>),
    Slide(Slide),
}

/// Text on its way to a [`Writer`].
pub struct Flow<'w> {
    writer: &'w mut Writer,
    places: Vec<Place>,
    /// Places that were opened beyond [`MAX_DEPTH`].
    beyond: usize,
    /// Notes that were called from what is not written yet.
    notes: Vec<(usize, String)>,
    /// Notes that were called from a list that may go on.
    notes_of_list: Vec<(usize, String)>,
    note_count: usize,
    /// Paragraphs of code that follow each other are one block.
    code: String,
    /// The page that begins once all that is open is closed.
    next_page: Option<u32>,
    is_empty: bool,
}

impl<'w> Flow<'w> {
    /// Nothing yet.
    pub fn new(writer: &'w mut Writer) -> Self {
        Self {
            writer,
            places: Vec::new(),
            beyond: 0,
            notes: Vec::new(),
            notes_of_list: Vec::new(),
            note_count: 0,
            code: String::new(),
            next_page: None,
            is_empty: true,
        }
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Where all goes.
    pub fn writer(&mut self) -> &mut Writer {
        self.writer
    }

    /// A page begins.
    ///
    /// # Errors
    /// See [`Writer::heading`]; so too below.
    pub fn page(&mut self, number: u32) -> Result<()> {
        if self.places.is_empty() {
            self.flush()?;
            self.writer.page(number);
        } else {
            self.next_page = Some(number);
        }
        Ok(())
    }

    /// A paragraph begins.
    pub fn begin_paragraph(&mut self) {
        self.open(Place::Paragraph(String::new(), Vec::new()));
    }

    /// Text of the innermost paragraph. Text outside of paragraphs is none.
    pub fn text(&mut self, text: &str) {
        if let Some(Place::Paragraph(so_far, _)) = self.places.last_mut() {
            so_far.push_str(text);
        }
    }

    /// What the innermost paragraph says so far.
    pub fn so_far(&mut self) -> Option<&mut String> {
        match self.places.last_mut() {
            Some(Place::Paragraph(text, _)) => Some(text),
            _ => None,
        }
    }

    /// The innermost paragraph ends.
    ///
    /// # Errors
    /// See [`Self::page`].
    pub fn end_paragraph(&mut self, shape: Shape) -> Result<()> {
        if let Some(Place::Paragraph(text, anchored)) = self.close() {
            self.put(Block::Text(shape, text))?;
            anchored.into_iter().try_for_each(|block| self.put(block))?;
        }
        self.turn_page()
    }

    /// A table begins.
    pub fn begin_table(&mut self) {
        self.open(Place::Table(Vec::new()));
    }

    /// A row begins, after this many columns without a cell.
    pub fn row(&mut self, before: usize) {
        if let Some(rows) = self.table() {
            rows.push((0..before.min(MAX_SPAN)).map(|_| Cell::new()).collect());
        }
    }

    /// The last row is none, e.g. because it was deleted.
    pub fn drop_row(&mut self) {
        if let Some(rows) = self.table() {
            rows.pop();
        }
    }

    /// A cell begins.
    pub fn cell(&mut self) {
        if let Some(row) = self.table().and_then(|rows| rows.last_mut()) {
            row.push(Cell::new());
        }
    }

    /// The last cell ends; it was this many columns wide.
    pub fn end_cell(&mut self, span: usize) {
        for _ in 1..span.min(MAX_SPAN) {
            self.cell();
        }
    }

    /// The last cell stands here so many times.
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

    /// The last row stands here so many times.
    ///
    /// # Errors
    /// See [`Self::repeat_cell`].
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

    /// Moves the cells of the innermost table into columns, given the right edges of the cells of each row: a cell that
    /// is as wide as two of another row is followed by an empty one.
    pub fn spread(&mut self, edges: &[Vec<i32>]) {
        let mut columns: Vec<i32> = edges.iter().flatten().copied().collect();
        columns.sort_unstable();
        columns.dedup_by(|next, last| next.saturating_sub(*last) <= NEAR);
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
                let end = columns.partition_point(|column| *column <= edge.saturating_add(NEAR));
                row.extend((at + 1..end).map(|_| Cell::new()));
                at = end.max(at + 1);
            }
        }
    }

    /// The innermost table ends.
    ///
    /// # Errors
    /// See [`Self::page`].
    pub fn end_table(&mut self) -> Result<()> {
        if let Some(Place::Table(rows)) = self.close() {
            self.put(Block::Table(rows))?;
        }
        self.turn_page()
    }

    /// The text of a note begins.
    pub fn begin_note(&mut self) {
        self.open(Place::Note(Vec::new()));
    }

    /// The text of a note ends and is returned.
    pub fn end_note(&mut self) -> String {
        match self.close() {
            Some(Place::Note(blocks)) => flat(&blocks),
            _ => String::new(),
        }
    }

    /// A slide begins.
    pub fn begin_slide(&mut self) {
        self.open(Place::Slide(Slide::default()));
    }

    /// The slide, while nothing in it is open.
    pub fn slide(&mut self) -> Option<&mut Slide> {
        if let Some(Place::Slide(slide)) = self.places.last_mut() { Some(slide) } else { None }
    }

    /// A slide ends. Its headings come first, then what its shapes say from top to bottom.
    ///
    /// # Errors
    /// See [`Self::page`].
    pub fn end_slide(&mut self) -> Result<()> {
        if let Some(Place::Slide(slide)) = self.close() {
            slide.in_order().try_for_each(|block| self.put(block))?;
        }
        Ok(())
    }

    /// A note with this text is called from the innermost paragraph.
    pub fn call_note(&mut self, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        self.note_count += 1;
        let number = self.note_count;
        self.text(&format!("[^{number}]"));
        self.notes.push((number, text.to_string()));
    }

    /// Another document lies here.
    ///
    /// # Errors
    /// See [`Writer::nested`].
    pub fn embed(&mut self, write: impl FnOnce(&mut Writer) -> Result<()>) -> Result<()> {
        if self.places.is_empty() {
            self.flush()?;
            let before = self.writer.length();
            self.writer.nested(1, write)?;
            self.is_empty &= self.writer.length() == before;
            return Ok(());
        }
        // In a cell, its blocks are paragraphs.
        let mut apart = Writer::new(Media::Docx, *self.writer.limits());
        apart.nested(1, write)?;
        self.writer.limits().unpacked = apart.limits().unpacked;
        for row in apart.finish().rows() {
            self.begin_paragraph();
            self.text(row.content);
            self.end_paragraph(Shape::Text)?;
        }
        Ok(())
    }

    /// All has been said.
    ///
    /// # Errors
    /// See [`Self::page`].
    pub fn finish(&mut self) -> Result<()> {
        while let Some(place) = self.places.last() {
            match place {
                Place::Paragraph(..) => self.end_paragraph(Shape::Text)?,
                Place::Table(_) => self.end_table()?,
                Place::Note(_) => drop(self.end_note()),
                Place::Slide(_) => self.end_slide()?,
            }
        }
        self.flush()
    }

    fn open(&mut self, place: Place) {
        if self.places.len() < MAX_DEPTH {
            self.places.push(place);
        } else {
            self.beyond += 1;
            // Words of different paragraphs stay apart.
            self.text(" ");
        }
    }

    fn close(&mut self) -> Option<Place> {
        if self.beyond > 0 {
            self.beyond -= 1;
            return None;
        }
        self.places.pop()
    }

    fn table(&mut self) -> Option<&mut Vec<Row>> {
        match self.places.last_mut() {
            Some(Place::Table(rows)) if self.beyond == 0 => Some(rows),
            _ => None,
        }
    }

    fn turn_page(&mut self) -> Result<()> {
        match self.next_page.take() {
            Some(number) => self.page(number),
            None => Ok(()),
        }
    }

    fn put(&mut self, block: Block) -> Result<()> {
        match self.places.last_mut() {
            Some(Place::Paragraph(_, anchored)) => anchored.push(block),
            Some(Place::Note(blocks)) => blocks.push(block),
            Some(Place::Slide(slide)) => slide.put(block),
            // Text of a table outside of its cells, as no program writes it, gets a cell.
            Some(Place::Table(rows)) => {
                if rows.is_empty() {
                    rows.push(Row::new());
                }
                if let Some(row) = rows.last_mut() {
                    if row.is_empty() {
                        row.push(Cell::new());
                    }
                    if let Some(cell) = row.last_mut() {
                        cell.push(block);
                    }
                }
            }
            None => self.write(block)?,
        }
        Ok(())
    }

    fn write(&mut self, block: Block) -> Result<()> {
        match block {
            Block::Text(_, text) if text.trim().is_empty() => return Ok(()),
            Block::Text(Shape::Code, text) => {
                self.write_list_notes()?;
                if !self.code.is_empty() {
                    self.code.push('\n');
                }
                self.code.push_str(&text);
            }
            Block::Text(Shape::Item(depth, number), text) => {
                self.write_code()?;
                self.writer.list_item(depth, number, &text)?;
                self.notes_of_list.append(&mut self.notes);
            }
            Block::Text(shape, text) => {
                self.write_code()?;
                self.write_list_notes()?;
                match shape {
                    Shape::Heading(level) => self.writer.heading(level, &text)?,
                    _ => self.writer.paragraph(&text)?,
                }
                self.write_notes()?;
            }
            Block::Table(rows) if is_layout(&rows) => {
                return rows.into_iter().flatten().flatten().try_for_each(|block| self.write(block));
            }
            Block::Table(rows) => {
                self.write_code()?;
                self.write_list_notes()?;
                let row = |row: &Row| row.iter().map(|cell| flat(cell)).collect::<Vec<String>>();
                self.writer.table(&rows.iter().map(row).collect::<Vec<_>>())?;
                self.write_notes()?;
            }
        }
        self.is_empty = false;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.write_code()?;
        self.write_list_notes()?;
        self.write_notes()
    }

    fn write_code(&mut self) -> Result<()> {
        let code = std::mem::take(&mut self.code);
        self.writer.code(None, &code)
    }

    fn write_list_notes(&mut self) -> Result<()> {
        std::mem::take(&mut self.notes_of_list).iter().try_for_each(|note| self.write_note(note))
    }

    fn write_notes(&mut self) -> Result<()> {
        std::mem::take(&mut self.notes).iter().try_for_each(|note| self.write_note(note))
    }

    fn write_note(&mut self, (number, text): &(usize, String)) -> Result<()> {
        self.writer.paragraph(&format!("[^{number}]: {}", text.replace(['\n', '\r'], " ")))
    }
}

/// The error for cells that are repeated so often that nobody reads them.
pub(crate) fn too_many_copies() -> Error {
    Error::new(Kind::InputTooLong, "table repeats a cell too often")
        .hint("It may be made to exhaust the server. If it is sound, delete the cells that are filled beyond its end.")
}
