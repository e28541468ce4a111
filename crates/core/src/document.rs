//! What a file becomes: markdown, cut into blocks that know their page, and what the file says about itself.

use serde::{Deserialize, Serialize};

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
    /// The headings above it, outermost first.
    pub heading_path: Vec<&'a str>,
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
        self.blocks.iter().map(move |block| {
            let mut content = self.markdown.get(block.start..block.end).unwrap_or_default();
            if let BlockKind::Heading(level) = block.kind {
                content = content.trim_start_matches('#').trim();
                while path.last().is_some_and(|(above, _)| *above >= level) {
                    path.pop();
                }
            }
            let heading_path = path.iter().map(|(_, heading)| *heading).collect();
            if let BlockKind::Heading(level) = block.kind {
                path.push((level, content));
            }
            Row { page: block.page, heading_path, kind: block.kind, content }
        })
    }
}
