//! Small queries that return texts, a flag or a number, and commands.

use super::error::spi;
use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use socle_core::Result;

/// The first column of every row; NULL is left out.
///
/// # Errors
/// Those of [`run`].
pub fn query_texts(sql: &str, arguments: &[DatumWithOid<'_>]) -> Result<Vec<String>> {
    let rows = Spi::connect(|client| {
        let rows = client.select(sql, None, arguments)?;
        rows.map(|row| row.get::<String>(1)).collect::<pgrx::spi::Result<Vec<_>>>()
    });
    Ok(rows.map_err(spi)?.into_iter().flatten().collect())
}

/// The first column of the first row; `None` without a row and for NULL.
///
/// # Errors
/// Those of [`run`].
pub fn query_text(sql: &str, arguments: &[DatumWithOid<'_>]) -> Result<Option<String>> {
    Ok(query_texts(sql, arguments)?.into_iter().next())
}

/// Whether the first column of the only row is true.
///
/// # Errors
/// Those of [`run`].
pub fn query_bool(sql: &str, arguments: &[DatumWithOid<'_>]) -> Result<bool> {
    let flag = Spi::connect(|client| client.select(sql, Some(1), arguments)?.first().get_one::<bool>());
    flag.map(|flag| flag == Some(true)).map_err(spi)
}

/// Runs commands.
///
/// # Errors
/// `Bug` when SPI refuses; errors of the commands are raised.
pub fn run(sql: &str, arguments: &[DatumWithOid<'_>]) -> Result<()> {
    Spi::run_with_args(sql, arguments).map_err(spi)
}

/// The number in the only row of a query about the corpus `$1`.
///
/// # Errors
/// Those of [`run`].
pub fn query_count(sql: &str, corpus: &str) -> Result<i64> {
    let count = Spi::connect(|client| client.select(sql, Some(1), &[corpus.into()])?.first().get_one::<i64>());
    count.map(Option::unwrap_or_default).map_err(spi)
}

/// Runs one command without parameters.
///
/// # Errors
/// As [`run`].
pub fn execute(sql: &str) -> Result<()> {
    run(sql, &[])
}
