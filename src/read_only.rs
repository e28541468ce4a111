//! Reading through SPI without looking like a write.
//!
//! pgrx takes every query for a write once its transaction has an id, and Postgres then counts a command and takes the
//! transaction's snapshot. What is read here is read under the active snapshot, whatever the transaction has done.

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use socle_core::{Error, Kind, Result};
use std::ffi::{CStr, CString};

/// The text in the first column of the first row; `None` without a row and for NULL.
///
/// # Errors
/// `Bug` when SPI refuses; errors of the query are raised.
pub fn first_text(sql: &str, arguments: &[DatumWithOid<'_>]) -> Result<Option<String>> {
    let bug = |code: i32| Error::new(Kind::Bug, "could not read the tables of socle").detail(format!("SPI says {code}."));
    let sql = CString::new(sql).map_err(|_| bug(pg_sys::SPI_ERROR_ARGUMENT))?;
    let mut types: Vec<pg_sys::Oid> = arguments.iter().map(DatumWithOid::oid).collect();
    let mut values: Vec<pg_sys::Datum> =
        arguments.iter().map(|argument| argument.datum().map_or(pg_sys::Datum::null(), |datum| datum.sans_lifetime())).collect();
    let nulls: Vec<std::ffi::c_char> =
        arguments.iter().map(|argument| if argument.datum().is_some() { b' ' } else { b'n' }.cast_signed()).collect();
    let count = i32::try_from(arguments.len()).unwrap_or(i32::MAX);
    // SAFETY: a transaction with a snapshot is under way; the arrays have as many entries as `count` says; the result is
    // copied before SPI_finish frees it. An error on the way ends the (sub)transaction, and SPI's part of it.
    unsafe {
        pg_sys::SPI_connect();
        let code = pg_sys::SPI_execute_with_args(
            sql.as_ptr(),
            count,
            types.as_mut_ptr(),
            values.as_mut_ptr(),
            nulls.as_ptr(),
            true,
            1,
        );
        let mut text = None;
        if code == pg_sys::SPI_OK_SELECT.cast_signed() && pg_sys::SPI_processed > 0 {
            let table = &*pg_sys::SPI_tuptable;
            let value = pg_sys::SPI_getvalue(*table.vals, table.tupdesc, 1);
            if !value.is_null() {
                text = Some(CStr::from_ptr(value).to_string_lossy().into_owned());
            }
        }
        pg_sys::SPI_finish();
        if code == pg_sys::SPI_OK_SELECT.cast_signed() { Ok(text) } else { Err(bug(code)) }
    }
}
