//! The time limit for what the owner of a corpus has a worker run: triggers, defaults, checks, whatever is on its
//! tables.
//!
//! A handler in PL/pgSQL may catch what cancels a statement, and go on; nothing catches the end of a process. So a
//! worker that is over the limit ends, and before that, in the handler of the timer, writes a note to the runtime
//! directory: the next worker of the database reads it and marks the corpus broken. Long before that, the supervisor is
//! told that this worker is held up, so that another takes over the rest; as it is when a worker waits for an endpoint.

use crate::catalog::CorpusSpec;
use crate::pg::timeout::Timer;
use crate::pg::{backend, gucs};
use crate::supervisor::wake;
use pgrx::pg_sys;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::write;
use rustix::process::{Signal, getpid, kill_process};
use socle_core::fair_queue::message::Message;
use socle_core::protocol::RUNTIME_DIRECTORY;
use std::cell::Cell;
use std::ffi::CStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Time after which another worker takes over. Far more than a transaction of a worker usually takes.
const HELD_UP: Duration = Duration::from_secs(3);

/// The same for a worker that waits for an endpoint.
const LONG_WAIT: Duration = Duration::from_secs(1);

/// Rows that may be read or written within `socle.sync_timeout`; each further so many extend the limit by as much.
const ROWS: u64 = 10_000;

#[derive(Clone, Copy)]
struct Timers {
    held_up: Timer,
    over: Timer,
    long_wait: Timer,
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
    static WAITS: Cell<bool> = const { Cell::new(false) };
}

/// Registers the timers of this worker, which the supervisor knows by `number`.
pub fn prepare(number: u64) {
    NUMBER.set(number);
    // SAFETY: a worker that is connected. The handlers read thread-local cells that need no initialization, make system
    // calls, and set flags.
    let timers = unsafe {
        Timers { held_up: Timer::register(held_up), over: Timer::register(over), long_wait: Timer::register(long_wait) }
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
    timers.held_up.start(HELD_UP);
    let limit = gucs::sync_timeout();
    if !limit.is_zero() {
        let factor = u32::try_from(1 + rows / ROWS).unwrap_or(u32::MAX);
        timers.over.start(limit.saturating_mul(factor));
    }
}

/// Ends the limit, with the transaction.
pub fn end() {
    if !RUNNING.replace(false) {
        return;
    }
    if let Some(timers) = TIMERS.get() {
        timers.held_up.stop();
        timers.over.stop();
    }
    if HELD.replace(false) {
        wake::notify(Message::WorkerUnblocked(NUMBER.get()));
    }
}

/// Runs `wait`, which waits for an endpoint, for as long as that may take: after a while, another worker does what needs no
/// endpoint.
pub fn waiting<T>(wait: impl FnOnce() -> T) -> T {
    let Some(timers) = TIMERS.get() else { return wait() };
    timers.long_wait.start(LONG_WAIT);
    let done = wait();
    timers.long_wait.stop();
    if WAITS.replace(false) {
        wake::notify(Message::WorkerUnblocked(NUMBER.get()));
    }
    done
}

unsafe extern "C-unwind" fn long_wait() {
    WAITS.set(true);
    wake::notify_from_signal_handler(Message::WorkerBlocked(NUMBER.get()));
}

unsafe extern "C-unwind" fn held_up() {
    HELD.set(true);
    wake::notify_from_signal_handler(Message::WorkerBlocked(NUMBER.get()));
}

unsafe extern "C-unwind" fn over() {
    if let Some(note) = NOTE.get()
        && let Ok(path) = CStr::from_bytes_until_nul(&note.path)
    {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::CLOEXEC;
        // System calls that a signal handler may make; nothing is allocated for a C string.
        if let Ok(file) = open(path, flags, Mode::RUSR | Mode::WUSR) {
            let _ = write(&file, note.line.get(..note.length).unwrap_or_default());
        }
    }
    wake::notify_from_signal_handler(Message::WorkAvailable);
    // The handler of that signal records that the process is to end, at the next point where it may.
    let _ = kill_process(getpid(), Signal::TERM);
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
