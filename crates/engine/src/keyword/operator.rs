//! The operators of a query: prefixes, required phrases, exclusions.

use super::language::Language;
use super::query_parser::ParsedQuery;
use super::query_plan::{FieldTerm, TermGroup, TextField};
use super::schema::Fields;
use super::segment::{Segment, catch_damage};
use super::statistics::{CollectionStatistics, count, field};
use socle_core::Result;
use socle_core::protocol::MAX_PREFIX_WORDS;
use std::collections::BTreeMap;
use std::sync::Arc;
use tantivy::query::{BooleanQuery, EmptyQuery, EnableScoring, PhraseQuery, Query, TermQuery, Weight};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, Term};

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
    fields: &Fields,
    within: Option<&[Vec<DocId>]>,
) -> Result<(Option<TermGroup>, u32)> {
    // For each word, its document frequency among the documents of `within`, and among all.
    let mut words: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (number, segment) in segments.iter().enumerate() {
        let documents = within.map(|within| within[number].as_slice());
        catch_damage(|| {
            let mut stream = segment.inverted(fields.word).terms().range().ge(prefix.as_bytes()).into_stream()?;
            let mut looked = 0;
            while looked < MAX_EXPANSIONS && stream.advance() && stream.key().starts_with(prefix.as_bytes()) {
                let all = u64::from(stream.value().doc_freq);
                let here = match documents {
                    None => all,
                    Some([]) => 0,
                    Some(documents) => count(segment, fields.word, stream.value(), documents)?,
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
    let group = TermGroup { alternatives, exact: None, boost: 1.0, is_prefix: true, prefix_doc_freq };
    Ok(((!group.alternatives.is_empty()).then_some(group), left_out))
}

/// The weights of required phrases, and those of exclusions.
type Operators = (Vec<Box<dyn Weight>>, Vec<Box<dyn Weight>>);

/// The phrases and exclusions of a query, with weights by these statistics.
///
/// # Errors
/// `DamagedIndex`.
pub fn operators(
    segments: &[Arc<Segment>],
    fields: &Fields,
    parsed: &ParsedQuery,
    languages: &[Language],
    statistics: &CollectionStatistics,
) -> Result<Operators> {
    let Some(first) = segments.first() else { return Ok((Vec::new(), Vec::new())) };
    let scoring = EnableScoring::enabled_from_statistics_provider(statistics, first.searcher());
    let phrase = |words: &[String]| -> Box<dyn Query> {
        let terms: Vec<Term> = words.iter().map(|word| Term::from_field_text(fields.word, word)).collect();
        match terms.as_slice() {
            [] => Box::new(EmptyQuery),
            [term] => Box::new(TermQuery::new(term.clone(), IndexRecordOption::WithFreqs)),
            _ => Box::new(PhraseQuery::new(terms)),
        }
    };
    let excluded = |words: &Vec<String>| -> Box<dyn Query> {
        let [word] = words.as_slice() else { return phrase(words) };
        // All documents that the word would match in a query, inflected forms included.
        let group = super::query_plan::group_of_text(word, languages);
        let terms = group.alternatives.iter().map(|(text_field, text)| {
            let term = Term::from_field_text(field(fields, *text_field), text);
            Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs)) as Box<dyn Query>
        });
        Box::new(BooleanQuery::union(terms.chain([phrase(words)]).collect()))
    };
    catch_damage(|| {
        let required = parsed.phrases.iter().map(|words| phrase(words).weight(scoring));
        let required = required.collect::<tantivy::Result<Vec<_>>>()?;
        let excluded = parsed.excluded.iter().map(|words| excluded(words).weight(scoring));
        Ok((required, excluded.collect::<tantivy::Result<Vec<_>>>()?))
    })
}
