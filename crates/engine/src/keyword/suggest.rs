//! Completes a text that is being typed: by the words of an index that its last word may become, or by similar ones if it
//! becomes none, and by those of some titles that have its words.
//!
//! Names chunks for each word, for the backend to check: an index has words of chunks that were deleted, too.

use super::analysis::UNACCENTED;
use super::fold::fold;
use super::folded_prefix::FoldedPrefix;
use super::language::is_stop_word_of_any;
use super::query_plan::TextField;
use super::schema::{Fields, Part};
use super::search::cancelled;
use super::segment::{Segment, catch_damage};
use super::statistics::{count, for_each_of};
use super::vocabulary::Vocabulary;
use super::words::for_each_word;
use socle_core::Result;
use socle_core::protocol::{SuggestedTitle, SuggestedWord, Suggestions};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use tantivy::schema::Field;
use tantivy::{DocId, Term};

/// Most words of a segment that are looked at: those of a single letter.
const MAX_LOOKED_AT: usize = 100_000;

/// Words between two checks whether the request was cancelled.
const CANCEL_INTERVAL: usize = 4_096;

/// Number of chunks that are named for a word, and one for each segment besides: that none of so many is left does not
/// happen to a word that is still there, as segments are rebuilt before they have lost a third of their chunks.
const SAMPLE: u64 = 16;

/// A stop word that at least one in so many chunks has comes after all other words.
const STOP_WORD_RATIO: u64 = 8;

/// A request for suggestions.
#[derive(Clone, Debug, Default)]
pub struct SuggestRequest {
    /// The text that is being typed.
    pub text: String,
    /// Largest number of words.
    pub limit: u32,
    /// Identifiers of the chunks whose words count, in any order; `None` for all.
    pub restrict: Option<Vec<i64>>,
    /// Titles that may have the words of the text.
    pub titles: Vec<String>,
}

/// The words of a text that is being typed, folded.
#[derive(Debug, Default)]
struct Typed {
    /// The words that are complete.
    complete: Vec<String>,
    /// The word that the text ends with.
    last: Option<String>,
    /// Offset of its first byte in the text, or the length of the text.
    start: usize,
}

/// Suggestions for a text over all chunks of the segments, or those that the request is restricted to.
///
/// # Errors
/// `DamagedIndex`, `Cancelled`.
pub fn suggest(
    segments: &[Arc<Segment>],
    request: &SuggestRequest,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<Suggestions> {
    let typed = Typed::new(&request.text);
    let titles = request.titles.iter().zip(0_u32..);
    let titles = titles.filter_map(|(title, number)| Some(SuggestedTitle { number, at_start: typed.is_in(title)? }));
    let start = u32::try_from(typed.start).unwrap_or(u32::MAX);
    let mut suggestions = Suggestions { start, titles: titles.collect(), ..Suggestions::default() };
    let (Some(last), Some(first)) = (&typed.last, segments.first()) else { return Ok(suggestions) };
    let within = request.restrict.as_ref().map(|restrict| {
        let mut chunks = restrict.clone();
        chunks.sort_unstable();
        chunks.dedup();
        segments.iter().map(|segment| segment.documents(&chunks)).collect::<Vec<_>>()
    });
    let index = Index { segments, fields: &first.fields, within: within.as_deref(), is_cancelled };
    let mut words = index.completions(last)?;
    if words.is_empty() {
        suggestions.corrected = true;
        words = index.corrections(last)?;
    }
    for word in index.most_common(words, request.limit as usize) {
        let chunks = index.sample(&word)?;
        suggestions.words.push(SuggestedWord { word, chunks });
    }
    Ok(suggestions)
}

impl Typed {
    fn new(text: &str) -> Self {
        let mut pieces: Vec<(String, usize, usize)> = Vec::new();
        for_each_word(text, &mut |word| {
            if word.is_piece() {
                pieces.push((fold(&word.text).into_owned(), word.start, word.end));
            }
        });
        let last = pieces.pop_if(|(.., end)| *end == text.len());
        let start = last.as_ref().map_or(text.len(), |(_, start, _)| *start);
        let complete = pieces.into_iter().map(|(word, ..)| word).collect();
        Self { complete, last: last.map(|(word, ..)| word), start }
    }

    /// Whether a title has all of the words, and if so, whether it begins with them.
    fn is_in(&self, title: &str) -> Option<bool> {
        let (mut words, mut pieces): (HashSet<String>, Vec<String>) = (HashSet::new(), Vec::new());
        for_each_word(title, &mut |word| {
            let folded = fold(&word.text).into_owned();
            if word.is_piece() {
                pieces.push(folded.clone());
            }
            words.insert(folded);
        });
        let begins = |word: &String| self.last.as_ref().is_none_or(|last| word.starts_with(last.as_str()));
        let has_all = self.complete.iter().all(|word| words.contains(word));
        if !has_all || !words.iter().any(begins) || (self.complete.is_empty() && self.last.is_none()) {
            return None;
        }
        let at_start = pieces.starts_with(&self.complete);
        Some(at_start && (self.last.is_none() || pieces.get(self.complete.len()).is_some_and(begins)))
    }
}

/// The words of segments, with the number of chunks that have them.
type Counts = BTreeMap<String, u64>;

/// The chunks whose words are suggested.
struct Index<'a> {
    segments: &'a [Arc<Segment>],
    fields: &'a Fields,
    /// The documents of each segment that count; `None` for all.
    within: Option<&'a [Vec<DocId>]>,
    is_cancelled: &'a dyn Fn() -> bool,
}

impl Index<'_> {
    fn documents(&self, number: usize) -> Option<&[DocId]> {
        self.within.map(|within| within[number].as_slice())
    }

    /// The words that begin with a folded prefix, with and without accents.
    fn completions(&self, prefix: &str) -> Result<Counts> {
        let automaton = FoldedPrefix::new(prefix);
        let mut words = Counts::new();
        for part in Part::ALL {
            for (word, frequency) in self.completions_in(self.fields.of(part, TextField::Word), &automaton)? {
                let known = words.entry(word).or_default();
                *known = frequency.max(*known);
            }
        }
        Ok(words)
    }

    fn completions_in(&self, field: Field, automaton: &FoldedPrefix) -> Result<Counts> {
        let mut words = Counts::new();
        for (number, segment) in self.segments.iter().enumerate().filter(|(_, segment)| segment.filled(field) > 0) {
            let documents = self.documents(number);
            let mut stopped = false;
            catch_damage(|| {
                let mut stream = segment.inverted(field).terms().search(automaton).into_stream()?;
                for looked in 0..MAX_LOOKED_AT {
                    stopped = looked % CANCEL_INTERVAL == 0 && (self.is_cancelled)();
                    if stopped || !stream.advance() {
                        break;
                    }
                    let frequency = match documents {
                        None => u64::from(stream.value().doc_freq),
                        Some([]) => 0,
                        Some(documents) => count(segment, field, stream.value(), documents)?,
                    };
                    if let Ok(word) = std::str::from_utf8(stream.key())
                        && frequency > 0
                    {
                        *words.entry(word.to_string()).or_default() += frequency;
                    }
                }
                Ok(())
            })?;
            if stopped {
                return Err(cancelled());
            }
        }
        Ok(words)
    }

    /// The words that are most similar to one that the index does not have.
    fn corrections(&self, word: &str) -> Result<Counts> {
        let vocabulary = self.vocabulary();
        let mut words = Counts::new();
        for similar in vocabulary.neighbours(word)?.0 {
            let folded = fold(&similar);
            // With its other spellings.
            words.extend(self.completions(&folded)?.into_iter().filter(|(other, _)| fold(other) == folded));
        }
        Ok(words)
    }

    /// The most common words, each in one spelling: with accents if at least half of the chunks have them. Common stop
    /// words come last.
    fn most_common(&self, words: Counts, limit: usize) -> Vec<String> {
        let mut spellings: BTreeMap<String, Vec<(u64, String)>> = BTreeMap::new();
        for (word, count) in words.into_iter().filter(|(word, _)| !word.starts_with(UNACCENTED)) {
            spellings.entry(fold(&word).into_owned()).or_default().push((count, word));
        }
        let chunks = |number: usize, segment: &Segment| {
            self.documents(number).map_or(u64::from(segment.chunk_count()), |documents| documents.len() as u64)
        };
        let all: u64 = self.segments.iter().enumerate().map(|(number, segment)| chunks(number, segment)).sum();
        let spelt = spellings.into_iter().map(|(folded, spellings)| {
            // The index has the folded form of each word that has accents.
            let total = spellings.iter().map(|(count, _)| *count).max().unwrap_or_default();
            let accented = spellings.into_iter().filter(|(_, word)| *word != folded).max();
            let is_stop_word = total.saturating_mul(STOP_WORD_RATIO) >= all && is_stop_word_of_any(&folded);
            let word = accented.filter(|(count, _)| 2 * count >= total).map_or(folded, |(_, word)| word);
            (is_stop_word, std::cmp::Reverse(total), word)
        });
        let mut spelt: Vec<_> = spelt.collect();
        spelt.sort();
        spelt.into_iter().take(limit).map(|(.., word)| word).collect()
    }

    fn vocabulary(&self) -> Vocabulary<'_> {
        Vocabulary::new(self.segments, self.fields, &Part::ALL, self.within)
    }

    /// Identifiers of some chunks that have a word, spread over all of them; of all, if there are few.
    fn sample(&self, word: &str) -> Result<Vec<i64>> {
        let step = self.vocabulary().word_frequency(word)?.div_ceil(SAMPLE).max(1);
        let mut chunks = Vec::new();
        for field in Part::ALL.map(|part| self.fields.of(part, TextField::Word)) {
            let term = Term::from_field_text(field, word);
            for (number, segment) in self.segments.iter().enumerate() {
                catch_damage(|| {
                    let Some(info) = segment.inverted(field).get_term_info(&term)? else { return Ok(()) };
                    let mut seen = 0_u64;
                    for_each_of(segment, field, &info, self.documents(number), &mut |doc| {
                        if seen.is_multiple_of(step) {
                            chunks.push(segment.chunk_id(doc));
                        }
                        seen += 1;
                    })
                })?;
            }
        }
        chunks.sort_unstable();
        chunks.dedup();
        Ok(chunks)
    }
}
