//! The raw content of a page: glyphs with positions, and rules.

/// A glyph. Positions are in points relative to its writing direction: `x` increases along the line, `y` from line to
/// line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glyph {
    pub(super) c: char,
    pub(super) x0: f32,
    pub(super) x1: f32,
    /// Its baseline.
    pub(super) y: f32,
    pub(super) size: f32,
    /// Writing direction in degrees, clockwise; 0 is from left to right.
    pub(super) angle: i16,
    pub(super) bold: bool,
    pub(super) mono: bool,
    /// Whether its line is vertical by writing mode and not by rotation.
    pub(super) vertical: bool,
    /// Whether the document tags it as an artifact, such as a running header.
    pub(super) tagged: bool,
}

/// A horizontal or vertical straight line, in points from the upper left corner of the page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) vertical: bool,
    /// Its position across its direction.
    pub(super) at: f32,
    /// Its start and end along its direction.
    pub(super) from: f32,
    pub(super) to: f32,
}

/// The content of a page.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) glyphs: Vec<Glyph>,
    pub(super) rules: Vec<Rule>,
    /// Whether it has images.
    pub(super) images: bool,
    /// The area that they cover in square points; what two of them cover counts twice.
    pub(super) picture_area: f64,
    /// Number of glyphs that are not painted.
    pub(super) invisible: usize,
    /// Number of curves that are drawn: of letters, if there is no text.
    pub(super) curves: usize,
    /// Its lower edge in points, if it is not that of the page: it was turned.
    pub(super) bottom: Option<f32>,
}
