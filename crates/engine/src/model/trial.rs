//! Trial runs of a model that takes texts, before it is registered: what its graph returns, whether its window and its tokens
//! fit, and whether a text has the same result in company.

use super::loaded::Model;
use super::tokenizer::Tokens;
use ort::session::RunOptions;
use socle_core::model::ModelKind;
use socle_core::protocol::Role;
use socle_core::{Error, Kind, Result};

/// Texts of the trial runs, of different lengths and scripts.
const TRIAL_TEXTS: [&str; 3] = [
    "socle",
    "Wie stelle ich eine Sicherung wieder her, wenn der Server nach einem Stromausfall nicht mehr startet?",
    "PostgreSQL zapisuje zmiany w dzienniku, zanim dotrą do plików danych. Ce journal permet de restaurer la base. 日本語の文書",
];

/// Largest difference between the vectors of a text alone and in a batch that is accepted as equal: absolute for values up
/// to 1, relative for larger ones.
const MAX_BATCH_DIFFERENCE: f32 = 1e-5;

/// Longest input of the trial run of the window, in tokens: the cost of attention grows with its square.
const MAX_TRIAL_TOKENS: u32 = 2048;

fn trial_tokens(model: &Model) -> Result<Vec<Tokens>> {
    let [short, rest @ ..] = TRIAL_TEXTS;
    let all = [short].into_iter().chain(rest);
    all.map(|text| match model.spec.kind {
        ModelKind::Embedding => model.tokens(Role::Passage, text, true),
        ModelKind::Reranker => model.pair(short, text, true),
        ModelKind::Ocr => Err(Error::new(Kind::Bug, "a model for pictures was given a text")),
        ModelKind::LateInteraction if text == short => model.marked_query(text, true),
        ModelKind::LateInteraction => model.marked_document(text, true),
    })
    .collect()
}

/// The length of the vectors that the graph returns in a trial run.
pub(super) fn trial_dimensions(model: &Model, options: &RunOptions) -> Result<u32> {
    let tokens = trial_tokens(model)?;
    let Some(first) = tokens.first() else { return Ok(0) };
    let shape = model.output(&[first], options)?.shape;
    let last = if model.spec.kind == ModelKind::Reranker && shape.len() == 1 { Some(1) } else { shape.last().copied() };
    last.and_then(|last| u32::try_from(last).ok()).filter(|last| *last > 0).ok_or_else(|| {
        Error::new(Kind::DimensionMismatch, "the graph returns no vectors").detail(format!("Its output is {shape:?}."))
    })
}

/// Runs an input that fills the window and contains the largest token id, so that ids beyond the table of the graph and a
/// window beyond its positions are found at registration.
pub(super) fn trial_ids(model: &Model, window: u32, options: &RunOptions) -> Result<()> {
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

/// The results of the trial texts, each run alone.
pub(super) fn run_alone(model: &Model, options: &RunOptions) -> Result<Vec<f32>> {
    let mut alone = Vec::new();
    for tokens in trial_tokens(model)? {
        alone.extend(model.run(&[&tokens], options)?);
    }
    Ok(alone)
}

/// Whether texts may be run in batches: each has the same result `alone` as in a batch with longer ones.
pub(super) fn is_reproducible(model: &Model, alone: &[f32], options: &RunOptions) -> Result<bool> {
    let tokens = trial_tokens(model)?;
    let batch: Vec<&Tokens> = tokens.iter().collect();
    // Fails for a graph with a fixed batch size of 1, which can still run one text at a time.
    let Ok(together) = model.run(&batch, options) else { return Ok(false) };
    Ok(together.iter().zip(alone).all(|(a, b)| (a - b).abs() <= MAX_BATCH_DIFFERENCE * b.abs().max(1.0)))
}
