//! Signed files (CMS, PKCS#7): the file in the envelope is read. The signature is not verified. An envelope that is
//! encrypted, or a signature that stands apart from its file, is an error that says so.
//!
//! The little of ASN.1 that this takes is read here: signers write lengths that are not known in advance (BER), which
//! parsers for certificates refuse.

use crate::archive::encrypted;
use crate::{Media, Writer};
use socle_core::{Error, Kind, Result};

/// Object identifiers of PKCS#7: a sequence begins, with the type of its content.
const PKCS_7: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07";
/// Types of content.
const DATA: u8 = 1;
const SIGNED: u8 = 2;
const ENCRYPTED: [u8; 3] = [3, 4, 6];
/// Tags.
const IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const EXPLICIT: u8 = 0xa0;
const OCTETS: u8 = 0x04;
const OCTETS_IN_PIECES: u8 = 0x24;
/// Deepest nesting of pieces.
const MAX_DEPTH: usize = 16;

/// Whether bytes are an envelope, as it is or written with letters.
pub(crate) fn is_envelope(bytes: &[u8]) -> bool {
    begins(bytes) || unarmoured(bytes).is_some()
}

fn begins(bytes: &[u8]) -> bool {
    // The head of a sequence is two to ten bytes long.
    bytes.first() == Some(&SEQUENCE) && (2..=10).any(|at| bytes.get(at..).is_some_and(|rest| rest.starts_with(PKCS_7)))
}

/// The bytes of an envelope that was written in Base64, between the lines of PEM or without them.
fn unarmoured(bytes: &[u8]) -> Option<Vec<u8>> {
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
    begins(&crate::mail::base64(head)).then(|| crate::mail::base64(inner))
}

/// Writes what the file in the envelope says.
///
/// # Errors
/// See [`crate::extract`].
pub fn read(bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let content = content(bytes)?;
    let media = Media::detect(&content, None, None)?;
    writer.metadata().media_type = media.media_type().to_string();
    writer.deeper(|writer| crate::read(media, &content, writer))
}

/// The file in the envelope.
///
/// # Errors
/// [`Kind::NotSupported`] if it is encrypted or not there; [`Kind::DamagedDocument`].
pub(crate) fn content(bytes: &[u8]) -> Result<Vec<u8>> {
    let unpacked = unarmoured(bytes);
    let bytes = unpacked.as_deref().unwrap_or(bytes);
    let damaged = || Error::new(Kind::DamagedDocument, "signed file (CMS) is damaged");
    let (kind, signed) = typed(bytes).ok_or_else(damaged)?;
    match kind {
        SIGNED => {}
        kind if ENCRYPTED.contains(&kind) => return Err(encrypted()),
        _ => return Err(Error::new(Kind::NotSupported, "cryptographic file (CMS) cannot be read")),
    }
    // Version, algorithms, then the content with its type.
    let fields = signed.and_then(|signed| element(signed)?.inside(SEQUENCE));
    let inner = fields.and_then(|fields| typed(after(after(fields, 0)?, 0)?));
    let (kind, content) = inner.ok_or_else(damaged)?;
    match content {
        None => {
            Err(Error::new(Kind::NotSupported, "signature (CMS) cannot be read: the file that it signs is not in it"))
        }
        Some(content) => {
            let mut file = Vec::new();
            octets(content, 0, &mut file).ok_or_else(damaged)?;
            // A type of its own, such as a time stamp, is no file.
            if kind == DATA {
                Ok(file)
            } else {
                Err(Error::new(Kind::NotSupported, "cryptographic file (CMS) cannot be read"))
            }
        }
    }
}

/// What lies in an element.
struct Element<'a> {
    tag: u8,
    /// Of an element whose length is not stated, which ends with two zeros, all that follows its head.
    content: &'a [u8],
    /// What follows; `None` if its length is not stated.
    after: Option<&'a [u8]>,
}

impl<'a> Element<'a> {
    fn inside(self, tag: u8) -> Option<&'a [u8]> {
        (self.tag == tag).then_some(self.content)
    }
}

/// The element that begins here.
fn element(bytes: &[u8]) -> Option<Element<'_>> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    if *first == 0x80 {
        return Some(Element { tag: *tag, content: rest, after: None });
    }
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let (digits, rest) =
            rest.split_at_checked(usize::from(first & 0x7f)).filter(|(digits, _)| digits.len() <= 8)?;
        (digits.iter().fold(0_usize, |length, digit| length << 8 | usize::from(*digit)), rest)
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some(Element { tag: *tag, content, after: Some(after) })
}

/// What follows the element that begins here.
fn after(bytes: &[u8], depth: usize) -> Option<&[u8]> {
    let found = element(bytes).filter(|_| depth < MAX_DEPTH)?;
    if found.after.is_some() {
        return found.after;
    }
    let mut rest = found.content;
    while !rest.starts_with(&[0, 0]) {
        rest = after(rest, depth + 1)?;
    }
    rest.get(2..)
}

/// The type of a content, by its last number, and the content, which may be missing. Types that are not of PKCS#7 are 0.
fn typed(bytes: &[u8]) -> Option<(u8, Option<&[u8]>)> {
    let inside = element(bytes)?.inside(SEQUENCE)?;
    let identifier = element(inside)?.inside(IDENTIFIER)?;
    let known = PKCS_7.get(2..).and_then(|start| identifier.strip_prefix(start));
    let kind = known.and_then(|rest| rest.first().copied()).unwrap_or(0);
    let content = element(after(inside, 0)?).and_then(|content| content.inside(EXPLICIT));
    Some((kind, content))
}

/// Gathers a string of bytes, which may come in pieces.
fn octets(bytes: &[u8], depth: usize, file: &mut Vec<u8>) -> Option<()> {
    let found = element(bytes).filter(|_| depth < MAX_DEPTH)?;
    let (tag, is_open) = (found.tag, found.after.is_none());
    match tag {
        OCTETS => file.extend(found.content),
        OCTETS_IN_PIECES => {
            let mut rest = found.content;
            while !(rest.is_empty() || is_open && rest.starts_with(&[0, 0])) {
                octets(rest, depth + 1, file)?;
                rest = after(rest, 0)?;
            }
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, extract};

    /// An element; one without a stated length if `is_open`.
    fn element(tag: u8, content: &[u8], is_open: bool) -> Vec<u8> {
        let mut bytes = vec![tag];
        match u8::try_from(content.len()) {
            _ if is_open => bytes.push(0x80),
            Ok(length @ ..0x80) => bytes.push(length),
            _ => bytes.extend([0x82, (content.len() >> 8) as u8, content.len() as u8]),
        }
        bytes.extend(content);
        bytes.extend(if is_open { &[0, 0][..] } else { &[] });
        bytes
    }

    fn envelope(kind: u8, file: Option<&[u8]>, is_open: bool) -> Vec<u8> {
        let identifier = |kind: u8| [PKCS_7, &[kind]].concat();
        let inner = file.map_or_else(Vec::new, |file| {
            let pieces: Vec<u8> = file.chunks(40).flat_map(|piece| element(OCTETS, piece, false)).collect();
            let string = if is_open { element(OCTETS_IN_PIECES, &pieces, true) } else { element(OCTETS, file, false) };
            element(EXPLICIT, &string, is_open)
        });
        let inner = element(SEQUENCE, &[identifier(DATA), inner].concat(), is_open);
        let fields =
            [element(2, &[1], false), element(0x31, &[], false), inner, element(0x31, b"signers", false)].concat();
        let signed = element(EXPLICIT, &element(SEQUENCE, &fields, is_open), is_open);
        element(SEQUENCE, &[identifier(kind), signed].concat(), is_open)
    }

    #[test]
    fn the_file_in_a_signed_envelope_is_read() {
        let limits = Limits { output: 1 << 20, unpacked: 0, depth: 4 };
        let file = format!("<?xml version='1.0'?><invoice><n>17</n><m>{}</m></invoice>", "words ".repeat(50));
        for is_open in [false, true] {
            let bytes = envelope(SIGNED, Some(file.as_bytes()), is_open);
            assert_eq!(content(&bytes).as_deref(), Ok(file.as_bytes()));
            let letters: Vec<u8> = crate::mail::to_base64(&bytes)
                .into_bytes()
                .chunks(64)
                .flat_map(|line| [line, b"\r\n"].concat())
                .collect();
            let armoured = [b"-----BEGIN PKCS7-----\n", &letters[..], b"-----END PKCS7-----\n"].concat();
            for bytes in [&bytes, &letters, &armoured] {
                let document = extract(bytes, None, Some("a.xml.p7m"), limits).unwrap();
                assert!(document.markdown.starts_with("17\nwords words"), "{}", document.markdown);
            }
            for end in 0..bytes.len() {
                let _ = content(&bytes[..end]);
            }
        }
        let twice = envelope(SIGNED, Some(&envelope(SIGNED, Some(b"words"), true)), false);
        assert_eq!(extract(&twice, None, None, limits).unwrap().markdown, "words");
        assert!(extract(&twice, None, None, Limits { depth: 1, ..limits }).is_err());
    }

    #[test]
    fn what_cannot_be_opened_says_so() {
        let refused = |bytes: &[u8]| content(bytes).unwrap_err().message;
        assert_eq!(refused(&envelope(3, Some(b"x"), false)), "document is encrypted");
        let apart = "signature (CMS) cannot be read: the file that it signs is not in it";
        assert_eq!(refused(&envelope(SIGNED, None, false)), apart);
        assert_eq!(refused(&envelope(SIGNED, None, true)), apart);
        assert_eq!(refused(&envelope(5, Some(b"x"), false)), "cryptographic file (CMS) cannot be read");
        assert!(!is_envelope(b"0 is a number") && !is_envelope(b"MII as text") && !is_envelope(b""));
    }

    #[test]
    fn a_mail_that_is_signed_as_a_whole_is_read() {
        let inner = b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\nSigned gr\xfc\xdfe.\r\n";
        let mail = |kind: u8, file: Option<&[u8]>| {
            let head = "From: =?utf-8?q?J=C3=BCrgen?= <a@b.c>\r\nSubject: Signed\r\nMIME-Version: 1.0\r\nContent-Type: application/pkcs7-mime;\r\n \
                        smime-type=signed-data; name=smime.p7m\r\nContent-Transfer-Encoding: base64\r\n\r\n";
            let text = format!("{head}{}\r\n", crate::mail::to_base64(&envelope(kind, file, true)));
            extract(text.as_bytes(), None, None, Limits { output: 1 << 20, unpacked: 0, depth: 4 })
        };
        assert_eq!(mail(SIGNED, Some(inner)).unwrap().markdown, "# Signed\n\nFrom: Jürgen <a@b.c>\n\nSigned grüße.");
        assert_eq!(mail(3, Some(inner)).unwrap_err().message, "mail is encrypted");
    }
}
