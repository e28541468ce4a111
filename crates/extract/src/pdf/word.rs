//! Joins glyphs without gaps to words, combines accents with letters, and removes duplicates drawn as shadows.

use super::bidi::has_rtl;
use super::font::UNKNOWN;
use super::glyph::Glyph;
use std::collections::HashMap;
use unicode_normalization::UnicodeNormalization;

/// Minimum gap between words, as a multiple of the font size.
pub(super) const WORD_GAP: f32 = 0.15;

/// A word.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) x0: f32,
    pub(super) x1: f32,
    pub(super) y: f32,
    pub(super) size: f32,
    pub(super) bold: bool,
    pub(super) mono: bool,
    pub(super) vertical: bool,
    pub(super) tagged: bool,
    /// Number of spaces after it, and where they end.
    pub(super) spaces: usize,
    pub(super) end: f32,
}

/// Splits glyphs into words, in drawing order.
pub(super) fn words(glyphs: &[Glyph]) -> Vec<Word> {
    let mut cutter = Cutter::default();
    // An accent drawn before its letter.
    let mut pending: Option<(Glyph, char)> = None;
    for glyph in glyphs {
        if cutter.last.is_some_and(|last| doubled(&last, glyph)) {
            continue;
        }
        let accent = pending.take();
        let over_this = accent.filter(|(accent, _)| glyph.c.is_alphabetic() && over(accent, glyph));
        if let Some((accent, _)) = accent.filter(|_| over_this.is_none()) {
            cutter.add(&accent, None);
        }
        match combining(glyph.c) {
            Some(mark) if cutter.accent(glyph, mark) => {}
            Some(mark) => pending = Some((*glyph, mark)),
            None => cutter.add(glyph, over_this.map(|(_, mark)| mark)),
        }
    }
    if let Some((accent, _)) = pending {
        cutter.add(&accent, None);
    }
    // Arabic and Hebrew marks precede their letters here.
    for word in cutter.words.iter_mut().filter(|word| !has_rtl(&word.text)) {
        word.text = word.text.nfc().collect();
    }
    // Words that consist of unknown characters are dropped.
    cutter.words.retain(|word| !word.text.chars().all(|c| c == UNKNOWN));
    cutter.words
}

/// Builds words from glyphs.
#[derive(Default)]
struct Cutter {
    words: Vec<Word>,
    last: Option<Glyph>,
    /// Whether the last word may continue.
    open: bool,
}

impl Cutter {
    fn add(&mut self, glyph: &Glyph, mark: Option<char>) {
        let last = self.last.replace(*glyph);
        if glyph.c == ' ' {
            // In justified lines, spaces may be anywhere in a gap.
            let on_line = last.is_some_and(|last| (last.y - glyph.y).abs() < 0.6 * last.size && glyph.x0 > last.x0);
            if let Some(word) = self.words.last_mut().filter(|_| on_line) {
                word.spaces += 1;
                word.end = word.end.max(glyph.x1);
            }
            self.open = false;
            return;
        }
        let close = self.open && last.is_some_and(|last| follows(&last, glyph));
        match self.words.last_mut().filter(|word| close && same_face(word, glyph)) {
            Some(word) => {
                word.text.push(glyph.c);
                word.x1 = word.x1.max(glyph.x1);
                word.end = word.x1;
            }
            None => self.words.push(word_of(glyph)),
        }
        if let (Some(mark), Some(word)) = (mark, self.words.last_mut()) {
            word.text.push(mark);
        }
        self.open = true;
    }

    /// Combines an accent with the last letter if their positions agree.
    fn accent(&mut self, glyph: &Glyph, mark: char) -> bool {
        let fits = self.open && self.last.is_some_and(|last| last.c.is_alphabetic() && over(glyph, &last));
        match self.words.last_mut().filter(|_| fits) {
            Some(word) => word.text.push(mark),
            None => return false,
        }
        true
    }
}

fn word_of(glyph: &Glyph) -> Word {
    Word {
        text: glyph.c.to_string(),
        x0: glyph.x0,
        x1: glyph.x1,
        y: glyph.y,
        size: glyph.size,
        bold: glyph.bold,
        mono: glyph.mono,
        vertical: glyph.vertical,
        tagged: glyph.tagged,
        spaces: 0,
        end: glyph.x1,
    }
}

/// Whether a glyph starts where the last one ended.
fn follows(last: &Glyph, glyph: &Glyph) -> bool {
    let size = last.size.min(glyph.size);
    let gap = glyph.x0 - last.x1;
    (last.y - glyph.y).abs() < 0.1 * size && gap < WORD_GAP * size && gap > -0.6 * size
}

fn same_face(word: &Word, glyph: &Glyph) -> bool {
    word.mono == glyph.mono && word.tagged == glyph.tagged && (word.size - glyph.size).abs() < 0.12 * word.size
}

/// Whether a glyph repeats the last one, to simulate bold.
fn doubled(last: &Glyph, glyph: &Glyph) -> bool {
    let near = 0.12 * last.size;
    last.c == glyph.c
        && glyph.c != UNKNOWN
        && last.x1 > last.x0
        && (last.x0 - glyph.x0).abs() < near.min(0.4 * (last.x1 - last.x0))
        && (last.y - glyph.y).abs() < near
}

fn over(accent: &Glyph, letter: &Glyph) -> bool {
    let middle = (accent.x0 + accent.x1) / 2.0;
    middle > letter.x0 && middle < letter.x1 && (accent.y - letter.y).abs() < 0.6 * letter.size
}

/// The combining mark of a spacing accent; `None` for other characters.
fn combining(c: char) -> Option<char> {
    Some(match c {
        '`' | '\u{2cb}' => '\u{300}',
        '´' | '\u{2ca}' => '\u{301}',
        'ˆ' => '\u{302}',
        '˜' => '\u{303}',
        '¯' | '\u{2c9}' => '\u{304}',
        '˘' => '\u{306}',
        '˙' => '\u{307}',
        '¨' => '\u{308}',
        '˚' => '\u{30a}',
        '˝' => '\u{30b}',
        'ˇ' => '\u{30c}',
        '¸' => '\u{327}',
        '˛' => '\u{328}',
        _ => return None,
    })
}

/// Removes words drawn twice at nearly the same position, as for shadows and simulated bold.
pub(super) fn without_doubles(words: Vec<Word>) -> Vec<Word> {
    let mut seen: HashMap<String, Vec<(f32, f32)>> = HashMap::new();
    let mut kept = Vec::with_capacity(words.len());
    for word in words {
        let places = seen.entry(word.text.clone()).or_default();
        let near = 0.2 * word.size;
        if places.iter().any(|(x, y)| (x - word.x0).abs() < near && (y - word.y).abs() < near) {
            continue;
        }
        // A word drawn a thousand times is not a shadow.
        if places.len() < 1000 {
            places.push((word.x0, word.y));
        }
        kept.push(word);
    }
    kept
}
