//! Opens the files of a model: only regular files, only below `socle.model_directory`, each read once.
//!
//! Refuses whatever would let a name inside the directory stand for bytes outside it (`..`, absolute paths, symbolic
//! links that lead out, hard links) and whatever is not a file at all (pipes, devices, directories).

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use socle_core::model::{ModelFile, sha256};
use socle_core::{Error, Kind, Result};
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

/// `socle.model_directory`, held open.
#[derive(Debug)]
pub struct ModelRoot {
    fd: OwnedFd,
    path: PathBuf,
}

/// A file as it was read: the bytes, their hash, and what tells later that they may have changed.
#[derive(Debug)]
pub struct ReadFile {
    /// Path within the directory of the model, size and SHA-256.
    pub file: ModelFile,
    /// The content.
    pub bytes: Vec<u8>,
    /// Identity at the time of reading.
    pub stamp: Stamp,
}

/// Device, inode, size, modification and change time: equal stamps mean the same bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stamp([i64; 7]);

impl ModelRoot {
    /// Opens the directory that all models live below.
    ///
    /// # Errors
    /// `MissingFile` or `UnreadableFile` when it cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| {
            failure(errno, "model directory", path)
                .hint("Set socle.model_directory to a directory that the server's operating system user can read.")
        })?;
        Ok(Self { fd, path: path.to_path_buf() })
    }

    /// Reads a file completely.
    ///
    /// # Errors
    /// `MissingFile`, `UnreadableFile`, or `DamagedModelFile` when it is refused or longer than `limit` bytes.
    pub fn read(&self, directory: &str, path: &str, limit: u64) -> Result<ReadFile> {
        let (fd, stat) = self.open_regular(directory, path)?;
        let shown = self.path.join(directory).join(path);
        let bytes = u64::try_from(stat.st_size).unwrap_or_default();
        if bytes > limit {
            return Err(refused(&shown, &format!("it has {bytes} bytes, the limit is {limit}")));
        }
        let mut content = Vec::new();
        content
            .try_reserve_exact(bytes as usize + 1)
            .map_err(|_| Error::new(Kind::OutOfMemory, "not enough memory to read a model file"))?;
        File::from(fd).take(limit + 1).read_to_end(&mut content).map_err(|error| {
            Error::new(Kind::UnreadableFile, format!("could not read model file \"{}\"", shown.display()))
                .detail(error.to_string())
        })?;
        if content.len() as u64 != bytes {
            return Err(refused(&shown, "its size changed while it was read"));
        }
        let file = ModelFile { path: path.to_string(), bytes, sha256: sha256(&content) };
        Ok(ReadFile { file, bytes: content, stamp: stamp(&stat) })
    }

    /// Reads a file if there is one of that name.
    ///
    /// # Errors
    /// As [`Self::read`], except that a missing file is `None`.
    pub fn read_optional(&self, directory: &str, path: &str, limit: u64) -> Result<Option<ReadFile>> {
        match self.read(directory, path, limit) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind == Kind::MissingFile => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The stamp a file has now.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn stamp(&self, directory: &str, path: &str) -> Result<Stamp> {
        Ok(stamp(&self.open_regular(directory, path)?.1))
    }

    /// The names of the `.onnx` files in a directory of the model, sorted; empty when there is no such directory.
    ///
    /// # Errors
    /// `UnreadableFile` when the directory is there and cannot be listed.
    pub fn graphs(&self, directory: &str, below: &str) -> Result<Vec<String>> {
        let shown = self.path.join(directory).join(below);
        let joined = join(directory, below)?;
        let fd = match self.open_beneath(&joined, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(fd) => fd,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Vec::new()),
            Err(errno) => return Err(failure(errno, "directory", &shown)),
        };
        let entries = rustix::fs::Dir::read_from(&fd).map_err(|errno| failure(errno, "directory", &shown))?;
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().to_str().ok().map(str::to_string))
            .filter(|name| name.ends_with(".onnx"))
            .map(|name| if below.is_empty() { name } else { format!("{below}/{name}") })
            .collect();
        names.sort();
        Ok(names)
    }

    /// Whether the directory of a model exists.
    ///
    /// # Errors
    /// `MissingFile`, `UnreadableFile`, `DamagedModelFile` or `InvalidArgument`, naming the directory.
    pub fn check_directory(&self, directory: &str) -> Result<()> {
        let shown = self.path.join(directory);
        self.open_beneath(&join(directory, "")?, OFlags::PATH | OFlags::DIRECTORY)
            .map(drop)
            .map_err(|errno| failure(errno, "directory", &shown))
    }

    fn open_regular(&self, directory: &str, path: &str) -> Result<(OwnedFd, Stat)> {
        let shown = self.path.join(directory).join(path);
        // NONBLOCK: opening a pipe would otherwise wait for a writer.
        let fd = self
            .open_beneath(&join(directory, path)?, OFlags::RDONLY | OFlags::NONBLOCK)
            .map_err(|errno| failure(errno, "model file", &shown))?;
        let stat = rustix::fs::fstat(&fd).map_err(|errno| failure(errno, "model file", &shown))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(refused(&shown, "it is not a regular file"));
        }
        if stat.st_nlink != 1 {
            return Err(refused(&shown, "it is also known under another name (a hard link)"));
        }
        Ok((fd, stat))
    }

    fn open_beneath(&self, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        rustix::fs::openat2(&self.fd, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
    }
}

/// Joins two relative paths of ordinary names.
fn join(directory: &str, path: &str) -> Result<PathBuf> {
    let joined = Path::new(directory).join(path);
    let ordinary = |component: Component<'_>| matches!(component, Component::Normal(_));
    if directory.is_empty() || directory.contains('\0') || path.contains('\0') || !joined.components().all(ordinary) {
        return Err(Error::new(
            Kind::InvalidArgument,
            format!("\"{}\" is not a path below the model directory", joined.display()),
        )
        .hint("Give a relative path without \"..\", for example 'bge-small-en-v1.5'."));
    }
    Ok(joined)
}

fn stamp(stat: &Stat) -> Stamp {
    Stamp([
        stat.st_dev as i64,
        stat.st_ino as i64,
        stat.st_size,
        stat.st_mtime,
        stat.st_mtime_nsec as i64,
        stat.st_ctime,
        stat.st_ctime_nsec as i64,
    ])
}

fn failure(errno: Errno, what: &str, path: &Path) -> Error {
    let path = path.display();
    match errno {
        Errno::NOENT | Errno::NOTDIR => Error::new(Kind::MissingFile, format!("{what} \"{path}\" does not exist"))
            .hint("Check socle.model_directory and the directory of the model."),
        Errno::XDEV | Errno::LOOP => Error::new(Kind::DamagedModelFile, format!("{what} \"{path}\" is refused"))
            .detail("A symbolic link leads out of the model directory."),
        _ => Error::new(Kind::UnreadableFile, format!("could not open {what} \"{path}\"")).detail(errno.to_string()),
    }
}

fn refused(path: &Path, why: &str) -> Error {
    Error::new(Kind::DamagedModelFile, format!("model file \"{}\" is refused", path.display()))
        .detail(format!("The file cannot be used: {why}."))
}
