//! `socle.export_corpus`: the chunks of a corpus as Parquet files in a new directory, with a manifest and checksums. Reads
//! some chunks at a time and holds one row group; the snapshot is that of the calling statement. What an interrupted call has
//! written of the same chunks is not written again.

use super::definition;
use super::evaluation_set::EvaluationSets;
use super::new_directory::{NewDirectory, NewFile};
use super::progress::{Identity, Progress, request};
use super::read_chunks::{self, Columns, KeyForm, Position};
use crate::catalog::{CorpusSpec, privileges};
use crate::ledger::{self, Event, EventKind};
use crate::pg::arguments::Arguments;
use crate::pg::error::report;
use crate::pg::{plan_cache, relation, run_as};
use crate::search::scope::reader_types;
use crate::search::with_corpora;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_archive::PartWriter;
use socle_core::corpus::archive::{ArchiveLayout, KeyKind};
use socle_core::corpus::manifest::{ArchiveFile, CHECKSUMS, FORMAT, FORMAT_VERSION, MANIFEST, Manifest, part_name};
use socle_core::protocol::VERSION;
use socle_core::{Error, Kind, Result};
use std::path::Path;
use std::time::{Duration, Instant};

const ORIGIN: &str = include_str!("../../sql/archive/origin.sql");

/// Largest `part_megabytes`: `socle.import_corpus` reads a file as a whole.
const MAX_PART_MEGABYTES: i32 = 128;

/// Time between two progress notices.
const SAY_EVERY: Duration = Duration::from_secs(5);

type Files = TableIterator<
    'static,
    (name!(file_name, String), name!(row_count, Option<i64>), name!(byte_count, i64), name!(sha256, String)),
>;

/// The arguments, checked.
struct ExportOptions {
    corpus: String,
    directory: String,
    incomplete: bool,
    part_bytes: usize,
    evaluation_sets: Vec<pg_sys::Oid>,
}

#[pg_extern(sql = false)]
fn export_corpus(call: pg_sys::FunctionCallInfo) -> Result<Files, ErrorReport> {
    let exported = options(Arguments::new(call)).and_then(|options| {
        let names = [options.corpus.clone()];
        with_corpora(&names, |corpora| corpora.first().map_or(Ok(Vec::new()), |corpus| export(corpus, &options)))
    });
    let files = exported.map_err(report)?;
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    Ok(TableIterator::new(files.into_iter().map(move |file| {
        let rows = file.name.ends_with(".parquet").then(|| number(file.rows));
        (file.name, rows, number(file.bytes), file.sha256)
    })))
}

fn options(arguments: Arguments) -> Result<ExportOptions> {
    let invalid = |message: &str| Error::new(Kind::InvalidArgument, message);
    let megabytes = arguments.i32(3).unwrap_or(64);
    if !(1..=MAX_PART_MEGABYTES).contains(&megabytes) {
        return Err(invalid(&format!("part_megabytes must be between 1 and {MAX_PART_MEGABYTES}")));
    }
    Ok(ExportOptions {
        corpus: arguments.short_text(0, "corpus")?.ok_or_else(|| invalid("corpus must not be null"))?,
        directory: arguments.short_text(1, "directory")?.ok_or_else(|| invalid("directory must not be null"))?,
        incomplete: arguments.boolean(2).unwrap_or_default(),
        part_bytes: (megabytes.unsigned_abs() as usize) << 20,
        evaluation_sets: arguments.oids(4).unwrap_or_default(),
    })
}

fn export(corpus: &CorpusSpec, options: &ExportOptions) -> Result<Vec<ArchiveFile>> {
    let incomplete_because = read_chunks::check_complete(corpus, options.incomplete)?;
    let mut manifest = begun(corpus, incomplete_because)?;
    let layout = manifest.layout()?;
    let sets = EvaluationSets::named(options.evaluation_sets.clone())?;
    let set_names = sets.names();
    let directory = NewDirectory::begin(Path::new(&options.directory))?;
    let (part, who) = (options.part_bytes.to_string(), run_as::current_user().to_u32().to_string());
    let request = request(&manifest, &[&part, &who, &set_names.join(" ")]);
    let export = Export { corpus, directory: &directory, layout, part_bytes: options.part_bytes, request };
    export.write(&mut manifest)?;
    manifest.evaluation_sets = sets.write(&directory)?;
    let text = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| Error::new(Kind::Bug, "could not encode a manifest").detail(error.to_string()))?;
    let own = directory.write_file(MANIFEST, &text)?;
    let sums = directory.write_file(CHECKSUMS, manifest.checksums(&own.sha256).as_bytes())?;
    directory.complete()?;
    if manifest.left_out_count > 0 {
        pgrx::notice!("{} chunks left out: their documents have changed or are gone", manifest.left_out_count);
    }
    if manifest.row_security {
        pgrx::notice!("row security applies: rows that the caller may not see are not in the export");
    }
    let event = Event::new(EventKind::ExportCorpus).with("corpus", corpus.name.clone());
    let event = event.with("directory", options.directory.clone()).with("chunks", manifest.chunk_count);
    ledger::record(event.with("evaluation_sets", set_names).with("manifest_sha256", own.sha256.clone()));
    let sets = manifest.evaluation_sets.into_iter().map(|table| table.file);
    Ok(manifest.files.into_iter().chain(sets).chain([own, sums]).collect())
}

/// The manifest, without what is counted.
fn begun(corpus: &CorpusSpec, incomplete_because: Vec<String>) -> Result<Manifest> {
    let options = &corpus.options;
    let corpus_definition = definition::of(corpus)?;
    let token_model = match (&options.token_model, &options.token_model_digest) {
        (Some(name), Some(digest)) if privileges::may_read_token_vectors(corpus) => {
            Some(definition::model(name, digest, 0)?)
        }
        _ => None,
    };
    let origin = plan_cache::rows(ORIGIN, &[], 1, |row| {
        (row.get::<String>(1).unwrap_or_default(), row.get::<String>(2).unwrap_or_default())
    })?;
    let (exported_at, postgres_version) = origin.into_iter().next().unwrap_or_default();
    let create_corpus =
        definition::create_statement(&corpus_definition, &options.model, options.token_model.as_deref())?;
    Ok(Manifest {
        format: FORMAT.to_string(),
        format_version: FORMAT_VERSION,
        exported_at,
        socle_version: VERSION.to_string(),
        postgres_version,
        corpus: corpus_definition,
        create_corpus,
        model: definition::model(&options.model, &options.model_digest, options.dimensions)?,
        token_model,
        ocr_model: match (&options.ocr_model, &options.ocr_model_digest) {
            (Some(name), Some(digest)) => Some(definition::model(name, digest, 0)?),
            _ => None,
        },
        complete: incomplete_because.is_empty(),
        incomplete_because,
        row_security: reader_types(corpus)?.secured,
        ..Manifest::default()
    })
}

/// An export in progress.
struct Export<'a> {
    corpus: &'a CorpusSpec,
    directory: &'a NewDirectory,
    layout: ArchiveLayout,
    part_bytes: usize,
    /// The identity of what is asked for.
    request: String,
}

/// Where an export goes on.
struct Begun {
    identity: Identity,
    files: Vec<ArchiveFile>,
    position: Position,
}

impl Export<'_> {
    /// Writes all files with chunks, one at least, and counts what is in them.
    fn write(&self, manifest: &mut Manifest) -> Result<()> {
        let kinds: Vec<KeyKind> = self.layout.keys.iter().map(|(_, kind)| *kind).collect();
        let keys = KeyForm::Columns(&kinds);
        let Begun { mut identity, mut files, mut position } = self.begun(keys)?;
        let columns = if self.layout.token_vectors { Columns::ContentAndTokens } else { Columns::Content };
        let mut part = self.begin_part(files.len() + 1)?;
        let mut last = 0;
        let mut said = Instant::now();
        while !position.at_end {
            pgrx::check_for_interrupts!();
            for keyed in read_chunks::next(self.corpus, keys, columns, &mut position)? {
                if part.byte_count() >= self.part_bytes {
                    files.push(self.finish_part(part)?);
                    self.directory.keep(&Progress {
                        request: self.request.clone(),
                        after: last,
                        chunks_sha256: identity.sha256(),
                        files: files.clone(),
                    })?;
                    part = self.begin_part(files.len() + 1)?;
                }
                identity.push(&keyed);
                last = keyed.number;
                part.push(keyed.chunk)?;
            }
            if said.elapsed() > SAY_EVERY {
                said = Instant::now();
                self.say(&identity);
            }
        }
        files.push(self.finish_part(part)?);
        manifest.files = files;
        (manifest.chunk_count, manifest.document_count) = (identity.chunk_count, identity.document_count);
        manifest.left_out_count = position.left_out;
        if self.corpus.has_files() {
            manifest.extractors = identity.extractors();
        }
        manifest.complete &= position.left_out == 0;
        Ok(())
    }

    /// Where an interrupted call has stopped, if what it has written is of these chunks; otherwise the beginning.
    fn begun(&self, keys: KeyForm<'_>) -> Result<Begun> {
        let anew = || Begun { identity: Identity::default(), files: Vec::new(), position: Position::default() };
        let Some(progress) = self.directory.progress()? else { return Ok(anew()) };
        let mut identity = Identity::default();
        let mut position = Position::between(0, progress.after);
        let is_same_request = progress.request == self.request;
        while is_same_request && !position.at_end {
            pgrx::check_for_interrupts!();
            let chunks = read_chunks::next(self.corpus, keys, Columns::Nothing, &mut position)?;
            chunks.iter().for_each(|keyed| identity.push(keyed));
        }
        if !is_same_request || identity.sha256() != progress.chunks_sha256 {
            let why = if is_same_request {
                "chunks have changed since"
            } else {
                "it was another call, or another definition of the corpus"
            };
            pgrx::notice!("what an interrupted export has left is written anew: {why}");
            self.directory.forget(&progress);
            return Ok(anew());
        }
        pgrx::notice!(
            "going on after {} chunks in {} files of an interrupted export",
            identity.chunk_count,
            progress.files.len()
        );
        let mut rest = Position::between(progress.after, i64::MAX);
        rest.left_out = position.left_out;
        Ok(Begun { identity, files: progress.files, position: rest })
    }

    fn say(&self, identity: &Identity) {
        let all = relation::estimated_rows(self.corpus.tables.chunk.unwrap_or_default().into());
        pgrx::notice!("{} of about {} chunks", identity.chunk_count, all.max(identity.chunk_count));
    }

    fn begin_part(&self, number: usize) -> Result<PartWriter<NewFile>> {
        let file = self.directory.create_file(&part_name(number))?;
        let options = &self.corpus.options;
        let properties = [
            ("socle.corpus", self.corpus.name.as_str()),
            ("socle.model", options.model.as_str()),
            ("socle.model_digest", options.model_digest.as_str()),
        ];
        PartWriter::begin(file, &self.layout, &properties)
    }

    fn finish_part(&self, part: PartWriter<NewFile>) -> Result<ArchiveFile> {
        let rows = part.row_count();
        self.directory.finish_file(part.finish()?, rows)
    }
}
