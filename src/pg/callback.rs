//! Callbacks of PostgreSQL as plain functions: the end of transactions and subtransactions, changes of relations, the end of
//! the process. A callback stays registered until the process ends.

use pgrx::pg_sys;
use pgrx::prelude::*;
use std::ffi::c_void;

type TransactionHandler = fn(pg_sys::XactEvent::Type);
type SubtransactionHandler = fn(pg_sys::SubXactEvent::Type, pg_sys::SubTransactionId, pg_sys::SubTransactionId);
type RelationHandler = fn(pg_sys::Oid);
type ExitHandler = fn();

/// Has `handler` called at each event of a transaction. What it does at `XACT_EVENT_COMMIT` must neither allocate nor
/// raise: an error there is a PANIC.
pub fn at_transaction_events(handler: TransactionHandler) {
    // SAFETY: the argument is the function that `transaction_event` makes of it again.
    unsafe { pg_sys::RegisterXactCallback(Some(transaction_event), handler as *mut c_void) };
}

/// Has `handler` called at each event of a subtransaction, with its number and that of its parent.
pub fn at_subtransaction_events(handler: SubtransactionHandler) {
    // SAFETY: as above, for `subtransaction_event`.
    unsafe { pg_sys::RegisterSubXactCallback(Some(subtransaction_event), handler as *mut c_void) };
}

/// Has `handler` called when a relation has changed, or any may have (an invalid OID). It runs while messages about
/// changes are processed, so it must neither allocate nor raise.
pub fn at_relation_changes(handler: RelationHandler) {
    // SAFETY: as above, for `relation_changed`.
    unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(relation_changed), pg_sys::Datum::from(handler as usize)) };
}

/// Has `handler` called when the process ends, also where a FATAL error ends it, which unwinds nothing. It must not raise.
pub fn at_process_exit(handler: ExitHandler) {
    // SAFETY: as above, for `process_exits`.
    unsafe { pg_sys::on_proc_exit(Some(process_exits), pg_sys::Datum::from(handler as usize)) };
}

/// The number of the current subtransaction.
pub fn current_subtransaction() -> pg_sys::SubTransactionId {
    // SAFETY: reads a variable of this process.
    unsafe { pg_sys::GetCurrentSubTransactionId() }
}

#[pg_guard]
unsafe extern "C-unwind" fn transaction_event(event: pg_sys::XactEvent::Type, handler: *mut c_void) {
    // SAFETY: registered with such a function.
    let handler = unsafe { std::mem::transmute::<*mut c_void, TransactionHandler>(handler) };
    handler(event);
}

#[pg_guard]
unsafe extern "C-unwind" fn subtransaction_event(
    event: pg_sys::SubXactEvent::Type,
    current: pg_sys::SubTransactionId,
    parent: pg_sys::SubTransactionId,
    handler: *mut c_void,
) {
    // SAFETY: registered with such a function.
    let handler = unsafe { std::mem::transmute::<*mut c_void, SubtransactionHandler>(handler) };
    handler(event, current, parent);
}

#[pg_guard]
unsafe extern "C-unwind" fn relation_changed(handler: pg_sys::Datum, relation: pg_sys::Oid) {
    // SAFETY: registered with such a function.
    let handler = unsafe { std::mem::transmute::<usize, RelationHandler>(handler.value()) };
    handler(relation);
}

#[pg_guard]
unsafe extern "C-unwind" fn process_exits(_code: i32, handler: pg_sys::Datum) {
    // SAFETY: registered with such a function.
    let handler = unsafe { std::mem::transmute::<usize, ExitHandler>(handler.value()) };
    handler();
}
