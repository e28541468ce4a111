//! Late interaction (ColBERT): reads how a model prepares its texts, and compares the vectors of their tokens.
//!
//! Khattab and Zaharia, ColBERT (2020); Santhanam et al., ColBERTv2 (2022). The settings are those of `artifact.metadata`, which
//! the authors' library stores with a model. Refuses to guess them.

use super::configuration::{flag, number, unsupported};
use super::session::Output;
use super::tokenizer::{Tokenizer, Tokens};
use serde_json::Value;
use socle_core::model::LateInteraction;
use socle_core::search::token_vectors::dot;
use socle_core::{Error, Kind, Result};
use std::collections::HashSet;

/// Name of the file with the settings.
pub const METADATA: &str = "artifact.metadata";

/// The characters that the authors' library skips: Python's `string.punctuation`.
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// What [`METADATA`] states.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    query_marker: String,
    document_marker: String,
    query_tokens: u32,
    /// Longest document in tokens.
    pub document_tokens: Option<u32>,
    /// Length of the vectors.
    pub dimensions: Option<u32>,
    attends_to_masks: bool,
    skips_punctuation: bool,
}

impl Settings {
    /// Reads [`METADATA`]. Settings that it does not state are those of the library.
    ///
    /// # Errors
    /// `NotSupported` for another interaction or similarity.
    pub fn read(metadata: &Value) -> Result<Self> {
        let text = |key: &str, usual: &str| metadata.get(key).and_then(Value::as_str).unwrap_or(usual).to_string();
        for (key, supported) in [("interaction", "colbert"), ("similarity", "cosine")] {
            let stated = text(key, supported);
            if stated != supported {
                return Err(unsupported(&format!("{key} \"{stated}\""), METADATA));
            }
        }
        Ok(Self {
            query_marker: text("query_token_id", "[unused0]"),
            document_marker: text("doc_token_id", "[unused1]"),
            query_tokens: number(metadata, "query_maxlen").unwrap_or(32),
            document_tokens: number(metadata, "doc_maxlen").filter(|length| *length > 0),
            dimensions: number(metadata, "dim"),
            attends_to_masks: flag(metadata, "attend_to_mask_tokens").unwrap_or(false),
            skips_punctuation: flag(metadata, "mask_punctuation").unwrap_or(true),
        })
    }

    /// The settings with the ids that the tokenizer gives to the tokens in them. `mask` is the mask token.
    ///
    /// # Errors
    /// `DamagedModelFile` when the tokenizer has no such token.
    pub fn with_ids(&self, tokenizer: &Tokenizer, mask: &str) -> Result<LateInteraction> {
        let id = |token: &str| {
            tokenizer.id(token).ok_or_else(|| {
                Error::new(Kind::DamagedModelFile, format!("the tokenizer has no token \"{token}\""))
                    .detail("Queries or documents of the model contain it.")
            })
        };
        Ok(LateInteraction {
            query_marker: id(&self.query_marker)?,
            document_marker: id(&self.document_marker)?,
            mask: id(mask)?,
            query_tokens: self.query_tokens,
            attends_to_masks: self.attends_to_masks,
            skips_punctuation: self.skips_punctuation,
        })
    }
}

/// The tokens of punctuation: the first one of each character, as in the authors' library. `start` is the number of special
/// tokens before a text.
///
/// # Errors
/// `InferenceFailed` when the tokenizer fails.
pub fn punctuation(tokenizer: &Tokenizer, start: usize) -> Result<HashSet<u32>> {
    let mut skipped = HashSet::new();
    for character in PUNCTUATION.chars() {
        skipped.extend(tokenizer.encode(character.encode_utf8(&mut [0; 4]))?.ids.get(start));
    }
    Ok(skipped)
}

/// A query filled with masks up to the length that the model wants, within the window. Longer ones stay as they are.
pub fn filled(mut tokens: Tokens, late: &LateInteraction, window: usize) -> Tokens {
    let missing = window.min(late.query_tokens as usize).saturating_sub(tokens.len());
    tokens.ids.extend(std::iter::repeat_n(late.mask, missing));
    tokens.type_ids.resize(tokens.ids.len(), 0);
    tokens.unattended = if late.attends_to_masks { 0 } else { missing };
    tokens
}

/// The vectors of the tokens of texts of these lengths, without padding, one after the other.
///
/// # Errors
/// `DimensionMismatch` when the output does not have the registered shape.
pub fn token_vectors(output: &Output, width: usize, lengths: &[usize]) -> Result<Vec<f32>> {
    match output.shape.as_slice() {
        [batch, tokens, own]
            if *batch == lengths.len() && *own == width && lengths.iter().all(|length| length <= tokens) =>
        {
            let texts = output.values.chunks_exact((tokens * width).max(1)).zip(lengths);
            Ok(texts.flat_map(|(text, length)| text[..length * width].iter().copied()).collect())
        }
        shape => Err(Error::new(Kind::DimensionMismatch, format!("expected {width} dimensions for each token"))
            .detail(format!("The output of the model has the shape {shape:?} for {} texts.", lengths.len()))),
    }
}

/// The sum, over the vectors of the query, of the greatest inner product with one of the document; 0 for a document
/// without vectors.
pub fn max_sim(query: &[f32], document: &[&[f32]], width: usize) -> f32 {
    let greatest = |of_query: &[f32]| {
        let products = document.iter().map(|of_document| dot(of_query, of_document));
        products.reduce(f32::max).unwrap_or_default()
    };
    query.chunks_exact(width.max(1)).map(greatest).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_are_those_of_the_file_and_others_are_refused_by_name() {
        let stated = json!({"query_token_id": "[Q]", "doc_token_id": "[D]", "query_maxlen": 24, "doc_maxlen": 300, "dim": 96,
            "attend_to_mask_tokens": true, "mask_punctuation": false, "interaction": "colbert", "similarity": "cosine"});
        let settings = Settings::read(&stated).unwrap();
        assert_eq!((settings.query_marker.as_str(), settings.document_marker.as_str()), ("[Q]", "[D]"));
        assert_eq!((settings.query_tokens, settings.document_tokens, settings.dimensions), (24, Some(300), Some(96)));
        assert!(settings.attends_to_masks && !settings.skips_punctuation);
        let usual = Settings::read(&json!({})).unwrap();
        assert_eq!((usual.query_marker.as_str(), usual.query_tokens), ("[unused0]", 32));
        assert!(!usual.attends_to_masks && usual.skips_punctuation);
        let message = |value: Value| Settings::read(&value).unwrap_err().message;
        assert_eq!(message(json!({"similarity": "l2"})), "unsupported similarity \"l2\" in artifact.metadata");
        assert_eq!(message(json!({"interaction": "flipr"})), "unsupported interaction \"flipr\" in artifact.metadata");
    }

    #[test]
    fn a_query_is_filled_with_masks_that_it_does_not_attend_to() {
        let tokens = |length: usize| Tokens { ids: vec![7; length], type_ids: vec![0; length], ..Tokens::default() };
        let late = |attends_to_masks| LateInteraction {
            query_marker: 1,
            document_marker: 2,
            mask: 103,
            query_tokens: 4,
            attends_to_masks,
            skips_punctuation: true,
        };
        let query = filled(tokens(3), &late(false), 9);
        assert_eq!((query.ids.as_slice(), query.type_ids.len(), query.unattended), ([7, 7, 7, 103].as_slice(), 4, 1));
        assert_eq!(filled(tokens(3), &late(true), 9).unattended, 0);
        assert_eq!(filled(tokens(5), &late(false), 9), tokens(5), "a longer query stays whole");
        assert_eq!(filled(tokens(2), &late(false), 3).len(), 3, "the window is shorter");
    }

    #[test]
    fn each_vector_of_the_query_counts_with_its_nearest_of_the_document() {
        let query = [1.0, 0.0, 0.0, 1.0, 0.6, 0.8];
        let document: [&[f32]; 2] = [&[0.8, 0.6], &[-1.0, 0.0]];
        assert!((max_sim(&query, &document, 2) - (0.8 + 0.6 + 0.96)).abs() < 1e-6);
        assert_eq!(max_sim(&query, &[], 2), 0.0);
    }

    #[test]
    fn vectors_of_padding_are_left_out() {
        let output = Output { shape: vec![2, 2, 1], values: vec![1., 2., 3., 4.] };
        assert_eq!(token_vectors(&output, 1, &[2, 1]).unwrap(), [1., 2., 3.]);
        assert_eq!(token_vectors(&output, 2, &[2, 1]).unwrap_err().kind, Kind::DimensionMismatch);
        assert_eq!(token_vectors(&output, 1, &[3, 1]).unwrap_err().kind, Kind::DimensionMismatch);
    }
}
