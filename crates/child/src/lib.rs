//! What the child processes of the supervisor have in common: the attributes of a process that lives and dies with it, the
//! sandbox, the control socket, processes of their own for untrusted input, and opening the files of models.
//!
//! Knows neither ONNX Runtime nor llama.cpp, and nothing of requests.

pub mod control;
pub mod directory;
pub mod fork_server;
pub mod library;
pub mod process;
pub mod sandbox;
pub mod startup;

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
