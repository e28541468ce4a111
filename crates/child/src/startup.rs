//! What a child of the supervisor does at its start, before it has threads: its lock, its socket, its end on SIGTERM.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// Takes the lock that makes this process the only one of its kind in the cluster. Waits until its predecessor has ended,
/// and at most as long as the supervisor lives, through the parent-death signal.
///
/// # Errors
/// When the file cannot be created or locked.
pub fn take_lock(path: &Path) -> io::Result<()> {
    let lock = File::create(path)?;
    lock.lock()?;
    // The kernel releases the lock when the process ends.
    std::mem::forget(lock);
    Ok(())
}

/// Listens on a socket at this path, in place of one that a predecessor left.
///
/// # Errors
/// When the path cannot be removed or bound.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A socket that becomes readable when SIGTERM arrives.
///
/// # Errors
/// Whatever the system calls fail with.
pub fn termination() -> io::Result<UnixStream> {
    let (termination, signalled) = UnixStream::pair()?;
    signal_hook::low_level::pipe::register(libc::SIGTERM, signalled)?;
    termination.set_nonblocking(true)?;
    Ok(termination)
}
