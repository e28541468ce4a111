//! Read-only statements of functions that change nothing: planned once in each session, run in the snapshot of the
//! calling statement.
//!
//! Not through pgrx's `select`: once the transaction has written, pgrx has SPI begin a new command for it, which is an
//! error below a parallel plan ("cannot start commands during a parallel operation"). Here SPI is always read-only.

use super::error::spi;
use super::gucs;
use super::jsonb_key::Key;
use super::value;
use super::vector::Values;
use pgrx::PgMemoryContexts;
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use pgrx::prelude::*;
use socle_core::{Error, Kind, Result};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_long};

/// Most plans of one session; a further one discards all of them.
const MAX_PLANS: usize = 200;

/// By user, as row security is part of a plan, by search path, as Postgres replans where that differs, by text, and by
/// the types of the parameters: a plan reads as many values as it was made for, used in the text or not, and a table of
/// the same name may have columns of other types.
type Plans = HashMap<(pg_sys::Oid, CString, String, Vec<pg_sys::Oid>), pg_sys::SPIPlanPtr>;

thread_local! {
    static PLANS: RefCell<Plans> = RefCell::default();
    static STALE: Cell<bool> = const { Cell::new(false) };
    static FOLLOWED: Cell<bool> = const { Cell::new(false) };
    /// Nesting depth of running statements: a policy may call a function that reads.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Caches of roles and of their memberships: row security depends on both, and minor releases before August 2026 keep
/// plans when they change (CVE-2026-14666).
const ROLES: [pg_sys::SysCacheIdentifier::Type; 2] =
    [pg_sys::SysCacheIdentifier::AUTHOID, pg_sys::SysCacheIdentifier::AUTHMEMMEMROLE];

#[pg_guard]
unsafe extern "C-unwind" fn roles_changed(_argument: pg_sys::Datum, _cache: i32, _hash: u32) {
    STALE.set(true);
}

/// Discards all plans once a role has changed.
fn follow_roles() {
    if !FOLLOWED.replace(true) {
        for cache in ROLES {
            // SAFETY: the callback lives as long as the process.
            unsafe {
                pg_sys::CacheRegisterSyscacheCallback(cache as i32, Some(roles_changed), pg_sys::Datum::null());
            }
        }
    }
    if STALE.replace(false) {
        forget(&mut PLANS.take());
    }
}

/// Frees plans, unless one of them may be running.
fn forget(plans: &mut Plans) {
    for (_, plan) in plans.drain() {
        if DEPTH.get() == 1 {
            // SAFETY: no other statement is running than the one that is about to begin.
            unsafe { pg_sys::SPI_freeplan(plan) };
        }
    }
}

/// A running statement, counted in `DEPTH`.
struct Running;

impl Running {
    fn begin() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// One row of a result.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    tuple: pg_sys::HeapTuple,
    description: pg_sys::TupleDesc,
}

impl Row {
    /// A column, counted from 1; `None` for NULL. Raises an error when the column is not of that type: tables of a corpus
    /// belong to users, who may have changed them.
    pub fn get<T: FromDatum + IntoDatum>(&self, column: i32) -> Option<T> {
        let (datum, type_oid) = self.datum(column);
        if !T::is_compatible_with(type_oid) {
            let error =
                Error::new(Kind::NotInState, "a column of a table of socle has another type than socle gave it");
            super::error::report(error).report(PgLogLevel::ERROR);
        }
        // SAFETY: SPI holds the row and its description until the closure of `rows` has returned, and what is made of
        // the datum here is copied or stays within that closure. Its type was checked above.
        datum.and_then(|datum| unsafe { T::from_polymorphic_datum(datum, false, type_oid) })
    }

    /// A column of any type as text; `None` for NULL. Trailing blanks of a `char(n)` are removed.
    pub fn text(&self, column: i32) -> Option<String> {
        let (datum, type_oid) = self.datum(column);
        // SAFETY: the value is of the type of its column.
        let text = datum.map(|datum| unsafe { value::text(datum, type_oid) })?;
        let padded = value::base_type(type_oid) == pg_sys::BPCHAROID;
        Some(if padded { text.trim_end_matches(' ').to_string() } else { text })
    }

    /// A column of any type as JSON; `None` for NULL.
    pub fn json(&self, column: i32) -> Option<Key> {
        let (datum, type_oid) = self.datum(column);
        // SAFETY: the value is of the type of its column.
        datum.map(|datum| Key(unsafe { value::json(datum, type_oid) }))
    }

    /// A column with a vector; empty for NULL.
    pub fn vector(&self, column: i32) -> Vec<f32> {
        let (datum, type_oid) = self.datum(column);
        // SAFETY: a catalog lookup inside a transaction.
        let is_varlena = unsafe { pg_sys::get_typlen(type_oid) } == -1;
        // SAFETY: as above; a varlena is read within the length in its header.
        let values = datum.filter(|_| is_varlena).and_then(|datum| unsafe { Values::from_datum(datum, false) });
        values.unwrap_or_default().0
    }

    /// What `read` makes of a value of type `bytea`, which it gets unless that has more than `most` bytes or another type;
    /// `None` for NULL. The value is freed at once: there may be many.
    pub fn with_bytes<T>(&self, column: i32, most: usize, read: impl FnOnce(Option<&[u8]>) -> T) -> Option<T> {
        let (datum, type_oid) = self.datum(column);
        let datum = datum?;
        // SAFETY: the value is a varlena, as its type says, and lives as long as the row. A copy of it is made by this
        // function alone, and is freed when `read` has returned.
        unsafe {
            if type_oid != pg_sys::BYTEAOID || pg_sys::toast_raw_datum_size(datum) > most + pg_sys::VARHDRSZ {
                return Some(read(None));
            }
            let stored: *mut pg_sys::varlena = datum.cast_mut_ptr();
            let value = pg_sys::pg_detoast_datum_packed(stored);
            let made = read(Some(pgrx::varlena::varlena_to_byte_slice(value)));
            if value != stored {
                pg_sys::pfree(value.cast());
            }
            Some(made)
        }
    }

    /// The key whose columns, named `columns`, begin with column `first`.
    pub fn key(&self, first: i32, columns: &[String]) -> Key {
        value::key(
            columns,
            (first..).map(|column| {
                let (datum, type_oid) = self.datum(column);
                // SAFETY: the value is of the type of its column.
                datum.map(|datum| unsafe { value::json(datum, type_oid) })
            }),
        )
    }

    /// A value and its type; a missing column is NULL.
    fn datum(&self, column: i32) -> (Option<pg_sys::Datum>, pg_sys::Oid) {
        let mut null = false;
        // SAFETY: as above.
        unsafe {
            let datum = pg_sys::SPI_getbinval(self.tuple, self.description, column, &mut null);
            ((!null).then_some(datum), pg_sys::SPI_gettypeid(self.description, column))
        }
    }
}

/// When a statement is planned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PlanMode {
    /// As Postgres chooses for a repeated statement, which is once in the long run.
    Generic,
    /// Each time, for the values of its parameters.
    Custom,
}

/// Like [`planned_rows`], planned as [`PlanMode::Generic`].
///
/// # Errors
/// Those of [`planned_rows`].
pub fn rows<T>(
    sql: &str,
    parameters: &[DatumWithOid<'_>],
    limit: c_long,
    read: impl FnMut(Row) -> T,
) -> Result<Vec<T>> {
    planned_rows(sql, parameters, limit, PlanMode::Generic, read)
}

/// At most `limit` rows (0: all), each converted by `read`.
///
/// # Errors
/// `Bug` when SPI refuses the statement. What the statement itself raises is raised.
pub fn planned_rows<T>(
    sql: &str,
    parameters: &[DatumWithOid<'_>],
    limit: c_long,
    planned: PlanMode,
    mut read: impl FnMut(Row) -> T,
) -> Result<Vec<T>> {
    Spi::connect(|_| {
        let _running = Running::begin();
        let plan = plan(sql, parameters, planned)?;
        let mut values: Vec<pg_sys::Datum> = Vec::with_capacity(parameters.len());
        let mut nulls: Vec<std::ffi::c_char> = Vec::with_capacity(parameters.len());
        for parameter in parameters {
            let datum = parameter.datum();
            nulls.push(if datum.is_some() { b' ' } else { b'n' }.cast_signed());
            values.push(datum.map_or(pg_sys::Datum::null(), |datum| datum.sans_lifetime()));
        }
        // SAFETY: the plan takes as many values of these types, which live as long as `parameters`.
        let status = unsafe { pg_sys::SPI_execute_plan(plan, values.as_mut_ptr(), nulls.as_ptr(), true, limit) };
        Spi::check_status(status).map_err(spi)?;
        // SAFETY: a SELECT has just succeeded, so that SPI_tuptable holds its result, `numvals` rows.
        let (tuples, description) = unsafe {
            let table = &*pg_sys::SPI_tuptable;
            let count = usize::try_from(table.numvals).unwrap_or_default();
            let tuples = if count == 0 { &[] } else { std::slice::from_raw_parts(table.vals, count) };
            (tuples, table.tupdesc)
        };
        let rows = tuples.iter().map(|tuple| read(Row { tuple: *tuple, description }));
        // A key is read again: it must be the one of its row.
        Ok(gucs::with_all_digits(|| rows.collect()))
    })
}

/// Runs `work` in a memory context of its own, which is freed afterwards: for what is done many times in one call.
pub fn in_own_memory_context<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: the context lives as long as the closure, and what the closure returns is in memory of Rust.
    unsafe { PgMemoryContexts::new("socle").switch_to(|_| work()) }
}

/// The plan of a statement for the current user. SPI has to be connected.
fn plan(sql: &str, parameters: &[DatumWithOid<'_>], planned: PlanMode) -> Result<pg_sys::SPIPlanPtr> {
    follow_roles();
    // SAFETY: reads variables of this process; the search path is a setting, which always has a text.
    let (user, path) = unsafe { (pg_sys::GetUserId(), CStr::from_ptr(pg_sys::namespace_search_path)) };
    let mut types: Vec<pg_sys::Oid> = parameters.iter().map(DatumWithOid::oid).collect();
    let key = (user, path.to_owned(), sql.to_string(), types.clone());
    if let Some(plan) = PLANS.with_borrow(|plans| plans.get(&key).copied()) {
        return Ok(plan);
    }
    let refused = |detail: String| Error::new(Kind::Bug, "could not plan a statement").detail(detail);
    let statement = CString::new(sql).map_err(|error| refused(error.to_string()))?;
    let options = if planned == PlanMode::Custom { pg_sys::CURSOR_OPT_CUSTOM_PLAN.cast_signed() } else { 0 };
    // SAFETY: SPI is connected; statement and types are what the function reads. A plan that is kept lives until it is
    // freed, and is rebuilt by Postgres when what it depends on changes.
    let plan = unsafe {
        let plan = pg_sys::SPI_prepare_cursor(statement.as_ptr(), types.len() as i32, types.as_mut_ptr(), options);
        if plan.is_null() {
            return Err(refused(format!("SPI_prepare gave {}.", { pg_sys::SPI_result })));
        }
        pg_sys::SPI_keepplan(plan);
        plan
    };
    PLANS.with_borrow_mut(|plans| {
        if plans.len() >= MAX_PLANS && DEPTH.get() == 1 {
            forget(plans);
        }
        plans.insert(key, plan);
    });
    Ok(plan)
}
