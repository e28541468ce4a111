//! Labels of tables and columns: `SECURITY LABEL FOR socle ON COLUMN … IS 'no_egress'`. PostgreSQL stores them, dumps them, and lets
//! the owner of a table alone set them. What they mean is decided where text would leave.

use super::error::report;
use pgrx::PgLogLevel;
use pgrx::pg_sys;
use pgrx::prelude::*;
use socle_core::{Error, Kind};
use std::ffi::{CStr, c_char};

/// What is labelled so leaves for no endpoint.
const NO_EGRESS: &CStr = c"no_egress";

/// Makes `socle` a provider of labels in this process.
pub fn define() {
    // SAFETY: while the library is loaded; the name is static.
    unsafe { pg_sys::register_label_provider(c"socle".as_ptr(), Some(check)) };
}

/// Refuses labels that would mean nothing.
#[pg_guard]
unsafe extern "C-unwind" fn check(object: *const pg_sys::ObjectAddress, label: *const c_char) {
    if label.is_null() {
        return;
    }
    // SAFETY: Postgres passes the object, and a text that ends with a zero byte.
    let (class, label) = unsafe { ((*object).classId, CStr::from_ptr(label)) };
    let refused = if class != pg_sys::RelationRelationId {
        Error::new(Kind::WrongRelationKind, "only tables and columns have labels of socle")
    } else if label != NO_EGRESS {
        Error::new(Kind::InvalidArgument, format!("label \"{}\" does not exist", label.to_string_lossy()))
            .hint("The one label is no_egress; NULL removes it.")
    } else {
        return;
    };
    report(refused).report(PgLogLevel::ERROR);
}
