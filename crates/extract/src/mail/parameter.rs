//! Rewrites parameters that are split or encoded (RFC 2231) as single parameters in UTF-8.

use super::transfer_encoding::hexadecimal;
use crate::encoding::stated;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Fields whose parameters are used.
const FIELDS: [&str; 2] = ["content-type", "content-disposition"];

/// A piece of a value: its number, whether it is percent-encoded, and its text.
type Piece<'a> = (u32, bool, &'a str);

/// The header with each parameter in one piece.
pub(super) fn in_one_piece(head: &str) -> String {
    let mut text = String::with_capacity(head.len());
    let mut rest = head;
    while !rest.is_empty() {
        let (field, after) = rest.split_at(field(rest));
        rest = after;
        let name = field.split(':').next().unwrap_or_default().trim();
        let has_parameters = FIELDS.iter().any(|known| name.eq_ignore_ascii_case(known));
        match Some(field).filter(|field| has_parameters && field.contains('*')).and_then(joined) {
            Some(joined) => text.push_str(&joined),
            None => text.push_str(field),
        }
    }
    text
}

/// Length of the field at the start of `text`, including continuation lines.
fn field(text: &str) -> usize {
    let mut length = 0;
    for line in text.split_inclusive('\n') {
        if length > 0 && !line.starts_with([' ', '\t']) {
            break;
        }
        length += line.len();
    }
    length
}

fn joined(field: &str) -> Option<String> {
    let end = field.get(field.trim_end().len()..)?;
    let mut parts = parts(field).into_iter();
    let mut text = parts.next()?.trim_end().to_string();
    let mut pieces: BTreeMap<String, Vec<Piece<'_>>> = BTreeMap::new();
    for part in parts {
        match piece(part) {
            Some((name, piece)) => pieces.entry(name).or_default().push(piece),
            None => write!(text, "; {}", part.trim()).ok()?,
        }
    }
    for (name, mut pieces) in pieces {
        pieces.sort_by_key(|(number, ..)| *number);
        write!(text, "; {name}*=utf-8''").ok()?;
        for byte in value(&pieces)?.bytes() {
            if byte.is_ascii_alphanumeric() { text.push(char::from(byte)) } else { write!(text, "%{byte:02X}").ok()? }
        }
    }
    Some(text + end)
}

/// Splits a field at semicolons outside of quotation marks.
fn parts(field: &str) -> Vec<&str> {
    let (mut parts, mut start, mut is_quoted, mut is_escaped) = (Vec::new(), 0, false, false);
    for (at, c) in field.char_indices() {
        match c {
            _ if std::mem::take(&mut is_escaped) => {}
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            ';' if !is_quoted => {
                parts.extend(field.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(field.get(start..));
    parts
}

/// Name and piece of a parameter that is split or encoded; `None` for an ordinary parameter.
fn piece(part: &str) -> Option<(String, Piece<'_>)> {
    let (name, value) = part.split_once('=')?;
    let (name, how) = name.trim().split_once('*')?;
    let (number, is_encoded) = match how.strip_suffix('*') {
        Some(number) => (number, true),
        None => (how, how.is_empty()),
    };
    let number = if number.is_empty() { 0 } else { number.parse().ok()? };
    Some((name.to_ascii_lowercase(), (number, is_encoded, value.trim().trim_matches('"'))))
}

/// The value of all pieces together, because a character may be split between two; `None` for an unknown encoding.
fn value(pieces: &[Piece<'_>]) -> Option<String> {
    let (mut label, mut bytes) = ("utf-8", Vec::new());
    for (at, (_, is_encoded, text)) in pieces.iter().enumerate() {
        let mut text = *text;
        if at == 0
            && *is_encoded
            && let [charset, _, rest] = text.splitn(3, '\'').collect::<Vec<_>>()[..]
        {
            (label, text) = (if charset.is_empty() { label } else { charset }, rest);
        }
        let mut rest = text.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            let code = (*first == b'%' && *is_encoded).then(|| after.get(..2)).flatten().and_then(hexadecimal);
            bytes.push(code.unwrap_or(*first));
            rest = if code.is_some() { after.get(2..).unwrap_or_default() } else { after };
        }
    }
    stated(&bytes, label)
}

#[cfg(test)]
mod tests {
    use super::in_one_piece;

    #[test]
    fn pieces_are_joined_before_they_are_read() {
        let head = "Content-Disposition: attachment;\r\n filename*1*=%C2%BC;\r\n filename*0*=gb2312'zh'%BC%C7;\r\n \
                    filename*2=\".txt\";\r\n size=5\r\nX: a*b\r\n\r\n";
        let wanted =
            "Content-Disposition: attachment; size=5; filename*=utf-8''%E8%AE%B0%E5%BD%95%2Etxt\r\nX: a*b\r\n\r\n";
        assert_eq!(in_one_piece(head), wanted);
        let cut = "Content-Type: text/plain; name*0*=utf-8''Gr%C3; name*1*=%B6%C3%9Fe\n";
        assert_eq!(in_one_piece(cut), "Content-Type: text/plain; name*=utf-8''Gr%C3%B6%C3%9Fe\n");
        for kept in
            ["Content-Type: text/plain; name=\"a*b;c*=d\"\n\n", "Subject: a*=b; c\n", "Content-Type: a/b; x*y=z\n"]
        {
            assert_eq!(in_one_piece(kept).replace("; ", ";"), kept.replace("; ", ";"));
        }
    }
}
