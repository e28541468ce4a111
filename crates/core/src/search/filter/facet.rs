//! Facets: the columns by whose values, or ranges of values, documents are counted, as SQL.
//!
//! Columns are looked up and values checked as for a filter; no part of the arguments is copied into the SQL.

use super::column::{ColumnKind, FilterColumn};
use super::value::{Json, invalid, parse, scalar};
use super::{Parameter, column_name};
use crate::corpus::array_literal;
use crate::{Error, Kind, Result};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Maximum number of columns, those of ranges included.
pub const MAX_FACETS: usize = 100;

/// Maximum number of bounds of one column.
pub const MAX_BOUNDS: usize = 1_000;

/// A column by which documents are counted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Facet {
    /// Name of the column.
    pub column: String,
    /// SQL expression of the value.
    pub value: String,
    /// SQL that follows the source in a FROM clause, and that `value` refers to; may be empty.
    pub join: String,
    /// Bounds of ranges, as an array; `None` if each value is counted.
    pub bounds: Option<Bounds>,
}

/// The bounds of ranges.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bounds {
    /// SQL expression of the array.
    pub sql: String,
    /// Its value.
    pub parameter: Parameter,
}

/// The facets of the columns `names`, then those of `ranges`, a JSON object that has for each column a list of bounds.
/// `alias` is the source row as it stands in SQL, and `parameter` the number of the parameter of each facet.
///
/// # Errors
/// [`Kind::UnknownColumn`]; [`Kind::WrongColumnType`] for a column whose type has no equality or, for ranges, no order, and
/// for a bound that is no value of its type; [`Kind::InvalidArgument`] for ranges that are no such object, and for too
/// many.
pub fn facets(
    names: &[String],
    ranges: Option<&str>,
    columns: &[FilterColumn],
    alias: &str,
    parameter: usize,
) -> Result<Vec<Facet>> {
    let mut facets: Vec<Facet> = Vec::new();
    for name in names {
        let facet = of_values(FilterColumn::find(columns, name, "facet")?, alias)?;
        if !facets.contains(&facet) {
            facets.push(facet);
        }
    }
    if let Some(ranges) = ranges {
        let ranges: &RawValue = serde_json::from_str(ranges).map_err(|error| invalid(&error))?;
        let Json::Object(object) = Json::of(ranges) else {
            return Err(not_ranges(&format!("ranges must be an object, not {}", Json::of(ranges).noun())));
        };
        for (key, bounds) in parse::<BTreeMap<String, &RawValue>>(object)? {
            let column = FilterColumn::find(columns, &column_name(&key), "range")?;
            facets.push(of_ranges(column, bounds, alias, parameter)?);
        }
    }
    if facets.len() > MAX_FACETS {
        return Err(Error::new(Kind::InvalidArgument, format!("facets can have at most {MAX_FACETS} columns")));
    }
    Ok(facets)
}

/// The values of a column; of an array, each element once for a document.
fn of_values(column: &FilterColumn, alias: &str) -> Result<Facet> {
    if column.operators.equal.is_none() {
        return Err(unsupported(
            column,
            "facets",
            "Name a column of another type; a generated column can cast this one.",
        ));
    }
    let row = column.of(alias);
    let (value, join) = match column.kind {
        ColumnKind::Scalar => (row, String::new()),
        // json has no equality.
        ColumnKind::Json => (format!("({row})::pg_catalog.jsonb"), String::new()),
        // NULL, unlike an empty array, is a value.
        ColumnKind::Array => {
            let array = format!("coalesce({row}, pg_catalog.array_append({row}, NULL))");
            let elements = format!("SELECT DISTINCT u.element FROM pg_catalog.unnest({array}) AS u (element)");
            ("v.element".to_string(), format!(" CROSS JOIN LATERAL ({elements}) AS v"))
        }
    };
    Ok(Facet { column: column.name.clone(), value, join, bounds: None })
}

/// The ranges between bounds, in any order, of the values of a column.
fn of_ranges(column: &FilterColumn, bounds: &RawValue, alias: &str, parameter: usize) -> Result<Facet> {
    let name = &column.name;
    // Bounds of texts would be sorted by another collation than that of the column.
    if column.kind != ColumnKind::Scalar || column.operators.less.is_none() || column.category == 'S' {
        return Err(unsupported(
            column,
            "ranges",
            "Ranges are for columns of numbers, dates, times, and of other types with an order that are no texts.",
        ));
    }
    let Json::List(list) = Json::of(bounds) else {
        return Err(not_ranges(&format!(
            "ranges of column \"{name}\" must be a list, not {}",
            Json::of(bounds).noun()
        )));
    };
    let bounds = parse::<Vec<&RawValue>>(list)?;
    if !(1..=MAX_BOUNDS).contains(&bounds.len()) {
        return Err(not_ranges(&format!("ranges of column \"{name}\" must have 1 to {MAX_BOUNDS} bounds")));
    }
    let text = |bound: &&RawValue| match Json::of(bound) {
        other @ (Json::Null | Json::List(_) | Json::Object(_)) => {
            Err(not_ranges(&format!("a bound of column \"{name}\" must be a value, not {}", other.noun())))
        }
        other => scalar(column, "", bound).map_err(|error| {
            let message = format!("a bound of column \"{name}\" cannot be {}", other.noun());
            Error { message, ..error }
        }),
    };
    let value = array_literal(&bounds.iter().map(text).collect::<Result<Vec<String>>>()?);
    let sql = format!("${parameter}");
    let parameter = Parameter { column: name.clone(), type_id: column.array_id, value };
    let bounds = Some(Bounds { sql, parameter });
    Ok(Facet { column: name.clone(), value: column.of(alias), join: String::new(), bounds })
}

fn not_ranges(message: &str) -> Error {
    Error::new(Kind::InvalidArgument, message)
        .hint("Ranges look like {\"year\": [2000, 2010, 2020]}: up to, between and from these bounds.")
}

fn unsupported(column: &FilterColumn, what: &str, hint: &str) -> Error {
    Error::new(Kind::WrongColumnType, format!("{what} are not possible on column \"{}\"", column.name))
        .detail(format!("The column has type {}.", column.type_name))
        .hint(hint)
}
