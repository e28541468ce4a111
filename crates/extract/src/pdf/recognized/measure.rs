//! How high the letters of a line are, and where it and its words end, by what is dark.

use crate::recognition::Ink;
use socle_ocr::{UprightWord, Word};

/// Height of letters over the baseline and depth below it, as a multiple of the size: usual ones, those that reach up or
/// down, capitals with accents, commas.
pub(super) const X_HEIGHT: f32 = 0.50;
const CAP_HEIGHT: f32 = 0.71;
const ACCENT_HEIGHT: f32 = 0.92;
const DESCENT: f32 = 0.21;
const COMMA_DESCENT: f32 = 0.13;

/// Whether most characters of a text are small letters.
pub(super) fn is_small(text: &str) -> bool {
    text.chars().filter(|c| c.is_lowercase()).count() * 2 > text.chars().count()
}

/// How far the letters of a text reach above the baseline and below it, as a multiple of the size.
pub(super) fn extent(text: &str) -> (f32, f32) {
    let (mut above, mut below) = (X_HEIGHT, 0.0_f32);
    for c in text.chars() {
        let (up, down) = match c {
            'g' | 'p' | 'q' | 'y' | 'ç' | 'ş' | 'ą' | 'ę' => (X_HEIGHT, DESCENT),
            'j' | 'Q' | 'Ç' | 'þ' | 'ß' if c != 'ß' => (CAP_HEIGHT, DESCENT),
            '(' | ')' | '[' | ']' | '{' | '}' | '|' | '/' | '@' | '§' => (CAP_HEIGHT, DESCENT),
            ',' | ';' => (X_HEIGHT, COMMA_DESCENT),
            'a' | 'c' | 'e' | 'm' | 'n' | 'o' | 'r' | 's' | 'u' | 'v' | 'w' | 'x' | 'z' | '.' | ':' | '-' | '–'
            | '+' | '=' | '~' | '«' | '»' | '·' | '•' => (X_HEIGHT, 0.0),
            c if c.is_uppercase() && !c.is_ascii() && c < '\u{250}' => (ACCENT_HEIGHT, 0.0),
            // Han, kana and hangul fill their squares.
            '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' => (0.86, 0.08),
            _ => (CAP_HEIGHT, 0.0),
        };
        above = above.max(up);
        below = below.max(down);
    }
    (above, below)
}

/// Least number of letters of a word whose baseline is measured, and of such words of a line that is not level. By how much its
/// ends differ, as a multiple of the height of its small letters.
const LEAST_LETTERS: usize = 3;
const LEAST_WORDS: usize = 3;
const LEAST_RISE: f32 = 0.5;
/// How far the middle half of the baselines of its words are apart across a slanted line, as a multiple of the same.
const MOST_APART: f32 = 0.06;
/// Most words whose baselines are compared.
const MOST_WORDS: usize = 40;

/// How a line rises or descends, as on a page that was photographed from one side.
#[derive(Clone, Copy, Default)]
pub(super) struct Slant {
    /// By how much its baseline is lower with each pixel to the right.
    slope: f32,
    /// Where its middle is, along the line.
    middle: f32,
}

impl Slant {
    /// That of a line: none, unless it is clear.
    pub(super) fn of(words: &[(&Word, UprightWord, i16)], ink: &Ink) -> Self {
        let is_long =
            |word: &&(&Word, UprightWord, i16)| is_small(&word.0.text) && word.0.text.chars().count() >= LEAST_LETTERS;
        let (mut ends, mut heights) = (Vec::new(), Vec::new());
        for word in words.iter().filter(is_long).take(MOST_WORDS) {
            if let Some((first, last)) = middle_zone(std::slice::from_ref(word), ink, Self::default()) {
                ends.push((middle(&word.1), last));
                heights.push(last - first);
            }
        }
        heights.sort_by(f32::total_cmp);
        let height = heights.get(heights.len() / 2).copied().unwrap_or_default();
        let pairs = ends.iter().enumerate().flat_map(|(at, a)| ends.iter().skip(at + 1).map(move |b| (a, b)));
        let apart = pairs.filter(|(a, b)| (b.0 - a.0).abs() > 2.0 * height);
        let mut slopes: Vec<f32> = apart.map(|(a, b)| (b.1 - a.1) / (b.0 - a.0)).collect();
        slopes.sort_by(f32::total_cmp);
        let slope = slopes.get(slopes.len() / 2).copied().unwrap_or_default();
        let left = words.iter().map(|(_, place, _)| place.left).fold(f32::MAX, f32::min);
        let right = words.iter().map(|(_, place, _)| place.right).fold(f32::MIN, f32::max);
        // Under a stamp, the words are measured wrongly, and do not lie on one line.
        let mut levels: Vec<f32> = ends.iter().map(|(x, y)| y - slope * x).collect();
        levels.sort_by(f32::total_cmp);
        let level = |share: usize| levels.get(levels.len() * share / 4).copied().unwrap_or_default();
        let is_line = level(3) - level(1) <= MOST_APART * height;
        if ends.len() < LEAST_WORDS || !is_line || (slope * (right - left)).abs() < LEAST_RISE * height {
            return Self::default();
        }
        Self { slope, middle: (left + right) / 2.0 }
    }

    /// How much lower a word is than the middle of its line.
    pub(super) fn lower(self, place: &UprightWord) -> f32 {
        self.slope * (middle(place) - self.middle)
    }
}

/// The middle of a word along its line.
fn middle(place: &UprightWord) -> f32 {
    (place.left + place.right) / 2.0
}

/// The rows of a line in its middle, and the number of dark pixels in each.
fn row_counts(words: &[(&Word, UprightWord, i16)], ink: &Ink, slant: Slant) -> (usize, Vec<usize>) {
    let top = words.iter().map(|(_, place, _)| place.top).fold(f32::MAX, f32::min);
    let bottom = words.iter().map(|(_, place, _)| place.bottom).fold(f32::MIN, f32::max);
    let rows = (top.max(0.0) as usize)..(bottom.max(0.0).ceil() as usize).min(ink.height());
    let columns = |place: &UprightWord| (place.left.max(0.0) as usize)..(place.right.max(0.0).ceil() as usize);
    let lower: Vec<isize> = words.iter().map(|(_, place, _)| slant.lower(place).round() as isize).collect();
    let row = |y: usize, (_, place, _): &(&Word, UprightWord, i16), lower: &isize| {
        y.checked_add_signed(*lower).map_or(0, |y| ink.in_row(y, columns(place)))
    };
    let count = |y: usize| words.iter().zip(&lower).map(|(word, lower)| row(y, word, lower)).sum();
    (rows.start, rows.clone().map(count).collect())
}

/// The first row of the small letters of a line, and the one after their last, on the baseline: most ink is between them,
/// whatever reaches in from the lines above and below.
pub(super) fn middle_zone(words: &[(&Word, UprightWord, i16)], ink: &Ink, slant: Slant) -> Option<(f32, f32)> {
    let (start, counts) = row_counts(words, ink, slant);
    let most = counts.iter().copied().max().filter(|most| *most >= 8)?;
    let is_full = |row: usize| counts.get(row).is_some_and(|count| *count * 5 >= most * 2);
    let quarter = counts.len() / 4;
    let middle = (quarter..counts.len() - quarter).max_by_key(|row| counts.get(*row))?;
    let gap = counts.len() / 6;
    let end = |rows: &mut dyn Iterator<Item = usize>| {
        let mut last = middle;
        for row in rows {
            if is_full(row) {
                last = row;
            } else if row.abs_diff(last) > gap {
                break;
            }
        }
        last
    };
    let (first, last) = (end(&mut (0..middle).rev()), end(&mut (middle..counts.len())));
    ((last - first) * 5 >= counts.len()).then_some(((start + first) as f32, (start + last + 1) as f32))
}

/// The first row of ink of a line, and the one after its last.
pub(super) fn measured(words: &[(&Word, UprightWord, i16)], ink: &Ink, slant: Slant) -> Option<(f32, f32)> {
    let (start, counts) = row_counts(words, ink, slant);
    counts.iter().copied().max().filter(|most| *most > 0)?;
    // From the row with most ink, in the middle, up and down to the gaps between the lines: boxes reach into the lines above
    // and below. Single dark pixels are noise, and the gap below an accent is narrow.
    let (quarter, gap) = (counts.len() / 4, (counts.len() / 12).max(1));
    let middle = (quarter..counts.len() - quarter).max_by_key(|row| counts.get(*row))?;
    let end = |rows: &mut dyn Iterator<Item = usize>| {
        let mut last = middle;
        for row in rows {
            if counts.get(row).is_some_and(|count| *count > 1) {
                last = row;
            } else if row.abs_diff(last) > gap {
                break;
            }
        }
        last
    };
    let (first, last) = (end(&mut (0..middle).rev()), end(&mut (middle..counts.len())));
    if (last - first) * 3 < counts.len() {
        return None;
    }
    Some(((start + first) as f32, (start + last + 1) as f32))
}

/// The ends of the ink of a word, between those of its neighbours.
pub(super) fn trimmed(ink: &Ink, place: (f32, f32), around: (f32, f32), rows: (f32, f32)) -> (f32, f32) {
    let slack = 0.15 * (rows.1 - rows.0);
    let from = (place.0 - slack).max((around.0 + place.0) / 2.0).max(0.0) as usize;
    let to = ((place.1 + slack).min((around.1 + place.1) / 2.0).max(0.0) as usize).min(ink.width());
    let rows = (rows.0.max(0.0) as usize)..(rows.1.max(0.0) as usize);
    let least = 1.max(rows.len() / 16);
    let is_ink = |x: &usize| ink.in_column(*x, rows.clone()) >= least;
    let (Some(left), Some(right)) = ((from..to).find(is_ink), (from..to).rev().find(is_ink)) else { return place };
    (left as f32, right as f32 + 1.0)
}
