//! The cache of segments: open ones in memory, and files in the runtime directory.
//!
//! A file is named by the digest of its bytes, which is verified when it is opened. Files may be deleted, truncated or
//! changed by other processes at any time: such a segment is removed from the cache, and the backend sends it again.

use super::incoming_segment::{Finished, IncomingSegment, PARTIAL_EXTENSION, hash};
use super::language::Language;
use super::lru::Lru;
use super::schema::Fields;
use super::segment::Segment;
use super::segment_file::hex;
use super::storage::{FileStamp, RangeCache, Storage};
use sha2::{Digest, Sha256};
use socle_core::protocol::{SEGMENT_PART, SegmentDigest};
use socle_core::{Error, Kind, Result};
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use tantivy::directory::OwnedBytes;

/// Size of all files, in bytes, beyond which the least recently used are removed.
const MAX_FILE_BYTES: u64 = 8 << 30;

/// Memory for open segments in bytes.
const MAX_OPEN_BYTES: u64 = 512 << 20;

/// Memory for ranges of files that queries have read, in bytes.
const MAX_RANGE_BYTES: u64 = 256 << 20;

/// Files up to this size in bytes are read into memory completely.
const SMALL_FILE_BYTES: usize = 1 << 20;

/// Estimated memory of an open segment without its chunks, in bytes: readers, dictionary, descriptor.
const OPEN_SEGMENT_BYTES: u64 = 64 << 10;

/// Estimated memory for each chunk of an open segment, in bytes: identifier and six lengths.
const OPEN_CHUNK_BYTES: u64 = 12;

/// The cache. Shared by all worker threads.
pub struct SegmentCache {
    directory: PathBuf,
    fields: Arc<Fields>,
    open: Mutex<Lru<SegmentDigest, Arc<Segment>>>,
    files: Mutex<Lru<SegmentDigest, ()>>,
    ranges: RangeCache,
    next_file: AtomicU64,
    incoming: Mutex<HashMap<(u64, SegmentDigest), Incoming>>,
}

/// A segment of which parts have been received; `None` once it is complete.
type Incoming = Arc<Mutex<Option<IncomingSegment>>>;

impl std::fmt::Debug for SegmentCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SegmentCache").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// The result of [`SegmentCache::acquire`].
#[derive(Debug)]
pub enum Acquired {
    /// All segments, in the order of their digests.
    All(Vec<Arc<Segment>>),
    /// The segments that are not in the cache.
    Missing(Vec<SegmentDigest>),
}

impl SegmentCache {
    /// The cache in a directory, with the files that an earlier engine left there. Without the directory, segments are kept
    /// in memory only.
    pub fn new(directory: &Path) -> Self {
        let mut found: Vec<(SystemTime, SegmentDigest, u64)> = Vec::new();
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let (path, Ok(metadata)) = (entry.path(), entry.metadata()) else { continue };
            if path.extension().is_some_and(|extension| extension == PARTIAL_EXTENSION) {
                let _ = std::fs::remove_file(&path);
            } else if let Some(digest) = entry.file_name().to_str().and_then(parse_hex) {
                found.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), digest, metadata.len()));
            }
        }
        found.sort_unstable();
        let cache = Self {
            directory: directory.to_path_buf(),
            fields: Arc::new(Fields::new()),
            open: Mutex::new(Lru::new(MAX_OPEN_BYTES)),
            files: Mutex::new(Lru::new(MAX_FILE_BYTES)),
            ranges: Arc::new(Mutex::new(Lru::new(MAX_RANGE_BYTES))),
            next_file: AtomicU64::new(0),
            incoming: Mutex::default(),
        };
        found.into_iter().for_each(|(_, digest, bytes)| cache.count_file(digest, bytes));
        cache
    }

    /// Opens segments.
    ///
    /// # Errors
    /// `OutdatedIndex`; `DamagedIndex` for bytes that were damaged before their digest was computed.
    pub fn acquire(&self, digests: &[SegmentDigest]) -> Result<Acquired> {
        let mut segments = Vec::with_capacity(digests.len());
        let mut missing = Vec::new();
        for digest in digests {
            match self.get(digest)? {
                Some(segment) => segments.push(segment),
                None => missing.push(*digest),
            }
        }
        Ok(if missing.is_empty() { Acquired::All(segments) } else { Acquired::Missing(missing) })
    }

    /// Those of the segments that are open.
    pub fn those_open(&self, digests: &[SegmentDigest]) -> Vec<Arc<Segment>> {
        let mut open = lock(&self.open);
        digests.iter().filter_map(|digest| open.get(digest)).collect()
    }

    /// The languages of the segments, and the number of chunks of each, as far as they are cached.
    pub fn language_counts(&self, digests: &[SegmentDigest]) -> Vec<(Language, u32)> {
        let segments = match self.acquire(digests) {
            Ok(Acquired::All(segments)) => segments,
            _ => self.those_open(digests),
        };
        segments.iter().flat_map(|segment| segment.languages()).collect()
    }

    /// Verifies segments whose use failed, removes those whose bytes have changed from the cache, and returns their digests.
    pub fn forget_damaged(&self, segments: &[Arc<Segment>]) -> Vec<SegmentDigest> {
        let intact = |segment: &Segment| match segment.storage.as_ref() {
            Storage::Memory(bytes) => Sha256::digest(bytes.as_slice())[..] == segment.digest[..],
            Storage::File { file, stamp, .. } => {
                hash(file, stamp.len() as u64).is_ok_and(|hash| hash == segment.digest)
            }
        };
        let damaged: Vec<SegmentDigest> =
            segments.iter().filter(|segment| !intact(segment)).map(|segment| segment.digest).collect();
        damaged.iter().for_each(|digest| self.forget(digest));
        damaged
    }

    /// Stores a part of a segment that a connection sends: `bytes` at `offset` of `byte_count`. True when the segment is
    /// complete.
    ///
    /// # Errors
    /// `InvalidArgument` for a part outside the segment, `DamagedIndex` when the complete segment does not have the digest or
    /// is none, `OutdatedIndex`, `OutOfMemory`.
    pub fn store(
        &self,
        connection: u64,
        digest: SegmentDigest,
        byte_count: u64,
        offset: u64,
        bytes: &[u8],
    ) -> Result<bool> {
        let end = offset.checked_add(bytes.len() as u64);
        if bytes.is_empty() || bytes.len() > SEGMENT_PART || end.is_none_or(|end| end > byte_count) {
            return Err(Error::new(Kind::InvalidArgument, "a part of a segment lies outside of it"));
        }
        let segment = lock(&self.incoming)
            .entry((connection, digest))
            .or_insert_with(|| Arc::new(Mutex::new(Some(IncomingSegment::new(&self.directory)))))
            .clone();
        // Several workers may store parts of one connection at the same time.
        let mut segment = lock(&segment);
        let Some(open) = segment.as_mut() else { return Ok(true) };
        let result = open.write_at(offset, bytes);
        let complete = open.written() >= byte_count;
        if result.is_ok() && !complete {
            return Ok(false);
        }
        lock(&self.incoming).remove(&(connection, digest));
        let segment = segment.take();
        result?;
        segment.map_or(Ok(()), |segment| self.insert(segment, digest))?;
        Ok(true)
    }

    /// An empty segment, to be written and then passed to [`Self::insert`].
    pub fn new_segment(&self) -> IncomingSegment {
        IncomingSegment::new(&self.directory)
    }

    /// Adds a complete segment.
    ///
    /// # Errors
    /// As [`Self::store`].
    pub fn insert(&self, segment: IncomingSegment, digest: SegmentDigest) -> Result<()> {
        let bytes = segment.written();
        match segment.finish(&digest, &self.directory)? {
            Finished::File => {
                self.count_file(digest, bytes);
                // Opened at once, so that an unusable segment is an error now and not at the first search.
                self.get(&digest)?;
            }
            Finished::Memory(bytes) => {
                self.open(digest, Storage::Memory(OwnedBytes::new(bytes)))?;
            }
        }
        Ok(())
    }

    /// Drops the incomplete segments of a connection.
    pub fn forget_connection(&self, connection: u64) {
        lock(&self.incoming).retain(|(other, _), _| *other != connection);
    }

    /// Removes all segments but these, from memory and from the directory, and returns how many files were removed.
    pub fn retain(&self, kept: &[SegmentDigest]) -> u64 {
        lock(&self.open).retain(|digest| kept.contains(digest));
        lock(&self.files).retain(|digest| kept.contains(digest));
        // Whatever has been read of a file; where it is needed it is read again.
        *lock(&self.ranges) = Lru::new(MAX_RANGE_BYTES);
        let mut removed = 0;
        for entry in std::fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            let digest = entry.file_name().to_str().and_then(parse_hex);
            if digest.is_some_and(|digest| !kept.contains(&digest)) && std::fs::remove_file(entry.path()).is_ok() {
                removed += 1;
            }
        }
        removed
    }

    fn get(&self, digest: &SegmentDigest) -> Result<Option<Arc<Segment>>> {
        let open = lock(&self.open).get(digest);
        if let Some(segment) = open {
            if segment.storage.is_unchanged() {
                return Ok(Some(segment));
            }
            self.forget(digest);
            return Ok(None);
        }
        let Some(storage) = self.read(digest) else {
            self.forget(digest);
            return Ok(None);
        };
        lock(&self.files).get(digest);
        self.open(*digest, storage).map(Some).inspect_err(|_| self.forget(digest))
    }

    /// Opens the file of a segment, if its bytes have the digest.
    fn read(&self, digest: &SegmentDigest) -> Option<Storage> {
        let file = File::open(self.path(digest)).ok()?;
        let stamp = FileStamp::of(&file).ok()?;
        if stamp.len() <= SMALL_FILE_BYTES {
            let mut bytes = vec![0; stamp.len()];
            file.read_exact_at(&mut bytes, 0).ok()?;
            let intact = Sha256::digest(&bytes)[..] == digest[..];
            return intact.then(|| Storage::Memory(OwnedBytes::new(bytes)));
        }
        let known = hash(&file, stamp.len() as u64).ok()?;
        let number = self.next_file.fetch_add(1, Relaxed);
        (known == *digest).then(|| Storage::File { file, stamp, number, ranges: self.ranges.clone() })
    }

    fn open(&self, digest: SegmentDigest, storage: Storage) -> Result<Arc<Segment>> {
        let held = if let Storage::Memory(bytes) = &storage { bytes.len() as u64 } else { 0 };
        let segment = Arc::new(Segment::open(digest, Arc::new(storage), &self.fields)?);
        let weight = held + OPEN_SEGMENT_BYTES + OPEN_CHUNK_BYTES * u64::from(segment.chunk_count());
        lock(&self.open).insert(digest, segment.clone(), weight);
        Ok(segment)
    }

    fn forget(&self, digest: &SegmentDigest) {
        lock(&self.open).remove(digest);
        lock(&self.files).remove(digest);
        let _ = std::fs::remove_file(self.path(digest));
    }

    fn count_file(&self, digest: SegmentDigest, bytes: u64) {
        let gone = lock(&self.files).insert(digest, (), bytes);
        for (digest, ()) in gone {
            // Open files stay readable.
            let _ = std::fs::remove_file(self.path(&digest));
        }
    }

    fn path(&self, digest: &SegmentDigest) -> PathBuf {
        self.directory.join(hex(digest))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn parse_hex(text: &str) -> Option<SegmentDigest> {
    let mut digest = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(digest)
}
