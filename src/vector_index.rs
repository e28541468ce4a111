//! The vector index of a corpus, built after its first fill without blocking the chunk table: writes go on, and the
//! corpus is searched exactly meanwhile. An index worker builds it, so that sync workers go on.
//!
//! The build waits for all transactions of its database that are older than itself. As long as some are old, it is not
//! begun, and where it has to wait for long in the end, it is cancelled and restarted: it keeps autovacuum from the
//! table.
//!
//! `CREATE INDEX CONCURRENTLY` commits while it works, so it is run as a command of its own and not through SPI. An
//! index left by an interrupted build is not valid; it is dropped and rebuilt. A session that drops the table has the
//! build cancelled, and so has another worker if any session waits for it: a command on the table that waits for the
//! build, which waits for all older snapshots, would be a deadlock.

use crate::catalog::CorpusSpec;
use crate::catalog::sql_template::{expand, identifier};
use crate::pg::lock::Purpose;
use crate::pg::relation::SessionLock;
use crate::pg::utility::UtilityCommand;
use crate::pg::wait;
use crate::pg::{plan_cache, spi};
use crate::supervisor::assignment::Assignment;
use crate::supervisor::wake;
use crate::worker::StepOutcome;
use crate::worker::corpus_lock;
use crate::worker::corpus_state;
use crate::worker::session;
use crate::worker::transaction::{WorkerError, as_corpus_owner, transaction};
use pgrx::prelude::*;
use socle_core::fair_queue::message::Message;
use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

const ACTIVATE: &str = include_str!("../sql/sync/activate_corpus.sql");
const CREATE_INDEX: &str = include_str!("../sql/sync/create_index.sql");
const CANCEL: &str = include_str!("../sql/sync/cancel_index_build.sql");

const BLOCKERS: &str = include_str!("../sql/sync/index_blockers.sql");
const CORPUS: &str = include_str!("../sql/sync/corpus_of_log.sql");
const VECTOR_INDEXES: &str = include_str!("../sql/corpus/vector_indexes.sql");
const FREE_NAME: &str = include_str!("../sql/sync/free_index_name.sql");

/// Age in seconds from which a transaction counts as old: it may well take much longer.
pub const OLD_SECONDS: f64 = 30.0;

/// Attempts to take the lock of an index, and the pause between them.
const LOCK_ATTEMPTS: usize = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// `query_canceled`: a session waits for the table, or has dropped it.
const CANCELLED: &str = "57014";

thread_local! {
    /// Since when this worker has been waiting to have an index built, by change log.
    static SINCE: RefCell<HashMap<u32, Instant>> = RefCell::default();
}

/// Most dimensions of an HNSW index: as `vector`, and as `halfvec` (pgvector, hnsw.h).
pub const MAX_INDEX_DIMENSIONS: [u32; 2] = [2_000, 4_000];

/// Query for the schema of pgvector.
pub const VECTOR_SCHEMA: &str = include_str!("../sql/corpus/vector_schema.sql");

/// Cancels the build by another worker: `at_once`, or only if a session waits for it.
///
/// # Errors
/// Whatever Postgres raises.
pub fn cancel(change: pg_sys::Oid, at_once: bool) -> socle_core::Result<()> {
    let purpose = i32::from(Purpose::VectorIndex as u16);
    let arguments = [purpose.into(), change.into(), at_once.into()];
    spi::run(CANCEL, &arguments)
}

/// Cancels the build of an index if a session waits for the table.
pub fn make_way(change: pg_sys::Oid) {
    // After an error it is checked again soon.
    let _ = transaction(|| Ok(cancel(change, false)?));
}

/// The first fill is complete: has the vector index built by an index worker, and activates the corpus once it is
/// there.
///
/// # Errors
/// Whatever Postgres raises.
pub fn finish_filling(corpus: &CorpusSpec, change: pg_sys::Oid) -> Result<StepOutcome, WorkerError> {
    let finished = corpus_lock::exclusively(Purpose::VectorIndex, change, || {
        if transaction(|| Ok(indexes(corpus)?))?.iter().any(|index| index.is_valid) {
            return activate(corpus, change);
        }
        if is_waiting(change)? {
            return Ok(StepOutcome::Later);
        }
        wake::notify(Message::BuildIndex(change.to_u32()));
        Ok(StepOutcome::Elsewhere)
    })?;
    Ok(finished.unwrap_or_else(|| {
        make_way(change);
        StepOutcome::Elsewhere
    }))
}

/// Whether a build has to wait for transactions to end: those that were old when this worker first looked. It would
/// wait for them in the end, and keep autovacuum from the table all the time.
fn is_waiting(change: pg_sys::Oid) -> Result<bool, WorkerError> {
    let since = SINCE.with_borrow_mut(|since| *since.entry(change.to_u32()).or_insert_with(Instant::now));
    let age = OLD_SECONDS + since.elapsed().as_secs_f64();
    let waiting = transaction(|| Ok(spi::query_text(BLOCKERS, &[age.into()])?.is_some()))?;
    if !waiting {
        SINCE.with_borrow_mut(|since| since.remove(&change.to_u32()));
    }
    Ok(waiting)
}

/// A vector index that socle has built.
#[derive(Clone, Debug)]
pub struct VectorIndex {
    /// Its name, in the schema of the chunk table.
    pub name: String,
    /// False for one whose build was interrupted, or has not ended.
    pub is_valid: bool,
}

/// The vector indexes that socle has built for a corpus: one, none, or what interrupted builds have left. Known by their names,
/// as users may have others.
///
/// # Errors
/// Whatever Postgres raises.
pub fn indexes(corpus: &CorpusSpec) -> socle_core::Result<Vec<VectorIndex>> {
    let chunk = pg_sys::Oid::from(corpus.tables.chunk.unwrap_or_default());
    plan_cache::rows(VECTOR_INDEXES, &[chunk.into(), base_name(corpus).into()], 0, |row| VectorIndex {
        name: row.get(1).unwrap_or_default(),
        is_valid: row.get(2) == Some(true),
    })
}

fn activate(corpus: &CorpusSpec, change: pg_sys::Oid) -> Result<StepOutcome, WorkerError> {
    transaction(|| {
        if corpus_lock::try_lock_claims(change) {
            spi::run(ACTIVATE, &[corpus.name.as_str().into()])?;
        }
        Ok(StepOutcome::Done)
    })
}

/// Builds the vector index of the corpus that this worker was started for. False if that has failed.
pub fn run(assignment: Assignment) -> bool {
    let change = pg_sys::Oid::from(assignment.corpus);
    let corpus = transaction(|| {
        let name = spi::query_text(CORPUS, &[change.into()])?;
        Ok(name.map_or(Ok(None), |name| CorpusSpec::try_find(&name))?)
    });
    let Ok(found) = corpus else { return false };
    let Some(corpus) = found else { return true };
    let mut built = Ok(None);
    for _ in 0..LOCK_ATTEMPTS {
        built =
            corpus_lock::exclusively(Purpose::VectorIndex, change, || build_if_missing(&corpus, assignment.patience));
        if !matches!(built, Ok(None)) {
            break;
        }
        // The worker that has just asked for this one still holds it.
        wait::wait_for_time(LOCK_PAUSE);
    }
    if let Err(trouble) = &built
        && !trouble.is_a_lock()
        && trouble.sqlstate != CANCELLED
    {
        pgrx::log!("socle index: corpus \"{}\": {}", corpus.name, trouble.message);
        // If this fails, the next attempt records it again.
        let _ =
            corpus_state::set_reason(&corpus.name, assignment.corpus, Some(&trouble.reason), trouble.is_permanent());
    }
    matches!(built, Ok(Some(())))
}

fn build_if_missing(corpus: &CorpusSpec, patience: Duration) -> Result<(), WorkerError> {
    if !transaction(|| Ok(corpus_lock::state(&corpus.name)?.as_deref() == Some("filling")))? {
        return Ok(());
    }
    for index in transaction(|| Ok(indexes(corpus)?))? {
        if index.is_valid {
            return Ok(());
        }
        let sql = drop_statement(corpus, &index);
        transaction(|| as_corpus_owner(corpus, || Ok(spi::run(&sql, &[])?)))?;
    }
    // Any relation of the schema may have the name that it would have.
    let arguments = [corpus.tables.chunk_schema.as_str().into(), base_name(corpus).into()];
    let name = transaction(|| Ok(spi::query_text(FREE_NAME, &arguments)?))?;
    let name = name.unwrap_or_else(|| base_name(corpus));
    session::show(&format!("building the vector index of corpus {}", corpus.name));
    build(corpus, &name, patience)
}

fn build(corpus: &CorpusSpec, name: &str, patience: Duration) -> Result<(), WorkerError> {
    let expression = transaction(|| Ok(index_expression(corpus)?))?;
    let sql = expand(
        CREATE_INDEX,
        corpus,
        &[
            ("index_name", identifier(name).as_str()),
            ("index_expression", &expression),
            ("hnsw_m", &corpus.options.hnsw_m.to_string()),
            ("hnsw_ef_construction", &corpus.options.hnsw_ef_construction.to_string()),
        ],
    );
    let table = hold(corpus)?;
    let command = UtilityCommand::parse(&sql);
    // It waits for writers and for old snapshots, and fails where that takes too long. It runs as the superuser that the
    // worker is, and Postgres itself evaluates what the index needs as the owner of the table (DefineIndex, indexcmds.c).
    let run = || {
        transaction(|| {
            command.run();
            Ok(())
        })
    };
    session::waiting_for_locks(patience, run)?;
    // No transaction has failed since, so the lock is held.
    table.release();
    Ok(())
}

/// Locks the chunk table at session level, until it is unlocked or a transaction fails. `CREATE INDEX CONCURRENTLY`
/// releases its own lock before its last transaction commits: a session that drops the table in between meets a row of
/// `pg_index` that is being updated, and an error ("tuple concurrently updated").
fn hold(corpus: &CorpusSpec) -> Result<SessionLock, WorkerError> {
    transaction(|| Ok(SessionLock::take(corpus.tables.chunk.unwrap_or_default().into())))
}

/// Whether vectors with this number of dimensions are indexed as `vector`, and not as `halfvec`.
pub fn is_indexed_whole(dimensions: u32) -> bool {
    dimensions <= MAX_INDEX_DIMENSIONS[0]
}

/// What the name of the vector index of a corpus begins with: a number follows where something else has the name.
fn base_name(corpus: &CorpusSpec) -> String {
    format!("{}_embedding_idx", corpus.tables.chunk_table)
}

/// Statement that drops a vector index.
pub fn drop_statement(corpus: &CorpusSpec, index: &VectorIndex) -> String {
    format!("DROP INDEX IF EXISTS {}.{}", identifier(&corpus.tables.chunk_schema), identifier(&index.name))
}

/// The expression and operator class of the vector index.
pub fn index_expression(corpus: &CorpusSpec) -> socle_core::Result<String> {
    let schema = identifier(&spi::query_text(VECTOR_SCHEMA, &[])?.unwrap_or_default());
    Ok(if is_indexed_whole(corpus.options.dimensions) {
        format!("embedding {schema}.vector_cosine_ops")
    } else {
        format!("(embedding::{schema}.halfvec({})) {schema}.halfvec_cosine_ops", corpus.options.dimensions)
    })
}
