//! Registered generators: `socle.register_generator`, `socle.drop_generator`. How other functions find one:
//! [`crate::generator_client`].

use crate::generator_client;
use crate::language_model;
use crate::ledger::{self, Event, EventKind};
use crate::model;
use crate::model_files;
use crate::pg::arguments::Arguments;
use crate::pg::backend;
use crate::pg::error::{report, spi};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::generator::{GeneratorInspection, GeneratorOverrides};
use socle_core::{Error, Kind, Result};

const INSERT: &str = include_str!("../sql/generator/insert_generator.sql");
const DELETE: &str = include_str!("../sql/generator/delete_generator.sql");

/// A row of the result of `socle.register_generator`.
type Registered = TableIterator<
    'static,
    (
        name!(name, String),
        name!(architecture, String),
        name!(parameter_count, i64),
        name!(quantization, String),
        name!(template, String),
        name!(template_source, String),
        name!(context_tokens, i32),
        name!(trained_context_tokens, i32),
        name!(memory_bytes, i64),
        name!(license, Option<String>),
        name!(digest, String),
    ),
>;

#[pg_extern(sql = false)]
fn register_generator(call: pg_sys::FunctionCallInfo) -> Result<Registered, ErrorReport> {
    register(Arguments::new(call)).map_err(report)
}

fn register(arguments: Arguments) -> Result<Registered> {
    backend::prevent_if_read_only(c"socle.register_generator()");
    let needed = |at: usize, name: &str| {
        let text = arguments.short_text(at, name)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| Error::new(Kind::InvalidArgument, format!("{name} must not be null or empty")))
    };
    let (name, file) = (needed(0, "name")?, needed(1, "file")?);
    let context_tokens = match arguments.i32(3).map(u32::try_from) {
        None => None,
        Some(Ok(number @ 1..)) => Some(number),
        Some(_) => return Err(Error::new(Kind::InvalidArgument, "context_tokens must be at least 1")),
    };
    let overrides = GeneratorOverrides { template: arguments.short_text(2, "template")?, context_tokens };
    let license = arguments.short_text(4, "license")?;
    // Without a lock while the model is tried.
    if generator_client::is_registered(&name)?
        && let Some(error) = language_model::name_taken(&name)?
    {
        return Err(error);
    }
    model_files::require_signed(None, &format!("generator \"{name}\""))?;
    model_files::refuse_name(&file)?;
    let inspection = generator_client::inspect(&name, &file, overrides)?;
    let inspection = GeneratorInspection { license: license.or_else(|| inspection.license.clone()), ..inspection };
    if let Some(error) = language_model::name_taken(&name)? {
        return Err(error);
    }
    insert(&inspection)?;
    ledger::record(
        Event::new(EventKind::RegisterGenerator)
            .with("generator", name)
            .with("generator_digest", inspection.spec.digest.as_str())
            .with("license", inspection.license.clone()),
    );
    Ok(TableIterator::once(row(inspection)))
}

#[allow(clippy::type_complexity, reason = "the columns of the result")]
fn row(
    inspection: GeneratorInspection,
) -> (String, String, i64, String, String, String, i32, i32, i64, Option<String>, String) {
    let spec = inspection.spec;
    (
        spec.name,
        inspection.architecture,
        inspection.parameter_count.cast_signed(),
        inspection.quantization,
        spec.template,
        inspection.template_source.name().to_string(),
        spec.context_tokens.cast_signed(),
        inspection.trained_context_tokens.cast_signed(),
        inspection.memory_bytes.cast_signed(),
        inspection.license,
        spec.digest,
    )
}

/// Adds a generator to the registry.
///
/// # Errors
/// Those of SPI.
pub fn insert(inspection: &GeneratorInspection) -> Result<()> {
    let spec = &inspection.spec;
    let arguments = [
        spec.name.as_str().into(),
        spec.file.path.as_str().into(),
        spec.file.bytes.cast_signed().into(),
        spec.file.sha256.as_str().into(),
        spec.template.as_str().into(),
        spec.context_tokens.cast_signed().into(),
        inspection.architecture.as_str().into(),
        inspection.parameter_count.cast_signed().into(),
        inspection.quantization.as_str().into(),
        inspection.license.clone().into(),
        spec.digest.as_str().into(),
    ];
    Spi::connect_mut(|client| client.update(INSERT, None, &arguments).map(drop)).map_err(spi)
}

#[pg_extern(sql = false)]
fn drop_generator(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    let dropped = || -> Result<()> {
        backend::prevent_if_read_only(c"socle.drop_generator()");
        let name = Arguments::new(call).short_text(0, "name")?.unwrap_or_default();
        let package = Spi::connect_mut(|client| {
            let rows = client.update(DELETE, None, &[name.as_str().into()])?;
            rows.map(|row| row.get::<String>(1)).next().transpose()
        });
        match package.map_err(spi)? {
            None => return Err(generator_client::unknown(&name)?),
            Some(None) => {}
            Some(Some(package)) => model::drop_package(&package)?,
        }
        ledger::record(Event::new(EventKind::DropGenerator).with("generator", name));
        Ok(())
    };
    dropped().map_err(report)
}
