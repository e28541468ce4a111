//! Relations by their OIDs: locks, names, what `pg_class` says of them. All of this is called inside a transaction,
//! which holds the locks, unless it says otherwise.

use pgrx::pg_sys;
use std::ffi::{CStr, CString, c_char};

/// The relation of that name, locked in ACCESS SHARE mode; an invalid OID when there is none.
pub fn find_and_lock(schema: &str, name: &str) -> pg_sys::Oid {
    let copied = |text: &str| CString::new(text).unwrap_or_default();
    let (schema, name) = (copied(schema), copied(name));
    let (lock, missing) = (pg_sys::AccessShareLock.cast_signed(), pg_sys::RVROption::RVR_MISSING_OK);
    // SAFETY: both names are copied before they are dropped, and a name without privileges gives nothing but a lock that
    // every reader takes.
    unsafe {
        let range = pg_sys::makeRangeVar(pg_sys::pstrdup(schema.as_ptr()), pg_sys::pstrdup(name.as_ptr()), -1);
        pg_sys::RangeVarGetRelidExtended(range, lock, missing, None, std::ptr::null_mut())
    }
}

/// Whether it is an ordinary or a partitioned table.
pub fn is_table(relation: pg_sys::Oid) -> bool {
    // SAFETY: a catalog lookup inside a transaction.
    b"rp".contains(&unsafe { pg_sys::get_rel_relkind(relation) }.cast_unsigned())
}

/// Takes the lock that every insert takes.
pub fn lock_for_insert(relation: pg_sys::Oid) {
    // SAFETY: inside a transaction.
    unsafe { pg_sys::LockRelationOid(relation, pg_sys::RowExclusiveLock.cast_signed()) };
}

/// Takes a lock that each lock for an insert waits for, and readers do not.
pub fn lock_against_inserts(relation: pg_sys::Oid) {
    // SAFETY: inside a transaction.
    unsafe { pg_sys::LockRelationOid(relation, pg_sys::ShareRowExclusiveLock.cast_signed()) };
}

/// Locks a relation in ACCESS EXCLUSIVE mode, or returns false at once when another session holds a conflicting lock.
pub fn try_lock_exclusively(relation: pg_sys::Oid) -> bool {
    // SAFETY: inside a transaction.
    unsafe { pg_sys::ConditionalLockRelationOid(relation, pg_sys::AccessExclusiveLock.cast_signed()) }
}

/// A lock in ACCESS SHARE mode that outlives its transaction, until it is released or a transaction fails.
#[derive(Debug)]
pub struct SessionLock(pg_sys::LockRelId);

impl SessionLock {
    const MODE: pg_sys::LOCKMODE = pg_sys::AccessShareLock as pg_sys::LOCKMODE;

    /// Takes the lock on a relation of this database.
    pub fn take(relation: pg_sys::Oid) -> Self {
        let mut locked = pg_sys::LockRelId { relId: relation, dbId: super::backend::my_database() };
        // SAFETY: inside a transaction; the structure outlives the call.
        unsafe { pg_sys::LockRelationIdForSession(&mut locked, Self::MODE) };
        Self(locked)
    }

    /// Releases the lock, inside a transaction or not. Where a transaction has failed since, there is a warning.
    pub fn release(mut self) {
        // SAFETY: the structure outlives the call.
        unsafe { pg_sys::UnlockRelationIdForSession(&mut self.0, Self::MODE) };
    }
}

/// The owner, with all changes that have been committed by now; `None` when the relation was dropped.
pub fn current_owner(relation: pg_sys::Oid) -> Option<pg_sys::Oid> {
    // SAFETY: inside a transaction.
    unsafe { pg_sys::AcceptInvalidationMessages() };
    class(relation, |class| class.relowner)
}

/// The number of rows by the last ANALYZE; 0 when there was none, or the relation does not exist.
pub fn estimated_rows(relation: pg_sys::Oid) -> u64 {
    class(relation, |class| class.reltuples.max(0.0) as u64).unwrap_or_default()
}

fn class<T>(relation: pg_sys::Oid, read: impl FnOnce(&pg_sys::FormData_pg_class) -> T) -> Option<T> {
    // SAFETY: a catalog lookup inside a transaction; the row is read before it is released.
    unsafe {
        let row = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::RELOID as i32, relation.into());
        if row.is_null() {
            return None;
        }
        let found = read(&*pg_sys::GETSTRUCT(row).cast::<pg_sys::FormData_pg_class>());
        pg_sys::ReleaseSysCache(row);
        Some(found)
    }
}

/// The name of a column. Raises an error when there is none.
pub fn column_name(relation: pg_sys::Oid, number: i16) -> String {
    // SAFETY: a catalog lookup inside a transaction, which returns a C string or raises an error.
    unsafe { CStr::from_ptr(pg_sys::get_attname(relation, number, false)) }.to_string_lossy().into_owned()
}

/// Base type, typmod and collation of a column, with domains resolved.
pub fn base_type(relation: pg_sys::Oid, number: i16) -> (pg_sys::Oid, i32, pg_sys::Oid) {
    let (mut type_oid, mut length, mut collation) = (pg_sys::InvalidOid, -1, pg_sys::InvalidOid);
    // SAFETY: catalog lookups inside a transaction, which raise an error for a column that does not exist.
    unsafe {
        pg_sys::get_atttypetypmodcoll(relation, number, &mut type_oid, &mut length, &mut collation);
        let base = pg_sys::getBaseTypeAndTypmod(type_oid, &mut length);
        (base, length, collation)
    }
}

/// Makes a table depend on the extension, so that both are dropped together. Unlike a member of the extension it is
/// dumped.
pub fn depend_on_extension(table: pg_sys::Oid) {
    let of = |class: pg_sys::Oid, object: pg_sys::Oid| pg_sys::ObjectAddress {
        classId: class,
        objectId: object,
        objectSubId: 0,
    };
    let (relation, class) = (pg_sys::RelationRelationId, pg_sys::ExtensionRelationId);
    let automatic = pg_sys::DependencyType::DEPENDENCY_AUTO;
    // SAFETY: catalog lookups and changes inside a transaction. The function runs inside the extension, which exists.
    unsafe {
        let extension = pg_sys::get_extension_oid(c"socle".as_ptr(), true);
        pg_sys::deleteDependencyRecordsForClass(relation, table, class, automatic as c_char);
        pg_sys::recordDependencyOn(&of(relation, table), &of(class, extension), automatic);
    }
}
