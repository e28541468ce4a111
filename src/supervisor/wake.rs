//! Tells the supervisor, once a transaction has committed, that a database has work for its sync worker.
//!
//! Everything that can fail is done before the commit; after it there is one `sendto`, whose failure costs the time
//! until the next poll. An error there would be a PANIC: nothing allocates, nothing raises.

use crate::pg::backend;
use crate::supervisor;
use pgrx::pg_sys;
use pgrx::prelude::*;
use socle_core::fair_queue::message::Message;
use socle_core::protocol::{RUNTIME_DIRECTORY, WAKE_SOCKET};
use std::cell::Cell;
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

/// Time for which a supervisor that was seen is assumed to run. A check costs a few system calls in every transaction.
const SEEN_FOR: Duration = Duration::from_secs(1);

thread_local! {
    static WANTED: Cell<bool> = const { Cell::new(false) };
    static REGISTERED: Cell<bool> = const { Cell::new(false) };
    static SEEN: Cell<Option<Instant>> = const { Cell::new(None) };
    static SOCKET: Cell<i32> = const { Cell::new(-1) };
    static ADDRESS: Cell<Option<libc::sockaddr_un>> = const { Cell::new(None) };
}

/// Wakes the sync worker of this database when the transaction has committed. Never fails: work that no worker is woken
/// for is found by a later one.
pub fn at_commit() {
    if !REGISTERED.get() {
        // SAFETY: the callback lives as long as the process.
        unsafe { pg_sys::RegisterXactCallback(Some(transaction_ends), std::ptr::null_mut()) };
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
    if SOCKET.get() < 0
        && let Ok(socket) = UnixDatagram::unbound()
    {
        // SAFETY: the function only counts; the descriptor lives as long as the process.
        unsafe { pg_sys::ReserveExternalFD() };
        SOCKET.set(socket.into_raw_fd());
        ADDRESS.set(Some(address()));
    }
}

fn address() -> libc::sockaddr_un {
    let mut address = libc::sockaddr_un { sun_family: libc::AF_UNIX as libc::sa_family_t, sun_path: [0; 108] };
    let path = format!("{RUNTIME_DIRECTORY}/{WAKE_SOCKET}");
    for (place, byte) in address.sun_path.iter_mut().zip(path.bytes()) {
        *place = byte.cast_signed();
    }
    address
}

fn send(database: pg_sys::Oid, message: Message) {
    let Some(address) = ADDRESS.get() else { return };
    let message = message.encode(database.to_u32());
    // SAFETY: plain system call with a message and an address of these sizes.
    unsafe {
        libc::sendto(
            SOCKET.get(),
            message.as_ptr().cast(),
            message.len(),
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            (&raw const address).cast(),
            size_of::<libc::sockaddr_un>() as libc::socklen_t,
        );
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn transaction_ends(event: pg_sys::XactEvent::Type, _argument: *mut std::ffi::c_void) {
    if event == pg_sys::XactEvent::XACT_EVENT_COMMIT && WANTED.replace(false) {
        send(backend::my_database(), Message::WorkAvailable);
    } else if event == pg_sys::XactEvent::XACT_EVENT_ABORT || event == pg_sys::XactEvent::XACT_EVENT_PREPARE {
        WANTED.set(false);
    }
}
