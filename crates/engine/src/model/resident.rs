//! A model that is resident in memory, with the files it was loaded from and the counters that the store keeps of it.

use super::loaded::Model;
use super::registered::VerifiedFile;
use socle_child::directory::Stamp;
use socle_core::model::ModelFile;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// A model in memory.
#[derive(Debug)]
pub struct ResidentModel {
    /// The model, under the registration that it was loaded for.
    pub model: Model,
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
    pub fn new(model: Model, files: impl IntoIterator<Item = (ModelFile, Stamp)>) -> Self {
        let now = socle_child::seconds_since_1970();
        let verified =
            files.into_iter().map(|(file, stamp)| VerifiedFile::new(&model.spec.directory, &file, stamp)).collect();
        Self {
            model,
            verified,
            memory_bytes: 0,
            loaded_at: now,
            used_at: AtomicU64::new(now.to_bits()),
            text_count: AtomicU64::new(0),
        }
    }

    /// The model alone.
    pub fn into_model(self) -> Arc<Model> {
        Arc::new(self.model)
    }
}
