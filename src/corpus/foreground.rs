//! `CALL socle.sync_corpus(…)`: waits in the foreground, showing progress, until nothing of a corpus waits any more.
//!
//! A procedure, because the vector index and the swap of `socle.alter_corpus` wait for old snapshots and for whoever has
//! read the chunk table: each look is a transaction of its own, and nothing is held while it waits.

use super::CorpusSpec;
use super::identity::{as_log_owner, with_own_names};
use super::wait::{DROPPED, LONGEST_POLL, broken, counts, resting, why};
use crate::argument::Arguments;
use crate::error::report;
use crate::wait;
use crate::wake;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::fair_queue::message::Message;
use socle_core::{Error, Kind, Result};
use std::time::{Duration, Instant};

const PROGRESS: &str = include_str!("../../sql/corpus/progress.sql");

/// Time between two words about progress.
const SAY_EVERY: Duration = Duration::from_secs(5);

#[pg_extern(sql = false)]
fn sync_corpus(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    sync(call).map_err(report)
}

fn sync(call: pg_sys::FunctionCallInfo) -> Result<()> {
    if !may_commit(call) {
        return Err(Error::new(
            Kind::ActiveTransaction,
            "CALL socle.sync_corpus() cannot run inside a transaction block",
        )
        .detail("Work that is waited for would wait for this transaction.")
        .hint("socle.wait_for_corpus() waits for changes, and no more, wherever it is called."));
    }
    let name = Arguments::new(call)
        .word(0, "corpus")?
        .ok_or_else(|| Error::new(Kind::InvalidArgument, "corpus must not be null"))?;
    with_own_names(|| CorpusSpec::find(&name)?.require_owner())?;
    if crate::setting::sync_workers() == 0 {
        return Err(
            Error::new(Kind::NotInState, "socle.sync_workers is 0").hint("Without sync workers nothing is done.")
        );
    }
    // SAFETY: the call may commit; the connection is finished below, or by the error that ends the call.
    unsafe { pg_sys::SPI_connect_ext(pg_sys::SPI_OPT_NONATOMIC.cast_signed()) };
    let waited = wait_until_done(&name);
    // SAFETY: connected above.
    unsafe { pg_sys::SPI_finish() };
    waited
}

fn wait_until_done(name: &str) -> Result<()> {
    let mut said = Instant::now();
    wake::say(Message::NeedsSecondWorker);
    loop {
        // SAFETY: connected for this. Nothing is held until the next look: no lock and no snapshot.
        unsafe { pg_sys::SPI_commit() };
        let (waiting, documents) = with_own_names(|| look(name))?;
        if waiting == 0 {
            pgrx::notice!("corpus \"{name}\" is complete: {documents} documents");
            return Ok(());
        }
        // SAFETY: as above.
        unsafe { pg_sys::SPI_commit() };
        if said.elapsed() > SAY_EVERY {
            said = Instant::now();
            let reason = with_own_names(|| why(name))?.map(|reason| format!("; {reason}")).unwrap_or_default();
            // SAFETY: as above.
            unsafe { pg_sys::SPI_commit() };
            pgrx::notice!("corpus \"{name}\": {documents} documents are done, {waiting} changes wait{reason}");
        }
        wait::wait_for_time(LONGEST_POLL);
    }
}

/// What waits of a corpus, of the one that is to take its place too, and how many documents are done.
fn look(name: &str) -> Result<(i64, i64)> {
    let rest = |name: &str, state: Option<String>| match state {
        Some(state) => Err(Error::new(Kind::NotInState, format!("corpus \"{name}\" is {state}"))
            .hint("See socle.corpus_status; socle.resume_corpus() goes on.")),
        None => Ok(()),
    };
    rest(name, resting(name)?)?;
    let corpus = CorpusSpec::find(name)?;
    if let Some(successor) = corpus.successor()? {
        let state = resting(&successor.name)?;
        if state.as_deref() == Some(DROPPED) {
            // It has just taken the place: the next look finds what there is.
            return Ok((1, 0));
        }
        rest(&successor.name, state)?;
    }
    let owner = corpus.owner.ok_or_else(|| broken(name))?;
    as_log_owner(owner.into(), || counts(&corpus.sql(PROGRESS), name))
}

/// Whether the procedure was called where it may end transactions.
pub fn may_commit(call: pg_sys::FunctionCallInfo) -> bool {
    // SAFETY: the server passes the call; the context of CALL is a CallContext (ExecuteCallStmt, functioncmds.c).
    unsafe {
        let context = (*call).context;
        !context.is_null()
            && (*context).type_ == pg_sys::NodeTag::T_CallContext
            && !(*context.cast::<pg_sys::CallContext>()).atomic
    }
}
