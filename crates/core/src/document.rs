//! An extracted document: Markdown, its blocks with page numbers, and metadata.

mod certainty;
mod extractor;
mod ocr;

use crate::chunk::heading_in_path;
pub use certainty::Certainty;
pub use extractor::{EXTRACTION_VERSION, extractor};
pub use ocr::{Ocr, OcrMode};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The text and metadata of a document.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Document {
    /// The whole text: CommonMark with GitHub tables. Blocks are separated by an empty line.
    pub markdown: String,
    /// The blocks of the text, in order and without overlap.
    pub blocks: Vec<Block>,
    /// The metadata of the file.
    pub metadata: Metadata,
}

/// A heading, a paragraph, a list, a table or a piece of code.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Block {
    /// Kind of the block.
    pub kind: BlockKind,
    /// The page, slide or sheet that it begins on, from 1; `None` in formats without pages.
    pub page: Option<u32>,
    /// First byte in [`Document::markdown`].
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
    /// How sure the model is that recognised it in a picture, from 0 to 1000; `None` for the text of the file.
    pub permille: Option<u16>,
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
    /// Preformatted text.
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

/// The metadata of a file, as stated there; nothing is verified.
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
    /// Number of pages, slides or sheets without extractable text: scanned images, or pages whose fonts do not map most
    /// characters to Unicode; `None` if there are none.
    pub pages_without_text: Option<u32>,
    /// Number of characters of a PDF that are missing because its fonts do not map them to Unicode; `None` if there are
    /// none.
    pub unknown_characters: Option<u32>,
    /// Number of pictures inside of the document that were to be recognised and could not be, or only in part: damaged, cut
    /// short, too large, of a format that is not read there, or too many. A picture on several pages of a PDF counts once.
    /// `None` if there are none.
    pub unread_pictures: Option<u32>,
    /// Why the text is incomplete, if the file is truncated; `None` if it is complete.
    pub incomplete: Option<String>,
    /// The pages whose text was recognised in pictures, in the order in which they were read.
    pub recognized: Vec<RecognizedPage>,
    /// The languages of the text that was recognised, that of most of it first. Not stated by the file: guessed from its
    /// words.
    pub recognized_languages: Vec<String>,
}

/// Text that was recognised in pictures, of a page or of a document without pages.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RecognizedPage {
    /// See [`Block::page`].
    pub page: Option<u32>,
    /// Number of characters that were recognised.
    pub characters: u32,
    /// How sure the model is, from 0 to 1000: the mean over these characters, and 0 for those that it sees and cannot read.
    pub permille: u16,
    /// The same of the least sure line of the pictures that were recognised on it; 0 where there is writing that the model cannot
    /// read.
    pub least_permille: u16,
    /// Number of stamps, signatures and handwriting in colour over other text that were left out, because the model is not
    /// sure of what it read in them.
    pub unread_stamps: u16,
}

impl RecognizedPage {
    /// Confidence below which a text is marked as unsure: of pages that people call well recognised, nine of ten characters
    /// or more are right, and the model is that sure of them.
    pub const UNSURE_PERMILLE: u16 = 850;

    /// How sure the model is, from 0 to 1.
    pub fn confidence(&self) -> f64 {
        f64::from(self.permille) / 1000.0
    }

    /// Whether the text, or a line of it, is to be read with care.
    pub fn is_unsure(&self) -> bool {
        self.least_permille < Self::UNSURE_PERMILLE
    }

    /// What several have in common: the mean over all their characters; `None` of none.
    pub fn all(pages: &[Self]) -> Option<Self> {
        let characters: u64 = pages.iter().map(|page| u64::from(page.characters)).sum();
        let sure: u64 = pages.iter().map(|page| u64::from(page.characters) * u64::from(page.permille)).sum();
        let page = pages.first()?.page;
        Some(Self {
            page: page.filter(|page| pages.iter().all(|other| other.page == Some(*page))),
            characters: u32::try_from(characters).unwrap_or(u32::MAX),
            permille: u16::try_from(sure / characters.max(1)).unwrap_or(u16::MAX),
            least_permille: pages.iter().map(|page| page.least_permille).min().unwrap_or_default(),
            unread_stamps: pages.iter().fold(0, |count, page| count.saturating_add(page.unread_stamps)),
        })
    }
}

/// Limits on extracting a document.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ExtractLimits {
    /// Maximum CPU time and maximum elapsed time in seconds.
    pub seconds: u32,
    /// Maximum memory of the extracting process in bytes.
    pub memory_bytes: u64,
    /// Maximum length of the Markdown in bytes.
    pub text_bytes: u64,
    /// Maximum processor time in seconds in which its pictures are recognised, by whichever threads; 0: no limit.
    pub recognition_seconds: u32,
}

/// A block as a row in SQL.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row<'a> {
    /// See [`Block::page`].
    pub page: Option<u32>,
    /// The headings above it, outermost first, each of at most
    /// [`MAX_HEADING_CHARACTERS`](crate::chunk::MAX_HEADING_CHARACTERS). The rows below a heading share it.
    pub heading_path: Arc<[&'a str]>,
    /// Kind of the block.
    pub kind: BlockKind,
    /// Its Markdown; the text without markup for a heading.
    pub content: &'a str,
}

/// Maps positions in the text of a document to pages.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Pages {
    /// First character of each page, ascending.
    begins: Vec<(usize, Option<u32>)>,
}

impl Pages {
    /// The page starts of a document.
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

    /// The page of the character at an index, counted from 0; `None` without pages.
    pub fn at(&self, character: usize) -> Option<u32> {
        let after = self.begins.partition_point(|(begin, _)| *begin <= character);
        after.checked_sub(1).and_then(|at| self.begins.get(at)).and_then(|(_, page)| *page)
    }
}

impl Document {
    /// The blocks with their heading paths.
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
            document.blocks.push(Block { kind, page: None, start, end: document.markdown.len(), permille: None });
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
