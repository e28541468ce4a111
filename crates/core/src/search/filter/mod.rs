//! The filter language: conditions on columns of the source as JSON, compiled to SQL with parameters.
//!
//! ```json
//! {"lang": "fr", "year": {">=": 2020, "<": 2024}, "or": [{"tags": {"contains": "dba"}}, {"not": {"draft": true}}]}
//! ```
//!
//! - An object is a conjunction: each key is a column, or `and`, `or` (with a list of objects) or `not` (with an object). A
//!   column of such a name is written in quotation marks as in SQL: `{"\"or\"": 5}`; any column may be.
//! - `{"lang": "fr"}` is short for `{"lang": {"=": "fr"}}` and `{"lang": ["fr", "de"]}` for `{"lang": {"in": ["fr", "de"]}}`.
//! - Operators are `=`, `<>` (or `!=`), `<`, `<=`, `>`, `>=`, `in`, and for text `like` and `ilike`; for arrays and JSON
//!   `contains`; for arrays `overlaps`. Several in one object all have to hold.
//! - `{"deleted_at": null}` holds where the column is NULL, `{"deleted_at": {"<>": null}}` where it is not; `in` may list
//!   null. Else NULL is as in SQL: neither a comparison with it nor the `not` of one holds.
//! - `{}` and `{"and": []}` hold always, `{"or": []}` and `{"lang": []}` never.
//!
//! No part of a filter is copied into the SQL: values are parameters, names and operators come from the catalog.

mod column;
mod facet;
#[cfg(test)]
mod tests;
mod value;

pub use column::{ColumnKind, FilterColumn, Operators};
pub use facet::{Bounds, Facet, MAX_BOUNDS, MAX_FACETS, facets};

use crate::{Error, Kind, Result};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use value::{Json, array, elements, invalid, parse, scalar, whole};

/// Maximum nesting of `and`, `or` and `not`, including the outermost object.
pub const MAX_DEPTH: usize = 32;

/// Maximum number of comparisons of a filter.
pub const MAX_CONDITIONS: usize = 1_000;

/// First OID of types that are not built in (`FirstNormalObjectId` of PostgreSQL).
pub(crate) const FIRST_USER_OID: u32 = 16_384;

/// PostgreSQL types: qualified name and OID.
const TEXT: (&str, u32) = ("pg_catalog.text", 25);
const JSONB: (&str, u32) = ("pg_catalog.jsonb", 3802);

/// The operators, for hints.
const OPERATORS: &str =
    "\"=\", \"<>\", \"<\", \"<=\", \">\", \">=\", \"in\", \"like\", \"ilike\", \"contains\", \"overlaps\"";

/// A filter in SQL.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Condition {
    /// A boolean expression, in parentheses where it needs them.
    pub sql: String,
    /// The values for `$n` and on, in this order, each of its own type.
    pub parameters: Vec<Parameter>,
}

/// A value of a filter. It is converted by the input function of its type, whose errors should name the column, and not
/// by a cast from text, which may be user-defined.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Parameter {
    /// Name of the column that it is compared with.
    pub column: String,
    /// The OID of its type.
    pub type_id: u32,
    /// Its text form.
    pub value: String,
}

/// Compiles the JSON text `filter` to SQL. `columns` are those of the source, `alias` is the source row as it stands in
/// SQL, and the parameters are numbered from `first_parameter`.
///
/// # Errors
/// [`Kind::InvalidArgument`] for what is not a filter and for one that is too deep or too long;
/// [`Kind::UnknownColumn`]; [`Kind::WrongColumnType`] for an operator or a value that the type of the column does not
/// have.
pub fn compile(filter: &str, columns: &[FilterColumn], alias: &str, first_parameter: usize) -> Result<Condition> {
    let filter: &RawValue = serde_json::from_str(filter).map_err(|error| invalid(&error))?;
    let mut compiler = Compiler { columns, alias, first_parameter, parameters: Vec::new(), conditions: 0 };
    let sql = compiler.object(filter, 1)?;
    Ok(Condition { sql, parameters: compiler.parameters })
}

struct Compiler<'a> {
    columns: &'a [FilterColumn],
    alias: &'a str,
    first_parameter: usize,
    parameters: Vec<Parameter>,
    conditions: usize,
}

impl Compiler<'_> {
    fn object(&mut self, value: &RawValue, depth: usize) -> Result<String> {
        if depth > MAX_DEPTH {
            return Err(Error::new(Kind::InvalidArgument, format!("filter is nested deeper than {MAX_DEPTH} levels")));
        }
        let Json::Object(object) = Json::of(value) else {
            let message = format!("filter must be an object, not {}", Json::of(value).noun());
            return Err(Error::new(Kind::InvalidArgument, message)
                .hint("A filter looks like {\"lang\": \"fr\", \"year\": {\">=\": 2020}}."));
        };
        let mut parts = Vec::new();
        for (key, value) in parse::<BTreeMap<String, &RawValue>>(object)? {
            parts.push(match key.as_str() {
                "and" | "or" => self.list(&key, value, depth)?,
                "not" => format!("(NOT {})", self.object(value, depth + 1)?),
                name => self.column(&column_name(name), value)?,
            });
        }
        Ok(join(parts, "AND"))
    }

    fn list(&mut self, word: &str, value: &RawValue, depth: usize) -> Result<String> {
        let Json::List(list) = Json::of(value) else {
            let message = format!("filter \"{word}\" must have a list of objects, not {}", Json::of(value).noun());
            return Err(Error::new(Kind::InvalidArgument, message)
                .hint(format!("A column of that name is written in quotation marks: {{\"\\\"{word}\\\"\": …}}.")));
        };
        let parts: Result<Vec<String>> =
            parse::<Vec<&RawValue>>(list)?.into_iter().map(|value| self.object(value, depth + 1)).collect();
        Ok(join(parts?, if word == "or" { "OR" } else { "AND" }))
    }

    fn column(&mut self, name: &str, value: &RawValue) -> Result<String> {
        let column = FilterColumn::find(self.columns, name, "filter")?;
        match Json::of(value) {
            Json::Object(object) => {
                let comparisons = parse::<BTreeMap<String, &RawValue>>(object)?;
                if comparisons.is_empty() {
                    let message = format!("filter on column \"{name}\" has no operator");
                    return Err(
                        Error::new(Kind::InvalidArgument, message).hint(format!("The operators are {OPERATORS}."))
                    );
                }
                let parts: Result<Vec<String>> = comparisons
                    .into_iter()
                    .map(|(operator, value)| self.comparison(column, &operator, value))
                    .collect();
                Ok(join(parts?, "AND"))
            }
            Json::List(_) if column.kind == ColumnKind::Scalar => self.comparison(column, "in", value),
            Json::List(_) => Err(column.mismatch(
                "in",
                "a list",
                "Say what is meant: {\"contains\": […]}, {\"=\": […]} or, for arrays, {\"overlaps\": […]}.",
            )),
            _ => self.comparison(column, "=", value),
        }
    }

    fn comparison(&mut self, column: &FilterColumn, operator: &str, value: &RawValue) -> Result<String> {
        self.conditions += 1;
        if self.conditions > MAX_CONDITIONS {
            let message = format!("filter has more than {MAX_CONDITIONS} conditions");
            return Err(Error::new(Kind::InvalidArgument, message).hint("A list of values is one condition: \"in\"."));
        }
        let row = column.of(self.alias);
        let null = matches!(Json::of(value), Json::Null);
        let known = &column.operators;
        match operator {
            "=" if null => Ok(format!("({row} IS NULL)")),
            "<>" | "!=" if null => Ok(format!("({row} IS NOT NULL)")),
            "=" => self.compare(column, operator, known.equal.as_ref(), value),
            "<>" | "!=" => self.compare(column, operator, known.not_equal.as_ref(), value),
            "<" => self.order(column, operator, known.less.as_ref(), value),
            "<=" => self.order(column, operator, known.less_or_equal.as_ref(), value),
            ">" => self.order(column, operator, known.greater.as_ref(), value),
            ">=" => self.order(column, operator, known.greater_or_equal.as_ref(), value),
            "in" => self.one_of(column, value),
            "like" => self.like(column, operator, ("~~", known.like.as_ref()), value),
            "ilike" => self.like(column, operator, ("~~*", known.ilike.as_ref()), value),
            "contains" => self.contains(column, value),
            "overlaps" if column.kind == ColumnKind::Array => {
                let elements = array(column, operator, &elements(value)?)?;
                let parameter = self.bind(column, (&column.type_sql, column.type_id), elements);
                Ok(format!("({row} OPERATOR(pg_catalog.&&) {parameter})"))
            }
            "overlaps" => Err(column.unsupported(operator)),
            _ => {
                let message = format!("filter operator \"{operator}\" on column \"{}\" does not exist", column.name);
                Err(Error::new(Kind::InvalidArgument, message).hint(format!("The operators are {OPERATORS}.")))
            }
        }
    }

    fn compare(
        &mut self,
        column: &FilterColumn,
        operator: &str,
        sql: Option<&String>,
        value: &RawValue,
    ) -> Result<String> {
        let sql = sql.ok_or_else(|| column.unsupported(operator))?;
        let value = whole(column, operator, value)?;
        if column.kind == ColumnKind::Json {
            return Ok(self.jsonb(column, sql, value));
        }
        let parameter = self.bind(column, (&column.type_sql, column.type_id), value);
        Ok(format!("({} {sql} {parameter})", column.of(self.alias)))
    }

    /// Ordering comparison. Arrays and JSON are excluded, because their order is rarely intended.
    fn order(
        &mut self,
        column: &FilterColumn,
        operator: &str,
        sql: Option<&String>,
        value: &RawValue,
    ) -> Result<String> {
        if column.kind != ColumnKind::Scalar {
            return Err(column.unsupported(operator));
        }
        self.compare(column, operator, sql, value)
    }

    fn one_of(&mut self, column: &FilterColumn, value: &RawValue) -> Result<String> {
        if column.kind != ColumnKind::Scalar {
            return Err(column.unsupported("in"));
        }
        let Json::List(_) = Json::of(value) else {
            return Err(column.mismatch("in", Json::of(value).noun(), "Give a list, or use \"=\" for one value."));
        };
        let equal = column.operators.equal.as_ref().ok_or_else(|| column.unsupported("in"))?;
        let (nulls, values): (Vec<&RawValue>, Vec<&RawValue>) =
            elements(value)?.into_iter().partition(|value| matches!(Json::of(value), Json::Null));
        let values = array(column, "in", &values)?;
        let row = column.of(self.alias);
        let parameter = self.bind(column, (&format!("{}[]", column.type_sql), column.array_id), values);
        let null = if nulls.is_empty() { String::new() } else { format!(" OR {row} IS NULL") };
        Ok(format!("({row} {equal} ANY ({parameter}){null})"))
    }

    /// By the operator of the type, as `citext` has one that is blind to case; else as text, since types of extensions
    /// that are like text need not have these operators.
    fn like(
        &mut self,
        column: &FilterColumn,
        operator: &str,
        (of_text, own): (&str, Option<&String>),
        value: &RawValue,
    ) -> Result<String> {
        if column.kind != ColumnKind::Scalar || column.category != 'S' {
            return Err(column.unsupported(operator));
        }
        let pattern = scalar(column, operator, value)?;
        // Postgres says so only when it gets that far in a row.
        if pattern.chars().rev().take_while(|sign| *sign == '\\').count() % 2 == 1 {
            let message =
                format!("filter on column \"{}\": pattern must not end with an escape character", column.name);
            return Err(Error::new(Kind::InvalidArgument, message));
        }
        let parameter = self.bind(column, TEXT, pattern);
        let row = column.of(self.alias);
        Ok(match own {
            Some(own) => format!("({row} {own} {parameter})"),
            None => format!("(({row})::pg_catalog.text OPERATOR(pg_catalog.{of_text}) {parameter})"),
        })
    }

    fn contains(&mut self, column: &FilterColumn, value: &RawValue) -> Result<String> {
        match column.kind {
            ColumnKind::Array => {
                let elements = array(column, "contains", &elements(value)?)?;
                let parameter = self.bind(column, (&column.type_sql, column.type_id), elements);
                Ok(format!("({} OPERATOR(pg_catalog.@>) {parameter})", column.of(self.alias)))
            }
            ColumnKind::Json => Ok(self.jsonb(column, "OPERATOR(pg_catalog.@>)", value.get().to_string())),
            ColumnKind::Scalar => Err(column.unsupported("contains")),
        }
    }

    /// A comparison as `jsonb`, because `json` has no operators.
    fn jsonb(&mut self, column: &FilterColumn, sql: &str, value: String) -> String {
        let parameter = self.bind(column, JSONB, value);
        format!("(({})::pg_catalog.jsonb {sql} {parameter})", column.of(self.alias))
    }

    /// Adds a parameter of a type, given by name and OID, and returns it as it stands in SQL. The parameter is of the type
    /// without a cast, too: the name of a type that is not built in may by now be that of another, with checks.
    fn bind(&mut self, column: &FilterColumn, (type_sql, type_id): (&str, u32), value: String) -> String {
        let number = self.first_parameter + self.parameters.len();
        self.parameters.push(Parameter { column: column.name.clone(), type_id, value });
        if type_id < FIRST_USER_OID { format!("(${number})::{type_sql}") } else { format!("${number}") }
    }
}

/// A key as the name of a column: as it stands, or in quotation marks as in SQL.
fn column_name(key: &str) -> String {
    match key.strip_prefix('"').and_then(|key| key.strip_suffix('"')) {
        Some(name) if !name.is_empty() => name.replace("\"\"", "\""),
        _ => key.to_string(),
    }
}

fn join(mut parts: Vec<String>, word: &str) -> String {
    match parts.len() {
        0 => if word == "OR" { "FALSE" } else { "TRUE" }.to_string(),
        1 => parts.remove(0),
        _ => format!("({})", parts.join(&format!(" {word} "))),
    }
}
