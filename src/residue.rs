//! What is left of deleted rows of a corpus, cleared away by an index worker after `socle.forget`: words in segments of the
//! keyword index, row versions, statistics, the bytes of free space, files of former segments.
//!
//! Each step can be repeated: whatever ends the worker, the erasure stays pending in `socle.erasure`, and a later worker does
//! everything again. No step waits for a user or has one wait for longer than VACUUM does.

use crate::catalog::CorpusSpec;
use crate::engine_client;
use crate::keyword_index::merge;
use crate::pg::lock::Purpose;
use crate::pg::page::{self, Pages};
use crate::pg::utility::UtilityCommand;
use crate::pg::{plan_cache, spi, wait, worker_process};
use crate::supervisor::assignment::Assignment;
use crate::supervisor::wake;
use crate::worker::StepOutcome;
use crate::worker::corpus_lock;
use crate::worker::owner_code_timeout;
use crate::worker::session;
use crate::worker::transaction::{WorkerError, as_corpus_owner, transaction};
use pgrx::prelude::*;
use socle_core::fair_queue::message::Message;
use socle_core::protocol::{Request, Response, SegmentDigest};
use std::time::Duration;

const RELATIONS: &str = include_str!("../sql/residue/relations.sql");
const DUE: &str = include_str!("../sql/residue/due.sql");
const PENDING: &str = include_str!("../sql/residue/pending.sql");
const BEING_PROCESSED: &str = include_str!("../sql/residue/being_processed.sql");
const POSTPONE: &str = include_str!("../sql/residue/postpone.sql");
const FINISH: &str = include_str!("../sql/residue/finish.sql");
const SEEN_BY: &str = include_str!("../sql/residue/seen_by.sql");
const SEGMENTS: &str = include_str!("../sql/residue/segments_of_all.sql");
const CORPUS: &str = include_str!("../sql/sync/corpus_of_log.sql");
const OID: &str = "SELECT $1::regclass::oid::bigint::text";

/// Tables of all corpora that hold texts, or samples of them.
const SHARED: [&str; 3] = ["socle.keyword_segment_part", "pg_catalog.pg_statistic", "pg_catalog.pg_statistic_ext_data"];

/// Seconds until the next attempt, and the longest, as they are doubled while the reason is the same: while something is about
/// to end by itself, and after an error.
const SOON: [f64; 2] = [1.0, 10.0];
const LATER: [f64; 2] = [10.0, 300.0];

/// How often it is looked whether short transactions that were under way have ended, before a later worker looks again.
const LOOKS: usize = 10;

/// A relation with storage.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its OID.
    pub oid: pg_sys::Oid,
    /// Its name, quoted and qualified.
    pub name: String,
    /// `table`, `toast`, or the access method of an index.
    pub kind: String,
}

/// What has been cleared away.
#[derive(Clone, Copy, Debug, Default)]
struct Cleared {
    segments: u64,
    pages: u64,
    files: u64,
}

/// Asks for a worker if an erasure of the corpus is pending; `None` if there is none.
///
/// # Errors
/// Whatever Postgres raises.
pub fn ask_for_clearing(corpus: &CorpusSpec, change: pg_sys::Oid) -> Result<Option<StepOutcome>, WorkerError> {
    let due = transaction(|| {
        Ok(plan_cache::rows(DUE, &[corpus.name.as_str().into()], 1, |row| row.get::<bool>(1) == Some(true))?)
    })?;
    Ok(due.first().map(|due| {
        if *due {
            wake::notify(Message::ClearResidue(change.to_u32()));
            StepOutcome::Elsewhere
        } else {
            StepOutcome::Later
        }
    }))
}

/// The tables with these OIDs, with all that belongs to them.
///
/// # Errors
/// Whatever Postgres raises.
pub fn relations(tables: &[pg_sys::Oid]) -> socle_core::Result<Vec<Stored>> {
    plan_cache::rows(RELATIONS, &[tables.to_vec().into()], 0, |row| Stored {
        oid: row.get(1).unwrap_or(pg_sys::InvalidOid),
        name: row.get(2).unwrap_or_default(),
        kind: row.get(3).unwrap_or_default(),
    })
}

/// The tables that texts of a corpus may be in: its own, its source, and those of socle.
///
/// # Errors
/// Whatever Postgres raises.
pub fn tables(corpus: &CorpusSpec) -> socle_core::Result<Vec<pg_sys::Oid>> {
    let tables = &corpus.tables;
    let own = [tables.chunk, tables.change, tables.document, tables.source].into_iter().flatten();
    let mut all: Vec<pg_sys::Oid> = own.map(pg_sys::Oid::from).collect();
    for name in SHARED {
        let oid = spi::query_text(OID, &[name.into()])?.and_then(|oid| oid.parse::<u32>().ok());
        all.extend(oid.map(pg_sys::Oid::from));
    }
    Ok(all)
}

/// Clears away what is left of the rows that pending erasures of the assigned corpus have deleted. False if not even the reason
/// of a failure could be recorded: what is recorded says when the next attempt is.
pub fn clear(assignment: Assignment) -> bool {
    let change = pg_sys::Oid::from(assignment.corpus);
    let corpus = transaction(|| {
        let name = spi::query_text(CORPUS, &[change.into()])?;
        Ok(name.map_or(Ok(None), |name| CorpusSpec::try_find(&name))?)
    });
    let Ok(found) = corpus else { return false };
    let Some(corpus) = found else { return true };
    owner_code_timeout::prepare(assignment.number);
    let cleared = corpus_lock::exclusively(Purpose::Residue, change, || clear_pending(&corpus, change, assignment));
    match cleared {
        Ok(_) => true,
        Err(trouble) if trouble.is_a_lock() => {
            let reason =
                "another session has locked a table that is to be vacuumed, or vacuums it itself: see pg_locks";
            postpone(&corpus, reason, SOON).is_ok()
        }
        Err(trouble) => {
            pgrx::log!("socle index: erasure in corpus \"{}\": {}", corpus.name, trouble.message);
            postpone(&corpus, &trouble.reason, LATER).is_ok()
        }
    }
}

fn clear_pending(corpus: &CorpusSpec, change: pg_sys::Oid, assignment: Assignment) -> Result<(), WorkerError> {
    let pending = transaction(|| Ok(spi::query_texts(PENDING, &[corpus.name.as_str().into()])?))?;
    if pending.is_empty() {
        return Ok(());
    }
    session::show(&format!("erasing what is left of deleted documents of corpus {}", corpus.name));
    let busy = corpus.sql(BEING_PROCESSED);
    if transaction(|| as_corpus_owner(corpus, || Ok(spi::query_bool(&busy, &[pending.clone().into()])?)))? {
        return postpone(corpus, "the deletion of the documents in the source is still being processed", SOON);
    }
    let Some(segments) = merge::rewrite_worn(corpus, change)? else {
        return postpone(corpus, "another worker is writing the keyword index", SOON);
    };
    let stored = transaction(|| Ok(relations(&tables(corpus)?)?))?;
    // What has been deleted until now can be cleared away once nobody sees it any more.
    let deleted_until = page::next_transaction();
    let mut looks = 0;
    while transaction(|| Ok(is_seen(&stored, deleted_until)))? {
        looks += 1;
        if looks < LOOKS && !worker_process::asked_to_leave() {
            wait::wait_for_time(LOOK_EVERY);
            continue;
        }
        let holder = transaction(|| Ok(spi::query_text(SEEN_BY, &[])?))?;
        let reason = holder
            .unwrap_or_else(|| "a transaction, a replication slot or a standby may still see deleted rows".into());
        return postpone(corpus, &reason, SOON);
    }
    session::waiting_for_locks(assignment.patience, || vacuum(corpus, &stored))?;
    let mut cleared = Cleared { segments, ..Cleared::default() };
    for relation in stored.iter().filter(|relation| matches!(relation.kind.as_str(), "table" | "toast" | "btree")) {
        cleared.pages += transaction(|| Ok(Pages::open(relation.oid).map_or(0, |pages| pages.clear_free_space())))?;
    }
    cleared.files = drop_former_segments()?;
    finish(corpus, &pending, cleared)
}

/// Whether somebody may still see rows that were deleted by transactions before `deleted_until`.
fn is_seen(stored: &[Stored], deleted_until: pg_sys::TransactionId) -> bool {
    stored.iter().filter(|relation| relation.kind == "table").filter_map(|table| Pages::open(table.oid)).any(|table| {
        let oldest = table.oldest_needed();
        oldest != deleted_until && !page::follows(oldest, deleted_until)
    })
}

/// Removes deleted row versions and their index entries, and samples of their values, from each table; lastly from the table
/// of samples. Without truncation, which would have readers wait. What ANALYZE evaluates for an index of the owner has a time
/// limit; VACUUM evaluates nothing.
fn vacuum(corpus: &CorpusSpec, stored: &[Stored]) -> Result<(), WorkerError> {
    let is_catalog = |table: &&Stored| table.name.starts_with("pg_statistic");
    let tables = || stored.iter().filter(|relation| relation.kind == "table");
    for table in tables().filter(|table| !is_catalog(table)) {
        transaction(|| {
            owner_code_timeout::begin(corpus, 0);
            Ok(spi::execute(&format!("ANALYZE {}", table.name))?)
        })?;
    }
    for table in tables().filter(|table| !is_catalog(table)).chain(tables().filter(is_catalog)) {
        let command = UtilityCommand::parse(&format!("VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) {}", table.name));
        transaction(|| {
            command.run();
            Ok(())
        })?;
    }
    Ok(())
}

/// Has the engine drop every segment that is none of this database any more, in memory and in files.
fn drop_former_segments() -> Result<u64, WorkerError> {
    let digests = transaction(|| Ok(plan_cache::rows(SEGMENTS, &[], 0, |row| row.get::<Vec<u8>>(1))?))?;
    let segments: Vec<SegmentDigest> = digests.into_iter().filter_map(|digest| digest?.try_into().ok()).collect();
    match engine_client::ask(Request::KeywordRetain { segments })?.pop() {
        Some(Response::KeywordRetained { removed }) => Ok(removed),
        Some(Response::Failed { error, .. }) => Err(error.into()),
        _ => Err(engine_client::unexpected().into()),
    }
}

/// Records why the erasures of a corpus wait, and until when.
fn postpone(corpus: &CorpusSpec, reason: &str, [first, longest]: [f64; 2]) -> Result<(), WorkerError> {
    let arguments = [corpus.name.as_str().into(), reason.into(), first.into(), longest.into()];
    transaction(|| Ok(spi::run(POSTPONE, &arguments)?))
}

fn finish(corpus: &CorpusSpec, pending: &[String], cleared: Cleared) -> Result<(), WorkerError> {
    let count = |count: u64| count.cast_signed();
    // The type of an array is looked up in the catalog, so that all of this is inside the transaction.
    transaction(|| {
        let arguments = [
            corpus.name.as_str().into(),
            pending.to_vec().into(),
            count(cleared.segments).into(),
            count(cleared.pages).into(),
            count(cleared.files).into(),
        ];
        Ok(spi::run(FINISH, &arguments)?)
    })
}

/// How long a session waits between two looks at an erasure.
pub const LOOK_EVERY: Duration = Duration::from_millis(100);
