//! Builds blocks from nested structures: paragraphs that contain text boxes, tables in tables, notes that belong below
//! the paragraph that refers to them. Completed blocks go to the [`Writer`].
//!
//! Each `begin` must have its `end`, as XML elements do. Nesting deeper than [`MAX_DEPTH`] is flattened.

mod block;
mod slide;
mod table;

use crate::picture::Crop;
use crate::{Media, Writer};
use block::{Block, Cell, Row, flat, is_layout, pictures};
pub use slide::Slide;
use socle_core::Result;
pub(crate) use table::too_many_copies;

/// Maximum nesting of paragraphs, tables and notes. Word refuses tables nested deeper than about this.
const MAX_DEPTH: usize = 64;

/// Maximum number of columns that one cell spans or that are skipped before a row: as many as Word allows.
const MAX_SPAN: usize = 63;

/// The role of a paragraph.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ParagraphKind {
    /// Running text.
    Text,
    /// A heading; its level counts from 1.
    Heading(u8),
    /// A list item: its depth, from 0, and its number in a numbered list.
    Item(usize, Option<u64>),
    /// Preformatted text.
    Code,
}

/// An open structure.
enum Container {
    /// Its text, and the blocks anchored in it, which are written after it.
    Paragraph(String, Vec<Block>),
    Table(Vec<Row>),
    Note(Vec<Block>),
    Slide(Slide),
}

/// Collects blocks for a [`Writer`].
pub struct BlockBuilder<'w> {
    writer: &'w mut Writer,
    containers: Vec<Container>,
    /// Number of open containers beyond [`MAX_DEPTH`].
    beyond: usize,
    /// Notes referred to by text that is not written yet, by number.
    notes: Vec<(usize, String)>,
    /// Notes referred to by a list that may continue.
    notes_of_list: Vec<(usize, String)>,
    note_count: usize,
    /// Consecutive preformatted paragraphs, which become one block.
    code: String,
    /// The page that begins when all containers are closed.
    next_page: Option<u32>,
    is_empty: bool,
}

impl<'w> BlockBuilder<'w> {
    /// An empty builder.
    pub fn new(writer: &'w mut Writer) -> Self {
        Self {
            writer,
            containers: Vec::new(),
            beyond: 0,
            notes: Vec::new(),
            notes_of_list: Vec::new(),
            note_count: 0,
            code: String::new(),
            next_page: None,
            is_empty: true,
        }
    }

    /// Whether nothing was written so far.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// The writer that receives the blocks.
    pub fn writer(&mut self) -> &mut Writer {
        self.writer
    }

    /// Begins a page, counted from 1.
    ///
    /// # Errors
    /// As [`Writer::heading`]; the same holds for the other methods.
    pub fn page(&mut self, number: u32) -> Result<()> {
        if self.containers.is_empty() {
            self.flush()?;
            self.writer.page(number);
        } else {
            self.next_page = Some(number);
        }
        Ok(())
    }

    /// Begins a paragraph.
    pub fn begin_paragraph(&mut self) {
        self.open(Container::Paragraph(String::new(), Vec::new()));
    }

    /// Appends text to the innermost paragraph. Ignores text outside of paragraphs.
    pub fn text(&mut self, text: &str) {
        if let Some(Container::Paragraph(so_far, _)) = self.containers.last_mut() {
            so_far.push_str(text);
        }
    }

    /// The text of the innermost paragraph so far.
    pub fn open_paragraph_text(&mut self) -> Option<&mut String> {
        match self.containers.last_mut() {
            Some(Container::Paragraph(text, _)) => Some(text),
            _ => None,
        }
    }

    /// Ends the innermost paragraph.
    ///
    /// # Errors
    /// As [`Self::page`].
    pub fn end_paragraph(&mut self, shape: ParagraphKind) -> Result<()> {
        if let Some(Container::Paragraph(text, anchored)) = self.close() {
            self.put(Block::Text(shape, text))?;
            anchored.into_iter().try_for_each(|block| self.put(block))?;
        }
        self.turn_page()
    }

    /// Begins a table.
    pub fn begin_table(&mut self) {
        self.open(Container::Table(Vec::new()));
    }

    /// Begins a row with `before` skipped columns.
    pub fn row(&mut self, before: usize) {
        if let Some(rows) = self.table() {
            rows.push((0..before.min(MAX_SPAN)).map(|_| Cell::new()).collect());
        }
    }

    /// Removes the last row, e.g. because it is marked as deleted.
    pub fn drop_row(&mut self) {
        if let Some(rows) = self.table() {
            rows.pop();
        }
    }

    /// Begins a cell.
    pub fn cell(&mut self) {
        if let Some(row) = self.table().and_then(|rows| rows.last_mut()) {
            row.push(Cell::new());
        }
    }

    /// Ends the last cell, which spans `span` columns.
    pub fn end_cell(&mut self, span: usize) {
        for _ in 1..span.min(MAX_SPAN) {
            self.cell();
        }
    }

    /// Ends the innermost table.
    ///
    /// # Errors
    /// As [`Self::page`].
    pub fn end_table(&mut self) -> Result<()> {
        if let Some(Container::Table(rows)) = self.close() {
            self.put(Block::Table(rows))?;
        }
        self.turn_page()
    }

    /// Begins the text of a note.
    pub fn begin_note(&mut self) {
        self.open(Container::Note(Vec::new()));
    }

    /// Ends the note and returns its text.
    pub fn end_note(&mut self) -> String {
        match self.close() {
            Some(Container::Note(blocks)) => flat(&blocks),
            _ => String::new(),
        }
    }

    /// Begins a slide.
    pub fn begin_slide(&mut self) {
        self.open(Container::Slide(Slide::default()));
    }

    /// The open slide, `None` while a container in it is open.
    pub fn slide(&mut self) -> Option<&mut Slide> {
        if let Some(Container::Slide(slide)) = self.containers.last_mut() { Some(slide) } else { None }
    }

    /// Ends the slide: writes its headings, then its shapes from top to bottom.
    ///
    /// # Errors
    /// As [`Self::page`].
    pub fn end_slide(&mut self) -> Result<()> {
        if let Some(Container::Slide(slide)) = self.close() {
            slide.in_order().try_for_each(|block| self.put(block))?;
        }
        Ok(())
    }

    /// Adds a picture, by what refers to its bytes, and what is cut off it: its text is written after the paragraph or table
    /// that it is in.
    ///
    /// # Errors
    /// As [`Self::page`].
    pub(crate) fn picture(&mut self, reference: String, crop: Crop) -> Result<()> {
        self.writer.picture();
        if self.writer.ocr().is_on() { self.put(Block::Picture(reference, crop)) } else { Ok(()) }
    }

    /// Adds a reference to a note with this text to the innermost paragraph.
    pub fn call_note(&mut self, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        self.note_count += 1;
        let number = self.note_count;
        self.text(&format!("[^{number}]"));
        self.notes.push((number, text.to_string()));
    }

    /// Writes an embedded document.
    ///
    /// # Errors
    /// As [`Writer::nested`].
    pub fn embed(&mut self, write: impl FnOnce(&mut Writer) -> Result<()>) -> Result<()> {
        if self.containers.is_empty() {
            self.flush()?;
            let before = self.writer.length();
            self.writer.nested(1, write)?;
            self.is_empty &= self.writer.length() == before;
            return Ok(());
        }
        // Inside a container, its blocks become paragraphs.
        let mut apart = Writer::new(Media::Docx, *self.writer.limits());
        apart.nested(1, write)?;
        self.writer.limits().unpacked = apart.limits().unpacked;
        for row in apart.finish().rows() {
            self.begin_paragraph();
            self.text(row.content);
            self.end_paragraph(ParagraphKind::Text)?;
        }
        Ok(())
    }

    /// Ends the document: closes all containers and writes the remaining notes.
    ///
    /// # Errors
    /// As [`Self::page`].
    pub fn finish(&mut self) -> Result<()> {
        while let Some(container) = self.containers.last() {
            match container {
                Container::Paragraph(..) => self.end_paragraph(ParagraphKind::Text)?,
                Container::Table(_) => self.end_table()?,
                Container::Note(_) => drop(self.end_note()),
                Container::Slide(_) => self.end_slide()?,
            }
        }
        self.flush()
    }

    fn open(&mut self, container: Container) {
        if self.containers.len() < MAX_DEPTH {
            self.containers.push(container);
        } else {
            self.beyond += 1;
            // Keep words of different paragraphs apart.
            self.text(" ");
        }
    }

    fn close(&mut self) -> Option<Container> {
        if self.beyond > 0 {
            self.beyond -= 1;
            return None;
        }
        self.containers.pop()
    }

    fn table(&mut self) -> Option<&mut Vec<Row>> {
        match self.containers.last_mut() {
            Some(Container::Table(rows)) if self.beyond == 0 => Some(rows),
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
        match self.containers.last_mut() {
            Some(Container::Paragraph(_, anchored)) => anchored.push(block),
            Some(Container::Note(blocks)) => blocks.push(block),
            Some(Container::Slide(slide)) => slide.put(block),
            // Text in a table outside of its cells, which is invalid, gets a cell.
            Some(Container::Table(rows)) => {
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
            Block::Text(ParagraphKind::Code, text) => {
                self.write_list_notes()?;
                if !self.code.is_empty() {
                    self.code.push('\n');
                }
                self.code.push_str(&text);
            }
            Block::Text(ParagraphKind::Item(depth, number), text) => {
                self.write_code()?;
                self.writer.list_item(depth, number, &text)?;
                self.notes_of_list.append(&mut self.notes);
            }
            Block::Text(shape, text) => {
                self.write_code()?;
                self.write_list_notes()?;
                match shape {
                    ParagraphKind::Heading(level) => self.writer.heading(level, &text)?,
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
                let mut references = Vec::new();
                pictures(&rows, &mut references);
                references.iter().for_each(|(reference, crop)| self.writer.part_of_picture_at(reference, *crop));
            }
            Block::Picture(reference, crop) => {
                self.write_code()?;
                self.writer.part_of_picture_at(&reference, crop);
                return Ok(());
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
