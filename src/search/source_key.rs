//! The key of a document as a caller writes it: a JSON object of the key columns, whose values are read by the input
//! functions of their types. Refuses types whose input would run checks of domains.

use crate::catalog::CorpusSpec;
use crate::catalog::privileges::as_reader;
use crate::catalog::sql_template::{expand, identifier};
use crate::pg::jsonb_key::Key;
use crate::pg::{plan_cache, value};
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use serde_json::value::RawValue;
use socle_core::Result;
use std::collections::HashMap;

/// The types of the key columns of the source, without domains.
pub fn types(corpus: &CorpusSpec) -> Vec<pg_sys::Oid> {
    let source = pg_sys::Oid::from(corpus.tables.source.unwrap_or_default());
    let key_type = |column: &String| value::column_type(source, column).map_or(pg_sys::TEXTOID, value::base_type);
    corpus.tables.key_columns.iter().map(key_type).collect()
}

/// Whether values of these types can be read.
pub fn are_read_without_checks(types: &[pg_sys::Oid]) -> bool {
    types.iter().all(|key_type| value::is_read_without_checks(*key_type))
}

/// The values of the key columns of these types, as texts that their input functions take, in a key that is JSON.
pub fn values(key: &Key, columns: &[String], types: &[pg_sys::Oid]) -> Option<Vec<String>> {
    let object: HashMap<String, &RawValue> = serde_json::from_str(&key.0).ok()?;
    let value = |(column, key_type): (&String, &pg_sys::Oid)| {
        let value = object.get(column)?.get();
        let is_text = value.starts_with('"') && *key_type != pg_sys::JSONBOID;
        if is_text { serde_json::from_str(value).ok() } else { Some(value.to_string()) }
    };
    columns.iter().zip(types).map(value).collect()
}

/// The condition that a row of the source has the key in the parameters from `$1` on.
pub fn condition(corpus: &CorpusSpec) -> String {
    let same = corpus.tables.key_columns.iter().zip(&corpus.tables.key_operators).enumerate();
    let same = same.map(|(at, (column, operator))| format!("s.{} {operator} ${}", identifier(column), at + 1));
    same.collect::<Vec<_>>().join(" AND ")
}

/// The values of a key as parameters of a statement; raises the errors of input functions.
pub fn parameters(types: &[pg_sys::Oid], values: &[String]) -> Vec<DatumWithOid<'static>> {
    types.iter().zip(values).map(|(key_type, text)| value::parameter(text, *key_type)).collect()
}

/// The key of the document with these values, as the source writes it, if the caller may read it.
///
/// # Errors
/// Those of [`plan_cache::rows`].
pub fn in_source(corpus: &CorpusSpec, types: &[pg_sys::Oid], values: &[String]) -> Result<Option<Key>> {
    if !are_read_without_checks(types) {
        return Ok(None);
    }
    let sql = expand("SELECT {keys s} FROM {source} s WHERE {same}", corpus, &[("same", &condition(corpus))]);
    let parameters = parameters(types, values);
    let found =
        as_reader(corpus, || plan_cache::rows(&sql, &parameters, 1, |row| row.key(1, &corpus.tables.key_columns)))?;
    Ok(found.into_iter().next())
}
