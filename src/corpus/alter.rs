//! `socle.alter_corpus`: a setting that no chunk depends on is changed at once; for anything else a corpus beside the
//! old one is filled, which replaces it when complete (see `swap`). Dropping that corpus cancels the change.

use super::binding_check;
use super::create::{check_dimensions, check_overlap, create_objects, default_tokens, parsed_language};
use super::options::{self, SHADOW};
use super::source::Source;
use super::swap;
use crate::catalog::CorpusSpec;
use crate::catalog::spec::{self, CorpusTables};
use crate::egress_client;
use crate::ledger::{self, Event, EventKind};
use crate::model;
use crate::pg::arguments::Arguments;
use crate::pg::backend;
use crate::pg::error::report;
use crate::pg::run_as::as_superuser;
use crate::pg::spi;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::chunk::Format;
use socle_core::corpus::template::Template;
use socle_core::document::OcrMode;
use socle_core::model::ModelSpec;
use socle_core::{Error, Kind, Result};

const NAME_TAKEN: &str = include_str!("../../sql/corpus/name_taken.sql");
const SET_EGRESS: &str = include_str!("../../sql/corpus/set_egress.sql");
const SET_MAX_ATTEMPTS: &str = include_str!("../../sql/corpus/set_max_attempts.sql");

/// Numbers of arguments: `language`, `egress`, `ocr`, and `ocr_model`, which comes last.
const LANGUAGE: usize = 2;
const EGRESS: usize = 13;
const OCR: usize = 14;
const OCR_MODEL: usize = 15;

/// Names tried for the corpus that replaces another.
const MAX_NAMES_TRIED: u32 = 100;

#[pg_extern(sql = false)]
fn alter_corpus(call: pg_sys::FunctionCallInfo) -> Result<String, ErrorReport> {
    alter(Arguments::new(call)).map_err(report)
}

fn alter(arguments: Arguments) -> Result<String> {
    backend::prevent_if_read_only(c"socle.alter_corpus()");
    let old = CorpusSpec::find(&arguments.short_text(0, "name")?.unwrap_or_default())?;
    old.require_owner()?;
    // In every state, and at once: a door that is to be shut does not wait for anything.
    let old = set_egress(old, arguments)?;
    if !alters_chunks(arguments) {
        return Ok(old.name);
    }
    check_state(&old)?;
    let new = altered(&old, arguments)?;
    if new.options.max_attempts != old.options.max_attempts {
        let arguments = [old.name.as_str().into(), new.options.max_attempts.into()];
        as_superuser(|| spi::run(SET_MAX_ATTEMPTS, &arguments))?;
    }
    if makes_same_chunks(&old, &new) {
        return Ok(old.name);
    }
    swap::check_dependents(&old)?;
    let source = Source::read(old.tables.source.unwrap_or_default().into())?;
    if let Some(title) = &new.options.title_column {
        source.require_text(title, "The argument title")?;
    }
    if let Some(column) = &new.options.language_column {
        source.require_text(column, "The argument language_column")?;
    }
    for column in &new.options.template_columns {
        source.require_column(column, "The template")?;
    }
    let model = model::embedding_model(Some(new.options.model.clone()))?;
    let name = create_objects(&new, &source, &model)?.name;
    ledger::record(
        Event::new(EventKind::AlterCorpus)
            .with("corpus", old.name)
            .with("successor", name.as_str())
            .with("model_digest", model.digest()),
    );
    Ok(name)
}

/// Sets which endpoints the corpus allows, if that is asked for.
fn set_egress(mut corpus: CorpusSpec, arguments: Arguments) -> Result<CorpusSpec> {
    let Some(egress) = options::egress(arguments, EGRESS)? else { return Ok(corpus) };
    if let (Some(source), false) = (corpus.tables.source, egress.is_empty()) {
        egress_client::require_unlabelled(&corpus.name, source, corpus.text_columns())?;
    }
    as_superuser(|| spi::run(SET_EGRESS, &[corpus.name.as_str().into(), egress.clone().into()]))?;
    let before = std::mem::replace(&mut corpus.options.egress, egress.clone());
    tell_of_shut(&corpus, &before)?;
    let event = Event::new(EventKind::AlterCorpus).with("corpus", corpus.name.as_str()).with("egress", egress);
    ledger::record(event.required());
    Ok(corpus)
}

/// Says what stops where an endpoint that was allowed `before` is not any more, or is not though the model runs there.
fn tell_of_shut(corpus: &CorpusSpec, before: &[String]) -> Result<()> {
    let (name, model, allowed) = (&corpus.name, &corpus.options.model, &corpus.options.egress);
    let needed = model::row_of(model)?.and_then(|row| row.get("endpoint")?.as_str().map(str::to_string));
    let needed = needed.filter(|endpoint| !allowed.contains(endpoint));
    if let Some(endpoint) = &needed {
        pgrx::notice!(
            "model \"{model}\" of corpus \"{name}\" runs on endpoint \"{endpoint}\", which is not allowed: searches but those with mode => 'keyword' are refused, and the next change of the source breaks the corpus. Allow the endpoint again, or name another model with socle.alter_corpus(), and then call socle.resume_corpus()"
        );
    }
    for endpoint in before.iter().filter(|endpoint| !allowed.contains(endpoint) && Some(*endpoint) != needed.as_ref()) {
        pgrx::notice!(
            "endpoint \"{endpoint}\" is sent nothing of corpus \"{name}\" any more: answers that it would write and results that it would rank are refused"
        );
    }
    Ok(())
}

/// Whether anything but the endpoints is to change; nothing at all is checked as if it were.
fn alters_chunks(arguments: Arguments) -> bool {
    arguments.is_null(EGRESS) || (1..=OCR_MODEL).any(|at| at != EGRESS && !arguments.is_null(at))
}

/// A corpus can be altered when it is complete, and once at a time; one that lacks only a model, in order to get another.
fn check_state(corpus: &CorpusSpec) -> Result<()> {
    let state = |what: &str| Error::new(Kind::NotInState, format!("corpus \"{}\" {what}", corpus.name));
    if corpus.replaces.is_some() {
        return Err(state("is itself being filled by socle.alter_corpus()"));
    }
    if let Some(successor) = corpus.successor()? {
        let hint = format!("Wait for it, or cancel it with socle.drop_corpus('{}').", successor.name);
        return Err(state("is already being changed").hint(hint));
    }
    let is_broken = corpus.progress.state == "broken" && !lacks_only_a_model(corpus)?;
    if is_broken || !corpus.progress.bound || corpus.tables.source.is_none() {
        return Err(state("is broken").hint("See socle.corpus_status for the reason; socle.resume_corpus() continues."));
    }
    Ok(())
}

/// Whether nothing else is wrong with a broken corpus than that a model is gone, or is another than it was.
fn lacks_only_a_model(corpus: &CorpusSpec) -> Result<bool> {
    let CorpusTables { chunk, change, document, owner, .. } = &corpus.tables;
    if [chunk, change, document, owner].iter().any(|table| table.is_none()) {
        return Ok(false);
    }
    match spec::check_models(corpus) {
        Err(error) if matches!(error.kind, Kind::UnknownModel | Kind::NotInState) => {}
        _ => return Ok(false),
    }
    let binding = binding_check::read(std::slice::from_ref(&corpus.name))?.pop();
    Ok(binding.is_some_and(|binding| binding.is_sound()))
}

/// The corpus with the changes that the caller asks for.
fn altered(old: &CorpusSpec, arguments: Arguments) -> Result<CorpusSpec> {
    let at_least = |at: usize, name: &str, least: i32, default: i32| match arguments.i32(at) {
        Some(value) if value < least => {
            Err(Error::new(Kind::InvalidArgument, format!("{name} must be at least {least}")))
        }
        value => Ok(value.unwrap_or(default)),
    };
    let number = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    let mut new = old.clone();
    new.name = free_name(old)?;
    new.replaces = Some(old.name.clone());
    new.tables.chunk_table = format!("{}_chunk", new.name);
    new.tables.change_table = format!("{}_change", new.name);
    new.tables.document_table = format!("{}_document", new.name);
    new.progress.state = "filling".into();
    if let Some(title) = arguments.name(1) {
        if old.options.title_column.is_none() && old.options.template == Template::default_for(None) {
            new.options.template = Template::default_for(Some(&title)).to_string();
        }
        new.options.title_column = Some(title);
    }
    if let Some(language) = arguments.short_text(LANGUAGE, "language")? {
        new.options.language = parsed_language(&language)?;
    }
    new.options.language_column = arguments.name(3).or(new.options.language_column);
    new.options.template = arguments.short_text(8, "template")?.unwrap_or(new.options.template);
    let template = Template::parse(&new.options.template, new.options.title_column.as_deref())?;
    new.options.template_columns = template.columns().into_iter().map(str::to_string).collect();
    let wanted = arguments.short_text(4, "model")?;
    let model = model::embedding_model(Some(wanted.clone().unwrap_or_else(|| old.options.model.clone())))?;
    check_dimensions(&model)?;
    (new.options.model, new.options.model_digest, new.options.dimensions) =
        (model.name.clone(), model.digest(), model.dimensions);
    // The default depends on the window of the model.
    let tokens = if wanted.is_some() { default_tokens(&model, &new.options.template) } else { old.options.max_tokens };
    new.options.max_tokens = at_least(5, "max_tokens", 1, number(tokens))?.unsigned_abs();
    new.options.overlap_tokens = at_least(6, "overlap_tokens", 0, number(old.options.overlap_tokens))?.unsigned_abs();
    check_overlap(new.options.max_tokens, new.options.overlap_tokens)?;
    if let Some(format) = arguments.short_text(7, "format")? {
        if old.has_files() {
            return Err(
                Error::new(Kind::InvalidArgument, "format belongs to content").detail("The text of files is markdown.")
            );
        }
        new.options.format = format.parse::<Format>()?.name().to_string();
    }
    new.options.max_attempts = at_least(9, "max_attempts", 1, old.options.max_attempts)?;
    new.options.hnsw_m = at_least(10, "hnsw_m", 2, old.options.hnsw_m)?;
    new.options.hnsw_ef_construction = at_least(11, "hnsw_ef_construction", 4, old.options.hnsw_ef_construction)?;
    set_token_model(&mut new, arguments)?;
    set_ocr(&mut new, arguments)?;
    if new.options.hnsw_m > 100
        || new.options.hnsw_ef_construction > 1000
        || new.options.hnsw_ef_construction < 2 * new.options.hnsw_m
    {
        return Err(Error::new(Kind::InvalidArgument, "hnsw_m and hnsw_ef_construction do not fit")
            .detail("hnsw_m is 100 at most, hnsw_ef_construction 1000 at most and at least twice hnsw_m."));
    }
    Ok(new)
}

/// Sets the model of token vectors; an empty name switches them off.
fn set_token_model(new: &mut CorpusSpec, arguments: Arguments) -> Result<()> {
    let wanted = arguments.short_text(12, "token_model")?.or_else(|| new.options.token_model.take());
    let wanted = wanted.filter(|name| !name.is_empty());
    let model = wanted.map(|name| model::token_model(&name)).transpose()?;
    new.options.token_model_digest = model.as_ref().map(ModelSpec::digest);
    new.options.token_model = model.map(|model| model.name);
    Ok(())
}

/// Sets which pictures are recognised, and by which model: the one that is named; the one of the session if `ocr` is given and
/// it has one; else the one that the corpus has, as it is registered now.
fn set_ocr(new: &mut CorpusSpec, arguments: Arguments) -> Result<()> {
    let (mode, named) =
        (model::ocr_mode(arguments.short_text(OCR, "ocr")?)?, arguments.short_text(OCR_MODEL, "ocr_model")?);
    if mode.is_some() || named.is_some() {
        options::require_files(if mode.is_some() { "ocr" } else { "ocr_model" }, new.has_files())?;
    }
    if let Some(mode) = mode {
        new.options.ocr = mode.name().to_string();
    }
    let is_off = new.options.ocr == OcrMode::Off.name();
    if is_off && named.is_some() {
        return Err(Error::new(Kind::InvalidArgument, "ocr_model requires pictures that are recognized")
            .hint("Pass ocr => 'auto' as well."));
    }
    let of_session = if named.is_none() && mode.is_some() && !is_off { model::ocr_model()? } else { None };
    let name = named.clone().or(new.options.ocr_model.take()).filter(|_| !is_off && of_session.is_none());
    let model = name.as_deref().map(model::ocr_model_named).transpose()?.or(of_session);
    if mode == Some(OcrMode::Always) && model.is_none() {
        return Err(model::no_ocr_model());
    }
    if named.is_some() || mode.is_some() || !arguments.is_null(LANGUAGE) {
        options::note_missing_letters(model.as_ref(), new);
    }
    new.options.ocr_model_digest = model.as_ref().map(ModelSpec::digest);
    new.options.ocr_model = model.map(|model| model.name);
    Ok(())
}

/// A free name for the corpus that replaces another. Any role that may create tables in the schema may have taken one.
fn free_name(old: &CorpusSpec) -> Result<String> {
    let suffixes = std::iter::once(String::new()).chain((2..=MAX_NAMES_TRIED).map(|number| number.to_string()));
    for suffix in suffixes {
        let name = format!("{}{SHADOW}next{suffix}", old.name);
        if !spi::query_bool(NAME_TAKEN, &[name.as_str().into(), old.tables.chunk_schema.as_str().into()])? {
            return Ok(name);
        }
    }
    Err(Error::new(Kind::AlreadyExists, format!("no name is free for the replacement of corpus \"{}\"", old.name))
        .detail(format!(
            "Tables \"{}{SHADOW}next...\" already exist in schema \"{}\".",
            old.name, old.tables.chunk_schema
        )))
}

fn makes_same_chunks(old: &CorpusSpec, new: &CorpusSpec) -> bool {
    (
        &old.options.template,
        &old.options.title_column,
        &old.options.model_digest,
        &old.options.model,
        &old.options.format,
    ) == (
        &new.options.template,
        &new.options.title_column,
        &new.options.model_digest,
        &new.options.model,
        &new.options.format,
    ) && (&old.options.language, &old.options.language_column) == (&new.options.language, &new.options.language_column)
        && (&old.options.ocr, &old.options.ocr_model, &old.options.ocr_model_digest)
            == (&new.options.ocr, &new.options.ocr_model, &new.options.ocr_model_digest)
        && (&old.options.token_model, &old.options.token_model_digest)
            == (&new.options.token_model, &new.options.token_model_digest)
        && (old.options.max_tokens, old.options.overlap_tokens, old.options.hnsw_m, old.options.hnsw_ef_construction)
            == (
                new.options.max_tokens,
                new.options.overlap_tokens,
                new.options.hnsw_m,
                new.options.hnsw_ef_construction,
            )
}
