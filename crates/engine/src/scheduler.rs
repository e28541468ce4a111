//! Decides which task a worker thread gets next.
//!
//! Each lane has its own queues and workers, so that a query does not wait for bulk work. A worker tokenizes requests
//! before it runs batches, as long as the connection has few tokens queued: batches of similar length need texts to
//! choose from.
//!
//! A document whose pictures are recognised may take minutes, and its worker only waits: it does not count among those that
//! its lane reads at once, so that others are read meanwhile.
//!
//! A suspect request, one during which an engine crashed, is served while no other task runs.

use crate::batch_queue::{BatchQueue, Budget};
use crate::lane::{Lane, RECOGNIZED_DOCUMENTS};
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

/// Documents of one connection whose pictures are recognised at once: enough to have the next one read while the pictures of
/// the first are recognised.
const MAX_RECOGNIZED: usize = 2;

/// Time without any work after which the memory that bulk work has left free is given back.
const IDLE: Duration = Duration::from_secs(2);

/// The queues of all lanes.
pub struct Scheduler {
    state: Mutex<State>,
    /// One for the workers of each lane.
    wake: [Condvar; Lane::ALL.len()],
    /// Most tokens of a batch, padding included.
    batch_tokens: usize,
    /// See [`Lane::documents`].
    documents: usize,
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
    /// Time that workers of the bulk lane have spent on texts, and on pictures, while there was both.
    text_time: Duration,
    picture_time: Duration,
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
    /// Tasks that workers have, but for documents whose pictures are recognised.
    busy: usize,
    /// Number of documents whose pictures are recognised, by connection.
    recognized: HashMap<u64, usize>,
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

/// Says that pictures of a document are recognised, until it is dropped.
#[must_use]
pub struct RecognitionGuard<'a> {
    scheduler: &'a Scheduler,
    lane: Lane,
    connection: u64,
}

impl Drop for RecognitionGuard<'_> {
    fn drop(&mut self) {
        let mut state = self.scheduler.lock();
        let queues = &mut state.lanes[self.lane as usize];
        queues.busy += 1;
        if let Some(count) = queues.recognized.get_mut(&self.connection) {
            *count -= 1;
            if *count == 0 {
                queues.recognized.remove(&self.connection);
            }
        }
        self.scheduler.wake[self.lane as usize].notify_one();
    }
}

impl Scheduler {
    /// A scheduler without requests. `batch_tokens` is the most tokens of a batch, padding included; `documents`: see
    /// [`Lane::documents`].
    pub fn new(batch_tokens: usize, documents: usize) -> Self {
        Self {
            state: Mutex::default(),
            wake: Default::default(),
            batch_tokens,
            documents,
            next_run: Default::default(),
        }
    }

    /// To be called when the first picture of a document is recognised: its worker waits from now on, and another one may
    /// read the next document. None if that is so for as many documents as it may be.
    pub fn begin_recognition(&self, request: &Request) -> Option<RecognitionGuard<'_>> {
        let (lane, connection) = (request.job.lane(), request.connection);
        let mut state = self.lock();
        let queues = &mut state.lanes[lane as usize];
        if queues.recognized.values().sum::<usize>() >= RECOGNIZED_DOCUMENTS * self.documents {
            return None;
        }
        queues.busy -= 1;
        *queues.recognized.entry(connection).or_default() += 1;
        self.wake[lane as usize].notify_one();
        Some(RecognitionGuard { scheduler: self, lane, connection })
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
                state.lanes[lane as usize].busy += 1;
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
        // Each has half of the time, so that neither a corpus of texts nor one of scans waits for the other.
        let texts_first = state.text_time <= state.picture_time;
        let first = if texts_first { self.next_text(state, lane) } else { next_picture(state) };
        if first.is_some() {
            return first;
        }
        // What was not there has no claim to the time that the other had meanwhile.
        let time = state.text_time.max(state.picture_time);
        (state.text_time, state.picture_time) = (time, time);
        if texts_first { next_picture(state) } else { self.next_text(state, lane) }
    }

    fn next_text(&self, state: &mut State, lane: Lane) -> Option<Task> {
        let Queues { requests, batches, busy, recognized } = &mut state.lanes[lane as usize];
        if lane.reads_documents() {
            if *busy >= self.documents {
                return None;
            }
            let next =
                requests.take(|connection| recognized.get(&connection).is_none_or(|count| *count < MAX_RECOGNIZED));
            return next.map(Task::Request);
        }
        if let Some(request) = requests.take(|connection| batches.tokens_of(connection) < MAX_QUEUED_TOKENS) {
            return Some(Task::Request(request));
        }
        batches.take(|item| self.budget(item)).map(Task::Batch)
    }

    /// To be called at the end of each task that [`Self::next`] has returned for this lane, with the time that it took;
    /// `is_picture`: it was a picture or a line of one.
    pub fn finished(&self, lane: Lane, is_picture: bool, time: Duration) {
        let mut state = self.lock();
        if is_picture {
            state.picture_time += time;
        } else if lane == Lane::Bulk {
            state.text_time += time;
        }
        state.busy -= 1;
        state.lanes[lane as usize].busy -= 1;
        if lane.reads_documents() {
            self.wake[lane as usize].notify_one();
        }
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

    const TIME: Duration = Duration::from_secs(1);

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
        let scheduler = Scheduler::new(1024, 2);
        scheduler.submit(document(1, false));
        let Task::Request(reading) = scheduler.next(Lane::Document) else { panic!("no document") };
        scheduler.submit(document(2, true));
        scheduler.submit_picture(picture(&reading));
        assert!(matches!(scheduler.next(Lane::Bulk), Task::Picture(_)));
        scheduler.finished(Lane::Bulk, true, TIME);
        assert!(scheduler.next_now(&mut scheduler.lock(), Lane::Document).is_none());
        scheduler.finished(Lane::Document, false, TIME);
        assert!(matches!(scheduler.next(Lane::Keyword), Task::Isolated(_)));
    }

    #[test]
    fn texts_and_pictures_have_half_of_the_time_each_and_nothing_for_the_time_before_they_came() {
        let scheduler = Scheduler::new(1024, 2);
        let request = document(1, false);
        let chunk = || {
            let job = Job::CountTokens { model: model(), content: String::new() };
            Arc::new(Request::new(2, 1, false, 0, job))
        };
        let text = || scheduler.lock().lanes[Lane::Bulk as usize].requests.push(2, chunk());
        let next = |milliseconds: u64| {
            let is_picture = matches!(scheduler.next(Lane::Bulk), Task::Picture(_));
            scheduler.finished(Lane::Bulk, is_picture, Duration::from_millis(milliseconds));
            is_picture
        };
        (0..4).for_each(|_| scheduler.submit_picture(picture(&request)));
        assert!(next(1_000) && next(1_000));
        (0..5).for_each(|_| text());
        let order: Vec<bool> = [400, 400, 1_000, 400, 400, 400].into_iter().map(next).collect();
        assert_eq!(order, [false, false, false, true, true, false].map(|picture| picture));
    }

    #[test]
    fn a_document_whose_pictures_are_recognised_makes_room_for_others_but_not_for_many_of_its_connection() {
        let scheduler = Scheduler::new(1024, 2);
        for (connection, id) in [(1, 1), (1, 2), (1, 3), (1, 4), (2, 1)] {
            scheduler.submit(document_of(connection, id, false));
        }
        let next = || match scheduler.next_now(&mut scheduler.lock(), Lane::Document) {
            Some(Task::Request(request)) => {
                let mut state = scheduler.lock();
                state.busy += 1;
                state.lanes[Lane::Document as usize].busy += 1;
                Some(request)
            }
            _ => None,
        };
        let number = |request: &Request| (request.connection, request.id);
        let (first, other) = (next().unwrap(), next().unwrap());
        assert_eq!([number(&first), number(&other)], [(1, 1), (2, 1)]);
        assert!(next().is_none(), "two are being read");
        let waits = scheduler.begin_recognition(&first).unwrap();
        let second = next().unwrap();
        let waits_too = scheduler.begin_recognition(&second).unwrap();
        assert_eq!(number(&second), (1, 2));
        assert!(next().is_none(), "two documents of the connection wait for their pictures");
        drop(waits);
        assert!(next().is_none(), "it is read to its end beside the other");
        scheduler.finished(Lane::Document, false, TIME);
        assert_eq!(number(&next().unwrap()), (1, 3));
        drop(waits_too);
    }

    #[test]
    fn pictures_of_documents_take_turns_within_a_connection_and_connections_do() {
        let scheduler = Scheduler::new(1024, 2);
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
        let scheduler = Scheduler::new(1024, 2);
        let (closed, other) = (document(1, false), document(2, false));
        scheduler.submit_picture(picture(&closed));
        scheduler.submit_picture(picture(&other));
        scheduler.cancel(1, std::iter::once(closed));
        let Task::Picture(left) = scheduler.next(Lane::Bulk) else { panic!("no picture") };
        assert_eq!(left.request.connection, 2);
        assert!(scheduler.next_now(&mut scheduler.lock(), Lane::Bulk).is_none());
    }
}
