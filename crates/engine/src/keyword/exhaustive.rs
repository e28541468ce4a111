//! Scores of all documents of a segment that match, term after term: what costs least where the posting lists are short,
//! as in the many small segments of an index that changes.
//!
//! Gives the scores that [`super::score::DocumentScorer`] gives, to the last bit.

use super::score::{WeightedGroup, WeightedTerm};
use super::segment::Segment;
use tantivy::postings::TermInfo;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, TantivyError};

/// Documents in the posting lists of a segment up to which they are read to their ends, if there is one list, and on average
/// if there are several. Beyond, what block-max WAND leaves out is worth more than what it costs to prepare.
const MAX_SINGLE_LIST: u64 = 256;
const MAX_MEAN_LIST: u64 = 1_000;

/// Room for the scores of the documents of one segment. Empty between two segments.
#[derive(Debug, Default)]
pub struct ExhaustiveScorer {
    /// By document.
    scores: Vec<Scores>,
    /// Documents with a score.
    touched: Vec<DocId>,
    /// Documents with a score in the group that is being added.
    grouped: Vec<DocId>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Scores {
    total: f32,
    group: f32,
}

/// Takes a document and its score, and gives the least score that matters from now on.
pub type HitSink<'a> = &'a mut dyn FnMut(DocId, f32) -> f32;

/// Whether the posting lists of a segment, so many documents in so many lists, are to be read to their ends.
pub fn is_short(lists: u64, documents: u64) -> bool {
    documents <= if lists == 1 { MAX_SINGLE_LIST } else { MAX_MEAN_LIST * lists }
}

impl ExhaustiveScorer {
    /// Hands the documents that match and whose scores are at least `least` to `take`, in no particular order.
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
        if let (Some(only), None) = (terms.next(), terms.next()) {
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
            for doc in self.grouped.drain(..) {
                let Some(scores) = self.scores.get_mut(doc as usize) else { continue };
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

    /// Scores are above 0, so that 0 stands for none.
    fn add(
        &mut self,
        segment: (&Segment, usize),
        term: &WeightedTerm,
        add: impl Fn(f32, f32) -> f32,
    ) -> tantivy::Result<()> {
        for_each_posting(segment, term, &mut |doc, score| {
            let Some(scores) = self.scores.get_mut(doc as usize) else {
                return Err(TantivyError::InternalError("a posting list has a document that is none".into()));
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

/// The documents of a term, with what it adds to their scores.
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
