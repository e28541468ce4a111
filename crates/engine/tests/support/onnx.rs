//! Small ONNX models that do what real ones do not: fail, hang, or contradict their files.
#![allow(clippy::unwrap_used, missing_docs, dead_code)]

use std::path::Path;

/// A protobuf message under construction (field numbers: onnx/onnx.proto).
#[derive(Clone, Default)]
pub struct Message(Vec<u8>);

impl Message {
    pub fn number(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    pub fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
        self
    }

    pub fn text(self, field: u64, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    pub fn message(self, field: u64, value: Message) -> Self {
        self.bytes(field, &value.0)
    }

    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

pub const FLOAT: u64 = 1;
pub const INT32: u64 = 6;
pub const INT64: u64 = 7;
const BOOL: u64 = 9;
pub const FLOAT16: u64 = 10;

/// Words of the test tokenizer; the index of a word is its token id. Registration runs the last one, which must not be
/// "slow".
pub const WORDS: [&str; 8] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "one", "two", "slow", "three"];
const SLOW: &str = "slow";
pub const WIDTH: usize = 4;

pub fn node(operator: &str, domain: &str, inputs: &[&str], outputs: &[&str]) -> Message {
    let message = inputs.iter().fold(Message::default(), |message, input| message.text(1, input));
    outputs.iter().fold(message, |message, output| message.text(2, output)).text(4, operator).text(7, domain)
}

fn attribute_graph(name: &str, graph: Message) -> Message {
    Message::default().text(1, name).message(6, graph).number(20, 5)
}

pub fn attribute_int(name: &str, value: u64) -> Message {
    Message::default().text(1, name).number(3, value).number(20, 2)
}

pub fn tensor(name: &str, dimensions: &[u64], r#type: u64, raw: &[u8]) -> Message {
    let message = dimensions.iter().fold(Message::default(), |message, dimension| message.number(1, *dimension));
    message.number(2, r#type).text(8, name).bytes(9, raw)
}

pub fn floats(name: &str, dimensions: &[u64], values: &[f32]) -> Message {
    tensor(name, dimensions, FLOAT, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())
}

/// `None` is a dimension of any length.
pub fn value(name: &str, r#type: u64, dimensions: &[Option<u64>]) -> Message {
    let shape = dimensions.iter().enumerate().fold(Message::default(), |shape, (at, dimension)| {
        shape.message(
            1,
            match dimension {
                Some(length) => Message::default().number(1, *length),
                None => Message::default().text(2, &format!("{name}_{at}")),
            },
        )
    });
    let tensor = Message::default().number(1, r#type).message(2, shape);
    Message::default().text(1, name).message(2, Message::default().message(1, tensor))
}

/// What is wrong with a model.
#[derive(Clone, Debug, Default)]
pub struct Flaw {
    /// The graph names an operator of this domain.
    pub domain: Option<&'static str>,
    /// The table of vectors is said to lie in another file.
    pub external: bool,
    /// Every vector contains NaN.
    pub nan: bool,
    /// Every vector is zero.
    pub zero: bool,
    /// Rows that the table lacks.
    pub missing_rows: usize,
    /// The only shape of the input that the graph declares.
    pub shape: [Option<u64>; 2],
    /// Scales are taken over the whole batch.
    pub dynamic: bool,
    /// Times that the word "slow" goes around in a loop.
    pub slow: u64,
    /// Another word that does so instead of "slow".
    pub slow_word: Option<&'static str>,
    /// Name of the input of token ids.
    pub input: Option<&'static str>,
}

/// A graph whose token vectors are rows of a table: `last_hidden_state = table[input_ids]`.
pub fn graph(flaw: &Flaw) -> Vec<u8> {
    let rows = WORDS.len() - flaw.missing_rows;
    let values: Vec<f32> = (0..rows * WIDTH)
        .map(|at| match flaw {
            Flaw { nan: true, .. } => f32::NAN,
            Flaw { zero: true, .. } => 0.0,
            _ => ((at * 7 + 3) % 11) as f32 - 4.5,
        })
        .collect();
    let mut table = floats("table", &[rows as u64, WIDTH as u64], &values);
    if flaw.external {
        let location = Message::default().text(1, "location").text(2, "../../etc/passwd");
        table = Message::default()
            .number(1, rows as u64)
            .number(1, WIDTH as u64)
            .number(2, FLOAT)
            .text(8, "table")
            .message(13, location)
            .number(14, 1);
    }
    let ids = flaw.input.unwrap_or("input_ids");
    let mut graph = Message::default().text(2, "test");
    let last = "last_hidden_state";
    if let Some(domain) = flaw.domain {
        graph = graph.message(1, node("Odd", domain, &["table", ids], &[last]));
    } else if flaw.slow > 0 {
        graph = slow_lookup(graph, flaw.slow, flaw.slow_word.unwrap_or(SLOW));
    } else if flaw.dynamic {
        graph = graph
            .message(1, node("Gather", "", &["table", ids], &["rows"]))
            .message(1, node("DynamicQuantizeLinear", "", &["rows"], &["q", "scale", "zero"]))
            .message(1, node("DequantizeLinear", "", &["q", "scale", "zero"], &[last]));
    } else {
        graph = graph.message(1, node("Gather", "", &["table", ids], &[last]));
    }
    let graph = graph
        .message(5, table)
        .message(11, value(ids, INT64, &flaw.shape))
        .message(12, value(last, FLOAT, &[flaw.shape[0], flaw.shape[1], Some(WIDTH as u64)]));
    let own = flaw.domain.map_or_else(Vec::new, |domain| Message::default().message(8, opset(domain, 1)).0);
    [model(graph), own].concat()
}

fn opset(domain: &str, version: u64) -> Message {
    Message::default().text(1, domain).number(2, version)
}

/// A file that holds a graph.
pub fn model(graph: Message) -> Vec<u8> {
    Message::default().number(1, 8).message(7, graph).message(8, opset("", 14)).0
}

/// Adds `0 * (something that takes `turns` rounds for every token `word`)` to the looked-up rows.
fn slow_lookup(graph: Message, turns: u64, word: &str) -> Message {
    let slow = WORDS.iter().position(|known| *known == word).unwrap() as u64;
    let side = 64;
    let body = Message::default()
        .text(2, "body")
        .message(1, node("Identity", "", &["going"], &["still_going"]))
        .message(1, node("MatMul", "", &["state", "matrix"], &["next"]))
        .message(11, value("turn", INT64, &[]))
        .message(11, value("going", BOOL, &[]))
        .message(11, value("state", FLOAT, &[Some(side), Some(side)]))
        .message(12, value("still_going", BOOL, &[]))
        .message(12, value("next", FLOAT, &[Some(side), Some(side)]));
    let matrix = vec![0.01_f32; (side * side) as usize];
    graph
        .message(1, node("Gather", "", &["table", "input_ids"], &["rows"]))
        .message(1, node("Equal", "", &["input_ids", "slow_id"], &["is_slow"]))
        .message(1, node("Cast", "", &["is_slow"], &["as_number"]).message(5, attribute_int("to", INT64)))
        .message(1, node("ReduceMax", "", &["as_number"], &["any"]).message(5, attribute_int("keepdims", 0)))
        .message(1, node("Mul", "", &["any", "turns"], &["trips"]))
        .message(1, node("Loop", "", &["trips", "", "matrix"], &["end"]).message(5, attribute_graph("body", body)))
        .message(1, node("ReduceMean", "", &["end"], &["mean"]).message(5, attribute_int("keepdims", 0)))
        .message(1, node("Mul", "", &["mean", "nothing"], &["zero"]))
        .message(1, node("Add", "", &["rows", "zero"], &["last_hidden_state"]))
        .message(5, tensor("slow_id", &[], INT64, &slow.to_le_bytes()))
        .message(5, tensor("turns", &[], INT64, &turns.to_le_bytes()))
        .message(5, floats("matrix", &[side, side], &matrix))
        .message(5, floats("nothing", &[], &[0.0]))
}

/// A tokenizer that knows [`WORDS`] and frames a text with `[CLS]` and `[SEP]`.
pub fn tokenizer() -> serde_json::Value {
    let vocabulary: serde_json::Map<String, serde_json::Value> =
        WORDS.iter().enumerate().map(|(id, word)| ((*word).to_string(), id.into())).collect();
    serde_json::json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [],
        "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "[SEP]", "type_id": 0}}
            ],
            "pair": [
                {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
                {"Sequence": {"id": "B", "type_id": 1}},
                {"SpecialToken": {"id": "[SEP]", "type_id": 1}}
            ],
            "special_tokens": {
                "[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
                "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}
            }
        },
        "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"}
    })
}

/// Writes a whole model: graph, tokenizer, and the files that say to take the mean and how long a text may be.
pub fn write(directory: &Path, flaw: &Flaw) {
    std::fs::create_dir_all(directory.join("1_Pooling")).unwrap();
    std::fs::write(directory.join("model.onnx"), graph(flaw)).unwrap();
    std::fs::write(directory.join("tokenizer.json"), tokenizer().to_string()).unwrap();
    std::fs::write(directory.join("sentence_bert_config.json"), r#"{"max_seq_length": 16}"#).unwrap();
    std::fs::write(directory.join("1_Pooling/config.json"), r#"{"pooling_mode_mean_tokens": true}"#).unwrap();
}
