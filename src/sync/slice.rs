//! Documents that are processed together, from their claim to their chunks. Where the engine takes long, as for a scan of
//! many pages, they stay under way, and their worker gives other corpora their turns meanwhile.
//!
//! The work is a future, which waits nowhere but for the engine, and never while a transaction is open. Once it is dropped,
//! the engine stops working for it.

use super::claim::{self, Claim, LEASE_SECONDS};
use super::content::Extraction;
use super::document::{self, Document};
use super::{Job, token_vectors, write};
use crate::engine_client::Exchange;
use crate::keyword_index::build;
use crate::pg::spi;
use crate::worker::transaction::{WorkerError, as_corpus_owner, transaction};
use socle_core::protocol::{Request, Response};
use socle_core::{Error, Result};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

const WANTED: &str = include_str!("../../sql/sync/wanted.sql");

/// Time between two checks whether the result is still wanted.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Why documents could not be processed, and which of them is the cause, if that is known.
#[derive(Debug)]
pub struct Failure {
    /// The change that stands for the document.
    pub job_id: Option<i64>,
    /// What failed, as the status names it.
    pub step: &'static str,
    /// Why.
    pub trouble: WorkerError,
}

impl Failure {
    /// A failure for which no document is known to be the cause.
    pub fn new(step: &'static str, error: Error) -> Self {
        Self { job_id: None, step, trouble: error.into() }
    }

    /// A failure that one document is the cause of.
    pub fn of(job_id: i64, step: &'static str, error: Error) -> Self {
        Self { job_id: Some(job_id), step, trouble: error.into() }
    }

    /// Makes a failure of the error of a step.
    pub fn in_step(step: &'static str) -> impl Fn(WorkerError) -> Self {
        move |trouble| Self { job_id: None, step, trouble }
    }
}

/// What a slice shares with its work.
#[derive(Debug)]
pub struct SliceState {
    /// Until when the work may wait now.
    until: Cell<Instant>,
    /// The engine has answered since that was set.
    has_progressed: Cell<bool>,
    /// Claims on the documents that are not done.
    claims: RefCell<Vec<Claim>>,
}

impl SliceState {
    /// Like [`crate::engine_client::exchange_as_made`], as far as the work may wait.
    ///
    /// # Errors
    /// Those of [`crate::engine_client::exchange_as_made`].
    pub async fn exchange<'a>(
        &self,
        count: usize,
        request: &dyn Fn(usize) -> Result<Option<Request<'a>>>,
        answer: &mut dyn FnMut(usize, Vec<Response>) -> Result<()>,
    ) -> Result<()> {
        let mut exchange = Exchange::new(count);
        poll_fn(|_| match self.go_on(&mut exchange, request, answer) {
            Ok(false) => Poll::Pending,
            Ok(true) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(error)),
        })
        .await
    }

    /// Goes on with an exchange as far as the work may wait now; true once all is answered.
    ///
    /// # Errors
    /// Those of [`Exchange::go_on`].
    pub fn go_on<'a>(
        &self,
        exchange: &mut Exchange,
        request: &dyn Fn(usize) -> Result<Option<Request<'a>>>,
        answer: &mut dyn FnMut(usize, Vec<Response>) -> Result<()>,
    ) -> Result<bool> {
        let mut answered = |number: usize, answers: Vec<Response>| {
            self.has_progressed.set(true);
            answer(number, answers)
        };
        exchange.go_on(request, &mut answered, Some(self.until.get()))
    }

    /// Removes the claims on documents that are done.
    fn remove(&self, job_ids: &[i64]) {
        self.claims.borrow_mut().retain(|claim| !job_ids.contains(&claim.job_id));
    }
}

/// Documents under one lease, and how far their processing has come.
pub struct Slice {
    /// What they are processed by.
    pub job: Rc<Job>,
    /// When the work on them began.
    pub begun: Instant,
    state: Rc<SliceState>,
    work: Pin<Box<dyn Future<Output = Result<(), Failure>>>>,
    extended: Instant,
    checked: Instant,
}

impl Slice {
    /// Claimed documents, nothing of which is done yet.
    pub fn begin(job: Rc<Job>, claims: Vec<Claim>) -> Self {
        let now = Instant::now();
        let (until, claims) = (Cell::new(now), RefCell::new(claims));
        let state = Rc::new(SliceState { until, has_progressed: Cell::new(false), claims });
        let work = Box::pin(process(job.clone(), state.clone()));
        Self { job, begun: now, state, work, extended: now, checked: now }
    }

    /// Claims on the documents that are not done.
    pub fn claims(&self) -> Vec<Claim> {
        self.state.claims.borrow().clone()
    }

    /// Whether the documents are of the corpus with this change log.
    pub fn is_of(&self, change: u32) -> bool {
        self.job.corpus.tables.change == Some(change)
    }

    /// Whether the engine has answered while [`Self::go_on`] ran last.
    pub fn has_progressed(&self) -> bool {
        self.state.has_progressed.get()
    }

    /// Goes on with the work, waiting for the engine no longer than `time`.
    pub fn go_on(&mut self, time: Duration) -> Poll<Result<(), Failure>> {
        if self.extended.elapsed() > Duration::from_secs_f64(LEASE_SECONDS / 4.0) {
            self.extended = Instant::now();
            // A lease that could not be extended is noticed when the result is written.
            let _ = claim::extend(&self.job.corpus, self.job.lease, &self.claims());
        }
        self.state.until.set(Instant::now() + time);
        self.state.has_progressed.set(false);
        self.work.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Whether the result is still wanted, checked once in a while: the lease holds, and no document has been deleted.
    ///
    /// # Errors
    /// Whatever Postgres raises.
    pub fn is_wanted(&mut self) -> Result<bool, WorkerError> {
        if self.checked.elapsed() < CHECK_INTERVAL {
            return Ok(true);
        }
        self.checked = Instant::now();
        let changes = claim::changes(&self.claims());
        let sql = self.job.corpus.sql(WANTED);
        let arguments = || [changes.into(), self.job.lease.into()];
        transaction(|| as_corpus_owner(&self.job.corpus, || Ok(spi::query_bool(&sql, &arguments())?)))
    }
}

/// Processes the documents of a slice. What is read while the engine still works on others is written before these.
async fn process(job: Rc<Job>, state: Rc<SliceState>) -> Result<(), Failure> {
    let mut begun = Instant::now();
    let claims = state.claims.borrow().clone();
    let mut documents = document::read(&job, &claims).map_err(Failure::in_step("read"))?;
    document::stored(&job, &mut documents).map_err(Failure::in_step("read"))?;
    let (mut extraction, mut ready, mut failed) = Extraction::begin(documents);
    loop {
        let (read, unreadable) = extraction.next(&job, &state, !ready.is_empty()).await?;
        ready.extend(read);
        failed.extend(unreadable);
        for (claim, error) in failed.drain(..) {
            let recorded = claim::fail(&job.corpus, job.lease, &claim, "extract", &error.into());
            recorded.map_err(Failure::in_step("extract"))?;
            state.remove(&[claim.job_id]);
        }
        if !ready.is_empty() {
            complete(&job, &state, std::mem::take(&mut ready), begun).await?;
            begun = Instant::now();
        }
        if extraction.is_over() {
            return Ok(());
        }
    }
}

/// Chunks, embeds and writes documents whose text is there; `begun`: when the work on them began.
async fn complete(job: &Job, state: &SliceState, mut documents: Vec<Document>, begun: Instant) -> Result<(), Failure> {
    document::chunk(job, state, &mut documents).await?;
    let known = document::compare(job, &mut documents).map_err(Failure::in_step("read"))?;
    let vectors = document::embed(job, state, &documents, &known.vectors).await?;
    let token_vectors = token_vectors::compute(job, state, &documents, &known.token_vectors).await?;
    let numbered = write::number_chunks(job, &documents).map_err(Failure::in_step("write"))?;
    // The first fill leaves its keywords to larger segments, built later.
    let segment = if job.corpus.progress.state == "active" {
        build::build(&job.corpus, &numbered.indexed(&documents)).map_err(Failure::in_step("index"))?
    } else {
        None
    };
    let ready = write::Ready { vectors, token_vectors, numbered, segment };
    write::write(job, &documents, ready, begun.elapsed()).map_err(Failure::in_step("write"))?;
    state.remove(&documents.iter().map(|document| document.claim.job_id).collect::<Vec<i64>>());
    Ok(())
}
