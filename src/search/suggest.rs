//! `socle.suggest`: what a text that is being typed may become, by words, titles and headings of chunks that the caller may
//! see.
//!
//! Words come from the keyword index, and count where a visible chunk has them. Where row security applies, the index is
//! asked about visible chunks alone, so that neither suggestions nor their order depend on others.

use super::MAX_LISTED;
use super::omission::notice;
use super::request::{self, Mode, SearchRequest};
use super::scope::{Scope, Stale};
use super::trace::Trace;
use super::{CorpusSearch, keyword_retriever, with_corpora};
use crate::catalog::CorpusSpec;
use crate::keyword_index::segments;
use crate::pg::arguments::Arguments;
use crate::pg::error::report;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::Result;
use socle_core::protocol::{SuggestQuery, Suggestions};
use std::collections::{HashMap, HashSet};

const TITLES: &str = include_str!("../../sql/search/titles.sql");

/// Most suggestions.
const MAX_SUGGESTIONS: i32 = 100;
const DEFAULT_SUGGESTIONS: usize = 10;

/// Number of hits whose titles and headings are read.
const HITS: usize = 1_000;

/// Longest title or heading, in bytes, that is suggested.
const MAX_TITLE: usize = 300;

/// What a suggestion is. Its weight is the score of the first of its kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Word,
    Correction,
    Title,
    Heading,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Word => "word",
            Self::Correction => "correction",
            Self::Title => "title",
            Self::Heading => "heading",
        }
    }

    fn weight(self) -> f64 {
        match self {
            Self::Word | Self::Correction => 1.0,
            Self::Title => 0.9,
            Self::Heading => 0.8,
        }
    }
}

/// A suggestion.
struct Suggestion {
    text: String,
    kind: Kind,
    score: f64,
}

type Suggested = TableIterator<'static, (name!(suggestion, String), name!(kind, String), name!(score, f64))>;

#[pg_extern(sql = false)]
fn suggest(call: pg_sys::FunctionCallInfo) -> Result<Suggested, ErrorReport> {
    let suggestions = suggested(Arguments::new(call)).map_err(report)?;
    Ok(TableIterator::new(
        suggestions
            .into_iter()
            .map(|suggestion| (suggestion.text, suggestion.kind.name().to_string(), suggestion.score)),
    ))
}

fn suggested(arguments: Arguments) -> Result<Vec<Suggestion>> {
    let (Some(name), Some(text)) = (arguments.short_text(0, "corpus")?, arguments.short_text(1, "prefix")?) else {
        return Ok(Vec::new());
    };
    let limit = request::number(arguments, 2, "suggestion_limit", 0..=MAX_SUGGESTIONS)?;
    with_corpora(&[name], |corpora| suggestions(&corpora[0], &text, limit.unwrap_or(DEFAULT_SUGGESTIONS)))
}

fn suggestions(corpus: &CorpusSpec, text: &str, limit: usize) -> Result<Vec<Suggestion>> {
    if limit == 0 || text.trim().is_empty() {
        return Ok(Vec::new());
    }
    // The last word as a prefix.
    let query = if text.ends_with(char::is_alphanumeric) { format!("{text}*") } else { text.to_string() };
    let mut request = SearchRequest::new(query);
    (request.mode, request.shown) = (Mode::Keyword, false);
    let CorpusSearch { mut scope, .. } = CorpusSearch::open(corpus, &request, &mut Trace::default())?;
    if !scope.list_all(MAX_LISTED)? {
        notice(
            &format!("row security applies, and more than {MAX_LISTED} chunks of corpus \"{}\" pass", corpus.name),
            "Suggestions are for roles that see fewer chunks, or to whom row security does not apply.",
        );
        return Ok(Vec::new());
    }
    if scope.segments.is_empty() {
        return Ok(Vec::new());
    }
    request.visible_statistics = scope.listed().is_some();
    let (mut titles, is_cut) = self::titles(&scope, &request)?;
    if is_cut && scope.listed().is_none() && scope.list_present(MAX_LISTED)? {
        (titles, _) = self::titles(&scope, &request)?;
    }
    // As many again may be words of deleted chunks alone.
    let most = 2 * limit;
    let ask = |scope: &Scope<'_>| {
        let query = SuggestQuery {
            segments: scope.segments.clone(),
            text,
            limit: u32::try_from(most).unwrap_or(u32::MAX),
            restrict: scope.listed().cloned(),
            titles: titles.iter().map(|(title, _)| title.as_str()).collect(),
        };
        let found = segments::suggest(corpus, query)?;
        visible_words(scope, &found).map(|words| (found, words))
    };
    let (mut found, mut words) = ask(&scope)?;
    if words.len() < limit && found.words.len() >= most && scope.listed().is_none() && scope.list_present(MAX_LISTED)? {
        (found, words) = ask(&scope)?;
    }
    let kept = text.get(..found.start as usize).unwrap_or_default();
    let word = if found.corrected { Kind::Correction } else { Kind::Word };
    let words = words.into_iter().map(|text| (format!("{kept}{text}"), word));
    // Those that begin with the text come first, then in the order of the hits.
    let mut of_titles = found.titles;
    of_titles.sort_by_key(|title| (!title.at_start, title.number));
    let of_titles = of_titles.iter().filter_map(|title| titles.get(title.number as usize).cloned());
    Ok(ranked(words.chain(of_titles), limit))
}

/// The titles and headings of the best hits, each once, and whether the last word, as a prefix, stands for more words of
/// the index than are searched for.
fn titles(scope: &Scope<'_>, request: &SearchRequest) -> Result<(Vec<(String, Kind)>, bool)> {
    let found = keyword_retriever::hits(scope, request, HITS, &[])?;
    let chunks: Vec<i64> = found.hits.iter().map(|(chunk, _)| *chunk).collect();
    let stale = scope.stale(chunks.clone())?;
    let mut of_chunks: HashMap<i64, Vec<(String, Kind)>> = HashMap::new();
    scope.rows(TITLES, &chunks, 0, |row| {
        let headings = row.get::<Vec<Option<String>>>(3).unwrap_or_default().into_iter().flatten();
        let headings = headings.map(|heading| (heading, Kind::Heading));
        let all = row.text(2).map(|title| (title, Kind::Title)).into_iter().chain(headings);
        let short = all.filter(|(text, _)| text.len() <= MAX_TITLE && !text.trim().is_empty());
        of_chunks.insert(row.get::<i64>(1).unwrap_or_default(), short.collect());
    })?;
    let mut known = HashSet::new();
    let fresh = chunks.iter().filter(|chunk| is_fresh(&stale, chunk));
    let titles = fresh.filter_map(|chunk| of_chunks.remove(chunk)).flatten();
    let titles = titles.filter(|(text, _)| known.insert(text.clone())).collect();
    Ok((titles, found.left_out.prefix_words > 0))
}

/// The words that a chunk has that the caller may see, and whose document has not changed since.
fn visible_words(scope: &Scope<'_>, found: &Suggestions) -> Result<Vec<String>> {
    let mut chunks: Vec<i64> = found.words.iter().flat_map(|word| &word.chunks).copied().collect();
    chunks.sort_unstable();
    chunks.dedup();
    let visible = scope.ids(TITLES, &chunks, 0)?;
    let stale = scope.stale(visible.clone())?;
    let visible: HashSet<i64> = visible.into_iter().filter(|chunk| is_fresh(&stale, chunk)).collect();
    let is_visible = |chunks: &Vec<i64>| chunks.iter().any(|chunk| visible.contains(chunk));
    Ok(found.words.iter().filter(|word| is_visible(&word.chunks)).map(|word| word.word.clone()).collect())
}

fn is_fresh(stale: &Stale, chunk: &i64) -> bool {
    !stale.waiting.contains(chunk) && !stale.gone.contains(chunk)
}

/// The best suggestions: the first of each kind, then the second of each, and so on. What differs in case alone is one.
fn ranked(suggestions: impl Iterator<Item = (String, Kind)>, limit: usize) -> Vec<Suggestion> {
    let (mut ranks, mut known): (HashMap<&str, u32>, HashSet<String>) = (HashMap::new(), HashSet::new());
    let mut ranked: Vec<Suggestion> = Vec::new();
    for (text, kind) in suggestions {
        if known.insert(text.to_lowercase()) {
            let rank = ranks.entry(kind.name()).or_default();
            *rank += 1;
            ranked.push(Suggestion { text, kind, score: kind.weight() / f64::from(*rank) });
        }
    }
    ranked.sort_by(|one, other| other.score.total_cmp(&one.score));
    ranked.truncate(limit);
    ranked
}
