//! The error type of socle. An error says what is wrong, not where; `src/error.rs` of the extension maps each kind to
//! its SQLSTATE.

use serde::{Deserialize, Serialize};

/// The kind of an error, which determines its SQLSTATE.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Kind {
    /// An argument or a combination of arguments is outside its range (22023).
    InvalidArgument,
    /// A vector has another number of dimensions than was declared (22000, as pgvector raises it).
    DimensionMismatch,
    /// A text is longer than a limit (54000).
    InputTooLong,
    /// No model, generator or prompt template of that name is registered (42704).
    UnknownModel,
    /// No corpus of that name exists (42704).
    UnknownCorpus,
    /// The table has no such column (42703).
    UnknownColumn,
    /// The column is of another type than is needed (42804).
    WrongColumnType,
    /// The relation is of another kind than is needed, e.g. a view asked to be a source (42809).
    WrongRelationKind,
    /// The object is not in the state that is needed, e.g. a corpus is broken (55000).
    NotInState,
    /// Extension, library and engine are not of the same version (55000).
    OtherVersion,
    /// The transaction is already too far advanced, e.g. it has taken a snapshot (25001).
    ActiveTransaction,
    /// The name is taken (42710).
    AlreadyExists,
    /// The model is of another kind than the function needs, e.g. a reranker asked for embeddings (42809).
    WrongModelKind,
    /// The engine or the generator cannot be reached or does not answer (57P03).
    EngineUnavailable,
    /// A running request was cancelled, by its client or because its client disconnected (57014).
    Cancelled,
    /// A model file or the ONNX Runtime library does not exist (58P01).
    MissingFile,
    /// A file exists but cannot be read, or one cannot be written (58030).
    UnreadableFile,
    /// There is no room for a file (53100).
    DiskFull,
    /// A model file cannot be used: malformed, changed since registration, or refused for safety (XX001).
    DamagedModelFile,
    /// A segment of the keyword index cannot be used: its bytes are not what was written (XX002).
    DamagedIndex,
    /// A segment of the keyword index was written by another version of the engine and has to be built anew (55000).
    OutdatedIndex,
    /// ONNX Runtime failed on this input (38000).
    InferenceFailed,
    /// The bytes of a document violate its format (22P03).
    DamagedDocument,
    /// The process that read a document crashed, took too long or too much memory (38000).
    ExtractionFailed,
    /// There is not enough memory, the memory limit of engine or generator is reached, or its queue is full (53200).
    OutOfMemory,
    /// The caller lacks a privilege (42501).
    NotPermitted,
    /// The server has no free background worker slot (53400).
    NoWorkerSlot,
    /// Not supported by this build or in this database (0A000).
    NotSupported,
    /// The snapshot of the transaction is older than the data it needs; a retry helps (40001).
    SnapshotTooOld,
    /// An internal error: a state believed impossible (XX000).
    Bug,
    /// No connection to an endpoint could be made: its name, its address, its certificate (08001).
    CannotConnect,
    /// The connection to an endpoint ended, or its time was up, before its answer was complete (08006).
    ConnectionLost,
    /// An endpoint answered what its dialect does not have (08P01).
    MalformedAnswer,
    /// An endpoint does not accept its key (28000).
    KeyRefused,
    /// An endpoint refused or failed (38000).
    EndpointFailed,
    /// The ledger is not what was written (XX001).
    DamagedLedger,
    /// An endpoint refuses whatever it is asked: its path, its model or its form is another than the registered one (38000).
    EndpointMisconfigured,
}

/// An error on its way to the user: primary message in lower case without a full stop, factual detail, and a hint as a
/// full sentence where the user can act (PostgreSQL's error style guide).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Error {
    /// Determines the SQLSTATE.
    pub kind: Kind,
    /// Primary message.
    pub message: String,
    /// Facts beyond the message, in full sentences.
    pub detail: Option<String>,
    /// Advice to the user, in full sentences.
    pub hint: Option<String>,
    /// Seconds before which another attempt makes no sense, where an endpoint says so. For workers; users see it in the hint.
    pub retry_after: Option<u32>,
}

/// Result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error without detail and hint.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), detail: None, hint: None, retry_after: None }
    }

    /// Sets the detail.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Sets the hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        if let Some(detail) = &self.detail {
            write!(f, " ({detail})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
