//! The columns that a filter may name, as `sql/search/filter_columns.sql` finds them.

use crate::{Error, Kind, Result, hint};

/// OID of json, which is compared as jsonb in a filter and has no operators of its own.
const JSON: u32 = 114;

/// How a column is compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ColumnKind {
    /// With one value.
    Scalar,
    /// With the elements of an array.
    Array,
    /// `json` and `jsonb`, with any JSON.
    Json,
}

/// The operators of a type as they stand in SQL, e.g. `OPERATOR(pg_catalog.<=)`. Types of extensions have their own,
/// and some types have none.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Operators {
    /// `=`
    pub equal: Option<String>,
    /// `<>`
    pub not_equal: Option<String>,
    /// `<`
    pub less: Option<String>,
    /// `<=`
    pub less_or_equal: Option<String>,
    /// `>`
    pub greater: Option<String>,
    /// `>=`
    pub greater_or_equal: Option<String>,
    /// `LIKE` with a pattern of type text, where the type has one of its own.
    pub like: Option<String>,
    /// `ILIKE` with a pattern of type text, where the type has one of its own.
    pub ilike: Option<String>,
}

/// A column of the source.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FilterColumn {
    /// Its name, not quoted.
    pub name: String,
    /// Its type for people, as `format_type` gives it.
    pub type_name: String,
    /// Its type for casts, quoted and qualified, without a length.
    pub type_sql: String,
    /// The OID of that type.
    pub type_id: u32,
    /// The OID of the type of its arrays.
    pub array_id: u32,
    /// How it is compared.
    pub kind: ColumnKind,
    /// `pg_type.typcategory` of its type, of the type of its elements for an array.
    pub category: char,
    /// The operators of its type.
    pub operators: Operators,
}

impl FilterColumn {
    /// The column `name`; `what` says in errors what names it.
    ///
    /// # Errors
    /// [`Kind::UnknownColumn`] if there is none.
    pub(in crate::search) fn find<'a>(columns: &'a [Self], name: &str, what: &str) -> Result<&'a Self> {
        columns.iter().find(|column| column.name == name).ok_or_else(|| {
            let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
            Error::new(Kind::UnknownColumn, format!("{what} column \"{name}\" does not exist")).hint(hint::for_name(
                name,
                &names,
                "Columns of the source are",
                "The source has no columns.",
            ))
        })
    }

    /// The qualified column in SQL.
    pub(in crate::search) fn of(&self, alias: &str) -> String {
        format!("{alias}.{}", quoted(&self.name))
    }

    /// The qualified column `name` in SQL, for results to be grouped by.
    ///
    /// # Errors
    /// [`Kind::UnknownColumn`]; [`Kind::WrongColumnType`] for a type whose values are not compared.
    pub fn to_group_by(columns: &[Self], name: &str, alias: &str) -> Result<String> {
        let column = Self::find(columns, name, "group_by")?;
        if column.operators.equal.is_none() || column.type_id == JSON {
            let message = format!("group_by is not possible on column \"{name}\"");
            return Err(Error::new(Kind::WrongColumnType, message)
                .detail(format!("The column has type {}.", column.type_name))
                .hint("Group by a column of another type; a generated column can cast this one."));
        }
        Ok(column.of(alias))
    }

    /// The error for an operand that the operator does not accept on this column.
    pub(super) fn mismatch(&self, operator: &str, value: &str, hint: &str) -> Error {
        let message = format!("filter \"{operator}\" on column \"{}\" cannot take {value}", self.name);
        Error::new(Kind::WrongColumnType, message)
            .detail(format!("The column has type {}.", self.type_name))
            .hint(hint.to_string())
    }

    /// The error for an operator that the type of the column does not have.
    pub(super) fn unsupported(&self, operator: &str) -> Error {
        let hint = match self.kind {
            ColumnKind::Scalar => "Compare a column of another type; a generated column can cast this one.",
            ColumnKind::Array => "Operators for arrays are \"contains\", \"overlaps\", \"=\" and \"<>\".",
            ColumnKind::Json => "The operators for JSON are \"contains\", \"=\" and \"<>\".",
        };
        let message = format!("filter \"{operator}\" is not possible on column \"{}\"", self.name);
        Error::new(Kind::WrongColumnType, message).detail(format!("The column has type {}.", self.type_name)).hint(hint)
    }
}

/// A quoted identifier.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
