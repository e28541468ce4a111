//! The main loop of a sync worker: which corpus next, how long to sleep, when to leave.

use super::transaction::{Trouble, transaction};
use super::{Progress, keyword, work};
use crate::corpus::CorpusSpec;
use crate::postgres_version::set_signal_handler;
use crate::wake::{self, Help};
use crate::{capture, damage, installation, query, setting, wait};
use pgrx::prelude::*;
use socle_core::Kind;
use socle_core::corpus::retry::backoff;
use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::time::{Duration, Instant};

const CORPORA: &str = include_str!("../../sql/query/sync_corpora.sql");
const NOTE_TROUBLE: &str = include_str!("../../sql/query/note_trouble.sql");

/// Time without work after which a worker leaves, if nothing waits either.
const IDLE: Duration = Duration::from_secs(60);

/// Time between two looks when nobody wakes the worker: the net under what is committed without a word, such as prepared
/// transactions.
const POLL: Duration = Duration::from_secs(10);

/// The same while changes wait for their next attempt, and in the first seconds, when the commit that had this worker
/// started may still be under way.
const SHORT_POLL: Duration = Duration::from_millis(500);

/// Settings of the whole session: names are those of Postgres, and users do not wait for a worker that waits for them.
const SETTINGS: [(&CStr, &CStr); 2] = [setting::OWN_NAMES, LOCK_TIMEOUT];
const LOCK_TIMEOUT: (&CStr, &CStr) = (c"lock_timeout", c"200ms");

/// The same while another worker builds an index: users who come to wait for it should not wait longer.
const WATCH_POLL: Duration = Duration::from_millis(100);

/// Changes that come so soon after others of their corpus were worked on are gathered until then: a stream of single rows
/// does not become a segment of the keyword index for each. The first change after a pause is worked on at once.
const GATHER: Duration = Duration::from_millis(100);

/// Time between two looks for damage, which read the whole keyword index: searches that meet what cannot be mended, as those
/// of a standby that was promoted may, say so again and again.
const DAMAGE_PAUSE: Duration = Duration::from_secs(10);

thread_local! {
    static EXTENDED: Cell<Option<Instant>> = const { Cell::new(None) };
}

unsafe extern "C-unwind" {
    // Signal handlers of Postgres. Through `pg_sys` they would run inside pgrx's guard, which is not for signal handlers.
    fn die(signal: i32);
    fn SignalHandlerForConfigReload(signal: i32);
    fn SignalHandlerForShutdownRequest(signal: i32);
}

/// Connects to the database.
pub fn begin(database: pg_sys::Oid) {
    // SAFETY: the start of a background worker, as Postgres's own do it: handlers, signals, connection.
    unsafe {
        set_signal_handler(libc::SIGTERM, die);
        set_signal_handler(libc::SIGHUP, SignalHandlerForConfigReload);
        // From the supervisor: another database has no worker.
        set_signal_handler(libc::SIGUSR2, SignalHandlerForShutdownRequest);
        pg_sys::BackgroundWorkerUnblockSignals();
        pg_sys::BackgroundWorkerInitializeConnectionByOid(database, pg_sys::InvalidOid, 0);
        pg_sys::pgstat_report_appname(c"socle sync".as_ptr());
    }
    SETTINGS.into_iter().for_each(set);
}

fn set((name, value): (&CStr, &CStr)) {
    let (context, source) = (pg_sys::GucContext::PGC_SUSET, pg_sys::GucSource::PGC_S_OVERRIDE);
    // SAFETY: settings of this process, by C strings.
    unsafe { pg_sys::SetConfigOption(name.as_ptr(), value.as_ptr(), context, source) };
}

/// Lets this worker wait for locks as long as it takes, or no longer than users can wait for it.
pub fn wait_for_locks(patiently: bool) {
    set(if patiently { (LOCK_TIMEOUT.0, c"0") } else { LOCK_TIMEOUT });
}

/// Works until there is nothing to do, or another database needs a worker.
pub fn run() {
    let begun = Instant::now();
    let mut worked_at = begun;
    let mut corpora = Corpora::default();
    let mut outdated_found = false;
    let mut damage_found: Option<Instant> = None;
    loop {
        reload_if_asked();
        let here = corpora_here();
        if here.is_empty() {
            return wake::now(Help::Leaving);
        }
        if damage_found.is_none_or(|at| at.elapsed() > DAMAGE_PAUSE) && damage::take_note() {
            damage_found = Some(Instant::now());
            outdated_found = false;
            look_for_damage(&here);
        }
        outdated_found = outdated_found || keyword::find_outdated().is_ok();
        let round = corpora.round(&here);
        if asked_to_leave() {
            if round.worked || round.waiting {
                wake::now(Help::None);
            }
            return;
        }
        report_statistics(false);
        if round.worked {
            worked_at = Instant::now();
            if round.full {
                wake::now(Help::More);
            }
            continue;
        }
        if !round.waiting && worked_at.elapsed() > IDLE {
            return wake::now(Help::Leaving);
        }
        sleep(match round {
            Round { gathering: Some(rest), .. } => rest,
            Round { watching: true, .. } => WATCH_POLL,
            Round { waiting: true, .. } => SHORT_POLL,
            _ if begun.elapsed() < POLL => SHORT_POLL,
            _ => POLL,
        });
    }
}

/// A search has met damage, in whichever corpus.
fn look_for_damage(here: &[Here]) {
    for Here { name, .. } in here {
        if let Err(trouble) = keyword::drop_damaged(name) {
            pgrx::log!("socle sync: corpus \"{name}\": could not look for damage: {}", trouble.message);
        }
    }
}

/// A corpus to work on.
#[derive(Debug)]
struct Here {
    name: String,
    /// Its change log, by OID: another corpus of the same name has another.
    change: u32,
}

/// The corpora to work on: none when the extension is not there (any more).
fn corpora_here() -> Vec<Here> {
    let here = transaction(|| {
        // Until the extension is updated, or a worker with the library of its version comes, there is nothing to do here.
        if !installation::is_of_own_version() {
            return Ok(Vec::new());
        }
        Spi::connect(|client| {
            let mut here = Vec::new();
            for row in client.select(CORPORA, None, &[])? {
                if let (Some(name), Some(change)) = (row.get::<String>(1)?, row.get::<pg_sys::Oid>(2)?) {
                    here.push(Here { name, change: change.to_u32() });
                }
            }
            Ok(here)
        })
    });
    // An error: the schema is being dropped, or made.
    here.unwrap_or_default()
}

/// What is known of each corpus that troubled this worker, by its change log.
#[derive(Debug, Default)]
struct Corpora {
    troubled: HashMap<u32, Troubled>,
    /// When those were worked on last that had little to do.
    worked: HashMap<u32, Instant>,
    /// Where the next round begins.
    next: usize,
}

#[derive(Debug)]
struct Troubled {
    count: u32,
    until: Instant,
    /// It was said last time that nothing will change.
    lasting: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Round {
    worked: bool,
    full: bool,
    waiting: bool,
    watching: bool,
    /// How long until changes have been gathered.
    gathering: Option<Duration>,
}

impl Corpora {
    /// One claim of each corpus.
    fn round(&mut self, here: &[Here]) -> Round {
        let mut round = Round::default();
        self.next = self.next.wrapping_add(1);
        let is_here = |change: &u32| here.iter().any(|corpus| corpus.change == *change);
        self.troubled.retain(|change, _| is_here(change));
        self.worked.retain(|change, _| is_here(change));
        for at in 0..here.len() {
            let Some(Here { name, change }) = here.get((at + self.next) % here.len()) else { continue };
            if self.troubled.get(change).is_some_and(|trouble| trouble.until > Instant::now()) {
                round.waiting = true;
                continue;
            }
            let worked = self.worked.get(change).map_or(GATHER, Instant::elapsed);
            if let Some(rest) = GATHER.checked_sub(worked).filter(|rest| !rest.is_zero()) {
                round.waiting = true;
                round.gathering = Some(round.gathering.map_or(rest, |other| other.min(rest)));
                continue;
            }
            // Its tables may have been renamed under it, or it was dropped and made anew: a second look tells what lasts.
            match work(name).or_else(|trouble| if trouble.is_lasting() { work(name) } else { Err(trouble) }) {
                Ok(Progress::Worked { full }) => {
                    round.worked = true;
                    round.full |= full;
                    self.troubled.remove(change);
                    if full {
                        self.worked.remove(change);
                    } else {
                        self.worked.insert(*change, Instant::now());
                    }
                }
                Ok(Progress::Idle { waiting: true }) => round.waiting = true,
                Ok(Progress::Idle { waiting: false }) => drop(self.troubled.remove(change)),
                Ok(Progress::Watching) => (round.waiting, round.watching) = (true, true),
                Err(trouble) => {
                    round.waiting = true;
                    self.failed(name, *change, &trouble);
                }
            }
        }
        round
    }

    /// A corpus that cannot be worked on waits alone, for longer each time, or is broken until somebody acts.
    fn failed(&mut self, name: &str, change: u32, trouble: &Trouble) {
        let unknown = Troubled { count: 0, until: Instant::now(), lasting: false };
        let troubled = self.troubled.entry(change).or_insert(unknown);
        // A commit is seen some time before the names in the catalog that come with it, both looks may fall in between.
        let may_pass = trouble.is_a_lock() || (trouble.is_lasting() && !troubled.lasting);
        troubled.lasting = trouble.is_lasting();
        if may_pass {
            troubled.until = Instant::now() + SHORT_POLL;
            return;
        }
        troubled.count += 1;
        troubled.until = Instant::now() + backoff(troubled.count);
        if let Some(Kind::DamagedIndex | Kind::OutdatedIndex) = trouble.kind {
            damage::note();
        }
        if troubled.count.is_power_of_two() {
            pgrx::log!("socle sync: corpus \"{name}\": {}; attempt {}", trouble.message, troubled.count);
        }
        let broken = trouble.is_lasting();
        let noted = note_trouble(name, change, Some(&trouble.reason), broken);
        match noted {
            // Its state keeps it from being worked on until somebody has acted, and then there is nothing to wait for.
            Ok(()) if broken => drop(self.troubled.remove(&change)),
            Ok(()) => {}
            Err(trouble) => pgrx::log!("socle sync: corpus \"{name}\": could not note its state: {}", trouble.message),
        }
    }
}

/// Writes why a corpus is not worked on, for those who look at its status; not of another one that has its name by now.
///
/// # Errors
/// Whatever Postgres raises.
pub fn note_trouble(name: &str, change: u32, reason: Option<&str>, broken: bool) -> Result<(), Trouble> {
    transaction(|| {
        query::run(NOTE_TROUBLE, &[name.into(), reason.into(), broken.into(), pg_sys::Oid::from(change).into()])?;
        if broken && let Some(change) = CorpusSpec::try_find(name)?.and_then(|corpus| corpus.change) {
            capture::invalidate(change.into());
        }
        Ok(())
    })
}

impl Trouble {
    /// Not the fault of a document: the corpus, the engine or the server cannot work at the moment.
    pub fn is_of_the_corpus(&self) -> bool {
        let kind = matches!(
            self.kind,
            Some(
                Kind::EngineUnavailable
                    | Kind::UnknownModel
                    | Kind::WrongModelKind
                    | Kind::MissingFile
                    | Kind::UnreadableFile
                    | Kind::DamagedModelFile
                    | Kind::NotInState
                    | Kind::OutOfMemory
                    | Kind::NoWorkerSlot
            )
        );
        // Memory that one document asks for is its own fault. Otherwise: privileges, names, resources, operator intervention,
        // transactions that can be tried again.
        let passing = ["25", "40", "53", "55", "57", "58"].iter().any(|class| self.sqlstate.starts_with(class));
        kind || self.is_lasting() || (passing && self.sqlstate != "53200")
    }

    /// Somebody else was quicker.
    pub fn is_a_lock(&self) -> bool {
        matches!(self.sqlstate.as_str(), "55P03" | "40P01" | "40001")
    }

    /// Nothing will change until somebody acts.
    pub fn is_lasting(&self) -> bool {
        matches!(self.kind, Some(Kind::UnknownModel | Kind::WrongModelKind | Kind::NotInState))
            || matches!(self.sqlstate.as_str(), "42501" | "42P01" | "42703" | "42883" | "3F000")
    }
}

/// Whether documents that wait for their turn in this claim need more time.
pub fn extension_is_due() -> bool {
    let due = EXTENDED.get().is_none_or(|at| at.elapsed().as_secs_f64() > super::claim::LEASE_SECONDS / 4.0);
    if due {
        EXTENDED.set(Some(Instant::now()));
    }
    due
}

/// Says in `pg_stat_activity` what this worker does.
pub fn show(what: &str) {
    let what = CString::new(what.replace('\0', "")).unwrap_or_default();
    // SAFETY: the function copies the string.
    unsafe { pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_RUNNING, what.as_ptr()) };
}

/// Has autovacuum know what was written: at most once a second, or now.
fn report_statistics(now: bool) {
    // SAFETY: in no transaction, as Postgres's own workers do between two.
    unsafe { pg_sys::pgstat_report_stat(now) };
}

fn sleep(timeout: Duration) {
    report_statistics(timeout > GATHER);
    // SAFETY: the function only writes to this worker's own entry.
    unsafe { pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_IDLE, std::ptr::null()) };
    wait::wait_for_work(timeout);
}

fn asked_to_leave() -> bool {
    // SAFETY: a flag that only this process's signal handler and main thread touch.
    unsafe { std::ptr::read_volatile(&raw const pg_sys::ShutdownRequestPending) != 0 }
}

fn reload_if_asked() {
    // SAFETY: a flag that only this process's signal handler and main thread touch, and reading the configuration at the
    // top of the main loop, as Postgres's own workers do.
    unsafe {
        if std::ptr::read_volatile(&raw const pg_sys::ConfigReloadPending) != 0 {
            std::ptr::write_volatile(&raw mut pg_sys::ConfigReloadPending, 0);
            pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
        }
    }
}
