//! The trigger on every source: records the keys of rows whose chunks may be out of date.
//!
//! Runs in the session of the writer. Compares key and content of the old and the new row as stored, keeps keys in
//! memory, and appends them to the change log of the corpus a thousand at a time, before the transaction commits or is
//! prepared, and before a subtransaction commits. Refuses large objects that the writer may not read. Reads no text,
//! calls no engine, takes no lock that another session waits for.
//!
//! A write does not fail because of the state of a corpus: where the log cannot take a key, or its owner has put
//! something on it that refuses rows, a table of socle itself records that the corpus has to be resynced.

mod change_log;
mod pending;

pub use change_log::invalidate;

use crate::pg::allocator;
use crate::pg::trigger_call::{TriggerCall, TriggerEvent};
use change_log::ChangeLog;
use pending::PENDING;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use std::rc::Rc;

/// Keys kept in memory per source and subtransaction before they are appended to the change log.
const MAX_PENDING: usize = 1_000;

/// The trigger function `socle._capture_change()`.
#[pg_guard]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn capture_change(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // A writer does not fail for want of the memory reserve.
    let _ = allocator::restock();
    // SAFETY: Postgres is calling this function.
    let Some(call) = (unsafe { TriggerCall::of(call) }) else {
        not_a_trigger();
        return pg_sys::Datum::null();
    };
    if let Some(log) = change_log::find(call) {
        note(&log, call);
    }
    pg_sys::Datum::null()
}

/// The fmgr info record of [`capture_change`]: calling convention version 1.
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_capture_change() -> &'static pg_sys::Pg_finfo_record {
    const V1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &V1
}

fn not_a_trigger() {
    let code = PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED;
    ErrorReport::new(code, "socle._capture_change() must be called as a trigger", pgrx::function_name!())
        .report(PgLogLevel::ERROR);
}

fn note(log: &Rc<ChangeLog>, call: TriggerCall<'_>) {
    // A trigger for a statement has no row: TRUNCATE.
    let Some(first) = call.row() else { return pending::request_resync(log) };
    log.read(first);
    let Some(second) = call.new_row() else {
        if call.event() == TriggerEvent::Insert {
            log.check_object(call.relation(), first, None);
        }
        return pending::note(log, first);
    };
    log.read(second);
    log.check_object(call.relation(), second, Some(first));
    if !log.takes_keys() {
        pending::request_resync(log);
    } else if !log.same_key(first, second) {
        pending::note(log, first);
        pending::note(log, second);
    } else if !log.same_content(first, second) {
        pending::note(log, second);
    }
}

/// Whether this transaction has changed the source of the corpus with this change log.
pub fn has_pending(change_log: pg_sys::Oid) -> bool {
    PENDING.with_borrow(|pending| pending.iter().any(|batch| batch.log.relation == change_log))
}
