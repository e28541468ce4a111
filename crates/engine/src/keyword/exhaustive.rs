//! Exhaustive scoring of a segment: reads all posting lists of a query, term after term. Faster than block-max WAND where
//! the lists are short, as in the many small segments of an index that changes.
//!
//! The scores are those of [`super::score::DocumentScorer`], to the last bit.

use super::score::{WeightedGroup, WeightedPlaces, WeightedTerm};
use super::segment::Segment;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, TantivyError};

/// Longest posting list, in documents, that is read exhaustively if it is the only one. Beyond it, block-max WAND saves
/// more than it costs to prepare.
const MAX_SINGLE_LIST_LENGTH: u64 = 256;

/// Largest mean length of several posting lists, in documents, that are read exhaustively.
const MAX_MEAN_LIST_LENGTH: u64 = 1_000;

/// Memory for the scores of the documents of a segment, which is reused for the next one. No score is set between two.
#[derive(Debug, Default)]
pub struct ExhaustiveScorer {
    /// Scores by document.
    scores: Vec<Scores>,
    /// Documents that have a score.
    touched: Vec<DocId>,
    /// Documents that have a score in the current group.
    grouped: Vec<DocId>,
    occurrences: Occurrences,
}

/// What the occurrences of a term in several parts of chunks count together, by document.
#[derive(Debug, Default)]
struct Occurrences {
    sums: Vec<f32>,
    /// Documents that have a sum.
    touched: Vec<DocId>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Scores {
    total: f32,
    group: f32,
}

/// Takes a hit and returns the least score that a further one has to have.
pub type HitSink<'a> = &'a mut dyn FnMut(DocId, f32) -> f32;

/// Whether posting lists are short enough to be read exhaustively: `documents` is the sum of their lengths.
pub fn is_short(lists: u64, documents: u64) -> bool {
    documents <= if lists == 1 { MAX_SINGLE_LIST_LENGTH } else { MAX_MEAN_LIST_LENGTH * lists }
}

impl ExhaustiveScorer {
    /// Calls `take` with the documents that match and whose scores are at least `least`, in no particular order.
    ///
    /// # Errors
    /// What reading the posting lists fails with.
    pub fn run(
        &mut self,
        (segment, number): (&Segment, usize),
        groups: &[WeightedGroup],
        mut least: f32,
        take: HitSink<'_>,
    ) -> tantivy::Result<()> {
        let has_term = |term: &&WeightedTerm| term.all_places().any(|places| places.info(number).is_some());
        let mut terms = groups.iter().flat_map(WeightedGroup::terms).filter(has_term);
        if let (Some(only), None) = (terms.next(), terms.next())
            && groups.iter().all(|group| group.all_of.is_empty())
        {
            return self.occurrences.for_each_score((segment, number), only, &mut |doc, score| {
                if score >= least {
                    least = take(doc, score);
                }
                Ok(())
            });
        }
        let count = segment.chunk_count() as usize;
        if self.scores.len() < count {
            self.scores.resize(count, Scores::default());
        }
        for group in groups {
            for term in &group.alternatives {
                self.add((segment, number), term, f32::max)?;
            }
            if let Some(exact) = &group.exact {
                self.add((segment, number), exact, |best, exact| best + exact)?;
            }
            self.add_all((segment, number), &group.all_of)?;
            for doc in self.grouped.drain(..) {
                let Some(scores) = self.scores.get_mut(doc as usize) else { continue };
                if scores.group == 0.0 {
                    continue;
                }
                if scores.total == 0.0 {
                    self.touched.push(doc);
                }
                scores.total += std::mem::take(&mut scores.group);
            }
        }
        for doc in self.touched.drain(..) {
            let Some(scores) = self.scores.get_mut(doc as usize) else { continue };
            let score = std::mem::take(&mut scores.total);
            if score >= least {
                least = take(doc, score);
            }
        }
        Ok(())
    }

    /// Adds the scores of terms of which a document must have all; no alternative is in the same group.
    fn add_all(&mut self, segment: (&Segment, usize), terms: &[WeightedTerm]) -> tantivy::Result<()> {
        let mut sums: Vec<(DocId, f32)> = Vec::new();
        for (at, term) in terms.iter().enumerate() {
            let mut scores: Vec<(DocId, f32)> = Vec::new();
            self.occurrences.for_each_score(segment, term, &mut |doc, score| {
                scores.push((doc, score));
                Ok(())
            })?;
            scores.sort_unstable_by_key(|(doc, _)| *doc);
            if at == 0 {
                sums = scores;
                continue;
            }
            let of = |doc: DocId| scores.binary_search_by_key(&doc, |(doc, _)| *doc).ok().map(|at| scores[at].1);
            sums = sums.iter().filter_map(|(doc, sum)| Some((*doc, sum + of(*doc)?))).collect();
        }
        for (doc, sum) in sums {
            if let Some(scores) = self.scores.get_mut(doc as usize) {
                if scores.group == 0.0 {
                    self.grouped.push(doc);
                }
                scores.group += sum;
            }
        }
        Ok(())
    }

    /// Adds the scores of a term to the current group. Scores are greater than 0, so that 0 means none.
    fn add(
        &mut self,
        segment: (&Segment, usize),
        term: &WeightedTerm,
        add: impl Fn(f32, f32) -> f32,
    ) -> tantivy::Result<()> {
        let Self { scores, grouped, occurrences, .. } = self;
        occurrences.for_each_score(segment, term, &mut |doc, score| {
            let Some(scores) = scores.get_mut(doc as usize) else { return Err(beyond_the_last()) };
            if scores.group == 0.0 {
                grouped.push(doc);
            }
            scores.group = add(scores.group, score);
            Ok(())
        })
    }
}

fn beyond_the_last() -> TantivyError {
    TantivyError::InternalError("a posting list has a document beyond the last one".into())
}

impl Occurrences {
    /// Calls `take` with each document of a term and the score of the term in it, in no particular order.
    fn for_each_score(
        &mut self,
        (segment, number): (&Segment, usize),
        term: &WeightedTerm,
        take: &mut impl FnMut(DocId, f32) -> tantivy::Result<()>,
    ) -> tantivy::Result<()> {
        let count = segment.chunk_count() as usize;
        for places in term.others.iter().filter(|places| places.info(number).is_some()) {
            if self.sums.len() < count {
                self.sums.resize(count, 0.0);
            }
            for_each_posting((segment, number), places, &mut |doc, length, frequency| {
                let Some(sum) = self.sums.get_mut(doc as usize) else { return Err(beyond_the_last()) };
                if *sum == 0.0 {
                    self.touched.push(doc);
                }
                *sum += places.count(length, frequency);
                Ok(())
            })?;
        }
        if let Some((places, weight)) = &term.content {
            let has_others = !self.touched.is_empty();
            for_each_posting((segment, number), places, &mut |doc, length, frequency| match self
                .sums
                .get_mut(doc as usize)
                .filter(|sum| has_others && **sum > 0.0)
            {
                Some(sum) => {
                    *sum += places.count(length, frequency);
                    Ok(())
                }
                None => take(doc, weight.score(length, frequency)),
            })?;
        }
        for doc in self.touched.drain(..) {
            let Some(sum) = self.sums.get_mut(doc as usize).map(std::mem::take) else { continue };
            if sum > 0.0 {
                take(doc, term.score(sum))?;
            }
        }
        Ok(())
    }
}

/// Calls `take` with each document of a term, the length of the field and the number of occurrences.
fn for_each_posting(
    (segment, number): (&Segment, usize),
    places: &WeightedPlaces,
    take: &mut impl FnMut(DocId, u8, u32) -> tantivy::Result<()>,
) -> tantivy::Result<()> {
    let Some(info) = places.info(number) else { return Ok(()) };
    let field = places.places.term.field();
    let (inverted, lengths) = (segment.inverted(field), segment.lengths(field));
    let mut postings = inverted.read_block_postings_from_terminfo(info, IndexRecordOption::WithFreqs)?;
    while !postings.docs().is_empty() {
        for (doc, frequency) in postings.docs().iter().zip(postings.freqs()) {
            take(*doc, lengths.fieldnorm_id(*doc), *frequency)?;
        }
        postings.advance();
    }
    Ok(())
}
