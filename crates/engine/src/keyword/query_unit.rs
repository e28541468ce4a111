//! Splits a query in the syntax `operators` into phrases and runs of text, each with its sign. One pass, without recursion;
//! whatever is no operator is text.

use super::query_parser::{is_quotation_mark, quoted};

/// Largest distance that a phrase may have: words that may stand between its words, or be in another order.
const MAX_SLOP: u32 = 100;

/// A phrase, or a run of text without white space.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unit<'a> {
    /// First byte in the query.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
    /// `+` or `-` before it.
    pub sign: Option<char>,
    /// What stands between the quotation marks of a phrase, or the run without its sign.
    pub text: &'a str,
    /// The distance of a phrase, as in `"two words"~3`; `None` for a run.
    pub slop: Option<u32>,
}

impl Unit<'_> {
    /// Whether it is the operator `OR`.
    pub fn is_or(&self) -> bool {
        self.slop.is_none() && self.sign.is_none() && self.text == "OR"
    }

    /// Whether it can stand beside the operator `OR`: what is excluded and beginnings of words cannot.
    pub fn is_operand(&self) -> bool {
        let is_prefix = self.slop.is_none() && self.text.ends_with('*');
        self.sign != Some('-') && !is_prefix && self.text.contains(char::is_alphanumeric)
    }
}

/// Most units of an excluded group.
const MAX_GROUP: usize = 64;

/// The units of a group in parentheses that is excluded as a whole, if `units` begin with one: `-(one OR "another phrase")`.
pub fn excluded_group<'a, 'b>(units: &'b [Unit<'a>]) -> Option<&'b [Unit<'a>]> {
    units.first().filter(|unit| unit.slop.is_none() && unit.sign.is_none() && unit.text.starts_with("-("))?;
    let is_last = |unit: &Unit<'_>| unit.slop.is_none() && unit.text.ends_with(')');
    let last = units.iter().take(MAX_GROUP).position(is_last)?;
    Some(&units[..=last])
}

/// The units of a query, in order.
pub fn units(query: &str) -> Vec<Unit<'_>> {
    let mut units = Vec::new();
    // False once a quotation mark has no closing one: the rest is not searched again for each further mark.
    let mut closed = true;
    let mut begins = true;
    let mut at = 0;
    while let Some(first) = query[at..].chars().next() {
        if first.is_whitespace() {
            at += first.len_utf8();
            begins = true;
            continue;
        }
        let rest = &query[at..];
        let is_signed = begins
            && matches!(first, '-' | '+')
            && rest[1..].starts_with(|next: char| next.is_alphabetic() || is_quotation_mark(next));
        let body = &rest[usize::from(is_signed)..];
        let unit = phrase(body, &mut closed).unwrap_or_else(|| {
            let end = end_of_run(body, &mut closed);
            (end, &body[..end], None)
        });
        let (length, text, slop) = unit;
        let end = at + usize::from(is_signed) + length;
        units.push(Unit { start: at, end, sign: is_signed.then_some(first), text, slop });
        (at, begins) = (end, false);
    }
    units
}

/// The length of a phrase at the beginning of a text, what is between its quotation marks, and its distance.
fn phrase<'a>(text: &'a str, closed: &mut bool) -> Option<(usize, &'a str, Option<u32>)> {
    if !*closed || !text.starts_with(is_quotation_mark) {
        return None;
    }
    let Some((inside, after)) = quoted(text) else {
        *closed = false;
        return None;
    };
    let digits = after
        .strip_prefix('~')
        .map_or("", |rest| &rest[..rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len())]);
    let length = text.len() - after.len() + if digits.is_empty() { 0 } else { 1 + digits.len() };
    let slop = if digits.is_empty() { 0 } else { digits.parse().unwrap_or(MAX_SLOP) };
    Some((length, inside, Some(slop.min(MAX_SLOP))))
}

/// The length of a run: up to white space or the quotation mark of a phrase.
fn end_of_run(text: &str, closed: &mut bool) -> usize {
    let mut characters = text.char_indices();
    // A mark at the beginning opens no phrase, or there would be one.
    characters.next();
    for (at, character) in characters {
        if character.is_whitespace() {
            return at;
        }
        if *closed && is_quotation_mark(character) {
            *closed = quoted(&text[at..]).is_some();
            if *closed {
                return at;
            }
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Vec<(Option<char>, &str, Option<u32>)> {
        let units = units(query);
        assert!(units.iter().all(|unit| query[unit.start..unit.end].contains(unit.text)));
        units.into_iter().map(|unit| (unit.sign, unit.text, unit.slop)).collect()
    }

    #[test]
    fn phrases_runs_and_signs_are_told_apart() {
        assert_eq!(
            read("a -b \"c d\"~3 +\"e\" f\"g h\" x-y - -5"),
            [
                (None, "a", None),
                (Some('-'), "b", None),
                (None, "c d", Some(3)),
                (Some('+'), "e", Some(0)),
                (None, "f", None),
                (None, "g h", Some(0)),
                (None, "x-y", None),
                (None, "-", None),
                (None, "-5", None),
            ]
        );
        assert_eq!(
            read("\"a\"~99999999999 \"b\"~ \"open"),
            [(None, "a", Some(100)), (None, "b", Some(0)), (None, "~", None), (None, "\"open", None),]
        );
    }

    #[test]
    fn long_queries_take_one_pass() {
        assert_eq!(units(&"\"a ".repeat(100_001)).last().unwrap().text, "\"a");
        assert_eq!(units(&("x\"".repeat(100_001) + "x")).len(), 1);
        assert_eq!(units(&" \u{3000}".repeat(100_000)), []);
    }
}
