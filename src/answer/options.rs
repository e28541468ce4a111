//! The question and the options of its search, which the functions of this room share.

use crate::engine_client;
use crate::model;
use crate::pg::arguments::Arguments;
use crate::pg::gucs;
use crate::search::omission::notice;
use crate::search::request::{self, Mode, SearchRequest};
use socle_core::answer::conversation::{self, Turn};
use socle_core::model::ModelSpec;
use socle_core::protocol::{FieldWeights, QuerySyntax, Request, Response};
use socle_core::{Error, Kind, Result, language};

/// Search results that passages are made from: by default, and at most.
const DEFAULT_PASSAGES: usize = 20;
const MAX_PASSAGES: i32 = 100;

/// Most chunks on each side of a result that become one passage with it.
const MAX_NEIGHBOURS: i32 = 100;

/// Of a passage that is to answer a question, the content says it: titles and headings, which tell which document is about
/// the query of a search, count as much here, and no more. Measured: `bench/README.md`.
const WEIGHTS: FieldWeights = FieldWeights { content: 1.0, title: 1.0, headings: 1.0 };

/// Where the options of a search stand among the arguments of a function.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    /// Number of the first one, the mode of the search.
    pub first: usize,
    /// Name of that.
    pub mode: &'static str,
    /// Number of `language`, among the others or not.
    pub language: usize,
}

impl Places {
    /// Those of a function with the language among the others.
    pub const fn together(first: usize) -> Self {
        Self { first, mode: "mode", language: first + 5 }
    }

    /// The number of an option, counted without the language.
    const fn at(self, option: usize) -> usize {
        let at = self.first + option;
        if self.language >= self.first && at >= self.language { at + 1 } else { at }
    }
}

/// Reads a question, and the options of its search. With an earlier conversation, the question has the words of that which
/// it refers to. `None` without a question.
///
/// # Errors
/// `InvalidArgument` for what is outside its range or contradicts itself, `UnknownModel` for a reranker; those of the
/// engine.
pub fn read(arguments: Arguments, places: Places, conversation: usize) -> Result<Option<SearchRequest>> {
    let Some(question) = question(arguments)? else { return Ok(None) };
    let question = conversation::by_rule(&question, &turns(arguments, conversation)?).unwrap_or(question);
    let mut request = options(arguments, places, question)?;
    spare_reranker(&mut request)?;
    Ok(Some(request))
}

/// The question, if it is not NULL.
///
/// # Errors
/// `InvalidArgument` for white space alone; `InputTooLong`.
pub fn question(arguments: Arguments) -> Result<Option<String>> {
    let question = arguments.content(1, "question")?;
    if question.as_ref().is_some_and(|question| question.trim().is_empty()) {
        return Err(Error::new(Kind::InvalidArgument, "question must not be empty or only white space"));
    }
    Ok(question)
}

/// The earlier turns of a conversation.
///
/// # Errors
/// Those of [`conversation::turns`].
pub fn turns(arguments: Arguments, at: usize) -> Result<Vec<Turn>> {
    Ok(arguments
        .limited_json(at, "conversation")?
        .map(|json| conversation::turns(&json))
        .transpose()?
        .unwrap_or_default())
}

/// Reads the options of a search.
///
/// # Errors
/// Those of [`read`].
pub fn options(arguments: Arguments, places: Places, question: String) -> Result<SearchRequest> {
    let mut request = SearchRequest::new(question);
    request.shown = false;
    request.weights = WEIGHTS;
    let mode = arguments.short_text(places.at(0), places.mode)?;
    request.mode = mode.map_or(Ok(request.mode), |name| Mode::parse(&name))?;
    request.filter = arguments.json(places.at(1));
    let named = arguments.short_text(places.at(2), "rerank_model")?;
    request.reranker =
        named.or_else(gucs::own_default_rerank_model).map(|name| model::rerank_model(Some(name))).transpose()?;
    request.rerank_count = request::rerank_count(arguments, places.at(3))?.unwrap_or(request.rerank_count);
    let neighbours = request::number(arguments, places.at(4), "neighbours", 0..=MAX_NEIGHBOURS)?.unwrap_or_default();
    request.neighbours = u32::try_from(neighbours).unwrap_or_default();
    request.language =
        arguments.short_text(places.language, "language")?.map(|name| language::canonical(&name)).transpose()?;
    let syntax = arguments.short_text(places.at(5), "query_syntax")?;
    request.syntax = syntax.map_or(Ok(request.syntax), |name| QuerySyntax::named(&name))?;
    request.min_similarity = arguments.f64(places.at(6));
    request.min_rerank = arguments.f64(places.at(7));
    request.boost = arguments.json(places.at(8));
    request.vector_optional = arguments.boolean(places.at(9)).unwrap_or_default();
    let limit = request::number(arguments, places.at(10), "passage_limit", 1..=MAX_PASSAGES)?;
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
