//! `socle.search`: the best passages of corpora for a query, by vectors and by keywords, among those visible to the
//! caller; and what else reads a corpus as a search does: `similar`, `suggest`, `facets`.
//!
//! Runs as the caller and in the snapshot of the calling statement. Source and chunks are read under the caller's
//! privileges and row security; the segments of the keyword index, which only yield ids of chunks, as superuser, and
//! the change log as the owner of the corpus.

mod boost;
mod candidates;
mod evaluate;
mod explain;
mod facets;
mod group;
pub mod keyword_retriever;
pub mod omission;
pub mod passage;
pub mod prefetch;
mod rank;
pub mod request;
mod reranker;
pub mod scope;
mod search_function;
mod select;
mod sentence;
pub mod similar;
pub mod source_columns;
pub mod source_key;
mod suggest;
pub mod trace;
mod vector_retriever;
pub mod word_rules;

use crate::catalog::CorpusSpec;
use crate::catalog::heap_counts;
use crate::catalog::privileges;
use crate::keyword_index::segments;
use crate::ledger::{self, Event, EventKind};
use crate::pg::arguments::Arguments;
use crate::pg::backend;
use crate::pg::error::report;
use crate::pg::gucs;
use crate::pg::jsonb_key::Key;
use crate::pg::plan_cache;
use crate::pg::snapshot::in_new_snapshot;
use crate::vector_index;
use omission::Outcome;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use request::{Mode, SearchRequest};
use scope::Scope;
use select::Selection;
use socle_core::array::array_elements;
use socle_core::{Error, Kind, Result};
use std::collections::HashSet;
use trace::Trace;

/// Most chunks that are listed so that others, hidden or deleted, decide about no word.
const MAX_LISTED: usize = 100_000;

const MAY_MISS_CHANGES: &str = include_str!("../sql/search/may_miss_changes.sql");
const WHY_NOT_CAPTURED: &str = "SELECT socle_internal.why_not_captured($1, $2)";

type Found = TableIterator<
    'static,
    (
        name!(corpus_name, String),
        name!(chunk_id, i64),
        name!(source_key, Key),
        name!(title, Option<String>),
        name!(heading_path, Vec<String>),
        name!(page, Option<i32>),
        name!(content, String),
        name!(highlighted, String),
        name!(start_offset, i32),
        name!(end_offset, i32),
        name!(score, f64),
        name!(vector_rank, Option<i32>),
        name!(vector_score, Option<f64>),
        name!(keyword_rank, Option<i32>),
        name!(keyword_score, Option<f64>),
        name!(rerank_score, Option<f64>),
        name!(fresh_at, Option<TimestampWithTimeZone>),
        name!(stale, bool),
        name!(snippet, Option<String>),
        name!(total_count, Option<i64>),
    ),
>;

#[pg_extern(sql = false)]
fn search(call: pg_sys::FunctionCallInfo) -> Result<Found, ErrorReport> {
    let arguments = Arguments::new(call);
    name_of_one(arguments).and_then(|names| search_in(&names, arguments)).map(rows).map_err(report)
}

#[pg_extern(sql = false)]
fn search_many(call: pg_sys::FunctionCallInfo) -> Result<Found, ErrorReport> {
    let arguments = Arguments::new(call);
    names_of_many(arguments).and_then(|names| search_in(&names, arguments)).map(rows).map_err(report)
}

/// The names in a corpus argument. A list that a client has sent without its type comes as one text, and is read as the
/// list that it is: no corpus has such a name.
///
/// # Errors
/// `InputTooLong`.
pub fn name_of_one(arguments: Arguments) -> Result<Vec<String>> {
    let Some(name) = arguments.short_text(0, "corpus")? else { return Ok(Vec::new()) };
    Ok(match array_elements(&name) {
        Some(names) => each_once(names),
        None => vec![name],
    })
}

/// The names in an argument that is a list of corpora, each once.
///
/// # Errors
/// `InputTooLong`.
pub fn names_of_many(arguments: Arguments) -> Result<Vec<String>> {
    let names = arguments.limited_texts(0, "corpora")?.map(|names| names.elements).unwrap_or_default();
    Ok(each_once(names.into_iter().map(|name| name.map(str::to_string)).collect()))
}

fn each_once(names: Vec<Option<String>>) -> Vec<String> {
    let mut known = HashSet::new();
    names.into_iter().flatten().filter(|name| known.insert(name.clone())).collect()
}

fn search_in(names: &[String], arguments: Arguments) -> Result<Outcome> {
    if names.is_empty() {
        return Ok(Outcome::default());
    }
    let Some(request) = SearchRequest::read(arguments)? else { return Ok(Outcome::default()) };
    let found = with_corpora(names, |corpora| run(corpora, &request, &mut Trace::default()))?;
    found.report();
    if gucs::ledger_search() {
        let event = Event::new(EventKind::Search).with("corpora", names.to_vec()).with("results", found.passages.len());
        ledger::tell(&event.with_text("question", Some(&request.query)));
    }
    Ok(found)
}

fn rows(found: Outcome) -> Found {
    let total = found.total.and_then(|total| i64::try_from(total).ok());
    let number = |rank: Option<usize>| rank.and_then(|rank| i32::try_from(rank).ok());
    TableIterator::new(found.passages.into_iter().map(move |passage| {
        let (vector, keyword) = (passage.ranked.vector, passage.ranked.keyword);
        (
            passage.corpus,
            passage.ranked.chunk_id,
            passage.key,
            passage.title,
            passage.heading_path,
            passage.page,
            passage.content,
            passage.highlighted,
            passage.start,
            passage.end,
            passage.ranked.score,
            vector.and_then(|retrieved| number(retrieved.rank)),
            vector.map(|retrieved| retrieved.score).filter(|score| !score.is_nan()),
            keyword.and_then(|retrieved| number(retrieved.rank)),
            keyword.map(|retrieved| retrieved.score),
            passage.ranked.rerank,
            passage.fresh_at,
            passage.ranked.stale,
            passage.snippet,
            total,
        )
    }))
}

/// Runs `work` with the corpora of these names, whose tables are locked until the transaction ends; reports each that
/// is not complete. If one was replaced after the snapshot was taken, uses a later snapshot.
///
/// # Errors
/// `UnknownCorpus`; `NotInState` for a corpus whose tables are gone; `SnapshotTooOld` where the transaction keeps its
/// snapshot.
pub fn with_corpora<T>(names: &[String], work: impl FnMut(&[CorpusSpec]) -> Result<T>) -> Result<T> {
    with_opened(names, &|corpora| corpora.iter().try_for_each(report_state), work)
}

/// Like [`with_corpora`], for a statement that has reported what is not complete.
///
/// # Errors
/// Those of [`with_corpora`].
pub fn with_corpora_again<T>(names: &[String], work: impl FnMut(&[CorpusSpec]) -> Result<T>) -> Result<T> {
    with_opened(names, &|_| Ok(()), work)
}

fn with_opened<T>(
    names: &[String],
    report: &dyn Fn(&[CorpusSpec]) -> Result<()>,
    mut work: impl FnMut(&[CorpusSpec]) -> Result<T>,
) -> Result<T> {
    let open = |names: &[String]| open(names).and_then(|corpora| report(&corpora).map(|()| corpora));
    let mut opened = open(names);
    let may_look_again = !backend::keeps_its_snapshot();
    for _ in names {
        match opened {
            Err(error) if may_look_again && error.kind == Kind::SnapshotTooOld => {}
            opened => return work(&opened?),
        }
        // The tables that replaced the earlier ones are locked by now.
        match in_new_snapshot(|| open(names).map(|corpora| work(&corpora))) {
            Ok(result) => return result,
            Err(error) => opened = Err(error),
        }
    }
    work(&opened?)
}

fn open(names: &[String]) -> Result<Vec<CorpusSpec>> {
    let mut corpora = Vec::with_capacity(names.len());
    for name in names {
        let corpus = CorpusSpec::find_to_read(name)?;
        check(&corpus)?;
        privileges::hold(&corpus)?;
        privileges::require_privileges(&corpus);
        privileges::check_types(&corpus)?;
        corpora.push(corpus);
    }
    Ok(corpora)
}

/// One corpus of a search, and the request as it applies there.
pub struct CorpusSearch<'a> {
    /// What may be returned of it.
    pub scope: Scope<'a>,
    /// The request.
    pub request: SearchRequest,
}

impl<'a> CorpusSearch<'a> {
    /// Opens a corpus for a request.
    ///
    /// # Errors
    /// Those of [`Scope::new`].
    pub fn open(corpus: &'a CorpusSpec, request: &SearchRequest, trace: &mut Trace) -> Result<Self> {
        let step = ("filter", corpus.name.as_str());
        let mut scope = trace.timed(step, || Scope::new(corpus, request))?;
        trace.note(step, || scope.describe());
        if request.mode.has_keyword() || request.shown {
            let complete;
            (scope.segments, complete) = segments::segments(corpus)?;
            scope.rules = word_rules::word_rules(corpus, &request.query)?;
            if request.mode.has_keyword()
                && corpus.progress.state == "active"
                && !(complete && corpus.progress.keyword_missing_count == 0)
            {
                pgrx::notice!("the keyword index of corpus \"{}\" is not complete yet", corpus.name);
            }
        }
        Ok(Self { scope, request: request.clone() })
    }

    /// Lists the visible chunks for a query with a prefix where row security applies, or where the prefix stands for more
    /// words than are searched for: neither words of hidden chunks nor those of deleted ones must decide which these are.
    ///
    /// # Errors
    /// `InputTooLong` for too many chunks where row security applies.
    fn listed_for_prefixes(mut self) -> Result<Self> {
        let (scope, request) = (&mut self.scope, &self.request);
        if !request.mode.has_keyword() || !request.has_prefix() {
            return Ok(self);
        }
        if !scope.secured {
            if keyword_retriever::cuts_prefixes(scope, request)? {
                scope.list_present(MAX_LISTED)?;
            }
            return Ok(self);
        }
        if !scope.list_all(MAX_LISTED)? {
            let message = format!("a prefix is looked up in at most {MAX_LISTED} chunks where row security applies");
            return Err(Error::new(Kind::InputTooLong, message)
                .detail(format!("More chunks of corpus \"{}\" pass.", scope.corpus.name))
                .hint("Use a filter, or omit the asterisk."));
        }
        Ok(self)
    }
}

/// Runs a search.
///
/// # Errors
/// `EngineUnavailable`; errors of the filter. Missing privileges of the caller are raised.
pub fn run(corpora: &[CorpusSpec], request: &SearchRequest, trace: &mut Trace) -> Result<Outcome> {
    trace.begin(corpora.iter().map(|corpus| corpus.name.as_str()));
    let open = |trace: &mut Trace| {
        let open = |corpus| CorpusSearch::open(corpus, request, trace)?.listed_for_prefixes();
        corpora.iter().map(open).collect()
    };
    let searched = if request.mode.has_vectors() {
        prefetch::embed_and_prefetch(corpora, request, trace, &open)?
    } else {
        open(trace)?
    };
    results_of(corpora, searched, request, trace)
}

/// The results of a search whose corpora are opened, and whose query has its vector.
///
/// # Errors
/// Those of [`run`].
fn results_of(
    corpora: &[CorpusSpec],
    mut searched: Vec<CorpusSearch<'_>>,
    request: &SearchRequest,
    trace: &mut Trace,
) -> Result<Outcome> {
    loop {
        let found = candidates::find(&mut searched, request, trace)?;
        // Every chunk is similar to some degree, and what is reranked is all there is: only matches of words are counted.
        let is_counted = request.count_total && request.mode == Mode::Keyword && request.reranker.is_none();
        let counted = if is_counted && !found.complete {
            Some(trace.timed(("count", ""), || candidates::count(&searched, request))?)
        } else {
            None
        };
        let mut scopes: Vec<Scope<'_>> = searched.into_iter().map(|searched| searched.scope).collect();
        if let Some(Selection { chosen, total }) = select::select(&scopes, found.ranked, request, trace)?
            && let Some(passages) = trace.timed(("contents", ""), || passage::read(&scopes, chosen, request))?
        {
            let total = request.count_total.then(|| counted.unwrap_or(total));
            if let Some(total) = total {
                trace.note(("count", ""), || format!("{total} results on all pages"));
            }
            let names = corpora.iter().map(|corpus| corpus.name.clone());
            return Ok(Outcome { passages, omissions: names.zip(found.omissions).collect(), total });
        }
        // Documents were deleted without a trigger: searches again, for the others.
        scopes.iter_mut().for_each(Scope::look_at_documents);
        searched = scopes.into_iter().map(|scope| CorpusSearch { scope, request: request.clone() }).collect();
    }
}

/// Refuses a corpus whose tables are gone, or whose chunks are not known by their keys.
fn check(corpus: &CorpusSpec) -> Result<()> {
    if corpus.tables.chunk.is_none()
        || corpus.tables.source.is_none()
        || corpus.tables.change.is_none()
        || corpus.tables.document.is_none()
    {
        return Err(Error::new(Kind::NotInState, format!("corpus \"{}\" lacks a table", corpus.name))
            .hint("See socle.corpus_status for the reason."));
    }
    require_key(corpus)
}

/// Refuses a corpus whose key no longer tells which row a document is.
///
/// # Errors
/// `NotInState`.
pub fn require_key(corpus: &CorpusSpec) -> Result<()> {
    if !corpus.progress.key_holds {
        let error = Error::new(Kind::NotInState, format!("corpus \"{}\" is broken", corpus.name));
        let reason =
            corpus.progress.state_reason.as_deref().unwrap_or("its chunks no longer match the key of its source");
        return Err(error
            .detail(format!("None of its chunks are returned: {reason}."))
            .hint("See socle.resume_corpus()."));
    }
    Ok(())
}

/// Reports what the results do not show: that a corpus is not complete, or does not follow its source.
fn report_state(corpus: &CorpusSpec) -> Result<()> {
    let name = &corpus.name;
    let reason = corpus.progress.state_reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    match corpus.progress.state.as_str() {
        "filling" if is_filled(corpus)? => {
            pgrx::notice!("the vector index of corpus \"{name}\" is still being built: every vector is compared");
        }
        "filling" => pgrx::notice!("corpus \"{name}\" is still being filled"),
        "paused" | "broken" => {
            pgrx::notice!("corpus \"{name}\" is {} and may be out of date{reason}", corpus.progress.state);
            return Ok(());
        }
        _ => {}
    }
    if let Some(reason) = why_not_captured(corpus)? {
        pgrx::notice!("corpus \"{name}\" may be out of date: {reason}");
    }
    Ok(())
}

/// Why changes of the source go unnoticed at the moment, if they do.
///
/// # Errors
/// Those of [`plan_cache::rows`].
pub fn why_not_captured(corpus: &CorpusSpec) -> Result<Option<String>> {
    let source = pg_sys::Oid::from(corpus.tables.source.unwrap_or_default());
    // PostgreSQL plans a function in SQL anew for each statement that calls it.
    let partitioned = corpus.tables.partitioned;
    let may = plan_cache::rows(MAY_MISS_CHANGES, &[source.into(), partitioned.into()], 1, |row| row.get::<bool>(1))?;
    if may != [Some(true)] {
        return Ok(None);
    }
    let found = plan_cache::rows(WHY_NOT_CAPTURED, &[corpus.name.as_str().into(), source.into()], 1, |row| {
        row.get::<String>(1)
    })?;
    Ok(found.into_iter().flatten().next())
}

/// Whether a corpus has all of its chunks and only waits for its vector index.
fn is_filled(corpus: &CorpusSpec) -> Result<bool> {
    let begun = vector_index::indexes(corpus)?.iter().any(|index| !index.is_valid);
    Ok(begun || (corpus.progress.keyword_missing_count == 0 && heap_counts::any_pending(corpus) == Some(false)))
}
