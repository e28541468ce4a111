//! Collects the results of a request whose texts run in different batches, until its response is complete.

use crate::model::tokenizer::Tokens;
use crate::request::{Job, Request};
use socle_core::model::{ModelKind, ModelSpec};
use socle_core::protocol::Response;
use std::sync::{Arc, Mutex, PoisonError};

/// What the model gives for one text.
#[derive(Clone, Debug)]
pub enum TextResult {
    /// A vector, or a single score.
    Numbers(Vec<f32>),
    /// The vectors of its tokens, as they are stored.
    TokenVectors(Vec<u8>),
}

/// A response that is complete when each text of its request has its result.
#[derive(Debug)]
pub struct PendingResponse {
    /// The request to be answered.
    pub request: Arc<Request>,
    /// The model that its texts are run through.
    pub model: Arc<ModelSpec>,
    /// [`ModelSpec::digest`] of the model.
    pub digest: Arc<str>,
    /// Vectors of the tokens of the query that its texts are compared with, for a model of late interaction.
    pub query: Option<Vec<f32>>,
    results: Mutex<Results>,
}

#[derive(Debug)]
struct Results {
    /// In the order of the texts.
    of_texts: Vec<Option<TextResult>>,
    /// Texts without a result.
    missing: usize,
}

impl PendingResponse {
    /// A response that lacks the results of so many texts.
    pub fn new(request: Arc<Request>, model: Arc<ModelSpec>, texts: usize, query: Option<Vec<f32>>) -> Self {
        let digest = model.digest().into();
        let results = Mutex::new(Results { of_texts: vec![None; texts], missing: texts });
        Self { request, model, digest, query, results }
    }

    /// Stores the result of the text at `index`. Returns the response when it was the last one missing.
    pub fn fill(&self, index: usize, result: TextResult) -> Option<Response> {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        let place = results.of_texts.get_mut(index)?;
        if place.replace(result).is_none() {
            results.missing -= 1;
        }
        (results.missing == 0).then(|| self.response(std::mem::take(&mut results.of_texts).into_iter().flatten()))
    }

    /// The response with these results.
    pub fn response(&self, results: impl Iterator<Item = TextResult>) -> Response {
        let (mut numbers, mut vectors) = (Vec::new(), Vec::new());
        for result in results {
            match result {
                TextResult::Numbers(values) => numbers.extend(values),
                TextResult::TokenVectors(bytes) => vectors.push(bytes),
            }
        }
        match self.model.kind {
            _ if matches!(self.request.job, Job::DocumentTokens { .. }) => Response::TokenVectors(vectors),
            // No text is given to a model for pictures.
            ModelKind::Embedding | ModelKind::Ocr => Response::Vectors(numbers),
            ModelKind::Reranker | ModelKind::LateInteraction => Response::Scores(numbers),
        }
    }
}

/// A tokenized text that is to be run through a model.
#[derive(Clone, Debug)]
pub struct QueuedText {
    /// The response that its result belongs to.
    pub response: Arc<PendingResponse>,
    /// Index of the text in its request.
    pub index: usize,
    /// Its tokens.
    pub tokens: Tokens,
}
