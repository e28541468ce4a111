//! The launcher: looks through the databases once, after the start of a server that preloads socle and after promotion,
//! and has a sync worker look into each. It connects to shared catalogs only, and exits.

use super::wake;
use crate::pg::version::set_signal_handler;
use pgrx::prelude::*;

unsafe extern "C-unwind" {
    // A signal handler of Postgres. Through `pg_sys` it would run inside pgrx's guard, which is not for signal handlers.
    fn die(signal: i32);
}

/// `pg_database.datconnlimit` of a database whose removal was interrupted (pg_database.h).
const INVALID_DATABASE: i32 = -2;

/// Entry point of the launcher process.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn socle_launcher_main(_argument: pg_sys::Datum) {
    // SAFETY: the start of a background worker, as Postgres's own do it: handlers, signals, connection.
    unsafe {
        set_signal_handler(libc::SIGTERM, die);
        pg_sys::BackgroundWorkerUnblockSignals();
        pg_sys::BackgroundWorkerInitializeConnectionByOid(pg_sys::InvalidOid, pg_sys::InvalidOid, 0);
    }
    for database in databases() {
        wake::database(database);
    }
    // SAFETY: ends this process the way Postgres processes end.
    unsafe { pg_sys::proc_exit(0) };
}

/// Databases that allow connections and are no templates, as the launcher of autovacuum reads them (autovacuum.c).
fn databases() -> Vec<pg_sys::Oid> {
    let mut databases = Vec::new();
    // SAFETY: a transaction around a scan of a shared catalog; a tuple lives until the next one is fetched, and begins with
    // the columns of FormData_pg_database, which are not null.
    unsafe {
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
