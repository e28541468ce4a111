//! `socle.import_model`: stores the files of a package in the database, and registers the model that they are. All or nothing:
//! one statement, one transaction.

use super::key;
use crate::generator_client;
use crate::language_model;
use crate::ledger::{self, Event, EventKind};
use crate::pg::arguments::Arguments;
use crate::pg::error::{report, spi};
use crate::pg::{backend, plan_cache, relation, run_as, spi as query};
use crate::{generator, model, model_files};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::generator::{GeneratorInspection, GeneratorOverrides};
use socle_core::model::{ModelKind, ModelOverrides, Pooling, sha256};
use socle_core::{Error, Kind, Result};
use socle_package::{GeneratorParameters, Manifest, ModelParameters, PART_BYTES, Package, Store};

const INSERT_PACKAGE: &str = include_str!("../../sql/model_package/insert_package.sql");
const INSERT_PART: &str = include_str!("../../sql/model_package/insert_part.sql");
const SET_MODEL: &str = include_str!("../../sql/model_package/set_model_package.sql");
const SET_GENERATOR: &str = include_str!("../../sql/model_package/set_generator_package.sql");
const HAS_PACKAGE: &str = include_str!("../../sql/model_package/has_package.sql");
const READ: &str = "SELECT pg_catalog.lo_get($1, $2, $3)";

/// A row of the result of `socle.import_model`.
type Imported = TableIterator<
    'static,
    (
        name!(name, String),
        name!(kind, String),
        name!(digest, String),
        name!(file_count, i32),
        name!(byte_count, i64),
        name!(license, Option<String>),
        name!(source, Option<String>),
        name!(vouched_by, Option<String>),
    ),
>;

#[pg_extern(sql = false)]
fn import_model_bytes(call: pg_sys::FunctionCallInfo) -> Result<Imported, ErrorReport> {
    let arguments = Arguments::new(call);
    let imported = arguments.bytes(1).ok_or_else(|| missing("package")).and_then(|bytes| {
        let mut rest = bytes;
        import(arguments, &mut |buffer| {
            let (now, later) = rest.split_at(rest.len().min(buffer.len()));
            buffer.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
            rest = later;
            Ok(now.len())
        })
    });
    imported.map_err(report)
}

#[pg_extern(sql = false)]
fn import_model_large_object(call: pg_sys::FunctionCallInfo) -> Result<Imported, ErrorReport> {
    let arguments = Arguments::new(call);
    let imported = arguments.oid(1).ok_or_else(|| missing("large_object")).and_then(|object| {
        let mut from = LargeObject { object, position: 0, ready: Vec::new(), taken: 0 };
        import(arguments, &mut |buffer| from.read(buffer))
    });
    imported.map_err(report)
}

fn missing(argument: &str) -> Error {
    Error::new(Kind::InvalidArgument, format!("{argument} must not be null"))
}

/// A large object that is read in parts, by the rights of the caller.
struct LargeObject {
    object: pg_sys::Oid,
    position: i64,
    ready: Vec<u8>,
    taken: usize,
}

impl LargeObject {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.taken == self.ready.len() {
            pgrx::check_for_interrupts!();
            let arguments = [self.object.into(), self.position.into(), (PART_BYTES as i32).into()];
            self.ready = plan_cache::in_own_memory_context(|| {
                plan_cache::rows(READ, &arguments, 1, |row| row.get::<Vec<u8>>(1).unwrap_or_default())
            })?
            .pop()
            .unwrap_or_default();
            self.position += self.ready.len() as i64;
            self.taken = 0;
        }
        let rest = self.ready.get(self.taken..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        self.taken += count;
        Ok(count)
    }
}

fn import(arguments: Arguments, read: &mut dyn FnMut(&mut [u8]) -> Result<usize>) -> Result<Imported> {
    backend::prevent_if_read_only(c"socle.import_model()");
    let name = arguments.short_text(0, "name")?.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Error::new(Kind::InvalidArgument, "name must not be null or empty"))?;
    let given = arguments.short_text(2, "signature")?;
    // One import at a time, and none while files of packages are removed.
    relation::lock_against_inserts(relation::find_and_lock("socle", "model_package"));
    model_files::remove_unused()?;
    let mut stored = Stored { name: &name, package: String::new(), is_new: false, is_known: false };
    let package = socle_package::read(read, &mut stored)?;
    let (sha, is_known) = (stored.package.clone(), stored.is_known);
    let signature = given.or_else(|| package.signature.clone());
    let voucher = signature.as_deref().map(|signature| key::voucher(&package.manifest_bytes, signature)).transpose()?;
    let voucher = voucher.flatten();
    if let Some(signature) = &signature {
        key::set_signature(&sha, signature, voucher.as_ref().map(|voucher| &voucher.key))?;
    }
    let what = format!("{} \"{name}\"", if package.manifest.generator.is_some() { "generator" } else { "model" });
    model_files::require_signed(Some(&sha), &what)?;
    let files = Written::ensure(&sha, &package.manifest, &what)?;
    if !is_known {
        register(&name, &sha, &package)?;
    }
    let stored = model_files::find(&sha)?;
    let vouched_by = stored.and_then(|stored| stored.vouched_by);
    files.keep();
    let Package { manifest, .. } = package;
    let event = Event::new(EventKind::ImportModel).with("name", name.clone()).with("kind", manifest.kind.clone());
    let event = event.with("digest", manifest.digest.clone()).with("package", sha);
    ledger::record(event.with("vouched_by", vouched_by.clone()));
    let bytes = i64::try_from(manifest.total_bytes()).unwrap_or(i64::MAX);
    let count = manifest.files.len() as i32;
    let Manifest { kind, digest, license, source, .. } = manifest;
    Ok(TableIterator::once((name, kind, digest, count, bytes, license, source, vouched_by)))
}

/// Puts a package into the tables of the extension.
struct Stored<'a> {
    name: &'a str,
    /// SHA-256 of the manifest, once that is read.
    package: String,
    /// Whether this database did not have the package.
    is_new: bool,
    /// Whether the model is registered and lacks its files, as after the restore of a dump.
    is_known: bool,
}

impl Store for Stored<'_> {
    fn begin(&mut self, manifest: &Manifest, bytes: &[u8]) -> Result<()> {
        self.package = sha256(bytes);
        let text =
            String::from_utf8(bytes.to_vec()).map_err(|error| Error::new(Kind::DamagedDocument, error.to_string()))?;
        let arguments = [self.package.as_str().into(), text.into()];
        let inserted = run_as::as_superuser(|| {
            Spi::connect_mut(|client| client.update(INSERT_PACKAGE, None, &arguments).map(|rows| rows.len()))
        });
        self.is_new = inserted.map_err(spi)? == 1;
        let arguments = [self.name.into(), self.package.as_str().into(), manifest.generator.is_some().into()];
        let has_package = run_as::as_superuser(|| query::query_bool(HAS_PACKAGE, &arguments))?;
        self.is_known = self.is_new && has_package;
        if self.is_known {
            return Ok(());
        }
        match manifest.generator {
            Some(_) => run_as::as_superuser(|| language_model::name_taken(self.name))?.map_or(Ok(()), Err),
            None => model::require_new(self.name),
        }
    }

    fn part(&mut self, file: usize, part: usize, bytes: &[u8]) -> Result<()> {
        pgrx::check_for_interrupts!();
        if !self.is_new {
            return Ok(());
        }
        plan_cache::in_own_memory_context(|| {
            let numbers = [file, part].map(|number| i32::try_from(number).unwrap_or(i32::MAX));
            let arguments = [self.package.as_str().into(), numbers[0].into(), numbers[1].into(), bytes.to_vec().into()];
            run_as::as_superuser(|| query::run(INSERT_PART, &arguments))
        })
    }
}

/// The files of a package that were written for an import, and go again if that fails.
struct Written(Option<String>);

impl Written {
    fn ensure(package: &str, manifest: &Manifest, what: &str) -> Result<Self> {
        let written = Self(Some(package.to_string()));
        model_files::ensure(package, manifest.files.iter().map(|file| (file.path.as_str(), file.bytes)), what)?;
        Ok(written)
    }

    fn keep(mut self) {
        self.0 = None;
    }
}

// Nothing of PostgreSQL is called here: an error may be under way.
impl Drop for Written {
    fn drop(&mut self) {
        if let Some(package) = &self.0 {
            model_files::remove(package);
        }
    }
}

/// Registers what a package holds.
fn register(name: &str, sha: &str, package: &Package) -> Result<()> {
    let manifest = &package.manifest;
    let digest = match (&manifest.model, &manifest.generator) {
        (Some(parameters), _) => register_model(name, sha, manifest, parameters)?,
        (None, Some(parameters)) => register_generator(name, sha, manifest, parameters)?,
        (None, None) => String::new(),
    };
    if digest == manifest.digest {
        return Ok(());
    }
    Err(Error::new(Kind::DamagedDocument, "the package does not hold the model that it describes")
        .detail(format!("The digest of its files and parameters is {digest}, the manifest says {}.", manifest.digest)))
}

fn register_model(name: &str, sha: &str, manifest: &Manifest, parameters: &ModelParameters) -> Result<String> {
    let unknown =
        |what: &str, value: &str| Error::new(Kind::NotSupported, format!("{what} \"{value}\" is not known here"));
    let kind = ModelKind::parse(&manifest.kind).ok_or_else(|| unknown("kind", &manifest.kind))?;
    let pooling = Pooling::parse(&parameters.pooling).ok_or_else(|| unknown("pooling", &parameters.pooling))?;
    // As much as `socle.register_model` takes for the kind: models of pictures have files of fixed names and nothing else.
    let of_kind = ModelOverrides { kind: Some(kind), ..ModelOverrides::default() };
    let of_texts = || ModelOverrides {
        max_tokens: Some(parameters.max_tokens),
        graph: parameters.graph.clone(),
        ..of_kind.clone()
    };
    let overrides = match kind.name() {
        "ocr" => of_kind,
        "embedding" => ModelOverrides {
            dimensions: parameters.dimensions,
            pooling: Some(pooling),
            normalize: Some(parameters.normalized),
            query_prefix: Some(parameters.query_prefix.clone()),
            passage_prefix: Some(parameters.passage_prefix.clone()),
            ..of_texts()
        },
        _ => of_texts(),
    };
    let directory = model_files::directory_name(sha);
    let mut inspection = model::inspect(name, &model_files::path_for_engine(&directory), overrides)?;
    inspection.model.directory = directory;
    run_as::as_superuser(|| {
        model::insert(&inspection.model, manifest.license.clone())?;
        query::run(SET_MODEL, &[name.into(), sha.into()])
    })?;
    model::tell(&inspection);
    Ok(inspection.model.digest())
}

fn register_generator(name: &str, sha: &str, manifest: &Manifest, parameters: &GeneratorParameters) -> Result<String> {
    let [file] = manifest.files.as_slice() else {
        return Err(Error::new(Kind::DamagedDocument, "the package of a generator holds one file, this one others"));
    };
    let path = format!("{}/{}", model_files::directory_name(sha), file.path);
    let overrides = GeneratorOverrides {
        template: Some(parameters.template.clone()),
        context_tokens: Some(parameters.context_tokens),
    };
    let inspection = generator_client::inspect(name, &model_files::path_for_engine(&path), overrides)?;
    let license = manifest.license.clone().or_else(|| inspection.license.clone());
    let mut inspection = GeneratorInspection { license, ..inspection };
    inspection.spec.file.path = path;
    run_as::as_superuser(|| {
        generator::insert(&inspection)?;
        query::run(SET_GENERATOR, &[name.into(), sha.into()])
    })?;
    Ok(inspection.spec.digest)
}
