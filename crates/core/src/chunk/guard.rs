//! Keeps pulldown-cmark from doing harm: recognises Markdown that takes it more than linear time or memory, by counting,
//! and survives what makes it panic. Parses nothing itself.

use super::slice;
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Block quotes and lists within each other that a line may open. pulldown-cmark walks all of them for each line that
/// continues a paragraph inside: 85 s for 1 MB at 100,000.
const MAX_NESTING: usize = 100;

/// What `parse` returns, nothing if it panics: pulldown-cmark 0.13.6 does for "- [ ] \\\n  - " and had more such cases in
/// every version (its issues 921 and 963). What `parse` changes is to be thrown away then.
pub(super) fn survive<T>(parse: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(parse)).ok()
}

/// Whether the tables of `text` would have many more cells than it has bytes: pulldown-cmark gives each row all the
/// columns of the table, however short it is. Counts too many rather than too few.
pub(super) fn unfolds(text: &str) -> bool {
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
pub(super) fn nests(text: &str) -> bool {
    lines(text).any(|line| deepest(line).is_some())
}

/// `text`, with as many bytes, in which no line opens more than [`MAX_NESTING`] block quotes and lists.
pub(super) fn flatten(text: &str) -> Cow<'_, str> {
    if !nests(text) {
        return Cow::Borrowed(text);
    }
    let mut flat = String::with_capacity(text.len());
    for line in text.split_inclusive(['\n', '\r']) {
        let kept = deepest(line).unwrap_or(line.len());
        let (markers, rest) = (slice(line, 0..kept), slice(line, kept..line.len()));
        let words = rest.trim_start_matches(is_marker);
        flat.push_str(markers);
        flat.extend(std::iter::repeat_n('x', rest.len() - words.len()));
        flat.push_str(words);
    }
    Cow::Owned(flat)
}

/// Ended by LF, CR or CR LF, as in Markdown.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('\r'))
}

fn is_marker(character: char) -> bool {
    matches!(character, '>' | '-' | '+' | '*' | '.' | ')' | ' ' | '\t' | '0'..='9')
}

/// Where the markers go on that are too many.
fn deepest(line: &str) -> Option<usize> {
    let bytes = line.as_bytes();
    let markers =
        bytes.iter().enumerate().take_while(|&(_, &byte)| is_marker(char::from(byte))).filter(|&(at, byte)| {
            // Without a space behind, these are rules and words.
            matches!(byte, b'>')
                || (matches!(byte, b'-' | b'+' | b'*' | b'.' | b')')
                    && matches!(bytes.get(at + 1), None | Some(b' ' | b'\t' | b'\r' | b'\n')))
        });
    markers.map(|(at, _)| at).nth(MAX_NESTING)
}
