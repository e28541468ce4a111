//! Merges segments of the keyword index into one, without deleted chunks: many small ones, or one that has lost many.
//!
//! One merge of a corpus at a time. No transaction is open while the engine works; one short transaction replaces the
//! old segments by the new one.

use super::build::{ask, chunks_of, segment, sizes, store};
use crate::catalog::CorpusSpec;
use crate::pg::lock::Purpose;
use crate::pg::{plan_cache, spi};
use crate::worker::corpus_lock;
use crate::worker::session;
use crate::worker::transaction::{WorkerError, as_corpus_owner, transaction};
use pgrx::prelude::*;
use socle_core::corpus::merge;
use socle_core::protocol::{Request, SegmentDigest};
use std::cell::RefCell;
use std::collections::HashMap;

const DELETE: &str = include_str!("../../sql/keyword/keyword_delete.sql");
const DELETED: &str = include_str!("../../sql/keyword/keyword_deleted.sql");
const DELETED_MERGED: &str = include_str!("../../sql/keyword/keyword_deleted_merged.sql");
const GONE_CHUNKS: &str = include_str!("../../sql/keyword/gone_chunks.sql");

thread_local! {
    /// Segments whose deleted chunks were counted, and the number in the whole corpus from which it is worth counting
    /// again.
    static COUNTED: RefCell<HashMap<SegmentDigest, u64>> = RefCell::default();
}

/// Merges segments, if that is due.
///
/// # Errors
/// Those of the engine and of Postgres.
pub fn merge(corpus: &CorpusSpec, change: pg_sys::Oid) -> Result<(), WorkerError> {
    if due(corpus)?.is_none() {
        return Ok(());
    }
    // Another worker that holds the lock does this as well.
    corpus_lock::exclusively(Purpose::KeywordIndex, change, || {
        // Checked again: another worker may just have done it.
        let Some(segments) = due(corpus)? else { return Ok(()) };
        session::show(&format!("merging the keyword index of corpus {}", corpus.name));
        let dead = gone(corpus, &segments)?;
        replace(corpus, &segments, dead)
    })
    .map(drop)
}

/// Rewrites each segment that has words of deleted chunks, without them; returns how many there were, or `None` while another
/// worker has the index.
///
/// # Errors
/// Those of the engine and of Postgres.
pub fn rewrite_worn(corpus: &CorpusSpec, change: pg_sys::Oid) -> Result<Option<u64>, WorkerError> {
    corpus_lock::exclusively(Purpose::KeywordIndex, change, || {
        let mut rewritten = 0;
        for (digest, _) in sizes(corpus)? {
            let dead = gone(corpus, &[digest])?;
            if !dead.is_empty() {
                replace(corpus, &[digest], dead)?;
                rewritten += 1;
            }
        }
        Ok(rewritten)
    })
}

/// Replaces segments by one without the chunks in `dead`.
fn replace(corpus: &CorpusSpec, segments: &[SegmentDigest], dead: Vec<i64>) -> Result<(), WorkerError> {
    let buried = dead.len() as i64;
    let request = Request::KeywordMerge { segments: segments.to_vec(), deleted: dead };
    let merged = segment(ask(corpus, &request)?)?;
    transaction(|| {
        let digests: Vec<Vec<u8>> = segments.iter().map(|digest| digest.to_vec()).collect();
        let there = Spi::connect_mut(|client| {
            client.update(DELETE, Some(1), &[corpus.name.as_str().into(), digests.into()])?.first().get_one::<i64>()
        })?;
        // Fewer: the index was rebuilt meanwhile, and this is of the old one.
        if there != Some(segments.len() as i64) {
            return Err(WorkerError::serialization_failure("the keyword index was rebuilt concurrently"));
        }
        spi::run(DELETED_MERGED, &[corpus.name.as_str().into(), buried.into()])?;
        merged.map_or(Ok(()), |merged| store(corpus, merged))
    })
}

fn due(corpus: &CorpusSpec) -> Result<Option<Vec<SegmentDigest>>, WorkerError> {
    let sizes = sizes(corpus)?;
    let counts: Vec<u32> = sizes.iter().map(|(_, count)| *count).collect();
    match merge::segments_to_merge(&counts) {
        Some(chosen) => Ok(Some(chosen.into_iter().map(|at| sizes[at].0).collect())),
        None => worn(corpus, &sizes),
    }
}

/// A segment that has lost so many chunks that it is rewritten alone. They are counted where the losses of the whole
/// corpus may suffice, and not again before they may.
fn worn(corpus: &CorpusSpec, sizes: &[(SegmentDigest, u32)]) -> Result<Option<Vec<SegmentDigest>>, WorkerError> {
    let all = transaction(|| {
        Ok(plan_cache::rows(DELETED, &[corpus.name.as_str().into()], 1, |row| row.get::<i64>(1).unwrap_or_default())?)
    })?;
    let all = all.into_iter().next().unwrap_or_default().unsigned_abs();
    for (digest, count) in sizes {
        let missing = merge::deletions_until_rewrite(*count, 0);
        let next = COUNTED.with_borrow(|counted| counted.get(digest).copied()).or(missing);
        if next.is_none_or(|next| all < next) {
            continue;
        }
        let dead = gone(corpus, &[*digest])?.len() as u64;
        match merge::deletions_until_rewrite(*count, dead) {
            Some(0) => {
                COUNTED.with_borrow_mut(|counted| counted.remove(digest));
                return Ok(Some(vec![*digest]));
            }
            missing => {
                let next = all.saturating_add(missing.unwrap_or(u64::MAX));
                COUNTED.with_borrow_mut(|counted| counted.insert(*digest, next));
            }
        }
    }
    Ok(None)
}

/// The chunks of segments that have been deleted from the chunk table.
fn gone(corpus: &CorpusSpec, segments: &[SegmentDigest]) -> Result<Vec<i64>, WorkerError> {
    let mut chunks: Vec<i64> = Vec::new();
    for digest in segments {
        chunks.extend(chunks_of(corpus, *digest)?);
    }
    let sql = corpus.sql(GONE_CHUNKS);
    transaction(|| {
        as_corpus_owner(corpus, || {
            Ok(plan_cache::rows(&sql, &[chunks.clone().into()], 0, |row| row.get::<i64>(1).unwrap_or_default())?)
        })
    })
}
