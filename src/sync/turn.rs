//! A turn of a corpus: goes on with what is under way, and processes claimed documents slice by slice. A slice that the
//! engine takes long for stays under way, so that no corpus waits for the documents of another.

use super::Job;
use super::batch_size::BatchSize;
use super::claim::{self, Claim};
use super::corpora::CorpusRef;
use super::document;
use super::hand_back::{HandBack, HandBacks};
use super::main_loop;
use super::slice::{Failure, Slice};
use crate::pg::gucs;
use crate::vector_index;
use crate::worker::transaction::WorkerError;
use pgrx::Uuid;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

/// Most slices that a worker has under way: their files, and what is extracted from them, take memory.
const MAX_UNDER_WAY: usize = 4;

/// Most of them that have been for longer than [`TRIAL`]. Documents beyond that are put off until there is room, so that others
/// have a chance to be done within that time: while the engine reads scans, even a short one takes some seconds.
const MAX_LONG: usize = 2;
const TRIAL: Duration = Duration::from_secs(10);

/// Time for which a worker that is asked to exit goes on with a slice beyond `socle.extract_timeout`, within which a document
/// is read again as far as it has been recognised: so it gets further each time. At most [`LONGEST_STINT`] in all.
const STINT: Duration = Duration::from_secs(10);
const LONGEST_STINT: Duration = Duration::from_secs(70);

/// How long a slice is waited for at first, and each time later: other corpora have their turns in between.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LATER_WAIT: Duration = Duration::from_millis(100);

/// Slices that the engine works on while other corpora have their turns.
#[derive(Default)]
pub struct UnderWay {
    slices: Vec<Slice>,
    has_progressed: bool,
    /// A document was put off in this turn.
    has_put_off: bool,
    /// Since when this worker is asked to exit.
    asked: Option<Instant>,
    hand_backs: HandBacks,
}

impl UnderWay {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }

    /// Whether documents are still to be handed back.
    pub fn is_handing_back(&self) -> bool {
        !self.hand_backs.is_empty()
    }

    /// What they are, for `pg_stat_activity`.
    pub fn describe(&self) -> Option<String> {
        let of = |slice: &Slice| format!("{} of corpus {}", slice.claims().len(), slice.job.corpus.name);
        let all: Vec<String> = self.slices.iter().map(of).collect();
        (!all.is_empty()).then(|| format!("long documents under way: {}", all.join(", ")))
    }

    /// Whether there is one of the corpus with this change log.
    pub fn has_of(&self, change: u32) -> bool {
        self.slices.iter().any(|slice| slice.is_of(change))
    }

    /// Whether another document that takes long can be under way.
    pub fn has_room(&self) -> bool {
        self.slices.len() < MAX_LONG && self.asked.is_none()
    }

    /// Whether documents of a corpus may be claimed. Those after long ones of the same corpus wait, unless there is room for
    /// another long one; and those after one that was put off, until other corpora had their turns.
    pub fn may_claim(&self, change: u32) -> bool {
        let has_room = if self.has_of(change) { self.has_room() } else { self.slices.len() < MAX_UNDER_WAY };
        has_room && !self.has_put_off
    }

    /// To be called when this worker is asked to exit. Hands back the documents on which it has worked for long enough, and
    /// returns whether it is to go on with others: while it does, it processes short ones, too.
    pub fn is_to_go_on(&mut self) -> bool {
        let asked = *self.asked.get_or_insert_with(Instant::now);
        let time = gucs::extract_limits().seconds.into();
        let stint = (Duration::from_secs(time) + STINT).min(LONGEST_STINT);
        self.end_those(|slice| slice.begun.elapsed() > stint);
        gucs::sync_workers() > 0 && self.slices.iter().any(|slice| slice.begun <= asked)
    }

    /// Whether the engine has answered one of them since this was asked last.
    pub fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.has_progressed)
    }

    /// Ends the slices of corpora that are not `here`, such as paused and dropped ones, and hands their documents back, together
    /// with those that could not be handed back before.
    pub fn end_others(&mut self, here: &[CorpusRef]) {
        self.hand_backs.retry();
        self.end_those(|slice| !here.iter().any(|corpus| slice.is_of(corpus.change)));
    }

    /// Ends the slices of the corpus of this name, and hands its documents back.
    pub fn end_of(&mut self, name: &str) {
        self.end_those(|slice| slice.job.corpus.name == name);
    }

    fn end_those(&mut self, is_to_end: impl Fn(&Slice) -> bool) {
        let ended: Vec<Slice> = self.slices.extract_if(.., |slice| is_to_end(slice)).collect();
        ended.into_iter().for_each(|slice| self.end(slice, false));
    }

    /// Has the engine no longer work for a slice, and hands its documents back. `long`: they are put off.
    fn end(&mut self, slice: Slice, long: bool) {
        let (corpus, lease, claims) = (slice.job.corpus.name.clone(), slice.job.lease, slice.claims());
        drop(slice);
        self.hand_backs.add(HandBack { corpus, lease, claims, long });
    }

    /// Hands documents back that belong to no slice.
    pub fn give_back(&mut self, corpus: &str, lease: Uuid, claims: Vec<Claim>) {
        self.hand_backs.add(HandBack { corpus: corpus.into(), lease, claims, long: false });
    }

    /// Goes on with the slices of a corpus. Returns whether one has ended.
    pub fn go_on(&mut self, change: u32) -> Result<bool, WorkerError> {
        let mut has_ended = false;
        self.has_put_off = false;
        let (own, others) = std::mem::take(&mut self.slices).into_iter().partition(|slice: &Slice| slice.is_of(change));
        self.slices = others;
        let mut own: Vec<Slice> = own;
        while let Some(mut slice) = own.pop() {
            // A table that is locked is looked at later. What else there is to say, the next attempt says.
            if !slice.is_wanted().unwrap_or_else(|trouble| trouble.is_a_lock()) {
                self.end(slice, false);
                has_ended = true;
                continue;
            }
            let failure = match slice.go_on(LATER_WAIT) {
                Poll::Pending => {
                    self.has_progressed |= slice.has_progressed();
                    let is_older = |other: &&Slice| other.begun < slice.begun;
                    let older = self.slices.iter().chain(&own).filter(is_older).count();
                    let is_late = self.asked.is_some_and(|asked| slice.begun > asked);
                    if slice.begun.elapsed() > TRIAL && (older >= MAX_LONG || is_late) {
                        self.end(slice, true);
                        self.has_put_off = true;
                    } else {
                        self.slices.push(slice);
                    }
                    continue;
                }
                Poll::Ready(Ok(())) => None,
                Poll::Ready(Err(failure)) => Some(failure),
            };
            has_ended = true;
            let Some(failure) = failure else { continue };
            match settle(&slice.job, slice.claims(), &failure) {
                Ok(again) => {
                    self.slices.extend(again.into_iter().map(|claims| Slice::begin(slice.job.clone(), claims)))
                }
                Err(trouble) => {
                    self.end(slice, false);
                    self.slices.extend(own);
                    return Err(trouble);
                }
            }
        }
        Ok(has_ended)
    }

    /// Those of the claims that belong to no slice.
    pub fn without(&self, lease: Uuid, claims: &[Claim]) -> Vec<Claim> {
        let kept: Vec<i64> = self
            .slices
            .iter()
            .filter(|slice| slice.job.lease == lease)
            .flat_map(|slice| slice.claims().into_iter().map(|claim| claim.job_id))
            .collect();
        claims.iter().filter(|claim| !kept.contains(&claim.job_id)).cloned().collect()
    }
}

/// Processes claimed documents in slices, and returns those that its time was too short for. On an error, the caller
/// has to hand back what is neither done nor under way.
pub fn work_on(
    job: &Rc<Job>,
    claims: Vec<Claim>,
    batch_size: &mut BatchSize,
    under_way: &mut UnderWay,
) -> Result<Vec<Claim>, WorkerError> {
    let turn = batch_size.begin_turn(claims.len());
    let mut slices = sliced(job, claims, batch_size.bytes())?;
    let all = slices.len() - usize::from(!slices.is_empty());
    // A stack: the halves of a slice that failed come next.
    while let Some(claims) = slices.pop() {
        let rest: Vec<Claim> = slices.iter().flatten().cloned().collect();
        // A turn processes at least its first slice, so that each makes progress.
        if turn.is_over() && slices.len() < all {
            return Ok(rest.into_iter().chain(claims).collect());
        }
        if !rest.is_empty() && main_loop::extension_is_due() {
            claim::extend(&job.corpus, job.lease, &rest)?;
        }
        if let ("filling", Some(change)) = (job.corpus.progress.state.as_str(), job.corpus.tables.change) {
            vector_index::make_way(change.into());
        }
        let begun = Instant::now();
        let mut slice = Slice::begin(job.clone(), claims);
        match slice.go_on(FIRST_WAIT) {
            Poll::Ready(Ok(())) => batch_size.slice(begun.elapsed()),
            Poll::Ready(Err(failure)) => slices.extend(settle(job, slice.claims(), &failure)?),
            Poll::Pending => {
                under_way.slices.push(slice);
                return Ok(rest);
            }
        }
    }
    batch_size.end_turn(&turn);
    Ok(Vec::new())
}

/// The documents in slices of about so many bytes, the first one last.
fn sliced(job: &Job, claims: Vec<Claim>, max_bytes: u64) -> Result<Vec<Vec<Claim>>, WorkerError> {
    let sizes = document::sizes(job, &claims)?;
    let mut slices: Vec<Vec<Claim>> = Vec::new();
    let mut bytes = 0;
    for (claim, size) in claims.into_iter().zip(sizes) {
        bytes += size;
        match slices.last_mut() {
            Some(slice) if bytes <= max_bytes => slice.push(claim),
            _ => {
                bytes = size;
                slices.push(vec![claim]);
            }
        }
    }
    slices.reverse();
    Ok(slices)
}

/// Records the failure of the document that is to blame. Returns the others to be tried again; if it is not known which is to
/// blame, in halves, the first one last.
fn settle(job: &Job, claims: Vec<Claim>, failure: &Failure) -> Result<Vec<Vec<Claim>>, WorkerError> {
    if failure.trouble.is_of_the_corpus() {
        return Err(failure.trouble.clone());
    }
    let (guilty, innocent): (Vec<Claim>, Vec<Claim>) =
        claims.into_iter().partition(|claim| failure.job_id == Some(claim.job_id));
    match (guilty.as_slice(), innocent.as_slice()) {
        ([claim], _) | ([], [claim]) => {
            claim::fail(&job.corpus, job.lease, claim, failure.step, &failure.trouble)?;
            Ok(if guilty.is_empty() || innocent.is_empty() { Vec::new() } else { vec![innocent] })
        }
        _ => {
            let (first, second) = innocent.split_at(innocent.len() / 2);
            Ok([second, first].into_iter().filter(|half| !half.is_empty()).map(<[Claim]>::to_vec).collect())
        }
    }
}
