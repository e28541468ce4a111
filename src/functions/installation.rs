//! Checks that the install script makes before it creates anything.

use crate::pg::database;
use crate::pg::error::{report, spi};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::{Error, Kind, Result};

const VECTOR_TYPE: &str = include_str!("../../sql/model/is_pgvector_type.sql");

/// Raises an error unless socle works in this database. Called by the install script.
#[pg_extern(sql = false)]
fn check_installation() -> Result<(), ErrorReport> {
    check_encoding().and_then(|()| check_vector()).map_err(report)
}

/// Requires UTF8: offsets count characters, and tokenizers read UTF-8.
fn check_encoding() -> Result<()> {
    let Some(name) = database::other_encoding() else { return Ok(()) };
    Err(Error::new(Kind::NotSupported, format!("socle needs a database with encoding UTF8, not {name}"))
        .hint("Create a database with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0."))
}

/// The script names the type `vector` without its schema: another schema may have a type of that name.
fn check_vector() -> Result<()> {
    let is_pgvector = Spi::get_one::<bool>(VECTOR_TYPE).map_err(spi)?.unwrap_or_default();
    if is_pgvector {
        return Ok(());
    }
    Err(Error::new(Kind::NotSupported, "the type \"vector\" is not that of the extension \"vector\"")
        .detail("Another type of that name precedes it in the search path.")
        .hint("Create the extension with a search_path that holds only the schema of pgvector."))
}
