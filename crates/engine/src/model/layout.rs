//! Reads what the files of a model say about it, in the layout of Hugging Face and Sentence-Transformers.
//!
//! Decides nothing that the files do not state: an unknown pooling, or a module that the graph cannot contain, is an
//! error here rather than a wrong vector later.

use super::directory::{ModelRoot, ReadFile, Stamp};
use serde_json::Value;
use socle_core::model::{ModelFile, ModelKind, Pooling};
use socle_core::{Error, Kind, Result};

/// Largest configuration file that is read, in bytes.
pub const MAX_JSON_BYTES: u64 = 4 << 20;

/// What the files state; `None` where they are silent.
#[derive(Debug, Default)]
pub struct Layout {
    /// The configuration files that were read.
    pub files: Vec<(ModelFile, Stamp)>,
    /// From the architecture in `config.json`.
    pub kind: Option<ModelKind>,
    /// From `1_Pooling/config.json`.
    pub pooling: Option<Pooling>,
    /// Whether `modules.json` ends with `Normalize`; `None` without that file.
    pub normalize: Option<bool>,
    /// Vector length after pooling.
    pub dimensions: Option<u32>,
    /// Longest input in tokens.
    pub max_tokens: Option<u32>,
    /// Prompt named `query`.
    pub query_prefix: Option<String>,
    /// Prompt named `passage` or `document`.
    pub passage_prefix: Option<String>,
    /// `pad_token_id` of `config.json`.
    pub pad_id: Option<u32>,
    /// `modules.json` applies a dense layer after pooling, which only the graph itself can hold.
    pub dense_after_pooling: bool,
}

impl Layout {
    /// Reads every configuration file that is there.
    ///
    /// # Errors
    /// `DamagedModelFile` for a file that is not what its name says or asks for something socle does not do, and
    /// whatever [`ModelRoot::read`] raises.
    pub fn read(root: &ModelRoot, directory: &str) -> Result<Self> {
        let mut layout = Self::default();
        let mut json = |path: &str| -> Result<Option<Value>> {
            let Some(read) = root.read_optional(directory, path, MAX_JSON_BYTES)? else { return Ok(None) };
            let value = parse(directory, &read)?;
            layout.files.push((read.file, read.stamp));
            Ok(Some(value))
        };
        let config = json("config.json")?;
        let tokenizer = json("tokenizer_config.json")?;
        let sentence = json("sentence_bert_config.json")?;
        let prompts = json("config_sentence_transformers.json")?;
        let modules = json("modules.json")?;
        let pooling_path = modules.as_ref().and_then(|modules| module_path(modules, "Pooling"));
        let pooling = json(&format!("{}/config.json", pooling_path.as_deref().unwrap_or("1_Pooling")))?;

        if let Some(config) = &config {
            layout.kind = kind(directory, config)?;
            layout.pad_id = number(config, "pad_token_id");
        }
        layout.max_tokens = max_tokens(config.as_ref(), tokenizer.as_ref(), sentence.as_ref());
        if let Some(pooling) = &pooling {
            layout.pooling = Some(pooling_mode(directory, pooling)?);
            layout.dimensions = number(pooling, "word_embedding_dimension");
        }
        if let Some(modules) = &modules {
            layout.normalize = Some(module_path(modules, "Normalize").is_some());
            layout.dense_after_pooling = module_path(modules, "Dense").is_some();
        }
        let prompt = |names: &[&str]| {
            let prompts = prompts.as_ref()?.get("prompts")?;
            names.iter().find_map(|name| Some(prompts.get(name)?.as_str()?.to_string()))
        };
        layout.query_prefix = prompt(&["query"]);
        layout.passage_prefix = prompt(&["passage", "document"]);
        Ok(layout)
    }
}

fn parse(directory: &str, read: &ReadFile) -> Result<Value> {
    serde_json::from_slice(&read.bytes).map_err(|error| damaged(directory, &read.file.path, &error.to_string()))
}

fn damaged(directory: &str, path: &str, why: &str) -> Error {
    Error::new(Kind::DamagedModelFile, format!("model file \"{directory}/{path}\" is damaged")).detail(why)
}

/// A positive number of at most 32 bits.
fn number(value: &Value, key: &str) -> Option<u32> {
    value.get(key)?.as_u64().and_then(|number| u32::try_from(number).ok())
}

/// The directory of the first module of a type such as `sentence_transformers.models.Pooling`.
fn module_path(modules: &Value, name: &str) -> Option<String> {
    let module = modules.as_array()?.iter().find(|module| {
        let r#type = module.get("type").and_then(Value::as_str).unwrap_or_default();
        r#type.rsplit('.').next() == Some(name)
    })?;
    Some(module.get("path").and_then(Value::as_str).unwrap_or_default().to_string())
}

/// A classifier with one label is a cross-encoder; one with more labels scores something else.
fn kind(directory: &str, config: &Value) -> Result<Option<ModelKind>> {
    let Some(architectures) = config.get("architectures").and_then(Value::as_array) else { return Ok(None) };
    let classifies = |name: &Value| name.as_str().is_some_and(|name| name.ends_with("ForSequenceClassification"));
    if !architectures.iter().any(classifies) {
        return Ok(Some(ModelKind::Embedding));
    }
    let labels = number(config, "num_labels")
        .or_else(|| config.get("id2label")?.as_object().map(|labels| labels.len() as u32))
        .unwrap_or(2);
    if labels != 1 {
        let why = format!("It is a classifier with {labels} labels; a reranker has one.");
        return Err(damaged(directory, "config.json", &why));
    }
    Ok(Some(ModelKind::Reranker))
}

/// `max_seq_length` is a decision of whoever published the model and wins; the other two are what it can take at most.
fn max_tokens(config: Option<&Value>, tokenizer: Option<&Value>, sentence: Option<&Value>) -> Option<u32> {
    if let Some(length) = sentence.and_then(|sentence| number(sentence, "max_seq_length")) {
        return Some(length);
    }
    // Tokenizers without a limit state it as 1e30, which is no u64.
    let tokenizer = tokenizer.and_then(|tokenizer| number(tokenizer, "model_max_length"));
    let positions = config.and_then(|config| {
        let positions = number(config, "max_position_embeddings")?;
        // RoBERTa and its kin count positions from pad_token_id + 1 (transformers, modeling_roberta.py).
        let offset = match config.get("model_type").and_then(Value::as_str) {
            Some("roberta" | "xlm-roberta" | "camembert" | "mpnet") => number(config, "pad_token_id").unwrap_or(1) + 1,
            _ => 0,
        };
        positions.checked_sub(offset)
    });
    tokenizer.into_iter().chain(positions).filter(|length| *length > 0).min()
}

fn pooling_mode(directory: &str, config: &Value) -> Result<Pooling> {
    // One flag for each mode in files of Sentence-Transformers up to 5, one name in later files.
    let named = config.get("pooling_mode").and_then(Value::as_str);
    let on = |key: &str| {
        config.get(key).and_then(Value::as_bool).unwrap_or(false)
            || named.is_some_and(|name| {
                key == format!("pooling_mode_{name}")
                    || key == format!("pooling_mode_{name}_token")
                    || key == format!("pooling_mode_{name}_tokens")
            })
    };
    let known = [
        ("pooling_mode_mean_tokens", Pooling::Mean),
        ("pooling_mode_cls_token", Pooling::Cls),
        ("pooling_mode_lasttoken", Pooling::Last),
    ];
    let unknown = ["pooling_mode_max_tokens", "pooling_mode_mean_sqrt_len_tokens", "pooling_mode_weightedmean_tokens"];
    let chosen: Vec<Pooling> = known.iter().filter(|(key, _)| on(key)).map(|(_, pooling)| *pooling).collect();
    match (chosen.as_slice(), unknown.iter().find(|key| on(key))) {
        ([pooling], None) => Ok(*pooling),
        (_, Some(key)) => Err(damaged(directory, "1_Pooling/config.json", &format!("socle does not implement {key}."))),
        ([], None) => Err(damaged(directory, "1_Pooling/config.json", "It names no way of pooling.")),
        _ => Err(damaged(directory, "1_Pooling/config.json", "It asks for several vectors one after the other.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn max_tokens_prefers_the_publisher_and_knows_the_offset_of_roberta() {
        let bert = json!({"model_type": "bert", "max_position_embeddings": 512});
        let xlmr = json!({"model_type": "xlm-roberta", "max_position_embeddings": 514, "pad_token_id": 1});
        let endless = json!({"model_max_length": 1e30});
        let shorter = json!({"model_max_length": 128});
        let sentence = json!({"max_seq_length": 256});
        assert_eq!(max_tokens(Some(&bert), Some(&endless), Some(&sentence)), Some(256));
        assert_eq!(max_tokens(Some(&bert), Some(&endless), None), Some(512));
        assert_eq!(max_tokens(Some(&bert), Some(&shorter), None), Some(128));
        assert_eq!(max_tokens(Some(&xlmr), None, None), Some(512));
        assert_eq!(max_tokens(None, Some(&endless), None), None);
    }

    #[test]
    fn pooling_that_socle_lacks_is_refused() {
        let mode = |value: Value| pooling_mode("d", &value);
        assert_eq!(mode(json!({"pooling_mode_cls_token": true})).unwrap(), Pooling::Cls);
        assert_eq!(
            mode(json!({"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": false})).unwrap(),
            Pooling::Mean
        );
        assert_eq!(mode(json!({"pooling_mode_lasttoken": true})).unwrap(), Pooling::Last);
        assert_eq!(mode(json!({"pooling_mode": "mean"})).unwrap(), Pooling::Mean);
        for bad in [
            json!({}),
            json!({"pooling_mode_max_tokens": true}),
            json!({"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true}),
        ] {
            assert_eq!(mode(bad).unwrap_err().kind, Kind::DamagedModelFile);
        }
    }

    #[test]
    fn a_classifier_with_one_label_is_a_reranker() {
        let config = |labels: Value| json!({"architectures": ["BertForSequenceClassification"], "id2label": labels});
        assert_eq!(kind("d", &config(json!({"0": "x"}))).unwrap(), Some(ModelKind::Reranker));
        assert!(kind("d", &config(json!({"0": "x", "1": "y", "2": "z"}))).is_err());
        assert_eq!(kind("d", &json!({"architectures": ["BertModel"]})).unwrap(), Some(ModelKind::Embedding));
        assert_eq!(kind("d", &json!({})).unwrap(), None);
    }
}
