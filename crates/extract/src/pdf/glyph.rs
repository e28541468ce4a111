//! What is on a page before anybody has read it: characters with their places, and lines drawn between them.

/// A character. Places are in points along and across its own direction: `x` grows as one reads, `y` from line to line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glyph {
    pub(super) c: char,
    pub(super) x0: f32,
    pub(super) x1: f32,
    /// The line it stands on.
    pub(super) y: f32,
    pub(super) size: f32,
    /// Direction in degrees, clockwise; 0 is from left to right.
    pub(super) angle: i16,
    pub(super) bold: bool,
    pub(super) mono: bool,
    /// Its line goes from top to bottom by the script, not because it was turned.
    pub(super) vertical: bool,
    /// The document calls it a part of a running head, or of another thing that comes with each page.
    pub(super) tagged: bool,
}

/// A straight line from left to right or from top to bottom, in points from the upper left corner of the page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) vertical: bool,
    /// Where it is across its direction.
    pub(super) at: f32,
    /// Where it begins along its direction, and where it ends.
    pub(super) from: f32,
    pub(super) to: f32,
}

/// A page.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) glyphs: Vec<Glyph>,
    pub(super) rules: Vec<Rule>,
    /// It shows images.
    pub(super) images: bool,
}
