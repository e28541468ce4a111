//! Which documents are to be erased: by their keys, or by a filter over the source as that of a search.

use crate::catalog::CorpusSpec;
use crate::catalog::privileges::as_reader;
use crate::catalog::sql_template::{expand, identifier};
use crate::pg::jsonb_key::Key;
use crate::pg::{plan_cache, value};
use crate::search::similar::key_parameters;
use crate::search::{source_columns, source_key};
use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use pgrx::pg_sys;
use serde_json::json;
use serde_json::value::RawValue;
use socle_core::{Error, Kind, Result};
use std::str::FromStr;

const KEYS: &str = include_str!("../../sql/erasure/keys.sql");

/// How keys of a corpus are compared, whoever has written them: a time under another time zone, or a number with other zeros
/// behind the point, is the same key.
#[derive(Debug)]
pub struct KeyForm {
    columns: Vec<String>,
    types: Vec<pg_sys::Oid>,
}

impl KeyForm {
    /// That of the source of a corpus.
    pub fn of(corpus: &CorpusSpec) -> Self {
        Self { columns: corpus.tables.key_columns.clone(), types: source_key::types(corpus) }
    }

    /// A text that is the same for all ways to write a key.
    pub fn canonical(&self, key: &Key) -> String {
        let Some(values) = source_key::values(key, &self.columns, &self.types) else {
            return value::canonical(&key.0).0;
        };
        let values = values.into_iter().zip(&self.types).map(|(text, key_type)| match *key_type {
            pg_sys::TIMESTAMPTZOID => {
                TimestampWithTimeZone::from_str(&text).map_or(text, |time| pg_sys::TimestampTz::from(time).to_string())
            }
            pg_sys::NUMERICOID if text.contains('.') && !text.contains(['e', 'E']) => {
                text.trim_end_matches('0').trim_end_matches('.').to_string()
            }
            _ => text,
        });
        json!(values.collect::<Vec<_>>()).to_string()
    }
}

/// Most documents of one call.
const MAX_DOCUMENTS: usize = 10_000;

/// A document to be erased.
#[derive(Debug)]
pub struct Target {
    /// Its key, as `source_key` of a search.
    pub key: Key,
}

impl Target {
    /// The values of its key, as parameters from `$1` on.
    ///
    /// # Errors
    /// Those of [`key_parameters`].
    pub fn parameters(&self, corpus: &CorpusSpec) -> Result<Vec<DatumWithOid<'static>>> {
        key_parameters(corpus, &self.key.0)
    }
}

/// The condition that a row of a table of the corpus, with alias `k`, has the key in the parameters from `$1` on.
pub fn is_it(corpus: &CorpusSpec) -> String {
    let same = corpus.tables.chunk_key_columns.iter().zip(&corpus.tables.key_operators).enumerate();
    let same = same.map(|(at, (column, operator))| format!("k.{} {operator} ${}", identifier(column), at + 1));
    same.collect::<Vec<_>>().join(" AND ")
}

/// The documents that a call of `socle.forget` names.
///
/// # Errors
/// `InvalidArgument` unless one of `source_key` and `filter` is given, for what is no key, and for a filter without a
/// condition; `InputTooLong` for more than [`MAX_DOCUMENTS`]; those of filters.
pub fn documents(corpus: &CorpusSpec, source_key: Option<String>, filter: Option<String>) -> Result<Vec<Target>> {
    let keys = match (source_key, filter) {
        (Some(keys), None) => written(corpus, &keys)?,
        (None, Some(filter)) => filtered(corpus, &filter)?,
        _ => {
            return Err(Error::new(Kind::InvalidArgument, "one of source_key and filter must be given")
                .hint("source_key is an object such as {\"id\": 3}, or an array of such objects."));
        }
    };
    if keys.len() > MAX_DOCUMENTS {
        return Err(Error::new(
            Kind::InputTooLong,
            format!("socle.forget() erases at most {MAX_DOCUMENTS} documents at once"),
        )
        .hint("Call it several times: what is cleared away afterwards is done for all calls together."));
    }
    Ok(keys.into_iter().map(|key| Target { key }).collect())
}

/// The keys that are written out, each once and as the source writes them.
fn written(corpus: &CorpusSpec, keys: &str) -> Result<Vec<Key>> {
    let one: Vec<&RawValue> = match serde_json::from_str(keys) {
        Ok(several) => several,
        Err(_) => serde_json::from_str(keys).map(|one| vec![one]).unwrap_or_default(),
    };
    let columns = &corpus.tables.key_columns;
    let types = source_key::types(corpus);
    let mut found: Vec<Key> = Vec::new();
    for key in one {
        // Refuses what is no key, by name.
        key_parameters(corpus, key.get())?;
        let values = source_key::values(&Key(key.get().to_string()), columns, &types).unwrap_or_default();
        let values = values.iter().zip(&types).map(|(text, key_type)| Some(value::json_of(text, *key_type)));
        let key = value::key(columns, values);
        if !found.contains(&key) {
            found.push(key);
        }
    }
    if found.is_empty() {
        return Err(Error::new(Kind::InvalidArgument, "source_key must be an object or an array of objects")
            .hint("Write them as socle.search does in its column source_key."));
    }
    Ok(found)
}

fn filtered(corpus: &CorpusSpec, filter: &str) -> Result<Vec<Key>> {
    let condition = source_columns::condition(corpus, filter, 1)?;
    // An empty filter, or one of empty ones, names no column of the source.
    if !condition.sql.contains("s.") {
        return Err(Error::new(Kind::InvalidArgument, "filter must have a condition")
            .hint("To erase everything, drop the corpus with socle.drop_corpus()."));
    }
    let limit = (MAX_DOCUMENTS + 1).to_string();
    let sql = expand(KEYS, corpus, &[("condition", &condition.sql), ("limit", &limit)]);
    let parameters: Vec<DatumWithOid<'_>> = condition
        .parameters
        .iter()
        .map(|parameter| value::parameter(&parameter.value, parameter.type_id.into()))
        .collect();
    as_reader(corpus, || plan_cache::rows(&sql, &parameters, 0, |row| row.key(1, &corpus.tables.key_columns)))
}
