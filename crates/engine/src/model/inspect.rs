//! Registration: reads the files of a model, works out what it is, and tries it before anybody depends on it.

use super::directory::{ModelRoot, ReadFile};
use super::graph::{self, GraphFacts};
use super::layout::Layout;
use super::loaded::Model;
use super::registered::MAX_GRAPH_BYTES;
use super::runtime::Runtime;
use super::session::{OutputInfo, Session};
use super::store::Loaded;
use super::tokenizer::{MAX_TOKENIZER_BYTES, Tokenizer, Tokens};
use ort::session::RunOptions;
use socle_core::model::{ModelKind, ModelOverrides, ModelSpec, Pooling};
use socle_core::protocol::Role;
use socle_core::{Error, Kind, Result};

/// Texts of different lengths and scripts for the trial runs.
const TRIAL: [&str; 3] = [
    "socle",
    "Wie stelle ich eine Sicherung wieder her, wenn der Server nach einem Stromausfall nicht mehr startet?",
    "PostgreSQL zapisuje zmiany w dzienniku, zanim dotrą do plików danych. Ce journal permet de restaurer la base. 日本語の文書",
];

/// Largest difference between a text's vector alone and in company that counts as none (DESIGN, invariant 9).
const REPRODUCIBLE: f32 = 1e-5;

/// Longest input for the trial of the window, in tokens: attention costs the square of it.
const MAX_TRIAL_TOKENS: u32 = 2048;

/// What an inspection heeds besides the files.
pub struct Conditions<'a> {
    /// Those of the trial runs, which end when they are terminated.
    pub options: &'a RunOptions,
    /// Called before the graph is loaded, with its size in bytes.
    pub make_room: &'a dyn Fn(u64) -> Result<()>,
}

/// [`inspect_under`] no conditions.
///
/// # Errors
/// As [`inspect_under`].
pub fn inspect(
    root: &ModelRoot,
    runtime: &Runtime,
    name: &str,
    directory: &str,
    overrides: &ModelOverrides,
) -> Result<(ModelSpec, Loaded)> {
    let options = runtime.run_options()?;
    let conditions = Conditions { options: &options, make_room: &|_| Ok(()) };
    inspect_under(&conditions, root, runtime, name, directory, overrides)
}

/// Works out a model and tries it. The result holds the model loaded.
///
/// # Errors
/// Whatever is wrong with the files, `InvalidArgument` where they are silent and the caller too, `DimensionMismatch`
/// where they disagree with the graph.
pub fn inspect_under(
    conditions: &Conditions<'_>,
    root: &ModelRoot,
    runtime: &Runtime,
    name: &str,
    directory: &str,
    overrides: &ModelOverrides,
) -> Result<(ModelSpec, Loaded)> {
    let options = conditions.options;
    root.check_directory(directory)?;
    let layout = Layout::read(root, directory)?;
    let graph = read_graph(root, directory, overrides.graph.as_deref())?;
    let facts = check_graph(directory, &graph)?;
    (conditions.make_room)(graph.file.bytes)?;
    let tokenizer_file = root.read(directory, "tokenizer.json", MAX_TOKENIZER_BYTES)?;
    let tokenizer = Tokenizer::load(&tokenizer_file.bytes)?;
    let session = Session::load(runtime, &graph.bytes)?;
    let mut files = vec![(graph.file.clone(), graph.stamp), (tokenizer_file.file.clone(), tokenizer_file.stamp)];
    files.extend(layout.files.iter().cloned());

    let kind = kind(&layout, &session.outputs(), overrides)?;
    let (query_prefix, passage_prefix) = prefixes(&layout, kind, overrides)?;
    let (output, pooling) = output(&layout, &session.outputs(), kind, overrides)?;
    let window = window(&layout, &session, name, overrides)?;
    let mut spec = ModelSpec {
        name: name.to_string(),
        directory: directory.to_string(),
        graph: graph.file,
        tokenizer: tokenizer_file.file,
        configuration: layout.files.into_iter().map(|(file, _)| file).collect(),
        kind,
        dimensions: output.last.unwrap_or_default(),
        max_tokens: window,
        pooling,
        normalize: overrides.normalize.or(layout.normalize).unwrap_or(true) && kind == ModelKind::Embedding,
        query_prefix,
        passage_prefix,
        output: output.name,
        pad_id: tokenizer.pad_id.or(layout.pad_id).unwrap_or_default(),
        batchable: !facts.dynamic_quantization && !session.single,
    };
    let mut model = Model::new(spec.clone(), tokenizer, session)?;
    spec.dimensions = trial_dimensions(&model, options)?;
    let declared = overrides.dimensions.or(layout.dimensions.filter(|_| pooling != Pooling::None));
    if let Some(declared) = declared.filter(|declared| kind == ModelKind::Embedding && *declared != spec.dimensions) {
        let message = format!("expected {declared} dimensions, not {}", spec.dimensions);
        return Err(Error::new(Kind::DimensionMismatch, message).detail("The graph returns the latter."));
    }
    model.spec.dimensions = spec.dimensions;
    let alone = run_alone(&model, options)?;
    trial_ids(&model, window, options)?;
    spec.batchable = spec.batchable && is_reproducible(&model, &alone, options)?;
    model.spec.batchable = spec.batchable;
    Ok((spec, Loaded::new(model, files)))
}

/// The graph the caller names, or the one there is.
fn read_graph(root: &ModelRoot, directory: &str, named: Option<&str>) -> Result<ReadFile> {
    if let Some(path) = named {
        return root.read(directory, path, MAX_GRAPH_BYTES);
    }
    for path in ["model.onnx", "onnx/model.onnx"] {
        if let Some(read) = root.read_optional(directory, path, MAX_GRAPH_BYTES)? {
            return Ok(read);
        }
    }
    let mut graphs = root.graphs(directory, "")?;
    graphs.extend(root.graphs(directory, "onnx")?);
    match graphs.as_slice() {
        [path] => root.read(directory, path, MAX_GRAPH_BYTES),
        [] => root.read(directory, "model.onnx", MAX_GRAPH_BYTES),
        several => Err(Error::new(Kind::InvalidArgument, format!("directory \"{directory}\" holds several graphs"))
            .detail(format!("They are {}.", several.join(", ")))
            .hint("Choose one with the argument graph.")),
    }
}

fn check_graph(directory: &str, graph: &ReadFile) -> Result<GraphFacts> {
    let shown = format!("{directory}/{}", graph.file.path);
    let refused =
        |why: String| Error::new(Kind::DamagedModelFile, format!("model file \"{shown}\" is refused")).detail(why);
    let facts = graph::scan(&graph.bytes).map_err(|error| {
        let why = error.detail.unwrap_or_default();
        Error::new(Kind::DamagedModelFile, format!("model file \"{shown}\" is not a valid ONNX file")).detail(why)
    })?;
    if facts.external_data {
        return Err(refused("It keeps tensors in other files (external data).".into())
            .hint("Save the model as a single file, for example with onnx.save_model(model, path)."));
    }
    if !facts.foreign_domains.is_empty() {
        let domains: Vec<_> = facts.foreign_domains.iter().map(|domain| format!("\"{domain}\"")).collect();
        return Err(refused(format!("It needs operators from libraries of their own: {}.", domains.join(", "))));
    }
    Ok(facts)
}

fn kind(layout: &Layout, outputs: &[OutputInfo], overrides: &ModelOverrides) -> Result<ModelKind> {
    if let (Some(wanted), Some(stated)) = (overrides.kind, layout.kind)
        && (wanted, stated) == (ModelKind::Embedding, ModelKind::Reranker)
    {
        return Err(Error::new(Kind::InvalidArgument, "the model is a reranker, not an embedding model")
            .detail("Its config.json names an architecture for sequence classification."));
    }
    let scores = |output: &OutputInfo| output.name == "logits" && output.last == Some(1);
    let guessed = if outputs.iter().any(scores) { ModelKind::Reranker } else { ModelKind::Embedding };
    Ok(overrides.kind.or(layout.kind).unwrap_or(guessed))
}

/// The prefixes of queries and passages. A reranker reads query and document as they are.
fn prefixes(layout: &Layout, kind: ModelKind, overrides: &ModelOverrides) -> Result<(String, String)> {
    let wanted = [&overrides.query_prefix, &overrides.passage_prefix];
    if kind == ModelKind::Reranker {
        if wanted.into_iter().flatten().any(|prefix| !prefix.is_empty()) {
            return Err(Error::new(Kind::InvalidArgument, "a reranker takes no prefix")
                .hint("Leave out query_prefix and passage_prefix."));
        }
        return Ok(Default::default());
    }
    let [query, passage] = wanted.map(Option::clone);
    let query = query.or_else(|| layout.query_prefix.clone()).unwrap_or_default();
    let passage = passage.or_else(|| layout.passage_prefix.clone()).unwrap_or_default();
    Ok((query, passage))
}

/// Which output to read, and how to pool it.
fn output(
    layout: &Layout,
    outputs: &[OutputInfo],
    kind: ModelKind,
    overrides: &ModelOverrides,
) -> Result<(OutputInfo, Pooling)> {
    let names: Vec<_> = outputs.iter().map(|output| output.name.as_str()).collect();
    let none = |what: &str| {
        Error::new(Kind::DamagedModelFile, format!("the graph has no output that holds {what}"))
            .detail(format!("Its outputs of 32-bit numbers are: {}.", names.join(", ")))
    };
    if kind == ModelKind::Reranker {
        let is_scores = |output: &&OutputInfo| output.rank <= 2 && output.last.is_none_or(|last| last == 1);
        let found = outputs.iter().find(is_scores).cloned().ok_or_else(|| none("one score for each pair"))?;
        return Ok((OutputInfo { last: Some(1), ..found }, Pooling::None));
    }
    let pooled = outputs.iter().find(|output| output.rank == 2 && output.name == "sentence_embedding");
    let tokens = outputs.iter().find(|output| output.rank == 3);
    let flat = outputs.iter().find(|output| output.rank == 2);
    let pooling = match overrides.pooling {
        Some(pooling) => pooling,
        None if pooled.is_some() || (tokens.is_none() && flat.is_some()) => Pooling::None,
        None => layout.pooling.ok_or_else(|| {
            Error::new(Kind::InvalidArgument, "the files of the model do not say how to pool its tokens")
                .hint("Pass pooling => 'mean', 'cls' or 'last', as the model card states it.")
        })?,
    };
    if pooling == Pooling::None {
        return Ok((pooled.or(flat).cloned().ok_or_else(|| none("one vector for each text"))?, pooling));
    }
    if layout.dense_after_pooling {
        return Err(Error::new(Kind::DamagedModelFile, "the graph ends before the model does")
            .detail("modules.json applies a dense layer after pooling, and the graph does not pool.")
            .hint(
                "Export the model with its pooling and dense layers, so that it has an output \"sentence_embedding\".",
            ));
    }
    Ok((tokens.cloned().ok_or_else(|| none("one vector for each token"))?, pooling))
}

fn window(layout: &Layout, session: &Session, name: &str, overrides: &ModelOverrides) -> Result<u32> {
    let fixed = session.fixed_length.and_then(|length| u32::try_from(length).ok());
    let stated = overrides.max_tokens.or(layout.max_tokens).into_iter().chain(fixed).min();
    stated.ok_or_else(|| {
        Error::new(Kind::InvalidArgument, format!("the files of model \"{name}\" do not say how long its input may be"))
            .hint("Pass max_tokens, as the model card states it.")
    })
}

fn trial_tokens(model: &Model) -> Result<Vec<Tokens>> {
    let [short, rest @ ..] = TRIAL;
    let all = [short].into_iter().chain(rest);
    all.map(|text| match model.spec.kind {
        ModelKind::Embedding => model.tokens(Role::Passage, text, true),
        ModelKind::Reranker => model.pair(short, text, true),
    })
    .collect()
}

/// The length of the vectors that the graph really returns.
fn trial_dimensions(model: &Model, options: &RunOptions) -> Result<u32> {
    let tokens = trial_tokens(model)?;
    let Some(first) = tokens.first() else { return Ok(0) };
    let shape = model.output(&[first], options)?.shape;
    let last = if model.spec.kind == ModelKind::Reranker && shape.len() == 1 { Some(1) } else { shape.last().copied() };
    last.and_then(|last| u32::try_from(last).ok()).filter(|last| *last > 0).ok_or_else(|| {
        Error::new(Kind::DimensionMismatch, "the graph returns no vectors").detail(format!("Its output is {shape:?}."))
    })
}

/// Runs the whole window, with the largest token id in it: ids beyond the table of the graph, and a window beyond its
/// positions, come out here and not in the middle of a load.
fn trial_ids(model: &Model, window: u32, options: &RunOptions) -> Result<()> {
    let tokens = trial_tokens(model)?;
    let Some(mut tokens) = tokens.into_iter().next() else { return Ok(()) };
    let at = tokens.len() / 2;
    let missing = (window.min(MAX_TRIAL_TOKENS) as usize).saturating_sub(tokens.len());
    tokens.ids.splice(at..at, std::iter::repeat_n(model.max_token_id(), missing.max(1)));
    let kind = tokens.type_ids.last().copied().unwrap_or_default();
    tokens.type_ids.splice(at..at, std::iter::repeat_n(kind, missing.max(1)));
    tokens.type_ids.sort_unstable();
    tokens.ids.truncate(window as usize);
    tokens.type_ids.truncate(window as usize);
    model.run(&[&tokens], options).map(drop).map_err(|error| {
        let why = error.detail.unwrap_or(error.message);
        Error::new(Kind::DamagedModelFile, "the graph does not fit its tokenizer or its window")
            .detail(format!(
                "A run of {} tokens with the largest token id, {}, failed: {why}",
                tokens.len(),
                model.max_token_id()
            ))
            .hint("Check that tokenizer.json belongs to the graph, or pass a smaller max_tokens.")
    })
}

/// The results of the trial texts, each run by itself.
fn run_alone(model: &Model, options: &RunOptions) -> Result<Vec<f32>> {
    let mut alone = Vec::new();
    for tokens in trial_tokens(model)? {
        alone.extend(model.run(&[&tokens], options)?);
    }
    Ok(alone)
}

/// Whether texts may share a run: each has the same vector `alone` as beside longer ones.
fn is_reproducible(model: &Model, alone: &[f32], options: &RunOptions) -> Result<bool> {
    let tokens = trial_tokens(model)?;
    let batch: Vec<&Tokens> = tokens.iter().collect();
    // A graph with the batch size 1 baked in fails here; it still serves one text at a time.
    let Ok(together) = model.run(&batch, options) else { return Ok(false) };
    Ok(together.iter().zip(alone).all(|(a, b)| (a - b).abs() <= REPRODUCIBLE * b.abs().max(1.0)))
}
