//! Parses page numbers: "7", "- 7 -", "vii", "Page 7 of 12", "Seite 7/12", also at either end of a running header.

/// Words for a page, and words between page number and total number of pages.
const LABELS: [&str; 33] = [
    "page",
    "pages",
    "p",
    "pg",
    "pp",
    "seite",
    "s",
    "blatt",
    "página",
    "pagina",
    "pág",
    "pag",
    "strona",
    "str",
    "strana",
    "sida",
    "sidan",
    "side",
    "sivu",
    "oldal",
    "bladzijde",
    "blz",
    "sayfa",
    "страница",
    "стр",
    "с",
    "σελίδα",
    "trang",
    "第",
    "页",
    "頁",
    "ページ",
    "페이지",
];
const BETWEEN: [&str; 16] =
    ["of", "von", "de", "sur", "z", "ze", "di", "da", "av", "af", "van", "из", "od", "/", "共", "全"];

/// A parsed page number.
#[derive(Debug, PartialEq)]
pub(super) struct PageNumber {
    /// The rest of the line.
    pub(super) rest: String,
    pub(super) number: i64,
    /// The stated total number of pages.
    pub(super) total: Option<i64>,
    /// Whether it has a label such as "Page".
    pub(super) labelled: bool,
    pub(super) roman: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Number(i64),
    Label,
    Between,
    Dash,
    Sign,
    Other,
}

/// The page number in a line; `None` if there is none.
pub(super) fn page_number(text: &str) -> Option<PageNumber> {
    let parts = parts(text);
    alone(&parts)
        .or_else(|| roman(text))
        .or_else(|| at_end(text, &parts))
        .or_else(|| at_start(text, &parts))
        .or_else(|| beside_a_sign(text, &parts))
}

/// Parses a line that consists of a page number.
fn alone(parts: &[(usize, Part)]) -> Option<PageNumber> {
    let labelled = parts.iter().any(|(_, part)| *part == Part::Label);
    number_of(parts, labelled).map(|(number, total)| PageNumber {
        rest: String::new(),
        number,
        total,
        labelled,
        roman: false,
    })
}

/// The page number and the total number of pages, if there is nothing else.
fn number_of(parts: &[(usize, Part)], labelled: bool) -> Option<(i64, Option<i64>)> {
    if parts.iter().any(|(_, part)| *part == Part::Other) {
        return None;
    }
    let numbers: Vec<(usize, i64)> = parts
        .iter()
        .enumerate()
        .filter_map(|(at, (_, part))| if let Part::Number(number) = part { Some((at, *number)) } else { None })
        .collect();
    match numbers.as_slice() {
        [(_, number)] => Some((*number, None)),
        [(first, number), (second, total)] => {
            let joint: Vec<Part> = parts.get(first + 1..*second)?.iter().map(|(_, part)| *part).collect();
            match joint.as_slice() {
                // Chapter and page number.
                [Part::Dash] if *number <= 99 => Some((*total, None)),
                [Part::Between | Part::Label | Part::Sign, ..] | []
                    if number <= total && (labelled || joint.len() == 1) =>
                {
                    Some((*number, Some(*total)))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// "Minutes of the board, page 3 of 12".
fn at_end(text: &str, parts: &[(usize, Part)]) -> Option<PageNumber> {
    let label = parts.iter().rposition(|(_, part)| *part == Part::Label)?;
    let (number, total) = number_of(parts.get(label..)?, true)?;
    let rest = text.get(..parts.get(label)?.0)?;
    folio_beside(rest, number, total)
}

/// "Page 3 of 12, minutes of the board".
fn at_start(text: &str, parts: &[(usize, Part)]) -> Option<PageNumber> {
    let [(_, Part::Label), rest @ ..] = parts else { return None };
    let other = rest.iter().position(|(_, part)| !matches!(part, Part::Number(_) | Part::Between))?;
    let (number, total) = number_of(rest.get(..other)?, true)?;
    folio_beside(text.get(rest.get(other)?.0..)?, number, total)
}

/// "Minutes of the board | 3".
fn beside_a_sign(text: &str, parts: &[(usize, Part)]) -> Option<PageNumber> {
    let separates = |at: usize| text.get(at..)?.chars().next().filter(|c| matches!(c, '|' | '·' | '•'));
    match parts {
        [.., (sign, Part::Sign), (_, Part::Number(number))] if separates(*sign).is_some() => {
            folio_beside(text.get(..*sign)?, *number, None)
        }
        [(_, Part::Number(number)), (sign, Part::Sign), (rest, _), ..] if separates(*sign).is_some() => {
            folio_beside(text.get(*rest..)?, *number, None)
        }
        _ => None,
    }
}

fn folio_beside(rest: &str, number: i64, total: Option<i64>) -> Option<PageNumber> {
    let rest = rest.trim_matches(|c: char| !c.is_alphanumeric());
    let rest = rest.to_string();
    (rest.chars().any(char::is_alphabetic)).then_some(PageNumber { rest, number, total, labelled: true, roman: false })
}

/// Parses a line that is a Roman number.
fn roman(text: &str) -> Option<PageNumber> {
    const VALUES: [(char, i64); 5] = [('i', 1), ('v', 5), ('x', 10), ('l', 50), ('c', 100)];
    let digits = text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let values: Option<Vec<i64>> =
        digits.chars().map(|c| VALUES.iter().find(|(digit, _)| *digit == c).map(|(_, value)| *value)).collect();
    let values = values.filter(|values| (1..9).contains(&values.len()))?;
    let number = values.iter().enumerate().fold(0, |sum, (at, value)| {
        if values.get(at + 1).is_some_and(|next| next > value) { sum - value } else { sum + value }
    });
    if in_roman(number) != digits {
        return None;
    }
    let signs = text.chars().all(|c| c.is_alphanumeric() || c.is_whitespace() || is_dash(c) || is_sign(c));
    signs.then_some(PageNumber { rest: String::new(), number, total: None, labelled: false, roman: true })
}

/// Parses a Roman number from 1 to 399.
fn in_roman(mut number: i64) -> String {
    const DIGITS: [(&str, i64); 9] =
        [("c", 100), ("xc", 90), ("l", 50), ("xl", 40), ("x", 10), ("ix", 9), ("v", 5), ("iv", 4), ("i", 1)];
    let mut digits = String::new();
    for (digit, value) in DIGITS {
        while number >= value && number < 400 {
            digits.push_str(digit);
            number -= value;
        }
    }
    digits
}

fn is_dash(c: char) -> bool {
    matches!(c, '-' | '–' | '—' | '−')
}

fn is_sign(c: char) -> bool {
    matches!(c, '|' | '·' | '•' | '[' | ']' | '(' | ')' | '«' | '»' | '‹' | '›' | '~')
}

/// The tokens of a line, each with its first byte.
fn parts(text: &str) -> Vec<(usize, Part)> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let at = text.len() - rest.len();
        let of = |is: fn(char) -> bool| rest.find(|c| !is(c)).unwrap_or(rest.len());
        let (length, part) = match c {
            c if c.is_whitespace() => {
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
                continue;
            }
            c if c.is_ascii_digit() => {
                let length = of(|c| c.is_ascii_digit());
                (length, number_part(rest.get(..length).unwrap_or_default()))
            }
            '第' | '页' | '頁' => (c.len_utf8(), Part::Label),
            '/' | '共' | '全' => (c.len_utf8(), Part::Between),
            c if c.is_alphabetic() => {
                let mut length = of(|c| c.is_alphabetic() && !matches!(c, '第' | '页' | '頁' | '共' | '全'));
                let word = rest.get(..length).unwrap_or_default().to_lowercase();
                let part = if LABELS.contains(&word.as_str()) {
                    Part::Label
                } else if BETWEEN.contains(&word.as_str()) {
                    Part::Between
                } else {
                    Part::Other
                };
                // The full stop after an abbreviation.
                length +=
                    usize::from(part == Part::Label && rest.get(length..).is_some_and(|rest| rest.starts_with('.')));
                (length, part)
            }
            c if is_dash(c) => (c.len_utf8(), Part::Dash),
            c if is_sign(c) => (c.len_utf8(), Part::Sign),
            c => (c.len_utf8(), Part::Other),
        };
        parts.push((at, part));
        rest = rest.get(length..).unwrap_or_default();
    }
    parts
}

fn number_part(digits: &str) -> Part {
    // Numbers with leading zeros are not page numbers.
    let plain = digits.len() < 6 && !digits.starts_with('0');
    digits.parse().ok().filter(|_| plain).map_or(Part::Other, Part::Number)
}

#[cfg(test)]
mod tests {
    use super::page_number;

    #[test]
    fn numbers_of_pages_are_told_from_other_numbers() {
        let found = |text: &str| page_number(text).map(|folio| (folio.rest, folio.number, folio.total, folio.labelled));
        let bare = |number, total, labelled| Some((String::new(), number, total, labelled));
        for (text, wanted) in [
            ("7", bare(7, None, false)),
            ("- 7 -", bare(7, None, false)),
            ("[7]", bare(7, None, false)),
            ("xiv", bare(14, None, false)),
            ("– IX –", bare(9, None, false)),
            ("Page 7", bare(7, None, true)),
            ("p. 7", bare(7, None, true)),
            ("Page 7 of 12", bare(7, Some(12), true)),
            ("Seite 7 von 12", bare(7, Some(12), true)),
            ("Seite 7/12", bare(7, Some(12), true)),
            ("7/12", bare(7, Some(12), false)),
            ("7 of 12", bare(7, Some(12), false)),
            ("第 7 页 共 12 页", bare(7, Some(12), true)),
            ("7 ページ", bare(7, None, true)),
            ("3-12", bare(12, None, false)),
            ("Minutes of 3 May, page 7 of 12", Some(("Minutes of 3 May".to_string(), 7, Some(12), true))),
            ("Page 7 of 12 - Minutes", Some(("Minutes".to_string(), 7, Some(12), true))),
            ("Annual report 2023 | 7", Some(("Annual report 2023".to_string(), 7, None, true))),
            ("7 · Annual report", Some(("Annual report".to_string(), 7, None, true))),
        ] {
            assert_eq!(found(text), wanted, "{text}");
        }
        for text in [
            "Chapter 7",
            "Invoice 1001",
            "Exhibit 7",
            "Exhibit - 7",
            "12/7",
            "2024-001",
            "007",
            "12.05.2024",
            "7.50",
            "7 EUR",
            "Page",
            "civil",
            "iiii",
            "Day 7",
            "250 250",
            "Did",
            "pages of a book",
            "Total: 7",
            "§ 7",
            "1234567",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
