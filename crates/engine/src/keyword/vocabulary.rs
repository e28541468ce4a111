//! The words of an index: which there are, and which resemble a word that is not among them.

use super::analysis::UNACCENTED;
use super::query_plan::{FieldTerm, TextField};
use super::schema::{Fields, Part};
use super::segment::{Segment, catch_damage};
use super::statistics::{TermTable, count};
use levenshtein_automata::{DFA, Distance, LevenshteinAutomatonBuilder, SINK_STATE};
use socle_core::Result;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use tantivy::schema::Field;
use tantivy::{DocId, Term};
use tantivy_fst::Automaton;

/// Shortest word that is corrected, in characters: shorter ones have too many neighbours.
const MIN_LENGTH: usize = 4;

/// Shortest word of which two signs may differ.
const MIN_LENGTH_OF_TWO: usize = 8;

/// Longest word that is corrected.
const MAX_LENGTH: usize = 40;

/// Most words that one word is corrected to.
const MAX_NEIGHBOURS: usize = 3;

/// Most words of a segment that are looked at.
const MAX_LOOKED_AT: usize = 10_000;

/// Automata for distances 1 and 2, transpositions included (Schulz and Mihov, 2002). They take a moment to prepare.
static AUTOMATA: LazyLock<[LevenshteinAutomatonBuilder; 2]> =
    LazyLock::new(|| [LevenshteinAutomatonBuilder::new(1, true), LevenshteinAutomatonBuilder::new(2, true)]);

/// The words of a set of segments, or of some documents of each.
#[derive(Clone, Copy)]
pub struct Vocabulary<'a> {
    segments: &'a [Arc<Segment>],
    fields: &'a Fields,
    parts: &'a [Part],
    within: Option<&'a [Vec<DocId>]>,
}

impl<'a> Vocabulary<'a> {
    /// The words in these parts of all chunks of the segments, or of these documents of each segment only.
    pub fn new(
        segments: &'a [Arc<Segment>],
        fields: &'a Fields,
        parts: &'a [Part],
        within: Option<&'a [Vec<DocId>]>,
    ) -> Self {
        Self { segments, fields, parts, within }
    }

    /// Number of chunks that have a normalized word, in the part in which most have it.
    ///
    /// # Errors
    /// `DamagedIndex`.
    pub fn word_frequency(&self, word: &str) -> Result<u64> {
        self.frequency(TextField::Word, word)
    }

    /// The same of a folded stem.
    ///
    /// # Errors
    /// `DamagedIndex`.
    pub fn stem_frequency(&self, stem: &str) -> Result<u64> {
        self.frequency(TextField::Stem, stem)
    }

    /// Whether a chunk has a term, which is looked up in `terms`.
    ///
    /// # Errors
    /// `DamagedIndex`.
    pub fn has(&self, term: &FieldTerm, terms: &mut TermTable<'_>) -> Result<bool> {
        let number = terms.number(term, self.segments, self.fields)?;
        let is_somewhere = terms.all.get(number).is_some_and(|known| known.doc_freq > 0);
        Ok(is_somewhere && (self.within.is_none() || self.frequency(term.0, &term.1)? > 0))
    }

    fn frequency(&self, field: TextField, text: &str) -> Result<u64> {
        let mut most = 0;
        for part in self.parts {
            most = most.max(self.frequency_in(*part, self.fields.of(*part, field), text)?);
        }
        Ok(most)
    }

    fn frequency_in(&self, part: Part, field: Field, text: &str) -> Result<u64> {
        let term = Term::from_field_text(field, text);
        let mut sum = 0;
        for (number, segment) in self.segments.iter().enumerate().filter(|(_, segment)| segment.has(part)) {
            sum += catch_damage(|| {
                let Some(info) = segment.inverted(field).get_term_info(&term)? else { return Ok(0) };
                match self.within.map(|within| within[number].as_slice()) {
                    None => Ok(u64::from(info.doc_freq)),
                    Some(documents) => count(segment, field, &info, documents),
                }
            })?;
        }
        Ok(sum)
    }

    /// The words nearest to a word that the index does not have, most frequent first, and their distance (Damerau and
    /// Levenshtein): 1 from 4 characters, 2 from 8. None for words with digits, which are not misspelt but others.
    ///
    /// # Errors
    /// `DamagedIndex`.
    pub fn neighbours(&self, word: &str) -> Result<(Vec<String>, u8)> {
        let length = word.chars().count();
        if !(MIN_LENGTH..=MAX_LENGTH).contains(&length) || !word.chars().all(char::is_alphabetic) {
            return Ok((Vec::new(), 0));
        }
        let most = if length >= MIN_LENGTH_OF_TWO { 2 } else { 1 };
        for (distance, builder) in (1..=most).zip(AUTOMATA.iter()) {
            let found = self.within_distance(&builder.build_dfa(word))?;
            if !found.is_empty() {
                return Ok((found, distance));
            }
        }
        Ok((Vec::new(), 0))
    }

    fn within_distance(&self, dfa: &DFA) -> Result<Vec<String>> {
        let mut words: BTreeMap<String, u64> = BTreeMap::new();
        for part in self.parts {
            for (word, frequency) in self.within_distance_in(self.fields.of(*part, TextField::Word), dfa)? {
                let known = words.entry(word).or_default();
                *known = frequency.max(*known);
            }
        }
        let mut words: Vec<(String, u64)> = words.into_iter().collect();
        words.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        words.truncate(MAX_NEIGHBOURS);
        Ok(words.into_iter().map(|(word, _)| word).collect())
    }

    fn within_distance_in(&self, field: Field, dfa: &DFA) -> Result<BTreeMap<String, u64>> {
        let mut words: BTreeMap<String, u64> = BTreeMap::new();
        for (number, segment) in self.segments.iter().enumerate().filter(|(_, segment)| segment.filled(field) > 0) {
            let documents = self.within.map(|within| within[number].as_slice());
            catch_damage(|| {
                let mut stream = segment.inverted(field).terms().search(Similar(dfa)).into_stream()?;
                let mut looked = 0;
                while looked < MAX_LOOKED_AT && stream.advance() {
                    looked += 1;
                    let frequency = match documents {
                        None => u64::from(stream.value().doc_freq),
                        Some(documents) => count(segment, field, stream.value(), documents)?,
                    };
                    if let Ok(word) = std::str::from_utf8(stream.key())
                        && !word.starts_with(UNACCENTED)
                        && frequency > 0
                    {
                        *words.entry(word.to_string()).or_default() += frequency;
                    }
                }
                Ok(())
            })?;
        }
        Ok(words)
    }
}

/// A Levenshtein automaton as the dictionary takes it.
struct Similar<'a>(&'a DFA);

impl Automaton for Similar<'_> {
    type State = u32;

    fn start(&self) -> u32 {
        self.0.initial_state()
    }

    fn is_match(&self, state: &u32) -> bool {
        matches!(self.0.distance(*state), Distance::Exact(_))
    }

    fn can_match(&self, state: &u32) -> bool {
        *state != SINK_STATE
    }

    fn accept(&self, state: &u32, byte: u8) -> u32 {
        self.0.transition(*state, byte)
    }
}
