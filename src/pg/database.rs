//! Databases: those of the cluster, and the encoding of this one.

use pgrx::pg_sys;
use std::ffi::CStr;

/// `pg_database.datconnlimit` of a database whose removal was interrupted (pg_database.h).
const INVALID_DATABASE: i32 = -2;

/// Databases that allow connections and are no templates, as the launcher of autovacuum reads them (autovacuum.c). For a
/// worker in no transaction.
pub fn databases() -> Vec<pg_sys::Oid> {
    let mut databases = Vec::new();
    // SAFETY: a transaction around a scan of a shared catalog; a tuple lives until the next one is fetched, and begins with
    // the columns of FormData_pg_database, which are not null.
    unsafe {
        let may_begin = !pg_sys::MyBgworkerEntry.is_null() && !pg_sys::IsTransactionState();
        super::error::require(may_begin, "a transaction is begun inside another one");
        pg_sys::StartTransactionCommand();
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let relation = pg_sys::table_open(pg_sys::DatabaseRelationId, lock);
        let scan = pg_sys::table_beginscan_catalog(relation, 0, std::ptr::null_mut());
        loop {
            let tuple = pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
            if tuple.is_null() {
                break;
            }
            let data = (*tuple).t_data;
            let database = &*data.cast::<u8>().add(usize::from((*data).t_hoff)).cast::<pg_sys::FormData_pg_database>();
            if database.datallowconn && !database.datistemplate && database.datconnlimit != INVALID_DATABASE {
                databases.push(database.oid);
            }
        }
        pg_sys::heap_endscan(scan);
        pg_sys::table_close(relation, lock);
        pg_sys::PopActiveSnapshot();
        pg_sys::CommitTransactionCommand();
    }
    databases
}

/// The name of the encoding of this database, unless that is UTF8.
pub fn other_encoding() -> Option<String> {
    // SAFETY: a session is connected to a database; the name is a static C string.
    unsafe {
        let is_utf8 = pg_sys::GetDatabaseEncoding() == pg_sys::pg_enc::PG_UTF8 as i32;
        (!is_utf8).then(|| CStr::from_ptr(pg_sys::GetDatabaseEncodingName()).to_string_lossy().into_owned())
    }
}
