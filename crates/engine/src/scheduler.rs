//! Decides which task a worker thread gets next.
//!
//! Each lane has its own queues and workers, so that a query does not wait for bulk work. A worker tokenizes requests
//! before it runs batches, as long as the connection has few tokens queued: batches of similar length need texts to
//! choose from.
//!
//! A document whose pictures are recognised may take minutes, and its worker only waits: it does not count among those that
//! its lane reads at once, so that others are read meanwhile.
//!
//! A suspect request, one during which an engine crashed, is served while nothing else is computed. Of a suspect document,
//! that holds for the first pictures alone: those that were in work when the engine crashed are among them, and to read
//! the others may take minutes.

#[cfg(test)]
mod tests;

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
    /// For suspect pictures.
    wake_suspects: Condvar,
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
    /// Suspect requests of all lanes that compute.
    suspects: VecDeque<Arc<Request>>,
    /// Number of suspect pictures that wait until nothing is computed.
    suspect_pictures: usize,
    /// Pictures whose lines are to be found. They and their lines are work of the bulk lane.
    pictures: RequestTurns<PictureTask>,
    /// Lines that are to be read.
    lines: RequestTurns<LineTask>,
    /// Time that workers of the bulk lane have spent on texts, and on pictures, while there was both.
    text_time: Duration,
    picture_time: Duration,
    /// Tasks that workers have, but for documents, whose workers wait for others.
    computing: usize,
    /// Bulk work was done since memory was given back.
    has_free_memory: bool,
    /// A suspect is computed, and nothing else.
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
    /// Serve a suspect request completely; nothing else is computed meanwhile.
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

/// Nothing else is computed until this is dropped.
#[must_use]
pub struct IsolationGuard<'a>(&'a Scheduler);

impl Drop for IsolationGuard<'_> {
    fn drop(&mut self) {
        self.0.end_isolation();
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
            wake_suspects: Condvar::new(),
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
        if request.suspect && !request.job.lane().reads_documents() {
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

    /// Waits until nothing is computed, for a picture of a suspect document; none if it is cancelled meanwhile.
    pub fn isolate(&self, request: &Request) -> Option<IsolationGuard<'_>> {
        let mut state = self.lock();
        state.suspect_pictures += 1;
        while !request.is_cancelled() && (state.computing > 0 || state.exclusive) {
            state = self.wake_suspects.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.suspect_pictures -= 1;
        if request.is_cancelled() {
            self.wake_all();
            return None;
        }
        state.exclusive = true;
        Some(IsolationGuard(self))
    }

    /// To be called when a suspect has been served, before [`Self::finished`].
    pub fn end_isolation(&self) {
        self.lock().exclusive = false;
        self.wake_all();
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
                if !lane.reads_documents() {
                    state.computing += 1;
                }
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
            if wait.timed_out() && state.computing == 0 {
                state.has_free_memory = false;
                drop(state);
                process::release_memory();
                state = self.lock();
            }
        }
    }

    fn next_now(&self, state: &mut State, lane: Lane) -> Option<Task> {
        if lane.reads_documents() {
            return self.next_text(state, lane);
        }
        let is_suspect_waiting = state.suspect_pictures > 0 || !state.suspects.is_empty();
        if state.exclusive || (is_suspect_waiting && state.computing > 0) || state.suspect_pictures > 0 {
            return None;
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
        state.lanes[lane as usize].busy -= 1;
        if lane.reads_documents() {
            self.wake[lane as usize].notify_one();
            return;
        }
        state.computing -= 1;
        if state.suspect_pictures > 0 || !state.suspects.is_empty() {
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
        self.wake_suspects.notify_all();
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
