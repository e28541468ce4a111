//! Requests for vectors and scores, and their answers. Text embeddings inference (`tei`) has paths and forms of its own; all
//! others have those of OpenAI for vectors, and where they score documents, those of Jina and Cohere.

use super::answer::Trouble;
use super::{Dialect, EndpointSpec};
use crate::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Most texts of a request, the probe included: what text embeddings inference takes by default.
pub const MAX_TEXTS: usize = 32;

/// Most bytes of the texts of a request: the same takes 2 MB, in which each character may be escaped.
pub const MAX_BYTES: usize = 1 << 20;

/// Longest name of a model in an answer, in bytes.
const MAX_NAME: usize = 200;

/// Vectors of one length, one after the other, as a server answered them.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Vectors {
    /// The name of the model, if the answer has one.
    pub model: Option<String>,
    /// Length of each.
    pub dimensions: u32,
    /// Their numbers, which are finite.
    pub values: Vec<f32>,
    /// Tokens of the texts, as the server counts them, if it does.
    pub token_count: Option<u64>,
}

/// The scores of documents, in their order, as a server answered them.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Scores {
    /// The name of the model, if the answer has one.
    pub model: Option<String>,
    /// The scores, which are finite.
    pub values: Vec<f32>,
}

#[derive(Deserialize)]
struct EmbeddingList {
    model: Option<String>,
    usage: Option<Value>,
    data: Vec<Embedding>,
}

#[derive(Deserialize)]
struct Embedding {
    index: Option<usize>,
    embedding: Vec<f32>,
}

#[derive(Deserialize)]
struct ResultList {
    model: Option<String>,
    results: Vec<Score>,
}

#[derive(Deserialize)]
struct Score {
    index: usize,
    #[serde(alias = "relevance_score")]
    score: f32,
}

impl Dialect {
    /// Whether it has requests for vectors; for scores with `of_scores`.
    pub fn computes(self, of_scores: bool) -> bool {
        match self {
            Self::Anthropic => false,
            Self::OpenaiLegacy | Self::Tei => true,
            Self::Openai | Self::Mistral | Self::Gemini | Self::Azure => !of_scores,
        }
    }

    /// The body of a request for the vectors of texts.
    ///
    /// # Errors
    /// `InvalidArgument` for further fields that are no object.
    pub fn embedding_body(
        self,
        endpoint: &EndpointSpec,
        model: &str,
        texts: &[&str],
        truncate: bool,
    ) -> Result<String> {
        let body = match self {
            Self::Tei => json!({"inputs": texts, "truncate": truncate}),
            _ => json!({"model": model, "input": texts}),
        };
        extended(body, endpoint)
    }

    /// The body of a request for the scores of documents.
    ///
    /// # Errors
    /// Those of [`Self::embedding_body`].
    pub fn rerank_body(
        self,
        endpoint: &EndpointSpec,
        model: &str,
        (query, documents): (&str, &[&str]),
        truncate: bool,
    ) -> Result<String> {
        let body = match self {
            // Raw scores are what rerankers on this machine give.
            Self::Tei => json!({"query": query, "texts": documents, "truncate": truncate, "raw_scores": true}),
            _ => json!({"model": model, "query": query, "documents": documents}),
        };
        extended(body, endpoint)
    }

    /// Reads the vectors of so many texts.
    ///
    /// # Errors
    /// `Malformed` where there are more or fewer, or they differ in length, or are none.
    pub fn read_vectors(self, body: &[u8], count: usize) -> Result<Vectors, Trouble> {
        let (model, token_count, vectors) = match self {
            Self::Tei => (None, None, serde_json::from_slice::<Vec<Vec<f32>>>(body).map_err(|_| Trouble::Malformed)?),
            _ => {
                let list: EmbeddingList = serde_json::from_slice(body).map_err(|_| Trouble::Malformed)?;
                let places = list.data.into_iter().enumerate();
                let places = places.map(|(at, item)| (item.index.unwrap_or(at), item.embedding));
                let token_count = list.usage.and_then(|usage| usage.get("prompt_tokens")?.as_u64());
                (list.model, token_count, in_order(places, count)?)
            }
        };
        let dimensions = vectors.first().map(Vec::len).filter(|length| *length > 0).ok_or(Trouble::Malformed)?;
        if vectors.len() != count || vectors.iter().any(|vector| vector.len() != dimensions) {
            return Err(Trouble::Malformed);
        }
        let values = finite(vectors.concat())?;
        let dimensions = u32::try_from(dimensions).map_err(|_| Trouble::Malformed)?;
        Ok(Vectors { model: named(model)?, dimensions, values, token_count })
    }

    /// Reads the scores of so many documents.
    ///
    /// # Errors
    /// `Malformed` where there are more or fewer.
    pub fn read_scores(self, body: &[u8], count: usize) -> Result<Scores, Trouble> {
        let (model, results) = match self {
            Self::Tei => (None, serde_json::from_slice::<Vec<Score>>(body).map_err(|_| Trouble::Malformed)?),
            _ => {
                let list: ResultList = serde_json::from_slice(body).map_err(|_| Trouble::Malformed)?;
                (list.model, list.results)
            }
        };
        let values = in_order(results.into_iter().map(|result| (result.index, result.score)), count)?;
        Ok(Scores { model: named(model)?, values: finite(values)? })
    }
}

/// The error for a use that a dialect has no requests for.
pub fn not_computed(endpoint: &EndpointSpec, of_scores: bool) -> Error {
    let what = if of_scores { "reranks no documents" } else { "makes no vectors" };
    let all = Dialect::NAMES.iter().filter_map(|name| Dialect::parse(name));
    let able: Vec<&str> = all.filter(|dialect| dialect.computes(of_scores)).map(Dialect::name).collect();
    Error::new(Kind::NotSupported, format!("endpoint \"{}\" {what}", endpoint.name))
        .detail(format!("Its dialect is \"{}\".", endpoint.dialect.name()))
        .hint(format!("That can endpoints of the dialects {}.", able.join(", ")))
}

/// A body with the further fields of the endpoint.
fn extended(body: Value, endpoint: &EndpointSpec) -> Result<String> {
    let mut body = match body {
        Value::Object(body) => body,
        _ => Map::new(),
    };
    for (name, value) in endpoint.extra()? {
        match value {
            Value::Null => drop(body.remove(&name)),
            value => drop(body.insert(name, value)),
        }
    }
    Ok(Value::Object(body).to_string())
}

/// Items by their places: each place once.
fn in_order<T>(items: impl Iterator<Item = (usize, T)>, count: usize) -> Result<Vec<T>, Trouble> {
    let mut places: Vec<Option<T>> = (0..count).map(|_| None).collect();
    for (at, item) in items {
        let place = places.get_mut(at).filter(|place| place.is_none()).ok_or(Trouble::Malformed)?;
        *place = Some(item);
    }
    places.into_iter().collect::<Option<Vec<T>>>().ok_or(Trouble::Malformed)
}

fn finite(values: Vec<f32>) -> Result<Vec<f32>, Trouble> {
    if values.iter().all(|value| value.is_finite()) { Ok(values) } else { Err(Trouble::Malformed) }
}

/// A name that can be kept: short, and without control characters.
fn named(model: Option<String>) -> Result<Option<String>, Trouble> {
    match model {
        Some(name) if name.len() > MAX_NAME || name.chars().any(char::is_control) => Err(Trouble::Malformed),
        model => Ok(model.filter(|name| !name.is_empty())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::endpoint;
    use super::*;

    fn json(body: Result<String>) -> Value {
        serde_json::from_str(&body.unwrap()).unwrap()
    }

    #[test]
    fn bodies_have_what_is_needed_and_nothing_more() {
        let texts = ["a \"b\"", "é"];
        let openai = endpoint(Dialect::Openai, Some(r#"{"dimensions": 256}"#));
        let expected = json!({"model": "m", "input": texts, "dimensions": 256});
        assert_eq!(json(Dialect::Openai.embedding_body(&openai, "m", &texts, true)), expected);
        let tei = endpoint(Dialect::Tei, None);
        let expected = json!({"inputs": texts, "truncate": true});
        assert_eq!(json(Dialect::Tei.embedding_body(&tei, "m", &texts, true)), expected);
        let expected = json!({"query": "q", "texts": texts, "truncate": false, "raw_scores": true});
        assert_eq!(json(Dialect::Tei.rerank_body(&tei, "m", ("q", &texts), false)), expected);
        let legacy = endpoint(Dialect::OpenaiLegacy, None);
        let expected = json!({"model": "m", "query": "q", "documents": texts});
        assert_eq!(json(Dialect::OpenaiLegacy.rerank_body(&legacy, "m", ("q", &texts), false)), expected);
    }

    #[test]
    fn answers_are_put_into_the_order_of_the_texts() {
        let body = br#"{"object": "list", "model": "m", "data": [
            {"index": 1, "embedding": [3, 4.5], "object": "embedding"}, {"index": 0, "embedding": [1, 2]}], "usage": {"prompt_tokens": 7}}"#;
        let read = Dialect::Mistral.read_vectors(body, 2).unwrap();
        let values = vec![1.0, 2.0, 3.0, 4.5];
        assert_eq!(read, Vectors { model: Some("m".into()), dimensions: 2, values, token_count: Some(7) });
        assert_eq!(Dialect::Tei.read_vectors(b"[[1,2],[3,4]]", 2).unwrap().values, [1.0, 2.0, 3.0, 4.0]);
        let scores = br#"{"results": [{"index": 1, "relevance_score": 0.9, "document": {"text": "b"}}, {"index": 0, "relevance_score": 0.1}]}"#;
        assert_eq!(Dialect::OpenaiLegacy.read_scores(scores, 2).unwrap().values, [0.1, 0.9]);
        let scores = br#"[{"index": 1, "score": -3.5}, {"index": 0, "score": 7, "text": null}]"#;
        assert_eq!(Dialect::Tei.read_scores(scores, 2).unwrap().values, [7.0, -3.5]);
    }

    #[test]
    fn answers_that_do_not_fit_the_request_are_malformed() {
        for body in [
            "",
            "[]",
            "[[]]",
            "[[1,2]]",
            "[[1,2],[3]]",
            "[[1,2],[3,4],[5,6]]",
            "[[1,2],[3,1e39]]",
            "[[1,2],[3,null]]",
            "[[1,2],[3,\"4\"]]",
            "{\"error\": \"overloaded\"}",
        ] {
            assert_eq!(Dialect::Tei.read_vectors(body.as_bytes(), 2), Err(Trouble::Malformed), "{body}");
        }
        let item = |index: &str| format!("{{\"index\": {index}, \"embedding\": [1]}}");
        for (first, second) in [("0", "0"), ("0", "2"), ("-1", "0")] {
            let body = format!("{{\"data\": [{}, {}]}}", item(first), item(second));
            assert_eq!(Dialect::Openai.read_vectors(body.as_bytes(), 2), Err(Trouble::Malformed), "{body}");
        }
        let long = format!("{{\"model\": \"{}\", \"data\": [{}]}}", "m".repeat(201), item("0"));
        assert_eq!(Dialect::Openai.read_vectors(long.as_bytes(), 1), Err(Trouble::Malformed));
        let twice = b"[{\"index\": 0, \"score\": 1}, {\"index\": 0, \"score\": 2}]";
        assert_eq!(Dialect::Tei.read_scores(twice, 2), Err(Trouble::Malformed));
    }

    #[test]
    fn each_dialect_says_what_it_can_compute() {
        assert!(Dialect::Azure.computes(false) && !Dialect::Azure.computes(true) && Dialect::Tei.computes(true));
        let error = not_computed(&endpoint(Dialect::Anthropic, None), true);
        assert_eq!((error.kind, error.hint.unwrap().contains("openai_legacy, tei")), (Kind::NotSupported, true));
    }
}
