//! From the picture of a page to its words, with the place and the confidence of each.
//!
//! Knows neither PostgreSQL nor ONNX Runtime nor any format of pictures: pixels come decoded, and graphs are run by the
//! caller. The reader process of a document has the pixels, the engine has the graphs; [`remote`] is what they say to each
//! other.

pub mod remote;

mod alphabet;
mod characters;
mod line;
mod margins;
mod page;
mod picture;
mod pixels;
mod recognized;
mod regions;
mod repeated;
mod shape;
mod tensor;

pub use alphabet::missing_letters;
pub use characters::Characters;
pub use line::{LONGEST_LINE, LineWord, ReadLine};
pub use page::Page;
pub use picture::{Channels, MAX_PIXELS, MAX_SIDE, Picture, check_size};
pub use recognized::{Recognized, UprightWord, Word};
pub use tensor::{Graphs, Tensor};

use socle_core::Result;

/// The words of a picture, one line after the other.
///
/// # Errors
/// Those of [`Page::find`] and [`Page::read`].
pub fn recognize(picture: Picture, graphs: &dyn Graphs, characters: &Characters) -> Result<Recognized> {
    let page = Page::find(picture, graphs, characters)?;
    let lines = (0..page.line_count()).map(|at| page.read(at, graphs, characters)).collect::<Result<_>>()?;
    Ok(page.finish(lines))
}

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
