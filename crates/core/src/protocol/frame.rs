//! Encoding of messages as frames, and splitting of a byte stream into frames.

use super::MAX_FRAME;
use crate::{Error, Kind, Result};
use serde::{Deserialize, Serialize};

/// Size of a frame header in bytes: length of the message, number of the request, flags.
const HEADER: usize = 4 + 4 + 1;

/// A message with its number and flags.
#[derive(Debug, PartialEq)]
pub struct Frame<'a> {
    /// Number of the request, assigned by the backend; 0 for the connection itself.
    pub id: u32,
    /// [`super::FLAG_SUSPECT`] or 0.
    pub flags: u8,
    message: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Length of the message in bytes.
    pub fn len(&self) -> usize {
        self.message.len()
    }

    /// Whether the message is empty.
    pub fn is_empty(&self) -> bool {
        self.message.is_empty()
    }

    /// Decodes the message.
    ///
    /// # Errors
    /// Kind `Bug` if the bytes are not a message of type `T`.
    pub fn message<T: Deserialize<'a>>(&self) -> Result<T> {
        postcard::from_bytes(self.message).map_err(|error| malformed(&error.to_string()))
    }
}

/// Encodes a frame.
///
/// # Errors
/// Kind `InputTooLong` if the message exceeds [`MAX_FRAME`], `OutOfMemory` if memory is exhausted.
pub fn encode<T: Serialize>(id: u32, flags: u8, message: &T) -> Result<Vec<u8>> {
    let broken = |error: postcard::Error| malformed(&error.to_string());
    let length = postcard::experimental::serialized_size(message).map_err(broken)?;
    if length > MAX_FRAME {
        return Err(Error::new(Kind::InputTooLong, "request is too large for the engine")
            .detail(format!("It has {length} bytes, the limit is {MAX_FRAME}.")));
    }
    let mut frame = crate::memory::with_capacity(HEADER + length)?;
    frame.resize(HEADER, 0);
    frame = postcard::to_extend(message, frame).map_err(broken)?;
    frame[0..4].copy_from_slice(&(length as u32).to_le_bytes());
    frame[4..8].copy_from_slice(&id.to_le_bytes());
    frame[8] = flags;
    Ok(frame)
}

/// Splits a byte stream into frames. Memory grows with the bytes received, not with the declared length.
#[derive(Debug, Default)]
pub struct FrameBuffer {
    bytes: Vec<u8>,
    consumed: usize,
    /// Number of bytes to discard as they arrive.
    unwanted: usize,
}

impl FrameBuffer {
    /// Appends bytes read from the socket.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.consumed);
        self.consumed = 0;
        let unwanted = self.unwanted.min(bytes.len());
        self.unwanted -= unwanted;
        self.bytes.extend_from_slice(&bytes[unwanted..]);
    }

    /// Reserves memory for `count` bytes, so that [`Self::extend`] cannot fail.
    ///
    /// # Errors
    /// Kind `OutOfMemory`.
    pub fn reserve(&mut self, count: usize) -> Result<()> {
        crate::memory::reserve(&mut self.bytes, count)
    }

    /// Request number and declared length, including the header, of the next frame; `None` until its header has
    /// arrived.
    pub fn next_header(&self) -> Option<(u32, usize)> {
        let [l0, l1, l2, l3, i0, i1, i2, i3, _] = *self.bytes[self.consumed..].first_chunk::<HEADER>()?;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        Some((u32::from_le_bytes([i0, i1, i2, i3]), HEADER + length))
    }

    /// Discards the next frame: the bytes received so far, and the rest as they arrive.
    pub fn skip_frame(&mut self) {
        let Some((_, length)) = self.next_header() else { return };
        let come = length.min(self.len());
        self.consumed += come;
        self.unwanted = length - come;
    }

    /// The next complete frame; `None` until it has arrived.
    ///
    /// # Errors
    /// Kind `Bug` if a frame declares more than `limit` bytes: the stream is unusable and the connection has to be
    /// closed.
    pub fn next_frame(&mut self, limit: usize) -> Result<Option<Frame<'_>>> {
        let rest = &self.bytes[self.consumed..];
        let Some((header, rest)) = rest.split_first_chunk::<HEADER>() else { return Ok(None) };
        let [l0, l1, l2, l3, i0, i1, i2, i3, flags] = *header;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if length > limit {
            return Err(malformed(&format!("a frame of {length} bytes, the limit is {limit}")));
        }
        let Some(message) = rest.get(..length) else { return Ok(None) };
        self.consumed += HEADER + length;
        Ok(Some(Frame { id: u32::from_le_bytes([i0, i1, i2, i3]), flags, message }))
    }

    /// Number of bytes buffered.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.consumed
    }

    /// Whether the buffer is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Frees memory after a large frame.
    pub fn shrink(&mut self) {
        if self.is_empty() && self.bytes.capacity() > (64 << 10) {
            *self = Self::default();
        }
    }
}

fn malformed(what: &str) -> Error {
    Error::new(Kind::Bug, "malformed message between backend and engine").detail(what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelSpec;
    use crate::protocol::{FLAG_SUSPECT, FromEngine, Request, Response, Role, ToEngine};
    use proptest::prelude::*;

    #[test]
    fn frames_survive_any_cut_of_the_stream() {
        let texts = ["Straße", "", "日本語"];
        let request = Request::Rerank { model: spec(), truncate: true, query: "q", documents: texts.to_vec() };
        let mut stream = encode(7, FLAG_SUSPECT, &request).unwrap();
        stream.extend(encode(8, 0, &Request::Report).unwrap());
        for cut in 1..40 {
            let mut buffer = FrameBuffer::default();
            let mut seen = Vec::new();
            for piece in stream.chunks(cut) {
                buffer.extend(piece);
                while let Some(frame) = buffer.next_frame(MAX_FRAME).unwrap() {
                    let message: Request = frame.message().unwrap();
                    seen.push((frame.id, frame.flags, message == request));
                }
            }
            assert_eq!(seen, [(7, FLAG_SUSPECT, true), (8, 0, false)]);
            assert!(buffer.is_empty());
        }
    }

    #[test]
    fn a_skipped_frame_takes_nothing_with_it_and_no_room() {
        let content = "word ".repeat(30);
        let mut stream = encode(7, 0, &Request::CountTokens { model: spec(), content: &content }).unwrap();
        let length = stream.len();
        stream.extend(encode(8, 0, &Request::Report).unwrap());
        for cut in 1..=stream.len() {
            let mut buffer = FrameBuffer::default();
            let mut seen = Vec::new();
            for piece in stream.chunks(cut) {
                buffer.extend(piece);
                if buffer.next_header() == Some((7, length)) {
                    buffer.skip_frame();
                }
                assert!(buffer.len() <= HEADER + cut);
                while let Some(frame) = buffer.next_frame(MAX_FRAME).unwrap() {
                    seen.push(frame.id);
                }
            }
            assert_eq!(seen, [8], "cut at {cut}");
        }
    }

    #[test]
    fn a_claimed_length_allocates_nothing() {
        let mut buffer = FrameBuffer::default();
        buffer.extend(&[255, 255, 255, 127, 0, 0, 0, 0, 0]);
        assert_eq!(buffer.next_frame(MAX_FRAME).unwrap_err().kind, Kind::Bug);
        let mut buffer = FrameBuffer::default();
        buffer.extend(&[0, 0, 0, 1, 0, 0, 0, 0, 0]);
        assert_eq!(buffer.next_frame(MAX_FRAME).unwrap(), None);
        assert!(buffer.bytes.capacity() < 100);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..2000), cut in 1usize..50) {
            let mut buffer = FrameBuffer::default();
            for piece in bytes.chunks(cut) {
                buffer.extend(piece);
                while let Ok(Some(frame)) = buffer.next_frame(1 << 16) {
                    let _ = frame.message::<Request>();
                    let _ = frame.message::<Response>();
                    let _ = frame.message::<ToEngine>();
                    let _ = frame.message::<FromEngine>();
                }
            }
        }

        /// Messages with a byte changed reach deeper into the decoder than garbage does.
        #[test]
        fn damaged_messages_never_panic(at in 9usize..200, value in any::<u8>()) {
            let request = Request::Embed { model: spec(), role: Role::Query, truncate: false, heads: vec!["h"], contents: vec!["a", "b"] };
            let mut bytes = encode(1, 0, &request).unwrap();
            let at = at.min(bytes.len() - 1);
            bytes[at] = value;
            let mut buffer = FrameBuffer::default();
            buffer.extend(&bytes);
            if let Ok(Some(frame)) = buffer.next_frame(MAX_FRAME) {
                let _ = frame.message::<Request>();
            }
        }
    }

    fn spec() -> ModelSpec {
        let file = crate::model::ModelFile { path: "p".into(), bytes: 3, sha256: "s".into() };
        ModelSpec {
            name: "n".into(),
            directory: "d".into(),
            graph: file.clone(),
            tokenizer: file.clone(),
            configuration: vec![file],
            kind: crate::model::ModelKind::Reranker,
            dimensions: 1,
            max_tokens: 512,
            pooling: crate::model::Pooling::None,
            normalize: false,
            query_prefix: String::new(),
            passage_prefix: String::new(),
            output: "logits".into(),
            pad_id: 0,
            batchable: true,
            similarity: crate::model::Similarity::Cosine,
            pool_prefix: true,
            lower_case: true,
            first_position: 2,
            layers: vec![crate::model::Layer::Normalize],
            late_interaction: None,
            served: None,
            ocr: None,
        }
    }
}
