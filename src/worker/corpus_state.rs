//! What workers record about a corpus for its status.

use super::transaction::{WorkerError, transaction};
use crate::capture;
use crate::catalog::CorpusSpec;
use crate::pg::spi;
use pgrx::pg_sys;

const NOTE_TROUBLE: &str = include_str!("../../sql/sync/note_trouble.sql");

/// Records why a corpus is not worked on, for its status; not for another one that has its name by now.
///
/// # Errors
/// Whatever Postgres raises.
pub fn set_reason(name: &str, change: u32, reason: Option<&str>, broken: bool) -> Result<(), WorkerError> {
    transaction(|| {
        spi::run(NOTE_TROUBLE, &[name.into(), reason.into(), broken.into(), pg_sys::Oid::from(change).into()])?;
        if broken && let Some(change) = CorpusSpec::try_find(name)?.and_then(|corpus| corpus.tables.change) {
            capture::invalidate(change.into());
        }
        Ok(())
    })
}
