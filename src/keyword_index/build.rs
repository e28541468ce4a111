//! The keyword index as the sync worker maintains it: segments are written with the chunks of a change, or for all
//! chunks that are in none, after a first fill or a restore.
//!
//! The engine builds; no transaction is open meanwhile. The text of a chunk never changes, so what a segment says of it
//! holds as long as the chunk exists.

use super::merge;
use super::segments::{digests, is_intact, parts, with_segments};
use crate::catalog::CorpusSpec;
use crate::engine_client;
use crate::pg::lock::Purpose;
use crate::pg::value;
use crate::pg::worker_process;
use crate::pg::{plan_cache, spi};
use crate::worker::StepOutcome;
use crate::worker::corpus_lock;
use crate::worker::session;
use crate::worker::transaction::{WorkerError, as_corpus_owner, transaction};
use pgrx::prelude::*;
use socle_core::corpus::template::ContextFields;
use socle_core::protocol::{KEYWORD_FORMAT, KeywordChunk, Request, Response, SegmentDigest, SegmentSummary};
use socle_core::{Error, Kind, language};
use std::collections::HashSet;

const INSERT: &str = include_str!("../../sql/keyword/keyword_insert.sql");
const OUTDATED: &str = include_str!("../../sql/keyword/keyword_outdated.sql");
const SIZES: &str = include_str!("../../sql/keyword/keyword_sizes.sql");
const DROP: &str = include_str!("../../sql/keyword/keyword_drop.sql");
const MISSING: &str = include_str!("../../sql/keyword/keyword_missing.sql");
const MARK_OUTDATED: &str = include_str!("../../sql/keyword/keyword_mark_outdated.sql");
const MISSING_WRITTEN: &str = include_str!("../../sql/keyword/keyword_missing_written.sql");
const ALL_CHUNKS: &str = include_str!("../../sql/corpus/all_chunks.sql");
const CHUNKS: &str = include_str!("../../sql/keyword/keyword_chunks.sql");

/// Chunks in a segment that is built from many at once, and bytes of their text.
/// Chunks without keywords from which a fill writes segments for them.
pub const FULL_SEGMENT: usize = 20_000;

/// Largest segment that is built at once, in chunks and in bytes of text: less than a second of work, after which the
/// worker can make room for another database. Merges make larger ones of them.
const BATCH_CHUNKS: usize = 5_000;
const BATCH_BYTES: usize = 8 << 20;

/// Chunks whose text is read by one statement.
const READ_CHUNKS: usize = 1_000;

/// A segment that is not stored yet.
#[derive(Debug)]
pub struct Segment {
    summary: SegmentSummary,
    parts: Vec<Vec<u8>>,
}

/// The indexed parts of a chunk.
#[derive(Clone, Debug)]
pub struct Indexed {
    /// Its `chunk_id`.
    pub chunk_id: i64,
    /// What the template puts before it when it is embedded.
    pub context: ContextFields,
    /// Its text.
    pub content: String,
    /// Language of its document, if it is known.
    pub language: Option<String>,
}

/// Marks corpora that have segments of another version of socle, as after an upgrade.
///
/// # Errors
/// Whatever Postgres raises.
pub fn find_outdated() -> Result<(), WorkerError> {
    transaction(|| Ok(spi::run(MARK_OUTDATED, &[KEYWORD_FORMAT.cast_signed().into()])?))
}

/// Has those segments of a corpus rebuilt whose rows are not those that were written.
///
/// # Errors
/// Whatever Postgres raises, unless it is about the rows themselves.
pub fn drop_damaged(name: &str) -> Result<(), WorkerError> {
    let Some(corpus) = transaction(|| Ok(CorpusSpec::try_find(name)?))? else { return Ok(()) };
    let mut damaged: Vec<Vec<u8>> = Vec::new();
    for digest in transaction(|| Ok(digests(&corpus)?))? {
        match transaction(|| Ok(is_intact(&corpus, &digest)?)) {
            Ok(true) => {}
            Ok(false) => damaged.push(digest.to_vec()),
            Err(trouble) if trouble.kind.is_none() && trouble.sqlstate.starts_with("XX") => {
                damaged.push(digest.to_vec())
            }
            Err(trouble) => return Err(trouble),
        }
    }
    if damaged.is_empty() {
        return Ok(());
    }
    pgrx::log!("socle sync: {} damaged segments of the keyword index of corpus \"{name}\" are rebuilt", damaged.len());
    transaction(|| Ok(spi::run(DROP, &[name.into(), damaged.clone().into()])?))
}

/// Has the engine build a segment. An unknown language counts as none.
///
/// # Errors
/// Those of the engine.
pub fn build(corpus: &CorpusSpec, chunks: &[Indexed]) -> Result<Option<Segment>, WorkerError> {
    if chunks.is_empty() {
        return Ok(None);
    }
    let chunks = chunks.iter().map(|chunk| KeywordChunk {
        chunk_id: chunk.chunk_id,
        language: chunk.language.as_deref().and_then(|name| language::canonical(name).ok()),
        title: &chunk.context.title,
        headings: &chunk.context.headings,
        context: &chunk.context.rest,
        content: &chunk.content,
    });
    let language = language::canonical(&corpus.options.language).ok();
    let request = Request::KeywordBuild {
        language,
        segments: if language.is_some() { Vec::new() } else { transaction(|| Ok(digests(corpus)?))? },
        chunks: chunks.collect(),
    };
    segment(engine_client::ask(request)?)
}

/// Assembles a segment from the answers of the engine; `None` for one without any chunk.
///
/// # Errors
/// Those of the engine.
pub fn segment(answers: Vec<Response>) -> Result<Option<Segment>, WorkerError> {
    let mut parts = Vec::with_capacity(answers.len());
    for answer in answers {
        match answer {
            Response::SegmentPart { bytes, summary: None } if bytes.is_empty() => return Ok(None),
            Response::SegmentPart { bytes, summary } => {
                parts.push(bytes);
                if let Some(summary) = summary {
                    return Ok(Some(Segment { summary, parts }));
                }
            }
            Response::Failed { error, .. } => return Err(error.into()),
            _ => return Err(engine_client::unexpected().into()),
        }
    }
    Err(engine_client::unexpected().into())
}

/// Stores a segment in the current transaction.
///
/// # Errors
/// Whatever Postgres raises.
pub fn store(corpus: &CorpusSpec, segment: Segment) -> Result<(), WorkerError> {
    let summary = segment.summary;
    for (at, bytes) in segment.parts.into_iter().enumerate() {
        let arguments = [
            corpus.name.as_str().into(),
            summary.digest.to_vec().into(),
            value::position(at).into(),
            summary.chunk_count.cast_signed().into(),
            summary.byte_count.cast_signed().into(),
            summary.format.cast_signed().into(),
            bytes.into(),
        ];
        spi::run(INSERT, &arguments)?;
    }
    Ok(())
}

/// Writes segments for all chunks that are in none, at least one; ends after any of them when other databases wait for
/// the worker.
///
/// # Errors
/// Those of the engine and of Postgres; segments written by then stay.
pub fn complete(corpus: &CorpusSpec, change: pg_sys::Oid) -> Result<StepOutcome, WorkerError> {
    let done = corpus_lock::exclusively(Purpose::KeywordIndex, change, || {
        session::show(&format!("completing the keyword index of corpus {}", corpus.name));
        transaction(|| Ok(spi::run(OUTDATED, &[corpus.name.as_str().into(), KEYWORD_FORMAT.cast_signed().into()])?))?;
        // In this order: chunks that are written meanwhile without keywords are counted afterwards.
        let gap = transaction(|| {
            Ok(plan_cache::rows(MISSING, &[corpus.name.as_str().into()], 1, |row| {
                row.get::<i64>(1).unwrap_or_default()
            })?)
        })?;
        let gap = gap.into_iter().next().unwrap_or_default();
        if gap == 0 {
            return Ok(true);
        }
        let sql = corpus.sql(ALL_CHUNKS);
        let all = transaction(|| {
            as_corpus_owner(corpus, || Ok(plan_cache::rows(&sql, &[], 0, |row| row.get::<i64>(1).unwrap_or_default())?))
        })?;
        let mut covered: HashSet<i64> = HashSet::new();
        for (digest, _) in sizes(corpus)? {
            covered.extend(chunks_of(corpus, digest)?);
        }
        let mut missing: Vec<i64> = all.into_iter().filter(|chunk| !covered.contains(chunk)).collect();
        drop(covered);
        missing.sort_unstable();
        let mut batch: Vec<Indexed> = Vec::new();
        for chunks in missing.chunks(READ_CHUNKS) {
            batch.extend(texts(corpus, chunks)?);
            let bytes: usize = batch.iter().map(|chunk| chunk.content.len() + chunk.context.len()).sum();
            if batch.len() >= BATCH_CHUNKS || bytes >= BATCH_BYTES {
                write(corpus, &std::mem::take(&mut batch))?;
                if worker_process::asked_to_leave() {
                    return Ok(false);
                }
            }
        }
        write(corpus, &batch)?;
        let closed = [corpus.name.as_str().into(), gap.into()];
        transaction(|| Ok(spi::run(MISSING_WRITTEN, &closed)?))?;
        Ok(true)
    })?;
    match done {
        None => Ok(StepOutcome::Elsewhere),
        Some(false) => Ok(StepOutcome::Partly),
        Some(true) => {
            merge::merge(corpus, change)?;
            Ok(StepOutcome::Done)
        }
    }
}

fn write(corpus: &CorpusSpec, chunks: &[Indexed]) -> Result<(), WorkerError> {
    match build(corpus, chunks)? {
        Some(segment) => transaction(|| store(corpus, segment)),
        None => Ok(()),
    }
}

/// The indexed parts of stored chunks. If a title has changed since, a change of its document is pending.
fn texts(corpus: &CorpusSpec, chunks: &[i64]) -> Result<Vec<Indexed>, WorkerError> {
    let template = corpus.parsed_template()?;
    let sql = corpus.sql(CHUNKS);
    transaction(|| {
        as_corpus_owner(corpus, || {
            Ok(plan_cache::rows(&sql, &[chunks.to_vec().into()], 0, |row| {
                let headings: Vec<String> =
                    row.get::<Vec<Option<String>>>(2).unwrap_or_default().into_iter().flatten().collect();
                let values = row.get::<Vec<Option<String>>>(4).unwrap_or_default();
                let value = |name: &str| {
                    let at = corpus.options.template_columns.iter().position(|column| column == name)?;
                    values.get(at)?.as_deref()
                };
                Indexed {
                    chunk_id: row.get(1).unwrap_or_default(),
                    context: template.fields(&headings, value),
                    content: row.get(3).unwrap_or_default(),
                    language: row.get(5),
                }
            })?)
        })
    })
}

/// The segments and the number of chunks in each.
///
/// # Errors
/// Whatever Postgres raises.
pub fn sizes(corpus: &CorpusSpec) -> Result<Vec<(SegmentDigest, u32)>, WorkerError> {
    transaction(|| {
        let arguments = [corpus.name.as_str().into(), KEYWORD_FORMAT.cast_signed().into()];
        let rows = plan_cache::rows(SIZES, &arguments, 0, |row| {
            let digest = row.get::<Vec<u8>>(1).and_then(|digest| digest.try_into().ok())?;
            Some((digest, row.get::<i32>(2).unwrap_or_default().unsigned_abs()))
        })?;
        Ok(rows.into_iter().flatten().collect())
    })
}

/// The chunks of a segment, deleted ones included.
///
/// # Errors
/// Those of the engine and of Postgres.
pub fn chunks_of(corpus: &CorpusSpec, segment: SegmentDigest) -> Result<Vec<i64>, WorkerError> {
    let request = Request::KeywordList { segment };
    match ask(corpus, &request)?.pop() {
        Some(Response::KeywordChunks(chunks)) => Ok(chunks),
        _ => Err(engine_client::unexpected().into()),
    }
}

/// The answers to a request about segments; parts that the engine lacks are read in transactions of their own.
///
/// # Errors
/// Those of the engine and of Postgres.
pub fn ask(corpus: &CorpusSpec, request: &Request<'_>) -> Result<Vec<Response>, WorkerError> {
    let mut failure = None;
    let answers = with_segments(request, &mut |digest, numbers| {
        transaction(|| Ok(parts(corpus, digest, numbers)?)).map_err(|trouble| {
            let error = Error::new(Kind::Bug, trouble.message.clone());
            failure = Some(trouble);
            error
        })
    });
    failure.map_or_else(|| Ok(answers?), Err)
}
