//! The question and the options of its search, which the functions of this room share.

use crate::engine_client;
use crate::model;
use crate::pg::arguments::Arguments;
use crate::pg::gucs;
use crate::search::omission::notice;
use crate::search::request::{self, Mode, SearchRequest};
use socle_core::model::ModelSpec;
use socle_core::protocol::{QuerySyntax, Request, Response};
use socle_core::{Error, Kind, Result, language};

/// Search results that passages are made from: by default, and at most.
const DEFAULT_PASSAGES: usize = 20;
const MAX_PASSAGES: i32 = 100;

/// Most chunks on each side of a result that become one passage with it.
const MAX_NEIGHBOURS: i32 = 100;

/// Reads a question, and the options of its search from argument number `first` on. `None` without a question.
///
/// # Errors
/// `InvalidArgument` for what is outside its range or contradicts itself, `UnknownModel` for a reranker; those of the
/// engine.
pub fn read(arguments: Arguments, first: usize) -> Result<Option<SearchRequest>> {
    let Some(question) = arguments.content(1, "question")? else { return Ok(None) };
    if question.trim().is_empty() {
        return Err(Error::new(Kind::InvalidArgument, "question must not be empty or only white space"));
    }
    let mut request = options(arguments, first, question)?;
    spare_reranker(&mut request)?;
    Ok(Some(request))
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
    request.check()?;
    Ok(request)
}

/// Leaves out the reranker for a question that takes more than half of its window, which question and passage share.
///
/// # Errors
/// `InvalidArgument` where a least score by the reranker is asked for; those of the engine.
pub fn spare_reranker(request: &mut SearchRequest) -> Result<()> {
    let Some(model) = &request.reranker else { return Ok(()) };
    let most = model.max_tokens as usize / 2;
    // A token has at least one byte.
    if request.query.len() <= most || tokens(model.clone(), &request.query)? <= most {
        return Ok(());
    }
    if request.min_rerank.is_some() {
        return Err(Error::new(
            Kind::InvalidArgument,
            "min_rerank is not possible: the question is too long to rerank",
        )
        .detail(format!("It has more than {most} tokens, half of the window of model \"{}\".", model.name))
        .hint("Ask for one thing in one sentence, or omit min_rerank."));
    }
    notice(
        &format!("the question has more than {most} tokens: its passages are not reranked"),
        "A reranker reads question and passage together. Ask for one thing in one sentence.",
    );
    request.reranker = None;
    Ok(())
}

/// Number of tokens of a text as `socle.count_tokens` counts them.
///
/// # Errors
/// Those of the engine.
pub fn tokens(model: ModelSpec, content: &str) -> Result<usize> {
    match engine_client::ask(Request::CountTokens { model, content })?.pop() {
        Some(Response::Count(count)) => Ok(count as usize),
        Some(Response::Failed { error, .. }) => Err(error),
        _ => Err(engine_client::unexpected()),
    }
}
