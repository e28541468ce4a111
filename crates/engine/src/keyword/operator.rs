//! The operators of a query: prefixes, required phrases, exclusions.

use super::field_weight::SearchedParts;
use super::query_parser::{Clause, ParsedQuery};
use super::query_plan::{FieldTerm, QueryLanguages, TermGroup, TextField};
use super::schema::{Fields, Part};
use super::segment::{Segment, catch_damage};
use super::statistics::{CollectionStatistics, count};
use socle_core::Result;
use socle_core::protocol::MAX_PREFIX_WORDS;
use std::collections::BTreeMap;
use std::sync::Arc;
use tantivy::query::{
    BooleanQuery, BoostQuery, DisjunctionMaxQuery, EmptyQuery, EnableScoring, PhraseQuery, Query, TermQuery, Weight,
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

/// What `query` finds in any of the parts that are searched. A phrase stands in one of them; of several, that in which it
/// scores most counts.
fn in_any_part(searched: &SearchedParts, query: &dyn Fn(Part) -> Box<dyn Query>) -> Box<dyn Query> {
    match searched.parts.as_slice() {
        [] => return Box::new(EmptyQuery),
        [only] => return query(*only),
        _ => {}
    }
    let weighted = |part: &Part| -> Box<dyn Query> { Box::new(BoostQuery::new(query(*part), searched.weight(*part))) };
    Box::new(DisjunctionMaxQuery::new(searched.parts.iter().map(weighted).collect()))
}

/// The operators of a query, with weights by these statistics.
///
/// # Errors
/// `DamagedIndex`.
pub fn operators(
    segments: &[Arc<Segment>],
    (fields, searched): (&Fields, &SearchedParts),
    parsed: &ParsedQuery,
    languages: &QueryLanguages,
    statistics: &CollectionStatistics,
) -> Result<Operators> {
    let Some(first) = segments.first() else { return Ok(Operators::default()) };
    let scoring = EnableScoring::enabled_from_statistics_provider(statistics, first.searcher());
    let near = |words: &[String], slop: u32| {
        in_any_part(searched, &|part| {
            let field = fields.of(part, TextField::Word);
            let terms: Vec<Term> = words.iter().map(|word| Term::from_field_text(field, word)).collect();
            match terms.as_slice() {
                [] => Box::new(EmptyQuery),
                [term] => Box::new(TermQuery::new(term.clone(), IndexRecordOption::WithFreqs)),
                _ => Box::new(PhraseQuery::new_with_offset_and_slop(terms.into_iter().enumerate().collect(), slop)),
            }
        })
    };
    let phrase = |words: &[String]| near(words, 0);
    let any_form = |words: &[String]| -> Box<dyn Query> {
        let [word] = words else { return phrase(words) };
        // All documents that the word would match in a query, inflected forms included.
        let group = super::query_plan::group_of_text(word, languages);
        let terms = group.alternatives.iter().map(|(text_field, text)| {
            in_any_part(searched, &|part| {
                let term = Term::from_field_text(fields.of(part, *text_field), text);
                Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs))
            })
        });
        Box::new(BooleanQuery::union(terms.chain([phrase(words)]).collect()))
    };
    let clause = |clause: &Clause| -> Box<dyn Query> {
        match clause {
            Clause::Phrase(words, slop) => near(words, *slop),
            Clause::Words(words) => {
                let words = words.iter().map(|word| any_form(std::slice::from_ref(word)));
                Box::new(BooleanQuery::intersection(words.collect()))
            }
        }
    };
    let any_of = |clauses: &Vec<Clause>| -> Box<dyn Query> {
        Box::new(BooleanQuery::union(clauses.iter().map(clause).collect()))
    };
    let weights = |queries: &mut dyn Iterator<Item = Box<dyn Query>>| {
        queries.map(|query| query.weight(scoring)).collect::<tantivy::Result<Vec<_>>>()
    };
    catch_damage(|| {
        let required = parsed.phrases.iter().map(|words| phrase(words));
        let words = parsed.required.iter().map(|word| any_form(std::slice::from_ref(word)));
        let preferred = parsed.preferred.iter().map(|words| phrase(words));
        let preferred_queries: Vec<Box<dyn Query>> =
            preferred.map(|phrase| Box::new(BoostQuery::new(phrase, PHRASE_BOOST)) as Box<dyn Query>).collect();
        Ok(Operators {
            required: weights(&mut required.chain(words).chain(parsed.any_of.iter().map(any_of)))?,
            preferred: weights(&mut preferred_queries.iter().map(|query| query.box_clone()))?,
            preferred_queries,
            excluded: weights(&mut parsed.excluded.iter().map(|words| any_form(words)))?,
        })
    })
}
