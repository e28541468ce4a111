//! The bytes of a segment, in memory or in a file, and a read-only tantivy directory over them.
//!
//! Files are read with pread(2): with a memory map, truncation of the file by another process would be a SIGBUS.

use super::lru::Lru;
use super::runs;
use super::schema::{Fields, TEXT_FIELDS, settings};
use super::segment_file::{Contents, LENGTHS};
use serde_json::json;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    DirectoryLock, FileHandle, FileSlice, Lock, OwnedBytes, WatchCallback, WatchHandle, WritePtr,
};
use tantivy::{Directory, HasLen};

/// Cache of the ranges of files that queries have read, by number of the file, first byte and byte after the last.
pub type RangeCache = Arc<Mutex<Lru<(u64, usize, usize), OwnedBytes>>>;

/// Where the bytes of a segment are.
#[derive(Debug)]
pub enum Storage {
    /// In memory.
    Memory(OwnedBytes),
    /// In a file.
    File {
        /// Open for reading; stays readable when it is unlinked.
        file: File,
        /// Stamp of the file when its digest was verified.
        stamp: FileStamp,
        /// Number of the file in the keys of `ranges`.
        number: u64,
        /// Cache of what has been read.
        ranges: RangeCache,
    },
}

/// Size and modification time of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FileStamp(u64, i64, i64);

impl FileStamp {
    /// The stamp of a file now.
    ///
    /// # Errors
    /// What fstat(2) fails with.
    pub fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self(metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
    }

    /// Size of the file in bytes.
    pub fn len(&self) -> usize {
        self.0 as usize
    }

    /// Whether the file is empty.
    pub fn is_empty(&self) -> bool {
        self.0 == 0
    }
}

impl Storage {
    /// Size of the segment in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::File { stamp, .. } => stamp.len(),
        }
    }

    /// Whether the segment is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the bytes are still those that were verified, judged by size and modification time.
    pub fn is_unchanged(&self) -> bool {
        match self {
            Self::Memory(_) => true,
            Self::File { file, stamp, .. } => FileStamp::of(file).is_ok_and(|now| now == *stamp),
        }
    }

    /// Reads a range, without the cache.
    ///
    /// # Errors
    /// Whatever reading fails with; also for a range beyond the end.
    pub fn read(&self, range: Range<usize>) -> io::Result<Vec<u8>> {
        match self {
            Self::Memory(bytes) => bytes.get(range).map(<[u8]>::to_vec).ok_or(io::ErrorKind::UnexpectedEof.into()),
            Self::File { file, .. } => {
                let mut bytes = vec![0; range.len()];
                file.read_exact_at(&mut bytes, range.start as u64)?;
                Ok(bytes)
            }
        }
    }

    /// Reads a range through the cache.
    fn read_cached(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        match self {
            Self::Memory(bytes) if range.end <= bytes.len() => Ok(bytes.slice(range)),
            Self::Memory(_) => Err(io::ErrorKind::UnexpectedEof.into()),
            Self::File { number, ranges, .. } => {
                let key = (*number, range.start, range.end);
                if let Some(bytes) = ranges.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
                    return Ok(bytes);
                }
                let bytes = OwnedBytes::new(self.read(range)?);
                ranges.lock().unwrap_or_else(PoisonError::into_inner).insert(key, bytes.clone(), bytes.len() as u64);
                Ok(bytes)
            }
        }
    }
}

/// The range of a segment that is one file of tantivy.
#[derive(Debug)]
struct FileRange {
    storage: Arc<Storage>,
    range: Range<usize>,
}

impl HasLen for FileRange {
    fn len(&self) -> usize {
        self.range.len()
    }
}

impl FileHandle for FileRange {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        let (start, end) = (self.range.start + range.start, self.range.start + range.end);
        if start > end || end > self.range.end {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.storage.read_cached(start..end)
    }
}

/// A read-only directory of tantivy with the files of one segment and a generated `meta.json`. Locks and watches do nothing.
#[derive(Clone, Debug)]
pub struct SegmentDirectory {
    storage: Arc<Storage>,
    contents: Arc<Contents>,
    /// Name of the files without extension.
    name: String,
    meta: Vec<u8>,
    /// The file with the lengths of fields, decoded.
    lengths: OwnedBytes,
}

/// Most bytes that the file with the lengths has besides these: table of contents and footer.
const LENGTHS_OVERHEAD: usize = 4_096;

impl SegmentDirectory {
    /// The directory of a segment. `name` has to differ among segments that are merged.
    ///
    /// # Errors
    /// What reading fails with; `InvalidData` for lengths that are no encoding.
    pub fn new(storage: Arc<Storage>, contents: Arc<Contents>, name: u64) -> io::Result<Self> {
        let lengths = match contents.files.iter().find(|(extension, _)| extension == LENGTHS) {
            Some((_, range)) => {
                let limit = TEXT_FIELDS * contents.header.chunk_count as usize + LENGTHS_OVERHEAD;
                runs::decode(&storage.read(range.clone())?, limit).ok_or(io::ErrorKind::InvalidData)?
            }
            None => Vec::new(),
        };
        let name = format!("{name:032x}");
        let segment = json!({
            "segment_id": format!("{}-{}-{}-{}-{}", &name[..8], &name[8..12], &name[12..16], &name[16..20], &name[20..]),
            "max_doc": contents.header.chunk_count,
            "deletes": null,
        });
        let meta = json!({
            "index_settings": settings(), "segments": [segment], "schema": Fields::new().schema, "opstamp": 0,
        });
        let (meta, lengths) = (meta.to_string().into_bytes(), OwnedBytes::new(lengths));
        Ok(Self { storage, contents, name, meta, lengths })
    }

    fn part(&self, path: &Path) -> Option<FileRange> {
        let (name, extension) = path.to_str()?.split_once('.')?;
        let (_, range) = self.contents.files.iter().find(|(known, _)| known == extension && name == self.name)?;
        Some(FileRange { storage: self.storage.clone(), range: range.clone() })
    }
}

fn read_only() -> io::Error {
    io::ErrorKind::ReadOnlyFilesystem.into()
}

fn is_meta(path: &Path) -> bool {
    path == Path::new("meta.json")
}

impl Directory for SegmentDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        let part = self.part(path).ok_or_else(|| OpenReadError::FileDoesNotExist(path.to_path_buf()))?;
        if path.extension().is_some_and(|extension| extension == LENGTHS) {
            return Ok(Arc::new(self.lengths.clone()));
        }
        Ok(Arc::new(part))
    }

    fn open_read(&self, path: &Path) -> Result<FileSlice, OpenReadError> {
        Ok(FileSlice::new(self.get_file_handle(path)?))
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        Err(DeleteError::IoError { io_error: Arc::new(read_only()), filepath: path.to_path_buf() })
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        Ok(is_meta(path) || self.part(path).is_some())
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        Err(OpenWriteError::IoError { io_error: Arc::new(read_only()), filepath: path.to_path_buf() })
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        is_meta(path).then(|| self.meta.clone()).ok_or_else(|| OpenReadError::FileDoesNotExist(PathBuf::from(path)))
    }

    fn atomic_write(&self, _: &Path, _: &[u8]) -> io::Result<()> {
        Err(read_only())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn acquire_lock(&self, _: &Lock) -> Result<DirectoryLock, LockError> {
        Ok(DirectoryLock::from(Box::new(())))
    }

    fn watch(&self, _: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}
