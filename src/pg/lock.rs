//! Locks of socle's own: which worker does what for a corpus. Advisory locks anybody can take; these only C code can, as no
//! SQL locks a part of an object. In `pg_locks` they are of type `object`, with `pg_extension` as the class, the change log of
//! the corpus as the object, and what they are for as its part.
//!
//! They are of the method that advisory locks have: one of a session outlives a transaction that fails.

use super::backend::my_database;
use pgrx::pg_sys;

/// What is done by one worker at a time; the number is the part of the object that is locked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u16)]
pub enum Purpose {
    /// Claiming documents.
    Claim = 0x50c1,
    /// Building the vector index.
    VectorIndex = 0x50c2,
    /// Completing or merging the keyword index.
    KeywordIndex = 0x50c3,
    /// Being a worker whose leases hold. The object is a number that the worker has thrown dice for, and no change log: leases
    /// end with the worker, also where its process id lives again, in a container or on a standby that was promoted.
    Life = 0x50c4,
}

/// How long a lock is held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Until {
    /// The transaction ends.
    TransactionEnd,
    /// It is returned, or the process ends.
    Returned,
}

const EXCLUSIVE: pg_sys::LOCKMODE = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;

/// Takes the lock for the corpus with this change log, if it is free.
pub fn take(purpose: Purpose, change: pg_sys::Oid, until: Until) -> bool {
    let tag = tag(purpose, change);
    // SAFETY: a transaction is under way, and the tag outlives the call.
    let result = unsafe { pg_sys::LockAcquire(&raw const tag, EXCLUSIVE, until == Until::Returned, true) };
    result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}

/// Returns a lock that was taken [`Until::Returned`].
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
