//! Requests whose model runs on an endpoint: they go to the egress process, and their answers come in the form of those of the
//! engine, so that whoever asks need not know where a model runs.
//!
//! The probe of an embedding model comes with every request, and no vector is passed on unless it is that of the registration.
//! That of a reranker is asked for once in a while.

use crate::egress_client::{self, Computation};
use socle_core::endpoint::dialect::numbers::Vectors;
use socle_core::endpoint::served::{PROBE_DOCUMENTS, PROBE_QUERY, PROBE_TEXT};
use socle_core::endpoint::{ServedModel, estimated_tokens};
use socle_core::model::{ModelKind, ModelSpec};
use socle_core::protocol::{Request, Response, Role};
use socle_core::{Error, Kind, Result};
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Most requests to endpoints at a time: enough to keep a server busy while answers are read.
const MAX_UNDER_WAY: usize = 4;

/// Time after which the probe of a reranker is asked for again by the same session.
const PROBE_INTERVAL: Duration = Duration::from_secs(300);

/// Bytes of a token, at least; see [`estimated_tokens`].
const BYTES_PER_TOKEN: usize = 3;

thread_local! {
    /// When the probe of a reranker was last as it should be, by its digest.
    static PROBED: RefCell<HashMap<String, Instant>> = RefCell::default();
}

/// A request that was sent, or why it was not, with the text that is to blame.
struct UnderWay {
    number: usize,
    model: ModelSpec,
    computation: Result<Computation, (Error, Option<u32>)>,
    /// Bytes of its texts.
    bytes: usize,
}

/// Requests of one exchange that are not for the engine.
#[derive(Default)]
pub struct Elsewhere {
    under_way: VecDeque<UnderWay>,
    done: Vec<(usize, Response)>,
}

impl Elsewhere {
    /// Takes a request that is not for the engine, and sends it. Returns any other, with the model whose tokens are counted.
    ///
    /// # Errors
    /// `Cancelled` while it waits for its turn.
    pub fn take<'a>(&mut self, number: usize, request: Request<'a>) -> Result<Option<Request<'a>>> {
        match request {
            Request::Embed { model, role, truncate, heads, contents } if model.served.is_some() => {
                self.make_room();
                let computation = embed(&model, role, truncate, &heads, &contents);
                let bytes = contents.iter().map(|content| content.len()).sum();
                self.under_way.push_back(UnderWay { number, model, computation, bytes });
            }
            Request::Rerank { model, truncate, query, documents } if model.served.is_some() => {
                self.make_room();
                let computation = rerank(&model, truncate, query, documents).map_err(|error| (error, None));
                self.under_way.push_back(UnderWay { number, model, computation, bytes: 0 });
            }
            Request::CountTokens { model, content } if model.served.is_some() => {
                let Some(tokenizer) = tokenizer(&model) else {
                    self.done.push((number, Response::Count(estimate(&model.passage_prefix, content))));
                    return Ok(None);
                };
                return Ok(Some(Request::CountTokens { model: tokenizer, content }));
            }
            Request::Chunk { model: Some(model), max_size, overlap, format, previous, content }
                if tokenizer(&model).is_some() =>
            {
                let model = tokenizer(&model);
                return Ok(Some(Request::Chunk { model, max_size, overlap, format, previous, content }));
            }
            other => return Ok(Some(other)),
        }
        Ok(None)
    }

    /// Waits for the oldest request if there are as many as there may be.
    fn make_room(&mut self) {
        if self.under_way.len() >= MAX_UNDER_WAY
            && let Some(oldest) = self.under_way.pop_front()
        {
            self.done.push(oldest.answer());
        }
    }

    /// Passes on all answers.
    ///
    /// # Errors
    /// Whatever `answer` returns.
    pub fn finish(mut self, answer: &mut dyn FnMut(usize, Vec<Response>) -> Result<()>) -> Result<()> {
        for (number, response) in std::mem::take(&mut self.done) {
            answer(number, vec![response])?;
        }
        while let Some(next) = self.under_way.pop_front() {
            let (number, response) = next.answer();
            answer(number, vec![response])?;
        }
        Ok(())
    }
}

impl UnderWay {
    fn answer(self) -> (usize, Response) {
        let Self { number, model, computation, bytes } = self;
        let read = |computation| match model.kind {
            ModelKind::Embedding => vectors(&model, computation, bytes).map_err(|error| blamed(&model, error)),
            _ => scores(&model, computation),
        };
        let response = computation.and_then(|computation| read(computation).map_err(|error| (error, None)));
        (number, response.unwrap_or_else(|(error, item)| Response::Failed { error, item }))
    }
}

/// Asks a server for the probe of a model that is to be registered.
///
/// # Errors
/// Those of [`Computation`].
pub fn probe(served: &ServedModel, kind: ModelKind) -> Result<(Option<String>, Vec<f32>)> {
    if kind == ModelKind::Embedding {
        let Vectors { model, values, .. } = Computation::embed(served, false, vec![PROBE_TEXT])?.vectors()?;
        return Ok((model, values));
    }
    let scores = Computation::rerank(served, false, PROBE_QUERY, PROBE_DOCUMENTS.to_vec())?.scores()?;
    Ok((scores.model, scores.values))
}

fn served(model: &ModelSpec) -> Result<&ServedModel> {
    model.served.as_deref().ok_or_else(super::unexpected)
}

/// The model whose tokenizer counts for one that has none here.
fn tokenizer(model: &ModelSpec) -> Option<ModelSpec> {
    model.served.as_ref()?.tokenizer.as_deref().cloned()
}

fn estimate(prefix: &str, content: &str) -> u32 {
    u32::try_from(estimated_tokens(prefix.len() + content.len(), 0)).unwrap_or(u32::MAX)
}

fn embed(
    model: &ModelSpec,
    role: Role,
    truncate: bool,
    heads: &[&str],
    contents: &[&str],
) -> Result<Computation, (Error, Option<u32>)> {
    let prefix = if role == Role::Query { &model.query_prefix } else { &model.passage_prefix };
    let texts = contents.iter().enumerate().map(|(at, content)| {
        let head = heads.get(at).copied().unwrap_or_default();
        fitted(model, prefix, head, content, truncate).map_err(|error| (error, u32::try_from(at).ok()))
    });
    let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
    // The probe comes last.
    let texts = texts.iter().map(String::as_str).chain([PROBE_TEXT]).collect();
    let asked = served(model).and_then(|served| Computation::embed(served, truncate, texts));
    asked.map_err(|error| (error, None))
}

/// A text with its prefix and as much of its head as the window has room for, by estimate. With a tokenizer, the text was
/// counted before.
fn fitted(model: &ModelSpec, prefix: &str, head: &str, content: &str, truncate: bool) -> Result<String> {
    let room = (model.max_tokens as usize * BYTES_PER_TOKEN).saturating_sub(prefix.len());
    if content.len() <= room {
        let head = &head[..head.floor_char_boundary(room - content.len())];
        return Ok(format!("{prefix}{head}{content}"));
    }
    if truncate {
        return Ok(format!("{prefix}{}", &content[..content.floor_char_boundary(room)]));
    }
    if tokenizer(model).is_some() {
        return Ok(format!("{prefix}{content}"));
    }
    let (tokens, window, name) = (estimate(prefix, content), model.max_tokens, &model.name);
    Err(Error::new(Kind::InputTooLong, format!("text has {tokens} tokens, model \"{name}\" takes {window}"))
        .detail("The tokens of a model on an endpoint are estimated: one for three bytes.")
        .hint("Split the text with socle.chunk(), or SET socle.truncate_input = on."))
}

fn vectors(model: &ModelSpec, computation: Computation, bytes: usize) -> Result<Response> {
    let Vectors { model: answered, dimensions, mut values, token_count } = computation.vectors()?;
    egress_client::warn_if_cut(bytes, token_count);
    let width = dimensions as usize;
    let probe = values.split_off(values.len().saturating_sub(width));
    served(model)?.check_vector(&model.name, answered.as_deref(), &probe)?;
    Ok(Response::Vectors(values))
}

/// The error for texts that an endpoint refuses. If it refuses the probe alone in the same way, no text is at fault: the endpoint, or
/// how it was registered, is.
fn blamed(model: &ModelSpec, error: Error) -> Error {
    if !matches!(error.kind, Kind::EndpointFailed | Kind::InputTooLong) {
        return error;
    }
    let probed = served(model).and_then(|served| Computation::embed(served, false, vec![PROBE_TEXT]));
    match probed.and_then(Computation::vectors) {
        Err(again) if again.kind == error.kind => Error { kind: Kind::EndpointMisconfigured, ..error },
        _ => error,
    }
}

fn rerank(model: &ModelSpec, truncate: bool, query: &str, documents: Vec<&str>) -> Result<Computation> {
    let digest = model.digest();
    let served = served(model)?;
    let is_due = PROBED.with_borrow(|all| all.get(&digest).is_none_or(|at| at.elapsed() > PROBE_INTERVAL));
    if is_due {
        let (answered, scores) = probe(served, model.kind)?;
        served.check_scores(&model.name, answered.as_deref(), &served.scaled(scores))?;
        PROBED.with_borrow_mut(|all| all.insert(digest, Instant::now()));
    }
    Computation::rerank(served, truncate, query, documents)
}

fn scores(model: &ModelSpec, computation: Computation) -> Result<Response> {
    let served = served(model)?;
    let scores = computation.scores()?;
    if scores.model != served.answered_model {
        // Says what is wrong, and how to mend it.
        served.check_scores(&model.name, scores.model.as_deref(), &served.probe.0)?;
    }
    Ok(Response::Scores(served.scaled(scores.values)))
}
