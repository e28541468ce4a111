//! The one thread that writes the ledger. All who wait share one write and one sync, and each is answered when its entry is on
//! disk.

use crate::server::panic_free;
use serde_json::{Map, Value};
use socle_core::protocol::SessionName;
use socle_core::{Error, Kind, Result};
use socle_ledger::{Checkpoint, Draft, Fault, Ledger, Place, Pruned, Stamp};
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Size from which on a segment is followed by another, in bytes: some ten thousand entries, which are read at each start.
pub const SEGMENT_BYTES: u64 = 16 << 20;

/// Most entries of one write.
const MAX_BATCH: usize = 256;

/// Kinds that only this process writes.
const OWN_KINDS: [&str; 7] = ["chain", "segment", "torn", "prune", "request", "outcome", "refusal"];

/// An entry that is on disk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Written {
    /// The chain that it is in.
    pub origin: String,
    /// Where it stands there.
    pub stamp: Stamp,
}

/// What the writer is asked, with where the answer goes.
enum Job {
    Append(Draft, Sender<Result<Written, Fault>>),
    Prune(String, Map<String, Value>, Sender<Result<Pruned, Fault>>),
    Checkpoint(Sender<Result<Checkpoint, Fault>>),
}

/// What is known of the ledger without asking the writer.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// The chain that is written, and the number of its last entry.
    pub last: Option<(String, u64)>,
    /// Why it cannot be written.
    pub failure: Option<String>,
}

/// The writer, as all other threads know it.
#[derive(Debug)]
pub struct LedgerWriter {
    jobs: Sender<Job>,
    status: Arc<Mutex<Status>>,
}

impl LedgerWriter {
    /// Starts the thread. The directory has to be there.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(root: PathBuf, place: Place, segment_bytes: u64) -> io::Result<Self> {
        let (jobs, receiver) = channel();
        let status = Arc::new(Mutex::new(Status::default()));
        let writing = Writing { root, place, segment_bytes, ledger: None, status: status.clone() };
        std::thread::Builder::new().name("socle ledger".into()).spawn(move || writing.run(&receiver))?;
        Ok(Self { jobs, status })
    }

    /// The state of the ledger.
    pub fn status(&self) -> Status {
        lock(&self.status).clone()
    }

    /// Appends an entry about a session, and waits until it is on disk.
    ///
    /// # Errors
    /// `DamagedLedger`, `DiskFull`, `UnreadableFile`: it is not in the ledger then.
    pub fn append(&self, draft: Draft, session: &SessionName) -> Result<Written> {
        let draft = draft.with("who", who(session));
        self.ask(|answer| Job::Append(draft, answer))
    }

    /// Appends what a session tells: a kind, and a JSON object.
    ///
    /// # Errors
    /// Those of [`Self::append`]; `InvalidArgument` for what no session tells.
    pub fn append_told(&self, kind: String, fields: &str, session: &SessionName) -> Result<Written> {
        let wrong = || Error::new(Kind::InvalidArgument, "an entry for the ledger is not usable");
        let data: Map<String, Value> = serde_json::from_str(fields).map_err(|_| wrong())?;
        if kind.is_empty() || OWN_KINDS.contains(&kind.as_str()) {
            return Err(wrong());
        }
        self.append(Draft { kind, fields: Map::new() }.with("data", data), session)
    }

    /// Removes entries from before a time.
    ///
    /// # Errors
    /// Those of [`Self::append`].
    pub fn prune(&self, before: String, session: &SessionName) -> Result<Pruned> {
        let mut fields = Map::new();
        fields.insert("who".into(), who(session));
        self.ask(|answer| Job::Prune(before, fields, answer))
    }

    /// What the chain says now.
    ///
    /// # Errors
    /// Those of [`Self::append`].
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        self.ask(Job::Checkpoint)
    }

    fn ask<T>(&self, job: impl FnOnce(Sender<Result<T, Fault>>) -> Job) -> Result<T> {
        let (sender, answer) = channel();
        let ended = || Error::new(Kind::Bug, "the thread that writes the ledger has ended");
        self.jobs.send(job(sender)).map_err(|_| ended())?;
        answer.recv().map_err(|_| ended())?.map_err(error)
    }
}

fn who(session: &SessionName) -> Value {
    let SessionName { database, role, session_role, pid } = session;
    let mut who = Map::new();
    who.insert("database".into(), database.as_str().into());
    who.insert("role".into(), role.as_str().into());
    who.insert("session_role".into(), session_role.as_str().into());
    who.insert("pid".into(), (*pid).into());
    Value::Object(who)
}

/// The error for a ledger that cannot be written.
fn error(fault: Fault) -> Error {
    if fault.is_damage {
        return Error::new(Kind::DamagedLedger, "the ledger is damaged, so nothing is written to it and nothing is sent")
            .detail(format!("What is wrong: {}.", fault.reason))
            .hint("SELECT * FROM socle.verify_ledger() shows all that is wrong; the manual says how to go on with a new chain.");
    }
    let kind = if fault.is_full { Kind::DiskFull } else { Kind::UnreadableFile };
    Error::new(kind, "the ledger cannot be written").detail(format!("What is wrong: {}.", fault.reason)).hint(
        "It lies in socle/ledger in the data directory. Nothing is sent to endpoints until it can be written again.",
    )
}

/// The thread itself.
struct Writing {
    root: PathBuf,
    place: Place,
    segment_bytes: u64,
    /// `None` before it was opened, and after a failure that needs it to be opened again.
    ledger: Option<Ledger>,
    status: Arc<Mutex<Status>>,
}

impl Writing {
    fn run(mut self, jobs: &Receiver<Job>) {
        // Opened at the start, so that the state is known; where that fails, each request tries again.
        let _ = self.open();
        while let Ok(job) = jobs.recv() {
            let batch: Vec<Job> = std::iter::once(job).chain(jobs.try_iter().take(MAX_BATCH - 1)).collect();
            let mut drafts = Vec::new();
            let mut answers = Vec::new();
            for job in batch {
                match job {
                    Job::Append(draft, answer) => {
                        drafts.push(draft);
                        answers.push(answer);
                    }
                    Job::Prune(before, fields, answer) => {
                        let _ = answer.send(self.with_ledger(|ledger| ledger.prune(&before, &fields)));
                    }
                    Job::Checkpoint(answer) => {
                        let _ = answer.send(self.with_ledger(|ledger| Ok(ledger.checkpoint())));
                    }
                }
            }
            if !drafts.is_empty() {
                self.append(&drafts, answers);
            }
        }
    }

    fn append(&mut self, drafts: &[Draft], answers: Vec<Sender<Result<Written, Fault>>>) {
        let written = self.with_ledger(|ledger| Ok((ledger.append(drafts)?, ledger.origin().to_string())));
        match written {
            Ok((stamps, origin)) => {
                for (stamp, answer) in stamps.into_iter().zip(answers) {
                    // Whoever has gone away meanwhile has its entry all the same.
                    let _ = answer.send(stamp.map(|stamp| Written { origin: origin.clone(), stamp }));
                }
            }
            Err(fault) => answers.into_iter().for_each(|answer| drop(answer.send(Err(fault.clone())))),
        }
    }

    fn open(&mut self) -> Result<(), Fault> {
        let (root, place, segment_bytes) = (&self.root, &self.place, self.segment_bytes);
        let opened = panic_free(|| Ledger::open(root, place, segment_bytes));
        let opened = opened.unwrap_or_else(|| Err(Fault::damage("the ledger could not be opened")));
        let result = opened.map(|ledger| self.ledger = Some(ledger));
        self.note(result.as_ref().err());
        result
    }

    fn with_ledger<T>(&mut self, work: impl FnOnce(&mut Ledger) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.ledger.is_none() {
            self.open()?;
        }
        let Some(ledger) = &mut self.ledger else { return Err(Fault::damage("the ledger is not open")) };
        let result = work(ledger);
        // It is read again before anything is added to it.
        if ledger.broken().is_some() {
            self.ledger = None;
        }
        self.note(result.as_ref().err());
        result
    }

    fn note(&self, fault: Option<&Fault>) {
        let mut status = lock(&self.status);
        if let Some(ledger) = &self.ledger {
            status.last = Some((ledger.origin().to_string(), ledger.checkpoint().size));
        }
        status.failure = fault.map(|fault| fault.reason.clone());
    }
}

fn lock(status: &Mutex<Status>) -> MutexGuard<'_, Status> {
    status.lock().unwrap_or_else(PoisonError::into_inner)
}
