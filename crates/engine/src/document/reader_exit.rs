//! The errors of a document whose reader process ended without an answer, or was ended.

use super::reader;
use socle_child::fork_server::ReaderExit;
use socle_core::document::ExtractLimits;
use socle_core::{Error, Kind, Result};
use std::io;
use std::time::Duration;

/// Fails when the pictures of a document have been recognised for longer than they may.
pub fn check_recognition_time(time: Duration, limits: ExtractLimits) -> Result<()> {
    let seconds = limits.recognition_seconds;
    if seconds == 0 || time < Duration::from_secs(seconds.into()) {
        return Ok(());
    }
    Err(Error::new(Kind::ExtractionFailed, "recognizing the pictures of the document took too long")
        .detail(format!("It was ended after {seconds} s of processor time."))
        .hint("If the document is genuine, have a superuser raise socle.ocr_timeout; 0 means no limit."))
}

/// The error of the document whose reader ended like this.
pub fn error(exit: ReaderExit, limits: ExtractLimits) -> Error {
    let failed = |message: &str| Error::new(Kind::ExtractionFailed, message);
    let seconds = limits.seconds;
    let late = || {
        failed("reading the document took too long")
            .detail(format!("It was ended after {seconds} s."))
            .hint("If the document is genuine, have a superuser raise socle.extract_timeout.")
    };
    match exit {
            ReaderExit::TimedOut | ReaderExit::Signalled(libc::SIGXCPU) => late(),
            // Rust aborts a process that cannot allocate (std::alloc::handle_alloc_error) or overflows its stack.
            ReaderExit::Signalled(libc::SIGABRT) => failed("reading the document takes too much memory")
                .detail(format!("It was ended at {} MB, or at the end of its stack.", limits.memory_bytes >> 20))
                .hint("If the document is genuine, have a superuser raise socle.extract_memory_limit."),
            ReaderExit::Signalled(signal) => {
                failed("reading the document crashed").detail(format!("Its process was ended by signal {signal}."))
            }
            ReaderExit::Exited(reader::EXIT_NO_SANDBOX) => {
                Error::new(Kind::NotSupported, "documents cannot be read on this system").detail(
                    "The kernel has no seccomp, without which a malicious document could take over more than its reader process.",
                )
            }
            ReaderExit::Exited(status) => {
                failed("reading the document failed").detail(format!("Its process ended with status {status}."))
            }
            ReaderExit::SpawnFailed(error) => failed("could not start a process to read the document")
                .detail(io::Error::from_raw_os_error(error).to_string()),
        }
}
