//! Finds the best chunks of a set of segments for a query.
//!
//! A segment is searched in one of four ways, which give the same scores: by block-max WAND of tantivy over all terms,
//! whose sum of scores is an upper bound of the score of [`DocumentScorer`]; exhaustively, where posting lists are short;
//! by the documents of a required phrase; or by the list of chunks that the search is restricted to.

use super::compile::CompiledQuery;
use super::exhaustive::{ExhaustiveScorer, is_short};
use super::language::Language;
use super::schema::Part;
use super::score::{DocumentScorer, WeightedGroup, WeightedTerm};
use super::segment::{Segment, catch_damage};
use super::top_hits::{Hit, TopHits};
use socle_core::protocol::{FieldWeights, MAX_HITS, QuerySyntax, QueryTruncation, WordRule};
use socle_core::{Error, Kind, Result};
use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;
use tantivy::postings::TermInfo;
use tantivy::query::{Scorer, Weight};
use tantivy::{DocId, TERMINATED};

/// Least ratio of the chunks in the segments to those of the list that a search is restricted to, for which each chunk of
/// the list is scored. Below it, the segments are searched and hits are looked up in the list.
const LOOKUP_RATIO: u64 = 50;

/// Largest relative difference between two sums of the same scores in different order: half a unit in the last place for
/// each addition, for the most words of a query times a few alternatives.
const ROUNDING: f32 = 2e-5;

/// Documents between two checks whether the request was cancelled.
const CANCEL_INTERVAL: u32 = 4096;

/// A search request.
#[derive(Clone, Debug, Default)]
pub struct SearchRequest {
    /// Text of the query.
    pub query: String,
    /// Name or code of its language; `None` for those of the segments.
    pub language: Option<String>,
    /// Largest number of hits; at most [`MAX_HITS`] are returned.
    pub limit: u32,
    /// Score and identifier of the last hit of the previous page.
    pub after: Option<(f32, i64)>,
    /// Identifiers of the chunks that may be hits, in any order; `None` for all.
    pub restrict: Option<Vec<i64>>,
    /// Identifiers of chunks whose scores are returned even if they are no hits, in any order.
    pub score: Vec<i64>,
    /// Statistics are taken of the chunks in `restrict` only.
    pub visible_statistics: bool,
    /// How `query` is read.
    pub syntax: QuerySyntax,
    /// The words of the index tell where a compound can be split and what is misspelt: those of `restrict`, if it is given.
    pub use_vocabulary: bool,
    /// Rules that the query may have the terms of.
    pub rules: Vec<WordRule>,
    /// What words count in each field.
    pub weights: FieldWeights,
}

/// The result of a search.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchResult {
    /// Identifiers and scores, best first.
    pub hits: Vec<(i64, f32)>,
    /// Identifiers and scores of the chunks of `score` that match, ascending by identifier.
    pub scores: Vec<(i64, f32)>,
    /// Identifiers of the chunks of `score` that lack a required phrase or have an excluded one, ascending.
    pub refused: Vec<i64>,
    /// The query has a required phrase.
    pub has_phrases: bool,
    /// There may be more hits.
    pub more: bool,
    /// Number of words and operators that were left out because the query exceeds a limit.
    pub left_out: QueryTruncation,
    /// Words of the query that the index does not have, and what was searched for instead.
    pub corrections: Vec<(String, Vec<String>)>,
    /// Terms of the query that have synonyms, and these.
    pub synonyms: Vec<(String, Vec<String>)>,
}

/// Takes a hit, or none, and returns the least score that a further hit has to have.
type HitSink<'a> = &'a mut dyn FnMut(Option<(DocId, f32)>) -> Option<f32>;

/// Searches segments.
///
/// # Errors
/// `InvalidArgument` for an unknown language, `DamagedIndex`, `Cancelled`.
pub fn search(
    segments: &[Arc<Segment>],
    request: &SearchRequest,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<SearchResult> {
    let language = request.language.as_deref().map(Language::named).transpose()?;
    let mut ordered = segments.to_vec();
    // The largest first: they are likely to have the best hits, and a higher threshold prunes more of the others.
    let size = |segment: &Segment| segment.chunk_count().checked_ilog2();
    ordered.sort_by_key(|segment| (Reverse(size(segment)), segment.header().min_chunk_id, segment.digest));
    let segments = ordered.as_slice();
    let Some(first) = segments.first() else { return Ok(SearchResult::default()) };
    let sorted = |list: &[i64]| {
        let mut list = list.to_vec();
        list.sort_unstable();
        list.dedup();
        list
    };
    let restrict = request.restrict.as_deref().map(sorted);
    let documents = |list: &[i64]| segments.iter().map(|segment| segment.documents(list)).collect::<Vec<_>>();
    let within = restrict.as_deref().map(documents);
    let visible = within.as_deref().filter(|_| request.visible_statistics);
    let query =
        CompiledQuery::new(segments, &first.fields, request, language, (within.as_deref(), visible), is_cancelled)?;
    let limit = request.limit.min(MAX_HITS) as usize;
    let after = request.after.map(|(score, chunk_id)| Hit { chunk_id, score });
    let mut top = TopHits::new(limit, after);
    if limit > 0 {
        let selective = |list: &Vec<i64>| list.len() as u64 * LOOKUP_RATIO < query.chunk_count();
        match (&restrict, &within) {
            (Some(list), Some(within)) if visible.is_some() || selective(list) || !query.required.is_empty() => {
                query.score_documents(within, &mut |hit| top.push(hit))?;
            }
            (list, _) => query.search_all(list.as_deref(), &mut top)?,
        }
    }
    let (mut scores, mut refused) = (Vec::new(), Vec::new());
    if !request.score.is_empty() {
        let list = sorted(&request.score);
        let documents = documents(&list);
        query.score_documents(&documents, &mut |hit| scores.push((hit.chunk_id, hit.score)))?;
        scores.sort_unstable_by_key(|(chunk_id, _)| *chunk_id);
        refused = query.refused(&list, &documents)?;
    }
    let (hits, more) = top.into_sorted();
    let hits = hits.into_iter().map(|hit| (hit.chunk_id, hit.score)).collect();
    let has_phrases = !query.required.is_empty();
    let CompiledQuery { left_out, corrections, synonyms, .. } = query;
    Ok(SearchResult { hits, scores, refused, has_phrases, more, left_out, corrections, synonyms })
}

impl CompiledQuery<'_> {
    fn chunk_count(&self) -> u64 {
        self.segments.iter().map(|segment| u64::from(segment.chunk_count())).sum()
    }

    fn scorer(&self, number: usize) -> tantivy::Result<DocumentScorer<'_>> {
        let segment = &self.segments[number];
        let open = |weights: &[Box<dyn Weight>]| -> tantivy::Result<Vec<Box<dyn Scorer>>> {
            weights.iter().map(|weight| weight.scorer(segment.reader(), 1.0)).collect()
        };
        let operators = [&self.required, &self.preferred, &self.excluded].map(|weights| open(weights));
        let [required, preferred, excluded] = operators;
        DocumentScorer::new(segment, number, &self.groups, [required?, preferred?, excluded?])
    }

    /// Scores the given documents of each segment.
    fn score_documents(&self, documents: &[Vec<DocId>], take: &mut dyn FnMut(Hit)) -> Result<()> {
        for (number, (segment, documents)) in self.segments.iter().zip(documents).enumerate() {
            self.stop_if_cancelled()?;
            if documents.is_empty() || !self.is_found_in(number) {
                continue;
            }
            catch_damage(|| {
                let mut scorer = self.scorer(number)?;
                for doc in documents {
                    if let Some(score) = scorer.score(*doc) {
                        take(Hit { chunk_id: segment.chunk_id(*doc), score });
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The chunks of `list` that lack a required phrase or have an excluded one. `documents` are those of `list` in each
    /// segment; a chunk that no segment has lacks every phrase.
    fn refused(&self, list: &[i64], documents: &[Vec<DocId>]) -> Result<Vec<i64>> {
        if self.required.is_empty() && self.excluded.is_empty() {
            return Ok(Vec::new());
        }
        let (mut permitted, mut known) = (HashSet::new(), HashSet::new());
        for (number, (segment, documents)) in self.segments.iter().zip(documents).enumerate() {
            self.stop_if_cancelled()?;
            catch_damage(|| {
                let mut scorer = self.scorer(number)?;
                for doc in documents {
                    let chunk_id = segment.chunk_id(*doc);
                    known.insert(chunk_id);
                    if scorer.permits(*doc) {
                        permitted.insert(chunk_id);
                    }
                }
                Ok(())
            })?;
        }
        let must_be_known = !self.required.is_empty();
        let is_refused = |chunk: &i64| !permitted.contains(chunk) && (must_be_known || known.contains(chunk));
        Ok(list.iter().copied().filter(is_refused).collect())
    }

    /// Searches all segments. Hits are restricted to the chunks in `only`, which have to ascend.
    fn search_all(&self, only: Option<&[i64]>, top: &mut TopHits) -> Result<()> {
        let mut scorer = ExhaustiveScorer::default();
        let mut bound = None;
        // The highest identifier of the segments so far.
        let mut passed = i64::MIN;
        for (number, segment) in self.segments.iter().enumerate() {
            self.stop_if_cancelled()?;
            let header = segment.header();
            let ascending = header.min_chunk_id > passed;
            passed = passed.max(header.max_chunk_id);
            let mut take = |found: Option<(DocId, f32)>| {
                if let Some((doc, score)) = found {
                    let chunk_id = segment.chunk_id(doc);
                    if only.is_none_or(|list| list.binary_search(&chunk_id).is_ok()) {
                        top.push(Hit { chunk_id, score });
                    }
                }
                top.least_score()
            };
            if !self.required.is_empty() {
                self.search_phrases(number, &mut take)?;
                continue;
            }
            match self.postings(number) {
                None if self.preferred.is_empty() => {}
                Some((lists, documents))
                    if is_short(lists, documents) && self.excluded.is_empty() && self.preferred.is_empty() =>
                {
                    let least = take(None).unwrap_or(f32::MIN);
                    let mut take = |doc, score| take(Some((doc, score))).unwrap_or(f32::MIN);
                    catch_damage(|| scorer.run((segment, number), &self.groups, least, &mut take))?;
                }
                _ => {
                    if bound.is_none() {
                        bound = Some(self.upper_bound()?);
                    }
                    let Some(weight) = &bound else { break };
                    self.search_wand(number, weight.as_ref(), ascending, &mut take)?;
                }
            }
        }
        self.stop_if_cancelled()
    }

    /// The posting lists of a segment for this query.
    fn lists(&self, number: usize) -> impl Iterator<Item = (Part, &TermInfo)> {
        let places = self.groups.iter().flat_map(WeightedGroup::terms).flat_map(WeightedTerm::all_places);
        places.filter_map(move |places| Some((places.places.part, places.info(number)?)))
    }

    /// Number of the posting lists of a segment for this query, and of all documents in them; `None` when it has no term.
    fn postings(&self, number: usize) -> Option<(u64, u64)> {
        let counts = self.lists(number).map(|(_, info)| u64::from(info.doc_freq));
        let (lists, documents) = counts.fold((0, 0), |(lists, sum), count| (lists + 1, sum + count));
        (lists > 0).then_some((lists, documents))
    }

    /// Searches a segment by block-max WAND. `weight` is that of [`Self::upper_bound`]; `ascending` says that the identifiers
    /// of the segment are higher than all before.
    fn search_wand(&self, number: usize, weight: &dyn Weight, ascending: bool, take: HitSink<'_>) -> Result<()> {
        let segment = &self.segments[number];
        let mut lists = self.lists(number);
        // The bound of a content is its score; that of a title is not.
        let single = self.preferred.is_empty()
            && self.groups.iter().all(|group| group.all_of.is_empty())
            && matches!((lists.next(), lists.next()), (Some((Part::Content, _)), None));
        let threshold = |least: Option<f32>| match least {
            None => f32::MIN,
            // Of equal scores, the lower identifier wins.
            Some(least) if single && ascending => least,
            Some(least) if single => least.next_down(),
            Some(least) => least * (1.0 - ROUNDING),
        };
        let mut scorer = None;
        let mut countdown = CANCEL_INTERVAL;
        catch_damage(|| {
            let mut failure = None;
            let begin = threshold(take(None));
            weight.for_each_pruning(begin, segment.reader(), &mut |doc, bound| {
                countdown -= 1;
                if countdown == 0 {
                    countdown = CANCEL_INTERVAL;
                    if (self.is_cancelled)() {
                        return f32::MAX;
                    }
                }
                let score = if single && self.excluded.is_empty() {
                    Some(bound)
                } else {
                    if scorer.is_none() {
                        match self.scorer(number) {
                            Ok(made) => scorer = Some(made),
                            Err(error) => {
                                failure = Some(error);
                                return f32::MAX;
                            }
                        }
                    }
                    scorer.as_mut().and_then(|scorer| scorer.score(doc))
                };
                threshold(take(score.map(|score| (doc, score))))
            })?;
            failure.map_or(Ok(()), Err)
        })
    }

    /// Searches a segment by the documents that have the required phrases.
    fn search_phrases(&self, number: usize, take: HitSink<'_>) -> Result<()> {
        catch_damage(|| {
            let mut scorer = self.scorer(number)?;
            let mut doc = 0;
            while let Some(next) = scorer.next_required(doc).filter(|next| *next != TERMINATED) {
                if let Some(score) = scorer.score(next) {
                    take(Some((next, score)));
                }
                doc = next + 1;
                if doc % CANCEL_INTERVAL == 0 && (self.is_cancelled)() {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Whether a segment may have hits.
    fn is_found_in(&self, number: usize) -> bool {
        !self.required.is_empty() || !self.preferred.is_empty() || self.postings(number).is_some()
    }

    fn stop_if_cancelled(&self) -> Result<()> {
        if (self.is_cancelled)() { Err(cancelled()) } else { Ok(()) }
    }
}

pub(super) fn cancelled() -> Error {
    Error::new(Kind::Cancelled, "the search was cancelled")
}
