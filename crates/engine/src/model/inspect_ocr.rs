//! Registration of a model that reads pictures: its files have fixed names, and their graphs are tried.

use super::inspect::{TrialConditions, check_graph};
use super::ocr::{OcrFiles, OcrModel, OcrParts};
use super::registered::MAX_GRAPH_BYTES;
use super::resident::{AnyModel, ResidentModel};
use super::runtime::Runtime;
use super::tokenizer::MAX_TOKENIZER_BYTES;
use socle_child::directory::{ModelRoot, ReadFile};
use socle_core::model::{Inspection, ModelKind, ModelOverrides, ModelSpec, OcrGraphs, Pooling, Similarity};
use socle_core::{Error, Kind, Result};
use socle_ocr::{Graphs, LONGEST_LINE, Tensor, missing_letters};

/// The graph that finds lines.
const DETECTION: &str = "detection.onnx";

/// The graph that tells lines that stand on their heads. It may be missing.
const DIRECTION: &str = "direction.onnx";

/// The graph that reads lines.
const RECOGNITION: &str = "recognition.onnx";

/// The list of characters, where it is not in the graph that reads lines.
const CHARACTERS: &str = "characters.txt";

/// Sides of the pictures of the trial runs in pixels.
const TRIAL_SIDE: usize = 96;

/// Height of a line in pixels.
const LINE_HEIGHT: usize = 48;

/// Whether a directory is registered as a model that reads pictures: the caller says so, or it has the files of one.
///
/// # Errors
/// As [`ModelRoot::graphs`].
pub fn reads_pictures(root: &ModelRoot, directory: &str, overrides: &ModelOverrides) -> Result<bool> {
    if let Some(kind) = overrides.kind {
        return Ok(kind == ModelKind::Ocr);
    }
    let graphs = root.graphs(directory, "")?;
    let has = |name: &str| graphs.iter().any(|graph| graph == name);
    Ok(overrides.graph.is_none() && has(DETECTION) && has(RECOGNITION))
}

/// Determines the properties of a model and tries its graphs. Also returns the loaded model.
///
/// # Errors
/// Those of reading and loading the files; `InvalidArgument` for a property that such a model does not have;
/// `DamagedModelFile` when a graph does not return what it should.
pub fn inspect(
    conditions: &TrialConditions<'_>,
    root: &ModelRoot,
    runtime: &Runtime,
    name: &str,
    directory: &str,
    overrides: &ModelOverrides,
) -> Result<(Inspection, ResidentModel)> {
    refuse_properties_of_texts(overrides)?;
    let files = read(root, directory)?;
    let graphs = [Some(&files.detection), files.direction.as_ref(), Some(&files.recognition)];
    for graph in graphs.into_iter().flatten() {
        check_graph(directory, graph)?;
    }
    (conditions.make_room)(graphs.into_iter().flatten().map(|graph| graph.file.bytes).sum())?;
    let parts = OcrParts::load(runtime, &files)?;
    try_graphs(&parts, conditions)?;
    let missing = missing_letters(parts.characters());
    let notices = notice(&missing).into_iter().collect();
    let spec = ModelSpec {
        name: name.to_string(),
        directory: directory.to_string(),
        graph: files.recognition.file.clone(),
        tokenizer: files.characters.as_ref().unwrap_or(&files.recognition).file.clone(),
        configuration: Vec::new(),
        kind: ModelKind::Ocr,
        dimensions: 1,
        max_tokens: LONGEST_LINE,
        pooling: Pooling::None,
        normalize: false,
        query_prefix: String::new(),
        passage_prefix: String::new(),
        output: String::new(),
        pad_id: 0,
        batchable: false,
        similarity: Similarity::Cosine,
        pool_prefix: true,
        lower_case: false,
        first_position: 0,
        layers: Vec::new(),
        late_interaction: None,
        served: None,
        ocr: Some(OcrGraphs {
            detection: files.detection.file.clone(),
            direction: files.direction.as_ref().map(|read| read.file.clone()),
            missing_letters: missing,
        }),
    };
    let resident = ResidentModel::new(AnyModel::Ocr(OcrModel::new(spec.clone(), parts)), files.stamps());
    Ok((Inspection { model: spec, notices }, resident))
}

fn read(root: &ModelRoot, directory: &str) -> Result<OcrFiles> {
    let graph = |name: &str| -> Result<ReadFile> {
        root.read(directory, name, MAX_GRAPH_BYTES).map_err(|error| match error.kind {
            Kind::MissingFile => error.hint(format!(
                "A model of kind ocr is a directory with {DETECTION}, {RECOGNITION} and, if it has one, {DIRECTION}."
            )),
            _ => error,
        })
    };
    Ok(OcrFiles {
        detection: graph(DETECTION)?,
        direction: root.read_optional(directory, DIRECTION, MAX_GRAPH_BYTES)?,
        recognition: graph(RECOGNITION)?,
        characters: root.read_optional(directory, CHARACTERS, MAX_TOKENIZER_BYTES)?,
    })
}

fn refuse_properties_of_texts(overrides: &ModelOverrides) -> Result<()> {
    let given = [
        ("dimensions", overrides.dimensions.is_some()),
        ("max_tokens", overrides.max_tokens.is_some()),
        ("pooling", overrides.pooling.is_some()),
        ("normalized", overrides.normalize.is_some()),
        ("query_prefix", overrides.query_prefix.is_some()),
        ("passage_prefix", overrides.passage_prefix.is_some()),
        ("query_prompt", overrides.query_prompt.is_some()),
        ("passage_prompt", overrides.passage_prompt.is_some()),
        ("graph", overrides.graph.is_some()),
    ];
    match given.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((name, _)) => Err(Error::new(Kind::InvalidArgument, format!("a model of kind ocr has no {name}"))
            .hint("Only the arguments name, directory, kind and license apply to it.")),
    }
}

/// Runs each graph on something grey: a model whose graphs were mixed up is found at registration.
fn try_graphs(parts: &OcrParts, conditions: &TrialConditions<'_>) -> Result<()> {
    let graphs = parts.graphs(conditions.options);
    let grey = |height: usize, width: usize| Tensor {
        shape: vec![1, 3, height, width],
        values: vec![0.5; 3 * height * width],
    };
    let refused = |file: &str, detail: String| {
        Err(Error::new(Kind::DamagedModelFile, format!("{file} does not return what socle expects")).detail(detail))
    };
    let map = graphs.detect(grey(TRIAL_SIDE, TRIAL_SIDE))?;
    if map.shape != [1, 1, TRIAL_SIDE, TRIAL_SIDE] {
        return refused(DETECTION, format!("For {TRIAL_SIDE} × {TRIAL_SIDE} pixels, it returned {:?}.", map.shape));
    }
    if let Some(direction) = graphs.direction(grey(LINE_HEIGHT, 4 * LINE_HEIGHT))?
        && direction.shape != [1, 2]
    {
        return refused(DIRECTION, format!("It returned {:?}, not two numbers.", direction.shape));
    }
    let steps = graphs.recognize(grey(LINE_HEIGHT, TRIAL_SIDE))?;
    let fits = matches!(steps.shape.as_slice(), [1, _, classes] if parts.characters().fits(*classes));
    if !fits {
        let shape = &steps.shape;
        return refused(RECOGNITION, format!("It returned {shape:?}, which is not a number for each character."));
    }
    parts.characters().read(&steps).map(drop)
}

/// What to say about the languages whose letters the model lacks.
fn notice(missing: &[(String, String)]) -> Option<String> {
    let languages: Vec<&str> = missing.iter().map(|(language, _)| language.as_str()).collect();
    (!languages.is_empty())
        .then(|| format!("it lacks letters of {}: see missing_letters in socle.model", languages.join(", ")))
}
