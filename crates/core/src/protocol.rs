//! What a backend and the engine say to each other over their socket.
//!
//! A frame is a length, the number of the request it belongs to, flags, and a message in postcard encoding. A backend
//! may have several requests under way; answers come in any order. Nothing here reads or writes a socket.

mod frame;
mod keyword;

use crate::Error;
use crate::chunk::{Chunk, Format};
use crate::document::{Document, ExtractLimits};
use crate::model::{Inspection, ModelOverrides, ModelSpec};
pub use frame::{Frame, FrameBuffer, encode};
pub use keyword::{
    KEYWORD_FORMAT, KeywordChunk, LeftOut, MAX_COUNTED_WORDS, MAX_HITS, MAX_OPERATORS, MAX_PHRASE_WORDS,
    MAX_PREFIX_WORDS, MAX_QUERY_WORDS, SEGMENT_PART, SegmentDigest, SegmentSummary,
};
use serde::{Deserialize, Serialize};

/// Raised with every change of a message. A backend and an engine of different versions part (see [`Request::Hello`]).
pub const PROTOCOL_VERSION: u32 = 7;

/// The version that library and engine are of. A supervisor and an engine of different versions part: neither takes anything
/// from the other but what [`VERSION_VARIABLE`], [`EXIT_OTHER_VERSION`] and [`FromEngine::Version`] say, which stay as they are.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The environment variable by which a supervisor tells the engine its version. 0.1.0 told none.
pub const VERSION_VARIABLE: &str = "SOCLE_VERSION";
/// Exit code of an engine whose supervisor is of another version.
pub const EXIT_OTHER_VERSION: i32 = 3;

/// The socket and the locks of the engine, relative to the data directory: base backups skip names that begin with
/// `pgsql_tmp`, and a relative path always fits into `sockaddr_un`.
pub const RUNTIME_DIRECTORY: &str = "socle/pgsql_tmp";
/// See [`RUNTIME_DIRECTORY`].
pub const SOCKET_NAME: &str = "engine.sock";
/// Where the supervisor is told that a database has work for a sync worker: four bytes with the OID of the database,
/// little-endian, and one that says 0 for work, 1 for more work than one worker can do, 2 from a worker that leaves, 3 from
/// one that is going to be busy with one thing for long.
pub const WAKE_SOCKET: &str = "wake.sock";
/// Where the engine caches segments of the keyword index, below [`RUNTIME_DIRECTORY`]. Its files may be deleted at any
/// time.
pub const KEYWORD_DIRECTORY: &str = "keyword";
/// Locked by the one supervisor of a cluster for as long as it lives.
pub const SUPERVISOR_LOCK: &str = "supervisor.lock";
/// Locked by the one engine of a cluster for as long as it lives.
pub const ENGINE_LOCK: &str = "engine.lock";
/// Holds the reason why there is no engine, while there is none.
pub const FAILURE_FILE: &str = "engine.failure";
/// There while workers that are wanted cannot be started, because all slots of background workers are in use.
pub const WORKERS_FILE: &str = "workers.failure";

/// Longest frame in bytes: the largest `socle.max_input_bytes` and room for the rest of its message.
pub const MAX_FRAME: usize = MAX_INPUT_BYTES + (1 << 20);
/// Upper bound of `socle.max_input_bytes`.
pub const MAX_INPUT_BYTES: usize = 256 << 20;
/// Longest frame before [`Request::Hello`] has been answered.
pub const MAX_FIRST_FRAME: usize = 4 << 10;

/// Flag: an engine died with this request under way, so it runs with no other beside it.
pub const FLAG_SUSPECT: u8 = 1;

/// Seconds between two [`Response::Alive`] frames to a backend that waits.
pub const ALIVE_INTERVAL_SECONDS: u64 = 1;

/// On whose behalf a text is embedded; decides the prefix and the lane.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Role {
    /// A query: query prefix, interactive lane.
    Query,
    /// A stored text: passage prefix, bulk lane.
    Passage,
}

/// What a backend asks of the engine.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum Request<'a> {
    /// First message on every connection. Answered by [`Response::Welcome`], or by [`Response::Goodbye`] when the
    /// engine makes way for a newer executable.
    Hello {
        /// [`PROTOCOL_VERSION`] of the backend.
        protocol: u32,
    },
    /// Vectors of texts, answered by [`Response::Vectors`].
    Embed {
        /// An embedding model.
        model: ModelSpec,
        /// Which prefix.
        role: Role,
        /// Cut texts to the window of the model instead of failing.
        truncate: bool,
        /// What is put before each text as far as the window of the model has room for it; empty for nothing.
        #[serde(borrow)]
        heads: Vec<&'a str>,
        /// The texts, without prefix.
        #[serde(borrow)]
        contents: Vec<&'a str>,
    },
    /// Scores of documents for a query, answered by [`Response::Scores`].
    Rerank {
        /// A reranker.
        model: ModelSpec,
        /// Cut documents so that the pair fits into the window of the model instead of failing.
        truncate: bool,
        /// The query.
        query: &'a str,
        /// The documents.
        #[serde(borrow)]
        documents: Vec<&'a str>,
    },
    /// The number of tokens of a text as `Embed` would send it to the model, answered by [`Response::Count`].
    CountTokens {
        /// Any model.
        model: ModelSpec,
        /// The text, without prefix.
        content: &'a str,
    },
    /// The chunks of a text, answered by one or more [`Response::Chunks`].
    Chunk {
        /// Whose tokens are counted; `None` counts characters.
        model: Option<ModelSpec>,
        /// Largest chunk in tokens or characters; `None` lets the engine choose.
        max_size: Option<u32>,
        /// Largest overlap in tokens or characters.
        overlap: u32,
        /// How to read the text.
        format: Format,
        /// Chunks of an earlier version of the text; those that are still there stay.
        #[serde(borrow)]
        previous: Vec<&'a str>,
        /// The text.
        content: &'a str,
    },
    /// The text of a file, answered by [`Response::Extracted`].
    Extract {
        /// Media type as somebody states it: a hint.
        media_type: Option<&'a str>,
        /// Name of the file: a hint.
        name: Option<&'a str>,
        /// What it may cost.
        limits: ExtractLimits,
        /// No session waits for it.
        bulk: bool,
        /// The file.
        #[serde(borrow)]
        bytes: &'a [u8],
    },
    /// Reads, checks and tries a model that is not registered yet, answered by [`Response::Inspected`].
    Inspect {
        /// Name it is going to have.
        name: &'a str,
        /// Directory relative to `socle.model_directory`.
        directory: &'a str,
        /// What the caller states.
        overrides: ModelOverrides,
    },
    /// A segment of the keyword index from chunks, answered by [`Response::SegmentPart`]s.
    KeywordBuild {
        /// Language of the chunks that name none; `None` has them detected.
        language: Option<&'a str>,
        /// The chunks, in any order, each identifier once.
        #[serde(borrow)]
        chunks: Vec<KeywordChunk<'a>>,
    },
    /// One segment from several, answered by [`Response::SegmentPart`]s or [`Response::KeywordMissing`].
    KeywordMerge {
        /// The segments.
        segments: Vec<SegmentDigest>,
        /// Chunks to leave out, in any order.
        dead: Vec<i64>,
    },
    /// The chunks of a segment, answered by [`Response::KeywordChunks`] or [`Response::KeywordMissing`].
    KeywordList {
        /// The segment.
        segment: SegmentDigest,
    },
    /// A part of a segment for the cache, answered by [`Response::KeywordStored`]. What is unfinished when the
    /// connection ends is forgotten.
    KeywordStore {
        /// The segment.
        digest: SegmentDigest,
        /// Bytes of the whole segment.
        byte_count: u64,
        /// Where the part begins.
        offset: u64,
        /// The part.
        #[serde(borrow)]
        bytes: &'a [u8],
    },
    /// The best chunks for a query, answered by [`Response::KeywordHits`] or [`Response::KeywordMissing`].
    KeywordSearch {
        /// The segments that are searched.
        segments: Vec<SegmentDigest>,
        /// Plain words, `"phrases"`, `-exclusions` and `prefixes*`; never a syntax error.
        query: &'a str,
        /// Language of the query; `None` tries all languages of the segments.
        language: Option<&'a str>,
        /// Most hits; 0 when only `score` is wanted. At most [`MAX_HITS`] are given.
        limit: u32,
        /// Only hits after this one: lower in score, or equal in score and higher in identifier.
        after: Option<(f32, i64)>,
        /// Only these chunks, in any order.
        restrict: Option<Vec<i64>>,
        /// Chunks whose scores are wanted whether or not they are among the hits, in any order; those that do not
        /// match are left out of the answer.
        score: Vec<i64>,
        /// Frequencies and lengths are those of `restrict` alone instead of those of the segments.
        visible_statistics: bool,
    },
    /// Where the words of a query stand in texts, answered by [`Response::Highlights`].
    Highlight {
        /// As in `KeywordSearch`.
        query: &'a str,
        /// Language of the query and the texts; `None` has it detected for each text.
        language: Option<&'a str>,
        /// The index of the texts: each is of one of its languages, as far as these segments are open.
        segments: Vec<SegmentDigest>,
        /// The texts.
        #[serde(borrow)]
        contents: Vec<&'a str>,
    },
    /// What the engine does, answered by [`Response::Report`].
    Report,
}

/// What the engine answers.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum Response {
    /// The connection is open.
    Welcome {
        /// Process id of the engine.
        pid: u32,
    },
    /// Still working on it; sent every [`ALIVE_INTERVAL_SECONDS`] to a backend that waits.
    Alive,
    /// The suspect request now runs with no other beside it: if the engine dies, this request killed it.
    Alone,
    /// The engine leaves on purpose; every unanswered request is to be sent to its successor.
    Goodbye,
    /// One vector per text, one after the other.
    Vectors(Vec<f32>),
    /// One score per document: the logit of the model, higher is more relevant.
    Scores(Vec<f32>),
    /// A number of tokens.
    Count(u32),
    /// Some chunks of the text, in order.
    Chunks {
        /// The chunks.
        chunks: Vec<Chunk>,
        /// No more follow.
        last: bool,
    },
    /// A file as text.
    Extracted(Box<Document>),
    /// A part of a segment, at most [`SEGMENT_PART`] bytes, in order. One without bytes and summary says that a merge
    /// has left no chunk, and so no segment.
    SegmentPart {
        /// The bytes.
        bytes: Vec<u8>,
        /// The segment as a whole, with its last part alone.
        summary: Option<SegmentSummary>,
    },
    /// A part of a segment has been taken.
    KeywordStored {
        /// All parts are there, and the segment can be used.
        complete: bool,
    },
    /// The identifiers of the chunks of a segment, ascending.
    KeywordChunks(Vec<i64>),
    /// The engine has none of these segments: store them and ask again.
    KeywordMissing(Vec<SegmentDigest>),
    /// Chunks that match a query.
    KeywordHits {
        /// Best first, chunks of equal score by identifier.
        hits: Vec<(i64, f32)>,
        /// Of the chunks that were asked about, those that match; ascending by identifier.
        scores: Vec<(i64, f32)>,
        /// Of the chunks that were asked about, those that an operator of the query forbids; ascending by identifier.
        refused: Vec<i64>,
        /// The query has a phrase that must be there: what is no hit cannot be a result.
        has_phrases: bool,
        /// There may be more hits after these.
        more: bool,
        /// What of the query was not searched for.
        left_out: LeftOut,
    },
    /// For each text the ranges of bytes that match, in order and apart from each other.
    Highlights(Vec<Vec<(u32, u32)>>),
    /// The model can be registered as this.
    Inspected(Box<Inspection>),
    /// What the engine does.
    Report(Box<EngineReport>),
    /// The request failed.
    Failed {
        /// Why.
        error: Error,
        /// Which text of the request, from 0.
        item: Option<u32>,
    },
}

impl Response {
    /// Whether no more responses follow to the same request.
    pub fn is_last(&self) -> bool {
        match self {
            Self::Alive | Self::Alone | Self::Chunks { last: false, .. } => false,
            Self::SegmentPart { bytes, summary: None } => bytes.is_empty(),
            _ => true,
        }
    }
}

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
    /// 95th percentile of the same.
    pub latency_p95_ms: Option<f64>,
    /// What keeps the engine off the network.
    pub network: String,
    /// What keeps the engine off other files.
    pub files: String,
    /// [`VERSION`] of the engine.
    pub version: String,
}

/// A model in the memory of the engine.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct LoadedModel {
    /// [`ModelSpec::digest`].
    pub digest: String,
    /// Estimated memory in bytes: what the process grew by when it was loaded.
    pub memory_bytes: u64,
    /// Start of its loading, in seconds since 1970.
    pub loaded_at: f64,
    /// Last use, in seconds since 1970.
    pub used_at: f64,
    /// Texts and pairs run.
    pub text_count: u64,
}

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

/// What the supervisor says to the engine.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum ToEngine {
    /// Begin to serve.
    Start(EngineSettings),
    /// Are you there?
    Ping,
}

/// What the engine says to the supervisor.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum FromEngine {
    /// The socket is open.
    Ready,
    /// Answer to [`ToEngine::Ping`].
    Pong,
    /// A line for the server log.
    Log(String),
    /// The first message of all: its version. An engine of 0.1.0 sent none.
    Version(String),
}
