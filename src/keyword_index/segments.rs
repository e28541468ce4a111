//! Keyword search: which segments the snapshot sees, the request to the engine, and the segments sent that it lacks.
//!
//! The engine identifies a segment by the digest of its bytes, so that it can only answer about the right one.

use super::corruption_flag;
use crate::catalog::CorpusSpec;
use crate::engine_client;
use crate::pg::plan_cache;
use crate::pg::run_as::as_superuser;
use sha2::{Digest, Sha256};
use socle_core::protocol::{
    FieldWeights, KEYWORD_FORMAT, QuerySyntax, QueryTruncation, Request, Response, SegmentDigest, SuggestQuery,
    Suggestions, WordRule,
};
use socle_core::{Error, Kind, Result};

const SEGMENTS: &str = include_str!("../../sql/keyword/keyword_segments.sql");
const DIGESTS: &str = include_str!("../../sql/keyword/keyword_digests.sql");
const PARTS: &str = include_str!("../../sql/keyword/keyword_parts.sql");

/// Parts of a segment that are in memory at a time.
const PARTS_AT_ONCE: i32 = 16;

/// Attempts of one search while the engine lacks segments: it may have been restarted, or its cache deleted.
const MAX_ATTEMPTS: usize = 4;

/// A keyword query.
#[derive(Clone, Copy, Debug)]
pub struct KeywordQuery<'a> {
    /// The text as it was typed.
    pub text: &'a str,
    /// How it is read.
    pub syntax: QuerySyntax,
    /// Its language, or `None` to detect it.
    pub language: Option<&'static str>,
    /// Statistics are those of the chunks visible to the caller.
    pub visible_statistics: bool,
    /// Rules of the corpus that the text may have the terms of.
    pub rules: &'a [WordRule],
    /// What words count in each field.
    pub weights: FieldWeights,
}

/// What to return for a query.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// Largest number of hits.
    pub limit: u32,
    /// Only hits after this score and chunk.
    pub after: Option<(f32, i64)>,
    /// Only these chunks.
    pub restrict: Option<Vec<i64>>,
    /// Chunks whose scores are returned in any case.
    pub score: Vec<i64>,
    /// Row security hides no word of the index from the caller, or `restrict` has what it shows.
    pub use_vocabulary: bool,
}

/// The answer to a keyword query.
#[derive(Clone, Debug, Default)]
pub struct Hits {
    /// Chunks and BM25 scores, best first.
    pub hits: Vec<(i64, f32)>,
    /// Scores of those of the requested chunks that match.
    pub scores: Vec<(i64, f32)>,
    /// Those of the requested chunks that an operator of the query excludes.
    pub refused: Vec<i64>,
    /// The query has a required phrase: only hits can be results.
    pub has_phrases: bool,
    /// There may be more hits.
    pub more: bool,
    /// Parts of the query that were not searched for.
    pub left_out: QueryTruncation,
    /// Words of the query that the index does not have, and what was searched for instead.
    pub corrections: Vec<(String, Vec<String>)>,
    /// Terms of the query that have synonyms, and these.
    pub synonyms: Vec<(String, Vec<String>)>,
}

impl Question {
    /// The request to the engine.
    pub fn request<'a>(&self, segments: &[SegmentDigest], query: KeywordQuery<'a>) -> Request<'a> {
        Request::KeywordSearch {
            segments: segments.to_vec(),
            query: query.text,
            syntax: query.syntax,
            language: query.language,
            limit: self.limit,
            after: self.after,
            restrict: self.restrict.clone(),
            score: self.score.clone(),
            visible_statistics: query.visible_statistics && self.restrict.is_some(),
            use_vocabulary: self.use_vocabulary,
            rules: query.rules.to_vec(),
            weights: query.weights,
        }
    }
}

impl Hits {
    /// Converts an answer, if it is one of hits.
    pub fn read(answer: Response) -> Option<Self> {
        match answer {
            Response::KeywordHits { hits, scores, refused, has_phrases, more, left_out, corrections, synonyms } => {
                Some(Self { hits, scores, refused, has_phrases, more, left_out, corrections, synonyms })
            }
            _ => None,
        }
    }
}

/// The segments that the snapshot of the statement sees, and whether none is missing: those of another version are
/// rebuilt by the sync worker.
///
/// # Errors
/// Those of [`plan_cache::rows`].
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

/// The digests of all segments that have rows.
///
/// # Errors
/// Those of [`plan_cache::rows`].
pub fn digests(corpus: &CorpusSpec) -> Result<Vec<SegmentDigest>> {
    let arguments = [corpus.name.as_str().into()];
    let rows = as_superuser(|| plan_cache::rows(DIGESTS, &arguments, 0, |row| row.get::<Vec<u8>>(1)))?;
    Ok(rows.into_iter().filter_map(|digest| digest?.try_into().ok()).collect())
}

/// Whether the rows of a segment are those that were written.
///
/// # Errors
/// Those of [`plan_cache::rows`].
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

/// Runs a keyword query in the engine.
///
/// # Errors
/// `EngineUnavailable` without an engine; what the engine refuses.
pub fn ask(
    corpus: &CorpusSpec,
    segments: &[SegmentDigest],
    query: KeywordQuery<'_>,
    question: &Question,
) -> Result<Hits> {
    if segments.is_empty() {
        return Ok(Hits::default());
    }
    answer(corpus, &question.request(segments, query))?.and_then(Hits::read).ok_or_else(engine_client::unexpected)
}

/// Has the engine complete a text.
///
/// # Errors
/// Those of [`ask`].
pub fn suggest(corpus: &CorpusSpec, query: SuggestQuery<'_>) -> Result<Suggestions> {
    match answer(corpus, &Request::KeywordSuggest(query))? {
        Some(Response::KeywordSuggestions(suggestions)) => Ok(suggestions),
        _ => Err(engine_client::unexpected()),
    }
}

/// The first answer to a request about segments of the corpus. If one is damaged, says how it is repaired.
fn answer(corpus: &CorpusSpec, engine_request: &Request<'_>) -> Result<Option<Response>> {
    let mut source = |digest: &SegmentDigest, numbers| {
        let parts = parts(corpus, digest, numbers)?;
        if parts.is_empty() { Err(damaged(corpus)) } else { Ok(parts) }
    };
    let answers =
        corruption_flag::guard(|| with_segments(engine_request, &mut source)).map_err(|error| match error.kind {
            Kind::DamagedIndex => error.hint(corruption_flag::hint()),
            _ => error,
        })?;
    Ok(answers.into_iter().next())
}

/// A part of a segment, and the size of the whole in bytes.
pub type Part = (Vec<u8>, u64);

/// Reads the parts of a segment with numbers from `numbers.0` to `numbers.1`.
///
/// # Errors
/// Those of [`plan_cache::rows`].
pub fn parts(corpus: &CorpusSpec, digest: &SegmentDigest, numbers: (i32, i32)) -> Result<Vec<Part>> {
    let arguments = [corpus.name.as_str().into(), digest.to_vec().into(), numbers.0.into(), numbers.1.into()];
    as_superuser(|| {
        plan_cache::rows(PARTS, &arguments, 0, |row| {
            (row.get::<Vec<u8>>(1).unwrap_or_default(), row.get::<i64>(2).unwrap_or_default().unsigned_abs())
        })
    })
}

/// Reads the parts of a segment from the first number to the second.
pub type Source<'a> = dyn FnMut(&SegmentDigest, (i32, i32)) -> Result<Vec<Part>> + 'a;

/// The answers to a request about segments; those that the engine lacks are sent first.
///
/// # Errors
/// Those of the engine, and of `source`.
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
    Err(Error::new(Kind::EngineUnavailable, "the socle engine repeatedly lost segments of the keyword index")
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
        .detail("A part of a segment is missing in socle.keyword_segment_part.")
}
