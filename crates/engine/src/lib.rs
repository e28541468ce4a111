//! The socle engine: models, tokenizers and documents in a process of their own, so that nothing that goes wrong with
//! them can reach PostgreSQL's shared memory.
//!
//! One thread (`server`) owns every connection; worker threads (`scheduler`) do the work, some for the interactive lane
//! and as many, at lower priority, for the bulk lane. `model` knows files, tokenizers and ONNX Runtime. Nothing here
//! links against PostgreSQL.

pub mod control;
pub mod document;
pub mod keyword;
pub mod model;
pub mod outbox;
pub mod part;
pub mod process;
pub mod ready;
pub mod request;
pub mod sandbox;
pub mod scheduler;
pub mod server;
pub mod statistics;
pub mod turns;
pub mod work;

use std::any::Any;
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970, as reported to SQL.
pub fn seconds_since_1970() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |duration| duration.as_secs_f64())
}

/// Resident memory of this process in bytes (`proc_pid_statm(5)`, second field, in pages).
pub fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or_default();
    pages * rustix::param::page_size() as u64
}

/// What a caught panic said.
pub fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic without a message".to_string())
}
