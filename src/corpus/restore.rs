//! The trigger on `socle.corpus`, `socle.corpus_word_rule` and `socle.model` that lets a role other than a superuser restore a dump: the owner of
//! a database whose extension and models a superuser has set up. A row that it admits becomes a corpus when
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
const RULED: &str = "SELECT ($1).corpus";
const KNOWN: &str = include_str!("../../sql/corpus/model_is_known.sql");

/// The trigger function `socle._check_restored()`.
#[pg_guard]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn check_restored(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: Postgres calls this function; in a trigger call the context is a TriggerData, as its node tag says, which
    // lives as long as the call. A BEFORE INSERT trigger has the row in `tg_trigtuple`.
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
        let is_wanted = match name.to_bytes() {
            b"model" => is_wanted_model(row),
            b"corpus_word_rule" => is_rule_of_own_corpus(row),
            _ => is_own_corpus(row),
        };
        match is_wanted {
            Ok(true) => tuple,
            Ok(false) => pg_sys::Datum::null(),
            Err(error) => {
                refuse(&error);
                pg_sys::Datum::null()
            }
        }
    }
}

/// The fmgr info record of [`check_restored`]: calling convention version 1.
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_check_restored() -> &'static pg_sys::Pg_finfo_record {
    const V1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &V1
}

fn refuse(error: &Error) {
    let report: ErrorReport = report(error.clone());
    report.report(PgLogLevel::ERROR);
}

/// Always false: a model is files on the server, which only a superuser registers. Warns if it is not registered.
fn is_wanted_model(row: DatumWithOid<'_>) -> Result<bool> {
    extension_version::require_own_version()?;
    if !spi::query_bool(KNOWN, &[row])? {
        ErrorReport::new(
            PgSqlErrorCode::ERRCODE_WARNING,
            "a model of the dump is not registered in this database",
            pgrx::function_name!(),
        )
        .set_hint("Have a superuser register it with socle.register_model(); corpora that need it report that when they are resumed.")
        .report(PgLogLevel::WARNING);
    }
    Ok(false)
}

fn is_rule_of_own_corpus(row: DatumWithOid<'_>) -> Result<bool> {
    extension_version::require_own_version()?;
    let corpus = spi::query_text(RULED, &[row])?.unwrap_or_default();
    CorpusSpec::find(&corpus)?.require_owner()?;
    Ok(true)
}

fn is_own_corpus(row: DatumWithOid<'_>) -> Result<bool> {
    extension_version::require_own_version()?;
    if let Some(problem) = spi::query_text(PROBLEM, std::slice::from_ref(&row))? {
        return Err(Error::new(Kind::NotPermitted, "permission denied to add this corpus").detail(problem)
            .hint("Corpora are created by socle.create_corpus(). The owner of its tables can restore a corpus from a dump, after these."));
    }
    let text = Spi::get_one_with_args::<String>(ROW, &[row]).map_err(spi)?.unwrap_or_default();
    let corpus = CorpusSpec::parse("restored", &text)?;
    corpus.parsed_template()?;
    corpus.parsed_format()?;
    create::parsed_language(&corpus.options.language)?;
    if let Some(replaced) = corpus.replaces {
        pgrx::warning!(
            "the unfinished change of corpus \"{replaced}\" is not restored: call socle.alter_corpus() again"
        );
        return Ok(false);
    }
    Ok(true)
}
