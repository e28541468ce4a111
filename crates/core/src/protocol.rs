//! What a backend and the engine say to each other over their socket.
//!
//! A frame is a length, the number of the request it belongs to, flags, and a message in postcard encoding. A backend
//! may have several requests under way; answers come in any order. Nothing here reads or writes a socket.

use crate::chunk::{Chunk, Format};
use crate::model::{ModelOverrides, ModelSpec};
use crate::{Error, Kind, Result};
use serde::{Deserialize, Serialize};

/// Raised with every change of a message. A backend and an engine of different versions part (see [`Request::Hello`]).
pub const PROTOCOL_VERSION: u32 = 2;

/// The socket and the locks of the engine, relative to the data directory: base backups skip names that begin with
/// `pgsql_tmp`, and a relative path always fits into `sockaddr_un`.
pub const RUNTIME_DIRECTORY: &str = "socle/pgsql_tmp";
/// See [`RUNTIME_DIRECTORY`].
pub const SOCKET_NAME: &str = "engine.sock";
/// Where the supervisor is told that a database has work for a sync worker: four bytes with the OID of the database,
/// little-endian, and one that says whether more than one worker is of use.
pub const WAKE_SOCKET: &str = "wake.sock";
/// Locked by the one supervisor of a cluster for as long as it lives.
pub const SUPERVISOR_LOCK: &str = "supervisor.lock";
/// Locked by the one engine of a cluster for as long as it lives.
pub const ENGINE_LOCK: &str = "engine.lock";
/// Holds the reason why there is no engine, while there is none.
pub const FAILURE_FILE: &str = "engine.failure";

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

/// Bytes before the message of a frame: length of the message, number of the request, flags.
const HEADER: usize = 4 + 4 + 1;

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
    /// Reads, checks and tries a model that is not registered yet, answered by [`Response::Inspected`].
    Inspect {
        /// Name it is going to have.
        name: &'a str,
        /// Directory relative to `socle.model_directory`.
        directory: &'a str,
        /// What the caller states.
        overrides: ModelOverrides,
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
    /// The model can be registered as this.
    Inspected(Box<ModelSpec>),
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
}

/// A message with its number and flags.
#[derive(Debug, PartialEq)]
pub struct Frame<'a> {
    /// Number of the request, given by the backend. 0 is the connection itself.
    pub id: u32,
    /// [`FLAG_SUSPECT`] or 0.
    pub flags: u8,
    message: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The message.
    ///
    /// # Errors
    /// Kind `Bug` when the bytes are not a message of type `T`.
    pub fn message<T: Deserialize<'a>>(&self) -> Result<T> {
        postcard::from_bytes(self.message).map_err(|error| malformed(&error.to_string()))
    }
}

/// A frame as bytes.
///
/// # Errors
/// Kind `InputTooLong` when the message exceeds [`MAX_FRAME`].
pub fn encode<T: Serialize>(id: u32, flags: u8, message: &T) -> Result<Vec<u8>> {
    let mut frame = vec![0; HEADER];
    frame = postcard::to_extend(message, frame).map_err(|error| malformed(&error.to_string()))?;
    let length = frame.len() - HEADER;
    if length > MAX_FRAME {
        return Err(Error::new(Kind::InputTooLong, "request is too large for the engine")
            .detail(format!("It has {length} bytes, the limit is {MAX_FRAME}.")));
    }
    frame[0..4].copy_from_slice(&(length as u32).to_le_bytes());
    frame[4..8].copy_from_slice(&id.to_le_bytes());
    frame[8] = flags;
    Ok(frame)
}

/// Cuts a stream of bytes into frames. Memory grows with the bytes that came, not with the length that is claimed.
#[derive(Debug, Default)]
pub struct FrameBuffer {
    bytes: Vec<u8>,
    consumed: usize,
}

impl FrameBuffer {
    /// Adds what was read from the socket.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.consumed);
        self.consumed = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next complete frame, or `None` until more bytes are there.
    ///
    /// # Errors
    /// Kind `Bug` when a frame claims more than `limit` bytes: the stream is lost and the connection has to end.
    pub fn next_frame(&mut self, limit: usize) -> Result<Option<Frame<'_>>> {
        let rest = &self.bytes[self.consumed..];
        let Some((header, rest)) = rest.split_first_chunk::<HEADER>() else { return Ok(None) };
        let [l0, l1, l2, l3, i0, i1, i2, i3, flags] = *header;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if length > limit {
            return Err(malformed(&format!("a frame of {length} bytes, the limit is {limit}")));
        }
        let Some(message) = rest.get(..length) else { return Ok(None) };
        self.consumed += HEADER + length;
        Ok(Some(Frame { id: u32::from_le_bytes([i0, i1, i2, i3]), flags, message }))
    }

    /// Bytes held, read or not.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.consumed
    }

    /// Nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives memory back after a large frame.
    pub fn shrink(&mut self) {
        if self.is_empty() && self.bytes.capacity() > (64 << 10) {
            *self = Self::default();
        }
    }
}

fn malformed(what: &str) -> Error {
    Error::new(Kind::Bug, "malformed message between backend and engine").detail(what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frames_survive_any_cut_of_the_stream() {
        let texts = ["Straße", "", "日本語"];
        let request = Request::Rerank {
            model: crate::protocol::tests::spec(),
            truncate: true,
            query: "q",
            documents: texts.to_vec(),
        };
        let mut stream = encode(7, FLAG_SUSPECT, &request).unwrap();
        stream.extend(encode(8, 0, &Request::Report).unwrap());
        for cut in 1..40 {
            let mut buffer = FrameBuffer::default();
            let mut seen = Vec::new();
            for piece in stream.chunks(cut) {
                buffer.extend(piece);
                while let Some(frame) = buffer.next_frame(MAX_FRAME).unwrap() {
                    let message: Request = frame.message().unwrap();
                    seen.push((frame.id, frame.flags, message == request));
                }
            }
            assert_eq!(seen, [(7, FLAG_SUSPECT, true), (8, 0, false)]);
            assert!(buffer.is_empty());
        }
    }

    #[test]
    fn a_claimed_length_allocates_nothing() {
        let mut buffer = FrameBuffer::default();
        buffer.extend(&[255, 255, 255, 127, 0, 0, 0, 0, 0]);
        assert_eq!(buffer.next_frame(MAX_FRAME).unwrap_err().kind, Kind::Bug);
        let mut buffer = FrameBuffer::default();
        buffer.extend(&[0, 0, 0, 1, 0, 0, 0, 0, 0]);
        assert_eq!(buffer.next_frame(MAX_FRAME).unwrap(), None);
        assert!(buffer.bytes.capacity() < 100);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..2000), cut in 1usize..50) {
            let mut buffer = FrameBuffer::default();
            for piece in bytes.chunks(cut) {
                buffer.extend(piece);
                while let Ok(Some(frame)) = buffer.next_frame(1 << 16) {
                    let _ = frame.message::<Request>();
                    let _ = frame.message::<Response>();
                    let _ = frame.message::<ToEngine>();
                    let _ = frame.message::<FromEngine>();
                }
            }
        }

        /// Messages with a byte changed reach deeper into the decoder than garbage does.
        #[test]
        fn damaged_messages_never_panic(at in 9usize..200, value in any::<u8>()) {
            let request = Request::Embed { model: spec(), role: Role::Query, truncate: false, heads: vec!["h"], contents: vec!["a", "b"] };
            let mut bytes = encode(1, 0, &request).unwrap();
            let at = at.min(bytes.len() - 1);
            bytes[at] = value;
            let mut buffer = FrameBuffer::default();
            buffer.extend(&bytes);
            if let Ok(Some(frame)) = buffer.next_frame(MAX_FRAME) {
                let _ = frame.message::<Request>();
            }
        }
    }

    fn spec() -> ModelSpec {
        let file = crate::model::ModelFile { path: "p".into(), bytes: 3, sha256: "s".into() };
        ModelSpec {
            name: "n".into(),
            directory: "d".into(),
            graph: file.clone(),
            tokenizer: file.clone(),
            configuration: vec![file],
            kind: crate::model::ModelKind::Reranker,
            dimensions: 1,
            max_tokens: 512,
            pooling: crate::model::Pooling::None,
            normalize: false,
            query_prefix: String::new(),
            passage_prefix: String::new(),
            output: "logits".into(),
            pad_id: 0,
            batchable: true,
        }
    }
}
