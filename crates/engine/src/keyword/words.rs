//! Splits a text into words, in the same way for every language: at Unicode word boundaries, and into pairs of characters
//! (bigrams) where a script has no spaces. A word that can be spelt in several ways has its other spellings besides: see
//! [`WordForm`] and the module `spelling`.
//!
//! Words are split at apostrophes, so that elided articles can be stop words. Never fails and never recurses.

use super::spelling::{
    Numbers, is_elided, is_in_capitals, is_name_after_apostrophe, joined, name_of_symbol, parts, symbol, version,
};
use std::borrow::Cow;
use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};
use unicode_segmentation::UnicodeSegmentation;

/// Characters beyond which a word is truncated.
const MAX_CHARACTERS: usize = 64;

/// Largest number of pieces of an identifier. What has more is a path or a sentence.
const MAX_PIECES: usize = 8;

/// How a word stands in the text.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum WordForm {
    /// As a piece between two separators. Every other form is a spelling of one or more pieces.
    Piece,
    /// As a name or code with its separators, such as `ERR-4042`, `C++` or a date in ISO 8601. It is never stemmed.
    Identifier,
    /// As pieces that can be written together: `wifi` for `Wi-Fi`, `12500` for `12,500`.
    Joined,
    /// As a part of a piece: `user` for `getUserById`, `iso` for `ISO27001`.
    Part,
}

/// A word of a text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Word<'a> {
    /// The word in lower case and normal form NFKC, with accents.
    pub text: Cow<'a, str>,
    /// Offset of its first byte in the text.
    pub start: usize,
    /// Offset of the byte after its last.
    pub end: usize,
    /// Position among the pieces of the text, from 0. Another spelling has that of one of its pieces.
    pub position: u32,
    /// How it stands in the text.
    pub form: WordForm,
    /// Whether it may be a stop word: an acronym such as `IT` and a letter on its own are none.
    pub may_be_stop_word: bool,
}

impl Word<'_> {
    /// Whether it is a piece of the text.
    pub fn is_piece(&self) -> bool {
        self.form == WordForm::Piece
    }

    /// Whether it is an identifier.
    pub fn is_identifier(&self) -> bool {
        self.form == WordForm::Identifier
    }
}

/// Calls `take` with the words of a text, by ascending position.
pub fn for_each_word<'a>(text: &'a str, take: &mut impl FnMut(Word<'a>)) {
    let mut buffer = PieceBuffer {
        text,
        pieces: Vec::new(),
        position: 0,
        numbers: Numbers::default(),
        last: 0..0,
        after_capitals: false,
    };
    let mut characters: Vec<(usize, usize)> = Vec::new();
    for (at, run) in runs(text) {
        for (from, to) in pieces_of_run(run) {
            let (start, end) = (at + from, at + to);
            if text[start..end].chars().next().is_some_and(is_unspaced_script) {
                buffer.flush(take);
                if characters.last().is_some_and(|last| last.1 != start) {
                    buffer.flush_pairs(&mut characters, take);
                }
                let units = text[start..end].grapheme_indices(true);
                characters.extend(units.map(|(unit, cluster)| (start + unit, start + unit + cluster.len())));
            } else {
                buffer.flush_pairs(&mut characters, take);
                buffer.push(start, end, take);
            }
        }
    }
    buffer.flush_pairs(&mut characters, take);
    buffer.flush(take);
    buffer.flush_numbers(take);
}

/// A word in lower case and normal form NFKC, truncated to `MAX_CHARACTERS`.
pub fn normalize(word: &str) -> Cow<'_, str> {
    let text = if word.is_ascii() {
        if word.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(word.to_ascii_lowercase())
        } else {
            Cow::Borrowed(word)
        }
    } else {
        let mut text = if is_nfkc_quick(word.chars()) == IsNormalized::Yes {
            word.to_lowercase()
        } else {
            word.nfkc().collect::<String>().to_lowercase()
        };
        text.retain(|character| !is_format(character));
        // Lower case may be denormalized: capital I with dot becomes i and a combining dot above.
        Cow::Owned(if is_nfkc_quick(text.chars()) == IsNormalized::Yes { text } else { text.nfkc().collect() })
    };
    match text.char_indices().nth(MAX_CHARACTERS) {
        None => text,
        Some((end, _)) => Cow::Owned(text[..end].to_string()),
    }
}

/// Splits a text after ASCII white space, which no word contains. Returns the offset and text of each run.
fn runs(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut next = 0;
    text.split_inclusive(|character: char| character.is_ascii_whitespace()).map(move |run| {
        let start = next;
        next += run.len();
        (start, run)
    })
}

/// The pieces of a run, as byte ranges. An ASCII run needs no Unicode rules: adjacent letters and digits are one piece.
fn pieces_of_run(run: &str) -> impl Iterator<Item = (usize, usize)> {
    let (plain, words) = if run.is_ascii() { (Some(run), None) } else { (None, Some(run.split_word_bound_indices())) };
    plain.into_iter().flat_map(ascii_pieces).chain(words.into_iter().flatten().flat_map(pieces_of_segment))
}

/// The pieces of a segment between two word boundaries.
fn pieces_of_segment((at, segment): (usize, &str)) -> impl Iterator<Item = (usize, usize)> {
    let symbol = is_emoji(segment).then_some((at, at + segment.len()));
    symbol.into_iter().chain(pieces(segment).map(move |(from, to)| (at + from, at + to)))
}

/// Whether a segment is an emoji, which is a word of its own.
fn is_emoji(segment: &str) -> bool {
    let first = segment.chars().next().map_or(0, u32::from);
    // Without the colours of skin, which belong to the sign before.
    matches!(first, 0x2600..=0x27bf | 0x2b50 | 0x2b55 | 0x1f000..=0x1f3fa | 0x1f400..=0x1faff)
}

fn ascii_pieces(run: &str) -> impl Iterator<Item = (usize, usize)> {
    let bytes = run.as_bytes();
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + bytes[from..].iter().position(u8::is_ascii_alphanumeric)?;
        let length = bytes[start..].iter().position(|byte| !byte.is_ascii_alphanumeric());
        from = length.map_or(bytes.len(), |length| start + length);
        Some((start, from))
    })
}

/// The pieces of a Unicode word, as byte ranges: split at separators and between scripts with and without spaces.
fn pieces(word: &str) -> impl Iterator<Item = (usize, usize)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let rest = &word[from..];
        let start = from + rest.find(char::is_alphanumeric)?;
        let class = word[start..].chars().next().is_some_and(is_unspaced_script);
        let inside = |character: char| {
            is_combining_mark(character)
                || is_format(character)
                || (character.is_alphanumeric() && is_unspaced_script(character) == class)
        };
        let end = word[start..].find(|character| !inside(character)).map_or(word.len(), |length| start + length);
        from = end;
        Some((start, end))
    })
}

/// Invisible characters that occur inside words: soft hyphen, joiners, byte order mark.
fn is_format(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{fe0e}' | '\u{fe0f}' | '\u{feff}')
}

/// Whether a character is of a script without spaces between words, or Hangul, whose words include particles.
fn is_unspaced_script(character: char) -> bool {
    matches!(
        u32::from(character),
        0x0e00..=0x0eff
            | 0x1000..=0x109f
            | 0x1100..=0x11ff
            | 0x1780..=0x17ff
            | 0x3005..=0x3007
            | 0x3040..=0x318f
            | 0x31f0..=0x31ff
            | 0x3400..=0x4dbf
            | 0x4e00..=0x9fff
            | 0xa960..=0xa97f
            | 0xac00..=0xd7ff
            | 0xf900..=0xfaff
            | 0xff66..=0xffdc
            | 0x20000..=0x3ffff
    )
}

/// Pieces that are connected by one character, and so may be an identifier.
struct PieceBuffer<'a> {
    text: &'a str,
    pieces: Vec<(usize, usize)>,
    position: u32,
    /// Numbers that stand beside each other.
    numbers: Numbers,
    /// The last piece.
    last: std::ops::Range<usize>,
    /// The last piece is written in capital letters.
    after_capitals: bool,
}

impl<'a> PieceBuffer<'a> {
    fn push(&mut self, start: usize, end: usize, take: &mut impl FnMut(Word<'a>)) {
        if let Some((_, last)) = self.pieces.last()
            && !is_connector(&self.text[*last..start])
        {
            self.flush(take);
        }
        self.pieces.push((start, end));
    }

    fn flush(&mut self, take: &mut impl FnMut(Word<'a>)) {
        let text = self.text;
        if let (Some((start, first_end)), Some((_, end))) = (self.pieces.first().copied(), self.pieces.last().copied())
        {
            if !self.numbers.follows(text, start, first_end) {
                self.flush_numbers(take);
            }
            let whole = &text[start..end];
            if (2..=MAX_PIECES).contains(&self.pieces.len()) {
                if looks_like_identifier(whole) {
                    self.spell(normalize(whole), (start, end), WordForm::Identifier, take);
                    if let Some(version) = version(whole) {
                        self.spell(normalize(version), (start, end), WordForm::Identifier, take);
                    }
                }
                if let Some(joined) = joined(text, &self.pieces) {
                    self.spell(Cow::Owned(normalize(&joined).into_owned()), (start, end), WordForm::Joined, take);
                }
            }
        }
        let mut pieces = std::mem::take(&mut self.pieces);
        for (start, end) in pieces.drain(..) {
            self.piece(start, end, take);
        }
        self.pieces = pieces;
    }

    /// Emits a piece and the spellings that it has.
    fn piece(&mut self, start: usize, end: usize, take: &mut impl FnMut(Word<'a>)) {
        let text = self.text;
        let raw = &text[start..end];
        if !self.numbers.follows(text, start, end) {
            self.flush_numbers(take);
        }
        let word = normalize(raw);
        let (capitals, after_capitals) = (is_in_capitals(raw), self.after_capitals);
        let is_letter = matches!(&*word, "c" | "d" | "j" | "l" | "m" | "n" | "q" | "s" | "t");
        let may_be_stop_word = (!capitals || after_capitals) && (!is_letter || is_elided(text, start, end));
        let position = self.position;
        take(Word { text: word, start, end, position, form: WordForm::Piece, may_be_stop_word });
        self.position += 1;
        if let Some((from, to)) = symbol(text, start, end) {
            let whole = normalize(&text[from..to]);
            if let Some(name) = name_of_symbol(&whole) {
                self.spell(Cow::Borrowed(name), (from, to), WordForm::Joined, take);
            }
            self.spell(whole, (from, to), WordForm::Identifier, take);
        }
        if is_name_after_apostrophe(text, &self.last, start) {
            let name = format!("{}{raw}", &text[self.last.clone()]);
            let range = (self.last.start, end);
            self.spell(Cow::Owned(normalize(&name).into_owned()), range, WordForm::Joined, take);
        }
        for part in parts(raw) {
            let (from, to) = (start + part.start, start + part.end);
            self.spell(normalize(&text[from..to]), (from, to), WordForm::Part, take);
        }
        let dates = self.numbers.push(text, start, end);
        for (from, date) in dates {
            self.spell(Cow::Owned(date), (from, end), WordForm::Identifier, take);
        }
        (self.last, self.after_capitals) = (start..end, capitals);
    }

    /// Emits another spelling at the position of the last piece, or of the next one where there is none.
    fn spell(
        &mut self,
        text: Cow<'a, str>,
        (start, end): (usize, usize),
        form: WordForm,
        take: &mut impl FnMut(Word<'a>),
    ) {
        // Spellings of connected pieces come before these, all others after theirs.
        let position = if self.pieces.is_empty() { self.position.saturating_sub(1) } else { self.position };
        take(Word { text, start, end, position, form, may_be_stop_word: false });
    }

    fn flush_numbers(&mut self, take: &mut impl FnMut(Word<'a>)) {
        let range = self.numbers.range();
        for number in self.numbers.take(self.text) {
            let position = self.position.saturating_sub(1);
            let (start, end) = range;
            take(Word {
                text: Cow::Owned(number),
                start,
                end,
                position,
                form: WordForm::Joined,
                may_be_stop_word: false,
            });
        }
    }

    /// Emits the pairs of a run of characters, or its only character.
    fn flush_pairs(&mut self, run: &mut Vec<(usize, usize)>, take: &mut impl FnMut(Word<'a>)) {
        if !run.is_empty() {
            self.flush_numbers(take);
        }
        let last = run.len().saturating_sub(1);
        for (at, (start, end)) in run.iter().copied().enumerate() {
            if at == last && last > 0 {
                break;
            }
            let end = run.get(at + 1).map_or(end, |next| next.1);
            take(Word {
                text: normalize(&self.text[start..end]),
                start,
                end,
                position: self.position,
                form: WordForm::Piece,
                may_be_stop_word: true,
            });
            self.position += 1;
        }
        run.clear();
    }
}

fn is_connector(between: &str) -> bool {
    matches!(between, "-" | "_" | "." | ":" | "::" | "/" | "@" | "&" | "\u{2010}" | "\u{2011}")
}

/// Whether connected pieces are a name or code rather than a hyphenated word: they have a digit, or a connector that does
/// not occur in prose.
fn looks_like_identifier(text: &str) -> bool {
    text.chars().any(|character| character.is_numeric() || matches!(character, '_' | '.' | ':' | '@' | '&'))
}

#[cfg(test)]
mod tests;
