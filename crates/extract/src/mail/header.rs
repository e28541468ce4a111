//! Converts the headers of a mail and of its parts to UTF-8. Some mails are in UTF-16, and some have names of people
//! and files in a legacy encoding, declared or not.

use super::{encoded_word, parameter};
use crate::encoding::decode;
use std::borrow::Cow;

/// Fields with which the header of a part or of a nested mail starts.
const FIELDS: [&[u8]; 9] = [
    b"content-",
    b"from:",
    b"to:",
    b"subject:",
    b"date:",
    b"message-id:",
    b"received:",
    b"return-path:",
    b"mime-version:",
];

/// The mail with all headers in UTF-8.
pub(super) fn to_utf_8(bytes: &[u8]) -> Cow<'_, [u8]> {
    if matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) || bytes.iter().take(64).any(|byte| *byte == 0) {
        return decode(bytes, None).into_owned().into_bytes().into();
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let start = bytes.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(0);
    let mut bytes = bytes.get(start..).unwrap_or_default();
    // The separator line of a mailbox.
    if bytes.starts_with(b"From ") {
        let end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| end + 1);
        bytes = bytes.get(end..).unwrap_or_default();
    }
    if std::str::from_utf8(bytes).is_ok() && !bytes.windows(2).any(|two| matches!(two, b"=?" | b"*=")) {
        return bytes.into();
    }
    let mut mail = Vec::with_capacity(bytes.len());
    while !bytes.is_empty() {
        let (head, rest) = bytes.split_at(head(bytes));
        let text = std::str::from_utf8(head).map_or_else(|_| decode(head, None), Cow::Borrowed);
        mail.extend(parameter::in_one_piece(&encoded_word::in_utf_8(&text)).as_bytes());
        let ends_in_head = head.to_ascii_lowercase().windows(14).any(|name| name == b"message/rfc822");
        let (body, rest) = rest.split_at(if ends_in_head { 0 } else { body(rest) });
        mail.extend(body);
        bytes = rest;
    }
    mail.into()
}

/// Length of the header at the start of `bytes`, including the empty line after it.
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

/// Length of the body at the start of `bytes`, including the boundary line of the next part.
fn body(bytes: &[u8]) -> usize {
    let mut length = 0;
    let mut separates = false;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        // A signature starts with such a line, too.
        if separates
            && FIELDS.iter().any(|name| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)))
        {
            return length;
        }
        length += line.len();
        // Parts of a digest have no header of their own before that of the nested mail.
        separates = line.starts_with(b"--") || (separates && line.trim_ascii().is_empty());
    }
    length
}
