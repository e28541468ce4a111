//! Runs the instructions of a page as far as they place text and straight lines. Colours, images and clipping are passed
//! over.

use super::bidi;
use super::font::{Face, Fonts};
use super::glyph::{Glyph, Page, Rule};
use super::unpack::unpack;
use crate::Limits;
use hayro_font::kurbo::{Affine, Point, Vec2};
use hayro_syntax::content::TypedIter;
use hayro_syntax::content::ops::TypedInstruction as Op;
use hayro_syntax::object::{Array, Dict, Name, Object, Stream};
use hayro_syntax::page::Resources;
use socle_core::Result;
use std::rc::Rc;

/// Deepest nesting of forms in forms, and of saved states.
const MAX_FORMS: usize = 20;
const MAX_STATES: usize = 512;
/// Most characters and lines of one page: a page of a newspaper has 30,000 characters.
const MAX_GLYPHS: usize = 1_000_000;
const MAX_RULES: usize = 20_000;
/// Space between characters, in units of their size, from which on it may be one between words.
const APART: f64 = 0.14;
/// Places farther away than this are on no page: pages are at most 14,400 points wide.
const FARTHEST: f64 = 100_000.0;
/// Filled rectangles up to this many points are lines.
const THIN: f64 = 3.0;

/// What may be saved and restored.
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
}

/// Text that replaces what is drawn until its mark ends, and where that began.
struct Mark {
    actual: Option<String>,
    start: usize,
    /// Running heads and page numbers, as tagged documents mark them.
    pagination: bool,
}

/// A run through a page.
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
}

impl<'r, 'a> Run<'r, 'a> {
    /// Begins a page; `ctm` leads from its coordinates to points from its upper left corner.
    pub(super) fn new(fonts: &'r mut Fonts<'a>, limits: &'r mut Limits, ctm: Affine) -> Self {
        let state = State {
            ctm,
            face: None,
            size: 1.0,
            char_space: 0.0,
            word_space: 0.0,
            stretch: 1.0,
            leading: 0.0,
            rise: 0.0,
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
        }
    }

    /// What was found.
    pub(super) fn finish(self) -> Page {
        self.page
    }

    /// Runs instructions.
    ///
    /// # Errors
    /// [`socle_core::Kind::InputTooLong`] if too much is unpacked.
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
                    if let Some(stream) = resources.get_x_object(name.0) {
                        self.object(&stream, resources)?;
                    }
                }
                Op::InlineImage(_) => self.page.images = true,
                other => {
                    self.text_operation(&other, resources);
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

    /// An image, or a form with instructions of its own.
    pub(super) fn object(&mut self, stream: &Stream<'a>, resources: &Resources<'a>) -> Result<()> {
        let dict = stream.dict();
        if dict.get::<Name<'_>>("Subtype").is_some_and(|subtype| subtype.as_ref() == b"Image") {
            self.page.images = true;
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

    /// The appearance of an annotation, e.g. of a field of a form, in its rectangle (ISO 32000-1, 12.5.5).
    ///
    /// # Errors
    /// See [`Self::run`].
    pub(super) fn annotation(&mut self, stream: &Stream<'a>, rect: [f64; 4], resources: &Resources<'a>) -> Result<()> {
        let dict = stream.dict();
        let matrix = dict.get::<[f64; 6]>("Matrix").map_or(Affine::IDENTITY, Affine::new);
        let bounds = dict.get::<[f64; 4]>("BBox").unwrap_or([0.0, 0.0, 1.0, 1.0]);
        let bounds = hayro_font::kurbo::Rect::new(bounds[0], bounds[1], bounds[2], bounds[3]);
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
            Op::TextRise(n) => self.state.rise = n.0.as_f64(),
            Op::TextFont(font) => {
                self.state.face = resources.get_font(font.0).map(|dict| self.fonts.face(&dict));
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
        // Space between characters is a gap between words where it is wide and the text short; else letters are spaced.
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

    /// Puts the characters of a code on the page, next to each other over its width less the gap after it.
    fn place(&mut self, face: &Face<'a>, text: &str, by: Vec2, gap: f64) {
        let to_page = self.state.ctm * self.text;
        let from = to_page * Point::new(0.0, self.state.rise);
        let to = to_page * (Point::new(-gap, self.state.rise) + by);
        let [a, b, c, d, _, _] = to_page.as_coeffs();
        let size = self.state.size * face.scale;
        // Direction of reading, and how tall letters are across it.
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
            let (bold, mono) = (face.bold, face.mono);
            self.page.glyphs.push(Glyph { c, x0, x1, y: y as f32, size: tall as f32, angle, bold, mono });
        }
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
        if mark.pagination {
            self.page.glyphs.truncate(mark.start);
            return;
        }
        let (Some(actual), Some(&first), Some(last)) = (mark.actual, drawn.first(), drawn.last()) else { return };
        // Text that goes over several lines has no place of its own.
        if (first.y - last.y).abs() > first.size / 2.0 || first.angle != last.angle || last.x1 < first.x0 {
            return;
        }
        let (x0, x1) = (first.x0, last.x1);
        self.page.glyphs.truncate(mark.start);
        let actual = bidi::turned(&actual);
        let count = actual.chars().count().max(1) as f32;
        for (at, c) in actual.chars().enumerate() {
            let part = |at: usize| x0 + (x1 - x0) * at as f32 / count;
            self.page.glyphs.push(Glyph { c, x0: part(at), x1: part(at + 1), ..first });
        }
    }

    fn path_operation(&mut self, operation: &Op<'_, '_>) {
        match operation {
            Op::MoveTo(to) => {
                self.start = Point::new(to.0.as_f64(), to.1.as_f64());
                self.last = self.start;
            }
            Op::LineTo(to) => self.line_to(Point::new(to.0.as_f64(), to.1.as_f64())),
            Op::CubicTo(to) => self.last = Point::new(to.4.as_f64(), to.5.as_f64()),
            Op::CubicStartTo(to) => self.last = Point::new(to.2.as_f64(), to.3.as_f64()),
            Op::CubicEndTo(to) => self.last = Point::new(to.2.as_f64(), to.3.as_f64()),
            Op::ClosePath(_) => self.line_to(self.start),
            Op::RectPath(r) => {
                self.start = Point::new(r.0.as_f64(), r.1.as_f64());
                self.last = self.start;
                let (width, height) = (Vec2::new(r.2.as_f64(), 0.0), Vec2::new(0.0, r.3.as_f64()));
                for corner in [width, width + height, height, Vec2::ZERO] {
                    self.line_to(self.start + corner);
                }
            }
            Op::StrokePath(_)
            | Op::FillAndStrokeNonZero(_)
            | Op::FillAndStrokeEvenOdd(_)
            | Op::CloseAndStrokePath(_)
            | Op::CloseFillAndStrokeNonZero(_)
            | Op::CloseFillAndStrokeEvenOdd(_) => self.draw(false),
            Op::FillPathNonZero(_) | Op::FillPathNonZeroCompatibility(_) | Op::FillPathEvenOdd(_) => self.draw(true),
            Op::EndPath(_) => self.path.clear(),
            _ => {}
        }
    }

    fn line_to(&mut self, to: Point) {
        if self.path.len() < MAX_RULES {
            self.path.push((self.state.ctm * self.last, self.state.ctm * to));
        }
        self.last = to;
    }

    /// Notes the straight lines of the path. What is filled is a line if it is thin, and else has its edges as lines, since
    /// cells of tables may be filled.
    fn draw(&mut self, filled: bool) {
        let path = std::mem::take(&mut self.path);
        for four in path.chunks(if filled { 4 } else { 1 }) {
            if filled && thickness(four) <= THIN {
                let length = |(from, to): &&(Point, Point)| (*to - *from).hypot2();
                let longest = four.iter().max_by(|a, b| length(a).total_cmp(&length(b)));
                longest.into_iter().for_each(|line| self.rule(line));
            } else {
                four.iter().for_each(|line| self.rule(line));
            }
        }
    }

    fn rule(&mut self, (from, to): &(Point, Point)) {
        let length = (*to - *from).hypot();
        let far = [from.x, from.y, to.x, to.y].into_iter().any(|n| n.is_nan() || n.abs() > FARTHEST);
        if far || length < THIN || self.page.rules.len() >= MAX_RULES {
            return;
        }
        let vertical = (to.y - from.y).abs() > (to.x - from.x).abs();
        let pair = |a: f64, b: f64| (a.min(b) as f32, a.max(b) as f32);
        let (along, across) =
            if vertical { (pair(from.y, to.y), pair(from.x, to.x)) } else { (pair(from.x, to.x), pair(from.y, to.y)) };
        if across.1 - across.0 < 1.0 {
            let at = (across.0 + across.1) / 2.0;
            self.page.rules.push(Rule { vertical, at, from: along.0, to: along.1 });
        }
    }
}

/// Extent of a piece of a path across its longer side.
fn thickness(path: &[(Point, Point)]) -> f64 {
    let points = || path.iter().flat_map(|(from, to)| [*from, *to]);
    let extent = |of: fn(Point) -> f64| {
        let (low, high) = points().map(of).fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
        high - low
    };
    extent(|point| point.x).min(extent(|point| point.y))
}

fn affine(numbers: &[hayro_syntax::object::Number; 6]) -> Affine {
    Affine::new(numbers.map(|number| number.as_f64()))
}

/// The text that stands for what a mark holds, and whether that is a running head.
fn begun(tag: &Name<'_>, properties: &Dict<'_>) -> (Option<String>, bool) {
    let is = |key: &str, value: &[u8]| properties.get::<Name<'_>>(key).is_some_and(|name| name.as_ref() == value);
    let actual = properties.get::<hayro_syntax::object::String<'_>>("ActualText");
    let actual = actual.map(|text| super::metadata::text_string(text.as_bytes()));
    (actual, tag.as_ref() == b"Artifact" && is("Type", b"Pagination"))
}
