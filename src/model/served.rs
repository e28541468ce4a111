//! Models that run on an endpoint: `socle.register_endpoint_model`, and the rows of `socle.model` that have no files.
//!
//! Registering one sends the probe to the server, twice: what it makes of it is stored, and has to come again.

use super::{Registered, damaged, exists, find, insert, named, positive, row};
use crate::egress_client;
use crate::endpoint;
use crate::engine_client::elsewhere;
use crate::ledger::{self, Event, EventKind};
use crate::pg::arguments::Arguments;
use crate::pg::backend;
use crate::pg::error::report;
use crate::pg::run_as;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use socle_core::endpoint::dialect::numbers::not_computed;
use socle_core::endpoint::served::{Probe, are_probabilities};
use socle_core::endpoint::{EndpointSpec, ServedModel};
use socle_core::model::{ModelFile, ModelKind, ModelSpec, Pooling, Similarity};
use socle_core::{Error, Kind, Result};

/// Window of a model whose registration does not say it, in tokens: that of most.
const DEFAULT_TOKENS: u32 = 512;

/// Largest difference from 1 of the length of a vector that is normalized, as servers round them.
const LENGTH_TOLERANCE: f64 = 1e-2;

/// Most dimensions of a vector: those of pgvector.
const MAX_DIMENSIONS: usize = 16_000;

/// The column `served` of `socle.model`.
#[derive(Debug, Deserialize, Serialize)]
struct Served {
    dialect: String,
    model: String,
    answered_model: Option<String>,
    probe: Vec<f32>,
    gives_probabilities: bool,
    tokenizer: Option<String>,
}

/// The model of a row that has no files, and its digest.
///
/// # Errors
/// `UnknownModel` when its endpoint is gone; `NotInState` when that has another dialect; `DamagedModelFile`.
pub fn spec(name: &str, row: &Value) -> Result<(ModelSpec, String)> {
    let text = |key: &str| row.get(key).and_then(Value::as_str).map(str::to_string).ok_or_else(|| damaged(name));
    let number = |key: &str| row.get(key).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
    let served = row.get("served").cloned().unwrap_or_default();
    let served: Served = serde_json::from_value(served).map_err(|_| damaged(name))?;
    let endpoint = text("endpoint")?;
    let endpoint = egress_client::registered(&endpoint)?.ok_or_else(|| {
        Error::new(Kind::UnknownModel, format!("endpoint \"{endpoint}\", where model \"{name}\" runs, does not exist"))
            .hint("Register it again with socle.register_endpoint(), or use another model.")
    })?;
    if endpoint.dialect.name() != served.dialect {
        return Err(Error::new(Kind::NotInState, format!("model \"{name}\" was registered with another endpoint"))
            .detail(format!(
                "The dialect of endpoint \"{}\" is \"{}\", that of the model \"{}\".",
                endpoint.name,
                endpoint.dialect.name(),
                served.dialect
            ))
            .hint("Register the endpoint as it was, or the model under another name."));
    }
    let kind = ModelKind::parse(&text("kind")?).ok_or_else(|| damaged(name))?;
    let shape = Shape {
        kind,
        dimensions: number("dimensions").unwrap_or(1),
        max_tokens: number("max_tokens").ok_or_else(|| damaged(name))?,
        normalize: row.get("normalized").and_then(Value::as_bool).unwrap_or_default(),
        prefixes: (text("query_prefix")?, text("passage_prefix")?),
    };
    let model = shape.model(text("name")?, model_of(endpoint, served)?);
    Ok((model, text("digest")?))
}

fn model_of(endpoint: EndpointSpec, served: Served) -> Result<ServedModel> {
    Ok(ServedModel {
        endpoint,
        model: served.model,
        answered_model: served.answered_model,
        probe: Probe(served.probe),
        gives_probabilities: served.gives_probabilities,
        tokenizer: served.tokenizer.map(|name| tokenizer(&name)).transpose()?.map(Box::new),
        corpora: None,
    })
}

/// The model of this name, to count tokens with.
fn tokenizer(name: &str) -> Result<ModelSpec> {
    let model = find(name)?;
    if model.served.is_none() {
        return Ok(model);
    }
    Err(Error::new(Kind::WrongModelKind, format!("model \"{name}\" has no tokenizer, because it runs on an endpoint"))
        .hint("Pass a model on this machine as tokenizer, or none to have tokens estimated."))
}

/// What there is to a model without files.
struct Shape {
    kind: ModelKind,
    dimensions: u32,
    max_tokens: u32,
    normalize: bool,
    prefixes: (String, String),
}

impl Shape {
    fn model(self, name: String, served: ServedModel) -> ModelSpec {
        let none = || ModelFile { path: String::new(), bytes: 0, sha256: String::new() };
        let (query_prefix, passage_prefix) = self.prefixes;
        ModelSpec {
            name,
            directory: String::new(),
            graph: none(),
            tokenizer: none(),
            configuration: Vec::new(),
            kind: self.kind,
            dimensions: self.dimensions,
            max_tokens: self.max_tokens,
            pooling: Pooling::None,
            normalize: self.normalize,
            query_prefix,
            passage_prefix,
            output: String::new(),
            pad_id: 0,
            batchable: true,
            similarity: Similarity::Cosine,
            pool_prefix: true,
            lower_case: false,
            first_position: 0,
            layers: Vec::new(),
            late_interaction: None,
            ocr: None,
            served: Some(Box::new(served)),
        }
    }
}

/// The columns `endpoint` and `served` of a model; `None` for one with files.
///
/// # Errors
/// `Bug`.
pub fn columns(model: &ModelSpec) -> Result<(Option<String>, Option<Value>)> {
    let Some(served) = &model.served else { return Ok((None, None)) };
    let columns = Served {
        dialect: served.endpoint.dialect.name().to_string(),
        model: served.model.clone(),
        answered_model: served.answered_model.clone(),
        probe: served.probe.0.clone(),
        gives_probabilities: served.gives_probabilities,
        tokenizer: served.tokenizer.as_ref().map(|model| model.name.clone()),
    };
    let columns = serde_json::to_value(columns).map_err(|error| Error::new(Kind::Bug, error.to_string()))?;
    Ok((Some(served.endpoint.name.clone()), Some(columns)))
}

#[pg_extern(sql = false)]
fn register_endpoint_model(call: pg_sys::FunctionCallInfo) -> Result<Registered, ErrorReport> {
    register(Arguments::new(call)).map_err(report)
}

fn register(arguments: Arguments) -> Result<Registered> {
    backend::prevent_if_read_only(c"socle.register_endpoint_model()");
    if !run_as::is_superuser() {
        return Err(Error::new(Kind::NotPermitted, "must be superuser to call socle.register_endpoint_model()")
            .detail("Texts leave the server for a model on an endpoint."));
    }
    let text = |at: usize, name: &str| arguments.short_text(at, name).map(|text| text.filter(|text| !text.is_empty()));
    let needed = |at: usize, name: &str| {
        text(at, name)?.ok_or_else(|| Error::new(Kind::InvalidArgument, format!("{name} must not be null or empty")))
    };
    let (name, endpoint_name) = (needed(0, "name")?, needed(1, "endpoint")?);
    if exists(&name)? {
        return Err(Error::new(Kind::AlreadyExists, format!("model \"{name}\" already exists"))
            .hint("Choose another name, or drop it first with socle.drop_model()."));
    }
    let kind = named(arguments, 2, "kind", ModelKind::parse, &["embedding", "reranker"])?;
    let kind = kind.unwrap_or(ModelKind::Embedding);
    let Some(endpoint) = egress_client::registered(&endpoint_name)? else {
        return Err(endpoint::unknown(&endpoint_name)?);
    };
    if kind == ModelKind::LateInteraction || !endpoint.dialect.computes(kind == ModelKind::Reranker) {
        return Err(unable(&endpoint, kind));
    }
    let served = ServedModel {
        model: text(3, "model")?.unwrap_or_else(|| endpoint.model.clone()),
        endpoint,
        answered_model: None,
        probe: Probe::default(),
        gives_probabilities: false,
        tokenizer: text(7, "tokenizer")?.map(|name| tokenizer(&name)).transpose()?.map(Box::new),
        corpora: Some(Vec::new()),
    };
    let served = probed(&name, served, kind)?;
    let shape = Shape {
        kind,
        dimensions: if kind == ModelKind::Embedding { dimensions(&served.probe)? } else { 1 },
        max_tokens: positive(arguments, 4, "max_tokens")?.unwrap_or(DEFAULT_TOKENS),
        normalize: kind == ModelKind::Embedding && (length(&served.probe) - 1.0).abs() < LENGTH_TOLERANCE,
        prefixes: (
            arguments.short_text(5, "query_prefix")?.unwrap_or_default(),
            arguments.short_text(6, "passage_prefix")?.unwrap_or_default(),
        ),
    };
    let model = shape.model(name, served);
    insert(&model, arguments.short_text(8, "license")?)?;
    let event = Event::new(EventKind::RegisterModel).with("model", model.name.as_str());
    ledger::record(event.with("digest", model.digest()).with("endpoint", endpoint_name));
    Ok(TableIterator::once(row(model)))
}

fn unable(endpoint: &EndpointSpec, kind: ModelKind) -> Error {
    if kind == ModelKind::LateInteraction {
        return Error::new(Kind::NotSupported, "a model of late interaction cannot run on an endpoint")
            .hint("The kinds of models there are embedding and reranker.");
    }
    not_computed(endpoint, kind == ModelKind::Reranker)
}

/// The model with what the server makes of the probe, which has to be the same twice.
fn probed(name: &str, mut served: ServedModel, kind: ModelKind) -> Result<ServedModel> {
    let (answered_model, values) = elsewhere::probe(&served, kind)?;
    served.gives_probabilities = kind == ModelKind::Reranker && are_probabilities(&values);
    // As they come back from the table, of which the digest is made.
    let values = serde_json::to_value(served.scaled(values)).and_then(serde_json::from_value);
    served.probe = Probe(values.map_err(|error| Error::new(Kind::Bug, error.to_string()))?);
    served.answered_model = answered_model;
    let (answered_model, again) = elsewhere::probe(&served, kind)?;
    let again = served.scaled(again);
    if kind == ModelKind::Embedding {
        served.check_vector(name, answered_model.as_deref(), &again)?;
    } else {
        served.check_scores(name, answered_model.as_deref(), &again)?;
    }
    Ok(served)
}

fn dimensions(probe: &Probe) -> Result<u32> {
    let unusable =
        |detail: &str| Error::new(Kind::MalformedAnswer, "the vectors of the endpoint are not usable").detail(detail);
    if probe.0.len() > MAX_DIMENSIONS {
        return Err(unusable(&format!("They have more than {MAX_DIMENSIONS} dimensions.")));
    }
    if length(probe) == 0.0 {
        return Err(unusable("That of a text is all zeros."));
    }
    u32::try_from(probe.0.len()).map_err(|_| unusable("They have no dimensions."))
}

fn length(probe: &Probe) -> f64 {
    probe.0.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt()
}
