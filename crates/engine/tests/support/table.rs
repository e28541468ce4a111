//! Small models whose vectors can be computed by hand: rows of a table, with what real models add to that. Their
//! tokenizer, and the files that speak of them, are written as Hugging Face and Sentence-Transformers write them.
#![allow(clippy::unwrap_used, missing_docs, dead_code)]

use super::onnx::{FLOAT, FLOAT16, INT32, INT64, Message, attribute_int, floats, model, node, tensor, value};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// Words of the tokenizer; the index of a word is its token id.
pub const WORDS: [&str; 14] = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "alpha", "beta", "gamma", "delta", "Alpha", "query", "passage", "other", ":",
    "last",
];
pub const WIDTH: usize = 6;
/// Rows of the table of positions.
pub const POSITIONS: usize = 24;

/// Properties of the graph.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape {
    /// It is given positions, and adds a row of another table for each.
    pub positions: bool,
    /// Its inputs have 32 bits.
    pub narrow: bool,
    /// Its output has 16 bits.
    pub half: bool,
    /// It has a second output, `sentence_embedding`: the greatest value of each dimension.
    pub pooled: bool,
    /// It has a second output with a vector for each token, all zero, before the other one.
    pub hidden: bool,
    /// Name of the output with a vector for each token.
    pub output: Option<&'static str>,
}

/// A number that looks arbitrary and is a multiple of 1/8, so that 16 bits hold it.
fn number(seed: usize) -> f32 {
    ((seed * 37 + 11) % 61) as f32 / 8.0 - 3.5
}

/// The vector of a token.
pub fn row(id: usize) -> Vec<f32> {
    (0..WIDTH).map(|at| number(id * WIDTH + at)).collect()
}

/// The vector of a position.
pub fn position_row(at: usize) -> Vec<f32> {
    (0..WIDTH).map(|column| number(1000 + at * WIDTH + column)).collect()
}

/// The token ids of a text, special tokens included.
pub fn ids(text: &str) -> Vec<usize> {
    let word = |word: &str| WORDS.iter().position(|known| *known == word).unwrap_or(1);
    [2].into_iter().chain(text.split_whitespace().map(word)).chain([3]).collect()
}

/// The vectors of the tokens of a text.
pub fn tokens(text: &str) -> Vec<Vec<f32>> {
    ids(text).into_iter().map(row).collect()
}

/// The mean of vectors.
pub fn mean(tokens: &[Vec<f32>]) -> Vec<f32> {
    (0..tokens[0].len()).map(|at| tokens.iter().map(|token| token[at]).sum::<f32>() / tokens.len() as f32).collect()
}

fn graph(shape: Shape) -> Vec<u8> {
    let whole = if shape.narrow { INT32 } else { INT64 };
    let table: Vec<f32> = (0..WORDS.len()).flat_map(row).collect();
    let mut graph = Message::default()
        .text(2, "table")
        .message(1, node("Gather", "", &["table", "input_ids"], &["words"]))
        .message(5, floats("table", &[WORDS.len() as u64, WIDTH as u64], &table));
    let mut inputs = vec!["input_ids", "attention_mask"];
    let mut tokens = "words";
    if shape.positions {
        inputs.push("position_ids");
        let table: Vec<f32> = (0..POSITIONS).flat_map(position_row).collect();
        graph = graph
            .message(1, node("Gather", "", &["positions", "position_ids"], &["places"]))
            .message(1, node("Add", "", &["words", "places"], &["placed"]))
            .message(5, floats("positions", &[POSITIONS as u64, WIDTH as u64], &table));
        tokens = "placed";
    }
    let output = shape.output.unwrap_or("last_hidden_state");
    let token_type = if shape.half { FLOAT16 } else { FLOAT };
    let token_shape = [None, None, Some(WIDTH as u64)];
    graph = graph
        .message(1, node("Cast", "", &["attention_mask"], &["mask"]).message(5, attribute_int("to", FLOAT)))
        .message(1, node("Unsqueeze", "", &["mask", "axis"], &["columns"]))
        .message(1, node("Mul", "", &["columns", "nothing"], &["zero"]))
        .message(1, node("Add", "", &[tokens, "zero"], &["tokens"]))
        .message(1, node("Cast", "", &["tokens"], &[output]).message(5, attribute_int("to", token_type)))
        .message(5, tensor("axis", &[1], INT64, &2_i64.to_le_bytes()))
        .message(5, floats("nothing", &[], &[0.0]));
    if shape.hidden {
        graph = graph
            .message(1, node("Sub", "", &["tokens", "tokens"], &["hidden"]))
            .message(12, value("hidden", FLOAT, &token_shape));
    }
    graph = graph.message(12, value(output, token_type, &token_shape));
    if shape.pooled {
        let axes = Message::default().text(1, "axes").number(8, 1).number(20, 7);
        let pool = node("ReduceMax", "", &["tokens"], &["sentence_embedding"]);
        graph = graph
            .message(1, pool.message(5, axes).message(5, attribute_int("keepdims", 0)))
            .message(12, value("sentence_embedding", FLOAT, &[None, Some(WIDTH as u64)]));
    }
    for input in inputs {
        graph = graph.message(11, value(input, whole, &[None, None]));
    }
    model(graph)
}

/// The tokenizer of [`WORDS`].
pub fn tokenizer() -> Value {
    let mut tokenizer = super::onnx::tokenizer();
    tokenizer["model"]["vocab"] = WORDS.iter().enumerate().map(|(id, word)| ((*word).to_string(), json!(id))).collect();
    tokenizer
}

/// Writes a model into `directory/name`: graph, tokenizer, `config.json` of BERT, mean pooling, and these files over
/// them.
pub fn write(directory: &Path, name: &str, shape: Shape, files: &[(&str, Value)]) -> PathBuf {
    let path = directory.join(name);
    let mut all = vec![
        ("tokenizer.json", tokenizer()),
        ("config.json", config("bert", 0)),
        ("modules.json", modules(&[("Transformer", ""), ("Pooling", "1_Pooling")])),
        ("1_Pooling/config.json", json!({"word_embedding_dimension": WIDTH, "pooling_mode_mean_tokens": true})),
    ];
    all.extend(files.iter().cloned());
    for (file, content) in all {
        let file = path.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        // Null takes a file away.
        if content.is_null() { fs::remove_file(file).unwrap() } else { fs::write(file, content.to_string()).unwrap() }
    }
    fs::write(path.join("model.onnx"), graph(shape)).unwrap();
    path
}

/// A `config.json`.
pub fn config(model_type: &str, pad_id: u32) -> Value {
    json!({"model_type": model_type, "pad_token_id": pad_id, "max_position_embeddings": POSITIONS})
}

/// A `modules.json` of modules of Sentence-Transformers and their directories.
pub fn modules(modules: &[(&str, &str)]) -> Value {
    let module = |(at, (r#type, path)): (usize, &(&str, &str))| {
        let r#type =
            if r#type.contains('.') { (*r#type).to_string() } else { format!("sentence_transformers.models.{type}") };
        json!({"idx": at, "name": at.to_string(), "path": path, "type": r#type})
    };
    modules.iter().enumerate().map(module).collect()
}

/// Writes 32-bit numbers as `model.safetensors`.
pub fn write_weights(directory: &Path, tensors: &[(&str, &[usize], &[f32])]) {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, shape, values) in tensors {
        let start = data.len();
        data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        let entry = json!({"dtype": "F32", "shape": shape, "data_offsets": [start, data.len()]});
        header.insert((*name).to_string(), entry);
    }
    let header = Value::Object(header).to_string();
    fs::create_dir_all(directory).unwrap();
    let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat();
    fs::write(directory.join("model.safetensors"), bytes).unwrap();
}
