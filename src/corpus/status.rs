//! What the views `socle.corpus_status` and `socle.job_failure` show of the tables of each corpus: to roles that may
//! read its change log, which are its owner and those it has granted that; and to roles that monitor the server,
//! without any data.

use crate::catalog::CorpusSpec;
use crate::catalog::heap_counts;
use crate::pg::error::{report, spi};
use crate::pg::jsonb_key::Key;
use crate::pg::run_as::as_log_owner;
use crate::pg::{extension_version, plan_cache, spi};
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::Result;

const FAILURES: &str = include_str!("../../sql/corpus/failures.sql");
const MISSED: &str = include_str!("../../sql/corpus/count_missed.sql");
const WATCHED: &str = include_str!("../../sql/corpus/readable_corpora.sql");

/// Corpora whose tables the caller may read or count, and whether it may read them.
pub fn watched() -> Result<Vec<(CorpusSpec, bool)>> {
    extension_version::require_own_version()?;
    let names = Spi::connect(|client| {
        let rows = client.select(WATCHED, None, &[])?;
        rows.map(|row| Ok((row.get::<String>(1)?.unwrap_or_default(), row.get::<bool>(2)?.unwrap_or_default())))
            .collect::<pgrx::spi::Result<Vec<_>>>()
    });
    let found = names.map_err(spi)?.into_iter().map(|(name, readable)| {
        let corpus = CorpusSpec::try_find(&name)?;
        Ok(corpus.map(|corpus| (corpus, readable)))
    });
    found.filter_map(Result::transpose).collect()
}

/// Converts microseconds since 2000-01-01, the stored form of a `timestamptz`.
fn time(microseconds: i64) -> Option<TimestampWithTimeZone> {
    TimestampWithTimeZone::try_from(microseconds).ok()
}

/// Reads the log and the documents of a corpus as its owner, so that what the owner has put on them runs as the owner.
/// The caller's right to do so has been checked before.
fn as_owner_of_log<T>(corpus: &CorpusSpec, read: impl FnOnce() -> Result<Vec<T>>) -> Result<Vec<T>> {
    match (corpus.tables.owner, corpus.tables.change, corpus.tables.document) {
        (Some(owner), Some(_), Some(_)) => as_log_owner(owner.into(), read),
        _ => Ok(Vec::new()),
    }
}

/// Rows for `socle.corpus_status`.
type Report = TableIterator<
    'static,
    (
        name!(corpus, String),
        name!(document_count, Option<i64>),
        name!(chunk_count, Option<i64>),
        name!(pending_count, Option<i64>),
        name!(failed_count, Option<i64>),
        name!(oldest_pending_at, Option<TimestampWithTimeZone>),
    ),
>;

#[pg_extern(sql = false)]
fn corpus_report() -> Result<Report, ErrorReport> {
    let rows = || -> Result<Vec<_>> {
        let mut rows = Vec::new();
        for (corpus, _) in watched()? {
            if let Some(counts) = heap_counts::counts(&corpus) {
                let (documents, chunks) = (Some(counts.documents), Some(counts.chunks));
                let oldest = counts.backlog.oldest.and_then(time);
                // Changes that could not be logged are pending as well.
                let pending = counts.backlog.pending + spi::query_count(MISSED, &corpus.name)?;
                rows.push((corpus.name, documents, chunks, Some(pending), Some(counts.backlog.failed), oldest));
            }
        }
        Ok(rows)
    };
    rows().map(TableIterator::new).map_err(report)
}

/// Rows for `socle.job_failure`.
type Failures = TableIterator<
    'static,
    (
        name!(corpus, String),
        name!(source_key, Option<Key>),
        name!(attempt_count, Option<i32>),
        name!(next_attempt_at, Option<TimestampWithTimeZone>),
        name!(parked, Option<bool>),
        name!(failed_at, Option<TimestampWithTimeZone>),
        name!(failed_step, Option<String>),
        name!(error_sqlstate, Option<String>),
        name!(error_message, Option<String>),
    ),
>;

/// The values of a row for `socle.job_failure`.
type Failure = (
    String,
    Option<Key>,
    Option<i32>,
    Option<TimestampWithTimeZone>,
    Option<bool>,
    Option<TimestampWithTimeZone>,
    Option<String>,
    Option<String>,
    Option<String>,
);

/// A failure as shown to roles that may not see data. Keys are data, and messages quote it.
fn without_data(corpus: &str, failure: heap_counts::Failure) -> Failure {
    (
        corpus.to_string(),
        None,
        Some(failure.attempts),
        failure.next_attempt.and_then(time),
        Some(failure.next_attempt.is_none()),
        time(failure.failed),
        failure.step,
        failure.sqlstate,
        None,
    )
}

fn not_shown(corpus: &CorpusSpec, why: &str) {
    pgrx::warning!("failures of corpus \"{}\" are not shown: its change log {why}", corpus.name);
}

#[pg_extern(sql = false)]
fn failure_report() -> Result<Failures, ErrorReport> {
    let rows = || -> Result<Vec<_>> {
        let mut all = Vec::new();
        for (corpus, readable) in watched()? {
            if corpus.tables.change.is_none() {
                continue;
            }
            if !readable {
                match heap_counts::failures(&corpus) {
                    Some(failures) => all.extend(failures.into_iter().map(|found| without_data(&corpus.name, found))),
                    None => not_shown(&corpus, "is locked, or has been altered"),
                }
                continue;
            }
            // A table that is locked for long does not hide the failures of other corpora.
            if !heap_counts::lock_log(&corpus) {
                not_shown(&corpus, "is locked");
                continue;
            }
            let sql = corpus.sql(FAILURES);
            all.extend(as_owner_of_log(&corpus, || {
                plan_cache::rows(&sql, &[], 0, |row| {
                    let key = Some(row.key(8, &corpus.tables.key_columns));
                    let name = corpus.name.clone();
                    (name, key, row.get(1), row.get(2), row.get(3), row.get(4), row.get(5), row.get(6), row.get(7))
                })
            })?);
        }
        Ok(all)
    };
    rows().map(TableIterator::new).map_err(report)
}
