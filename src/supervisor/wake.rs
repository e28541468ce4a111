//! Tells the supervisor, once a transaction has committed, that a database has work for its sync worker.
//!
//! Everything that can fail is done before the commit; after it there is one `sendto`, whose failure costs the time
//! until the next poll. An error there would be a PANIC: nothing allocates, nothing raises.

use super::wake_socket::WakeSocket;
use crate::pg::{backend, callback};
use crate::supervisor;
use pgrx::pg_sys;
use socle_core::fair_queue::message::Message;
use socle_core::protocol::{RUNTIME_DIRECTORY, WAKE_SOCKET};
use std::cell::Cell;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Time for which a supervisor that was seen is assumed to run. A check costs a few system calls in every transaction.
const SEEN_FOR: Duration = Duration::from_secs(1);

thread_local! {
    static WANTED: Cell<bool> = const { Cell::new(false) };
    static REGISTERED: Cell<bool> = const { Cell::new(false) };
    static SEEN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Opened by the first message, and kept until the process ends.
static SOCKET: OnceLock<WakeSocket> = OnceLock::new();

/// Wakes the sync worker of this database when the transaction has committed. Never fails: work that no worker is woken
/// for is found by a later one.
pub fn at_commit() {
    if !REGISTERED.get() {
        callback::at_transaction_events(transaction_ends);
        REGISTERED.set(true);
    }
    prepare();
    WANTED.set(true);
}

/// Wakes the sync worker of this database now.
pub fn now() {
    notify(Message::WorkAvailable);
}

/// Sends the supervisor a message about this database.
pub fn notify(message: Message) {
    prepare();
    send(backend::my_database(), message);
}

/// Like [`notify`], without a check for a supervisor: for signal handlers of a worker, which was started by one.
pub fn notify_from_signal_handler(message: Message) {
    send(backend::my_database(), message);
}

/// Wakes the sync worker of another database now.
pub fn database(database: pg_sys::Oid) {
    prepare();
    send(database, Message::WorkAvailable);
}

/// Makes sure that there is a supervisor and a socket to reach it.
fn prepare() {
    if SEEN.get().is_none_or(|seen| seen.elapsed() > SEEN_FOR) {
        if !supervisor::is_running() {
            // Without a free worker slot the work waits; a write to a source must not fail for that.
            let _ = supervisor::register_now();
        }
        SEEN.set(Some(Instant::now()));
    }
    if SOCKET.get().is_none()
        && let Ok(socket) = WakeSocket::open(&Path::new(RUNTIME_DIRECTORY).join(WAKE_SOCKET))
    {
        backend::reserve_descriptor();
        let _ = SOCKET.set(socket);
    }
}

fn send(database: pg_sys::Oid, message: Message) {
    if let Some(socket) = SOCKET.get() {
        socket.send(&message.encode(database.to_u32()));
    }
}

/// Neither this nor what it calls at a commit may allocate or raise.
fn transaction_ends(event: pg_sys::XactEvent::Type) {
    if event == pg_sys::XactEvent::XACT_EVENT_COMMIT && WANTED.replace(false) {
        send(backend::my_database(), Message::WorkAvailable);
    } else if event == pg_sys::XactEvent::XACT_EVENT_ABORT || event == pg_sys::XactEvent::XACT_EVENT_PREPARE {
        WANTED.set(false);
    }
}
