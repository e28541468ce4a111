//! Labels and values: short texts of which one names what the other is, as a sum and its amount.

use super::line::Line;
use super::list;

/// Maximum number of characters of a label, and of a value.
const LABEL_LETTERS: usize = 40;
const VALUE_LETTERS: usize = 26;
/// How far edges of a column may be from one another, as a multiple of the font size.
const EDGE: f32 = 0.5;

/// Whether lines beside one another are labels and their values: the labels end in colons, or the values are amounts, numbers or
/// dates.
pub(super) fn are_pairs(labels: &[&Line], values: &[&Line]) -> bool {
    let all = |lines: &[&Line], fits: fn(&str) -> bool| lines.iter().all(|line| fits(&line.text()));
    let asks = |text: &str| is_label(text) && text.ends_with(':');
    let is_short = |text: &str| text.chars().count() <= LABEL_LETTERS && !text.ends_with(':');
    is_aligned(labels)
        && is_aligned(values)
        && (all(labels, asks) && all(values, is_short) || all(labels, is_label) && all(values, is_value))
}

/// Whether a text may name a value.
pub(super) fn is_label(text: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    letters > 1 && text.chars().count() <= LABEL_LETTERS && (letters > 4 || !is_value(text))
}

/// Whether a text is a label and its value.
pub(super) fn is_pair(text: &str) -> bool {
    text.match_indices(' ').any(|(at, _)| {
        let (label, value) = text.split_at(at);
        is_label(label) && is_value(value.trim_start())
    })
}

/// Whether a text is an amount with its currency or unit, a number or a date. Streets and towns with their numbers are none.
pub(super) fn is_value(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let Some(first) = words.iter().find(|word| !is_sign(word)) else { return false };
    if text.chars().count() > VALUE_LETTERS || list::is_mark(text) || !words.iter().any(|word| has_digit(word)) {
        return false;
    }
    let count = |of: fn(char) -> bool| text.chars().filter(|c| of(*c)).count();
    let in_words = words.iter().filter(|word| !has_digit(word)).map(|word| letters(word)).max().unwrap_or_default();
    // A number of four digits and more before a word is that of a town.
    let is_unit = in_words <= 3 || (in_words <= 6 && words.len() == 2 && first.len() <= 3);
    let begins = has_digit(first) || is_currency(first, words.get(1).copied());
    is_date(&words)
        || (begins && is_unit && (words.len() == 2 || count(char::is_alphabetic) <= count(char::is_numeric)))
}

fn letters(word: &str) -> usize {
    word.chars().filter(|c| c.is_alphabetic()).count()
}

fn has_digit(word: &str) -> bool {
    word.chars().any(|c| c.is_ascii_digit())
}

fn is_sign(word: &str) -> bool {
    matches!(word, "-" | "–" | "−" | "+" | "±")
}

/// Whether a word is a currency before its amount, as `$` or `CHF`.
fn is_currency(word: &str, amount: Option<&str>) -> bool {
    let is_amount = |amount: &str| has_digit(amount) && amount.contains(['.', ',', '\'']) && letters(amount) == 0;
    word.chars().count() <= 3
        && !word.chars().any(char::is_lowercase)
        && amount.is_some_and(|amount| if letters(word) == 0 { has_digit(amount) } else { is_amount(amount) })
}

/// Whether words are a day, a month by its name, and a year.
fn is_date(words: &[&str]) -> bool {
    let is_number = |word: &str, count: std::ops::RangeInclusive<usize>| {
        let word = word.trim_end_matches([',', '.']);
        count.contains(&word.len()) && word.bytes().all(|b| b.is_ascii_digit())
    };
    match words {
        [a, b, year] | [a, b, year, "r."] => {
            let is_month = |word: &str| letters(word) >= 3 && !has_digit(word);
            is_number(year, 4..=4) && ((is_number(a, 1..=2) && is_month(b)) || (is_month(a) && is_number(b, 1..=2)))
        }
        _ => false,
    }
}

/// Whether lines begin or end below one another.
fn is_aligned(lines: &[&Line]) -> bool {
    let near = EDGE * lines.iter().map(|line| line.size).fold(0.0, f32::max);
    let spread = |of: fn(&Line) -> f32| {
        let ends = || lines.iter().map(|line| of(line));
        ends().fold(f32::MIN, f32::max) - ends().fold(f32::MAX, f32::min)
    };
    spread(|line| line.x0) < near || spread(|line| line.x1) < near
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_numbers_and_dates_are_values() {
        let values = [
            "23.651,15 €",
            "28.095,12 EUR",
            "-812,40 €",
            "- 812,40 €",
            "1 250,00 zł",
            "1'200.00",
            "CHF 1'200.00",
            "$ 12",
            "19 %",
            "14 Wochen",
            "2 Std.",
            "30.11.2026",
            "30. November 2026",
            "30 listopada 2026 r.",
            "November 30, 2026",
            "2026-00471",
            "F-2026-118",
            "FV/2026/11/47",
            "+49 40 123456",
            "040 123456",
            "DE123456789",
            "10:30 Uhr",
        ];
        values.iter().for_each(|text| assert!(is_value(text), "{text}"));
        let others = [
            "20457 Hamburg",
            "1010 Wien",
            "75011 Paris",
            "Hafenstr. 1",
            "12, quai de la Loire",
            "Tel. 040 123456",
            "HRB 123456",
            "(1)",
            "1.",
            "Zwischensumme",
            "Rechnung Nr. 2026-00471",
            "Datum: 30.11.2026",
            "info@muster.de",
            "",
        ];
        others.iter().for_each(|text| assert!(!is_value(text), "{text}"));
        ["Zwischensumme", "zzgl. 19 % USt.", "USt. 19 %", "Datum:"]
            .iter()
            .for_each(|text| assert!(is_label(text), "{text}"));
        ["1", "12,00", "–", "Sehr geehrte Frau Mustermann, wir danken Ihnen"]
            .iter()
            .for_each(|text| assert!(!is_label(text), "{text}"));
    }
}
