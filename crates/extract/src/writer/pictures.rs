//! Pictures of a document that is being written: whether it has any, what refers to them, and which of its pages were
//! recognised.

use super::Writer;
use crate::picture::{Crop, PictureReference};
use crate::recognition::{HINT, Ocr};
use socle_core::document::{Block, BlockKind, RecognizedPage};
use socle_core::{Error, Kind, Result};
use std::ops::Range;

/// A text that stands behind the others and belongs before some of them.
pub(crate) struct MovedText {
    /// The length of the text before it.
    pub(crate) at: usize,
    /// The page that it is on.
    pub(crate) page: Option<u32>,
    /// Where it stands.
    pub(crate) text: Range<usize>,
}

impl Writer {
    /// How pictures are recognised.
    pub fn ocr(&mut self) -> &mut Ocr {
        &mut self.ocr
    }

    /// Notes that text was recognised. In an embedded document, it counts for the page that this is on.
    pub fn recognized(&mut self, mut page: RecognizedPage) {
        if page.characters == 0 {
            return;
        }
        if self.shift > 0 {
            page.page = self.outer_page;
        }
        let recognized = &mut self.document.metadata.recognized;
        match recognized.iter_mut().rev().find(|other| other.page == page.page) {
            Some(other) => *other = RecognizedPage::all(&[*other, page]).unwrap_or(page),
            None => recognized.push(page),
        }
    }

    /// Counts a picture that was to be recognised and cannot be read.
    pub(crate) fn unread_picture(&mut self) {
        let unread = &mut self.document.metadata.unread_pictures;
        *unread = Some(unread.unwrap_or_default().saturating_add(1));
    }

    /// Notes a picture, whose content is left out.
    pub fn picture(&mut self) {
        (self.has_picture, self.page_has_picture) = (true, true);
    }

    /// Notes a picture, and what refers to its bytes; see [`crate::picture::write_referenced`].
    pub fn picture_at(&mut self, reference: &str) {
        self.part_of_picture_at(reference, Crop::Nothing);
    }

    /// As [`Self::picture_at`], for a picture of which something is cut off.
    pub(crate) fn part_of_picture_at(&mut self, reference: &str, crop: Crop) {
        self.picture_under(None, reference, crop);
    }

    /// As [`Self::part_of_picture_at`], on a page whose heading is written with the first text in its pictures.
    pub(crate) fn picture_under(&mut self, title: Option<&str>, reference: &str, crop: Crop) {
        /// Most bytes that are noted: a reference may be a picture.
        const MAX_BYTES: usize = 64 << 20;
        self.picture();
        if self.ocr.is_on() && self.picture_bytes + reference.len() < MAX_BYTES {
            self.picture_bytes += reference.len();
            let (page, at) = (self.page, self.length());
            let title = title.map(str::to_string);
            self.pictures.push(PictureReference { page, reference: reference.to_string(), crop, at, title });
        }
    }

    /// The pictures that were noted since the last call.
    pub(crate) fn take_pictures(&mut self) -> Vec<PictureReference> {
        self.picture_bytes = 0;
        std::mem::take(&mut self.pictures)
    }

    /// Number of characters without spaces that were written on a page within a range of the text.
    pub(crate) fn text_on(&self, page: Option<u32>, within: &Range<usize>) -> usize {
        let blocks = self.document.blocks.iter().rev().take_while(|block| block.start >= within.start);
        let blocks = blocks.filter(|block| block.end <= within.end && (block.page == page || self.shift > 0));
        let texts = blocks.filter_map(|block| self.document.markdown.get(block.start..block.end));
        texts.map(|text| text.chars().filter(|c| !c.is_whitespace()).count()).sum()
    }

    /// Whether a document inside another one is being written.
    pub(crate) fn is_embedded(&self) -> bool {
        self.shift > 0
    }

    /// What is written from now on was recognised by a model that is as sure of it, or is the text of the file.
    pub(crate) fn set_permille(&mut self, permille: Option<u16>) {
        self.permille = permille;
    }

    /// Writes the text of a picture on a page, whatever pages it has of its own, behind the text so far; it belongs after
    /// the first `at` bytes of the text, of which the first `end` are not those of pictures. Its headings are lowered below
    /// that of its section. If text follows that is not below a heading of its own, they are written as paragraphs: that
    /// text is not part of their sections. Returns what was written.
    ///
    /// # Errors
    /// Those of `write`.
    pub(crate) fn picture_text(
        &mut self,
        page: Option<u32>,
        (at, end): (usize, usize),
        write: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<Range<usize>> {
        let before = self.document.blocks.partition_point(|block| block.end <= at);
        let next = self.document.blocks.get(before).filter(|block| block.end <= end).map(|block| block.kind);
        let level = self.document.blocks.iter().take(before).rev().find_map(|block| level_of(block.kind));
        let level = level.unwrap_or_default().max(next.and_then(level_of).map_or(0, |level| level - 1));
        let outer = (self.page, self.shift, self.outer_page, self.permille, self.is_flat);
        if self.shift == 0 {
            (self.page, self.outer_page) = (page, page);
        }
        self.shift = level.max(self.shift.saturating_add(1));
        self.is_flat |= next.is_some_and(|next| level_of(next).is_none());
        self.in_list = false;
        let start = self.length();
        let result = write(self);
        (self.page, self.shift, self.outer_page, self.permille, self.is_flat) = outer;
        self.in_list = false;
        result.map(|()| start..self.length())
    }

    /// Writes the heading of a page behind the text so far; see [`Self::picture_text`]. Returns where it stands.
    ///
    /// # Errors
    /// As [`Self::heading`].
    pub(crate) fn page_title(&mut self, page: Option<u32>, title: &str) -> Result<Range<usize>> {
        let outer = self.page;
        if self.shift == 0 {
            self.page = page;
        }
        let start = self.length();
        let result = self.heading(1, title);
        self.page = outer;
        result.map(|()| start..self.length())
    }

    /// Moves texts that were written behind the first `end` bytes to their places, which are lengths of at least `begin`,
    /// ascending. A list is parted between two of its items.
    pub(crate) fn move_texts(&mut self, begin: usize, end: usize, texts: &[MovedText]) {
        let kept = self.document.blocks.partition_point(|block| block.start < begin);
        let behind: Vec<Block> = self.document.blocks.split_off(kept);
        let text = self.document.markdown.split_off(begin);
        let of = |block: &Block| text.get(block.start - begin..block.end - begin).unwrap_or_default();
        let mut moved = texts.iter().peekable();
        let mut all: Vec<Block> = Vec::with_capacity(behind.len());
        let parts = |range: Range<usize>| behind.iter().filter(move |part| range.contains(&part.start)).copied();
        for block in behind.iter().filter(|block| block.end <= end) {
            let mut rest = *block;
            while let Some(next) = moved.next_if(|next| next.at < block.end) {
                if next.at > rest.start
                    && let Some(cut) = item_after(of(&rest), next.at - rest.start)
                {
                    all.push(Block { end: rest.start + cut, ..rest });
                    rest.start += cut + 1;
                } else if next.at > rest.start {
                    all.push(rest);
                    rest.start = rest.end;
                }
                all.extend(parts(next.text.clone()));
            }
            if rest.start < rest.end {
                all.push(rest);
            }
        }
        all.extend(moved.flat_map(|next| parts(next.text.clone())));
        for block in all {
            if !self.document.markdown.is_empty() {
                self.document.markdown.push_str("\n\n");
            }
            let start = self.length();
            self.document.markdown.push_str(of(&block));
            self.document.blocks.push(Block { start, end: self.length(), ..block });
        }
        // The present page begins later by what was put before it.
        let before = texts.iter().filter(|text| text.at <= self.page_begin && text.page != self.page);
        self.page_begin += before.map(|text| text.text.len()).sum::<usize>();
        self.in_list = false;
    }

    /// Notes that the pictures of a page, which had `text` characters, were recognised: if it has ended, it may have been
    /// counted as one without text.
    pub(crate) fn recognized_page(&mut self, page: Option<u32>, text: usize) {
        let is_read = self.document.metadata.recognized.iter().any(|read| read.page == page);
        let has_ended = page.is_some() && page != self.page && self.shift == 0;
        if is_read && has_ended && text == 0 {
            let count = &mut self.document.metadata.pages_without_text;
            *count = count.and_then(|count| count.checked_sub(1)).filter(|count| *count > 0);
        }
    }

    /// Whether pictures were left out.
    pub(crate) fn has_picture(&self) -> bool {
        self.has_picture
    }

    /// Whether the document has pictures and no text.
    pub fn is_only_pictures(&self) -> bool {
        self.has_picture && self.document.markdown.trim().is_empty()
    }

    /// The error for a document whose pages are pictures that were not recognised or cannot be, or in which nothing was.
    pub(crate) fn no_text_but_pictures(&self) -> Error {
        if let Some(count) = self.document.metadata.unread_pictures {
            let (pictures, they) = match count {
                1 => ("a picture", "It is".to_string()),
                _ => ("pictures", format!("{count} of them are")),
            };
            let message = format!("document has no text: {pictures} in it cannot be decoded");
            return Error::new(Kind::DamagedDocument, message)
                .detail(format!("{they} damaged, too large, or of a format that is not read inside of a document."))
                .hint(
                    "Open it in a program that shows its pictures, and save it again, large pictures at a lower \
                     resolution; or scan it again.",
                );
        }
        if self.ocr.is_used() {
            return Error::new(Kind::NotSupported, "document has no text: nothing was recognized in its pictures")
                .hint(
                    "If they have writing: the column missing_letters of socle.model says which letters the model cannot \
                     write.",
                );
        }
        if self.ocr.is_on() {
            let (small, hint) = if self.ocr.is_always() {
                ("", "Save the document as PDF.")
            } else {
                (
                    ", and unless ocr is always those of less than 150 by 400 pixels",
                    "Pass ocr => 'always', or save the document as PDF.",
                )
            };
            return Error::new(
                Kind::NotSupported,
                "document has no text, and none of its pictures is one that is recognized",
            )
            .detail(format!(
                "Not recognized are drawings, pictures in headers, footers and notes, in XLS and in XLSB{small}."
            ))
            .hint(hint);
        }
        Error::new(Kind::NotSupported, "document has no text: its pages are images").hint(HINT)
    }
}

fn level_of(kind: BlockKind) -> Option<u8> {
    if let BlockKind::Heading(level) = kind { Some(level) } else { None }
}

/// Where the line ends in a list, from a place on, that an item of the list follows which is in no other item.
fn item_after(list: &str, from: usize) -> Option<usize> {
    let mut ends = list.match_indices('\n').map(|(at, _)| at).skip_while(|at| *at < from);
    ends.find(|at| list.get(at + 1..).is_some_and(|next| !next.starts_with(char::is_whitespace)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, Media};

    /// A document of these blocks, with the text of a picture at a place: after so many of them.
    fn document(blocks: &[&str], place: usize) -> String {
        let mut writer = Writer::new(Media::Html, Limits { output: 1 << 20, unpacked: 1 << 20, depth: 4 });
        let mut at = 0;
        for (number, block) in blocks.iter().enumerate() {
            if number == place {
                at = writer.length();
            }
            let level = block.bytes().take_while(|byte| *byte == b'#').count();
            match level {
                0 => writer.paragraph(block).unwrap(),
                level => writer.heading(level as u8, block[level..].trim()).unwrap(),
            }
        }
        let end = writer.length();
        let at = if place < blocks.len() { at } else { end };
        let picture = |writer: &mut Writer| {
            writer.heading(1, "Invoice")?;
            writer.paragraph("12 EUR")
        };
        let text = writer.picture_text(None, (at, end), picture).unwrap();
        writer.move_texts(0, end, &[MovedText { at, page: None, text }]);
        writer.finish().markdown
    }

    #[test]
    fn headings_of_a_picture_are_below_its_section_and_above_nothing_else() {
        // At the end of a section, the headings of a picture are headings.
        assert_eq!(document(&["# A", "text"], 2), "# A\n\ntext\n\n## Invoice\n\n12 EUR");
        assert_eq!(document(&["## A", "text", "# B"], 2), "## A\n\ntext\n\n### Invoice\n\n12 EUR\n\n# B");
        // The section that follows is not below them.
        assert_eq!(document(&["# A", "### B"], 1), "# A\n\n### Invoice\n\n12 EUR\n\n### B");
        // Nor is a text that follows.
        assert_eq!(document(&["# A", "text"], 1), "# A\n\nInvoice\n\n12 EUR\n\ntext");
        assert_eq!(document(&[], 0), "## Invoice\n\n12 EUR");
    }
}
