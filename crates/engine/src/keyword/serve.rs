//! Requests about the keyword index, from the message to the answer.
//!
//! Searches, highlights and parts to store belong to threads of their own, so that they never wait for a model; building
//! and merging are bulk work.

use super::build::{Chunk, build, merge};
use super::cache::{Acquired, Cache};
use super::draft::Draft;
use super::highlight::highlight;
use super::search::{Found, Question, search};
use super::segment::Segment;
use crate::outbox::Outbox;
use crate::part::PartSender;
use crate::request::{Lane, Request};
use socle_core::protocol::{self, Response, SEGMENT_PART, SegmentDigest, SegmentSummary};
use socle_core::{Error, Kind, Result};
use std::io::{self, Write};

/// What is to be done.
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are those of the message that each variant names")]
pub enum Task {
    /// See [`protocol::Request::KeywordBuild`].
    Build { language: Option<String>, chunks: Vec<Chunk> },
    /// See [`protocol::Request::KeywordMerge`].
    Merge { segments: Vec<SegmentDigest>, dead: Vec<i64> },
    /// See [`protocol::Request::KeywordList`].
    List { segment: SegmentDigest },
    /// See [`protocol::Request::KeywordStore`].
    Store { digest: SegmentDigest, byte_count: u64, offset: u64, bytes: Vec<u8> },
    /// See [`protocol::Request::KeywordSearch`].
    Search { segments: Vec<SegmentDigest>, question: Question },
    /// See [`protocol::Request::Highlight`].
    Highlight { query: String, language: Option<String>, segments: Vec<SegmentDigest>, contents: Vec<String> },
}

impl Task {
    /// The task of a message; `None` for messages that are not about the keyword index.
    pub fn new(request: protocol::Request<'_>) -> Option<Self> {
        let owned = |text: Option<&str>| text.map(str::to_string);
        Some(match request {
            protocol::Request::KeywordBuild { language, chunks } => {
                let chunk = |chunk: protocol::KeywordChunk<'_>| Chunk {
                    chunk_id: chunk.chunk_id,
                    language: owned(chunk.language),
                    head: chunk.head.to_string(),
                    content: chunk.content.to_string(),
                };
                Self::Build { language: owned(language), chunks: chunks.into_iter().map(chunk).collect() }
            }
            protocol::Request::KeywordMerge { segments, deleted } => Self::Merge { segments, dead: deleted },
            protocol::Request::KeywordList { segment } => Self::List { segment },
            protocol::Request::KeywordStore { digest, byte_count, offset, bytes } => {
                Self::Store { digest, byte_count, offset, bytes: bytes.to_vec() }
            }
            protocol::Request::KeywordSearch {
                segments,
                query,
                language,
                limit,
                after,
                restrict,
                score,
                visible_statistics,
            } => {
                let (query, language) = (query.to_string(), owned(language));
                let question = Question { query, language, limit, after, restrict, score, visible_statistics };
                Self::Search { segments, question }
            }
            protocol::Request::Highlight { query, language, segments, contents } => Self::Highlight {
                query: query.to_string(),
                language: owned(language),
                segments,
                contents: contents.into_iter().map(str::to_string).collect(),
            },
            _ => return None,
        })
    }

    /// The lane it belongs to.
    pub fn lane(&self) -> Lane {
        match self {
            Self::Build { .. } | Self::Merge { .. } => Lane::Bulk,
            Self::List { .. } | Self::Store { .. } | Self::Search { .. } | Self::Highlight { .. } => Lane::Keyword,
        }
    }
}

/// Does a task and answers its request.
///
/// # Errors
/// Why it could not be done; the request is not answered then.
pub fn answer(cache: &Cache, outbox: &Outbox, request: &Request, task: &Task) -> Result<()> {
    let is_cancelled = || request.is_cancelled();
    let response = match task {
        Task::Build { language, chunks } => {
            let mut parts = Parts::new(cache, outbox, request);
            let summary = build(language.as_deref(), chunks, &is_cancelled, &mut parts);
            parts.finish(cache, summary)?
        }
        Task::Merge { segments, dead } => match cache.acquire(segments)? {
            Acquired::Missing(missing) => Response::KeywordMissing(missing),
            Acquired::All(open) => {
                let mut parts = Parts::new(cache, outbox, request);
                let merged = merge(&open, dead, &is_cancelled, &mut parts);
                match merged {
                    Ok(None) => Response::SegmentPart { bytes: Vec::new(), summary: None },
                    Err(error) if error.kind == Kind::DamagedIndex => damaged(cache, &open, error)?,
                    Err(error) => return parts.finish(cache, Err(error)).map(drop),
                    Ok(Some(summary)) => parts.finish(cache, Ok(summary))?,
                }
            }
        },
        Task::List { segment } => match cache.acquire(&[*segment])? {
            Acquired::Missing(missing) => Response::KeywordMissing(missing),
            Acquired::All(open) => {
                let chunks =
                    |segment: &Segment| (0..segment.chunk_count()).map(|doc| segment.chunk_id(doc)).collect::<Vec<_>>();
                Response::KeywordChunks(open.iter().flat_map(|segment| chunks(segment)).collect())
            }
        },
        Task::Store { digest, byte_count, offset, bytes } => {
            let complete = cache.store(request.connection, *digest, *byte_count, *offset, bytes)?;
            if request.is_cancelled() {
                // The connection may have been forgotten before this part came.
                cache.forget_connection(request.connection);
            }
            Response::KeywordStored { complete }
        }
        Task::Search { segments, question } => match cache.acquire(segments)? {
            Acquired::Missing(missing) => Response::KeywordMissing(missing),
            Acquired::All(open) => match search(&open, question, &is_cancelled) {
                Ok(Found { hits, scores, refused, has_phrases, more, left_out }) => {
                    Response::KeywordHits { hits, scores, refused, has_phrases, more, left_out }
                }
                Err(error) if error.kind == Kind::DamagedIndex => damaged(cache, &open, error)?,
                Err(error) => return Err(error),
            },
        },
        Task::Highlight { query, language, segments, contents } => {
            let languages = cache.languages(segments);
            Response::Highlights(highlight(query, language.as_deref(), &languages, contents)?)
        }
    };
    outbox.answer(request, &response);
    Ok(())
}

/// Damage is the cache's where the bytes have changed since: they come again. Otherwise it is the segment's.
fn damaged(cache: &Cache, open: &[std::sync::Arc<Segment>], error: Error) -> Result<Response> {
    let changed = cache.forget_damaged(open);
    if changed.is_empty() { Err(error) } else { Ok(Response::KeywordMissing(changed)) }
}

/// Sends what is written to it in parts, and keeps it for the searches that will come.
struct Parts<'a> {
    sender: PartSender<'a>,
    part: Vec<u8>,
    offset: u64,
    /// `None` once it could not be kept.
    draft: Option<Draft>,
    failure: Option<Error>,
}

impl<'a> Parts<'a> {
    fn new(cache: &Cache, outbox: &'a Outbox, request: &'a Request) -> Self {
        let sender = PartSender::new(outbox, request);
        Self { sender, part: Vec::new(), offset: 0, draft: Some(cache.draft()), failure: None }
    }

    fn finish(mut self, cache: &Cache, summary: Result<SegmentSummary>) -> Result<Response> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let summary = summary?;
        keep(&mut self.draft, self.offset, &self.part);
        if let Some(draft) = self.draft {
            // The segment is right either way; without the cache it comes back when it is needed.
            let _ = cache.keep(draft, summary.digest);
        }
        Ok(Response::SegmentPart { bytes: self.part, summary: Some(summary) })
    }
}

fn keep(draft: &mut Option<Draft>, offset: u64, bytes: &[u8]) {
    if let Some(open) = draft
        && open.write_at(offset, bytes).is_err()
    {
        *draft = None;
    }
}

impl Write for Parts<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(SEGMENT_PART - self.part.len());
        self.part.extend_from_slice(&bytes[..count]);
        // A full part waits for the next byte: the last one goes with the summary.
        if count < bytes.len() {
            keep(&mut self.draft, self.offset, &self.part);
            self.offset += self.part.len() as u64;
            let part = Response::SegmentPart { bytes: std::mem::take(&mut self.part), summary: None };
            if let Err(error) = self.sender.send(&part) {
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
