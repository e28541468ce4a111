//! Finds the words of a query in texts.
//!
//! Words are compared by stems, as in the index; phrases and prefixes by normalized words. Excluded words are not marked.

use super::analysis::unaccented_stem;
use super::fold::fold;
use super::language::{Language, LanguageDetector, SIMPLE};
use super::query_parser::{Clause, ClauseForm, ParsedQuery, QueryWord, parse};
use super::query_plan::stop_word_language;
use super::schema::Part;
use super::words::{Word, WordForm, for_each_word};
use socle_core::protocol::{QuerySyntax, WordRule};
use std::cell::{LazyCell, RefCell};
use std::collections::{HashMap, HashSet};

/// First byte of a match, and the byte after its last.
pub type Range = (u32, u32);

/// The stems of a query in one language.
type Stems = HashSet<String>;

/// The forms by which a word is compared: its stem, the stem of its unaccented form, and its unaccented form.
type Forms = [Option<String>; 3];

/// Words whose forms are cached by each thread, of all languages: few words make up most of a text, and stemming takes half
/// of the time.
const MAX_CACHED_WORDS: usize = 50_000;

thread_local! {
    static FORMS: RefCell<HashMap<Language, HashMap<String, Forms>>> = RefCell::default();
}

/// What is known of the languages of texts.
#[derive(Debug, Default)]
pub struct TextLanguages {
    /// The language of all texts.
    pub given: Option<Language>,
    /// The language of each text, in order. What is missing is detected.
    pub of_texts: Vec<Option<Language>>,
    /// Languages that a text may be of; any if there are none.
    pub possible: Vec<Language>,
}

/// The matches in each text, ascending and without overlap.
pub fn highlight(
    (query, syntax, rules): (&str, QuerySyntax, &[WordRule]),
    languages: &TextLanguages,
    contents: &[String],
) -> Vec<Vec<Range>> {
    let detector = LazyCell::new(|| LanguageDetector::new(&languages.possible));
    let parsed = parse(query, syntax);
    let mut known: HashMap<Language, Stems> = HashMap::new();
    let ranges = contents.iter().enumerate().map(|(number, content)| {
        let own = languages.given.or_else(|| languages.of_texts.get(number).copied().flatten());
        let language = own.unwrap_or_else(|| detector.detect(content));
        let stems = known.entry(language).or_insert_with(|| {
            let mut parsed = parsed.clone();
            parsed.apply(rules, &[language]);
            stems_of(&parsed, language, languages.given.is_some())
        });
        merged(marked(&parsed, stems, language, content))
    });
    ranges.collect()
}

/// The stems and identifiers of a query. Stop words are left out unless there is nothing else.
fn stems_of(parsed: &ParsedQuery, language: Language, is_given: bool) -> Stems {
    let query = &parsed.words;
    let stop_words = stop_word_language(query, &[language], is_given);
    let is_stop_word = |word: &str| stop_words.is_some_and(|language| language.is_stop_word(word));
    let is_content_word = |word: &&QueryWord| {
        !parsed.stop_words.contains(&word.text) && (!word.may_be_stop_word || !is_stop_word(&word.text))
    };
    let all: Vec<&QueryWord> = query.iter().collect();
    let some: Vec<&QueryWord> = query.iter().filter(is_content_word).collect();
    let mut stems = Stems::new();
    for word in if some.is_empty() { all } else { some } {
        if word.form == WordForm::Identifier || parsed.protected.contains(&word.text) {
            stems.insert(fold(&word.text).into_owned());
        } else {
            stems.extend(forms(&word.text, language).into_iter().flatten());
        }
    }
    for text in parsed.synonyms.iter().flat_map(|synonym| &synonym.replacements) {
        stems.extend(text.whole.iter().map(|whole| fold(&whole.text).into_owned()));
        let pieces = text.pieces.iter().filter(|piece| text.pieces.len() == 1 || !language.is_stop_word(piece));
        let is_identifier = text.whole.as_ref().is_some_and(|whole| whole.form == WordForm::Identifier);
        stems.extend(pieces.filter(|_| !is_identifier).flat_map(|piece| forms(piece, language)).flatten());
    }
    stems.extend(parsed.split.iter().flatten().map(|part| fold(part).into_owned()));
    let words =
        of_contents(parsed, ClauseForm::Words).filter(|clause| clause.part.is_some()).flat_map(|clause| &clause.words);
    stems.extend(words.flat_map(|word| forms(word, language)).flatten());
    stems
}

/// The clauses of a form that the content of a chunk may have.
fn of_contents(parsed: &ParsedQuery, form: ClauseForm) -> impl Iterator<Item = &Clause> + Clone {
    let has_form = move |clause: &&Clause| std::mem::discriminant(&clause.form) == std::mem::discriminant(&form);
    let clauses = parsed.any_of.iter().flatten().filter(has_form);
    clauses.filter(|clause| clause.part.is_none_or(|part| part == Part::Content))
}

fn forms(word: &str, language: Language) -> Forms {
    let stem = language.stem(word);
    let unaccented = unaccented_stem(language, word, &stem);
    let simple = (language != SIMPLE).then(|| fold(word).into_owned());
    [Some(stem), unaccented, simple]
}

/// The matches in a text, in no particular order; they may overlap.
fn marked(parsed: &ParsedQuery, stems: &Stems, language: Language, content: &str) -> Vec<Range> {
    let mut ranges = Vec::new();
    let mut pieces: Vec<Word<'_>> = Vec::new();
    // The words of a phrase may stand apart, where that is allowed: these are not marked.
    let clauses = of_contents(parsed, ClauseForm::Phrase(0));
    let phrases = || {
        let clauses = clauses.clone().map(|clause| clause.words.as_slice());
        parsed.phrases.iter().chain(&parsed.preferred).map(Vec::as_slice).chain(clauses)
    };
    let has_phrases = phrases().next().is_some();
    let begins = |word: &str| {
        let begins = |prefix: &String| word.starts_with(prefix) || fold(word).starts_with(prefix);
        let clauses = of_contents(parsed, ClauseForm::Prefix).flat_map(|clause| &clause.words);
        parsed.prefixes.iter().chain(clauses).any(begins)
    };
    FORMS.with_borrow_mut(|known| {
        if known.values().map(HashMap::len).sum::<usize>() > MAX_CACHED_WORDS {
            known.clear();
        }
        let known = known.entry(language).or_default();
        for_each_word(content, &mut |word| {
            let found = if word.is_identifier() {
                stems.contains(&*fold(&word.text))
            } else {
                begins(&word.text) || cached_forms(known, &word.text, language).any(|form| stems.contains(form))
            };
            if found {
                ranges.extend(range(word.start, word.end));
            }
            if word.is_piece() && has_phrases {
                pieces.push(word);
            }
        });
    });
    for phrase in phrases().filter(|phrase| !phrase.is_empty()) {
        for window in pieces.windows(phrase.len()) {
            let same = |(word, wanted): (&Word<'_>, &String)| word.text == *wanted || fold(&word.text) == *wanted;
            if let (Some(first), Some(last)) = (window.first(), window.last())
                && window.iter().zip(phrase).all(same)
            {
                ranges.extend(range(first.start, last.end));
            }
        }
    }
    ranges
}

/// The forms of a word, from the cache.
fn cached_forms<'a>(
    known: &'a mut HashMap<String, Forms>,
    word: &str,
    language: Language,
) -> impl Iterator<Item = &'a String> {
    if !known.contains_key(word) {
        known.insert(word.to_string(), forms(word, language));
    }
    known.get(word).into_iter().flatten().flatten()
}

fn range(start: usize, end: usize) -> Option<Range> {
    Some((u32::try_from(start).ok()?, u32::try_from(end).ok()?))
}

/// Sorts ranges and joins those that overlap.
fn merged(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_unstable();
    let mut merged: Vec<Range> = Vec::with_capacity(ranges.len());
    for (start, end) in ranges {
        match merged.last_mut() {
            Some(last) if start < last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks<'a>(query: &str, language: Option<&str>, content: &'a str) -> Vec<&'a str> {
        let given = language.map(|name| Language::named(name).unwrap());
        let languages = TextLanguages { given, ..TextLanguages::default() };
        let ranges = highlight((query, QuerySyntax::Operators, &[]), &languages, &[content.to_string()]).remove(0);
        assert!(ranges.is_sorted_by(|one, next| one.1 <= next.0));
        ranges.into_iter().map(|(start, end)| &content[start as usize..end as usize]).collect()
    }

    #[test]
    fn inflected_accented_and_exact_words_are_marked() {
        let content = "Les Sauvegardes chiffrées de l'étang, voir ERR-4042 ou max_connections.";
        assert_eq!(marks("la sauvegarde chiffree", Some("french"), content), ["Sauvegardes", "chiffrées"]);
        assert_eq!(marks("ETANG err-4042", Some("fr"), content), ["étang", "ERR-4042"]);
        assert_eq!(marks("maximum connections", Some("fr"), content), ["connections"]);
        assert_eq!(marks("chiff*", None, content), ["chiffrées"]);
        assert_eq!(marks("-sauvegarde", Some("fr"), content), Vec::<&str>::new());
    }

    #[test]
    fn a_text_is_of_a_language_of_its_index() {
        let [french, german] = ["fr", "de"].map(|code| Language::named(code).unwrap());
        let contents =
            ["Les chevaux sont dans la prairie".to_string(), "Der Schlüssel liegt unter der Treppe".to_string()];
        let marks_of = |languages: &TextLanguages| {
            let marks = highlight(("cheval schluessel", QuerySyntax::Natural, &[]), languages, &contents);
            marks.iter().map(Vec::len).collect::<Vec<_>>()
        };
        let marks = |possible: &[Language]| {
            marks_of(&TextLanguages { possible: possible.to_vec(), ..TextLanguages::default() })
        };
        assert_eq!(marks(&[french]), [1, 0], "in French, ue is no ü");
        assert_eq!(marks(&[german]), [0, 1]);
        assert_eq!(marks(&[german, french, SIMPLE]), [1, 1], "each in its own");
        assert_eq!(marks(&[SIMPLE]), [0, 0]);
        let of_texts = vec![None, Some(SIMPLE)];
        let some_known = TextLanguages { of_texts, possible: vec![german, french, SIMPLE], given: None };
        assert_eq!(marks_of(&some_known), [1, 0], "that of the second text is known");
    }

    #[test]
    fn stop_words_are_those_of_the_query_where_the_text_is_of_another_language() {
        let question = "How do I restore a backup?";
        let content = "Restore one? I do: a backup.";
        for language in ["simple", "french"] {
            let languages =
                TextLanguages { of_texts: vec![Some(Language::named(language).unwrap())], ..TextLanguages::default() };
            let ranges = highlight((question, QuerySyntax::Natural, &[]), &languages, &[content.to_string()]).remove(0);
            let marks: Vec<&str> = ranges.into_iter().map(|(from, to)| &content[from as usize..to as usize]).collect();
            assert_eq!(marks, ["Restore", "backup"], "{language}");
        }
        assert_eq!(marks(question, Some("simple"), content).len(), 5, "without stop words, as it was stated");
    }

    #[test]
    fn phrases_are_marked_as_a_whole() {
        let content = "The write-ahead log; ahead of the write, a log.";
        assert_eq!(marks("\"write ahead log\"", Some("english"), content), ["write-ahead log"]);
    }

    #[test]
    fn pairs_that_overlap_are_one_mark() {
        assert_eq!(marks("東京都", None, "私は東京都に住む。"), ["東京都"]);
    }

    #[test]
    fn odd_texts_have_no_marks() {
        assert_eq!(marks("", None, "text"), Vec::<&str>::new());
        assert_eq!(marks("((((", None, ""), Vec::<&str>::new());
    }
}
