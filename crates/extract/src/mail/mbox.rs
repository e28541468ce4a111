//! Mailboxes (mbox, RFC 4155): several mails in one file, each preceded by a line that starts with "From ".

use crate::media::is_mbox_separator;
use std::borrow::Cow;

/// The mails of a mailbox, without separator lines; `None` if `bytes` are not a mailbox of several mails.
pub(super) fn mails(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    if !is_mbox_separator(bytes) {
        return None;
    }
    let (mut starts, mut at, mut is_after_empty) = (Vec::new(), 0, true);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        // The text of a mail may contain "From ", too: only a line with a time, after an empty line and before a
        // header, separates mails.
        if is_after_empty && bytes.get(at..).is_some_and(is_mbox_separator) {
            starts.push((at, at + line.len()));
        }
        is_after_empty = line.trim_ascii().is_empty();
        at += line.len();
    }
    let ends = starts.iter().skip(1).map(|(line, _)| *line).chain(std::iter::once(bytes.len()));
    let mails: Vec<&[u8]> = starts.iter().zip(ends).filter_map(|((_, start), end)| bytes.get(*start..end)).collect();
    (mails.len() > 1).then_some(mails)
}

/// A mail with the ">" removed that mailboxes put before lines starting with "From ".
pub(super) fn unescaped(mail: &[u8]) -> Cow<'_, [u8]> {
    let is_marked = |line: &[u8]| {
        let marks = line.iter().take_while(|byte| **byte == b'>').count();
        marks > 0 && line.get(marks..).is_some_and(|rest| rest.starts_with(b"From "))
    };
    let lines = || mail.split_inclusive(|byte| *byte == b'\n');
    if !lines().any(is_marked) {
        return mail.into();
    }
    lines().flat_map(|line| if is_marked(line) { line.get(1..).unwrap_or_default() } else { line }).copied().collect()
}
