//! Limits on what is given to pulldown-cmark: recognises Markdown that would take it more than linear time or memory,
//! and catches its panics. Only counts markers, does not parse.

use super::slice;
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Nested block quotes and lists that one line may open. pulldown-cmark walks all of them for each continuation line of
/// a paragraph inside: 85 s for 1 MB at a depth of 100,000.
const MAX_NESTING: usize = 100;

/// The result of `parse`, `None` if it panics: pulldown-cmark 0.13.6 does for "- [ ] \\\n  - ", and every version had
/// such cases (its issues 921 and 963). After a panic, the caller must discard the state that `parse` changed.
pub(super) fn catch_parser_panic<T>(parse: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(parse)).ok()
}

/// Whether the tables of `text` would have more than four times as many cells as it has bytes: pulldown-cmark gives
/// each row all columns of its table, however short the row is. An upper estimate.
pub(super) fn has_oversized_tables(text: &str) -> bool {
    let mut columns = 0;
    let mut cells = 0;
    for line in lines(text) {
        let rule = line.rsplit(|character| !matches!(character, '|' | ':' | '-' | ' ')).next().unwrap_or_default();
        if rule.contains('-') {
            columns = columns.max(1 + rule.bytes().filter(|&byte| byte == b'|').count());
        } else if line.trim_matches(|character: char| character == '>' || character.is_whitespace()).is_empty() {
            columns = 0;
        }
        cells += columns;
    }
    cells / 4 > text.len()
}

/// Whether a line of `text` opens more than [`MAX_NESTING`] block quotes and lists.
pub(super) fn is_nested_too_deeply(text: &str) -> bool {
    lines(text).any(|line| end_of_allowed_markers(line).is_some())
}

/// `text` with the excess markers of lines that open more than [`MAX_NESTING`] block quotes and lists replaced by `x`,
/// so that byte offsets stay the same.
pub(super) fn limit_nesting(text: &str) -> Cow<'_, str> {
    if !is_nested_too_deeply(text) {
        return Cow::Borrowed(text);
    }
    let mut flat = String::with_capacity(text.len());
    for line in text.split_inclusive(['\n', '\r']) {
        let kept = end_of_allowed_markers(line).unwrap_or(line.len());
        let (markers, rest) = (slice(line, 0..kept), slice(line, kept..line.len()));
        let words = rest.trim_start_matches(is_marker);
        flat.push_str(markers);
        flat.extend(std::iter::repeat_n('x', rest.len() - words.len()));
        flat.push_str(words);
    }
    Cow::Owned(flat)
}

/// The lines of `text`, ended by LF, CR or CR LF as in Markdown.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('\r'))
}

fn is_marker(character: char) -> bool {
    matches!(character, '>' | '-' | '+' | '*' | '.' | ')' | ' ' | '\t' | '0'..='9')
}

/// The offset of the first marker beyond [`MAX_NESTING`]; `None` if there is none.
fn end_of_allowed_markers(line: &str) -> Option<usize> {
    let bytes = line.as_bytes();
    let markers =
        bytes.iter().enumerate().take_while(|&(_, &byte)| is_marker(char::from(byte))).filter(|&(at, byte)| {
            // Without a following space, these are thematic breaks or words.
            matches!(byte, b'>')
                || (matches!(byte, b'-' | b'+' | b'*' | b'.' | b')')
                    && matches!(bytes.get(at + 1), None | Some(b' ' | b'\t' | b'\r' | b'\n')))
        });
    markers.map(|(at, _)| at).nth(MAX_NESTING)
}
