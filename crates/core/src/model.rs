//! The description of a model: the row of `socle.model`, sent to the engine with every request.

mod late_interaction;
mod layer;
mod ocr;

use crate::endpoint::{CorpusPolicy, ServedModel};
pub use late_interaction::LateInteraction;
pub use layer::{Activation, Layer};
pub use ocr::OcrGraphs;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What the directory of a model begins with whose files are in the database: the rest is a path below
/// [`crate::protocol::PACKAGE_DIRECTORY`].
pub const PACKAGE_PREFIX: &str = "package:";

/// What a model computes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    /// One vector for a text.
    Embedding,
    /// One relevance score for a pair of query and document (a cross-encoder).
    Reranker,
    /// A vector for each token. The score of a document is the sum, over the tokens of the query, of the greatest
    /// similarity to one of its own. Khattab and Zaharia, ColBERT (2020); Santhanam et al., ColBERTv2 (2022).
    LateInteraction,
    /// The words of a picture, with their places.
    Ocr,
}

impl ModelKind {
    /// Whether it scores documents for a query.
    pub fn is_reranking(self) -> bool {
        matches!(self, Self::Reranker | Self::LateInteraction)
    }

    /// Whether it makes vectors, of texts or of tokens.
    pub fn has_vectors(self) -> bool {
        matches!(self, Self::Embedding | Self::LateInteraction)
    }
}

/// How the vectors of the tokens become the vector of the text
/// (Sentence-Transformers, `sentence_transformers/models/Pooling.py`).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// Mean over the tokens inside the attention mask.
    Mean,
    /// The first token.
    Cls,
    /// The last token inside the attention mask.
    Last,
    /// No pooling: the graph returns one vector per text.
    None,
    /// Maximum of each dimension.
    Max,
    /// The sum divided by the square root of the number of tokens.
    MeanSqrtLen,
    /// Mean with the weights 1, 2, 3, … in the order of the tokens.
    WeightedMean,
}

/// The similarity function that a model was trained for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Similarity {
    /// Cosine of the angle.
    Cosine,
    /// Inner product.
    Dot,
    /// Euclidean distance.
    Euclidean,
    /// Manhattan distance.
    Manhattan,
}

/// Implements the names used in SQL for the values of an enumeration.
macro_rules! sql_names {
    ($type:ident, $($variant:ident => $name:literal),+) => {
        impl $type {
            /// All names that [`Self::parse`] accepts.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// The name used in SQL.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The value of a name used in SQL; `None` for any other text.
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}
pub(crate) use sql_names;

sql_names!(
    ModelKind,
    Embedding => "embedding", Reranker => "reranker", LateInteraction => "late_interaction", Ocr => "ocr"
);
sql_names!(
    Pooling,
    Mean => "mean", Cls => "cls", Last => "last", None => "none", Max => "max", MeanSqrtLen => "mean_sqrt_len",
    WeightedMean => "weighted_mean"
);
sql_names!(
    Similarity,
    Cosine => "cosine", Dot => "dot", Euclidean => "euclidean", Manhattan => "manhattan"
);

/// A file of a model.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ModelFile {
    /// Path relative to the directory of the model.
    pub path: String,
    /// Size in bytes at registration.
    pub bytes: u64,
    /// SHA-256 at registration, 64 hexadecimal digits.
    pub sha256: String,
}

/// A registered model.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ModelSpec {
    /// Name in `socle.model`.
    pub name: String,
    /// Directory relative to `socle.model_directory`.
    pub directory: String,
    /// The ONNX graph.
    pub graph: ModelFile,
    /// The tokenizer file.
    pub tokenizer: ModelFile,
    /// The configuration files read at registration. Their contents are in the fields below; they must not change
    /// nevertheless.
    pub configuration: Vec<ModelFile>,
    /// What it computes.
    pub kind: ModelKind,
    /// Length of the vectors; 1 for a reranker.
    pub dimensions: u32,
    /// Longest input in tokens, special tokens and prefix included.
    pub max_tokens: u32,
    /// How token vectors become one vector.
    pub pooling: Pooling,
    /// Whether vectors are scaled to length 1.
    pub normalize: bool,
    /// Prefix of every query.
    pub query_prefix: String,
    /// Prefix of every passage.
    pub passage_prefix: String,
    /// Name of the graph output that is used.
    pub output: String,
    /// Token id for padding.
    pub pad_id: u32,
    /// Whether several texts may share one run without changing each other's vectors.
    pub batchable: bool,
    /// The similarity function. For vectors of length 1, the first three rank equally.
    pub similarity: Similarity,
    /// Whether the tokens of a prefix are pooled with those of the text.
    pub pool_prefix: bool,
    /// Whether texts are converted to lower case before tokenization.
    pub lower_case: bool,
    /// Position of the first token, for a graph with a position input.
    pub first_position: u32,
    /// Layers applied after pooling, in order.
    pub layers: Vec<Layer>,
    /// How queries and documents become tokens for a model of late interaction.
    pub late_interaction: Option<LateInteraction>,
    /// How it is served, if it runs on an endpoint and has no files here. The engine does not get this.
    #[serde(skip)]
    pub served: Option<Box<ServedModel>>,
    /// The other graphs of a model of kind `ocr`.
    pub ocr: Option<OcrGraphs>,
}

/// Properties stated by the caller of `register_model`, which take precedence over the files.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ModelOverrides {
    /// Path of the graph relative to the directory of the model, where there are several.
    pub graph: Option<String>,
    /// See [`ModelSpec::kind`].
    pub kind: Option<ModelKind>,
    /// See [`ModelSpec::dimensions`]; verified with the graph.
    pub dimensions: Option<u32>,
    /// See [`ModelSpec::max_tokens`].
    pub max_tokens: Option<u32>,
    /// See [`ModelSpec::pooling`].
    pub pooling: Option<Pooling>,
    /// See [`ModelSpec::normalize`].
    pub normalize: Option<bool>,
    /// See [`ModelSpec::query_prefix`].
    pub query_prefix: Option<String>,
    /// See [`ModelSpec::passage_prefix`].
    pub passage_prefix: Option<String>,
    /// Name of the prompt of the model that becomes [`ModelSpec::query_prefix`].
    pub query_prompt: Option<String>,
    /// Name of the prompt of the model that becomes [`ModelSpec::passage_prefix`].
    pub passage_prompt: Option<String>,
}

/// A model as its files describe it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Inspection {
    /// The model.
    pub model: ModelSpec,
    /// Notices for the user who registers it.
    pub notices: Vec<String>,
}

impl ModelSpec {
    /// The identity of the vectors this model makes, 64 hexadecimal digits: SHA-256 over graph, tokenizer and every
    /// parameter that changes a result. Name, place and the raw configuration files are not part of it.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut fields: Vec<String> = [
            if self.served.is_some() { "socle endpoint model 1" } else { "socle model 1" },
            &self.graph.sha256,
            &self.tokenizer.sha256,
            self.kind.name(),
            &self.dimensions.to_string(),
            &self.max_tokens.to_string(),
            self.pooling.name(),
            if self.normalize { "normalized" } else { "raw" },
            &self.query_prefix,
            &self.passage_prefix,
            &self.output,
            &self.pad_id.to_string(),
        ]
        .map(str::to_string)
        .into();
        // Parameters added after 0.1.0 are included only if they differ from its behaviour, so that existing digests
        // stay valid.
        fields.extend((!self.pool_prefix).then(|| "prefix not pooled".to_string()));
        fields.extend(self.lower_case.then(|| "lower case".to_string()));
        fields.extend((self.first_position > 0).then(|| format!("positions from {}", self.first_position)));
        fields.extend(self.layers.iter().map(Layer::identity));
        fields.extend(self.late_interaction.as_ref().map(LateInteraction::identity));
        fields.extend(self.served.iter().flat_map(|served| served.identity()));
        fields.extend(self.ocr.as_ref().map(OcrGraphs::identity));
        for field in fields {
            // Length prefixes distinguish ("ab", "c") from ("a", "bc").
            hash.update((field.len() as u64).to_le_bytes());
            hash.update(field.as_bytes());
        }
        hexadecimal(&hash.finalize())
    }

    /// Whether it has no files on this machine, because it runs on an endpoint: its tokens are estimated.
    pub fn has_no_files(&self) -> bool {
        self.graph.path.is_empty()
    }

    /// The model, for texts of these corpora, or questions to them; for none, what the caller passes. That matters where it runs
    /// on an endpoint, which each of them has to allow: it gets nothing until this was said.
    #[must_use]
    pub fn of_corpora(mut self, corpora: impl IntoIterator<Item = CorpusPolicy>) -> Self {
        if let Some(served) = &mut self.served {
            served.corpora.get_or_insert_default().extend(corpora);
        }
        self
    }

    /// The length of the vectors before [`Self::layers`].
    pub fn pooled_dimensions(&self) -> u32 {
        self.layers.iter().find_map(Layer::inputs).unwrap_or(self.dimensions)
    }

    /// Whether cosine distance ranks vectors as the similarity function of the model does.
    pub fn is_cosine(&self) -> bool {
        self.similarity == Similarity::Cosine || (self.normalize && self.similarity != Similarity::Manhattan)
    }
}

/// The SHA-256 of `bytes` as 64 hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Bytes as hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> ModelSpec {
        let file = |path: &str, sha256: &str| ModelFile { path: path.into(), bytes: 1, sha256: sha256.into() };
        ModelSpec {
            name: "m".into(),
            directory: "d".into(),
            graph: file("model.onnx", "aa"),
            tokenizer: file("tokenizer.json", "bb"),
            configuration: vec![],
            kind: ModelKind::Embedding,
            dimensions: 384,
            max_tokens: 512,
            pooling: Pooling::Mean,
            normalize: true,
            query_prefix: "query: ".into(),
            passage_prefix: String::new(),
            output: "last_hidden_state".into(),
            pad_id: 0,
            batchable: true,
            similarity: Similarity::Cosine,
            pool_prefix: true,
            lower_case: false,
            first_position: 0,
            layers: vec![],
            late_interaction: None,
            served: None,
            ocr: None,
        }
    }

    fn late(change: impl FnOnce(&mut LateInteraction)) -> ModelSpec {
        let mut late = LateInteraction {
            query_marker: 1,
            document_marker: 2,
            mask: 103,
            query_tokens: 32,
            attends_to_masks: false,
            skips_punctuation: true,
        };
        change(&mut late);
        ModelSpec { late_interaction: Some(late), ..spec() }
    }

    fn ocr(change: impl FnOnce(&mut OcrGraphs)) -> ModelSpec {
        let file = |sha256: &str| ModelFile { path: "detection.onnx".into(), bytes: 1, sha256: sha256.into() };
        let mut graphs = OcrGraphs { detection: file("cc"), direction: Some(file("dd")), missing_letters: vec![] };
        change(&mut graphs);
        ModelSpec { kind: ModelKind::Ocr, ocr: Some(graphs), ..spec() }
    }

    fn dense(outputs: u32, activation: Activation, sha256: &str) -> Layer {
        let weights = ModelFile { path: "2_Dense/model.safetensors".into(), bytes: 1, sha256: sha256.into() };
        Layer::Dense { weights, inputs: 384, outputs, bias: true, activation }
    }

    #[test]
    fn a_model_of_the_first_release_keeps_its_digest() {
        // As 0.1.0 gave it.
        assert_eq!(spec().digest(), "b5b13c3d593d06ca4f39ff7ebea81077d6e3c68fa4a9fc955e3a5f9cf08ca27d");
    }

    #[test]
    fn digest_ignores_name_and_place_and_sees_every_parameter() {
        let base = spec().digest();
        assert_eq!(base, ModelSpec { name: "x".into(), directory: "y".into(), ..spec() }.digest());
        let changed = [
            ModelSpec { dimensions: 383, ..spec() },
            ModelSpec { max_tokens: 511, ..spec() },
            ModelSpec { pooling: Pooling::Cls, ..spec() },
            ModelSpec { normalize: false, ..spec() },
            ModelSpec { query_prefix: String::new(), passage_prefix: "query: ".into(), ..spec() },
            ModelSpec { output: "other".into(), ..spec() },
            ModelSpec { pad_id: 1, ..spec() },
            ModelSpec { kind: ModelKind::Reranker, ..spec() },
            ModelSpec { graph: ModelFile { sha256: "ab".into(), ..spec().graph }, ..spec() },
            ModelSpec { tokenizer: ModelFile { sha256: "ba".into(), ..spec().tokenizer }, ..spec() },
            ModelSpec { pool_prefix: false, ..spec() },
            ModelSpec { lower_case: true, ..spec() },
            ModelSpec { first_position: 2, ..spec() },
            ModelSpec { layers: vec![Layer::Normalize], ..spec() },
            ModelSpec { layers: vec![Layer::Truncate { inputs: 768, dimensions: 384 }], ..spec() },
            ModelSpec { layers: vec![dense(384, Activation::Tanh, "cc")], ..spec() },
            ModelSpec { layers: vec![dense(384, Activation::Identity, "cc")], ..spec() },
            ModelSpec { layers: vec![dense(384, Activation::Tanh, "cd")], ..spec() },
            ModelSpec { layers: vec![dense(384, Activation::Tanh, "cc"), Layer::Normalize], ..spec() },
            ModelSpec { layers: vec![Layer::Normalize, dense(384, Activation::Tanh, "cc")], ..spec() },
            ModelSpec { kind: ModelKind::LateInteraction, ..spec() },
            late(|_| ()),
            late(|late| late.query_marker = 3),
            late(|late| late.document_marker = 3),
            late(|late| late.mask = 104),
            late(|late| late.query_tokens = 31),
            late(|late| late.attends_to_masks = true),
            late(|late| late.skips_punctuation = false),
            ocr(|_| ()),
            ocr(|graphs| graphs.detection.sha256 = "ce".into()),
            ocr(|graphs| graphs.direction = None),
        ];
        let mut digests: Vec<String> = changed.iter().map(ModelSpec::digest).chain([base]).collect();
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), changed.len() + 1);
        // How vectors are compared is no property of a vector.
        assert_eq!(spec().digest(), ModelSpec { similarity: Similarity::Dot, ..spec() }.digest());
    }

    #[test]
    fn cosine_stands_for_what_it_equals_alone() {
        let is_cosine = |similarity, normalize| ModelSpec { similarity, normalize, ..spec() }.is_cosine();
        assert!(is_cosine(Similarity::Cosine, false));
        for similarity in [Similarity::Dot, Similarity::Euclidean] {
            assert!(is_cosine(similarity, true) && !is_cosine(similarity, false));
        }
        assert!(!is_cosine(Similarity::Manhattan, true));
    }

    #[test]
    fn names_round_trip() {
        for name in Pooling::NAMES {
            assert_eq!(Pooling::parse(name).map(Pooling::name), Some(*name));
        }
        assert_eq!(ModelKind::parse("Embedding"), None);
    }
}
