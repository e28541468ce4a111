//! A request about the keyword index, as the worker thread that serves it owns it.

use super::build::Chunk;
use super::search::SearchRequest;
use super::suggest::SuggestRequest;
use socle_core::protocol::{self, QuerySyntax, SegmentDigest, WordRule};

/// A request about the keyword index: a [`protocol::Request`] that owns its data.
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are those of the message that each variant names")]
pub enum KeywordTask {
    /// See [`protocol::Request::KeywordBuild`].
    Build { language: Option<String>, segments: Vec<SegmentDigest>, chunks: Vec<Chunk> },
    /// See [`protocol::Request::KeywordMerge`].
    Merge { segments: Vec<SegmentDigest>, deleted: Vec<i64> },
    /// See [`protocol::Request::KeywordList`].
    List { segment: SegmentDigest },
    /// See [`protocol::Request::KeywordRetain`].
    Retain { segments: Vec<SegmentDigest> },
    /// See [`protocol::Request::KeywordStore`].
    Store { digest: SegmentDigest, byte_count: u64, offset: u64, bytes: Vec<u8> },
    /// See [`protocol::Request::KeywordSearch`].
    Search { segments: Vec<SegmentDigest>, query: SearchRequest },
    /// See [`protocol::Request::KeywordSuggest`].
    Suggest { segments: Vec<SegmentDigest>, query: SuggestRequest },
    /// See [`protocol::Request::Highlight`].
    Highlight {
        query: String,
        syntax: QuerySyntax,
        rules: Vec<WordRule>,
        language: Option<String>,
        segments: Vec<SegmentDigest>,
        chunk_ids: Vec<i64>,
        contents: Vec<String>,
    },
}

impl KeywordTask {
    /// The task of a message; `None` for messages that are not about the keyword index.
    pub fn new(request: protocol::Request<'_>) -> Option<Self> {
        let owned = |text: Option<&str>| text.map(str::to_string);
        Some(match request {
            protocol::Request::KeywordBuild { language, segments, chunks } => {
                let chunks = chunks.into_iter().map(Chunk::from).collect();
                Self::Build { language: owned(language), segments, chunks }
            }
            protocol::Request::KeywordMerge { segments, deleted } => Self::Merge { segments, deleted },
            protocol::Request::KeywordList { segment } => Self::List { segment },
            protocol::Request::KeywordRetain { segments } => Self::Retain { segments },
            protocol::Request::KeywordStore { digest, byte_count, offset, bytes } => {
                Self::Store { digest, byte_count, offset, bytes: bytes.to_vec() }
            }
            protocol::Request::KeywordSearch {
                segments,
                query,
                syntax,
                language,
                limit,
                after,
                restrict,
                score,
                visible_statistics,
                use_vocabulary,
                rules,
                weights,
            } => {
                let (query, language) = (query.to_string(), owned(language));
                let query = SearchRequest {
                    query,
                    language,
                    limit,
                    after,
                    restrict,
                    score,
                    visible_statistics,
                    syntax,
                    use_vocabulary,
                    rules,
                    weights,
                };
                Self::Search { segments, query }
            }
            protocol::Request::KeywordSuggest(protocol::SuggestQuery { segments, text, limit, restrict, titles }) => {
                let titles = titles.into_iter().map(str::to_string).collect();
                Self::Suggest { segments, query: SuggestRequest { text: text.to_string(), limit, restrict, titles } }
            }
            protocol::Request::Highlight { query, syntax, rules, language, segments, chunk_ids, contents } => {
                Self::Highlight {
                    query: query.to_string(),
                    syntax,
                    rules,
                    language: owned(language),
                    segments,
                    chunk_ids,
                    contents: contents.into_iter().map(str::to_string).collect(),
                }
            }
            _ => return None,
        })
    }
}
