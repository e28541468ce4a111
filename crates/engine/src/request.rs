//! A request as the engine holds it, from the socket to the answer.

use crate::keyword::serve::Task;
use crate::model::tokenizer::Tokens;
use socle_core::chunk::Format;
use socle_core::document::ExtractLimits;
use socle_core::model::{ModelOverrides, ModelSpec};
use socle_core::protocol::{self, Role};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::AcqRel, Ordering::Acquire, Ordering::Release};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Files that are read at the same time, of each of the two lanes that read files. The processor is shared by all readers,
/// whose priority is low; each may have `socle.extract_memory_limit`.
const MIN_READERS: usize = 4;
/// The nursery takes no more than twice as many (`document::nursery::MAX_READERS`).
const MAX_READERS: usize = 32;

/// Which workers serve a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lane {
    /// Somebody waits for a single answer: queries, reranking.
    Interactive = 0,
    /// Everything else.
    Bulk = 1,
    /// Somebody waits for an answer that takes no model and less than the run of one.
    Keyword = 2,
    /// A file that a session waits for. Another process reads it, for as long as it likes.
    Document = 3,
    /// A file of a corpus.
    BulkDocument = 4,
}

impl Lane {
    /// All of them, each at its own number.
    pub const ALL: [Self; 5] = [Self::Interactive, Self::Bulk, Self::Keyword, Self::Document, Self::BulkDocument];

    /// Workers of this lane, where as many are wanted as `threads` that compute. Those that wait for readers may be kept
    /// waiting by files that were made for that, and are more: two such files are not to stop all others.
    pub fn workers(self, threads: usize) -> usize {
        match self {
            Self::Document | Self::BulkDocument => (2 * threads).clamp(MIN_READERS, MAX_READERS),
            _ => threads,
        }
    }
}

/// What is to be done.
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are those of the message that each variant names")]
pub enum Job {
    /// See [`protocol::Request::Embed`].
    Embed { model: Arc<ModelSpec>, role: Role, truncate: bool, heads: Vec<String>, contents: Vec<String> },
    /// See [`protocol::Request::Rerank`].
    Rerank { model: Arc<ModelSpec>, truncate: bool, query: String, documents: Vec<String> },
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
    Extract { media_type: Option<String>, name: Option<String>, limits: ExtractLimits, bulk: bool, bytes: Vec<u8> },
    /// About the keyword index.
    Keyword(Task),
    /// See [`protocol::Request::Inspect`].
    Inspect { name: String, directory: String, overrides: ModelOverrides },
}

impl Job {
    /// The job of a message; `None` for the messages that the server answers itself.
    pub fn new(request: protocol::Request<'_>) -> Option<Self> {
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_string).collect();
        Some(match request {
            protocol::Request::Embed { model, role, truncate, heads, contents } => {
                Self::Embed { model: Arc::new(model), role, truncate, heads: owned(heads), contents: owned(contents) }
            }
            protocol::Request::Rerank { model, truncate, query, documents } => {
                Self::Rerank { model: Arc::new(model), truncate, query: query.into(), documents: owned(documents) }
            }
            protocol::Request::CountTokens { model, content } => {
                Self::CountTokens { model: Arc::new(model), content: content.into() }
            }
            protocol::Request::Chunk { model, max_size, overlap, format, previous, content } => {
                let (model, previous) = (model.map(Arc::new), owned(previous));
                Self::Chunk { model, max_size, overlap, format, previous, content: content.into() }
            }
            protocol::Request::Extract { media_type, name, limits, bulk, bytes } => {
                let [media_type, name] = [media_type, name].map(|hint| hint.map(str::to_string));
                Self::Extract { media_type, name, limits, bulk, bytes: bytes.to_vec() }
            }
            protocol::Request::Inspect { name, directory, overrides } => {
                Self::Inspect { name: name.into(), directory: directory.into(), overrides }
            }
            other => Self::Keyword(Task::new(other)?),
        })
    }

    /// The lane it belongs to.
    pub fn lane(&self) -> Lane {
        match self {
            Self::Embed { role: Role::Query, .. } | Self::Rerank { .. } => Lane::Interactive,
            Self::Keyword(task) => task.lane(),
            Self::Extract { bulk: true, .. } => Lane::BulkDocument,
            Self::Extract { .. } => Lane::Document,
            _ => Lane::Bulk,
        }
    }
}

/// A request of a connection.
#[derive(Debug)]
pub struct Request {
    /// The connection, by the server's number for it.
    pub connection: u64,
    /// The backend's number for the request.
    pub id: u32,
    /// An engine died with it under way.
    pub suspect: bool,
    /// Bytes of its message.
    pub bytes: usize,
    /// When it came.
    pub arrived: Instant,
    /// What is to be done.
    pub job: Job,
    cancelled: AtomicBool,
    answered: AtomicBool,
}

impl Request {
    /// A request that has just come.
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
        }
    }

    /// Nobody waits for the answer any more.
    pub fn cancel(&self) {
        self.cancelled.store(true, Release);
    }

    /// See [`Self::cancel`].
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Acquire)
    }

    /// True for the first caller alone: a request has one last answer, whoever comes upon it.
    pub fn claim_answer(&self) -> bool {
        !self.answered.swap(true, AcqRel)
    }
}

/// The results of one request, as its texts come back from different runs.
#[derive(Debug)]
pub struct Gather {
    /// The request.
    pub request: Arc<Request>,
    /// The model that runs it.
    pub model: Arc<ModelSpec>,
    /// [`ModelSpec::digest`].
    pub digest: Arc<str>,
    /// Numbers for each text.
    width: usize,
    values: Mutex<Vec<f32>>,
    missing: AtomicUsize,
}

impl Gather {
    /// Waits for `texts` results of `width` numbers.
    pub fn new(request: Arc<Request>, model: Arc<ModelSpec>, texts: usize, width: usize) -> Self {
        let digest = model.digest().into();
        let values = Mutex::new(vec![0.0; texts * width]);
        Self { request, model, digest, width, values, missing: AtomicUsize::new(texts) }
    }

    /// Takes the result of one text. Returns all of them when this was the last.
    pub fn fill(&self, index: usize, result: &[f32]) -> Option<Vec<f32>> {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let place = values.get_mut(index * self.width..(index + 1) * self.width)?;
        place.copy_from_slice(result.get(..self.width)?);
        (self.missing.fetch_sub(1, AcqRel) == 1).then(|| std::mem::take(&mut *values))
    }

    /// Numbers for each text.
    pub fn width(&self) -> usize {
        self.width
    }
}

/// One text that waits for its run.
#[derive(Clone, Debug)]
pub struct Item {
    /// Where its result goes.
    pub gather: Arc<Gather>,
    /// Which text of the request.
    pub index: usize,
    /// The text.
    pub tokens: Tokens,
}
