//! The bytes of a segment, in memory or in a file, as the directory that tantivy reads an index from.
//!
//! Files are read with pread(2): a file that is cut short under a memory map would end the process, here it is an
//! error. Refuses to write anything.

use super::blob::Contents;
use super::lru::Lru;
use super::schema::{Fields, settings};
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

/// Parts of files that queries have read: term and posting lists that are used again and again.
pub type Ranges = Arc<Mutex<Lru<(u64, usize, usize), OwnedBytes>>>;

/// Where a segment lies.
#[derive(Debug)]
pub enum Storage {
    /// In memory.
    Memory(OwnedBytes),
    /// In a file.
    File {
        /// Open for reading; stays readable when its name is gone.
        file: File,
        /// What the file looked like when it was checked.
        stamp: Stamp,
        /// Tells the file from others in `ranges`.
        number: u64,
        /// What has been read.
        ranges: Ranges,
    },
}

/// Size and time of change of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stamp(u64, i64, i64);

impl Stamp {
    /// The stamp of a file now.
    ///
    /// # Errors
    /// What fstat(2) fails with.
    pub fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self(metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
    }

    /// Bytes of the file.
    pub fn len(&self) -> usize {
        self.0 as usize
    }

    /// The file has no bytes.
    pub fn is_empty(&self) -> bool {
        self.0 == 0
    }
}

impl Storage {
    /// Bytes of the segment.
    pub fn len(&self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::File { stamp, .. } => stamp.len(),
        }
    }

    /// There are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the bytes are still those that were checked, as far as the file system says.
    pub fn is_unchanged(&self) -> bool {
        match self {
            Self::Memory(_) => true,
            Self::File { file, stamp, .. } => Stamp::of(file).is_ok_and(|now| now == *stamp),
        }
    }

    /// A part, not remembered.
    ///
    /// # Errors
    /// When the part is not there.
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

    fn read_again(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
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

/// A range of a segment as a file of tantivy.
#[derive(Debug)]
struct Part {
    storage: Arc<Storage>,
    range: Range<usize>,
}

impl HasLen for Part {
    fn len(&self) -> usize {
        self.range.len()
    }
}

impl FileHandle for Part {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        let (start, end) = (self.range.start + range.start, self.range.start + range.end);
        if start > end || end > self.range.end {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.storage.read_again(start..end)
    }
}

/// An index of one segment: its files, and the description that tantivy looks for. No locks, nothing watched, nothing
/// managed.
#[derive(Clone, Debug)]
pub struct SegmentDirectory {
    storage: Arc<Storage>,
    contents: Arc<Contents>,
    /// Name of the segment's files.
    name: String,
    meta: Vec<u8>,
}

impl SegmentDirectory {
    /// The directory of a segment; `name` tells it from others that it is merged with.
    pub fn new(storage: Arc<Storage>, contents: Arc<Contents>, name: u64) -> Self {
        let name = format!("{name:032x}");
        let segment = json!({
            "segment_id": format!("{}-{}-{}-{}-{}", &name[..8], &name[8..12], &name[12..16], &name[16..20], &name[20..]),
            "max_doc": contents.header.chunk_count,
            "deletes": null,
        });
        let meta = json!({
            "index_settings": settings(), "segments": [segment], "schema": Fields::new().schema, "opstamp": 0,
        });
        Self { storage, contents, name, meta: meta.to_string().into_bytes() }
    }

    fn part(&self, path: &Path) -> Option<Part> {
        let (name, extension) = path.to_str()?.split_once('.')?;
        let (_, range) = self.contents.files.iter().find(|(known, _)| known == extension && name == self.name)?;
        Some(Part { storage: self.storage.clone(), range: range.clone() })
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
