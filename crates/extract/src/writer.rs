//! Writes Markdown block by block and records the byte range of each block. Used by the readers of all formats, so that
//! the same structure always has the same form.

mod pictures;

pub(crate) use pictures::MovedText;

use crate::limits::Limits;
use crate::media::Media;
use crate::picture::PictureReference;
use crate::recognition::Ocr;
use socle_core::document::{Block, BlockKind, Document, Metadata};
use socle_core::{Error, Kind, Result};

/// Maximum depth of lists; deeper items are written at this depth.
const MAX_LIST_DEPTH: usize = 8;

/// A document being written.
#[derive(Debug)]
pub struct Writer {
    document: Document,
    limits: Limits,
    ocr: Ocr,
    page: Option<u32>,
    /// The last block is a list that the next item continues.
    in_list: bool,
    /// Column at which the text of the last item of each depth starts.
    columns: Vec<usize>,
    /// Number of levels by which headings are lowered in an embedded document.
    shift: u8,
    /// Whether headings are written as paragraphs: what follows is not below them.
    is_flat: bool,
    /// How sure the model is of what is being written, if it was recognised.
    permille: Option<u16>,
    /// The page that an embedded document is on.
    outer_page: Option<u32>,
    /// Whether pictures were left out.
    has_picture: bool,
    /// What refers to them, if they may be recognised.
    pictures: Vec<PictureReference>,
    /// Size of these references in bytes.
    picture_bytes: usize,
    /// First byte of the current page, and whether it has pictures.
    page_begin: usize,
    page_has_picture: bool,
}

impl Writer {
    /// An empty document, whose pictures are left out.
    pub fn new(media: Media, limits: Limits) -> Self {
        Self::with_ocr(media, limits, Ocr::off())
    }

    /// An empty document, whose pictures are recognised as `ocr` says.
    pub fn with_ocr(media: Media, limits: Limits, ocr: Ocr) -> Self {
        let metadata = Metadata { media_type: media.media_type().to_string(), ..Metadata::default() };
        Self {
            document: Document { metadata, ..Document::default() },
            limits,
            ocr,
            page: None,
            in_list: false,
            columns: Vec::new(),
            shift: 0,
            is_flat: false,
            permille: None,
            outer_page: None,
            has_picture: false,
            pictures: Vec::new(),
            picture_bytes: 0,
            page_begin: 0,
            page_has_picture: false,
        }
    }

    /// The metadata of the file.
    pub fn metadata(&mut self) -> &mut Metadata {
        &mut self.document.metadata
    }

    /// The remaining limits.
    pub fn limits(&mut self) -> &mut Limits {
        &mut self.limits
    }

    /// Begins a page, slide or sheet, counted from 1. Ignored in an embedded document.
    pub fn page(&mut self, number: u32) {
        self.in_list = false;
        if self.shift == 0 {
            self.end_page();
            self.page = Some(number);
        }
    }

    /// Ends the current page. Counts it as a page without text if it has only pictures.
    fn end_page(&mut self) {
        if self.page.is_some() && self.page_has_picture && self.length() == self.page_begin {
            let count = &mut self.document.metadata.pages_without_text;
            *count = Some(count.unwrap_or(0).saturating_add(1));
        }
        (self.page_begin, self.page_has_picture) = (self.length(), false);
    }

    /// Writes an embedded document with its headings lowered by `levels`, at least 1. Of its metadata, what concerns
    /// recognition is kept.
    ///
    /// # Errors
    /// [`Kind::NotSupported`] if documents are nested too deeply; the errors of `write`.
    pub fn nested(&mut self, levels: u8, write: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let (shift, page, metadata) = (self.shift, self.page.take(), self.document.metadata.clone());
        let (begin, has_picture) = (self.length(), std::mem::take(&mut self.has_picture));
        // Its reader takes the pictures that were noted, and can load those of its own only.
        let (pictures, picture_bytes) = (std::mem::take(&mut self.pictures), self.picture_bytes);
        let on_page = (self.page_begin, self.page_has_picture);
        let outer_page = self.outer_page;
        if shift == 0 {
            self.outer_page = page;
        }
        self.shift = shift.saturating_add(levels.max(1));
        self.in_list = false;
        let unread = self.document.metadata.unread_pictures.take();
        let result = self.unwrapped(write);
        let result = match result {
            Ok(()) if self.has_picture && self.length() == begin => Err(self.no_text_but_pictures()),
            result => result,
        };
        self.outer_page = outer_page;
        self.has_picture = has_picture;
        (self.pictures, self.picture_bytes) = (pictures, picture_bytes);
        (self.page_begin, self.page_has_picture) = on_page;
        let recognized = std::mem::take(&mut self.document.metadata.recognized);
        let unread_pictures = match (unread, self.document.metadata.unread_pictures) {
            (Some(before), Some(more)) => Some(before.saturating_add(more)),
            (before, more) => before.or(more),
        };
        let metadata = Metadata { recognized, unread_pictures, ..metadata };
        (self.shift, self.page, self.document.metadata) = (shift, page, metadata);
        self.in_list = false;
        result
    }

    /// Writes the document inside a wrapper, such as a signed envelope, as the document itself. Counts as a level of
    /// nesting.
    ///
    /// # Errors
    /// As [`Self::nested`].
    pub fn unwrapped(&mut self, write: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let Some(depth) = self.limits.depth.checked_sub(1) else {
            return Err(Error::new(Kind::NotSupported, "documents are nested too deeply"));
        };
        self.limits.depth = depth;
        let result = write(self);
        self.limits.depth = depth + 1;
        result
    }

    /// Writes a heading of level 1 to 6 on one line.
    ///
    /// # Errors
    /// [`Kind::InputTooLong`] if the document exceeds [`Limits::output`]; the same holds for the other methods.
    pub fn heading(&mut self, level: u8, text: &str) -> Result<()> {
        let level = level.max(1).saturating_add(self.shift).min(6);
        let line = one_line(text);
        if line.is_empty() {
            return Ok(());
        }
        if self.is_flat {
            return self.paragraph(text);
        }
        let marks = "#".repeat(usize::from(level));
        self.block(BlockKind::Heading(level), &format!("{marks} {line}"))
    }

    /// Writes a paragraph. Keeps its line breaks; removes empty lines and white space at both ends of lines.
    ///
    /// # Errors
    /// As [`Self::heading`].
    pub fn paragraph(&mut self, text: &str) -> Result<()> {
        let lines: Vec<String> = text.lines().map(one_line).filter(|line| !line.is_empty()).map(escaped).collect();
        if lines.is_empty() {
            return Ok(());
        }
        self.block(BlockKind::Paragraph, &lines.join("\n"))
    }

    /// Writes a block quote, nested `depth` times, at least 1.
    ///
    /// # Errors
    /// As [`Self::heading`].
    pub fn quotation(&mut self, depth: usize, text: &str) -> Result<()> {
        let mark = "> ".repeat(depth.clamp(1, MAX_LIST_DEPTH));
        let lines = text.lines().map(one_line).filter(|line| !line.is_empty());
        let lines: Vec<String> = lines.map(|line| format!("{mark}{}", escaped(line))).collect();
        if lines.is_empty() {
            return Ok(());
        }
        self.block(BlockKind::Paragraph, &lines.join("\n"))
    }

    /// Writes a list item; `depth` counts from 0, `number` is `None` in bulleted lists. Consecutive items form one
    /// block.
    ///
    /// # Errors
    /// As [`Self::heading`].
    pub fn list_item(&mut self, depth: usize, number: Option<u64>, text: &str) -> Result<()> {
        let line = one_line(text);
        if line.is_empty() {
            return Ok(());
        }
        let mark = number.map_or_else(|| "-".to_string(), |number| format!("{number}."));
        if !self.in_list {
            self.columns.clear();
        }
        // An item is nested in another one if it starts at the column of its text.
        self.columns.truncate(depth.min(MAX_LIST_DEPTH));
        let column = self.columns.last().copied().unwrap_or(0);
        self.columns.resize(depth.min(MAX_LIST_DEPTH), column);
        self.columns.push(column + mark.len() + 1);
        let item = format!("{}{mark} {line}", " ".repeat(column));
        let goes_on = self.in_list;
        if goes_on {
            self.document.markdown.push('\n');
            self.document.markdown.push_str(&item);
            let end = self.document.markdown.len();
            if let Some(block) = self.document.blocks.last_mut() {
                block.end = end;
            }
            return self.check();
        }
        self.block(BlockKind::List, &item)?;
        self.in_list = true;
        Ok(())
    }

    /// Writes a table whose first row is the header. Rows may differ in length. Trailing rows and cells without text
    /// are left out, so that one wide row does not widen all others. A table of nearly only empty cells is written as a
    /// line per row instead.
    ///
    /// # Errors
    /// As [`Self::heading`].
    pub fn table<R: AsRef<[C]>, C: AsRef<str>>(&mut self, rows: &[R]) -> Result<()> {
        let used = |row: &R| row.as_ref().iter().rposition(|cell| has_text(cell.as_ref())).map_or(0, |last| last + 1);
        let width = rows.iter().map(used).max().unwrap_or(0);
        if width == 0 {
            return Ok(());
        }
        let filled = |row: &R| row.as_ref().iter().filter(|cell| has_text(cell.as_ref())).count();
        if Self::is_sparse(rows.iter().map(used).sum(), rows.iter().map(filled).sum()) {
            let lines = rows.iter().map(|row| row.as_ref().iter().map(AsRef::as_ref));
            return self.sparse_table(lines);
        }
        let mut text = String::new();
        for row in rows.iter().filter(|row| used(row) > 0) {
            let is_head = text.is_empty();
            if !is_head {
                text.push('\n');
            }
            text.push('|');
            // The header row determines the number of columns.
            for column in 0..if is_head { width } else { used(row) } {
                let cell = row.as_ref().get(column).map_or("", AsRef::as_ref);
                text.push(' ');
                text.push_str(&one_line(cell).replace('|', "\\|"));
                text.push_str(" |");
            }
            if is_head {
                text.push_str("\n|");
                text.push_str(&" --- |".repeat(width));
            }
            self.fits(text.len())?;
        }
        self.block(BlockKind::Table, &text)
    }

    /// Whether a table of `cells` cells, of which `filled` have text, consists mostly of empty cells.
    pub(crate) fn is_sparse(cells: usize, filled: usize) -> bool {
        /// Smaller tables are never sparse: forms and calendars have many empty cells, at little cost.
        const FEW: usize = 20_000;
        const GAPS: usize = 16;
        cells > filled.saturating_mul(GAPS).max(FEW)
    }

    /// Writes a sparse table as a line per row, with the cells that have text.
    ///
    /// # Errors
    /// As [`Self::heading`].
    pub(crate) fn sparse_table<'a, R: Iterator<Item = &'a str>>(
        &mut self,
        rows: impl Iterator<Item = R>,
    ) -> Result<()> {
        let mut text = String::new();
        for row in rows {
            let start = text.len();
            for cell in row.filter(|cell| has_text(cell)) {
                if text.len() > start {
                    text.push_str(", ");
                }
                text.push_str(&one_line(cell));
            }
            text.push('\n');
            self.fits(text.len())?;
        }
        self.paragraph(&text)
    }

    /// Checks that `more` bytes can still be written, before they are assembled.
    ///
    /// # Errors
    /// As [`Self::heading`].
    pub fn fits(&self, more: usize) -> Result<()> {
        if self.document.markdown.len().saturating_add(more) > self.limits.output {
            Err(self.too_long())
        } else {
            Ok(())
        }
    }

    /// Writes text as a code block, with its white space.
    ///
    /// # Errors
    /// As [`Self::heading`].
    pub fn code(&mut self, language: Option<&str>, text: &str) -> Result<()> {
        let text = clean(text);
        let text = text.trim_end().trim_start_matches(['\n', '\r']);
        if text.is_empty() {
            return Ok(());
        }
        // The fence must be longer than any run of backticks inside.
        let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
        let fence = "`".repeat(longest.max(2) + 1);
        self.block(BlockKind::Code, &format!("{fence}{}\n{text}\n{fence}", language.unwrap_or_default()))
    }

    /// Writes existing Markdown as one block.
    ///
    /// # Errors
    /// As [`Self::heading`].
    pub fn block(&mut self, kind: BlockKind, markdown: &str) -> Result<()> {
        self.in_list = false;
        let text = &mut self.document.markdown;
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        let start = text.len();
        // Markdown of documents and names of programming languages have not been cleaned yet.
        text.extend(markdown.split('\0'));
        self.document.blocks.push(Block { kind, page: self.page, start, end: text.len(), permille: self.permille });
        self.check()
    }

    /// Length of the Markdown so far in bytes.
    pub(crate) fn length(&self) -> usize {
        self.document.markdown.len()
    }

    /// Removes everything after the first `length` bytes, which must end with a block.
    pub(crate) fn truncate(&mut self, length: usize) {
        if self.document.markdown.is_char_boundary(length) {
            self.document.markdown.truncate(length);
        }
        self.document.blocks.retain(|block| block.end <= length);
        self.in_list = false;
    }

    /// The finished document, which may be empty. Cleans the metadata of all formats, so that it has no character that
    /// PostgreSQL cannot store.
    pub fn finish(mut self) -> Document {
        self.end_page();
        let Metadata { title, author, language, created, modified, .. } = &mut self.document.metadata;
        for text in [title, author, language, created, modified] {
            *text = text.take().map(|text| one_line(&text)).filter(|text| !text.is_empty());
        }
        self.document
    }

    fn check(&self) -> Result<()> {
        self.fits(0)
    }

    /// The error for a document that exceeds [`Limits::output`].
    pub(crate) fn too_long(&self) -> Error {
        Error::new(Kind::InputTooLong, format!("document has more than {} bytes of text", self.limits.output))
            .hint("Split it, or have a superuser raise socle.max_input_bytes.")
    }
}

/// Whether [`one_line`] would return any text.
fn has_text(text: &str) -> bool {
    text.chars().any(|c| !c.is_whitespace() && !is_unwanted(c))
}

/// Whether a character is removed: control characters, which PostgreSQL may not be able to store, byte order marks,
/// soft hyphens.
fn is_unwanted(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{feff}' | '\u{ad}')
}

/// Removes unwanted characters and replaces ligatures by their letters.
fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !is_unwanted(*c)) {
        match c {
            '\u{fb00}' => clean.push_str("ff"),
            '\u{fb01}' => clean.push_str("fi"),
            '\u{fb02}' => clean.push_str("fl"),
            '\u{fb03}' => clean.push_str("ffi"),
            '\u{fb04}' => clean.push_str("ffl"),
            '\u{fb05}' | '\u{fb06}' => clean.push_str("st"),
            c => clean.push(c),
        }
    }
    clean
}

/// The words of a text, separated by single spaces.
fn one_line(text: &str) -> String {
    let text = clean(text);
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// Escapes a line that would start a heading, list, block quote, table or code fence in Markdown.
fn escaped(line: String) -> String {
    let marks = line.chars().take_while(|c| *c == '#').count();
    let heading = (1..=6).contains(&marks) && line[marks..].starts_with(' ');
    let bullet = ["- ", "+ ", "* ", ">", "|", "```", "~~~"].iter().any(|mark| line.starts_with(mark));
    // A line of such characters alone is a setext underline or a thematic break.
    let rule = line.len() >= 2 && line.chars().all(|c| matches!(c, '-' | '=' | '*' | '_' | ' '));
    if heading || bullet || rule {
        return format!("\\{line}");
    }
    let digits = line.chars().take_while(char::is_ascii_digit).count();
    if (1..=9).contains(&digits) && (line[digits..].starts_with(". ") || line[digits..].starts_with(") ")) {
        return format!("{}\\{}", &line[..digits], &line[digits..]);
    }
    line
}
