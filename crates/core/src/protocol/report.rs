//! The state of the engine, as it reports it to a backend.

#[cfg(doc)]
use super::VERSION;
#[cfg(doc)]
use crate::model::ModelSpec;
use serde::{Deserialize, Serialize};

/// The state of the engine.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct EngineReport {
    /// Process id.
    pub pid: u32,
    /// Start, in seconds since 1970.
    pub started_at: f64,
    /// How many engines ran before this one under the same supervisor.
    pub restart_count: u32,
    /// Version of ONNX Runtime; `None` until a model was loaded.
    pub onnxruntime_version: Option<String>,
    /// Worker threads of each lane.
    pub thread_count: u32,
    /// Resident memory in bytes.
    pub memory_bytes: u64,
    /// `socle.engine_memory_limit` in bytes.
    pub memory_limit_bytes: u64,
    /// Models in memory.
    pub models: Vec<LoadedModel>,
    /// Connections of backends.
    pub connection_count: u32,
    /// Requests that wait or run, interactive lane.
    pub interactive_queue: u32,
    /// Requests that wait or run, bulk lane.
    pub bulk_queue: u32,
    /// Requests answered, successfully or not.
    pub request_count: u64,
    /// Runs of a model.
    pub batch_count: u64,
    /// Texts and pairs run.
    pub text_count: u64,
    /// Tokens run, padding not counted.
    pub token_count: u64,
    /// Tokens per second over the last ten seconds.
    pub tokens_per_second: f64,
    /// Median latency of the last 1,000 interactive requests in milliseconds.
    pub latency_p50_ms: Option<f64>,
    /// 95th percentile of the latency of the last 1,000 interactive requests in milliseconds.
    pub latency_p95_ms: Option<f64>,
    /// How the engine is kept off the network.
    pub network: String,
    /// How the engine is kept off other files.
    pub files: String,
    /// [`VERSION`] of the engine.
    pub version: String,
}

/// A model in the memory of the engine.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct LoadedModel {
    /// [`ModelSpec::digest`].
    pub digest: String,
    /// Estimated memory in bytes: the growth of the process when it was loaded.
    pub memory_bytes: u64,
    /// Start of its loading, in seconds since 1970.
    pub loaded_at: f64,
    /// Last use, in seconds since 1970.
    pub used_at: f64,
    /// Texts and pairs run.
    pub text_count: u64,
}
