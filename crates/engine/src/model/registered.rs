//! The files of a registered model, and whether they still are what was registered.
//!
//! They are read and hashed once for each place they lie in; later a look at each of them, without reading, tells that
//! nothing has changed since.

use super::directory::{ModelRoot, ReadFile, Stamp};
use super::head::MAX_WEIGHTS_BYTES;
use super::layout::MAX_JSON_BYTES;
use super::tokenizer::MAX_TOKENIZER_BYTES;
use socle_core::model::{Layer, ModelFile, ModelSpec};
use socle_core::{Error, Kind, Result};
use std::path::{Path, PathBuf};

/// Largest graph in bytes: protobuf ends at 2 GiB.
pub const MAX_GRAPH_BYTES: u64 = 2 << 30;

/// What is known of a path: the hash of the bytes, and what tells that they have not changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    sha256: String,
    stamp: Stamp,
}

impl Seen {
    /// A file in the directory of a model, with its path below `socle.model_directory`.
    pub fn new(directory: &str, file: &ModelFile, stamp: Stamp) -> (PathBuf, Self) {
        (Path::new(directory).join(&file.path), Self { sha256: file.sha256.clone(), stamp })
    }
}

/// What there is to be seen of every file of a model, provided that its bytes are those that were registered.
///
/// # Errors
/// As [`ModelRoot::stamp`].
pub fn look(root: &ModelRoot, spec: &ModelSpec) -> Result<Vec<(PathBuf, Seen)>> {
    let look = |file: &ModelFile| Ok(Seen::new(&spec.directory, file, root.stamp(&spec.directory, &file.path)?));
    files(spec).map(|(file, _)| look(file)).collect()
}

/// The same after reading every file.
///
/// # Errors
/// As [`read`].
pub fn read_all(root: &ModelRoot, spec: &ModelSpec) -> Result<Vec<(PathBuf, Seen)>> {
    let seen = |file, limit| Ok(Seen::new(&spec.directory, file, read(root, spec, file, limit)?.stamp));
    files(spec).map(|(file, limit)| seen(file, limit)).collect()
}

/// Reads a file whose bytes still are what was registered.
///
/// # Errors
/// `DamagedModelFile` when they are not, and whatever [`ModelRoot::read`] raises.
pub fn read(root: &ModelRoot, spec: &ModelSpec, file: &ModelFile, limit: u64) -> Result<ReadFile> {
    let read = root.read(&spec.directory, &file.path, limit)?;
    if read.file != *file {
        let shown = format!("{}/{}", spec.directory, file.path);
        return Err(Error::new(
            Kind::DamagedModelFile,
            format!("model file \"{shown}\" has changed since registration"),
        )
        .detail(format!("Its SHA-256 is {}, registered is {}.", read.file.sha256, file.sha256))
        .hint("Restore the file, or register the new files under another name."));
    }
    Ok(read)
}

/// The files of a model, each with the most bytes it may have.
fn files(spec: &ModelSpec) -> impl Iterator<Item = (&ModelFile, u64)> {
    let configuration = spec.configuration.iter().map(|file| (file, MAX_JSON_BYTES));
    let weights = spec.layers.iter().filter_map(Layer::weights).map(|file| (file, MAX_WEIGHTS_BYTES));
    let parts = [(&spec.graph, MAX_GRAPH_BYTES), (&spec.tokenizer, MAX_TOKENIZER_BYTES)];
    parts.into_iter().chain(configuration).chain(weights)
}
