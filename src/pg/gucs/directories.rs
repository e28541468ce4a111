//! The directories of the server that functions may read and write, which superusers name.

use super::text;
use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use std::ffi::CString;
use std::path::PathBuf;

static IMPORT_DIRECTORIES: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static EXPORT_DIRECTORIES: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));

/// Defines the settings.
pub fn define() {
    GucRegistry::define_string_guc(
        c"socle.import_directories",
        c"Sets the directories that socle.import_directory and socle.import_corpus may read, separated by commas.",
        c"Empty by default: no file of the server is read until a superuser names its directory.",
        &IMPORT_DIRECTORIES,
        GucContext::Suset,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_string_guc(
        c"socle.export_directories",
        c"Sets the directories that socle.export_corpus may write below, separated by commas.",
        c"Empty by default: no file of the server is written until a superuser names a directory for it.",
        &EXPORT_DIRECTORIES,
        GucContext::Suset,
        GucFlags::SUPERUSER_ONLY,
    );
}

/// The directories in `socle.import_directories`.
pub fn import_directories() -> Vec<PathBuf> {
    paths(&IMPORT_DIRECTORIES)
}

/// The directories in `socle.export_directories`.
pub fn export_directories() -> Vec<PathBuf> {
    paths(&EXPORT_DIRECTORIES)
}

fn paths(setting: &GucSetting<Option<CString>>) -> Vec<PathBuf> {
    let names = text(setting).unwrap_or_default();
    names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(PathBuf::from).collect()
}
