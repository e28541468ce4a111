//! Decides which task a worker thread gets next.
//!
//! Each lane has its own queues and workers, so that a query does not wait for bulk work. A worker tokenizes requests
//! before it runs batches, as long as the connection has few tokens queued: batches of similar length need texts to
//! choose from.
//!
//! A suspect request, one during which an engine crashed, is served while no other task runs.

use crate::batch_queue::{BatchQueue, Budget};
use crate::lane::Lane;
use crate::pending_response::QueuedText;
use crate::picture::{LineTask, PictureTask};
use crate::request::Request;
use crate::round_robin::{RequestTurns, RoundRobin};
use ort::session::RunOptions;
use socle_child::process;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Queued tokens of one connection beyond which no further request of it is tokenized: about sixteen batches of the
/// default size to choose similar lengths from.
const MAX_QUEUED_TOKENS: usize = 16 << 10;

/// Time without any work after which the memory that bulk work has left free is given back.
const IDLE: Duration = Duration::from_secs(2);

/// The queues of all lanes.
pub struct Scheduler {
    state: Mutex<State>,
    /// One for the workers of each lane.
    wake: [Condvar; Lane::ALL.len()],
    /// Most tokens of a batch, padding included.
    batch_tokens: usize,
    /// Number of the next run.
    next_run: std::sync::atomic::AtomicU64,
}

#[derive(Default)]
struct State {
    lanes: [Queues; Lane::ALL.len()],
    /// Suspect requests of all lanes.
    suspects: VecDeque<Arc<Request>>,
    /// Pictures whose lines are to be found. They and their lines are work of the bulk lane.
    pictures: RequestTurns<PictureTask>,
    /// Lines that are to be read.
    lines: RequestTurns<LineTask>,
    /// The next worker of the bulk lane looks for texts before it looks for pictures.
    texts_first: bool,
    /// Tasks that workers have.
    busy: usize,
    /// Bulk work was done since memory was given back.
    has_free_memory: bool,
    /// One of them is [`Task::Isolated`].
    exclusive: bool,
    /// Runs in progress by number, so that they can be terminated when all requests that they serve are cancelled.
    runs: HashMap<u64, (Arc<RunOptions>, Vec<Arc<Request>>)>,
}

#[derive(Debug, Default)]
struct Queues {
    /// Requests that are not tokenized yet.
    requests: RoundRobin<Arc<Request>>,
    /// Tokenized texts by the digest of their model.
    batches: BatchQueue<Arc<str>, QueuedText>,
}

/// A unit of work.
#[derive(Debug)]
pub enum Task {
    /// Serve a request, except for the runs of its texts.
    Request(Arc<Request>),
    /// Run texts through a model.
    Batch(Vec<QueuedText>),
    /// Find the lines of a picture.
    Picture(PictureTask),
    /// Read a line.
    Line(LineTask),
    /// Serve a suspect request completely; no other task runs meanwhile.
    Isolated(Arc<Request>),
}

/// Registers a run until it is dropped.
#[must_use]
pub struct RunGuard<'a> {
    scheduler: &'a Scheduler,
    run: u64,
}

impl Drop for RunGuard<'_> {
    fn drop(&mut self) {
        self.scheduler.lock().runs.remove(&self.run);
    }
}

impl Scheduler {
    /// A scheduler without requests. `batch_tokens` is the most tokens of a batch, padding included.
    pub fn new(batch_tokens: usize) -> Self {
        Self { state: Mutex::default(), wake: Default::default(), batch_tokens, next_run: Default::default() }
    }

    /// Queues a request.
    pub fn submit(&self, request: Arc<Request>) {
        let mut state = self.lock();
        if request.suspect {
            state.suspects.push_back(request);
            self.wake_all();
            return;
        }
        let lane = request.job.lane() as usize;
        state.lanes[lane].requests.push(request.connection, request);
        self.wake[lane].notify_one();
    }

    /// Queues tokenized texts.
    pub fn submit_items(&self, lane: Lane, items: Vec<QueuedText>) {
        let mut state = self.lock();
        for item in items {
            let connection = item.response.request.connection;
            let digest = item.response.digest.clone();
            state.lanes[lane as usize].batches.push(connection, digest, item.tokens.len(), item);
        }
        self.wake[lane as usize].notify_all();
    }

    /// Queues a picture.
    pub fn submit_picture(&self, picture: PictureTask) {
        let mut state = self.lock();
        state.pictures.push(&picture.request.clone(), picture);
        self.wake[Lane::Bulk as usize].notify_one();
    }

    /// Queues the lines of a picture.
    pub fn submit_lines(&self, lines: Vec<LineTask>) {
        let mut state = self.lock();
        for line in lines {
            state.lines.push(&line.page.request.clone(), line);
        }
        self.wake[Lane::Bulk as usize].notify_all();
    }

    /// Cancels the requests of a connection and terminates the runs that serve no other.
    pub fn cancel(&self, connection: u64, requests: impl Iterator<Item = Arc<Request>>) {
        requests.for_each(|request| request.cancel());
        let mut state = self.lock();
        for lane in &mut state.lanes {
            lane.requests.remove_connection(connection);
            lane.batches.remove_connection(connection);
        }
        state.pictures.remove_connection(connection);
        state.lines.remove_connection(connection);
        state.suspects.retain(|request| request.connection != connection);
        for (options, requests) in state.runs.values() {
            if requests.iter().all(|request| request.is_cancelled()) {
                // The run fails, and the errors of cancelled requests are dropped.
                let _ = options.terminate();
            }
        }
        self.wake_all();
    }

    /// Waits for the next task of a lane. The caller has to call [`Self::finished`] when it is done.
    pub fn next(&self, lane: Lane) -> Task {
        let mut state = self.lock();
        loop {
            if let Some(task) = self.next_now(&mut state, lane) {
                state.busy += 1;
                state.has_free_memory |= lane == Lane::Bulk;
                return task;
            }
            let wake = &self.wake[lane as usize];
            if lane != Lane::Bulk || !state.has_free_memory {
                state = wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let (after, wait) = wake.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = after;
            if wait.timed_out() && state.busy == 0 {
                state.has_free_memory = false;
                drop(state);
                process::release_memory();
                state = self.lock();
            }
        }
    }

    fn next_now(&self, state: &mut State, lane: Lane) -> Option<Task> {
        if state.exclusive {
            return None;
        }
        if !state.suspects.is_empty() && state.busy > 0 {
            // What is being read ends only if its pictures go on.
            return if lane == Lane::Bulk { next_picture(state) } else { None };
        }
        if let Some(request) = state.suspects.pop_front() {
            state.exclusive = true;
            return Some(Task::Isolated(request));
        }
        if lane != Lane::Bulk {
            return self.next_text(state, lane);
        }
        // In turns, so that neither a corpus of texts nor one of scans waits for the other.
        state.texts_first = !state.texts_first;
        if state.texts_first {
            self.next_text(state, lane).or_else(|| next_picture(state))
        } else {
            next_picture(state).or_else(|| self.next_text(state, lane))
        }
    }

    fn next_text(&self, state: &mut State, lane: Lane) -> Option<Task> {
        let Queues { requests, batches } = &mut state.lanes[lane as usize];
        if let Some(request) = requests.take(|connection| batches.tokens_of(connection) < MAX_QUEUED_TOKENS) {
            return Some(Task::Request(request));
        }
        batches.take(|item| self.budget(item)).map(Task::Batch)
    }

    /// To be called at the end of each task that [`Self::next`] has returned.
    pub fn finished(&self) {
        let mut state = self.lock();
        state.busy -= 1;
        if state.exclusive || !state.suspects.is_empty() {
            state.exclusive = false;
            self.wake_all();
        }
    }

    /// The limits of a batch that begins with this text.
    pub fn budget(&self, item: &QueuedText) -> Budget {
        Budget { tokens: self.batch_tokens, single: !item.response.model.batchable }
    }

    /// Registers a run for these requests, so that [`Self::cancel`] can terminate it, until the guard is dropped.
    pub fn begin_run(&self, options: &Arc<RunOptions>, requests: Vec<Arc<Request>>) -> RunGuard<'_> {
        let run = self.next_run.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut state = self.lock();
        if requests.iter().all(|request| request.is_cancelled()) {
            // Cancelled before the run was registered.
            let _ = options.terminate();
        }
        state.runs.insert(run, (options.clone(), requests));
        RunGuard { scheduler: self, run }
    }

    fn wake_all(&self) {
        self.wake.iter().for_each(Condvar::notify_all);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A line, or else a picture: pages that are begun are finished first, because they take memory.
fn next_picture(state: &mut State) -> Option<Task> {
    let line = state.lines.take().map(Task::Line);
    line.or_else(|| state.pictures.take().map(Task::Picture))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::PictureMemory;
    use crate::request::Job;
    use socle_core::document::ExtractLimits;
    use socle_core::model::{ModelFile, ModelKind, ModelSpec, Pooling, Similarity};
    use socle_ocr::{Channels, Picture};

    fn document(connection: u64, suspect: bool) -> Arc<Request> {
        document_of(connection, 1, suspect)
    }

    fn document_of(connection: u64, id: u32, suspect: bool) -> Arc<Request> {
        let limits = ExtractLimits { seconds: 60, memory_bytes: 1 << 30, text_bytes: 1 << 20, recognition_seconds: 0 };
        let (media_type, name, ocr, bytes) = (None, None, None, Vec::new());
        let job = Job::Extract { media_type, name, limits, bulk: false, ocr, bytes };
        Arc::new(Request::new(connection, id, suspect, 0, job))
    }

    fn model() -> Arc<ModelSpec> {
        let file = ModelFile { path: String::new(), bytes: 0, sha256: String::new() };
        Arc::new(ModelSpec {
            name: "m".into(),
            directory: "m".into(),
            graph: file.clone(),
            tokenizer: file,
            configuration: Vec::new(),
            kind: ModelKind::Ocr,
            dimensions: 1,
            max_tokens: 1,
            pooling: Pooling::None,
            normalize: false,
            query_prefix: String::new(),
            passage_prefix: String::new(),
            output: String::new(),
            pad_id: 0,
            batchable: false,
            similarity: Similarity::Cosine,
            pool_prefix: true,
            lower_case: false,
            first_position: 0,
            layers: Vec::new(),
            late_interaction: None,
            served: None,
            ocr: None,
        })
    }

    fn picture(request: &Arc<Request>) -> PictureTask {
        let picture = Picture { width: 1, height: 1, channels: Channels::Grey, pixels: vec![0], dpi: None };
        let room = PictureMemory::default().take(1).unwrap();
        PictureTask { request: request.clone(), model: model(), picture, room, done: Box::new(|_, _| {}) }
    }

    #[test]
    fn pictures_of_a_document_are_read_while_a_suspect_request_waits_for_its_end() {
        let scheduler = Scheduler::new(1024);
        scheduler.submit(document(1, false));
        let Task::Request(reading) = scheduler.next(Lane::Document) else { panic!("no document") };
        scheduler.submit(document(2, true));
        scheduler.submit_picture(picture(&reading));
        assert!(matches!(scheduler.next(Lane::Bulk), Task::Picture(_)));
        scheduler.finished();
        assert!(scheduler.next_now(&mut scheduler.lock(), Lane::Document).is_none());
        scheduler.finished();
        assert!(matches!(scheduler.next(Lane::Keyword), Task::Isolated(_)));
    }

    #[test]
    fn pictures_of_documents_take_turns_within_a_connection_and_connections_do() {
        let scheduler = Scheduler::new(1024);
        let (many, one, other) = (document_of(1, 1, false), document_of(1, 2, false), document_of(2, 1, false));
        for request in [&many, &many, &many, &many, &one, &other] {
            scheduler.submit_picture(picture(request));
        }
        let order: Vec<(u64, u32)> = (0..6)
            .map(|_| {
                let Task::Picture(next) = scheduler.next(Lane::Bulk) else { panic!("no picture") };
                (next.request.connection, next.request.id)
            })
            .collect();
        assert_eq!(order, [(1, 1), (2, 1), (1, 2), (1, 1), (1, 1), (1, 1)]);
        assert!(scheduler.next_now(&mut scheduler.lock(), Lane::Bulk).is_none());
    }

    #[test]
    fn pictures_of_a_connection_that_is_closed_are_forgotten() {
        let scheduler = Scheduler::new(1024);
        let (closed, other) = (document(1, false), document(2, false));
        scheduler.submit_picture(picture(&closed));
        scheduler.submit_picture(picture(&other));
        scheduler.cancel(1, std::iter::once(closed));
        let Task::Picture(left) = scheduler.next(Lane::Bulk) else { panic!("no picture") };
        assert_eq!(left.request.connection, 2);
        assert!(scheduler.next_now(&mut scheduler.lock(), Lane::Bulk).is_none());
    }
}
