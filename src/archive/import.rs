//! `socle.import_corpus`: makes a chunk table of what an export has written, and with a source a corpus, which adopts the
//! table. All or nothing: one statement, one transaction.
//!
//! The manifest and the checksums are checked here; the files are read by a process of the engine.

use super::create_table::ChunkTable;
use super::definition::{self, Contents};
use crate::catalog::CorpusSpec;
use crate::corpus::options::check_name;
use crate::corpus::source::Source;
use crate::engine_client;
use crate::import::directory::Directory;
use crate::ledger::{self, Event, EventKind};
use crate::model;
use crate::pg::arguments::Arguments;
use crate::pg::error::report;
use crate::pg::{backend, gucs, relation, run_as, spi};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use sha2::{Digest, Sha256};
use socle_core::corpus::archive::{ArchiveLayout, ArchivedChunk, FileLayout, FileRows};
use socle_core::corpus::manifest::{ArchiveFile, ArchivedModel, Definition, MANIFEST, MAX_BYTES, Manifest};
use socle_core::corpus::template::Template;
use socle_core::document::ExtractLimits;
use socle_core::model::hexadecimal;
use socle_core::protocol::{MAX_INPUT_BYTES, Request, Response};
use socle_core::{Error, Kind, Result, memory};
use std::path::Path;
use std::time::{Duration, Instant};

const CREATE: &str = include_str!("../../sql/archive/create_corpus.sql");
const SYNONYMS: &str = "SELECT socle.create_synonyms($1, ARRAY[$2], $3, $4)";
const PROTECTED_WORDS: &str = "SELECT socle.create_protected_words($1, ARRAY[$2], $3)";
const STOP_WORDS: &str = "SELECT socle.create_stop_words($1, ARRAY[$2], $3)";

/// Upper limit of what the process that reads a file answers with, by the rule for texts: eight times as many bytes.
const ANSWER_BYTES: u64 = MAX_INPUT_BYTES as u64 / 8;

/// How many times the bytes of a file are in memory here: as read, as sent, and as rows.
const COPIES: usize = 4;

/// Time between two progress notices.
const SAY_EVERY: Duration = Duration::from_secs(5);

#[pg_extern(sql = false)]
fn import_corpus(call: pg_sys::FunctionCallInfo) -> Result<pg_sys::Oid, ErrorReport> {
    import(Arguments::new(call)).map_err(report)
}

fn import(arguments: Arguments) -> Result<pg_sys::Oid> {
    backend::prevent_if_read_only(c"socle.import_corpus()");
    let directory = arguments.short_text(1, "directory")?;
    let directory = directory.ok_or_else(|| Error::new(Kind::InvalidArgument, "directory must not be null"))?;
    let source = arguments.oid(2).map(Source::read).transpose()?;
    let directory = Directory::open(Path::new(&directory))?;
    let manifest_text = read(&directory, MANIFEST, MAX_BYTES)?;
    let manifest = Manifest::parse(&manifest_text)?;
    let name = arguments
        .short_text(0, "name")?
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| manifest.corpus.name.clone());
    check_name(&name)?;
    let corpus_name = name.clone();
    if source.is_some() && CorpusSpec::try_find(&name)?.is_some() {
        return Err(Error::new(Kind::AlreadyExists, format!("corpus \"{name}\" already exists"))
            .hint("Choose another name, or drop it first with socle.drop_corpus()."));
    }
    let model = arguments.short_text(3, "model")?.unwrap_or_else(|| manifest.model.name.clone());
    let mut token_model = manifest.token_model.as_ref();
    if source.is_some() {
        require_digest(&model, &manifest.model)?;
        token_model = token_model.filter(|wanted| may_use_tokens(wanted));
    }
    let schema = arguments.name(4).or_else(|| source.as_ref().map(|source| source.schema.clone()));
    let schema = schema.unwrap_or_else(|| "public".to_string());
    let table = ChunkTable::plan(&name, schema.clone(), &manifest, source.as_ref(), token_model.is_some())?;
    let owner = source.as_ref().map(|source| source.owner);
    as_owner(owner, || table.create())?;
    fill(&directory, &manifest, &mut |chunks| as_owner(owner, || table.insert(chunks)))?;
    match arguments.oid(2) {
        Some(source) => create_corpus(&name, source, &model, &schema, &manifest, token_model)?,
        None => {
            let definition = Definition { name, ..manifest.corpus.clone() };
            let statement =
                definition::create_statement(&definition, &model, token_model.map(|model| model.name.as_str()))?;
            pgrx::notice!("a corpus over the source of these chunks would adopt them: {statement}");
        }
    }
    let (schema, table) = table.name();
    ledger::record(
        Event::new(EventKind::ImportCorpus)
            .with("corpus", corpus_name)
            .with("chunk_table", format!("{schema}.{table}"))
            .with("chunks", manifest.chunk_count)
            .with("model_digest", manifest.model.digest.clone())
            .with("has_source", owner.is_some())
            .with("manifest_sha256", hexadecimal(&Sha256::digest(&manifest_text))),
    );
    Ok(relation::find_and_lock(schema, table))
}

/// Runs `work` as the owner of the source, if there is one, and otherwise as the caller.
fn as_owner(owner: Option<pg_sys::Oid>, work: impl FnOnce() -> Result<()>) -> Result<()> {
    match owner {
        Some(owner) => run_as::as_owner(owner, work),
        None => work(),
    }
}

/// Refuses a model that would compute other vectors.
fn require_digest(name: &str, wanted: &ArchivedModel) -> Result<()> {
    let digest = model::find(name)?.digest();
    if digest == wanted.digest {
        return Ok(());
    }
    Err(Error::new(Kind::NotInState, format!("model \"{name}\" is not the one that the vectors were made with"))
        .detail(format!("Its digest is {digest}, that of the vectors {}.", wanted.digest))
        .hint("Register that model and name it with model => ..., or import without a source, which needs no model."))
}

/// Whether the model of the token vectors is registered here; says so if it is not.
fn may_use_tokens(wanted: &ArchivedModel) -> bool {
    let is_there = model::token_model(&wanted.name).is_ok_and(|found| found.digest() == wanted.digest);
    if !is_there {
        pgrx::notice!("token vectors left out: model \"{}\" is not registered with their digest", wanted.name);
    }
    is_there
}

/// Passes the chunks of all files to `store`.
fn fill(
    directory: &Directory,
    manifest: &Manifest,
    store: &mut dyn FnMut(Vec<ArchivedChunk>) -> Result<()>,
) -> Result<()> {
    let (layout, template) = (manifest.layout()?, manifest.corpus.parsed_template()?);
    let (mut said, mut stored) = (Instant::now(), 0);
    for file in &manifest.files {
        pgrx::check_for_interrupts!();
        let chunks = chunks_of(directory, file, &layout, &template)?;
        stored += chunks.len();
        store(chunks)?;
        if said.elapsed() > SAY_EVERY {
            said = Instant::now();
            pgrx::notice!("{stored} of {} chunks", manifest.chunk_count);
        }
    }
    Ok(())
}

/// The chunks of a file, each of which is compared with its own hash.
fn chunks_of(
    directory: &Directory,
    file: &ArchiveFile,
    layout: &ArchiveLayout,
    template: &Template,
) -> Result<Vec<ArchivedChunk>> {
    let FileRows::Chunks(chunks) = file_of(directory, file, FileLayout::Chunks(layout.clone()))? else {
        return Err(engine_client::unexpected());
    };
    for (number, chunk) in (1_u64..).zip(&chunks) {
        if let Some(damage) = chunk.damage(template) {
            return Err(changed(file, format!("Row {number} is damaged. {damage}")));
        }
    }
    Ok(chunks)
}

/// The rows of a file whose checksum is that of the manifest. It is compared before anything of the file is read.
///
/// # Errors
/// `DamagedDocument` for any other file; `UnreadableFile`; `OutOfMemory`; those of the engine.
pub fn file_of(directory: &Directory, file: &ArchiveFile, layout: FileLayout) -> Result<FileRows> {
    memory::ensure(COPIES.saturating_mul(usize::try_from(file.bytes).unwrap_or(usize::MAX)))?;
    let bytes = read(directory, &file.name, file.bytes.min(MAX_INPUT_BYTES as u64))?;
    let found = format!("{:x}", Sha256::digest(&bytes));
    if found != file.sha256 {
        return Err(changed(file, format!("Its SHA-256 is {found}, that in the manifest {}.", file.sha256)));
    }
    let limits = ExtractLimits { text_bytes: ANSWER_BYTES, ..gucs::extract_limits() };
    let rows = match engine_client::ask(Request::ReadArchive { layout, limits, bytes: &bytes })?.pop() {
        Some(Response::Archived(rows)) => rows,
        Some(Response::Failed { error, .. }) => return Err(error),
        _ => return Err(engine_client::unexpected()),
    };
    let count = match &rows {
        FileRows::Chunks(chunks) => chunks.len(),
        FileRows::Texts(texts) => texts.len(),
    };
    if count as u64 != file.rows {
        return Err(changed(file, format!("It has {count} rows, the manifest counts {}.", file.rows)));
    }
    Ok(rows)
}

fn changed(file: &ArchiveFile, detail: String) -> Error {
    Error::new(Kind::DamagedDocument, format!("\"{}\" is not the file that was exported", file.name)).detail(detail)
}

/// The bytes of a file of an export.
///
/// # Errors
/// `UnreadableFile`, also for one of more than `limit` bytes.
pub fn read(directory: &Directory, name: &str, limit: u64) -> Result<Vec<u8>> {
    let unreadable = |why: String| {
        Error::new(Kind::UnreadableFile, format!("\"{}\" cannot be read", directory.full_name(name))).detail(why)
    };
    match directory.read(name, limit) {
        Ok(Some((bytes, _))) => Ok(bytes),
        Ok(None) => Err(unreadable(format!("It has more than {limit} bytes."))),
        Err(error) => Err(unreadable(error.to_string())),
    }
}

/// Which pictures are recognised, with the model of the session. Says so where that is not the one of the export.
fn ocr(manifest: &Manifest) -> Option<&str> {
    let here = model::ocr_model().ok().flatten();
    if let Some(wanted) = &manifest.ocr_model
        && here.as_ref().is_none_or(|model| model.digest() != wanted.digest)
    {
        pgrx::notice!(
            "pictures were recognized by the model \"{}\" of digest {}, which socle.ocr_model does not name here: their text will differ",
            wanted.name,
            wanted.digest
        );
    }
    match manifest.corpus.ocr.as_str() {
        "off" => Some("off"),
        "always" if here.is_some() => Some("always"),
        _ => None,
    }
}

/// Creates the corpus, as the caller, which adopts the chunk table of its name.
fn create_corpus(
    name: &str,
    source: pg_sys::Oid,
    model: &str,
    schema: &str,
    manifest: &Manifest,
    token_model: Option<&ArchivedModel>,
) -> Result<()> {
    let definition = &manifest.corpus;
    let Contents { content, document, media_type, file_name } = definition::contents(definition)?;
    let is_file = document.is_some();
    let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let arguments = [
        name.into(),
        source.into(),
        (!content.is_empty()).then_some(content).into(),
        document.into(),
        media_type.into(),
        file_name.into(),
        definition.title_column.clone().into(),
        definition.language.as_str().into(),
        definition.language_column.clone().into(),
        model.into(),
        number(definition.max_tokens).into(),
        number(definition.overlap_tokens).into(),
        (!is_file).then(|| definition.format.clone()).into(),
        definition.template.as_str().into(),
        schema.into(),
        definition.hnsw_m.into(),
        definition.hnsw_ef_construction.into(),
        token_model.map(|model| model.name.clone()).into(),
        definition.max_attempts.into(),
        ocr(manifest).into(),
    ];
    spi::run(CREATE, &arguments)?;
    for rule in &definition.word_rules {
        let (term, language) = (rule.term.as_str().into(), rule.language.clone().into());
        match rule.kind.as_str() {
            "synonym" => spi::run(SYNONYMS, &[name.into(), term, rule.replacements.clone().into(), language])?,
            "protected" => spi::run(PROTECTED_WORDS, &[name.into(), term, language])?,
            _ => spi::run(STOP_WORDS, &[name.into(), term, language])?,
        }
    }
    Ok(())
}
