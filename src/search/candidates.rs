//! The candidates of all corpora in one ranking, grouped, and how many there are.

use super::omission::{Omission, omissions};
use super::rank::{self, Ranked, Ranking};
use super::request::{MAX_CANDIDATES, SearchRequest};
use super::scope::Scope;
use super::trace::Trace;
use super::{CorpusSearch, group, select};
use socle_core::Result;
use socle_core::protocol::MAX_HITS;

/// Factor by which the number of candidates grows while they are of too few groups.
const FURTHER: usize = 8;

/// Most matches of each corpus that are counted: as many as one answer of the engine may have.
const MAX_COUNTED: usize = MAX_HITS as usize;

/// The candidates of a search.
pub struct Candidates {
    /// Candidates with the index of their corpus, best first.
    pub ranked: Vec<(usize, Ranked)>,
    /// What is left out of each corpus.
    pub omissions: Vec<Omission>,
    /// There are no more.
    pub complete: bool,
}

/// The candidates of all corpora, best first. With groups, looks further until there are enough results, or all.
///
/// # Errors
/// Those of [`rank::rank`] and [`group::best`].
pub fn find(searched: &mut [CorpusSearch<'_>], request: &SearchRequest, trace: &mut Trace) -> Result<Candidates> {
    let mut enough: Option<usize> = None;
    let mut before: Vec<(usize, Ranked)> = Vec::new();
    loop {
        trace.forget_results();
        let rankings = searched.iter().map(|corpus| rank::rank(&corpus.scope, &corpus.request, trace));
        let rankings = rankings.collect::<Result<Vec<Ranking>>>()?;
        let may_widen = |corpus: &CorpusSearch<'_>| corpus.request.candidate_count < MAX_CANDIDATES;
        let more = rankings.iter().zip(searched.iter()).any(|(ranking, corpus)| ranking.more && may_widen(corpus));
        let is_whole = |corpus: &CorpusSearch<'_>| corpus.request.candidate_count >= corpus.request.depth();
        let complete = searched.iter().all(is_whole) && !rankings.iter().any(|ranking| ranking.more);
        let scopes: Vec<&Scope<'_>> = searched.iter().map(|searched| &searched.scope).collect();
        let ranked = in_one(&rankings, |ranking| &ranking.ranked);
        if !request.is_grouped() {
            return Ok(Candidates { ranked, omissions: omissions(&scopes, &rankings, request)?, complete });
        }
        let there = trace.places(&ranked);
        let grouped = group::best(&scopes, after(before, ranked), request)?;
        trace.lost(&there, &grouped, || match (request.group_size, request.group_noun()) {
            (1, noun) => format!("another chunk of its {noun} ranks higher"),
            (size, noun) => format!("{size} other chunks of its {noun} rank higher"),
        });
        if grouped.len() < request.limit && !more && rankings.iter().any(|ranking| ranking.more) {
            let (count, noun) = (grouped.len(), request.group_noun());
            pgrx::notice!(
                "the best {MAX_CANDIDATES} candidates of each retriever give {count} results by {noun}: there may be more"
            );
        }
        let wanted = match enough {
            _ if grouped.len() >= request.limit || !more => 0,
            Some(all) => all,
            None => group::most(&scopes, request)?,
        };
        if grouped.len() >= wanted {
            return Ok(Candidates { ranked: grouped, omissions: omissions(&scopes, &rankings, request)?, complete });
        }
        enough = Some(wanted);
        // What is found later may rank above what was found before, by a boost or as a fusion sees more candidates: every
        // page has to have the same order.
        before = grouped;
        for corpus in searched.iter_mut() {
            corpus.request.candidate_count = (corpus.request.candidate_count * FURTHER).min(MAX_CANDIDATES);
        }
    }
}

/// Those of `first`, then the others.
fn after(first: Vec<(usize, Ranked)>, others: Vec<(usize, Ranked)>) -> Vec<(usize, Ranked)> {
    if first.is_empty() {
        return others;
    }
    let place = |of: &(usize, Ranked)| (of.0, of.1.chunk_id);
    let known: std::collections::HashSet<(usize, i64)> = first.iter().map(place).collect();
    first.into_iter().chain(others.into_iter().filter(|other| !known.contains(&place(other)))).collect()
}

/// Merges the rankings of all corpora, best first.
pub fn in_one<'a>(rankings: &'a [Ranking], of: impl Fn(&'a Ranking) -> &'a Vec<Ranked>) -> Vec<(usize, Ranked)> {
    let of_corpus = |(at, ranking)| of(ranking).iter().map(move |ranked| (at, ranked.clone()));
    let mut ranked: Vec<(usize, Ranked)> = rankings.iter().enumerate().flat_map(of_corpus).collect();
    let place = |of: &(usize, Ranked)| (of.0, of.1.chunk_id);
    ranked.sort_by(|a, b| b.1.score.total_cmp(&a.1.score).then_with(|| place(a).cmp(&place(b))));
    ranked
}

/// Number of results of all pages, if all that match by keyword were candidates.
///
/// # Errors
/// Those of [`find`].
pub fn count(searched: &[CorpusSearch<'_>], request: &SearchRequest) -> Result<usize> {
    let all = SearchRequest { candidate_count: MAX_COUNTED, ..request.clone() };
    let rankings = searched.iter().map(|corpus| rank::rank(&corpus.scope, &all, &mut Trace::default()));
    let rankings = rankings.collect::<Result<Vec<Ranking>>>()?;
    if rankings.iter().any(|ranking| ranking.more) {
        pgrx::notice!("total_count counts the best {MAX_COUNTED} matches of each corpus: there may be more");
    }
    let scopes: Vec<&Scope<'_>> = searched.iter().map(|searched| &searched.scope).collect();
    let mut ranked = in_one(&rankings, |ranking| &ranking.ranked);
    if request.is_grouped() {
        ranked = group::best(&scopes, ranked, request)?;
    }
    Ok(select::above_thresholds(ranked, request, &mut Trace::default()).len())
}
