//! A segment that is coming in: a file under a name that no reader knows, or memory where files cannot be written.
//!
//! The file gets its name only when it is complete, checked and on disk. Whatever is left unfinished is removed.

use super::blob::{damaged, hex};
use sha2::{Digest, Sha256};
use socle_core::protocol::SegmentDigest;
use socle_core::{Error, Kind, Result};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Ending of the names of unfinished files.
pub const UNFINISHED: &str = "part";

/// Largest segment that is kept in memory because it cannot be written, in bytes.
const MAX_MEMORY: u64 = 256 << 20;

/// Tells the unfinished files of this process apart; those of an earlier one are removed at start.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// See the module.
#[derive(Debug)]
pub struct Draft {
    place: Place,
    /// Bytes that have come.
    written: u64,
}

#[derive(Debug)]
enum Place {
    File(File, PathBuf),
    Memory(Vec<u8>),
}

/// A complete segment.
#[derive(Debug)]
pub enum Finished {
    /// Lies in the directory under its name.
    File,
    /// Could not be written.
    Memory(Vec<u8>),
}

impl Draft {
    /// Nothing has come yet.
    pub fn new(directory: &Path) -> Self {
        let path = directory.join(format!("{}.{UNFINISHED}", NUMBER.fetch_add(1, Relaxed)));
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        let place = file.map_or_else(|_| Place::Memory(Vec::new()), |file| Place::File(file, path));
        Self { place, written: 0 }
    }

    /// Bytes that have come.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Takes a part.
    ///
    /// # Errors
    /// `OutOfMemory` when it can be written nowhere.
    pub fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        if let Place::File(file, _) = &self.place
            && file.write_all_at(bytes, offset).is_err()
        {
            self.move_to_memory()?;
        }
        if let Place::Memory(memory) = &mut self.place {
            let end = offset.saturating_add(bytes.len() as u64);
            if end > MAX_MEMORY {
                return Err(no_room());
            }
            let (from, to) = (offset as usize, end as usize);
            if memory.len() < to {
                memory.resize(to, 0);
            }
            memory[from..to].copy_from_slice(bytes);
        }
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Checks the whole and gives it its name.
    ///
    /// # Errors
    /// `DamagedIndex` when it is not what the digest says.
    pub fn finish(mut self, digest: &SegmentDigest, directory: &Path) -> Result<Finished> {
        if let Place::File(file, path) = &mut self.place {
            let path = std::mem::take(path);
            let known = hash(file, self.written);
            let result = match known {
                Ok(known) if known != *digest => Err(damaged("its bytes are not those of its digest")),
                Ok(_) => Ok(file.sync_all().and_then(|()| std::fs::rename(&path, directory.join(hex(digest))))),
                Err(error) => Ok(Err(error)),
            };
            if let Ok(Ok(())) = result {
                // Without it the name may be lost in a crash, and the segment comes again.
                let _ = File::open(directory).and_then(|directory| directory.sync_all());
                return Ok(Finished::File);
            }
            // Its name may be gone.
            let _ = std::fs::remove_file(&path);
            result?.or_else(|_| self.move_to_memory())?;
        }
        let Place::Memory(memory) = &mut self.place else { return Err(no_room()) };
        if Sha256::digest(&*memory)[..] != digest[..] {
            return Err(damaged("its bytes are not those of its digest"));
        }
        Ok(Finished::Memory(std::mem::take(memory)))
    }

    /// Reads back what could be written.
    fn move_to_memory(&mut self) -> Result<()> {
        let Place::File(file, path) = &self.place else { return Ok(()) };
        let mut memory = Vec::new();
        let length = file.metadata().map(|metadata| metadata.len()).unwrap_or(u64::MAX);
        let _ = std::fs::remove_file(path);
        if length > MAX_MEMORY {
            return Err(no_room());
        }
        memory.resize(length as usize, 0);
        file.read_exact_at(&mut memory, 0).map_err(|_| no_room())?;
        self.place = Place::Memory(memory);
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Place::File(_, path) = &self.place {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn no_room() -> Error {
    Error::new(Kind::OutOfMemory, "no room for a segment of the keyword index")
        .detail(format!("It cannot be written to the cache and has more than {} MB.", MAX_MEMORY >> 20))
        .hint("Free space on the disk of the data directory.")
}

/// The digest of the first bytes of a file.
///
/// # Errors
/// What reading fails with, also when there are fewer.
pub fn hash(file: &File, byte_count: u64) -> io::Result<SegmentDigest> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    let mut at = 0;
    while at < byte_count {
        let length = buffer.len().min((byte_count - at) as usize);
        file.read_exact_at(&mut buffer[..length], at)?;
        hash.update(&buffer[..length]);
        at += length as u64;
    }
    Ok(hash.finalize().into())
}
