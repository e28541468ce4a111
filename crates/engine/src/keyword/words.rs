//! Splits a text into words, in the same way for every language: at Unicode word boundaries, and into pairs of characters
//! (bigrams) where a script has no spaces. Identifiers such as `ERR-4042` are words besides their pieces.
//!
//! Words are split at apostrophes, so that elided articles can be stop words. Never fails and never recurses.

use std::borrow::Cow;
use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};
use unicode_segmentation::UnicodeSegmentation;

/// Characters beyond which a word is truncated.
const MAX_CHARACTERS: usize = 64;

/// Largest number of pieces of an identifier. What has more is a path or a sentence.
const MAX_PIECES: usize = 8;

/// A word of a text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Word<'a> {
    /// The word in lower case and normal form NFKC, with accents.
    pub text: Cow<'a, str>,
    /// Offset of its first byte in the text.
    pub start: usize,
    /// Offset of the byte after its last.
    pub end: usize,
    /// Position among the pieces of the text, from 0. An identifier has that of its first piece.
    pub position: u32,
    /// It consists of several pieces, such as `ERR-4042`; the pieces follow as words of their own.
    pub is_identifier: bool,
}

/// Calls `take` with the words of a text, by ascending position.
pub fn for_each_word<'a>(text: &'a str, take: &mut impl FnMut(Word<'a>)) {
    let mut buffer = PieceBuffer { text, pieces: Vec::new(), position: 0 };
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
    let (plain, words) = if run.is_ascii() { (Some(run), None) } else { (None, Some(run.unicode_word_indices())) };
    let in_word = |(at, word)| pieces(word).map(move |(from, to)| (at + from, at + to));
    plain.into_iter().flat_map(ascii_pieces).chain(words.into_iter().flatten().flat_map(in_word))
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
    matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
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
        if let (Some((start, _)), Some((_, end))) = (self.pieces.first().copied(), self.pieces.last().copied())
            && (2..=MAX_PIECES).contains(&self.pieces.len())
            && looks_like_identifier(&text[start..end])
        {
            take(Word { text: normalize(&text[start..end]), start, end, position: self.position, is_identifier: true });
        }
        for (start, end) in self.pieces.drain(..) {
            take(Word {
                text: normalize(&text[start..end]),
                start,
                end,
                position: self.position,
                is_identifier: false,
            });
            self.position += 1;
        }
    }

    /// Emits the pairs of a run of characters, or its only character.
    fn flush_pairs(&mut self, run: &mut Vec<(usize, usize)>, take: &mut impl FnMut(Word<'a>)) {
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
                is_identifier: false,
            });
            self.position += 1;
        }
        run.clear();
    }
}

fn is_connector(between: &str) -> bool {
    matches!(between, "-" | "_" | "." | ":" | "::" | "/" | "@" | "\u{2010}" | "\u{2011}")
}

/// Whether connected pieces are a name or code rather than a hyphenated word: they have a digit, or a connector that does
/// not occur in prose.
fn looks_like_identifier(text: &str) -> bool {
    text.chars().any(|character| character.is_numeric() || matches!(character, '_' | '.' | ':' | '@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for_each_word(text, &mut |word| found.push(word.text.into_owned()));
        found
    }

    #[test]
    fn identifiers_are_kept_whole_and_in_parts() {
        assert_eq!(texts("see ERR-4042!"), ["see", "err-4042", "err", "4042"]);
        assert_eq!(texts("max_connections=100"), ["max_connections", "max", "connections", "100"]);
        assert_eq!(texts("foo.bar()"), ["foo.bar", "foo", "bar"]);
        assert_eq!(texts("v1.2.3"), ["v1.2.3", "v1", "2", "3"]);
        assert_eq!(texts("std::io a@b.eu"), ["std::io", "std", "io", "a@b.eu", "a", "b", "eu"]);
        assert_eq!(texts("state-of-the-art"), ["state", "of", "the", "art"]);
        assert_eq!(texts("a/b/c/d/e/f/g/h/i/1").len(), 10);
    }

    #[test]
    fn apostrophes_part_words() {
        assert_eq!(texts("l'été d’Été dell’arte"), ["l", "été", "d", "été", "dell", "arte"]);
    }

    #[test]
    fn composed_and_decomposed_texts_have_the_same_words() {
        for text in ["Données chiffrées", "ガイド한국어", "Żółć ÄÖÜ", "ﬁn ｆｕｌｌ"] {
            let decomposed: String = text.nfd().collect();
            assert_eq!(texts(text), texts(&decomposed), "{text}");
        }
    }

    #[test]
    fn scripts_without_spaces_give_pairs() {
        assert_eq!(texts("東京都 の API"), ["東京", "京都", "の", "api"]);
        assert_eq!(texts("データ"), ["デー", "ータ"]);
        assert_eq!(texts("PostgreSQL入門"), ["postgresql", "入門"]);
    }

    #[test]
    fn ranges_and_positions_are_those_of_the_text() {
        let text = "Élan vital: ERR-1 東京都";
        let mut last = 0;
        for_each_word(text, &mut |word| {
            assert_eq!(normalize(&text[word.start..word.end]), word.text);
            assert!(word.position == last || word.position == last + 1);
            last = word.position;
        });
        assert_eq!(last, 5);
    }

    #[test]
    fn short_cuts_change_nothing() {
        let alphabet: Vec<char> =
            "aZ9 _-.':,;!@/\t\n\u{0b}é\u{301}ﬁ²\u{200d}\u{ad}\u{a0}\u{3000}א\"东カか한ก👩🏽\u{2028}".chars().collect();
        let mut seed = 1_u32;
        for length in (0..60).cycle().take(60_000) {
            let text: String = (0..length)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    alphabet[(seed >> 16) as usize % alphabet.len()]
                })
                .collect();
            let all = text.unicode_word_indices();
            let whole: Vec<(usize, usize)> =
                all.flat_map(|(at, word)| pieces(word).map(move |(from, to)| (at + from, at + to))).collect();
            let by_runs: Vec<(usize, usize)> = runs(&text)
                .flat_map(|(at, run)| pieces_of_run(run).map(move |(from, to)| (at + from, at + to)))
                .collect();
            assert_eq!(by_runs, whole, "{text:?}");
        }
    }

    #[test]
    fn a_word_is_bounded() {
        assert_eq!(texts(&"é".repeat(100_000))[0].chars().count(), MAX_CHARACTERS);
        assert_eq!(texts(&"a.".repeat(100_000)).len(), 100_000);
        assert!(texts("… — !? \u{0} \u{300}").is_empty());
    }
}
