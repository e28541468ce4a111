//! How sure the model is of the part of a page that it is least sure of: a mean hides lines in a script that it does not know.

use socle_ocr::{Recognized, Word};

/// Fewest characters of a line that is looked at: of fewer, a single one decides.
const LONG_LINE: usize = 12;
/// Number of characters that cannot be read, below which they may be specks.
pub(super) const SPECKS: u32 = 20;
/// Letters of each of two alphabets in a word that is a guess.
const LETTERS: usize = 2;

/// The least confidence of a line, 0 to 1: 0 where there is writing that cannot be read, or a word in two alphabets; `None` of a
/// page without long lines.
pub(super) fn least_confidence(read: &Recognized) -> Option<f32> {
    if read.unread > SPECKS || read.words.iter().any(|word| is_of_two_alphabets(&word.text)) {
        return Some(0.0);
    }
    let characters = |word: &Word| word.text.chars().count();
    let lines = read.words.chunk_by(|a, b| a.line == b.line).filter_map(|line| {
        let count: usize = line.iter().map(characters).sum();
        let sure: f32 = line.iter().map(|word| word.confidence * characters(word) as f32).sum();
        (count >= LONG_LINE).then(|| sure / count as f32)
    });
    lines.reduce(f32::min)
}

/// Whether a word has letters of the Latin alphabet and of one whose letters look like them.
fn is_of_two_alphabets(word: &str) -> bool {
    let latin = word.chars().filter(char::is_ascii_alphabetic).count();
    let other = word.chars().filter(|c| matches!(c, '\u{370}'..='\u{52f}')).count();
    latin >= LETTERS && other >= LETTERS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(lines: &[(&str, f32)], unread: u32) -> Recognized {
        let word = |(line, (text, confidence)): (u32, &(&str, f32))| {
            let word =
                move |text: &str| Word { text: text.into(), quad: [(0.0, 0.0); 4], confidence: *confidence, line };
            text.split(' ').map(word).collect::<Vec<_>>()
        };
        Recognized { words: (0..).zip(lines).flat_map(word).collect(), unread, ..Recognized::default() }
    }

    #[test]
    fn the_least_sure_line_is_told() {
        let lines = [("the buyer shall pay", 0.99), ("short", 0.2), ("ααστ ελει να πλει", 0.77)];
        assert_eq!(least_confidence(&page(&lines, 3)), Some(0.77));
        assert_eq!(least_confidence(&page(&lines[1..2], 0)), None);
        assert_eq!(least_confidence(&page(&lines[..1], 64)), Some(0.0), "writing that cannot be read");
        assert_eq!(least_confidence(&page(&[("a contract with Pomaωκa", 0.95)], 0)), Some(0.0));
        assert_eq!(least_confidence(&page(&[("12 µm of ΔT and β-testing", 0.95)], 0)), Some(0.95));
    }
}
