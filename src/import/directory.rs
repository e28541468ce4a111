//! A directory of the server and its files, by descriptors: once it is open, no rename and no link leads elsewhere.
//!
//! Only what is below a directory that a superuser named is opened, and below that no symbolic link is followed.

use super::pattern::FilePattern;
use crate::pg::gucs;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, openat2, statat};
use socle_core::{Error, Kind, Result};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// An open directory.
#[derive(Debug)]
pub struct Directory {
    opened: File,
    /// Its path as the caller wrote it, normalized, with a slash at the end.
    prefix: String,
}

/// A regular file below the directory.
#[derive(Debug)]
pub struct Found {
    /// Path below the directory.
    pub name: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Modification time, in microseconds since 1970-01-01.
    pub modified: i64,
}

/// The files below a directory.
#[derive(Debug, Default)]
pub struct Listing {
    /// The files that match, ordered by name.
    pub files: Vec<Found>,
    /// Number of files and directories that were skipped.
    pub skipped: usize,
    /// A part of the directory could not be read.
    pub incomplete: bool,
    /// There is no file at all, matching or not.
    pub empty: bool,
}

impl Directory {
    /// Opens a directory that a superuser has allowed to be read.
    ///
    /// # Errors
    /// `InvalidArgument` for a relative path, `NotPermitted` outside of `socle.import_directories`, `UnreadableFile`.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.is_absolute() {
            return Err(Error::new(Kind::InvalidArgument, "directory must be an absolute path"));
        }
        let denied = || {
            Error::new(Kind::NotPermitted, format!("directory \"{}\" must not be read", path.display()))
                .hint("A superuser can add it to socle.import_directories.")
        };
        if path.components().any(|part| part == Component::ParentDir) {
            return Err(denied());
        }
        let path: PathBuf = path.components().collect();
        let mut failure = None;
        for allowed in gucs::import_directories() {
            let Ok(below) = path.strip_prefix(&allowed) else { continue };
            // A directory that a superuser names may itself be a link.
            match File::open(&allowed).and_then(|allowed| open_below(&allowed, below, OFlags::DIRECTORY)) {
                Ok(opened) => return Ok(Self { opened, prefix: path.join("").to_string_lossy().into_owned() }),
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) if is_link(&error) => Err(denied()),
            Some(error) => {
                let message = format!("directory \"{}\" cannot be read", path.display());
                Err(Error::new(Kind::UnreadableFile, message).detail(error.to_string()))
            }
            // Whether such a directory exists elsewhere is not revealed.
            None => Err(denied()),
        }
    }

    /// What precedes the names of all files of the directory in the table.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Name of a file in the table: its whole path, so that files of two directories stay apart.
    pub fn full_name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The files whose names `pattern` matches.
    pub fn list(&self, pattern: &FilePattern) -> Listing {
        let mut listing = Listing { empty: true, ..Listing::default() };
        let mut directories = vec![PathBuf::new()];
        while let Some(below) = directories.pop() {
            pgrx::check_for_interrupts!();
            if let Err(error) = self.look_into(&below, pattern, &mut listing, &mut directories) {
                (listing.skipped, listing.incomplete) = (listing.skipped + 1, true);
                pgrx::warning!(
                    "skipping \"{}\", which cannot be read: {error}",
                    self.full_name(&below.to_string_lossy())
                );
            }
        }
        listing.files.sort_by(|one, other| one.name.cmp(&other.name));
        listing
    }

    fn look_into(
        &self,
        below: &Path,
        pattern: &FilePattern,
        listing: &mut Listing,
        directories: &mut Vec<PathBuf>,
    ) -> io::Result<()> {
        let opened = open_below(&self.opened, below, OFlags::DIRECTORY)?;
        for entry in Dir::read_from(&opened)? {
            let entry = entry?;
            let bytes = entry.file_name().to_bytes();
            if matches!(bytes, b"." | b"..") {
                continue;
            }
            let Ok(status) = statat(&opened, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) else {
                // Deleted meanwhile, as a rule.
                listing.incomplete = true;
                continue;
            };
            let kind = FileType::from_raw_mode(status.st_mode);
            let Ok(name) = std::str::from_utf8(bytes) else {
                if matches!(kind, FileType::RegularFile | FileType::Directory) {
                    (listing.skipped, listing.empty) = (listing.skipped + 1, false);
                    let path = below.join(String::from_utf8_lossy(bytes).as_ref());
                    pgrx::warning!("skipping \"{}\": its name is not UTF-8", self.full_name(&path.to_string_lossy()));
                }
                continue;
            };
            let path = below.join(name);
            match kind {
                FileType::Directory if pattern.may_lie_in(name) => directories.push(path),
                FileType::RegularFile => {
                    listing.empty = false;
                    let name = path.to_str().unwrap_or_default();
                    if pattern.matches(name) {
                        let modified =
                            microseconds(status.st_mtime, i64::try_from(status.st_mtime_nsec).unwrap_or_default());
                        let bytes = status.st_size.unsigned_abs();
                        listing.files.push(Found { name: name.to_string(), bytes, modified });
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The bytes of a file, and its modification time from before they were read; `None` if there are more than
    /// `limit`.
    ///
    /// # Errors
    /// Those of the operating system; a file that has become something else.
    pub fn read(&self, name: &str, limit: u64) -> io::Result<Option<(Vec<u8>, i64)>> {
        // A pipe that has replaced the file does not block.
        let opened = open_below(&self.opened, Path::new(name), OFlags::NONBLOCK)?;
        let metadata: Metadata = opened.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a regular file any more"));
        }
        if metadata.len() > limit {
            return Ok(None);
        }
        let mut data = Vec::new();
        // The file may be growing.
        opened.take(limit + 1).read_to_end(&mut data)?;
        let modified = microseconds(metadata.mtime(), metadata.mtime_nsec());
        Ok((data.len() as u64 <= limit).then_some((data, modified)))
    }
}

/// Opens what `path` leads to from an open directory, without leaving it and without following a link.
///
/// # Errors
/// Those of the operating system.
pub fn open_below(root: &File, path: &Path, flags: OFlags) -> io::Result<File> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    Ok(File::from(openat2(root, path, flags | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty(), inside)?))
}

fn is_link(error: &io::Error) -> bool {
    [rustix::io::Errno::LOOP, rustix::io::Errno::XDEV]
        .iter()
        .any(|link| error.raw_os_error() == Some(link.raw_os_error()))
}

fn microseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000).saturating_add(nanoseconds / 1_000)
}
