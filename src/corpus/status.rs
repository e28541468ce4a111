//! What the views `socle.corpus_status` and `socle.job_failure` show of the tables of each corpus: to those who may read
//! its change log, which are its owner and whom he allows.

use super::CorpusSpec;
use crate::error::{report, spi};
use crate::key::Key;
use crate::query;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::Result;

const STATUS: &str = include_str!("../../sql/corpus/status.sql");
const FAILURES: &str = include_str!("../../sql/corpus/failures.sql");
const READABLE: &str = include_str!("../../sql/query/readable_corpora.sql");

/// Corpora whose tables the caller may read.
fn readable() -> Result<Vec<CorpusSpec>> {
    query::texts(READABLE, &[])?.iter().filter_map(|name| CorpusSpec::try_find(name).transpose()).collect()
}

/// A row of what `socle.corpus_status` shows.
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
        for corpus in readable()? {
            let sql = corpus.sql(STATUS);
            let row = Spi::connect(|client| {
                let row = client.select(sql.as_str(), Some(1), &[])?.first();
                Ok((corpus.name, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
            });
            rows.push(row.map_err(spi)?);
        }
        Ok(rows)
    };
    rows().map(TableIterator::new).map_err(report)
}

/// A row of what `socle.job_failure` shows.
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

#[pg_extern(sql = false)]
fn failure_report() -> Result<Failures, ErrorReport> {
    let rows = || -> Result<Vec<_>> {
        let mut all = Vec::new();
        for corpus in readable()? {
            let sql = corpus.sql(FAILURES);
            let rows = Spi::connect(|client| {
                let rows = client.select(sql.as_str(), None, &[])?;
                rows.map(|row| {
                    Ok((
                        corpus.name.clone(),
                        row.get(1)?,
                        row.get(2)?,
                        row.get(3)?,
                        row.get(4)?,
                        row.get(5)?,
                        row.get(6)?,
                        row.get(7)?,
                        row.get(8)?,
                    ))
                })
                .collect::<pgrx::spi::Result<Vec<_>>>()
            });
            all.extend(rows.map_err(spi)?);
        }
        Ok(all)
    };
    rows().map(TableIterator::new).map_err(report)
}
