//! Tries a model before it is registered, in a process of its own: llama.cpp ends the process that it is in on some damaged
//! files, and that must be none in which answers are in progress.

use crate::llama::context::{Context, ContextSize, Input};
use crate::llama::library;
use crate::llama::model::Model;
use crate::prompt::{self, Token};
use crate::store::{self, Memory};
use crate::template::Template;
use serde::{Deserialize, Serialize};
use socle_child::directory::ModelRoot;
use socle_child::fork_server::{EXIT_BYTES, ForkServer, ReaderExit, ReaderLimits};
use socle_child::{panic_message, process, sandbox};
use socle_core::generator::{
    GeneratorInspection, GeneratorOverrides, GeneratorSpec, Message, MessageRole, TemplateSource,
};
use socle_core::model::ModelFile;
use socle_core::{Error, Kind, Result};
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Longest time of a trial in seconds: reading a large file takes minutes on a slow disk.
const TIMEOUT_SECONDS: u32 = 900;

/// Address space of a trial beside the model, in bytes: libraries, stacks, buffers.
const ADDRESS_SPACE: u64 = 4 << 30;

/// Interval at which a wait checks whether the request was cancelled.
const CANCEL_INTERVAL: Duration = Duration::from_millis(50);

/// Longest context unless the caller states one: more takes memory that few use.
const DEFAULT_CONTEXT_TOKENS: u32 = 8192;

/// Shortest context.
const MIN_CONTEXT_TOKENS: u32 = 128;

/// Most tokens of one run of a trial: more than a greeting has.
const TRIAL_BATCH: u32 = 512;

/// Tokens that a trial generates.
const TRIAL_TOKENS: usize = 4;

/// What is to be tried.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Trial {
    /// Name to register.
    pub name: String,
    /// Path of the file.
    pub file: String,
    /// Properties stated by the caller.
    pub overrides: GeneratorOverrides,
    /// `socle.model_directory`.
    pub model_directory: String,
    /// Directory of the libraries.
    pub library_directory: String,
    /// Threads that compute.
    pub threads: u32,
    /// `socle.generator_memory_limit` in bytes.
    pub memory_limit_bytes: u64,
}

/// Tries a model in a process of its own.
///
/// # Errors
/// What is wrong with the file or the properties; `DamagedModelFile` when the process crashed or did not end, `Cancelled` when
/// the request was.
pub fn run(fork_server: &ForkServer, trial: &Trial, cancelled: &dyn Fn() -> bool) -> Result<GeneratorInspection> {
    let broken = |error: &dyn std::fmt::Display| {
        Error::new(Kind::EngineUnavailable, "could not start a process to try the model").detail(error.to_string())
    };
    // Here too, so that a missing file does not take a process.
    let bytes = ModelRoot::open(Path::new(&trial.model_directory))?.open_file(&trial.file)?.bytes;
    let (mut ours, theirs) = UnixStream::pair().map_err(|error| broken(&error))?;
    ours.set_read_timeout(Some(CANCEL_INTERVAL)).map_err(|error| broken(&error))?;
    let memory = trial.memory_limit_bytes.saturating_add(2 * bytes).saturating_add(ADDRESS_SPACE);
    let limits = ReaderLimits { processor_seconds: TIMEOUT_SECONDS, seconds: TIMEOUT_SECONDS, memory_bytes: memory };
    fork_server.spawn(&theirs, limits).map_err(|error| broken(&error))?;
    drop(theirs);
    let task = postcard::to_stdvec(trial).map_err(|error| broken(&error))?;
    // An error means that the process has ended, which its exit tells.
    let _ = ours.write_all(&task);
    let _ = ours.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    loop {
        match ours.read(&mut part) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(part.get(..count).unwrap_or_default()),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) =>
            {
                if cancelled() {
                    // Closing the socket has the process killed.
                    return Err(Error::new(Kind::Cancelled, "registering a generator was cancelled"));
                }
            }
            Err(_) => break,
        }
    }
    let Some((answer, exit)) = answer.split_last_chunk::<EXIT_BYTES>() else {
        return Err(broken(&"the fork server has ended"));
    };
    match ReaderExit::from_bytes(*exit) {
        ReaderExit::Exited(0) => {
            postcard::from_bytes::<Result<GeneratorInspection>>(answer).map_err(|error| broken(&error))?
        }
        exit => Err(ended(exit, &trial.file)),
    }
}

/// The error of a file whose trial ended like this.
fn ended(exit: ReaderExit, file: &str) -> Error {
    let why = match exit {
        ReaderExit::TimedOut | ReaderExit::Signalled(libc::SIGXCPU) => {
            format!("It took longer than {TIMEOUT_SECONDS} s.")
        }
        ReaderExit::Signalled(signal) => format!("llama.cpp crashed with signal {signal}."),
        ReaderExit::Exited(status) => format!("Its process ended with status {status}."),
        ReaderExit::SpawnFailed(error) => {
            return Error::new(Kind::EngineUnavailable, "could not start a process to try the model")
                .detail(io::Error::from_raw_os_error(error).to_string());
        }
    };
    Error::new(Kind::DamagedModelFile, format!("model file \"{file}\" failed its trial run"))
        .detail(why)
        .hint("The file is damaged, or needs more memory than socle.generator_memory_limit permits.")
}

/// Runs a trial in the process that was just forked, and exits.
pub fn serve(socket: OwnedFd, fork_server_pid: u32, timeout: Duration, memory: u64) -> ! {
    let served = try_and_answer(socket, fork_server_pid, timeout, memory);
    process::exit_now(if served.is_ok() { 0 } else { 1 })
}

fn try_and_answer(socket: OwnedFd, fork_server_pid: u32, timeout: Duration, memory: u64) -> io::Result<()> {
    let mut stream = process::become_reader(c"socle trial", socket, timeout, memory)?;
    if !process::is_child_of(fork_server_pid) {
        return Ok(());
    }
    let mut task = Vec::new();
    stream.read_to_end(&mut task)?;
    let trial: Trial = postcard::from_bytes(&task).map_err(io::Error::other)?;
    let packages = socle_child::directory::packages();
    sandbox::enter(&[Path::new(&trial.model_directory), Path::new(&trial.library_directory), &packages], None);
    std::panic::set_hook(Box::new(|_| {}));
    let result = catch_unwind(AssertUnwindSafe(|| inspect(&trial))).unwrap_or_else(|panic| {
        Err(Error::new(Kind::Bug, "trying the model failed").detail(panic_message(panic.as_ref())))
    });
    stream.write_all(&postcard::to_stdvec(&result).map_err(io::Error::other)?)
}

fn inspect(trial: &Trial) -> Result<GeneratorInspection> {
    let functions = library::load(Path::new(&trial.library_directory))?;
    let mut opened = ModelRoot::open(Path::new(&trial.model_directory))?.open_file(&trial.file)?;
    let sha256 = opened.sha256(&|| true)?;
    let model = Model::load(functions, opened.file.as_fd(), true, &|| true)
        .map_err(|said| store::unusable(&trial.file, &said))?;
    let refused =
        |message: &str| Error::new(Kind::DamagedModelFile, format!("model file \"{}\" {message}", trial.file));
    if !model.is_generator() {
        return Err(refused("is not of a model that generates text"));
    }
    let (template, template_source) = template(&model, &trial.overrides)?;
    let trained = model.trained_context_tokens();
    let context_tokens = context_tokens(trained, trial.overrides.context_tokens)?;
    let memory_bytes = Memory::of(&model).with_tokens(context_tokens.into());
    if memory_bytes > trial.memory_limit_bytes {
        return Err(Error::new(Kind::OutOfMemory, format!("no room for generator \"{}\"", trial.name))
            .detail(format!(
                "It needs {} MB with a context of {context_tokens} tokens, socle.generator_memory_limit is {} MB.",
                memory_bytes.div_ceil(1 << 20),
                trial.memory_limit_bytes >> 20
            ))
            .hint("Raise socle.generator_memory_limit, or state fewer context_tokens."));
    }
    let digest = GeneratorSpec::digest_of(&sha256, template.name(), context_tokens);
    let file = ModelFile { path: trial.file.clone(), bytes: opened.bytes, sha256 };
    let inspection = GeneratorInspection {
        spec: GeneratorSpec {
            name: trial.name.clone(),
            file,
            template: template.name().into(),
            context_tokens,
            digest,
        },
        architecture: model.property("general.architecture").unwrap_or_default(),
        parameter_count: model.parameter_count(),
        quantization: model.quantization(),
        trained_context_tokens: trained,
        memory_bytes,
        license: model.property("general.license").filter(|license| !license.is_empty()),
        template_source,
    };
    generate(&Arc::new(model), template, context_tokens, trial.threads)
        .map_err(|why| refused("failed its trial run").detail(why))?;
    Ok(inspection)
}

/// The template that the caller states, or that of the file.
fn template(model: &Model, overrides: &GeneratorOverrides) -> Result<(Template, TemplateSource)> {
    let names = Template::names().collect::<Vec<_>>().join(", ");
    let invalid = |message: String| Error::new(Kind::InvalidArgument, message);
    let hint = "State the template that the model was trained with.";
    let (template, source) = match &overrides.template {
        Some(name) => {
            let unknown =
                || invalid(format!("there is no chat template \"{name}\"")).detail(format!("There are {names}."));
            (Template::parse(name).ok_or_else(unknown)?, TemplateSource::Stated)
        }
        None => {
            let recognized = model.chat_template().and_then(|text| Template::recognize(&text));
            let unknown = || {
                invalid("the chat template of the model is none of the built-in ones".into())
                    .detail(format!("Built in are {names}."))
                    .hint(hint)
            };
            (recognized.ok_or_else(unknown)?, TemplateSource::File)
        }
    };
    match template.marks().iter().find(|mark| prompt::mark_token(model, mark).is_none()) {
        Some(mark) => Err(invalid(format!("the chat template \"{}\" is not that of the model", template.name()))
            .detail(format!("The vocabulary of the model has no token \"{mark}\"."))
            .hint(hint)),
        None => Ok((template, source)),
    }
}

fn context_tokens(trained: u32, stated: Option<u32>) -> Result<u32> {
    match stated {
        None => Ok(trained.min(DEFAULT_CONTEXT_TOKENS)),
        Some(stated) if (MIN_CONTEXT_TOKENS..=trained).contains(&stated) => Ok(stated),
        Some(stated) => Err(Error::new(Kind::InvalidArgument, format!("a context of {stated} tokens is not possible"))
            .detail(format!("The model has a context of {MIN_CONTEXT_TOKENS} to {trained} tokens."))),
    }
}

/// Generates a few tokens.
fn generate(model: &Arc<Model>, template: Template, context_tokens: u32, threads: u32) -> Result<(), String> {
    let size = ContextSize { tokens: context_tokens, sequences: 1, batch: TRIAL_BATCH, threads };
    let mut context = Context::new(model, size, Box::new(|| false))?;
    let greeting = Message { role: MessageRole::User, content: "Hello" };
    let mut tokens = prompt::tokens(&**model, &template.write(&[greeting])).tokens;
    let mut position = 0;
    for _ in 0..TRIAL_TOKENS {
        let last = tokens.len().saturating_sub(1);
        let input = |(at, token): (usize, &Token)| Input {
            sequence: 0,
            position: position + at,
            token: *token,
            output: at == last,
        };
        let inputs: Vec<Input> = tokens.iter().enumerate().map(input).collect();
        context
            .run(&inputs)
            .map_err(|error| format!("llama.cpp returned an error ({error:?}): {}", library::take_log()))?;
        let logits = context.logits(last);
        if logits.is_empty() || logits.iter().any(|logit| !logit.is_finite()) {
            return Err("It computes numbers that are not finite.".into());
        }
        let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap_or_default();
        position += tokens.len();
        tokens = vec![best as Token];
    }
    Ok(())
}
