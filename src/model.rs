//! Registered models: `socle.register_model`, `socle.drop_model`, and how other functions find one, for a caller who may use
//! it.

mod ocr;
mod removal;
mod served;

pub use ocr::{no_ocr_model, ocr_mode, ocr_model, ocr_model_named, session_ocr};
pub use removal::drop_package;

use crate::engine_client;
use crate::ledger::{self, Event, EventKind};
use crate::model_files;
use crate::pg::arguments::Arguments;
use crate::pg::backend;
use crate::pg::error::{report, spi};
use crate::pg::{gucs, plan_cache, snapshot};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde_json::{Value, json};
use socle_core::model::{
    Inspection, Layer, ModelFile, ModelKind, ModelOverrides, ModelSpec, OcrGraphs, Pooling, Similarity,
};
use socle_core::protocol::{Request, Response};
use socle_core::{Error, Kind, Result, hint};

const FIND: &str = include_str!("../sql/model/find_model.sql");
const INSERT: &str = include_str!("../sql/model/insert_model.sql");
const NAMES: &str = include_str!("../sql/model/model_names.sql");
const MAY_USE: &str = include_str!("../sql/model_package/may_use.sql");

/// The first column as text.
fn text(row: plan_cache::Row) -> String {
    row.get(1).unwrap_or_default()
}

/// The model passed to an embedding function, or the default one.
///
/// # Errors
/// `InvalidArgument` when there is neither, otherwise as [`find`].
pub fn embedding_model(name: Option<String>) -> Result<ModelSpec> {
    let name = name.or_else(gucs::default_model).ok_or_else(|| no_model("socle.default_model"))?;
    require(find(&name)?, ModelKind::Embedding)
}

/// The model passed to `socle.rerank`, or the default one.
///
/// # Errors
/// Those of [`embedding_model`].
pub fn rerank_model(name: Option<String>) -> Result<ModelSpec> {
    let name = name.or_else(gucs::default_rerank_model).ok_or_else(|| no_model("socle.default_rerank_model"))?;
    let spec = find(&name)?;
    if spec.kind.is_reranking() { Ok(spec) } else { require(spec, ModelKind::Reranker) }
}

/// A model of late interaction.
///
/// # Errors
/// Those of [`find`]; `WrongModelKind`.
pub fn token_model(name: &str) -> Result<ModelSpec> {
    require(find(name)?, ModelKind::LateInteraction)
}

/// The model passed, or the default one, of any kind.
///
/// # Errors
/// Those of [`embedding_model`].
pub fn any_model(name: Option<String>) -> Result<ModelSpec> {
    find(&name.or_else(gucs::default_model).ok_or_else(|| no_model("socle.default_model"))?)
}

/// Finds a model by name, for the caller to use.
///
/// # Errors
/// `NotPermitted` where it is not public and was not granted; those of [`find_for_corpus`].
pub fn find(name: &str) -> Result<ModelSpec> {
    let (spec, is_public) = registered(name)?;
    if !is_public {
        require_use(name)?;
    }
    Ok(spec)
}

/// Finds a model by name, for a corpus that has it: whoever may read the corpus may search it.
///
/// # Errors
/// `UnknownModel`, with the registered names; `DamagedModelFile` when its row was changed by hand; `NotPermitted` for an
/// unsigned model under `socle.require_signed_models`; those of [`model_files::ensure`].
pub fn find_for_corpus(name: &str) -> Result<ModelSpec> {
    registered(name).map(|(spec, _)| spec)
}

/// A model, and whether everybody may use it.
fn registered(name: &str) -> Result<(ModelSpec, bool)> {
    let Some(row) = plan_cache::rows(FIND, &[name.into()], 1, text)?.pop() else { return Err(unknown(name)?) };
    let row: Value = serde_json::from_str(&row).map_err(|_| damaged(name))?;
    let package = row.get("package").and_then(Value::as_str);
    let what = format!("model \"{name}\"");
    model_files::require_signed(package, &what)?;
    let (mut spec, digest) = match row.get("endpoint") {
        Some(Value::String(_)) => served::spec(name, &row)?,
        _ => spec(&row).ok_or_else(|| damaged(name))?,
    };
    if spec.digest() != digest {
        return Err(damaged(name)
            .detail("Its digest does not belong to its other columns.")
            .hint("Drop the model with socle.drop_model() and register it again."));
    }
    if let Some(package) = package {
        let files = row.get("files").and_then(Value::as_array).into_iter().flatten();
        let files = files.filter_map(|file| Some((file.get("path")?.as_str()?, file.get("bytes")?.as_u64()?)));
        model_files::ensure(package, files, &what)?;
        spec.directory = model_files::path_for_engine(&spec.directory);
    }
    Ok((spec, row.get("public_use").and_then(Value::as_bool).unwrap_or(true)))
}

/// Refuses a model that the caller may not use.
///
/// # Errors
/// `NotPermitted`.
pub fn require_use(name: &str) -> Result<()> {
    let may = snapshot::in_latest_snapshot_to_read(|| {
        plan_cache::rows(MAY_USE, &[name.into()], 1, |row| row.get::<bool>(1) == Some(true))
    })?;
    if may.first() == Some(&true) {
        return Ok(());
    }
    Err(Error::new(Kind::NotPermitted, format!("permission denied for model \"{name}\""))
        .hint("Whoever registers models can grant its use with socle.grant_model()."))
}

fn damaged(name: &str) -> Error {
    Error::new(Kind::DamagedModelFile, format!("the row of model \"{name}\" in socle.model is damaged"))
}

fn require(spec: ModelSpec, kind: ModelKind) -> Result<ModelSpec> {
    if spec.kind == kind {
        return Ok(spec);
    }
    let (name, is, needed) = (&spec.name, spec.kind.name(), kind.name());
    let hint = match kind {
        ModelKind::Embedding => "Use socle.rerank() with a reranker, and an embedding model here.",
        ModelKind::Reranker => "Use socle.embed() with an embedding model, and a reranker here.",
        ModelKind::LateInteraction => "Only a model of late interaction (ColBERT) has vectors of tokens.",
        ModelKind::Ocr => "socle.ocr_model names a model that was registered with kind => 'ocr'.",
    };
    Err(Error::new(Kind::WrongModelKind, format!("model \"{name}\" is of kind {is}, not {needed}")).hint(hint))
}

fn no_model(setting: &str) -> Error {
    Error::new(Kind::InvalidArgument, "no model specified")
        .hint(format!("Pass the argument model, or set {setting}. {}", known_models("").unwrap_or_default()))
}

/// The error for a name that no model has.
///
/// # Errors
/// Those of SPI.
pub fn unknown(name: &str) -> Result<Error> {
    Ok(Error::new(Kind::UnknownModel, format!("model \"{name}\" does not exist")).hint(known_models(name)?))
}

fn known_models(name: &str) -> Result<String> {
    let names = plan_cache::rows(NAMES, &[], 0, text)?;
    let none = "No model is registered: see socle.register_model().";
    Ok(hint::for_name(name, &names, "Registered models are", none))
}

/// Parses a row of `socle.model` that is JSON: the model and its digest.
fn spec(row: &Value) -> Option<(ModelSpec, String)> {
    let text = |key: &str| row.get(key)?.as_str().map(str::to_string);
    let number = |key: &str| row.get(key)?.as_u64().and_then(|number| u32::try_from(number).ok());
    let files = |role: &str| -> Vec<ModelFile> {
        let all = row.get("files").and_then(Value::as_array).into_iter().flatten();
        let own = all.filter(|file| file.get("role").and_then(Value::as_str) == Some(role));
        own.filter_map(|file| serde_json::from_value(file.clone()).ok()).collect()
    };
    let ocr_graphs = |missing: &Value| {
        Some(Some(OcrGraphs {
            detection: files("detection").pop()?,
            direction: files("direction").pop(),
            missing_letters: serde_json::from_value(missing.clone()).ok()?,
        }))
    };
    // Columns that 0.1.0 did not have are missing until ALTER EXTENSION UPDATE.
    let boolean = |key: &str| row.get(key).and_then(Value::as_bool);
    let similarity = text("similarity").map_or(Some(Similarity::Cosine), |name| Similarity::parse(&name));
    let layers: Vec<Layer> =
        row.get("layers").map_or(Some(Vec::new()), |layers| serde_json::from_value(layers.clone()).ok())?;
    let late_interaction = row.get("late_interaction").filter(|settings| !settings.is_null());
    let late_interaction = late_interaction.map(|settings| serde_json::from_value(settings.clone()));
    let spec = ModelSpec {
        name: text("name")?,
        directory: text("directory")?,
        graph: files("graph").pop()?,
        tokenizer: files("tokenizer").pop()?,
        configuration: files("configuration"),
        kind: ModelKind::parse(&text("kind")?)?,
        dimensions: number("dimensions").unwrap_or(1),
        max_tokens: number("max_tokens")?,
        pooling: Pooling::parse(&text("pooling")?)?,
        normalize: boolean("normalized")?,
        query_prefix: text("query_prefix")?,
        passage_prefix: text("passage_prefix")?,
        output: text("output_name")?,
        pad_id: number("pad_id")?,
        batchable: boolean("batchable")?,
        similarity: similarity?,
        pool_prefix: boolean("pool_prefix").unwrap_or(true),
        lower_case: boolean("lower_case").unwrap_or(false),
        first_position: number("first_position").unwrap_or_default(),
        layers,
        late_interaction: late_interaction.transpose().ok()?,
        served: None,
        ocr: row.get("missing_letters").filter(|missing| !missing.is_null()).map_or(Some(None), ocr_graphs)?,
    };
    Some((spec, text("digest")?))
}

fn files(spec: &ModelSpec) -> Value {
    let with_role = |role: &str, file: &ModelFile| json!({"role": role, "path": file.path, "bytes": file.bytes, "sha256": file.sha256});
    let configuration = spec.configuration.iter().map(|file| with_role("configuration", file));
    let weights = spec.layers.iter().filter_map(Layer::weights).map(|file| with_role("weights", file));
    let ocr = spec.ocr.as_ref();
    let detection = ocr.map(|graphs| with_role("detection", &graphs.detection));
    let direction = ocr.and_then(|graphs| graphs.direction.as_ref()).map(|file| with_role("direction", file));
    [with_role("graph", &spec.graph), with_role("tokenizer", &spec.tokenizer)]
        .into_iter()
        .chain(detection)
        .chain(direction)
        .chain(configuration)
        .chain(weights)
        .collect()
}

/// A row of the result of `socle.register_model`.
type Registered = TableIterator<
    'static,
    (
        name!(name, String),
        name!(kind, String),
        name!(dimensions, Option<i32>),
        name!(max_tokens, i32),
        name!(pooling, String),
        name!(normalized, bool),
        name!(batchable, bool),
        name!(digest, String),
        name!(query_prefix, String),
        name!(passage_prefix, String),
        name!(similarity, String),
    ),
>;

#[pg_extern(sql = false)]
fn register_model(call: pg_sys::FunctionCallInfo) -> Result<Registered, ErrorReport> {
    register(Arguments::new(call)).map_err(report)
}

fn register(arguments: Arguments) -> Result<Registered> {
    backend::prevent_if_read_only(c"socle.register_model()");
    let needed = |at: usize, name: &str| {
        let text = arguments.short_text(at, name)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| Error::new(Kind::InvalidArgument, format!("{name} must not be null or empty")))
    };
    let name = needed(0, "name")?;
    let directory = needed(1, "directory")?;
    let overrides = ModelOverrides {
        kind: named(arguments, 2, "kind", ModelKind::parse, ModelKind::NAMES)?,
        dimensions: positive(arguments, 3, "dimensions")?,
        max_tokens: positive(arguments, 4, "max_tokens")?,
        pooling: named(arguments, 5, "pooling", Pooling::parse, Pooling::NAMES)?,
        normalize: arguments.boolean(6),
        query_prefix: arguments.short_text(7, "query_prefix")?,
        passage_prefix: arguments.short_text(8, "passage_prefix")?,
        graph: arguments.short_text(9, "graph")?,
        query_prompt: arguments.short_text(11, "query_prompt")?,
        passage_prompt: arguments.short_text(12, "passage_prompt")?,
    };
    let license = arguments.short_text(10, "license")?;
    model_files::require_signed(None, &format!("model \"{name}\""))?;
    model_files::refuse_name(&directory)?;
    require_new(&name)?;
    let inspection = inspect(&name, &directory, overrides)?;
    insert(&inspection.model, license.clone())?;
    ledger::record(
        Event::new(EventKind::RegisterModel)
            .with("model", name)
            .with("model_digest", inspection.model.digest())
            .with("license", license),
    );
    tell(&inspection);
    Ok(TableIterator::once(row(inspection.model)))
}

/// Refuses a name that a model has already.
///
/// # Errors
/// `AlreadyExists`.
pub fn require_new(name: &str) -> Result<()> {
    if exists(name)? {
        return Err(Error::new(Kind::AlreadyExists, format!("model \"{name}\" already exists"))
            .hint("Choose another name, or drop it first with socle.drop_model()."));
    }
    Ok(())
}

/// Refuses a name that no model has.
///
/// # Errors
/// `UnknownModel`.
pub fn require_known(name: &str) -> Result<()> {
    if exists(name)? { Ok(()) } else { Err(unknown(name)?) }
}

/// Refuses a model that was dropped since it was found.
///
/// # Errors
/// `UnknownModel`.
pub fn require_still(name: &str) -> Result<()> {
    let found = snapshot::in_latest_snapshot_to_read(|| plan_cache::rows(FIND, &[name.into()], 1, |_| ()))?;
    if found.is_empty() { Err(unknown(name)?) } else { Ok(()) }
}

/// The row of a model as JSON, if there is one of this name.
///
/// # Errors
/// Those of SPI.
pub fn row_of(name: &str) -> Result<Option<Value>> {
    let row = plan_cache::rows(FIND, &[name.into()], 1, text)?.pop();
    Ok(row.and_then(|row| serde_json::from_str(&row).ok()))
}

/// Has the engine try the model in a directory.
///
/// # Errors
/// Those of the engine.
pub fn inspect(name: &str, directory: &str, overrides: ModelOverrides) -> Result<Inspection> {
    match engine_client::ask(Request::Inspect { name, directory, overrides })?.pop() {
        Some(Response::Inspected(inspection)) => Ok(*inspection),
        Some(Response::Failed { error, .. }) => Err(error),
        _ => Err(engine_client::unexpected()),
    }
}

/// Passes on what the engine noticed.
pub fn tell(inspection: &Inspection) {
    for notice in &inspection.notices {
        pgrx::notice!("model \"{}\": {notice}", inspection.model.name);
    }
}

#[allow(clippy::type_complexity, reason = "the columns of the result")]
fn row(spec: ModelSpec) -> (String, String, Option<i32>, i32, String, bool, bool, String, String, String, String) {
    let (digest, dimensions) = (spec.digest(), dimensions(&spec));
    (
        spec.name,
        spec.kind.name().to_string(),
        dimensions,
        spec.max_tokens.cast_signed(),
        spec.pooling.name().to_string(),
        spec.normalize,
        spec.batchable,
        digest,
        spec.query_prefix,
        spec.passage_prefix,
        spec.similarity.name().to_string(),
    )
}

/// The length of the vectors, of texts or of their tokens; other models have none.
fn dimensions(spec: &ModelSpec) -> Option<i32> {
    spec.kind.has_vectors().then_some(spec.dimensions.cast_signed())
}

fn exists(name: &str) -> Result<bool> {
    let rows = Spi::connect(|client| client.select(FIND, Some(1), &[name.into()]).map(|rows| rows.len()));
    rows.map(|rows| rows > 0).map_err(spi)
}

/// Adds a model to the registry.
///
/// # Errors
/// Those of SPI.
pub fn insert(spec: &ModelSpec, license: Option<String>) -> Result<()> {
    let json = |value: serde_json::Result<Value>| value.map_err(|error| Error::new(Kind::Bug, error.to_string()));
    let layers = json(serde_json::to_value(&spec.layers))?;
    let late_interaction = spec.late_interaction.as_ref().map(|settings| json(serde_json::to_value(settings)));
    let (endpoint, served) = served::columns(spec)?;
    let files = if spec.has_no_files() { json!([]) } else { files(spec) };
    let missing_letters = spec.ocr.as_ref().map(|graphs| json(serde_json::to_value(&graphs.missing_letters)));
    let arguments = [
        spec.name.as_str().into(),
        spec.kind.name().into(),
        dimensions(spec).into(),
        spec.max_tokens.cast_signed().into(),
        spec.pooling.name().into(),
        spec.normalize.into(),
        spec.query_prefix.as_str().into(),
        spec.passage_prefix.as_str().into(),
        license.into(),
        spec.directory.as_str().into(),
        pgrx::JsonB(files).into(),
        spec.output.as_str().into(),
        spec.pad_id.cast_signed().into(),
        spec.batchable.into(),
        spec.digest().into(),
        spec.similarity.name().into(),
        spec.pool_prefix.into(),
        spec.lower_case.into(),
        spec.first_position.cast_signed().into(),
        pgrx::JsonB(layers).into(),
        late_interaction.transpose()?.map(pgrx::JsonB).into(),
        endpoint.into(),
        served.map(pgrx::JsonB).into(),
        missing_letters.transpose()?.map(pgrx::JsonB).into(),
    ];
    Spi::connect_mut(|client| client.update(INSERT, None, &arguments).map(drop)).map_err(spi)
}

fn named<T>(
    arguments: Arguments,
    at: usize,
    name: &str,
    parse: impl Fn(&str) -> Option<T>,
    names: &[&str],
) -> Result<Option<T>> {
    let Some(text) = arguments.short_text(at, name)? else { return Ok(None) };
    let unknown = || {
        Error::new(Kind::InvalidArgument, format!("{name} must not be \"{text}\""))
            .hint(format!("It is one of {}.", names.join(", ")))
    };
    parse(&text).ok_or_else(unknown).map(Some)
}

fn positive(arguments: Arguments, at: usize, name: &str) -> Result<Option<u32>> {
    match arguments.i32(at).map(u32::try_from) {
        None => Ok(None),
        Some(Ok(number @ 1..)) => Ok(Some(number)),
        Some(_) => Err(Error::new(Kind::InvalidArgument, format!("{name} must be at least 1"))),
    }
}
