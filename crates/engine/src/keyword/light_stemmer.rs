//! Light stemmers for languages of which the library of Snowball stemmers has none.
//!
//! They take off what inflection adds to most words, and never fail. How they were chosen is in `bench/README.md`.

/// The stem of a normalized word.
pub type LightStemmer = fn(&str) -> String;

/// The light stemmer of a language; `None` for a language that has none.
pub fn light_stemmer(language: &str) -> Option<LightStemmer> {
    match language {
        "bulgarian" => Some(bulgarian),
        "hebrew" => Some(hebrew),
        _ => None,
    }
}

/// Least letters that are left of a Bulgarian word.
const BULGARIAN_LETTERS: usize = 3;

/// Definite articles, plurals and genders of nouns and adjectives, after Savoy (Searching strategies for the Bulgarian
/// language, Information Retrieval 10, 2007). Consonants and vowels that change before an ending become one of the two in all
/// forms, instead of in one of them: език, езици; страница, страници; бял, бели; важен, важна.
fn bulgarian(word: &str) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    // The article, and then the plural.
    let _ = take_after_vowel(&mut letters, &["та", "то", "те"]) || take(&mut letters, &["ът", "ят"]);
    if letters.ends_with(&['т', 'т', 'а']) || letters.ends_with(&['щ', 'т', 'а']) {
        letters.truncate(letters.len() - 2);
    }
    let _ = take(&mut letters, &["ове", "еве"]) || take_after_vowel(&mut letters, &["та"]);
    let is_ending = |letter: &char| matches!(letter, 'а' | 'е' | 'и' | 'й' | 'о' | 'у' | 'ю' | 'я');
    while letters.len() > BULGARIAN_LETTERS && letters.last().is_some_and(is_ending) {
        letters.pop();
    }
    if let [.., 'е', 'н' | 'ц'] | [.., 'ъ', 'к' | 'л' | 'м' | 'н' | 'р' | 'ц'] = letters.as_slice()
        && letters.len() > BULGARIAN_LETTERS + 1
    {
        letters.remove(letters.len() - 2);
    }
    if let Some(last) = letters.last_mut() {
        *last = match *last {
            'ц' => 'к',
            'з' => 'г',
            'с' => 'х',
            other => other,
        };
    }
    letters.into_iter().map(|letter| if letter == 'я' { 'е' } else { letter }).collect()
}

/// Takes off the first of some endings that leaves enough letters; false if there is none.
fn take(letters: &mut Vec<char>, endings: &[&str]) -> bool {
    let ending =
        endings.iter().map(|ending| ending.chars().collect::<Vec<char>>()).find(|ending| letters.ends_with(ending));
    let left = ending.map(|ending| letters.len() - ending.len()).filter(|left| *left >= BULGARIAN_LETTERS);
    left.map(|left| letters.truncate(left)).is_some()
}

/// Like [`take`], where the letter before the ending is a vowel.
fn take_after_vowel(letters: &mut Vec<char>, endings: &[&str]) -> bool {
    let before = letters.len().checked_sub(3).and_then(|at| letters.get(at));
    before.is_some_and(|letter| matches!(letter, 'а' | 'е' | 'и' | 'о' | 'я')) && take(letters, endings)
}

/// Least letters that are left of a word without its prefixes.
const HEBREW_LETTERS: usize = 3;

/// The one-letter words that are written together with the next one: and, the, in, to, as, from, that. All of them are
/// taken off, so that a word has the same stem with any of them, also where its own first letter is one.
fn hebrew(word: &str) -> String {
    let letters = word.chars().filter(|letter| letter.is_alphabetic()).count();
    let is_prefix = |letter: &char| matches!(letter, 'ו' | 'ה' | 'ב' | 'ל' | 'כ' | 'מ' | 'ש');
    let prefixes = word.chars().take_while(is_prefix).count();
    word.chars().skip(prefixes.min(letters.saturating_sub(HEBREW_LETTERS))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{HashMap, HashSet};

    /// The share of forms that have the stem of their word, in percent, and the number of stems that several words have.
    /// Each line of `words` is a word and its forms.
    fn measure(stem: LightStemmer, words: &str) -> (usize, usize) {
        let mut of_stem: HashMap<String, HashSet<&str>> = HashMap::new();
        let (mut same, mut forms) = (0, 0);
        for line in words.lines() {
            let word = line.split(' ').next().unwrap();
            for form in line.split(' ') {
                of_stem.entry(stem(form)).or_default().insert(word);
                forms += usize::from(form != word);
                same += usize::from(form != word && stem(form) == stem(word));
            }
        }
        (same * 100 / forms, of_stem.values().filter(|words| words.len() > 1).count())
    }

    #[test]
    fn forms_of_a_word_share_a_stem_and_words_do_not() {
        let (share, shared) = measure(bulgarian, include_str!("light_stemmer/bulgarian.txt"));
        assert!(share >= 97 && shared <= 2, "{share} % of the Bulgarian forms, {shared} stems of several words");
        let (share, shared) = measure(hebrew, include_str!("light_stemmer/hebrew.txt"));
        assert!(share == 100 && shared <= 1, "{share} % of the Hebrew forms, {shared} stems of several words");
    }

    #[test]
    fn what_is_short_or_of_another_script_is_a_stem_already() {
        for word in ["", "и", "не", "postgresql", "2024", "של", "הם"] {
            for language in ["bulgarian", "hebrew"] {
                assert_eq!(light_stemmer(language).unwrap()(word), word, "{language}");
            }
        }
        assert!(light_stemmer("english").is_none());
    }
}
