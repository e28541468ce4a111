//! Mailboxes (mbox, RFC 4155): several mails in one file, each after a line that begins with "From ".

use std::borrow::Cow;

/// The mails of a mailbox, each without the line before it; nothing if the bytes are one mail.
pub(super) fn mails(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    if !separates(bytes) {
        return None;
    }
    let (mut starts, mut at, mut is_after_empty) = (Vec::new(), 0, true);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        // A mail may say "From " too: only a line with a time, after an empty line and before a head, separates.
        if is_after_empty && bytes.get(at..).is_some_and(separates) {
            starts.push((at, at + line.len()));
        }
        is_after_empty = line.trim_ascii().is_empty();
        at += line.len();
    }
    let ends = starts.iter().skip(1).map(|(line, _)| *line).chain(std::iter::once(bytes.len()));
    let mails: Vec<&[u8]> = starts.iter().zip(ends).filter_map(|((_, start), end)| bytes.get(*start..end)).collect();
    (mails.len() > 1).then_some(mails)
}

/// Whether a line that separates mails begins here, with the head of a mail below.
pub(crate) fn separates(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else { return false };
    let has_time = first.split(|byte| *byte == b' ').any(|word| {
        let word = word.trim_ascii_end();
        word.len() >= 4 && word.contains(&b':') && word.iter().all(|byte| byte.is_ascii_digit() || *byte == b':')
    });
    let name = second.split(|byte| *byte == b':').next().filter(|name| name.len() < second.len());
    let is_field = |name: &[u8]| !name.is_empty() && name.iter().all(|byte| byte.is_ascii_graphic());
    first.starts_with(b"From ") && has_time && name.is_some_and(is_field)
}

/// A mail with the lines that begin with "From " as they were, before the mailbox put a mark in front of them.
pub(super) fn unmarked(mail: &[u8]) -> Cow<'_, [u8]> {
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
