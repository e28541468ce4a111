//! Finds a quote in a text by its characters other than white space, at its old place or elsewhere.

use super::attribution::mark;
use super::{content_hash, on_one_line};
use crate::{Result, memory};
use std::ops::Range;

/// Most letters of a piece, so that the place of each is found soon.
const PIECE_LETTERS: usize = 256;

/// Memory for each byte of a text: itself, and its share of the pieces, which are words as a rule.
const BYTES_EACH: usize = 16;

/// Most occurrences of a quote that are looked at, the nearest ones.
const MAX_OCCURRENCES: usize = 20;

/// The characters of a text that are no white space, each with its position.
#[derive(Debug, Default)]
pub struct Letters {
    text: String,
    pieces: Vec<Piece>,
}

/// Letters that stand together.
#[derive(Debug)]
struct Piece {
    /// Their first byte among all letters.
    at: usize,
    /// Their place.
    place: Range<usize>,
    /// Each letter is one position; otherwise all of them stand at the whole place.
    is_exact: bool,
}

impl Letters {
    /// Those of a text, whose positions are its characters from 0.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn new(text: &str) -> Result<Self> {
        memory::ensure(text.len().saturating_mul(BYTES_EACH))?;
        let mut letters = Self::default();
        let mut room = 0;
        for (at, letter) in text.chars().enumerate() {
            if letter.is_whitespace() {
                room = 0;
                continue;
            }
            if room == 0 {
                letters.pieces.push(Piece { at: letters.text.len(), place: at..at, is_exact: true });
                room = PIECE_LETTERS;
            }
            room -= 1;
            letters.text.push(letter);
            if let Some(piece) = letters.pieces.last_mut() {
                piece.place.end = at + 1;
            }
        }
        Ok(letters)
    }

    /// Appends the letters of a text that stands at `place` as a whole.
    pub fn extend(&mut self, text: &str, place: &Range<usize>) {
        self.pieces.push(Piece { at: self.text.len(), place: place.clone(), is_exact: false });
        self.text.extend(text.chars().filter(|letter| !letter.is_whitespace()));
    }

    /// The place of the letter that begins at a byte.
    fn place(&self, at: usize) -> Option<Range<usize>> {
        let next = self.pieces.partition_point(|piece| piece.at <= at);
        let piece = self.pieces.get(next.checked_sub(1)?)?;
        if !piece.is_exact {
            return Some(piece.place.clone());
        }
        let start = piece.place.start + self.text[piece.at..at].chars().count();
        Some(start..start + 1)
    }

    /// Where a quote stands, nearest to `near` first, as far as there are not too many; nowhere for one without letters.
    pub fn occurrences(&self, quote: &str, near: usize) -> Vec<Range<usize>> {
        let quote: String = quote.chars().filter(|letter| !letter.is_whitespace()).collect();
        let last = quote.len() - quote.chars().next_back().map_or(0, char::len_utf8);
        if quote.is_empty() {
            return Vec::new();
        }
        let found = self.text.match_indices(&quote);
        let places = found.filter_map(|(at, _)| Some(self.place(at)?.start..self.place(at + last)?.end));
        let mut places: Vec<Range<usize>> = places.collect();
        places.sort_by_key(|place| place.start.abs_diff(near));
        places.truncate(MAX_OCCURRENCES);
        places
    }
}

/// A part of a text by characters, from `start` on and up to `end`; what lies beyond the text is left out.
pub fn characters(text: &str, range: Range<usize>) -> &str {
    let mut places = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    let start = places.nth(range.start).unwrap_or(text.len());
    let end = range.len().checked_sub(1).map_or(start, |count| places.nth(count).unwrap_or(text.len()));
    &text[start..end]
}

/// Where a quote of this hash stands, nearest to `near`.
///
/// # Errors
/// `OutOfMemory`.
pub fn nearest(text: &str, quote: &str, hash: &str, near: usize) -> Result<Option<Range<usize>>> {
    let occurrences = Letters::new(text)?.occurrences(quote, near);
    Ok(occurrences.into_iter().find(|range| content_hash(characters(text, range.clone())) == hash))
}

/// The sentences of an answer as one text, each with its number after it.
pub fn compose<'a>(sentences: impl Iterator<Item = (usize, &'a str)>) -> String {
    sentences.map(|(number, text)| format!("{} [{number}]", readable(text))).collect::<Vec<_>>().join(" ")
}

/// A sentence of a document on one line, with its own references, such as `[3]`, in round brackets: in an answer, square
/// ones are citations. Code stays as it is.
pub fn readable(text: &str) -> String {
    let text = on_one_line(text);
    let mut readable = String::with_capacity(text.len());
    for (at, part) in text.split('`').enumerate() {
        if at > 0 {
            readable.push('`');
        }
        let mut rest = part;
        while let Some(range) = mark(rest).filter(|_| at % 2 == 0) {
            readable.push_str(&rest[..range.start]);
            let inside = rest[range.clone()].trim_matches(['[', ']', '【', '】']);
            readable.push_str(&format!("({inside})"));
            rest = &rest[range.end..];
        }
        readable.push_str(rest);
    }
    readable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_is_found_whatever_the_white_space_and_nearest_to_its_place() {
        let text = "é one  two. x one two.";
        let letters = Letters::new(text).unwrap();
        assert_eq!(letters.occurrences("one two.", 0), [2..11, 14..22]);
        assert_eq!(letters.occurrences("é", 9).first(), Some(&(0..1)));
        let nearest = |text: &str, near| nearest(text, "one two.", &content_hash("one two."), near).unwrap();
        assert_eq!((nearest(text, 20), nearest(text, 3)), (Some(14..22), Some(2..11)));
        assert_eq!(nearest("on etwo.", 0), None, "other words");
        assert_eq!(Letters::new("abc").unwrap().occurrences(" \n", 0), []);
    }

    #[test]
    fn many_occurrences_take_no_time() {
        let text = "a".repeat(1_000_000);
        let letters = Letters::new(&text).unwrap();
        let nearest = letters.occurrences("a", 700_000);
        assert_eq!((nearest.len(), nearest[0].clone()), (MAX_OCCURRENCES, 700_000..700_001));
    }

    #[test]
    fn parts_without_exact_places_have_the_place_of_the_whole() {
        let mut letters = Letters::default();
        letters.extend("one t", &(3..20));
        letters.extend("wo é", &(20..40));
        assert_eq!(letters.occurrences("one", 0).first(), Some(&(3..20)));
        assert_eq!(letters.occurrences("two é", 0).first(), Some(&(3..40)));
    }

    #[test]
    fn characters_beyond_a_text_are_left_out() {
        assert_eq!(characters("aéb", 1..3), "éb");
        assert_eq!(characters("aéb", 2..9), "b");
        assert_eq!(characters("aéb", 7..9), "");
        assert_eq!(characters("aéb", 1..1), "");
    }

    #[test]
    fn an_answer_has_a_number_after_each_sentence() {
        assert_eq!(compose([(1, "One\nline."), (2, "Two.")].into_iter()), "One line. [1] Two. [2]");
        assert_eq!(
            compose([(1, "See [3]. And【4, 5】in `a[1]`, or [x].")].into_iter()),
            "See (3). And(4, 5)in `a[1]`, or [x]. [1]"
        );
    }
}
