//! The life of a process that reads one document: gives up everything but memory and its socket, reads, answers, ends.

use super::Task;
use crate::{panic_message, process, sandbox};
use socle_core::document::Document;
use socle_core::{Error, Kind, Result};
use socle_extract::Limits;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Documents in documents in a document.
const MAX_DEPTH: usize = 4;

/// Status of a reader that would have had to read without a sandbox.
pub const UNPROTECTED: i32 = 3;

/// Longest [`Task`] in bytes.
const MAX_TASK: u32 = 1 << 20;

/// Never returns to the nursery that this process is a copy of.
pub fn run(socket: OwnedFd, nursery: u32, timeout: Duration, memory: u64) -> ! {
    // Whoever waits has left, or is told by the status.
    let served = serve(socket, nursery, timeout, memory);
    process::exit_now(if served.is_ok() { 0 } else { 1 })
}

fn serve(socket: OwnedFd, nursery: u32, timeout: Duration, memory: u64) -> io::Result<()> {
    let mut stream: UnixStream = process::become_reader(socket, timeout, memory)?;
    if !process::is_child_of(nursery) {
        return Ok(());
    }
    if sandbox::enter_reader().is_err() {
        process::exit_now(UNPROTECTED);
    }
    std::panic::set_hook(Box::new(|_| {}));
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let task = read(&mut stream, u32::from_le_bytes(length).min(MAX_TASK).into())?;
    let task: Task = postcard::from_bytes(&task).map_err(io::Error::other)?;
    let document = read(&mut stream, task.length)?;
    let limits = Limits {
        output: usize::try_from(task.text_bytes).unwrap_or(usize::MAX),
        unpacked: Limits::unpacked(memory, task.length),
        depth: MAX_DEPTH,
    };
    let (media_type, name) = (task.media_type.as_deref(), task.name.as_deref());
    let extract = || socle_extract::extract(&document, media_type, name, limits);
    let result: Result<Document> = catch_unwind(AssertUnwindSafe(extract)).unwrap_or_else(|panic| {
        let message = "reading the document failed unexpectedly";
        Err(Error::new(Kind::ExtractionFailed, message).detail(panic_message(panic.as_ref())))
    });
    stream.write_all(&postcard::to_stdvec(&result).map_err(io::Error::other)?)
}

fn read(stream: &mut UnixStream, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(usize::try_from(length).unwrap_or(usize::MAX))?;
    stream.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
