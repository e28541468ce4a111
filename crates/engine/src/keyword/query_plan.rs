//! Chooses the terms that a query is searched by, and their languages.
//!
//! Each word becomes a group of terms: its stems in all languages that it may be of, of which the best in a document
//! counts. Stop words are left out unless there is nothing else. Words that are one in the index and two in the query, or
//! the other way round, become further groups, and a word that the index does not have is corrected.

use super::analysis::{unaccented_stem, unaccented_term};
use super::chunk_language;
use super::compound;
use super::fold::fold;
use super::language::{Language, SIMPLE, Script};
use super::query_parser::{ParsedQuery, QueryWord};
use super::segment::Segment;
use super::spelling::is_date;
use super::vocabulary::Vocabulary;
use super::words::WordForm;
use socle_core::Result;
use std::collections::BTreeMap;
use std::sync::Arc;
use tantivy::DocId;

/// Largest number of languages that a query without a language is searched in.
const MAX_LANGUAGES: usize = 8;

/// Queries without a language are searched in a language that at least one in so many chunks is of. Words in the script
/// of a rarer one are searched in that, too.
const MAX_LANGUAGE_RATIO: u32 = 200;

/// Largest factor for a word that is repeated in the query.
const MAX_BOOST: u32 = 4;

/// Weight of the exact form of an accented word, whose score is added to that of its stem. On 3,188 French questions,
/// nDCG@10 was 0.8017 without it and 0.8052, 0.8069, 0.8043 with 0.1, 0.25, 0.5. Words without accents have no exact form,
/// because it would double the posting lists of every English query.
const EXACT_WEIGHT: f32 = 0.25;

/// Factor of the score of a part of a word: of a code, of a name in camel case, of a compound.
const PART_BOOST: f32 = 0.5;

/// Factor of the score of a date, whose parts are numbers that other dates have, too.
const DATE_BOOST: f32 = 2.0;

/// Factor of the score of compounds of which a word of the query is the first part.
pub const FIRST_PART_BOOST: f32 = 0.4;

/// Factors of the score of a word to which one of the query was corrected, by their distance.
const CORRECTION_BOOSTS: [f32; 3] = [1.0, 0.8, 0.6];

/// Most words of a query for which the index is asked about compounds and corrections. What is longer is a text, of which
/// enough is found without.
pub const MAX_REFINED_WORDS: usize = 32;

/// Most words of a query for which similar ones are looked for; each may take a millisecond.
pub const MAX_CORRECTIONS: usize = 4;

/// A text field of the index.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum TextField {
    /// Folded stems.
    Stem,
    /// Normalized words.
    Word,
}

/// A field and a term of it.
pub type FieldTerm = (TextField, String);

/// The terms for one word of a query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TermGroup {
    /// The normalized word.
    pub word: String,
    /// Terms of which the highest score counts.
    pub alternatives: Vec<FieldTerm>,
    /// Terms that a document must all have, whose scores are added; instead of alternatives.
    pub all_of: Vec<FieldTerm>,
    /// Further alternatives, which count as much as the most frequent of the others at most: compounds with the word.
    pub variants: Vec<FieldTerm>,
    /// The word as it stands, which is one more alternative where more chunks have it than any of the others: chunks of
    /// languages that the query is not searched in, and those in which it is a stop word.
    pub literal: Option<FieldTerm>,
    /// A term whose score is added, and its weight.
    pub exact: Option<(FieldTerm, f32)>,
    /// Factor of the score.
    pub boost: f32,
    /// The alternatives are the words of a prefix, which share one document frequency.
    pub is_prefix: bool,
    /// The document frequency of a prefix, if it is not the sum over the alternatives.
    pub prefix_doc_freq: Option<u64>,
}

/// The languages that a query is searched in.
#[derive(Clone, Debug, Default)]
pub struct QueryLanguages {
    /// The given one, or the most common ones of the segments; `simple` besides if any chunk is of it.
    pub common: Vec<Language>,
    /// The others of the segments, for words in their script.
    rare: Vec<Language>,
    is_given: bool,
}

impl QueryLanguages {
    /// The languages for a query of the `given` language, or of an unknown one.
    pub fn new(given: Option<Language>, segments: &[Arc<Segment>]) -> Self {
        Self::of_counts(given, segments.iter().flat_map(|segment| segment.languages()))
    }

    /// Like [`Self::new`], where the languages of these documents of each segment count, if they are given.
    ///
    /// # Errors
    /// `DamagedIndex`.
    pub fn of_documents(
        given: Option<Language>,
        segments: &[Arc<Segment>],
        documents: Option<&[Vec<DocId>]>,
    ) -> Result<Self> {
        let Some(documents) = documents else { return Ok(Self::new(given, segments)) };
        let mut counts: Vec<(Language, u32)> = Vec::new();
        for (segment, documents) in segments.iter().zip(documents).filter(|(_, documents)| !documents.is_empty()) {
            for (language, _) in segment.languages() {
                let count = chunk_language::count(segment, language, documents)?;
                counts.extend((count > 0).then_some((language, count)));
            }
        }
        Ok(Self::of_counts(given, counts.into_iter()))
    }

    fn of_counts(given: Option<Language>, chunks: impl Iterator<Item = (Language, u32)>) -> Self {
        let mut counts: BTreeMap<Language, u32> = BTreeMap::new();
        let mut total = 0_u32;
        for (language, count) in chunks {
            let sum = counts.entry(language).or_default();
            *sum = sum.saturating_add(count);
            total = total.saturating_add(count);
        }
        // Chunks whose language could not be detected may be of any.
        let simple = counts.contains_key(&SIMPLE);
        let mut languages = Self { is_given: given.is_some(), ..Self::default() };
        if let Some(language) = given {
            languages.common.push(language);
        } else {
            let mut all: Vec<(Language, u32)> = counts.into_iter().collect();
            all.sort_by_key(|(language, count)| (std::cmp::Reverse(*count), *language));
            for (language, count) in all {
                let is_common = count >= total / MAX_LANGUAGE_RATIO && languages.common.len() < MAX_LANGUAGES;
                if is_common { &mut languages.common } else { &mut languages.rare }.push(language);
            }
        }
        if simple && !languages.common.contains(&SIMPLE) {
            languages.common.push(SIMPLE);
        }
        languages
    }

    /// All languages of the segments, the most common ones first.
    pub fn all(mut self) -> Vec<Language> {
        self.common.append(&mut self.rare);
        self.common
    }

    /// The languages that a word may be of: those of its script.
    fn of_word<'a>(&'a self, word: &str) -> impl Iterator<Item = Language> + 'a {
        let script = if self.is_given { Script::Other } else { Script::of(word) };
        let is_possible = move |language: &&Language| {
            script == Script::Other || language.script() == script || language.script() == Script::Other
        };
        let rare = self.rare.iter().filter(move |_| !matches!(script, Script::Latin | Script::Other));
        self.common.iter().chain(rare).filter(is_possible).copied()
    }
}

/// The groups of the words of a query, of which `telling` are no stop words.
pub fn groups(parsed: &ParsedQuery, telling: &[&QueryWord], languages: &QueryLanguages) -> Vec<TermGroup> {
    if telling.is_empty() && parsed.phrases.is_empty() && parsed.prefixes.is_empty() {
        return parsed.words.iter().map(literal_group).collect();
    }
    // A stop word of another language than that of the query is found as it stands if there is nothing else.
    let is_stop = |word: &QueryWord| {
        word.may_be_stop_word
            && languages.common.iter().chain(&languages.rare).any(|language| language.is_stop_word(&word.text))
    };
    let has_others = !telling.iter().all(|word| is_stop(word));
    let mut groups: Vec<TermGroup> = Vec::new();
    for word in telling.iter().filter(|word| pieces_of(word, telling).is_none()) {
        let mut group = group(word, languages);
        if has_others && is_stop(word) {
            group.literal = None;
        }
        groups.push(group);
    }
    for parts in &parsed.split {
        let all_of = parts.iter().map(|part| (TextField::Word, part.clone())).collect();
        groups.push(TermGroup { all_of, boost: PART_BOOST, ..TermGroup::default() });
    }
    for word in telling {
        if let Some(pieces) = pieces_of(word, telling) {
            add_variant(&mut groups, pieces, &word.text, languages);
        }
    }
    groups
}

/// The two words of a query that a joined word of letters consists of.
fn pieces_of<'a>(word: &QueryWord, words: &[&'a QueryWord]) -> Option<[&'a str; 2]> {
    if word.form != WordForm::Joined || words.len() > MAX_REFINED_WORDS || !word.text.chars().all(char::is_alphabetic) {
        return None;
    }
    let is_piece = |text: &str| words.iter().find(|other| other.form == WordForm::Piece && other.text == text);
    words.iter().filter(|first| first.form == WordForm::Piece).find_map(|first| {
        let second = is_piece(word.text.strip_prefix(first.text.as_str())?)?;
        Some([first.text.as_str(), second.text.as_str()])
    })
}

/// Makes a compound a variant of both its words.
fn add_variant(groups: &mut [TermGroup], words: [&str; 2], compound: &str, languages: &QueryLanguages) {
    let TermGroup { alternatives, literal, .. } = group(&QueryWord::piece(compound), languages);
    let terms: Vec<FieldTerm> = alternatives.into_iter().chain(literal).collect();
    for group in groups.iter_mut().filter(|group| words.contains(&group.word.as_str())) {
        for term in &terms {
            if !group.alternatives.contains(term) && !group.variants.contains(term) {
                group.variants.push(term.clone());
            }
        }
    }
}

/// The words of a query that are no stop words. Those by rule are left out unless there are no others.
pub fn telling<'a>(parsed: &'a ParsedQuery, languages: &QueryLanguages) -> Vec<&'a QueryWord> {
    let language = stop_word_language(&parsed.words, &languages.common, languages.is_given);
    let is_stop =
        |word: &&QueryWord| word.may_be_stop_word && language.is_some_and(|language| language.is_stop_word(&word.text));
    let mut telling: Vec<&QueryWord> = parsed.words.iter().filter(|word| !is_stop(word)).collect();
    let is_kept = |word: &&QueryWord| !parsed.stop_words.contains(&word.text);
    if telling.iter().any(is_kept) {
        telling.retain(is_kept);
    }
    telling
}

/// Adds words that the index spells as one and the query as two, or the other way round.
///
/// # Errors
/// `DamagedIndex`.
pub fn add_compounds(
    groups: &mut Vec<TermGroup>,
    words: &[&QueryWord],
    languages: &QueryLanguages,
    vocabulary: &Vocabulary<'_>,
) -> Result<()> {
    let is_known = |text: &str| words.iter().any(|word| word.text == text);
    for (pair, compound) in compound::join(words, &languages.common, vocabulary)? {
        if !is_known(&compound) {
            add_variant(groups, pair, &compound, languages);
        }
    }
    for word in words.iter().filter(|word| word.form == WordForm::Piece) {
        let parts = compound::split(&word.text, &languages.common, vocabulary)?;
        for part in parts.into_iter().flatten().filter(|part| !is_known(part)) {
            groups.push(TermGroup { boost: PART_BOOST, ..group(&QueryWord::piece(&part), languages) });
        }
    }
    Ok(())
}

/// The terms of the operators of a query, which are scored by how rare they are.
pub fn operator_terms(parsed: &ParsedQuery, languages: &QueryLanguages) -> Vec<FieldTerm> {
    let words = parsed.operator_words().map(|word| (TextField::Word, word.clone()));
    words.chain(parsed.words_in_part().flat_map(|word| group_of_text(word, languages).alternatives)).collect()
}

/// The words of a query of which compounds are looked for that begin with them.
pub fn first_parts<'a>(words: &[&'a QueryWord], languages: &QueryLanguages) -> impl Iterator<Item = &'a str> {
    let words = words.iter().filter(|word| compound::is_first_part(word, &languages.common));
    words.map(|word| word.text.as_str())
}

/// A word of a query that the index does not have, and what is searched for instead.
pub type Correction = (String, Vec<String>);

/// The group of the words that the index has instead of one that it does not have, and these words.
///
/// # Errors
/// `DamagedIndex`.
pub fn corrected(
    group: &TermGroup,
    languages: &QueryLanguages,
    vocabulary: &Vocabulary<'_>,
) -> Result<Option<(TermGroup, Correction)>> {
    let (neighbours, distance) = vocabulary.neighbours(&group.word)?;
    let mut alternatives: Vec<FieldTerm> = Vec::new();
    for neighbour in &neighbours {
        let TermGroup { alternatives: terms, literal, .. } = group_of_text(neighbour, languages);
        for term in terms.into_iter().chain(literal) {
            if !alternatives.contains(&term) {
                alternatives.push(term);
            }
        }
    }
    let boost = group.boost * CORRECTION_BOOSTS[usize::from(distance).min(2)];
    let group = TermGroup { word: group.word.clone(), alternatives, boost, ..TermGroup::default() };
    Ok((!neighbours.is_empty()).then(|| (group.clone(), (group.word, neighbours))))
}

/// The language whose stop words a query has: one of `languages`, or, if these have one of its words at most and none is given,
/// any other that has two and half of them. A question may be in another language than the texts, and the language of few
/// short texts is not known.
pub fn stop_word_language(words: &[QueryWord], languages: &[Language], is_given: bool) -> Option<Language> {
    let hits = |language: &Language| words.iter().filter(|word| language.is_stop_word(&word.text)).count();
    let own = query_language(words, languages);
    if is_given || own.is_some_and(|own| hits(&own) > 1) {
        return own;
    }
    let other = Language::all().rev().max_by_key(hits);
    other.filter(|other| hits(other) >= 2 && hits(other) * 2 >= words.len()).or(own)
}

/// The language of which the query has the most stop words. With several languages, one stop word is not enough: it may be
/// a content word of another.
fn query_language(words: &[QueryWord], languages: &[Language]) -> Option<Language> {
    let hits = |language: &Language| words.iter().filter(|word| language.is_stop_word(&word.text)).count();
    let real = languages.iter().filter(|language| **language != SIMPLE).count();
    // Of equals, the first: it is the more common language.
    let best = languages.iter().copied().rev().max_by_key(hits)?;
    (hits(&best) > usize::from(real > 1)).then_some(best)
}

/// The group of a word: its stems in all languages that it may be of.
pub fn group(word: &QueryWord, languages: &QueryLanguages) -> TermGroup {
    let text = &word.text;
    let folded = fold(text);
    let mut alternatives: Vec<FieldTerm> = Vec::new();
    let mut add = |field: TextField, term: String| {
        let term = (field, term);
        if !alternatives.contains(&term) {
            alternatives.push(term);
        }
    };
    let is_identifier = word.form == WordForm::Identifier;
    if is_identifier {
        add(TextField::Stem, folded.clone().into_owned());
    } else {
        for language in languages.of_word(text) {
            let stem = language.stem(text);
            if let Some(unaccented) = unaccented_stem(language, text, &stem) {
                add(TextField::Stem, unaccented);
            }
            if folded == *text && language != SIMPLE {
                add(TextField::Word, unaccented_term(&stem));
            }
            add(TextField::Stem, stem);
        }
    }
    let word_term = (TextField::Word, text.clone());
    let exact = (folded != *text).then(|| (word_term.clone(), EXACT_WEIGHT));
    let literal = (!is_identifier && !alternatives.contains(&word_term)).then_some(word_term);
    let factor = match word.form {
        WordForm::Identifier if is_date(text) => DATE_BOOST,
        _ => 1.0,
    };
    let boost = word.count.min(MAX_BOOST) as f32 * factor;
    TermGroup { word: text.clone(), alternatives, literal, exact, boost, ..TermGroup::default() }
}

/// The group of a single normalized word.
pub fn group_of_text(word: &str, languages: &QueryLanguages) -> TermGroup {
    group(&QueryWord::piece(word), languages)
}

/// The group of a word in its exact form, for queries of stop words only.
fn literal_group(word: &QueryWord) -> TermGroup {
    let alternatives = vec![(TextField::Word, word.text.clone())];
    let boost = word.count.min(MAX_BOOST) as f32;
    TermGroup { word: word.text.clone(), alternatives, boost, ..TermGroup::default() }
}
