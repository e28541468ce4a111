//! Layers after pooling (Sentence-Transformers, `base/modules` and `sentence_transformer/modules`).

use super::ModelFile;
use serde::{Deserialize, Serialize};

/// A layer between pooling and the resulting vector.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// `activation(weight · vector + bias)`, weights in a file of the model.
    Dense {
        /// File of the weights.
        weights: ModelFile,
        /// Length of its input vectors.
        inputs: u32,
        /// Length of its output vectors.
        outputs: u32,
        /// Whether a bias is added.
        bias: bool,
        /// Activation function.
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
    /// Keeps the first dimensions only.
    Truncate {
        /// Length of its input vectors.
        inputs: u32,
        /// Length of its output vectors.
        dimensions: u32,
    },
}

/// Activation function of a dense layer.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x`.
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
    /// Length of its input vectors; `None` if it is arbitrary.
    pub fn inputs(&self) -> Option<u32> {
        match self {
            Self::Dense { inputs, .. } | Self::Truncate { inputs, .. } => Some(*inputs),
            Self::LayerNorm { dimensions, .. } => Some(*dimensions),
            Self::Normalize => None,
        }
    }

    /// Length of its output vectors for inputs of length `inputs`.
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

    /// All parameters that affect results, as text for the digest of the model.
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
