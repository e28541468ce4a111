//! A directory that is written and appears under its name once it is complete. Nothing that exists is ever overwritten, and
//! what is not complete is removed: after an error, after a cancel, and when the session is terminated in between.
//!
//! Only what is below a directory that a superuser named is written to, and below that no symbolic link is followed.

use crate::import::directory::open_below;
use crate::pg::{backend, callback, gucs};
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, fsync, mkdirat, openat, renameat, renameat_with, unlinkat};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use socle_core::corpus::manifest::ArchiveFile;
use socle_core::{Error, Kind, Result};
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

/// Modes before the server's umask, which takes away what its data directory has not either (initdb --allow-group-access).
const FILE_MODE: u32 = 0o640;
const DIRECTORY_MODE: u32 = 0o750;

thread_local! {
    /// What has to be removed unless it is completed.
    static UNFINISHED: RefCell<Option<Unfinished>> = const { RefCell::new(None) };
    static FOLLOWED: Cell<bool> = const { Cell::new(false) };
}

/// A directory under its temporary name, and its files.
struct Unfinished {
    parent: File,
    name: String,
    opened: Option<File>,
    files: Vec<String>,
}

impl Unfinished {
    /// Removes everything, as far as that is possible.
    fn remove(&self) {
        for file in &self.files {
            if let Some(opened) = &self.opened {
                let _ = unlinkat(opened, file.as_str(), AtFlags::empty());
            }
        }
        let _ = unlinkat(&self.parent, self.name.as_str(), AtFlags::REMOVEDIR);
    }
}

/// A directory that is being written.
#[derive(Debug)]
pub struct NewDirectory {
    path: PathBuf,
    name: String,
}

impl NewDirectory {
    /// Begins a directory of that path, whose parent has to exist.
    ///
    /// # Errors
    /// `InvalidArgument` for a relative path, `NotPermitted` outside of `socle.export_directories`, `AlreadyExists`,
    /// `UnreadableFile` for what the operating system refuses.
    pub fn begin(path: &Path) -> Result<Self> {
        if !path.is_absolute() {
            return Err(Error::new(Kind::InvalidArgument, "directory must be an absolute path"));
        }
        let path: PathBuf = path.components().collect();
        let name = path.file_name().and_then(|name| name.to_str()).map(str::to_string);
        let (Some(name), false) = (name, path.components().any(|part| part == Component::ParentDir)) else {
            return Err(denied(&path));
        };
        let parent = open_parent(&path)?;
        if rustix::fs::statat(&parent, name.as_str(), AtFlags::SYMLINK_NOFOLLOW).is_ok() {
            return Err(exists(&path));
        }
        let number = backend::random_bytes::<8>().map(u64::from_ne_bytes).unwrap_or_default();
        let temporary = format!("{name}.incomplete-{number:016x}");
        let failed = |error: Errno| cannot_write(&path, error.into());
        mkdirat(&parent, temporary.as_str(), Mode::from_raw_mode(DIRECTORY_MODE)).map_err(failed)?;
        if !FOLLOWED.replace(true) {
            callback::at_process_exit(remove_unfinished);
        }
        remove_unfinished();
        let unfinished = Unfinished { parent, name: temporary.clone(), opened: None, files: Vec::new() };
        let opened = openat(
            &unfinished.parent,
            temporary.as_str(),
            OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        );
        UNFINISHED.set(Some(unfinished));
        let new = Self { path: path.clone(), name };
        let opened = File::from(opened.map_err(failed)?);
        with_unfinished(|unfinished| unfinished.opened = Some(opened));
        Ok(new)
    }

    /// Creates a file in it.
    ///
    /// # Errors
    /// `DiskFull`, `UnreadableFile`.
    pub fn create_file(&self, name: &str) -> Result<NewFile> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let created = with_unfinished(|unfinished| {
            unfinished.files.push(name.to_string());
            let opened = unfinished.opened.as_ref().ok_or(Errno::BADF)?;
            openat(opened, name, flags, Mode::from_raw_mode(FILE_MODE))
        });
        let file = created.unwrap_or(Err(Errno::BADF)).map_err(|error| cannot_write(&self.path, error.into()))?;
        Ok(NewFile { file: File::from(file), name: name.to_string(), hash: Sha256::new(), bytes: 0 })
    }

    /// Writes a whole file.
    ///
    /// # Errors
    /// Those of [`Self::create_file`].
    pub fn write_file(&self, name: &str, content: &[u8]) -> Result<ArchiveFile> {
        let mut file = self.create_file(name)?;
        file.write_all(content).map_err(|error| cannot_write(&self.path, error))?;
        self.finish_file(file, 0)
    }

    /// Makes a file durable; `rows` is the number of rows in it.
    ///
    /// # Errors
    /// Those of [`Self::create_file`].
    pub fn finish_file(&self, file: NewFile, rows: u64) -> Result<ArchiveFile> {
        file.file.sync_all().map_err(|error| cannot_write(&self.path, error))?;
        let sha256 = format!("{:x}", file.hash.finalize());
        Ok(ArchiveFile { name: file.name, rows, bytes: file.bytes, sha256 })
    }

    /// Gives the directory its name.
    ///
    /// # Errors
    /// Those of [`Self::begin`].
    pub fn complete(self) -> Result<()> {
        let renamed = with_unfinished(|unfinished| {
            unfinished.opened.as_ref().map_or(Ok(()), fsync)?;
            let (parent, name) = (&unfinished.parent, unfinished.name.as_str());
            match renameat_with(parent, name, parent, self.name.as_str(), RenameFlags::NOREPLACE) {
                // A file system that does not know the flag, such as NFS: then only an empty directory would be replaced.
                Err(Errno::INVAL | Errno::NOSYS) => renameat(parent, name, parent, self.name.as_str())?,
                renamed => renamed?,
            }
            fsync(parent)
        });
        match renamed.unwrap_or(Err(Errno::BADF)) {
            Ok(()) => {
                UNFINISHED.set(None);
                Ok(())
            }
            Err(Errno::EXIST) => Err(exists(&self.path)),
            Err(error) => Err(cannot_write(&self.path, error.into())),
        }
    }
}

impl Drop for NewDirectory {
    fn drop(&mut self) {
        remove_unfinished();
    }
}

/// A file that is being written, with its checksum.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    name: String,
    hash: Sha256,
    bytes: u64,
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hash.update(bytes.get(..count).unwrap_or_default());
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn with_unfinished<T>(work: impl FnOnce(&mut Unfinished) -> T) -> Option<T> {
    UNFINISHED.with_borrow_mut(|unfinished| unfinished.as_mut().map(work))
}

/// Also runs when the process ends, where nothing may be raised.
fn remove_unfinished() {
    if let Some(unfinished) = UNFINISHED.take() {
        unfinished.remove();
    }
}

/// Opens the directory that `path` is to be created in.
fn open_parent(path: &Path) -> Result<File> {
    let parent = path.parent().unwrap_or(path);
    let mut failure = None;
    for allowed in gucs::export_directories() {
        let Ok(below) = parent.strip_prefix(&allowed) else { continue };
        // A directory that a superuser names may itself be a link.
        match File::open(&allowed).and_then(|allowed| open_below(&allowed, below, OFlags::DIRECTORY)) {
            Ok(opened) => return Ok(opened),
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error)
            if [Errno::LOOP, Errno::XDEV].iter().any(|link| error.raw_os_error() == Some(link.raw_os_error())) =>
        {
            Err(denied(path))
        }
        Some(error) => Err(cannot_write(path, error)),
        // Whether such a directory exists elsewhere is not revealed.
        None => Err(denied(path)),
    }
}

fn denied(path: &Path) -> Error {
    Error::new(Kind::NotPermitted, format!("directory \"{}\" must not be written", path.display()))
        .hint("A superuser can add the directory above it to socle.export_directories.")
}

fn exists(path: &Path) -> Error {
    Error::new(Kind::AlreadyExists, format!("\"{}\" already exists", path.display()))
        .hint("An export makes a directory of its own and overwrites nothing: name another one.")
}

fn cannot_write(path: &Path, error: io::Error) -> Error {
    let message = format!("directory \"{}\" cannot be written", path.display());
    if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        return Error::new(Kind::DiskFull, message).detail(error.to_string());
    }
    Error::new(Kind::UnreadableFile, message).detail(error.to_string())
}
