//! Why the ledger cannot be written or read.

use std::io;
use std::path::Path;

/// What is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// The file is not what was written: nothing is appended until somebody has looked at it. Otherwise another attempt may help.
    pub is_damage: bool,
    /// There was no room.
    pub is_full: bool,
    /// A sentence without a full stop; it has no content of an entry.
    pub reason: String,
}

impl Fault {
    /// Of a file that is not what was written.
    pub fn damage(reason: impl Into<String>) -> Self {
        Self { is_damage: true, is_full: false, reason: reason.into() }
    }

    /// Of an entry that cannot be one.
    pub fn refusal(reason: impl Into<String>) -> Self {
        Self { is_damage: false, is_full: false, reason: reason.into() }
    }

    /// Of an operation on a file.
    pub fn of_file(what: &str, path: &Path, error: &io::Error) -> Self {
        let is_full = matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        );
        Self { is_damage: false, is_full, reason: format!("could not {what} \"{}\": {error}", path.display()) }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Fault {}
