//! How the texts of a model of late interaction become tokens (ColBERT, `modeling/tokenization`).

use serde::{Deserialize, Serialize};

/// The tokens that a model of late interaction puts into queries and documents, and those that it leaves out.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LateInteraction {
    /// Token after the first one of each query.
    pub query_marker: u32,
    /// Token after the first one of each document.
    pub document_marker: u32,
    /// Token that shorter queries are filled with. Its vectors take part in the comparison.
    pub mask: u32,
    /// Number of tokens that shorter queries are filled up to, special tokens included.
    pub query_tokens: u32,
    /// Whether the other tokens of the query attend to those that fill it.
    pub attends_to_masks: bool,
    /// Whether punctuation of documents, which the model does read, is left out of the comparison.
    pub skips_punctuation: bool,
}

impl LateInteraction {
    /// What distinguishes its results, for [`super::ModelSpec::digest`].
    pub(super) fn identity(&self) -> String {
        let Self { query_marker, document_marker, mask, query_tokens, attends_to_masks, skips_punctuation } = self;
        format!(
            "late interaction {query_marker} {document_marker} {mask} {query_tokens} {attends_to_masks} {skips_punctuation}"
        )
    }
}
