//! Accent folding for Latin, Greek and Cyrillic script. The combining marks of other scripts are kept: they are letters.

use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization;

/// Removes accents from a word in lower case and normal form NFKC.
pub fn fold(word: &str) -> Cow<'_, str> {
    if word.is_ascii() || !word.chars().any(is_folded) {
        return Cow::Borrowed(word);
    }
    let mut folded = String::with_capacity(word.len());
    for character in word.chars() {
        match character {
            character if !is_folded(character) => folded.push(character),
            'ß' | 'ẞ' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'þ' => folded.push_str("th"),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' | 'ð' => folded.push('d'),
            'ħ' => folded.push('h'),
            'ı' => folded.push('i'),
            'ŋ' => folded.push('n'),
            'ς' => folded.push('σ'),
            other => folded.extend(std::iter::once(other).nfd().filter(|character| !is_mark(*character))),
        }
    }
    Cow::Owned(folded)
}

fn is_mark(character: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&character)
}

/// Whether a character may change. Of Cyrillic only ё, which is often written е; й and ї are letters of their own.
fn is_folded(character: char) -> bool {
    is_mark(character)
        || character == 'ё'
        || matches!(u32::from(character), 0xc0..=0x24f | 0x370..=0x3ff | 0x1e00..=0x1fff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_go_and_letters_of_other_scripts_stay() {
        for (word, folded) in [
            ("été", "ete"),
            ("straße", "strasse"),
            ("über", "uber"),
            ("żółć", "zolc"),
            ("œuvre", "oeuvre"),
            ("søster", "soster"),
            ("ёлка", "елка"),
            ("йод", "йод"),
            ("λόγος", "λογοσ"),
            ("ガイド", "ガイド"),
            ("हिन्दी", "हिन्दी"),
            ("plain", "plain"),
        ] {
            assert_eq!(fold(word), folded);
        }
    }
}
