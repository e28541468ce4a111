//! The socle engine: models, tokenizers, documents and the keyword index in a process of their own, so that a crash in
//! one of their libraries cannot reach PostgreSQL's shared memory.
//!
//! A request (`request`) arrives at the thread that owns all connections (`server`), waits in the queue of its lane
//! (`scheduler`, `lane`), is served by a worker thread (`worker`) with `model`, `keyword` or `document`, and its response
//! goes back to the server thread through `response_queue`. Nothing here links against PostgreSQL.

pub mod batch_queue;
pub mod control;
pub mod document;
pub mod keyword;
pub mod lane;
pub mod model;
pub mod pending_response;
pub mod process;
pub mod request;
pub mod response_queue;
pub mod round_robin;
pub mod sandbox;
pub mod scheduler;
pub mod server;
pub mod statistics;
pub mod streamed_response;
pub mod worker;

use std::any::Any;
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970-01-01 00:00 UTC, the form in which times are reported to SQL.
pub fn seconds_since_1970() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |duration| duration.as_secs_f64())
}

/// Resident memory of this process in bytes (`proc_pid_statm(5)`, second field, in pages).
pub fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or_default();
    pages * rustix::param::page_size() as u64
}

/// The message of a caught panic.
pub fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic without a message".to_string())
}
