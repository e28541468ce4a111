//! Compiles a query for a set of segments: its terms, their weights, and its operators.

use super::field_weight::{FieldFactors, SearchedParts, TO_THE_LIMIT};
use super::language::Language;
use super::operator::{Operators, expand_prefix, operators};
use super::query_parser::{QueryWord, parse};
use super::query_plan::{
    Correction, FIRST_PART_BOOST, FieldTerm, MAX_CORRECTIONS, MAX_REFINED_WORDS, QueryLanguages, TermGroup,
    add_compounds, corrected, first_parts, groups, operator_terms, telling,
};
use super::schema::{Fields, Part};
use super::score::{NumberedGroup, WeightedGroup, WeightedPlaces, WeightedTerm, keep_rarest, weigh};
use super::search::{SearchRequest, cancelled};
use super::segment::{Segment, catch_damage};
use super::statistics::{CollectionStatistics, TermTable};
use super::vocabulary::Vocabulary;
use super::word_rule;
use super::words::WordForm;
use socle_core::Result;
use socle_core::protocol::QueryTruncation;
use std::sync::Arc;
use tantivy::query::{Bm25StatisticsProvider, BooleanQuery, BoostQuery, EnableScoring, Query, TermQuery, Weight};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, Term};

/// A query with the weights of its terms in a set of segments.
pub struct CompiledQuery<'a> {
    /// The segments.
    pub segments: &'a [Arc<Segment>],
    /// Its words.
    pub groups: Vec<WeightedGroup>,
    /// Phrases and words that a document must have.
    pub required: Vec<Box<dyn Weight>>,
    /// Phrases that raise the score of a document.
    pub preferred: Vec<Box<dyn Weight>>,
    /// Words and phrases that a document must not have.
    pub excluded: Vec<Box<dyn Weight>>,
    /// Number of words and operators that were left out because the query exceeds a limit.
    pub left_out: QueryTruncation,
    /// Words that the index does not have, and what is searched for instead.
    pub corrections: Vec<Correction>,
    /// Terms that have synonyms, and these.
    pub synonyms: Vec<(String, Vec<String>)>,
    /// Tells whether nobody waits for the result any more.
    pub is_cancelled: &'a dyn Fn() -> bool,
    statistics: CollectionStatistics,
    preferred_queries: Vec<Box<dyn Query>>,
}

/// Documents of each segment; `None` for all.
type Documents<'a> = Option<&'a [Vec<DocId>]>;

impl<'a> CompiledQuery<'a> {
    /// Compiles the query of a request. `within` are the documents that may be hits, `visible` those that statistics are
    /// taken of.
    ///
    /// # Errors
    /// `DamagedIndex`.
    pub fn new(
        segments: &'a [Arc<Segment>],
        fields: &Fields,
        request: &SearchRequest,
        language: Option<Language>,
        (within, visible): (Documents<'_>, Documents<'_>),
        is_cancelled: &'a dyn Fn() -> bool,
    ) -> Result<Self> {
        let mut parsed = parse(&request.query, request.syntax);
        let searched = SearchedParts::new(request.weights, segments);
        let vocabulary = Vocabulary::new(segments, fields, &searched.parts, within);
        parsed.settle_exclusions(&|option| Ok(request.use_vocabulary && vocabulary.word_frequency(option)? > 0))?;
        let languages = QueryLanguages::of_documents(language, segments, visible)?;
        let mut left_out = parsed.left_out;
        parsed.apply(&request.rules, &languages.common);
        let mut telling = telling(&parsed, &languages);
        let mut plan = groups(&parsed, &telling, &languages);
        word_rule::apply(&mut plan, &parsed, &languages);
        telling.retain(|word| !parsed.is_ruled(&word.text));
        let prefixed = |prefix: &str, boost: f32| -> Result<(Option<TermGroup>, u32)> {
            let (group, beyond) = expand_prefix(prefix, segments, (fields, &searched.parts), within)?;
            // With visible statistics, its frequency is that among the visible chunks, like that of every other word.
            let group = group.map(|group| TermGroup {
                boost,
                prefix_doc_freq: group.prefix_doc_freq.filter(|_| visible.is_none()),
                ..group
            });
            Ok((group, beyond))
        };
        for prefix in &parsed.prefixes {
            let (group, beyond) = prefixed(prefix, 1.0)?;
            left_out.prefix_words = left_out.prefix_words.saturating_add(beyond);
            plan.extend(group);
        }
        let mut terms = TermTable::new(&searched.parts);
        let mut corrections = Vec::new();
        if request.use_vocabulary && telling.len() <= MAX_REFINED_WORDS {
            add_compounds(&mut plan, &telling, &languages, &vocabulary)?;
            corrections = correct(&mut plan, &telling, &languages, &vocabulary, &mut terms)?;
            for word in first_parts(&telling, &languages) {
                plan.extend(prefixed(word, FIRST_PART_BOOST)?.0);
            }
        }
        let mut number = |term: &FieldTerm| terms.number(term, segments, fields);
        let numbered = plan.iter().map(|group| numbered(group, &mut number)).collect::<Result<Vec<_>>>()?;
        operator_terms(&parsed, &languages).iter().try_for_each(|term| number(term).map(drop))?;
        let statistics = match visible {
            Some(documents) => CollectionStatistics::of_documents(segments, documents, &mut terms, fields)?,
            None => CollectionStatistics::of_segments(segments, &terms, fields),
        };
        let factors = FieldFactors::new(&searched, &statistics, fields);
        let weighted = numbered.iter().map(|group| weigh(group, &terms, &statistics, &factors));
        let mut weighted: Vec<WeightedGroup> = weighted.filter(|group| group.terms().next().is_some()).collect();
        left_out.common_words = keep_rarest(&mut weighted);
        let Operators { required, preferred, preferred_queries, excluded } =
            operators(segments, (fields, &searched), (&parsed, &languages), (&statistics, within), &mut left_out)?;
        Ok(Self {
            segments,
            groups: weighted,
            required,
            preferred,
            excluded,
            left_out,
            corrections,
            synonyms: parsed.synonym_texts(),
            is_cancelled,
            statistics,
            preferred_queries,
        })
    }

    /// A query whose score of a document is never below that of [`super::score::DocumentScorer`].
    ///
    /// # Errors
    /// `DamagedIndex`.
    pub fn upper_bound(&self) -> Result<Box<dyn Weight>> {
        let Some(first) = self.segments.first() else { return Err(cancelled()) };
        let list = |term: &Term, boost: f32| {
            let query: Box<dyn Query> = Box::new(TermQuery::new(term.clone(), IndexRecordOption::WithFreqs));
            if boost == 1.0 { query } else { Box::new(BoostQuery::new(query, boost)) }
        };
        let terms = self.groups.iter().flat_map(WeightedGroup::terms).flat_map(|term| {
            term.all_places().map(move |WeightedPlaces { places, .. }| match places.part {
                Part::Content => list(&places.term, term.boost),
                _ => list(&places.term, term.boost * TO_THE_LIMIT),
            })
        });
        let phrases = self.preferred_queries.iter().map(|query| query.box_clone());
        let query = BooleanQuery::union(terms.chain(phrases).collect());
        let statistics = UpperBoundStatistics { statistics: &self.statistics, groups: &self.groups };
        catch_damage(|| query.weight(EnableScoring::enabled_from_statistics_provider(&statistics, first.searcher())))
    }
}

/// A group with the numbers of its terms.
fn numbered<'a>(
    group: &'a TermGroup,
    number: &mut dyn FnMut(&FieldTerm) -> Result<usize>,
) -> Result<NumberedGroup<'a>> {
    let mut all = |terms: &[FieldTerm]| terms.iter().map(&mut *number).collect::<Result<Vec<usize>>>();
    let (alternatives, all_of, variants) = (all(&group.alternatives)?, all(&group.all_of)?, all(&group.variants)?);
    let literal = group.literal.as_ref().map(&mut *number).transpose()?;
    let exact = group.exact.as_ref().map(|(term, _)| number(term)).transpose()?;
    Ok(NumberedGroup { group, alternatives, all_of, variants, literal, exact })
}

/// Adds groups of similar words for the words that the index does not have, and returns both.
fn correct(
    plan: &mut Vec<TermGroup>,
    telling: &[&QueryWord],
    languages: &QueryLanguages,
    vocabulary: &Vocabulary<'_>,
    terms: &mut TermTable<'_>,
) -> Result<Vec<Correction>> {
    let mut is_known = |group: &TermGroup| -> Result<bool> {
        for term in group.alternatives.iter().chain(&group.variants).chain(&group.literal) {
            if vocabulary.has(term, terms)? {
                return Ok(true);
            }
        }
        Ok(false)
    };
    let mut unknown = Vec::new();
    for word in telling.iter().filter(|word| word.form == WordForm::Piece) {
        let Some(group) = plan.iter().find(|group| group.word == word.text) else { continue };
        if unknown.len() < MAX_CORRECTIONS && !is_known(group)? {
            unknown.push(group.clone());
        }
    }
    let mut corrections = Vec::new();
    for group in unknown {
        if let Some((group, correction)) = corrected(&group, languages, vocabulary)? {
            plan.push(group);
            corrections.push(correction);
        }
    }
    Ok(corrections)
}

/// Number of terms of titles and headings by which their scores are bounded.
const UNLIMITED_TERMS: u64 = 1 << 60;

/// Statistics by which every term scores at least what it scores in any of its groups.
struct UpperBoundStatistics<'a> {
    statistics: &'a CollectionStatistics,
    groups: &'a [WeightedGroup],
}

impl Bm25StatisticsProvider for UpperBoundStatistics<'_> {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        // Any title is short beside such a mean, so that its length does not lower the bound.
        if Fields::is_content(field) { self.statistics.total_num_tokens(field) } else { Ok(UNLIMITED_TERMS) }
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        self.statistics.total_num_docs()
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        let has = |known: &&WeightedTerm| known.all_places().any(|WeightedPlaces { places, .. }| places.term == *term);
        let doc_freqs = self.groups.iter().flat_map(WeightedGroup::terms).filter(has);
        Ok(doc_freqs.map(|known| known.doc_freq).min().unwrap_or_default())
    }
}
