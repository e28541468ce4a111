//! Parses array literals, which clients send for lists without declaring a type. Where a text is also possible,
//! PostgreSQL treats the parameter as text.
//!
//! Accepts what the input function of `text[]` accepts, without recursion.

/// Maximum number of array dimensions in PostgreSQL (`MAXDIM`).
const MAX_DIMENSIONS: usize = 6;

/// The elements of an array literal, flattened, with NULL as `None`; `None` if the text is not an array literal, such
/// as `{"a": 1}`. Does not check that all sub-arrays have the same length.
pub fn array_elements(text: &str) -> Option<Vec<Option<String>>> {
    let mut rest = trimmed(text);
    if let Some(bounds) = rest.strip_prefix('[') {
        rest = bounded(bounds)?;
    }
    let mut elements = Vec::new();
    let mut depth = 0;
    // What may come next: after an opening brace an element or the end, after a comma an element.
    let (mut element, mut end) = (true, false);
    loop {
        rest = trimmed(rest);
        let first = rest.chars().next()?;
        match first {
            '{' if element && depth < MAX_DIMENSIONS => {
                depth += 1;
                (element, end) = (true, true);
                rest = &rest[1..];
            }
            '}' if end => {
                depth -= 1;
                (element, end) = (false, true);
                rest = &rest[1..];
                if depth == 0 {
                    return trimmed(rest).is_empty().then_some(elements);
                }
            }
            ',' if !element => {
                (element, end) = (true, false);
                rest = &rest[1..];
            }
            '{' | '}' | ',' => return None,
            _ if !element || depth == 0 => return None,
            '"' => {
                let (value, after) = quoted(&rest[1..])?;
                elements.push(Some(value));
                (element, end, rest) = (false, true, after);
            }
            _ => {
                let (value, after) = plain(rest)?;
                elements.push(value);
                (element, end, rest) = (false, true, after);
            }
        }
    }
}

/// Removes leading white space as the input function does.
fn trimmed(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}'])
}

/// The text after bounds such as `[0:2][1:3]=`, whose first bracket has been consumed; `None` if they are malformed.
fn bounded(text: &str) -> Option<&str> {
    let (bounds, rest) = text.split_once('=')?;
    let numbers = |pair: &str| {
        let bounds: Vec<&str> = pair.split(':').collect();
        (1..=2).contains(&bounds.len()) && bounds.iter().all(|bound| bound.trim().parse::<i32>().is_ok())
    };
    let inside = bounds.trim_end().strip_suffix(']')?;
    inside.split("][").all(numbers).then_some(rest)
}

/// A quoted value, whose opening quotation mark has been consumed, and the text after it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut signs = text.char_indices();
    loop {
        match signs.next()?.1 {
            '"' => return Some((value, signs.as_str())),
            '\\' => value.push(signs.next()?.1),
            sign => value.push(sign),
        }
    }
}

/// An unquoted value, `None` for NULL, and the text after it.
fn plain(text: &str) -> Option<(Option<String>, &str)> {
    let mut value = String::new();
    // Length of the value without trailing white space.
    let (mut length, mut escaped) = (0, false);
    let mut signs = text.char_indices();
    let rest = loop {
        let (at, sign) = signs.next()?;
        match sign {
            ',' | '}' => break &text[at..],
            '{' | '"' => return None,
            '\\' => {
                value.push(signs.next()?.1);
                (length, escaped) = (value.len(), true);
            }
            sign => {
                value.push(sign);
                if !trimmed(sign.encode_utf8(&mut [0; 4])).is_empty() {
                    length = value.len();
                }
            }
        }
    };
    value.truncate(length);
    let is_null = !escaped && value.eq_ignore_ascii_case("null");
    Some(((!is_null).then_some(value), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::array_literal;

    fn read(text: &str) -> Option<Vec<Option<String>>> {
        array_elements(text)
    }

    fn list(elements: &[&str]) -> Option<Vec<Option<String>>> {
        Some(elements.iter().map(|element| Some((*element).to_string())).collect())
    }

    #[test]
    fn what_clients_send_for_lists_is_read() {
        assert_eq!(
            read(r#"{"To restore a backup, stop.","Cats sleep."}"#),
            list(&["To restore a backup, stop.", "Cats sleep."])
        );
        assert_eq!(read("{a,b}"), list(&["a", "b"]));
        assert_eq!(read(" { a b , \"c\" } \n"), list(&["a b", "c"]));
        assert_eq!(read("{}"), list(&[]));
        assert_eq!(
            read(r#"{a,NULL,"NULL",\null}"#),
            Some(vec![Some("a".into()), None, Some("NULL".into()), Some("null".into())])
        );
        assert_eq!(read(r"{a\,b\ }"), list(&["a,b "]));
        assert_eq!(read("{{a,b},{c,d}}"), list(&["a", "b", "c", "d"]));
        assert_eq!(read("[0:1]={a,b}"), list(&["a", "b"]));
        assert_eq!(read("[1:1][-2:-1] = {{a,b}}"), list(&["a", "b"]));
        for elements in [vec![], vec!["a\"b", "c\\d", "", "{,}", "NULL", " é 東 "]] {
            let elements: Vec<String> = elements.into_iter().map(str::to_string).collect();
            assert_eq!(read(&array_literal(&elements)), Some(elements.into_iter().map(Some).collect()));
        }
    }

    #[test]
    fn texts_are_no_arrays() {
        for text in [
            "",
            " ",
            "{",
            "}",
            "{}}",
            "{{}",
            "{a",
            "a}",
            "a,b",
            "{a}b",
            "x{a}",
            "{a,}",
            "{,a}",
            "{a,,b}",
            "{a b\"c\"}",
            "{\"a\"b}",
            "{\"a\": 1}",
            "{\"a\": {\"b\": []}, \"c\": \"d\"}",
            "{\"a",
            "{a\\",
            "[1, 2]",
            "[a]={a}",
            "[1:2]",
            "[1:2]x={a}",
            "{a{b}}",
            "{a}{b}",
            "{a},{b}",
            "{{a}b}",
            "fn main() { run() }",
            "{{content}} and {more}",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read(&"{".repeat(100_000)), None);
        assert_eq!(read(&format!("{}a{}", "{".repeat(7), "}".repeat(7))), None);
    }
}
