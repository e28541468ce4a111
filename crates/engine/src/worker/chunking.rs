//! Splits the document of a [`crate::request::Job::Chunk`] into chunks and streams them to the backend.

use crate::model::loaded::Model;
use crate::model::store::ModelStore;
use crate::request::Request;
use crate::response_queue::ResponseQueue;
use crate::streamed_response::StreamedResponse;
use socle_core::chunk::{self, Characters, Chunk, ChunkRule, Format, Sizer};
use socle_core::endpoint::estimated_tokens;
use socle_core::model::ModelSpec;
use socle_core::protocol::Response;
use socle_core::{Error, Kind, Result};

/// Default of `max_size` with a model, in tokens; less where the window of the model is smaller.
const DEFAULT_CHUNK_TOKENS: u32 = 512;

/// Default of `max_size` without a model, in characters.
const DEFAULT_CHUNK_CHARACTERS: u32 = 2000;

/// Size beyond which the chunks so far are sent, in bytes. A document has as many partial responses as it takes.
const PARTIAL_RESPONSE_BYTES: usize = 256 << 10;

/// Total size that the chunks of every document may have, headings included, in bytes.
const MIN_CHUNK_LIMIT: usize = 64 << 20;

/// Total size that the chunks of a large document may have, as a multiple of its own. An overlap of half a chunk doubles
/// the document; one of all but a character multiplies it by the characters of a chunk.
const CHUNK_LIMIT_RATIO: usize = 8;

/// How a document is to be split.
pub struct ChunkOptions<'a> {
    /// The model whose tokens are counted; characters are without one.
    pub model: Option<&'a ModelSpec>,
    /// Largest chunk in tokens or characters.
    pub max_size: Option<u32>,
    /// Overlap of neighbouring chunks in the same unit.
    pub overlap: u32,
    /// Format of the document.
    pub format: Format,
    /// Chunks of the earlier version of the document, which are kept where they still occur; empty for a new one.
    pub previous: Vec<&'a str>,
}

/// Splits `content` and answers the request.
///
/// # Errors
/// `InvalidArgument` for sizes that make no sense, `InputTooLong` when the chunks together are too large, `Cancelled`, and
/// whatever loading the model raises. The request is not answered then.
pub fn answer(
    store: &ModelStore,
    responses: &ResponseQueue,
    request: &Request,
    options: &ChunkOptions<'_>,
    content: &str,
) -> Result<()> {
    let loaded = options.model.filter(|spec| !spec.has_no_files());
    let loaded = loaded.map(|spec| store.checked(spec, &|| request.is_cancelled())).transpose()?;
    let loaded = loaded.as_ref().map(|model| model.model()).transpose()?;
    let sizer = RequestSizer::new(request, options.model, loaded)?;
    let max_size = sizer.max_size(options.max_size)?;
    let rule = ChunkRule::new(max_size - sizer.overhead, options.overlap as usize, options.format)?;
    let mut writer = ChunkWriter::new(responses, request, content.len());
    chunk::rechunk(content, &options.previous, &rule, &sizer, &mut |mut chunk: Chunk| {
        chunk.size += sizer.overhead;
        writer.push(chunk)
    })?;
    responses.answer(request, &Response::Chunks { chunks: writer.chunks, last: true });
    Ok(())
}

/// Collects chunks and sends them in partial responses.
struct ChunkWriter<'a> {
    response: StreamedResponse<'a>,
    /// Chunks that have not been sent.
    chunks: Vec<Chunk>,
    /// Size of these in bytes.
    bytes: usize,
    /// Size of the text of all chunks so far in bytes.
    total: usize,
    /// Largest `total`.
    limit: usize,
}

impl<'a> ChunkWriter<'a> {
    fn new(responses: &'a ResponseQueue, request: &'a Request, document_bytes: usize) -> Self {
        let limit = MIN_CHUNK_LIMIT.max(CHUNK_LIMIT_RATIO * document_bytes);
        Self { response: StreamedResponse::new(responses, request), chunks: Vec::new(), bytes: 0, total: 0, limit }
    }

    fn push(&mut self, chunk: Chunk) -> Result<()> {
        let text = chunk.content.len() + chunk.heading_path.iter().map(String::len).sum::<usize>();
        self.total += text;
        if self.total > self.limit {
            let limit = self.limit;
            return Err(Error::new(Kind::InputTooLong, format!("chunks of this text have more than {limit} bytes"))
                .detail(format!(
                    "The limit is {} MB, or {CHUNK_LIMIT_RATIO} times the text where that is more.",
                    MIN_CHUNK_LIMIT >> 20
                ))
                .hint("Choose a smaller overlap."));
        }
        self.bytes += size_of::<Chunk>() + text;
        self.chunks.push(chunk);
        if self.bytes > PARTIAL_RESPONSE_BYTES {
            let chunks = std::mem::take(&mut self.chunks);
            self.response.send_part(&Response::Chunks { chunks, last: false })?;
            self.bytes = 0;
        }
        Ok(())
    }
}

/// Measures chunks in tokens or characters, and fails once the request is cancelled.
struct RequestSizer<'a> {
    request: &'a Request,
    model: Option<&'a ModelSpec>,
    /// The model, unless it has no files here: its tokens are estimated.
    loaded: Option<&'a Model>,
    /// Special tokens and those of the passage prefix, which the model adds to every chunk.
    overhead: usize,
}

impl<'a> RequestSizer<'a> {
    fn new(request: &'a Request, model: Option<&'a ModelSpec>, loaded: Option<&'a Model>) -> Result<Self> {
        let overhead = match (loaded, model) {
            (Some(loaded), _) => loaded.count("")?,
            (None, Some(model)) => estimated_tokens(model.passage_prefix.len(), 0),
            (None, None) => 0,
        };
        Ok(Self { request, model, loaded, overhead })
    }

    /// Largest size of a chunk, overhead included.
    fn max_size(&self, wanted: Option<u32>) -> Result<usize> {
        let invalid = |message: String| Error::new(Kind::InvalidArgument, message);
        let Some(model) = self.model else {
            return Ok(wanted.unwrap_or(DEFAULT_CHUNK_CHARACTERS) as usize);
        };
        let (name, window) = (&model.name, model.max_tokens);
        let wanted = wanted.unwrap_or(DEFAULT_CHUNK_TOKENS.min(window));
        if wanted > window {
            return Err(invalid(format!("max_tokens must not exceed {window}, the window of model \"{name}\""))
                .hint("Longer chunks could not be embedded."));
        }
        if wanted as usize <= self.overhead {
            let overhead = self.overhead;
            return Err(invalid(format!("max_tokens must be larger than {overhead} for model \"{name}\""))
                .detail("The model adds that many tokens of its own to every text."));
        }
        Ok(wanted as usize)
    }
}

impl Sizer for RequestSizer<'_> {
    fn size(&self, text: &str) -> Result<usize> {
        if self.request.is_cancelled() {
            return Err(Error::new(Kind::Cancelled, "chunking was cancelled"));
        }
        match (self.loaded, self.model) {
            (Some(loaded), _) => Ok(loaded.count(text)?.saturating_sub(self.overhead)),
            (None, Some(_)) => Ok(estimated_tokens(text.len(), 0)),
            (None, None) => Characters.size(text),
        }
    }
}
