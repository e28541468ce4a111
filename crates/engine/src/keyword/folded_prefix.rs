//! The words of a dictionary that begin with a prefix, whatever accents either has: an automaton over UTF-8.

use super::fold::fold;
use tantivy_fst::Automaton;

/// Accepts words whose folded form begins with a prefix.
#[derive(Debug)]
pub struct FoldedPrefix(Vec<char>);

/// What has been read of a word: how much of the prefix that matches, and the bytes of a character that is not complete.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    matched: usize,
    bytes: [u8; 4],
    count: u8,
    failed: bool,
}

impl FoldedPrefix {
    /// The automaton for a normalized prefix.
    pub fn new(prefix: &str) -> Self {
        Self(fold(prefix).chars().collect())
    }

    fn is_matched(&self, progress: &Progress) -> bool {
        progress.matched == self.0.len()
    }

    /// The state after a whole character, which folds to any number of others.
    fn read(&self, mut progress: Progress, character: &str) -> Progress {
        for folded in fold(character).chars() {
            if self.is_matched(&progress) {
                break;
            }
            if self.0[progress.matched] != folded {
                return Progress { failed: true, ..progress };
            }
            progress.matched += 1;
        }
        progress
    }
}

impl Automaton for FoldedPrefix {
    type State = Progress;

    fn start(&self) -> Progress {
        Progress::default()
    }

    fn is_match(&self, state: &Progress) -> bool {
        !state.failed && self.is_matched(state)
    }

    fn can_match(&self, state: &Progress) -> bool {
        !state.failed
    }

    fn will_always_match(&self, state: &Progress) -> bool {
        self.is_match(state)
    }

    fn accept(&self, state: &Progress, byte: u8) -> Progress {
        if state.failed || self.is_matched(state) {
            return *state;
        }
        let mut next = *state;
        let Some(place) = next.bytes.get_mut(usize::from(next.count)) else {
            return Progress { failed: true, ..next };
        };
        *place = byte;
        next.count += 1;
        let bytes = next.bytes;
        match std::str::from_utf8(&bytes[..usize::from(next.count)]) {
            Ok(character) => self.read(Progress { count: 0, ..next }, character),
            // The beginning of a character.
            Err(error) if error.error_len().is_none() => next,
            Err(_) => Progress { failed: true, ..next },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(prefix: &str, word: &[u8]) -> bool {
        let automaton = FoldedPrefix::new(prefix);
        let end = word.iter().fold(automaton.start(), |state, byte| automaton.accept(&state, *byte));
        automaton.is_match(&end)
    }

    #[test]
    fn accents_of_prefix_and_word_do_not_matter() {
        for (prefix, word) in [
            ("ele", "élève"),
            ("élè", "eleve"),
            ("stras", "straße"),
            ("strass", "straße"),
            ("o", "œuvre"),
            ("oeu", "œuvre"),
            ("œ", "oeuvre"),
            ("λογ", "λόγος"),
            ("東", "東京"),
            ("e", "e\u{301}te\u{301}"),
            ("et", "e\u{301}te\u{301}"),
            ("back", "backup"),
            ("backup", "backup"),
        ] {
            assert!(accepts(prefix, word.as_bytes()), "{prefix} {word}");
        }
        for (prefix, word) in
            [("ele", "elle"), ("backup", "back"), ("é", "f"), ("東", "京"), ("a", "\u{1}a"), ("a", "")]
        {
            assert!(!accepts(prefix, word.as_bytes()), "{prefix} {word}");
        }
        assert!(!accepts("a", &[0xc3, 0x28, b'a']), "what is no UTF-8 matches nothing");
        assert!(!accepts("é", &[0xc3]), "nor does half a character");
    }
}
