//! What the messages about the keyword index are made of.
//!
//! A segment is an immutable part of the index, one blob of bytes that the engine builds and PostgreSQL keeps. Its name
//! is the digest of its bytes, so that a segment the engine has cached can never be the wrong one.

use serde::{Deserialize, Serialize};

/// Name of a segment: SHA-256 of its bytes.
pub type SegmentDigest = [u8; 32];

/// Format of the segments that this version writes and reads. Raised when the layout of a segment or the analysis of
/// text changes, either of which makes older segments useless: they are built anew.
pub const KEYWORD_FORMAT: u32 = 1;

/// Longest part of a segment in bytes.
pub const SEGMENT_PART: usize = 1_000_000;

/// Hits in one answer; longer lists are read in pages.
pub const MAX_HITS: u32 = 1_000_000;

/// A chunk as it is indexed: head, line feed and content are one text.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct KeywordChunk<'a> {
    /// What hits are given as.
    pub chunk_id: i64,
    /// Its language as [`crate::language`] has it; `None` lets the engine detect it, if the request names none either.
    pub language: Option<&'a str>,
    /// What stands before the content when it is embedded: title and headings. May be empty.
    pub head: &'a str,
    /// The text.
    pub content: &'a str,
}

/// What is known of a segment without reading it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SegmentSummary {
    /// Its name.
    pub digest: SegmentDigest,
    /// Chunks in it.
    pub chunk_count: u32,
    /// Bytes of the blob.
    pub byte_count: u64,
    /// [`KEYWORD_FORMAT`] of the engine that wrote it.
    pub format: u32,
}
