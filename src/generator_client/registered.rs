//! How functions find a registered generator.

use crate::model_files;
use crate::pg::{gucs, plan_cache, snapshot};
use serde_json::Value;
use socle_core::generator::GeneratorSpec;
use socle_core::model::ModelFile;
use socle_core::{Error, Kind, Result, hint};

const FIND: &str = include_str!("../../sql/generator/find_generator.sql");
const MAY_USE: &str = include_str!("../../sql/generator/may_use.sql");
const NAMES: &str = include_str!("../../sql/generator/generator_names.sql");
const ENDPOINT_NAMES: &str = include_str!("../../sql/endpoint/endpoint_names.sql");

/// The first column as text.
fn text(row: plan_cache::Row) -> String {
    row.get(1).unwrap_or_default()
}

/// The generator passed to a function, or the default one.
///
/// # Errors
/// `InvalidArgument` when there is neither; `UnknownModel`, with the registered names; `NotPermitted` where it is not public
/// and was not granted; `DamagedModelFile` when its row was changed by hand.
pub fn find(name: Option<String>) -> Result<GeneratorSpec> {
    let Some(name) = name.or_else(gucs::default_generator) else {
        return Err(Error::new(Kind::InvalidArgument, "no generator specified")
            .hint(format!("Pass the argument generator, or set socle.default_generator. {}", known("")?)));
    };
    let Some(row) = row(&name)? else { return Err(unknown(&name)?) };
    let damaged =
        || Error::new(Kind::DamagedModelFile, format!("the row of generator \"{name}\" in socle.generator is damaged"));
    let row: Value = serde_json::from_str(&row).map_err(|_| damaged())?;
    require_use(&name, &row)?;
    let package = row.get("package").and_then(Value::as_str);
    let what = format!("generator \"{name}\"");
    model_files::require_signed(package, &what)?;
    let mut spec = spec(&row).ok_or_else(damaged)?;
    if GeneratorSpec::digest_of(&spec.file.sha256, &spec.template, spec.context_tokens) != spec.digest {
        return Err(damaged()
            .detail("Its digest does not belong to its other columns.")
            .hint("Drop the generator with socle.drop_generator() and register it again."));
    }
    if let Some(package) = package {
        let name = spec.file.path.trim_start_matches(&model_files::directory_name(package)).trim_start_matches('/');
        model_files::ensure(package, std::iter::once((name, spec.file.bytes)), &what)?;
        spec.file.path = model_files::path_for_engine(&spec.file.path);
    }
    Ok(spec)
}

/// Refuses a generator that the caller may not use; `row` is its row.
///
/// # Errors
/// `NotPermitted`.
pub fn require_use(name: &str, row: &Value) -> Result<()> {
    if row.get("public_use").and_then(Value::as_bool).unwrap_or(true) {
        return Ok(());
    }
    let may = snapshot::in_latest_snapshot_to_read(|| {
        plan_cache::rows(MAY_USE, &[name.into()], 1, |row| row.get::<bool>(1) == Some(true))
    })?;
    if may.first() == Some(&true) {
        return Ok(());
    }
    Err(Error::new(Kind::NotPermitted, format!("permission denied for generator \"{name}\""))
        .hint("Whoever registers generators can grant its use with socle.grant_generator()."))
}

/// Refuses a name that no generator has.
///
/// # Errors
/// `UnknownModel`.
pub fn require_known(name: &str) -> Result<()> {
    if is_registered(name)? { Ok(()) } else { Err(unknown(name)?) }
}

/// Whether there is a generator of this name.
///
/// # Errors
/// Those of SPI.
pub fn is_registered(name: &str) -> Result<bool> {
    Ok(row(name)?.is_some())
}

/// The error for a name that no generator has.
///
/// # Errors
/// Those of SPI.
pub fn unknown(name: &str) -> Result<Error> {
    Ok(Error::new(Kind::UnknownModel, format!("generator \"{name}\" does not exist")).hint(known(name)?))
}

/// The row of a generator as JSON, if there is one of this name.
///
/// # Errors
/// Those of SPI.
pub fn row_of(name: &str) -> Result<Option<Value>> {
    Ok(row(name)?.and_then(|row| serde_json::from_str(&row).ok()))
}

fn row(name: &str) -> Result<Option<String>> {
    Ok(plan_cache::rows(FIND, &[name.into()], 1, text)?.pop())
}

/// Endpoints stand where generators do.
fn known(name: &str) -> Result<String> {
    let (generators, endpoints) =
        (plan_cache::rows(NAMES, &[], 0, text)?, plan_cache::rows(ENDPOINT_NAMES, &[], 0, text)?);
    let listed = match (generators.is_empty(), endpoints.is_empty()) {
        (_, true) => "Registered generators are",
        (true, false) => "Registered endpoints are",
        (false, false) => "Registered generators and endpoints are",
    };
    let none = "No generator is registered: see socle.register_generator().";
    Ok(hint::for_name(name, &[generators, endpoints].concat(), listed, none))
}

/// Reads a row of `socle.generator` that is JSON.
fn spec(row: &Value) -> Option<GeneratorSpec> {
    let text = |key: &str| row.get(key)?.as_str().map(str::to_string);
    let number = |key: &str| row.get(key)?.as_u64();
    Some(GeneratorSpec {
        name: text("name")?,
        file: ModelFile { path: text("file")?, bytes: number("file_bytes")?, sha256: text("file_sha256")? },
        template: text("template")?,
        context_tokens: number("context_tokens").and_then(|number| u32::try_from(number).ok())?,
        digest: text("digest")?,
    })
}
