//! Interprets content streams as far as they place text and straight lines. Colours, images and clipping are ignored.
//! Coordinates are in points from the upper left corner of the page.

mod field;
mod path;
mod pattern;

use super::bidi;
use super::decompress::unpack;
use super::font::{Face, Fonts};
use super::glyph::{Glyph, Page};
use crate::limits::Limits;
use hayro_font::kurbo::{Affine, Point, Rect, Vec2};
use hayro_syntax::content::TypedIter;
use hayro_syntax::content::ops::TypedInstruction as Op;
use hayro_syntax::object::{Array, Dict, Name, Object, Stream};
use hayro_syntax::page::Resources;
use socle_core::Result;
use std::borrow::Cow;
use std::rc::Rc;

/// Maximum nesting of form XObjects, and of saved graphics states.
const MAX_FORMS: usize = 20;
const MAX_STATES: usize = 512;
/// Maximum number of glyphs and rules of a page: a page of a newspaper has 30,000 characters.
pub(super) const MAX_GLYPHS: usize = 1_000_000;
const MAX_RULES: usize = 20_000;
/// Minimum character spacing that may separate words, as a multiple of the font size.
const APART: f64 = 0.14;
/// Maximum coordinate; pages are at most 14,400 points wide.
const FARTHEST: f64 = 100_000.0;
/// Filled rectangles up to this thickness in points are rules.
const THIN: f64 = 3.0;
/// The graphics state, as far as it is used.
#[derive(Clone)]
struct State<'a> {
    ctm: Affine,
    face: Option<Rc<Face<'a>>>,
    size: f64,
    char_space: f64,
    word_space: f64,
    stretch: f64,
    leading: f64,
    rise: f64,
    /// Whether text is not painted, as that which recognition has put over a scan.
    invisible: bool,
    /// Whether areas are filled with a pattern that shows pictures.
    pattern_has_pictures: bool,
}

/// Replacement text (`ActualText`) of a marked-content sequence, and where that starts.
struct Mark {
    actual: Option<String>,
    start: usize,
    /// Whether it is an artifact: a running header, a page number or the like.
    pagination: bool,
}

/// The interpreter of the content streams of one page.
pub(super) struct Run<'r, 'a> {
    fonts: &'r mut Fonts<'a>,
    limits: &'r mut Limits,
    page: Page,
    state: State<'a>,
    saved: Vec<State<'a>>,
    text: Affine,
    line: Affine,
    marks: Vec<Mark>,
    path: Vec<(Point, Point)>,
    start: Point,
    last: Point,
    forms: usize,
    /// Number of patterns that were looked at.
    patterns: usize,
    /// Resources with fonts that a page lacks: those of the interactive form.
    defaults: Option<&'r Resources<'a>>,
}

impl<'r, 'a> Run<'r, 'a> {
    /// An interpreter for a page; `ctm` transforms its coordinates to points from the upper left corner.
    pub(super) fn new(
        fonts: &'r mut Fonts<'a>,
        limits: &'r mut Limits,
        defaults: Option<&'r Resources<'a>>,
        ctm: Affine,
    ) -> Self {
        let state = State {
            ctm,
            face: None,
            size: 1.0,
            char_space: 0.0,
            word_space: 0.0,
            stretch: 1.0,
            leading: 0.0,
            rise: 0.0,
            invisible: false,
            pattern_has_pictures: false,
        };
        Self {
            fonts,
            limits,
            page: Page::default(),
            state,
            saved: Vec::new(),
            text: Affine::IDENTITY,
            line: Affine::IDENTITY,
            marks: Vec::new(),
            path: Vec::new(),
            start: Point::ZERO,
            last: Point::ZERO,
            forms: 0,
            patterns: 0,
            defaults,
        }
    }

    /// The glyphs and rules found.
    pub(super) fn finish(self) -> Page {
        self.page
    }

    /// Interprets a content stream.
    ///
    /// # Errors
    /// [`socle_core::Kind::InputTooLong`] if it decompresses to more than the limit.
    pub(super) fn run(&mut self, bytes: &[u8], resources: &Resources<'a>) -> Result<()> {
        let mut operations = TypedIter::new(bytes);
        let depth = self.saved.len();
        let marks = self.marks.len();
        while let Some(operation) = operations.next() {
            if self.page.glyphs.len() > MAX_GLYPHS {
                break;
            }
            match operation {
                Op::SaveState(_) if self.saved.len() < MAX_STATES => self.saved.push(self.state.clone()),
                Op::RestoreState(_) if self.saved.len() > depth => {
                    if let Some(state) = self.saved.pop() {
                        self.state = state;
                    }
                }
                Op::Transform(t) => self.state.ctm *= affine(&[t.0, t.1, t.2, t.3, t.4, t.5]),
                Op::XObject(name) => {
                    match resources.get_x_object(name.0) {
                        Some(stream) => self.object(&stream, resources)?,
                        // It may have been a picture of the whole page. A form that draws itself finds nothing, either.
                        None => self.page.images |= self.forms == 0,
                    }
                }
                Op::InlineImage(_) => {
                    self.page.images = true;
                    self.page.picture_area += self.area_of_picture();
                }
                other => {
                    self.text_operation(&other, resources);
                    self.color_operation(&other, resources)?;
                    self.path_operation(&other);
                }
            }
        }
        while self.marks.len() > marks {
            self.end_mark();
        }
        if self.saved.len() > depth {
            self.saved.truncate(depth + 1);
            if let Some(state) = self.saved.pop() {
                self.state = state;
            }
        }
        Ok(())
    }

    /// Draws an XObject: notes an image, interprets a form.
    pub(super) fn object(&mut self, stream: &Stream<'a>, resources: &Resources<'a>) -> Result<()> {
        let dict = stream.dict();
        if dict.get::<Name<'_>>("Subtype").is_some_and(|subtype| subtype.as_ref() == b"Image") {
            self.page.images = true;
            self.page.picture_area += self.area_of_picture();
            return Ok(());
        }
        if self.forms >= MAX_FORMS {
            return Ok(());
        }
        let Some(bytes) = unpack(stream, self.limits)? else { return Ok(()) };
        let own = dict.get::<Dict<'a>>("Resources").map(Resources::new);
        let matrix = dict.get::<[f64; 6]>("Matrix").map_or(Affine::IDENTITY, Affine::new);
        let before = self.state.clone();
        let (text, line) = (self.text, self.line);
        self.state.ctm *= matrix;
        self.forms += 1;
        let done = self.run(&bytes, own.as_ref().unwrap_or(resources));
        self.forms -= 1;
        self.state = before;
        (self.text, self.line) = (text, line);
        done
    }

    /// The area of a picture drawn now, in square points: it fills the unit square.
    fn area_of_picture(&self) -> f64 {
        let area = self.state.ctm.determinant().abs();
        if area.is_finite() { area } else { 0.0 }
    }

    /// Draws the appearance stream of an annotation in its rectangle (ISO 32000-1, 12.5.5).
    ///
    /// # Errors
    /// As [`Self::run`].
    pub(super) fn annotation(&mut self, stream: &Stream<'a>, rect: [f64; 4], resources: &Resources<'a>) -> Result<()> {
        let dict = stream.dict();
        let matrix = dict.get::<[f64; 6]>("Matrix").map_or(Affine::IDENTITY, Affine::new);
        let bounds = dict.get::<[f64; 4]>("BBox").unwrap_or([0.0, 0.0, 1.0, 1.0]);
        let bounds = Rect::new(bounds[0], bounds[1], bounds[2], bounds[3]);
        let shown = matrix.transform_rect_bbox(bounds);
        let (left, top) = (rect[0].min(rect[2]), rect[1].min(rect[3]));
        let along = (rect[2] - rect[0]).abs() / shown.width().max(1e-6);
        let across = (rect[3] - rect[1]).abs() / shown.height().max(1e-6);
        let before = self.state.clone();
        self.state.ctm *= Affine::new([along, 0.0, 0.0, across, left - along * shown.x0, top - across * shown.y0]);
        let done = self.object(stream, resources);
        self.state = before;
        done
    }

    fn text_operation(&mut self, operation: &Op<'_, '_>, resources: &Resources<'a>) {
        match operation {
            Op::BeginText(_) => (self.text, self.line) = (Affine::IDENTITY, Affine::IDENTITY),
            Op::CharacterSpacing(n) => self.state.char_space = n.0.as_f64(),
            Op::WordSpacing(n) => self.state.word_space = n.0.as_f64(),
            Op::HorizontalScaling(n) => self.state.stretch = n.0.as_f64() / 100.0,
            Op::TextLeading(n) => self.state.leading = n.0.as_f64(),
            Op::TextRenderingMode(mode) => self.state.invisible = matches!(mode.0.as_i64(), 3 | 7),
            Op::TextRise(n) => self.state.rise = n.0.as_f64(),
            Op::TextFont(font) => {
                let form = self.defaults;
                let dict = resources.get_font(font.0).or_else(|| form?.get_font(font.0));
                self.state.face = dict.map(|dict| self.fonts.face(&dict));
                self.state.size = font.1.as_f64();
            }
            Op::SetGraphicsState(name) => self.set_font_of(resources.get_ext_g_state(name.0)),
            Op::NextLine(to) => self.next_line(to.0.as_f64(), to.1.as_f64()),
            Op::NextLineAndSetLeading(to) => {
                self.state.leading = -to.1.as_f64();
                self.next_line(to.0.as_f64(), to.1.as_f64());
            }
            Op::SetTextMatrix(t) => {
                self.line = affine(&[t.0, t.1, t.2, t.3, t.4, t.5]);
                self.text = self.line;
            }
            Op::NextLineUsingLeading(_) => self.next_line(0.0, -self.state.leading),
            Op::ShowText(text) => self.show(text.0.as_bytes()),
            Op::NextLineAndShowText(text) => {
                self.next_line(0.0, -self.state.leading);
                self.show(text.0.as_bytes());
            }
            Op::ShowTextWithParameters(text) => {
                self.state.word_space = text.0.as_f64();
                self.state.char_space = text.1.as_f64();
                self.next_line(0.0, -self.state.leading);
                self.show(text.2.as_bytes());
            }
            Op::ShowTexts(parts) => self.show_parts(parts.0),
            Op::BeginMarkedContent(_) => self.begin_mark(None),
            Op::BeginMarkedContentWithProperties(mark) => {
                let properties = match mark.1 {
                    Object::Dict(dict) => Some(begun(mark.0, dict)),
                    Object::Name(name) => resources.properties.get::<Dict<'_>>(name).map(|dict| begun(mark.0, &dict)),
                    _ => None,
                };
                self.begin_mark(properties);
            }
            Op::EndMarkedContent(_) => self.end_mark(),
            _ => {}
        }
    }

    fn set_font_of(&mut self, dict: Option<Dict<'a>>) {
        let Some(array) = dict.and_then(|dict| dict.get::<Array<'a>>("Font")) else { return };
        let mut parts = array.flex_iter();
        if let (Some(font), Some(size)) = (parts.next::<Dict<'a>>(), parts.next::<f64>()) {
            self.state.face = Some(self.fonts.face(&font));
            self.state.size = size;
        }
    }

    fn next_line(&mut self, x: f64, y: f64) {
        self.line *= Affine::translate((x, y));
        self.text = self.line;
    }

    fn show_parts(&mut self, parts: &Array<'_>) {
        for part in parts.iter::<Object<'_>>() {
            match part {
                Object::String(text) => self.show(text.as_bytes()),
                Object::Number(number) => {
                    let shift = -number.as_f64() / 1000.0 * self.state.size;
                    let vertical = self.state.face.as_ref().is_some_and(|face| face.vertical());
                    let by = if vertical { (0.0, shift) } else { (shift * self.state.stretch, 0.0) };
                    self.text *= Affine::translate(by);
                }
                _ => {}
            }
        }
    }

    fn show(&mut self, mut bytes: &[u8]) {
        let Some(face) = self.state.face.clone() else { return };
        let (size, stretch) = (self.state.size, self.state.stretch);
        let vertical = face.vertical();
        // Wide character spacing in short text separates words; in longer text it is letter-spacing.
        let apart = self.state.char_space > APART * size && bytes.len() < 4;
        let gap = if apart { self.state.char_space * stretch } else { 0.0 };
        while let Some((code, length)) = face.read(bytes) {
            bytes = bytes.get(length..).unwrap_or_default();
            let shown = face.code(code);
            let mut space = self.state.char_space;
            if code == 32 && length == 1 {
                space += self.state.word_space;
            }
            let by = if vertical {
                Vec2::new(0.0, shown.advance.1 / 1000.0 * size + space)
            } else {
                Vec2::new((shown.advance.0 / 1000.0 * size + space) * stretch, 0.0)
            };
            if self.page.glyphs.len() <= MAX_GLYPHS {
                self.place(&face, &shown.text, by, gap);
            }
            self.text *= Affine::translate(by);
        }
    }

    /// Adds glyphs for the characters of a code, spread over its width without the gap after it.
    fn place(&mut self, face: &Face<'a>, text: &str, by: Vec2, gap: f64) {
        let to_page = self.state.ctm * self.text;
        let from = to_page * Point::new(0.0, self.state.rise);
        let to = to_page * (Point::new(-gap, self.state.rise) + by);
        let [a, b, c, d, _, _] = to_page.as_coeffs();
        let size = self.state.size * face.scale;
        // Writing direction, and font size across it.
        let (along, up) = if face.vertical() {
            (Vec2::new(-c * size, -d * size), Vec2::new(a * size, b * size))
        } else {
            let sign = if self.state.stretch < 0.0 { -size } else { size };
            (Vec2::new(a * sign, b * sign), Vec2::new(c * size, d * size))
        };
        let length = along.hypot();
        let tall = (along.cross(up) / length).abs();
        let far = [from.x, from.y, to.x, to.y, tall].into_iter().any(|n| n.is_nan() || n.abs() > FARTHEST);
        if far || !length.is_finite() || tall < 0.01 {
            return;
        }
        let angle = (along.atan2().to_degrees().round() as i16).rem_euclid(360);
        let (sin, cos) = f64::from(angle).to_radians().sin_cos();
        let x = |point: Point| point.x * cos + point.y * sin;
        let y = from.y * cos - from.x * sin;
        let (x0, x1) = (x(from), x(to).max(x(from)));
        let count = text.chars().count().max(1) as f64;
        for (at, c) in text.chars().enumerate() {
            let part = |at: usize| (x0 + (x1 - x0) * at as f64 / count) as f32;
            let (x0, x1) = (part(at), part(at + 1));
            let (y, size, vertical) = (y as f32, tall as f32, face.vertical());
            let (bold, mono, tagged) = (face.bold, face.mono, self.tagged());
            let hidden = self.state.invisible;
            self.page.glyphs.push(Glyph { c, x0, x1, y, size, angle, bold, mono, vertical, tagged, hidden });
        }
    }

    /// Whether the current content is tagged as an artifact.
    fn tagged(&self) -> bool {
        self.marks.iter().any(|mark| mark.pagination)
    }

    /// Decompresses a stream; see [`unpack`].
    ///
    /// # Errors
    /// As [`Self::run`].
    pub(super) fn unpack(&mut self, stream: &Stream<'a>) -> Result<Option<Cow<'a, [u8]>>> {
        unpack(stream, self.limits)
    }

    /// Number of glyphs so far.
    pub(super) fn length(&self) -> usize {
        self.page.glyphs.len()
    }

    fn begin_mark(&mut self, properties: Option<(Option<String>, bool)>) {
        let (actual, pagination) = properties.unwrap_or((None, false));
        if self.marks.len() < MAX_STATES {
            self.marks.push(Mark { actual, start: self.page.glyphs.len(), pagination });
        }
    }

    fn end_mark(&mut self) {
        let Some(mark) = self.marks.pop() else { return };
        let Some(drawn) = self.page.glyphs.get(mark.start..) else { return };
        let (Some(actual), Some(&first), Some(last)) = (mark.actual, drawn.first(), drawn.last()) else { return };
        // Replacement text of several lines has no single position.
        if (first.y - last.y).abs() > first.size / 2.0 || first.angle != last.angle || last.x1 < first.x0 {
            return;
        }
        let (x0, x1) = (first.x0, last.x1);
        self.page.glyphs.truncate(mark.start);
        let actual = bidi::reverse_rtl(&actual);
        let count = actual.chars().count().max(1) as f32;
        for (at, c) in actual.chars().enumerate() {
            let part = |at: usize| x0 + (x1 - x0) * at as f32 / count;
            self.page.glyphs.push(Glyph { c, x0: part(at), x1: part(at + 1), ..first });
        }
    }
}

fn affine(numbers: &[hayro_syntax::object::Number; 6]) -> Affine {
    Affine::new(numbers.map(|number| number.as_f64()))
}

/// The replacement text of marked content, and whether it is an artifact.
fn begun(tag: &Name<'_>, properties: &Dict<'_>) -> (Option<String>, bool) {
    let is = |key: &str, value: &[u8]| properties.get::<Name<'_>>(key).is_some_and(|name| name.as_ref() == value);
    let actual = properties.get::<hayro_syntax::object::String<'_>>("ActualText");
    let actual = actual.map(|text| super::metadata::text_string(text.as_bytes()));
    (actual, tag.as_ref() == b"Artifact" && is("Type", b"Pagination"))
}
