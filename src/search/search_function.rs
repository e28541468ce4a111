//! `socle.create_search_function`: a function of the user that searches one corpus and returns the key of its source in
//! columns of their own types.
//!
//! The function belongs to the caller, runs as the role that calls it, and holds no code of the owner of the source: the
//! types of the key have to be built in, because the owner of another type may give its name to a type with checks later.
//! Replaces nothing.

use super::check;
use crate::catalog::CorpusSpec;
use crate::catalog::sql_template::{expand, identifier, literal};
use crate::pg::arguments::Arguments;
use crate::pg::error::{report, spi as spi_error};
use crate::pg::jsonb_key::Key;
use crate::pg::{backend, plan_cache, spi, value};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde_json::value::RawValue;
use socle_core::{Error, Kind, Result};
use std::collections::HashMap;

const SIGNATURE: &str = include_str!("../../sql/search/signature.sql");
const TYPE_NAME: &str = include_str!("../../sql/search/type_name.sql");
const FUNCTION_OF: &str = include_str!("../../sql/search/function_of.sql");
const BODY: &str = include_str!("../../sql/search/function_body.sql");
const CREATE: &str = include_str!("../../sql/search/create_function.sql");

/// Columns of `socle.search` that the function has no use for.
const LEFT_OUT: [&str; 2] = ["corpus_name", "source_key"];

/// A column of the key: its name, and its name and type as SQL.
struct KeyColumn<'a> {
    name: &'a str,
    quoted: String,
    type_sql: String,
    /// Whether it is of type jsonb.
    is_json: bool,
}

/// An argument or a column of the result of `socle.search`, as SQL.
struct Parameter {
    is_column: bool,
    name: String,
    type_sql: String,
    default: Option<String>,
}

#[pg_extern(sql = false)]
fn create_search_function(call: pg_sys::FunctionCallInfo) -> Result<pg_sys::Oid, ErrorReport> {
    create(Arguments::new(call)).map_err(report)
}

fn create(arguments: Arguments) -> Result<pg_sys::Oid> {
    backend::prevent_if_read_only(c"socle.create_search_function()");
    let missing = |name: &str| Error::new(Kind::InvalidArgument, format!("{name} must not be null or empty"));
    let corpus = arguments.short_text(0, "corpus")?.ok_or_else(|| missing("corpus"))?;
    let name = arguments.name(1).filter(|name| !name.is_empty()).ok_or_else(|| missing("name"))?;
    let corpus = CorpusSpec::find_to_read(&corpus)?;
    check(&corpus)?;
    let schema = arguments.name(2).unwrap_or_else(|| corpus.tables.source_schema.clone());
    if schema.is_empty() || schema.starts_with("pg_temp") {
        return Err(Error::new(Kind::InvalidArgument, format!("a search function cannot be in schema \"{schema}\""))
            .hint("Name a schema that lasts."));
    }
    let function = format!("{}.{}", identifier(&schema), identifier(&name));
    let there = || {
        let names = [schema.as_str().into(), name.as_str().into()];
        Spi::get_one_with_args::<pg_sys::Oid>(FUNCTION_OF, &names).map_err(spi_error)
    };
    if there()?.is_some() {
        return Err(Error::new(Kind::AlreadyExists, format!("function {function} already exists"))
            .hint("Choose another name, or drop it first."));
    }
    spi::execute(&statement(&corpus, &function)?)?;
    let comment = format!("search of corpus \"{}\", with the key of its source", corpus.name);
    spi::execute(&format!("COMMENT ON FUNCTION {function} IS {}", literal(&comment)))?;
    there()?.ok_or_else(|| Error::new(Kind::Bug, format!("function {function} was not created")))
}

/// The statement that creates the function.
fn statement(corpus: &CorpusSpec, function: &str) -> Result<String> {
    let keys = key_columns(corpus)?;
    let signature = signature()?;
    let (columns, arguments): (Vec<&Parameter>, Vec<&Parameter>) =
        signature.iter().partition(|parameter| parameter.is_column);
    // A column of the key takes the place of one of the same name.
    let is_left_out = |name: &str| LEFT_OUT.contains(&name) || keys.iter().any(|key| key.quoted == name);
    let columns: Vec<&Parameter> = columns.into_iter().filter(|column| !is_left_out(&column.name)).collect();
    let declared = arguments.iter().map(|argument| {
        let default = argument.default.as_ref().map(|default| format!(" DEFAULT {default}")).unwrap_or_default();
        format!("{} {}{default}", argument.name, argument.type_sql)
    });
    let passed = arguments.iter().zip(1..).map(|(argument, number)| format!("{} => ${number}", argument.name));
    let pair = |key: &KeyColumn<'_>| {
        let name = literal(key.name);
        format!("{name}, socle_internal.key_column(r.source_key, {name})")
    };
    // The JSON value null is a value of type jsonb, and the record has NULL for it.
    let result = |key: &KeyColumn<'_>| match key.is_json {
        true => format!("coalesce(k.{}, 'null')", key.quoted),
        false => format!("k.{}", key.quoted),
    };
    let typed = |key: &KeyColumn<'_>| format!("{} {}", key.quoted, key.type_sql);
    let of_keys = |write: &dyn Fn(&KeyColumn<'_>) -> String| keys.iter().map(write).collect::<Vec<_>>();
    let of_columns = |write: &dyn Fn(&&Parameter) -> String| columns.iter().map(write).collect::<Vec<_>>();
    let results = [of_keys(&result), of_columns(&|column| format!("r.{}", column.name))];
    let body = [
        ("results", results.concat().join(", ")),
        (
            "call",
            std::iter::once(format!("corpus => {}", literal(&corpus.name)))
                .chain(passed)
                .collect::<Vec<_>>()
                .join(", "),
        ),
        ("pairs", of_keys(&pair).join(", ")),
        ("keys", of_keys(&typed).join(", ")),
    ];
    let body = literal(&expand(BODY, corpus, &body.each_ref().map(|(name, sql)| (*name, sql.as_str()))));
    let returned = [of_keys(&typed), of_columns(&|column| format!("{} {}", column.name, column.type_sql))];
    let (declared, returned) = (declared.collect::<Vec<_>>().join(", "), returned.concat().join(", "));
    let parts = [("function", function), ("arguments", &declared), ("columns", &returned), ("body", &body)];
    Ok(expand(CREATE, corpus, &parts))
}

fn key_columns<'a>(corpus: &'a CorpusSpec) -> Result<Vec<KeyColumn<'a>>> {
    let source = pg_sys::Oid::from(corpus.tables.source.unwrap_or_default());
    let column = |name: &'a String| {
        // A domain counts as its base type.
        let base = value::column_type(source, name).map_or(pg_sys::InvalidOid, value::base_type);
        if !value::is_built_in(base) {
            let (name, type_name) = (name.clone(), backend::type_name(base));
            return Err(Error::new(Kind::NotSupported, format!("key column \"{name}\" cannot be returned as it is"))
                .detail(format!("Type {type_name} is not built in: its owner could give the name to another type."))
                .hint("Use socle.search() and its column source_key."));
        }
        let type_sql = plan_cache::rows(TYPE_NAME, &[base.into()], 1, |row| row.get::<String>(1))?;
        let type_sql = type_sql.into_iter().flatten().next().unwrap_or_default();
        Ok(KeyColumn { name, quoted: identifier(name), type_sql, is_json: base == pg_sys::JSONBOID })
    };
    corpus.tables.key_columns.iter().map(column).collect()
}

/// The value of a column of a key that a search has returned.
#[pg_extern(sql = false)]
fn key_column(call: pg_sys::FunctionCallInfo) -> Result<Option<Key>, ErrorReport> {
    column_of_key(Arguments::new(call)).map_err(report)
}

fn column_of_key(arguments: Arguments) -> Result<Option<Key>> {
    let (Some(key), Some(name)) = (arguments.json(0), arguments.short_text(1, "name")?) else { return Ok(None) };
    let columns: Option<HashMap<String, &RawValue>> = serde_json::from_str(&key).ok();
    match columns.as_ref().and_then(|columns| columns.get(&name)) {
        Some(value) => Ok(Some(Key(value.get().to_string()))),
        None => Err(Error::new(Kind::UnknownColumn, format!("the key of the corpus has no column \"{name}\""))
            .detail("The column was renamed after the search function had been created.")
            .hint("Drop the search function and create it again with socle.create_search_function().")),
    }
}

fn signature() -> Result<Vec<Parameter>> {
    plan_cache::rows(SIGNATURE, &[], 0, |row| Parameter {
        is_column: row.get::<bool>(1) == Some(true),
        name: row.get(2).unwrap_or_default(),
        type_sql: row.get(3).unwrap_or_default(),
        default: row.get(4),
    })
}
