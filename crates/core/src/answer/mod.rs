//! Answers from passages: what fits a number of tokens, sentences, which of them answer a question, and whether a quote
//! still stands in its document.
//!
//! Decides on texts and numbers alone. Searching, models and the keyword index are the callers' part.

pub mod attribution;
pub mod choose;
pub mod citation;
pub mod context;
pub mod conversation;
pub mod particular;
pub mod prompt;
pub mod quality;
pub mod sentence;

use sha2::{Digest, Sha256};

/// A text on one line: each run of white space is one space, and none stands at the ends.
pub fn on_one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// A generated text without signs that no sentence has and that a terminal or a page may obey: control characters other than
/// line feeds and tabs, and those that turn the direction of what follows.
pub fn printable(text: &str) -> String {
    let turns = |sign: char| matches!(sign, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|sign| matches!(sign, '\n' | '\t') || !(sign.is_control() || turns(*sign))).collect()
}

/// SHA-256 of [`on_one_line`], in hexadecimal digits. White space is not compared, because the chunks of a document leave
/// some out between them, and markup shows it in its own way.
pub fn content_hash(text: &str) -> String {
    Sha256::digest(on_one_line(text)).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_or_a_page_would_obey_is_left_out() {
        assert_eq!(printable("a\u{1b}[2J\u{202e}b\u{202c}\0\u{9b}\tc\r\nd \u{200d}é"), "a[2Jb\tc\nd \u{200d}é");
    }

    #[test]
    fn white_space_does_not_change_a_hash_and_words_do() {
        assert_eq!(content_hash("a  b\n\nc "), content_hash("a b c"));
        assert_ne!(content_hash("ab c"), content_hash("a bc"));
        assert_eq!(content_hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
