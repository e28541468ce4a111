//! What a role may do with an object, as PostgreSQL checks it. Called inside a transaction.

use super::run_as;
use super::version::schema_usage;
use pgrx::pg_sys;
use std::ffi::{CString, c_char};

/// Whether a role has USAGE on a schema.
pub fn may_use_schema(schema: pg_sys::Oid, role: pg_sys::Oid) -> bool {
    schema_usage(schema, role) == pg_sys::AclResult::ACLCHECK_OK
}

/// Whether a role may insert into a table.
pub fn may_insert(table: pg_sys::Oid, role: pg_sys::Oid) -> bool {
    let right = pg_sys::ACL_INSERT as pg_sys::AclMode;
    // SAFETY: a catalog lookup inside a transaction.
    unsafe { pg_sys::pg_class_aclcheck(table, role, right) == pg_sys::AclResult::ACLCHECK_OK }
}

/// Whether the current user may read a large object. False for one that does not exist.
pub fn may_read_large_object(object: pg_sys::Oid) -> bool {
    let (user, right) = (run_as::current_user(), pg_sys::ACL_SELECT as pg_sys::AclMode);
    // SAFETY: a catalog lookup inside a transaction. A null snapshot stands for a catalog snapshot.
    let answer = unsafe { pg_sys::pg_largeobject_aclcheck_snapshot(object, user, right, std::ptr::null_mut()) };
    answer == pg_sys::AclResult::ACLCHECK_OK
}

/// Raises the error of Postgres unless the current user may read these columns of a relation, which must exist.
pub fn require_select<'a>(relation: pg_sys::Oid, columns: impl Iterator<Item = &'a str>) {
    // SAFETY: catalog lookups inside a transaction; aclcheck_error copies the names.
    unsafe {
        let schema = pg_sys::get_rel_namespace(relation);
        let usage = schema_usage(schema, run_as::current_user());
        if usage != pg_sys::AclResult::ACLCHECK_OK {
            let name: *const c_char = pg_sys::get_namespace_name(schema);
            pg_sys::aclcheck_error(usage, pg_sys::ObjectType::OBJECT_SCHEMA, name);
        }
        if !may_select(relation, columns) {
            let name: *const c_char = pg_sys::get_rel_name(relation);
            pg_sys::aclcheck_error(pg_sys::AclResult::ACLCHECK_NO_PRIV, pg_sys::ObjectType::OBJECT_TABLE, name);
        }
    }
}

/// Whether the current user may use the schema of a relation, which must exist, and read these columns of it.
pub fn may_select<'a>(relation: pg_sys::Oid, mut columns: impl Iterator<Item = &'a str>) -> bool {
    let (user, right) = (run_as::current_user(), pg_sys::ACL_SELECT as pg_sys::AclMode);
    // SAFETY: catalog lookups inside a transaction.
    unsafe {
        if schema_usage(pg_sys::get_rel_namespace(relation), user) != pg_sys::AclResult::ACLCHECK_OK {
            return false;
        }
        if pg_sys::pg_class_aclcheck(relation, user, right) == pg_sys::AclResult::ACLCHECK_OK {
            return true;
        }
        columns.all(|column| {
            let name = CString::new(column).unwrap_or_default();
            let number = pg_sys::get_attnum(relation, name.as_ptr());
            number != 0
                && pg_sys::pg_attribute_aclcheck(relation, number, user, right) == pg_sys::AclResult::ACLCHECK_OK
        })
    }
}
