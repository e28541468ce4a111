//! Collects the results of a request whose texts run in different batches, until its response is complete.

use crate::model::tokenizer::Tokens;
use crate::request::Request;
use socle_core::model::ModelSpec;
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel};
use std::sync::{Arc, Mutex, PoisonError};

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
    /// Numbers of each result: the dimensions of a vector, or 1 for a score.
    width: usize,
    /// Results in the order of the texts.
    values: Mutex<Vec<f32>>,
    /// Texts without a result.
    missing: AtomicUsize,
}

impl PendingResponse {
    /// A response that lacks `texts` results of `width` numbers each.
    pub fn new(
        request: Arc<Request>,
        model: Arc<ModelSpec>,
        texts: usize,
        width: usize,
        query: Option<Vec<f32>>,
    ) -> Self {
        let digest = model.digest().into();
        let values = Mutex::new(vec![0.0; texts * width]);
        Self { request, model, digest, query, width, values, missing: AtomicUsize::new(texts) }
    }

    /// Stores the result of the text at `index`. Returns all results, in order, when it was the last one missing.
    pub fn fill(&self, index: usize, result: &[f32]) -> Option<Vec<f32>> {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let place = values.get_mut(index * self.width..(index + 1) * self.width)?;
        place.copy_from_slice(result.get(..self.width)?);
        (self.missing.fetch_sub(1, AcqRel) == 1).then(|| std::mem::take(&mut *values))
    }

    /// Numbers of each result.
    pub fn width(&self) -> usize {
        self.width
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
