//! `CALL socle.sync_corpus(…)`: waits in the foreground, showing progress, until nothing of a corpus is pending.
//!
//! A procedure, because the vector index and the swap of `socle.alter_corpus` wait for old snapshots and for
//! transactions that have read the chunk table: each look is a transaction of its own, and no lock is held in between.

use super::wait::{DROPPED, LONGEST_POLL, broken, counts, inactive_state, why};
use crate::catalog::CorpusSpec;
use crate::pg::arguments::Arguments;
use crate::pg::error::report;
use crate::pg::gucs;
use crate::pg::procedure::{Transactions, may_commit, with_transactions};
use crate::pg::run_as::{as_log_owner, with_pinned_search_path};
use crate::pg::snapshot::in_new_snapshot;
use crate::pg::wait;
use crate::supervisor::wake;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::fair_queue::message::Message;
use socle_core::{Error, Kind, Result};
use std::time::{Duration, Instant};

const PROGRESS: &str = include_str!("../../sql/corpus/progress.sql");

/// Time between two progress notices.
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
        .detail("The work would wait for this transaction to end.")
        .hint("socle.wait_for_corpus() waits for changes alone and can be called anywhere."));
    }
    let name = Arguments::new(call)
        .short_text(0, "corpus")?
        .ok_or_else(|| Error::new(Kind::InvalidArgument, "corpus must not be null"))?;
    let corpus = with_pinned_search_path(|| CorpusSpec::find(&name))?;
    corpus.require_owner()?;
    if gucs::sync_workers() == 0 {
        return Err(Error::new(Kind::NotInState, "socle.sync_workers is 0")
            .hint("Without sync workers no change is processed."));
    }
    with_transactions(|transactions| wait_until_done(&corpus, transactions))
}

fn wait_until_done(corpus: &CorpusSpec, transactions: &Transactions) -> Result<()> {
    // One that is to replace another has its name in the end.
    let name = corpus.replaces.as_deref().unwrap_or(&corpus.name);
    let mut said = Instant::now();
    wake::notify(Message::NeedsSecondWorker);
    loop {
        // Neither a lock nor a snapshot is held until the next look.
        transactions.commit();
        let (waiting, documents) = with_pinned_search_path(|| look(name))?;
        if waiting == 0 {
            with_pinned_search_path(|| require_swapped(corpus))?;
            pgrx::notice!("corpus \"{name}\" is complete: {documents} documents");
            return Ok(());
        }
        transactions.commit();
        if said.elapsed() > SAY_EVERY {
            said = Instant::now();
            let reason = with_pinned_search_path(|| why(name))?.map(|reason| format!("; {reason}")).unwrap_or_default();
            transactions.commit();
            pgrx::notice!("corpus \"{name}\": {documents} documents done, {waiting} changes pending{reason}");
        }
        wait::wait_for_time(LONGEST_POLL);
    }
}

/// Checks that a corpus that was to replace another has done so, and has not been dropped.
fn require_swapped(corpus: &CorpusSpec) -> Result<()> {
    let Some(replaced) = &corpus.replaces else { return Ok(()) };
    let now = in_new_snapshot(|| CorpusSpec::find(replaced))?;
    if now.tables.change.is_some() && now.tables.change == corpus.tables.change {
        return Ok(());
    }
    let dropped = format!("corpus \"{}\" is {DROPPED}", corpus.name);
    Err(Error::new(Kind::NotInState, dropped)
        .detail(format!("It has not replaced corpus \"{replaced}\"."))
        .hint("socle.alter_corpus() begins the change again."))
}

/// What is pending for a corpus and its replacement, and how many documents are done.
fn look(name: &str) -> Result<(i64, i64)> {
    let require_active = |name: &str, state: Option<String>| match state {
        Some(state) => {
            let error = Error::new(Kind::NotInState, format!("corpus \"{name}\" is {state}"));
            let error = match in_new_snapshot(|| CorpusSpec::try_find(name))?.and_then(|it| it.progress.state_reason) {
                Some(reason) => error.detail(reason),
                None => error,
            };
            Err(error.hint("See socle.corpus_status; socle.resume_corpus() goes on."))
        }
        None => Ok(()),
    };
    let state = inactive_state(name)?;
    let successor = match CorpusSpec::try_find(name)? {
        Some(corpus) => corpus.successor()?,
        None => None,
    };
    // One that lacks a model is replaced by one that has another: that one is waited for.
    if successor.is_none() || state.as_deref() != Some("broken") {
        require_active(name, state)?;
    }
    let corpus = CorpusSpec::find(name)?;
    if let Some(successor) = successor {
        let state = inactive_state(&successor.name)?;
        if state.as_deref() == Some(DROPPED) {
            // It has just replaced the corpus: the next look finds what is left.
            return Ok((1, 0));
        }
        require_active(&successor.name, state)?;
    }
    let owner = corpus.tables.owner.ok_or_else(|| broken(name))?;
    as_log_owner(owner.into(), || counts(&corpus.sql(PROGRESS), name))
}
