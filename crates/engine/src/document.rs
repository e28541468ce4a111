//! Documents are read by processes that may die. One process, the nursery, is forked before the engine has threads; it
//! forks one reader for each document. A reader has memory, a processor for a while, and a socket to the thread here that
//! waits for it; what it does wrong costs that document.
//!
//! Nothing here looks into a document.

mod nursery;
mod reader;

use crate::request::Request;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde::{Deserialize, Serialize};
use socle_core::document::{Document, ExtractLimits};
use socle_core::{Error, Kind, Result};
use std::io::{self, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Time between two looks at whether anybody still waits.
const CANCEL_INTERVAL: Duration = Duration::from_millis(50);

/// Bytes of an answer for each byte of text: the text, and for the shortest blocks what is said about each of them.
const ANSWER_RATIO: u64 = 8;

/// Bytes of an answer that any document may have.
const MIN_ANSWER: u64 = 1 << 20;

/// Longest wait for the end of this process when the nursery is gone.
const LEAVING: Duration = Duration::from_secs(10);

/// What a reader is told before the document.
#[derive(Debug, Deserialize, Serialize)]
struct Task {
    media_type: Option<String>,
    name: Option<String>,
    text_bytes: u64,
    /// Bytes of the document that follow.
    length: u64,
}

/// A file that is to be read, and what that may cost.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Its media type, as somebody states it.
    pub media_type: Option<&'a str>,
    /// Its name.
    pub name: Option<&'a str>,
    /// What reading it may cost.
    pub limits: ExtractLimits,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// The engine's line to the process that forks readers.
#[derive(Debug)]
pub struct Nursery {
    line: OwnedFd,
}

impl Nursery {
    /// Forks the nursery. Called while this process has a single thread and nothing open that others must not have.
    ///
    /// # Errors
    /// When there is no process to be had.
    pub fn start() -> io::Result<Self> {
        nursery::start().map(|line| Self { line })
    }

    /// Becomes readable when the nursery is gone, and no document can be read any more.
    pub fn line(&self) -> BorrowedFd<'_> {
        self.line.as_fd()
    }

    /// Has a document read.
    ///
    /// # Errors
    /// What the reader says; `ExtractionFailed` when it died or was ended, `Cancelled` when nobody waits any more.
    pub fn read(&self, request: &Request, file: File<'_>) -> Result<Document> {
        let answer = self.converse(request, file)?;
        let Some((answer, end)) = answer.split_last_chunk() else {
            // The nursery is gone, and the server hands this request to the engine that comes next.
            std::thread::sleep(LEAVING);
            return Err(failed("the process that reads documents is gone"));
        };
        match nursery::Ended::from_bytes(*end) {
            nursery::Ended::Exited(0) => postcard::from_bytes::<Result<Document>>(answer)
                .map_err(|error| failed("the reader of this document left no answer").detail(error.to_string()))?,
            ended => Err(ended.error(file.limits)),
        }
    }

    fn converse(&self, request: &Request, file: File<'_>) -> Result<Vec<u8>> {
        let File { media_type, name, limits, bytes } = file;
        let broken = |error: io::Error| failed("could not start a reader").detail(error.to_string());
        let (mut ours, theirs) = UnixStream::pair().map_err(broken)?;
        ours.set_read_timeout(Some(CANCEL_INTERVAL)).map_err(broken)?;
        ours.set_write_timeout(Some(CANCEL_INTERVAL)).map_err(broken)?;
        if self.send(&theirs, limits).is_err() {
            return Ok(Vec::new());
        }
        drop(theirs);
        let owned = |hint: Option<&str>| hint.map(str::to_string);
        let task = Task {
            media_type: owned(media_type),
            name: owned(name),
            text_bytes: limits.text_bytes,
            length: bytes.len() as u64,
        };
        let task = postcard::to_stdvec(&task).map_err(|error| failed("malformed task").detail(error.to_string()))?;
        let length = (task.len() as u32).to_le_bytes();
        for part in [&length[..], &task, bytes] {
            if !write_all(&mut ours, part, request)? {
                break;
            }
        }
        let _ = ours.shutdown(Shutdown::Write);
        let most = limits.text_bytes.saturating_mul(ANSWER_RATIO).max(MIN_ANSWER);
        read_all(&mut ours, most, request)
    }

    fn send(&self, theirs: &UnixStream, limits: ExtractLimits) -> io::Result<()> {
        let descriptors = [theirs.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        let limits = nursery::encode(limits);
        sendmsg(&self.line, &[IoSlice::new(&limits)], &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }
}

/// False when the reader does not listen any more: it has died, or answered without reading to the end.
fn write_all(stream: &mut UnixStream, mut bytes: &[u8], request: &Request) -> Result<bool> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if is_pause(&error) => check(request)?,
            Err(_) => return Ok(false),
        }
    }
    Ok(true)
}

fn read_all(stream: &mut UnixStream, most: u64, request: &Request) -> Result<Vec<u8>> {
    let mut answer = Vec::new();
    let mut part = vec![0; 256 << 10];
    loop {
        match stream.read(&mut part) {
            Ok(0) => return Ok(answer),
            Ok(count) => answer.extend_from_slice(part.get(..count).unwrap_or_default()),
            Err(error) if is_pause(&error) => check(request)?,
            // As when the end of a reader that was killed with input unread is reset.
            Err(_) => return Ok(answer),
        }
        if answer.len() as u64 > most {
            return Err(failed("the reader of this document answers without end"));
        }
    }
}

fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// Returning closes the socket, and with that the nursery ends the reader.
fn check(request: &Request) -> Result<()> {
    if request.is_cancelled() {
        return Err(Error::new(Kind::Cancelled, "reading the document was cancelled"));
    }
    Ok(())
}

fn failed(message: &str) -> Error {
    Error::new(Kind::ExtractionFailed, message)
}
