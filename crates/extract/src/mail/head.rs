//! The heads of a mail and of its parts in UTF-8. Some mails are sent in wide characters, and some name people and files
//! in the encoding of their country, without saying so.

use crate::text::decode;
use std::borrow::Cow;

/// The mail with heads that can be read.
pub(super) fn readable(bytes: &[u8]) -> Cow<'_, [u8]> {
    if matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) || bytes.iter().take(64).any(|byte| *byte == 0) {
        return decode(bytes, None).into_owned().into_bytes().into();
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let start = bytes.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(0);
    let mut bytes = bytes.get(start..).unwrap_or_default();
    // The line that mailboxes put before each mail.
    if bytes.starts_with(b"From ") {
        let end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| end + 1);
        bytes = bytes.get(end..).unwrap_or_default();
    }
    if std::str::from_utf8(bytes).is_ok() {
        return bytes.into();
    }
    let mut mail = Vec::with_capacity(bytes.len());
    while !bytes.is_empty() {
        let (head, rest) = bytes.split_at(head(bytes));
        match std::str::from_utf8(head) {
            Ok(_) => mail.extend(head),
            Err(_) => mail.extend(decode(head, None).as_bytes()),
        }
        let ends_in_head = head.to_ascii_lowercase().windows(14).any(|name| name == b"message/rfc822");
        let (body, rest) = rest.split_at(if ends_in_head { 0 } else { body(rest) });
        mail.extend(body);
        bytes = rest;
    }
    mail.into()
}

/// Length of the head that begins here, with the empty line after it.
fn head(bytes: &[u8]) -> usize {
    let mut length = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        length += line.len();
        if line.trim_ascii().is_empty() {
            break;
        }
    }
    length
}

/// Length of a body: to the line that separates it from the next part, and with it.
fn body(bytes: &[u8]) -> usize {
    let mut length = 0;
    let mut separates = false;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        // A signature begins with such a line too.
        if separates && line.get(..8).is_some_and(|name| name.eq_ignore_ascii_case(b"content-")) {
            return length;
        }
        length += line.len();
        separates = line.starts_with(b"--");
    }
    length
}
