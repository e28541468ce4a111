//! What a model that recognises text in pictures has besides the graph that reads lines.

use super::ModelFile;
use serde::{Deserialize, Serialize};

/// The other graphs of a model of kind `ocr`, and what it cannot write. [`super::ModelSpec::graph`] is the graph that
/// recognises the characters of a line, and [`super::ModelSpec::tokenizer`] the file with the list of its characters, which
/// may be the same.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct OcrGraphs {
    /// The graph that finds lines in a picture (differentiable binarisation, Liao et al. 2020).
    pub detection: ModelFile,
    /// The graph that tells lines that stand on their head; without it, pages are taken as upright.
    pub direction: Option<ModelFile>,
    /// Letters that the model cannot write, by the canonical name of their language. Languages without such letters are
    /// not listed.
    pub missing_letters: Vec<(String, String)>,
}

impl OcrGraphs {
    /// The letters of a language, given by its canonical name, that the model cannot write. Empty if it writes them all, or
    /// if socle does not know the letters of this language.
    pub fn missing_letters(&self, language: &str) -> &str {
        let missing = self.missing_letters.iter().find(|(name, _)| name == language);
        missing.map_or("", |(_, letters)| letters)
    }

    /// What distinguishes its results, for [`super::ModelSpec::digest`].
    pub(super) fn identity(&self) -> String {
        let direction = self.direction.as_ref().map_or("none", |file| &file.sha256);
        format!("ocr {} {direction}", self.detection.sha256)
    }
}
