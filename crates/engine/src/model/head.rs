//! The layers of a model after pooling: reads their configuration and weights, and applies them to vectors.

use super::configuration::{flag, number, unsupported};
use super::modules::{Module, ModuleKind};
use super::pooling::{self, MIN_NORM};
use super::registered::{self, MAX_WEIGHTS_BYTES};
use super::safetensors::Tensors;
use serde_json::Value;
use socle_child::directory::{ModelRoot, ReadFile};
use socle_core::model::{Activation, Layer, ModelFile, ModelSpec};
use socle_core::search::token_vectors::dot;
use socle_core::{Error, Kind, Result};

/// Added to the variance, as in `torch.nn.LayerNorm`.
const EPSILON: f32 = 1e-5;

/// The layers after pooling with their weights.
#[derive(Debug, Default)]
pub struct Head(Vec<Step>);

#[derive(Debug)]
enum Step {
    Dense { weight: Vec<f32>, bias: Vec<f32>, inputs: usize, outputs: usize, activation: Activation },
    LayerNorm { weight: Vec<f32>, bias: Vec<f32> },
    Normalize,
    Truncate { inputs: usize, dimensions: usize },
}

/// The layers of the modules after pooling, and the files of their weights.
///
/// # Errors
/// `NotSupported` for options that socle does not support, `MissingFile` for missing weights, `DamagedModelFile` for a
/// configuration without sizes.
pub fn layers(root: &ModelRoot, directory: &str, modules: &[Module]) -> Result<(Vec<Layer>, Vec<ReadFile>)> {
    let (mut layers, mut files) = (Vec::new(), Vec::new());
    for module in modules {
        let path = module.file("config.json");
        let known: &[&str] = match module.kind {
            ModuleKind::Dense => {
                &["in_features", "out_features", "bias", "activation_function", "use_residual", INPUT, OUTPUT]
            }
            ModuleKind::LayerNorm => &["dimension"],
            ModuleKind::Normalize => &[INPUT, OUTPUT],
        };
        check_options(&module.configuration, known, &path)?;
        let stated = |key: &str| {
            number(&module.configuration, key).filter(|length| *length > 0).ok_or_else(|| {
                let message = format!("model file \"{directory}/{path}\" is damaged");
                Error::new(Kind::DamagedModelFile, message).detail(format!("It states no {key}."))
            })
        };
        let layer = match module.kind {
            ModuleKind::Normalize => Layer::Normalize,
            ModuleKind::LayerNorm => {
                let weights = read_weights(root, directory, module, &mut files)?;
                Layer::LayerNorm { weights, dimensions: stated("dimension")? }
            }
            ModuleKind::Dense => {
                let (inputs, outputs) = (stated("in_features")?, stated("out_features")?);
                let bias = flag(&module.configuration, "bias").unwrap_or(true);
                let activation = activation(&module.configuration, &path)?;
                let weights = read_weights(root, directory, module, &mut files)?;
                Layer::Dense { weights, inputs, outputs, bias, activation }
            }
        };
        layers.push(layer);
    }
    Ok((layers, files))
}

const INPUT: &str = "module_input_name";
const OUTPUT: &str = "module_output_name";

/// Checks that there are only known options with supported values.
fn check_options(configuration: &Value, known: &[&str], path: &str) -> Result<()> {
    for (key, value) in configuration.as_object().into_iter().flatten() {
        let meant = match key.as_str() {
            INPUT | OUTPUT => value.is_null() || value.as_str() == Some("sentence_embedding"),
            "use_residual" => value.as_bool() == Some(false),
            _ => true,
        };
        if !meant || !known.contains(&key.as_str()) {
            return Err(unsupported(&format!("option {key} = {value}"), path));
        }
    }
    Ok(())
}

fn activation(configuration: &Value, path: &str) -> Result<Activation> {
    let name = match configuration.get("activation_function") {
        // The default of Sentence-Transformers.
        None => return Ok(Activation::Tanh),
        Some(Value::Null) => return Ok(Activation::Identity),
        Some(name) => name.as_str().unwrap_or_default(),
    };
    match name.strip_prefix("torch.").and_then(|name| name.rsplit('.').next()) {
        Some("Identity") => Ok(Activation::Identity),
        Some("Tanh") => Ok(Activation::Tanh),
        Some("ReLU") => Ok(Activation::Relu),
        Some("SiLU") => Ok(Activation::Silu),
        Some("Sigmoid") => Ok(Activation::Sigmoid),
        _ => Err(unsupported(&format!("activation function \"{name}\""), path)),
    }
}

fn read_weights(root: &ModelRoot, directory: &str, module: &Module, files: &mut Vec<ReadFile>) -> Result<ModelFile> {
    let path = module.file("model.safetensors");
    let read = root.read(directory, &path, MAX_WEIGHTS_BYTES);
    if let Err(error) = &read
        && error.kind == Kind::MissingFile
        && root.stamp(directory, &module.file("pytorch_model.bin")).is_ok()
    {
        return Err(unsupported("weights in pytorch_model.bin", &module.path)
            .detail("Loading such a file (a Python pickle) runs code from it.")
            .hint("Save the model again with Sentence-Transformers 3 or later, which writes model.safetensors."));
    }
    let read = read?;
    let file = read.file.clone();
    files.push(read);
    Ok(file)
}

impl Head {
    /// Builds the layers from their descriptions and the files of their weights.
    ///
    /// # Errors
    /// `DamagedModelFile` when a file does not have the weights, `Bug` when `files` lacks one.
    pub fn new(layers: &[Layer], files: &[ReadFile]) -> Result<Self> {
        layers.iter().map(|layer| Step::new(layer, files)).collect::<Result<_>>().map(Self)
    }

    /// Reads the weights of a registered model and builds its layers. Also returns the files.
    ///
    /// # Errors
    /// As [`registered::read`] and [`Self::new`].
    pub fn load(root: &ModelRoot, spec: &ModelSpec) -> Result<(Self, Vec<ReadFile>)> {
        let weights = spec.layers.iter().filter_map(Layer::weights);
        let files =
            weights.map(|file| registered::read(root, spec, file, MAX_WEIGHTS_BYTES)).collect::<Result<Vec<_>>>()?;
        Ok((Self::new(&spec.layers, &files)?, files))
    }

    /// Applies all layers to vectors of `length` numbers, one after the other in `vectors`.
    pub fn apply(&self, mut vectors: Vec<f32>, mut length: usize) -> Vec<f32> {
        for step in &self.0 {
            (vectors, length) = step.apply(vectors, length);
        }
        vectors
    }
}

impl Step {
    fn new(layer: &Layer, files: &[ReadFile]) -> Result<Self> {
        let load = |file: &ModelFile, read: &dyn Fn(&Tensors<'_>) -> Result<Self, String>| {
            let found = files.iter().find(|read| read.file == *file);
            let bytes = &found.ok_or_else(|| Error::new(Kind::Bug, "the weights of a layer were not read"))?.bytes;
            Tensors::parse(bytes).and_then(|tensors| read(&tensors)).map_err(|why| {
                Error::new(Kind::DamagedModelFile, format!("model file \"{}\" is damaged", file.path)).detail(why)
            })
        };
        match layer {
            Layer::Normalize => Ok(Self::Normalize),
            Layer::Truncate { inputs, dimensions } => {
                Ok(Self::Truncate { inputs: *inputs as usize, dimensions: *dimensions as usize })
            }
            Layer::LayerNorm { weights, dimensions } => load(weights, &|tensors| {
                let shape = [u64::from(*dimensions)];
                let [weight, bias] = ["norm.weight", "norm.bias"].map(|name| tensors.floats(name, &shape));
                only(tensors, &["norm.weight", "norm.bias"])?;
                Ok(Self::LayerNorm { weight: weight?, bias: bias? })
            }),
            Layer::Dense { weights, inputs, outputs, bias: has_bias, activation } => load(weights, &|tensors| {
                let (rows, columns) = (u64::from(*outputs), u64::from(*inputs));
                let weight = tensors.floats("linear.weight", &[rows, columns])?;
                let bias = if *has_bias { tensors.floats("linear.bias", &[rows])? } else { Vec::new() };
                only(tensors, if *has_bias { &["linear.weight", "linear.bias"] } else { &["linear.weight"] })?;
                let (inputs, outputs) = (*inputs as usize, *outputs as usize);
                Ok(Self::Dense { weight, bias, inputs, outputs, activation: *activation })
            }),
        }
    }

    fn apply(&self, mut vectors: Vec<f32>, length: usize) -> (Vec<f32>, usize) {
        match self {
            Self::Dense { weight, bias, inputs, outputs, activation } => {
                let mut results = Vec::with_capacity(vectors.len() / inputs * outputs);
                for vector in vectors.chunks_exact(*inputs) {
                    let rows = weight.chunks_exact(*inputs).enumerate();
                    results.extend(rows.map(|(at, row)| {
                        activate(*activation, dot(row, vector) + bias.get(at).copied().unwrap_or_default())
                    }));
                }
                (results, *outputs)
            }
            Self::LayerNorm { weight, bias } => {
                for vector in vectors.chunks_exact_mut(length) {
                    layer_norm(vector, weight, bias);
                }
                (vectors, length)
            }
            Self::Normalize => {
                for vector in vectors.chunks_exact_mut(length) {
                    let norm = pooling::norm(vector).max(MIN_NORM);
                    vector.iter_mut().for_each(|value| *value /= norm);
                }
                (vectors, length)
            }
            Self::Truncate { inputs, dimensions } => {
                let kept = vectors.chunks_exact(*inputs).flat_map(|vector| vector.iter().take(*dimensions));
                (kept.copied().collect(), *dimensions)
            }
        }
    }
}

/// Checks that there are no tensors but `expected`: an unused one means that the layer is of another kind.
fn only(tensors: &Tensors<'_>, expected: &[&str]) -> Result<(), String> {
    match tensors.others(expected).as_slice() {
        [] => Ok(()),
        others => Err(format!("It holds more than the layer needs: {}.", others.join(", "))),
    }
}

fn activate(activation: Activation, value: f32) -> f32 {
    match activation {
        Activation::Identity => value,
        Activation::Tanh => value.tanh(),
        Activation::Relu => value.max(0.0),
        Activation::Silu => value / (1.0 + (-value).exp()),
        Activation::Sigmoid => 1.0 / (1.0 + (-value).exp()),
    }
}

fn layer_norm(vector: &mut [f32], weight: &[f32], bias: &[f32]) {
    let count = vector.len().max(1) as f32;
    let mean = vector.iter().sum::<f32>() / count;
    let variance = vector.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / count;
    let scale = 1.0 / (variance + EPSILON).sqrt();
    for ((value, weight), bias) in vector.iter_mut().zip(weight).zip(bias) {
        *value = (*value - mean) * scale * weight + bias;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn activations_are_those_of_torch() {
        let values = |activation| [-2.0, 0.0, 2.0].map(|value| activate(activation, value));
        assert_eq!(values(Activation::Identity), [-2.0, 0.0, 2.0]);
        assert_eq!(values(Activation::Relu), [0.0, 0.0, 2.0]);
        assert_eq!(values(Activation::Tanh)[2], 2.0_f32.tanh());
        assert_eq!(values(Activation::Sigmoid)[1], 0.5);
        // torch.nn.functional.silu(torch.tensor(2.0)) = 1.7616
        assert!((values(Activation::Silu)[2] - 1.761_594).abs() < 1e-5);
        let named = |name: &str| activation(&json!({"activation_function": name}), "2_Dense/config.json");
        assert_eq!(named("torch.nn.modules.linear.Identity"), Ok(Activation::Identity));
        assert_eq!(named("torch.nn.modules.activation.Tanh"), Ok(Activation::Tanh));
        for name in ["torch.nn.modules.activation.GELU", "mine.Tanh"] {
            let message = named(name).unwrap_err().message;
            assert_eq!(message, format!("unsupported activation function \"{name}\" in 2_Dense/config.json"));
        }
        assert_eq!(activation(&json!({}), ""), Ok(Activation::Tanh));
    }

    #[test]
    fn options_that_nobody_heeds_are_refused() {
        let check = |configuration: Value| check_options(&configuration, &["bias", INPUT, "use_residual"], "p");
        assert_eq!(check(json!({"bias": true, INPUT: "sentence_embedding", "use_residual": false})), Ok(()));
        for bad in [json!({INPUT: "token_embeddings"}), json!({"use_residual": true}), json!({"eps": 1})] {
            assert_eq!(check(bad).unwrap_err().kind, Kind::NotSupported);
        }
    }
}
