//! Labels of list items: bullets and formatted numbers, for all Office formats.

/// The label of a list item.
#[derive(Debug, Eq, PartialEq)]
pub enum Label {
    /// A bullet.
    Bullet,
    /// No label.
    Nothing,
    /// The number of this level alone, and the label as displayed, e.g. "1."
    Number(u64, String),
    /// Any other label, such as "a)" or "1.2".
    Text(String),
}

/// Whether the text around a number is mere punctuation, which Markdown need not repeat.
pub fn is_plain_decoration(text: &str) -> bool {
    text.chars().all(|c| matches!(c, '.' | ')' | '(' | ' '))
}

/// Formats a number; `format` is a name of Word (ST_NumberFormat). Unknown formats, and those that spell numbers in a
/// language, give decimal digits.
pub fn format_number(number: u64, format: &str) -> String {
    match format {
        "lowerLetter" => letters(number),
        "upperLetter" => letters(number).to_uppercase(),
        "lowerRoman" => roman(number),
        "upperRoman" => roman(number).to_uppercase(),
        "decimalZero" => format!("{number:02}"),
        "none" => String::new(),
        _ => number.to_string(),
    }
}

/// The number as letters: a … z, aa, bb, …
fn letters(number: u64) -> String {
    let Some(at) = number.checked_sub(1) else { return "0".to_string() };
    let letter = char::from(b'a' + u8::try_from(at % 26).unwrap_or_default());
    // Limits the length of labels in hostile documents.
    std::iter::repeat_n(letter, usize::try_from(at / 26 + 1).unwrap_or(1).min(8)).collect()
}

/// The number in Roman numerals, in lower case; decimal from 4000 on.
fn roman(number: u64) -> String {
    const MARKS: [(u64, &str); 13] = [
        (1000, "m"),
        (900, "cm"),
        (500, "d"),
        (400, "cd"),
        (100, "c"),
        (90, "xc"),
        (50, "l"),
        (40, "xl"),
        (10, "x"),
        (9, "ix"),
        (5, "v"),
        (4, "iv"),
        (1, "i"),
    ];
    if !(1..4000).contains(&number) {
        return number.to_string();
    }
    let mut rest = number;
    let mut text = String::new();
    for (value, mark) in MARKS {
        while rest >= value {
            text.push_str(mark);
            rest -= value;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_their_format_says() {
        assert_eq!([1, 26, 27, 0].map(|number| format_number(number, "lowerLetter")), ["a", "z", "aa", "0"]);
        assert_eq!([4, 1999, 4000].map(|number| format_number(number, "upperRoman")), ["IV", "MCMXCIX", "4000"]);
        assert_eq!(format_number(7, "decimalZero"), "07");
        assert_eq!(format_number(u64::MAX, "lowerLetter").len(), 8);
    }
}
