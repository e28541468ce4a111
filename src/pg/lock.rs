//! Locks of socle's own: which worker does what for a corpus. Any session can take advisory locks; only C code can take
//! these, as no SQL locks a part of an object. In `pg_locks` they are of type `object`: `classid` is `pg_extension`,
//! `objid` the change log of the corpus, `objsubid` the [`Purpose`].
//!
//! They use the lock method of advisory locks: one at session level outlives a transaction that fails.

use super::backend::my_database;
use pgrx::pg_sys;

/// What one worker does at a time; the number is the `objsubid` of the lock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u16)]
pub enum Purpose {
    /// Claiming documents.
    Claim = 0x50c1,
    /// Building the vector index.
    VectorIndex = 0x50c2,
    /// Completing or merging the keyword index.
    KeywordIndex = 0x50c3,
    /// Being a worker whose leases are valid. The object is a random number of the worker, not a change log: leases end
    /// with the worker, even where its process id is in use again, in a container or on a standby that was promoted.
    Life = 0x50c4,
    /// Clearing away what is left of deleted rows.
    Residue = 0x50c5,
    /// Sending texts to an endpoint. The object is a hash of its name, not a change log.
    Endpoint = 0x50c6,
}

/// How long a lock is held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Until {
    /// The transaction ends.
    TransactionEnd,
    /// It is released, or the process ends.
    Returned,
}

const EXCLUSIVE: pg_sys::LOCKMODE = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;

/// Takes the lock for the corpus with this change log, if it is free.
pub fn take(purpose: Purpose, change: pg_sys::Oid, until: Until) -> bool {
    let tag = tag(purpose, change);
    // SAFETY: inside a transaction, and the tag outlives the call.
    let result = unsafe { pg_sys::LockAcquire(&raw const tag, EXCLUSIVE, until == Until::Returned, true) };
    result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}

/// Releases a lock that was taken [`Until::Returned`].
pub fn give_back(purpose: Purpose, change: pg_sys::Oid) {
    let tag = tag(purpose, change);
    // SAFETY: as above.
    unsafe { pg_sys::LockRelease(&raw const tag, EXCLUSIVE, true) };
}

fn tag(purpose: Purpose, change: pg_sys::Oid) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        locktag_field1: my_database().to_u32(),
        locktag_field2: pg_sys::ExtensionRelationId.to_u32(),
        locktag_field3: change.to_u32(),
        locktag_field4: purpose as u16,
        locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    }
}
