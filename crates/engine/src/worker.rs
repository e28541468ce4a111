//! The worker threads: each takes tasks of its lane from the scheduler and answers their requests. Every failure, panics
//! included, ends in a response.

mod chunking;
mod keyword;
mod pictures;

use crate::batch_queue::BatchQueue;
use crate::document::{File, ForkServer, PageCache};
use crate::keyword::cache::SegmentCache;
use crate::lane::Lane;
use crate::model::loaded::Model;
use crate::model::store::ModelStore;
use crate::model::tokenizer::Tokens;
use crate::pending_response::{PendingResponse, QueuedText, TextResult};
use crate::request::{Job, Request};
use crate::response_queue::ResponseQueue;
use crate::scheduler::{Scheduler, Task};
use crate::statistics::Statistics;
use chunking::ChunkOptions;
use socle_child::panic_message;
use socle_child::process;
use socle_core::corpus::archive::FileLayout;
use socle_core::document::ExtractLimits;
use socle_core::model::{ModelKind, ModelOverrides, ModelSpec};
use socle_core::protocol::Response;
use socle_core::{Error, Kind, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

/// Stack of a worker thread in bytes; the regular expressions of tokenizers are matched recursively.
const STACK_BYTES: usize = 8 << 20;

/// Longest wait until [`Response::Alone`] is written to the socket. A backend that does not read is disconnected soon.
const ALONE_SEND_TIMEOUT: Duration = Duration::from_secs(1);

/// What all workers share.
#[derive(Clone)]
pub struct Resources {
    /// Loaded models.
    pub store: Arc<ModelStore>,
    /// Open segments of the keyword index.
    pub keyword: Arc<SegmentCache>,
    /// What was recognised in pictures.
    pub pages: Arc<PageCache>,
    /// Starts the processes that read documents.
    pub fork_server: Arc<ForkServer>,
}

/// One worker thread.
struct Worker {
    scheduler: Arc<Scheduler>,
    resources: Resources,
    responses: Arc<ResponseQueue>,
    statistics: Arc<Statistics>,
}

/// Starts the workers of each lane, see [`Lane::workers`]. They end with the process.
///
/// # Errors
/// `OutOfMemory` when the operating system refuses a thread.
pub fn start(
    scheduler: &Arc<Scheduler>,
    resources: &Resources,
    responses: &Arc<ResponseQueue>,
    statistics: &Arc<Statistics>,
    threads: usize,
) -> Result<()> {
    for lane in Lane::ALL {
        for _ in 0..lane.workers(threads) {
            let worker = Worker {
                scheduler: scheduler.clone(),
                resources: resources.clone(),
                responses: responses.clone(),
                statistics: statistics.clone(),
            };
            let run = move || {
                if lane == Lane::Bulk {
                    process::lower_priority_of_thread();
                }
                worker.work(lane);
            };
            let thread = std::thread::Builder::new().name(lane.thread_name().into()).stack_size(STACK_BYTES);
            thread.spawn(run).map_err(|error| {
                Error::new(Kind::OutOfMemory, "could not start a thread of the engine").detail(error.to_string())
            })?;
        }
    }
    Ok(())
}

/// Why a request failed.
struct Failure {
    error: Error,
    /// The text that could not be processed, where it is one: its index in the request.
    item: Option<usize>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, item: None }
    }
}

impl Worker {
    /// Processes tasks of a lane until the process ends.
    fn work(&self, lane: Lane) {
        loop {
            let task = self.scheduler.next(lane);
            let is_picture = matches!(task, Task::Picture(_) | Task::Line(_));
            let begun = Instant::now();
            match task {
                Task::Request(request) => {
                    let items = self.prepare(&request);
                    self.scheduler.submit_items(request.job.lane(), items);
                }
                Task::Batch(batch) => self.run(batch),
                Task::Picture(picture) => self.find_lines(picture),
                Task::Line(line) => self.read_line(&line),
                Task::Isolated(request) => {
                    self.run_isolated(&request);
                    self.scheduler.end_isolation();
                }
            }
            self.scheduler.finished(lane, is_picture, begun.elapsed());
        }
    }

    /// Tells the backend of a suspect request whether it runs alone. It has to know before the engine may crash.
    fn say(&self, request: &Request, alone: &Response) {
        let (written, wait) = sync_channel(1);
        self.responses.send_part(request, alone, Some(written));
        let _ = wait.recv_timeout(ALONE_SEND_TIMEOUT);
    }

    /// Serves a suspect request completely.
    fn run_isolated(&self, request: &Arc<Request>) {
        self.say(request, &Response::Alone);
        let mut queue = BatchQueue::default();
        for item in self.prepare(request) {
            queue.push(request.connection, (), item.tokens.len(), item);
        }
        while let Some(batch) = queue.take(|item| self.scheduler.budget(item)) {
            self.run(batch);
        }
    }

    /// Answers a request that needs no run, or returns its tokenized texts.
    fn prepare(&self, request: &Arc<Request>) -> Vec<QueuedText> {
        if request.is_cancelled() {
            return Vec::new();
        }
        let prepared = catch_unwind(AssertUnwindSafe(|| self.try_prepare(request)))
            .unwrap_or_else(|panic| Err(internal_error(&panic_message(panic.as_ref())).into()));
        prepared.unwrap_or_else(|failure| {
            self.responses.fail(request, failure.error, failure.item);
            Vec::new()
        })
    }

    fn try_prepare(&self, request: &Arc<Request>) -> Result<Vec<QueuedText>, Failure> {
        match &request.job {
            Job::Embed { model: spec, role, truncate, heads, contents } => {
                self.tokenize(request, spec, ModelKind::Embedding, contents, |model, at, text| {
                    match heads.get(at).filter(|head| !head.is_empty()) {
                        Some(head) => model.tokens_with_head(*role, head, text, *truncate),
                        None => model.tokens(*role, text, *truncate),
                    }
                })
            }
            Job::Rerank { model: spec, truncate, documents, .. } if spec.kind == ModelKind::LateInteraction => self
                .tokenize(request, spec, ModelKind::LateInteraction, documents, |model, _, document| {
                    model.marked_document(document, *truncate)
                }),
            Job::Rerank { model: spec, truncate, query, documents } => {
                self.tokenize(request, spec, ModelKind::Reranker, documents, |model, _, document| {
                    model.pair(query, document, *truncate)
                })
            }
            Job::DocumentTokens { model: spec, documents } => {
                self.tokenize(request, spec, ModelKind::LateInteraction, documents, |model, _, document| {
                    model.marked_document(document, true)
                })
            }
            Job::QueryTokens { model, query } => {
                self.answer_query_tokens(request, model, query)?;
                Ok(Vec::new())
            }
            Job::CountTokens { model, content } => {
                let count = self.resources.store.checked(model, &|| request.is_cancelled())?.model()?.count(content)?;
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                self.responses.answer(request, &Response::Count(count));
                Ok(Vec::new())
            }
            Job::Chunk { model, max_size, overlap, format, previous, content } => {
                let (model, max_size, overlap, format) = (model.as_deref(), *max_size, *overlap, *format);
                let previous = previous.iter().map(String::as_str).collect();
                let options = ChunkOptions { model, max_size, overlap, format, previous };
                chunking::answer(&self.resources.store, &self.responses, request, &options, content)?;
                Ok(Vec::new())
            }
            Job::Extract { media_type, name, limits, ocr, bytes, .. } => {
                let (media_type, name) = (media_type.as_deref(), name.as_deref());
                let file = File { media_type, name, limits: *limits, bytes };
                self.answer_document(request, file, ocr.as_deref())?;
                Ok(Vec::new())
            }
            Job::ReadArchive { layout, limits, bytes } => {
                self.answer_archive(request, layout, *limits, bytes)?;
                Ok(Vec::new())
            }
            Job::Keyword(task) => {
                keyword::answer(&self.resources, &self.responses, request, task)?;
                Ok(Vec::new())
            }
            Job::Inspect { name, directory, overrides } => {
                self.answer_inspection(request, (name, directory), overrides)?;
                Ok(Vec::new())
            }
        }
    }

    /// Answers with the vectors of the tokens of a query.
    fn answer_query_tokens(&self, request: &Arc<Request>, spec: &Arc<ModelSpec>, query: &str) -> Result<()> {
        let model = self.resources.store.checked(spec, &|| request.is_cancelled())?;
        let model = model.model()?;
        model.require(ModelKind::LateInteraction)?;
        let vectors = self.query_vectors(request, model, query, true)?;
        self.responses.answer(request, &Response::Vectors(vectors));
        Ok(())
    }

    /// Answers with the rows of an exported file.
    fn answer_archive(
        &self,
        request: &Arc<Request>,
        layout: &FileLayout,
        limits: ExtractLimits,
        bytes: &[u8],
    ) -> Result<()> {
        let rows = self.resources.fork_server.read_archive(request, layout, limits, bytes)?;
        self.responses.answer(request, &Response::Archived(rows));
        Ok(())
    }

    /// Answers with what the files of a model say.
    fn answer_inspection(
        &self,
        request: &Arc<Request>,
        (name, directory): (&str, &str),
        overrides: &ModelOverrides,
    ) -> Result<()> {
        let options = self.resources.store.run_options()?;
        let _run = self.scheduler.begin_run(&options, vec![request.clone()]);
        let inspection =
            self.resources.store.inspect(name, directory, overrides, &options, &|| request.is_cancelled())?;
        self.responses.answer(request, &Response::Inspected(Box::new(inspection)));
        Ok(())
    }

    /// Tokenizes the texts of a request; `tokens` gets the model, the index of the text and the text.
    fn tokenize(
        &self,
        request: &Arc<Request>,
        spec: &Arc<ModelSpec>,
        kind: ModelKind,
        texts: &[String],
        tokens: impl Fn(&Model, usize, &str) -> Result<Tokens>,
    ) -> Result<Vec<QueuedText>, Failure> {
        let model = self.resources.store.checked(spec, &|| request.is_cancelled())?;
        let model = model.model()?;
        model.require(kind)?;
        let query = match &request.job {
            Job::Rerank { query, truncate, .. } if kind == ModelKind::LateInteraction && !texts.is_empty() => {
                Some(self.query_vectors(request, model, query, *truncate)?)
            }
            _ => None,
        };
        let response = Arc::new(PendingResponse::new(request.clone(), spec.clone(), texts.len(), query));
        let mut items = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            if request.is_cancelled() {
                return Ok(Vec::new());
            }
            let tokens = tokens(model, index, text).map_err(|error| Failure { error, item: Some(index) })?;
            items.push(QueuedText { response: response.clone(), index, tokens });
        }
        if texts.is_empty() {
            self.responses.answer(request, &response.response(std::iter::empty()));
        }
        Ok(items)
    }

    /// The vectors of the tokens of a query, in a run of its own.
    fn query_vectors(&self, request: &Arc<Request>, model: &Model, query: &str, truncate: bool) -> Result<Vec<f32>> {
        let tokens = model.marked_query(query, truncate)?;
        let options = self.resources.store.run_options()?;
        let _run = self.scheduler.begin_run(&options, vec![request.clone()]);
        model.run(&[&tokens], &options)
    }

    /// Runs a batch of one model and distributes the results. Cancelled requests are left out.
    fn run(&self, mut batch: Vec<QueuedText>) {
        batch.retain(|item| !item.response.request.is_cancelled());
        let result = catch_unwind(AssertUnwindSafe(|| self.try_run(&batch)))
            .unwrap_or_else(|panic| Err(internal_error(&panic_message(panic.as_ref()))));
        match result {
            Ok(results) => self.distribute(&batch, results),
            // One text may have failed the whole batch.
            Err(error) if error.kind == Kind::InferenceFailed && batch.len() > 1 => {
                batch.into_iter().for_each(|item| self.run(vec![item]));
            }
            Err(error) => {
                for item in &batch {
                    self.responses.fail(&item.response.request, error.clone(), Some(item.index));
                }
            }
        }
    }

    fn try_run(&self, batch: &[QueuedText]) -> Result<Vec<TextResult>> {
        let Some(first) = batch.first() else { return Ok(Vec::new()) };
        let lease = self
            .resources
            .store
            .get(&first.response.model, &|| batch.iter().all(|item| item.response.request.is_cancelled()))?;
        let model = lease.model()?;
        let options = self.resources.store.run_options()?;
        let tokens: Vec<&Tokens> = batch.iter().map(|item| &item.tokens).collect();
        let requests = batch.iter().map(|item| item.response.request.clone()).collect();
        let run = self.scheduler.begin_run(&options, requests);
        let result = if model.spec.kind == ModelKind::LateInteraction {
            let queries: Vec<Option<&[f32]>> = batch.iter().map(|item| item.response.query.as_deref()).collect();
            model.compare(&queries, &tokens, &options)
        } else {
            let width = if model.spec.kind == ModelKind::Reranker { 1 } else { model.spec.dimensions as usize };
            let values = model.run(&tokens, &options);
            values.map(|values| values.chunks_exact(width).map(|values| TextResult::Numbers(values.to_vec())).collect())
        };
        drop(run);
        if result.is_ok() {
            lease.count_texts(batch.len());
            self.statistics.record_batch(batch.len(), tokens.iter().map(|tokens| tokens.len()).sum());
        }
        result
    }

    /// Stores results, and answers the requests that are complete.
    fn distribute(&self, batch: &[QueuedText], results: Vec<TextResult>) {
        for (item, result) in batch.iter().zip(results) {
            if let Some(response) = item.response.fill(item.index, result) {
                self.responses.answer(&item.response.request, &response);
            }
        }
    }
}

fn internal_error(why: &str) -> Error {
    Error::new(Kind::Bug, "the engine failed unexpectedly").detail(why)
}
