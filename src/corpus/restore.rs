//! The trigger on `socle.corpus`, `socle.corpus_word_rule`, `socle.prompt_template`, `socle.model` and `socle.generator` that
//! lets a role other than a superuser restore a dump: the owner of a database whose extension, models, generators and
//! templates a superuser has set up. A row of `socle.corpus` that it admits becomes a corpus when `socle.resume_corpus` has
//! checked and bound it.

use super::create;
use crate::catalog::CorpusSpec;
use crate::pg::error::{raise, spi};
use crate::pg::run_as;
use crate::pg::trigger_call::TriggerCall;
use crate::pg::{extension_version, spi};
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::{Error, Kind, Result};

const PROBLEM: &str = include_str!("../../sql/corpus/check_restored.sql");
const ROW: &str = include_str!("../../sql/corpus/restored_row.sql");
const RULED: &str = include_str!("../../sql/corpus/is_rule_of_own_corpus.sql");
const TEMPLATE_KNOWN: &str = include_str!("../../sql/corpus/template_is_known.sql");
const KNOWN: &str = include_str!("../../sql/corpus/model_is_known.sql");
const GENERATOR_KNOWN: &str = include_str!("../../sql/corpus/generator_is_known.sql");

/// The trigger function `socle_internal.check_restored()`.
#[pg_guard]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn check_restored(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: Postgres is calling this function.
    let Some(call) = (unsafe { TriggerCall::of(call) }) else {
        raise(Error::new(Kind::NotSupported, "socle_internal.check_restored() must be called as a trigger"));
        return pg_sys::Datum::null();
    };
    if run_as::is_superuser() {
        return call.unchanged();
    }
    let Some(row) = call.row_parameter() else { return pg_sys::Datum::null() };
    let is_wanted = match call.relation_name().to_bytes() {
        b"model" => is_wanted_model(row),
        b"corpus_word_rule" => is_rule_of_own_corpus(row),
        b"prompt_template" => is_wanted_template(row),
        b"generator" => is_wanted_generator(row),
        _ => is_own_corpus(row),
    };
    match is_wanted {
        Ok(true) => return call.unchanged(),
        Ok(false) => {}
        Err(error) => raise(error),
    }
    pg_sys::Datum::null()
}

/// The fmgr info record of [`check_restored`]: calling convention version 1.
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_check_restored() -> &'static pg_sys::Pg_finfo_record {
    const V1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &V1
}

/// Always false: a model is files on the server, which only a superuser registers. Warns if it is not registered.
fn is_wanted_model(row: DatumWithOid<'_>) -> Result<bool> {
    let hint = "Have a superuser register it with socle.register_model(); corpora that need it report that when they are resumed.";
    skip(row, KNOWN, "a model of the dump is not registered in this database", hint)
}

/// Always false: templates are made by superusers, and roles to which they grant that. Warns if it is not there.
fn is_wanted_template(row: DatumWithOid<'_>) -> Result<bool> {
    let hint = "Have a superuser create it with socle.create_prompt_template().";
    skip(row, TEMPLATE_KNOWN, "a prompt template of the dump is not in this database", hint)
}

/// Always false, as for a model.
fn is_wanted_generator(row: DatumWithOid<'_>) -> Result<bool> {
    let hint = "Have a superuser register it with socle.register_generator().";
    skip(row, GENERATOR_KNOWN, "a generator of the dump is not registered in this database", hint)
}

/// False, with a warning where the statement `known` does not find the row.
fn skip(row: DatumWithOid<'_>, known: &str, warning: &'static str, hint: &str) -> Result<bool> {
    extension_version::require_own_version()?;
    if !spi::query_bool(known, &[row])? {
        ErrorReport::new(PgSqlErrorCode::ERRCODE_WARNING, warning, pgrx::function_name!())
            .set_hint(hint)
            .report(PgLogLevel::WARNING);
    }
    Ok(false)
}

fn is_rule_of_own_corpus(row: DatumWithOid<'_>) -> Result<bool> {
    extension_version::require_own_version()?;
    if !spi::query_bool(RULED, &[row])? {
        return Err(Error::new(Kind::NotPermitted, "permission denied to add this rule about words")
            .hint("Rules are made by the owner of a corpus, with functions such as socle.create_synonyms()."));
    }
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
