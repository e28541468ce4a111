//! A request of a backend, as the engine holds it from its arrival to its final response.

use crate::keyword::task::KeywordTask;
use crate::lane::Lane;
use socle_core::chunk::Format;
use socle_core::corpus::archive::FileLayout;
use socle_core::document::{ExtractLimits, Ocr};
use socle_core::model::{ModelOverrides, ModelSpec};
use socle_core::protocol::{self, Role};
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
};
use std::time::{Duration, Instant};

/// What a request asks for: a [`protocol::Request`] that owns its data.
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are those of the message that each variant names")]
pub enum Job {
    /// See [`protocol::Request::Embed`].
    Embed { model: Arc<ModelSpec>, role: Role, truncate: bool, heads: Vec<String>, contents: Vec<String> },
    /// See [`protocol::Request::Rerank`].
    Rerank { model: Arc<ModelSpec>, truncate: bool, query: String, documents: Vec<String> },
    /// See [`protocol::Request::QueryTokens`].
    QueryTokens { model: Arc<ModelSpec>, query: String },
    /// See [`protocol::Request::DocumentTokens`].
    DocumentTokens { model: Arc<ModelSpec>, documents: Vec<String> },
    /// See [`protocol::Request::CountTokens`].
    CountTokens { model: Arc<ModelSpec>, content: String },
    /// See [`protocol::Request::Chunk`].
    Chunk {
        model: Option<Arc<ModelSpec>>,
        max_size: Option<u32>,
        overlap: u32,
        format: Format,
        previous: Vec<String>,
        content: String,
    },
    /// See [`protocol::Request::Extract`].
    Extract {
        media_type: Option<String>,
        name: Option<String>,
        limits: ExtractLimits,
        bulk: bool,
        ocr: Option<Box<Ocr>>,
        bytes: Vec<u8>,
    },
    /// See [`protocol::Request::ReadArchive`].
    ReadArchive { layout: FileLayout, limits: ExtractLimits, bytes: Vec<u8> },
    /// A request about the keyword index.
    Keyword(KeywordTask),
    /// See [`protocol::Request::Inspect`].
    Inspect { name: String, directory: String, overrides: ModelOverrides },
}

impl Job {
    /// The job of a message; `None` for messages that the server thread answers itself.
    pub fn new(request: protocol::Request<'_>) -> Option<Self> {
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_string).collect();
        Some(match request {
            protocol::Request::Embed { model, role, truncate, heads, contents } => {
                Self::Embed { model: Arc::new(model), role, truncate, heads: owned(heads), contents: owned(contents) }
            }
            protocol::Request::Rerank { model, truncate, query, documents } => {
                Self::Rerank { model: Arc::new(model), truncate, query: query.into(), documents: owned(documents) }
            }
            protocol::Request::QueryTokens { model, query } => {
                Self::QueryTokens { model: Arc::new(model), query: query.into() }
            }
            protocol::Request::DocumentTokens { model, documents } => {
                Self::DocumentTokens { model: Arc::new(model), documents: owned(documents) }
            }
            protocol::Request::CountTokens { model, content } => {
                Self::CountTokens { model: Arc::new(model), content: content.into() }
            }
            protocol::Request::Chunk { model, max_size, overlap, format, previous, content } => {
                let (model, previous) = (model.map(Arc::new), owned(previous));
                Self::Chunk { model, max_size, overlap, format, previous, content: content.into() }
            }
            protocol::Request::Extract { media_type, name, limits, bulk, ocr, bytes } => {
                let [media_type, name] = [media_type, name].map(|hint| hint.map(str::to_string));
                Self::Extract { media_type, name, limits, bulk, ocr: ocr.map(Box::new), bytes: bytes.to_vec() }
            }
            protocol::Request::ReadArchive { layout, limits, bytes } => {
                Self::ReadArchive { layout, limits, bytes: bytes.to_vec() }
            }
            protocol::Request::Inspect { name, directory, overrides } => {
                Self::Inspect { name: name.into(), directory: directory.into(), overrides }
            }
            other => Self::Keyword(KeywordTask::new(other)?),
        })
    }

    /// The lane whose workers serve it.
    pub fn lane(&self) -> Lane {
        match self {
            Self::Embed { role: Role::Query, .. } | Self::Rerank { .. } | Self::QueryTokens { .. } => Lane::Interactive,
            Self::Keyword(KeywordTask::Build { .. } | KeywordTask::Merge { .. }) => Lane::Bulk,
            Self::Keyword(_) => Lane::Keyword,
            Self::Extract { bulk: true, .. } => Lane::BulkDocument,
            Self::Extract { .. } | Self::ReadArchive { .. } => Lane::Document,
            _ => Lane::Bulk,
        }
    }
}

/// A request of a connection.
#[derive(Debug)]
pub struct Request {
    /// Number that the server thread has given to the connection.
    pub connection: u64,
    /// Number that the backend has given to the request.
    pub id: u32,
    /// An engine crashed while it served this request.
    pub suspect: bool,
    /// Size of its frame in bytes.
    pub bytes: usize,
    /// Time of arrival.
    pub arrived: Instant,
    /// What it asks for.
    pub job: Job,
    cancelled: AtomicBool,
    answered: AtomicBool,
    recognition_microseconds: AtomicU64,
}

impl Request {
    /// A request that arrives now.
    pub fn new(connection: u64, id: u32, suspect: bool, bytes: usize, job: Job) -> Self {
        Self {
            connection,
            id,
            suspect,
            bytes,
            arrived: Instant::now(),
            job,
            cancelled: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            recognition_microseconds: AtomicU64::new(0),
        }
    }

    /// Marks the request as cancelled: its connection is closed, so that no response can be delivered.
    pub fn cancel(&self) {
        self.cancelled.store(true, Release);
    }

    /// Whether the request was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Acquire)
    }

    /// Whether nobody waits for it any more: it was cancelled or has its final response.
    pub fn is_over(&self) -> bool {
        self.is_cancelled() || self.answered.load(Acquire)
    }

    /// Counts processor time in which a picture of its document was recognised, now or when it was first seen.
    pub fn add_recognition_time(&self, time: Duration) {
        let microseconds = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.recognition_microseconds.fetch_add(microseconds, Relaxed);
    }

    /// All that was counted so far.
    pub fn recognition_time(&self) -> Duration {
        Duration::from_micros(self.recognition_microseconds.load(Relaxed))
    }

    /// True for the first call only. The caller sends the final response, of which a request has exactly one.
    pub fn claim_answer(&self) -> bool {
        !self.answered.swap(true, AcqRel)
    }
}
