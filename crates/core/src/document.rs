//! What a file becomes: markdown, cut into blocks that know their page, and what the file says about itself.

use crate::chunk::heading_in_path;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A document as text.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Document {
    /// The whole text: CommonMark with tables of GitHub. Blocks are separated by an empty line.
    pub markdown: String,
    /// Its parts, in order and apart from each other.
    pub blocks: Vec<Block>,
    /// What the file says about itself.
    pub metadata: Metadata,
}

/// A heading, a paragraph, a list, a table or a piece of code.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Block {
    /// What it is.
    pub kind: BlockKind,
    /// The page, slide or sheet that it begins on, from 1; `None` in formats without pages.
    pub page: Option<u32>,
    /// First byte in [`Document::markdown`].
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// Kinds of blocks.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum BlockKind {
    /// A heading with its level, from 1 to 6.
    Heading(u8),
    /// A paragraph.
    Paragraph,
    /// A list with all its items.
    List,
    /// A table.
    Table,
    /// Text in which every space counts.
    Code,
}

impl BlockKind {
    /// The name used in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Heading(_) => "heading",
            Self::Paragraph => "paragraph",
            Self::List => "list",
            Self::Table => "table",
            Self::Code => "code",
        }
    }
}

/// What a file says about itself. Nothing of it is verified.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Metadata {
    /// The media type that the content was read as, e.g. `application/pdf`.
    pub media_type: String,
    /// Title; the subject of a mail.
    pub title: Option<String>,
    /// Authors as one line; the sender of a mail.
    pub author: Option<String>,
    /// Language as the file states it, e.g. `fr-FR`.
    pub language: Option<String>,
    /// Time of creation, of sending for a mail, as RFC 3339 with the offset that the file states.
    pub created: Option<String>,
    /// Time of the last change, like `created`.
    pub modified: Option<String>,
    /// Number of pages, slides or sheets.
    pub page_count: Option<u32>,
    /// Number of pages, slides or sheets that are images without text, as scanners make them, or whose fonts do not say what
    /// most of their characters are; `None` if there are none. What stands on them is missing.
    pub pages_without_text: Option<u32>,
    /// Number of characters of a PDF that its fonts do not tell; `None` if there are none. They are missing.
    pub unknown_characters: Option<u32>,
    /// Why the text is not the whole text, if the file ends before it does; `None` if nothing is missing.
    pub incomplete: Option<String>,
}

/// What reading a document may cost, and how much it may become.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ExtractLimits {
    /// Most seconds, of the processor as of the clock.
    pub seconds: u32,
    /// Most memory of the process that reads it, in bytes.
    pub memory_bytes: u64,
    /// Longest markdown, in bytes.
    pub text_bytes: u64,
}

/// A block as SQL sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row<'a> {
    /// See [`Block::page`].
    pub page: Option<u32>,
    /// The headings above it, outermost first, each of at most
    /// [`MAX_HEADING_CHARACTERS`](crate::chunk::MAX_HEADING_CHARACTERS). The rows below a heading share it.
    pub heading_path: Arc<[&'a str]>,
    /// What it is.
    pub kind: BlockKind,
    /// Its markdown; of a heading, the text alone.
    pub content: &'a str,
}

/// Where the pages of a document begin in its text.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Pages {
    /// First characters and their pages, ascending.
    begins: Vec<(usize, Option<u32>)>,
}

impl Pages {
    /// The pages of a document.
    pub fn of(document: &Document) -> Self {
        let mut begins: Vec<(usize, Option<u32>)> = Vec::new();
        let (mut byte, mut character) = (0, 0);
        for block in &document.blocks {
            character += document.markdown.get(byte..block.start).map_or(0, |text| text.chars().count());
            byte = block.start;
            if begins.last().and_then(|(_, page)| *page) != block.page {
                begins.push((character, block.page));
            }
        }
        Self { begins }
    }

    /// The page of a character, counted from 0.
    pub fn at(&self, character: usize) -> Option<u32> {
        let after = self.begins.partition_point(|(begin, _)| *begin <= character);
        after.checked_sub(1).and_then(|at| self.begins.get(at)).and_then(|(_, page)| *page)
    }
}

impl Document {
    /// The blocks with their headings.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let mut path: Vec<(u8, &str)> = Vec::new();
        let mut shared: Arc<[&str]> = Arc::default();
        self.blocks.iter().map(move |block| {
            let mut content = self.markdown.get(block.start..block.end).unwrap_or_default();
            let mut heading_path = Arc::clone(&shared);
            if let BlockKind::Heading(level) = block.kind {
                content = content.trim_start_matches('#').trim();
                path.truncate(path.partition_point(|(above, _)| *above < level));
                heading_path = path.iter().map(|(_, heading)| *heading).collect();
                path.push((level, heading_in_path(content)));
                shared = path.iter().map(|(_, heading)| *heading).collect();
            }
            Row { page: block.page, heading_path, kind: block.kind, content }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::MAX_HEADING_CHARACTERS;

    /// Blocks with their kinds, one after the other.
    fn document(blocks: impl Iterator<Item = (BlockKind, String)>) -> Document {
        let mut document = Document::default();
        for (kind, text) in blocks {
            let start = document.markdown.len();
            document.markdown.push_str(&text);
            document.blocks.push(Block { kind, page: None, start, end: document.markdown.len() });
        }
        document
    }

    #[test]
    fn a_heading_is_cut_in_the_path_and_whole_in_its_row() {
        let long = "é".repeat(2 * MAX_HEADING_CHARACTERS);
        let blocks = [(BlockKind::Heading(1), format!("# {long}")), (BlockKind::Paragraph, "text".to_string())];
        let document = document(blocks.into_iter());
        let rows: Vec<Row<'_>> = document.rows().collect();
        assert_eq!(rows[0].content, long);
        assert_eq!(rows[1].heading_path.iter().map(|heading| heading.chars().count()).collect::<Vec<_>>(), [500]);
    }

    #[test]
    fn headings_end_those_of_their_level_and_below() {
        let levels = [1, 3, 2, 2, 1].map(|level| (BlockKind::Heading(level), format!("# {level}")));
        let document = document(levels.into_iter());
        let paths: Vec<Vec<&str>> = document.rows().map(|row| row.heading_path.to_vec()).collect();
        assert_eq!(paths, [vec![], vec!["1"], vec!["1"], vec!["1"], vec![]]);
    }

    #[test]
    fn rows_below_a_heading_share_its_path() {
        let head = (BlockKind::Heading(1), "# head".to_string());
        let paragraphs = (0..600_000).map(|_| (BlockKind::Paragraph, "x".to_string()));
        let document = document(std::iter::once(head).chain(paragraphs));
        let paths: Vec<Arc<[&str]>> = document.rows().skip(1).map(|row| row.heading_path).collect();
        assert!(paths.iter().all(|path| Arc::ptr_eq(path, &paths[0])));
        assert_eq!(*paths[0], ["head"]);
    }
}
