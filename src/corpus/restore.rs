//! The trigger on `socle.corpus` and `socle.model` by which a dump can be restored by somebody who is no superuser: the owner
//! of a database whose extension and models a superuser has set up. What it lets in becomes a corpus when
//! `socle.resume_corpus` has checked and bound it.

use super::create;
use crate::catalog::CorpusSpec;
use crate::pg::error::{report, spi};
use crate::pg::run_as;
use crate::pg::{extension_version, spi};
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::{Error, Kind, Result};
use std::ffi::CStr;

const PROBLEM: &str = include_str!("../../sql/corpus/check_restored.sql");
const ROW: &str = include_str!("../../sql/corpus/restored_row.sql");
const KNOWN: &str = include_str!("../../sql/corpus/model_is_known.sql");

/// See `socle._check_restored()`.
#[pg_guard]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn check_restored(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: Postgres is calling this function; its context says whether as a trigger, and is a TriggerData then, which lives
    // as long as the call. A trigger before an insert has the row in `tg_trigtuple`.
    unsafe {
        let context = (*call).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
            refuse(&Error::new(Kind::NotSupported, "socle._check_restored() must be called as a trigger"));
            return pg_sys::Datum::null();
        }
        let data = &*context.cast::<pg_sys::TriggerData>();
        let tuple = pg_sys::Datum::from(data.tg_trigtuple);
        if run_as::is_superuser() {
            return tuple;
        }
        let relation = &*data.tg_relation;
        let row = pg_sys::heap_copy_tuple_as_datum(data.tg_trigtuple, relation.rd_att);
        let row = DatumWithOid::new(row, (*relation.rd_rel).reltype);
        let name = CStr::from_ptr((&raw const (*relation.rd_rel).relname.data).cast());
        match if name == c"model" { is_wanted_model(row) } else { is_own_corpus(row) } {
            Ok(true) => tuple,
            Ok(false) => pg_sys::Datum::null(),
            Err(error) => {
                refuse(&error);
                pg_sys::Datum::null()
            }
        }
    }
}

/// How Postgres learns how the function above is called.
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_check_restored() -> &'static pg_sys::Pg_finfo_record {
    const V1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &V1
}

fn refuse(error: &Error) {
    let report: ErrorReport = report(error.clone());
    report.report(PgLogLevel::ERROR);
}

/// Never: a model is files on the server, which a superuser lets in.
fn is_wanted_model(row: DatumWithOid<'_>) -> Result<bool> {
    extension_version::require_own_version()?;
    if !spi::query_bool(KNOWN, &[row])? {
        ErrorReport::new(
            PgSqlErrorCode::ERRCODE_WARNING,
            "a model of the dump is not registered in this database",
            pgrx::function_name!(),
        )
        .set_hint("Have a superuser register it with socle.register_model(); corpora that need it say so when they are resumed.")
        .report(PgLogLevel::WARNING);
    }
    Ok(false)
}

fn is_own_corpus(row: DatumWithOid<'_>) -> Result<bool> {
    extension_version::require_own_version()?;
    if let Some(problem) = spi::query_text(PROBLEM, std::slice::from_ref(&row))? {
        return Err(Error::new(Kind::NotPermitted, "permission denied to add this corpus").detail(problem)
            .hint("Corpora are made by socle.create_corpus(). From a dump, one can be restored by who owns its tables, after these."));
    }
    let text = Spi::get_one_with_args::<String>(ROW, &[row]).map_err(spi)?.unwrap_or_default();
    let corpus = CorpusSpec::parse("restored", &text)?;
    corpus.parsed_template()?;
    corpus.parsed_format()?;
    create::parsed_language(&corpus.language)?;
    if let Some(replaced) = corpus.replaces {
        pgrx::warning!(
            "the change of corpus \"{replaced}\" that was under way is left out: call socle.alter_corpus() again"
        );
        return Ok(false);
    }
    Ok(true)
}
