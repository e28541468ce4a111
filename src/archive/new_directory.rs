//! A directory that is written and appears under its name once it is complete. Nothing that exists is ever overwritten. After an
//! error, after a cancel, and when the session is terminated in between, the files that are complete stay under another name,
//! for the next call to go on with; without any, nothing stays.
//!
//! Only what is below a directory that a superuser named is written to, and below that no symbolic link is followed.

use super::progress::{MAX_BYTES, PROGRESS, Progress};
use crate::import::directory::open_below;
use crate::pg::{callback, gucs};
use rustix::fs::{
    AtFlags, Dir, FlockOperation, Mode, OFlags, RenameFlags, flock, fsync, mkdirat, openat, renameat, renameat_with,
    unlinkat,
};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use socle_core::corpus::manifest::{ArchiveFile, CHECKSUMS, MANIFEST, evaluation_set_name, part_name};
use socle_core::{Error, Kind, Result};
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

/// Modes before the server's umask, which takes away what its data directory has not either (initdb --allow-group-access).
const FILE_MODE: u32 = 0o640;
const DIRECTORY_MODE: u32 = 0o750;

/// Name of the file with the progress while it is written.
const NEW_PROGRESS: &str = "progress.json.new";

/// Bytes of a part that are compared at a time.
const BUFFER_BYTES: usize = 1 << 20;

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
    /// Those that are not part of the progress that is on disk.
    files: Vec<String>,
    /// Whether there is progress on disk, which the next call goes on with.
    is_kept: bool,
}

impl Unfinished {
    /// Removes everything that is of no use, as far as that is possible.
    fn remove(&self) {
        for file in &self.files {
            if let Some(opened) = &self.opened {
                let _ = unlinkat(opened, file.as_str(), AtFlags::empty());
            }
        }
        if !self.is_kept {
            let _ = unlinkat(&self.parent, self.name.as_str(), AtFlags::REMOVEDIR);
        }
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
        let temporary = format!("{name}.incomplete");
        let failed = |error: Errno| cannot_write(&path, error.into());
        let is_new = match mkdirat(&parent, temporary.as_str(), Mode::from_raw_mode(DIRECTORY_MODE)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(failed(error)),
        };
        if !FOLLOWED.replace(true) {
            callback::at_process_exit(remove_unfinished);
        }
        remove_unfinished();
        let directory = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = openat(&parent, temporary.as_str(), directory, Mode::empty());
        let opened = match opened {
            Ok(opened) => File::from(opened),
            Err(Errno::NOTDIR | Errno::LOOP) => return Err(exists(&path.with_file_name(temporary))),
            Err(error) => return Err(failed(error)),
        };
        // Ends with this process, however that ends.
        if flock(&opened, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(Error::new(Kind::NotInState, format!("another session exports to \"{}\"", path.display()))
                .hint("Wait for it, or name another directory."));
        }
        UNFINISHED.set(Some(Unfinished {
            parent,
            name: temporary,
            opened: Some(opened),
            files: Vec::new(),
            is_kept: !is_new,
        }));
        Ok(Self { path, name })
    }

    /// What an earlier call has written, if its parts are still what they were. Everything else that it left is removed.
    ///
    /// # Errors
    /// `AlreadyExists` for a file that no export has written.
    pub fn progress(&self) -> Result<Option<Progress>> {
        let names = with_unfinished(|unfinished| names(unfinished.opened.as_ref())).unwrap_or_default();
        let numbers = 1..=names.len();
        let parts: Vec<String> = numbers.clone().map(part_name).chain(numbers.map(evaluation_set_name)).collect();
        let is_own = |name: &String| {
            [PROGRESS, NEW_PROGRESS, MANIFEST, CHECKSUMS].contains(&name.as_str()) || parts.contains(name)
        };
        if let Some(other) = names.iter().find(|name| !is_own(name)) {
            let path = self.path.with_file_name(format!("{}.incomplete", self.name));
            return Err(exists(&path.join(other)));
        }
        let found = self.read(PROGRESS, MAX_BYTES).and_then(|bytes| Progress::parse(&bytes));
        let found = found.filter(|progress| progress.files.iter().all(|file| self.is_intact(file)));
        let kept: Vec<&str> =
            found.iter().flat_map(|progress| &progress.files).map(|file| file.name.as_str()).collect();
        let surplus =
            names.iter().filter(|name| !kept.contains(&name.as_str()) && (found.is_none() || *name != PROGRESS));
        let surplus: Vec<String> = surplus.cloned().collect();
        self.remove(&surplus, found.is_some());
        Ok(found)
    }

    /// Removes the parts of an earlier call, to begin anew.
    pub fn forget(&self, progress: &Progress) {
        let names: Vec<String> =
            progress.files.iter().map(|file| file.name.clone()).chain([PROGRESS.to_string()]).collect();
        self.remove(&names, false);
    }

    fn remove(&self, names: &[String], is_kept: bool) {
        with_unfinished(|unfinished| {
            for name in names {
                if let Some(opened) = &unfinished.opened {
                    let _ = unlinkat(opened, name.as_str(), AtFlags::empty());
                }
            }
            unfinished.is_kept = is_kept;
        });
    }

    /// The bytes of a file, if there is one of at most that size.
    fn read(&self, name: &str, limit: u64) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(name)?.take(limit + 1).read_to_end(&mut bytes).ok()?;
        (bytes.len() as u64 <= limit).then_some(bytes)
    }

    fn open(&self, name: &str) -> Option<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = with_unfinished(|unfinished| openat(unfinished.opened.as_ref()?, name, flags, Mode::empty()).ok());
        opened.flatten().map(File::from).filter(|file| file.metadata().is_ok_and(|metadata| metadata.is_file()))
    }

    /// Whether a part has the bytes that were written.
    fn is_intact(&self, file: &ArchiveFile) -> bool {
        let Some(mut opened) = self.open(&file.name) else { return false };
        let (mut hash, mut buffer, mut total) = (Sha256::new(), vec![0; BUFFER_BYTES], 0);
        loop {
            pgrx::check_for_interrupts!();
            match opened.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    total += count as u64;
                    hash.update(buffer.get(..count).unwrap_or_default());
                }
                Err(_) => return false,
            }
        }
        total == file.bytes && format!("{:x}", hash.finalize()) == file.sha256
    }

    /// Notes on disk how far the export has come: from then on its parts stay.
    ///
    /// # Errors
    /// Those of [`Self::create_file`].
    pub fn keep(&self, progress: &Progress) -> Result<()> {
        let text = serde_json::to_vec(progress).map_err(|error| {
            Error::new(Kind::Bug, "could not encode the progress of an export").detail(error.to_string())
        })?;
        self.write_file(NEW_PROGRESS, &text)?;
        let renamed = with_unfinished(|unfinished| {
            let opened = unfinished.opened.as_ref().ok_or(Errno::BADF)?;
            renameat(opened, NEW_PROGRESS, opened, PROGRESS)?;
            fsync(opened)?;
            unfinished.files.clear();
            unfinished.is_kept = true;
            Ok(())
        });
        renamed.unwrap_or(Err(Errno::BADF)).map_err(|error: Errno| cannot_write(&self.path, error.into()))
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
            if let Some(opened) = &unfinished.opened {
                let _ = unlinkat(opened, PROGRESS, AtFlags::empty());
                fsync(opened)?;
            }
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

/// Names in a directory.
fn names(directory: Option<&File>) -> Vec<String> {
    let entries = directory.and_then(|directory| Dir::read_from(directory).ok()).into_iter().flatten();
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()));
    names.filter(|name| name != "." && name != "..").collect()
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
