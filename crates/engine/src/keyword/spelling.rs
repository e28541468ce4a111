//! Other spellings of words: written together or apart, numbers with and without separators, and dates.
//!
//! Texts and queries have the same spellings, so that each way of writing finds the others.

use std::ops::Range;

/// Longest word that is made by joining, in bytes.
const MAX_JOINED: usize = 34;

/// Shortest part of a piece, in bytes; a number is longer.
const MIN_PART: usize = 2;

/// Most parts of a piece; what has more is a digest or a key.
const MAX_PARTS: usize = 5;

/// Most numbers that stand beside each other and are one number: the groups of the longest IBAN.
const MAX_NUMBERS: usize = 9;

/// Longest group of digits and letters in a number.
const MAX_GROUP: usize = 10;

/// Names of the months in the languages that write dates with them, January first; abbreviations in English.
const MONTHS: [&str; 12] = [
    "january jan janvier januar enero gennaio janeiro januari stycznia styczeń jänner",
    "february feb février fevrier februar febrero febbraio fevereiro februari lutego luty feber",
    "march mar mars märz maerz marzo março marco maart marca marzec",
    "april apr avril abril aprile kwietnia kwiecień",
    "may mai mayo maggio maio mei maja maj",
    "june jun juin juni junio giugno junho czerwca czerwiec",
    "july jul juillet juli julio luglio julho lipca lipiec",
    "august aug août aout agosto augustus sierpnia sierpień augusti",
    "september sep sept septembre septiembre settembre setembro września wrzesień",
    "october oct octobre oktober octubre ottobre outubro października październik",
    "november nov novembre noviembre novembro listopada listopad",
    "december dec décembre decembre dezember diciembre dicembre dezembro grudnia grudzień",
];

/// Connected pieces as one word: a hyphenated word of two pieces (`Wi-Fi`), a code (`ERR-4042`), a name with underscores,
/// or an address of at least four groups (`00:1A:2B:3C`). `None` for anything else, such as sentences and domain names.
pub fn joined(text: &str, pieces: &[(usize, usize)]) -> Option<String> {
    let separators = || pieces.windows(2).map(|pair| &text[pair[0].1..pair[1].0]);
    let is_hyphen = |separator: &str| matches!(separator, "-" | "\u{2010}" | "\u{2011}");
    let has_digit = pieces.iter().any(|(start, end)| text[*start..*end].bytes().any(|byte| byte.is_ascii_digit()));
    let is_word = pieces.len() == 2 && separators().all(is_hyphen);
    let is_code = separators().all(|separator| is_hyphen(separator) || separator == "_")
        && (has_digit || separators().all(|separator| separator == "_"));
    let is_address = pieces.len() >= 4 && separators().all(|separator| separator == ":");
    let length: usize = pieces.iter().map(|(start, end)| end - start).sum();
    ((is_word || is_code || is_address) && length <= MAX_JOINED)
        .then(|| pieces.iter().map(|(start, end)| &text[*start..*end]).collect())
}

/// The letter, or the name after a point, with the signs that belong to it (`C++`, `C#`, `.NET`), or an option of a command
/// (`-version`, also of `--version`).
pub fn symbol(text: &str, start: usize, end: usize) -> Option<(usize, usize)> {
    let rest = &text[end..];
    let is_letter = end - start == 1 && text[start..end].bytes().all(|byte| byte.is_ascii_alphabetic());
    if is_letter && rest.starts_with("++") {
        return Some((start, end + 2));
    }
    if is_letter && rest.starts_with('#') {
        return Some((start, end + 1));
    }
    if is_option(text, start, end) {
        return Some((start - 1, end));
    }
    let before = text[..start].strip_suffix('.')?;
    let begins = before.chars().next_back().is_none_or(|last| !last.is_alphanumeric() && last != '.');
    (begins && text[start..end].starts_with(char::is_alphabetic)).then_some((start - 1, end))
}

/// Whether a piece of letters follows one or two hyphens before which no word stands.
fn is_option(text: &str, start: usize, end: usize) -> bool {
    let Some(before) = text[..start].strip_suffix('-') else { return false };
    let before = before.strip_suffix('-').unwrap_or(before);
    let begins = before
        .chars()
        .next_back()
        .is_none_or(|last| last.is_whitespace() || matches!(last, '`' | '\'' | '"' | '(' | '['));
    begins && text[start..end].chars().all(char::is_alphabetic)
}

/// The term of an option of a command.
pub fn option_term(name: &str) -> String {
    format!("-{name}")
}

/// The name by which people write a word with signs that are lost elsewhere.
pub fn name_of_symbol(symbol: &str) -> Option<&'static str> {
    Some(match symbol {
        "c++" => "cpp",
        "c#" => "csharp",
        "f#" => "fsharp",
        ".net" => "dotnet",
        _ => return None,
    })
}

/// The parts of a piece in which letters and digits alternate (`ISO27001`), or that is written in camel case: with a small
/// first letter (`getUserById`) or of at least three parts (`NullPointerException`), for names such as `PostgreSQL` are one
/// word. Empty where it has no parts.
pub fn parts(piece: &str) -> Vec<Range<usize>> {
    // Most words are of small letters.
    if !piece.bytes().any(|byte| byte.is_ascii_digit()) && !piece.chars().skip(1).any(char::is_uppercase) {
        return Vec::new();
    }
    let mut bounds = vec![0];
    let mut has_digits = false;
    let signs: Vec<(usize, char)> =
        if piece.len() < MAX_JOINED * 2 { piece.char_indices().collect() } else { Vec::new() };
    for (at, pair) in signs.windows(2).enumerate() {
        let [(_, one), (begin, next)] = [pair[0], pair[1]];
        let after = signs.get(at + 2).map(|(_, sign)| *sign);
        let into_digits = one.is_alphabetic() && next.is_ascii_digit();
        let out_of_digits = one.is_ascii_digit() && next.is_alphabetic();
        let camel = one.is_lowercase() && next.is_uppercase();
        let last_capital = one.is_uppercase() && next.is_uppercase() && after.is_some_and(char::is_lowercase);
        has_digits |= into_digits || out_of_digits;
        if into_digits || out_of_digits || camel || last_capital {
            bounds.push(begin);
        }
    }
    bounds.push(piece.len());
    let count = bounds.len() - 1;
    let begins_small = piece.starts_with(char::is_lowercase) && bounds.get(1).is_some_and(|end| *end > 1);
    let is_split = count > 1 && count <= MAX_PARTS && (has_digits || begins_small || count > 2);
    if !is_split {
        return Vec::new();
    }
    // A letter, or a number that many codes have, says nothing without the rest.
    let tells = |part: &Range<usize>| {
        part.len() >= MIN_PART
            && (part.len() > MIN_PART || !piece[part.clone()].bytes().all(|byte| byte.is_ascii_digit()))
    };
    bounds.windows(2).map(|pair| pair[0]..pair[1]).filter(tells).collect()
}

/// A version number without the letter before it.
pub fn version(identifier: &str) -> Option<&str> {
    let rest = identifier.strip_prefix(['v', 'V'])?;
    (rest.starts_with(|first: char| first.is_ascii_digit()) && rest.contains('.')).then_some(rest)
}

/// Whether a piece consists of two or more capital letters.
pub fn is_in_capitals(piece: &str) -> bool {
    piece.len() > 1 && piece.chars().all(char::is_uppercase)
}

fn is_apostrophe(character: char) -> bool {
    matches!(character, '\'' | '\u{2019}' | '\u{2bc}')
}

/// Whether an apostrophe stands before or after a piece.
pub fn is_elided(text: &str, start: usize, end: usize) -> bool {
    text[..start].ends_with(is_apostrophe) || text[end..].starts_with(is_apostrophe)
}

/// Whether the piece that begins at `start` follows a capital letter and an apostrophe, and begins with a capital letter
/// itself, as in O'Brien.
pub fn is_name_after_apostrophe(text: &str, last: &Range<usize>, start: usize) -> bool {
    let between = text.get(last.end..start).unwrap_or_default();
    let letter = &text[last.clone()];
    is_apostrophe(between.chars().next().unwrap_or(' '))
        && between.chars().count() == 1
        && letter.chars().count() == 1
        && letter.chars().all(char::is_uppercase)
        && text[start..].starts_with(char::is_uppercase)
}

/// Pieces with digits that stand beside each other, and the last pieces, which may be a date.
#[derive(Debug, Default)]
pub struct Numbers {
    groups: Vec<(usize, usize)>,
    last: [Option<(usize, usize)>; 2],
}

impl Numbers {
    /// Whether a piece continues the number so far.
    pub fn follows(&self, text: &str, start: usize, end: usize) -> bool {
        let Some((_, last)) = self.groups.last().copied() else { return true };
        let separator = &text[last..start];
        let first = self.groups.windows(2).next().map(|pair| &text[pair[0].1..pair[1].0]);
        self.groups.len() < MAX_NUMBERS
            && is_separator(separator)
            && first.is_none_or(|first| first == separator)
            && self.is_group(text, start, end)
    }

    fn is_group(&self, text: &str, start: usize, end: usize) -> bool {
        let group = &text.as_bytes()[start..end];
        let is_number = group.iter().all(u8::is_ascii_digit);
        // After the country, an IBAN has letters and digits.
        let first = self.groups.first().map(|(start, end)| &text.as_bytes()[*start..*end]);
        let is_account = first.map_or(is_country(group), is_country) && group.iter().any(u8::is_ascii_digit);
        // The bank in an IBAN is four letters.
        let is_bank = group.len() == 4
            && group.iter().all(u8::is_ascii_uppercase)
            && matches!(self.groups.as_slice(), [(first, first_end)] if is_country(&text.as_bytes()[*first..*first_end]));
        group.len() <= MAX_GROUP && group.is_ascii() && (is_number || is_account || is_bank)
    }

    /// Adds a piece. Returns the dates that end with it in ISO 8601, with the offset at which they begin.
    pub fn push(&mut self, text: &str, start: usize, end: usize) -> Vec<(usize, String)> {
        if self.is_group(text, start, end) {
            self.groups.push((start, end));
        }
        let [one, two] = self.last;
        self.last = [two, Some((start, end))];
        match (one, two) {
            (Some(one), Some(two)) if start - two.1 <= 2 && two.0 - one.1 <= 2 => {
                dates(text, [one, two, (start, end)]).into_iter().map(|date| (one.0, date)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Begin and end of the number so far.
    pub fn range(&self) -> (usize, usize) {
        let bounds = self.groups.first().zip(self.groups.last());
        bounds.map_or((0, 0), |(first, last)| (first.0, last.1))
    }

    /// Ends the number. Returns it without separators: `12500` for `12,500`, an IBAN or telephone number without spaces,
    /// and a national telephone number for an international one.
    pub fn take(&mut self, text: &str) -> Vec<String> {
        let groups = std::mem::take(&mut self.groups);
        let texts: Vec<&str> = groups.iter().map(|(start, end)| &text[*start..*end]).collect();
        let ([first, others @ ..], [(begin, first_end), (second, _), ..]) = (texts.as_slice(), groups.as_slice())
        else {
            return Vec::new();
        };
        let is_number = |group: &&str| group.bytes().all(|byte| byte.is_ascii_digit());
        let separator = &text[*first_end..*second];
        let is_thousands = first.len() <= 3
            && is_number(first)
            && others.iter().all(|group| group.len() == 3 && is_number(group))
            && !matches!(separator, "-" | "/");
        let length: usize = texts.iter().map(|group| group.len()).sum();
        let is_long = texts.len() >= 3 && (8..=MAX_JOINED).contains(&length);
        if !is_thousands && !is_long {
            return Vec::new();
        }
        let mut numbers = vec![texts.concat().to_lowercase()];
        if text[..*begin].ends_with('+') && first.len() <= 3 && is_number(first) {
            numbers.push(format!("0{}", others.concat()));
        }
        numbers
    }
}

fn is_separator(between: &str) -> bool {
    matches!(between, " " | "\u{a0}" | "\u{202f}" | "\u{2009}" | "," | "." | "'" | "\u{2019}" | "-" | "/")
}

/// Whether a group is the beginning of an IBAN: a country and two digits.
fn is_country(group: &[u8]) -> bool {
    matches!(group, [a, b, c, d] if a.is_ascii_uppercase() && b.is_ascii_uppercase() && c.is_ascii_digit() && d.is_ascii_digit())
}

/// The dates that three pieces may mean, in ISO 8601.
fn dates(text: &str, pieces: [(usize, usize); 3]) -> Vec<String> {
    let raw = pieces.map(|(start, end)| &text[start..end]);
    let gaps = [&text[pieces[0].1..pieces[1].0], &text[pieces[1].1..pieces[2].0]];
    let year = |text: &str| (text.len() == 4).then(|| text.parse::<u32>().ok()).flatten().filter(|year| *year >= 1000);
    let mut found = Vec::new();
    let mut add = |year: u32, month: u32, day: u32| {
        if (1..=12).contains(&month) && (1..=31).contains(&day) {
            let date = format!("{year:04}-{month:02}-{day:02}");
            if !found.contains(&date) {
                found.push(date);
            }
        }
    };
    let is_numeric = gaps[0] == gaps[1] && matches!(gaps[0], "-" | "/" | ".");
    if is_numeric {
        let small = |text: &str| (text.len() <= 2).then(|| text.parse::<u32>().ok()).flatten();
        if let (Some(year), Some(month), Some(day), true) = (year(raw[0]), small(raw[1]), small(raw[2]), gaps[0] != "-")
        {
            add(year, month, day);
        }
        if let (Some(one), Some(two), Some(year)) = (small(raw[0]), small(raw[1]), year(raw[2])) {
            add(year, two, one);
            if gaps[0] == "/" {
                add(year, one, two);
            }
        }
        return found;
    }
    let Some(year) = year(raw[2]) else { return found };
    if let (Some(day), Some(month)) = (day(raw[0]), month(raw[1])) {
        add(year, month, day);
    } else if let (Some(month), Some(day)) = (month(raw[0]), day(raw[1])) {
        add(year, month, day);
    }
    found
}

/// Whether a word is a date in ISO 8601.
pub fn is_date(word: &str) -> bool {
    let signs = word.as_bytes();
    signs.len() == 10
        && signs.iter().enumerate().all(|(at, sign)| match at {
            4 | 7 => *sign == b'-',
            _ => sign.is_ascii_digit(),
        })
}

/// A day of the month, with or without the ending of an ordinal number.
fn day(text: &str) -> Option<u32> {
    let digits = text.trim_end_matches(|sign: char| sign.is_ascii_lowercase());
    (text.len() <= 4 && text.len() - digits.len() <= 3).then(|| digits.parse().ok()).flatten()
}

/// The number of a month by its name.
fn month(name: &str) -> Option<u32> {
    if !(3..=16).contains(&name.len()) || name.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let name = name.to_lowercase();
    let at = MONTHS.iter().position(|names| names.split(' ').any(|known| known == name))?;
    u32::try_from(at + 1).ok()
}
