//! Rules about words of queries that the owner of a corpus has made: synonyms, protected words, stop words. The index knows
//! nothing of them, so that they can change without a rebuild.

use super::fold::fold;
use super::language::Language;
use super::query_parser::{ParsedQuery, QueryWord};
use super::query_plan::{FieldTerm, QueryLanguages, TermGroup, TextField, group};
use super::words::{WordForm, for_each_word};
use socle_core::protocol::{MAX_PHRASE_WORDS, WordRule, WordRuleKind};

/// A term of a query, and what is searched for besides.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Synonym {
    /// The term, as the rule has it.
    pub term: String,
    /// The words of the query that it consists of.
    pub words: Vec<String>,
    /// What is searched for besides.
    pub replacements: Vec<RuleText>,
}

/// A text of a rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RuleText {
    /// As it was written.
    pub text: String,
    /// Its pieces.
    pub pieces: Vec<String>,
    /// The spelling of all pieces as one word: `.net` for `.NET`, `wifi` for `Wi-Fi`.
    pub whole: Option<QueryWord>,
}

impl RuleText {
    fn read(text: &str) -> Self {
        let mut words = Vec::new();
        for_each_word(text, &mut |word| words.push(word));
        let pieces: Vec<_> = words.iter().filter(|word| word.is_piece()).collect();
        let (start, end) = (pieces.first().map(|word| word.start), pieces.last().map(|word| word.end));
        let covers = |form| {
            let mut whole = words.iter().filter(|word| word.form == form);
            whole.find(|word| Some(word.start) <= start && Some(word.end) >= end)
        };
        let whole = covers(WordForm::Identifier).or_else(|| covers(WordForm::Joined));
        Self {
            text: text.to_string(),
            whole: whole.map(|word| QueryWord { form: word.form, ..QueryWord::piece(&word.text) }),
            pieces: pieces.iter().take(MAX_PHRASE_WORDS).map(|word| word.text.to_string()).collect(),
        }
    }

    /// The text as one word; `None` if it is several.
    fn single(&self) -> Option<QueryWord> {
        let single = <&[String; 1]>::try_from(self.pieces.as_slice()).ok().map(|[piece]| QueryWord::piece(piece));
        self.whole.clone().or(single)
    }
}

impl ParsedQuery {
    /// Finds the terms of rules in the query, and notes what the rules say about them. With `languages`, words of one stem in
    /// one of these are the same for a synonym.
    pub fn apply(&mut self, rules: &[WordRule], languages: &[Language]) {
        for rule in rules {
            let language = rule.language.as_deref().map(Language::named);
            if language.is_some_and(|language| !language.is_ok_and(|language| languages.contains(&language))) {
                continue;
            }
            let stemmed = if rule.kind == WordRuleKind::Synonym { languages } else { &[] };
            let Some(words) = self.find(&RuleText::read(&rule.term), stemmed) else { continue };
            match rule.kind {
                WordRuleKind::Protected => self.protected.extend(words),
                WordRuleKind::StopWord => self.stop_words.extend(words),
                WordRuleKind::Synonym => {
                    let replacements = rule.replacements.iter().map(|text| RuleText::read(text));
                    let replacements = replacements.filter(|text| !text.pieces.is_empty()).collect();
                    self.synonyms.push(Synonym { term: rule.term.clone(), words, replacements });
                }
            }
        }
    }

    /// The words of the query that a term consists of; `None` if the query does not have it.
    fn find(&self, term: &RuleText, languages: &[Language]) -> Option<Vec<String>> {
        let is_identifier = term.whole.as_ref().is_some_and(|whole| whole.form == WordForm::Identifier);
        if let Some(single) = term.single() {
            let same = |word: &&QueryWord| word.form != WordForm::Part && word.text == single.text;
            if let Some(word) = self.words.iter().find(same) {
                return Some(vec![word.text.clone()]);
            }
        }
        if is_identifier || term.pieces.is_empty() {
            return None;
        }
        let mut windows = self.runs.iter().flat_map(|run| run.windows(term.pieces.len()));
        let same = |(word, wanted): (&String, &String)| is_same(word, wanted, languages);
        windows.find(|window| window.iter().zip(&term.pieces).all(same)).map(<[String]>::to_vec)
    }

    /// What is searched for besides the words of the query: each term with its synonyms.
    pub fn synonym_texts(&self) -> Vec<(String, Vec<String>)> {
        let texts = |synonym: &Synonym| synonym.replacements.iter().map(|text| text.text.clone()).collect();
        self.synonyms.iter().map(|synonym| (synonym.term.clone(), texts(synonym))).collect()
    }

    /// Whether a rule decides about a word, so that it is neither corrected nor split.
    pub fn is_ruled(&self, word: &str) -> bool {
        self.protected.iter().chain(self.synonyms.iter().flat_map(|synonym| &synonym.words)).any(|known| known == word)
    }
}

fn is_same(word: &str, wanted: &str, languages: &[Language]) -> bool {
    word == wanted
        || fold(word) == fold(wanted)
        || languages.iter().any(|language| language.stem(word) == language.stem(wanted))
}

/// Searches for protected words as they stand, and for synonyms. A synonym of one word is an alternative to the word; what
/// has several words, in the query or in its place, is scored by itself.
pub fn apply(groups: &mut Vec<TermGroup>, parsed: &ParsedQuery, languages: &QueryLanguages) {
    for group in groups.iter_mut().filter(|group| parsed.protected.contains(&group.word)) {
        let TermGroup { word, boost, .. } = std::mem::take(group);
        *group = TermGroup { alternatives: vec![(TextField::Word, word.clone())], word, boost, ..TermGroup::default() };
    }
    for synonym in &parsed.synonyms {
        for text in &synonym.replacements {
            let Some(word) = text.single() else {
                groups.push(all_words(text, languages));
                continue;
            };
            let TermGroup { alternatives, literal, exact, .. } = group(&word, languages);
            let exact = exact.map(|(term, _)| term);
            let terms: Vec<FieldTerm> = alternatives.into_iter().chain(literal).chain(exact).collect();
            let own = match synonym.words.as_slice() {
                [single] => groups.iter_mut().find(|group| group.word == *single),
                _ => None,
            };
            if let Some(own) = own {
                let is_new = |term: &FieldTerm| !own.alternatives.contains(term) && !own.variants.contains(term);
                let terms: Vec<FieldTerm> = terms.into_iter().filter(is_new).collect();
                own.variants.extend(terms);
            } else if !groups.iter().any(|group| group.word == word.text) {
                let word = word.text.clone();
                groups.push(TermGroup { word, alternatives: terms, boost: 1.0, ..TermGroup::default() });
            }
        }
    }
}

/// The group of several words that a document must all have, by their stems in the most common language.
fn all_words(text: &RuleText, languages: &QueryLanguages) -> TermGroup {
    let language = languages.common.first().copied();
    let is_stop = |piece: &&String| language.is_some_and(|language| language.is_stop_word(piece));
    let mut pieces: Vec<&String> = text.pieces.iter().filter(|piece| !is_stop(piece)).collect();
    let term = |piece: &&String| match language {
        Some(language) if !is_stop(piece) => (TextField::Stem, language.stem(piece)),
        _ => (TextField::Word, (*piece).clone()),
    };
    if pieces.is_empty() {
        pieces = text.pieces.iter().collect();
    }
    let all_of = pieces.iter().map(term).collect();
    TermGroup { word: text.text.clone(), all_of, boost: 1.0, ..TermGroup::default() }
}
