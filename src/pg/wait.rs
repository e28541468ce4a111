//! Waits in a Postgres process: always on the latch, always interruptible.

use super::version;
use pgrx::pg_sys;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// Waits until the socket can be read (or, if asked for, written), the timeout has passed, or this process is
/// signalled; `event` is the wait event, one of those of [`version`].
/// Raises what interrupts raise: cancel, `statement_timeout`, termination. Ends the process when the postmaster dies.
pub fn wait_for_socket(socket: BorrowedFd<'_>, writable: bool, timeout: Duration, event: u32) {
    let mut events = pg_sys::WL_SOCKET_READABLE;
    if writable {
        events |= pg_sys::WL_SOCKET_WRITEABLE;
    }
    wait(events, socket.as_raw_fd(), timeout, event);
}

/// Waits until the timeout has passed or this process is signalled; otherwise like [`wait_for_socket`].
pub fn wait_for_time(timeout: Duration) {
    wait(0, pg_sys::PGINVALID_SOCKET, timeout, version::engine_wait_event());
}

/// Like [`wait_for_time`], for a sync worker that has nothing to do.
pub fn wait_for_work(timeout: Duration) {
    wait(0, pg_sys::PGINVALID_SOCKET, timeout, version::idle_wait_event());
}

fn wait(events: u32, socket: i32, timeout: Duration, event: u32) {
    let events = events | pg_sys::WL_LATCH_SET | pg_sys::WL_EXIT_ON_PM_DEATH | pg_sys::WL_TIMEOUT;
    let timeout = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
    // SAFETY: MyLatch is this process's own latch, and the socket is open for the duration of the call.
    unsafe {
        let happened = pg_sys::WaitLatchOrSocket(pg_sys::MyLatch, events as i32, socket, timeout, event);
        if happened.cast_unsigned() & pg_sys::WL_LATCH_SET != 0 {
            pg_sys::ResetLatch(pg_sys::MyLatch);
        }
    }
    pgrx::check_for_interrupts!();
}
