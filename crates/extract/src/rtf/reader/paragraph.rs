//! Paragraphs, cells and rows of RTF, which start implicitly with text and end with a control word.

use super::{Reader, Suspended, Table};
use crate::block_builder::ParagraphKind;
use socle_core::Result;

impl Reader<'_> {
    pub(super) fn begin_paragraph(&mut self) -> Result<()> {
        if !self.is_open {
            self.tables_to(self.paragraph.tables)?;
            self.begin_cell();
            self.flow.begin_paragraph();
            self.is_open = true;
        }
        Ok(())
    }

    /// Handles the end of a paragraph (`\par`).
    pub(super) fn end_paragraph(&mut self) -> Result<()> {
        if self.is_open {
            return self.end_open();
        }
        self.label.clear();
        // An empty paragraph separates two tables.
        self.tables_to(self.paragraph.tables)
    }

    /// Ends the open paragraph, if any.
    pub(super) fn end_open(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.is_open) {
            return Ok(());
        }
        let label = std::mem::take(&mut self.label);
        let label = label.trim();
        let style = self.head.style(self.paragraph.style);
        let outline = self.paragraph.outline.or(style.outline).filter(|level| *level < 9);
        let digits = label.trim_start_matches('(').trim_end_matches(['.', ')']);
        let says = label.chars().any(char::is_alphanumeric);
        let shape = match (outline, digits.parse::<u64>()) {
            (Some(level), _) => ParagraphKind::Heading(level + 1),
            (None, Ok(number)) => ParagraphKind::Item(self.paragraph.level, Some(number)),
            (None, Err(_)) if !label.is_empty() => ParagraphKind::Item(self.paragraph.level, None),
            (None, Err(_)) if style.is_code => ParagraphKind::Code,
            (None, Err(_)) => ParagraphKind::Text,
        };
        if says
            && !matches!(shape, ParagraphKind::Item(_, Some(_)))
            && let Some(text) = self.flow.open_paragraph_text().filter(|text| !text.trim().is_empty())
        {
            text.insert_str(0, &format!("{label} "));
        }
        self.flow.end_paragraph(shape)
    }

    /// Begins a cell if the paragraph needs one.
    pub(super) fn begin_cell(&mut self) {
        if let Some(table) = self.tables.last_mut() {
            if std::mem::take(&mut table.is_defined) && !table.has_cell {
                table.has_row = false;
                table.edges.push(std::mem::take(&mut table.last_edges));
            }
            if !std::mem::replace(&mut table.has_row, true) {
                self.flow.row(0);
            }
            if !std::mem::replace(&mut table.has_cell, true) {
                self.flow.cell();
            }
        }
    }

    pub(super) fn end_cell(&mut self, depth: usize) -> Result<()> {
        self.end_open()?;
        self.tables_to(depth)?;
        self.begin_cell();
        if let Some(table) = self.tables.last_mut() {
            table.has_cell = false;
        }
        Ok(())
    }

    pub(super) fn end_row(&mut self, depth: usize) -> Result<()> {
        self.end_open()?;
        self.tables_to(depth)?;
        if let Some(table) = self.tables.last_mut().filter(|table| table.has_row) {
            (table.has_row, table.has_cell, table.is_defined) = (false, false, false);
            table.edges.push(self.edges.clone());
        }
        Ok(())
    }

    /// Begins or ends tables until `depth` are open.
    pub(super) fn tables_to(&mut self, depth: usize) -> Result<()> {
        while self.tables.len() > depth {
            if let Some(table) = self.tables.pop() {
                self.flow.align_columns(&table.edges);
            }
            self.flow.end_table()?;
        }
        while self.tables.len() < depth {
            self.begin_cell();
            self.flow.begin_table();
            self.tables.push(Table::default());
        }
        Ok(())
    }

    /// Begins a note or a text box.
    pub(super) fn begin_note_or_box(&mut self, is_note: bool) -> Result<()> {
        if is_note {
            self.begin_paragraph()?;
            self.flow.begin_note();
        }
        self.outside.push(Suspended {
            depth: self.around.len(),
            is_note,
            paragraph: std::mem::take(&mut self.paragraph),
            is_open: std::mem::take(&mut self.is_open),
            tables: std::mem::take(&mut self.tables),
            label: std::mem::take(&mut self.label),
        });
        Ok(())
    }

    /// Ends a note or a text box.
    pub(super) fn end_note_or_box(&mut self) -> Result<()> {
        self.end_open()?;
        self.tables_to(0)?;
        let Some(outside) = self.outside.pop() else { return Ok(()) };
        self.paragraph = outside.paragraph;
        self.is_open = outside.is_open;
        self.tables = outside.tables;
        self.label = outside.label;
        if outside.is_note {
            let text = self.flow.end_note();
            self.flow.call_note(&text);
        }
        Ok(())
    }
}
