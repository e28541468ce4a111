//! Counts rows of the tables of a corpus by heap scans, for roles that monitor corpora they do not own.
//!
//! No statement is planned or run over these tables, because their owner could have it call code: by a cast, a
//! generated column, an index expression, a policy, a child table. A table that is not as socle created it is not read.

use super::CorpusSpec;
use crate::pg::backend;
use crate::pg::wait;
use pgrx::pg_sys;
use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::ffi::CString;
use std::hash::BuildHasher;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// Longest wait for a table that is locked.
const PATIENCE: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_millis(20);

/// Time that a worker needs to begin with a change, in microseconds.
const SOON: i64 = 2_000_000;

/// `infinity` as `timestamptz` (timestamp.h, DT_NOEND).
const NEVER: i64 = i64::MAX;

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
    let document = Table::open(corpus.tables.document?.into())?;
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
    let change = Table::open(corpus.tables.change?.into())?;
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
        let first = match row.int4(log.attempts) {
            Some(0) => true,
            Some(1) => leased,
            _ => false,
        };
        backlog.pending += row.array_length(log.batch).map_or(1, i64::from);
        backlog.oldest = backlog.oldest.into_iter().chain(Some(changed)).min();
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
    let change = Table::open(corpus.tables.change?.into())?;
    let next_attempt = change.column("next_attempt_at", pg_sys::TIMESTAMPTZOID)?;
    let mut pending = false;
    change.for_each(|row| {
        pending = row.timestamp(next_attempt) != Some(NEVER);
        if pending { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    Some(pending)
}

/// The last failure of each document, latest first. Empty when the log is not as socle created it, or locked too long.
pub fn failures(corpus: &CorpusSpec) -> Vec<Failure> {
    last_failures(corpus).unwrap_or_default()
}

fn last_failures(corpus: &CorpusSpec) -> Option<Vec<Failure>> {
    let change = Table::open(corpus.tables.change?.into())?;
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
    batch: Column,
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
        self.key.first().is_some_and(|column| row.value(*column).is_none()) && row.value(self.batch).is_none()
    }

    /// Hash of a key by its bytes: its operators may be code of the owner.
    fn key_hash(&self, row: &Row<'_>) -> u64 {
        self.hasher.hash_one(self.key.iter().map(|column| row.bytes(*column)).collect::<Vec<_>>())
    }
}

/// A heap table, locked in ACCESS SHARE mode until it is dropped.
struct Table(pg_sys::Relation);

/// A column of such a table: position from 0, length and passing of its values.
#[derive(Clone, Copy)]
struct Column {
    index: usize,
    length: i16,
    by_value: bool,
}

/// A deformed row, valid during the visit.
struct Row<'a> {
    values: &'a [pg_sys::Datum],
    nulls: &'a [bool],
}

impl Table {
    fn open(relation: pg_sys::Oid) -> Option<Self> {
        let lock = pg_sys::AccessShareLock.cast_signed();
        let begun = Instant::now();
        // SAFETY: inside a transaction. A lock that is held longer must not block monitoring.
        while !unsafe { pg_sys::ConditionalLockRelationOid(relation, lock) } {
            if begun.elapsed() > PATIENCE {
                return None;
            }
            wait::wait_for_time(RETRY);
        }
        // SAFETY: the lock is held, which opening needs; the structure lives until the table is closed.
        unsafe {
            let table = pg_sys::try_relation_open(relation, pg_sys::NoLock.cast_signed());
            if table.is_null() {
                pg_sys::UnlockRelationOid(relation, lock);
                return None;
            }
            let table = Self(table);
            let class = &*(*table.0).rd_rel;
            let ordinary = class.relkind == pg_sys::RELKIND_RELATION.cast_signed();
            (ordinary && class.relam == pg_sys::HEAP_TABLE_AM_OID).then_some(table)
        }
    }

    /// A column of that very type, and not generated.
    fn column(&self, name: &str, wanted: pg_sys::Oid) -> Option<Column> {
        self.typed(name, |found| found == wanted)
    }

    fn array_column(&self, name: &str) -> Option<Column> {
        // SAFETY: a catalog lookup inside a transaction.
        self.typed(name, |found| unsafe { pg_sys::get_element_type(found) } != pg_sys::InvalidOid)
    }

    fn any_column(&self, name: &str) -> Option<Column> {
        self.typed(name, |_| true)
    }

    fn typed(&self, name: &str, fits: impl FnOnce(pg_sys::Oid) -> bool) -> Option<Column> {
        let name = CString::new(name).ok()?;
        // SAFETY: catalog lookups inside a transaction, about a table that is locked.
        unsafe {
            let relation = (*self.0).rd_id;
            let number = pg_sys::get_attnum(relation, name.as_ptr());
            if number < 1 || pg_sys::get_attgenerated(relation, number) != 0 {
                return None;
            }
            let found = pg_sys::get_atttype(relation, number);
            let (mut length, mut by_value) = (0, false);
            pg_sys::get_typlenbyval(found, &mut length, &mut by_value);
            fits(found).then(|| Column { index: usize::from(number.unsigned_abs()) - 1, length, by_value })
        }
    }

    /// Visits the rows that the calling statement sees, until `visit` breaks.
    fn for_each(&self, mut visit: impl FnMut(&Row<'_>) -> ControlFlow<()>) {
        use pg_sys::ScanOptions as Scan;
        let flags = Scan::SO_TYPE_SEQSCAN | Scan::SO_ALLOW_STRAT | Scan::SO_ALLOW_SYNC | Scan::SO_ALLOW_PAGEMODE;
        // SAFETY: the table is open and a heap; a row lives until the next one is fetched, and the arrays have one
        // element per column.
        unsafe {
            let width = usize::try_from((*(*self.0).rd_att).natts).unwrap_or_default();
            let (mut values, mut nulls) = (vec![pg_sys::Datum::null(); width], vec![true; width]);
            let snapshot = pg_sys::GetActiveSnapshot();
            let none = std::ptr::null_mut();
            let scan = pg_sys::heap_beginscan(self.0, snapshot, 0, none, std::ptr::null_mut(), flags);
            loop {
                pgrx::check_for_interrupts!();
                let tuple = pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
                if tuple.is_null() {
                    break;
                }
                pg_sys::heap_deform_tuple(tuple, (*self.0).rd_att, values.as_mut_ptr(), nulls.as_mut_ptr());
                if visit(&Row { values: &values, nulls: &nulls }).is_break() {
                    break;
                }
            }
            pg_sys::heap_endscan(scan);
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // After an error Postgres releases everything itself.
        if !std::thread::panicking() {
            // SAFETY: opened and locked above, once.
            unsafe { pg_sys::relation_close(self.0, pg_sys::AccessShareLock.cast_signed()) };
        }
    }
}

impl Row<'_> {
    fn value(&self, column: Column) -> Option<pg_sys::Datum> {
        (!self.nulls[column.index]).then(|| self.values[column.index])
    }

    fn bool(&self, column: Column) -> Option<bool> {
        self.value(column).map(|value| value.value() != 0)
    }

    fn int4(&self, column: Column) -> Option<i32> {
        self.value(column).map(|value| value.value() as i32)
    }

    fn timestamp(&self, column: Column) -> Option<i64> {
        self.value(column).map(|value| value.value() as i64)
    }

    fn text(&self, column: Column) -> Option<String> {
        // SAFETY: the column is of type text.
        self.value(column).and_then(|value| unsafe { pgrx::FromDatum::from_datum(value, false) })
    }

    /// Number of elements of an array, of which only the header is detoasted.
    fn array_length(&self, column: Column) -> Option<i32> {
        const HEAD: i32 = (size_of::<pg_sys::ArrayType>() + 6 * size_of::<i32>()) as i32;
        let value = self.value(column)?;
        // SAFETY: the column holds arrays; the dimensions, six at most, follow the header. The length word of the
        // varlena does not count as part of a slice.
        unsafe {
            let head = pg_sys::pg_detoast_datum_slice(value.cast_mut_ptr(), 0, HEAD).cast::<pg_sys::ArrayType>();
            let length = pg_sys::ArrayGetNItems((*head).ndim, head.add(1).cast());
            pg_sys::pfree(head.cast());
            Some(length)
        }
    }

    /// The bytes of a value, detoasted; `None` for NULL.
    fn bytes(&self, column: Column) -> Option<Vec<u8>> {
        let value = self.value(column)?;
        if column.by_value {
            return Some(value.value().to_ne_bytes().to_vec());
        }
        let start = value.cast_mut_ptr::<u8>();
        // SAFETY: a value by reference of fixed length, a varlena, or a C string.
        unsafe {
            match column.length {
                -1 => {
                    let plain = pg_sys::pg_detoast_datum_packed(start.cast());
                    let bytes = pgrx::varlena::varlena_to_byte_slice(plain).to_vec();
                    if plain.cast() != start {
                        pg_sys::pfree(plain.cast());
                    }
                    Some(bytes)
                }
                -2 => Some(std::ffi::CStr::from_ptr(start.cast()).to_bytes().to_vec()),
                length => Some(std::slice::from_raw_parts(start, usize::try_from(length).unwrap_or_default()).to_vec()),
            }
        }
    }
}
