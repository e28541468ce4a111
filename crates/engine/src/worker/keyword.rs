//! Serves requests about the keyword index.

use super::Resources;
use crate::keyword::build::{build, merge};
use crate::keyword::cache::{Acquired, SegmentCache};
use crate::keyword::chunk_language;
use crate::keyword::highlight::{TextLanguages, highlight};
use crate::keyword::incoming_segment::IncomingSegment;
use crate::keyword::language::Language;
use crate::keyword::query_plan::QueryLanguages;
use crate::keyword::search::{SearchResult, search};
use crate::keyword::segment::Segment;
use crate::keyword::suggest::suggest;
use crate::keyword::task::KeywordTask;
use crate::request::Request;
use crate::response_queue::ResponseQueue;
use crate::streamed_response::StreamedResponse;
use socle_core::protocol::{Response, SEGMENT_PART, SegmentDigest, SegmentSummary};
use socle_core::{Error, Kind, Result};
use std::io::{self, Write};
use std::sync::Arc;

/// Performs a task and answers its request.
///
/// # Errors
/// Those of building, merging, searching and the cache. The request is not answered then.
pub fn answer(resources: &Resources, responses: &ResponseQueue, request: &Request, task: &KeywordTask) -> Result<()> {
    let cache = &*resources.keyword;
    let is_cancelled = || request.is_cancelled();
    let answer = match task {
        KeywordTask::Build { language, segments, chunks } => {
            let known = cache.language_counts(segments);
            let mut parts = SegmentWriter::new(cache, responses, request);
            let summary = build(language.as_deref(), &known, chunks, &is_cancelled, &mut parts);
            parts.finish(cache, summary)?
        }
        KeywordTask::Merge { segments, deleted } => match cache.acquire(segments)? {
            Acquired::Missing(missing) => Response::KeywordMissing(missing),
            Acquired::All(open) => {
                let mut parts = SegmentWriter::new(cache, responses, request);
                let merged = merge(&open, deleted, &is_cancelled, &mut parts);
                match merged {
                    Ok(None) => Response::SegmentPart { bytes: Vec::new(), summary: None },
                    Err(error) if error.kind == Kind::DamagedIndex => damaged(cache, &open, error)?,
                    Err(error) => return parts.finish(cache, Err(error)).map(drop),
                    Ok(Some(summary)) => parts.finish(cache, Ok(summary))?,
                }
            }
        },
        KeywordTask::List { segment } => with_segments(cache, &[*segment], |open| {
            let chunks =
                |segment: &Segment| (0..segment.chunk_count()).map(|doc| segment.chunk_id(doc)).collect::<Vec<_>>();
            Ok(Response::KeywordChunks(open.iter().flat_map(|segment| chunks(segment)).collect()))
        })?,
        KeywordTask::Retain { segments } => {
            // What was read of pictures goes, too, whoever they belong to. They are read again when they are needed.
            resources.pages.clear();
            Response::KeywordRetained { removed: cache.retain(segments) }
        }
        KeywordTask::Store { digest, byte_count, offset, bytes } => {
            let complete = cache.store(request.connection, *digest, *byte_count, *offset, bytes)?;
            if request.is_cancelled() {
                // The connection was closed, maybe before this part was stored.
                cache.forget_connection(request.connection);
            }
            Response::KeywordStored { complete }
        }
        KeywordTask::Search { segments, query } => with_segments(cache, segments, |open| {
            let SearchResult { hits, scores, refused, has_phrases, more, left_out, corrections, synonyms } =
                search(open, query, &is_cancelled)?;
            Ok(Response::KeywordHits { hits, scores, refused, has_phrases, more, left_out, corrections, synonyms })
        })?,
        KeywordTask::Suggest { segments, query } => with_segments(cache, segments, |open| {
            Ok(Response::KeywordSuggestions(suggest(open, query, &is_cancelled)?))
        })?,
        KeywordTask::Highlight { query, syntax, rules, language, segments, chunk_ids, contents } => {
            let languages = match language {
                Some(name) => TextLanguages { given: Some(Language::named(name)?), ..TextLanguages::default() },
                None => languages_of(&cache.those_open(segments), chunk_ids)?,
            };
            Response::Highlights(highlight((query, *syntax, rules), &languages, contents))
        }
    };
    responses.answer(request, &answer);
    Ok(())
}

/// What segments tell of the languages of the chunks of texts.
fn languages_of(segments: &[Arc<Segment>], chunk_ids: &[i64]) -> Result<TextLanguages> {
    let of_texts = chunk_language::of_chunks(segments, chunk_ids)?;
    Ok(TextLanguages { given: None, of_texts, possible: QueryLanguages::new(None, segments).all() })
}

/// The response to a request that reads segments: that of `work`, or that some are missing or damaged in the cache.
fn with_segments(
    cache: &SegmentCache,
    segments: &[SegmentDigest],
    work: impl FnOnce(&[Arc<Segment>]) -> Result<Response>,
) -> Result<Response> {
    match cache.acquire(segments)? {
        Acquired::Missing(missing) => Ok(Response::KeywordMissing(missing)),
        Acquired::All(open) => match work(&open) {
            Err(error) if error.kind == Kind::DamagedIndex => damaged(cache, &open, error),
            answer => answer,
        },
    }
}

/// The response to a request that found `open` damaged. Segments whose cached bytes have changed are requested again from
/// the backend; where none has, PostgreSQL holds the damaged bytes and `error` is returned.
fn damaged(cache: &SegmentCache, open: &[Arc<Segment>], error: Error) -> Result<Response> {
    let changed = cache.forget_damaged(open);
    if changed.is_empty() { Err(error) } else { Ok(Response::KeywordMissing(changed)) }
}

/// Streams a segment that is being written to the backend, and puts it into the cache.
struct SegmentWriter<'a> {
    response: StreamedResponse<'a>,
    /// Bytes that have not been sent, at most [`SEGMENT_PART`].
    part: Vec<u8>,
    /// Offset of `part` in the segment.
    offset: u64,
    /// The copy for the cache; `None` once it could not be written.
    segment: Option<IncomingSegment>,
    /// Why a part could not be sent.
    failure: Option<Error>,
}

impl<'a> SegmentWriter<'a> {
    fn new(cache: &SegmentCache, responses: &'a ResponseQueue, request: &'a Request) -> Self {
        let response = StreamedResponse::new(responses, request);
        Self { response, part: Vec::new(), offset: 0, segment: Some(cache.new_segment()), failure: None }
    }

    fn finish(mut self, cache: &SegmentCache, summary: Result<SegmentSummary>) -> Result<Response> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let summary = summary?;
        append(&mut self.segment, self.offset, &self.part);
        if let Some(segment) = self.segment {
            // The segment itself is complete. If the cache fails, the backend sends it again when it is searched.
            let _ = cache.insert(segment, summary.digest);
        }
        Ok(Response::SegmentPart { bytes: self.part, summary: Some(summary) })
    }
}

fn append(segment: &mut Option<IncomingSegment>, offset: u64, bytes: &[u8]) {
    if let Some(open) = segment
        && open.write_at(offset, bytes).is_err()
    {
        *segment = None;
    }
}

impl Write for SegmentWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(SEGMENT_PART - self.part.len());
        self.part.extend_from_slice(&bytes[..count]);
        // A full part is sent when the next byte is written: the last part is sent with the summary.
        if count < bytes.len() {
            append(&mut self.segment, self.offset, &self.part);
            self.offset += self.part.len() as u64;
            let part = Response::SegmentPart { bytes: std::mem::take(&mut self.part), summary: None };
            if let Err(error) = self.response.send_part(&part) {
                self.failure = Some(error);
                return Err(io::ErrorKind::BrokenPipe.into());
            }
        }
        if count == 0 { self.write(bytes) } else { Ok(count) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
