//! Control words of text, of its characters and of its paragraphs.

use super::{MAX_CELLS, MAX_TABLES, Paragraph, Reader};
use crate::rtf::encoding::CodePage;
use crate::rtf::header::language;
use socle_core::Result;

impl Reader<'_> {
    pub(super) fn character_word(&mut self, word: &str, number: Option<i32>) {
        let is_on = number != Some(0);
        let number = number.unwrap_or(0);
        let state = &mut self.state;
        match word {
            "plain" => (state.is_hidden, state.is_deleted, state.font) = (false, false, None),
            "v" => state.is_hidden = is_on,
            "deleted" => state.is_deleted = is_on,
            "f" => state.font = self.head.fonts.get(&number).copied(),
            "uc" => state.fallback = usize::try_from(number).unwrap_or(0).min(16),
            "ansicpg" => self.head.code_page = CodePage::numbered(number).unwrap_or(self.head.code_page),
            "mac" => self.head.code_page = CodePage::numbered(10000).unwrap_or(self.head.code_page),
            "pc" => self.head.code_page = CodePage::numbered(437).unwrap_or(self.head.code_page),
            "pca" => self.head.code_page = CodePage::numbered(850).unwrap_or(self.head.code_page),
            "deflang" => self.head.metadata.language = language(number).map(str::to_string),
            _ => {}
        }
    }

    pub(super) fn paragraph_word(&mut self, word: &str, number: Option<i32>) {
        let number = number.unwrap_or(0);
        let size = usize::try_from(number).unwrap_or(0);
        let paragraph = &mut self.paragraph;
        match word {
            "pard" => *paragraph = Paragraph::default(),
            "s" => paragraph.style = number,
            "outlinelevel" => paragraph.outline = u8::try_from(number).ok(),
            "intbl" => paragraph.tables = paragraph.tables.max(1),
            "itap" => paragraph.tables = size.min(MAX_TABLES),
            "ilvl" => paragraph.level = size,
            "trowd" => {
                let edges = std::mem::take(&mut self.edges);
                if let Some(table) = self.tables.last_mut().filter(|table| table.has_row && !table.has_cell) {
                    table.is_defined = true;
                    table.last_edges = edges;
                }
            }
            "cellx" if self.edges.len() < MAX_CELLS => self.edges.push(number),
            _ => {}
        }
    }

    pub(super) fn text_word(&mut self, word: &str) -> Result<()> {
        match word {
            "par" | "sect" => self.end_paragraph(),
            "line" | "page" | "column" => self.write("\n"),
            "tab" => self.write("\t"),
            "cell" => self.end_cell(1),
            "nestcell" => self.end_cell(self.paragraph.tables.max(2)),
            "row" => self.end_row(1),
            "nestrow" => {
                self.end_row(self.paragraph.tables.max(2))?;
                self.edges = std::mem::take(&mut self.outer_edges);
                Ok(())
            }
            "emdash" => self.write("—"),
            "endash" => self.write("–"),
            "lquote" => self.write("‘"),
            "rquote" => self.write("’"),
            "ldblquote" => self.write("“"),
            "rdblquote" => self.write("”"),
            "bullet" => self.write("•"),
            "emspace" | "enspace" | "qmspace" => self.write(" "),
            _ => Ok(()),
        }
    }
}
