//! The question and the options of its search, which the functions of this room share.

use crate::model;
use crate::pg::arguments::Arguments;
use crate::pg::gucs;
use crate::search::omission::notice;
use crate::search::request::{self, Mode, SearchRequest};
use socle_core::protocol::QuerySyntax;
use socle_core::{Error, Kind, Result, language};

/// Search results that passages are made from: by default, and at most.
const DEFAULT_PASSAGES: usize = 20;
const MAX_PASSAGES: i32 = 100;

/// Most chunks on each side of a result that become one passage with it.
const MAX_NEIGHBOURS: i32 = 100;

/// Longest question that a cross-encoder reads, in bytes: question and passage share its window, 512 tokens as a rule.
const MAX_RERANKED_QUESTION: usize = 1_000;

/// Reads a question, and the options of its search from argument number `first` on. `None` without a question.
///
/// # Errors
/// `InvalidArgument` for what is outside its range or contradicts itself, `UnknownModel` for a reranker.
pub fn read(arguments: Arguments, first: usize) -> Result<Option<SearchRequest>> {
    let Some(question) = arguments.content(1, "question")? else { return Ok(None) };
    if question.trim().is_empty() {
        return Err(Error::new(Kind::InvalidArgument, "question must not be empty or only white space"));
    }
    options(arguments, first, question).map(Some)
}

/// Reads the options of a search.
///
/// # Errors
/// Those of [`read`].
pub fn options(arguments: Arguments, first: usize, question: String) -> Result<SearchRequest> {
    let mut request = SearchRequest::new(question);
    request.shown = false;
    request.mode = arguments.short_text(first, "mode")?.map_or(Ok(request.mode), |name| Mode::parse(&name))?;
    request.filter = arguments.json(first + 1);
    let named = arguments.short_text(first + 2, "rerank_model")?;
    request.reranker =
        named.or_else(gucs::own_default_rerank_model).map(|name| model::rerank_model(Some(name))).transpose()?;
    request.rerank_count = request::rerank_count(arguments, first + 3)?.unwrap_or(request.rerank_count);
    let neighbours = request::number(arguments, first + 4, "neighbours", 0..=MAX_NEIGHBOURS)?.unwrap_or_default();
    request.neighbours = u32::try_from(neighbours).unwrap_or_default();
    request.language =
        arguments.short_text(first + 5, "language")?.map(|name| language::canonical(&name)).transpose()?;
    let syntax = arguments.short_text(first + 6, "query_syntax")?;
    request.syntax = syntax.map_or(Ok(request.syntax), |name| QuerySyntax::named(&name))?;
    request.min_similarity = arguments.f64(first + 7);
    request.min_rerank = arguments.f64(first + 8);
    request.boost = arguments.json(first + 9);
    request.vector_optional = arguments.boolean(first + 10).unwrap_or_default();
    let limit = request::number(arguments, first + 11, "passage_limit", 1..=MAX_PASSAGES)?;
    request.limit = limit.unwrap_or(DEFAULT_PASSAGES);
    request.candidate_count = request.candidate_count.max(request.limit);
    request.rerank_count = request.rerank_count.max(request.limit);
    if request.reranker.is_some() && request.query.len() > MAX_RERANKED_QUESTION {
        (request.reranker, request.min_rerank) = (None, None);
        notice(
            &format!("the question has more than {MAX_RERANKED_QUESTION} bytes: its passages are not reranked"),
            "A cross-encoder reads question and passage together. Ask for one thing in one sentence.",
        );
    }
    request.check()?;
    Ok(request)
}
