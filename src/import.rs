//! `CALL socle.import_directory(…)`: files of the server become rows. A procedure, so that rows stay when it is
//! cancelled, and can be watched from other sessions.
//!
//! The table is the caller's: its triggers and policies run as in the caller's own statements, under the caller's
//! search_path.

pub mod directory;
mod pattern;

use crate::catalog::sql_template;
use crate::pg::arguments::Arguments;
use crate::pg::error::{report, spi};
use crate::pg::procedure::{Transactions, may_commit, with_transactions};
use crate::pg::run_as::with_pinned_search_path;
use crate::pg::snapshot::in_new_snapshot;
use crate::pg::{gucs, spi};
use directory::{Directory, Found, Listing};
use pattern::FilePattern;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::{Error, Kind, Result};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::{Duration, Instant};

const TARGET: &str = include_str!("../sql/import/import_target.sql");
const KNOWN: &str = include_str!("../sql/import/import_known.sql");
const STORE: &str = include_str!("../sql/import/import_store.sql");
const REMOVE: &str = include_str!("../sql/import/import_remove.sql");

/// Columns that the table must have, with their types.
const COLUMNS: [(&str, &str); 5] = [
    ("file_name", "text"),
    ("modified_at", "timestamp with time zone"),
    ("content_hash", "bytea"),
    ("media_type", "text"),
    ("data", "bytea"),
];

/// Bytes of files, and number of files, after which the transaction is committed.
const BATCH_BYTES: usize = 32 << 20;
const BATCH_FILES: usize = 200;

/// Time between two progress notices.
const SAY_EVERY: Duration = Duration::from_secs(5);

/// The arguments, checked.
struct ImportOptions {
    target: pg_sys::Oid,
    directory: Directory,
    pattern: FilePattern,
    remove_missing: bool,
}

/// The table that files are stored in.
struct Target {
    schema: String,
    name: String,
}

impl Target {
    fn sql(&self, text: &str) -> String {
        sql_template::over(text, &self.schema, &self.name)
    }
}

/// Numbers of files, for the final notice.
#[derive(Default)]
struct Counts {
    new: usize,
    changed: usize,
    unchanged: usize,
    removed: usize,
    skipped: usize,
}

#[pg_extern(sql = false)]
fn import_directory(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    import(call).map_err(report)
}

fn import(call: pg_sys::FunctionCallInfo) -> Result<()> {
    if !may_commit(call) {
        let message = "CALL socle.import_directory() cannot run inside a transaction block";
        return Err(Error::new(Kind::ActiveTransaction, message).detail("It commits while it runs."));
    }
    let options = options(Arguments::new(call))?;
    let counts = with_transactions(|transactions| take(&options, transactions))?;
    let Counts { new, changed, unchanged, removed, skipped } = counts;
    pgrx::notice!("{new} new files, {changed} changed, {unchanged} unchanged, {removed} removed, {skipped} skipped");
    Ok(())
}

fn options(arguments: Arguments) -> Result<ImportOptions> {
    let invalid = |message: &str| Error::new(Kind::InvalidArgument, message);
    let directory = arguments.short_text(1, "directory")?.ok_or_else(|| invalid("directory must not be null"))?;
    let pattern = arguments.short_text(2, "pattern")?.unwrap_or_else(|| "**".into());
    Ok(ImportOptions {
        target: arguments.oid(0).ok_or_else(|| invalid("target must not be null"))?,
        directory: Directory::open(Path::new(&directory))?,
        pattern: FilePattern::parse(&pattern)?,
        remove_missing: arguments.boolean(3).unwrap_or_default(),
    })
}

fn take(options: &ImportOptions, transactions: &Transactions) -> Result<Counts> {
    let table = with_pinned_search_path(|| target(options.target))?;
    let known = in_new_snapshot(|| known(&table, options.directory.prefix()))?;
    let listing = options.directory.list(&options.pattern);
    let mut counts = Counts { skipped: listing.skipped, ..Counts::default() };
    let (mut bytes, mut batch, mut said) = (0, 0, Instant::now());
    for (at, file) in listing.files.iter().enumerate() {
        pgrx::check_for_interrupts!();
        if known.get(&file.name) == Some(&(file.modified, file.bytes)) {
            counts.unchanged += 1;
            continue;
        }
        let Some((data, modified)) = read(&options.directory, file) else {
            counts.skipped += 1;
            continue;
        };
        bytes += data.len();
        batch += 1;
        let name = options.directory.full_name(&file.name);
        match in_new_snapshot(|| store(&table, &name, modified, data))? {
            Some(true) => counts.new += 1,
            Some(false) => counts.changed += 1,
            // A trigger of the table has suppressed the row.
            None => counts.skipped += 1,
        }
        if bytes > BATCH_BYTES || batch == BATCH_FILES {
            transactions.commit();
            (bytes, batch) = (0, 0);
        }
        if said.elapsed() > SAY_EVERY {
            said = Instant::now();
            pgrx::notice!("{} of {} files", at + 1, listing.files.len());
        }
    }
    if options.remove_missing {
        counts.removed = remove(options, &table, known, &listing)?;
    }
    Ok(counts)
}

/// Removes rows whose files were below this directory, match the pattern and no longer exist; returns their number.
fn remove(
    options: &ImportOptions,
    table: &Target,
    known: HashMap<String, (i64, u64)>,
    listing: &Listing,
) -> Result<usize> {
    if listing.incomplete {
        pgrx::warning!("removing nothing: a part of the directory cannot be read");
        return Ok(0);
    }
    if listing.empty {
        // Such as the mount point of a file system that is not mounted.
        pgrx::warning!("removing nothing: the directory has no files");
        return Ok(0);
    }
    let there: HashSet<&str> = listing.files.iter().map(|file| file.name.as_str()).collect();
    let gone = known.into_keys().filter(|name| options.pattern.matches(name) && !there.contains(name.as_str()));
    let gone: Vec<String> = gone.map(|name| options.directory.full_name(&name)).collect();
    let count = gone.len();
    in_new_snapshot(|| spi::run(&table.sql(REMOVE), &[gone.into()]))?;
    Ok(count)
}

/// The bytes of a file and the time of its last change; `None`, with a warning, if they cannot be read.
fn read(directory: &Directory, file: &Found) -> Option<(Vec<u8>, i64)> {
    let limit = gucs::max_document_bytes();
    let why = match directory.read(&file.name, limit as u64) {
        Ok(Some(read)) => return Some(read),
        Ok(None) => format!("it has more than {limit} bytes, the limit of socle.max_document_bytes"),
        Err(error) => error.to_string(),
    };
    pgrx::warning!("skipping \"{}\": {why}", file.name);
    None
}

/// The table, with its columns checked.
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
        return Err(error.hint(format!("A table for files needs at least the columns ({columns}).")));
    }
    found.into_iter().next().map(|(target, ..)| target).ok_or_else(unknown)
}

/// Modification time and size of the files that are in the table, by their names below the directory.
fn known(table: &Target, prefix: &str) -> Result<HashMap<String, (i64, u64)>> {
    Spi::connect(|client| {
        let rows = client.select(table.sql(KNOWN).as_str(), None, &[prefix.into()])?;
        rows.map(|row| {
            let size = row.get::<i64>(3)?.unwrap_or(-1);
            let modified = row.get::<i64>(2)?.unwrap_or(i64::MIN);
            let mut name = row.get::<String>(1)?.unwrap_or_default();
            Ok((name.split_off(prefix.len().min(name.len())), (modified, size.cast_unsigned())))
        })
        .collect::<pgrx::spi::Result<_>>()
    })
    .map_err(spi)
}

/// Stores a file. Returns whether it is new; `None` if no row was written.
fn store(table: &Target, name: &str, modified: i64, data: Vec<u8>) -> Result<Option<bool>> {
    let media_type = mime_guess::from_path(name).first_raw();
    let arguments = [name.into(), modified.into(), media_type.map(str::to_string).into(), data.into()];
    let sql = table.sql(STORE);
    Spi::connect_mut(|client| {
        let rows = client.update(sql.as_str(), None, &arguments)?;
        if rows.is_empty() { Ok(None) } else { rows.first().get_one::<bool>() }
    })
    .map_err(spi)
}
