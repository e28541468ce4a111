//! Words in which a character follows itself: in long lines, the graph may read it once less.

use crate::characters::Characters;
use crate::line::{Line, LineWord};
use crate::pixels::Pixels;
use crate::shape::{Place, Point};
use crate::tensor::Graphs;
use socle_core::Result;

/// How often a character follows itself in a word that is read again; and the number of digits from which any word is, as the
/// number of an account.
const RUN: usize = 3;
const MANY_DIGITS: usize = 8;

/// What is read before and after a word, as a share of its height: less than a space.
const MARGIN: f32 = 0.12;

/// Reads a word alone, if it may lack characters that repeat, and takes those that it has more of.
///
/// # Errors
/// As the recognition graph and [`Characters::read`].
pub(crate) fn complete(
    word: &mut LineWord,
    pixels: &Pixels<'_>,
    graphs: &dyn Graphs,
    characters: &Characters,
) -> Result<()> {
    if !is_doubtful(&word.text) {
        return Ok(());
    }
    let output = graphs.recognize(Line::alone(pixels, &widened(word.quad)))?;
    let read: String = characters.read(&output)?.iter().map(|read| read.text).collect();
    let read = read.trim();
    if read.len() > word.text.len() && once(read).eq(once(&word.text)) {
        word.text = read.to_string();
    }
    Ok(())
}

fn is_doubtful(text: &str) -> bool {
    let mut last = None;
    let mut count = 0;
    let has_run = text.chars().any(|c| {
        count = if last == Some(c) && c.is_alphanumeric() { count + 1 } else { 1 };
        last = Some(c);
        count >= RUN
    });
    has_run || text.chars().filter(char::is_ascii_digit).count() >= MANY_DIGITS
}

/// The characters of a text, each of those that follow one another once.
fn once(text: &str) -> impl Iterator<Item = char> {
    let mut last = None;
    text.chars().filter(move |c| last.replace(*c) != Some(*c))
}

/// A word with its margins.
fn widened([a, b, c, d]: [Point; 4]) -> Place {
    let place = Place::straight([a, b, c, d]);
    let share = MARGIN * place.height() / place.length().max(1.0);
    let beyond = |from: Point, to: Point| (to.0 + (to.0 - from.0) * share, to.1 + (to.1 - from.1) * share);
    Place::straight([beyond(b, a), beyond(a, b), beyond(d, c), beyond(c, d)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_repeated_characters_are_doubtful() {
        for text in ["DE98ZZZ099", "1000", "4711081500", "www.example.org", "12.345.678"] {
            assert!(is_doubtful(text), "{text}");
        }
        for text in ["Zoll", "44.00", "2026-11", "...", "-----"] {
            assert!(!is_doubtful(text), "{text}");
        }
    }

    #[test]
    fn texts_are_compared_by_what_does_not_repeat() {
        assert!(once("1000010").eq(once("10010")));
        assert!(!once("1000010").eq(once("1000")));
    }

    #[test]
    fn a_word_is_read_with_a_little_of_what_is_beside_it() {
        let place = widened([(10.0, 0.0), (110.0, 0.0), (110.0, 50.0), (10.0, 50.0)]);
        assert_eq!(place.corners, [(4.0, 0.0), (116.0, 0.0), (116.0, 50.0), (4.0, 50.0)]);
    }
}
