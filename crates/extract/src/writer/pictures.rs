//! Pictures of a document that is being written: whether it has any, what refers to them, and which of its pages were
//! recognised.

use super::Writer;
use crate::picture::PictureReference;
use crate::recognition::{HINT, Ocr};
use socle_core::document::RecognizedPage;
use socle_core::{Error, Kind, Result};

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

    /// Notes a picture, whose content is left out.
    pub fn picture(&mut self) {
        (self.has_picture, self.page_has_picture) = (true, true);
    }

    /// Notes a picture, and what refers to its bytes; see [`crate::picture::write_referenced`].
    pub fn picture_at(&mut self, reference: &str) {
        /// Most bytes that are noted: a reference may be a picture.
        const MAX_BYTES: usize = 64 << 20;
        self.picture();
        if self.ocr.is_on() && self.picture_bytes + reference.len() < MAX_BYTES {
            self.picture_bytes += reference.len();
            self.pictures.push(PictureReference { page: self.page, reference: reference.to_string() });
        }
    }

    /// The pictures that were noted since the last call.
    pub(crate) fn take_pictures(&mut self) -> Vec<PictureReference> {
        self.picture_bytes = 0;
        std::mem::take(&mut self.pictures)
    }

    /// Number of characters without spaces that were written on a page since `begin`, a length.
    pub(crate) fn text_on(&self, page: Option<u32>, begin: usize) -> usize {
        let blocks = self.document.blocks.iter().rev().take_while(|block| block.start >= begin);
        let texts = blocks.filter(|block| block.page == page || self.shift > 0);
        let texts = texts.filter_map(|block| self.document.markdown.get(block.start..block.end));
        texts.map(|text| text.chars().filter(|c| !c.is_whitespace()).count()).sum()
    }

    /// Whether a document inside another one is being written.
    pub(crate) fn is_embedded(&self) -> bool {
        self.shift > 0
    }

    /// Writes the text of a picture on a page, whatever pages it has of its own.
    ///
    /// # Errors
    /// Those of `write`.
    pub(crate) fn picture_text(
        &mut self,
        page: Option<u32>,
        write: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let (current, shift, outer_page) = (self.page, self.shift, self.outer_page);
        if shift == 0 {
            (self.page, self.outer_page) = (page, page);
        }
        self.shift = shift.saturating_add(1);
        let result = write(self);
        (self.page, self.shift, self.outer_page) = (current, shift, outer_page);
        self.in_list = false;
        result
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

    /// The error for a document whose pages are pictures that were not recognised, or in which nothing was.
    pub(crate) fn no_text_but_pictures(&self) -> Error {
        if self.ocr.is_on() {
            return Error::new(Kind::NotSupported, "document has no text: nothing was recognized in its pictures");
        }
        Error::new(Kind::NotSupported, "document has no text: its pages are images").hint(HINT)
    }
}
