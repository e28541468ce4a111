//! The chunks of a corpus as its caller may read them, some at a time, in the snapshot of the calling statement: with the
//! source, so that a chunk whose row is gone or hidden is not among them, and without those whose documents have changed
//! since.

use crate::catalog::sql_template::expand;
use crate::catalog::{CorpusSpec, privileges};
use crate::pg::jsonb_key::Key;
use crate::pg::{gucs, plan_cache};
use crate::search::scope::{freshness, stale_chunks};
use crate::search::why_not_captured;
use socle_core::corpus::archive::{ArchivedChunk, KeyKind, KeyValue};
use socle_core::{Error, Kind, Result};

const CHUNKS: &str = include_str!("../../sql/archive/chunks.sql");

/// Chunks that are read at a time: a megabyte or a few, as chunks fit into the window of a model.
const LIMIT: i64 = 200;

/// Column of the first key column in [`CHUNKS`].
const FIRST_KEY: i32 = 13;

/// How keys are read.
#[derive(Clone, Copy, Debug)]
pub enum KeyForm<'a> {
    /// As values of the columns of a file, as the chunk table has them.
    Columns(&'a [KeyKind]),
    /// As JSON, as the source has them now.
    Json,
}

/// A chunk, and its key as JSON if that was asked for.
pub type KeyedChunk = (ArchivedChunk, Option<Key>);

/// Where reading has arrived.
#[derive(Clone, Copy, Debug, Default)]
pub struct Position {
    after: i64,
    /// Number of chunks that were left out because their documents have changed or are gone.
    pub left_out: u64,
    /// Whether all have been read.
    pub at_end: bool,
}

/// Why what is read of a corpus is not all that its source has; empty if it is.
///
/// # Errors
/// `NotInState`, unless `incomplete` chunks were asked for.
pub fn check_complete(corpus: &CorpusSpec, incomplete: bool) -> Result<Vec<String>> {
    let mut reasons = Vec::new();
    let reason = corpus.progress.state_reason.as_deref().unwrap_or("its tables have to be checked");
    match corpus.progress.state.as_str() {
        "broken" => reasons.push(format!("the corpus is broken: {reason}")),
        _ => reasons.extend(why_not_captured(corpus)?),
    }
    if freshness(corpus)?.1 {
        reasons.push("changes of its source are pending or have failed".to_string());
    }
    if reasons.is_empty() || incomplete {
        return Ok(reasons);
    }
    let name = &corpus.name;
    Err(Error::new(Kind::NotInState, format!("corpus \"{name}\" is not complete"))
        .detail(format!("Of it, {}.", reasons.join("; ")))
        .hint("See socle.corpus_status and CALL socle.sync_corpus(), or pass incomplete => true: then the chunks of documents that have changed are left out."))
}

/// The next chunks; none at the end, and where all of them are left out.
///
/// # Errors
/// Those of [`plan_cache::rows`].
pub fn next(
    corpus: &CorpusSpec,
    keys: KeyForm<'_>,
    token_vectors: bool,
    position: &mut Position,
) -> Result<Vec<KeyedChunk>> {
    let form = if matches!(keys, KeyForm::Json) { "{keys s}" } else { "{keys k}" };
    let limit = LIMIT.to_string();
    let extra = [
        ("archived_keys", expand(form, corpus, &[])),
        ("token_vectors", if token_vectors { "k.token_vectors" } else { "NULL::bytea" }.to_string()),
        ("token_vectors_column", if token_vectors { ", c.token_vectors" } else { "" }.to_string()),
        ("limit", limit),
    ];
    let extra = extra.each_ref().map(|(name, sql)| (*name, sql.as_str()));
    let sql = expand(CHUNKS, corpus, &extra);
    let parameters = [position.after.into()];
    let found = privileges::as_reader(corpus, || {
        gucs::with_gucs(&gucs::RENDERING, || {
            plan_cache::rows(&sql, &parameters, 0, |row| {
                let is_there = row.get::<bool>(2) == Some(true);
                (row.get::<i64>(1).unwrap_or_default(), is_there.then(|| chunk(corpus, row, keys)))
            })
        })
    })?;
    position.at_end = (found.len() as i64) < LIMIT;
    position.after = found.last().map_or(position.after, |(number, _)| *number);
    let there = found.iter().filter(|(_, chunk)| chunk.is_some()).map(|(number, _)| *number).collect();
    let stale = stale_chunks(corpus, freshness(corpus)?.1, there)?;
    let all = found.len();
    let kept: Vec<KeyedChunk> = found
        .into_iter()
        .filter(|(number, _)| !stale.waiting.contains(number) && !stale.gone.contains(number))
        .filter_map(|(_, chunk)| chunk)
        .collect::<Result<_>>()?;
    position.left_out += (all - kept.len()) as u64;
    Ok(kept)
}

fn chunk(corpus: &CorpusSpec, row: plan_cache::Row, keys: KeyForm<'_>) -> Result<KeyedChunk> {
    let number = |column| row.get::<i32>(column).unwrap_or_default();
    let key = match keys {
        KeyForm::Json => Vec::new(),
        KeyForm::Columns(kinds) => {
            (FIRST_KEY..).zip(kinds).map(|(column, kind)| value(row, column, *kind)).collect::<Result<_>>()?
        }
    };
    let json = matches!(keys, KeyForm::Json).then(|| row.key(FIRST_KEY, &corpus.tables.key_columns));
    let chunk = ArchivedChunk {
        key,
        ordinal: number(3),
        content: row.get(4).unwrap_or_default(),
        heading_path: row.get(5).unwrap_or_default(),
        page: row.get(6),
        start_offset: number(7),
        end_offset: number(8),
        token_count: number(9),
        content_hash: row.get(10).unwrap_or_default(),
        embedding: row.vector(11),
        token_vectors: row.get(12),
    };
    if chunk.embedding.len() == corpus.options.dimensions as usize {
        return Ok((chunk, json));
    }
    Err(Error::new(Kind::NotInState, format!("a chunk of corpus \"{}\" has no vector of its model", corpus.name))
        .hint("See socle.verify_corpus()."))
}

fn value(row: plan_cache::Row, column: i32, kind: KeyKind) -> Result<KeyValue> {
    let text = row.text(column).unwrap_or_default();
    if kind == KeyKind::Text {
        return Ok(KeyValue::Text(text));
    }
    let number = text.parse().map_err(|_| Error::new(Kind::Bug, "a number of a key is not one"));
    number.map(KeyValue::Integer)
}
