//! Reads of socle's own tables by functions that change nothing.
//!
//! Not through pgrx's `select`: once the transaction has written, pgrx has SPI begin a new command for it, which is an
//! error below a parallel plan ("cannot start commands during a parallel operation"). Here SPI always reads only, with
//! the snapshot of the statement that called. Writes nothing, and raises what a damaged installation raises. The session
//! may have any search_path: statements name the schema of everything in them, operators included.

use crate::error::spi;
use pgrx::pg_sys;
use pgrx::prelude::*;
use socle_core::{Error, Kind, Result};
use std::cell::Cell;
use std::ffi::{CStr, CString, c_long};

/// A statement that reads one column of text, with texts as its parameters; planned once in each session.
#[derive(Debug)]
pub struct Lookup {
    statement: &'static str,
    plan: Cell<pg_sys::SPIPlanPtr>,
}

impl Lookup {
    /// A lookup that has not been planned.
    pub const fn new(statement: &'static str) -> Self {
        Self { statement, plan: Cell::new(std::ptr::null_mut()) }
    }

    /// At most `limit` rows; NULL becomes the empty text.
    ///
    /// # Errors
    /// `Bug` when SPI refuses the statement.
    pub fn rows(&self, parameters: &[&str], limit: c_long) -> Result<Vec<String>> {
        Spi::connect(|_| {
            let plan = self.plan(parameters.len())?;
            let mut values: Vec<pg_sys::Datum> = parameters.iter().filter_map(|text| text.into_datum()).collect();
            // SAFETY: the plan takes as many texts as there are values, which live in SPI's memory until it is left;
            // a null pointer instead of flags says that none is NULL.
            let status = unsafe { pg_sys::SPI_execute_plan(plan, values.as_mut_ptr(), std::ptr::null(), true, limit) };
            Spi::check_status(status).map_err(spi)?;
            // SAFETY: a SELECT has just succeeded, so that SPI_tuptable holds its result: `numvals` tuples of at least
            // one column. SPI_getvalue returns NULL or a C string in SPI's memory.
            unsafe {
                let table = &*pg_sys::SPI_tuptable;
                let tuples = std::slice::from_raw_parts(table.vals, usize::try_from(table.numvals).unwrap_or_default());
                let text = |tuple: &pg_sys::HeapTuple| match pg_sys::SPI_getvalue(*tuple, table.tupdesc, 1) {
                    null if null.is_null() => String::new(),
                    text => CStr::from_ptr(text).to_string_lossy().into_owned(),
                };
                Ok(tuples.iter().map(text).collect())
            }
        })
    }

    /// The plan, made at the first call. SPI has to be connected.
    fn plan(&self, parameter_count: usize) -> Result<pg_sys::SPIPlanPtr> {
        if self.plan.get().is_null() {
            let refused = |detail: String| Error::new(Kind::Bug, "could not plan a lookup").detail(detail);
            let statement = CString::new(self.statement).map_err(|error| refused(error.to_string()))?;
            let mut types = vec![pg_sys::TEXTOID; parameter_count];
            // SAFETY: SPI is connected; statement and types are what the function reads. A plan that is kept lives as
            // long as the session, and is made anew by Postgres when what it depends on changes.
            let plan = unsafe {
                let plan = pg_sys::SPI_prepare(statement.as_ptr(), parameter_count as i32, types.as_mut_ptr());
                if plan.is_null() {
                    let code = pg_sys::SPI_result;
                    return Err(refused(format!("SPI_prepare gave {code}.")));
                }
                pg_sys::SPI_keepplan(plan);
                plan
            };
            self.plan.set(plan);
        }
        Ok(self.plan.get())
    }
}
