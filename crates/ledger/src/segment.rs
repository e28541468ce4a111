//! Segments: the files that a chain is cut into. Each begins with an entry by which it can be read without those before it.

use crate::entry::{Draft, Entry};
use crate::fault::Fault;
use crate::hash::Hash;
use crate::tree::Tree;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Kind of the first entry of a chain, and of the first entry of every other segment.
pub const CHAIN: &str = "chain";
/// See [`CHAIN`].
pub const SEGMENT: &str = "segment";

/// What the next line goes on from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct State {
    /// The tree over all lines so far; its size is the number of the last entry.
    pub tree: Tree,
    /// The hash of the last entry.
    pub hash: Hash,
}

impl Default for Hash {
    fn default() -> Self {
        Self::NONE
    }
}

impl State {
    /// The state after a line.
    pub fn push(&mut self, line: &str, hash: Hash) {
        self.tree.push(line.as_bytes());
        self.hash = hash;
    }

    /// Number of the next entry.
    pub fn next(&self) -> u64 {
        self.tree.size() + 1
    }

    /// The first entry of a segment that goes on from here.
    pub fn header(&self, origin: &str) -> Draft {
        let roots: Vec<Value> = self.tree.roots().iter().map(|root| root.to_string().into()).collect();
        Draft::new(SEGMENT).with("origin", origin).with("previous", self.hash.to_string()).with("tree", roots)
    }

    /// What the first entry of a segment says that it goes on from.
    ///
    /// # Errors
    /// When it is none.
    pub fn before(first: &Entry) -> Result<Self, String> {
        if first.kind == CHAIN && first.stamp.number == 1 {
            return Ok(Self::default());
        }
        let wrong = || format!("entry {} does not begin a segment", first.stamp.number);
        let hash = |value: &Value| value.as_str().and_then(Hash::parse);
        if first.kind != SEGMENT {
            return Err(wrong());
        }
        let previous = first.fields.get("previous").and_then(hash).ok_or_else(wrong)?;
        let roots = first.fields.get("tree").and_then(Value::as_array).ok_or_else(wrong)?;
        let roots: Vec<Hash> = roots.iter().map(hash).collect::<Option<_>>().ok_or_else(wrong)?;
        let size = first.stamp.number.checked_sub(1).ok_or_else(wrong)?;
        let tree = Tree::of(size, roots).ok_or_else(wrong)?;
        Ok(Self { tree, hash: previous })
    }
}

/// The name of the segment that begins with the entry of this number.
pub fn name(first: u64) -> String {
    format!("{first:020}.log")
}

/// The segments in the directory of a chain, by the number of their first entry, in order.
///
/// # Errors
/// When the directory cannot be read, or has a file that does not belong there.
pub fn list(directory: &Path) -> Result<Vec<(u64, PathBuf)>, Fault> {
    let failed = |error| Fault::of_file("read", directory, &error);
    let mut segments = Vec::new();
    for file in std::fs::read_dir(directory).map_err(failed)? {
        let file = file.map_err(failed)?;
        let first = file.file_name().to_str().and_then(|file| {
            let first = file.strip_suffix(".log")?.parse().ok()?;
            (name(first) == file).then_some(first)
        });
        let first = first
            .ok_or_else(|| Fault::damage(format!("\"{}\" does not belong into the ledger", file.path().display())))?;
        segments.push((first, file.path()));
    }
    segments.sort();
    Ok(segments)
}
