//! `CALL socle.import_directory(…)`: files of the server become rows. A procedure, so that what has been taken stays taken
//! when it is cancelled, and can be watched from other sessions.
//!
//! Only what lies below a directory that a superuser named is opened, and never through a symbolic link.

use crate::argument::Arguments;
use crate::corpus::identity::with_own_names;
use crate::corpus::{may_commit, statement};
use crate::error::{report, spi};
use crate::{query, setting};
use glob::Pattern;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use socle_core::{Error, Kind, Result};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use walkdir::WalkDir;

const TARGET: &str = include_str!("../../sql/query/import_target.sql");
const KNOWN: &str = include_str!("../../sql/query/import_known.sql");
const STORE: &str = include_str!("../../sql/query/import_store.sql");
const REMOVE: &str = include_str!("../../sql/query/import_remove.sql");

/// Columns that the table needs, and their types.
const COLUMNS: [(&str, &str); 5] = [
    ("file_name", "text"),
    ("modified_at", "timestamp with time zone"),
    ("content_hash", "bytea"),
    ("media_type", "text"),
    ("data", "bytea"),
];

/// Bytes of files, and files, after which is committed.
const BATCH_BYTES: usize = 32 << 20;
const BATCH_FILES: usize = 200;

/// Time between two words about progress.
const SAY_EVERY: Duration = Duration::from_secs(5);

/// What is asked.
struct Wish {
    target: pg_sys::Oid,
    root: PathBuf,
    pattern: Pattern,
    remove_missing: bool,
}

/// The table that takes the files.
struct Target {
    schema: String,
    name: String,
}

impl Target {
    fn sql(&self, text: &str) -> String {
        statement::over(text, &self.schema, &self.name)
    }
}

/// A file that there is.
struct Found {
    /// Its path below the directory.
    name: String,
    bytes: u64,
    /// Microseconds since 1970.
    modified: i64,
}

/// What has been done.
#[derive(Default)]
struct Counts {
    new: usize,
    changed: usize,
    unchanged: usize,
    removed: usize,
    skipped: usize,
    /// A part of the directory could not be looked at.
    incomplete: bool,
}

#[pg_extern(sql = false)]
fn import_directory(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    import(call).map_err(report)
}

fn import(call: pg_sys::FunctionCallInfo) -> Result<()> {
    if !may_commit(call) {
        let message = "CALL socle.import_directory() cannot run inside a transaction block";
        return Err(Error::new(Kind::ActiveTransaction, message).detail("It commits as it goes."));
    }
    let wish = wish(Arguments::new(call))?;
    // SAFETY: the call may commit; the connection is finished below, or by the error that ends the call.
    unsafe { pg_sys::SPI_connect_ext(pg_sys::SPI_OPT_NONATOMIC.cast_signed()) };
    let counts = take(&wish);
    // SAFETY: connected above.
    unsafe { pg_sys::SPI_finish() };
    let Counts { new, changed, unchanged, removed, skipped, .. } = counts?;
    pgrx::notice!("{new} new files, {changed} changed, {unchanged} unchanged, {removed} removed, {skipped} skipped");
    Ok(())
}

fn wish(arguments: Arguments) -> Result<Wish> {
    let invalid = |message: &str| Error::new(Kind::InvalidArgument, message);
    let directory = arguments.word(1, "directory")?.ok_or_else(|| invalid("directory must not be null"))?;
    let pattern = arguments.word(2, "pattern")?.unwrap_or_else(|| "*".into());
    Ok(Wish {
        target: arguments.oid(0).ok_or_else(|| invalid("target must not be null"))?,
        root: allowed(Path::new(&directory))?,
        pattern: Pattern::new(&pattern)
            .map_err(|error| invalid(&format!("pattern \"{pattern}\" is malformed")).detail(error.to_string()))?,
        remove_missing: arguments.boolean(3).unwrap_or_default(),
    })
}

/// The directory without links, if a superuser allows to read it.
fn allowed(directory: &Path) -> Result<PathBuf> {
    let shown = directory.display();
    if !directory.is_absolute() {
        return Err(Error::new(Kind::InvalidArgument, "directory must be an absolute path"));
    }
    let directories = setting::import_directories();
    let denied = Error::new(Kind::NotPermitted, format!("directory \"{shown}\" must not be read"))
        .hint("A superuser can add it to socle.import_directories.");
    let root = match directory.canonicalize() {
        Ok(root) => root,
        Err(error) if directories.iter().any(|allowed| directory.starts_with(allowed)) => {
            return Err(unreadable(directory, &error));
        }
        // Whether there is such a directory elsewhere is not told.
        Err(_) => return Err(denied),
    };
    let mut directories = directories.into_iter().filter_map(|path| path.canonicalize().ok());
    if directories.any(|allowed| root.starts_with(allowed)) { Ok(root) } else { Err(denied) }
}

fn take(wish: &Wish) -> Result<Counts> {
    let mut counts = Counts::default();
    let table = with_own_names(|| target(wish.target))?;
    let known = with_own_names(|| known(&table))?;
    let root = File::open(&wish.root).map_err(|error| unreadable(&wish.root, &error))?;
    let files = files(wish, &mut counts);
    let (mut bytes, mut batch, mut said) = (0, 0, Instant::now());
    for (at, file) in files.iter().enumerate() {
        pgrx::check_for_interrupts!();
        if known.get(&file.name) == Some(&(file.modified, file.bytes)) {
            counts.unchanged += 1;
            continue;
        }
        let Some(data) = read(&root, file, &mut counts) else { continue };
        bytes += data.len();
        batch += 1;
        if with_own_names(|| store(&table, file, data))? {
            counts.new += 1;
        } else {
            counts.changed += 1;
        }
        if bytes > BATCH_BYTES || batch == BATCH_FILES {
            // SAFETY: connected for this.
            unsafe { pg_sys::SPI_commit() };
            (bytes, batch) = (0, 0);
        }
        if said.elapsed() > SAY_EVERY {
            said = Instant::now();
            pgrx::notice!("{} of {} files", at + 1, files.len());
        }
    }
    if wish.remove_missing && counts.incomplete {
        pgrx::warning!("removing nothing: a part of the directory cannot be looked at");
    } else if wish.remove_missing {
        let there: HashSet<&str> = files.iter().map(|file| file.name.as_str()).collect();
        let gone = known.into_keys().filter(|name| wish.pattern.matches(name) && !there.contains(name.as_str()));
        let gone: Vec<String> = gone.collect();
        counts.removed = gone.len();
        with_own_names(|| query::run(&table.sql(REMOVE), &[gone.into()]))?;
    }
    Ok(counts)
}

/// The files that are wanted, in the order of their names.
fn files(wish: &Wish, counts: &mut Counts) -> Vec<Found> {
    let mut files = Vec::new();
    for entry in WalkDir::new(&wish.root).sort_by_file_name() {
        pgrx::check_for_interrupts!();
        let entry = match entry {
            Ok(entry) if entry.file_type().is_file() => entry,
            Ok(_) => continue,
            Err(error) => {
                (counts.skipped, counts.incomplete) = (counts.skipped + 1, true);
                pgrx::warning!("skipping what cannot be read: {error}");
                continue;
            }
        };
        let path = entry.path().strip_prefix(&wish.root).unwrap_or(entry.path());
        let Some(name) = path.to_str() else {
            counts.skipped += 1;
            pgrx::warning!("skipping \"{}\": its name is not UTF-8", path.display());
            continue;
        };
        if !wish.pattern.matches(name) {
            continue;
        }
        match entry.metadata() {
            Ok(metadata) => {
                let modified = metadata.modified().map(microseconds).unwrap_or_default();
                files.push(Found { name: name.to_string(), bytes: metadata.len(), modified });
            }
            // Gone since, as a rule.
            Err(_) => counts.incomplete = true,
        }
    }
    files
}

fn microseconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
    }
}

/// The bytes of a file; `None`, with a warning, if they cannot be had.
fn read(root: &File, file: &Found, counts: &mut Counts) -> Option<Vec<u8>> {
    let limit = setting::max_document_bytes();
    let open = || -> io::Result<Vec<u8>> {
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let opened = File::from(openat2(root, &file.name, flags, Mode::empty(), inside)?);
        let mut data = Vec::new();
        opened.take(limit as u64 + 1).read_to_end(&mut data)?;
        Ok(data)
    };
    let why = match open() {
        Ok(data) if data.len() <= limit => return Some(data),
        Ok(_) => format!("it has more than {limit} bytes, the limit of socle.max_document_bytes"),
        Err(error) => error.to_string(),
    };
    counts.skipped += 1;
    pgrx::warning!("skipping \"{}\": {why}", file.name);
    None
}

/// The table, after a look at its columns.
fn target(table: pg_sys::Oid) -> Result<Target> {
    let found = Spi::connect(|client| {
        let rows = client.select(TARGET, None, &[table.into()])?;
        let rows = rows.map(|row| {
            let text = |at| row.get::<String>(at).map(Option::unwrap_or_default);
            Ok((Target { schema: text(1)?, name: text(2)? }, text(3)?, text(4)?))
        });
        rows.collect::<pgrx::spi::Result<Vec<(Target, String, String)>>>()
    })
    .map_err(spi)?;
    let unknown = || Error::new(Kind::InvalidArgument, "target does not exist");
    let name = found.first().map(|(target, ..)| target.name.clone()).ok_or_else(unknown)?;
    for (column, wanted) in COLUMNS {
        let error = match found.iter().find(|(_, name, _)| name == column) {
            Some((_, _, kind)) if kind == wanted => continue,
            Some((_, _, kind)) => {
                let message = format!("column \"{column}\" of table \"{name}\" has type {kind}, not {wanted}");
                Error::new(Kind::WrongColumnType, message)
            }
            None => Error::new(Kind::UnknownColumn, format!("column \"{column}\" of table \"{name}\" does not exist")),
        };
        let columns: Vec<String> = COLUMNS.iter().map(|(column, wanted)| format!("{column} {wanted}")).collect();
        let columns = columns.join(", ").replacen("text", "text PRIMARY KEY", 1);
        return Err(error.hint(format!("A table that takes files has at least ({columns}).")));
    }
    found.into_iter().next().map(|(target, ..)| target).ok_or_else(unknown)
}

/// Time of the last change and size of the files that are in the table.
fn known(table: &Target) -> Result<HashMap<String, (i64, u64)>> {
    Spi::connect(|client| {
        let rows = client.select(table.sql(KNOWN).as_str(), None, &[])?;
        rows.map(|row| {
            let size = row.get::<i64>(3)?.unwrap_or(-1);
            let modified = row.get::<i64>(2)?.unwrap_or(i64::MIN);
            Ok((row.get::<String>(1)?.unwrap_or_default(), (modified, size.cast_unsigned())))
        })
        .collect::<pgrx::spi::Result<_>>()
    })
    .map_err(spi)
}

/// Whether the file is new.
fn store(table: &Target, file: &Found, data: Vec<u8>) -> Result<bool> {
    let media_type = mime_guess::from_path(&file.name).first_raw();
    let arguments =
        [file.name.as_str().into(), file.modified.into(), media_type.map(str::to_string).into(), data.into()];
    let sql = table.sql(STORE);
    Spi::connect_mut(|client| client.update(sql.as_str(), None, &arguments)?.first().get_one::<bool>())
        .map(Option::unwrap_or_default)
        .map_err(spi)
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    let message = format!("directory \"{}\" cannot be read", path.display());
    Error::new(Kind::UnreadableFile, message).detail(error.to_string())
}
