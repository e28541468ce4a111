//! Analysis: turns a text into the terms of the index.
//!
//! There are two fields. `stem` holds the folded stem of each word that is no stop word, and is what most queries search.
//! `word` holds the normalized words with their positions, for phrases, prefixes and exact forms. For queries typed
//! without accents, `word` has up to two more terms for an accented word: its folded form, and the stem of the folded form
//! where that differs from the folded stem (see [`unaccented_term`]).

use super::fold::fold;
use super::language::Language;
use super::words::for_each_word;
use std::collections::HashMap;
use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

/// Words of a language whose forms are cached. Few words make up most of a text.
const MAX_CACHED_WORDS: usize = 200_000;

/// Ends each term in [`FieldTerms`].
const SEPARATOR: char = '\n';

/// Precedes a term that has the position of the term before it.
const SAME_POSITION: char = '\r';

/// First character of the terms of [`unaccented_term`]. No word contains it, and it sorts before all words.
pub const UNACCENTED: char = '\u{1}';

/// The term of field `word` by which a word without accents finds its accented form: `stem` is the stem of the word
/// without accents, which differs from that of the accented word.
pub fn unaccented_term(stem: &str) -> String {
    format!("{UNACCENTED}{stem}")
}

/// The stem that an accented word has when it is written without accents, if that differs from `stem`. `None` for a word
/// without accents.
pub fn unaccented_stem(language: Language, word: &str, stem: &str) -> Option<String> {
    let folded = fold(word);
    (folded != word).then(|| language.stem(&folded)).filter(|unaccented| unaccented != stem)
}

/// The terms of a text, encoded for [`TermTokenizer`].
#[derive(Debug, Default)]
pub struct FieldTerms {
    /// Field `stem`.
    pub stem: String,
    /// Field `word`.
    pub word: String,
}

/// The forms of a word in a language.
#[derive(Debug)]
struct Forms {
    stem: String,
    unaccented: Option<String>,
    is_stop_word: bool,
}

/// Analyses texts, with a cache of the forms of words.
#[derive(Debug, Default)]
pub struct Analyser {
    known: HashMap<Language, HashMap<String, Forms>>,
}

impl Analyser {
    /// Appends the terms of a text to `terms`.
    pub fn analyse(&mut self, language: Language, text: &str, terms: &mut FieldTerms) {
        let known = self.known.entry(language).or_default();
        if known.len() > MAX_CACHED_WORDS {
            known.clear();
        }
        let mut next = 0;
        for_each_word(text, &mut |word| {
            let mut placed = word.position < next;
            next = word.position + 1;
            let mut put = |text: &str, mark: bool| {
                if std::mem::replace(&mut placed, true) {
                    terms.word.push(SAME_POSITION);
                }
                terms.word.extend(mark.then_some(UNACCENTED));
                terms.word.push_str(text);
                terms.word.push(SEPARATOR);
            };
            put(&word.text, false);
            let folded = fold(&word.text);
            if folded != word.text {
                put(&folded, false);
            }
            if word.is_identifier() {
                add(&mut terms.stem, &folded);
                return;
            }
            if !known.contains_key(&*word.text) {
                let stem = language.stem(&word.text);
                let unaccented = unaccented_stem(language, &word.text, &stem);
                let is_stop_word = language.is_stop_word(&word.text);
                known.insert(word.text.to_string(), Forms { stem, unaccented, is_stop_word });
            }
            let Some(forms) = known.get(&*word.text).filter(|forms| !(forms.is_stop_word && word.may_be_stop_word))
            else {
                return;
            };
            add(&mut terms.stem, &forms.stem);
            if let Some(unaccented) = &forms.unaccented {
                put(unaccented, true);
            }
        });
    }
}

fn add(field: &mut String, term: &str) {
    field.push_str(term);
    field.push(SEPARATOR);
}

/// A tokenizer of tantivy that decodes [`FieldTerms`]: tantivy takes terms with positions only from a tokenizer.
#[derive(Clone, Debug, Default)]
pub struct TermTokenizer {
    token: Token,
}

/// The tokens of [`TermTokenizer`].
#[derive(Debug)]
pub struct TermStream<'a> {
    rest: &'a str,
    token: &'a mut Token,
}

impl Tokenizer for TermTokenizer {
    type TokenStream<'a> = TermStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> TermStream<'a> {
        self.token = Token::default();
        TermStream { rest: text, token: &mut self.token }
    }
}

impl TokenStream for TermStream<'_> {
    fn advance(&mut self) -> bool {
        let Some((term, rest)) = self.rest.split_once(SEPARATOR) else { return false };
        self.rest = rest;
        let (term, step) = term.strip_prefix(SAME_POSITION).map_or((term, 1), |term| (term, 0));
        // The default position of a token is usize::MAX, so that the first one is 0.
        self.token.position = self.token.position.wrapping_add(step);
        self.token.text.clear();
        self.token.text.push_str(term);
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Placed = Vec<(usize, String)>;

    fn terms(language: &str, text: &str) -> (Placed, Placed) {
        let mut terms = FieldTerms::default();
        Analyser::default().analyse(Language::named(language).unwrap(), text, &mut terms);
        let read = |text: &str| {
            let mut tokenizer = TermTokenizer::default();
            let mut stream = tokenizer.token_stream(text);
            let mut read = Vec::new();
            stream.process(&mut |token| read.push((token.position, token.text.clone())));
            read
        };
        (read(&terms.stem), read(&terms.word))
    }

    fn stems(language: &str, text: &str) -> Vec<String> {
        terms(language, text).0.into_iter().map(|(_, term)| term).collect()
    }

    #[test]
    fn stems_are_folded_and_stop_words_left_out() {
        assert_eq!(stems("french", "L'hiver des données chiffrées"), ["hiv", "don", "chiffr"]);
        assert_eq!(stems("simple", "The Données"), ["the", "donnees"]);
        assert_eq!(
            stems("english", "the max_connections of ERR-4042"),
            ["max_connections", "maxconnect", "max", "connect", "err-4042", "err4042", "err", "4042"]
        );
    }

    #[test]
    fn words_keep_their_places() {
        let (_, word) = terms("french", "les données, err-1");
        let expected = [
            (0, "les"),
            (1, "données"),
            (1, "donnees"),
            (1, "\u{1}donne"),
            (2, "err-1"),
            (2, "err1"),
            (2, "err"),
            (3, "1"),
        ];
        assert_eq!(word, expected.map(|(position, term)| (position, term.to_string())));
    }
}
