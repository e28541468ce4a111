//! The operators of a query: prefixes, required phrases, exclusions.

use super::field_weight::SearchedParts;
use super::query_parser::{Clause, ClauseForm, ParsedQuery};
use super::query_plan::{FieldTerm, QueryLanguages, TermGroup, TextField};
use super::schema::{Fields, Part};
use super::segment::{Segment, catch_damage};
use super::statistics::{CollectionStatistics, count};
use socle_core::Result;
use socle_core::protocol::{MAX_PREFIX_WORDS, QueryTruncation};
use std::collections::BTreeMap;
use std::sync::Arc;
use tantivy::query::{
    BooleanQuery, BoostQuery, ConstScoreQuery, DisjunctionMaxQuery, EmptyQuery, EnableScoring, PhraseQuery, Query,
    TermQuery, Weight,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, Term};

/// Factor of the score of a phrase that is not required, which comes on top of that of its words.
const PHRASE_BOOST: f32 = 0.5;

/// Largest number of words of a segment that a prefix is expanded to.
const MAX_EXPANSIONS: usize = 10_000;

/// The most common words that begin with a prefix, at most [`MAX_PREFIX_WORDS`], and the number of those left out. With
/// `within`, only words of these documents of each segment count, so that words of others do not displace them.
///
/// # Errors
/// `DamagedIndex`.
pub fn expand_prefix(
    prefix: &str,
    segments: &[Arc<Segment>],
    (fields, parts): (&Fields, &[Part]),
    within: Option<&[Vec<DocId>]>,
) -> Result<(Option<TermGroup>, u32)> {
    // For each word, its document frequency among the documents of `within`, and among all: those in the part in which it
    // is most frequent.
    let mut words: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for part in parts {
        for (word, (here, all)) in with_prefix(prefix, segments, fields.of(*part, TextField::Word), within)? {
            let known = words.entry(word).or_default();
            *known = (known.0.max(here), known.1.max(all));
        }
    }
    let common = |count: fn(&(u64, u64)) -> u64| {
        let mut words: Vec<(&String, u64)> = words.iter().map(|(word, counts)| (word, count(counts))).collect();
        words.retain(|(_, count)| *count > 0);
        words.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(other.0)));
        let left_out = words.len().saturating_sub(MAX_PREFIX_WORDS);
        words.truncate(MAX_PREFIX_WORDS);
        (words, u32::try_from(left_out).unwrap_or(u32::MAX))
    };
    let (here, left_out) = common(|counts| counts.0);
    let alternatives: Vec<FieldTerm> = here.into_iter().map(|(word, _)| (TextField::Word, word.clone())).collect();
    // The document frequency without the restriction, so that scores do not depend on it.
    let prefix_doc_freq = within.map(|_| common(|counts| counts.1).0.iter().map(|(_, count)| count).sum());
    let word = prefix.to_string();
    let group = TermGroup { word, alternatives, boost: 1.0, is_prefix: true, prefix_doc_freq, ..TermGroup::default() };
    Ok(((!group.alternatives.is_empty()).then_some(group), left_out))
}

/// The words of a field that begin with a prefix, with their document frequencies among the documents of `within`, and
/// among all.
fn with_prefix(
    prefix: &str,
    segments: &[Arc<Segment>],
    field: Field,
    within: Option<&[Vec<DocId>]>,
) -> Result<BTreeMap<String, (u64, u64)>> {
    let mut words: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (number, segment) in segments.iter().enumerate() {
        let documents = within.map(|within| within[number].as_slice());
        catch_damage(|| {
            let mut stream = segment.inverted(field).terms().range().ge(prefix.as_bytes()).into_stream()?;
            let mut looked = 0;
            while looked < MAX_EXPANSIONS && stream.advance() && stream.key().starts_with(prefix.as_bytes()) {
                let all = u64::from(stream.value().doc_freq);
                let here = match documents {
                    None => all,
                    Some([]) => 0,
                    Some(documents) => count(segment, field, stream.value(), documents)?,
                };
                looked += usize::from(here > 0 || documents.is_none());
                if let Ok(word) = std::str::from_utf8(stream.key()) {
                    let known = words.entry(word.to_string()).or_default();
                    *known = (known.0 + here, known.1 + all);
                }
            }
            Ok(())
        })?;
    }
    Ok(words)
}

/// The operators of a query, with weights.
#[derive(Default)]
pub struct Operators {
    /// Phrases and words that a document must have.
    pub required: Vec<Box<dyn Weight>>,
    /// Phrases that raise the score of a document.
    pub preferred: Vec<Box<dyn Weight>>,
    /// The same without weights.
    pub preferred_queries: Vec<Box<dyn Query>>,
    /// Words and phrases that a document must not have.
    pub excluded: Vec<Box<dyn Weight>>,
}

/// The operators of a query, with weights by these statistics. `within` is that of [`expand_prefix`].
///
/// # Errors
/// `DamagedIndex`.
pub fn operators(
    segments: &[Arc<Segment>],
    (fields, searched): (&Fields, &SearchedParts),
    (parsed, languages): (&ParsedQuery, &QueryLanguages),
    (statistics, within): (&CollectionStatistics, Option<&[Vec<DocId>]>),
    left_out: &mut QueryTruncation,
) -> Result<Operators> {
    let Some(first) = segments.first() else { return Ok(Operators::default()) };
    let scoring = EnableScoring::enabled_from_statistics_provider(statistics, first.searcher());
    let mut queries = Queries { segments, fields, searched, languages, within, left_out };
    let mut required: Vec<Box<dyn Query>> = Vec::new();
    required.extend(parsed.phrases.iter().map(|words| queries.near(None, words, 0)));
    required.extend(parsed.required.iter().map(|word| queries.any_form(None, std::slice::from_ref(word))));
    for clauses in &parsed.any_of {
        let clauses = clauses.iter().map(|clause| queries.clause(clause)).collect::<Result<Vec<_>>>()?;
        required.push(Box::new(BooleanQuery::union(clauses)));
    }
    let preferred = parsed.preferred.iter().map(|words| queries.near(None, words, 0));
    let preferred_queries: Vec<Box<dyn Query>> =
        preferred.map(|phrase| Box::new(BoostQuery::new(phrase, PHRASE_BOOST)) as Box<dyn Query>).collect();
    let mut excluded: Vec<Box<dyn Query>> = Vec::new();
    excluded.extend(parsed.excluded.iter().map(|words| queries.any_form(None, words)));
    for clause in &parsed.excluded_in_part {
        excluded.push(queries.clause(clause)?);
    }
    let weights = |queries: &[Box<dyn Query>]| {
        catch_damage(|| queries.iter().map(|query| query.weight(scoring)).collect::<tantivy::Result<Vec<_>>>())
    };
    Ok(Operators {
        required: weights(&required)?,
        preferred: weights(&preferred_queries)?,
        preferred_queries,
        excluded: weights(&excluded)?,
    })
}

/// Makes queries for the operators of a query.
struct Queries<'a> {
    segments: &'a [Arc<Segment>],
    fields: &'a Fields,
    searched: &'a SearchedParts,
    languages: &'a QueryLanguages,
    within: Option<&'a [Vec<DocId>]>,
    left_out: &'a mut QueryTruncation,
}

impl Queries<'_> {
    /// What `query` finds in one part, or in any of those that are searched. A phrase stands in one of them; of several,
    /// that in which it scores most counts.
    fn in_part(&self, part: Option<Part>, query: &dyn Fn(Part) -> Box<dyn Query>) -> Box<dyn Query> {
        let parts: Vec<Part> =
            self.searched.parts.iter().copied().filter(|searched| part.is_none_or(|part| part == *searched)).collect();
        let weighted = |part: &Part| -> Box<dyn Query> {
            let weight = self.searched.weight(*part);
            if weight == 1.0 { query(*part) } else { Box::new(BoostQuery::new(query(*part), weight)) }
        };
        match parts.as_slice() {
            [] => Box::new(EmptyQuery),
            [only] => weighted(only),
            parts => Box::new(DisjunctionMaxQuery::new(parts.iter().map(weighted).collect())),
        }
    }

    /// Words in a row, or at most that far from it.
    fn near(&self, part: Option<Part>, words: &[String], slop: u32) -> Box<dyn Query> {
        self.in_part(part, &|part| {
            let field = self.fields.of(part, TextField::Word);
            let terms: Vec<Term> = words.iter().map(|word| Term::from_field_text(field, word)).collect();
            match terms.as_slice() {
                [] => Box::new(EmptyQuery),
                [term] => Box::new(TermQuery::new(term.clone(), IndexRecordOption::WithFreqs)),
                _ => Box::new(PhraseQuery::new_with_offset_and_slop(terms.into_iter().enumerate().collect(), slop)),
            }
        })
    }

    /// A word in all documents that it would match in a query, inflected forms included; several words as a phrase.
    fn any_form(&self, part: Option<Part>, words: &[String]) -> Box<dyn Query> {
        let [word] = words else { return self.near(part, words, 0) };
        let group = super::query_plan::group_of_text(word, self.languages);
        let terms = group.alternatives.iter().map(|(text_field, text)| {
            self.in_part(part, &|part| {
                let term = Term::from_field_text(self.fields.of(part, *text_field), text);
                Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs))
            })
        });
        Box::new(BooleanQuery::union(terms.chain([self.near(part, words, 0)]).collect()))
    }

    fn clause(&mut self, Clause { form, words, part }: &Clause) -> Result<Box<dyn Query>> {
        match form {
            ClauseForm::Phrase(slop) => Ok(self.near(*part, words, *slop)),
            ClauseForm::Words => {
                let words = words.iter().map(|word| self.any_form(*part, std::slice::from_ref(word)));
                Ok(Box::new(BooleanQuery::intersection(words.collect())))
            }
            ClauseForm::Prefix => self.prefix(*part, words.first().map_or("", String::as_str)),
        }
    }

    /// Words that begin with a prefix. They tell nothing by how rare they are, so that all count the same.
    fn prefix(&mut self, part: Option<Part>, prefix: &str) -> Result<Box<dyn Query>> {
        let parts: Vec<Part> = part.into_iter().filter(|part| self.searched.parts.contains(part)).collect();
        let (group, left_out) = expand_prefix(prefix, self.segments, (self.fields, &parts), self.within)?;
        self.left_out.prefix_words = self.left_out.prefix_words.saturating_add(left_out);
        let words = group.map(|group| group.alternatives).unwrap_or_default();
        let words = words.iter().map(|(_, word)| self.near(part, std::slice::from_ref(word), 0));
        Ok(Box::new(ConstScoreQuery::new(Box::new(BooleanQuery::union(words.collect())), 1.0)))
    }
}
