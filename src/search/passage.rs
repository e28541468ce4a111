//! The contents of the chosen chunks: read as the caller, with their neighbours as context, with the words of the query
//! marked.

use super::rank::Ranked;
use super::request::SearchRequest;
use super::scope::Scope;
use super::select::by_corpus;
use super::sentence;
use crate::engine_client;
use crate::pg::jsonb_key::Key;
use pgrx::datum::TimestampWithTimeZone;
use socle_core::Result;
use socle_core::protocol::{Request, Response};
use socle_core::search::highlight::highlight;
use socle_core::search::neighbours::{ContextChunk, Hit, passages};
use socle_core::search::snippet::{ELLIPSIS, fragments};
use std::collections::HashMap;
use std::ops::Range;

const CONTENTS: &str = include_str!("../../sql/search/contents.sql");
const NEIGHBOURS: &str = include_str!("../../sql/search/neighbours.sql");

/// A chunk as the caller may read it.
#[derive(Clone, Debug)]
pub struct Content {
    /// Key of its document.
    pub key: Key,
    title: Option<String>,
    heading_path: Vec<String>,
    content: String,
    start: i32,
    end: i32,
    ordinal: i32,
    page: Option<i32>,
}

impl Content {
    /// The text that a cross-encoder reads: title, headings, content.
    pub fn with_title(&self) -> String {
        let lines = self.title.iter().chain(&self.heading_path).filter(|line| !line.is_empty());
        let mut text: String = lines.flat_map(|line| [line.as_str(), "\n"]).collect();
        text.push_str(&self.content);
        text
    }
}

/// A search result.
#[derive(Clone, Debug)]
pub struct Passage {
    /// Name of its corpus.
    pub corpus: String,
    /// Its best chunk, with ranks and scores.
    pub ranked: Ranked,
    /// Key of its document.
    pub key: Key,
    /// Title of its document.
    pub title: Option<String>,
    /// Headings above its best chunk.
    pub heading_path: Vec<String>,
    /// Page of its best chunk.
    pub page: Option<i32>,
    /// Text of the passage.
    pub content: String,
    /// The same text as HTML, with the words of the query marked.
    pub highlighted: String,
    /// Its best fragments as HTML, with the words of the query marked.
    pub snippet: Option<String>,
    /// Position of the first character in the document, from 1.
    pub start: i32,
    /// Position after the last character.
    pub end: i32,
    /// Numbers of its first and its last chunk in the document.
    pub ordinals: (i32, i32),
    /// [`Scope::fresh_at`] of its corpus.
    pub fresh_at: Option<TimestampWithTimeZone>,
}

/// Contents of chunks, by index of the corpus and `chunk_id`.
type Contents = HashMap<(usize, i64), Content>;

/// The chunks that the caller may read; `None` where one has no document, unless its scope already excludes those.
///
/// # Errors
/// Those of [`Scope::rows`].
pub fn contents(scopes: &[Scope<'_>], ranked: &[(usize, Ranked)]) -> Result<Option<Contents>> {
    let mut contents = Contents::new();
    for (at, chunks) in by_corpus(scopes.len(), ranked).into_iter().enumerate().filter(|(_, chunks)| !chunks.is_empty())
    {
        let found = scopes[at].rows(CONTENTS, &chunks, 0, |row| {
            let content = Content {
                key: row.key(9, &scopes[at].corpus.tables.key_columns),
                title: row.text(2),
                heading_path: row.get::<Vec<Option<String>>>(3).unwrap_or_default().into_iter().flatten().collect(),
                content: row.get(4).unwrap_or_default(),
                start: row.get(5).unwrap_or_default(),
                end: row.get(6).unwrap_or_default(),
                ordinal: row.get(7).unwrap_or_default(),
                page: row.get(8),
            };
            (row.get::<i64>(1).unwrap_or_default(), content)
        })?;
        contents.extend(found.into_iter().map(|(chunk, content)| ((at, chunk), content)));
    }
    let is_gone = |(at, ranked): &(usize, Ranked)| {
        !contents.contains_key(&(*at, ranked.chunk_id)) && !scopes[*at].looks_at_documents()
    };
    Ok(if ranked.iter().any(is_gone) { None } else { Some(contents) })
}

/// The results; `None` as for [`contents`].
///
/// # Errors
/// Those of [`Scope::rows`].
pub fn read(
    scopes: &[Scope<'_>],
    chosen: Vec<(usize, Ranked)>,
    request: &SearchRequest,
) -> Result<Option<Vec<Passage>>> {
    let Some(mut contents) = contents(scopes, &chosen)? else { return Ok(None) };
    let mut results: Vec<(usize, i32, Passage)> = Vec::with_capacity(chosen.len());
    for (at, ranked) in chosen {
        let Some(content) = contents.remove(&(at, ranked.chunk_id)) else { continue };
        let passage = Passage {
            corpus: scopes[at].corpus.name.clone(),
            ranked,
            key: content.key,
            title: content.title,
            heading_path: content.heading_path,
            page: content.page,
            content: content.content,
            highlighted: String::new(),
            snippet: None,
            start: content.start,
            end: content.end,
            ordinals: (content.ordinal, content.ordinal),
            fresh_at: scopes[at].fresh_at(),
        };
        results.push((at, content.ordinal, passage));
    }
    let mut results = if request.neighbours > 0 {
        expand_context(scopes, results, request.neighbours)?
    } else {
        results.into_iter().map(|(.., passage)| passage).collect()
    };
    if request.shown {
        mark(scopes, &mut results, request)?;
    }
    Ok(Some(results))
}

/// A chunk in the context of a hit.
struct Around {
    ordinal: i32,
    start: i32,
    end: i32,
    content: String,
}

/// Extends results by the chunks around them; results that meet become one, in the place of the better.
fn expand_context(scopes: &[Scope<'_>], results: Vec<(usize, i32, Passage)>, reach: u32) -> Result<Vec<Passage>> {
    let mut around: HashMap<(usize, Key), Vec<Around>> = HashMap::new();
    for (at, scope) in scopes.iter().enumerate() {
        let chunks: Vec<i64> =
            results.iter().filter(|result| result.0 == at).map(|result| result.2.ranked.chunk_id).collect();
        if chunks.is_empty() {
            continue;
        }
        scope.rows(NEIGHBOURS, &chunks, reach as usize, |row| {
            let key = row.key(5, &scope.corpus.tables.key_columns);
            around.entry((at, key)).or_default().push(Around {
                ordinal: row.get(1).unwrap_or_default(),
                start: row.get(2).unwrap_or_default(),
                end: row.get(3).unwrap_or_default(),
                content: row.get(4).unwrap_or_default(),
            });
        })?;
    }
    let mut documents: HashMap<(usize, Key), Vec<usize>> = HashMap::new();
    for (number, (at, _, passage)) in results.iter().enumerate() {
        documents.entry((*at, passage.key.clone())).or_default().push(number);
    }
    let mut wide: HashMap<usize, socle_core::search::neighbours::Passage> = HashMap::new();
    for (document, members) in documents {
        // By position in the list, not by score: the order that diversity has made stays.
        let hits: Vec<Hit> =
            members.iter().map(|number| Hit { ordinal: results[*number].1, score: -(*number as f64) }).collect();
        let parts: Vec<ContextChunk<'_>> = around
            .get(&document)
            .into_iter()
            .flatten()
            .map(|part| ContextChunk {
                ordinal: part.ordinal,
                start: part.start,
                end: part.end,
                content: &part.content,
            })
            .collect();
        for passage in passages(&hits, &parts, reach) {
            if let Some(best) = passage.hits.first() {
                wide.insert(members[*best], passage);
            }
        }
    }
    Ok(results
        .into_iter()
        .enumerate()
        .filter_map(|(number, (.., mut result))| {
            let passage = wide.remove(&number)?;
            (result.content, result.start, result.end) = (passage.content, passage.start, passage.end);
            result.ordinals = passage.ordinals;
            Some(result)
        })
        .collect())
}

/// Marks the words of the query, in HTML; in the language of the corpus, if it has one and the request has none.
fn mark(scopes: &[Scope<'_>], results: &mut [Passage], request: &SearchRequest) -> Result<()> {
    let mut of_corpora: Vec<(&Scope<'_>, Vec<&mut Passage>)> = scopes.iter().map(|scope| (scope, Vec::new())).collect();
    for passage in results {
        if let Some((_, of_corpus)) = of_corpora.iter_mut().find(|(scope, _)| scope.corpus.name == passage.corpus) {
            of_corpus.push(passage);
        }
    }
    of_corpora.retain(|(_, of_corpus)| !of_corpus.is_empty());
    let engine_request = |number: usize| {
        let (scope, of_corpus) = &of_corpora[number];
        let language = request.language.or_else(|| scope.corpus.only_language());
        // Segments tell the languages of all chunks, hidden ones included.
        let knows_language = language.is_some() || request.visible_statistics;
        let segments = if knows_language { Vec::new() } else { scope.segments.clone() };
        let contents = of_corpus.iter().map(|passage| passage.content.as_str()).collect();
        Request::Highlight {
            query: &request.query,
            syntax: request.syntax,
            rules: scope.rules.clone(),
            language,
            segments,
            chunk_ids: of_corpus.iter().map(|passage| passage.ranked.chunk_id).collect(),
            contents,
        }
    };
    let mut marks: Vec<Vec<Vec<(u32, u32)>>> = vec![Vec::new(); of_corpora.len()];
    engine_client::exchange(of_corpora.len(), &engine_request, &mut |number, mut answers| match answers.pop() {
        Some(Response::Highlights(ranges)) if ranges.len() == of_corpora[number].1.len() => {
            marks[number] = ranges;
            Ok(())
        }
        Some(Response::Failed { error, .. }) => Err(error),
        _ => Err(engine_client::unexpected()),
    })?;
    for ((scope, of_corpus), ranges) in of_corpora.iter_mut().zip(marks) {
        let ranges = ranges.into_iter().map(|ranges| ranges.into_iter().map(|(from, to)| from as usize..to as usize));
        let ranges: Vec<Vec<Range<usize>>> = ranges.map(Iterator::collect).collect();
        let mut nearest = nearest_sentences(scope, of_corpus, &ranges, request)?.into_iter();
        for (passage, ranges) in of_corpus.iter_mut().zip(ranges) {
            let [before, after] = &request.marks;
            passage.highlighted = highlight(&passage.content, &ranges, before, after, true);
            let sentence = if ranges.is_empty() { nearest.next().flatten() } else { None };
            let of_interest = sentence.as_ref().map_or(ranges.as_slice(), std::slice::from_ref);
            passage.snippet = snippet(&passage.content, of_interest, &ranges, request);
        }
    }
    Ok(())
}

/// The sentences for the snippets of the passages without words of the query, if they are wanted.
fn nearest_sentences(
    scope: &Scope<'_>,
    passages: &[&mut Passage],
    marks: &[Vec<Range<usize>>],
    request: &SearchRequest,
) -> Result<Vec<Option<Range<usize>>>> {
    if !request.snippet_by_meaning || request.snippet_length == 0 {
        return Ok(Vec::new());
    }
    let without = passages.iter().zip(marks).filter(|(_, marks)| marks.is_empty());
    let texts: Vec<&str> = without.map(|(passage, _)| passage.content.as_str()).collect();
    sentence::nearest(scope, &texts, request.snippet_length)
}

/// The snippet of a text in HTML: the fragments `of_interest`, with the words of the query, `marks`, marked; `None` where
/// none is wanted.
fn snippet(
    content: &str,
    of_interest: &[Range<usize>],
    marks: &[Range<usize>],
    request: &SearchRequest,
) -> Option<String> {
    if request.snippet_length == 0 {
        return None;
    }
    let [before, after] = &request.marks;
    let mut snippet = String::new();
    let mut done = 0;
    for fragment in fragments(content, of_interest, request.snippet_length) {
        let text = &content[fragment.clone()];
        let within = marks.iter().filter(|range| range.start >= fragment.start && range.end <= fragment.end);
        let within: Vec<Range<usize>> =
            within.map(|range| range.start - fragment.start..range.end - fragment.start).collect();
        if !content[done..fragment.start].trim().is_empty() {
            snippet.push_str(if snippet.is_empty() { "" } else { " " });
            snippet.push_str(ELLIPSIS);
        }
        snippet.push_str(if snippet.is_empty() { "" } else { " " });
        snippet.push_str(&highlight(text, &within, before, after, true));
        done = fragment.end;
    }
    if !content[done..].trim().is_empty() {
        snippet.push(' ');
        snippet.push_str(ELLIPSIS);
    }
    Some(snippet)
}
