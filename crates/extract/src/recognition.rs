//! Whether and how the text of pictures is recognised (OCR) while a document is read.
//!
//! Nothing is recognised here: pictures are decoded or rendered, given to a [`Recognizer`], and its words are arranged as
//! the characters of a PDF are.

mod ink;
mod stamp;

pub(crate) use ink::Ink;

use socle_core::document::OcrMode;
use socle_core::{Error, Kind, Result};
use socle_ocr::{Picture, Recognized, Recognizer};
use std::collections::VecDeque;

/// Sides below which a picture holds no text that a document needs, in pixels: shorter and longer side. In a document with
/// text of its own, such pictures are logos, icons and photographs of people.
const LEAST_SIDES: (u32, u32) = (150, 400);
/// The same where all pictures are recognised: smaller ones have no letter that can be read.
const LEAST_SIDES_ALWAYS: (u32, u32) = (16, 32);

/// What a user can do about a text that was not recognised.
pub(crate) const HINT: &str = "Its text can be recognized (OCR): set socle.ocr_model to a model of kind ocr, or for a corpus pass ocr_model to \
     socle.alter_corpus(), and do not turn ocr off.";

/// Which pictures are recognised, and by whom.
pub struct Ocr {
    mode: OcrMode,
    recognizer: Option<Box<dyn Recognizer>>,
    is_used: bool,
}

impl std::fmt::Debug for Ocr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ocr").field("mode", &self.mode).field("is_on", &self.is_on()).finish()
    }
}

/// A picture after recognition.
pub(crate) struct ReadPicture {
    /// Its words.
    pub(crate) words: Recognized,
    /// Where it is dark.
    pub(crate) ink: Ink,
    /// Pixels of an inch, if known.
    pub(crate) dpi: Option<f32>,
    /// The words of its stamps, which were taken off it.
    pub(crate) stamps: Vec<Recognized>,
}

/// What is recognised, in the order in which it was begun.
enum Begun {
    /// A stamp of the page that comes next.
    Stamp,
    Page(Ink, Option<f32>),
}

impl Ocr {
    /// Recognises nothing.
    pub fn off() -> Self {
        Self { mode: OcrMode::Off, recognizer: None, is_used: false }
    }

    /// Has pictures recognised as `mode` says.
    pub fn new(mode: OcrMode, recognizer: Box<dyn Recognizer>) -> Self {
        Self { mode, recognizer: Some(recognizer).filter(|_| mode != OcrMode::Off), is_used: false }
    }

    /// Whether pictures are recognised.
    pub(crate) fn is_on(&self) -> bool {
        self.recognizer.is_some()
    }

    /// Whether a picture was recognised, even if it has no text.
    pub(crate) fn is_used(&self) -> bool {
        self.is_used
    }

    /// Whether all pictures are recognised that are large enough.
    pub(crate) fn is_always(&self) -> bool {
        self.is_on() && self.mode == OcrMode::Always
    }

    /// Whether a picture of these sides inside a document is large enough to hold text.
    pub(crate) fn is_large_enough(&self, width: u32, height: u32) -> bool {
        let (short, long) = if self.is_always() { LEAST_SIDES_ALWAYS } else { LEAST_SIDES };
        width.min(height) >= short && width.max(height) >= long
    }

    /// Recognises pictures in their order; while one is recognised, the next are made. `picture` is called for each number
    /// below `count`, and `take` with what was read, of which it should keep little.
    ///
    /// # Errors
    /// Those of `picture` and of the [`Recognizer`]: a document of which a page is missing would be incomplete in silence.
    pub(crate) fn recognize(
        &mut self,
        count: usize,
        picture: &mut dyn FnMut(usize) -> Result<Picture>,
        take: &mut dyn FnMut(&ReadPicture),
    ) -> Result<()> {
        let off = || Error::new(Kind::Bug, "a picture was to be recognised without a recognizer");
        let recognizer = self.recognizer.as_mut().ok_or_else(off)?;
        self.is_used |= count > 0;
        let mut reading = Reading { recognizer: recognizer.as_mut(), begun: VecDeque::new(), stamps: Vec::new(), take };
        for at in 0..count {
            let mut page = picture(at)?;
            page.check()?;
            for stamp in stamp::take_off(&mut page) {
                reading.begin(stamp, Begun::Stamp)?;
            }
            let begun = Begun::Page(Ink::of(&page), page.dpi);
            reading.begin(page, begun)?;
        }
        while !reading.begun.is_empty() {
            reading.finish()?;
        }
        Ok(())
    }
}

/// Pictures that are recognised, some at the same time.
struct Reading<'r> {
    recognizer: &'r mut dyn Recognizer,
    begun: VecDeque<Begun>,
    /// The stamps of the next page.
    stamps: Vec<Recognized>,
    take: &'r mut dyn FnMut(&ReadPicture),
}

impl Reading<'_> {
    fn begin(&mut self, picture: Picture, begun: Begun) -> Result<()> {
        if self.begun.len() >= self.recognizer.ahead().max(1) {
            self.finish()?;
        }
        self.recognizer.begin(picture)?;
        self.begun.push_back(begun);
        Ok(())
    }

    /// Waits for the oldest picture that was begun.
    fn finish(&mut self) -> Result<()> {
        let Some(begun) = self.begun.pop_front() else { return Ok(()) };
        let words = self.recognizer.finish()?;
        match begun {
            Begun::Stamp => self.stamps.push(words),
            Begun::Page(ink, dpi) => {
                let ink = ink.upright(words.rotation, words.skew_degrees);
                (self.take)(&ReadPicture { words, ink, dpi, stamps: std::mem::take(&mut self.stamps) });
            }
        }
        Ok(())
    }
}
