//! Keys that wait to be appended to their change log, kept per subtransaction: one that rolls back discards its own
//! keys and no others.

use super::MAX_PENDING;
use super::change_log::{self, ChangeLog, Inserts};
use crate::pg::error;
use crate::pg::run_as::{as_log_owner, as_superuser};
use crate::pg::spi;
use crate::pg::subtransaction::attempt;
use crate::supervisor::wake;
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

const MISSED: &str = include_str!("../../sql/corpus/missed_change.sql");

/// Changes of one source in one subtransaction.
pub struct Batch {
    /// The log that they are appended to.
    pub log: Rc<ChangeLog>,
    subtransaction: pg_sys::SubTransactionId,
    /// The values of each key column, in TopTransactionContext.
    columns: Vec<Vec<pg_sys::Datum>>,
    resync: bool,
}

thread_local! {
    /// Changes that are not in the logs yet.
    pub static PENDING: RefCell<Vec<Batch>> = const { RefCell::new(Vec::new()) };
    static REGISTERED: Cell<bool> = const { Cell::new(false) };
}

/// Records the key of a row. A row without one, as where its constraint was dropped, requests a resync.
///
/// # Safety
/// The slot was read by [`ChangeLog::read`].
pub unsafe fn note(log: &Rc<ChangeLog>, slot: *mut pg_sys::TupleTableSlot) {
    // SAFETY: see above.
    if !log.takes_keys() || log.key.iter().any(|column| unsafe { column.value(slot) }.is_none()) {
        return request_resync(log);
    }
    let full = with_batch(log, |batch| {
        // SAFETY: the context exists as long as the transaction. See above for the slot.
        unsafe {
            let before = pg_sys::MemoryContextSwitchTo(pg_sys::TopTransactionContext);
            for (column, values) in log.key.iter().zip(&mut batch.columns) {
                values.extend(column.value(slot).map(|value| column.copy(value)));
            }
            pg_sys::MemoryContextSwitchTo(before);
        }
        batch.columns.first().is_some_and(|values| values.len() >= MAX_PENDING)
    });
    if full {
        flush_current();
    }
}

/// Records that every row may have changed: requests a resync.
pub fn request_resync(log: &Rc<ChangeLog>) {
    with_batch(log, |batch| batch.resync = true);
}

fn with_batch<T>(log: &Rc<ChangeLog>, work: impl FnOnce(&mut Batch) -> T) -> T {
    if !REGISTERED.replace(true) {
        // SAFETY: the callbacks live as long as the process.
        unsafe {
            pg_sys::RegisterXactCallback(Some(transaction_event), std::ptr::null_mut());
            pg_sys::RegisterSubXactCallback(Some(subtransaction_event), std::ptr::null_mut());
        }
    }
    // SAFETY: reads a variable of this process.
    let subtransaction = unsafe { pg_sys::GetCurrentSubTransactionId() };
    PENDING.with_borrow_mut(|pending| {
        let same = |batch: &Batch| {
            let known = batch.log.relation == log.relation && batch.log.takes_keys() == log.takes_keys();
            batch.subtransaction == subtransaction && known && batch.log.corpus == log.corpus
        };
        let at = pending.iter().rposition(same).unwrap_or_else(|| {
            let columns = vec![Vec::new(); log.key.len()];
            pending.push(Batch { log: log.clone(), subtransaction, columns, resync: false });
            pending.len() - 1
        });
        work(&mut pending[at])
    })
}

/// Appends the pending changes of the current subtransaction.
fn flush_current() {
    // SAFETY: reads a variable of this process.
    let current = unsafe { pg_sys::GetCurrentSubTransactionId() };
    flush(|batch| batch.subtransaction == current);
}

fn flush(wanted: impl Fn(&Batch) -> bool) {
    let batches: Vec<Batch> =
        PENDING.with_borrow_mut(|pending| pending.extract_if(.., |batch| wanted(batch)).collect());
    if batches.is_empty() {
        return;
    }
    // The user may set a transaction read only after it has written; that does not apply to the log. An error ends it.
    // SAFETY: a variable of this process.
    let read_only = unsafe {
        let before = pg_sys::XactReadOnly;
        pg_sys::XactReadOnly = false;
        before
    };
    // SAFETY: inside a transaction. SPI needs a snapshot where no query has one any more, as before a commit.
    unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot()) };
    batches.iter().for_each(put);
    // SAFETY: pushed above; an error ends the transaction, and the snapshot with it.
    unsafe { pg_sys::PopActiveSnapshot() };
    // SAFETY: as above.
    unsafe { pg_sys::XactReadOnly = read_only };
    // A paused or broken corpus wakes no worker. It may have been resumed since the first of these changes.
    if change_log::is_stale() || batches.iter().any(|batch| !batch.log.resting) {
        wake::at_commit();
    }
}

/// Writes a batch: to the log or, where that refuses it, as a request to resync the corpus. Objects that the owner of a
/// log has put on it run as the owner, and in a subtransaction, so that the writer does not fail.
fn put(batch: &Batch) {
    let log = &batch.log;
    let appended = match &log.inserts {
        Some(inserts) if log.is_open() => {
            as_log_owner(log.owner, || append(batch, inserts));
            true
        }
        Some(inserts) => {
            let appending = || {
                as_log_owner(log.owner, || append(batch, inserts));
                Ok(())
            };
            attempt(appending).is_ok()
        }
        None => false,
    };
    if !appended && let Err(error) = as_superuser(|| spi::run(MISSED, &[log.corpus.as_str().into()])) {
        error::report(error).report(PgLogLevel::ERROR);
    }
}

/// An error fails the writer: what cannot be logged must not be committed.
fn append(batch: &Batch, inserts: &Inserts) {
    let log = &batch.log;
    let count = batch.columns.first().map_or(0, Vec::len);
    let arguments: Vec<DatumWithOid<'_>> = log
        .key
        .iter()
        .zip(&batch.columns)
        .map(|(column, values)| match values.as_slice() {
            // SAFETY: a value of the type of its column.
            [value] => unsafe { DatumWithOid::new(*value, column.type_oid) },
            // SAFETY: an array of such values, which Postgres copies.
            values => unsafe {
                let array = pg_sys::construct_array(
                    values.as_ptr().cast_mut(),
                    i32::try_from(values.len()).unwrap_or(i32::MAX),
                    column.type_oid,
                    i32::from(column.length),
                    column.by_value,
                    column.align,
                );
                DatumWithOid::new(pg_sys::Datum::from(array), column.array_oid)
            },
        })
        .collect();
    let result = Spi::connect_mut(|client| {
        if count == 1 {
            client.update(&inserts.one, None, &arguments)?;
        } else if count > 1 {
            client.update(&inserts.many, None, &arguments)?;
        }
        if batch.resync {
            client.update(&inserts.resync, None, &[])?;
        }
        Ok(())
    });
    if let Err(error) = result {
        error::report(error::spi(error)).report(PgLogLevel::ERROR);
    }
    for (column, values) in log.key.iter().zip(&batch.columns) {
        if !column.by_value {
            // SAFETY: copies made by `Column::copy`, not used again.
            values.iter().for_each(|value| unsafe { pg_sys::pfree(value.cast_mut_ptr()) });
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn transaction_event(event: pg_sys::XactEvent::Type, _argument: *mut std::ffi::c_void) {
    match event {
        pg_sys::XactEvent::XACT_EVENT_PRE_COMMIT | pg_sys::XactEvent::XACT_EVENT_PRE_PREPARE => flush(|_| true),
        pg_sys::XactEvent::XACT_EVENT_ABORT => forget(|_| true),
        _ => {}
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn subtransaction_event(
    event: pg_sys::SubXactEvent::Type,
    current: pg_sys::SubTransactionId,
    parent: pg_sys::SubTransactionId,
    _argument: *mut std::ffi::c_void,
) {
    match event {
        pg_sys::SubXactEvent::SUBXACT_EVENT_PRE_COMMIT_SUB => {
            leave_to(parent, current);
            flush(|batch| batch.subtransaction == current);
        }
        pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB => forget(|batch| batch.subtransaction == current),
        _ => {}
    }
}

/// Leaves batches that may need a subtransaction to be written to the parent: none can begin while one commits.
fn leave_to(parent: pg_sys::SubTransactionId, current: pg_sys::SubTransactionId) {
    PENDING.with_borrow_mut(|pending| {
        let left = pending.iter_mut().filter(|batch| batch.subtransaction == current);
        left.filter(|batch| batch.log.takes_keys() && !batch.log.is_open())
            .for_each(|batch| batch.subtransaction = parent);
    });
}

/// Discards batches. Their values are freed with TopTransactionContext.
fn forget(unwanted: impl Fn(&Batch) -> bool) {
    PENDING.with(|pending| {
        if let Ok(mut pending) = pending.try_borrow_mut() {
            pending.retain(|batch| !unwanted(batch));
        }
    });
}
