//! Compound words: `Rechnungsprüfung` finds texts with `Prüfung` and `Rechnung`, and the other way round.
//!
//! A word is split where both parts are words of the index, at the place where the geometric mean of their frequencies is
//! greatest (Koehn and Knight, Empirical methods for compound splitting, 2003).

use super::language::Language;
use super::query_parser::QueryWord;
use super::vocabulary::Vocabulary;
use super::words::WordForm;
use socle_core::Result;

/// Languages that write compounds as one word, with what they put between the parts.
const LINKS: [(&str, &[&str]); 9] = [
    ("german", &["", "s", "n", "es", "en", "er", "e"]),
    ("dutch", &["", "s", "en", "e"]),
    ("afrikaans", &["", "s", "e"]),
    ("danish", &["", "s", "e"]),
    ("norwegian", &["", "s", "e"]),
    ("swedish", &["", "s"]),
    ("finnish", &["", "n", "en"]),
    ("estonian", &["", "e"]),
    ("hungarian", &[""]),
];

/// Shortest part of a compound, in characters.
const MIN_PART: usize = 4;

/// Most words of a query between which compounds are looked for.
const MAX_WORDS: usize = 6;

/// The language among those of a query that writes compounds as one word, and its links.
fn compounding(languages: &[Language]) -> Option<(Language, &'static [&'static str])> {
    languages.iter().find_map(|language| {
        let (_, links) = LINKS.iter().find(|(name, _)| *name == language.name())?;
        Some((*language, *links))
    })
}

/// The two parts of a compound, if it is one.
///
/// # Errors
/// `DamagedIndex`.
pub fn split(word: &str, languages: &[Language], vocabulary: &Vocabulary<'_>) -> Result<Option<[String; 2]>> {
    let Some((_, links)) = compounding(languages) else { return Ok(None) };
    let length = word.chars().count();
    let mut best: Option<(f64, [String; 2])> = None;
    if length < 2 * MIN_PART || !word.chars().all(char::is_alphabetic) {
        return Ok(None);
    }
    for (at, _) in word.char_indices().skip(MIN_PART).take(length + 1 - 2 * MIN_PART) {
        let (before, second) = word.split_at(at);
        let frequency = vocabulary.word_frequency(second)?;
        if frequency == 0 {
            continue;
        }
        for link in links {
            let Some(first) = before.strip_suffix(link).filter(|first| first.chars().count() >= MIN_PART) else {
                continue;
            };
            let mean = (vocabulary.word_frequency(first)? as f64 * frequency as f64).sqrt();
            if mean > best.as_ref().map_or(0.0, |(mean, _)| *mean) {
                best = Some((mean, [first.to_string(), second.to_string()]));
            }
        }
    }
    Ok(best.map(|(_, parts)| parts))
}

/// The compounds that the index has of two words of a query, with these words: of adjacent words in every language, of any
/// two in a language that writes compounds as one word.
///
/// # Errors
/// `DamagedIndex`.
pub fn join<'a>(
    words: &[&'a QueryWord],
    languages: &[Language],
    vocabulary: &Vocabulary<'_>,
) -> Result<Vec<([&'a str; 2], String)>> {
    let words: Vec<&'a str> = words
        .iter()
        .filter(|word| word.form == WordForm::Piece && word.text.chars().all(char::is_alphabetic))
        .map(|word| word.text.as_str())
        .collect();
    let mut found = Vec::new();
    if words.len() > MAX_WORDS {
        return Ok(found);
    }
    let compounding = compounding(languages);
    for (at, first) in words.iter().enumerate() {
        for (other, second) in words.iter().enumerate().filter(|(other, _)| *other != at) {
            let links = match compounding {
                Some((_, links)) if first.chars().count() >= MIN_PART && second.chars().count() >= MIN_PART => links,
                _ if other == at + 1 => &[""],
                _ => continue,
            };
            for link in links {
                let compound = format!("{first}{link}{second}");
                let stem = compounding.map_or_else(|| compound.clone(), |(language, _)| language.stem(&compound));
                if vocabulary.word_frequency(&compound)? > 0 || vocabulary.stem_frequency(&stem)? > 0 {
                    found.push(([*first, *second], compound));
                }
            }
        }
    }
    Ok(found)
}

/// Whether longer words that begin with a word are looked for: compounds of which it is the first part.
pub fn is_first_part(word: &QueryWord, languages: &[Language]) -> bool {
    word.form == WordForm::Piece
        && word.text.chars().count() >= 2 * MIN_PART
        && word.text.chars().all(char::is_alphabetic)
        && compounding(languages).is_some()
}
