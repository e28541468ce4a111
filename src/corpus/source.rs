//! The source of a corpus: kind, key and columns of the table.

use crate::catalog::spec::Role;
use crate::catalog::sql_template::{batch_name, identifier};
use crate::pg::error::spi;
use crate::pg::run_as;
use pgrx::prelude::*;
use socle_core::corpus::name::key_names;
use socle_core::{Error, Kind, Result, hint};

const TABLE: &str = include_str!("../../sql/corpus/source_table.sql");
const COLUMNS: &str = include_str!("../../sql/corpus/source_columns.sql");
const KEY: &str = include_str!("../../sql/corpus/source_key.sql");

/// A table that can be a source.
#[derive(Debug)]
pub struct Source {
    /// The table.
    pub oid: pg_sys::Oid,
    /// Schema of the table.
    pub schema: String,
    /// Name of the table.
    pub table: String,
    /// Whether it is partitioned.
    pub partitioned: bool,
    /// Owner of the table.
    pub owner: pg_sys::Oid,
    /// Columns of the primary key.
    pub key: Vec<KeyColumn>,
    columns: Vec<Column>,
}

/// A column of the primary key.
#[derive(Debug)]
pub struct KeyColumn {
    /// Name of the column.
    pub name: String,
    /// Type of the column, as SQL.
    pub type_name: String,
    /// Type and collation, as SQL.
    pub definition: String,
    /// Equality operator, as SQL.
    pub operator: String,
    /// The type has an array type.
    has_array: bool,
    /// The type is composite.
    is_composite: bool,
    /// The type is a domain over an enum, which Postgres cannot compare with values of that enum.
    is_enum_domain: bool,
}

#[derive(Debug)]
struct Column {
    name: String,
    is_text: bool,
    type_oid: pg_sys::Oid,
}

impl Source {
    /// Reads and checks a table.
    ///
    /// # Errors
    /// `WrongRelationKind` for anything but an ordinary or partitioned table that is not temporary and has a primary
    /// key, `NotPermitted` unless the caller has the rights of its owner, `NotInState` where row security is forced,
    /// `NotSupported` for a table that others inherit from or a key that cannot be used.
    pub fn read(table: pg_sys::Oid) -> Result<Self> {
        let argument = [table.into()];
        let row = Spi::connect(|client| {
            let rows = client.select(TABLE, Some(1), &argument)?;
            if rows.is_empty() {
                return Ok(None);
            }
            let row = rows.first();
            Ok(Some((
                row.get::<String>(1)?.unwrap_or_default(),
                row.get::<String>(2)?.unwrap_or_default(),
                row.get::<String>(3)?.unwrap_or_default(),
                row.get::<String>(4)?.unwrap_or_default(),
                row.get::<pg_sys::Oid>(5)?.unwrap_or(pg_sys::InvalidOid),
                row.get::<bool>(6)?.unwrap_or_default(),
                row.get::<bool>(7)?.unwrap_or_default(),
                row.get::<String>(8)?,
            )))
        })
        .map_err(spi)?;
        let unknown = || Error::new(Kind::InvalidArgument, "source does not exist");
        let (schema, name, kind, persistence, owner, system, forced, heir) = row.ok_or_else(unknown)?;
        check_kind(&name, &kind, &persistence, system)?;
        if !run_as::may_act_as(owner) {
            return Err(Error::new(Kind::NotPermitted, format!("must be owner of table \"{name}\"")));
        }
        if forced {
            return Err(Error::new(Kind::NotInState, format!("row security is forced on table \"{name}\""))
                .detail("The sync worker acts as the owner of the table and would not see all of its rows.")
                .hint("Use ALTER TABLE ... NO FORCE ROW LEVEL SECURITY, or give the owner BYPASSRLS."));
        }
        if let Some(heir) = heir {
            return Err(Error::new(Kind::NotSupported, format!("table \"{name}\" has tables that inherit from it"))
                .detail(format!("A corpus would not see the rows of {heir}, and a primary key does not reach them."))
                .hint("Use a partitioned table, or ALTER TABLE ... NO INHERIT."));
        }
        let source = Self {
            oid: table,
            partitioned: kind == "p",
            owner,
            key: key(table).map_err(spi)?,
            columns: columns(table).map_err(spi)?,
            schema,
            table: name,
        };
        check_key(&source)?;
        Ok(source)
    }

    /// Checks that there is such a column; `what` names it in the error.
    ///
    /// # Errors
    /// `UnknownColumn`.
    pub fn require_column(&self, name: &str, what: &str) -> Result<()> {
        self.find(name, what).map(drop)
    }

    /// Checks that there is such a column and that it holds text; `what` names it in the error.
    ///
    /// # Errors
    /// `UnknownColumn`, `WrongColumnType`.
    pub fn require_text(&self, name: &str, what: &str) -> Result<()> {
        if self.find(name, what)?.is_text {
            return Ok(());
        }
        Err(Error::new(Kind::WrongColumnType, format!("column \"{name}\" of table \"{}\" is not text", self.table))
            .hint(
                "Content is read from columns of type text, varchar and the like; a generated column can cast others.",
            ))
    }

    /// The role of a column with files.
    ///
    /// # Errors
    /// `UnknownColumn`; `WrongColumnType` unless it is `bytea`, or `oid` for large objects.
    pub fn document_role(&self, name: &str) -> Result<Role> {
        match self.find(name, "The argument document")?.type_oid {
            pg_sys::BYTEAOID => Ok(Role::Document),
            pg_sys::OIDOID => Ok(Role::LargeObject),
            _ => {
                let message = format!("column \"{name}\" of table \"{}\" does not hold files", self.table);
                Err(Error::new(Kind::WrongColumnType, message).hint(
                    "Files are read from columns of type bytea, or oid for large objects; pass columns of text as content.",
                ))
            }
        }
    }

    fn find(&self, name: &str, what: &str) -> Result<&Column> {
        let found = self.columns.iter().find(|column| column.name == name);
        found.ok_or_else(|| {
            let names: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
            Error::new(Kind::UnknownColumn, format!("column \"{name}\" of table \"{}\" does not exist", self.table))
                .detail(format!("{what} names it."))
                .hint(hint::for_name(name, &names, "Columns are", "The table has no columns."))
        })
    }

    /// Definitions of the change log columns that hold many keys at once, separated by commas.
    pub fn batch_definitions(&self) -> String {
        self.batch_columns().collect::<Vec<_>>().join(",\n    ")
    }

    /// The same definitions as an iterator.
    pub fn batch_columns(&self) -> impl Iterator<Item = String> {
        self.key.iter().enumerate().map(|(at, column)| format!("{} {}[]", batch_name(at), column.type_name))
    }

    /// Definitions of the key columns in the tables of a corpus, each followed by `suffix`.
    pub fn key_definitions(&self, suffix: &str) -> String {
        let columns = self.key_names().into_iter().zip(&self.key);
        let columns = columns.map(|(name, column)| format!("{} {}{suffix}", identifier(&name), column.definition));
        columns.collect::<Vec<_>>().join(",\n    ")
    }

    /// Names of the key columns in the tables of a new corpus.
    pub fn key_names(&self) -> Vec<String> {
        key_names(self.key.iter().map(|column| column.name.as_str()))
    }
}

/// Raises `WrongRelationKind` for anything but an ordinary or partitioned table that is not temporary.
fn check_kind(name: &str, kind: &str, persistence: &str, system: bool) -> Result<()> {
    let wrong = |why: &str| Error::new(Kind::WrongRelationKind, format!("\"{name}\" cannot be a source: {why}"));
    if system {
        return Err(wrong("it is a system catalog"));
    }
    let why = match kind {
        "r" | "p" => None,
        "v" => Some("it is a view"),
        "m" => Some("it is a materialized view"),
        "f" => Some("it is a foreign table"),
        _ => Some("it is not a table"),
    };
    if let Some(why) = why {
        return Err(wrong(why).hint("A source is an ordinary or partitioned table, whose changes triggers can see."));
    }
    if persistence == "t" {
        return Err(wrong("it is a temporary table"));
    }
    Ok(())
}

fn columns(table: pg_sys::Oid) -> pgrx::spi::Result<Vec<Column>> {
    Spi::connect(|client| {
        let rows = client.select(COLUMNS, None, &[table.into()])?;
        rows.map(|row| {
            Ok(Column {
                name: row.get(1)?.unwrap_or_default(),
                is_text: row.get(3)?.unwrap_or_default(),
                type_oid: row.get(4)?.unwrap_or(pg_sys::InvalidOid),
            })
        })
        .collect()
    })
}

/// Raises an error unless a corpus can tell rows apart by the primary key.
fn check_key(source: &Source) -> Result<()> {
    if source.key.is_empty() {
        return Err(Error::new(Kind::WrongRelationKind, format!("table \"{}\" has no primary key", source.table))
            .hint("A corpus identifies documents by it: add one with ALTER TABLE ... ADD PRIMARY KEY."));
    }
    if let Some(column) = source.key.iter().find(|column| !column.has_array) {
        let message = format!("primary key column \"{}\" has type {}", column.name, column.type_name);
        return Err(Error::new(Kind::NotSupported, message).detail("There are no arrays of this type."));
    }
    if let Some(column) = source.key.iter().find(|column| column.is_composite) {
        let message = format!("primary key column \"{}\" has composite type {}", column.name, column.type_name);
        return Err(
            Error::new(Kind::NotSupported, message).hint("Use its attributes as separate columns of the primary key.")
        );
    }
    if let Some(column) = source.key.iter().find(|column| column.is_enum_domain) {
        let message = format!("type of primary key column \"{}\" is a domain over an enum", column.name);
        return Err(Error::new(Kind::NotSupported, message)
            .detail("PostgreSQL has no equality between such a domain and its enum.")
            .hint(format!("Give the column the type {} itself, and a check constraint.", column.type_name)));
    }
    Ok(())
}

fn key(table: pg_sys::Oid) -> pgrx::spi::Result<Vec<KeyColumn>> {
    Spi::connect(|client| {
        let rows = client.select(KEY, None, &[table.into()])?;
        rows.map(|row| {
            Ok(KeyColumn {
                name: row.get(1)?.unwrap_or_default(),
                type_name: row.get(3)?.unwrap_or_default(),
                definition: row.get(4)?.unwrap_or_default(),
                operator: row.get(5)?.unwrap_or_default(),
                has_array: row.get(6)?.unwrap_or_default(),
                is_composite: row.get(7)?.unwrap_or_default(),
                is_enum_domain: row.get(8)?.unwrap_or_default(),
            })
        })
        .collect()
    })
}
