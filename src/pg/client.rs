//! The client of this session: sends it the rows that are ready, and notices that it is gone, while a function works on.

use pgrx::pg_sys;

/// The functions for messages to the client, as far as they are used here (libpq/libpq.h, the same in PostgreSQL 14 to 18).
#[repr(C)]
struct Messages {
    comm_reset: unsafe extern "C-unwind" fn(),
    flush: unsafe extern "C-unwind" fn() -> i32,
    flush_if_writable: unsafe extern "C-unwind" fn() -> i32,
}

unsafe extern "C-unwind" {
    static PqCommMethods: *const Messages;
    fn pq_check_connection() -> bool;
}

/// Whether this process serves a client that results are sent to.
fn has_client() -> bool {
    // SAFETY: variables of this process, read by its only thread.
    unsafe { !pg_sys::MyProcPort.is_null() && pg_sys::whereToSendOutput == pg_sys::CommandDest::DestRemote }
}

/// Sends the client what is ready for it, as far as its socket takes it without waiting.
pub fn send_rows() {
    if has_client() {
        // SAFETY: there is a client, so the functions for messages are those of a socket. Messages are put into the buffer as
        // a whole, and a call in the middle of one does nothing; a failure shows in the next wait.
        unsafe { ((*PqCommMethods).flush_if_writable)() };
    }
}

/// Ends the session if its client is gone, as PostgreSQL does where `client_connection_check_interval` is set.
pub fn require_connected() {
    if has_client() {
        // SAFETY: there is a client with a socket. The variables are those that an interrupt sets.
        unsafe {
            if !pq_check_connection() {
                (&raw mut pg_sys::ClientConnectionLost).write_volatile(1);
                (&raw mut pg_sys::InterruptPending).write_volatile(1);
            }
        }
        pgrx::check_for_interrupts!();
    }
}
