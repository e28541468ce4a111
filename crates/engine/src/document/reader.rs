//! A process that reads one file: drops all rights but memory and its socket, receives the file, sends the text of the
//! document, the chunks of the export or an error, exits. Forked by the fork server.

use serde::{Deserialize, Serialize};
use socle_child::{panic_message, process, sandbox};
use socle_core::corpus::archive::FileLayout;
use socle_core::document::OcrMode;
use socle_core::{Error, Kind, Result};
use socle_extract::{Limits, Ocr};
use socle_ocr::remote::{ANSWER, Remote};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

/// Deepest nesting of documents in documents, as attachments of e-mails or members of archives.
const MAX_DEPTH: usize = 4;

/// Exit status when the kernel offers no seccomp: a document is never parsed outside of a sandbox.
pub const EXIT_NO_SANDBOX: i32 = 3;

/// Longest [`ReadTask`] in bytes.
const MAX_TASK_BYTES: u32 = 1 << 20;

/// What the engine sends to a reader before the bytes of the file.
#[derive(Debug, Deserialize, Serialize)]
pub struct ReadTask {
    /// What is read from it.
    pub reading: Reading,
    /// Size of the file in bytes.
    pub length: u64,
}

/// What a reader makes of a file.
#[derive(Debug, Deserialize, Serialize)]
pub enum Reading {
    /// Its text: a [`socle_core::document::Document`].
    Document {
        /// Media type as the caller states it.
        media_type: Option<String>,
        /// File name.
        name: Option<String>,
        /// Upper limit of the extracted text in bytes.
        text_bytes: u64,
        /// Which pictures the engine recognises for this reader; `None` if it recognises none.
        ocr: Option<OcrMode>,
    },
    /// Its rows: [`socle_core::corpus::archive::FileRows`].
    Archive(FileLayout),
}

/// Runs the reader in the process that was just forked, and exits. `timeout` limits its processor time, `memory` its
/// address space in bytes.
pub fn run(socket: OwnedFd, fork_server_pid: u32, timeout: Duration, memory: u64) -> ! {
    // The engine learns of an error by the exit status, unless it has closed the socket itself.
    let served = serve(socket, fork_server_pid, timeout, memory);
    process::exit_now(if served.is_ok() { 0 } else { 1 })
}

fn serve(socket: OwnedFd, fork_server_pid: u32, timeout: Duration, memory: u64) -> io::Result<()> {
    let stream: UnixStream = process::become_reader(c"socle reader", socket, timeout, memory)?;
    if !process::is_child_of(fork_server_pid) {
        return Ok(());
    }
    if sandbox::enter_reader().is_err() {
        process::exit_now(EXIT_NO_SANDBOX);
    }
    std::panic::set_hook(Box::new(|_| {}));
    let stream = Rc::new(stream);
    let mut length = [0; 4];
    (&*stream).read_exact(&mut length)?;
    let task = read(&stream, u32::from_le_bytes(length).min(MAX_TASK_BYTES).into())?;
    let task: ReadTask = postcard::from_bytes(&task).map_err(io::Error::other)?;
    let file = read(&stream, task.length)?;
    let answer = match task.reading {
        Reading::Document { media_type, name, text_bytes, ocr } => {
            let limits = Limits {
                output: usize::try_from(text_bytes).unwrap_or(usize::MAX),
                unpacked: Limits::unpacked(memory, task.length),
                depth: MAX_DEPTH,
            };
            let ocr = match ocr {
                Some(mode) => Ocr::new(mode, Box::new(Remote::new(Shared(Rc::clone(&stream))))),
                None => Ocr::off(),
            };
            answer(|| socle_extract::extract_with_ocr(&file, media_type.as_deref(), name.as_deref(), limits, ocr))
        }
        Reading::Archive(layout) => answer(|| socle_archive::read_file(file, &layout)),
    };
    (&*stream).write_all(&[ANSWER])?;
    (&*stream).write_all(&answer?)
}

/// The socket, over which pictures are recognised while the document is read, and which then takes the answer. It cannot be
/// duplicated: the sandbox allows no further descriptor.
struct Shared(Rc<UnixStream>);

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(buffer)
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is sent to the engine: a result, or the error that a panic becomes.
fn answer<T: Serialize>(work: impl FnOnce() -> Result<T>) -> io::Result<Vec<u8>> {
    let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let message = "reading the document failed unexpectedly";
        Err(Error::new(Kind::ExtractionFailed, message).detail(panic_message(panic.as_ref())))
    });
    postcard::to_stdvec(&result).map_err(io::Error::other)
}

fn read(stream: &UnixStream, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(usize::try_from(length).unwrap_or(usize::MAX))?;
    stream.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
