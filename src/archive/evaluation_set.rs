//! Tables of questions and judgments that `socle.evaluate` and its like read: taken along by `socle.export_corpus`, and read again by
//! `socle.import_evaluation_set`. They are tables of users, read as the caller, and every value is the text that PostgreSQL writes.

use super::import::{file_of, read};
use super::new_directory::{NewDirectory, NewFile};
use crate::catalog::sql_template::identifier;
use crate::import::directory::Directory;
use crate::ledger::{self, Event, EventKind};
use crate::pg::arguments::Arguments;
use crate::pg::error::report;
use crate::pg::jsonb_key::Key;
use crate::pg::run_as::as_self;
use crate::pg::{gucs, plan_cache, value};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use socle_archive::TextsWriter;
use socle_core::corpus::archive::{FileLayout, FileRows, TextRow};
use socle_core::corpus::manifest::{ArchivedColumn, ArchivedTable, MANIFEST, MAX_BYTES, Manifest, evaluation_set_name};
use socle_core::model::hexadecimal;
use socle_core::{Error, Kind, Result, hint, memory};
use std::path::Path;

const COLUMNS: &str = include_str!("../../sql/archive/evaluation_columns.sql");

/// Most rows of a table: far more than anybody judges, and few enough to be read at once.
const MAX_ROWS: usize = 1_000_000;

type Rows = TableIterator<'static, (name!(row_number, i64), name!(content, Key))>;

/// Tables that are to be exported, with their columns.
#[derive(Debug)]
pub struct EvaluationSets(Vec<ArchivedTable>);

impl EvaluationSets {
    /// Looks up the tables of an argument of type `regclass[]`.
    ///
    /// # Errors
    /// `InvalidArgument` for what has no rows that could be read.
    pub fn named(tables: Vec<pg_sys::Oid>) -> Result<Self> {
        let table = |table: pg_sys::Oid| {
            let columns = plan_cache::rows(COLUMNS, &[table.into()], 0, |row| {
                let text = |column| row.get::<String>(column).unwrap_or_default();
                ((text(1), text(2)), ArchivedColumn { name: text(3), type_name: text(4) }, row.get::<bool>(5))
            })?;
            let Some(((schema, name), _, secured)) = columns.first().cloned() else {
                return Err(Error::new(Kind::InvalidArgument, "evaluation_sets names what is no table with columns")
                    .detail(format!("Its OID is {}.", table.to_u32())));
            };
            let columns = columns.into_iter().map(|(_, column, _)| column).collect();
            Ok(ArchivedTable {
                schema,
                table: name,
                columns,
                row_security: secured == Some(true),
                ..ArchivedTable::default()
            })
        };
        let mut seen = Vec::new();
        for oid in tables {
            if !seen.contains(&oid) {
                seen.push(oid);
            }
        }
        seen.into_iter().map(table).collect::<Result<_>>().map(Self)
    }

    /// Their names, for the ledger and to tell calls apart.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(ArchivedTable::qualified).collect()
    }

    /// Writes a file for each.
    ///
    /// # Errors
    /// What PostgreSQL raises; `InputTooLong` for a table with too many rows; those of the directory.
    pub fn write(self, directory: &NewDirectory) -> Result<Vec<ArchivedTable>> {
        (1..).zip(self.0).map(|(number, table)| written(directory, number, table)).collect()
    }
}

fn written(directory: &NewDirectory, number: usize, table: ArchivedTable) -> Result<ArchivedTable> {
    let names: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    let columns: Vec<String> = names.iter().map(|name| format!("t.{}", identifier(name))).collect();
    let (schema, name) = (identifier(&table.schema), identifier(&table.table));
    let sql = format!("SELECT {} FROM {schema}.{name} AS t", columns.join(", "));
    let limit = i64::try_from(MAX_ROWS + 1).unwrap_or(i64::MAX);
    let count = i32::try_from(columns.len()).unwrap_or_default();
    let rows = as_self(|| {
        gucs::with_gucs(&gucs::RENDERING, || {
            plan_cache::rows(&sql, &[], limit, |row| (1..=count).map(|at| row.text(at)).collect::<TextRow>())
        })
    })?;
    let qualified = table.qualified();
    if rows.len() > MAX_ROWS {
        return Err(Error::new(Kind::InputTooLong, format!("table {qualified} of evaluation_sets has too many rows"))
            .detail(format!("{MAX_ROWS} can be exported."))
            .hint("Take it along with COPY."));
    }
    if table.row_security {
        pgrx::notice!("row security applies to {qualified}: rows that the caller may not see are not in the export");
    }
    let file = directory.create_file(&evaluation_set_name(number))?;
    let mut writer: TextsWriter<NewFile> = TextsWriter::begin(file, &names, &[("socle.evaluation_set", &qualified)])?;
    rows.into_iter().try_for_each(|row| writer.push(row))?;
    let count = writer.row_count();
    let file = directory.finish_file(writer.finish()?, count)?;
    Ok(ArchivedTable { file, ..table })
}

#[pg_extern(sql = false)]
fn import_evaluation_set(call: pg_sys::FunctionCallInfo) -> Result<Rows, ErrorReport> {
    let rows = imported(Arguments::new(call)).map_err(report)?;
    Ok(TableIterator::new((1..).zip(rows)))
}

fn imported(arguments: Arguments) -> Result<Vec<Key>> {
    let needed = |at: usize, name: &str| {
        let text = arguments.short_text(at, name)?;
        text.ok_or_else(|| Error::new(Kind::InvalidArgument, format!("{name} must not be null")))
    };
    let (directory, name) = (needed(0, "directory")?, needed(1, "evaluation_set")?);
    let directory = Directory::open(Path::new(&directory))?;
    let text = read(&directory, MANIFEST, MAX_BYTES)?;
    let manifest = Manifest::parse(&text)?;
    let table = found(&manifest, &name)?;
    let names: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    let rows = match file_of(&directory, &table.file, FileLayout::Texts(names))? {
        FileRows::Texts(rows) => rows,
        FileRows::Chunks(_) => return Err(crate::engine_client::unexpected()),
    };
    let event = Event::new(EventKind::ImportCorpus).with("corpus", manifest.corpus.name.as_str());
    let event = event.with("evaluation_set", table.qualified()).with("rows", rows.len());
    ledger::tell(&event.with("manifest_sha256", hexadecimal(&Sha256::digest(&text))));
    rows.into_iter().map(|row| content(table, row)).collect()
}

/// The table of a name, with or without its schema.
fn found<'a>(manifest: &'a Manifest, name: &str) -> Result<&'a ArchivedTable> {
    let is_named = |table: &&ArchivedTable| table.qualified() == name || table.table == name;
    let mut tables = manifest.evaluation_sets.iter().filter(is_named);
    match (tables.next(), tables.next()) {
        (Some(table), None) => Ok(table),
        (Some(_), Some(_)) => {
            Err(Error::new(Kind::InvalidArgument, format!("several evaluation sets are named \"{name}\""))
                .hint("Put the schema before the name."))
        }
        (None, _) => {
            let names: Vec<String> = manifest.evaluation_sets.iter().map(ArchivedTable::qualified).collect();
            let none = "The export has none: see the argument evaluation_sets of socle.export_corpus().";
            Err(Error::new(Kind::UnknownModel, format!("evaluation set \"{name}\" does not exist"))
                .hint(hint::for_name(name, &names, "Exported are", none)))
        }
    }
}

/// A row as a JSON object, in which values of JSON are what they were, and all others are texts.
fn content(table: &ArchivedTable, row: TextRow) -> Result<Key> {
    memory::ensure(row.iter().flatten().map(String::len).sum())?;
    let member = |(column, text): (&ArchivedColumn, Option<String>)| -> Result<String> {
        let value = match text {
            None => "null".to_string(),
            Some(text) if column.is_json() => {
                serde_json::from_str::<&RawValue>(&text).map_err(|error| {
                    let message = format!("\"{}\" is not the file that was exported", table.file.name);
                    Error::new(Kind::DamagedDocument, message).detail(format!("A value is not JSON: {error}."))
                })?;
                text
            }
            Some(text) => value::string(&text),
        };
        Ok(format!("{}:{value}", value::string(&column.name)))
    };
    let members: Vec<String> = table.columns.iter().zip(row).map(member).collect::<Result<_>>()?;
    Ok(value::canonical(&format!("{{{}}}", members.join(","))))
}
