//! Segments of the keyword index that become one, without the chunks that are gone: many small ones, and one that has lost
//! much.
//!
//! One merge of a corpus at a time. No transaction is open while the engine works; the old segments go and the new one comes
//! in one short transaction.

use super::keyword::{ask, chunks_of, segment, sizes, store};
use super::transaction::{Trouble, as_corpus_owner, transaction};
use super::{claim, session};
use crate::corpus::CorpusSpec;
use crate::lock::Purpose;
use crate::{query, read};
use pgrx::prelude::*;
use socle_core::corpus::merge;
use socle_core::protocol::{Request, SegmentDigest};
use std::cell::RefCell;
use std::collections::HashMap;

const DELETE: &str = include_str!("../../sql/query/keyword_delete.sql");
const DEAD: &str = include_str!("../../sql/query/keyword_dead.sql");
const BURIED: &str = include_str!("../../sql/query/keyword_buried.sql");
const GONE_CHUNKS: &str = include_str!("../../sql/corpus/gone_chunks.sql");

thread_local! {
    /// Segments whose dead were counted, and how many there have to be in the whole corpus before it is worth it again.
    static COUNTED: RefCell<HashMap<SegmentDigest, u64>> = RefCell::default();
}

/// Merges what is due, if anything is.
///
/// # Errors
/// Of the engine and of Postgres.
pub fn merge(corpus: &CorpusSpec, change: pg_sys::Oid) -> Result<(), Trouble> {
    if due(corpus)?.is_none() {
        return Ok(());
    }
    // Another worker that is at it does this as well.
    claim::exclusively(Purpose::KeywordIndex, change, || {
        // Looked at again: another worker may just have done it.
        let Some(segments) = due(corpus)? else { return Ok(()) };
        session::show(&format!("merging the keyword index of corpus {}", corpus.name));
        let dead = gone(corpus, &segments)?;
        let buried = dead.len() as i64;
        let request = Request::KeywordMerge { segments: segments.clone(), deleted: dead };
        let merged = segment(ask(corpus, &request)?)?;
        transaction(|| {
            let digests: Vec<Vec<u8>> = segments.iter().map(|digest| digest.to_vec()).collect();
            let there = Spi::connect_mut(|client| {
                client.update(DELETE, Some(1), &[corpus.name.as_str().into(), digests.into()])?.first().get_one::<i64>()
            })?;
            // Fewer: the index was made anew meanwhile, and this is of the old one.
            if there != Some(segments.len() as i64) {
                return Err(Trouble::overtaken("the keyword index was made anew meanwhile"));
            }
            query::run(BURIED, &[corpus.name.as_str().into(), buried.into()])?;
            merged.map_or(Ok(()), |merged| store(corpus, merged))
        })
    })
    .map(drop)
}

fn due(corpus: &CorpusSpec) -> Result<Option<Vec<SegmentDigest>>, Trouble> {
    let sizes = sizes(corpus)?;
    let counts: Vec<u32> = sizes.iter().map(|(_, count)| *count).collect();
    match merge::segments_to_merge(&counts) {
        Some(chosen) => Ok(Some(chosen.into_iter().map(|at| sizes[at].0).collect())),
        None => worn(corpus, &sizes),
    }
}

/// A segment that has lost so much that it is made anew alone. Counted where the losses of the whole corpus may be enough, and
/// not again before they may be.
fn worn(corpus: &CorpusSpec, sizes: &[(SegmentDigest, u32)]) -> Result<Option<Vec<SegmentDigest>>, Trouble> {
    let all = transaction(|| {
        Ok(read::rows(DEAD, &[corpus.name.as_str().into()], 1, |row| row.get::<i64>(1).unwrap_or_default())?)
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

/// The chunks of segments that have been deleted.
fn gone(corpus: &CorpusSpec, segments: &[SegmentDigest]) -> Result<Vec<i64>, Trouble> {
    let mut chunks: Vec<i64> = Vec::new();
    for digest in segments {
        chunks.extend(chunks_of(corpus, *digest)?);
    }
    let sql = corpus.sql(GONE_CHUNKS);
    transaction(|| {
        as_corpus_owner(corpus, || {
            Ok(read::rows(&sql, &[chunks.clone().into()], 0, |row| row.get::<i64>(1).unwrap_or_default())?)
        })
    })
}
