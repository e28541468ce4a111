//! Counts rows of the tables of a corpus by heap scans, for roles that monitor corpora they do not own.
//!
//! No statement is planned or run over these tables, because their owner could have it call code: by a cast, a
//! generated column, an index expression, a policy, a child table. A table that is not as socle created it is not read.

use super::CorpusSpec;
use crate::pg::backend;
use crate::pg::column::Column;
use crate::pg::heap::{self, ArrayColumn, Row, Table};
use pgrx::pg_sys;
use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::ops::ControlFlow;
use std::time::Duration;

/// Longest wait for a table that is locked.
const PATIENCE: Duration = Duration::from_secs(1);

/// Time that a worker needs to begin with a change, in microseconds.
const SOON: i64 = 2_000_000;

/// `infinity` as `timestamptz` (timestamp.h, DT_NOEND).
const NEVER: i64 = i64::MAX;

/// 1970-01-01 in microseconds since 2000-01-01.
const EPOCH: i64 = -946_684_800_000_000;

/// Counts of one corpus, for `socle.corpus_status`.
#[derive(Debug, Default)]
pub struct Counts {
    /// Documents that have been chunked.
    pub documents: i64,
    /// Chunks of these documents.
    pub chunks: i64,
    /// Pending and failed changes.
    pub backlog: Backlog,
}

/// Summary of a change log. Times are in microseconds since 2000-01-01.
#[derive(Debug, Default)]
pub struct Backlog {
    /// Changes that are pending, each key of a batch counted.
    pub pending: i64,
    /// Documents set aside after their last attempt.
    pub failed: i64,
    /// Time of the oldest pending change.
    pub oldest: Option<i64>,
    /// A change has been due for longer than `SOON`, and no worker has leased it.
    pub overdue: bool,
    /// A document was put off, as it takes long: see `sql/sync/put_off.sql`.
    pub put_off: bool,
    /// Earliest time in the future at which a change is tried again.
    pub next_attempt: Option<i64>,
    /// A change waits for its first attempt that is from before a given time, or that a resync has found: see
    /// `sql/sync/fill_incomplete.sql`.
    pub behind: bool,
}

/// A failure as shown to roles that may not see data: neither key nor message.
#[derive(Debug)]
pub struct Failure {
    /// Attempts so far.
    pub attempts: i32,
    /// Time of the next attempt, in microseconds since 2000-01-01; `None` when the document is set aside.
    pub next_attempt: Option<i64>,
    /// Time of the last attempt.
    pub failed: i64,
    /// The step that failed.
    pub step: Option<String>,
    /// SQLSTATE of the error.
    pub sqlstate: Option<String>,
}

/// Counts the rows of a corpus. `None` when one of its tables is not as socle created it, or locked longer than
/// `PATIENCE`.
pub fn counts(corpus: &CorpusSpec) -> Option<Counts> {
    let document = Table::open(corpus.tables.document?.into(), PATIENCE)?;
    let chunks = document.column("chunk_count", pg_sys::INT4OID)?;
    let mut counts = Counts { backlog: backlog(corpus, NEVER)?, ..Counts::default() };
    document.for_each(|row| {
        counts.documents += 1;
        counts.chunks += row.int4(chunks).map_or(0, i64::from);
        ControlFlow::Continue(())
    });
    Some(counts)
}

/// Scans the change log of a corpus; changes up to `filled_to` belong to its first fill. `None` as for [`counts`].
pub fn backlog(corpus: &CorpusSpec, filled_to: i64) -> Option<Backlog> {
    let change = Table::open(corpus.tables.change?.into(), PATIENCE)?;
    let log = Log::of(&change, corpus)?;
    let now = backend::now();
    let mut backlog = Backlog::default();
    let mut failed = HashSet::new();
    change.for_each(|row| {
        let due = row.timestamp(log.next_attempt).unwrap_or(NEVER);
        if due == NEVER {
            failed.insert(log.key_hash(row));
            return ControlFlow::Continue(());
        }
        let changed = row.timestamp(log.changed).unwrap_or(NEVER);
        let leased = row.timestamp(log.lease).is_some_and(|until| until >= now);
        let first = row.int4(log.attempts) == Some(0);
        backlog.pending += row.array_length(log.batch).map_or(1, i64::from);
        backlog.oldest = backlog.oldest.into_iter().chain(Some(changed)).min();
        backlog.put_off |= due == EPOCH;
        backlog.overdue |= due <= now && changed < now - SOON && !leased;
        backlog.next_attempt = backlog.next_attempt.into_iter().chain((due > now).then_some(due)).min();
        backlog.behind |=
            first && (changed <= filled_to || row.bool(log.compared) == Some(true) || log.asks_for_all(row));
        ControlFlow::Continue(())
    });
    backlog.failed = i64::try_from(failed.len()).unwrap_or(i64::MAX);
    Some(backlog)
}

/// Whether any change is pending; the scan ends at the first. `None` as for [`counts`].
pub fn any_pending(corpus: &CorpusSpec) -> Option<bool> {
    let change = Table::open(corpus.tables.change?.into(), PATIENCE)?;
    let next_attempt = change.column("next_attempt_at", pg_sys::TIMESTAMPTZOID)?;
    let mut pending = false;
    change.for_each(|row| {
        pending = row.timestamp(next_attempt) != Some(NEVER);
        if pending { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    Some(pending)
}

/// Locks the change log of a corpus for reading; false when it is locked longer than `PATIENCE`.
pub fn lock_log(corpus: &CorpusSpec) -> bool {
    corpus.tables.change.is_none_or(|change| heap::lock(change.into(), PATIENCE))
}

/// The last failure of each document, latest first. `None` as for [`counts`].
pub fn failures(corpus: &CorpusSpec) -> Option<Vec<Failure>> {
    let change = Table::open(corpus.tables.change?.into(), PATIENCE)?;
    let log = Log::of(&change, corpus)?;
    let step = change.column("failed_step", pg_sys::TEXTOID)?;
    let sqlstate = change.column("error_sqlstate", pg_sys::TEXTOID)?;
    let mut last: HashMap<u64, Failure> = HashMap::new();
    change.for_each(|row| {
        let Some(failed) = row.timestamp(log.failed) else { return ControlFlow::Continue(()) };
        let key = log.key_hash(row);
        if last.get(&key).is_some_and(|other| other.failed >= failed) {
            return ControlFlow::Continue(());
        }
        let failure = Failure {
            attempts: row.int4(log.attempts).unwrap_or_default(),
            next_attempt: row.timestamp(log.next_attempt).filter(|at| *at != NEVER),
            failed,
            step: row.text(step),
            sqlstate: row.text(sqlstate),
        };
        last.insert(key, failure);
        ControlFlow::Continue(())
    });
    let mut failures: Vec<Failure> = last.into_values().collect();
    failures.sort_by_key(|failure| std::cmp::Reverse(failure.failed));
    Some(failures)
}

/// The columns of a change log.
struct Log {
    next_attempt: Column,
    changed: Column,
    failed: Column,
    lease: Column,
    attempts: Column,
    compared: Column,
    batch: ArrayColumn,
    key: Vec<Column>,
    hasher: RandomState,
}

impl Log {
    fn of(table: &Table, corpus: &CorpusSpec) -> Option<Self> {
        Some(Self {
            next_attempt: table.column("next_attempt_at", pg_sys::TIMESTAMPTZOID)?,
            changed: table.column("changed_at", pg_sys::TIMESTAMPTZOID)?,
            failed: table.column("failed_at", pg_sys::TIMESTAMPTZOID)?,
            lease: table.column("lease_until", pg_sys::TIMESTAMPTZOID)?,
            attempts: table.column("attempt_count", pg_sys::INT4OID)?,
            compared: table.column("compared", pg_sys::BOOLOID)?,
            batch: table.array_column("batch_1")?,
            key: corpus.tables.chunk_key_columns.iter().map(|name| table.any_column(name)).collect::<Option<_>>()?,
            hasher: RandomState::new(),
        })
    }

    /// Whether a row requests a resync: it has neither key nor batch.
    fn asks_for_all(&self, row: &Row<'_>) -> bool {
        self.key.first().is_some_and(|column| row.is_null(*column)) && row.is_null_array(self.batch)
    }

    /// Hash of a key by its bytes: its operators may be code of the owner.
    fn key_hash(&self, row: &Row<'_>) -> u64 {
        self.hasher.hash_one(self.key.iter().map(|column| row.bytes(*column)).collect::<Vec<_>>())
    }
}
