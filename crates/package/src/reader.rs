//! Reads a package from beginning to end, compares each file with the manifest, and passes its bytes on in parts.

use crate::damaged;
use crate::manifest::{MANIFEST, MAX_MANIFEST_BYTES, Manifest, SIGNATURE};
use crate::tar::{Entry, Tar};
use sha2::{Digest, Sha256};
use socle_core::model::hexadecimal;
use socle_core::{Result, memory};

/// Bytes of a part: what is in memory at a time, and what a row of a table holds.
pub const PART_BYTES: usize = 1 << 20;

/// Largest signature in bytes; those of `minisign` have about 300.
const MAX_SIGNATURE_BYTES: u64 = 4 << 10;

/// Takes what a package holds. It has to be able to forget all of it: what is wrong may show at the end.
pub trait Store {
    /// Begins, with the manifest as it was read; `bytes` are those that a signature signs.
    ///
    /// # Errors
    /// Its own, which end the reading.
    fn begin(&mut self, manifest: &Manifest, bytes: &[u8]) -> Result<()>;

    /// Takes a part of the file with the number `file` in the manifest; parts are numbered from 0.
    ///
    /// # Errors
    /// As [`Self::begin`].
    fn part(&mut self, file: usize, part: usize, bytes: &[u8]) -> Result<()>;
}

/// What a package says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Package {
    /// The manifest.
    pub manifest: Manifest,
    /// The bytes of the manifest.
    pub manifest_bytes: Vec<u8>,
    /// The signature in the package, as `minisign` writes it.
    pub signature: Option<String>,
}

/// Reads a package. `read` fills a buffer as far as there are bytes.
///
/// # Errors
/// `DamagedDocument` for whatever is not exactly the files that its manifest lists; `NotSupported` for a manifest of a later
/// version; `OutOfMemory`; those of `read` and `store`.
pub fn read(read: impl FnMut(&mut [u8]) -> Result<usize>, store: &mut dyn Store) -> Result<Package> {
    let mut tar = Tar::new(read);
    let first = tar.next_entry()?.filter(|entry| entry.path == MANIFEST);
    let first = first.ok_or_else(|| damaged(&format!("Its first file is not {MANIFEST}.")))?;
    let manifest_bytes = whole(&mut tar, &first, MAX_MANIFEST_BYTES)?;
    let manifest = Manifest::parse(&manifest_bytes)?;
    store.begin(&manifest, &manifest_bytes)?;
    let mut is_there = vec![false; manifest.files.len()];
    let mut signature = None;
    while let Some(entry) = tar.next_entry()? {
        if entry.path == SIGNATURE && signature.is_none() {
            let bytes = whole(&mut tar, &entry, MAX_SIGNATURE_BYTES)?;
            let text = String::from_utf8(bytes).map_err(|_| damaged("Its signature is not text."))?;
            signature = Some(text);
            continue;
        }
        let path = &entry.path;
        let at = manifest.files.iter().position(|file| file.path == *path);
        let file = at.and_then(|at| Some((at, manifest.files.get(at)?, is_there.get_mut(at)?)));
        let (at, file, seen) = file.ok_or_else(|| {
            damaged(&format!("File {path:?} is not among those that the manifest lists, or comes twice."))
        })?;
        if std::mem::replace(seen, true) {
            return Err(damaged(&format!("File {path:?} comes twice.")));
        }
        if entry.bytes != file.bytes {
            return Err(damaged(&format!(
                "File {path:?} has {} bytes, the manifest says {}.",
                entry.bytes, file.bytes
            )));
        }
        let found = pass_on(&mut tar, at, store)?;
        if found != file.sha256 {
            return Err(damaged(&format!("File {path:?} has the SHA-256 {found}, the manifest says another.")));
        }
    }
    let missing = manifest.files.iter().zip(is_there).find(|(_, seen)| !seen);
    if let Some((file, _)) = missing {
        return Err(damaged(&format!("File {:?} is missing.", file.path)));
    }
    Ok(Package { manifest, manifest_bytes, signature })
}

/// Passes the content of a file on, and returns its SHA-256.
fn pass_on<R>(tar: &mut Tar<R>, file: usize, store: &mut dyn Store) -> Result<String>
where
    R: FnMut(&mut [u8]) -> Result<usize>,
{
    let mut hash = Sha256::new();
    let mut buffer = buffer(PART_BYTES)?;
    for part in 0.. {
        let count = tar.content(&mut buffer)?;
        if count == 0 {
            break;
        }
        let bytes = buffer.get(..count).unwrap_or_default();
        hash.update(bytes);
        store.part(file, part, bytes)?;
    }
    Ok(hexadecimal(&hash.finalize()))
}

/// A whole small file.
fn whole<R>(tar: &mut Tar<R>, entry: &Entry, limit: u64) -> Result<Vec<u8>>
where
    R: FnMut(&mut [u8]) -> Result<usize>,
{
    if entry.bytes > limit {
        return Err(damaged(&format!("{} has {} bytes, the limit is {limit}.", entry.path, entry.bytes)));
    }
    let mut bytes = buffer(usize::try_from(entry.bytes).unwrap_or_default())?;
    tar.content(&mut bytes)?;
    Ok(bytes)
}

fn buffer(bytes: usize) -> Result<Vec<u8>> {
    let mut buffer = memory::with_capacity(bytes)?;
    buffer.resize(bytes, 0);
    Ok(buffer)
}
