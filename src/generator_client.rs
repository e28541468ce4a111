//! What a session asks of the generator: text, counts of tokens, a trial of a model, its state.
//!
//! Each request has a connection of its own. Closing it, as an error or a cancel does, ends the work on the request. No lock
//! of ours is held while waiting. The generator takes no part in row security: what it is sent is what the caller has read.

mod exchange;
mod generation;
mod registered;

pub use generation::{Generated, Generation, Options};
pub use registered::{find, is_registered, require_known, require_use, row_of, unknown};

use crate::child_client;
use crate::supervisor;
use crate::supervisor::program::GENERATOR;
use exchange::Exchange;
use socle_core::generator::{GeneratorInspection, GeneratorOverrides, GeneratorSpec, Message};
use socle_core::protocol::{
    GENERATOR_LOCK, GeneratorReport, GeneratorRequest, GeneratorResponse, MAX_GENERATOR_FRAME, encode,
};
use socle_core::{Error, Kind, Result};

/// Writes the next message of a conversation. Each piece of it is passed to `on_text` as it comes.
///
/// # Errors
/// `EngineUnavailable` when there is no generator, `NoWorkerSlot` when none can be started, `InferenceFailed` when it died
/// of the request or in the middle of the text, `OutOfMemory` when its queue is full, those of the model and the request,
/// and whatever `on_text` returns.
pub fn generate(
    generator: &GeneratorSpec,
    messages: &[Message<'_>],
    options: &Options<'_>,
    on_text: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<Generated> {
    let mut generation = Generation::start(generator, messages, options)?;
    let mut text = String::new();
    while let Some(piece) = generation.next_text()? {
        on_text(&piece)?;
        text.push_str(&piece);
    }
    generation.generated(text)
}

/// The number of tokens of a conversation as [`generate`] would send it to the model.
///
/// # Errors
/// Those of [`generate`].
pub fn count_tokens(generator: &GeneratorSpec, messages: &[Message<'_>]) -> Result<u32> {
    let request = GeneratorRequest::CountTokens { generator: generator.clone(), messages: messages.to_vec() };
    match ask(&request)? {
        GeneratorResponse::Count(count) => Ok(count),
        _ => Err(unexpected()),
    }
}

/// Reads, validates and tries a model before it is registered.
///
/// # Errors
/// Those of [`generate`], and those of the file.
pub fn inspect(name: &str, file: &str, overrides: GeneratorOverrides) -> Result<GeneratorInspection> {
    match ask(&GeneratorRequest::Inspect { name, file, overrides })? {
        GeneratorResponse::Inspected(inspection) => Ok(*inspection),
        _ => Err(unexpected()),
    }
}

/// The state of the generator, or `None` when none runs. Starts none.
///
/// # Errors
/// `EngineUnavailable` when it runs and does not answer.
pub fn report() -> Result<Option<GeneratorReport>> {
    match Exchange::with_running(frame(&GeneratorRequest::Report)?)?.map(|mut exchange| exchange.answer()) {
        None | Some(Ok(None)) => Ok(None),
        Some(Ok(Some(GeneratorResponse::Report(report)))) => Ok(Some(*report)),
        Some(Ok(Some(_))) => Err(unexpected()),
        Some(Err(error)) => Err(error),
    }
}

/// Why the supervisor could not start the generator the last time that a session asked for it.
pub fn failure() -> Option<String> {
    GENERATOR.failure().map(|(reason, _)| reason)
}

/// Whether a generator is about to listen.
pub fn is_starting() -> bool {
    supervisor::is_locked(GENERATOR_LOCK)
}

/// The answer to a request that has one.
fn ask(request: &GeneratorRequest<'_>) -> Result<GeneratorResponse> {
    Exchange::start(frame(request)?)?.answer()?.ok_or_else(unexpected)
}

fn frame(request: &GeneratorRequest<'_>) -> Result<Vec<u8>> {
    let frame = encode(1, 0, request)?;
    if frame.len() > MAX_GENERATOR_FRAME {
        return Err(Error::new(Kind::InputTooLong, "request is too large for the generator")
            .detail(format!("It has {} bytes, the limit is {MAX_GENERATOR_FRAME}.", frame.len())));
    }
    Ok(frame)
}

fn unexpected() -> Error {
    child_client::unexpected(&GENERATOR)
}
