//! Vectors and scores that an endpoint computes for a model that it serves.

use super::{Exchange, registered::require_open, unexpected};
use crate::pg::transaction;
use socle_core::Result;
use socle_core::endpoint::dialect::numbers::{Scores, Vectors};
use socle_core::endpoint::{CorpusPolicy, ServedModel, refusal};
use socle_core::protocol::{EgressRequest, EgressResponse};

/// A request under way. Dropping it ends it.
#[derive(Debug)]
pub struct Computation(Exchange);

impl Computation {
    /// Asks for the vectors of texts, with their prefixes. With `truncate`, the server may cut them to its window.
    ///
    /// # Errors
    /// `NotPermitted` where a corpus does not allow the endpoint, or the caller may not use it; `InputTooLong`; what keeps the
    /// egress process from starting.
    pub fn embed(served: &ServedModel, truncate: bool, texts: Vec<&str>) -> Result<Self> {
        let (endpoint, corpora) = (Box::new(served.endpoint.clone()), checked(served)?);
        Exchange::start(&EgressRequest::Embed { endpoint, corpora, model: &served.model, truncate, texts }).map(Self)
    }

    /// Asks for the scores of documents for a query.
    ///
    /// # Errors
    /// Those of [`Self::embed`].
    pub fn rerank(served: &ServedModel, truncate: bool, query: &str, documents: Vec<&str>) -> Result<Self> {
        let (endpoint, corpora) = (Box::new(served.endpoint.clone()), checked(served)?);
        let request = EgressRequest::Rerank { endpoint, corpora, model: &served.model, truncate, query, documents };
        Exchange::start(&request).map(Self)
    }

    /// Waits for the vectors.
    ///
    /// # Errors
    /// Those of the endpoint and the connection to it.
    pub fn vectors(mut self) -> Result<Vectors> {
        match self.0.answer()? {
            EgressResponse::Vectors(vectors) => Ok(vectors),
            _ => Err(unexpected()),
        }
    }

    /// Waits for the scores.
    ///
    /// # Errors
    /// Those of [`Self::vectors`].
    pub fn scores(mut self) -> Result<Scores> {
        match self.0.answer()? {
            EgressResponse::Scores(scores) => Ok(scores),
            _ => Err(unexpected()),
        }
    }
}

/// The corpora that text is sent of, checked: that the caller and all corpora may use the endpoint. The egress process asks the corpora again. A worker, which has no
/// transaction open here, has asked in one of its own just before.
fn checked(served: &ServedModel) -> Result<Vec<CorpusPolicy>> {
    let corpora = served.corpora.clone().ok_or_else(unexpected)?;
    if let Some(error) = refusal(&served.endpoint.name, &corpora) {
        return Err(error);
    }
    if transaction::is_open() {
        require_open(&served.endpoint, &corpora)?;
    }
    Ok(corpora)
}
