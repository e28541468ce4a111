//! The sync worker: a background worker of one database that keeps its corpora in sync.
//!
//! Started by the supervisor when a transaction that changed a source has committed; ends when it has been idle for a
//! minute with nothing pending, or when the supervisor asks because another database has no worker. It claims changes,
//! and commits; reads documents, and commits; has the engine chunk and embed them with no transaction open; and writes
//! the result in one short transaction that checks that the claim still holds. All of that as the owner of the corpus.
//! While the engine takes long for some documents, it goes on with others.
//! Vector indexes are built by index workers.

mod batch_size;
mod claim;
mod content;
mod corpora;
mod document;
mod hand_back;
mod main_loop;
mod slice;
mod token_vectors;
mod turn;
mod write;

use crate::catalog::{CorpusSpec, privileges};
use crate::corpus::swap;
use crate::keyword_index::{build, merge};
use crate::model;
use crate::pg::backend;
use crate::pg::lock::Purpose;
use crate::pg::spi;
use crate::pg::worker_process;
use crate::residue;
use crate::supervisor::assignment::Assignment;
use crate::supervisor::{clock, wake};
use crate::vector_index;
use crate::worker::StepOutcome;
use crate::worker::corpus_lock;
use crate::worker::corpus_state;
use crate::worker::session;
use crate::worker::transaction::{WorkerError, as_corpus_owner, transaction};
use batch_size::BatchSize;
use claim::Claimed;
use pgrx::Uuid;
use pgrx::prelude::*;
use socle_core::corpus::template::Template;
use socle_core::document::Ocr;
use socle_core::fair_queue::message::Message;
use socle_core::model::ModelSpec;
use socle_core::{Error, Kind};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use turn::UnderWay;

const VECTOR_OID: &str = include_str!("../sql/sync/vector_oid.sql");
const FILL_INCOMPLETE: &str = include_str!("../sql/sync/fill_incomplete.sql");

/// What processing documents of a corpus needs.
#[derive(Debug)]
pub struct Job {
    corpus: CorpusSpec,
    model: ModelSpec,
    /// The model of token vectors, where they are stored.
    token_model: Option<ModelSpec>,
    /// How pictures of files are recognised, where they are.
    ocr: Option<Ocr>,
    /// Whether its chunks say what they were extracted with.
    has_extractor: bool,
    template: Template,
    lease: Uuid,
    /// The type of pgvector as SQL; `vector_oid` is its OID.
    vector_type: String,
    vector_oid: pg_sys::Oid,
}

/// Outcome of a turn of a corpus.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Progress {
    /// Something was done; `full`: as much as one claim takes.
    Worked { full: bool },
    /// Nothing was due; `waiting`: something will be.
    Idle { waiting: bool },
    /// Another worker is doing what is due.
    Watching,
}

/// Gives a corpus a turn: goes on with what is under way, and processes one claim, which is about as much as a turn has time
/// for.
fn work(name: &str, batch_size: &mut BatchSize, under_way: &mut UnderWay) -> Result<Progress, WorkerError> {
    let found = transaction(|| Ok(CorpusSpec::try_find(name)?))?;
    let is_at_work =
        |corpus: &CorpusSpec| corpus.progress.bound && matches!(corpus.progress.state.as_str(), "filling" | "active");
    let Some(corpus) = found.filter(is_at_work) else {
        under_way.end_of(name);
        return Ok(Progress::Idle { waiting: false });
    };
    let (Some(_), Some(change), Some(_)) = (corpus.tables.chunk, corpus.tables.change, corpus.tables.source) else {
        under_way.end_of(name);
        return Err(Error::new(Kind::NotInState, "a table of the corpus does not exist").into());
    };
    let Some(endpoint) = endpoint_of(&corpus)? else { return go_on(&corpus, change, batch_size, under_way) };
    // One worker at a time waits for an endpoint: one that hangs holds up what needs it, and nothing else.
    let mut hasher = DefaultHasher::new();
    endpoint.hash(&mut hasher);
    let object = pg_sys::Oid::from(hasher.finish() as u32);
    let done = corpus_lock::exclusively(Purpose::Endpoint, object, || go_on(&corpus, change, batch_size, under_way))?;
    Ok(done.unwrap_or(Progress::Watching))
}

/// The endpoint that the model of a corpus runs on, if it does.
fn endpoint_of(corpus: &CorpusSpec) -> Result<Option<String>, WorkerError> {
    // Without one that is allowed, it can have none.
    if corpus.options.egress.is_empty() {
        return Ok(None);
    }
    let row = transaction(|| Ok(model::row_of(&corpus.options.model)?))?;
    Ok(row.and_then(|row| row.get("endpoint")?.as_str().map(str::to_string)))
}

/// Goes on with what is under way, and with documents that are claimed now.
fn go_on(
    corpus: &CorpusSpec,
    change: u32,
    batch_size: &mut BatchSize,
    under_way: &mut UnderWay,
) -> Result<Progress, WorkerError> {
    let has_ended = under_way.go_on(change)?;
    if has_ended {
        follow(corpus, change, false)?;
    }
    let progress = if under_way.may_claim(change) {
        work_on_claim(corpus, change, batch_size, under_way)?
    } else {
        Progress::Idle { waiting: true }
    };
    Ok(match progress {
        Progress::Idle { .. } | Progress::Watching if has_ended => Progress::Worked { full: false },
        progress => progress,
    })
}

/// Processes one claim of a corpus, or does what follows when there is none.
fn work_on_claim(
    corpus: &CorpusSpec,
    change: u32,
    batch_size: &mut BatchSize,
    under_way: &mut UnderWay,
) -> Result<Progress, WorkerError> {
    match claim::claim(corpus, change.into(), batch_size.documents(), under_way.has_room())? {
        Claimed::Resynced => Ok(Progress::Worked { full: true }),
        Claimed::Nothing { waiting } => {
            let advanced = advance(corpus, change.into())?;
            // What was wrong is over. While it is filled, an index worker may have a reason that is still there.
            if !waiting && corpus.progress.state == "active" && corpus.progress.state_reason.is_some() {
                corpus_state::set_reason(&corpus.name, change, None, false)?;
            }
            Ok(match advanced {
                StepOutcome::Done => Progress::Worked { full: false },
                StepOutcome::Partly => Progress::Worked { full: true },
                StepOutcome::Nothing => Progress::Idle { waiting },
                StepOutcome::Later => Progress::Idle { waiting: true },
                StepOutcome::Elsewhere => Progress::Watching,
            })
        }
        Claimed::Documents(lease, claims) => {
            session::show(&format!("embedding {} documents of corpus {}", claims.len(), corpus.name));
            let full = claims.len() as i64 == batch_size.documents();
            let done =
                job(corpus, lease).and_then(|job| turn::work_on(&Rc::new(job), claims.clone(), batch_size, under_way));
            let rest = match done {
                Ok(rest) => rest,
                Err(trouble) => {
                    let undone = under_way.without(lease, &claims);
                    under_way.give_back(&corpus.name, lease, undone);
                    return Err(trouble);
                }
            };
            let is_cut_short = !rest.is_empty();
            under_way.give_back(&corpus.name, lease, rest);
            if is_cut_short || under_way.has_of(change) {
                return Ok(Progress::Worked { full: true });
            }
            follow(corpus, change, full)?;
            Ok(Progress::Worked { full })
        }
    }
}

/// Does what follows documents that were written; `full`: there are more.
fn follow(corpus: &CorpusSpec, change: u32, full: bool) -> Result<(), WorkerError> {
    if corpus.progress.state_reason.is_some() {
        corpus_state::set_reason(&corpus.name, change, None, false)?;
    }
    match corpus.progress.state.as_str() {
        "active" if corpus.progress.keyword_missing_count == 0 => merge::merge(corpus, change.into())?,
        "filling" if corpus.progress.keyword_missing_count < build::FULL_SEGMENT as i64 => {}
        _ => {
            build::complete(corpus, change.into())?;
        }
    }
    // With writers that are as fast as the workers, every claim is full.
    if !full || corpus.progress.state == "filling" || corpus.replaces.is_some() {
        advance(corpus, change.into())?;
    } else {
        // An erasure does not wait until they pause.
        residue::ask_for_clearing(corpus, change.into())?;
    }
    Ok(())
}

/// Does what follows the first fill: the vector index, and then the swap with the corpus that this one replaces.
fn advance(corpus: &CorpusSpec, change: pg_sys::Oid) -> Result<StepOutcome, WorkerError> {
    // Looked up again: chunks that this worker or another has just written may lack their keywords.
    let Some(corpus) = &transaction(|| Ok(CorpusSpec::try_find(&corpus.name)?))? else {
        return Ok(StepOutcome::Nothing);
    };
    if !corpus.progress.bound
        || corpus.tables.change != Some(change.into())
        || !matches!(corpus.progress.state.as_str(), "filling" | "active")
    {
        return Ok(StepOutcome::Nothing);
    }
    if corpus.progress.state == "active" && corpus.progress.keyword_missing_count > 0 {
        return build::complete(corpus, change);
    }
    if corpus.progress.state == "active"
        && let Some(outcome) = residue::ask_for_clearing(corpus, change)?
    {
        return Ok(outcome);
    }
    if corpus.progress.state == "active" && corpus.replaces.is_none() {
        return Ok(StepOutcome::Nothing);
    }
    let behind = corpus.sql(FILL_INCOMPLETE);
    let filled_to = [corpus.progress.filled_to.as_str().into()];
    if transaction(|| as_corpus_owner(corpus, || Ok(spi::query_bool(&behind, &filled_to)?)))? {
        return Ok(StepOutcome::Nothing);
    }
    if corpus.progress.state == "filling" {
        if corpus.progress.keyword_missing_count > 0 {
            let completed = build::complete(corpus, change)?;
            if completed != StepOutcome::Done {
                return Ok(completed);
            }
        }
        return vector_index::finish_filling(corpus, change);
    }
    if let Some(old) = &corpus.replaces {
        session::show(&format!("swapping in corpus {} for {old}", corpus.name));
        return transaction(|| replace(old, corpus));
    }
    Ok(StepOutcome::Done)
}

/// Swaps a corpus that is filled with the one it replaces, unless another worker is doing that, or has done it. If documents
/// have failed that the other one has, it is paused instead.
fn replace(old: &str, new: &CorpusSpec) -> Result<StepOutcome, WorkerError> {
    let free =
        |corpus: &CorpusSpec| corpus.tables.change.is_some_and(|change| corpus_lock::try_lock_claims(change.into()));
    if !free(new) || corpus_lock::state(&new.name)?.as_deref() != Some("active") {
        return Ok(StepOutcome::Done);
    }
    let (Some(old), Some(new)) = (CorpusSpec::try_find(old)?, CorpusSpec::try_find(&new.name)?) else {
        return Ok(StepOutcome::Done);
    };
    let failures = swap::Failures::of(&old, &new)?;
    if failures.tried_again > 0 {
        return Ok(StepOutcome::Later);
    }
    if failures.set_aside > 0 {
        failures.hold(&old, &new)?;
        return Ok(StepOutcome::Done);
    }
    if free(&old) {
        swap::swap(&old, &new)?;
    }
    Ok(StepOutcome::Done)
}

fn job(corpus: &CorpusSpec, lease: Uuid) -> Result<Job, WorkerError> {
    transaction(|| {
        let chunk = pg_sys::Oid::from(corpus.tables.chunk.unwrap_or_default());
        let vector = Spi::connect(|client| {
            client.select(VECTOR_OID, Some(1), &[chunk.into()])?.first().get_one::<pg_sys::Oid>()
        })?;
        let vector_oid = vector.unwrap_or(pg_sys::InvalidOid);
        let vector_type = backend::type_name(vector_oid);
        Ok(Job {
            corpus: corpus.clone(),
            model: crate::catalog::model_of(corpus)?,
            token_model: crate::catalog::token_model_of(corpus)?,
            ocr: crate::catalog::ocr_of(corpus)?,
            has_extractor: privileges::has_extractor(corpus),
            template: corpus.parsed_template()?,
            lease,
            vector_type,
            vector_oid,
        })
    })
}

/// Entry point of a sync worker; the argument is the OID of the database.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn socle_sync_main(database: pg_sys::Datum) {
    session::begin(pg_sys::Oid::from(u32::try_from(database.value()).unwrap_or_default()), c"socle sync");
    main_loop::run(Assignment::mine());
    // The supervisor starts another worker when there is work.
    worker_process::end();
}

/// Entry point of an index worker that builds a vector index; the argument is the OID of the database.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn socle_build_main(database: pg_sys::Datum) {
    do_task(database, vector_index::run);
}

/// Entry point of an index worker that clears away what an erasure has left; the argument is the OID of the database.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn socle_clear_main(database: pg_sys::Datum) {
    do_task(database, residue::clear);
}

/// Does a task of a corpus, and tells the supervisor unless it has failed: then it is tried again ever more slowly.
fn do_task(database: pg_sys::Datum, task: impl FnOnce(Assignment) -> bool) -> ! {
    session::begin(pg_sys::Oid::from(u32::try_from(database.value()).unwrap_or_default()), c"socle index");
    let assignment = Assignment::mine();
    if task(assignment) {
        let (worker, last_checked_at) = (assignment.number, clock());
        wake::notify(Message::WorkerLeaving { worker, last_checked_at, next_check_in: None, did_work: true });
    }
    // Sync workers go on from here.
    wake::now();
    worker_process::end();
}
