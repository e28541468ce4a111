//! Splits texts into requests: small ones, so that sessions take turns in the engine; for an endpoint, as large as a server
//! takes.

use socle_core::endpoint::dialect::numbers;
use socle_core::model::ModelSpec;
use std::ops::Range;

/// Most texts in one request.
const REQUEST_TEXTS: usize = 64;
/// Most bytes of text in one request, unless a single text is larger.
const REQUEST_BYTES: usize = 16 << 10;

/// The range of texts of each request to a model.
pub fn split(model: &ModelSpec, texts: &[&str]) -> Vec<Range<usize>> {
    // The probe comes with the texts.
    let (most_texts, most_bytes) = if model.served.is_some() {
        (numbers::MAX_TEXTS - 1, numbers::MAX_BYTES)
    } else {
        (REQUEST_TEXTS, REQUEST_BYTES)
    };
    let mut requests: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (at, text) in texts.iter().enumerate() {
        bytes += text.len();
        match requests.last_mut() {
            Some(last) if last.len() < most_texts && bytes <= most_bytes => last.end = at + 1,
            _ => {
                requests.push(at..at + 1);
                bytes = text.len();
            }
        }
    }
    requests
}
