//! Arabic and Hebrew: converts visual order, from left to right, to logical order. Inverts the Unicode bidirectional
//! algorithm (UAX #9), which keeps words of other scripts and numbers from left to right; as it is not invertible in
//! general, this covers ordinary text.

use super::glyph::Glyph;
use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Whether a character is of a right-to-left script. Arabic digits are not.
fn is_rtl(c: char) -> bool {
    matches!(c,
        '\u{590}'..='\u{65f}' | '\u{66d}'..='\u{6ef}' | '\u{6fa}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}'
        | '\u{fe70}'..='\u{fefc}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

/// Whether a text has right-to-left characters.
pub(super) fn has_rtl(text: &str) -> bool {
    text.chars().any(is_rtl)
}

/// Sorts the glyphs of right-to-left lines from left to right, whatever their drawing order, and puts marks before
/// their base letters.
pub(super) fn left_to_right(glyphs: Vec<Glyph>) -> Vec<Glyph> {
    if !glyphs.iter().any(|glyph| is_rtl(glyph.c)) {
        return glyphs;
    }
    let on_line = |a: &Glyph, b: &Glyph| (a.y - b.y).abs() < 0.1 * a.size.min(b.size);
    let mut sorted = Vec::with_capacity(glyphs.len());
    for line in glyphs.chunk_by(on_line) {
        if line.iter().any(|glyph| is_rtl(glyph.c)) {
            let mut line = with_marks(line);
            line.sort_by(|(a, _), (b, _)| a.x0.total_cmp(&b.x0));
            sorted.extend(line.into_iter().flat_map(|(base, marks)| marks.into_iter().chain(std::iter::once(base))));
        } else {
            sorted.extend_from_slice(line);
        }
    }
    sorted
}

/// Groups the glyphs of a line into letters with marks, whose position becomes the left edge of the letter.
fn with_marks(line: &[Glyph]) -> Vec<(Glyph, Vec<Glyph>)> {
    let is_mark = |glyph: &Glyph| is_rtl(glyph.c) && is_combining_mark(glyph.c);
    let letters: Vec<&Glyph> = line.iter().filter(|glyph| is_rtl(glyph.c) && !is_mark(glyph)).collect();
    // Programs that draw from left to right draw marks before their letter.
    let rightwards =
        letters.windows(2).filter(|pair| matches!(pair, [a, b] if a.x0 < b.x0)).count() * 2 >= letters.len();
    let mut bases: Vec<(Glyph, Vec<Glyph>)> = Vec::new();
    let mut waiting: Vec<Glyph> = Vec::new();
    for glyph in line {
        if !is_mark(glyph) {
            bases.push((*glyph, std::mem::take(&mut waiting)));
        } else if let Some((_, marks)) = bases.last_mut().filter(|_| !rightwards) {
            marks.push(*glyph);
        } else {
            waiting.push(*glyph);
        }
    }
    match bases.last_mut() {
        Some((_, marks)) => marks.append(&mut waiting),
        None => bases.extend(waiting.into_iter().map(|mark| (mark, Vec::new()))),
    }
    for (base, marks) in &mut bases {
        marks.iter_mut().for_each(|mark| (mark.x0, mark.x1) = (base.x0, base.x0));
    }
    bases
}

/// Converts text without line breaks from visual to logical order, or back: it is its own inverse but for brackets.
pub(super) fn reverse_rtl(text: &str) -> Cow<'_, str> {
    if !has_rtl(text) {
        return text.into();
    }
    let chars: Vec<char> = text.chars().collect();
    let count = |is: fn(char) -> bool| chars.iter().filter(|c| is(**c)).count();
    if count(is_rtl) > count(is_ltr) {
        return reversed(&chars).into();
    }
    // Right-to-left words in a left-to-right line.
    let mut line = String::with_capacity(text.len());
    let mut rest = &chars[..];
    while let Some(start) = rest.iter().position(|c| is_rtl(*c)) {
        let end = rest.iter().skip(start).position(|c| is_ltr(*c)).map_or(rest.len(), |length| start + length);
        let last = rest.get(..end).and_then(|part| part.iter().rposition(|c| is_rtl(*c))).unwrap_or(start);
        let (before, words, after) = (rest.get(..start), rest.get(start..=last), rest.get(last + 1..));
        line.extend(before.unwrap_or_default());
        line.push_str(&reversed(words.unwrap_or_default()));
        rest = after.unwrap_or_default();
    }
    line.extend(rest);
    line.into()
}

/// Converts a line from visual to logical order, and presentation forms to ordinary letters.
pub(super) fn to_reading_order(text: String) -> String {
    if !has_rtl(&text) {
        return text;
    }
    let mut letters = String::with_capacity(text.len());
    for c in reverse_rtl(&text).chars() {
        match c {
            // An isolated mark is one on a space.
            '\u{fe70}'..='\u{fe7f}' => letters.extend(c.nfkc().filter(|c| *c != ' ' && *c != '\u{640}')),
            '\u{fb1d}'..='\u{fdff}' | '\u{fe80}'..='\u{fefc}' => letters.extend(c.nfkc()),
            c => letters.push(c),
        }
    }
    letters.nfc().collect()
}

/// Reverses a right-to-left line except for left-to-right words and numbers in it.
fn reversed(line: &[char]) -> String {
    let mut parts: Vec<&[char]> = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let (part, after) = rest.split_at_checked(run(rest).max(1)).unwrap_or((rest, &[]));
        parts.push(part);
        rest = after;
    }
    // Brackets are mirrored in display, and some files contain the displayed form.
    let alone = |part: &&&[char]| part.len() == 1;
    let brackets = parts.iter().rev().filter(alone).flat_map(|part| part.iter()).filter(|c| mirrored(**c) != **c);
    let mut brackets = brackets.map(|c| matches!(c, '(' | '[' | '{' | '«' | '<'));
    let mirror = brackets.next() == Some(false) && brackets.any(|opens| opens);
    let mut text = String::with_capacity(line.len() * 2);
    for part in parts.into_iter().rev() {
        match part {
            [c] => text.push(if mirror { mirrored(*c) } else { *c }),
            part => text.extend(part),
        }
    }
    text
}

/// Length in characters of the left-to-right words or number at the start of a line; 0 if there are none.
fn run(line: &[char]) -> usize {
    let is_read = |c: &char| is_ltr(*c) || c.is_numeric();
    // A currency sign before a number, a per cent sign after it.
    let is_sign = |c: &char| matches!(c, '%' | '‰' | '°' | '$' | '€' | '£' | '₪' | '#');
    let signs = |at: usize| line.iter().skip(at).take(2).take_while(|c| is_sign(c)).count();
    let (mut end, mut has_letter) = (signs(0), false);
    if !line.get(end).is_some_and(is_read) {
        return 0;
    }
    loop {
        let word = line.iter().skip(end).take_while(|c| is_read(c)).count();
        has_letter |= line.iter().skip(end).take(word).any(|c| is_ltr(*c));
        end += word;
        let gap = line.iter().skip(end).take_while(|c| !is_read(c) && !is_rtl(**c)).count();
        let ends = !line.get(end + gap).is_some_and(is_read);
        // Two numbers separated by a space run from right to left, a date and time does not.
        let is_joint =
            gap == 1 && line.get(end).is_some_and(|c| matches!(c, '.' | ',' | ':' | '/' | '-' | '\u{66b}' | '\u{66c}'));
        if ends || !(has_letter || is_joint) {
            return end + signs(end);
        }
        end += gap;
    }
}

fn is_ltr(c: char) -> bool {
    c.is_alphabetic() && !is_rtl(c)
}

fn mirrored(c: char) -> char {
    match c {
        '(' => ')',
        ')' => '(',
        '[' => ']',
        ']' => '[',
        '{' => '}',
        '}' => '{',
        '«' => '»',
        '»' => '«',
        '<' => '>',
        '>' => '<',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::{reverse_rtl, to_reading_order};

    #[test]
    fn what_is_read_from_left_to_right_stays() {
        // As they stand from left to right. Words of one letter, repeated, look alike from both sides.
        for (drawn, read) in [
            ("גבא", "אבג"),
            ("2024 גבא", "אבג 2024"),
            ("ב report.pdf א", "א report.pdf ב"),
            ("ב Word 10, Excel 11 א", "א Word 10, Excel 11 ב"),
            ("20 10 א", "א 10 20"),
            ("ב 12:30 ,31.12.2024 ,50% א", "א 50%, 31.12.2024, 12:30 ב"),
            (".ב (PDF) א", "א (PDF) ב."),
            (".ב )PDF( א", "א (PDF) ב."),
            ("ב ١٢٣ א", "א ١٢٣ ב"),
            ("see הדג for more", "see גדה for more"),
            ("only Latin 12", "only Latin 12"),
        ] {
            let words = |text: &str| text.replace('א', &"א".repeat(12)).replace('ב', &"ב".repeat(12));
            let (drawn, read) = (words(drawn), words(read));
            assert_eq!(to_reading_order(drawn.clone()), read);
            assert_eq!(reverse_rtl(&reverse_rtl(&drawn)).replace(['(', ')'], "|"), drawn.replace(['(', ')'], "|"));
        }
    }

    #[test]
    fn forms_of_letters_become_letters() {
        assert_eq!(to_reading_order("\u{fee1}\u{fefc}\u{feb3}".to_string()), "سلام");
        assert_eq!(to_reading_order("\u{fb2a}".to_string()), "\u{5e9}\u{5c1}");
        assert_eq!(to_reading_order("\u{fe8e}\u{fe7f}".to_string()), "\u{652}ا");
        // Those of other scripts are no concern of this.
        assert_eq!(to_reading_order("\u{fb01}\u{ff21}".to_string()), "\u{fb01}\u{ff21}");
    }

    #[test]
    fn long_lines_take_no_time_for_themselves() {
        for part in ["1.", "#", "a ", "(", "1 ", "א1"] {
            let line = format!("{}{}", "א".repeat(600_000), part.repeat(250_000));
            assert_eq!(to_reading_order(line.clone()).chars().count(), line.chars().count());
        }
    }
}
