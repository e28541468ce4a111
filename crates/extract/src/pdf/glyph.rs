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
    /// Whether it is not painted, as the text that other programs put over a scan.
    pub(super) hidden: bool,
}

/// A point of the page whose coordinates along and across a writing direction these are.
pub(super) fn on_page((x, y): (f32, f32), angle: i16) -> (f32, f32) {
    let (sin, cos) = f32::from(angle).to_radians().sin_cos();
    (x * cos - y * sin, x * sin + y * cos)
}

/// The coordinates of a point of the page along and across a writing direction.
pub(super) fn along((x, y): (f32, f32), angle: i16) -> (f32, f32) {
    on_page((x, y), -angle)
}

impl Glyph {
    /// About where it is on the page: from left to right, and from top to bottom.
    pub(super) fn extent(&self) -> ((f32, f32), (f32, f32)) {
        let (left, right) = (self.x0 - 0.2 * self.size, self.x1 + 0.2 * self.size);
        let (top, bottom) = (self.y - 0.9 * self.size, self.y + 0.3 * self.size);
        let corners = [(left, top), (right, top), (right, bottom), (left, bottom)].map(|at| on_page(at, self.angle));
        let ends = |of: fn(&(f32, f32)) -> f32| {
            let values = || corners.iter().map(of);
            (values().fold(f32::MAX, f32::min), values().fold(f32::MIN, f32::max))
        };
        (ends(|at| at.0), ends(|at| at.1))
    }
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
    /// Number of curves and lines that are drawn, apart from rectangles: of letters, if there is no text.
    pub(super) strokes: usize,
    /// Its lower edge in points, if it is not that of the page: it was turned.
    pub(super) bottom: Option<f32>,
}
