//! From the picture of a page to its words, with the place and the confidence of each.
//!
//! Knows neither PostgreSQL nor ONNX Runtime nor any format of pictures: pixels come decoded, and graphs are run by the
//! caller. The reader process of a document has the pixels, the engine has the graphs; [`remote`] is what they say to each
//! other.

pub mod remote;

mod picture;
mod recognized;

pub use picture::{Channels, MAX_PIXELS, MAX_SIDE, Picture};
pub use recognized::{Recognized, UprightWord, Word};

use socle_core::Result;

/// Recognises the text of pictures.
pub trait Recognizer {
    /// Begins with a picture. At most [`Self::ahead`] pictures may be begun and not finished.
    ///
    /// # Errors
    /// `ExtractionFailed` when the other process has ended; no further call succeeds then.
    fn begin(&mut self, picture: Picture) -> Result<()>;

    /// The words of the oldest picture that was begun and not finished.
    ///
    /// # Errors
    /// Whatever recognising that picture failed with; others are not affected.
    fn finish(&mut self) -> Result<Recognized>;

    /// How many pictures may be begun and not finished: as many as are worked on at the same time.
    fn ahead(&self) -> usize {
        1
    }

    /// The words of a picture, when no other is begun.
    ///
    /// # Errors
    /// Those of [`Self::begin`] and [`Self::finish`].
    fn recognize(&mut self, picture: Picture) -> Result<Recognized> {
        self.begin(picture)?;
        self.finish()
    }
}
