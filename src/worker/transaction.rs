//! Transactions of a worker: short, each ended here whatever happens in it.

use super::owner_code_timeout;
use crate::catalog::CorpusSpec;
use crate::pg::error::{spi, sqlstate, sqlstate_text};
use crate::pg::run_as::as_owner;
use crate::pg::transaction as pg_transaction;
use crate::pg::{extension_version, gucs, relation};
use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;
use socle_core::{Error, Kind};
use std::ffi::CStr;
use std::time::Duration;

/// Settings for everything that touches tables of users. Rows that row security filters would look deleted.
const SETTINGS: [(&CStr, &CStr); 2] = [gucs::PINNED_SEARCH_PATH, (c"row_security", c"off")];

/// Why a transaction, or a step between two, failed.
#[derive(Clone, Debug)]
pub struct WorkerError {
    /// Kind of an error of socle itself.
    pub kind: Option<Kind>,
    /// SQLSTATE, five characters.
    pub sqlstate: String,
    /// Message and detail, and the hint where a document is at fault, for the owner of the corpus and the server log.
    pub message: String,
    /// Text that any role may read: nothing in it comes from data.
    pub reason: String,
    /// Time before which another attempt makes no sense, where an endpoint says so.
    pub retry_after: Option<Duration>,
}

impl From<Error> for WorkerError {
    fn from(error: Error) -> Self {
        let sqlstate = sqlstate_text(sqlstate(error.kind) as i32);
        let retry_after = error.retry_after.map(|seconds| Duration::from_secs(seconds.into()));
        let message = error.to_string();
        // Where nothing changes until a user acts, the status says how.
        let with_hint = |hint: &String| format!("{message}: {}", hint.trim_end_matches('.'));
        let reason = error.hint.as_ref().filter(|_| is_permanent(error.kind)).map_or(message.clone(), with_hint);
        // So does the row of a document in `socle.job_failure`.
        let message = error.hint.as_ref().filter(|_| is_final(error.kind)).map_or(message.clone(), with_hint);
        Self { kind: Some(error.kind), sqlstate, message, reason, retry_after }
    }
}

impl From<pgrx::spi::Error> for WorkerError {
    fn from(error: pgrx::spi::Error) -> Self {
        spi(error).into()
    }
}

impl WorkerError {
    /// Another session has changed what this transaction depends on: it is tried again soon, and not reported.
    pub fn serialization_failure(message: &str) -> Self {
        let (message, reason) = (message.into(), message.into());
        Self { kind: None, sqlstate: "40001".into(), message, reason, retry_after: None }
    }

    /// Whether the same document would fail in the same way again.
    pub fn is_final(&self) -> bool {
        self.kind.is_some_and(is_final)
    }
}

fn caught(error: CaughtError) -> WorkerError {
    match error {
        CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) => {
            let detail = report.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
            let sqlstate = sqlstate_text(report.sql_error_code() as i32);
            let reason = reason(report.sql_error_code(), &sqlstate, report.file(), report.message());
            let message = format!("{}{detail}", report.message());
            WorkerError { kind: None, sqlstate, message, reason, retry_after: None }
        }
        CaughtError::RustPanic { ereport, .. } => {
            let message = ereport.message().to_string();
            let (kind, sqlstate, reason) = (Some(Kind::Bug), "XX000".into(), "internal error".into());
            WorkerError { kind, sqlstate, message, reason, retry_after: None }
        }
    }
}

/// What any role may read of an error of Postgres: its message where that can contain nothing but names, as for classes
/// about names, privileges, locks and resources; else the kind of error. What a function raises (pl_exec.c and its
/// like) may contain anything.
fn reason(code: PgSqlErrorCode, sqlstate: &str, file: &str, message: &str) -> String {
    const NAMES_ALONE: [&str; 8] = ["25", "3F", "40", "42", "53", "55", "57", "58"];
    let file = file.rsplit('/').next().unwrap_or_default();
    if NAMES_ALONE.contains(&&sqlstate[..2]) && !file.starts_with("pl") {
        return message.to_string();
    }
    let name = format!("{code:?}");
    let words = name.trim_start_matches("ERRCODE_").to_lowercase().replace('_', " ");
    format!("{words} (SQLSTATE {sqlstate}); the log of the server says more")
}

/// Whether a document that fails in this way fails again.
fn is_final(kind: Kind) -> bool {
    matches!(kind, Kind::DamagedDocument | Kind::NotSupported | Kind::InputTooLong)
}

/// Whether nothing changes until a user acts, for an error of socle itself.
fn is_permanent(kind: Kind) -> bool {
    matches!(kind, Kind::UnknownModel | Kind::WrongModelKind | Kind::NotInState)
}

/// Runs `work` in a transaction of its own. A failure rolls it back.
///
/// # Errors
/// What `work` returns or raises.
pub fn transaction<T>(work: impl FnOnce() -> Result<T, WorkerError>) -> Result<T, WorkerError> {
    let checked = || {
        extension_version::require_own_version()?;
        work()
    };
    pg_transaction::run(checked, caught, owner_code_timeout::end)
}

/// Runs `work` inside a transaction as the owner of a corpus, under settings that nothing of the owner's can change for
/// others, and within a time limit.
///
/// # Errors
/// What `work` returns; a serialization failure when the chunk table was dropped.
pub fn as_corpus_owner<T>(
    corpus: &CorpusSpec,
    work: impl FnOnce() -> Result<T, WorkerError>,
) -> Result<T, WorkerError> {
    as_corpus_owner_over(corpus, 0, work)
}

/// Like [`as_corpus_owner`], where about `rows` rows are touched, which may take as much longer.
///
/// # Errors
/// Those of [`as_corpus_owner`].
pub fn as_corpus_owner_over<T>(
    corpus: &CorpusSpec,
    rows: u64,
    work: impl FnOnce() -> Result<T, WorkerError>,
) -> Result<T, WorkerError> {
    let owner = owner_now(corpus)?;
    owner_code_timeout::begin(corpus, rows);
    gucs::with_gucs(&SETTINGS, || gucs::with_gucs(&gucs::RENDERING, || as_owner(owner, work)))
}

/// The current owner of the chunk table: what a new owner has put on it must not run as the role that gave it away
/// since the corpus was looked up. Without a lock, which users would have to wait for.
fn owner_now(corpus: &CorpusSpec) -> Result<pg_sys::Oid, WorkerError> {
    let chunk = pg_sys::Oid::from(corpus.tables.chunk.unwrap_or_default());
    relation::current_owner(chunk).ok_or_else(|| WorkerError::serialization_failure("the chunk table was dropped"))
}

impl WorkerError {
    /// Whether no document is at fault: the corpus, the engine or the server cannot work at the moment.
    pub fn is_of_the_corpus(&self) -> bool {
        let kind = matches!(
            self.kind,
            Some(
                Kind::EngineUnavailable
                    | Kind::UnknownModel
                    | Kind::WrongModelKind
                    | Kind::MissingFile
                    | Kind::UnreadableFile
                    | Kind::DamagedModelFile
                    | Kind::NotInState
                    | Kind::OutOfMemory
                    | Kind::NoWorkerSlot
                    | Kind::CannotConnect
                    | Kind::ConnectionLost
                    | Kind::MalformedAnswer
                    | Kind::KeyRefused
                    | Kind::EndpointMisconfigured
            )
        );
        // The memory that one document needs is its own fault. Otherwise: privileges, names, resources, operator
        // intervention, system errors, transactions that can be tried again.
        let passing = ["25", "40", "53", "55", "57", "58"].iter().any(|class| self.sqlstate.starts_with(class));
        kind || self.is_permanent() || (passing && self.sqlstate != "53200")
    }

    /// Whether another session had a conflicting lock, or was quicker.
    pub fn is_a_lock(&self) -> bool {
        matches!(self.sqlstate.as_str(), "55P03" | "40P01" | "40001")
    }

    /// Whether nothing changes until a user acts.
    pub fn is_permanent(&self) -> bool {
        self.kind.is_some_and(is_permanent)
            || matches!(self.sqlstate.as_str(), "42501" | "42P01" | "42703" | "42883" | "3F000")
    }
}
