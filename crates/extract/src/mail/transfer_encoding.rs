//! Content transfer encodings of mail (RFC 2045). Invalid input is skipped rather than rejected, because mails get
//! damaged in transit.

use crate::base64;
use std::borrow::Cow;

/// Decodes `packed`. Data in an unknown encoding is returned unchanged.
pub(super) fn decode<'a>(packed: &'a [u8], encoding: &str) -> Cow<'a, [u8]> {
    match encoding.trim().to_ascii_lowercase().as_str() {
        "base64" => base64::decode(packed).into(),
        "quoted-printable" => quoted_printable(packed).into(),
        _ => packed.into(),
    }
}

/// Decodes the Q encoding of encoded words, in which an underscore is a space.
pub(super) fn quoted_word(packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(packed.len());
    let mut rest = packed;
    while let Some((first, after)) = rest.split_first() {
        let code = (*first == b'=').then(|| after.get(..2)).flatten().and_then(hexadecimal);
        bytes.push(code.unwrap_or(if *first == b'_' { b' ' } else { *first }));
        rest = if code.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    bytes
}

fn quoted_printable(packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(packed.len());
    for line in packed.split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii_end();
        let (text, end) = match text.strip_suffix(b"=") {
            Some(text) => (text, &b""[..]),
            None => (text, line.get(text.len()..).unwrap_or_default()),
        };
        let mut rest = text;
        while let Some((first, after)) = rest.split_first() {
            let code = (*first == b'=').then(|| after.get(..2)).flatten().and_then(hexadecimal);
            bytes.push(code.unwrap_or(*first));
            rest = if code.is_some() { after.get(2..).unwrap_or_default() } else { after };
        }
        bytes.extend(end);
    }
    bytes
}

/// The value of two hexadecimal digits.
pub(super) fn hexadecimal(digits: &[u8]) -> Option<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    match digits {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    }
}
