//! The corpora of a database, as its worker gives them turns: which comes next, and which waits because of an error.

use super::batch_size::BatchSize;
use super::turn::UnderWay;
use super::{Progress, work};
use crate::keyword_index::corruption_flag;
use crate::pg::worker_process;
use crate::worker::corpus_state;
use crate::worker::transaction::WorkerError;
use socle_core::Kind;
use socle_core::corpus::retry::backoff;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// Time before a corpus whose tables are locked is tried again.
const LOCK_PAUSE: Duration = Duration::from_millis(500);

/// Changes within this time after the last turn of their corpus are collected until it is over: a stream of single rows
/// does not become a segment of the keyword index for each. The first change after a pause is processed at once.
pub const GATHER: Duration = Duration::from_millis(100);

/// A corpus to work on.
#[derive(Debug)]
pub struct CorpusRef {
    /// Name of the corpus.
    pub name: String,
    /// OID of its change log: another corpus of the same name has another.
    pub change: u32,
}

/// What this worker knows of each corpus, by its change log.
#[derive(Default)]
pub struct Corpora {
    troubled: HashMap<u32, Troubled>,
    /// Times of the last turns of corpora that had little to do.
    worked: HashMap<u32, Instant>,
    /// Corpora that had more to do than a turn has time for.
    long: HashSet<u32>,
    paces: HashMap<u32, BatchSize>,
    /// Corpora that are skipped while another worker has them.
    others: HashSet<u32>,
    under_way: UnderWay,
    /// Offset at which the next round begins.
    next: usize,
}

#[derive(Debug)]
struct Troubled {
    count: u32,
    until: Instant,
    /// The last error was a permanent one.
    lasting: bool,
}

/// Outcome of a round.
#[derive(Clone, Copy, Debug, Default)]
pub struct RoundOutcome {
    /// Something was done.
    pub worked: bool,
    /// A corpus had more to do than a turn has time for.
    pub full: bool,
    /// The engine has answered for something that takes long.
    pub progressed: bool,
    /// Something is going to be due.
    pub waiting: bool,
    /// Another worker is doing what is due.
    pub watching: bool,
    /// Time until changes have been collected.
    pub gathering: Option<Duration>,
}

impl Corpora {
    /// Skips these corpora from now on, while another worker has them.
    pub fn leave_to_others(&mut self, changes: HashSet<u32>) {
        self.others = changes;
    }

    /// What the engine works on for this worker, if it does.
    pub fn under_way(&self) -> Option<String> {
        self.under_way.describe()
    }

    /// Whether a worker that is asked to exit is to go on for a while.
    pub fn is_to_go_on(&mut self) -> bool {
        self.under_way.is_to_go_on()
    }

    /// Hands back all that is under way.
    pub fn end(&mut self) {
        self.under_way.end_others(&[]);
    }

    /// Gives a turn to each corpus that has little to do, and to one of those that have much: a single row does not
    /// wait for a million others.
    pub fn round(&mut self, here: &[CorpusRef]) -> RoundOutcome {
        self.under_way.end_others(here);
        let round = self.turns(here);
        let waiting = round.waiting || !self.under_way.is_empty() || self.under_way.is_handing_back();
        RoundOutcome { waiting, progressed: self.under_way.take_progress(), ..round }
    }

    fn turns(&mut self, here: &[CorpusRef]) -> RoundOutcome {
        let mut round = RoundOutcome::default();
        self.next = self.next.wrapping_add(1);
        let is_here = |change: &u32| here.iter().any(|corpus| corpus.change == *change);
        self.troubled.retain(|change, _| is_here(change));
        self.worked.retain(|change, _| is_here(change));
        self.paces.retain(|change, _| is_here(change));
        self.long.retain(is_here);
        let turned = |at: usize| here.get((at + self.next) % here.len());
        let (long, short): (Vec<_>, Vec<_>) =
            (0..here.len()).filter_map(turned).partition(|corpus| self.long.contains(&corpus.change));
        for corpus in short {
            self.turn(corpus, &mut round);
            if worker_process::asked_to_leave() && round.worked && self.under_way.is_empty() {
                return round;
            }
        }
        for corpus in long {
            if self.turn(corpus, &mut round) {
                break;
            }
        }
        round
    }

    /// Gives a corpus a turn; true if that took as much as one claim can hold.
    fn turn(&mut self, CorpusRef { name, change }: &CorpusRef, round: &mut RoundOutcome) -> bool {
        if self.others.contains(change)
            || self.troubled.get(change).is_some_and(|trouble| trouble.until > Instant::now())
        {
            round.waiting = true;
            return false;
        }
        let worked = self.worked.get(change).map_or(GATHER, Instant::elapsed);
        if let Some(rest) = GATHER.checked_sub(worked).filter(|rest| !rest.is_zero()) {
            round.waiting = true;
            round.gathering = Some(round.gathering.map_or(rest, |other| other.min(rest)));
            return false;
        }
        let batch_size = self.paces.entry(*change).or_default();
        // Its tables may have been renamed meanwhile, or it was dropped and created again: a second attempt shows
        // whether the error is permanent.
        let mut work = || work(name, batch_size, &mut self.under_way);
        let done = work().or_else(|trouble| if trouble.is_permanent() { work() } else { Err(trouble) });
        if !matches!(done, Ok(Progress::Worked { full: true })) {
            self.long.remove(change);
        }
        match done {
            Ok(Progress::Worked { full }) => {
                round.worked = true;
                round.full |= full;
                self.troubled.remove(change);
                if full {
                    self.worked.remove(change);
                    self.long.insert(*change);
                } else {
                    self.worked.insert(*change, Instant::now());
                }
                return full;
            }
            Ok(Progress::Idle { waiting: true }) => round.waiting = true,
            Ok(Progress::Idle { waiting: false }) => drop(self.troubled.remove(change)),
            Ok(Progress::Watching) => (round.waiting, round.watching) = (true, true),
            Err(trouble) => {
                round.waiting = true;
                self.failed(name, *change, &trouble);
            }
        }
        false
    }

    /// Delays a corpus after an error, for longer each time, or marks it broken until its owner acts.
    fn failed(&mut self, name: &str, change: u32, trouble: &WorkerError) {
        let unknown = Troubled { count: 0, until: Instant::now(), lasting: false };
        let troubled = self.troubled.entry(change).or_insert(unknown);
        // A commit is visible some time before the names in the catalog that come with it; both attempts may fall in
        // between.
        let may_pass = trouble.is_a_lock() || (trouble.is_permanent() && !troubled.lasting);
        troubled.lasting = trouble.is_permanent();
        if may_pass {
            troubled.until = Instant::now() + LOCK_PAUSE;
            return;
        }
        troubled.count += 1;
        troubled.until = Instant::now() + backoff(troubled.count).max(trouble.retry_after.unwrap_or_default());
        if let Some(Kind::DamagedIndex | Kind::OutdatedIndex) = trouble.kind {
            corruption_flag::set();
        }
        if troubled.count.is_power_of_two() {
            pgrx::log!("socle sync: corpus \"{name}\": {}; attempt {}", trouble.message, troubled.count);
        }
        let broken = trouble.is_permanent();
        let noted = corpus_state::set_reason(name, change, Some(&trouble.reason), broken);
        match noted {
            // Its state keeps it from being worked on until its owner has acted, and then there is nothing to wait for.
            Ok(()) if broken => drop(self.troubled.remove(&change)),
            Ok(()) => {}
            Err(trouble) => {
                pgrx::log!("socle sync: corpus \"{name}\": could not record its state: {}", trouble.message)
            }
        }
    }
}
