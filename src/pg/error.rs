//! Maps kinds of errors to SQLSTATEs.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgSqlErrorCode, function_name};
use socle_core::{Error, Kind};

/// The SQLSTATE of a kind of error.
pub fn sqlstate(kind: Kind) -> PgSqlErrorCode {
    match kind {
        Kind::InvalidArgument => PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
        // As pgvector raises it (vector.c, CheckExpectedDim).
        Kind::DimensionMismatch => PgSqlErrorCode::ERRCODE_DATA_EXCEPTION,
        Kind::InputTooLong => PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        Kind::UnknownModel => PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
        Kind::UnknownCorpus => PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
        Kind::UnknownColumn => PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
        Kind::WrongColumnType => PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH,
        Kind::WrongRelationKind => PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
        Kind::OtherVersion => PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        Kind::NotInState => PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        Kind::ActiveTransaction => PgSqlErrorCode::ERRCODE_ACTIVE_SQL_TRANSACTION,
        Kind::AlreadyExists => PgSqlErrorCode::ERRCODE_DUPLICATE_OBJECT,
        Kind::WrongModelKind => PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
        Kind::EngineUnavailable => PgSqlErrorCode::ERRCODE_CANNOT_CONNECT_NOW,
        Kind::Cancelled => PgSqlErrorCode::ERRCODE_QUERY_CANCELED,
        Kind::MissingFile => PgSqlErrorCode::ERRCODE_UNDEFINED_FILE,
        Kind::DiskFull => PgSqlErrorCode::ERRCODE_DISK_FULL,
        Kind::UnreadableFile => PgSqlErrorCode::ERRCODE_IO_ERROR,
        Kind::DamagedModelFile | Kind::DamagedLedger => PgSqlErrorCode::ERRCODE_DATA_CORRUPTED,
        Kind::DamagedIndex => PgSqlErrorCode::ERRCODE_INDEX_CORRUPTED,
        Kind::OutdatedIndex => PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        Kind::InferenceFailed | Kind::ExtractionFailed => PgSqlErrorCode::ERRCODE_EXTERNAL_ROUTINE_EXCEPTION,
        Kind::DamagedDocument => PgSqlErrorCode::ERRCODE_INVALID_BINARY_REPRESENTATION,
        Kind::OutOfMemory => PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY,
        Kind::NotPermitted => PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        Kind::NoWorkerSlot => PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
        Kind::NotSupported => PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        Kind::SnapshotTooOld => PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
        Kind::Bug => PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
        Kind::CannotConnect => PgSqlErrorCode::ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION,
        Kind::ConnectionLost => PgSqlErrorCode::ERRCODE_CONNECTION_FAILURE,
        Kind::MalformedAnswer => PgSqlErrorCode::ERRCODE_PROTOCOL_VIOLATION,
        Kind::KeyRefused => PgSqlErrorCode::ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
        Kind::EndpointFailed | Kind::EndpointMisconfigured => PgSqlErrorCode::ERRCODE_EXTERNAL_ROUTINE_EXCEPTION,
    }
}

/// An error as Postgres raises it. Only this type keeps its SQLSTATE when a function returns it.
pub fn report(error: Error) -> ErrorReport {
    let mut report = ErrorReport::new(sqlstate(error.kind), printable(&error.message), function_name!());
    if let Some(detail) = &error.detail {
        report = report.set_detail(printable(detail));
    }
    if let Some(hint) = &error.hint {
        report = report.set_hint(printable(hint));
    }
    report
}

/// Replaces NUL, which ends a C string: text from ONNX Runtime or a file name may hold it.
fn printable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// An error of SPI, which only a broken installation causes.
pub fn spi(error: pgrx::spi::Error) -> Error {
    Error::new(Kind::Bug, "could not read the tables of socle").detail(error.to_string())
}

/// An SQLSTATE as its five characters, six bits each (elog.h, MAKE_SQLSTATE).
pub fn sqlstate_text(code: i32) -> String {
    (0..5).map(|at| char::from(b'0' + ((code >> (6 * at)) & 0x3f) as u8)).collect()
}

/// Raises an error in place of returning it, for callbacks that PostgreSQL calls.
pub fn raise(error: Error) {
    report(error).report(pgrx::PgLogLevel::ERROR);
}

/// Raises an error of kind `Bug` unless a condition holds without which memory could be misread.
pub fn require(holds: bool, what: &str) {
    if !holds {
        raise(Error::new(Kind::Bug, what));
    }
}
