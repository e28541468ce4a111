//! Looks for erased documents in bytes: pages of relations as they are stored, and files.
//!
//! What is looked for are words, as they were written, and the stored hashes of chunks, which a receipt knows by their own
//! salted hashes. A text that PostgreSQL has compressed is not found by its words, but a row of a chunk, whole or deleted, by
//! the hash that it has beside its text.

use super::receipt::Receipt;
use crate::pg::page::{Pages, dead_rows};
use memchr::{memchr_iter, memmem};
use pgrx::pg_sys;
use socle_core::protocol::{KEYWORD_DIRECTORY, PACKAGE_DIRECTORY, RUNTIME_DIRECTORY};
use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Header of a stored value of 32 bytes: a varlena with a header of one byte, which holds twice its length and one.
const HASH_HEADER: u8 = 2 * (HASH_BYTES as u8 + 1) + 1;
const HASH_BYTES: usize = 32;

/// Bytes of a file that are searched at a time. The last ones are searched again with the next.
const BLOCK_BYTES: usize = 4 << 20;

/// What is looked for.
#[derive(Debug)]
pub struct Wanted<'a> {
    receipt: &'a Receipt,
    words: Vec<memmem::Finder<'a>>,
    /// Bytes of the longest of them.
    longest: usize,
}

/// What was found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found {
    /// Occurrences of words.
    pub words: u64,
    /// Occurrences of hashes of chunks.
    pub contents: u64,
    /// Row versions that were deleted or replaced, of any document.
    pub dead_rows: u64,
}

impl<'a> Wanted<'a> {
    /// Looks for the chunks of a receipt, and for words.
    pub fn new(receipt: &'a Receipt, words: &'a [String]) -> Self {
        let longest = words.iter().map(String::len).chain([HASH_BYTES + 1]).max().unwrap_or_default();
        Self { receipt, words: words.iter().map(|word| memmem::Finder::new(word.as_bytes())).collect(), longest }
    }

    /// Searches the pages of a relation; `None` when it does not exist any more. `holds_rows`: it is a table.
    pub fn in_relation(&self, relation: pg_sys::Oid, holds_rows: bool) -> Option<Found> {
        let pages = Pages::open(relation)?;
        let mut found = Found::default();
        pages.for_each(|page| {
            self.in_bytes(page, &mut found);
            if holds_rows {
                found.dead_rows += dead_rows(page);
            }
        });
        Some(found)
    }

    /// Searches a file. One that is gone, or cannot be read, has nothing.
    pub fn in_file(&self, path: &Path) -> Found {
        let mut found = Found::default();
        let Ok(mut file) = File::open(path) else { return found };
        let mut block = Vec::with_capacity(BLOCK_BYTES);
        loop {
            pgrx::check_for_interrupts!();
            let kept = block.len();
            let read = file.by_ref().take((BLOCK_BYTES - kept) as u64).read_to_end(&mut block).unwrap_or_default();
            self.in_bytes(&block, &mut found);
            if read == 0 || kept + read < BLOCK_BYTES {
                return found;
            }
            // What is found twice in the overlap counts twice: a count that is too large hides nothing.
            block.drain(..block.len() - self.longest.min(block.len()));
        }
    }

    fn in_bytes(&self, bytes: &[u8], found: &mut Found) {
        found.words += self.words.iter().map(|word| word.find_iter(bytes).count() as u64).sum::<u64>();
        if self.receipt.contents.is_empty() {
            return;
        }
        let hashes = memchr_iter(HASH_HEADER, bytes).filter_map(|at| bytes.get(at + 1..at + 1 + HASH_BYTES));
        found.contents += hashes.filter(|hash| self.receipt.contents.contains(&self.receipt.hash(hash))).count() as u64;
    }
}

impl Found {
    /// Whether there is something of an erased document.
    pub fn is_something(&self) -> bool {
        self.words > 0 || self.contents > 0
    }
}

/// The regular files below a directory of the data directory; sockets, links and locks are left out.
pub fn files(directory: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::from(directory)];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

/// The copies of files of imported models, which are made of no document.
pub fn copies_of_models() -> PathBuf {
    Path::new(RUNTIME_DIRECTORY).join(PACKAGE_DIRECTORY)
}

/// The cache of segments of the engine.
pub fn segment_cache() -> PathBuf {
    Path::new(RUNTIME_DIRECTORY).join(KEYWORD_DIRECTORY)
}

/// Whether a file is one of the cache of the engine, named by its digest, that is of none of these segments: it may be of
/// another database.
pub fn is_former_segment(path: &Path, kept: &HashSet<String>) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    path.starts_with(segment_cache()) && name.is_some_and(|name| !kept.contains(name))
}
