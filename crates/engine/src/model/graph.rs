//! Checks an ONNX file before ONNX Runtime loads it, by walking its protobuf fields.
//!
//! Finds what makes a model unsafe (tensors in other files, operators from custom libraries) and what makes a vector depend
//! on the other texts of a batch (quantization by a scale over a whole activation tensor). Field numbers: `onnx/onnx.proto`.

use socle_core::{Error, Kind, Result};
use std::collections::BTreeSet;

/// Properties of a graph.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct GraphFacts {
    /// A tensor is stored in an external file.
    pub external_data: bool,
    /// An operator quantizes activations by a scale over the whole tensor, and so over all texts of a batch.
    pub dynamic_quantization: bool,
    /// Operator domains that neither ONNX Runtime nor the model itself defines.
    pub foreign_domains: BTreeSet<String>,
}

/// Domains of the operators that every build of ONNX Runtime has.
const BUILT_IN_DOMAINS: [&str; 4] = ["", "ai.onnx", "ai.onnx.ml", "com.microsoft"];

/// Operators that quantize by one scale over a whole activation tensor (onnxruntime/docs/ContribOperators.md).
const DYNAMIC_QUANTIZATION: [&str; 3] = ["DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM"];

/// Deepest accepted nesting of messages. A graph with control flow has about ten levels.
const MAX_DEPTH: usize = 64;

#[derive(Clone, Copy)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    SparseTensor,
    Function,
    TrainingInfo,
}

impl Message {
    /// The message in a length-delimited field, if it has to be visited.
    fn child(self, field: u64) -> Option<Self> {
        match (self, field) {
            (Self::Model, 7) | (Self::Attribute, 6 | 11) | (Self::TrainingInfo, 1 | 2) => Some(Self::Graph),
            (Self::Model, 20) => Some(Self::TrainingInfo),
            (Self::Model, 25) => Some(Self::Function),
            (Self::Graph, 1) | (Self::Function, 7) => Some(Self::Node),
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) | (Self::SparseTensor, 1 | 2) => Some(Self::Tensor),
            (Self::Graph, 15) | (Self::Attribute, 22 | 23) => Some(Self::SparseTensor),
            (Self::Node, 5) | (Self::Function, 11) => Some(Self::Attribute),
            _ => None,
        }
    }
}

/// Walks an ONNX file and returns its properties.
///
/// # Errors
/// `DamagedModelFile` when the bytes are not such protobuf, or nested too deep.
pub fn scan(bytes: &[u8]) -> Result<GraphFacts> {
    let mut facts = GraphFacts::default();
    let mut own_domains = BTreeSet::new();
    let mut used_domains = BTreeSet::new();
    let mut has_graph = false;
    let mut pending = vec![(Message::Model, bytes, 0)];
    while let Some((message, bytes, depth)) = pending.pop() {
        if depth > MAX_DEPTH {
            return Err(malformed("it is nested too deep"));
        }
        let mut fields = Fields(bytes);
        while let Some((field, value)) = fields.next()? {
            has_graph |= matches!((message, field), (Message::Model, 7));
            match (message, field, value) {
                (Message::Tensor, 13, _) => facts.external_data = true,
                (Message::Tensor, 14, Value::Number(location)) => facts.external_data |= location != 0,
                (Message::Node, 4, Value::Bytes(operator)) => {
                    facts.dynamic_quantization |= DYNAMIC_QUANTIZATION.iter().any(|name| name.as_bytes() == operator);
                }
                (Message::Node, 7, Value::Bytes(domain)) => drop(used_domains.insert(text(domain)?)),
                (Message::Function, 10, Value::Bytes(domain)) => drop(own_domains.insert(text(domain)?)),
                (_, _, Value::Bytes(bytes)) => {
                    if let Some(child) = message.child(field) {
                        pending.push((child, bytes, depth + 1));
                    }
                }
                _ => {}
            }
        }
    }
    if !has_graph {
        return Err(malformed("it holds no graph"));
    }
    used_domains.retain(|domain| !BUILT_IN_DOMAINS.contains(&domain.as_str()) && !own_domains.contains(domain));
    facts.foreign_domains = used_domains;
    Ok(facts)
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Fixed,
}

/// Iterates over the fields of a protobuf message (protobuf.dev, "Encoding").
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn next(&mut self) -> Result<Option<(u64, Value<'a>)>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            1 => self.skip(8)?,
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.skip(4)?,
            _ => return Err(malformed("it has a field of unknown type")),
        };
        Ok(Some((key >> 3, value)))
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or_else(|| malformed("it ends in the middle"))?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(malformed("it has a number of more than 64 bits"))
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8]> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(|| malformed("it ends in the middle"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn skip(&mut self, length: u64) -> Result<Value<'a>> {
        self.take(length).map(|_| Value::Fixed)
    }
}

fn text(bytes: &[u8]) -> Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| malformed("a domain is not UTF-8"))
}

fn malformed(why: &str) -> Error {
    Error::new(Kind::DamagedModelFile, "the graph is not a valid ONNX file").detail(format!("As protobuf, {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![(number << 3 | 2) as u8];
        if number > 15 {
            out = vec![(number << 3 | 2) as u8 | 0x80, (number >> 4) as u8];
        }
        assert!(bytes.len() < 128);
        out.push(bytes.len() as u8);
        out.extend(bytes);
        out
    }

    fn node(operator: &str, domain: &str) -> Vec<u8> {
        field(1, &[field(4, operator.as_bytes()), field(7, domain.as_bytes())].concat())
    }

    #[test]
    fn finds_operators_in_graphs_subgraphs_and_functions() {
        assert_eq!(scan(&field(7, &node("MatMul", ""))).unwrap(), GraphFacts::default());
        assert!(scan(&field(7, &node("DynamicQuantizeLinear", ""))).unwrap().dynamic_quantization);
        let subgraph = field(6, &node("DynamicQuantizeLSTM", "com.microsoft"));
        let branch = field(1, &[field(4, b"If"), field(5, &subgraph)].concat());
        assert!(scan(&field(7, &branch)).unwrap().dynamic_quantization);
        let function = field(25, &[field(10, b"mine"), field(7, &field(4, b"DynamicQuantizeMatMul"))].concat());
        let facts = scan(&[field(7, &node("F", "mine")), function].concat()).unwrap();
        assert!(facts.dynamic_quantization && facts.foreign_domains.is_empty());
        let facts = scan(&field(7, &node("BertTokenizer", "ai.onnx.contrib"))).unwrap();
        assert_eq!(facts.foreign_domains, ["ai.onnx.contrib".to_string()].into());
    }

    #[test]
    fn finds_external_data_wherever_a_tensor_can_stand() {
        let external = [vec![14 << 3, 1]].concat();
        let named = field(13, &field(1, b"location"));
        for tensor in [external, named] {
            assert!(scan(&field(7, &field(5, &tensor))).unwrap().external_data);
            let attribute = field(1, &field(5, &field(5, &tensor)));
            assert!(scan(&field(7, &attribute)).unwrap().external_data);
            let sparse = field(15, &field(2, &tensor));
            assert!(scan(&field(7, &sparse)).unwrap().external_data);
        }
        assert!(!scan(&field(7, &field(5, &[14 << 3, 0]))).unwrap().external_data);
    }

    #[test]
    fn refuses_what_is_not_a_graph() {
        let good = field(7, &node("MatMul", ""));
        for cut in 0..good.len() {
            assert!(scan(&good[..cut]).is_err(), "cut at {cut}");
        }
        assert!(scan(b"\x7fELF").is_err());
        assert!(scan(&[0xff; 32]).is_err());
        let mut deep = node("MatMul", "");
        for _ in 0..10 {
            deep = field(1, &field(5, &field(6, &deep)));
        }
        assert!(scan(&field(7, &deep)).is_ok());
    }
}
