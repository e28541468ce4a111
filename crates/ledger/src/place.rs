//! Where a ledger is written: a copy of it elsewhere begins a chain of its own, or two would go on from the same entry.
//!
//! A place is a file, which has its own inode in it and a copy does not, the machine, and what the server says of itself.

use crate::fault::Fault;
use crate::hash::{Hash, hexadecimal};
use crate::json;
use serde_json::{Map, Value};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Name of the file.
pub const FILE: &str = "place";

/// What says which server this is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Place {
    /// System identifier of the cluster.
    pub system: String,
    /// Its timeline; 0 on a standby, which follows those of its primary.
    pub timeline: u32,
    /// See [`machine`].
    pub machine: String,
}

impl Place {
    /// As fields of an entry.
    pub fn fields(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("machine".into(), self.machine.as_str().into());
        fields.insert("system".into(), self.system.as_str().into());
        fields.insert("timeline".into(), self.timeline.into());
        fields
    }
}

/// Makes the directory of a ledger, if it is not there.
///
/// # Errors
/// Those of the file system.
pub fn make(root: &Path) -> Result<(), Fault> {
    if root.is_dir() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(root);
    made.map_err(|error| Fault::of_file("make", root, &error))?;
    root.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), sync)
}

/// What tells this machine from others, if it has an identifier: not that one itself, which is not to be shown.
pub fn machine() -> String {
    let identifier = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let hash = |identifier: &str| hexadecimal(&Hash::of(&[b"socle ledger ", identifier.as_bytes()]).0[..8]);
    Some(identifier.trim()).filter(|identifier| !identifier.is_empty()).map(hash).unwrap_or_default()
}

/// The chain that was written in this place; `None` if the file is missing, was copied, or is that of another server.
pub fn origin(directory: &Path, place: &Place) -> Option<String> {
    let path = directory.join(FILE);
    let known: Map<String, Value> = serde_json::from_str(&std::fs::read_to_string(&path).ok()?).ok()?;
    let inode = std::fs::metadata(&path).ok()?.ino();
    let is_here = known.get("inode").and_then(Value::as_u64) == Some(inode)
        && place.fields().iter().all(|(name, value)| known.get(name) == Some(value));
    is_here.then(|| known.get("origin").and_then(Value::as_str).map(str::to_string)).flatten()
}

/// The chain that the file names, wherever it was written.
pub fn last_origin(directory: &Path) -> Option<String> {
    let known: Map<String, Value> = serde_json::from_str(&std::fs::read_to_string(directory.join(FILE)).ok()?).ok()?;
    known.get("origin").and_then(Value::as_str).map(str::to_string)
}

/// Notes that this chain is written in this place.
///
/// # Errors
/// Those of the file system.
pub fn note(directory: &Path, place: &Place, origin: &str) -> Result<(), Fault> {
    let (path, new) = (directory.join(FILE), directory.join("place.new"));
    let failed = |error| Fault::of_file("write", &new, &error);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new).map_err(failed)?;
    let mut fields = place.fields();
    fields.insert("inode".into(), file.metadata().map_err(failed)?.ino().into());
    fields.insert("origin".into(), origin.into());
    file.write_all(json::canonical(&fields).as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&new, &path).map_err(|error| Fault::of_file("rename", &new, &error))?;
    sync(directory)
}

/// Makes names of files in a directory durable.
///
/// # Errors
/// Those of the file system.
pub fn sync(directory: &Path) -> Result<(), Fault> {
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|error| Fault::of_file("sync", directory, &error))
}
