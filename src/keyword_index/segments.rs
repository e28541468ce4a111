//! The keyword leg: which segments the snapshot sees, the engine asked about them, and segments that it lacks sent.
//!
//! The engine knows a segment by the digest of its bytes, so that it can only ever answer about the right one.

use super::corruption_flag;
use crate::catalog::CorpusSpec;
use crate::engine_client;
use crate::pg::plan_cache;
use crate::pg::run_as::as_superuser;
use sha2::{Digest, Sha256};
use socle_core::protocol::{KEYWORD_FORMAT, LeftOut, Request, Response, SegmentDigest};
use socle_core::{Error, Kind, Result};

const SEGMENTS: &str = include_str!("../../sql/keyword/keyword_segments.sql");
const DIGESTS: &str = include_str!("../../sql/keyword/keyword_digests.sql");
const PARTS: &str = include_str!("../../sql/keyword/keyword_parts.sql");

/// Parts of a segment that are in memory at a time.
const PARTS_AT_ONCE: i32 = 16;

/// How often the engine may lack segments in one search: it may have been restarted, or its cache deleted.
const MAX_ATTEMPTS: usize = 4;

/// What a search looks for.
#[derive(Clone, Copy, Debug)]
pub struct KeywordQuery<'a> {
    /// As it was typed.
    pub text: &'a str,
    /// Its language, or `None` to detect it.
    pub language: Option<&'static str>,
    /// Statistics are those of the chunks that may be seen.
    pub visible_statistics: bool,
}

/// What to ask for, besides the query.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// Most hits.
    pub limit: u32,
    /// Only hits after this one.
    pub after: Option<(f32, i64)>,
    /// Only these chunks.
    pub restrict: Option<Vec<i64>>,
    /// Chunks whose scores are wanted anyway.
    pub score: Vec<i64>,
}

/// Hits, best first.
#[derive(Clone, Debug, Default)]
pub struct Hits {
    /// Chunks and scores.
    pub hits: Vec<(i64, f32)>,
    /// Scores of the chunks that were asked about, those that match.
    pub scores: Vec<(i64, f32)>,
    /// Of the chunks that were asked about, those that an operator of the query forbids.
    pub refused: Vec<i64>,
    /// The query has a phrase that must be there: only hits can be results.
    pub has_phrases: bool,
    /// There may be more.
    pub more: bool,
    /// What of the query was not searched for.
    pub left_out: LeftOut,
}

impl Question {
    /// As the engine is asked.
    pub fn request<'a>(&self, segments: &[SegmentDigest], query: KeywordQuery<'a>) -> Request<'a> {
        Request::KeywordSearch {
            segments: segments.to_vec(),
            query: query.text,
            language: query.language,
            limit: self.limit,
            after: self.after,
            restrict: self.restrict.clone(),
            score: self.score.clone(),
            visible_statistics: query.visible_statistics && self.restrict.is_some(),
        }
    }
}

impl Hits {
    /// An answer, if it is one of hits.
    pub fn read(answer: Response) -> Option<Self> {
        match answer {
            Response::KeywordHits { hits, scores, refused, has_phrases, more, left_out } => {
                Some(Self { hits, scores, refused, has_phrases, more, left_out })
            }
            _ => None,
        }
    }
}

/// The segments that the snapshot of the statement sees, and whether they are all there are: those of another version are
/// made anew by the sync worker.
///
/// # Errors
/// As [`plan_cache::rows`].
pub fn segments(corpus: &CorpusSpec) -> Result<(Vec<SegmentDigest>, bool)> {
    let arguments = [corpus.name.as_str().into(), KEYWORD_FORMAT.cast_signed().into()];
    let rows = as_superuser(|| {
        plan_cache::rows(SEGMENTS, &arguments, 0, |row| (row.get::<Vec<u8>>(1), row.get::<bool>(2) == Some(true)))
    })?;
    let complete = rows.iter().all(|(_, current)| *current);
    if !complete {
        corruption_flag::set();
    }
    let current = rows.into_iter().filter(|(_, current)| *current);
    Ok((current.filter_map(|(digest, _)| digest?.try_into().ok()).collect(), complete))
}

/// Every segment there are rows of.
///
/// # Errors
/// As [`plan_cache::rows`].
pub fn digests(corpus: &CorpusSpec) -> Result<Vec<SegmentDigest>> {
    let arguments = [corpus.name.as_str().into()];
    let rows = as_superuser(|| plan_cache::rows(DIGESTS, &arguments, 0, |row| row.get::<Vec<u8>>(1)))?;
    Ok(rows.into_iter().filter_map(|digest| digest?.try_into().ok()).collect())
}

/// Whether the rows of a segment are those that were written.
///
/// # Errors
/// As [`plan_cache::rows`].
pub fn is_intact(corpus: &CorpusSpec, digest: &SegmentDigest) -> Result<bool> {
    let mut hash = Sha256::new();
    let mut first = 1;
    loop {
        let count = plan_cache::in_own_memory_context(|| -> Result<usize> {
            let parts = parts(corpus, digest, (first, first + PARTS_AT_ONCE - 1))?;
            parts.iter().for_each(|(bytes, _)| hash.update(bytes));
            Ok(parts.len())
        })?;
        if count == 0 {
            return Ok(hash.finalize()[..] == digest[..]);
        }
        first += PARTS_AT_ONCE;
    }
}

/// Asks the engine.
///
/// # Errors
/// `EngineUnavailable` without one; what the engine refuses.
pub fn ask(
    corpus: &CorpusSpec,
    segments: &[SegmentDigest],
    query: KeywordQuery<'_>,
    question: &Question,
) -> Result<Hits> {
    if segments.is_empty() {
        return Ok(Hits::default());
    }
    let engine_request = question.request(segments, query);
    let mut source = |digest: &SegmentDigest, numbers| {
        let parts = parts(corpus, digest, numbers)?;
        if parts.is_empty() { Err(damaged(corpus)) } else { Ok(parts) }
    };
    let answer =
        corruption_flag::guard(|| with_segments(&engine_request, &mut source)).map_err(|error| match error.kind {
            Kind::DamagedIndex => error.hint(corruption_flag::hint()),
            _ => error,
        })?;
    answer.into_iter().next().and_then(Hits::read).ok_or_else(engine_client::unexpected)
}

/// A part of a segment, and the bytes of the whole.
pub type Part = (Vec<u8>, u64);

/// Reads the parts of a segment with numbers from `numbers.0` to `numbers.1`.
///
/// # Errors
/// As [`plan_cache::rows`].
pub fn parts(corpus: &CorpusSpec, digest: &SegmentDigest, numbers: (i32, i32)) -> Result<Vec<Part>> {
    let arguments = [corpus.name.as_str().into(), digest.to_vec().into(), numbers.0.into(), numbers.1.into()];
    as_superuser(|| {
        plan_cache::rows(PARTS, &arguments, 0, |row| {
            (row.get::<Vec<u8>>(1).unwrap_or_default(), row.get::<i64>(2).unwrap_or_default().unsigned_abs())
        })
    })
}

/// Gives parts of a segment, those with the numbers from the first to the second.
pub type Source<'a> = dyn FnMut(&SegmentDigest, (i32, i32)) -> Result<Vec<Part>> + 'a;

/// The answers to a request about segments, which are sent first where the engine lacks them.
///
/// # Errors
/// Of the engine, and of `source`.
pub fn with_segments(engine_request: &Request<'_>, source: &mut Source<'_>) -> Result<Vec<Response>> {
    for _ in 0..MAX_ATTEMPTS {
        let mut answers = engine_client::ask(engine_request.clone())?;
        match answers.pop() {
            Some(Response::KeywordMissing(missing)) => {
                missing.iter().try_for_each(|digest| send(digest, source))?;
            }
            Some(Response::Failed { error, .. }) => return Err(error),
            Some(last) => {
                answers.push(last);
                return Ok(answers);
            }
            None => return Err(engine_client::unexpected()),
        }
    }
    Err(Error::new(Kind::EngineUnavailable, "the socle engine keeps losing segments of the keyword index")
        .hint("The server log may say why; the disk of the data directory may be full."))
}

fn send(digest: &SegmentDigest, source: &mut Source<'_>) -> Result<()> {
    let (mut first, mut offset) = (1, 0_u64);
    loop {
        let parts = source(digest, (first, first + PARTS_AT_ONCE - 1))?;
        let Some((_, size)) = parts.first() else { return Ok(()) };
        let mut offsets = Vec::with_capacity(parts.len());
        for (bytes, _) in &parts {
            offsets.push(offset);
            offset += bytes.len() as u64;
        }
        let engine_request = |number: usize| Request::KeywordStore {
            digest: *digest,
            byte_count: *size,
            offset: offsets[number],
            bytes: &parts[number].0,
        };
        engine_client::exchange(parts.len(), &engine_request, &mut |_, mut answers| match answers.pop() {
            Some(Response::KeywordStored { .. }) => Ok(()),
            Some(Response::Failed { error, .. }) => Err(error),
            _ => Err(engine_client::unexpected()),
        })?;
        if offset >= *size {
            return Ok(());
        }
        first += PARTS_AT_ONCE;
    }
}

fn damaged(corpus: &CorpusSpec) -> Error {
    Error::new(Kind::DamagedIndex, format!("the keyword index of corpus \"{}\" is damaged", corpus.name))
        .detail("A part of a segment is missing in socle.keyword_file.")
}
