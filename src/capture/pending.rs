//! Keys that wait to be appended to their change log, kept per subtransaction: one that rolls back discards its own
//! keys and no others.

use super::MAX_PENDING;
use super::change_log::{self, ChangeLog, Inserts};
use crate::pg::run_as::{as_log_owner, as_superuser};
use crate::pg::snapshot::in_new_snapshot;
use crate::pg::subtransaction::attempt;
use crate::pg::transaction::with_writes_allowed;
use crate::pg::transaction_values::TransactionValues;
use crate::pg::trigger_call::Row;
use crate::pg::{callback, error, spi};
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
    /// The values of each key column.
    columns: Vec<TransactionValues>,
    resync: bool,
}

impl Batch {
    /// Number of keys.
    fn count(&self) -> usize {
        self.columns.first().map_or(0, TransactionValues::len)
    }
}

thread_local! {
    /// Changes that are not in the logs yet.
    pub static PENDING: RefCell<Vec<Batch>> = const { RefCell::new(Vec::new()) };
    static REGISTERED: Cell<bool> = const { Cell::new(false) };
}

/// Records the key of a row. A row without one, as where its constraint was dropped, requests a resync.
pub fn note(log: &Rc<ChangeLog>, row: Row<'_>) {
    if !log.takes_keys() || log.key.iter().any(|column| row.is_null(column)) {
        return request_resync(log);
    }
    let full = with_batch(log, |batch| {
        // Partitions may have the columns of the key in other places.
        log.key.iter().zip(&mut batch.columns).for_each(|(column, values)| values.push(row, column));
        batch.count() >= MAX_PENDING
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
        callback::at_transaction_events(transaction_event);
        callback::at_subtransaction_events(subtransaction_event);
    }
    let subtransaction = callback::current_subtransaction();
    PENDING.with_borrow_mut(|pending| {
        let same = |batch: &Batch| {
            batch.subtransaction == subtransaction && (Rc::ptr_eq(&batch.log, log) || batch.log.takes_the_same(log))
        };
        let at = pending.iter().rposition(same).unwrap_or_else(|| {
            let columns = log.key.iter().map(|column| TransactionValues::new(*column)).collect();
            pending.push(Batch { log: log.clone(), subtransaction, columns, resync: false });
            pending.len() - 1
        });
        work(&mut pending[at])
    })
}

/// Appends the pending changes of the current subtransaction.
fn flush_current() {
    let current = callback::current_subtransaction();
    flush(|batch| batch.subtransaction == current);
}

fn flush(wanted: impl Fn(&Batch) -> bool) {
    let mut batches: Vec<Batch> =
        PENDING.with_borrow_mut(|pending| pending.extract_if(.., |batch| wanted(batch)).collect());
    if batches.is_empty() {
        return;
    }
    // The user may set a transaction read only after it has written; that does not apply to the log. SPI needs a
    // snapshot where no query has one any more, as before a commit.
    with_writes_allowed(|| in_new_snapshot(|| batches.iter_mut().for_each(put)));
    // A paused or broken corpus wakes no worker. It may have been resumed since the first of these changes.
    if change_log::is_stale() || batches.iter().any(|batch| !batch.log.inactive) {
        wake::at_commit();
    }
}

/// Writes a batch: to the log or, where that refuses it, as a request to resync the corpus. Objects that the owner of a
/// log has put on it run as the owner, and in a subtransaction, so that the writer does not fail.
fn put(batch: &mut Batch) {
    let log = Rc::clone(&batch.log);
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
        error::raise(error);
    }
}

/// An error fails the writer: what cannot be logged must not be committed.
fn append(batch: &mut Batch, inserts: &Inserts) {
    let count = batch.count();
    let arguments: Vec<DatumWithOid<'_>> = batch.columns.iter().map(TransactionValues::parameter).collect();
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
        error::raise(error::spi(error));
    }
    batch.columns.iter_mut().for_each(TransactionValues::free);
}

fn transaction_event(event: pg_sys::XactEvent::Type) {
    match event {
        pg_sys::XactEvent::XACT_EVENT_PRE_COMMIT | pg_sys::XactEvent::XACT_EVENT_PRE_PREPARE => flush(|_| true),
        pg_sys::XactEvent::XACT_EVENT_ABORT => forget(|_| true),
        _ => {}
    }
}

fn subtransaction_event(
    event: pg_sys::SubXactEvent::Type,
    current: pg_sys::SubTransactionId,
    parent: pg_sys::SubTransactionId,
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
