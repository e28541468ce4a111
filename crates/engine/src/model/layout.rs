//! Reads the configuration files of a model in the layout of Hugging Face and Sentence-Transformers.
//!
//! Nothing is guessed that the files do not state, and nothing is ignored that they do: what socle does not support is an
//! error here rather than a wrong vector later.

use super::configuration::{MAX_JSON_BYTES, flag, number, unsupported};
use super::late_interaction::{METADATA, Settings};
use super::modules::Modules;
use super::position;
use super::prompt::Prompts;
use serde_json::Value;
use socle_child::directory::{ModelRoot, ReadFile, Stamp};
use socle_core::model::{ModelFile, ModelKind, Pooling, Similarity};
use socle_core::{Error, Kind, Result};

/// Names of the configuration file of the transformer module (Sentence-Transformers, `base/modules/transformer.py`).
const SENTENCE_CONFIGURATIONS: [&str; 7] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
];

/// What the files state; `None` for what they do not.
#[derive(Debug, Default)]
pub struct Layout {
    /// The configuration files that were read.
    pub files: Vec<(ModelFile, Stamp)>,
    /// Kind of the model, by the architecture in `config.json` or the presence of settings of late interaction.
    pub kind: Option<ModelKind>,
    /// Pooling, by the configuration of the pooling module. The error for an unsupported one is raised only if it is needed.
    pub pooling: Option<Result<Pooling>>,
    /// `include_prompt` is false: the tokens of the prompt are not pooled.
    pub excludes_prompt: bool,
    /// Length of the vectors after pooling.
    pub dimensions: Option<u32>,
    /// Longest input in tokens.
    pub max_tokens: Option<u32>,
    /// Position of the first token.
    pub first_position: u32,
    /// `pad_token_id` of `config.json`.
    pub pad_id: Option<u32>,
    /// `do_lower_case`: texts are converted to lower case.
    pub lower_case: bool,
    /// `add_eos_token`: the tokenizer ends each text with a token.
    pub adds_end_token: bool,
    /// `similarity_fn_name` of `config_sentence_transformers.json`.
    pub similarity: Option<Similarity>,
    /// `truncate_dim` of `config_sentence_transformers.json`: length that vectors are truncated to.
    pub truncated: Option<u32>,
    /// Prompts of `config_sentence_transformers.json`.
    pub prompts: Prompts,
    /// The modules of `modules.json`.
    pub modules: Modules,
    /// Settings of late interaction, in `artifact.metadata`.
    pub late_interaction: Option<Settings>,
    /// `mask_token` of `tokenizer_config.json`.
    pub mask_token: Option<String>,
}

/// Reads the configuration files of one model.
struct Reader<'a> {
    root: &'a ModelRoot,
    directory: &'a str,
    files: Vec<(ModelFile, Stamp)>,
}

impl Reader<'_> {
    fn json(&mut self, path: &str) -> Result<Option<Value>> {
        let Some(read) = self.root.read_optional(self.directory, path, MAX_JSON_BYTES)? else { return Ok(None) };
        let value = parse(self.directory, &read)?;
        self.files.push((read.file, read.stamp));
        Ok(Some(value))
    }

    /// The first of these files that exists, in the directory of a module or else in that of the model.
    fn first(&mut self, module: &str, names: &[&str]) -> Result<Option<Value>> {
        for path in places(module, names) {
            if let Some(value) = self.json(&path)? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }
}

/// Paths of these files in the directory of a module, then in that of the model.
pub fn places(module: &str, names: &[&str]) -> Vec<String> {
    let inside = names.iter().map(|name| format!("{module}/{name}")).filter(|_| !module.is_empty());
    inside.chain(names.iter().map(|name| (*name).to_string())).collect()
}

impl Layout {
    /// Reads all configuration files.
    ///
    /// # Errors
    /// `DamagedModelFile` for a malformed file, `NotSupported` for one that asks for something that socle does not support,
    /// and whatever [`ModelRoot::read`] raises.
    pub fn read(root: &ModelRoot, directory: &str) -> Result<Self> {
        let mut reader = Reader { root, directory, files: Vec::new() };
        let mut modules = Modules::default();
        if let Some(value) = reader.json("modules.json")? {
            modules = Modules::parse(&value).map_err(|why| damaged(directory, "modules.json", &why))?;
        }
        let transformer = modules.transformer.clone();
        let config = reader.first(&transformer, &["config.json"])?;
        let tokenizer = reader.first(&transformer, &["tokenizer_config.json"])?;
        let sentence = reader.first(&transformer, &SENTENCE_CONFIGURATIONS)?;
        let whole = reader.json("config_sentence_transformers.json")?;
        let late_interaction = reader.json(METADATA)?.as_ref().map(Settings::read).transpose()?;
        let pooling_path = format!("{}/config.json", modules.pooling.as_deref().unwrap_or("1_Pooling"));
        // With a modules.json, only the modules that it lists are part of the model.
        let pooling = if modules.stated && modules.pooling.is_none() { None } else { reader.json(&pooling_path)? };
        for module in &mut modules.after {
            module.configuration = reader.json(&module.file("config.json"))?.unwrap_or_default();
        }

        let mut layout = Self { modules, files: reader.files, ..Self::default() };
        layout.max_tokens = max_tokens(config.as_ref(), tokenizer.as_ref(), sentence.as_ref());
        if let Some(config) = &config {
            layout.kind = kind(config)?;
            layout.pad_id = number(config, "pad_token_id");
            layout.first_position = position::first(config);
        }
        if let Some(sentence) = &sentence {
            layout.lower_case = flag(sentence, "do_lower_case").unwrap_or(false);
            check_task(sentence)?;
        }
        layout.adds_end_token =
            tokenizer.as_ref().and_then(|tokenizer| flag(tokenizer, "add_eos_token")).unwrap_or(false);
        layout.mask_token = tokenizer.as_ref().and_then(mask_token);
        if let Some(settings) = late_interaction {
            layout.kind = Some(ModelKind::LateInteraction);
            layout.max_tokens = layout.max_tokens.into_iter().chain(settings.document_tokens).min();
            layout.late_interaction = Some(settings);
        }
        if let Some(pooling) = &pooling {
            layout.pooling = Some(pooling_mode(&pooling_path, pooling));
            layout.dimensions =
                number(pooling, "word_embedding_dimension").or_else(|| number(pooling, "embedding_dimension"));
            layout.excludes_prompt = flag(pooling, "include_prompt") == Some(false);
        }
        if let Some(whole) = &whole {
            layout.read_whole(directory, whole)?;
        }
        Ok(layout)
    }

    /// Reads `config_sentence_transformers.json`.
    fn read_whole(&mut self, directory: &str, whole: &Value) -> Result<()> {
        const PATH: &str = "config_sentence_transformers.json";
        match whole.get("model_type").and_then(Value::as_str) {
            None | Some("SentenceTransformer") => {}
            Some("CrossEncoder") => self.kind = Some(ModelKind::Reranker),
            Some(other) => return Err(unsupported(&format!("model type \"{other}\""), PATH)),
        }
        if let Some(name) = whole.get("similarity_fn_name").and_then(Value::as_str) {
            // Versions of Sentence-Transformers differ in the spelling.
            let similarity = Similarity::parse(if name == "dot_product" { "dot" } else { name });
            self.similarity = Some(similarity.ok_or_else(|| unsupported(&format!("similarity \"{name}\""), PATH))?);
        }
        self.truncated = number(whole, "truncate_dim").filter(|length| *length > 0);
        self.prompts = Prompts::parse(whole).map_err(|why| damaged(directory, PATH, &why))?;
        Ok(())
    }
}

fn parse(directory: &str, read: &ReadFile) -> Result<Value> {
    serde_json::from_slice(&read.bytes).map_err(|error| damaged(directory, &read.file.path, &error.to_string()))
}

fn damaged(directory: &str, path: &str, why: &str) -> Error {
    Error::new(Kind::DamagedModelFile, format!("model file \"{directory}/{path}\" is damaged")).detail(why)
}

/// The kind of a model by its architecture: a classifier with one label is a reranker, other classifiers are unsupported.
fn kind(config: &Value) -> Result<Option<ModelKind>> {
    let Some(architectures) = config.get("architectures").and_then(Value::as_array) else { return Ok(None) };
    let classifies = |name: &Value| name.as_str().is_some_and(|name| name.ends_with("ForSequenceClassification"));
    if !architectures.iter().any(classifies) {
        return Ok(Some(ModelKind::Embedding));
    }
    let labels = number(config, "num_labels")
        .or_else(|| config.get("id2label")?.as_object().map(|labels| labels.len() as u32))
        .unwrap_or(2);
    if labels != 1 {
        let what = format!("classifier with {labels} labels");
        return Err(unsupported(&what, "config.json").detail("A reranker has one label."));
    }
    Ok(Some(ModelKind::Reranker))
}

/// The mask token, which is stated as a text or as an object.
fn mask_token(tokenizer: &Value) -> Option<String> {
    let token = tokenizer.get("mask_token")?;
    token.as_str().or_else(|| token.get("content")?.as_str()).map(str::to_string)
}

/// Checks `transformer_task`, which newer files of the transformer module have.
fn check_task(sentence: &Value) -> Result<()> {
    match sentence.get("transformer_task").and_then(Value::as_str) {
        None | Some("feature-extraction" | "sequence-classification") => Ok(()),
        Some(task) => Err(unsupported(&format!("transformer_task \"{task}\""), "sentence_bert_config.json")),
    }
}

/// The longest input in tokens. `max_seq_length` is the choice of the publisher of the model and takes precedence; the other
/// two values are upper limits.
fn max_tokens(config: Option<&Value>, tokenizer: Option<&Value>, sentence: Option<&Value>) -> Option<u32> {
    let positive = |length: &u32| *length > 0;
    let published = sentence.and_then(|sentence| number(sentence, "max_seq_length")).filter(positive);
    let positions = config.and_then(position::count).filter(positive);
    if let Some(published) = published {
        // The publisher may have counted the rows of the table that no token has.
        let table = positions.filter(|_| config.is_some_and(position::begins_after_padding));
        return Some(table.map_or(published, |table| table.min(published)));
    }
    // Tokenizers without a limit state it as 1e30, which is no u64.
    let tokenizer = tokenizer.and_then(|tokenizer| number(tokenizer, "model_max_length")).filter(positive);
    tokenizer.into_iter().chain(positions).min()
}

/// The pooling of a configuration file: one flag for each mode up to Sentence-Transformers 5, names in later versions.
/// Sentence-Transformers takes the mean when there is no mode; here it is an error, because the file does not state it.
fn pooling_mode(path: &str, config: &Value) -> Result<Pooling> {
    let mut modes: Vec<String> = Vec::new();
    match config.get("pooling_mode") {
        Some(Value::String(mode)) => modes.push(mode.clone()),
        Some(Value::Array(several)) => modes.extend(several.iter().map(|mode| mode.as_str().unwrap_or("?").into())),
        _ => {
            let flags = config.as_object().into_iter().flatten().filter(|(_, on)| on.as_bool() == Some(true));
            modes.extend(flags.filter_map(|(key, _)| key.strip_prefix("pooling_mode_")).map(str::to_string));
        }
    }
    let [mode] = modes.as_slice() else {
        if modes.is_empty() {
            return Err(Error::new(Kind::InvalidArgument, format!("{path} names no way of pooling"))
                .hint("Pass pooling => 'mean', 'cls' or 'last', as the model card states it."));
        }
        return Err(unsupported(&format!("pooling {}", modes.join(" and ")), path)
            .detail("The model puts several vectors one after the other."));
    };
    match mode.as_str() {
        "mean" | "mean_tokens" => Ok(Pooling::Mean),
        "cls" | "cls_token" => Ok(Pooling::Cls),
        "lasttoken" => Ok(Pooling::Last),
        "max" | "max_tokens" => Ok(Pooling::Max),
        "mean_sqrt_len_tokens" => Ok(Pooling::MeanSqrtLen),
        "weightedmean" | "weightedmean_tokens" => Ok(Pooling::WeightedMean),
        other => Err(unsupported(&format!("pooling \"{other}\""), path)),
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
        let too_long = json!({"max_seq_length": 514});
        assert_eq!(max_tokens(Some(&bert), Some(&endless), Some(&sentence)), Some(256));
        assert_eq!(max_tokens(Some(&bert), Some(&endless), None), Some(512));
        assert_eq!(max_tokens(Some(&bert), Some(&shorter), None), Some(128));
        assert_eq!(max_tokens(Some(&xlmr), None, None), Some(512));
        assert_eq!(max_tokens(Some(&xlmr), None, Some(&sentence)), Some(256));
        assert_eq!(max_tokens(Some(&xlmr), None, Some(&too_long)), Some(512));
        assert_eq!(max_tokens(None, Some(&endless), None), None);
    }

    #[test]
    fn pooling_is_read_in_both_spellings_and_refused_by_name() {
        let mode = |value: Value| pooling_mode("1_Pooling/config.json", &value);
        for (value, pooling) in [
            (json!({"pooling_mode_cls_token": true}), Pooling::Cls),
            (json!({"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": false}), Pooling::Mean),
            (json!({"pooling_mode_lasttoken": true}), Pooling::Last),
            (json!({"pooling_mode_max_tokens": true}), Pooling::Max),
            (json!({"pooling_mode_mean_sqrt_len_tokens": true}), Pooling::MeanSqrtLen),
            (json!({"pooling_mode_weightedmean_tokens": true}), Pooling::WeightedMean),
            (json!({"pooling_mode": "mean"}), Pooling::Mean),
            (json!({"pooling_mode": "cls", "include_prompt": true}), Pooling::Cls),
            (json!({"pooling_mode": ["lasttoken"]}), Pooling::Last),
            (json!({"pooling_mode": "weightedmean"}), Pooling::WeightedMean),
            // As Sentence-Transformers reads it.
            (json!({"pooling_mode": "max", "pooling_mode_mean_tokens": true}), Pooling::Max),
        ] {
            assert_eq!(mode(value.clone()), Ok(pooling), "{value}");
        }
        for (value, name) in [
            (json!({"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true}), "cls_token and mean_tokens"),
            (json!({"pooling_mode": ["mean", "max"]}), "mean and max"),
            (json!({"pooling_mode": "attention"}), "\"attention\""),
            (json!({"pooling_mode_attention": true}), "\"attention\""),
        ] {
            let error = mode(value).unwrap_err();
            assert_eq!(error.kind, Kind::NotSupported);
            assert_eq!(error.message, format!("unsupported pooling {name} in 1_Pooling/config.json"));
        }
        assert_eq!(mode(json!({})).unwrap_err().kind, Kind::InvalidArgument);
    }

    #[test]
    fn a_classifier_with_one_label_is_a_reranker() {
        let config = |labels: Value| json!({"architectures": ["BertForSequenceClassification"], "id2label": labels});
        assert_eq!(kind(&config(json!({"0": "x"}))).unwrap(), Some(ModelKind::Reranker));
        let error = kind(&config(json!({"0": "x", "1": "y", "2": "z"}))).unwrap_err();
        assert_eq!(error.message, "unsupported classifier with 3 labels in config.json");
        assert_eq!(kind(&json!({"architectures": ["BertModel"]})).unwrap(), Some(ModelKind::Embedding));
        assert_eq!(kind(&json!({})).unwrap(), None);
    }
}
