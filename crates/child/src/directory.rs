//! Opens the files of a model: only regular files below `socle.model_directory`, or below the directory of those that were
//! imported into a database.
//!
//! Refused are paths by which a name inside the directory could mean bytes outside of it (`..`, absolute paths, symbolic
//! links that lead out, hard links), and what is no regular file (pipes, devices, directories).

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use socle_core::model::{ModelFile, PACKAGE_PREFIX, hexadecimal, sha256};
use socle_core::protocol::{PACKAGE_DIRECTORY, RUNTIME_DIRECTORY};
use socle_core::{Error, Kind, Result};
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path, PathBuf};

/// An open descriptor of `socle.model_directory`.
#[derive(Debug)]
pub struct ModelRoot {
    /// Or why it could not be opened: a model that was imported needs no such directory.
    fd: rustix::io::Result<OwnedFd>,
    /// [`packages`].
    packages: rustix::io::Result<OwnedFd>,
    path: PathBuf,
}

/// The directory of models that were imported, relative to the data directory.
pub fn packages() -> PathBuf {
    Path::new(RUNTIME_DIRECTORY).join(PACKAGE_DIRECTORY)
}

/// Creates [`packages`], so that a sandbox can permit to read it.
pub fn create_packages() -> PathBuf {
    let path = packages();
    // Without it, the first import tells why.
    let _ = std::fs::DirBuilder::new().mode(0o700).recursive(true).create(&path);
    path
}

/// A file that was read completely.
#[derive(Debug)]
pub struct ReadFile {
    /// Path within the directory of the model, size and SHA-256.
    pub file: ModelFile,
    /// Its content.
    pub bytes: Vec<u8>,
    /// Its stamp at the time of reading, by which later changes are detected.
    pub stamp: Stamp,
}

/// A file that is open for reading.
#[derive(Debug)]
pub struct OpenFile {
    /// The descriptor, at the beginning of the file.
    pub file: File,
    /// Size in bytes.
    pub bytes: u64,
    /// Its stamp at the time of opening.
    pub stamp: Stamp,
    shown: PathBuf,
}

impl OpenFile {
    /// The SHA-256 of the file. `go_on` is asked again and again, and ends the reading when it is false.
    ///
    /// # Errors
    /// `UnreadableFile`, `Cancelled`, or `DamagedModelFile` when the size of the file changes meanwhile.
    pub fn sha256(&mut self, go_on: &dyn Fn() -> bool) -> Result<String> {
        let mut hash = Sha256::new();
        let mut part = vec![0; 1 << 20];
        let mut total = 0;
        while go_on() {
            let count = self.file.read(&mut part).map_err(|error| {
                Error::new(Kind::UnreadableFile, format!("could not read model file \"{}\"", self.shown.display()))
                    .detail(error.to_string())
            })?;
            if count == 0 {
                let changed = || refused(&self.shown, "its size changed while it was read");
                return if total == self.bytes { Ok(hexadecimal(&hash.finalize())) } else { Err(changed()) };
            }
            total += count as u64;
            hash.update(part.get(..count).unwrap_or_default());
        }
        Err(Error::new(Kind::Cancelled, "reading a model file was cancelled"))
    }
}

/// Device, inode, size, modification and change time of a file. Equal stamps are taken to mean equal bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stamp([i64; 7]);

impl ModelRoot {
    /// Opens `socle.model_directory`, and the directory of models that were imported.
    ///
    /// # Errors
    /// `MissingFile` or `UnreadableFile` when neither can be opened; if one can, what is below the other is missing.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = |path: &Path| rustix::fs::open(path, flags, Mode::empty());
        let (fd, packages) = (open(path), open(&packages()));
        match &fd {
            Err(errno) if packages.is_err() => Err(failure(*errno, "model directory", path)
                .hint("Set socle.model_directory to a directory that the server's operating system user can read.")),
            _ => Ok(Self { fd, packages, path: path.to_path_buf() }),
        }
    }

    /// Reads the file at `path` in the directory of a model.
    ///
    /// # Errors
    /// `MissingFile`, `UnreadableFile`, `OutOfMemory`, `InvalidArgument` for a path that is not below the directory, or
    /// `DamagedModelFile` for a file that is refused, is larger than `limit` bytes, or changes while it is read.
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

    /// Opens the file at `path`, for what is too large to be read at once.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn open_file(&self, path: &str) -> Result<OpenFile> {
        let (fd, stat) = self.open_regular("", path)?;
        let bytes = u64::try_from(stat.st_size).unwrap_or_default();
        Ok(OpenFile { file: File::from(fd), bytes, stamp: stamp(&stat), shown: self.path.join(path) })
    }

    /// Reads a file if it exists.
    ///
    /// # Errors
    /// As [`Self::read`], except for `MissingFile`.
    pub fn read_optional(&self, directory: &str, path: &str, limit: u64) -> Result<Option<ReadFile>> {
        match self.read(directory, path, limit) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind == Kind::MissingFile => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The current stamp of a file.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn stamp(&self, directory: &str, path: &str) -> Result<Stamp> {
        Ok(stamp(&self.open_regular(directory, path)?.1))
    }

    /// The paths of the `.onnx` files in the subdirectory `below` of the directory of a model, sorted. Empty when it does not
    /// exist.
    ///
    /// # Errors
    /// `UnreadableFile` when the subdirectory cannot be listed.
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

    /// Checks that the directory of a model exists and can be opened.
    ///
    /// # Errors
    /// `MissingFile`, `UnreadableFile`, `DamagedModelFile` or `InvalidArgument`; all name the directory.
    pub fn check_directory(&self, directory: &str) -> Result<()> {
        let shown = self.path.join(directory);
        self.open_beneath(&join(directory, "")?, OFlags::PATH | OFlags::DIRECTORY)
            .map(drop)
            .map_err(|errno| failure(errno, "directory", &shown))
    }

    fn open_regular(&self, directory: &str, path: &str) -> Result<(OwnedFd, Stat)> {
        let shown = self.path.join(directory).join(path);
        // NONBLOCK, because opening a pipe would wait for a writer.
        let fd = self
            .open_beneath(&join(directory, path)?, OFlags::RDONLY | OFlags::NONBLOCK)
            .map_err(|errno| failure(errno, "model file", &shown))?;
        let stat = rustix::fs::fstat(&fd).map_err(|errno| failure(errno, "model file", &shown))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => {
                return Err(refused(&shown, "it is a directory").hint("Name the file in it."));
            }
            _ => return Err(refused(&shown, "it is not a regular file")),
        }
        if stat.st_nlink != 1 {
            return Err(refused(&shown, "it is also known under another name (a hard link)").hint(COPY));
        }
        Ok((fd, stat))
    }

    fn open_beneath(&self, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let below = path.to_str().and_then(|path| path.strip_prefix(PACKAGE_PREFIX)).map(Path::new);
        let root = if below.is_some() { &self.packages } else { &self.fd };
        let root = root.as_ref().map_err(|errno| *errno)?;
        rustix::fs::openat2(root, below.unwrap_or(path), flags | OFlags::CLOEXEC, Mode::empty(), resolve)
    }
}

/// Joins two relative paths. Components such as `..` are an error.
fn join(directory: &str, path: &str) -> Result<PathBuf> {
    let joined = Path::new(directory).join(path);
    let ordinary = |component: Component<'_>| matches!(component, Component::Normal(_));
    let is_empty = joined.as_os_str().is_empty();
    if is_empty || directory.contains('\0') || path.contains('\0') || !joined.components().all(ordinary) {
        // A model is a directory, a generator is a file.
        let example = if directory.is_empty() { "smollm2-135m-instruct/model.gguf" } else { "bge-small-en-v1.5" };
        return Err(Error::new(
            Kind::InvalidArgument,
            format!("\"{}\" is not a path below the model directory", joined.display()),
        )
        .hint(format!("Give a path relative to socle.model_directory, without \"..\", for example '{example}'.")));
    }
    Ok(joined)
}

/// What to do about a file that is also in another place.
const COPY: &str = "Copy the file itself into the model directory.";

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
            .hint("Check socle.model_directory, and the path, which is relative to it."),
        Errno::XDEV | Errno::LOOP => Error::new(Kind::DamagedModelFile, format!("{what} \"{path}\" is refused"))
            .detail("A symbolic link leads out of the model directory.")
            .hint(COPY),
        _ => Error::new(Kind::UnreadableFile, format!("could not open {what} \"{path}\"")).detail(errno.to_string()),
    }
}

fn refused(path: &Path, why: &str) -> Error {
    Error::new(Kind::DamagedModelFile, format!("model file \"{}\" is refused", path.display()))
        .detail(format!("The file cannot be used: {why}."))
}
