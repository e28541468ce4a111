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

/// Different words of a query that are looked up.
pub const MAX_QUERY_WORDS: usize = 4_096;

/// Words of a query that are searched for: the rarest of those that stand somewhere.
pub const MAX_COUNTED_WORDS: usize = 64;

/// Phrases, prefixes and exclusions of a query, each, that count.
pub const MAX_OPERATORS: usize = 32;

/// Words of a phrase that are compared.
pub const MAX_PHRASE_WORDS: usize = 64;

/// Words that a prefix stands for: the most common ones.
pub const MAX_PREFIX_WORDS: usize = 100;

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

/// What of a query was not searched for.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct LeftOut {
    /// Different words after the first [`MAX_QUERY_WORDS`].
    pub words: u32,
    /// Words that stand somewhere and are more common than the [`MAX_COUNTED_WORDS`] rarest.
    pub common_words: u32,
    /// Phrases, prefixes and exclusions after the first [`MAX_OPERATORS`] of each.
    pub operators: u32,
    /// Words of phrases after the first [`MAX_PHRASE_WORDS`] of each.
    pub phrase_words: u32,
    /// Words that a prefix may stand for and that are less common than [`MAX_PREFIX_WORDS`] others.
    pub prefix_words: u32,
}

impl LeftOut {
    /// What it is in words; `None` where nothing was left out.
    pub fn describe(self) -> Option<String> {
        let parts = [
            (self.words, format!("words after the first {MAX_QUERY_WORDS}")),
            (self.common_words, format!("more common words than the {MAX_COUNTED_WORDS} rarest")),
            (self.operators, format!("operators after the first {MAX_OPERATORS} of a kind")),
            (self.phrase_words, format!("words of phrases after the first {MAX_PHRASE_WORDS}")),
            (self.prefix_words, format!("less common words of prefixes than the first {MAX_PREFIX_WORDS}")),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{what} ({count})"))
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_said_part_by_part() {
        assert_eq!(LeftOut::default().describe(), None);
        let left_out = LeftOut { words: 904, phrase_words: 2, ..LeftOut::default() };
        assert_eq!(
            left_out.describe().unwrap(),
            "words after the first 4096 (904), words of phrases after the first 64 (2)"
        );
    }
}
