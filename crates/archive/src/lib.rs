//! Chunks of a corpus, and tables of texts beside it, as Apache Parquet files, which pandas, DuckDB, LanceDB and others read.
//!
//! Writes to what it is given, and reads from memory; opens no file and knows nothing of PostgreSQL. Sessions of PostgreSQL
//! only write: files are read in the process that the engine has for one document.

mod columns;
mod read;
mod schema;
mod texts;
mod write;

pub use read::{read, read_file};
pub use texts::TextsWriter;
pub use write::PartWriter;

use parquet::errors::ParquetError;
use socle_core::{Error, Kind};
use std::io;

/// The error for what could not be written.
fn unwritable(error: &ParquetError) -> Error {
    let cause = match error {
        ParquetError::External(cause) => cause.downcast_ref::<io::Error>(),
        _ => None,
    };
    if cause.is_some_and(|cause| matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)) {
        return Error::new(Kind::DiskFull, "could not write the export: no space left on device");
    }
    let why = cause.map_or_else(|| error.to_string(), ToString::to_string);
    Error::new(Kind::UnreadableFile, "could not write the export").detail(why)
}

/// The error for bytes that are not what [`PartWriter`] writes.
fn damaged(why: impl Into<String>) -> Error {
    Error::new(Kind::DamagedDocument, "the file is not one that an export of a corpus has").detail(why)
}
