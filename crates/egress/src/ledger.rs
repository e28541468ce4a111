//! Writes the ledger. All who wait share one write and one sync, and each is answered when its entry is on disk.

use crate::server::panic_free;
use serde_json::{Map, Value};
use socle_core::protocol::SessionName;
use socle_core::{Error, Kind, Result};
use socle_ledger::{Checkpoint, Draft, Fault, Ledger, Place, Pruned, Stamp};
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Size from which on a segment is followed by another, in bytes: some ten thousand entries, which are read at each start.
pub const SEGMENT_BYTES: u64 = 16 << 20;

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

/// What is asked, with where the answer goes.
#[derive(Debug)]
enum Job {
    Append(Draft, Sender<Result<Written, Fault>>),
    Prune(String, Map<String, Value>, Sender<Result<Pruned, Fault>>),
    Checkpoint(Sender<Result<Checkpoint, Fault>>),
}

/// What is known of the ledger.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// The chain that is written, and the number of its last entry.
    pub last: Option<(String, u64)>,
    /// Why it cannot be written.
    pub failure: Option<String>,
}

/// The ledger, as all threads know it. Who comes first writes for all who wait meanwhile.
#[derive(Debug)]
pub struct LedgerWriter {
    jobs: Mutex<Vec<Job>>,
    writing: Mutex<Writing>,
    status: Mutex<Status>,
}

impl LedgerWriter {
    /// Opens the ledger in this directory, which has to be there. Where that fails, each request tries again.
    pub fn new(root: PathBuf, place: Place, segment_bytes: u64) -> Self {
        let mut writing = Writing { root, place, segment_bytes, ledger: None };
        let opened = writing.open();
        let status = Mutex::new(Status::default());
        let writer = Self { jobs: Mutex::default(), writing: Mutex::new(writing), status };
        writer.note(&lock(&writer.writing), opened.err());
        writer
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
        lock(&self.jobs).push(job(sender));
        let mut writing = lock(&self.writing);
        // Those who came meanwhile are written with this one, and find their answers when it is their turn.
        let answered = match answer.try_recv() {
            Ok(answered) => answered,
            Err(_) => {
                let jobs = std::mem::take(&mut *lock(&self.jobs));
                let fault = panic_free(|| writing.serve(jobs));
                self.note(&writing, fault.unwrap_or_else(|| Some(Fault::refusal("the ledger could not be written"))));
                answer.try_recv().map_err(|_| Error::new(Kind::Bug, "an entry of the ledger was not written"))?
            }
        };
        answered.map_err(error)
    }

    fn note(&self, writing: &Writing, fault: Option<Fault>) {
        let mut status = lock(&self.status);
        if let Some(ledger) = &writing.ledger {
            status.last = Some((ledger.origin().to_string(), ledger.checkpoint().size));
        }
        status.failure = fault.map(|fault| fault.reason);
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

/// What is written on.
#[derive(Debug)]
struct Writing {
    root: PathBuf,
    place: Place,
    segment_bytes: u64,
    /// `None` before it was opened, and after a failure that needs it to be opened again.
    ledger: Option<Ledger>,
}

impl Writing {
    /// Does these jobs, and returns what went wrong last.
    fn serve(&mut self, jobs: Vec<Job>) -> Option<Fault> {
        let (mut drafts, mut answers, mut fault) = (Vec::new(), Vec::new(), None);
        for job in jobs {
            match job {
                Job::Append(draft, answer) => {
                    drafts.push(draft);
                    answers.push(answer);
                }
                Job::Prune(before, fields, answer) => {
                    let pruned = self.with_ledger(|ledger| ledger.prune(&before, &fields));
                    fault = pruned.as_ref().err().cloned();
                    let _ = answer.send(pruned);
                }
                Job::Checkpoint(answer) => {
                    let checkpoint = self.with_ledger(|ledger| Ok(ledger.checkpoint()));
                    fault = checkpoint.as_ref().err().cloned();
                    let _ = answer.send(checkpoint);
                }
            }
        }
        if drafts.is_empty() { fault } else { self.append(&drafts, answers) }
    }

    fn append(&mut self, drafts: &[Draft], answers: Vec<Sender<Result<Written, Fault>>>) -> Option<Fault> {
        match self.with_ledger(|ledger| Ok((ledger.append(drafts)?, ledger.origin().to_string()))) {
            Ok((stamps, origin)) => {
                for (stamp, answer) in stamps.into_iter().zip(answers) {
                    // Whoever has gone away meanwhile has its entry all the same.
                    let _ = answer.send(stamp.map(|stamp| Written { origin: origin.clone(), stamp }));
                }
                None
            }
            Err(fault) => {
                answers.into_iter().for_each(|answer| drop(answer.send(Err(fault.clone()))));
                Some(fault)
            }
        }
    }

    fn open(&mut self) -> Result<(), Fault> {
        let (root, place, segment_bytes) = (&self.root, &self.place, self.segment_bytes);
        let opened = panic_free(|| Ledger::open(root, place, segment_bytes));
        let opened = opened.unwrap_or_else(|| Err(Fault::damage("the ledger could not be opened")));
        opened.map(|ledger| self.ledger = Some(ledger))
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
        result
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
