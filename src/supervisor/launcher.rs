//! The launcher: looks through the databases once, after the start of a supervisor and after promotion, and has a sync worker
//! look into each. It connects to shared catalogs only, and exits.

use super::wake;
use crate::pg::database;
use crate::pg::worker_process::{self, Reaction};
use pgrx::prelude::*;

/// Entry point of the launcher process.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn socle_launcher_main(_argument: pg_sys::Datum) {
    worker_process::handle_signals(&[(libc::SIGTERM, Reaction::Die)]);
    worker_process::connect(pg_sys::InvalidOid);
    for database in database::databases() {
        wake::database(database);
    }
    worker_process::end();
}
