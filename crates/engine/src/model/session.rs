//! A session of ONNX Runtime: runs a graph on token ids, or on a picture, and returns one of its outputs.
//!
//! Calls the C interface of ONNX Runtime directly, because `ort` takes `&mut self` to run a session: some execution
//! providers are not thread-safe. The CPU provider, the only one used here, is, and several threads have to share one copy
//! of the weights.

use super::float16::{from_bfloat16, from_binary16};
use super::runtime::Runtime;
use super::tokenizer::Tokens;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{NoSelectedOutputs, RunOptions};
use ort::value::{DynValue, Tensor, TensorElementType, ValueType};
use ort::{AsPointer, ortsys};
use socle_core::{Error, Kind, Result};
use std::ffi::CString;
use std::ptr::NonNull;

/// A loaded graph.
#[derive(Debug)]
pub struct Session {
    session: ort::session::Session,
    inputs: Vec<Input>,
    /// The sequence length of the graph, if it is fixed.
    pub fixed_length: Option<usize>,
    /// The batch size of the graph is fixed to 1.
    pub single: bool,
}

/// The values of an output. `shape[0]` is the batch size.
#[derive(Debug)]
pub struct Output {
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its values in row-major order.
    pub values: Vec<f32>,
}

/// An output of a graph.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OutputInfo {
    /// Name of the output, as the graph has it.
    pub name: String,
    /// Number of its dimensions.
    pub rank: usize,
    /// Length of its last dimension, if it is fixed.
    pub last: Option<u32>,
}

/// The element types that [`floats`] reads.
const FLOATS: [TensorElementType; 4] =
    [TensorElementType::Float32, TensorElementType::Float16, TensorElementType::Bfloat16, TensorElementType::Float64];

/// Values of inputs that depend on the model and not on the text.
#[derive(Clone, Copy, Debug)]
pub struct InputDefaults {
    /// Token id of padding.
    pub pad_id: u32,
    /// Position id of the first token.
    pub first_position: u32,
}

#[derive(Debug)]
struct Input {
    name: CString,
    role: InputRole,
    wide: bool,
}

#[derive(Clone, Copy, Debug)]
enum InputRole {
    Ids,
    Mask,
    TypeIds,
    Positions,
}

impl Session {
    /// Loads a graph from memory. Each run uses one thread; several runs may be executed in parallel.
    ///
    /// # Errors
    /// `DamagedModelFile` when ONNX Runtime refuses the graph, or its inputs are not those of a text model.
    pub fn load(runtime: &Runtime, graph: &[u8]) -> Result<Self> {
        let session = load(runtime, graph)?;
        let mut fixed_length = None;
        let mut single = false;
        let mut inputs = Vec::new();
        for input in session.inputs() {
            let (shape, wide) = token_shape(input.name(), input.dtype())?;
            inputs.push(Input { name: c_string(input.name())?, role: role(input.name())?, wide });
            match shape {
                [1, _] => single = true,
                [batch, _] if *batch > 1 => {
                    return Err(unsupported(&format!("It takes exactly {batch} texts in a run.")));
                }
                _ => {}
            }
            fixed_length = shape.last().and_then(|length| usize::try_from(*length).ok()).filter(|length| *length > 0);
        }
        if !inputs.iter().any(|input| matches!(input.role, InputRole::Ids)) {
            return Err(unsupported("It has no input named \"input_ids\"."));
        }
        Ok(Self { session, inputs, fixed_length, single })
    }

    /// Whether the graph has an input of position ids.
    pub fn takes_positions(&self) -> bool {
        self.inputs.iter().any(|input| matches!(input.role, InputRole::Positions))
    }

    /// The outputs of floating-point numbers.
    pub fn outputs(&self) -> Vec<OutputInfo> {
        let float = |outlet: &ort::value::Outlet| match outlet.dtype() {
            ValueType::Tensor { ty, shape, .. } if FLOATS.contains(ty) => Some(OutputInfo {
                name: outlet.name().to_string(),
                rank: shape.len(),
                last: shape.last().and_then(|last| u32::try_from(*last).ok()),
            }),
            _ => None,
        };
        self.session.outputs().iter().filter_map(float).collect()
    }

    /// Runs a batch, padded to its longest text, and returns the output of that name. May be called by several threads at
    /// the same time. Another thread may terminate the run through `options`.
    ///
    /// # Errors
    /// `InferenceFailed` with the message of ONNX Runtime as detail.
    pub fn run(
        &self,
        batch: &[&Tokens],
        defaults: InputDefaults,
        output: &str,
        options: &RunOptions<NoSelectedOutputs>,
    ) -> Result<Output> {
        let longest = batch.iter().map(|tokens| tokens.len()).max().unwrap_or_default();
        let length = self.fixed_length.unwrap_or(longest).max(longest);
        let tensors = self
            .inputs
            .iter()
            .map(|input| tensor(batch, length, defaults, input))
            .collect::<ort::Result<Vec<DynValue>>>()
            .map_err(|error| failed(&error))?;
        let names: Vec<&CString> = self.inputs.iter().map(|input| &input.name).collect();
        let output = run(&self.session, &names, &tensors, &c_string(output)?, options);
        let output = output.map_err(|error| failed(&error))?;
        floats(&output).map_err(|error| failed(&error))
    }
}

/// A loaded graph that takes a picture: batch of one, three colours, rows, columns.
#[derive(Debug)]
pub struct PictureSession {
    session: ort::session::Session,
    input: CString,
    output: CString,
}

impl PictureSession {
    /// Loads a graph from memory, as [`Session::load`] does.
    ///
    /// # Errors
    /// `DamagedModelFile` when ONNX Runtime refuses the graph, or it does not take a picture and nothing else.
    pub fn load(runtime: &Runtime, graph: &[u8]) -> Result<Self> {
        let session = load(runtime, graph)?;
        let none = |why: &str| {
            Error::new(Kind::DamagedModelFile, "the graph is not one for pictures that socle can run").detail(why)
        };
        let [input] = session.inputs() else { return Err(none("It has several inputs.")) };
        match input.dtype() {
            ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } if shape.len() == 4 => {}
            other => return Err(none(&format!("It takes {other}, not a table of colours, rows and columns."))),
        }
        let is_float = |outlet: &&ort::value::Outlet| matches!(outlet.dtype(), ValueType::Tensor { ty, .. } if FLOATS.contains(ty));
        let output = session.outputs().iter().find(is_float).ok_or_else(|| none("It has no output of numbers."))?;
        let (input, output) = (c_string(input.name())?, c_string(output.name())?);
        Ok(Self { session, input, output })
    }

    /// The text that the file of the graph has under this name.
    pub fn metadata(&self, name: &str) -> Option<String> {
        self.session.metadata().ok()?.custom(name)
    }

    /// Runs a picture and returns the first output. May be called by several threads at the same time. Another thread may
    /// terminate the run through `options`.
    ///
    /// # Errors
    /// `InferenceFailed` with the message of ONNX Runtime as detail.
    pub fn run(
        &self,
        picture: socle_ocr::Tensor,
        options: &RunOptions<NoSelectedOutputs>,
    ) -> Result<socle_ocr::Tensor> {
        let ran = || {
            let tensor = Tensor::from_array((picture.shape, picture.values))?.into_dyn();
            floats(&run(&self.session, &[&self.input], &[tensor], &self.output, options)?)
        };
        let Output { shape, values } = ran().map_err(|error| failed(&error))?;
        Ok(socle_ocr::Tensor { shape, values })
    }
}

/// Loads a graph from memory.
fn load(runtime: &Runtime, graph: &[u8]) -> Result<ort::session::Session> {
    let environment = runtime.environment()?;
    (|| {
        ort::session::Session::builder(&environment)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_intra_threads(1)?
            .with_inter_threads(1)?
            .with_intra_op_spinning(false)?
            // The memory pattern and the arena keep memory for the largest shape so far; shapes vary with each batch.
            .with_memory_pattern(false)?
            .with_execution_providers([ort::ep::CPU::default().with_arena_allocator(false).build()])?
            .commit_from_memory(graph)
    })()
    .map_err(|error: ort::Error| {
        Error::new(Kind::DamagedModelFile, "ONNX Runtime refuses the graph of the model").detail(error.to_string())
    })
}

/// Runs a graph on these inputs and returns the output of this name.
fn run(
    session: &ort::session::Session,
    names: &[&CString],
    tensors: &[DynValue],
    output: &CString,
    options: &RunOptions<NoSelectedOutputs>,
) -> ort::Result<DynValue> {
    let names: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
    let values: Vec<_> = tensors.iter().map(AsPointer::ptr).collect();
    if names.len() != values.len() {
        return Err(ort::Error::new("a graph has another number of inputs"));
    }
    let mut result = std::ptr::null_mut();
    // SAFETY: the session, the options, the names and the tensors live until the call returns, and names and values
    // have the same length. ONNX Runtime documents InferenceSession::Run as safe to call from several threads
    // (onnxruntime_cxx_api.h; inference_session.h: "Run ... is thread-safe"); no state of `ort` is touched.
    ortsys![
        unsafe Run(
            session.ptr().cast_mut(),
            options.ptr(),
            names.as_ptr(),
            values.as_ptr(),
            values.len(),
            &output.as_ptr(),
            1,
            &mut result
        )?
    ];
    let result = NonNull::new(result).ok_or_else(|| ort::Error::new("the run returned nothing"))?;
    // SAFETY: the caller of Run owns the value that it returns; `DynValue` releases it.
    Ok(unsafe { DynValue::from_ptr(result, Some(session.allocator())) })
}

/// The numbers of a tensor of any type in [`FLOATS`], as 32-bit ones.
fn floats(tensor: &DynValue) -> ort::Result<Output> {
    let ValueType::Tensor { ty, shape, .. } = tensor.dtype() else {
        return Err(ort::Error::new("the output is no tensor"));
    };
    let values = match ty {
        TensorElementType::Float16 => short_numbers(tensor, shape)?.map(from_binary16).collect(),
        TensorElementType::Bfloat16 => short_numbers(tensor, shape)?.map(from_bfloat16).collect(),
        TensorElementType::Float64 => tensor.try_extract_tensor::<f64>()?.1.iter().map(|value| *value as f32).collect(),
        _ => tensor.try_extract_tensor::<f32>()?.1.to_vec(),
    };
    let shape = shape.iter().map(|dimension| usize::try_from(*dimension).unwrap_or_default()).collect();
    Ok(Output { shape, values })
}

/// The 16-bit numbers of a tensor. `ort` itself reads them only with the crate `half`.
fn short_numbers<'a>(tensor: &'a DynValue, shape: &[i64]) -> ort::Result<impl Iterator<Item = u16> + 'a> {
    let count = shape.iter().try_fold(1_usize, |count, length| count.checked_mul(usize::try_from(*length).ok()?));
    let count = count.ok_or_else(|| ort::Error::new("the output has no shape"))?;
    let mut data = std::ptr::null_mut();
    ortsys![unsafe GetTensorMutableData(tensor.ptr().cast_mut(), &mut data)?];
    let data = NonNull::new(data.cast::<u16>()).filter(|_| count > 0);
    // SAFETY: the tensor lives in the memory of the process, because only the CPU provider is used; ONNX Runtime keeps it
    // aligned and as long as its shape says while the tensor lives, which the lifetime of the result does not exceed.
    let numbers = data.map(|data| unsafe { std::slice::from_raw_parts(data.as_ptr(), count) });
    Ok(numbers.unwrap_or_default().iter().copied())
}

fn tensor(batch: &[&Tokens], length: usize, defaults: InputDefaults, input: &Input) -> ort::Result<DynValue> {
    let mut values = Vec::with_capacity(batch.len() * length);
    let first = i64::from(defaults.first_position);
    for tokens in batch {
        let start = values.len();
        let filled = tokens.len() as i64;
        let padding = match input.role {
            InputRole::Ids => i64::from(defaults.pad_id),
            // The row of the table for padding, as in create_position_ids_from_input_ids of transformers. There is none
            // where positions begin at 0.
            InputRole::Positions if first > 0 => first - 1,
            _ => 0,
        };
        match input.role {
            InputRole::Ids => values.extend(tokens.ids.iter().map(|id| i64::from(*id))),
            InputRole::TypeIds => values.extend(tokens.type_ids.iter().map(|id| i64::from(*id))),
            InputRole::Mask => values.extend(std::iter::repeat_n(1, tokens.len().saturating_sub(tokens.unattended))),
            InputRole::Positions if first > 0 => values.extend(first..first + filled),
            InputRole::Positions => values.extend(0..length as i64),
        }
        values.resize(start + length, padding);
    }
    let shape = [batch.len(), length];
    if input.wide {
        Ok(Tensor::from_array((shape, values))?.into_dyn())
    } else {
        let values: Vec<i32> = values.into_iter().map(|value| value as i32).collect();
        Ok(Tensor::from_array((shape, values))?.into_dyn())
    }
}

/// The declared shape of an input of token ids, and whether its elements have 64 bits.
fn token_shape<'a>(name: &str, r#type: &'a ValueType) -> Result<(&'a [i64], bool)> {
    match r#type {
        ValueType::Tensor { ty: TensorElementType::Int64, shape, .. } if shape.len() == 2 => Ok((shape, true)),
        ValueType::Tensor { ty: TensorElementType::Int32, shape, .. } if shape.len() == 2 => Ok((shape, false)),
        other => Err(unsupported(&format!("Its input \"{name}\" is not a table of token ids but {other}."))),
    }
}

fn role(name: &str) -> Result<InputRole> {
    match name {
        "input_ids" => Ok(InputRole::Ids),
        "attention_mask" => Ok(InputRole::Mask),
        "token_type_ids" => Ok(InputRole::TypeIds),
        "position_ids" => Ok(InputRole::Positions),
        _ => Err(unsupported(&format!("socle does not know what to give its input \"{name}\"."))),
    }
}

fn unsupported(why: &str) -> Error {
    Error::new(Kind::DamagedModelFile, "the graph is not a text model that socle can run")
        .detail(why)
        .hint("Export the model with inputs input_ids, attention_mask and, where it has them, token_type_ids.")
}

fn failed(error: &ort::Error) -> Error {
    Error::new(Kind::InferenceFailed, "ONNX Runtime failed on this input").detail(error.to_string())
}

fn c_string(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| unsupported("A name in it contains a zero byte."))
}
