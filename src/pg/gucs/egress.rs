//! The settings of the egress process: where keys are, and who is asked for addresses.
//!
//! Of superusers alone, as all that says where text may go.

use super::{resolve, text};
use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use std::ffi::CString;
use std::path::PathBuf;

static KEY_DIRECTORY: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static NAME_SERVERS: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));

/// Defines them.
pub fn define() {
    GucRegistry::define_string_guc(
        c"socle.egress_key_directory",
        c"Sets the directory of the files with keys and certificates that endpoints are registered with.",
        c"Empty by default. Read by the egress process alone, for each request; no key is kept in the database.",
        &KEY_DIRECTORY,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_string_guc(
        c"socle.egress_name_servers",
        c"Sets the name servers that the addresses of endpoints are asked of, over TCP.",
        c"Addresses with commas between them, with a port or without. Empty by default, for those of /etc/resolv.conf.",
        &NAME_SERVERS,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
}

/// `socle.egress_key_directory`; empty for none. A relative path is relative to the data directory.
pub fn egress_key_directory() -> PathBuf {
    resolve(&KEY_DIRECTORY)
}

/// `socle.egress_name_servers`.
pub fn egress_name_servers() -> String {
    text(&NAME_SERVERS).unwrap_or_default()
}
