//! Recognises signed and encrypted envelopes (CMS, PKCS#7), in binary form and in Base64.

use crate::base64;

/// Prefix of the DER encoding of PKCS#7 object identifiers, with which a content info starts.
pub(crate) const PKCS_7: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07";
/// Tag of a sequence (ASN.1).
pub(crate) const SEQUENCE: u8 = 0x30;

/// Whether `bytes` are an envelope, in binary form or in Base64.
pub(crate) fn is_envelope(bytes: &[u8]) -> bool {
    begins(bytes) || envelope_from_base64(bytes).is_some()
}

fn begins(bytes: &[u8]) -> bool {
    // The header of a sequence is two to ten bytes long.
    bytes.first() == Some(&SEQUENCE) && (2..=10).any(|at| bytes.get(at..).is_some_and(|rest| rest.starts_with(PKCS_7)))
}

/// Decodes an envelope in Base64, with or without PEM lines; `None` if `bytes` are not one.
pub(crate) fn envelope_from_base64(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = bytes.trim_ascii();
    let inner = match text.strip_prefix(b"-----BEGIN ") {
        Some(rest) if [&b"PKCS"[..], b"CMS"].iter().any(|name| rest.starts_with(name)) => {
            let start = rest.windows(5).position(|five| five == b"-----")? + 5;
            let rest = rest.get(start..)?;
            rest.get(..rest.windows(9).position(|nine| nine == b"-----END ").unwrap_or(rest.len()))?
        }
        Some(_) => return None,
        None => text,
    };
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\r' | b'\n');
    let head = inner.trim_ascii().get(..64)?;
    (head.starts_with(b"M") && inner.iter().all(|byte| is_letter(byte) || byte.is_ascii_whitespace())).then_some(())?;
    begins(&base64::decode(head)).then(|| base64::decode(inner))
}
