//! Whether the text of a page is what the page shows: fonts may map to wrong characters, and the invisible text that older
//! programs have put over scans may be full of errors.

use super::font::UNKNOWN;
use super::glyph::Glyph;

/// Fewer words are no evidence.
const LEAST_WORDS: usize = 12;
/// Share of legible words below which an invisible text is recognised anew, in percent.
const INVISIBLE_PERCENT: usize = 85;
/// The same of visible text: names of parts, formulas and code are not words either.
const VISIBLE_PERCENT: usize = 40;
/// Letters of a row that are all consonants, or the same, do not occur in words.
const MAX_CONSONANTS: usize = 8;
const MAX_REPEATED: usize = 3;

/// The words of a page: how many there are, and how many of them are legible.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Legibility {
    words: usize,
    legible: usize,
}

impl Legibility {
    /// That of the glyphs of a page, in their order.
    pub(super) fn of(glyphs: &[Glyph]) -> Self {
        let mut text = String::with_capacity(glyphs.len());
        let mut last: Option<&Glyph> = None;
        for glyph in glyphs {
            let is_apart = last.is_some_and(|last| {
                (last.y - glyph.y).abs() > 0.3 * last.size || glyph.x0 - last.x1 > 0.15 * last.size
            });
            if is_apart {
                text.push(' ');
            }
            text.push(glyph.c);
            last = Some(glyph);
        }
        Self::of_text(&text)
    }

    /// That of a text.
    pub(super) fn of_text(text: &str) -> Self {
        let mut found = Self::default();
        for word in text.split_whitespace() {
            found.words += 1;
            found.legible += usize::from(is_legible(word));
        }
        found
    }

    /// Whether the text is to be recognised anew.
    pub(super) fn is_doubtful(self, is_invisible: bool) -> bool {
        let percent = if is_invisible { INVISIBLE_PERCENT } else { VISIBLE_PERCENT };
        self.words >= LEAST_WORDS && self.legible * 100 < self.words * percent
    }

    /// Whether more of this text is legible than of `other`.
    pub(super) fn is_better_than(self, other: Self) -> bool {
        self.legible * other.words.max(1) > other.legible * self.words.max(1)
    }
}

/// Whether a word may be one: a number, or letters of one kind with punctuation around them.
fn is_legible(word: &str) -> bool {
    if word.contains(UNKNOWN) {
        return false;
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
    if word.chars().any(|c| !(c.is_alphabetic() || "-'’./&@·\u{ad}\u{200c}\u{200d}".contains(c) || is_mark(c))) {
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
    // Abbreviations are in capitals.
    letters.len() >= 4 && run == letters.len() && letters.iter().all(|c| c.is_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_in_many_languages_are_legible_and_bad_recognition_is_not() {
        let good = [
            "The invoice of 12.05.2024 amounts to 1,234.50 EUR (IBAN DE89 3704 0044 0532 0130 00), due in 30 days.",
            "Sauvegardez l’ensemble des données à 18h30 ; l’œuvre coûte 12 €.",
            "Źródło: Główny Urząd Statystyczny, ul. Niepodległości 208",
            "Die Rechtschreibprüfung schlägt den Geschichtsschreiber nach.",
            "Программа сохраняет данные каждый день в полночь.",
            "東京都は 日本の 首都 である。",
        ];
        for text in good {
            let found = Legibility::of_text(text);
            assert!(found.legible * 100 >= found.words * INVISIBLE_PERCENT, "{text}: {found:?}");
        }
        let bad = "Tl1e inv0ice 0f ~l2.O5.2O24 am0unts t0 l,234.5O {EUR} |BAN D£89 37O4 due ln 3O d^ys frcm tde d@te ot rec3ipt";
        let found = Legibility::of_text(bad);
        assert!(found.is_doubtful(true), "{found:?}");
        assert!(Legibility::of_text(good[0]).is_better_than(found));
        let wrong = "\u{1}\u{2}#$ %&' (*)+ ,-.\u{fffd} 4%7$ ^~#| }{]|[ &&%$ $#~^ @!}{ ~~|| ^^%$ ##@@ &*&* )(*&";
        assert!(Legibility::of_text(wrong).is_doubtful(false), "{:?}", Legibility::of_text(wrong));
    }

    #[test]
    fn few_words_are_no_evidence() {
        assert!(!Legibility::of_text("x1y2 ~~ |||").is_doubtful(true));
    }
}
