//! From recognised words to glyphs and rules, which are then arranged as those of a PDF are.
//!
//! The boxes of a recognizer are rough: a line without descenders has a lower box than its neighbour, so that sizes and
//! baselines would differ from line to line. Both are therefore measured where the picture is dark.

mod bullet;
mod least_sure;
mod measure;
mod size;

use super::glyph::{Glyph, Rule, along, on_page};
use super::picture_rules::{self, WordPlace};
use crate::recognition::{Ink, ReadPicture};
use least_sure::{SPECKS, least_confidence};
use measure::{Slant, X_HEIGHT, extent, is_small, measured, middle_zone, trimmed};
pub(super) use size::Sizes;
use size::usual;
use socle_core::document::RecognizedPage;
use socle_ocr::{Recognized, UprightWord, Word};

/// Size of text in points whose resolution is not known.
const USUAL_SIZE: f32 = 10.0;
/// Most words of a picture; more are noise.
const MAX_WORDS: usize = 50_000;
/// Gap between words of a line beyond which they may be in two columns, as a multiple of the size. Spaces of justified
/// text are narrower.
const WIDE_GAP: f32 = 1.3;
/// Characters of a line of which a few tall ones may be most; and the factor by which its middle zone is then too high.
const SHORT_LINE: usize = 12;
const TALL_ZONE: f32 = 1.2;
/// Difference of baselines, as a multiple of the size, up to which lines stand beside one another.
const SAME_ROW: f32 = 0.15;
/// Degrees by which a word may rise or descend in a line of the page; and the steps in which the directions of words that
/// are slanted more, as those of a stamp, are told apart.
const MAX_SLANT: f32 = 6.0;
const SLANT_STEP: f32 = 5.0;
/// The direction that the words of stamps are given, which no word of the page has: they come last, as paragraphs of their own.
const STAMP_ANGLE: i16 = 1;
/// Confidence of a stamp below which it is no text, as a signature.
const SURE_STAMP: f32 = 0.7;

/// The words of a page that was recognised.
pub(crate) struct Recognition {
    lines: Vec<TextLine>,
    rules: Vec<Rule>,
    /// Width and height of the page put upright, in pixels.
    width: f32,
    height: f32,
    /// Quarter turns clockwise, and then degrees anticlockwise, by which it was put upright and straight.
    turns: u8,
    skew_degrees: f32,
    dpi: Option<f32>,
    /// About how many characters there are beside the words that could not be read.
    pub(super) unread: u32,
    /// What the words are, and how sure.
    pub(super) page: RecognizedPage,
}

/// A word with the ends of its ink.
struct Placed {
    text: String,
    left: f32,
    right: f32,
}

/// A line of words. Positions are in pixels along and across its direction.
struct TextLine {
    words: Vec<Placed>,
    angle: i16,
    baseline: f32,
    size: f32,
}

impl Recognition {
    /// The words of a picture.
    pub(crate) fn of(picture: &ReadPicture) -> Self {
        let (width, height) = (picture.ink.width() as f32, picture.ink.height() as f32);
        // The boxes refer to the picture before it was put upright.
        let (before_width, before_height) =
            if picture.words.rotation.is_multiple_of(2) { (width, height) } else { (height, width) };
        let (boxes, ..) = picture.words.upright(before_width as u32, before_height as u32);
        let words: Vec<(&Word, UprightWord, i16)> = picture
            .words
            .words
            .iter()
            .zip(boxes)
            .take(MAX_WORDS)
            .filter(|(word, _)| !word.text.trim().is_empty())
            .map(|(word, place)| placed(word, place, &picture.words))
            .collect();
        let mut lines = lines_of(&words, &picture.ink);
        let body = usual(&lines).unwrap_or(height / 60.0);
        let rules = picture_rules::rules(&picture.ink, body);
        let mut rules = picture_rules::without_letters(rules, &picture.ink, &places(&lines));
        let mut bare = picture_rules::without(&picture.ink, &rules, body);
        if !rules.is_empty() {
            // Words in a table are measured without its rules, and only then it is known what runs through them.
            lines = lines_of(&words, &bare);
            let count = rules.len();
            rules = picture_rules::between(rules, &places(&lines));
            if rules.len() < count {
                bare = picture_rules::without(&picture.ink, &rules, body);
                lines = lines_of(&words, &bare);
            }
        }
        size::settle(&mut lines, body);
        bullet::add(&mut lines, &bare);
        let (stamps, unsure): (Vec<_>, Vec<_>) = picture
            .stamps
            .iter()
            .filter_map(|stamp| Some((stamp, stamp.confidence()?)))
            .partition(|(_, sure)| *sure >= SURE_STAMP);
        lines.extend(stamp_lines(stamps.iter().map(|(stamp, _)| *stamp), body, height));
        let characters = |word: &Word| word.text.chars().count() as u32;
        let count: u32 = picture.words.words.iter().map(characters).sum();
        let permille = in_permille(picture.words.confidence().unwrap_or_default());
        let page = RecognizedPage {
            page: None,
            characters: count,
            permille,
            least_permille: least_confidence(&picture.words).map_or(permille, |least| in_permille(least).min(permille)),
            unread_stamps: unsure.len() as u16,
        };
        let Recognized { rotation, skew_degrees, unread, .. } = picture.words;
        Self { lines, rules, width, height, turns: rotation % 4, skew_degrees, dpi: picture.dpi, unread, page }
    }

    /// The glyphs and rules of the upright page in points from its upper left corner, without words of which most characters are
    /// `covered`: at places of the page as it is, in a size.
    pub(super) fn glyphs(&self, sizes: &Sizes, covered: &dyn Fn((f32, f32), f32) -> bool) -> (Vec<Glyph>, Vec<Rule>) {
        let scale = self.scale(sizes);
        let mut glyphs = Vec::new();
        for line in &self.lines {
            let (size, y) = (sizes.same_as(line.size * scale), line.baseline * scale);
            let mut before: Option<&Placed> = None;
            for word in &line.words {
                let count = word.text.chars().count().max(1);
                let x = |at: f32| (word.left + (word.right - word.left) * at / count as f32) * scale;
                let is_covered = |at: &usize| {
                    let place = on_page((x(*at as f32 + 0.5), y - 0.3 * size), line.angle);
                    covered(self.before(place, scale), size)
                };
                let hidden = (0..count).filter(is_covered).count();
                if line.angle != STAMP_ANGLE && hidden * 2 > count {
                    before = None;
                    continue;
                }
                let gap = before.map_or(f32::MAX, |before| (word.left - before.right) * scale);
                if let Some(before) = before.filter(|_| gap < WIDE_GAP * size) {
                    let (x0, x1) = (before.right * scale, word.left.max(before.right) * scale);
                    glyphs.push(glyph(' ', x0, x1, y, size, line.angle));
                }
                for (at, c) in word.text.chars().enumerate() {
                    glyphs.push(glyph(c, x(at as f32), x(at as f32 + 1.0), y, size, line.angle));
                }
                before = Some(word);
            }
        }
        let rules = self.rules.iter().map(|rule| Rule {
            vertical: rule.vertical,
            at: rule.at * scale,
            from: rule.from * scale,
            to: rule.to * scale,
        });
        (glyphs, rules.collect())
    }

    /// Whether the picture was upright, so that its points are those of the page.
    pub(super) fn is_upright(&self) -> bool {
        self.turns == 0
    }

    /// Where a point of the upright page is on the page as it is, both in points.
    fn before(&self, (x, y): (f32, f32), scale: f32) -> (f32, f32) {
        let (width, height) = (self.width * scale, self.height * scale);
        let (middle_x, middle_y) = (width / 2.0, height / 2.0);
        let (sin, cos) = self.skew_degrees.to_radians().sin_cos();
        let (x, y) = (x - middle_x, y - middle_y);
        let (x, y) = (middle_x + x * cos - y * sin, middle_y + x * sin + y * cos);
        match self.turns {
            0 => (x, y),
            1 => (y, width - x),
            2 => (width - x, height - y),
            _ => (height - y, x),
        }
    }

    /// Turns glyphs of the page as it is to where they are on the upright page.
    pub(super) fn turn(&self, glyphs: &mut [Glyph], sizes: &Sizes) {
        if self.is_upright() {
            return;
        }
        let scale = self.scale(sizes);
        let (width, height) = (self.width * scale, self.height * scale);
        let turned = |(x, y): (f32, f32)| match self.turns {
            1 => (width - y, x),
            2 => (width - x, height - y),
            _ => (y, height - x),
        };
        for glyph in glyphs {
            let angle = (glyph.angle + 90 * i16::from(self.turns)).rem_euclid(360);
            let place = |x: f32| along(turned(on_page((x, glyph.y), glyph.angle)), angle);
            let ((x0, y), (x1, _)) = (place(glyph.x0), place(glyph.x1));
            *glyph = Glyph { x0, x1, y, angle, ..*glyph };
        }
    }

    /// The words that were recognised.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().flat_map(|line| &line.words).map(|word| word.text.as_str())
    }

    /// Whether anything was read.
    pub(crate) fn has_words(&self) -> bool {
        !self.lines.is_empty()
    }

    /// Whether it has text of which nothing could be read.
    pub(crate) fn is_unreadable(&self) -> bool {
        self.page.characters == 0 && self.unread > SPECKS
    }

    /// The lower edge of the page in points.
    pub(super) fn bottom(&self, sizes: &Sizes) -> f32 {
        self.height * self.scale(sizes)
    }

    /// Points of a pixel.
    fn scale(&self, sizes: &Sizes) -> f32 {
        match self.dpi {
            Some(dpi) => 72.0 / dpi,
            None => USUAL_SIZE / sizes.pixels.unwrap_or(USUAL_SIZE).max(1.0),
        }
    }
}

fn in_permille(confidence: f32) -> u16 {
    (confidence * 1000.0).round().clamp(0.0, 1000.0) as u16
}

fn glyph(c: char, x0: f32, x1: f32, y: f32, size: f32, angle: i16) -> Glyph {
    Glyph { c, x0, x1, y, size, angle, bold: false, mono: false, vertical: false, tagged: false, hidden: false }
}

/// The lines that the words say that they belong to.
fn lines_of(words: &[(&Word, UprightWord, i16)], ink: &Ink) -> Vec<TextLine> {
    let lines = words.chunk_by(|a, b| a.0.line == b.0.line && a.2 == b.2);
    let mut lines: Vec<TextLine> = lines.filter_map(|line| line_of(line, ink)).collect();
    level(&mut lines);
    lines
}

/// Where the words of upright lines are.
fn places(lines: &[TextLine]) -> Vec<WordPlace> {
    let upright = lines.iter().filter(|line| line.angle == 0);
    let place = |line: &TextLine, word: &Placed| {
        let (baseline, size) = (line.baseline, line.size);
        WordPlace { left: word.left, right: word.right, baseline, size }
    };
    upright.flat_map(|line| line.words.iter().map(move |word| place(line, word))).collect()
}

/// The lines of stamps one below the other, each stamp apart from the next.
fn stamp_lines<'s>(stamps: impl Iterator<Item = &'s Recognized>, size: f32, height: f32) -> Vec<TextLine> {
    let mut lines = Vec::new();
    let mut baseline = height;
    for stamp in stamps {
        baseline += 2.0 * size;
        for line in stamp.words.chunk_by(|a, b| a.line == b.line) {
            baseline += 1.2 * size;
            let mut right = 0.0;
            let words = line.iter().map(|word| {
                let left = right + 0.3 * size;
                right = left + 0.5 * size * word.text.chars().count() as f32;
                Placed { text: word.text.clone(), left, right }
            });
            lines.push(TextLine { words: words.collect(), angle: STAMP_ANGLE, baseline, size });
        }
    }
    lines
}

/// Gives lines beside one another the same baseline, as a label and its value: those that are measured differ by a pixel or
/// two, which would decide what is read first.
fn level(lines: &mut [TextLine]) {
    let mut upright: Vec<&mut TextLine> = lines.iter_mut().filter(|line| line.angle == 0).collect();
    upright.sort_by(|a, b| a.baseline.total_cmp(&b.baseline));
    let mut rest = upright.as_mut_slice();
    while let Some((baseline, size)) = rest.first().map(|first| (first.baseline, first.size)) {
        let count = rest.iter().take_while(|line| line.baseline - baseline <= SAME_ROW * size.min(line.size)).count();
        let (row, others) = rest.split_at_mut(count.max(1));
        let longest = row.iter().max_by_key(|line| line.letters()).map_or(baseline, |line| line.baseline);
        row.iter_mut().for_each(|line| line.baseline = longest);
        rest = others;
    }
}

/// A word with its box along and across its writing direction, and that direction on the upright page, in degrees
/// clockwise: by quarters, or of what is slanted, as a stamp, by steps of [`SLANT_STEP`].
fn placed<'w>(word: &'w Word, upright: UprightWord, page: &Recognized) -> (&'w Word, UprightWord, i16) {
    let [a, b, _, d] = word.quad;
    let degrees = (b.1 - a.1).atan2(b.0 - a.0).to_degrees() + 90.0 * f32::from(page.rotation % 4) - page.skew_degrees;
    let quarters = ((degrees / 90.0).round() as i32).rem_euclid(4);
    let slant = degrees - 90.0 * (degrees / 90.0).round();
    let length = |from: (f32, f32), to: (f32, f32)| (to.0 - from.0).hypot(to.1 - from.1);
    // The direction of a short word is not known well.
    if slant.abs() > MAX_SLANT && length(a, b) > 2.0 * length(a, d) {
        let (x, y) = ((upright.left + upright.right) / 2.0, (upright.top + upright.bottom) / 2.0);
        let (sin, cos) = degrees.to_radians().sin_cos();
        let (x, y) = (x * cos + y * sin, y * cos - x * sin);
        let (wide, high) = (length(a, b) / 2.0, length(a, d) / 2.0);
        let turned = UprightWord { left: x - wide, right: x + wide, top: y - high, bottom: y + high };
        let angle = ((degrees / SLANT_STEP).round() * SLANT_STEP) as i16;
        return (word, turned, angle.rem_euclid(360));
    }
    let UprightWord { left, top, right, bottom } = upright;
    let turned = match quarters {
        0 => upright,
        1 => UprightWord { left: top, right: bottom, top: -right, bottom: -left },
        2 => UprightWord { left: -right, right: -left, top: -bottom, bottom: -top },
        _ => UprightWord { left: -bottom, right: -top, top: left, bottom: right },
    };
    (word, turned, (quarters * 90) as i16)
}

/// A line with its size and baseline.
fn line_of(words: &[(&Word, UprightWord, i16)], ink: &Ink) -> Option<TextLine> {
    let (_, _, angle) = *words.first()?;
    let top = words.iter().map(|(_, place, _)| place.top).fold(f32::MAX, f32::min);
    let bottom = words.iter().map(|(_, place, _)| place.bottom).fold(f32::MIN, f32::max);
    let text: String = words.iter().map(|(word, ..)| word.text.as_str()).collect();
    let (mut above, mut below) = extent(&text);
    // What is turned is not measured: margins and axes of charts need no exact size.
    let mut ends = None;
    let slant = if angle == 0 { Slant::of(words, ink) } else { Slant::default() };
    if angle == 0 {
        // Small letters are measured where words have little else.
        let small: Vec<_> = words.iter().filter(|(word, ..)| is_small(&word.text)).copied().collect();
        ends = if is_small(&text) { middle_zone(&small, ink, slant) } else { None };
        // In a short word with many tall letters, as Köln, most ink is not between the ends of the small ones: the whole
        // word tells its size then.
        if let (Some(zone), true) = (ends, text.chars().count() <= SHORT_LINE) {
            let whole = measured(words, ink, slant).map_or(f32::MAX, |(first, last)| (last - first) / (above + below));
            ends = ends.filter(|_| (zone.1 - zone.0) / X_HEIGHT < TALL_ZONE * whole);
        }
        if ends.is_some() {
            (above, below) = (X_HEIGHT, 0.0);
        } else {
            ends = measured(words, ink, slant);
        }
    }
    let (first, last) = ends.unwrap_or_else(|| {
        // The boxes of the detector are a seventh of their height larger than the letters, above and below.
        let margin = 0.07 * (bottom - top);
        (top + margin, bottom - margin)
    });
    let size = (last - first) / (above + below);
    let mut placed: Vec<Placed> = Vec::with_capacity(words.len());
    for (at, (word, place, _)) in words.iter().enumerate() {
        let (mut left, mut right) = (place.left, place.right);
        if angle == 0 {
            let before = at.checked_sub(1).and_then(|at| words.get(at)).map_or(f32::MIN, |word| word.1.right);
            let after = words.get(at + 1).map_or(f32::MAX, |word| word.1.left);
            let lower = slant.lower(place);
            let rows = (first.min(last - 4.0) + lower, last + lower);
            (left, right) = trimmed(ink, (left, right), (before, after), rows);
        }
        placed.push(Placed { text: word.text.clone(), left, right });
    }
    (size > 1.0).then_some(TextLine { words: placed, angle, baseline: last - below * size, size })
}
