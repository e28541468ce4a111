//! What the worker thread of a document and its reader process say to each other: the reader sends pictures, then its answer;
//! it gets the words of the pictures. See `socle_ocr::remote`.

use super::{CANCEL_INTERVAL, check_cancelled, failed, reader_exit};
use crate::request::Request;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socle_child::fork_server::{EXIT_BYTES, ReaderExit};
use socle_core::Result;
use socle_core::document::ExtractLimits;
use socle_ocr::remote::{AHEAD, ANSWER, Header, PICTURE, encode_result};
use socle_ocr::{Picture, Recognized};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Bytes of pictures that all readers together may have sent and that are not recognised yet. One more picture is taken
/// when there is none.
const MAX_PICTURE_BYTES: usize = 512 << 20;

/// Called with the words of a picture and the processor time that they took, once, or dropped when the request is
/// cancelled.
pub type Done = Box<dyn FnOnce(Result<Recognized>, Duration) + Send>;

/// Recognises the pictures of a document.
pub trait Pictures {
    /// Begins with a picture. Does not wait, except for a suspect request.
    fn begin(&self, picture: Picture, room: PictureRoom, done: Done);
}

/// The bytes of all pictures that readers have sent.
#[derive(Clone, Debug, Default)]
pub struct PictureMemory(Arc<Mutex<usize>>);

/// Room for a picture, until it is dropped.
#[derive(Debug)]
pub struct PictureRoom {
    memory: PictureMemory,
    bytes: usize,
}

impl PictureMemory {
    pub(crate) fn take(&self, bytes: usize) -> Option<PictureRoom> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *taken > 0 && *taken + bytes > MAX_PICTURE_BYTES {
            return None;
        }
        *taken += bytes;
        Some(PictureRoom { memory: self.clone(), bytes })
    }
}

impl Drop for PictureRoom {
    fn drop(&mut self) {
        *self.memory.0.lock().unwrap_or_else(PoisonError::into_inner) -= self.bytes;
    }
}

/// What of the reader's output is being read.
#[derive(Default)]
enum Incoming {
    /// The byte that says what follows.
    #[default]
    Kind,
    Header(Vec<u8>),
    /// A picture for which there is no room yet, and what has come after its header.
    Waiting(Header, usize, Vec<u8>),
    Pixels(Header, usize, Vec<u8>, PictureRoom),
    Answer(Vec<u8>),
}

/// Words that have arrived, by the number of their picture, and the socket that says so.
struct Finished {
    results: Mutex<HashMap<u64, Result<Recognized>>>,
    wake: UnixStream,
}

/// A conversation that has begun: the reader has its file.
pub struct Conversation<'a> {
    request: &'a Request,
    limits: ExtractLimits,
    pictures: Option<&'a dyn Pictures>,
    memory: &'a PictureMemory,
    incoming: Incoming,
    /// The last bytes of all, which say how the reader has ended.
    end: Vec<u8>,
    outgoing: Vec<u8>,
    finished: Arc<Finished>,
    woken: UnixStream,
    /// Number of pictures that were begun, and of results that were written.
    begun: u64,
    written: u64,
    /// Time that the reader has had for itself, without the time in which pictures of it are recognised.
    own_time: Duration,
    /// Time since the last look at [`Self::own_time`] in which a picture was recognised on this thread.
    lent_time: Duration,
}

impl<'a> Conversation<'a> {
    /// A conversation about a document.
    ///
    /// # Errors
    /// Whatever socketpair(2) fails with.
    pub fn new(
        request: &'a Request,
        limits: ExtractLimits,
        pictures: Option<&'a dyn Pictures>,
        memory: &'a PictureMemory,
    ) -> io::Result<Self> {
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        let finished = Arc::new(Finished { results: Mutex::default(), wake });
        let (incoming, end, outgoing) = (Incoming::Kind, Vec::new(), Vec::new());
        let (begun, written, own_time, lent_time) = (0, 0, Duration::ZERO, Duration::ZERO);
        Ok(Self {
            request,
            limits,
            pictures,
            memory,
            incoming,
            end,
            outgoing,
            finished,
            woken,
            begun,
            written,
            own_time,
            lent_time,
        })
    }

    /// The answer of the reader, of at most `max_bytes`, followed by how it has ended; nothing when the fork server has ended.
    ///
    /// # Errors
    /// `Cancelled`, `ExtractionFailed` when the reader says something unexpected, too much or too late.
    pub fn hold(mut self, stream: &mut UnixStream, max_bytes: u64) -> Result<Vec<u8>> {
        let broken = |error: io::Error| failed("could not talk to a document reader").detail(error.to_string());
        stream.set_nonblocking(true).map_err(broken)?;
        let mut part = vec![0; 256 << 10];
        loop {
            let begun = Instant::now();
            let waits = self.begun > self.written;
            let (readable, writable) = self.wait(stream).map_err(|error| broken(error.into()))?;
            check_cancelled(self.request)?;
            // All that the reader has got is counted by now, so that a document is over the limit each time or never.
            reader_exit::check_recognition_time(self.request.recognition_time(), self.limits)?;
            self.take_results()?;
            self.go_on(max_bytes)?;
            if writable {
                self.write(stream);
            }
            if readable {
                match stream.read(&mut part) {
                    Ok(0) => return Ok(self.answer()),
                    Ok(count) => self.receive(part.get(..count).unwrap_or_default(), max_bytes)?,
                    Err(error) if super::is_retryable(&error) => {}
                    // ECONNRESET: the reader was killed with input unread.
                    Err(_) => return Ok(self.answer()),
                }
            }
            if !waits {
                self.own_time += begun.elapsed().saturating_sub(self.lent_time);
            }
            self.lent_time = Duration::ZERO;
            // Where pictures are recognised, the fork server leaves the reader far more time.
            if self.pictures.is_some() && self.own_time.as_secs() >= self.limits.seconds.into() {
                return Err(reader_exit::error(ReaderExit::TimedOut, self.limits));
            }
        }
    }

    /// Waits until the reader has written, or takes what is written to it, or a picture is recognised.
    fn wait(&mut self, stream: &UnixStream) -> rustix::io::Result<(bool, bool)> {
        let mut events = PollFlags::empty();
        events.set(PollFlags::IN, !matches!(self.incoming, Incoming::Waiting(..)));
        events.set(PollFlags::OUT, !self.outgoing.is_empty());
        let mut watched = [PollFd::new(stream, events), PollFd::new(&self.woken, PollFlags::IN)];
        let timeout = Timespec::try_from(CANCEL_INTERVAL).ok();
        match poll(&mut watched, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        let happened = watched[0].revents();
        let readable = happened.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR);
        Ok((readable && events.contains(PollFlags::IN), happened.contains(PollFlags::OUT)))
    }

    /// Takes over the results that have arrived, in the order of the pictures.
    fn take_results(&mut self) -> Result<()> {
        let mut bytes = [0; 64];
        while matches!(self.woken.read(&mut bytes), Ok(count) if count > 0) {}
        loop {
            let result = self.finished.results.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.written);
            let Some(result) = result else { return Ok(()) };
            self.outgoing.extend(encode_result(&result)?);
            self.written += 1;
        }
    }

    fn write(&mut self, stream: &mut UnixStream) {
        match stream.write(&self.outgoing) {
            Ok(count) => drop(self.outgoing.drain(..count)),
            Err(error) if super::is_retryable(&error) => {}
            // The reader has ended: what it has written is read nevertheless.
            Err(_) => self.outgoing.clear(),
        }
    }

    /// Takes the picture that has waited, if there is room for it now.
    fn go_on(&mut self, max_bytes: u64) -> Result<()> {
        let Incoming::Waiting(header, length, bytes) = &mut self.incoming else { return Ok(()) };
        let Some(room) = self.memory.take(*length) else { return Ok(()) };
        let (header, length, bytes) = (*header, *length, std::mem::take(bytes));
        self.incoming = Incoming::Pixels(header, length, Vec::new(), room);
        self.parse(&bytes, max_bytes)
    }

    fn receive(&mut self, bytes: &[u8], max_bytes: u64) -> Result<()> {
        self.end.extend_from_slice(bytes.get(bytes.len().saturating_sub(EXIT_BYTES)..).unwrap_or_default());
        self.end.drain(..self.end.len().saturating_sub(EXIT_BYTES));
        self.parse(bytes, max_bytes)
    }

    fn parse(&mut self, mut bytes: &[u8], max_bytes: u64) -> Result<()> {
        while let [first, rest @ ..] = bytes {
            match &mut self.incoming {
                Incoming::Answer(answer) => {
                    answer.extend_from_slice(bytes);
                    if answer.len() as u64 > max_bytes {
                        return Err(failed("the answer of the document reader is too large")
                            .detail(format!("The limit is {max_bytes} bytes.")));
                    }
                    return Ok(());
                }
                Incoming::Kind => {
                    self.incoming = match *first {
                        ANSWER => Incoming::Answer(Vec::new()),
                        PICTURE => Incoming::Header(Vec::new()),
                        // The reader has ended without an answer.
                        _ => return Ok(()),
                    };
                    bytes = rest;
                }
                Incoming::Header(header) => {
                    bytes = fill(header, Header::BYTES, bytes);
                    if let Some(header) = header.first_chunk().filter(|_| header.len() == Header::BYTES) {
                        let (header, length) = Header::from_bytes(*header)?;
                        self.expect_picture(header, length)?;
                    }
                }
                Incoming::Waiting(_, _, rest) => {
                    rest.extend_from_slice(bytes);
                    return Ok(());
                }
                Incoming::Pixels(_, length, pixels, _) => {
                    bytes = fill(pixels, *length, bytes);
                    if pixels.len() == *length {
                        self.begin();
                    }
                }
            }
        }
        Ok(())
    }

    fn expect_picture(&mut self, header: Header, length: usize) -> Result<()> {
        if self.pictures.is_none() || self.begun - self.written >= AHEAD as u64 {
            return Err(failed("the document reader sent a picture that nobody has asked for"));
        }
        self.incoming = match self.memory.take(length) {
            Some(room) => Incoming::Pixels(header, length, Vec::new(), room),
            None => Incoming::Waiting(header, length, Vec::new()),
        };
        Ok(())
    }

    /// Has the picture recognised that has arrived.
    fn begin(&mut self) {
        let Incoming::Pixels(header, _, pixels, room) = std::mem::take(&mut self.incoming) else { return };
        let Header { width, height, channels, dpi } = header;
        let (number, finished) = (self.begun, self.finished.clone());
        self.begun += 1;
        let done = move |result, _| {
            finished.results.lock().unwrap_or_else(PoisonError::into_inner).insert(number, result);
            // The socket may be full, and wakes then, too.
            let _ = (&finished.wake).write(&[0]);
        };
        if let Some(pictures) = self.pictures {
            let begun = Instant::now();
            pictures.begin(Picture { width, height, channels, pixels, dpi }, room, Box::new(done));
            self.lent_time += begun.elapsed();
        }
    }

    fn answer(self) -> Vec<u8> {
        match self.incoming {
            Incoming::Answer(answer) if answer.len() >= EXIT_BYTES => answer,
            _ if self.end.len() == EXIT_BYTES => self.end,
            _ => Vec::new(),
        }
    }
}

/// Appends to `to` until it has `length` bytes, and returns the rest.
fn fill<'b>(to: &mut Vec<u8>, length: usize, bytes: &'b [u8]) -> &'b [u8] {
    let (own, rest) = bytes.split_at(bytes.len().min(length - to.len()));
    to.extend_from_slice(own);
    rest
}

#[cfg(test)]
mod tests;
