//! Who works on what next.
//!
//! Each lane has its workers; those of the bulk lane run at lower priority, so that a query gets a processor within
//! milliseconds however much is being embedded. A worker prefers texts that wait for their tokens to texts that wait
//! for their model, as long as the connection has few tokens waiting: batches of like length need a choice.
//!
//! A suspect request, one that was under way when an engine died, runs when nothing else does.

use crate::outbox::Outbox;
use crate::process;
use crate::ready::{Budget, Ready};
use crate::request::{Item, Lane, Request};
use crate::statistics::Statistics;
use crate::turns::Turns;
use crate::work::{Resources, Worker};
use ort::session::RunOptions;
use socle_core::{Error, Kind, Result};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Tokens of one connection that may wait for their model: sixteen batches to choose equal lengths from.
const READY_TOKENS: usize = 16 << 10;

/// Stack of a worker in bytes; tokenizers recurse in regular expressions.
const STACK_BYTES: usize = 8 << 20;

/// The queues and whoever waits on them.
pub struct Scheduler {
    state: Mutex<State>,
    wake: [Condvar; Lane::ALL.len()],
    batch_tokens: usize,
    next_run: std::sync::atomic::AtomicU64,
}

#[derive(Default)]
struct State {
    lanes: [Queues; Lane::ALL.len()],
    suspects: VecDeque<Arc<Request>>,
    /// Tasks being worked on.
    busy: usize,
    /// A suspect is being worked on.
    alone: bool,
    /// Runs under way, so that they can be ended when nobody wants their result.
    runs: HashMap<u64, (Arc<RunOptions>, Vec<Arc<Request>>)>,
}

#[derive(Debug, Default)]
struct Queues {
    /// Requests whose texts have no tokens yet.
    requests: Turns<Arc<Request>>,
    ready: Ready<Arc<str>, Item>,
}

/// What a worker does next.
#[derive(Debug)]
pub enum Task {
    /// Tokenise, chunk, count or inspect.
    Request(Arc<Request>),
    /// Run texts through a model.
    Batch(Vec<Item>),
    /// Do all of a request by itself while nothing else runs.
    Alone(Arc<Request>),
}

/// A run under way.
#[must_use]
pub struct Run<'a> {
    scheduler: &'a Scheduler,
    run: u64,
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.scheduler.lock().runs.remove(&self.run);
    }
}

impl Scheduler {
    /// Starts the workers of each lane, see [`Lane::workers`].
    ///
    /// # Errors
    /// `OutOfMemory` when the operating system gives no thread.
    pub fn start(
        resources: &Resources,
        outbox: &Arc<Outbox>,
        statistics: &Arc<Statistics>,
        threads: usize,
        batch_tokens: usize,
    ) -> Result<Arc<Self>> {
        let scheduler = Arc::new(Self {
            state: Mutex::default(),
            wake: Default::default(),
            batch_tokens,
            next_run: Default::default(),
        });
        for lane in Lane::ALL {
            for _ in 0..lane.workers(threads) {
                let worker = Worker {
                    scheduler: scheduler.clone(),
                    resources: resources.clone(),
                    outbox: outbox.clone(),
                    statistics: statistics.clone(),
                };
                let name = match lane {
                    Lane::Interactive => "socle query",
                    Lane::Bulk => "socle bulk",
                    Lane::Keyword => "socle keyword",
                    Lane::Document | Lane::BulkDocument => "socle document",
                };
                let run = move || {
                    if lane == Lane::Bulk {
                        process::lower_priority_of_thread();
                    }
                    worker.work(lane);
                };
                std::thread::Builder::new().name(name.into()).stack_size(STACK_BYTES).spawn(run).map_err(|error| {
                    Error::new(Kind::OutOfMemory, "could not start a thread of the engine").detail(error.to_string())
                })?;
            }
        }
        Ok(scheduler)
    }

    /// Adds a request.
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

    /// Adds texts that have their tokens.
    pub fn submit_items(&self, lane: Lane, items: Vec<Item>) {
        let mut state = self.lock();
        for item in items {
            let connection = item.gather.request.connection;
            let digest = item.gather.digest.clone();
            state.lanes[lane as usize].ready.push(connection, digest, item.tokens.len(), item);
        }
        self.wake[lane as usize].notify_all();
    }

    /// Forgets what a connection has asked for, and ends the runs that serve it alone.
    pub fn cancel(&self, connection: u64, requests: impl Iterator<Item = Arc<Request>>) {
        requests.for_each(|request| request.cancel());
        let mut state = self.lock();
        for lane in &mut state.lanes {
            lane.requests.remove_connection(connection);
            lane.ready.remove_connection(connection);
        }
        state.suspects.retain(|request| request.connection != connection);
        for (options, requests) in state.runs.values() {
            if requests.iter().all(|request| request.is_cancelled()) {
                // The run returns an error that nobody reads.
                let _ = options.terminate();
            }
        }
        self.wake_all();
    }

    /// Waits for the next task of a lane. [`Self::finished`] has to follow.
    pub fn next(&self, lane: Lane) -> Task {
        let mut state = self.lock();
        loop {
            if let Some(task) = self.next_now(&mut state, lane) {
                state.busy += 1;
                return task;
            }
            state = self.wake[lane as usize].wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn next_now(&self, state: &mut State, lane: Lane) -> Option<Task> {
        if state.alone || (!state.suspects.is_empty() && state.busy > 0) {
            return None;
        }
        if let Some(request) = state.suspects.pop_front() {
            state.alone = true;
            return Some(Task::Alone(request));
        }
        let Queues { requests, ready } = &mut state.lanes[lane as usize];
        if let Some(request) = requests.take(|connection| ready.tokens_of(connection) < READY_TOKENS) {
            return Some(Task::Request(request));
        }
        ready.take(|item| self.budget(item)).map(Task::Batch)
    }

    /// A task that [`Self::next`] gave has ended.
    pub fn finished(&self) {
        let mut state = self.lock();
        state.busy -= 1;
        if state.alone || !state.suspects.is_empty() {
            state.alone = false;
            self.wake_all();
        }
    }

    /// How large a batch with this text may become.
    pub fn budget(&self, item: &Item) -> Budget {
        Budget { tokens: self.batch_tokens, single: !item.gather.model.batchable }
    }

    /// Notes a run for these requests, so that [`Self::cancel`] can end it, until the result is dropped.
    pub fn run_begins(&self, options: &Arc<RunOptions>, requests: Vec<Arc<Request>>) -> Run<'_> {
        let run = self.next_run.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut state = self.lock();
        if requests.iter().all(|request| request.is_cancelled()) {
            // Cancelled before this lock was taken, and so without this run in sight.
            let _ = options.terminate();
        }
        state.runs.insert(run, (options.clone(), requests));
        Run { scheduler: self, run }
    }

    fn wake_all(&self) {
        self.wake.iter().for_each(Condvar::notify_all);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
