//! The messages between the supervisor and its child processes, over the control socket of each.

use super::{EgressSettings, GeneratorSettings};
use serde::{Deserialize, Serialize};

/// First message of the supervisor to the engine, over the control socket.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct EngineSettings {
    /// Process id of the supervisor, the parent of the engine.
    pub supervisor_pid: u32,
    /// Process id of the postmaster.
    pub postmaster_pid: u32,
    /// How many engines ran before this one.
    pub restart_count: u32,
    /// `socle.engine_threads`; 0 means one for each core.
    pub threads: u32,
    /// `socle.engine_memory_limit` in bytes.
    pub memory_limit_bytes: u64,
    /// `socle.engine_batch_tokens`.
    pub batch_tokens: u32,
    /// `socle.model_directory`, absolute.
    pub model_directory: String,
    /// `socle.onnxruntime_library`, absolute.
    pub onnxruntime_library: String,
}

/// A message from the supervisor to a child process, which is started with settings of type `S`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum ToChild<S> {
    /// Start serving.
    Start(S),
    /// Liveness check, answered by [`FromEngine::Pong`].
    Ping,
}

/// A message from the supervisor to the engine.
pub type ToEngine = ToChild<EngineSettings>;

/// A message from the supervisor to the generator.
pub type ToGenerator = ToChild<GeneratorSettings>;

/// A message from the supervisor to the egress process.
pub type ToEgress = ToChild<EgressSettings>;

/// A message from a child process to the supervisor.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum FromEngine {
    /// The socket is open.
    Ready,
    /// Answer to [`ToChild::Ping`].
    Pong,
    /// A line for the server log.
    Log(String),
    /// The version of the engine, its first message. Version 0.1.0 did not send it.
    Version(String),
}
