//! The manifest of a package: which model it is, made how, and the checksum of each file.

use crate::damaged;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use socle_core::{Error, Kind, Result};
use std::collections::BTreeSet;

/// Name of the manifest, the first file of a package.
pub const MANIFEST: &str = "manifest.json";

/// Name of the signature of the manifest, as `minisign` names it.
pub const SIGNATURE: &str = "manifest.json.minisig";

/// Value of [`Manifest::format`].
pub const FORMAT: &str = "socle model";

/// Value of [`Manifest::format_version`] that this version writes, and the highest that it reads.
pub const FORMAT_VERSION: u32 = 1;

/// Largest manifest in bytes: a hundred times that of a model with many files and a long prompt.
pub const MAX_MANIFEST_BYTES: u64 = 1 << 20;

/// Most files of a model; those in the layout of Sentence-Transformers have about ten.
const MAX_FILES: usize = 64;

/// Longest path in bytes, and most directories in it: what a header of a tar file holds without an extension.
const MAX_PATH_BYTES: usize = 100;
const MAX_PATH_PARTS: usize = 8;

/// Longest text in bytes, as of arguments of functions.
const MAX_TEXT_BYTES: usize = 10_000;

/// Most bytes of all files together: 1 TB, far above any model, so that sums cannot overflow.
const MAX_TOTAL_BYTES: u64 = 1 << 40;

/// The manifest.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Name under which the exporting database has registered the model.
    pub name: String,
    /// What it is: a kind of models, or `generator`.
    pub kind: String,
    /// Its digest there; whoever imports it computes the same.
    pub digest: String,
    /// Licence of the weights, as stated at registration.
    pub license: Option<String>,
    /// Where the weights come from, as stated at export.
    pub source: Option<String>,
    /// When it was exported, as PostgreSQL writes it in UTC.
    pub exported_at: String,
    /// Version of socle.
    pub socle_version: String,
    /// Parameters of a model that its files need not state.
    pub model: Option<ModelParameters>,
    /// Parameters of a generator.
    pub generator: Option<GeneratorParameters>,
    /// The files, in the order in which they follow.
    pub files: Vec<PackageFile>,
}

/// Parameters of a model: the arguments of `socle.register_model`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct ModelParameters {
    /// Length of the vectors, where there are any.
    pub dimensions: Option<u32>,
    /// Longest input in tokens.
    pub max_tokens: u32,
    /// How the vectors of tokens become one.
    pub pooling: String,
    /// Whether vectors are brought to the length 1.
    pub normalized: bool,
    /// What precedes queries.
    pub query_prefix: String,
    /// What precedes passages.
    pub passage_prefix: String,
    /// Path of the graph, where there is one.
    pub graph: Option<String>,
}

/// Parameters of a generator: the arguments of `socle.register_generator`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct GeneratorParameters {
    /// Name of the chat template.
    pub template: String,
    /// Length of the context in tokens.
    pub context_tokens: u32,
}

/// A file of a model.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct PackageFile {
    /// Path in the directory of the model.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 in lower-case hexadecimal digits.
    pub sha256: String,
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// `DamagedDocument` for what is no manifest, or lists what no package may hold; `NotSupported` for one of a later version.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| invalid(&error.to_string()))?;
        if has_zero_byte(&value) {
            return Err(invalid("a text has a zero byte"));
        }
        if let Some(other) = value.get("format").filter(|format| *format != FORMAT) {
            return Err(invalid(&format!("it does not describe a model, its format is {other}")));
        }
        if let Some(version) = value.get("format_version").and_then(Value::as_u64)
            && version > u64::from(FORMAT_VERSION)
        {
            return Err(Error::new(Kind::NotSupported, "the package was made by a later version of socle")
                .detail(format!("Its format has version {version}, known are those up to {FORMAT_VERSION}.")));
        }
        let manifest: Self = serde_json::from_value(value).map_err(|error| invalid(&error.to_string()))?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Number of bytes of all files.
    pub fn total_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).fold(0, u64::saturating_add)
    }

    /// Refuses what no export writes.
    fn check(&self) -> Result<()> {
        if self.name.is_empty() || self.kind.is_empty() || !is_sha256(&self.digest) {
            return Err(invalid("name, kind or digest is missing"));
        }
        let model = self.model.iter().flat_map(|model| [&model.pooling, &model.query_prefix, &model.passage_prefix]);
        let texts = [&self.name, &self.kind, &self.exported_at, &self.socle_version].into_iter();
        let texts = texts.chain(&self.license).chain(&self.source).chain(model);
        let mut texts = texts.chain(self.generator.iter().map(|generator| &generator.template));
        if texts.any(|text| text.len() > MAX_TEXT_BYTES) {
            return Err(invalid(&format!("a text has more than {MAX_TEXT_BYTES} bytes")));
        }
        if self.model.is_some() == self.generator.is_some() || (self.kind == "generator") != self.generator.is_some() {
            return Err(invalid("it has to have the parameters of its kind, and no others"));
        }
        if !(1..=MAX_FILES).contains(&self.files.len()) {
            return Err(invalid(&format!("it lists {} files, allowed are 1 to {MAX_FILES}", self.files.len())));
        }
        let mut seen = BTreeSet::new();
        for file in &self.files {
            check_path(&file.path)?;
            if !is_sha256(&file.sha256) {
                return Err(invalid(&format!("file {:?} has no SHA-256", file.path)));
            }
            if !seen.insert(file.path.to_ascii_lowercase()) {
                return Err(invalid(&format!("it lists file \"{}\" twice", file.path)));
            }
        }
        // A file cannot be a directory as well.
        let is_below =
            |path: &String| path.match_indices('/').any(|(end, _)| seen.contains(path.get(..end).unwrap_or_default()));
        if let Some(path) = seen.iter().find(|path| is_below(path)) {
            return Err(invalid(&format!("file \"{path}\" lies below another file")));
        }
        if self.total_bytes() > MAX_TOTAL_BYTES {
            return Err(invalid("its files have more than 1 TB"));
        }
        Ok(())
    }
}

/// Refuses each path that could lead elsewhere, or that a terminal or a shell could misread.
fn check_path(path: &str) -> Result<()> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-' | '/');
    let parts: Vec<&str> = path.split('/').collect();
    let is_named = |part: &&str| !part.is_empty() && !part.starts_with('.');
    let is_sound = path.len() <= MAX_PATH_BYTES
        && path.chars().all(is_plain)
        && parts.len() <= MAX_PATH_PARTS
        && parts.iter().all(is_named)
        && path != MANIFEST
        && path != SIGNATURE;
    if is_sound {
        return Ok(());
    }
    Err(invalid(&format!("{path:?} is not a path that a file of a model may have")))
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

fn invalid(why: &str) -> Error {
    damaged(&format!("{MANIFEST}: {why}."))
}

/// Whether any text has a zero byte, which PostgreSQL cannot store.
fn has_zero_byte(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(elements) => elements.iter().any(has_zero_byte),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_zero_byte(value)),
        _ => false,
    }
}
