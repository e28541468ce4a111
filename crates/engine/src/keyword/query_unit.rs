//! Splits a query in the syntax `operators` into phrases and runs of text, each with its sign. One pass, without recursion;
//! whatever is no operator is text.

use super::query_parser::{is_quotation_mark, quoted};
use super::schema::Part;

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
    /// The part of chunks that it is looked for in, as in `title:word`.
    pub part: Option<Part>,
    /// It begins with `-(`, which opens a group that is excluded as a whole.
    pub opens: bool,
}

/// Names of parts, with the colon that follows.
const PARTS: [(&str, Part); 4] =
    [("title:", Part::Title), ("heading:", Part::Headings), ("headings:", Part::Headings), ("content:", Part::Content)];

impl Unit<'_> {
    /// Whether it is the operator `OR`.
    pub fn is_or(&self) -> bool {
        self.slop.is_none() && self.sign.is_none() && self.part.is_none() && self.text == "OR"
    }

    /// Whether it is text without any operator.
    pub fn is_text(&self) -> bool {
        self.opens || (self.slop.is_none() && self.sign.is_none() && self.part.is_none())
    }

    /// The beginning of a word in one part of chunks, as in `title:back*`.
    pub fn prefix(&self) -> Option<&str> {
        self.part.and(self.text.strip_suffix('*')).filter(|_| self.slop.is_none())
    }

    /// Whether it can stand beside the operator `OR`: what is excluded and beginnings of words cannot.
    pub fn is_operand(&self) -> bool {
        let is_prefix = self.slop.is_none() && self.part.is_none() && self.text.ends_with('*');
        self.sign != Some('-') && !is_prefix && self.text.contains(char::is_alphanumeric)
    }
}

/// Most units of an excluded group.
const MAX_GROUP: usize = 64;

/// The units of a group in parentheses that is excluded as a whole, if `units` begin with one: `-(one OR "another phrase")`.
pub fn excluded_group<'a, 'b>(units: &'b [Unit<'a>]) -> Option<&'b [Unit<'a>]> {
    units.first().filter(|unit| unit.opens)?;
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
        let opens = !is_signed && body.starts_with("-(");
        let (part, value) = match named_part(&body[usize::from(opens)..]) {
            (Some(part), value) if begins => (Some(part), value),
            _ => (None, body),
        };
        let unit = phrase(value, &mut closed).unwrap_or_else(|| {
            let end = end_of_run(value, &mut closed);
            (end, &value[..end], None)
        });
        let (length, text, slop) = unit;
        let end = at + rest.len() - value.len() + length;
        units.push(Unit { start: at, end, sign: is_signed.then_some(first), text, slop, part, opens });
        (at, begins) = (end, false);
    }
    units
}

/// The part that a text names at its beginning, perhaps in parentheses, and what follows; any other text as it is. `title:`
/// is followed by a word or a phrase: `content://` is text.
fn named_part(text: &str) -> (Option<Part>, &str) {
    let named = PARTS.iter().find_map(|(name, part)| {
        let value = text.trim_start_matches('(').strip_prefix(name)?;
        let is_value = value.starts_with(|first: char| first.is_alphanumeric() || is_quotation_mark(first));
        is_value.then_some((Some(*part), value))
    });
    named.unwrap_or((None, text))
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
    fn parts_are_named_before_words_and_phrases_and_everything_else_is_text() {
        let read = |query: &str| {
            let units = units(query);
            units.iter().map(|unit| (unit.part, unit.sign, unit.text.to_string())).collect::<Vec<_>>()
        };
        let unit = |part, sign, text: &str| (part, sign, text.to_string());
        assert_eq!(
            read("title:a -heading:b headings:\"c d\" (content:e OR x)"),
            [
                unit(Some(Part::Title), None, "a"),
                unit(Some(Part::Headings), Some('-'), "b"),
                unit(Some(Part::Headings), None, "c d"),
                unit(Some(Part::Content), None, "e"),
                unit(None, None, "OR"),
                unit(None, None, "x)"),
            ]
        );
        for text in [
            "http://a",
            "std::vector",
            "content://x",
            "title:",
            "title::a",
            "subtitle:a",
            "Title:a",
            "title:-a",
            "10:30",
        ] {
            assert_eq!(read(text), [unit(None, None, text)]);
        }
        assert_eq!(
            read("-(title:a OR heading:\"b c\")"),
            [
                unit(Some(Part::Title), None, "a"),
                unit(None, None, "OR"),
                unit(Some(Part::Headings), None, "b c"),
                unit(None, None, ")"),
            ]
        );
        assert!(excluded_group(&units("-(title:a OR heading:b)")).is_some_and(|group| group.len() == 3));
        assert_eq!(read("title:a:b"), [unit(Some(Part::Title), None, "a:b")]);
        assert_eq!(read("a(title:b"), [unit(None, None, "a(title:b")]);
    }

    #[test]
    fn long_queries_take_one_pass() {
        assert_eq!(units(&"\"a ".repeat(100_001)).last().unwrap().text, "\"a");
        assert_eq!(units(&("x\"".repeat(100_001) + "x")).len(), 1);
        assert_eq!(units(&" \u{3000}".repeat(100_000)), []);
    }
}
