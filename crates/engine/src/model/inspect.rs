//! Registration of a model: reads its files, determines its properties, and verifies them by trial runs.

use super::configuration::unsupported;
use super::graph::{self, GraphFacts};
use super::head::{self, Head};
use super::inspect_ocr;
use super::late_interaction::METADATA;
use super::layout::{Layout, places};
use super::loaded::Model;
use super::prompt::Prefixes;
use super::registered::MAX_GRAPH_BYTES;
use super::resident::{AnyModel, ResidentModel};
use super::runtime::Runtime;
use super::session::{OutputInfo, Session};
use super::tokenizer::{MAX_TOKENIZER_BYTES, Tokenizer};
use super::trial::{is_reproducible, run_alone, trial_dimensions, trial_ids};
use ort::session::RunOptions;
use socle_child::directory::{ModelRoot, ReadFile, Stamp};
use socle_core::model::{
    Inspection, LateInteraction, Layer, ModelFile, ModelKind, ModelOverrides, ModelSpec, Pooling, Similarity,
};
use socle_core::{Error, Kind, Result};

/// The conditions of an inspection.
pub struct TrialConditions<'a> {
    /// Options of the trial runs, by which they can be terminated.
    pub options: &'a RunOptions,
    /// Called with the size of the graph in bytes before it is loaded.
    pub make_room: &'a dyn Fn(u64) -> Result<()>,
}

/// Inspects a model without conditions.
///
/// # Errors
/// As [`inspect_with`].
pub fn inspect(
    root: &ModelRoot,
    runtime: &Runtime,
    name: &str,
    directory: &str,
    overrides: &ModelOverrides,
) -> Result<(Inspection, ResidentModel)> {
    let options = runtime.run_options()?;
    let conditions = TrialConditions { options: &options, make_room: &|_| Ok(()) };
    inspect_with(&conditions, root, runtime, name, directory, overrides)
}

/// Determines the properties of a model and verifies them. Also returns the loaded model.
///
/// # Errors
/// Those of reading the files; `InvalidArgument` for a property that neither the files nor `overrides` state, `NotSupported`
/// where the files ask for something that socle does not support, `DimensionMismatch` where they contradict the graph.
pub fn inspect_with(
    conditions: &TrialConditions<'_>,
    root: &ModelRoot,
    runtime: &Runtime,
    name: &str,
    directory: &str,
    overrides: &ModelOverrides,
) -> Result<(Inspection, ResidentModel)> {
    root.check_directory(directory)?;
    let inspect =
        if inspect_ocr::reads_pictures(root, directory, overrides)? { inspect_ocr::inspect } else { inspect_text };
    inspect(conditions, root, runtime, name, directory, overrides)
}

/// As [`inspect_with`], of a model that takes texts.
fn inspect_text(
    conditions: &TrialConditions<'_>,
    root: &ModelRoot,
    runtime: &Runtime,
    name: &str,
    directory: &str,
    overrides: &ModelOverrides,
) -> Result<(Inspection, ResidentModel)> {
    let options = conditions.options;
    let layout = Layout::read(root, directory)?;
    let graph = read_graph(root, directory, &layout, overrides.graph.as_deref())?;
    let facts = check_graph(directory, &graph)?;
    (conditions.make_room)(graph.file.bytes)?;
    let tokenizer_file = read_tokenizer(root, directory, &layout)?;
    let tokenizer = Tokenizer::load(&tokenizer_file.bytes)?;
    let session = Session::load(runtime, &graph.bytes)?;
    let mut files = vec![(graph.file.clone(), graph.stamp), (tokenizer_file.file.clone(), tokenizer_file.stamp)];
    files.extend(layout.files.iter().cloned());

    let kind = kind(&layout, &session.outputs(), overrides)?;
    let is_embedding = kind == ModelKind::Embedding;
    if is_embedding {
        check_modules(&layout, &tokenizer, overrides)?;
    }
    let (prefixes, mut notices) = layout.prompts.choose(kind, overrides)?;
    let (output, pooling) = output(&layout, &session.outputs(), kind, overrides)?;
    let pool_prefix = pool_prefix(&layout, pooling, &prefixes, overrides)?;
    let stated = layout.modules.normalizes().filter(|_| is_embedding);
    let normalize = overrides.normalize.or(stated).unwrap_or(true) && kind != ModelKind::Reranker;
    let late_interaction = late_interaction(&layout, kind, &tokenizer)?;
    let spec = ModelSpec {
        name: name.to_string(),
        directory: directory.to_string(),
        graph: graph.file,
        tokenizer: tokenizer_file.file,
        configuration: layout.files.iter().map(|(file, _)| file.clone()).collect(),
        kind,
        dimensions: output.last.unwrap_or_default(),
        max_tokens: window(&layout, &session, name, overrides)?,
        pooling,
        normalize,
        query_prefix: prefixes.query,
        passage_prefix: prefixes.passage,
        output: output.name,
        pad_id: tokenizer.pad_id.or(layout.pad_id).unwrap_or_default(),
        batchable: !facts.dynamic_quantization && !session.single,
        similarity: layout.similarity.filter(|_| is_embedding).unwrap_or(Similarity::Cosine),
        pool_prefix,
        lower_case: layout.lower_case && is_embedding,
        first_position: if session.takes_positions() { layout.first_position } else { 0 },
        layers: Vec::new(),
        late_interaction,
        served: None,
        ocr: None,
    };
    let mut model = Model::new(spec, tokenizer, session, Head::default())?;
    let width = trial_dimensions(&model, options)?;
    if is_embedding {
        files.extend(add_layers(&mut model, root, directory, &layout, width)?);
        check_dimensions(&model.spec, overrides.dimensions)?;
        notices.extend(similarity_notice(&model.spec));
    } else {
        model.set_layers(Vec::new(), width, Head::default());
        check_token_vectors(&layout, &model.spec)?;
    }
    let alone = run_alone(&model, options)?;
    trial_ids(&model, model.spec.max_tokens, options)?;
    model.spec.batchable = model.spec.batchable && is_reproducible(&model, &alone, options)?;
    Ok((Inspection { model: model.spec.clone(), notices }, ResidentModel::new(AnyModel::Text(model), files)))
}

/// Checks that the files of an embedding model ask for no module or end token that would be ignored.
fn check_modules(layout: &Layout, tokenizer: &Tokenizer, overrides: &ModelOverrides) -> Result<()> {
    let whole_graph = overrides.pooling == Some(Pooling::None);
    if let Some(refused) = layout.modules.refused.clone().filter(|_| !whole_graph) {
        return Err(refused.hint(
            "If the graph holds the whole model, with one vector for each text as its output, pass pooling => 'none'.",
        ));
    }
    if layout.adds_end_token && tokenizer.frame()?.1 == 0 {
        return Err(unsupported("add_eos_token", "tokenizer_config.json")
            .detail("tokenizer.json does not end a text with a token.")
            .hint("Save the tokenizer again with a template that adds the token, as \"post_processor\"."));
    }
    Ok(())
}

/// How the texts of a model of late interaction become tokens.
fn late_interaction(layout: &Layout, kind: ModelKind, tokenizer: &Tokenizer) -> Result<Option<LateInteraction>> {
    if kind != ModelKind::LateInteraction {
        return Ok(None);
    }
    let missing = |file: &str, what: &str| {
        Error::new(Kind::InvalidArgument, format!("the files of the model do not say {what}"))
            .hint(format!("Late interaction requires {file}, as it is published with the model."))
    };
    let settings = layout.late_interaction.as_ref().ok_or_else(|| missing(METADATA, "how it marks texts"))?;
    let mask = layout.mask_token.as_ref().ok_or_else(|| missing("tokenizer_config.json", "what fills queries"))?;
    settings.with_ids(tokenizer, mask).map(Some)
}

/// Checks the length of the vectors of tokens. Exports often lack the last layer of such a model, which shortens them.
fn check_token_vectors(layout: &Layout, spec: &ModelSpec) -> Result<()> {
    let stated = layout.late_interaction.as_ref().and_then(|settings| settings.dimensions);
    match stated.filter(|stated| spec.late_interaction.is_some() && *stated != spec.dimensions) {
        None => Ok(()),
        Some(stated) => Err(mismatch(stated, spec.dimensions)
            .detail(format!("{METADATA} states the former, the graph returns the latter."))
            .hint("Export the whole model: its last layer, which shortens the vectors, may be missing.")),
    }
}

/// Whether the tokens of a prefix are pooled with those of the text.
fn pool_prefix(layout: &Layout, pooling: Pooling, prefixes: &Prefixes, overrides: &ModelOverrides) -> Result<bool> {
    if !layout.excludes_prompt || *prefixes == Prefixes::default() {
        return Ok(true);
    }
    let refused = |why: &str| Err(unsupported("include_prompt = false", "the configuration of pooling").detail(why));
    match pooling {
        // The last token is never one of the prefix.
        Pooling::Last => Ok(true),
        Pooling::Mean | Pooling::Max | Pooling::MeanSqrtLen | Pooling::WeightedMean => Ok(false),
        Pooling::Cls => refused("The first token, which is the vector of the text, is one of the prompt."),
        Pooling::None if overrides.pooling.is_some() => Ok(true),
        Pooling::None => refused("The graph pools by itself, and does not know which tokens are those of the prompt."),
    }
}

/// Adds the layers after pooling of `modules.json` and `truncate_dim` to a model. `width` is the length of the vectors that
/// the graph returns. Returns the files of the weights.
fn add_layers(
    model: &mut Model,
    root: &ModelRoot,
    directory: &str,
    layout: &Layout,
    width: u32,
) -> Result<Vec<(ModelFile, Stamp)>> {
    let (mut layers, files) = if model.spec.pooling == Pooling::None {
        // A graph that pools includes the layers after pooling.
        (Vec::new(), Vec::new())
    } else {
        head::layers(root, directory, &layout.modules.after)?
    };
    if layers.last() == Some(&Layer::Normalize) {
        // Expressed by `normalize`, which the caller may override.
        layers.pop();
    }
    let mut length = width;
    for layer in &layers {
        if let Some(inputs) = layer.inputs().filter(|inputs| *inputs != length) {
            return Err(mismatch(inputs, length).detail("A module after pooling takes the former."));
        }
        length = layer.outputs(length);
    }
    if let Some(dimensions) = layout.truncated.filter(|dimensions| *dimensions < length) {
        layers.push(Layer::Truncate { inputs: length, dimensions });
        length = dimensions;
    }
    let stated = layout.dimensions.filter(|_| model.spec.pooling != Pooling::None);
    if let Some(stated) = stated.filter(|stated| *stated != width) {
        return Err(mismatch(stated, width).detail("The graph returns the latter."));
    }
    let head = Head::new(&layers, &files)?;
    model.set_layers(layers, length, head);
    Ok(files.into_iter().map(|read| (read.file, read.stamp)).collect())
}

fn mismatch(expected: u32, found: u32) -> Error {
    Error::new(Kind::DimensionMismatch, format!("expected {expected} dimensions, not {found}"))
}

fn check_dimensions(spec: &ModelSpec, wanted: Option<u32>) -> Result<()> {
    match wanted.filter(|wanted| *wanted != spec.dimensions) {
        None => Ok(()),
        Some(wanted) => Err(mismatch(wanted, spec.dimensions).detail("The model returns the latter.")),
    }
}

/// The notice for a model whose vectors are ordered by cosine distance otherwise than by the similarity of the model.
fn similarity_notice(spec: &ModelSpec) -> Option<String> {
    (!spec.is_cosine()).then(|| {
        format!(
            "the vectors of this model are meant to be compared by {}, not by cosine: a corpus cannot use it unless it \
             is registered with normalized => true",
            spec.similarity.name()
        )
    })
}

/// Reads the tokenizer from the directory of the transformer or that of the model.
fn read_tokenizer(root: &ModelRoot, directory: &str, layout: &Layout) -> Result<ReadFile> {
    const NAME: &str = "tokenizer.json";
    for path in places(&layout.modules.transformer, &[NAME]) {
        if let Some(read) = root.read_optional(directory, &path, MAX_TOKENIZER_BYTES)? {
            return Ok(read);
        }
    }
    root.read(directory, NAME, MAX_TOKENIZER_BYTES)
}

/// Reads the graph at the path `named`, or else the only one in the directories of the transformer and of the model.
fn read_graph(root: &ModelRoot, directory: &str, layout: &Layout, named: Option<&str>) -> Result<ReadFile> {
    if let Some(path) = named {
        return root.read(directory, path, MAX_GRAPH_BYTES);
    }
    let transformer = &layout.modules.transformer;
    for path in places(transformer, &["model.onnx", "onnx/model.onnx"]) {
        if let Some(read) = root.read_optional(directory, &path, MAX_GRAPH_BYTES)? {
            return Ok(read);
        }
    }
    let mut below = vec![String::new(), "onnx".to_string()];
    if !transformer.is_empty() {
        below.extend([transformer.clone(), format!("{transformer}/onnx")]);
    }
    let mut graphs = Vec::new();
    for below in below {
        graphs.extend(root.graphs(directory, &below)?);
    }
    match graphs.as_slice() {
        [path] => root.read(directory, path, MAX_GRAPH_BYTES),
        [] => root.read(directory, "model.onnx", MAX_GRAPH_BYTES),
        several => Err(Error::new(Kind::InvalidArgument, format!("directory \"{directory}\" holds several graphs"))
            .detail(format!("They are {}.", several.join(", ")))
            .hint("Choose one with the argument graph.")),
    }
}

pub(super) fn check_graph(directory: &str, graph: &ReadFile) -> Result<GraphFacts> {
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

/// Chooses the output of the graph to be read, and how it is pooled.
fn output(
    layout: &Layout,
    outputs: &[OutputInfo],
    kind: ModelKind,
    overrides: &ModelOverrides,
) -> Result<(OutputInfo, Pooling)> {
    let names: Vec<_> = outputs.iter().map(|output| output.name.as_str()).collect();
    let none = |what: &str| {
        Error::new(Kind::DamagedModelFile, format!("the graph has no output that holds {what}"))
            .detail(format!("Its outputs of floating-point numbers are: {}.", names.join(", ")))
    };
    if kind == ModelKind::Reranker {
        let is_scores = |output: &&OutputInfo| output.rank <= 2 && output.last.is_none_or(|last| last == 1);
        let found = outputs.iter().find(is_scores).cloned().ok_or_else(|| none("one score for each pair"))?;
        return Ok((OutputInfo { last: Some(1), ..found }, Pooling::None));
    }
    let (flat, tokens) = (of_rank(outputs, 2), of_rank(outputs, 3));
    let pooled = flat.iter().find(|output| output.name == "sentence_embedding");
    let is_late = kind == ModelKind::LateInteraction;
    let pooling = match overrides.pooling {
        _ if is_late => Pooling::None,
        Some(pooling) => pooling,
        None if pooled.is_some() || (tokens.is_empty() && !flat.is_empty()) => Pooling::None,
        None => layout.pooling.clone().unwrap_or_else(|| {
            Err(Error::new(Kind::InvalidArgument, "the files of the model do not say how to pool its tokens")
                .hint("Pass pooling => 'mean', 'cls' or 'last', as the model card states it."))
        })?,
    };
    let (among, known, what) = if pooling == Pooling::None && !is_late {
        (flat, ["sentence_embedding", "text_embeds"], "one vector for each text")
    } else {
        (tokens, ["last_hidden_state", "token_embeddings"], "one vector for each token")
    };
    let found = known.iter().find_map(|name| among.iter().find(|output| output.name == **name).cloned());
    match (found, among.as_slice()) {
        (Some(found), _) => Ok((found, pooling)),
        (None, [only]) => Ok((only.clone(), pooling)),
        (None, []) => Err(none(what)),
        (None, several) => {
            let names: Vec<_> = several.iter().map(|output| output.name.as_str()).collect();
            Err(unsupported("outputs", "the graph")
                .detail(format!("Each of {} may be {what}.", names.join(", ")))
                .hint(format!("Export the model with an output named {}.", known.join(" or "))))
        }
    }
}

fn of_rank(outputs: &[OutputInfo], rank: usize) -> Vec<OutputInfo> {
    outputs.iter().filter(|output| output.rank == rank).cloned().collect()
}

fn window(layout: &Layout, session: &Session, name: &str, overrides: &ModelOverrides) -> Result<u32> {
    let fixed = session.fixed_length.and_then(|length| u32::try_from(length).ok());
    let stated = overrides.max_tokens.or(layout.max_tokens).into_iter().chain(fixed).min();
    stated.ok_or_else(|| {
        Error::new(Kind::InvalidArgument, format!("the files of model \"{name}\" do not say how long its input may be"))
            .hint("Pass max_tokens, as the model card states it.")
    })
}
