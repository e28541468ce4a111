//! The messages between backends and the generator. Frames, the socket to the supervisor and the exchange of versions are
//! those of the engine.
//!
//! A connection has one request in progress at a time. A backend cancels a request by closing the connection.

use crate::Error;
use crate::generator::{Constraint, Finish, GeneratorInspection, GeneratorOverrides, GeneratorSpec, Message};
use serde::{Deserialize, Serialize};

/// Incremented with every change of a message, as [`super::PROTOCOL_VERSION`] is for the engine.
pub const GENERATOR_PROTOCOL_VERSION: u32 = 2;

/// Socket of the generator, in [`super::RUNTIME_DIRECTORY`].
pub const GENERATOR_SOCKET: &str = "generator.sock";
/// Lock file held by the generator of a cluster.
pub const GENERATOR_LOCK: &str = "generator.lock";
/// Contains the reason while there is no generator.
pub const GENERATOR_FAILURE_FILE: &str = "generator.failure";

/// Maximum length of a frame to the generator in bytes.
pub const MAX_GENERATOR_FRAME: usize = 16 << 20;

/// A request from a backend to the generator.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum GeneratorRequest<'a> {
    /// First message on every connection. Answered by [`GeneratorResponse::Welcome`], or by
    /// [`GeneratorResponse::Goodbye`] if the generator exits to be replaced by a newer executable.
    Hello {
        /// [`GENERATOR_PROTOCOL_VERSION`] of the backend.
        protocol: u32,
    },
    /// Reads, validates and test-runs a model before registration, answered by [`GeneratorResponse::Inspected`].
    Inspect {
        /// Name to register.
        name: &'a str,
        /// Path of the file relative to `socle.model_directory`.
        file: &'a str,
        /// Properties stated by the caller.
        overrides: GeneratorOverrides,
    },
    /// The number of tokens of a conversation as `Generate` would send it to the model, answered by
    /// [`GeneratorResponse::Count`].
    CountTokens {
        /// The generator.
        generator: GeneratorSpec,
        /// The conversation.
        #[serde(borrow)]
        messages: Vec<Message<'a>>,
    },
    /// The next message of a conversation, answered by [`GeneratorResponse::Text`]s and a
    /// [`GeneratorResponse::Generated`].
    Generate {
        /// The generator.
        generator: GeneratorSpec,
        /// The conversation.
        #[serde(borrow)]
        messages: Vec<Message<'a>>,
        /// Largest number of tokens of the answer.
        max_tokens: u32,
        /// 0 takes the most likely token each time; 1 draws tokens with the probabilities of the model.
        temperature: f32,
        /// Makes a drawn answer repeatable; `None` draws another one each time.
        seed: Option<u64>,
        /// Texts before which the answer ends.
        #[serde(borrow)]
        stop: Vec<&'a str>,
        /// What the answer has to look like.
        #[serde(borrow)]
        constraint: Constraint<'a>,
    },
    /// Requests the state of the generator, answered by [`GeneratorResponse::Report`].
    Report,
}

/// A response from the generator to a backend.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum GeneratorResponse {
    /// The connection is established.
    Welcome {
        /// Process id of the generator.
        pid: u32,
    },
    /// The request is in progress; sent every [`super::ALIVE_INTERVAL_SECONDS`] to a waiting backend.
    Alive,
    /// The generator exits regularly; an unanswered request is to be sent to its successor.
    Goodbye,
    /// The generator as it can be registered.
    Inspected(Box<GeneratorInspection>),
    /// A number of tokens.
    Count(u32),
    /// A piece of the answer, in order: whole characters, never empty.
    Text(String),
    /// The answer is complete.
    Generated {
        /// Tokens of the conversation.
        prompt_tokens: u32,
        /// Tokens of the answer.
        answer_tokens: u32,
        /// Why it ended.
        finish: Finish,
    },
    /// The state of the generator.
    Report(Box<GeneratorReport>),
    /// The request failed.
    Failed {
        /// The error.
        error: Error,
    },
}

impl GeneratorResponse {
    /// Whether no more responses follow to the same request.
    pub fn is_last(&self) -> bool {
        !matches!(self, Self::Alive | Self::Text(_))
    }
}

/// The state of the generator.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct GeneratorReport {
    /// Process id.
    pub pid: u32,
    /// Start, in seconds since 1970.
    pub started_at: f64,
    /// How many generators ended by a failure before this one under the same supervisor.
    pub restart_count: u32,
    /// [`super::VERSION`] of the generator.
    pub version: String,
    /// Version of llama.cpp; `None` until a model was loaded.
    pub library_version: Option<String>,
    /// Threads that compute.
    pub thread_count: u32,
    /// Resident memory in bytes.
    pub memory_bytes: u64,
    /// `socle.generator_memory_limit` in bytes.
    pub memory_limit_bytes: u64,
    /// Models in memory.
    pub generators: Vec<LoadedGenerator>,
    /// Connections of backends.
    pub connection_count: u32,
    /// Requests in progress.
    pub running: u32,
    /// Requests that wait.
    pub queued: u32,
    /// Requests answered, successfully or not.
    pub request_count: u64,
    /// Tokens of conversations that were computed; tokens taken from the prompt cache are not counted.
    pub prompt_token_count: u64,
    /// Tokens of answers.
    pub answer_token_count: u64,
    /// Tokens of answers per second over the last ten seconds.
    pub tokens_per_second: f64,
    /// Median time from the request to the first token, of the last 1,000 requests, in milliseconds.
    pub first_token_p50_ms: Option<f64>,
    /// How the generator is kept off the network.
    pub network: String,
    /// How the generator is kept off other files.
    pub files: String,
}

/// A model in the memory of the generator.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct LoadedGenerator {
    /// [`GeneratorSpec::digest`].
    pub digest: String,
    /// Memory of weights, context and buffers in bytes.
    pub memory_bytes: u64,
    /// Start of its loading, in seconds since 1970.
    pub loaded_at: f64,
    /// Last use, in seconds since 1970.
    pub used_at: f64,
}

/// First message of the supervisor to the generator, over the control socket.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct GeneratorSettings {
    /// Process id of the supervisor, the parent of the generator.
    pub supervisor_pid: u32,
    /// Process id of the postmaster.
    pub postmaster_pid: u32,
    /// How many generators ended by a failure before this one.
    pub restart_count: u32,
    /// `socle.generator_threads`; 0 means half of the processors.
    pub threads: u32,
    /// `socle.generator_memory_limit` in bytes.
    pub memory_limit_bytes: u64,
    /// `socle.model_directory`, absolute.
    pub model_directory: String,
    /// Directory of the llama.cpp libraries, absolute.
    pub library_directory: String,
    /// Seconds without a request after which the generator exits with status 0; 0 means never.
    pub idle_timeout_seconds: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::{MessageRole, TemplateSource};
    use crate::model::ModelFile;
    use crate::protocol::{FrameBuffer, ToGenerator, encode};
    use proptest::prelude::*;

    fn spec() -> GeneratorSpec {
        GeneratorSpec {
            name: "n".into(),
            file: ModelFile { path: "p/model.gguf".into(), bytes: 3, sha256: "s".into() },
            template: "chatml".into(),
            context_tokens: 2048,
            digest: GeneratorSpec::digest_of("s", "chatml", 2048),
        }
    }

    fn requests() -> Vec<GeneratorRequest<'static>> {
        let messages = vec![
            Message { role: MessageRole::System, content: "" },
            Message { role: MessageRole::User, content: "Straße" },
            Message { role: MessageRole::Assistant, content: "日本語" },
        ];
        let generate = |constraint| GeneratorRequest::Generate {
            generator: spec(),
            messages: messages.clone(),
            max_tokens: 256,
            temperature: 0.5,
            seed: Some(u64::MAX),
            stop: vec!["\n\n", "END"],
            constraint,
        };
        vec![
            GeneratorRequest::Hello { protocol: GENERATOR_PROTOCOL_VERSION },
            GeneratorRequest::Inspect {
                name: "n",
                file: "p/model.gguf",
                overrides: GeneratorOverrides { template: Some("chatml".into()), context_tokens: None },
            },
            GeneratorRequest::CountTokens { generator: spec(), messages: messages.clone() },
            generate(Constraint::None),
            generate(Constraint::Choices(vec!["yes", "no"])),
            generate(Constraint::JsonSchema("{}")),
            GeneratorRequest::Report,
        ]
    }

    fn responses() -> Vec<GeneratorResponse> {
        let inspection = GeneratorInspection {
            spec: spec(),
            architecture: "llama".into(),
            parameter_count: 1 << 33,
            quantization: "Q4_1".into(),
            trained_context_tokens: 8192,
            memory_bytes: 1,
            license: Some("apache-2.0".into()),
            template_source: TemplateSource::File,
        };
        let loaded = LoadedGenerator { digest: "d".into(), memory_bytes: 1, loaded_at: 1.5, used_at: 2.5 };
        let report = GeneratorReport { generators: vec![loaded], first_token_p50_ms: Some(1.0), ..Default::default() };
        vec![
            GeneratorResponse::Welcome { pid: 1 },
            GeneratorResponse::Alive,
            GeneratorResponse::Goodbye,
            GeneratorResponse::Inspected(Box::new(inspection)),
            GeneratorResponse::Count(7),
            GeneratorResponse::Text("é".into()),
            GeneratorResponse::Generated { prompt_tokens: 1, answer_tokens: 2, finish: Finish::Length },
            GeneratorResponse::Report(Box::new(report)),
            GeneratorResponse::Failed { error: Error::new(crate::Kind::OutOfMemory, "queue").hint("h") },
        ]
    }

    fn settings() -> ToGenerator {
        ToGenerator::Start(GeneratorSettings {
            supervisor_pid: 1,
            postmaster_pid: 2,
            restart_count: 3,
            threads: 4,
            memory_limit_bytes: 5,
            model_directory: "/m".into(),
            library_directory: "/l".into(),
            idle_timeout_seconds: 6,
        })
    }

    #[test]
    fn every_message_survives_its_encoding() {
        let mut buffer = FrameBuffer::default();
        for (id, request) in (1..).zip(requests()) {
            buffer.extend(&encode(id, 0, &request).unwrap());
            let frame = buffer.next_frame(MAX_GENERATOR_FRAME).unwrap().unwrap();
            assert_eq!((frame.id, frame.message::<GeneratorRequest>().unwrap()), (id, request));
        }
        for response in responses() {
            buffer.extend(&encode(1, 0, &response).unwrap());
            let frame = buffer.next_frame(MAX_GENERATOR_FRAME).unwrap().unwrap();
            assert_eq!(frame.message::<GeneratorResponse>().unwrap(), response);
        }
        buffer.extend(&encode(0, 0, &settings()).unwrap());
        let frame = buffer.next_frame(MAX_GENERATOR_FRAME).unwrap().unwrap();
        assert_eq!(frame.message::<ToGenerator>().unwrap(), settings());
    }

    #[test]
    fn an_answer_ends_with_its_summary() {
        let last: Vec<bool> = responses().iter().map(GeneratorResponse::is_last).collect();
        assert_eq!(last, [true, false, true, true, true, false, true, true, true]);
    }

    proptest! {
        /// Messages with a byte changed reach deeper into the decoder than garbage does.
        #[test]
        fn damaged_messages_never_panic(which in 0usize..7, at in 9usize..400, value in any::<u8>()) {
            let mut bytes = encode(1, 0, &requests()[which]).unwrap();
            let at = at.min(bytes.len() - 1);
            bytes[at] = value;
            let mut buffer = FrameBuffer::default();
            buffer.extend(&bytes);
            if let Ok(Some(frame)) = buffer.next_frame(MAX_GENERATOR_FRAME) {
                let _ = frame.message::<GeneratorRequest>();
            }
        }
    }
}
