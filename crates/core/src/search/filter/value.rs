//! Values of a filter in the text form of PostgreSQL. Numbers keep all of their digits.

use super::column::{ColumnKind, FilterColumn};
use crate::corpus::array_literal;
use crate::{Error, Kind, Result};
use serde_json::value::RawValue;

/// A JSON value, parsed one level deep.
#[derive(Clone, Copy, Debug)]
pub(super) enum Json<'a> {
    Null,
    Boolean(&'a str),
    Number(&'a str),
    Text(&'a RawValue),
    List(&'a RawValue),
    Object(&'a RawValue),
}

impl<'a> Json<'a> {
    pub(super) fn of(value: &'a RawValue) -> Self {
        match value.get().as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b't' | b'f') => Self::Boolean(value.get()),
            Some(b'"') => Self::Text(value),
            Some(b'[') => Self::List(value),
            Some(b'{') => Self::Object(value),
            _ => Self::Number(value.get()),
        }
    }

    /// The type of the value with an article, for messages.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

/// The elements of a list; any other value counts as a list of one.
pub(super) fn elements(value: &RawValue) -> Result<Vec<&RawValue>> {
    match Json::of(value) {
        Json::List(list) => parse(list),
        _ => Ok(vec![value]),
    }
}

/// Parses one level of JSON.
pub(super) fn parse<'a, T: serde::Deserialize<'a>>(value: &'a RawValue) -> Result<T> {
    serde_json::from_str(value.get()).map_err(|error| invalid(&error))
}

/// The error for invalid JSON.
pub(super) fn invalid(error: &serde_json::Error) -> Error {
    Error::new(Kind::InvalidArgument, "filter is not valid JSON").detail(format!("{error}."))
}

/// One value for a column, or for an element of it.
///
/// # Errors
/// [`Kind::WrongColumnType`] if it is null, a list or an object, or a number or boolean where the type has neither;
/// whether a text has the form of the type is for Postgres to say.
pub(super) fn scalar(column: &FilterColumn, operator: &str, value: &RawValue) -> Result<String> {
    let json = Json::of(value);
    // Of a user-defined type (U) only its input function knows what it takes.
    match (json, column.category) {
        (Json::Text(text), _) => parse::<String>(text).and_then(|text| printable(column, text)),
        (Json::Boolean(text), 'B' | 'U') | (Json::Number(text), 'N' | 'U') => Ok(text.to_string()),
        (Json::Boolean(_) | Json::Number(_), _) => {
            Err(column.mismatch(operator, json.noun(), "Write the value in quotation marks, as SQL does."))
        }
        (Json::Null, _) => {
            Err(column.mismatch(operator, json.noun(), "Only \"=\", \"<>\" and \"in\" on a column can."))
        }
        (Json::List(_), _) => Err(column.mismatch(operator, json.noun(), "Lists go with \"in\".")),
        (Json::Object(_), _) => Err(column.mismatch(operator, json.noun(), "Objects are for columns of type jsonb.")),
    }
}

/// Several values as an array literal.
///
/// # Errors
/// As [`scalar`], for each.
pub(super) fn array(column: &FilterColumn, operator: &str, values: &[&RawValue]) -> Result<String> {
    let texts: Result<Vec<String>> = values.iter().map(|value| scalar(column, operator, value)).collect();
    Ok(array_literal(&texts?))
}

/// The operand of a comparison with a whole column.
///
/// # Errors
/// As [`scalar`]; an array needs a list.
pub(super) fn whole(column: &FilterColumn, operator: &str, value: &RawValue) -> Result<String> {
    match (column.kind, Json::of(value)) {
        (ColumnKind::Json, _) => Ok(value.get().to_string()),
        (ColumnKind::Scalar, _) => scalar(column, operator, value),
        (ColumnKind::Array, Json::List(_)) => array(column, operator, &elements(value)?),
        (ColumnKind::Array, json) => {
            Err(column.mismatch(operator, json.noun(), "Give a list, or use \"contains\" for one element."))
        }
    }
}

/// Rejects U+0000, which PostgreSQL text cannot contain.
fn printable(column: &FilterColumn, text: String) -> Result<String> {
    if text.contains('\0') {
        let message = format!("filter value of column \"{}\" contains the character U+0000", column.name);
        return Err(Error::new(Kind::InvalidArgument, message));
    }
    Ok(text)
}
