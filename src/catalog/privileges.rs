//! Checks before a search: the tables of the corpus are locked, still as socle created them, and readable by the
//! caller. All of that is checked before anything is answered, so that neither a hit nor its absence tells the caller
//! what it may not read.
//!
//! Tables are read as the caller, under its row security. A superuser, to whom that does not apply, reads as the owner
//! of the corpus: what an owner has put on its tables, such as an index on an expression, does not run with superuser
//! rights.

use super::CorpusSpec;
use crate::pg::privilege::{may_select, require_select};
use crate::pg::run_as::{self, as_log_owner, as_self};
use crate::pg::{gucs, relation, value};
use pgrx::pg_sys;
use socle_core::{Error, Kind, Result};
use std::ffi::CStr;

/// Columns of the chunk table that a search reads besides the key, with the types that socle gave them. The type of the
/// vectors is checked by [`check_vector`].
const COLUMNS: [(&str, pg_sys::Oid); 8] = [
    ("chunk_id", pg_sys::INT8OID),
    ("ordinal", pg_sys::INT4OID),
    ("content", pg_sys::TEXTOID),
    ("heading_path", pg_sys::TEXTARRAYOID),
    ("page", pg_sys::INT4OID),
    ("start_offset", pg_sys::INT4OID),
    ("end_offset", pg_sys::INT4OID),
    ("content_hash", pg_sys::BYTEAOID),
];
const VECTOR: &str = "embedding";
/// Column with the token vectors, in the corpora that store them. A search does without what the caller may not read of it.
const TOKEN_VECTORS: &str = "token_vectors";
/// Column that says what the text of a file was extracted with.
const EXTRACTOR: &str = "extractor";

/// Locks source and chunk table of a corpus until the transaction ends. The row of the corpus in the snapshot, and its
/// keyword index, must belong to these tables, whatever relations have their names by now.
///
/// # Errors
/// `SnapshotTooOld` when one of the tables is another one by now.
pub fn hold(corpus: &CorpusSpec) -> Result<()> {
    hold_source(corpus)?;
    let tables = &corpus.tables;
    hold_table(corpus, (&tables.chunk_schema, &tables.chunk_table, tables.chunk))
}

/// Like [`hold`], for the source alone.
///
/// # Errors
/// Those of [`hold`].
pub fn hold_source(corpus: &CorpusSpec) -> Result<()> {
    let tables = &corpus.tables;
    hold_table(corpus, (&tables.source_schema, &tables.source_table, tables.source))
}

fn hold_table(corpus: &CorpusSpec, (schema, table, known): (&str, &str, Option<u32>)) -> Result<()> {
    let found = relation::find_and_lock(schema, table);
    // The kind of a locked relation does not change.
    if Some(found.to_u32()) == known && relation::is_table(found) {
        return Ok(());
    }
    Err(Error::new(Kind::SnapshotTooOld, format!("corpus \"{}\" was recreated concurrently", corpus.name))
        .detail("The snapshot of this transaction still shows the former one.")
        .hint("Run the transaction again."))
}

/// Refuses a caller that may not read the chunks and every column that they, or what is shown of their documents, come
/// from. Raises the error of Postgres. The tables must be locked.
pub fn require_privileges(corpus: &CorpusSpec) {
    require_chunks(corpus);
    let source = corpus.tables.source.unwrap_or_default().into();
    let keys = corpus.tables.key_columns.iter().map(String::as_str);
    require_select(source, corpus.read_columns().into_iter().chain(corpus.options.title_column.as_deref()).chain(keys));
}

/// Like [`require_privileges`], for the chunk table alone.
pub fn require_chunks(corpus: &CorpusSpec) {
    let own = COLUMNS.iter().map(|(name, _)| *name).filter(|name| *name != "content_hash").chain([VECTOR]);
    let keys = corpus.tables.chunk_key_columns.iter().map(String::as_str);
    require_select(corpus.tables.chunk.unwrap_or_default().into(), own.chain(keys));
}

/// Whether who reads the corpus, see [`as_reader`], may read its token vectors.
pub fn may_read_token_vectors(corpus: &CorpusSpec) -> bool {
    let chunk = corpus.tables.chunk.unwrap_or_default().into();
    as_reader(corpus, || may_select(chunk, std::iter::once(TOKEN_VECTORS)))
}

/// Whether the chunk table says what its texts were extracted with: files only, and not yet one that an earlier version has
/// made.
pub fn has_extractor(corpus: &CorpusSpec) -> bool {
    let chunk = corpus.tables.chunk.unwrap_or_default().into();
    corpus.has_files() && value::column_type(chunk, EXTRACTOR) == Some(pg_sys::TEXTOID)
}

/// Whether who reads the corpus, see [`as_reader`], may read what its texts were extracted with.
pub fn may_read_extractor(corpus: &CorpusSpec) -> bool {
    let chunk = corpus.tables.chunk.unwrap_or_default().into();
    has_extractor(corpus) && as_reader(corpus, || may_select(chunk, std::iter::once(EXTRACTOR)))
}

/// Refuses a chunk table whose columns have other types than socle gave them: values would be compared through casts
/// that the owner of a type may define. The tables must be locked.
///
/// # Errors
/// `NotInState` when a column was changed.
pub fn check_types(corpus: &CorpusSpec) -> Result<()> {
    let (source, chunk) =
        (corpus.tables.source.unwrap_or_default().into(), corpus.tables.chunk.unwrap_or_default().into());
    for (column, wanted) in COLUMNS {
        if value::column_type(chunk, column) != Some(wanted) {
            return Err(changed(corpus, column));
        }
    }
    if corpus.options.token_model.is_some() && value::column_type(chunk, TOKEN_VECTORS) != Some(pg_sys::BYTEAOID) {
        return Err(changed(corpus, TOKEN_VECTORS));
    }
    for (theirs, own) in corpus.tables.key_columns.iter().zip(&corpus.tables.chunk_key_columns) {
        let types = (value::column_type(source, theirs), value::column_type(chunk, own));
        let (Some(theirs), Some(ours)) = types else { return Err(changed(corpus, own)) };
        let built_in = value::is_built_in(theirs) && value::is_built_in(ours);
        if !built_in && value::base_type(theirs) != value::base_type(ours) {
            return Err(changed(corpus, own));
        }
    }
    Ok(())
}

/// The error for a chunk table whose `column` is missing or has another type.
pub fn changed(corpus: &CorpusSpec, column: &str) -> Error {
    let message = format!("column \"{column}\" of chunk table \"{}\" was changed", corpus.tables.chunk_table);
    Error::new(Kind::NotInState, message)
        .hint("Drop the corpus with socle.drop_corpus() and create it again, or change the column back to its type.")
}

/// Checks that the vectors are of type `wanted`, which is pgvector's.
///
/// # Errors
/// `NotInState`, as for [`check_types`].
pub fn check_vector(corpus: &CorpusSpec, wanted: pg_sys::Oid) -> Result<()> {
    let found = value::column_type(corpus.tables.chunk.unwrap_or_default().into(), VECTOR);
    if found == Some(wanted) { Ok(()) } else { Err(changed(corpus, VECTOR)) }
}

/// Reads tables of a corpus as the caller, a superuser as the owner; see the head of this file.
pub fn as_reader<T>(corpus: &CorpusSpec, work: impl FnOnce() -> T) -> T {
    const UNFILTERED: (&CStr, &CStr) = (c"row_security", c"off");
    match corpus.tables.owner {
        // As for the sync worker, rows that row security would hide are an error.
        Some(owner) if run_as::is_superuser() => as_log_owner(owner.into(), || gucs::with_gucs(&[UNFILTERED], work)),
        _ => as_self(work),
    }
}
