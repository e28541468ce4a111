//! How far an export that was interrupted has come, so that the same call goes on where it stopped: kept in a file beside the
//! parts that are complete, and trusted only if the chunks before that place are still the same ones.

use super::read_chunks::KeyedChunk;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use socle_core::corpus::archive::KeyValue;
use socle_core::corpus::manifest::{ArchiveFile, ArchivedExtractor, Manifest, part_name};
use socle_core::model::{hexadecimal, sha256};
use std::collections::BTreeMap;

/// Name of the file, which a complete export does not have.
pub const PROGRESS: &str = "progress.json";

/// Largest such file in bytes: that of ten thousand parts.
pub const MAX_BYTES: u64 = 4 << 20;

/// What is in the file.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Progress {
    /// What was asked for, see [`request`].
    pub request: String,
    /// Number of the last chunk in a part that is complete.
    pub after: i64,
    /// SHA-256 over the identity of all chunks up to it.
    pub chunks_sha256: String,
    /// The parts that are complete.
    pub files: Vec<ArchiveFile>,
}

impl Progress {
    /// Reads the file; `None` for what no export has written.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let progress: Self = serde_json::from_slice(bytes).ok()?;
        let named = (1..).zip(&progress.files).all(|(number, file)| file.name == part_name(number));
        (named && !progress.files.is_empty()).then_some(progress)
    }
}

/// The identity of what is asked for: a call that differs in anything else than time begins anew. `more` are the arguments and
/// who exports.
pub fn request(manifest: &Manifest, more: &[&str]) -> String {
    let timeless = Manifest { exported_at: String::new(), ..manifest.clone() };
    let text = serde_json::to_string(&(timeless, more)).unwrap_or_default();
    sha256(text.as_bytes())
}

/// What identifies the chunks so far: keys, places, and the hash of what was embedded, which with the digest of the model
/// determines the vector.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    hash: Sha256,
    /// Number of chunks.
    pub chunk_count: u64,
    /// Number of documents that begin in them.
    pub document_count: u64,
    extractors: BTreeMap<Option<String>, u64>,
}

impl Identity {
    /// Adds a chunk.
    pub fn push(&mut self, keyed: &KeyedChunk) {
        let chunk = &keyed.chunk;
        self.chunk_count += 1;
        self.document_count += u64::from(chunk.ordinal == 1);
        *self.extractors.entry(keyed.extractor.clone()).or_default() += 1;
        self.hash.update(keyed.number.to_le_bytes());
        for number in
            [chunk.ordinal, chunk.page.unwrap_or_default(), chunk.start_offset, chunk.end_offset, chunk.token_count]
        {
            self.hash.update(number.to_le_bytes());
        }
        self.hash.update(&chunk.content_hash);
        for value in &chunk.key {
            match value {
                KeyValue::Integer(number) => self.hash.update(number.to_le_bytes()),
                KeyValue::Text(text) => {
                    self.hash.update((text.len() as u64).to_le_bytes());
                    self.hash.update(text);
                }
            }
        }
    }

    /// What the texts so far were extracted with.
    pub fn extractors(&self) -> Vec<ArchivedExtractor> {
        let counts = self.extractors.iter();
        counts
            .map(|(extractor, count)| ArchivedExtractor { extractor: extractor.clone(), chunk_count: *count })
            .collect()
    }

    /// The SHA-256 so far.
    pub fn sha256(&self) -> String {
        hexadecimal(&self.hash.clone().finalize())
    }
}
