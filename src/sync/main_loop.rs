//! The main loop of a sync worker: how long to sleep, when to exit.

use super::corpora::{Corpora, CorpusRef, GATHER, RoundOutcome};
use super::{Assignment, claim};
use crate::catalog::CorpusSpec;
use crate::keyword_index::build;
use crate::keyword_index::corruption_flag;
use crate::pg::worker_process::{self, asked_to_leave, report_statistics};
use crate::pg::{extension_version, gucs, spi};
use crate::supervisor::clock;
use crate::supervisor::wake;
use crate::worker::corpus_state;
use crate::worker::owner_code_timeout;
use crate::worker::session::{self, DatabaseSettings, Writing};
use crate::worker::transaction::{WorkerError, as_corpus_owner, transaction};
use pgrx::prelude::*;
use socle_core::fair_queue::message::Message;
use std::cell::Cell;
use std::time::{Duration, Instant};

const CORPORA: &str = include_str!("../../sql/sync/sync_corpora.sql");
const HELD_UP: &str = include_str!("../../sql/sync/held_up.sql");
const ANY_PENDING: &str = include_str!("../../sql/sync/pending.sql");

/// Time without work after which a worker exits, if nothing is pending either.
const IDLE: Duration = Duration::from_secs(60);

/// Time between two checks when the worker is not woken: finds what is committed without a message, such as prepared
/// transactions.
const POLL: Duration = Duration::from_secs(10);

/// Time between two checks while changes wait for their next attempt, and in the first seconds, when the commit that
/// had this worker started may still be in progress.
const SHORT_POLL: Duration = Duration::from_millis(500);

/// Time between two checks while another worker builds an index: a session that waits for it should not wait longer.
const WATCH_POLL: Duration = Duration::from_millis(100);

/// Time between two checks for corruption, which read the whole keyword index: searches that meet what cannot be
/// repaired, as those of a standby that was promoted may, set the flag again and again.
const DAMAGE_PAUSE: Duration = Duration::from_secs(10);

/// Time between two checks whether the database can be written, and which corpora hold up another worker.
const DATABASE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Seconds in one transaction after which a corpus is skipped while another worker has it.
const HELD_UP_SECONDS: f64 = 3.0;

/// Time after which a worker comes back to a database that has corpora, though nothing was pending: what is committed without a
/// message is done in the end, such as prepared transactions.
const LOOK_AGAIN: Duration = Duration::from_secs(300);

/// Time after which a worker comes back to a database that cannot be written, and to changes that wait for another
/// attempt.
const COME_BACK: Duration = Duration::from_secs(5);
const COME_BACK_SOON: Duration = Duration::from_secs(1);

/// Failed checks in a row, for another reason than a lock, after which a new worker takes over: the library of this one
/// may be older than the tables.
const FAILED_LOOKS: u32 = 5;

/// Why a worker exits.
#[derive(Clone, Copy, Debug)]
enum Exit {
    /// Something is due after that time.
    Again(Duration),
    /// There is nothing of socle here.
    Done,
    /// An error that another worker may not have: the supervisor decides when to start it.
    Failed,
}

/// Works until nothing is due, or another database needs a worker, and reports that to the supervisor.
pub fn run(assignment: Assignment) {
    owner_code_timeout::prepare(assignment.number);
    let mut worker = Worker::new(assignment);
    let exit = worker.work();
    // Of an extension that is gone, nothing can be handed back.
    if !matches!(exit, Exit::Done) {
        worker.corpora.end();
    }
    let again = match exit {
        Exit::Failed => return,
        Exit::Again(time) => Some(time),
        Exit::Done => None,
    };
    let (last_checked_at, did_work) = (worker.looked_at, worker.worked);
    wake::notify(Message::WorkerLeaving { worker: assignment.number, last_checked_at, next_check_in: again, did_work });
}

struct Worker {
    number: u64,
    corpora: Corpora,
    begun: Instant,
    worked_at: Instant,
    /// Whether it has done any work.
    worked: bool,
    /// When its last check began, by [`clock`].
    looked_at: Duration,
    database_checked_at: Option<Instant>,
    settings: DatabaseSettings,
    said_idle: bool,
    failed_looks: u32,
    outdated_found: bool,
    damage_found: Option<Instant>,
}

impl Worker {
    fn new(assignment: Assignment) -> Self {
        Self {
            number: assignment.number,
            corpora: Corpora::default(),
            begun: Instant::now(),
            worked_at: Instant::now(),
            worked: false,
            looked_at: clock(),
            database_checked_at: None,
            settings: DatabaseSettings::default(),
            said_idle: false,
            failed_looks: 0,
            outdated_found: false,
            damage_found: None,
        }
    }

    fn work(&mut self) -> Exit {
        if claim::hold_liveness_lock().is_err() {
            return Exit::Failed;
        }
        loop {
            worker_process::reload_if_asked();
            self.looked_at = clock();
            let here = match corpora_here() {
                Ok(here) => here,
                Err(trouble) => match self.look_failed(&trouble) {
                    Some(leave) => return leave,
                    None => continue,
                },
            };
            self.failed_looks = 0;
            if here.is_empty() {
                return Exit::Done;
            }
            // Such as socle.require_signed_models: another worker begins with what is set now.
            if self.settings.have_changed() {
                return Exit::Again(Duration::ZERO);
            }
            if self.database_checked_at.is_none_or(|at| at.elapsed() > DATABASE_CHECK_INTERVAL)
                && let Some(leave) = self.check_database(&here)
            {
                return leave;
            }
            owner_code_timeout::take_notes(|change| over_the_limit(&here, change));
            self.repair(&here);
            let round = self.corpora.round(&here);
            if asked_to_leave() && !self.corpora.is_to_go_on() {
                return match round {
                    RoundOutcome { worked: true, .. } => Exit::Again(Duration::ZERO),
                    RoundOutcome { waiting: true, .. } => Exit::Again(COME_BACK_SOON),
                    _ => Exit::Again(LOOK_AGAIN),
                };
            }
            report_statistics(false);
            if round.worked {
                (self.worked, self.worked_at, self.said_idle) = (true, Instant::now(), false);
                if round.full {
                    wake::notify(Message::NeedsSecondWorker);
                }
                continue;
            }
            if round.progressed {
                self.worked_at = Instant::now();
                continue;
            }
            if !round.waiting && self.worked_at.elapsed() > IDLE {
                return Exit::Again(LOOK_AGAIN);
            }
            self.sleep(round);
        }
    }

    /// Waits after it could not be looked what there is. Returns why the worker has to exit, if it has to.
    fn look_failed(&mut self, trouble: &WorkerError) -> Option<Exit> {
        // A table of socle is locked.
        if trouble.is_a_lock() && asked_to_leave() {
            return Some(Exit::Again(COME_BACK_SOON));
        }
        if !trouble.is_a_lock() {
            self.failed_looks += 1;
            if self.failed_looks == FAILED_LOOKS || asked_to_leave() {
                pgrx::log!("socle sync: {}; another worker will retry", trouble.message);
                return Some(Exit::Failed);
            }
        }
        session::sleep(SHORT_POLL);
        None
    }

    fn sleep(&mut self, round: RoundOutcome) {
        if round.gathering.is_none() && !std::mem::replace(&mut self.said_idle, true) {
            wake::notify(Message::WorkerIdle(self.number));
        }
        let timeout = match round {
            RoundOutcome { gathering: Some(rest), .. } => rest,
            RoundOutcome { watching: true, .. } => WATCH_POLL,
            RoundOutcome { waiting: true, .. } => SHORT_POLL,
            _ if self.begun.elapsed() < POLL => SHORT_POLL,
            _ => POLL,
        };
        report_statistics(timeout > GATHER);
        match self.corpora.under_way() {
            Some(what) => session::sleep_showing(&what, timeout),
            None => session::sleep(timeout),
        }
    }

    /// Checks whether the database can be written, and which corpora to skip. Returns why the worker has to exit, if it
    /// has to.
    fn check_database(&mut self, here: &[CorpusRef]) -> Option<Exit> {
        self.database_checked_at = Some(Instant::now());
        match session::writing() {
            Ok(Writing::Changed) => return Some(Exit::Again(Duration::ZERO)),
            Ok(Writing::Forbidden) if is_pending(here) => return Some(Exit::Again(COME_BACK)),
            Ok(Writing::Forbidden) => return Some(Exit::Again(LOOK_AGAIN)),
            Ok(Writing::Possible) | Err(_) => {}
        }
        let held_up = transaction(|| {
            let rows = Spi::connect(|client| {
                let rows = client.select(HELD_UP, None, &[HELD_UP_SECONDS.into()])?;
                rows.map(|row| row.get::<pg_sys::Oid>(1)).collect::<pgrx::spi::Result<Vec<_>>>()
            })?;
            Ok(rows.into_iter().flatten().map(pg_sys::Oid::to_u32).collect())
        });
        self.corpora.leave_to_others(held_up.unwrap_or_default());
        None
    }

    fn repair(&mut self, here: &[CorpusRef]) {
        if self.damage_found.is_none_or(|at| at.elapsed() > DAMAGE_PAUSE) && corruption_flag::take() {
            self.damage_found = Some(Instant::now());
            self.outdated_found = false;
            look_for_damage(here);
        }
        self.outdated_found = self.outdated_found || build::find_outdated().is_ok();
    }
}

/// Whether something is pending that cannot be done while the database is read-only.
fn is_pending(here: &[CorpusRef]) -> bool {
    let pending = |name: &str| -> Result<bool, WorkerError> {
        let Some(corpus) = transaction(|| Ok(CorpusSpec::try_find(name)?))? else { return Ok(false) };
        let sql = corpus.sql(ANY_PENDING);
        Ok(corpus.progress.state == "filling"
            || transaction(|| as_corpus_owner(&corpus, || Ok(spi::query_bool(&sql, &[])?)))?)
    };
    here.iter().any(|corpus| pending(&corpus.name).unwrap_or(true))
}

/// Marks a corpus broken that a worker had to end for: false if that cannot be recorded now.
fn over_the_limit(here: &[CorpusRef], change: u32) -> bool {
    // The corpus is gone, or is broken already.
    let Some(corpus) = here.iter().find(|corpus| corpus.change == change) else { return true };
    let seconds = gucs::sync_timeout().as_secs();
    let reason = format!(
        "code that its owner attached to its tables (a trigger, a default, a check) took longer than socle.sync_timeout, {seconds} s: correct it and call socle.resume_corpus()"
    );
    pgrx::log!("socle sync: corpus \"{}\": {reason}", corpus.name);
    corpus_state::set_reason(&corpus.name, change, Some(&reason), true).is_ok()
}

/// A search has met corruption: checks all corpora, as it is not known which one.
fn look_for_damage(here: &[CorpusRef]) {
    for CorpusRef { name, .. } in here {
        if let Err(trouble) = build::drop_damaged(name) {
            pgrx::log!("socle sync: corpus \"{name}\": could not check for corruption: {}", trouble.message);
        }
    }
}

/// The corpora to work on: none when the extension is not installed (any more).
fn corpora_here() -> Result<Vec<CorpusRef>, WorkerError> {
    transaction(|| {
        // Until the extension is updated, or a worker with the library of its version comes, there is nothing to do here.
        if !extension_version::is_of_own_version() {
            return Ok(Vec::new());
        }
        Ok(Spi::connect(|client| {
            let mut here = Vec::new();
            for row in client.select(CORPORA, None, &[])? {
                if let (Some(name), Some(change)) = (row.get::<String>(1)?, row.get::<pg_sys::Oid>(2)?) {
                    here.push(CorpusRef { name, change: change.to_u32() });
                }
            }
            pgrx::spi::Result::Ok(here)
        })?)
    })
}

thread_local! {
    static EXTENDED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Whether the lease of documents that wait for their turn in this claim has to be extended.
pub fn extension_is_due() -> bool {
    let due = EXTENDED.get().is_none_or(|at| at.elapsed().as_secs_f64() > super::claim::LEASE_SECONDS / 4.0);
    if due {
        EXTENDED.set(Some(Instant::now()));
    }
    due
}
