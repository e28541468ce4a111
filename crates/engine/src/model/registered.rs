//! Verifies that the files of a registered model have not changed since its registration.
//!
//! They are read and hashed once for each directory they are in; later, their stamps show whether they may have changed.

use super::configuration::MAX_JSON_BYTES;
use super::tokenizer::MAX_TOKENIZER_BYTES;
use socle_child::directory::{ModelRoot, ReadFile, Stamp};
use socle_core::model::{Layer, ModelFile, ModelSpec};
use socle_core::{Error, Kind, Result};
use std::path::{Path, PathBuf};

/// Largest graph in bytes, which is the limit of protobuf.
pub const MAX_GRAPH_BYTES: u64 = 2 << 30;

/// Largest file of weights of a module in bytes: a matrix of 4,096 by 16,384 numbers of 32 bits.
pub const MAX_WEIGHTS_BYTES: u64 = 256 << 20;

/// The hash of a file, and its stamp when it was hashed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerifiedFile {
    sha256: String,
    stamp: Stamp,
}

impl VerifiedFile {
    /// A file in the directory of a model, and its path below `socle.model_directory`.
    pub fn new(directory: &str, file: &ModelFile, stamp: Stamp) -> (PathBuf, Self) {
        (Path::new(directory).join(&file.path), Self { sha256: file.sha256.clone(), stamp })
    }
}

/// The current stamps of all files of a model, with the registered hashes: equal to what was verified before if no file has
/// changed.
///
/// # Errors
/// As [`ModelRoot::stamp`].
pub fn stat_all(root: &ModelRoot, spec: &ModelSpec) -> Result<Vec<(PathBuf, VerifiedFile)>> {
    let look =
        |file: &ModelFile| Ok(VerifiedFile::new(&spec.directory, file, root.stamp(&spec.directory, &file.path)?));
    files(spec).map(|(file, _)| look(file)).collect()
}

/// Reads all files of a model and verifies their hashes.
///
/// # Errors
/// As [`read`].
pub fn read_all(root: &ModelRoot, spec: &ModelSpec) -> Result<Vec<(PathBuf, VerifiedFile)>> {
    let seen = |file, limit| Ok(VerifiedFile::new(&spec.directory, file, read(root, spec, file, limit)?.stamp));
    files(spec).map(|(file, limit)| seen(file, limit)).collect()
}

/// Reads a file of a model and verifies its hash.
///
/// # Errors
/// `DamagedModelFile` when it has changed since registration, and whatever [`ModelRoot::read`] raises.
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

/// The bytes of all graphs of a model.
pub fn graph_bytes(spec: &ModelSpec) -> u64 {
    spec.graph.bytes + other_graphs(spec).map(|file| file.bytes).sum::<u64>()
}

/// The bytes of what is kept in memory of the files of a model.
pub fn all_bytes(spec: &ModelSpec) -> u64 {
    let weights: u64 = spec.layers.iter().filter_map(Layer::weights).map(|file| file.bytes).sum();
    let tokenizer = if spec.tokenizer.path == spec.graph.path { 0 } else { spec.tokenizer.bytes };
    graph_bytes(spec) + tokenizer + weights
}

/// The graphs of a model for pictures besides the one that reads lines.
fn other_graphs(spec: &ModelSpec) -> impl Iterator<Item = &ModelFile> {
    spec.ocr.iter().flat_map(|graphs| [Some(&graphs.detection), graphs.direction.as_ref()]).flatten()
}

/// The files of a model and the largest size of each in bytes.
fn files(spec: &ModelSpec) -> impl Iterator<Item = (&ModelFile, u64)> {
    let configuration = spec.configuration.iter().map(|file| (file, MAX_JSON_BYTES));
    let weights = spec.layers.iter().filter_map(Layer::weights).map(|file| (file, MAX_WEIGHTS_BYTES));
    let graphs = other_graphs(spec).map(|file| (file, MAX_GRAPH_BYTES));
    // The list of characters may be in the graph that reads lines.
    let own = spec.tokenizer.path != spec.graph.path;
    let tokenizer = own.then_some((&spec.tokenizer, MAX_TOKENIZER_BYTES));
    let parts = [(&spec.graph, MAX_GRAPH_BYTES)].into_iter().chain(tokenizer);
    parts.chain(configuration).chain(weights).chain(graphs)
}
