//! What filter, boost and group_by of a search say about columns of the source, compiled: the columns come from the
//! catalog, the values are read by their types now, so that an error names the column.

use super::request::SearchRequest;
use crate::catalog::CorpusSpec;
use crate::catalog::sql_template::{expand, identifier};
use crate::pg::error::sqlstate_text;
use crate::pg::snapshot::in_latest_catalog_snapshot;
use crate::pg::{plan_cache, value};
use pgrx::prelude::*;
use socle_core::search::boost::Boosts;
use socle_core::search::filter::{self, ColumnKind, Condition, FilterColumn, Operators, Parameter};
use socle_core::{Error, Kind, Result};

const FILTER_COLUMNS: &str = include_str!("../../sql/search/filter_columns.sql");

/// Value of a key column of the document of a chunk, read once.
const KEY_OF_CHUNK: &str = "(SELECT x.{column} FROM {chunk} x WHERE x.chunk_id = {number})";

/// The source as it stands in SQL.
const ALIAS: &str = "s";

/// The arguments of a search that name columns.
#[derive(Debug)]
pub struct Compiled {
    /// The filter.
    pub filter: Condition,
    /// The boosts; their parameters follow those of the filter.
    pub boosts: Option<Boosts>,
    /// The column that results are grouped by.
    pub group: Option<String>,
}

/// Compiles the arguments that name columns of the source, with parameters from number `first_parameter` on.
///
/// # Errors
/// Those of [`filter::compile`], [`Boosts::compile`] and [`FilterColumn::to_group_by`]; `InvalidArgument` for values
/// that their types refuse.
pub fn compile(corpus: &CorpusSpec, request: &SearchRequest, first_parameter: usize) -> Result<Compiled> {
    let mut filter = Condition { sql: "true".to_string(), parameters: Vec::new() };
    let names_columns = request.filter.is_some() || request.boost.is_some() || request.group_by.is_some();
    if !names_columns && request.except_document_of.is_none() {
        return Ok(Compiled { filter, boosts: None, group: None });
    }
    let columns = columns(pg_sys::Oid::from(corpus.tables.source.unwrap_or_default()))?;
    if let Some(written) = &request.filter {
        filter = filter::compile(written, &columns, ALIAS, first_parameter)?;
        check_values("filter on", &filter.parameters)?;
    }
    if let Some(chunk) = request.except_document_of {
        let number = format!("${}", first_parameter + filter.parameters.len());
        filter.sql = format!("({} AND NOT ({}))", filter.sql, is_document_of(corpus, &number));
        let (column, type_id) = ("chunk_id".to_string(), pg_sys::INT8OID.to_u32());
        filter.parameters.push(Parameter { column, type_id, value: chunk.to_string() });
    }
    let next = first_parameter + filter.parameters.len();
    // Of several corpora, one may lack the column.
    let named = |error: Error| match error.kind {
        Kind::UnknownColumn => error.detail(format!("The source of corpus \"{}\" lacks it.", corpus.name)),
        _ => error,
    };
    let boost = |written: &String| Boosts::compile(written, &columns, ALIAS, next, &seconds).map_err(named);
    let boosts = request.boost.as_ref().map(boost).transpose()?.flatten();
    if let Some(boosts) = &boosts {
        check_boost(&boosts.parameters)?;
    }
    let group_by = |column: &String| FilterColumn::to_group_by(&columns, column, ALIAS).map_err(named);
    let group = request.group_by.as_ref().map(group_by).transpose()?;
    Ok(Compiled { filter, boosts, group })
}

/// The condition of a filter by itself, over the source `s`, with parameters from number `first_parameter` on.
///
/// # Errors
/// Those of [`compile`].
pub fn condition(corpus: &CorpusSpec, written: &str, first_parameter: usize) -> Result<Condition> {
    let columns = columns(pg_sys::Oid::from(corpus.tables.source.unwrap_or_default()))?;
    let filter = filter::compile(written, &columns, ALIAS, first_parameter)?;
    check_values("filter on", &filter.parameters)?;
    Ok(filter)
}

/// The condition that a row of the source is the document of the chunk in parameter `number`.
fn is_document_of(corpus: &CorpusSpec, number: &str) -> String {
    let keys = corpus.tables.key_columns.iter().zip(&corpus.tables.chunk_key_columns);
    let same = keys.zip(&corpus.tables.key_operators).map(|((theirs, own), operator)| {
        let value = expand(KEY_OF_CHUNK, corpus, &[("column", &identifier(own)), ("number", number)]);
        format!("s.{} {operator} {value}", identifier(theirs))
    });
    same.collect::<Vec<_>>().join(" AND ")
}

/// The columns of a source that a filter may name. The source must be locked.
///
/// # Errors
/// Those of [`plan_cache::rows`].
pub fn columns(source: pg_sys::Oid) -> Result<Vec<FilterColumn>> {
    let text = |row: &plan_cache::Row, at: i32| row.get::<String>(at);
    let number = |row: &plan_cache::Row, at: i32| row.get::<pg_sys::Oid>(at).map_or(0, |oid| oid.to_u32());
    let column = |row: plan_cache::Row| FilterColumn {
        name: text(&row, 1).unwrap_or_default(),
        type_id: number(&row, 14),
        array_id: number(&row, 15),
        type_name: text(&row, 2).unwrap_or_default(),
        type_sql: text(&row, 3).unwrap_or_default(),
        kind: match text(&row, 4).as_deref() {
            Some("array") => ColumnKind::Array,
            Some("json") => ColumnKind::Json,
            _ => ColumnKind::Scalar,
        },
        category: text(&row, 5).and_then(|category| category.chars().next()).unwrap_or('U'),
        operators: Operators {
            equal: text(&row, 6),
            not_equal: text(&row, 7),
            less: text(&row, 8),
            less_or_equal: text(&row, 9),
            greater: text(&row, 10),
            greater_or_equal: text(&row, 11),
            like: text(&row, 12),
            ilike: text(&row, 13),
        },
    };
    // The source is locked: its current columns count, whatever the snapshot says.
    let mut columns = in_latest_catalog_snapshot(|| plan_cache::rows(FILTER_COLUMNS, &[source.into()], 0, column))?;
    // A value for such a column would be read by code of the owner of a domain. IS NULL still works.
    for column in columns.iter_mut().filter(|column| !value::is_read_without_checks(column.type_id.into())) {
        (column.kind, column.category, column.operators) = (ColumnKind::Scalar, 'U', Operators::default());
    }
    Ok(columns)
}

/// The seconds of an interval of a boost.
fn seconds(parameter: &Parameter) -> Result<f64> {
    check_boost(std::slice::from_ref(parameter))?;
    Ok(value::interval_seconds(&parameter.value))
}

fn check_boost(parameters: &[Parameter]) -> Result<()> {
    const HINT: &str =
        "\"origin\" is \"now\" or a value of the column, \"scale\" and \"offset\" are intervals such as \"30 days\".";
    check_values("boost on", parameters).map_err(|error| error.hint(HINT))
}

/// Has Postgres check the values now, so that an error names the column, and the `part` of the arguments.
///
/// # Errors
/// `InvalidArgument`.
pub fn check_values(part: &str, parameters: &[Parameter]) -> Result<()> {
    for parameter in parameters {
        let attempt = std::panic::AssertUnwindSafe(|| {
            value::read(&parameter.value, parameter.type_id.into());
            Ok(())
        });
        PgTryBuilder::new(attempt)
            .catch_others(|error| match error {
                // Data exceptions, checks of domains, and names of objects that do not exist, as for a regclass.
                pg_sys::panic::CaughtError::PostgresError(report)
                    if ["22", "23", "42"].contains(&&sqlstate_text(report.sql_error_code() as i32)[..2]) =>
                {
                    let message = format!("{part} column \"{}\": {}", parameter.column, report.message());
                    Err(Error::new(Kind::InvalidArgument, message))
                }
                other => other.rethrow(),
            })
            .execute()?;
    }
    Ok(())
}
