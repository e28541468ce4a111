//! Checks that extension and library are of one version. They are not between an update of the files and ALTER
//! EXTENSION UPDATE, nor in sessions that have loaded the library before.

use super::backend;
use pgrx::FromDatum;
use pgrx::pg_sys;
use socle_core::{Error, Kind, Result};

/// The version of this library.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Raises an error unless the extension of this database is of the version of this library.
///
/// # Errors
/// `OtherVersion`, with a hint what to do.
pub fn require_own_version() -> Result<()> {
    match installed_version() {
        Some(installed) if installed != VERSION => Err(other_version(&installed)),
        _ => Ok(()),
    }
}

/// Whether the extension is installed in the version of this library.
pub fn is_of_own_version() -> bool {
    installed_version().is_some_and(|installed| installed == VERSION)
}

/// Whether the current command is one of the script that creates or updates the extension.
pub fn is_under_way() -> bool {
    // SAFETY: reads variables of this process; a catalog lookup inside a transaction.
    unsafe {
        pg_sys::creating_extension
            && pg_sys::CurrentExtensionObject == pg_sys::get_extension_oid(c"socle".as_ptr(), true)
    }
}

fn other_version(installed: &str) -> Error {
    let message = format!("extension socle is at version {installed}, its library at {VERSION}");
    let hint = if number(installed) < number(VERSION) {
        "Call ALTER EXTENSION socle UPDATE in this database."
    } else if backend::is_preloaded() {
        "Restart the server: it still uses the library that it was started with."
    } else {
        "Reconnect: this session loaded the library before the update."
    };
    Error::new(Kind::OtherVersion, message).hint(hint)
}

/// A version as numbers that can be compared.
fn number(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap_or_default()).collect()
}

/// The version in `pg_extension`; `None` when the extension is not installed. Looked up each time, which takes a few
/// microseconds: there is no invalidation message when it changes.
fn installed_version() -> Option<String> {
    // SAFETY: an index scan of a catalog inside a transaction; the row lives until the scan ends, and the text is copied.
    unsafe {
        let lock = pg_sys::AccessShareLock.cast_signed();
        let relation = pg_sys::table_open(pg_sys::ExtensionRelationId, lock);
        let mut key = pg_sys::ScanKeyData::default();
        pg_sys::ScanKeyInit(
            &raw mut key,
            pg_sys::Anum_pg_extension_extname as pg_sys::AttrNumber,
            pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
            pg_sys::F_NAMEEQ.into(),
            pg_sys::Datum::from(c"socle".as_ptr()),
        );
        let index = pg_sys::ExtensionNameIndexId.into();
        let scan = pg_sys::systable_beginscan(relation, index, true, std::ptr::null_mut(), 1, &raw mut key);
        let row = pg_sys::systable_getnext(scan);
        let version = (!row.is_null()).then(|| {
            let column = std::num::NonZeroUsize::new(pg_sys::Anum_pg_extension_extversion as usize)?;
            let value = pgrx::htup::heap_getattr_raw(row, column, (*relation).rd_att)?;
            String::from_datum(value, false)
        });
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(relation, lock);
        version.flatten()
    }
}
