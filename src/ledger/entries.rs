//! Reads entries for other modules: what a caller may see of the ledger, one entry after the other.

use super::{error, texts};
use crate::pg::run_as::is_superuser;
use crate::pg::{backend, privilege, relation};
use serde_json::Value;
use socle_core::Result;
use socle_core::protocol::LEDGER_DIRECTORY;
use socle_ledger::{Entry, read};
use std::path::Path;

/// The column by whose right somebody is a reader of the ledger.
const COLUMN: &str = "entry";

/// An entry that the caller may see.
#[derive(Debug)]
pub struct LedgerEntry {
    /// The chain that it is in.
    pub chain: String,
    /// Its number there.
    pub number: u64,
    /// When it was written.
    pub at: String,
    /// What has happened.
    pub kind: String,
    /// The role whose rights the session had.
    pub role: Option<String>,
    /// What the session has told.
    pub data: Value,
}

/// Raises unless the caller may read the view that shows the entries.
pub fn require_reader() {
    privilege::require_select(relation::find_and_lock("socle", "ledger"), std::iter::once(COLUMN));
}

/// Whether the caller may read a column of the view.
pub fn may_read(column: &'static str) -> bool {
    privilege::may_select(relation::find_and_lock("socle", "ledger"), std::iter::once(column))
}

/// Whether the caller may.
pub fn is_reader() -> bool {
    privilege::may_select(relation::find_and_lock("socle", "ledger"), std::iter::once(COLUMN))
}

/// Who an entry is about.
pub fn who(entry: &Entry, name: &str) -> Option<String> {
    entry.fields.get("who")?.get(name)?.as_str().map(str::to_string)
}

/// Calls `work` with each entry that the caller may see: those of this database, or all for a superuser. To be called by readers.
///
/// # Errors
/// `DamagedLedger`, `UnreadableFile`; those of `work`.
pub fn for_each(work: &mut dyn FnMut(&LedgerEntry) -> Result<()>) -> Result<()> {
    let (sees_all, database) = (is_superuser(), backend::database_name());
    for chain in read::chains(Path::new(LEDGER_DIRECTORY)).map_err(error)? {
        let origin = chain.origin.clone();
        for entry in read::Entries::from(chain, 0) {
            pgrx::check_for_interrupts!();
            let entry = entry.map_err(error)?;
            if !sees_all && who(&entry, "database").as_ref() != Some(&database) {
                continue;
            }
            let role = who(&entry, "role");
            let data = entry.fields.get("data").cloned().unwrap_or_default();
            let Entry { stamp, at, kind, .. } = entry;
            work(&LedgerEntry { chain: origin.clone(), number: stamp.number, at, kind, role, data })?;
        }
    }
    Ok(())
}

/// Erases the texts of all entries of this database that `concerns` says yes to, and returns how many there were: `socle.forget`
/// has the right to, whoever calls it.
///
/// # Errors
/// `DamagedLedger`, `UnreadableFile`.
pub fn erase_texts(concerns: &mut dyn FnMut(&Value) -> bool) -> Result<u64> {
    let (mut count, database) = (0, backend::database_name());
    for chain in read::chains(Path::new(LEDGER_DIRECTORY)).map_err(error)? {
        let origin = chain.origin.clone();
        for entry in read::Entries::from(chain, 0) {
            pgrx::check_for_interrupts!();
            let entry = entry.map_err(error)?;
            let is_own = who(&entry, "database").as_ref() == Some(&database);
            let data = entry.fields.get("data").filter(|_| is_own);
            if data.is_some_and(&mut *concerns) && texts::erase(&origin, entry.stamp.number)? {
                count += 1;
            }
        }
    }
    Ok(count)
}
