//! Exhaustive scoring of a segment: reads all posting lists of a query, term after term. Faster than block-max WAND where
//! the lists are short, as in the many small segments of an index that changes.
//!
//! The scores are those of [`super::score::DocumentScorer`], to the last bit.

use super::score::{WeightedGroup, WeightedTerm};
use super::segment::Segment;
use tantivy::postings::TermInfo;
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
        let mut terms = groups.iter().flat_map(WeightedGroup::terms).filter(|term| info(term, number).is_some());
        if let (Some(only), None) = (terms.next(), terms.next())
            && groups.iter().all(|group| group.all_of.is_empty())
        {
            return for_each_posting((segment, number), only, &mut |doc, score| {
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
            for_each_posting(segment, term, &mut |doc, score| {
                scores.push((doc, score));
                Ok(())
            })?;
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
        for_each_posting(segment, term, &mut |doc, score| {
            let Some(scores) = self.scores.get_mut(doc as usize) else {
                return Err(TantivyError::InternalError("a posting list has a document beyond the last one".into()));
            };
            if scores.group == 0.0 {
                self.grouped.push(doc);
            }
            scores.group = add(scores.group, score);
            Ok(())
        })
    }
}

fn info(term: &WeightedTerm, number: usize) -> Option<&TermInfo> {
    term.infos.get(number)?.as_ref()
}

/// Calls `take` with each document of a term and the score of the term in it.
fn for_each_posting(
    (segment, number): (&Segment, usize),
    term: &WeightedTerm,
    take: &mut impl FnMut(DocId, f32) -> tantivy::Result<()>,
) -> tantivy::Result<()> {
    let Some(info) = info(term, number) else { return Ok(()) };
    let (inverted, lengths) = (segment.inverted(term.term.field()), segment.lengths(term.term.field()));
    let mut postings = inverted.read_block_postings_from_terminfo(info, IndexRecordOption::WithFreqs)?;
    while !postings.docs().is_empty() {
        for (doc, frequency) in postings.docs().iter().zip(postings.freqs()) {
            take(*doc, term.weight.score(lengths.fieldnorm_id(*doc), *frequency))?;
        }
        postings.advance();
    }
    Ok(())
}
