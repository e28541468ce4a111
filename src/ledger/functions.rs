//! The functions by which the ledger is read, verified and pruned.

use super::entries::{may_read, require_reader, who};
use super::texts::{self, Texts};
use super::{Event, EventKind, error, tell};
use crate::egress_client;
use crate::pg::arguments::Arguments;
use crate::pg::backend;
use crate::pg::error::report;
use crate::pg::run_as::{is_superuser, may_act_as};
use pgrx::JsonB;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde_json::{Value, json};
use socle_core::protocol::LEDGER_DIRECTORY;
use socle_core::{Error, Kind, Result};
use socle_ledger::{Checkpoint, Entry, read, time, verify};
use std::path::Path;

/// Microseconds between 1970-01-01 and 2000-01-01, from which PostgreSQL counts.
const EPOCH: i64 = 946_684_800_000_000;

/// The last moment of the year 9999, in microseconds since 1970.
const LAST: i64 = 253_402_300_799_999_999;

/// The columns of `socle.ledger`.
const VIEW_COLUMNS: [&str; 12] = [
    "chain",
    "number",
    "at",
    "kind",
    "database",
    "role",
    "session_role",
    "transaction_state",
    "entry",
    "question",
    "answer",
    "hash",
];

type Row = (
    Option<String>,
    bool,
    Option<i64>,
    Option<TimestampWithTimeZone>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
);

type Rows = TableIterator<
    'static,
    (
        name!(chain, Option<String>),
        name!(is_current, bool),
        name!(number, Option<i64>),
        name!(at, Option<TimestampWithTimeZone>),
        name!(kind, Option<String>),
        name!(database, Option<String>),
        name!(role, Option<String>),
        name!(session_role, Option<String>),
        name!(hash, Option<String>),
        name!(body, Option<String>),
        name!(question, Option<String>),
        name!(answer, Option<String>),
    ),
>;

/// The entries of all chains that the caller may see: those of this database, or all for a superuser; of each what the caller may
/// read of the view, so that this function shows no more.
#[pg_extern(sql = false)]
fn ledger_entries() -> Result<Rows, ErrorReport> {
    let columns = ReadableColumns::of_caller();
    let sees_all = is_superuser();
    let database = backend::database_name();
    let chains = read::chains(Path::new(LEDGER_DIRECTORY)).map_err(error).map_err(report)?;
    let entries = chains.into_iter().flat_map(|chain| {
        let (origin, is_current) = (chain.origin.clone(), chain.is_current);
        read::Entries::from(chain, 0).map(move |entry| (origin.clone(), is_current, entry))
    });
    Ok(TableIterator::new(entries.filter_map(move |(origin, is_current, entry)| {
        pgrx::check_for_interrupts!();
        match entry {
            Ok(entry) => {
                let is_seen = sees_all || who(&entry, "database").as_ref() == Some(&database);
                is_seen.then(|| row(&columns, origin, is_current, entry))
            }
            Err(fault) => {
                report(error(fault)).report(PgLogLevel::ERROR);
                None
            }
        }
    })))
}

/// The columns of the view that the caller may read.
struct ReadableColumns(Vec<&'static str>);

impl ReadableColumns {
    /// Raises where there are none.
    fn of_caller() -> Self {
        let names: Vec<&str> = VIEW_COLUMNS.into_iter().filter(|name| may_read(name)).collect();
        if names.is_empty() {
            require_reader();
        }
        Self(names)
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains(&name)
    }
}

fn row(columns: &ReadableColumns, origin: String, is_current: bool, entry: Entry) -> Row {
    let texts =
        if columns.has("question") || columns.has("answer") { texts::find(&entry, &origin) } else { Texts::default() };
    let who = |name: &str| who(&entry, name).filter(|_| columns.has(name));
    // Of the state of the transaction, too.
    let database = super::entries::who(&entry, "database");
    let database = database.filter(|_| columns.has("database") || columns.has("transaction_state"));
    let body = if columns.has("entry") {
        Some(entry.body.clone())
    } else {
        // What the state of the transaction is computed from.
        let transaction = entry.fields.get("data").and_then(|data| data.get("xid"));
        columns.has("transaction_state").then(|| json!({"data": {"xid": transaction}}).to_string())
    };
    (
        columns.has("chain").then_some(origin),
        is_current,
        columns.has("number").then(|| count(entry.stamp.number)),
        timestamp(&entry.at).filter(|_| columns.has("at")),
        columns.has("kind").then(|| entry.kind.clone()),
        database,
        who("role"),
        who("session_role"),
        columns.has("hash").then(|| entry.stamp.hash.to_string()),
        body,
        texts.question.filter(|_| columns.has("question")),
        texts.answer.filter(|_| columns.has("answer")),
    )
}

/// A time of the ledger as PostgreSQL has it.
fn timestamp(text: &str) -> Option<TimestampWithTimeZone> {
    let micros = i64::try_from(time::micros(text)?).ok()?;
    TimestampWithTimeZone::try_from(micros - EPOCH).ok()
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

type Verified = TableIterator<
    'static,
    (
        name!(chain, String),
        name!(is_current, bool),
        name!(state, String),
        name!(first_number, Option<i64>),
        name!(last_number, Option<i64>),
        name!(first_at, Option<TimestampWithTimeZone>),
        name!(last_at, Option<TimestampWithTimeZone>),
        name!(confirmed, bool),
        name!(problems, Vec<String>),
    ),
>;

#[pg_extern(sql = false)]
fn verify_ledger(call: pg_sys::FunctionCallInfo) -> Result<Verified, ErrorReport> {
    verified(Arguments::new(call)).map_err(report)
}

fn verified(arguments: Arguments) -> Result<Verified> {
    let checkpoint = arguments.short_text(0, "checkpoint")?.map(|text| parse(&text)).transpose()?;
    let mut look = || {
        pgrx::check_for_interrupts!();
    };
    let reports = verify::verify(Path::new(LEDGER_DIRECTORY), checkpoint.as_ref(), &mut look).map_err(error)?;
    let problems: usize = reports.iter().map(|report| report.problems.len()).sum();
    let event = Event::new(EventKind::VerifyLedger).with("problems", problems);
    tell(&event.with("has_checkpoint", checkpoint.is_some()));
    Ok(TableIterator::new(reports.into_iter().map(|report| {
        let has_entries = report.hash.is_some();
        let state = if report.problems.is_empty() { "sound" } else { "damaged" };
        (
            report.origin,
            report.is_current,
            state.to_string(),
            has_entries.then(|| count(report.first)),
            has_entries.then(|| count(report.last)),
            report.first_at.as_deref().and_then(timestamp),
            report.last_at.as_deref().and_then(timestamp),
            report.is_confirmed,
            report.problems,
        )
    })))
}

fn parse(text: &str) -> Result<Checkpoint> {
    Checkpoint::parse(text).map_err(|why| {
        Error::new(Kind::InvalidArgument, "checkpoint is not one of a ledger of socle")
            .detail(why)
            .hint("Give the text as socle.ledger_checkpoint() has returned it.")
    })
}

#[pg_extern(sql = false)]
fn ledger_checkpoint() -> Result<String, ErrorReport> {
    egress_client::ledger::checkpoint().map_err(report)
}

#[pg_extern(sql = false)]
fn prune_ledger(
    call: pg_sys::FunctionCallInfo,
) -> Result<TableIterator<'static, (name!(segment_count, i64), name!(entry_count, i64))>, ErrorReport> {
    let pruned = || -> Result<(u64, u64)> {
        if !is_superuser() {
            return Err(Error::new(Kind::NotPermitted, "must be superuser to call socle.prune_ledger()"));
        }
        let Some(before) = Arguments::new(call).i64(0) else {
            return Err(Error::new(Kind::InvalidArgument, "before must not be null"));
        };
        let micros = before.saturating_add(EPOCH).clamp(0, LAST).unsigned_abs();
        let pruned = egress_client::ledger::prune(time::written(micros / 1_000_000, (micros % 1_000_000) as u32))?;
        texts::erase_pruned(&read::chains(Path::new(LEDGER_DIRECTORY)).map_err(error)?)?;
        Ok(pruned)
    };
    let (segments, entries) = pruned().map_err(report)?;
    Ok(TableIterator::once((count(segments), count(entries))))
}

/// The state of the ledger as one JSON object. Starts no process.
#[pg_extern(sql = false)]
fn ledger_report() -> Result<JsonB, ErrorReport> {
    state().map(JsonB).map_err(report)
}

fn state() -> Result<Value> {
    if !may_act_as(pg_sys::Oid::from(pg_sys::ROLE_PG_READ_ALL_STATS)) {
        return Err(Error::new(Kind::NotPermitted, "permission denied for the state of the ledger")
            .hint("It is shown to members of pg_monitor."));
    }
    let running = match egress_client::report() {
        Ok(report) => report,
        Err(error) if matches!(error.kind, Kind::EngineUnavailable | Kind::OtherVersion) => None,
        Err(error) => return Err(error),
    };
    let failure = running.as_ref().and_then(|report| report.ledger_failure.clone());
    let failure = failure.or_else(|| running.is_none().then(egress_client::failure).flatten());
    let (mut bytes, mut segments) = (0, 0);
    let (mut current, mut unanswered) = (None, None);
    let chains = match read::chains(Path::new(LEDGER_DIRECTORY)) {
        Ok(chains) => chains,
        Err(fault) => {
            // The writer knows its own chain: what else lies there does not stop it.
            let state = if failure.is_some() { "failed" } else { "unreadable" };
            let reason = failure.unwrap_or(fault.reason);
            return Ok(json!({"state": state, "state_reason": reason, "chain_count": 0}));
        }
    };
    for chain in &chains {
        segments += chain.segments.len();
        let sizes = chain.segments.iter().filter_map(|(_, path)| std::fs::metadata(path).ok());
        bytes += sizes.map(|file| file.len()).sum::<u64>();
        if chain.is_current {
            let last = chain.segments.iter().rev().find_map(|(_, path)| read::last_entry(path).ok());
            current = last.map(|last| (chain.origin.clone(), chain.segments[0].0, last));
            unanswered = chain.segments.last().and_then(|(_, path)| read::unanswered(path).ok());
        }
    }
    let (chain, first, last) =
        current.map_or((None, None, None), |(chain, first, last)| (Some(chain), Some(first), Some(last)));
    let state = match (&failure, &running) {
        (Some(_), _) => "failed",
        (None, Some(_)) => "writing",
        (None, None) => "stopped",
    };
    Ok(json!({
        "state": state,
        "state_reason": failure,
        "chain": chain,
        "first_number": first,
        "last_number": last.as_ref().map(|last| last.stamp.number),
        "last_at": last.as_ref().map(|last| last.at.clone()),
        "chain_count": chains.len(),
        "segment_count": segments,
        "bytes": bytes,
        "unanswered_count": unanswered,
    }))
}
