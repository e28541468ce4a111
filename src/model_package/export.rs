//! `socle.export_model`: a model and its manifest as a large object of the caller.
//!
//! A model that was imported leaves as it came, with the signature of its manifest. Files are compared with the registered
//! checksums while they are read.

use crate::ledger::{self, Event, EventKind};
use crate::pg::arguments::Arguments;
use crate::pg::error::{report, spi};
use crate::pg::{backend, gucs, plan_cache, spi as query};
use crate::{generator_client, model, model_files};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use serde_json::Value;
use sha2::{Digest, Sha256};
use socle_core::model::{hexadecimal, sha256};
use socle_core::protocol::VERSION;
use socle_core::{Error, Kind, Result};
use socle_package::{
    END, FORMAT, FORMAT_VERSION, GeneratorParameters, MANIFEST, Manifest, ModelParameters, PART_BYTES, PackageFile,
    SIGNATURE, header, padding,
};
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

const ORIGIN: &str = include_str!("../../sql/model_package/origin.sql");
const CREATE: &str = "SELECT pg_catalog.lo_from_bytea(0, $1)";
const WRITE: &str = "SELECT pg_catalog.lo_put($1, $2, $3)";

/// What is exported.
struct Exported {
    manifest: Manifest,
    /// The manifest as it is written: that of a package, byte by byte.
    text: String,
    signature: Option<String>,
    /// The package that the files come from, or the directory of the model.
    package: Option<String>,
    directory: String,
}

#[pg_extern(sql = false)]
fn export_model(call: pg_sys::FunctionCallInfo) -> Result<pg_sys::Oid, ErrorReport> {
    export(Arguments::new(call)).map_err(report)
}

fn export(arguments: Arguments) -> Result<pg_sys::Oid> {
    backend::prevent_if_read_only(c"socle.export_model()");
    let name = arguments.short_text(0, "name")?.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Error::new(Kind::InvalidArgument, "name must not be null or empty"))?;
    let exported = exported(&name, arguments.short_text(1, "source")?)?;
    let mut out = LargeObject::create()?;
    out.file(MANIFEST, exported.text.as_bytes())?;
    if let Some(signature) = &exported.signature {
        out.file(SIGNATURE, signature.as_bytes())?;
    }
    for file in &exported.manifest.files {
        out.write(&header(&file.path, file.bytes)?)?;
        copy(&exported, file, &mut out)?;
        out.write(END.get(..padding(file.bytes)).unwrap_or_default())?;
    }
    out.write(&END)?;
    let object = out.finish()?;
    let event = Event::new(EventKind::ExportModel).with("name", name).with("digest", exported.manifest.digest);
    ledger::record(event.with("package", sha256(exported.text.as_bytes())));
    Ok(object)
}

fn exported(name: &str, source: Option<String>) -> Result<Exported> {
    let (row, is_model) = match model::row_of(name)? {
        Some(row) => {
            if row.get("public_use").and_then(Value::as_bool) == Some(false) {
                model::require_use(name)?;
            }
            (row, true)
        }
        None => match generator_client::row_of(name)? {
            Some(row) => {
                generator_client::require_use(name, &row)?;
                (row, false)
            }
            None => return Err(model::unknown(name)?),
        },
    };
    if let Some(package) = row.get("package").and_then(Value::as_str) {
        if source.is_some() {
            return Err(Error::new(Kind::InvalidArgument, format!("the source of \"{name}\" is part of its package"))
                .hint("Leave out the argument source: what was imported leaves as it came."));
        }
        return of_package(package, name);
    }
    let mut manifest = if is_model { of_model(&row) } else { of_generator(&row) }
        .ok_or_else(|| Error::new(Kind::NotSupported, format!("\"{name}\" has no files that could be exported")))?;
    manifest.source = source;
    manifest.exported_at = query::query_text(ORIGIN, &[])?.unwrap_or_default();
    let text = serde_json::to_string_pretty(&manifest)
        .map_err(|error| Error::new(Kind::Bug, "could not encode a manifest").detail(error.to_string()))?;
    // What could not be imported again is not exported.
    Manifest::parse(text.as_bytes())?;
    let directory = row.get("directory").and_then(Value::as_str).unwrap_or_default().to_string();
    Ok(Exported { manifest, text: text + "\n", signature: None, package: None, directory })
}

/// What was imported.
fn of_package(package: &str, name: &str) -> Result<Exported> {
    model_files::ensure(package, std::iter::once((MANIFEST, u64::MAX)), &format!("\"{name}\""))?;
    let stored = model_files::find(package)?;
    let stored =
        stored.ok_or_else(|| Error::new(Kind::MissingFile, format!("package {package} is not in this database")))?;
    let manifest = Manifest::parse(stored.manifest.as_bytes())?;
    let (text, signature, package) = (stored.manifest, stored.signature, Some(package.to_string()));
    Ok(Exported { manifest, text, signature, package, directory: String::new() })
}

fn of_model(row: &Value) -> Option<Manifest> {
    let text = |key: &str| row.get(key)?.as_str().map(str::to_string);
    let number = |key: &str| row.get(key)?.as_u64().and_then(|number| u32::try_from(number).ok());
    let files: Vec<(String, PackageFile)> = row.get("files")?.as_array()?.iter().filter_map(file).collect();
    let graph = files.iter().find(|(role, _)| role == "graph").map(|(_, file)| file.path.clone());
    let parameters = ModelParameters {
        dimensions: number("dimensions"),
        max_tokens: number("max_tokens")?,
        pooling: text("pooling")?,
        normalized: row.get("normalized")?.as_bool()?,
        query_prefix: text("query_prefix")?,
        passage_prefix: text("passage_prefix")?,
        graph,
    };
    // A file may have two roles.
    let mut seen = HashSet::new();
    let files: Vec<PackageFile> =
        files.into_iter().map(|(_, file)| file).filter(|file| seen.insert(file.path.clone())).collect();
    (!files.is_empty()).then_some(())?;
    let (kind, digest) = (text("kind")?, text("digest")?);
    Some(Manifest { model: Some(parameters), files, ..begun(text("name")?, kind, digest, text("license")) })
}

fn file(value: &Value) -> Option<(String, PackageFile)> {
    let text = |key: &str| value.get(key)?.as_str().map(str::to_string);
    let file = PackageFile { path: text("path")?, bytes: value.get("bytes")?.as_u64()?, sha256: text("sha256")? };
    Some((text("role")?, file))
}

fn of_generator(row: &Value) -> Option<Manifest> {
    let text = |key: &str| row.get(key)?.as_str().map(str::to_string);
    let number = |key: &str| row.get(key)?.as_u64();
    let parameters =
        GeneratorParameters { template: text("template")?, context_tokens: number("context_tokens")?.try_into().ok()? };
    let file = PackageFile { path: text("file")?, bytes: number("file_bytes")?, sha256: text("file_sha256")? };
    let manifest = begun(text("name")?, "generator".to_string(), text("digest")?, text("license"));
    Some(Manifest { generator: Some(parameters), files: vec![file], ..manifest })
}

fn begun(name: String, kind: String, digest: String, license: Option<String>) -> Manifest {
    Manifest {
        format: FORMAT.to_string(),
        format_version: FORMAT_VERSION,
        name,
        kind,
        digest,
        license,
        socle_version: VERSION.to_string(),
        ..Manifest::default()
    }
}

/// Copies a file, and compares it with its checksum.
fn copy(exported: &Exported, file: &PackageFile, out: &mut LargeObject) -> Result<()> {
    let unreadable = |error: io::Error| {
        Error::new(Kind::UnreadableFile, format!("could not read model file \"{}\"", file.path))
            .detail(error.to_string())
    };
    let mut opened = match &exported.package {
        Some(package) => model_files::open(package, &file.path),
        None => open_below(&gucs::model_directory(), &Path::new(&exported.directory).join(&file.path)),
    }
    .map_err(unreadable)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; PART_BYTES];
    let mut left = file.bytes;
    while left > 0 {
        pgrx::check_for_interrupts!();
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let count = opened.read(buffer.get_mut(..most).unwrap_or_default()).map_err(unreadable)?;
        if count == 0 {
            break;
        }
        let bytes = buffer.get(..count).unwrap_or_default();
        hash.update(bytes);
        out.write(bytes)?;
        left -= count as u64;
    }
    let found = hexadecimal(&hash.finalize());
    if left == 0 && found == file.sha256 {
        return Ok(());
    }
    Err(Error::new(Kind::DamagedModelFile, format!("model file \"{}\" has changed since registration", file.path))
        .detail(format!("Its SHA-256 is {found}, registered is {}.", file.sha256))
        .hint("Restore the file, or register the new files under another name."))
}

/// Opens a file below a directory, as engine and generator do: no link leads out of it.
fn open_below(directory: &Path, path: &Path) -> io::Result<File> {
    let root = openat(CWD, directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(File::from(openat2(root, path, flags, Mode::empty(), resolve)?))
}

/// A large object that is written from its beginning to its end.
struct LargeObject {
    object: pg_sys::Oid,
    position: i64,
    waiting: Vec<u8>,
}

impl LargeObject {
    fn create() -> Result<Self> {
        let created = Spi::get_one_with_args::<pg_sys::Oid>(CREATE, &[Vec::<u8>::new().into()]).map_err(spi)?;
        let object = created.unwrap_or(pg_sys::InvalidOid);
        Ok(Self { object, position: 0, waiting: Vec::new() })
    }

    /// Writes a whole file with its header.
    fn file(&mut self, path: &str, bytes: &[u8]) -> Result<()> {
        self.write(&header(path, bytes.len() as u64)?)?;
        self.write(bytes)?;
        self.write(END.get(..padding(bytes.len() as u64)).unwrap_or_default())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= PART_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let bytes = std::mem::take(&mut self.waiting);
        let count = bytes.len() as i64;
        plan_cache::in_own_memory_context(|| {
            query::run(WRITE, &[self.object.into(), self.position.into(), bytes.into()])
        })?;
        self.position += count;
        Ok(())
    }

    fn finish(mut self) -> Result<pg_sys::Oid> {
        self.flush()?;
        Ok(self.object)
    }
}
