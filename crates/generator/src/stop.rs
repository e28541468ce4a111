//! The end of an answer at a stop text, and the assembly of bytes to characters.
//!
//! A token may end in the middle of a character or of a stop text, so that bytes are held back until it is clear what they
//! are.

use socle_core::{Error, Kind, Result};

/// Most stop texts of a request.
const MAX_STOPS: usize = 16;

/// Most bytes of a stop text.
const MAX_STOP_BYTES: usize = 256;

/// The text of an answer as it grows.
#[derive(Debug)]
pub struct AnswerText {
    stops: Vec<Vec<u8>>,
    /// Bytes that were not yet returned.
    held: Vec<u8>,
}

/// What a piece of the answer has led to.
#[derive(Debug, Eq, PartialEq)]
pub struct Piece {
    /// Characters that are certain.
    pub text: String,
    /// Whether a stop text was found, which is no part of the answer.
    pub stopped: bool,
}

impl AnswerText {
    /// An empty answer that ends before each of these texts.
    ///
    /// # Errors
    /// `InvalidArgument` when a stop text is empty or too long, or there are too many.
    pub fn new(stops: &[&str]) -> Result<Self> {
        if stops.len() > MAX_STOPS {
            return Err(Error::new(Kind::InvalidArgument, "there are too many stop texts")
                .detail(format!("There are {}, the limit is {MAX_STOPS}.", stops.len())));
        }
        if stops.iter().any(|stop| stop.is_empty() || stop.len() > MAX_STOP_BYTES) {
            return Err(Error::new(Kind::InvalidArgument, "a stop text is empty or too long")
                .detail(format!("A stop text has 1 to {MAX_STOP_BYTES} bytes.")));
        }
        Ok(Self { stops: stops.iter().map(|stop| stop.as_bytes().to_vec()).collect(), held: Vec::new() })
    }

    /// Appends bytes. Returns the characters that are certain by now.
    pub fn push(&mut self, bytes: &[u8]) -> Piece {
        self.held.extend_from_slice(bytes);
        let found = self.stops.iter().filter_map(|stop| find(&self.held, stop)).min();
        if let Some(at) = found {
            self.held.truncate(at);
            return Piece { text: self.finish(), stopped: true };
        }
        let open = (1..self.held.len().min(MAX_STOP_BYTES) + 1)
            .rev()
            .find(|length| {
                let end = &self.held[self.held.len() - length..];
                self.stops.iter().any(|stop| stop.len() > end.len() && stop.starts_with(end))
            })
            .unwrap_or(0);
        let certain = self.held.len() - open;
        let rest = self.held.split_off(certain - incomplete(&self.held[..certain]));
        let text = readable(&std::mem::replace(&mut self.held, rest));
        Piece { text, stopped: false }
    }

    /// Returns what was held back, at the end of the answer.
    pub fn finish(&mut self) -> String {
        readable(&std::mem::take(&mut self.held))
    }
}

/// The text of these bytes. What is no character becomes U+FFFD, and so does NUL, which PostgreSQL cannot store.
fn readable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}")
}

/// The number of bytes at the end that may be the beginning of a character.
fn incomplete(bytes: &[u8]) -> usize {
    for length in 1..=bytes.len().min(3) {
        let byte = bytes[bytes.len() - length];
        if byte >= 0xc0 {
            let needed = match byte {
                0xf0..=0xf7 => 4,
                0xe0..=0xef => 3,
                _ => 2,
            };
            return if needed > length { length } else { 0 };
        }
        if byte < 0x80 {
            return 0;
        }
    }
    0
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces of an answer whose bytes come in parts of this size, and whether it was stopped.
    fn pieces(text: &[u8], size: usize, stops: &[&str]) -> (Vec<String>, bool) {
        let mut answer = AnswerText::new(stops).unwrap();
        let mut pieces = Vec::new();
        for part in text.chunks(size) {
            let piece = answer.push(part);
            pieces.push(piece.text);
            if piece.stopped {
                return (pieces, true);
            }
        }
        pieces.push(answer.finish());
        (pieces, false)
    }

    #[test]
    fn pieces_have_whole_characters() {
        let text = "Straße 日本 \u{1f600}!";
        for size in 1..=text.len() {
            let (pieces, stopped) = pieces(text.as_bytes(), size, &[]);
            assert_eq!(pieces.concat(), text, "parts of {size}");
            assert!(!stopped);
        }
        assert_eq!(pieces(&[b'a', 0xff, b'b', 0xc3], 1, &[]).0.concat(), "a\u{fffd}b\u{fffd}");
        assert_eq!(pieces(b"a\0b", 3, &[]).0.concat(), "a\u{fffd}b");
    }

    #[test]
    fn an_answer_ends_before_its_first_stop_text() {
        let text = "one two\n\nthree END";
        for size in 1..=text.len() {
            let (pieces, stopped) = pieces(text.as_bytes(), size, &["END", "\n\n"]);
            assert_eq!((pieces.concat().as_str(), stopped), ("one two", true), "parts of {size}");
        }
        assert_eq!(pieces(b"\nx", 1, &["\n\n"]).0, ["", "\nx", ""]);
        assert_eq!(pieces(b"ab\n", 3, &["\n\n"]).0, ["ab", "\n"]);
        assert_eq!(pieces("é stop".as_bytes(), 1, &["stop"]).0.concat(), "é ");
    }

    #[test]
    fn stop_texts_are_bounded() {
        for stops in [vec![""], vec!["x"; 17]] {
            assert_eq!(AnswerText::new(&stops).unwrap_err().kind, Kind::InvalidArgument);
        }
        assert!(AnswerText::new(&["x".repeat(257).as_str()]).is_err());
    }
}
