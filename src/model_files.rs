//! The files of models whose bytes are in this database: written below the runtime directory by the first session that needs
//! them, on primaries and standbys alike, for engine and generator to read.
//!
//! They are copies: what is missing is written again. Nothing trusts them: engine and generator compare the SHA-256 of what
//! they load with what is registered. Who may use a model is decided elsewhere.

use crate::pg::run_as::as_superuser;
use crate::pg::{backend, gucs, plan_cache, snapshot, wait};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use socle_core::model::{PACKAGE_PREFIX, hexadecimal};
use socle_core::protocol::{PACKAGE_DIRECTORY, RUNTIME_DIRECTORY};
use socle_core::{Error, Kind, Result};
use socle_package::{Manifest, PART_BYTES, PackageFile};
use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

const FIND: &str = include_str!("../sql/model_package/find_package.sql");
const PART: &str = include_str!("../sql/model_package/find_part.sql");
const IN_USE: &str = include_str!("../sql/model_package/packages_in_use.sql");
const DATABASES: &str = include_str!("../sql/model_package/databases.sql");

/// Name of the file in the directory of a database whose lock is held while files are written or removed.
const LOCK: &str = "lock";

/// Time between two attempts to take the lock.
const LOCK_INTERVAL: Duration = Duration::from_millis(50);

/// A package in this database.
#[derive(Debug)]
pub struct StoredPackage {
    /// Its manifest, as it was signed.
    pub manifest: String,
    /// The signature.
    pub signature: Option<String>,
    /// Name of the trusted key that vouches for it.
    pub vouched_by: Option<String>,
}

/// The package with this SHA-256, if it is in this database by now.
///
/// # Errors
/// Those of [`plan_cache::rows`].
pub fn find(package: &str) -> Result<Option<StoredPackage>> {
    let found = latest(|| {
        plan_cache::rows(FIND, &[package.into()], 1, |row| StoredPackage {
            manifest: row.get(1).unwrap_or_default(),
            signature: row.get(2),
            vouched_by: row.get(3),
        })
    })?;
    Ok(found.into_iter().next())
}

/// What the directory of a model of this package is called in its row.
pub fn directory_name(package: &str) -> String {
    format!("{PACKAGE_PREFIX}{package}")
}

/// The path that engine and generator find under a path of a row: the files of a package lie in a directory of this database.
pub fn path_for_engine(path: &str) -> String {
    match path.strip_prefix(PACKAGE_PREFIX) {
        Some(below) => format!("{PACKAGE_PREFIX}{}/{below}", backend::my_database().to_u32()),
        None => path.to_string(),
    }
}

/// Refuses what is not vouched for, where `socle.require_signed_models` says so. `of` is what is to be used.
///
/// # Errors
/// `NotPermitted`.
pub fn require_signed(package: Option<&str>, of: &str) -> Result<()> {
    if !gucs::require_signed_models() {
        return Ok(());
    }
    let stored = package.map(find).transpose()?.flatten();
    if stored.as_ref().is_some_and(|stored| stored.vouched_by.is_some()) {
        return Ok(());
    }
    let why = match stored.map(|stored| stored.signature) {
        None if package.is_some() => "Its package is not in this database.",
        None => "It was not imported as a package, and only packages are signed.",
        Some(None) => "Its package is not signed.",
        Some(Some(_)) => "Its package is signed by a key that is not trusted here.",
    };
    Err(Error::new(Kind::NotPermitted, format!("nobody who is trusted vouches for {of}"))
        .detail(format!("{why} The setting socle.require_signed_models is on."))
        .hint("Import a signed package with socle.import_model(), and have a superuser trust its key with socle.trust_key()."))
}

/// Refuses a directory or file that a caller names as only rows of the registry do.
///
/// # Errors
/// `InvalidArgument`.
pub fn refuse_name(path: &str) -> Result<()> {
    if path.starts_with(PACKAGE_PREFIX) {
        return Err(Error::new(Kind::InvalidArgument, format!("\"{path}\" is not a path below the model directory"))
            .hint("Models that come as a package are registered by socle.import_model()."));
    }
    Ok(())
}

/// Makes sure that these files of a package, paths with sizes, are where engine and generator look for them. `of` is what needs
/// them, for errors.
///
/// # Errors
/// `MissingFile` if the package is not in this database; `DamagedModelFile` if its bytes are not those of the manifest;
/// `DiskFull`, `UnreadableFile`.
pub fn ensure<'a>(package: &str, mut files: impl Iterator<Item = (&'a str, u64)>, of: &str) -> Result<()> {
    let directory = database_directory().join(package);
    let is_there = |(path, bytes): (&str, u64)| directory.join(path).metadata().is_ok_and(|file| file.len() == bytes);
    if files.all(is_there) { Ok(()) } else { write(package, of) }
}

/// Removes the files of packages that this database does not have, and of databases that are gone. To be called while nobody
/// imports. A session that needs files which are removed here after all writes them again.
///
/// # Errors
/// Those of [`plan_cache::rows`].
pub fn remove_unused() -> Result<()> {
    let first = |row: plan_cache::Row| row.get::<String>(1).unwrap_or_default();
    let used: HashSet<String> = latest(|| plan_cache::rows(IN_USE, &[], 0, first))?.into_iter().collect();
    let databases: HashSet<String> = latest(|| plan_cache::rows(DATABASES, &[], 0, first))?.into_iter().collect();
    for name in names(&root()).into_iter().filter(|name| !databases.contains(name)) {
        let _ = fs::remove_dir_all(root().join(name));
    }
    let own = database_directory();
    let is_unused = |name: &String| name != LOCK && !used.contains(name);
    let unused: Vec<String> = names(&own).into_iter().filter(is_unused).collect();
    if !unused.is_empty() {
        // Whoever writes just now does not see half of it go.
        let _lock = lock().map_err(|error| unwritable(&error))?;
        for name in unused {
            let _ = fs::remove_dir_all(own.join(name));
        }
    }
    Ok(())
}

/// Removes the files of a package, as far as that is possible.
pub fn remove(package: &str) {
    let _ = fs::remove_dir_all(database_directory().join(package));
}

/// Opens a file of a package that [`ensure`] has put in its place.
///
/// # Errors
/// Those of the operating system.
pub fn open(package: &str, path: &str) -> io::Result<File> {
    File::open(database_directory().join(package).join(path))
}

/// Reads what others have committed by now, as the owner of the tables.
fn latest<T>(read: impl FnOnce() -> Result<T>) -> Result<T> {
    as_superuser(|| snapshot::in_latest_snapshot_to_read(read))
}

fn root() -> PathBuf {
    Path::new(RUNTIME_DIRECTORY).join(PACKAGE_DIRECTORY)
}

fn database_directory() -> PathBuf {
    root().join(backend::my_database().to_u32().to_string())
}

/// Names in a directory; none if it is not there.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

/// Takes the lock of the directory of this database, which ends with the file. The wait can be cancelled.
fn lock() -> io::Result<File> {
    let directory = database_directory();
    DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(directory.join(LOCK))?;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(Errno::WOULDBLOCK | Errno::INTR) => wait::wait_for_time(LOCK_INTERVAL),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Writes all files of a package, unless another session has done so meanwhile.
fn write(package: &str, of: &str) -> Result<()> {
    let _lock = lock().map_err(|error| unwritable(&error))?;
    let missing = || {
        Error::new(Kind::MissingFile, format!("the files of {of} are not in this database"))
            .detail(format!("They belong to package {package}. Dumps do not contain the files of models."))
            .hint("Import the package again with socle.import_model(), under the same name.")
    };
    let stored = find(package)?.ok_or_else(missing)?;
    let manifest = Manifest::parse(stored.manifest.as_bytes())?;
    let directory = database_directory().join(package);
    for (number, file) in manifest.files.iter().enumerate() {
        let target = directory.join(&file.path);
        if target.metadata().is_ok_and(|there| there.len() == file.bytes) {
            continue;
        }
        write_file(package, number, file, &target)?;
    }
    Ok(())
}

/// Writes a file, which gets its name once all of it is on disk and its checksum is right.
fn write_file(package: &str, number: usize, file: &PackageFile, target: &Path) -> Result<()> {
    let parent = target.parent().unwrap_or(target);
    let temporary = target.with_file_name(format!(".{}.incomplete", file.sha256));
    let mut open = OpenOptions::new();
    let open = open.write(true).create(true).truncate(true).mode(0o600);
    let created = DirBuilder::new().recursive(true).mode(0o700).create(parent).and_then(|()| open.open(&temporary));
    let mut out = created.map_err(|error| unwritable(&error))?;
    let mut hash = Sha256::new();
    for part in 0..i64::try_from(file.bytes.div_ceil(PART_BYTES as u64)).unwrap_or(i64::MAX) {
        pgrx::check_for_interrupts!();
        let arguments = [package.into(), (number as i32).into(), i32::try_from(part).unwrap_or(i32::MAX).into()];
        let written = plan_cache::in_own_memory_context(|| {
            latest(|| {
                plan_cache::rows(PART, &arguments, 1, |row| {
                    row.with_bytes(1, PART_BYTES, |bytes| {
                        let bytes = bytes.unwrap_or_default();
                        hash.update(bytes);
                        out.write_all(bytes)
                    })
                })
            })
        })?;
        // A part that is missing shows in the checksum.
        for result in written.into_iter().flatten() {
            result.map_err(|error| unwritable(&error))?;
        }
    }
    if hexadecimal(&hash.finalize()) != file.sha256 {
        let _ = fs::remove_file(&temporary);
        let message = format!("file \"{}\" of package {package} is damaged in this database", file.path);
        return Err(Error::new(Kind::DamagedModelFile, message)
            .hint("Drop the model, and import the package again with socle.import_model()."));
    }
    let finished =
        out.sync_all().and_then(|()| fs::rename(&temporary, target)).and_then(|()| File::open(parent)?.sync_all());
    finished.map_err(|error| unwritable(&error))
}

fn unwritable(error: &io::Error) -> Error {
    let message = "the files of a model cannot be written below the data directory";
    let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    Error::new(if full { Kind::DiskFull } else { Kind::UnreadableFile }, message).detail(error.to_string())
}
