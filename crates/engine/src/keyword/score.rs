//! The score of a document, which is the same however the document was found.
//!
//! It is the sum over the words of the query, in their order, of the best score among each word's alternatives (BM25F, see
//! [`super::field_weight`]).
//! Documents have to be scored in ascending order.

use super::field_weight::{FieldFactors, LengthFactors, saturated, scale};
use super::query_plan::TermGroup;
use super::schema::Part;
use super::segment::Segment;
use super::statistics::{CollectionStatistics, TermPlaces, TermStatistics, TermTable};
use socle_core::protocol::MAX_COUNTED_WORDS;
use std::sync::Arc;
use tantivy::fieldnorm::FieldNormReader;
use tantivy::postings::{Postings, SegmentPostings, TermInfo};
use tantivy::query::{Bm25Weight, Scorer};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, Score};

/// A term and its weight.
#[derive(Clone)]
pub struct WeightedTerm {
    /// Its occurrences in contents, with the weight by which they count where it occurs nowhere else in a chunk.
    pub content: Option<(WeightedPlaces, Bm25Weight)>,
    /// Its occurrences in titles and headings.
    pub others: Vec<WeightedPlaces>,
    /// Limit of its score.
    scale: Score,
    /// Document frequency that the weights were made with.
    pub doc_freq: u64,
    /// Factor that the weights include.
    pub boost: Score,
}

/// Occurrences of a term in one part of chunks.
#[derive(Clone)]
pub struct WeightedPlaces {
    /// Where they are.
    pub places: TermPlaces,
    /// What each counts; `None` for contents where nothing else is searched.
    factors: Option<LengthFactors>,
}

impl WeightedPlaces {
    /// Its dictionary entry in a segment.
    pub fn info(&self, number: usize) -> Option<&TermInfo> {
        self.places.infos.get(number)?.as_ref()
    }

    /// What occurrences count in a field of this length.
    pub fn count(&self, length: u8, frequency: u32) -> Score {
        self.factors.as_ref().map_or(0.0, |factors| factors[usize::from(length)] * frequency as Score)
    }
}

impl WeightedTerm {
    fn new(
        known: &TermStatistics,
        statistics: &CollectionStatistics,
        factors: &FieldFactors,
        doc_freq: u64,
        boost: f32,
    ) -> Self {
        let (mut content, mut others) = (None, Vec::new());
        for places in &known.places {
            let field = places.term.field();
            let weighted = WeightedPlaces { places: places.clone(), factors: factors.of(field) };
            if places.part == Part::Content {
                let mean = statistics.mean_length(Part::Content, field);
                let weight =
                    Bm25Weight::for_one_term_without_explain(doc_freq, statistics.chunks, mean).boost_by(boost);
                content = Some((weighted, weight));
            } else {
                others.push(weighted);
            }
        }
        Self { content, others, scale: scale(doc_freq, statistics.chunks) * boost, doc_freq, boost }
    }

    /// The places of all parts.
    pub fn all_places(&self) -> impl Iterator<Item = &WeightedPlaces> {
        self.content.iter().map(|(places, _)| places).chain(&self.others)
    }

    /// The score for what the occurrences in several parts count together.
    pub fn score(&self, occurrences: Score) -> Score {
        saturated(self.scale, occurrences)
    }
}

/// A [`TermGroup`] with weights.
#[derive(Clone)]
pub struct WeightedGroup {
    /// Terms of which the best score counts.
    pub alternatives: Vec<WeightedTerm>,
    /// A term whose score is added.
    pub exact: Option<WeightedTerm>,
    /// Terms that a document must all have, whose scores are added.
    pub all_of: Vec<WeightedTerm>,
}

impl WeightedGroup {
    /// All terms.
    pub fn terms(&self) -> impl Iterator<Item = &WeightedTerm> {
        self.alternatives.iter().chain(&self.exact).chain(&self.all_of)
    }
}

/// A [`TermGroup`] with the numbers of its terms.
#[derive(Debug)]
pub struct NumberedGroup<'a> {
    /// The group.
    pub group: &'a TermGroup,
    /// Numbers of its alternatives.
    pub alternatives: Vec<usize>,
    /// Numbers of the terms that a document must all have.
    pub all_of: Vec<usize>,
    /// Numbers of its variants.
    pub variants: Vec<usize>,
    /// Number of the word as it stands.
    pub literal: Option<usize>,
    /// Number of the exact form.
    pub exact: Option<usize>,
}

/// The weights of a group. Terms that occur nowhere are left out.
pub fn weigh(
    numbered: &NumberedGroup<'_>,
    terms: &TermTable<'_>,
    statistics: &CollectionStatistics,
    factors: &FieldFactors,
) -> WeightedGroup {
    let group = numbered.group;
    let doc_freq = |number: &usize| terms.all.get(*number).map(|term| term.doc_freq);
    let doc_freqs = || numbered.alternatives.iter().filter_map(doc_freq);
    let most = doc_freqs().max().unwrap_or_default();
    let shared = if group.is_prefix { group.prefix_doc_freq.unwrap_or_else(|| doc_freqs().sum()) } else { 0 };
    let weigh = |number: usize, boost: f32, shared: u64| {
        let known = terms.all.get(number).filter(|known| known.doc_freq > 0)?;
        let doc_freq = if group.is_prefix { shared } else { shared.max(known.doc_freq) }.min(statistics.chunks);
        Some(WeightedTerm::new(known, statistics, factors, doc_freq, boost))
    };
    let literal = numbered.literal.filter(|number| doc_freq(number).is_some_and(|count| count > most));
    let alternatives = numbered.alternatives.iter().copied().chain(literal);
    let alternatives = alternatives.filter_map(|number| weigh(number, group.boost, shared));
    let variants = numbered.variants.iter().filter_map(|number| weigh(*number, group.boost, most));
    let exact = numbered.exact.zip(group.exact.as_ref());
    let all_of: Vec<WeightedTerm> =
        numbered.all_of.iter().filter_map(|number| weigh(*number, group.boost, shared)).collect();
    WeightedGroup {
        all_of: if all_of.len() == numbered.all_of.len() { all_of } else { Vec::new() },
        alternatives: alternatives.chain(variants).collect(),
        exact: exact.and_then(|(number, (_, weight))| weigh(number, group.boost * weight, shared)),
    }
}

/// Keeps the [`MAX_COUNTED_WORDS`] rarest words of a long query. Returns the number of those left out.
pub fn keep_rarest(groups: &mut Vec<WeightedGroup>) -> u32 {
    let rarity = |group: &WeightedGroup| group.terms().map(|term| term.doc_freq).min().unwrap_or_default();
    let left_out = groups.len().saturating_sub(MAX_COUNTED_WORDS);
    if left_out == 0 {
        return 0;
    }
    let mut order: Vec<(u64, usize)> = groups.iter().map(rarity).zip(0..).collect();
    order.sort_unstable();
    order.truncate(MAX_COUNTED_WORDS);
    let mut at = 0..;
    groups.retain(|_| at.next().is_some_and(|at| order.iter().any(|(_, kept)| *kept == at)));
    u32::try_from(left_out).unwrap_or(u32::MAX)
}

/// A posting list in one segment.
struct ListCursor<'a> {
    postings: SegmentPostings,
    lengths: &'a FieldNormReader,
    places: &'a WeightedPlaces,
}

impl<'a> ListCursor<'a> {
    fn open(segment: &'a Segment, number: usize, places: &'a WeightedPlaces) -> tantivy::Result<Option<Self>> {
        let Some(info) = places.info(number) else { return Ok(None) };
        let field = places.places.term.field();
        let postings = segment.inverted(field).read_postings_from_terminfo(info, IndexRecordOption::WithFreqs)?;
        Ok(Some(Self { postings, lengths: segment.lengths(field), places }))
    }

    /// Length of the field and number of occurrences in a document that has the term.
    fn find(&mut self, doc: DocId) -> Option<(u8, u32)> {
        let mut at = self.postings.doc();
        if at < doc {
            at = self.postings.seek(doc);
        }
        (at == doc).then(|| (self.lengths.fieldnorm_id(doc), self.postings.term_freq()))
    }
}

/// The posting lists of a term in one segment.
struct Cursor<'a> {
    term: &'a WeightedTerm,
    content: Option<(ListCursor<'a>, &'a Bm25Weight)>,
    others: Vec<ListCursor<'a>>,
}

impl<'a> Cursor<'a> {
    fn open(segment: &'a Segment, number: usize, term: &'a WeightedTerm) -> tantivy::Result<Option<Self>> {
        let mut content = None;
        if let Some((places, weight)) = &term.content {
            content = ListCursor::open(segment, number, places)?.map(|list| (list, weight));
        }
        let mut others = Vec::new();
        for places in &term.others {
            others.extend(ListCursor::open(segment, number, places)?);
        }
        Ok((content.is_some() || !others.is_empty()).then_some(Self { term, content, others }))
    }

    fn score(&mut self, doc: DocId) -> Option<Score> {
        let mut occurrences = 0.0;
        for list in &mut self.others {
            if let Some((length, frequency)) = list.find(doc) {
                occurrences += list.places.count(length, frequency);
            }
        }
        let content = self.content.as_mut().and_then(|(list, weight)| Some((list.find(doc)?, list.places, weight)));
        match content {
            Some(((length, frequency), _, weight)) if occurrences == 0.0 => Some(weight.score(length, frequency)),
            Some(((length, frequency), places, _)) => {
                Some(self.term.score(occurrences + places.count(length, frequency)))
            }
            None => (occurrences > 0.0).then(|| self.term.score(occurrences)),
        }
    }
}

struct GroupCursor<'a> {
    alternatives: Vec<Cursor<'a>>,
    exact: Option<Cursor<'a>>,
    /// Empty where the segment lacks one of the terms.
    all_of: Vec<Cursor<'a>>,
}

/// Scores documents of one segment.
pub struct DocumentScorer<'a> {
    groups: Vec<GroupCursor<'a>>,
    /// Required phrases and words.
    required: Vec<Box<dyn Scorer>>,
    /// Phrases that raise the score.
    preferred: Vec<Box<dyn Scorer>>,
    /// Excluded words and phrases.
    excluded: Vec<Box<dyn Scorer>>,
}

impl<'a> DocumentScorer<'a> {
    /// A scorer for `segment`, whose number is its index in [`TermPlaces::infos`].
    ///
    /// # Errors
    /// What reading the posting lists fails with.
    pub fn new(
        segment: &'a Arc<Segment>,
        number: usize,
        groups: &'a [WeightedGroup],
        [required, preferred, excluded]: [Vec<Box<dyn Scorer>>; 3],
    ) -> tantivy::Result<Self> {
        let cursor = |term| Cursor::open(segment, number, term);
        let mut cursors = Vec::with_capacity(groups.len());
        for group in groups {
            let mut alternatives = Vec::with_capacity(group.alternatives.len());
            for term in &group.alternatives {
                alternatives.extend(cursor(term)?);
            }
            let exact = group.exact.as_ref().map(cursor).transpose()?.flatten();
            let all_of = group.all_of.iter().map(cursor).collect::<tantivy::Result<Option<Vec<_>>>>()?;
            cursors.push(GroupCursor { alternatives, exact, all_of: all_of.unwrap_or_default() });
        }
        Ok(Self { groups: cursors, required, preferred, excluded })
    }

    /// The score of a document; `None` when it does not match.
    pub fn score(&mut self, doc: DocId) -> Option<Score> {
        let mut sum = 0.0;
        let mut matched = false;
        for phrase in &mut self.required {
            if !matches_at(phrase, doc) {
                return None;
            }
            sum += phrase.score();
            matched = true;
        }
        for phrase in &mut self.preferred {
            if matches_at(phrase, doc) {
                sum += phrase.score();
                matched = true;
            }
        }
        for group in &mut self.groups {
            let best = group.alternatives.iter_mut().filter_map(|cursor| cursor.score(doc)).reduce(Score::max);
            let exact = group.exact.as_mut().and_then(|cursor| cursor.score(doc));
            let all = group.all_of.iter_mut().try_fold(0.0, |sum, cursor| Some(sum + cursor.score(doc)?));
            let all = all.filter(|_| !group.all_of.is_empty());
            matched |= best.is_some() || exact.is_some() || all.is_some();
            sum += best.unwrap_or(0.0) + exact.unwrap_or(0.0) + all.unwrap_or(0.0);
        }
        (matched && !self.excluded.iter_mut().any(|phrase| matches_at(phrase, doc))).then_some(sum)
    }

    /// Whether a document has every required phrase, and nothing that is excluded.
    pub fn permits(&mut self, doc: DocId) -> bool {
        self.required.iter_mut().all(|phrase| matches_at(phrase, doc))
            && !self.excluded.iter_mut().any(|phrase| matches_at(phrase, doc))
    }

    /// The first document at or after `from` that has the first required phrase; `None` when there is no such phrase.
    pub fn next_required(&mut self, from: DocId) -> Option<DocId> {
        let phrase = self.required.first_mut()?;
        let doc = phrase.doc();
        Some(if doc < from { phrase.seek(from) } else { doc })
    }
}

/// Whether a scorer, which is advanced to `doc`, matches it.
fn matches_at(scorer: &mut Box<dyn Scorer>, doc: DocId) -> bool {
    let at = scorer.doc();
    (if at < doc { scorer.seek(doc) } else { at }) == doc
}
