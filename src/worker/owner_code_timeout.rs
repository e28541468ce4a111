//! The time limit for what the owner of a corpus has a worker run: triggers, defaults, checks, whatever is on its
//! tables.
//!
//! A handler in PL/pgSQL may catch what cancels a statement, and go on; nothing catches the end of a process. So a
//! worker that is over the limit ends, and before that, in the handler of the timer, writes a note to the runtime
//! directory: the next worker of the database reads it and marks the corpus broken. Long before that, the supervisor is
//! told that this worker is held up, so that another takes over the rest.

use crate::catalog::CorpusSpec;
use crate::pg::backend;
use crate::pg::gucs;
use crate::supervisor::wake;
use pgrx::pg_sys;
use socle_core::fair_queue::message::Message;
use socle_core::protocol::RUNTIME_DIRECTORY;
use std::cell::Cell;
use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Time after which another worker takes over. Far more than a transaction of a worker usually takes.
const HELD_UP: Duration = Duration::from_secs(3);

/// Rows that may be read or written within `socle.sync_timeout`; each further so many extend the limit by as much.
const ROWS: u64 = 10_000;

/// Above the ids of all timeouts of Postgres itself: registration assigns the next free one.
const ANY_FREE: c_int = 1_000;

unsafe extern "C-unwind" {
    // timeout.h, for which pgrx has no bindings. They run no code of users, and end the process where there are too
    // many.
    fn RegisterTimeout(id: c_int, handler: Option<unsafe extern "C-unwind" fn()>) -> c_int;
    fn enable_timeout_after(id: c_int, delay_ms: c_int);
    fn disable_timeout(id: c_int, keep_indicator: bool);
}

#[derive(Clone, Copy)]
struct Timers {
    held_up: c_int,
    over: c_int,
}

/// What the handler writes, and to which file. Prepared beforehand, since a handler must not allocate.
#[derive(Clone, Copy)]
struct Note {
    path: [u8; 64],
    line: [u8; 16],
    length: usize,
}

thread_local! {
    static TIMERS: Cell<Option<Timers>> = const { Cell::new(None) };
    static NOTE: Cell<Option<Note>> = const { Cell::new(None) };
    static NUMBER: Cell<u64> = const { Cell::new(0) };
    static HELD: Cell<bool> = const { Cell::new(false) };
    static RUNNING: Cell<bool> = const { Cell::new(false) };
}

/// Registers the timers of this worker, which the supervisor knows by `number`.
pub fn prepare(number: u64) {
    NUMBER.set(number);
    // SAFETY: once in the life of a worker, after it has connected.
    let timers = unsafe {
        Timers { held_up: RegisterTimeout(ANY_FREE, Some(held_up)), over: RegisterTimeout(ANY_FREE, Some(over)) }
    };
    TIMERS.set(Some(timers));
}

/// Starts the limit, which ends with [`end`], for code that touches about so many rows. The first in a transaction
/// counts.
pub fn begin(corpus: &CorpusSpec, rows: u64) {
    let (Some(timers), Some(change)) = (TIMERS.get(), corpus.tables.change) else { return };
    if RUNNING.replace(true) {
        return;
    }
    NOTE.set(note(change.into()));
    // SAFETY: timers of this process.
    unsafe { enable_timeout_after(timers.held_up, milliseconds(HELD_UP)) };
    let limit = gucs::sync_timeout();
    if !limit.is_zero() {
        let factor = u32::try_from(1 + rows / ROWS).unwrap_or(u32::MAX);
        // SAFETY: as above.
        unsafe { enable_timeout_after(timers.over, milliseconds(limit.saturating_mul(factor))) };
    }
}

/// Ends the limit, with the transaction.
pub fn end() {
    if !RUNNING.replace(false) {
        return;
    }
    if let Some(timers) = TIMERS.get() {
        // SAFETY: timers of this process.
        unsafe {
            disable_timeout(timers.held_up, false);
            disable_timeout(timers.over, false);
        }
    }
    if HELD.replace(false) {
        wake::notify(Message::WorkerUnblocked(NUMBER.get()));
    }
}

fn milliseconds(time: Duration) -> c_int {
    c_int::try_from(time.as_millis()).unwrap_or(c_int::MAX)
}

unsafe extern "C-unwind" fn held_up() {
    HELD.set(true);
    wake::notify_from_signal_handler(Message::WorkerBlocked(NUMBER.get()));
}

unsafe extern "C-unwind" fn over() {
    if let Some(note) = NOTE.get() {
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_CLOEXEC;
        // SAFETY: system calls that a signal handler may make, with a C string and bytes that live as long.
        unsafe {
            let file = libc::open(note.path.as_ptr().cast(), flags, 0o600);
            if file >= 0 {
                libc::write(file, note.line.as_ptr().cast(), note.length);
                libc::close(file);
            }
        }
    }
    wake::notify_from_signal_handler(Message::WorkAvailable);
    // SAFETY: plain system call. The handler records that the process is to end, at the next point where it may.
    unsafe { libc::raise(libc::SIGTERM) };
}

fn note(change: pg_sys::Oid) -> Option<Note> {
    let path = file().to_str().map(|path| format!("{path}\0"))?;
    let line = format!("{}\n", change.to_u32());
    let mut note = Note { path: [0; 64], line: [0; 16], length: line.len() };
    note.path.get_mut(..path.len())?.copy_from_slice(path.as_bytes());
    note.line.get_mut(..line.len())?.copy_from_slice(line.as_bytes());
    Some(note)
}

fn file() -> PathBuf {
    Path::new(RUNTIME_DIRECTORY).join(format!("overdue.{}", backend::my_database().to_u32()))
}

/// Takes the notes about corpora that workers of this database were over the limit with, by their change logs. Those
/// for which `told` returns false are written again.
pub fn take_notes(mut told: impl FnMut(u32) -> bool) {
    let taken = file().with_extension(format!("{}.{}", backend::my_database().to_u32(), std::process::id()));
    if std::fs::rename(file(), &taken).is_err() {
        return;
    }
    let lines = std::fs::read_to_string(&taken).unwrap_or_default();
    let mut changes: Vec<u32> = lines.lines().filter_map(|line| line.parse().ok()).collect();
    changes.sort_unstable();
    changes.dedup();
    changes.retain(|change| !told(*change));
    if !changes.is_empty() {
        let lines: String = changes.iter().map(|change| format!("{change}\n")).collect();
        // What cannot be written is detected again.
        let _ = std::fs::write(file(), lines);
    }
    let _ = std::fs::remove_file(taken);
}
