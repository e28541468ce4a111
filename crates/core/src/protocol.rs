//! The protocol between backends and the engine, and between the supervisor and its child processes: the engine and the
//! generator.
//!
//! A frame consists of a length, the number of its request, flags, and a message in postcard encoding. A backend may
//! have several requests in progress; responses come in any order. This module does no socket input or output.

mod control;
mod egress;
mod frame;
mod generator;
mod keyword;
mod report;

use crate::Error;
use crate::chunk::{Chunk, Format};
use crate::corpus::archive::{FileLayout, FileRows};
use crate::document::{Document, ExtractLimits, Ocr};
use crate::model::{Inspection, ModelOverrides, ModelSpec};
pub use control::{EngineSettings, FromEngine, ToChild, ToEgress, ToEngine, ToGenerator};
pub use egress::{
    EGRESS_FAILURE_FILE, EGRESS_LOCK, EGRESS_PROTOCOL_VERSION, EGRESS_SOCKET, EgressReport, EgressRequest,
    EgressResponse, EgressSettings, EndpointUse, LEDGER_DIRECTORY, LEDGER_KEY, LEDGER_TEXT_DIRECTORY, MAX_EGRESS_FRAME,
    SessionName,
};
pub use frame::{Frame, FrameBuffer, encode};
pub use generator::{
    GENERATOR_FAILURE_FILE, GENERATOR_LOCK, GENERATOR_PROTOCOL_VERSION, GENERATOR_SOCKET, GeneratorReport,
    GeneratorRequest, GeneratorResponse, GeneratorSettings, LoadedGenerator, MAX_GENERATOR_FRAME,
};
pub use keyword::{
    DEFAULT_HEADING_WEIGHT, DEFAULT_TITLE_WEIGHT, FieldWeights, KEYWORD_FORMAT, KeywordChunk, MAX_COUNTED_WORDS,
    MAX_HITS, MAX_OPERATORS, MAX_PHRASE_WORDS, MAX_PREFIX_WORDS, MAX_QUERY_WORDS, QuerySyntax, QueryTruncation,
    SEGMENT_PART, SegmentDigest, SegmentSummary, SuggestQuery, SuggestedTitle, SuggestedWord, Suggestions, WordRule,
    WordRuleKind, word_rule_key, word_rule_keys,
};
pub use report::{EngineReport, LoadedModel};
use serde::{Deserialize, Serialize};

/// Incremented with every change of a message. A backend and an engine of different versions disconnect (see
/// [`Request::Hello`]).
pub const PROTOCOL_VERSION: u32 = 17;

/// Version of library and engine. A supervisor does not use an engine of another version: the two only exchange
/// [`VERSION_VARIABLE`], [`EXIT_OTHER_VERSION`] and [`FromEngine::Version`], which never change.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Environment variable with the version of the supervisor. Version 0.1.0 did not set it.
pub const VERSION_VARIABLE: &str = "SOCLE_VERSION";
/// Exit code of an engine whose supervisor has another version.
pub const EXIT_OTHER_VERSION: i32 = 3;

/// The socket and the locks of the engine, relative to the data directory: base backups skip names that begin with
/// `pgsql_tmp`, and a relative path always fits into `sockaddr_un`.
pub const RUNTIME_DIRECTORY: &str = "socle/pgsql_tmp";
/// See [`RUNTIME_DIRECTORY`].
pub const SOCKET_NAME: &str = "engine.sock";
/// Datagram socket of the supervisor, which receives [`crate::fair_queue::message::Message`]s.
pub const WAKE_SOCKET: &str = "wake.sock";
/// Where sessions put the files of models that are in the database, for engine and generator to read, below
/// [`RUNTIME_DIRECTORY`]. What is in it may be deleted at any time: the files are written again when they are needed.
pub const PACKAGE_DIRECTORY: &str = "packages";

/// Where the engine caches segments of the keyword index, below [`RUNTIME_DIRECTORY`]. Its files may be deleted at any
/// time.
pub const KEYWORD_DIRECTORY: &str = "keyword";
/// Lock file held by the supervisor of a cluster.
pub const SUPERVISOR_LOCK: &str = "supervisor.lock";
/// Lock file held by the engine of a cluster.
pub const ENGINE_LOCK: &str = "engine.lock";
/// Contains the reason while there is no engine.
pub const FAILURE_FILE: &str = "engine.failure";
/// Exists while workers cannot be started because all background worker slots are in use.
pub const WORKERS_FILE: &str = "workers.failure";

/// Maximum length of a frame in bytes: the largest `socle.max_input_bytes`, and 1 MB for the rest of the message.
pub const MAX_FRAME: usize = MAX_INPUT_BYTES + (1 << 20);
/// Upper bound of `socle.max_input_bytes`.
pub const MAX_INPUT_BYTES: usize = 256 << 20;
/// Maximum length of a frame in bytes before [`Request::Hello`] has been answered.
pub const MAX_FIRST_FRAME: usize = 4 << 10;

/// Frame flag: an engine crashed while it processed this request, which therefore runs alone.
pub const FLAG_SUSPECT: u8 = 1;

/// Seconds between two [`Response::Alive`] frames to a waiting backend.
pub const ALIVE_INTERVAL_SECONDS: u64 = 1;

/// Purpose of an embedding; determines the prefix and the priority lane.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Role {
    /// A query: query prefix, interactive lane.
    Query,
    /// A stored text: passage prefix, bulk lane.
    Passage,
}

/// A request from a backend to the engine.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum Request<'a> {
    /// First message on every connection. Answered by [`Response::Welcome`], or by [`Response::Goodbye`] if the engine
    /// exits to be replaced by a newer executable.
    Hello {
        /// [`PROTOCOL_VERSION`] of the backend.
        protocol: u32,
    },
    /// Vectors of texts, answered by [`Response::Vectors`].
    Embed {
        /// An embedding model.
        model: ModelSpec,
        /// Purpose, which selects the prefix.
        role: Role,
        /// Cut texts to the window of the model instead of failing.
        truncate: bool,
        /// Context (title and headings) before each text, truncated to the space that the window of the model leaves;
        /// empty if there is none.
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
        /// Model whose tokens are counted; `None` counts characters.
        model: Option<ModelSpec>,
        /// Largest chunk in tokens or characters; `None` lets the engine choose.
        max_size: Option<u32>,
        /// Largest overlap in tokens or characters.
        overlap: u32,
        /// Format of the text.
        format: Format,
        /// Chunks of the previous version of the text, to be reused where they are still valid.
        #[serde(borrow)]
        previous: Vec<&'a str>,
        /// The text.
        content: &'a str,
    },
    /// The text of a file, answered by [`Response::Extracted`].
    Extract {
        /// Declared media type, a hint.
        media_type: Option<&'a str>,
        /// Name of the file, a hint.
        name: Option<&'a str>,
        /// Resource limits.
        limits: ExtractLimits,
        /// Whether it runs in the bulk lane: no session waits for it.
        bulk: bool,
        /// How pictures are read; `None` leaves them out.
        ocr: Option<Ocr>,
        /// The file.
        #[serde(borrow)]
        bytes: &'a [u8],
    },
    /// The rows of a file that an export has written, answered by [`Response::Archived`].
    ReadArchive {
        /// What the file has to look like.
        layout: FileLayout,
        /// Resource limits.
        limits: ExtractLimits,
        /// The file.
        #[serde(borrow)]
        bytes: &'a [u8],
    },
    /// Reads, validates and test-runs a model before registration, answered by [`Response::Inspected`].
    Inspect {
        /// Name to register.
        name: &'a str,
        /// Directory relative to `socle.model_directory`.
        directory: &'a str,
        /// Properties stated by the caller.
        overrides: ModelOverrides,
    },
    /// Builds a segment of the keyword index from chunks, answered by [`Response::SegmentPart`]s.
    KeywordBuild {
        /// Language of chunks that state none; `None` detects it.
        language: Option<&'a str>,
        /// The segments that the corpus has: the languages of those that are cached are likely.
        segments: Vec<SegmentDigest>,
        /// The chunks, in any order, each identifier once.
        #[serde(borrow)]
        chunks: Vec<KeywordChunk<'a>>,
    },
    /// Merges segments to one, answered by [`Response::SegmentPart`]s or [`Response::KeywordMissing`].
    KeywordMerge {
        /// The segments.
        segments: Vec<SegmentDigest>,
        /// Deleted chunks to leave out, in any order.
        deleted: Vec<i64>,
    },
    /// The chunks of a segment, answered by [`Response::KeywordChunks`] or [`Response::KeywordMissing`].
    KeywordList {
        /// The segment.
        segment: SegmentDigest,
    },
    /// Removes all segments but these from the cache, files included, and what was read of pictures, answered by
    /// [`Response::KeywordRetained`]. Segments of
    /// other databases are sent again when they are searched.
    KeywordRetain {
        /// The segments that stay.
        segments: Vec<SegmentDigest>,
    },
    /// Stores a part of a segment in the cache, answered by [`Response::KeywordStored`]. An incomplete segment is
    /// discarded when the connection ends.
    KeywordStore {
        /// The segment.
        digest: SegmentDigest,
        /// Bytes of the whole segment.
        byte_count: u64,
        /// Offset of the part in bytes.
        offset: u64,
        /// The part.
        #[serde(borrow)]
        bytes: &'a [u8],
    },
    /// The best chunks for a query, answered by [`Response::KeywordHits`] or [`Response::KeywordMissing`].
    KeywordSearch {
        /// The segments that are searched.
        segments: Vec<SegmentDigest>,
        /// The text; never a syntax error.
        query: &'a str,
        /// How it is read.
        syntax: QuerySyntax,
        /// Language of the query; `None` tries all languages of the segments.
        language: Option<&'a str>,
        /// Maximum number of hits, at most [`MAX_HITS`]; 0 if only `score` is wanted.
        limit: u32,
        /// Only hits after this one: lower in score, or equal in score and higher in identifier.
        after: Option<(f32, i64)>,
        /// Only these chunks, in any order.
        restrict: Option<Vec<i64>>,
        /// Chunks to score whether or not they are among the hits, in any order; those that do not match are absent
        /// from the response.
        score: Vec<i64>,
        /// Whether term frequencies and lengths are computed over `restrict` alone instead of the segments.
        visible_statistics: bool,
        /// Whether the words of the index may tell where a compound can be split and what is misspelt: those of `restrict`, if
        /// it is given. Not where other chunks than those that the caller may see would tell.
        use_vocabulary: bool,
        /// Rules that the query may have the terms of.
        rules: Vec<WordRule>,
        /// What words count in each field.
        weights: FieldWeights,
    },
    /// Finds the words of a query in texts, answered by [`Response::Highlights`].
    Highlight {
        /// As in `KeywordSearch`.
        query: &'a str,
        /// As in `KeywordSearch`.
        syntax: QuerySyntax,
        /// As in `KeywordSearch`.
        rules: Vec<WordRule>,
        /// Language of the query and the texts; `None` takes that of each chunk, or has it detected.
        language: Option<&'a str>,
        /// The index of the texts: each is of one of its languages, as far as these segments are open.
        segments: Vec<SegmentDigest>,
        /// The chunk of each text, in the same order; empty if the texts are not chunks of the segments.
        chunk_ids: Vec<i64>,
        /// The texts.
        #[serde(borrow)]
        contents: Vec<&'a str>,
    },
    /// Completes a text that is being typed, answered by [`Response::KeywordSuggestions`] or [`Response::KeywordMissing`].
    KeywordSuggest(#[serde(borrow)] SuggestQuery<'a>),
    /// Requests the state of the engine, answered by [`Response::Report`].
    Report,
    /// The vectors of the tokens of a query, answered by [`Response::Vectors`].
    QueryTokens {
        /// A model of late interaction.
        model: ModelSpec,
        /// The query, which is cut to the window of the model.
        query: &'a str,
    },
    /// The vectors of the tokens of documents, answered by [`Response::TokenVectors`].
    DocumentTokens {
        /// A model of late interaction.
        model: ModelSpec,
        /// The documents, which are cut to the window of the model.
        #[serde(borrow)]
        documents: Vec<&'a str>,
    },
}

/// A response from the engine to a backend.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum Response {
    /// The connection is established.
    Welcome {
        /// Process id of the engine.
        pid: u32,
    },
    /// The request is in progress; sent every [`ALIVE_INTERVAL_SECONDS`] to a waiting backend.
    Alive,
    /// The suspect request now runs alone: if the engine crashes, this request is the cause.
    Alone,
    /// The suspect request goes on beside others: what is [`Self::Alone`] of it is over.
    NotAlone,
    /// The engine exits regularly; unanswered requests are to be sent to its successor.
    Goodbye,
    /// One vector per text, concatenated.
    Vectors(Vec<f32>),
    /// One score per document: the logit of the model, higher is more relevant.
    Scores(Vec<f32>),
    /// A number of tokens.
    Count(u32),
    /// Some chunks of the text, in order.
    Chunks {
        /// The chunks.
        chunks: Vec<Chunk>,
        /// Whether these are the last chunks.
        last: bool,
    },
    /// The text of a file.
    Extracted(Box<Document>),
    /// A part of a segment, at most [`SEGMENT_PART`] bytes, in order. Without bytes and summary, a merge has left no
    /// chunk and thus no segment.
    SegmentPart {
        /// The bytes.
        bytes: Vec<u8>,
        /// Summary of the whole segment, with its last part only.
        summary: Option<SegmentSummary>,
    },
    /// A part of a segment has been stored.
    KeywordStored {
        /// Whether all parts are present, so that the segment can be used.
        complete: bool,
    },
    /// All segments but some have been removed.
    KeywordRetained {
        /// Number of files that were removed.
        removed: u64,
    },
    /// The identifiers of the chunks of a segment, ascending.
    KeywordChunks(Vec<i64>),
    /// These segments are not in the cache: store them and repeat the request.
    KeywordMissing(Vec<SegmentDigest>),
    /// Chunks that match a query.
    KeywordHits {
        /// Best first, chunks of equal score by identifier.
        hits: Vec<(i64, f32)>,
        /// Scores of the requested chunks that match, ascending by identifier.
        scores: Vec<(i64, f32)>,
        /// Requested chunks that an operator of the query excludes, ascending by identifier.
        refused: Vec<i64>,
        /// Whether the query has phrases, which results must contain.
        has_phrases: bool,
        /// Whether there may be more hits.
        more: bool,
        /// The part of the query that was not searched for.
        left_out: QueryTruncation,
        /// Words of the query that the index does not have, each with the words that were searched for instead.
        corrections: Vec<(String, Vec<String>)>,
        /// Terms of the query that have synonyms, each with them.
        synonyms: Vec<(String, Vec<String>)>,
    },
    /// For each text, the matching byte ranges, in order and without overlap.
    Highlights(Vec<Vec<(u32, u32)>>),
    /// What may complete a text.
    KeywordSuggestions(Suggestions),
    /// The model as it can be registered.
    Inspected(Box<Inspection>),
    /// The state of the engine.
    Report(Box<EngineReport>),
    /// The request failed.
    Failed {
        /// The error.
        error: Error,
        /// Index of the text in the request, from 0, if the error concerns one.
        item: Option<u32>,
    },
    /// For each document, the vectors of its tokens as [`crate::search::token_vectors`] stores them.
    TokenVectors(Vec<Vec<u8>>),
    /// The rows of an exported file.
    Archived(FileRows),
}

impl Response {
    /// Whether no more responses follow to the same request.
    pub fn is_last(&self) -> bool {
        match self {
            Self::Alive | Self::Alone | Self::NotAlone | Self::Chunks { last: false, .. } => false,
            Self::SegmentPart { bytes, summary: None } => bytes.is_empty(),
            _ => true,
        }
    }
}
