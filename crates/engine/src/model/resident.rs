//! A model that is resident in memory, with the files it was loaded from and the counters that the store keeps of it.

use super::loaded::Model;
use super::ocr::OcrModel;
use super::registered::VerifiedFile;
use socle_child::directory::Stamp;
use socle_core::model::{ModelFile, ModelSpec};
use socle_core::{Error, Kind, Result};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// A model of either type.
#[derive(Debug)]
pub enum AnyModel {
    /// Takes texts.
    Text(Model),
    /// Takes pictures.
    Ocr(OcrModel),
}

impl AnyModel {
    /// Its registration.
    pub fn spec(&self) -> &ModelSpec {
        match self {
            Self::Text(model) => &model.spec,
            Self::Ocr(model) => &model.spec,
        }
    }

    /// The same model for another registration of the same digest.
    pub fn registered_as(&self, spec: &ModelSpec) -> Self {
        match self {
            Self::Text(model) => Self::Text(model.registered_as(spec)),
            Self::Ocr(model) => Self::Ocr(model.registered_as(spec)),
        }
    }

    /// Whether no other shares its memory.
    pub fn is_idle(&self) -> bool {
        match self {
            Self::Text(model) => model.is_idle(),
            Self::Ocr(model) => model.is_idle(),
        }
    }

    /// The model, if it takes texts.
    ///
    /// # Errors
    /// `WrongModelKind`.
    pub fn text(&self) -> Result<&Model> {
        match self {
            Self::Text(model) => Ok(model),
            Self::Ocr(_) => Err(self.wrong_kind("it reads pictures, not texts")),
        }
    }

    /// The model, if it takes pictures.
    ///
    /// # Errors
    /// `WrongModelKind`.
    pub fn ocr(&self) -> Result<&OcrModel> {
        match self {
            Self::Ocr(model) => Ok(model),
            Self::Text(_) => Err(self.wrong_kind("it reads texts, not pictures")),
        }
    }

    fn wrong_kind(&self, why: &str) -> Error {
        let spec = self.spec();
        Error::new(Kind::WrongModelKind, format!("model \"{}\" is of kind {}: {why}", spec.name, spec.kind.name()))
    }
}

/// A model in memory.
#[derive(Debug)]
pub struct ResidentModel {
    /// The model, under the registration that it was loaded for.
    pub model: AnyModel,
    /// The files that were verified to be those of the model, by path below `socle.model_directory`. The same model may be
    /// in several directories, registered in several databases.
    pub verified: HashMap<PathBuf, VerifiedFile>,
    /// Memory that it takes, in bytes.
    pub memory_bytes: u64,
    /// Time of loading in seconds since 1970.
    pub loaded_at: f64,
    /// Time of last use in seconds since 1970, as the bits of an `f64`.
    pub used_at: AtomicU64,
    /// Number of texts that were run through it.
    pub text_count: AtomicU64,
}

impl ResidentModel {
    /// A model that was just loaded from these files. `memory_bytes` is 0 until it is measured.
    pub fn new(model: AnyModel, files: impl IntoIterator<Item = (ModelFile, Stamp)>) -> Self {
        let now = socle_child::seconds_since_1970();
        let verified =
            files.into_iter().map(|(file, stamp)| VerifiedFile::new(&model.spec().directory, &file, stamp)).collect();
        Self {
            model,
            verified,
            memory_bytes: 0,
            loaded_at: now,
            used_at: AtomicU64::new(now.to_bits()),
            text_count: AtomicU64::new(0),
        }
    }

    /// The model alone, if it takes texts.
    ///
    /// # Errors
    /// `WrongModelKind`.
    pub fn into_model(self) -> Result<Arc<Model>> {
        match self.model {
            AnyModel::Text(model) => Ok(Arc::new(model)),
            AnyModel::Ocr(_) => Err(self.model.wrong_kind("it reads pictures, not texts")),
        }
    }
}
