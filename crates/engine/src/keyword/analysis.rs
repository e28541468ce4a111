//! A text as the terms of the index.
//!
//! Two fields. `stem` has the folded stem of each word that is no stop word: what queries are answered by. `word` has
//! the words as they stand, and where: for phrases, prefixes and exact forms. Accented words have two more forms in
//! `word`, for queries typed without accents: folded, and the stem of the folded form where it is another ([`bare`]).

use super::fold::fold;
use super::language::Language;
use super::words::words;
use std::collections::HashMap;
use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

/// Words whose analysis is remembered. A language uses most of its words rarely and few of them often.
const REMEMBERED: usize = 200_000;

/// Stands between terms of a field on their way to tantivy.
const SEPARATOR: char = '\n';

/// Stands before a term at the position of the one before it.
const SAME_POSITION: char = '\r';

/// Begins the terms of `word` that no word can be mistaken for, before all words.
pub const BARE: char = '\u{1}';

/// The term of `word` for texts with accents that a stem of a word without accents finds.
pub fn bare(stem: &str) -> String {
    format!("{BARE}{stem}")
}

/// The stem that a word has when it is written without accents, if it is written with accents and the stem is another.
pub fn bare_stem(language: Language, word: &str, stem: &str) -> Option<String> {
    let folded = fold(word);
    (folded != word).then(|| language.stem(&folded)).filter(|bare| bare != stem)
}

/// The terms of one text, in the form that [`Encoded`] takes.
#[derive(Debug, Default)]
pub struct Terms {
    /// Field `stem`.
    pub stem: String,
    /// Field `word`.
    pub word: String,
}

/// What a language makes of a word.
#[derive(Debug)]
struct Forms {
    /// `None` for a stop word.
    stem: Option<String>,
    bare: Option<String>,
}

/// Makes terms of texts.
#[derive(Debug, Default)]
pub struct Analyser {
    known: HashMap<Language, HashMap<String, Forms>>,
}

impl Analyser {
    /// Adds the terms of a text.
    pub fn analyse(&mut self, language: Language, text: &str, terms: &mut Terms) {
        let known = self.known.entry(language).or_default();
        if known.len() > REMEMBERED {
            known.clear();
        }
        let mut next = 0;
        words(text, &mut |word| {
            let mut placed = word.position < next;
            next = word.position + 1;
            let mut put = |text: &str, mark: bool| {
                if std::mem::replace(&mut placed, true) {
                    terms.word.push(SAME_POSITION);
                }
                terms.word.extend(mark.then_some(BARE));
                terms.word.push_str(text);
                terms.word.push(SEPARATOR);
            };
            put(&word.text, false);
            let folded = fold(&word.text);
            if folded != word.text {
                put(&folded, false);
            }
            if word.whole {
                add(&mut terms.stem, &folded);
                return;
            }
            if !known.contains_key(&*word.text) {
                let stem = (!language.is_stop_word(&word.text)).then(|| language.stem(&word.text));
                let bare = stem.as_ref().and_then(|stem| bare_stem(language, &word.text, stem));
                known.insert(word.text.to_string(), Forms { stem, bare });
            }
            let Some(forms) = known.get(&*word.text) else { return };
            if let Some(stem) = &forms.stem {
                add(&mut terms.stem, stem);
            }
            if let Some(bare) = &forms.bare {
                put(bare, true);
            }
        });
    }
}

fn add(field: &mut String, term: &str) {
    field.push_str(term);
    field.push(SEPARATOR);
}

/// Takes the terms of [`Terms`] apart for tantivy, which knows texts and tokenizers alone.
#[derive(Clone, Debug, Default)]
pub struct Encoded {
    token: Token,
}

/// See [`Encoded`].
#[derive(Debug)]
pub struct EncodedStream<'a> {
    rest: &'a str,
    token: &'a mut Token,
}

impl Tokenizer for Encoded {
    type TokenStream<'a> = EncodedStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> EncodedStream<'a> {
        self.token = Token::default();
        EncodedStream { rest: text, token: &mut self.token }
    }
}

impl TokenStream for EncodedStream<'_> {
    fn advance(&mut self) -> bool {
        let Some((term, rest)) = self.rest.split_once(SEPARATOR) else { return false };
        self.rest = rest;
        let (term, step) = term.strip_prefix(SAME_POSITION).map_or((term, 1), |term| (term, 0));
        // The first position is 0: the default of a token is one before it.
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
        let mut terms = Terms::default();
        Analyser::default().analyse(Language::named(language).unwrap(), text, &mut terms);
        let read = |text: &str| {
            let mut tokenizer = Encoded::default();
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
            ["max_connections", "max", "connect", "err-4042", "err", "4042"]
        );
    }

    #[test]
    fn words_keep_their_places() {
        let (_, word) = terms("french", "les données, err-1");
        let expected =
            [(0, "les"), (1, "données"), (1, "donnees"), (1, "\u{1}donne"), (2, "err-1"), (2, "err"), (3, "1")];
        assert_eq!(word, expected.map(|(position, term)| (position, term.to_string())));
    }
}
