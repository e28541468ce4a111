//! Texts of questions and answers, where `socle.ledger_text` has them kept: one file for each entry, beside the ledger. So they can
//! be erased, and the ledger, in which nothing can be, has their keyed hashes only. The egress process cannot read them.

use serde::Deserialize;
use serde_json::{Map, Value};
use socle_core::protocol::LEDGER_TEXT_DIRECTORY;
use socle_core::{Error, Kind, Result};
use socle_ledger::read::Chain;
use socle_ledger::{Entry, json};
use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The texts of an entry.
#[derive(Debug, Default, Deserialize)]
pub struct Texts {
    /// The question, or the prompt.
    pub question: Option<String>,
    /// The answer, or the text that was generated.
    pub answer: Option<String>,
}

fn path(origin: &str, number: u64) -> PathBuf {
    Path::new(LEDGER_TEXT_DIRECTORY).join(format!("{origin}-{number:020}.json"))
}

/// Keeps the texts of an entry.
///
/// # Errors
/// `UnreadableFile`, `DiskFull`.
pub fn keep(origin: &str, number: u64, texts: &[(&'static str, String)]) -> Result<()> {
    let path = path(origin, number);
    let failed = |error: std::io::Error| {
        let kind = if error.kind() == ErrorKind::StorageFull { Kind::DiskFull } else { Kind::UnreadableFile };
        Error::new(kind, "the texts of an entry of the ledger cannot be kept")
            .detail(format!("could not write \"{}\": {error}", path.display()))
    };
    let fields: Map<String, Value> =
        texts.iter().map(|(name, text)| ((*name).to_string(), text.as_str().into())).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(LEDGER_TEXT_DIRECTORY).map_err(failed)?;
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
    file.and_then(|mut file| file.write_all(json::canonical(&fields).as_bytes())).map_err(failed)
}

/// The texts of an entry; none where they were not kept, or were erased.
pub fn find(entry: &Entry, origin: &str) -> Texts {
    let has_text = entry.fields.get("data").and_then(|data| data.get("has_text")).and_then(Value::as_bool);
    if has_text != Some(true) {
        return Texts::default();
    }
    let text = std::fs::read_to_string(path(origin, entry.stamp.number)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Erases the texts of entries that are not there any more: of these chains those before the first segment, of others all.
///
/// # Errors
/// `UnreadableFile`.
pub fn erase_pruned(chains: &[Chain]) -> Result<()> {
    for file in std::fs::read_dir(LEDGER_TEXT_DIRECTORY).into_iter().flatten().flatten() {
        let name = file.file_name();
        let parsed = name.to_str().and_then(|name| name.strip_suffix(".json")?.rsplit_once('-'));
        let Some((origin, number)) = parsed.and_then(|(origin, number)| Some((origin, number.parse().ok()?))) else {
            continue;
        };
        let chain = chains.iter().find(|chain| chain.origin == origin);
        if chain.and_then(|chain| chain.segments.first()).is_none_or(|(first, _)| number < *first) {
            erase(origin, number)?;
        }
    }
    Ok(())
}

/// Erases the texts of an entry. Returns whether there were any.
///
/// # Errors
/// `UnreadableFile`.
pub fn erase(origin: &str, number: u64) -> Result<bool> {
    let path = path(origin, number);
    match std::fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::new(Kind::UnreadableFile, "the texts of an entry of the ledger cannot be erased")
            .detail(format!("could not remove \"{}\": {error}", path.display()))),
    }
}
