//! Deletes documents from the tables of a corpus, and their rows from the source if the caller asks for it.
//!
//! Rows of the change log go first: a worker that has claimed a document has them locked while it writes, and without them
//! what it has computed is discarded. What it has just written is seen by the statements that follow.

use super::target::{Target, is_it};
use crate::catalog::CorpusSpec;
use crate::catalog::sql_template::expand;
use crate::corpus;
use crate::pg::error::spi as spi_error;
use crate::pg::run_as::{as_log_owner, as_owner, as_self, is_superuser};
use crate::pg::spi;
use crate::search::source_key;
use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use socle_core::{Error, Kind, Result};

const EXPAND: &str = include_str!("../../sql/erasure/expand.sql");
const HAS_BATCHES: &str = include_str!("../../sql/erasure/has_batches.sql");
const CHANGES: &str = include_str!("../../sql/erasure/changes.sql");
const CHUNKS: &str = include_str!("../../sql/erasure/chunks.sql");
const DOCUMENTS: &str = include_str!("../../sql/erasure/documents.sql");
const LEFT: &str = include_str!("../../sql/erasure/left.sql");
const SOURCE: &str = include_str!("../../sql/erasure/source.sql");
const SOURCE_EXISTS: &str = include_str!("../../sql/erasure/source_exists.sql");

/// What was deleted from a corpus.
#[derive(Debug, Default)]
pub struct Deleted {
    /// Hash of what was embedded, of each chunk.
    pub contents: Vec<Vec<u8>>,
    /// Hash of each document.
    pub documents: Vec<Vec<u8>>,
    /// Rows of the change log, failures among them.
    pub changes: u64,
}

/// Deletes the row of a document from the source with the rights of the caller, or checks that it is gone; returns the number
/// of rows.
///
/// # Errors
/// `NotInState` for a row that is there and is not to be deleted. What the source raises is raised.
pub fn source_row(corpus: &CorpusSpec, document: &Target, delete: bool) -> Result<u64> {
    let owner = corpus::complete(corpus)?;
    let is_source = source_key::condition(corpus);
    let sql = |statement: &str| expand(statement, corpus, &[("is_source", &is_source)]);
    let parameters = document.parameters(corpus)?;
    let exists = as_owner(owner, || spi::query_bool(&sql(SOURCE_EXISTS), &parameters))?;
    if !exists {
        return Ok(0);
    }
    if !delete {
        return Err(Error::new(
            Kind::NotInState,
            format!("a document to be erased is still in the source of corpus \"{}\"", corpus.name),
        )
        .detail("It would come back with the next change of its row.")
        .hint("Delete the row first, or pass delete_source => true."));
    }
    let statement = sql(SOURCE);
    let work = || {
        Spi::connect_mut(|client| client.update(statement.as_str(), None, &parameters).map(|rows| rows.len()))
            .map_err(spi_error)
    };
    // What others have put on the source does not run with the rights of a superuser.
    let count = if is_superuser() { as_owner(owner, work)? } else { as_self(work)? };
    if count == 0 {
        return Err(Error::new(Kind::NotPermitted, "a row of the source was not deleted")
            .detail("A trigger or a policy of the source has kept it."));
    }
    Ok(count as u64)
}

/// Deletes documents from the tables of a corpus.
///
/// # Errors
/// `NotInState` for a corpus that lacks a table; `NotPermitted` where something of the owner's keeps rows.
pub fn from_corpus(corpus: &CorpusSpec, documents: &[Target]) -> Result<Deleted> {
    let owner = corpus::complete(corpus)?;
    let is_it = is_it(corpus);
    let sql = |statement: &str| expand(statement, corpus, &[("is_it", &is_it)]);
    let (expand_batches, has_batches) = (sql(EXPAND), corpus.sql(HAS_BATCHES));
    let (changes, chunks, rows, left) = (sql(CHANGES), sql(CHUNKS), sql(DOCUMENTS), sql(LEFT));
    let mut deleted = Deleted::default();
    let batched = as_log_owner(owner, || spi::query_bool(&has_batches, &[]))?;
    for document in documents {
        let parameters = document.parameters(corpus)?;
        as_log_owner(owner, || -> Result<()> {
            if batched {
                run(&expand_batches, &parameters)?;
            }
            deleted.changes += run(&changes, &parameters)?;
            Ok(())
        })?;
        as_owner(owner, || -> Result<()> {
            deleted.contents.extend(returned(&chunks, &parameters)?);
            Ok(())
        })?;
        as_log_owner(owner, || -> Result<()> {
            deleted.documents.extend(returned(&rows, &parameters)?);
            if spi::query_bool(&left, &parameters)? {
                let message = format!("rows of corpus \"{}\" were not deleted", corpus.name);
                return Err(Error::new(Kind::NotPermitted, message)
                    .detail("A trigger or a policy on one of its tables has kept them."));
            }
            Ok(())
        })?;
    }
    Ok(deleted)
}

fn run(sql: &str, parameters: &[DatumWithOid<'_>]) -> Result<u64> {
    let count = Spi::connect_mut(|client| client.update(sql, None, parameters).map(|rows| rows.len()));
    count.map(|count| count as u64).map_err(spi_error)
}

/// The first column of the rows that a statement returns.
fn returned(sql: &str, parameters: &[DatumWithOid<'_>]) -> Result<Vec<Vec<u8>>> {
    let hashes = Spi::connect_mut(|client| {
        let rows = client.update(sql, None, parameters)?;
        rows.map(|row| row.get::<Vec<u8>>(1)).collect::<pgrx::spi::Result<Vec<_>>>()
    });
    Ok(hashes.map_err(spi_error)?.into_iter().flatten().collect())
}
