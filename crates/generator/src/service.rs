//! Serves requests: each has a thread that loads its model, writes and tokenizes its prompt, and hands it to the thread that
//! computes.

use crate::batcher::Prepared;
use crate::decoder::Decoder;
use crate::llama::model::Model;
use crate::prompt::{self, Prompt};
use crate::request::{Answer, OwnedMessage, Request, Task, borrowed};
use crate::statistics::Statistics;
use crate::store::Store;
use crate::template::Template;
use crate::trial::{self, Trial};
use socle_child::fork_server::ForkServer;
use socle_child::panic_message;
use socle_core::generator::{GeneratorOverrides, GeneratorSpec};
use socle_core::protocol::{GeneratorResponse, GeneratorSettings};
use socle_core::{Error, Kind, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

/// Most requests in progress, waiting ones included.
pub const MAX_REQUESTS: usize = 128;

/// Most bytes of a conversation for each token of the context: far more than any text has.
const MAX_BYTES_PER_TOKEN: usize = 64;

/// What requests are served with.
#[derive(Debug)]
pub struct Service {
    /// The settings of the program.
    pub settings: GeneratorSettings,
    /// Threads that compute.
    pub threads: u32,
    /// The models in memory.
    pub store: Store,
    /// The thread that computes.
    pub decoder: Decoder,
    /// Forks the processes in which models are tried.
    pub fork_server: ForkServer,
    /// Held during a trial, one at a time: each may take the memory that the generator may have.
    pub trial: Mutex<()>,
    /// Counters.
    pub statistics: Arc<Statistics>,
}

impl Service {
    /// Serves a request on a thread of its own.
    pub fn begin(self: &Arc<Self>, request: Request, task: Task) {
        let service = self.clone();
        let failing = request.clone();
        let thread = std::thread::Builder::new().name("socle request".into());
        let spawned = thread.spawn(move || {
            let served = catch_unwind(AssertUnwindSafe(|| service.serve(&request, task)));
            let result = served.unwrap_or_else(|panic| {
                Err(Error::new(Kind::Bug, "the generator failed").detail(panic_message(panic.as_ref())))
            });
            if let Err(error) = result {
                service.statistics.record_response();
                request.fail(error);
            }
        });
        if let Err(error) = spawned {
            failing.fail(Error::new(Kind::OutOfMemory, "could not start a thread").detail(error.to_string()));
        }
    }

    fn serve(&self, request: &Request, task: Task) -> Result<()> {
        match task {
            Task::Inspect { name, file, overrides } => self.inspect(request, name, file, overrides),
            Task::Count { generator, messages } => {
                check_size(&generator, &messages).map_err(|error| too_large_to_count(&generator, error))?;
                let loaded = self.store.get(&generator, &|| request.is_cancelled())?;
                let count = write(&loaded.model, loaded.template, &messages).tokens.len();
                self.statistics.record_response();
                request.respond(&GeneratorResponse::Count(count as u32));
                Ok(())
            }
            Task::Generate { generator, messages, answer } => self.generate(request, &generator, &messages, answer),
        }
    }

    fn inspect(&self, request: &Request, name: String, file: String, overrides: GeneratorOverrides) -> Result<()> {
        let trial = Trial {
            name,
            file,
            overrides,
            model_directory: self.settings.model_directory.clone(),
            library_directory: self.settings.library_directory.clone(),
            threads: self.threads,
            memory_limit_bytes: self.settings.memory_limit_bytes,
        };
        let _turn = self.trial.lock().unwrap_or_else(PoisonError::into_inner);
        let inspection = trial::run(&self.fork_server, &trial, &|| request.is_cancelled())?;
        self.statistics.record_response();
        request.respond(&GeneratorResponse::Inspected(Box::new(inspection)));
        Ok(())
    }

    fn generate(
        &self,
        request: &Request,
        generator: &GeneratorSpec,
        messages: &[OwnedMessage],
        answer: Box<Answer>,
    ) -> Result<()> {
        check_size(generator, messages)?;
        let loaded = self.store.get(generator, &|| request.is_cancelled())?;
        let prompt = write(&loaded.model, loaded.template, messages);
        let needed = prompt.tokens.len() + answer.max_tokens;
        if needed > generator.context_tokens as usize {
            return Err(too_long(generator).detail(format!(
                "The conversation has {} tokens and the answer may have {}, the context of generator \"{}\" has {}.",
                prompt.tokens.len(),
                answer.max_tokens,
                generator.name,
                generator.context_tokens
            )));
        }
        self.decoder.submit((loaded, Prepared { request: request.clone(), prompt, answer }));
        Ok(())
    }
}

fn too_long(generator: &GeneratorSpec) -> Error {
    Error::new(Kind::InputTooLong, format!("the conversation is too long for generator \"{}\"", generator.name)).hint(
        "Shorten the conversation, allow the answer fewer tokens, or register the generator with more context_tokens.",
    )
}

/// The error of a conversation whose tokens are not counted.
fn too_large_to_count(generator: &GeneratorSpec, error: Error) -> Error {
    let most = generator.context_tokens as usize * MAX_BYTES_PER_TOKEN;
    Error { message: "the text is too long for its tokens to be counted".into(), ..error }.hint(format!(
        "It exceeds the context many times. Up to {most} bytes are counted for this generator: count its parts."
    ))
}

/// Refuses at once what cannot fit, so that no megabytes are tokenized for nothing.
fn check_size(generator: &GeneratorSpec, messages: &[OwnedMessage]) -> Result<()> {
    let bytes: usize = messages.iter().map(|(_, content)| content.len()).sum();
    let most = generator.context_tokens as usize * MAX_BYTES_PER_TOKEN;
    if bytes > most {
        return Err(too_long(generator).detail(format!(
            "The conversation has {bytes} bytes, the context of generator \"{}\" has {} tokens.",
            generator.name, generator.context_tokens
        )));
    }
    Ok(())
}

fn write(model: &Model, template: Template, messages: &[OwnedMessage]) -> Prompt {
    prompt::tokens(model, &template.write(&borrowed(messages)))
}
