//! Splits texts into requests: small ones, so that sessions take turns in the engine.

use std::ops::Range;

/// Most texts in one request.
const REQUEST_TEXTS: usize = 64;
/// Most bytes of text in one request, unless a single text is larger.
const REQUEST_BYTES: usize = 16 << 10;

/// The range of texts of each request.
pub fn split(texts: &[&str]) -> Vec<Range<usize>> {
    let mut requests: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (at, text) in texts.iter().enumerate() {
        bytes += text.len();
        match requests.last_mut() {
            Some(last) if last.len() < REQUEST_TEXTS && bytes <= REQUEST_BYTES => last.end = at + 1,
            _ => {
                requests.push(at..at + 1);
                bytes = text.len();
            }
        }
    }
    requests
}
