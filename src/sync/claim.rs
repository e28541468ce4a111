//! Claims of a worker on documents: taken, extended, handed back, failed, each in a short transaction of its own.

use crate::catalog::CorpusSpec;
use crate::pg::backend;
use crate::pg::lock::{self, Purpose, Until};
use crate::pg::{gucs, relation, spi};
use crate::worker::corpus_lock;
use crate::worker::transaction::{WorkerError, as_corpus_owner, as_corpus_owner_over, transaction};
use pgrx::Uuid;
use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use socle_core::corpus::retry::backoff;
use socle_core::{Error, Kind};
use std::cell::Cell;
use std::collections::BTreeMap;

const TAKE_MISSED: &str = include_str!("../../sql/sync/take_missed.sql");
const ASK_FOR: &str = include_str!("../../sql/sync/ask_for.sql");
const CLAIM_RESYNC: &str = include_str!("../../sql/sync/claim_resync.sql");
const QUEUE_CHANGED: &str = include_str!("../../sql/sync/queue_changed.sql");
const MARK_COMPARED: &str = include_str!("../../sql/sync/mark_compared.sql");
const QUEUE_ORPHANS: &str = include_str!("../../sql/sync/queue_orphans.sql");
const ALIVE: &str = include_str!("../../sql/sync/workers_alive.sql");
const EXPAND_BATCHES: &str = include_str!("../../sql/sync/expand_batches.sql");
const CLAIM: &str = include_str!("../../sql/sync/claim.sql");
const PENDING: &str = include_str!("../../sql/sync/pending.sql");
const EXTEND: &str = include_str!("../../sql/sync/extend.sql");
const FAIL: &str = include_str!("../../sql/sync/fail.sql");
const PUT_OFF: &str = include_str!("../../sql/sync/put_off.sql");
const RELEASE: &str = include_str!("../../sql/sync/release.sql");

/// Source rows that are compared in about the time in which one row is written.
const COMPARED_ROWS: u64 = 10;

/// Seconds for which a claim holds, unless it is extended: longer than it takes to chunk the largest possible document
/// (255 MB took 489 s). After the death of a worker its claims end at once.
pub const LEASE_SECONDS: f64 = 3_600.0;

/// Longest error message that is kept, in characters.
const MAX_MESSAGE: usize = 1_000;

thread_local! {
    /// The number of this worker in leases.
    static NUMBER: Cell<i32> = const { Cell::new(0) };
}

/// A claimed document.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Id of the change that stands for the document.
    pub job_id: i64,
    /// Ids of all of its changes.
    pub changes: Vec<i64>,
    /// Number of this attempt, from 1.
    pub attempt: i32,
}

/// Result of a claim.
#[derive(Debug)]
pub enum Claimed {
    /// These documents, under this lease.
    Documents(Uuid, Vec<Claim>),
    /// Source and chunks were compared, and the differences were queued.
    Resynced,
    /// Nothing now. `waiting`: something is going to be due, or another worker is claiming.
    Nothing {
        /// Whether to look again soon.
        waiting: bool,
    },
}

/// Claims due documents, `documents` at most; `long`: also those that were put off. Claims of one corpus are made one after
/// another, so that no document is claimed twice.
///
/// # Errors
/// Whatever Postgres raises.
pub fn claim(corpus: &CorpusSpec, change: pg_sys::Oid, documents: i64, long: bool) -> Result<Claimed, WorkerError> {
    transaction(|| {
        if corpus_lock::state(&corpus.name)?.as_ref() != Some(&corpus.progress.state)
            || !corpus_lock::try_lock_claims(change)
        {
            return Ok(Claimed::Nothing { waiting: true });
        }
        let missed = Spi::connect_mut(|client| {
            let rows = client.update(TAKE_MISSED, None, &[corpus.name.as_str().into()])?;
            rows.map(|row| row.get::<String>(1)).collect::<pgrx::spi::Result<Vec<_>>>()
        })?;
        let life = [i32::from(Purpose::Life as i16).into()];
        let alive = Spi::connect(|client| client.select(ALIVE, Some(1), &life)?.first().get_one::<Vec<i32>>())?;
        // It may be a resync, which compares all of the source.
        let source = pg_sys::Oid::from(corpus.tables.source.unwrap_or_default());
        let rows = relation::estimated_rows(source) / COMPARED_ROWS;
        as_corpus_owner_over(corpus, rows, || {
            for xid in missed.iter().flatten() {
                spi::run(&corpus.sql(ASK_FOR), &[xid.as_str().into()])?;
            }
            take(corpus, documents, long, alive.unwrap_or_default())
        })
    })
}

/// `alive`: the numbers of the workers whose leases are valid.
fn take(corpus: &CorpusSpec, documents: i64, long: bool, alive: Vec<i32>) -> Result<Claimed, WorkerError> {
    Spi::connect_mut(|client| {
        client.update(corpus.sql(EXPAND_BATCHES).as_str(), None, &[])?;
        let taken = client.update(corpus.sql(CLAIM_RESYNC).as_str(), Some(1), &[])?;
        if !taken.is_empty()
            && let Some(xid) = taken.first().get_one::<String>()?
        {
            let limit = gucs::max_document_bytes() as i64;
            if corpus.replaces.is_some() {
                client.update(corpus.sql(MARK_COMPARED).as_str(), None, &[])?;
            }
            client.update(corpus.sql(QUEUE_CHANGED).as_str(), None, &[xid.as_str().into(), limit.into()])?;
            client.update(corpus.sql(QUEUE_ORPHANS).as_str(), None, &[xid.as_str().into()])?;
            return Ok(Claimed::Resynced);
        }
        let lease = new_lease()?;
        let mut claims: BTreeMap<i64, Claim> = BTreeMap::new();
        let arguments =
            [documents.into(), lease.into(), LEASE_SECONDS.into(), alive.into(), NUMBER.get().into(), long.into()];
        for row in client.update(corpus.sql(CLAIM).as_str(), None, &arguments)? {
            let job_id = row.get::<i64>(1)?.unwrap_or_default();
            let attempt = row.get::<i32>(3)?.unwrap_or(1);
            let claim = claims.entry(job_id).or_insert(Claim { job_id, changes: Vec::new(), attempt });
            claim.changes.extend(row.get::<i64>(2)?);
        }
        if !claims.is_empty() {
            return Ok(Claimed::Documents(lease, claims.into_values().collect()));
        }
        let waiting = client.select(corpus.sql(PENDING).as_str(), Some(1), &[])?.first().get_one::<bool>()?;
        Ok(Claimed::Nothing { waiting: waiting == Some(true) })
    })
}

/// Takes the lock that makes leases of this process valid.
///
/// # Errors
/// Whatever Postgres raises.
pub fn hold_liveness_lock() -> Result<(), WorkerError> {
    // Not negative, as pg_locks shows it as an OID.
    NUMBER.set(i32::from_le_bytes(random()?) & i32::MAX);
    let number = pg_sys::Oid::from(NUMBER.get().unsigned_abs());
    transaction(|| {
        lock::take(Purpose::Life, number, Until::Returned);
        Ok(())
    })
}

/// A random lease id.
fn new_lease() -> Result<Uuid, WorkerError> {
    random().map(Uuid::from_bytes)
}

fn random<const COUNT: usize>() -> Result<[u8; COUNT], WorkerError> {
    backend::random_bytes().ok_or_else(|| Error::new(Kind::Bug, "the operating system gave no random number").into())
}

/// Ids of all changes of the documents.
pub fn changes(claims: &[Claim]) -> Vec<i64> {
    claims.iter().flat_map(|claim| claim.changes.iter().copied()).collect()
}

/// Extends a lease, from now on.
///
/// # Errors
/// Whatever Postgres raises.
pub fn extend(corpus: &CorpusSpec, lease: Uuid, claims: &[Claim]) -> Result<(), WorkerError> {
    update(corpus, EXTEND, || vec![changes(claims).into(), lease.into(), LEASE_SECONDS.into()])
}

/// Hands documents back that could not be processed through no fault of their own.
///
/// # Errors
/// Whatever Postgres raises.
pub fn release(corpus: &CorpusSpec, lease: Uuid, claims: &[Claim]) -> Result<(), WorkerError> {
    update(corpus, RELEASE, || vec![changes(claims).into(), lease.into()])
}

/// Hands documents back that take long, to be claimed again by a worker that has room for them.
///
/// # Errors
/// Whatever Postgres raises.
pub fn put_off(corpus: &CorpusSpec, lease: Uuid, claims: &[Claim]) -> Result<(), WorkerError> {
    update(corpus, PUT_OFF, || vec![changes(claims).into(), lease.into()])
}

/// Records why a document failed, and when it is tried again, if it is.
///
/// # Errors
/// Whatever Postgres raises.
pub fn fail(
    corpus: &CorpusSpec,
    lease: Uuid,
    claim: &Claim,
    step: &str,
    trouble: &WorkerError,
) -> Result<(), WorkerError> {
    let again = (claim.attempt < corpus.options.max_attempts && !trouble.is_final())
        .then(|| backoff(claim.attempt.unsigned_abs()).as_secs_f64());
    let message: String = trouble.message.chars().filter(|character| *character != '\0').take(MAX_MESSAGE).collect();
    update(corpus, FAIL, || {
        vec![
            claim.changes.clone().into(),
            lease.into(),
            again.into(),
            step.into(),
            trouble.sqlstate.as_str().into(),
            message.as_str().into(),
            claim.attempt.into(),
        ]
    })
}

/// Runs a statement over claimed changes. `arguments` are made inside the transaction: an array looks up its type.
fn update<'a>(
    corpus: &CorpusSpec,
    statement: &str,
    arguments: impl FnOnce() -> Vec<DatumWithOid<'a>>,
) -> Result<(), WorkerError> {
    let sql = corpus.sql(statement);
    transaction(|| {
        as_corpus_owner(corpus, || {
            Ok(Spi::connect_mut(|client| client.update(sql.as_str(), None, &arguments()).map(drop))?)
        })
    })
}
