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

/// Chunks of which only the identity is read, at a time.
const IDENTITIES: i64 = 5_000;

/// Column of the first key column in [`CHUNKS`].
const FIRST_KEY: i32 = 14;

/// How keys are read.
#[derive(Clone, Copy, Debug)]
pub enum KeyForm<'a> {
    /// As values of the columns of a file, as the chunk table has them.
    Columns(&'a [KeyKind]),
    /// As JSON, as the source has them now.
    Json,
}

/// A chunk.
#[derive(Clone, Debug)]
pub struct KeyedChunk {
    /// Its number in the chunk table.
    pub number: i64,
    /// What is exported of it.
    pub chunk: ArchivedChunk,
    /// Its key as JSON if that was asked for.
    pub key: Option<Key>,
    /// What its text was extracted from a file with, if that is known and the caller may read it.
    pub extractor: Option<String>,
}

/// What of chunks is read, besides what identifies them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Columns {
    /// Texts and vectors.
    Content,
    /// These, and token vectors.
    ContentAndTokens,
    /// Nothing, which is much faster.
    Nothing,
}

impl Columns {
    fn sql(self) -> &'static str {
        match self {
            Self::Content => "c.content, c.heading_path, c.embedding, NULL::bytea AS token_vectors",
            Self::ContentAndTokens => "c.content, c.heading_path, c.embedding, c.token_vectors",
            Self::Nothing => {
                "''::text AS content, '{}'::text[] AS heading_path, NULL::bytea AS embedding, NULL::bytea AS token_vectors"
            }
        }
    }

    fn limit(self) -> i64 {
        if self == Self::Nothing { IDENTITIES } else { LIMIT }
    }
}

/// Where reading has arrived.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    after: i64,
    last: i64,
    /// Number of chunks that were left out because their documents have changed or are gone.
    pub left_out: u64,
    /// Whether all have been read.
    pub at_end: bool,
}

impl Position {
    /// After chunk number `after`, to read up to number `last`.
    pub fn between(after: i64, last: i64) -> Self {
        Self { after, last, left_out: 0, at_end: false }
    }
}

impl Default for Position {
    fn default() -> Self {
        // Chunks are numbered from 1.
        Self::between(0, i64::MAX)
    }
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
    columns: Columns,
    position: &mut Position,
) -> Result<Vec<KeyedChunk>> {
    let form = if matches!(keys, KeyForm::Json) { "{keys s}" } else { "{keys k}" };
    let extractor = if privileges::may_read_extractor(corpus) { "c.extractor" } else { "NULL::text AS extractor" };
    let extra = [
        ("extractor", extractor.to_string()),
        ("archived_keys", expand(form, corpus, &[])),
        ("columns", columns.sql().to_string()),
        ("limit", columns.limit().to_string()),
    ];
    let extra = extra.each_ref().map(|(name, sql)| (*name, sql.as_str()));
    let sql = expand(CHUNKS, corpus, &extra);
    let parameters = [position.after.into()];
    let mut found = privileges::as_reader(corpus, || {
        gucs::with_gucs(&gucs::RENDERING, || {
            plan_cache::rows(&sql, &parameters, 0, |row| {
                let is_there = row.get::<bool>(2) == Some(true);
                let number = row.get::<i64>(1).unwrap_or_default();
                (number, is_there.then(|| chunk(corpus, row, number, keys, columns)))
            })
        })
    })?;
    let is_last = (found.len() as i64) < columns.limit();
    // Not a condition of the statement: with a range, the planner expects a few rows and sorts all of them.
    found.retain(|(number, _)| *number <= position.last);
    position.at_end = is_last || found.last().is_none_or(|(number, _)| *number >= position.last);
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

fn chunk(
    corpus: &CorpusSpec,
    row: plan_cache::Row,
    number: i64,
    keys: KeyForm<'_>,
    columns: Columns,
) -> Result<KeyedChunk> {
    let integer = |column| row.get::<i32>(column).unwrap_or_default();
    let key = match keys {
        KeyForm::Json => Vec::new(),
        KeyForm::Columns(kinds) => {
            (FIRST_KEY..).zip(kinds).map(|(column, kind)| value(row, column, *kind)).collect::<Result<_>>()?
        }
    };
    let json = matches!(keys, KeyForm::Json).then(|| row.key(FIRST_KEY, &corpus.tables.key_columns));
    let chunk = ArchivedChunk {
        key,
        ordinal: integer(3),
        page: row.get(4),
        start_offset: integer(5),
        end_offset: integer(6),
        token_count: integer(7),
        content_hash: row.get(8).unwrap_or_default(),
        content: row.get(9).unwrap_or_default(),
        heading_path: row.get(10).unwrap_or_default(),
        embedding: if columns == Columns::Nothing { Vec::new() } else { row.vector(11) },
        token_vectors: row.get(12),
    };
    if columns == Columns::Nothing || chunk.embedding.len() == corpus.options.dimensions as usize {
        return Ok(KeyedChunk { number, chunk, key: json, extractor: row.get(13) });
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
