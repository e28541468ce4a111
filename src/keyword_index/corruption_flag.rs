//! The flag that a search sets for the sync worker when the keyword index is corrupted, or of another version: a search
//! changes nothing, and on corruption its transaction ends in an error.
//!
//! An empty file in the runtime directory, named after the database. On a standby it stays until the promotion. A
//! search that cannot create it leaves that to the next one.

use crate::pg::backend;
use crate::pg::error;
use crate::supervisor::wake;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;
use socle_core::protocol::RUNTIME_DIRECTORY;
use socle_core::{Kind, Result};
use std::fs::File;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};

/// Runs `work`, which reads the keyword index, and sets the flag if that is corrupted or outdated.
///
/// # Errors
/// Those of `work`.
pub fn guard<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let done = PgTryBuilder::new(AssertUnwindSafe(work))
        .catch_others(|error| {
            if let CaughtError::PostgresError(report) = &error
                && is_damage(report.sql_error_code() as i32)
            {
                set();
            }
            error.rethrow()
        })
        .execute();
    done.inspect_err(|error| {
        if matches!(error.kind, Kind::DamagedIndex | Kind::OutdatedIndex) {
            set();
        }
    })
}

/// Whether an SQLSTATE means corruption, which for a TOASTed value is an internal error (class XX).
fn is_damage(code: i32) -> bool {
    error::sqlstate_text(code).starts_with("XX")
}

/// The hint for a session that meets corruption.
pub fn hint() -> &'static str {
    if backend::is_in_recovery() {
        "Search the corpus on the primary: a segment damaged there is rebuilt and replicated. Damage on this standby alone is repaired after promotion, or by a new base backup."
    } else {
        "The sync worker rebuilds the damaged segment: retry shortly."
    }
}

/// Sets the flag.
pub fn set() {
    if File::create(path()).is_ok() {
        wake::now();
    }
}

/// Whether the flag was set; clears it.
pub fn take() -> bool {
    std::fs::remove_file(path()).is_ok()
}

fn path() -> PathBuf {
    Path::new(RUNTIME_DIRECTORY).join(format!("damaged.{}", backend::my_database().to_u32()))
}
