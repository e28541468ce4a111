//! Reads documents, and exported files of chunks, in child processes, so that a parser that crashes costs one document and not the engine.
//!
//! A fork server (a zygote) is forked before the engine has threads; it forks one reader process for each
//! document. A reader (`reader`) has limited memory and processor time, and a socket to the worker thread that waits
//! here. The engine itself never parses a document.

mod conversation;
mod page_cache;
mod reader;
mod reader_exit;
mod recognized_language;

use crate::request::Request;
use conversation::Conversation;
pub use conversation::{Done, PictureMemory, PictureRoom, Pictures};
pub use page_cache::{CachedPictures, PageCache};
use reader::{ReadTask, Reading};
pub use recognized_language::recognized_languages;
use serde::de::DeserializeOwned;
use socle_child::fork_server::{self, ReaderExit, ReaderLimits};
use socle_core::corpus::archive::{FileLayout, FileRows};
use socle_core::document::{Document, ExtractLimits, OcrMode};
use socle_core::{Error, Kind, Result};
use std::io::{self, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Interval at which a wait checks whether the request was cancelled.
const CANCEL_INTERVAL: Duration = Duration::from_millis(50);

/// Upper limit of an answer, in bytes for each byte of extracted text: very short blocks have more metadata than text.
const ANSWER_RATIO: u64 = 8;

/// Answer size that every document may have whatever its text limit, in bytes.
const MIN_ANSWER_BYTES: u64 = 1 << 20;

/// Seconds after which the fork server ends a reader whose pictures are recognised. The engine counts the time that it takes
/// itself, and ends it earlier; this is for readers whose engine does not.
const SECONDS_WITH_PICTURES: u32 = 24 * 60 * 60;

/// Time that the server thread has to shut this process down after the fork server ended.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// A document to extract, and the limits of its reader process.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Media type as the caller states it; not verified.
    pub media_type: Option<&'a str>,
    /// File name, from whose extension the format may be told.
    pub name: Option<&'a str>,
    /// Time, memory and text limits.
    pub limits: ExtractLimits,
    /// Content of the file.
    pub bytes: &'a [u8],
}

/// The recognition of the pictures of a document.
#[derive(Clone, Copy)]
pub struct Recognition<'a> {
    /// Which pictures the reader sends.
    pub mode: OcrMode,
    /// Who recognises them.
    pub pictures: &'a dyn Pictures,
}

/// The engine's end of the socket to the fork server.
#[derive(Debug)]
pub struct ForkServer {
    server: fork_server::ForkServer,
    memory: PictureMemory,
}

impl ForkServer {
    /// Forks the fork server. To be called while this process has a single thread and no descriptor open that a reader
    /// must not inherit.
    ///
    /// # Errors
    /// Whatever socketpair(2) or fork(2) fails with.
    pub fn start() -> io::Result<Self> {
        fork_server::ForkServer::start(c"socle documents", reader::run)
            .map(|server| Self { server, memory: PictureMemory::default() })
    }

    /// The socket, which becomes readable when the fork server has ended: no document can be read from then on.
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.server.socket()
    }

    /// Extracts a document in a reader process and returns its text. Blocks until the reader has ended.
    ///
    /// # Errors
    /// Those of the parser; `ExtractionFailed` when the reader crashed or reached a limit, `Cancelled` when the request was.
    pub fn read(&self, request: &Request, file: File<'_>, ocr: Option<Recognition<'_>>) -> Result<Document> {
        let File { media_type, name, limits, bytes } = file;
        let owned = |hint: Option<&str>| hint.map(str::to_string);
        let reading = Reading::Document {
            media_type: owned(media_type),
            name: owned(name),
            text_bytes: limits.text_bytes,
            ocr: ocr.map(|ocr| ocr.mode),
        };
        self.answer(request, reading, limits, bytes, ocr)
    }

    /// Reads the rows of an exported file in a reader process, as [`Self::read`] does.
    ///
    /// # Errors
    /// Those of [`Self::read`].
    pub fn read_archive(
        &self,
        request: &Request,
        layout: &FileLayout,
        limits: ExtractLimits,
        bytes: &[u8],
    ) -> Result<FileRows> {
        self.answer(request, Reading::Archive(layout.clone()), limits, bytes, None)
    }

    fn answer<T: DeserializeOwned>(
        &self,
        request: &Request,
        reading: Reading,
        limits: ExtractLimits,
        bytes: &[u8],
        ocr: Option<Recognition<'_>>,
    ) -> Result<T> {
        let answer = self.exchange(request, reading, limits, bytes, ocr)?;
        let Some((answer, end)) = answer.split_last_chunk() else {
            // The fork server has ended. The server thread shuts this process down meanwhile, and tells the backend to
            // send the request to the next engine.
            std::thread::sleep(SHUTDOWN_TIMEOUT);
            return Err(failed("the fork server for document readers has ended"));
        };
        match ReaderExit::from_bytes(*end) {
            ReaderExit::Exited(0) => postcard::from_bytes::<Result<T>>(answer)
                .map_err(|error| failed("the document reader sent an invalid answer").detail(error.to_string()))?,
            ended => Err(reader_exit::error(ended, limits)),
        }
    }

    fn exchange(
        &self,
        request: &Request,
        reading: Reading,
        limits: ExtractLimits,
        bytes: &[u8],
        ocr: Option<Recognition<'_>>,
    ) -> Result<Vec<u8>> {
        let broken = |error: io::Error| failed("could not start a document reader").detail(error.to_string());
        let (mut engine_end, reader_end) = UnixStream::pair().map_err(broken)?;
        engine_end.set_write_timeout(Some(CANCEL_INTERVAL)).map_err(broken)?;
        let seconds = if ocr.is_some() { SECONDS_WITH_PICTURES } else { limits.seconds };
        let (processor_seconds, memory_bytes) = (limits.seconds, limits.memory_bytes);
        if self.server.spawn(&reader_end, ReaderLimits { processor_seconds, seconds, memory_bytes }).is_err() {
            return Ok(Vec::new());
        }
        drop(reader_end);
        let task = ReadTask { reading, length: bytes.len() as u64 };
        let task = postcard::to_stdvec(&task)
            .map_err(|error| failed("could not encode the task of a document reader").detail(error.to_string()))?;
        let length = (task.len() as u32).to_le_bytes();
        for part in [&length[..], &task, bytes] {
            if !write_all(&mut engine_end, part, request)? {
                break;
            }
        }
        let max_bytes = limits.text_bytes.saturating_mul(ANSWER_RATIO).max(MIN_ANSWER_BYTES);
        let pictures = ocr.map(|ocr| ocr.pictures);
        let conversation = Conversation::new(request, limits, pictures, &self.memory).map_err(broken)?;
        conversation.hold(&mut engine_end, max_bytes)
    }
}

/// Writes all bytes. False when the reader has closed its end: it crashed, or answered without reading all of its input.
fn write_all(stream: &mut UnixStream, mut bytes: &[u8], request: &Request) -> Result<bool> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if is_retryable(&error) => check_cancelled(request)?,
            Err(_) => return Ok(false),
        }
    }
    Ok(true)
}

fn is_retryable(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// Fails once the request is cancelled. The caller then closes the socket, at which the fork server kills the reader.
fn check_cancelled(request: &Request) -> Result<()> {
    if request.is_cancelled() {
        return Err(Error::new(Kind::Cancelled, "reading the document was cancelled"));
    }
    Ok(())
}

fn failed(message: &str) -> Error {
    Error::new(Kind::ExtractionFailed, message)
}
