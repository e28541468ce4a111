//! Types and limits of the messages about the keyword index.
//!
//! A segment is an immutable part of the index, a blob that the engine builds and PostgreSQL stores. It is identified
//! by the digest of its bytes, so that a cached segment can never be the wrong one.

use crate::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// Identifier of a segment: SHA-256 of its bytes.
pub type SegmentDigest = [u8; 32];

/// Segment format of this version. Incremented when the layout of a segment or the analysis of text changes, after
/// which older segments are rebuilt.
pub const KEYWORD_FORMAT: u32 = 3;

/// Maximum length of a part of a segment in bytes.
pub const SEGMENT_PART: usize = 1_000_000;

/// Maximum number of distinct words of a query that are looked up.
pub const MAX_QUERY_WORDS: usize = 4_096;

/// Maximum number of words of a query that are scored: the rarest of those that occur in the index.
pub const MAX_COUNTED_WORDS: usize = 64;

/// Maximum number of phrases, of prefixes and of exclusions of a query.
pub const MAX_OPERATORS: usize = 32;

/// Maximum number of words of a phrase.
pub const MAX_PHRASE_WORDS: usize = 64;

/// Maximum number of words that a prefix expands to: the most common ones.
pub const MAX_PREFIX_WORDS: usize = 100;

/// Maximum number of hits in a response; longer lists are read in pages.
pub const MAX_HITS: u32 = 1_000_000;

/// Weights that a search has by default, as SQL declares them. On sets with titles, see "Quality" in `bench/README.md`.
pub const DEFAULT_TITLE_WEIGHT: f32 = 3.0;
/// See [`DEFAULT_TITLE_WEIGHT`].
pub const DEFAULT_HEADING_WEIGHT: f32 = 3.0;

/// How much an occurrence of a word counts in each field of a chunk. 0 leaves a field out: its words are not found.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct FieldWeights {
    /// In the content: 1, or 0.
    pub content: f32,
    /// In the title.
    pub title: f32,
    /// In the headings.
    pub headings: f32,
}

impl FieldWeights {
    /// Largest weight. Beyond it, a title with any word of the query ranks before all others anyway.
    pub const MAX: f32 = 100.0;
}

impl Default for FieldWeights {
    fn default() -> Self {
        Self { content: 1.0, title: DEFAULT_TITLE_WEIGHT, headings: DEFAULT_HEADING_WEIGHT }
    }
}

/// How the text of a query is read.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum QuerySyntax {
    /// As people write: a quoted phrase raises the score, and is required where it is the whole query; words at the end
    /// that begin with a hyphen are excluded; `prefix*`. Everything else is text.
    #[default]
    Natural,
    /// As in a search box with operators: `"required phrase"`, `"near words"~3`, `+required`, `one OR other`, `-excluded`,
    /// `-"excluded phrase"`, `prefix*`.
    Operators,
    /// As text alone.
    Plain,
}

impl QuerySyntax {
    /// All, by name.
    pub const ALL: [(&str, Self); 3] =
        [("natural", Self::Natural), ("operators", Self::Operators), ("plain", Self::Plain)];

    /// The syntax of a name.
    ///
    /// # Errors
    /// `InvalidArgument` for an unknown one.
    pub fn named(name: &str) -> Result<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, syntax)| *syntax).ok_or_else(|| {
            Error::new(Kind::InvalidArgument, format!("query_syntax \"{name}\" does not exist"))
                .hint("It is \"natural\", \"operators\" or \"plain\".")
        })
    }
}

/// What a rule about words of queries does.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum WordRuleKind {
    /// A query with the term finds the replacements, too.
    Synonym,
    /// The term is a word that is searched for as it stands: no stem, no compound, no correction.
    Protected,
    /// The term is a word that is not searched for, unless the query has no other.
    StopWord,
}

impl WordRuleKind {
    /// All, by name.
    pub const ALL: [(&str, Self); 3] =
        [("synonym", Self::Synonym), ("protected", Self::Protected), ("stop_word", Self::StopWord)];

    /// The kind of a name.
    ///
    /// # Errors
    /// `InvalidArgument` for an unknown one.
    pub fn named(name: &str) -> Result<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind).ok_or_else(|| {
            Error::new(Kind::InvalidArgument, format!("kind \"{name}\" does not exist"))
                .hint("It is \"synonym\", \"protected\" or \"stop_word\".")
        })
    }
}

/// A rule about a word, or several words in a row, of queries.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct WordRule {
    /// What it does.
    pub kind: WordRuleKind,
    /// Canonical name of the language that a query must be searched in; `None` for all queries.
    pub language: Option<String>,
    /// The words of the query.
    pub term: String,
    /// What is searched for besides, for synonyms.
    pub replacements: Vec<String>,
}

/// Length of the key of a term, in characters.
const KEY_LENGTH: usize = 3;

/// Characters of a query that rules are looked up for: what is longer is a text.
const MAX_RULE_CHARACTERS: usize = 2_000;

/// The key by which the rules for a query are looked up: the first characters of a term.
pub fn word_rule_key(term: &str) -> String {
    folded(term).take(KEY_LENGTH).collect()
}

/// The keys of all terms that a query may have.
pub fn word_rule_keys(query: &str) -> Vec<String> {
    let characters: Vec<char> = folded(query).take(MAX_RULE_CHARACTERS).collect();
    let ends = |start: usize| start + 1..=(start + KEY_LENGTH).min(characters.len());
    let keys = (0..characters.len()).flat_map(|start| ends(start).map(move |end| (start, end)));
    let mut keys: Vec<String> = keys.map(|(start, end)| characters[start..end].iter().collect()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The letters and digits of a text in lower case, without accents: words that are the same to a search have the same key
/// wherever they are separated.
fn folded(text: &str) -> impl Iterator<Item = char> {
    text.nfkd().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase)
}

/// A chunk as it is indexed, by fields.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct KeywordChunk<'a> {
    /// Identifier in hits.
    pub chunk_id: i64,
    /// Canonical name of its language (see [`crate::language`]); `None` if the request determines it.
    pub language: Option<&'a str>,
    /// The title of its document. May be empty, as any field.
    pub title: &'a str,
    /// The headings that it stands under.
    pub headings: &'a str,
    /// Other context that it is embedded with.
    pub context: &'a str,
    /// The text. Context, line feed and content are one field.
    pub content: &'a str,
}

/// Properties of a segment.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SegmentSummary {
    /// Its identifier.
    pub digest: SegmentDigest,
    /// Number of chunks.
    pub chunk_count: u32,
    /// Length in bytes.
    pub byte_count: u64,
    /// [`KEYWORD_FORMAT`] of the engine that wrote it.
    pub format: u32,
}

/// A text that is being typed, and what may complete it: see [`super::Request::KeywordSuggest`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct SuggestQuery<'a> {
    /// The segments whose words are suggested.
    pub segments: Vec<SegmentDigest>,
    /// The text.
    pub text: &'a str,
    /// Maximum number of words.
    pub limit: u32,
    /// The chunks whose words count, in any order; `None` for all of the segments.
    pub restrict: Option<Vec<i64>>,
    /// Titles and headings that may have the words of the text.
    #[serde(borrow)]
    pub titles: Vec<&'a str>,
}

/// Suggestions for a text that is being typed.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Suggestions {
    /// Offset of the first byte of the last word of the text; the length of the text if that is complete.
    pub start: u32,
    /// Words that may stand there, the most common ones first.
    pub words: Vec<SuggestedWord>,
    /// No word begins like the last word: the words are similar ones.
    pub corrected: bool,
    /// The titles that have the words of the text, in the order of the request.
    pub titles: Vec<SuggestedTitle>,
}

/// A word that an index has.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct SuggestedWord {
    /// The word.
    pub word: String,
    /// Some chunks that have it; all if they are few.
    pub chunks: Vec<i64>,
}

/// A title that has all words of a text.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SuggestedTitle {
    /// Position in the request, from 0.
    pub number: u32,
    /// Whether it begins with them.
    pub at_start: bool,
}

/// Numbers of elements of a query that were not searched for, because they exceed limits.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct QueryTruncation {
    /// Distinct words after the first [`MAX_QUERY_WORDS`].
    pub words: u32,
    /// Words that occur in the index and are more common than the [`MAX_COUNTED_WORDS`] rarest.
    pub common_words: u32,
    /// Phrases, prefixes and exclusions after the first [`MAX_OPERATORS`] of each.
    pub operators: u32,
    /// Words of phrases after the first [`MAX_PHRASE_WORDS`] of each.
    pub phrase_words: u32,
    /// Words that a prefix could expand to and that are less common than [`MAX_PREFIX_WORDS`] others.
    pub prefix_words: u32,
}

impl QueryTruncation {
    /// A description for users; `None` if nothing was left out.
    pub fn describe(self) -> Option<String> {
        let parts = [
            (self.words, format!("words after the first {MAX_QUERY_WORDS}")),
            (self.common_words, format!("more common words than the {MAX_COUNTED_WORDS} rarest")),
            (self.operators, format!("operators after the first {MAX_OPERATORS} of a kind")),
            (self.phrase_words, format!("words of phrases after the first {MAX_PHRASE_WORDS}")),
            (self.prefix_words, format!("less common words of prefixes than the first {MAX_PREFIX_WORDS}")),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{what} ({count})"))
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_term_is_among_those_of_a_query_that_has_it() {
        for (term, query) in [
            (".NET", "asp.net core"),
            ("Wi-Fi", "the WIFI here"),
            ("C", "programs in c"),
            ("Élève", "un eleve"),
            ("東京都", "私は東京都に住む"),
            ("single sign-on", "what is Single Sign On"),
        ] {
            assert!(word_rule_keys(query).contains(&word_rule_key(term)), "{term} in {query}");
        }
        assert!(!word_rule_keys("other words").contains(&word_rule_key("Wi-Fi")));
        assert_eq!((word_rule_keys("- !"), word_rule_key("...")), (Vec::new(), String::new()));
        assert!(word_rule_keys(&"äöü".repeat(1_000_000)).len() <= 9);
    }

    #[test]
    fn what_is_left_out_is_said_part_by_part() {
        assert_eq!(QueryTruncation::default().describe(), None);
        let left_out = QueryTruncation { words: 904, phrase_words: 2, ..QueryTruncation::default() };
        assert_eq!(
            left_out.describe().unwrap(),
            "words after the first 4096 (904), words of phrases after the first 64 (2)"
        );
    }
}
