//! Signed files (CMS, PKCS#7): reads the signed content. The signature is not verified. Encrypted envelopes and
//! detached signatures are errors.
//!
//! Has its own minimal ASN.1 parser, because signers use indefinite lengths (BER), which parsers for certificates
//! refuse.

use crate::archive::encrypted;
use crate::media::{PKCS_7, SEQUENCE, envelope_from_base64};
use crate::{Media, Writer};
use socle_core::{Error, Kind, Result};

/// Last numbers of the object identifiers of content types.
const DATA: u8 = 1;
const SIGNED: u8 = 2;
const ENCRYPTED: [u8; 3] = [3, 4, 6];
/// ASN.1 tags.
const IDENTIFIER: u8 = 0x06;
const EXPLICIT: u8 = 0xa0;
const OCTETS: u8 = 0x04;
const OCTETS_IN_PIECES: u8 = 0x24;
/// Maximum nesting of constructed strings.
const MAX_DEPTH: usize = 16;

/// Reads the signed content and writes it as the document.
///
/// # Errors
/// As [`crate::extract`].
pub fn read(bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let content = content(bytes)?;
    let media = Media::detect(&content, None, None)?;
    writer.metadata().media_type = media.media_type().to_string();
    writer.unwrapped(|writer| crate::read(media, &content, writer))
}

/// The signed content.
///
/// # Errors
/// [`Kind::NotSupported`] if it is encrypted or not there; [`Kind::DamagedDocument`].
pub(crate) fn content(bytes: &[u8]) -> Result<Vec<u8>> {
    let unpacked = envelope_from_base64(bytes);
    let bytes = unpacked.as_deref().unwrap_or(bytes);
    let damaged = || Error::new(Kind::DamagedDocument, "signed file (CMS) is damaged");
    let (kind, signed) = typed(bytes).ok_or_else(damaged)?;
    match kind {
        SIGNED => {}
        kind if ENCRYPTED.contains(&kind) => return Err(encrypted()),
        _ => return Err(Error::new(Kind::NotSupported, "cryptographic file (CMS) cannot be read")),
    }
    // SignedData: version, digest algorithms, then the encapsulated content.
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
            // Other content types, such as time stamps, are not files.
            if kind == DATA {
                Ok(file)
            } else {
                Err(Error::new(Kind::NotSupported, "cryptographic file (CMS) cannot be read"))
            }
        }
    }
}

/// A parsed ASN.1 element.
struct Element<'a> {
    tag: u8,
    /// Its contents; with indefinite length, which two zero bytes end, everything after the header.
    content: &'a [u8],
    /// The bytes after it; `None` with indefinite length.
    after: Option<&'a [u8]>,
}

impl<'a> Element<'a> {
    fn inside(self, tag: u8) -> Option<&'a [u8]> {
        (self.tag == tag).then_some(self.content)
    }
}

/// Parses the element at the start of `bytes`.
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

/// The bytes after the element at the start of `bytes`.
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

/// The content type, by the last number of its identifier, and the content, which may be absent. Types outside PKCS#7
/// are 0.
fn typed(bytes: &[u8]) -> Option<(u8, Option<&[u8]>)> {
    let inside = element(bytes)?.inside(SEQUENCE)?;
    let identifier = element(inside)?.inside(IDENTIFIER)?;
    let known = PKCS_7.get(2..).and_then(|start| identifier.strip_prefix(start));
    let kind = known.and_then(|rest| rest.first().copied()).unwrap_or(0);
    let content = element(after(inside, 0)?).and_then(|content| content.inside(EXPLICIT));
    Some((kind, content))
}

/// Appends an octet string, which may be constructed from several, to `file`.
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
    use crate::media::is_envelope;
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
            let letters: Vec<u8> = crate::base64::encode(&bytes)
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
            let text = format!("{head}{}\r\n", crate::base64::encode(&envelope(kind, file, true)));
            extract(text.as_bytes(), None, None, Limits { output: 1 << 20, unpacked: 0, depth: 4 })
        };
        assert_eq!(mail(SIGNED, Some(inner)).unwrap().markdown, "# Signed\n\nFrom: Jürgen <a@b.c>\n\nSigned grüße.");
        assert_eq!(mail(3, Some(inner)).unwrap_err().message, "mail is encrypted");
    }
}
