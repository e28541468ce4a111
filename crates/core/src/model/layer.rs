//! What a model does to a vector after pooling (Sentence-Transformers, `base/modules` and
//! `sentence_transformer/modules`).

use super::ModelFile;
use serde::{Deserialize, Serialize};

/// A step between pooling and the vector of the text.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// `activation(weight · vector + bias)`, weights in a file of the model.
    Dense {
        /// File of the weights.
        weights: ModelFile,
        /// Length of the vectors it takes.
        inputs: u32,
        /// Length of the vectors it gives.
        outputs: u32,
        /// Whether a bias is added.
        bias: bool,
        /// What each number goes through.
        activation: Activation,
    },
    /// `torch.nn.LayerNorm`, weights in a file of the model.
    LayerNorm {
        /// File of the weights.
        weights: ModelFile,
        /// Length of the vectors.
        dimensions: u32,
    },
    /// Scales the vector to length 1.
    Normalize,
    /// Keeps the first numbers alone.
    Truncate {
        /// Length of the vectors it takes.
        inputs: u32,
        /// Length of the vectors it gives.
        dimensions: u32,
    },
}

/// What a dense layer puts each number through.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// Nothing.
    Identity,
    /// Hyperbolic tangent.
    Tanh,
    /// `max(x, 0)`.
    Relu,
    /// `x / (1 + exp(-x))`.
    Silu,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
}

impl Layer {
    /// The length of the vectors it takes, if it takes only one.
    pub fn inputs(&self) -> Option<u32> {
        match self {
            Self::Dense { inputs, .. } | Self::Truncate { inputs, .. } => Some(*inputs),
            Self::LayerNorm { dimensions, .. } => Some(*dimensions),
            Self::Normalize => None,
        }
    }

    /// The length of the vectors it gives for those of a length.
    pub fn outputs(&self, inputs: u32) -> u32 {
        match self {
            Self::Dense { outputs, .. } => *outputs,
            Self::Truncate { dimensions, .. } => *dimensions,
            Self::LayerNorm { .. } | Self::Normalize => inputs,
        }
    }

    /// The file of its weights, if it has any.
    pub fn weights(&self) -> Option<&ModelFile> {
        match self {
            Self::Dense { weights, .. } | Self::LayerNorm { weights, .. } => Some(weights),
            Self::Normalize | Self::Truncate { .. } => None,
        }
    }

    /// All of it that changes a vector, as text for the digest of the model.
    pub(super) fn identity(&self) -> String {
        match self {
            Self::Dense { weights, inputs, outputs, bias, activation } => {
                format!("dense {} {inputs} {outputs} {bias} {activation:?}", weights.sha256)
            }
            Self::LayerNorm { weights, dimensions } => format!("layer norm {} {dimensions}", weights.sha256),
            Self::Normalize => "normalize".to_string(),
            Self::Truncate { inputs, dimensions } => format!("truncate {inputs} {dimensions}"),
        }
    }
}
