//! A segment that is being received or built: a temporary file, or memory where files cannot be written.
//!
//! The file is renamed to its digest when it is complete, verified and synced. An unfinished one is removed when it is
//! dropped, or by the next engine.

use super::segment_file::{damaged, hex};
use sha2::{Digest, Sha256};
use socle_core::protocol::SegmentDigest;
use socle_core::{Error, Kind, Result};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Extension of the names of unfinished files.
pub const PARTIAL_EXTENSION: &str = "part";

/// Largest segment that is kept in memory when it cannot be written to a file, in bytes.
const MAX_MEMORY_BYTES: u64 = 256 << 20;

/// Number in the name of the next unfinished file of this process.
static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);

/// A segment that is not complete yet.
#[derive(Debug)]
pub struct IncomingSegment {
    backing: Backing,
    /// Bytes written so far.
    written: u64,
}

#[derive(Debug)]
enum Backing {
    File(File, PathBuf),
    Memory(Vec<u8>),
}

/// A complete segment.
#[derive(Debug)]
pub enum Finished {
    /// It is a file in the directory, named by its digest.
    File,
    /// It could not be written to a file.
    Memory(Vec<u8>),
}

impl IncomingSegment {
    /// An empty segment, with its file in `directory` if one can be created.
    pub fn new(directory: &Path) -> Self {
        let path = directory.join(format!("{}.{PARTIAL_EXTENSION}", NEXT_NUMBER.fetch_add(1, Relaxed)));
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        let backing = file.map_or_else(|_| Backing::Memory(Vec::new()), |file| Backing::File(file, path));
        Self { backing, written: 0 }
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Writes a part.
    ///
    /// # Errors
    /// `OutOfMemory` when it cannot be written to the file and is too large for memory.
    pub fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        if let Backing::File(file, _) = &self.backing
            && file.write_all_at(bytes, offset).is_err()
        {
            self.move_to_memory()?;
        }
        if let Backing::Memory(memory) = &mut self.backing {
            let end = offset.saturating_add(bytes.len() as u64);
            if end > MAX_MEMORY_BYTES {
                return Err(no_space());
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

    /// Verifies the complete segment and renames its file to the digest.
    ///
    /// # Errors
    /// `DamagedIndex` when its SHA-256 is not the digest.
    pub fn finish(mut self, digest: &SegmentDigest, directory: &Path) -> Result<Finished> {
        if let Backing::File(file, path) = &mut self.backing {
            let path = std::mem::take(path);
            let known = hash(file, self.written);
            let result = match known {
                Ok(known) if known != *digest => Err(damaged("its bytes do not match its digest")),
                Ok(_) => Ok(file.sync_all().and_then(|()| std::fs::rename(&path, directory.join(hex(digest))))),
                Err(error) => Ok(Err(error)),
            };
            if let Ok(Ok(())) = result {
                // If this fails, a crash may lose the name, and the backend sends the segment again.
                let _ = File::open(directory).and_then(|directory| directory.sync_all());
                return Ok(Finished::File);
            }
            // Fails when the file has already been renamed.
            let _ = std::fs::remove_file(&path);
            result?.or_else(|_| self.move_to_memory())?;
        }
        let Backing::Memory(memory) = &mut self.backing else { return Err(no_space()) };
        if Sha256::digest(&*memory)[..] != digest[..] {
            return Err(damaged("its bytes do not match its digest"));
        }
        Ok(Finished::Memory(std::mem::take(memory)))
    }

    /// Moves what was written to the file into memory.
    fn move_to_memory(&mut self) -> Result<()> {
        let Backing::File(file, path) = &self.backing else { return Ok(()) };
        let mut memory = Vec::new();
        let length = file.metadata().map(|metadata| metadata.len()).unwrap_or(u64::MAX);
        let _ = std::fs::remove_file(path);
        if length > MAX_MEMORY_BYTES {
            return Err(no_space());
        }
        memory.resize(length as usize, 0);
        file.read_exact_at(&mut memory, 0).map_err(|_| no_space())?;
        self.backing = Backing::Memory(memory);
        Ok(())
    }
}

impl Drop for IncomingSegment {
    fn drop(&mut self) {
        if let Backing::File(_, path) = &self.backing {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn no_space() -> Error {
    Error::new(Kind::OutOfMemory, "no room for a segment of the keyword index")
        .detail(format!("It cannot be written to the cache and has more than {} MB.", MAX_MEMORY_BYTES >> 20))
        .hint("Free space on the disk of the data directory.")
}

/// The SHA-256 of the first `byte_count` bytes of a file.
///
/// # Errors
/// What reading fails with, also when the file is shorter.
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
