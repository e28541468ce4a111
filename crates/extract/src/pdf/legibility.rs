//! Whether the text of a page is what the page shows: fonts may map to wrong characters, and the invisible text that older
//! programs have put over scans may be full of errors.

#[cfg(test)]
mod tests;

use super::font::UNKNOWN;
use super::glyph::Glyph;
use super::likeness::{Likeness, UNLIKE_PERCENT};

/// Fewer words are no evidence.
const LEAST_WORDS: usize = 12;
/// Share of legible words below which an invisible text is recognised anew, in percent.
const INVISIBLE_PERCENT: usize = 85;
/// The same of visible text: names of parts, formulas and code are not words either.
const VISIBLE_PERCENT: usize = 40;
/// By how much more of a recognised text has to be legible where the letters of both are those of no language, in percent.
const CLEARLY_PERCENT: usize = 15;
/// Letters of a row that are all consonants, or the same, do not occur in words.
const MAX_CONSONANTS: usize = 8;
const MAX_REPEATED: usize = 3;

/// Characters that are as much evidence, if they stand in a few long words.
const LEAST_CHARACTERS: usize = 120;

/// What is known of the text of a page.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Legibility {
    words: usize,
    legible: usize,
    /// Number of characters, apart from spaces.
    characters: usize,
    likeness: Likeness,
}

impl Legibility {
    /// That of the glyphs of a page, in their order.
    pub(super) fn of(glyphs: &[Glyph]) -> Self {
        Self::of_text(&text_of(glyphs))
    }

    /// That of a text.
    pub(super) fn of_text(text: &str) -> Self {
        let mut found = Self { likeness: Likeness::of(text), ..Self::default() };
        for word in text.split_whitespace() {
            found.words += 1;
            found.legible += usize::from(is_legible(word));
            found.characters += word.chars().count();
        }
        found
    }

    /// Whether the text is to be recognised anew.
    pub(super) fn is_doubtful(self, is_invisible: bool) -> bool {
        if self.likeness.is_unlike() {
            return true;
        }
        // Logs and source code have few words, but the letters of words.
        if !is_invisible && self.likeness.alike() * 2 > self.characters {
            return false;
        }
        let percent = if is_invisible { INVISIBLE_PERCENT } else { VISIBLE_PERCENT };
        let is_enough = self.words >= LEAST_WORDS || self.characters >= LEAST_CHARACTERS;
        is_enough && self.legible * 100 < self.words * percent
    }

    /// Whether a text that was recognised on a page is better than `other`, which the page has.
    pub(super) fn is_better_than(self, other: Self) -> bool {
        let (own, others) = (self.likeness.percent_unlike(), other.likeness.percent_unlike());
        if own.abs_diff(others) >= UNLIKE_PERCENT {
            return own < others && self.characters * 2 >= other.characters;
        }
        // Both are codes or the like: the recognised one has only more errors, unless that is very clear.
        let apart = if other.likeness.is_unlike() { CLEARLY_PERCENT } else { 0 };
        let percent = |of: Self| of.legible * 100 / of.words.max(1);
        self.legible * other.words.max(1) > other.legible * self.words.max(1) && percent(self) >= percent(other) + apart
    }
}

/// The glyphs of a page in their order, with spaces where they are apart.
pub(super) fn text_of(glyphs: &[Glyph]) -> String {
    let mut text = String::with_capacity(glyphs.len());
    let mut last: Option<&Glyph> = None;
    for glyph in glyphs {
        let is_apart = last
            .is_some_and(|last| (last.y - glyph.y).abs() > 0.3 * last.size || glyph.x0 - last.x1 > 0.15 * last.size);
        if is_apart {
            text.push(' ');
        }
        text.push(glyph.c);
        last = Some(glyph);
    }
    text
}

/// Whether a word may be one: a number, or letters of one kind with punctuation around them.
fn is_legible(word: &str) -> bool {
    if word.contains(UNKNOWN) {
        return false;
    }
    if word.contains("://") {
        return word.chars().all(|c| c.is_ascii_graphic());
    }
    let whole = word;
    let word = word
        .trim_matches(|c: char| c.is_ascii_punctuation() || "«»„“”‚‘’…–—•·§°€£。、・「」！？，：；（）".contains(c));
    if word.is_empty() {
        // Dashes, dots and bullets stand alone or repeat.
        return whole.chars().count() <= 2 || whole.chars().all(|c| whole.starts_with(c));
    }
    let digits = word.chars().filter(char::is_ascii_digit).count();
    if digits > 0 {
        // Numbers, dates, amounts, and names such as A4, 3rd or DE89: digits and letters do not alternate in them.
        let changes = word.as_bytes().windows(2).filter(|pair| {
            matches!(pair, [a, b] if a.is_ascii_digit() != b.is_ascii_digit() && a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric())
        });
        // As 18h30.
        let is_between = word.starts_with(|c: char| c.is_ascii_digit()) && word.ends_with(|c: char| c.is_ascii_digit());
        return changes.count() <= if is_between { 2 } else { 1 }
            && word.chars().all(|c| c.is_alphanumeric() || ".,:/-+%'’ ".contains(c));
    }
    if word
        .chars()
        .any(|c| !(c.is_alphabetic() || "-'’./&@·\u{ad}\u{200c}\u{200d}".contains(c) || is_mark(c) || is_of_formula(c)))
    {
        return false;
    }
    let letters: Vec<char> = word.chars().filter(|c| c.is_alphabetic()).collect();
    // Lower case, then upper case: tHis, eXPLAiN.
    let mixed =
        letters.windows(2).filter(|pair| matches!(pair, [a, b] if a.is_lowercase() && b.is_uppercase())).count();
    let repeated = letters.windows(MAX_REPEATED).any(|run| run.iter().all(|c| Some(c) == run.first()));
    mixed <= 1 && !repeated && !has_no_vowels(&letters)
}

fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{900}'..='\u{dff}' | '\u{e31}'..='\u{e4e}')
}

/// Signs of formulas: superscripts, arrows, operators.
fn is_of_formula(c: char) -> bool {
    matches!(c, '±' | '×' | '÷' | '²' | '³' | '¹' | '\u{2070}'..='\u{209c}' | '\u{2190}'..='\u{22ff}' | '\u{27c0}'..='\u{27ef}' | '\u{2980}'..='\u{2aff}')
}

/// Whether Latin letters have a run of consonants that no language has.
fn has_no_vowels(letters: &[char]) -> bool {
    let mut run = 0;
    for c in letters {
        let is_consonant = c.is_ascii_alphabetic() && !"aeiouyAEIOUY".contains(*c);
        run = if is_consonant { run + 1 } else { 0 };
        if run > MAX_CONSONANTS {
            return true;
        }
    }
    // Abbreviations are in capitals. In Czech and its neighbours, l and r can be the vowels of a word: vlk, hrst.
    let is_word = letters.iter().any(|c| matches!(c, 'l' | 'r'));
    letters.len() >= 4 && run == letters.len() && !is_word && letters.iter().all(|c| c.is_lowercase())
}
