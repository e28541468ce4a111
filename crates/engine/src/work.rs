//! What a worker thread does with a task. Every way to fail, panics included, ends in an answer.

use crate::document::{File, Nursery};
use crate::keyword::cache::Cache;
use crate::keyword::serve;
use crate::model::loaded::Model;
use crate::model::store::Store;
use crate::model::tokenizer::Tokens;
use crate::outbox::Outbox;
use crate::panic_message;
use crate::part::PartSender;
use crate::ready::Ready;
use crate::request::{Gather, Item, Job, Lane, Request};
use crate::scheduler::{Scheduler, Task};
use crate::statistics::Statistics;
use socle_core::chunk::{self, Characters, Chunk, ChunkRule, Format, Sizer};
use socle_core::model::{ModelKind, ModelSpec};
use socle_core::protocol::Response;
use socle_core::{Error, Kind, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// Largest chunk when the caller names no size: tokens, or characters without a model.
const DEFAULT_CHUNK_TOKENS: u32 = 512;
const DEFAULT_CHUNK_CHARACTERS: u32 = 2000;

/// Bytes of chunks in one answer; a document has as many answers as it takes.
const CHUNK_ANSWER_BYTES: usize = 256 << 10;

/// Bytes that the chunks of any document may have together, headings included.
const MIN_CHUNK_LIMIT: usize = 64 << 20;

/// Times its own bytes that the chunks of a large document may have together. An overlap of half a chunk repeats the
/// document once; one of all but a character repeats it as often as a chunk has characters.
const CHUNK_LIMIT_RATIO: usize = 8;

/// Longest wait for [`Response::Alone`] to leave. A backend that does not read is about to be dropped anyway.
const ALONE_PATIENCE: Duration = Duration::from_secs(1);

/// What all workers share and work with.
#[derive(Clone)]
pub struct Resources {
    /// Gives models.
    pub store: Arc<Store>,
    /// Gives segments of the keyword index.
    pub keyword: Arc<Cache>,
    /// Gives processes that read documents.
    pub nursery: Arc<Nursery>,
}

/// One worker thread.
pub struct Worker {
    /// Gives tasks.
    pub scheduler: Arc<Scheduler>,
    /// Gives the rest.
    pub resources: Resources,
    /// Takes answers.
    pub outbox: Arc<Outbox>,
    /// Counts.
    pub statistics: Arc<Statistics>,
}

/// Why a request failed, and which of its texts.
struct Failure {
    error: Error,
    item: Option<usize>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, item: None }
    }
}

impl Worker {
    /// Works for a lane as long as the process lives.
    pub fn work(&self, lane: Lane) {
        loop {
            match self.scheduler.next(lane) {
                Task::Request(request) => {
                    let items = self.prepare(&request);
                    self.scheduler.submit_items(request.job.lane(), items);
                }
                Task::Batch(batch) => self.run(batch),
                Task::Alone(request) => self.alone(&request),
            }
            self.scheduler.finished();
        }
    }

    /// All of a request, with no other beside it.
    fn alone(&self, request: &Arc<Request>) {
        let (written, wait) = sync_channel(1);
        self.outbox.send_part(request, &Response::Alone, Some(written));
        // The backend has to know before the engine can die of it.
        let _ = wait.recv_timeout(ALONE_PATIENCE);
        let mut ready = Ready::default();
        for item in self.prepare(request) {
            ready.push(request.connection, (), item.tokens.len(), item);
        }
        while let Some(batch) = ready.take(|item| self.scheduler.budget(item)) {
            self.run(batch);
        }
    }

    /// Answers a request that needs no run, or gives the texts to run.
    fn prepare(&self, request: &Arc<Request>) -> Vec<Item> {
        if request.is_cancelled() {
            return Vec::new();
        }
        let prepared = catch_unwind(AssertUnwindSafe(|| self.try_prepare(request)))
            .unwrap_or_else(|panic| Err(bug(&panic_message(panic.as_ref())).into()));
        prepared.unwrap_or_else(|failure| {
            self.outbox.fail(request, failure.error, failure.item);
            Vec::new()
        })
    }

    fn try_prepare(&self, request: &Arc<Request>) -> Result<Vec<Item>, Failure> {
        match &request.job {
            Job::Embed { model: spec, role, truncate, heads, contents } => {
                let width = spec.dimensions as usize;
                self.items(request, spec, ModelKind::Embedding, contents, width, |model, at, text| {
                    match heads.get(at).filter(|head| !head.is_empty()) {
                        Some(head) => model.headed_tokens(*role, head, text, *truncate),
                        None => model.tokens(*role, text, *truncate),
                    }
                })
            }
            Job::Rerank { model: spec, truncate, query, documents } => {
                self.items(request, spec, ModelKind::Reranker, documents, 1, |model, _, document| {
                    model.pair(query, document, *truncate)
                })
            }
            Job::CountTokens { model, content } => {
                let count = self.resources.store.checked(model, &|| request.is_cancelled())?.model()?.count(content)?;
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                self.outbox.answer(request, &Response::Count(count));
                Ok(Vec::new())
            }
            Job::Chunk { model, max_size, overlap, format, previous, content } => {
                let previous: Vec<&str> = previous.iter().map(String::as_str).collect();
                self.chunk(request, model.as_deref(), *max_size, *overlap, *format, &previous, content)?;
                Ok(Vec::new())
            }
            Job::Extract { media_type, name, limits, bytes, .. } => {
                let (media_type, name) = (media_type.as_deref(), name.as_deref());
                let document =
                    self.resources.nursery.read(request, File { media_type, name, limits: *limits, bytes })?;
                self.outbox.answer(request, &Response::Extracted(Box::new(document)));
                Ok(Vec::new())
            }
            Job::Keyword(task) => {
                serve::answer(&self.resources.keyword, &self.outbox, request, task)?;
                Ok(Vec::new())
            }
            Job::Inspect { name, directory, overrides } => {
                let options = self.resources.store.run_options()?;
                let _run = self.scheduler.run_begins(&options, vec![request.clone()]);
                let inspection =
                    self.resources.store.inspect(name, directory, overrides, &options, &|| request.is_cancelled())?;
                self.outbox.answer(request, &Response::Inspected(Box::new(inspection)));
                Ok(Vec::new())
            }
        }
    }

    fn items(
        &self,
        request: &Arc<Request>,
        spec: &Arc<ModelSpec>,
        kind: ModelKind,
        texts: &[String],
        width: usize,
        tokens: impl Fn(&Model, usize, &str) -> Result<Tokens>,
    ) -> Result<Vec<Item>, Failure> {
        let model = self.resources.store.checked(spec, &|| request.is_cancelled())?;
        let model = model.model()?;
        model.require(kind)?;
        let gather = Arc::new(Gather::new(request.clone(), spec.clone(), texts.len(), width));
        let mut items = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            if request.is_cancelled() {
                return Ok(Vec::new());
            }
            let tokens = tokens(model, index, text).map_err(|error| Failure { error, item: Some(index) })?;
            items.push(Item { gather: gather.clone(), index, tokens });
        }
        if texts.is_empty() {
            self.outbox.answer(request, &results(kind, Vec::new()));
        }
        Ok(items)
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of the request")]
    fn chunk(
        &self,
        request: &Request,
        spec: Option<&ModelSpec>,
        max_size: Option<u32>,
        overlap: u32,
        format: Format,
        previous: &[&str],
        content: &str,
    ) -> Result<()> {
        let model = spec.map(|spec| self.resources.store.checked(spec, &|| request.is_cancelled())).transpose()?;
        let model = model.as_ref().map(|model| model.model()).transpose()?;
        let sizer = RequestSizer::new(request, model)?;
        let max_size = sizer.max_size(max_size)?;
        let rule = ChunkRule::new(max_size - sizer.overhead, overlap as usize, format)?;
        let mut parts = Parts::new(&self.outbox, request, content.len());
        chunk::rechunk(content, previous, &rule, &sizer, &mut |mut chunk: Chunk| {
            chunk.size += sizer.overhead;
            parts.push(chunk)
        })?;
        self.outbox.answer(request, &Response::Chunks { chunks: parts.chunks, last: true });
        Ok(())
    }

    /// Runs texts of one model and hands out the results.
    fn run(&self, mut batch: Vec<Item>) {
        batch.retain(|item| !item.gather.request.is_cancelled());
        let result = catch_unwind(AssertUnwindSafe(|| self.try_run(&batch)))
            .unwrap_or_else(|panic| Err(bug(&panic_message(panic.as_ref()))));
        match result {
            Ok(values) => self.hand_out(&batch, &values),
            // One text may have spoilt it for all.
            Err(error) if error.kind == Kind::InferenceFailed && batch.len() > 1 => {
                batch.into_iter().for_each(|item| self.run(vec![item]));
            }
            Err(error) => {
                for item in &batch {
                    self.outbox.fail(&item.gather.request, error.clone(), Some(item.index));
                }
            }
        }
    }

    fn try_run(&self, batch: &[Item]) -> Result<Vec<f32>> {
        let Some(first) = batch.first() else { return Ok(Vec::new()) };
        let used = self
            .resources
            .store
            .get(&first.gather.model, &|| batch.iter().all(|item| item.gather.request.is_cancelled()))?;
        let model = used.model()?;
        let options = self.resources.store.run_options()?;
        let tokens: Vec<&Tokens> = batch.iter().map(|item| &item.tokens).collect();
        let requests = batch.iter().map(|item| item.gather.request.clone()).collect();
        let run = self.scheduler.run_begins(&options, requests);
        let result = model.run(&tokens, &options);
        drop(run);
        if result.is_ok() {
            used.count_texts(batch.len());
            self.statistics.ran(batch.len(), tokens.iter().map(|tokens| tokens.len()).sum());
        }
        result
    }

    fn hand_out(&self, batch: &[Item], values: &[f32]) {
        let Some(width) = batch.first().map(|item| item.gather.width()) else { return };
        for (item, value) in batch.iter().zip(values.chunks_exact(width)) {
            if let Some(all) = item.gather.fill(item.index, value) {
                let kind = item.gather.model.kind;
                self.outbox.answer(&item.gather.request, &results(kind, all));
            }
        }
    }
}

fn results(kind: ModelKind, values: Vec<f32>) -> Response {
    match kind {
        ModelKind::Embedding => Response::Vectors(values),
        ModelKind::Reranker => Response::Scores(values),
    }
}

fn bug(why: &str) -> Error {
    Error::new(Kind::Bug, "the engine failed unexpectedly").detail(why)
}

fn cancelled() -> Error {
    Error::new(Kind::Cancelled, "chunking was cancelled")
}

/// The chunks of a request on their way out: one part is gathered while the one before it leaves, so that a document
/// takes no more memory than its reader has taken off us.
struct Parts<'a> {
    sender: PartSender<'a>,
    /// Those that have not been sent.
    chunks: Vec<Chunk>,
    /// Bytes of those.
    bytes: usize,
    /// Bytes of text of all.
    total: usize,
    limit: usize,
}

impl<'a> Parts<'a> {
    fn new(outbox: &'a Outbox, request: &'a Request, document_bytes: usize) -> Self {
        let limit = MIN_CHUNK_LIMIT.max(CHUNK_LIMIT_RATIO * document_bytes);
        Self { sender: PartSender::new(outbox, request), chunks: Vec::new(), bytes: 0, total: 0, limit }
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
        if self.bytes > CHUNK_ANSWER_BYTES {
            let chunks = std::mem::take(&mut self.chunks);
            self.sender.send(&Response::Chunks { chunks, last: false })?;
            self.bytes = 0;
        }
        Ok(())
    }
}

/// Measures chunks for a request, and stops the chunking when nobody waits for it.
struct RequestSizer<'a> {
    request: &'a Request,
    model: Option<&'a Model>,
    /// Tokens that every text has beyond its own: special tokens and prefix.
    overhead: usize,
}

impl<'a> RequestSizer<'a> {
    fn new(request: &'a Request, model: Option<&'a Model>) -> Result<Self> {
        let overhead = model.map(|model| model.count("")).transpose()?.unwrap_or_default();
        Ok(Self { request, model, overhead })
    }

    /// The size to cut to, overhead included.
    fn max_size(&self, wanted: Option<u32>) -> Result<usize> {
        let invalid = |message: String| Error::new(Kind::InvalidArgument, message);
        let Some(model) = self.model else {
            return Ok(wanted.unwrap_or(DEFAULT_CHUNK_CHARACTERS) as usize);
        };
        let (name, window) = (&model.spec.name, model.spec.max_tokens);
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
            return Err(cancelled());
        }
        match self.model {
            Some(model) => Ok(model.count(text)?.saturating_sub(self.overhead)),
            None => Characters.size(text),
        }
    }
}
