//! `socle.export_corpus`: the chunks of a corpus as Parquet files in a new directory, with a manifest and checksums. Reads
//! some chunks at a time and holds one row group; the snapshot is that of the calling statement.

use super::definition;
use super::new_directory::{NewDirectory, NewFile};
use super::read_chunks::{self, KeyForm, Position};
use crate::catalog::{CorpusSpec, privileges};
use crate::pg::arguments::Arguments;
use crate::pg::error::report;
use crate::pg::{plan_cache, relation};
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
    })
}

fn export(corpus: &CorpusSpec, options: &ExportOptions) -> Result<Vec<ArchiveFile>> {
    let incomplete_because = read_chunks::check_complete(corpus, options.incomplete)?;
    let mut manifest = begun(corpus, incomplete_because)?;
    let layout = manifest.layout()?;
    let directory = NewDirectory::begin(Path::new(&options.directory))?;
    let export = Export { corpus, directory: &directory, layout, part_bytes: options.part_bytes };
    export.write(&mut manifest)?;
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
    Ok(manifest.files.into_iter().chain([own, sums]).collect())
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
}

impl Export<'_> {
    /// Writes all files with chunks, one at least, and counts what is in them.
    fn write(&self, manifest: &mut Manifest) -> Result<()> {
        let kinds: Vec<KeyKind> = self.layout.keys.iter().map(|(_, kind)| *kind).collect();
        let mut position = Position::default();
        let mut part = self.begin_part(1)?;
        let mut said = Instant::now();
        while !position.at_end {
            pgrx::check_for_interrupts!();
            let keys = KeyForm::Columns(&kinds);
            for (chunk, _) in read_chunks::next(self.corpus, keys, self.layout.token_vectors, &mut position)? {
                if part.byte_count() >= self.part_bytes {
                    manifest.files.push(self.finish_part(part)?);
                    part = self.begin_part(manifest.files.len() + 1)?;
                }
                manifest.chunk_count += 1;
                manifest.document_count += u64::from(chunk.ordinal == 1);
                part.push(chunk)?;
            }
            if said.elapsed() > SAY_EVERY {
                said = Instant::now();
                let all = relation::estimated_rows(self.corpus.tables.chunk.unwrap_or_default().into());
                pgrx::notice!("{} of about {} chunks", manifest.chunk_count, all.max(manifest.chunk_count));
            }
        }
        manifest.files.push(self.finish_part(part)?);
        manifest.left_out_count = position.left_out;
        manifest.complete &= position.left_out == 0;
        Ok(())
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
