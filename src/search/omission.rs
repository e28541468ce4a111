//! What a search leaves out although it might be a result: counted, and reported.

use super::candidates::in_one;
use super::group;
use super::passage::Passage;
use super::rank::Ranking;
use super::request::SearchRequest;
use super::scope::Scope;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::Result;
use socle_core::protocol::QueryTruncation;

/// What was left out of the results of one corpus.
#[derive(Clone, Copy, Debug, Default)]
pub struct Omission {
    /// Results whose documents have changed since.
    pub waiting: usize,
    /// Parts of the query.
    pub words: QueryTruncation,
}

/// The outcome of a search.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The results, best first.
    pub passages: Vec<Passage>,
    /// What was left out of each corpus, by its name.
    pub omissions: Vec<(String, Omission)>,
    /// Number of results of all pages, if it was asked for.
    pub total: Option<usize>,
}

impl Outcome {
    /// Number of results left out because changes of their documents are pending.
    pub fn waiting(&self) -> usize {
        self.omissions.iter().map(|(_, omission)| omission.waiting).sum()
    }

    /// Reports what was left out.
    pub fn report(&self) {
        for (corpus, omission) in &self.omissions {
            let count = omission.waiting;
            if count > 0 {
                let what = if count == 1 { "1 result" } else { &format!("{count} results") };
                notice(
                    &format!("{what} of corpus \"{corpus}\" left out: changes of their documents are pending"),
                    "socle.search returns them with stale => 'show' as they were before the change; socle.corpus_status shows what the work waits for.",
                );
            }
            if let Some(words) = omission.words.describe() {
                notice(
                    &format!("only a part of the query was searched for in corpus \"{corpus}\": left out are {words}"),
                    "Shorter queries are searched for as a whole; vectors are compared with all that fits the model.",
                );
            }
        }
    }
}

/// Reports a notice with a hint.
pub fn notice(message: &str, hint: &str) {
    ErrorReport::new(PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION, message.to_string(), pgrx::function_name!())
        .set_hint(hint)
        .report(PgLogLevel::NOTICE);
}

/// What was left out of each corpus. Of results with pending changes, counts those that would be among the results as
/// far as that is known without reranking: the effect of a cross-encoder or of diversity is not computed.
///
/// # Errors
/// Those of [`Scope::rows`].
pub fn omissions(scopes: &[&Scope<'_>], rankings: &[Ranking], request: &SearchRequest) -> Result<Vec<Omission>> {
    let mut omissions: Vec<Omission> =
        rankings.iter().map(|ranking| Omission { waiting: 0, words: ranking.left_out }).collect();
    if rankings.iter().all(|ranking| ranking.with_waiting.is_none()) {
        return Ok(omissions);
    }
    let mut all = in_one(rankings, |ranking| ranking.with_waiting.as_ref().unwrap_or(&ranking.ranked));
    if request.is_grouped() {
        all = group::best(scopes, all, request)?;
    }
    if let (Some(least), None) = (request.min_score, &request.reranker) {
        all.retain(|(_, ranked)| ranked.score >= least);
    }
    for (at, _) in all.iter().take(request.limit).filter(|(_, ranked)| ranked.stale) {
        omissions[*at].waiting += 1;
    }
    Ok(omissions)
}
