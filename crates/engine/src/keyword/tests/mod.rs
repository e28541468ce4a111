//! The keyword index as a whole: segments made of texts, kept, searched and merged.

mod cache;
mod damage;
mod field;
mod query;
mod search;
mod suggest;
mod word_rule;

use super::build::{Chunk, build, merge};
use super::chunk_language;
use super::language::Language;
use super::schema::Fields;
use super::search::{SearchRequest, SearchResult, search};
use super::segment::Segment;
use super::storage::Storage;
use socle_core::protocol::{QuerySyntax, SegmentDigest};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tantivy::directory::OwnedBytes;

/// The bytes of a segment and their digest.
fn segment_bytes(language: Option<&str>, texts: &[(i64, &str)]) -> (SegmentDigest, Vec<u8>) {
    let chunk = |(chunk_id, text): &(i64, &str)| Chunk {
        chunk_id: *chunk_id,
        content: (*text).to_string(),
        ..Chunk::default()
    };
    let chunks: Vec<Chunk> = texts.iter().map(chunk).collect();
    let mut bytes = Vec::new();
    let summary = build(language, &[], &chunks, &|| false, &mut bytes).unwrap();
    assert_eq!(summary.byte_count, bytes.len() as u64);
    assert_eq!(summary.chunk_count as usize, texts.len());
    (summary.digest, bytes)
}

fn open(digest: SegmentDigest, bytes: Vec<u8>) -> socle_core::Result<Arc<Segment>> {
    let storage = Arc::new(Storage::Memory(OwnedBytes::new(bytes)));
    Segment::open(digest, storage, &Arc::new(Fields::new())).map(Arc::new)
}

fn segment(language: Option<&str>, texts: &[(i64, &str)]) -> Arc<Segment> {
    let (digest, bytes) = segment_bytes(language, texts);
    open(digest, bytes).unwrap()
}

fn request(query: &str) -> SearchRequest {
    SearchRequest {
        query: query.to_string(),
        limit: 10,
        syntax: QuerySyntax::Operators,
        use_vocabulary: true,
        ..SearchRequest::default()
    }
}

fn ask(segments: &[Arc<Segment>], request: &SearchRequest) -> SearchResult {
    search(segments, request, &|| false).unwrap()
}

fn ids(segments: &[Arc<Segment>], query: &str) -> Vec<i64> {
    ask(segments, &request(query)).hits.into_iter().map(|(chunk_id, _)| chunk_id).collect()
}

fn merged(segments: &[Arc<Segment>], dead: &[i64]) -> Option<Arc<Segment>> {
    let mut bytes = Vec::new();
    let summary = merge(segments, dead, &|| false, &mut bytes).unwrap()?;
    Some(open(summary.digest, bytes).unwrap())
}

/// Reproducible pseudo-random numbers (Steele, Lea and Flood, SplitMix64).
fn random(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % below
}

/// Texts of words whose frequency falls with their number, with many ties in score.
fn texts(count: i64, seed: u64) -> Vec<(i64, String)> {
    let mut state = seed;
    (0..count)
        .map(|chunk_id| {
            let length = 3 + random(&mut state, 8);
            let word = |state: &mut u64| {
                let below = 1 + random(state, 40);
                random(state, below)
            };
            let words: Vec<String> = (0..length).map(|_| format!("w{}", word(&mut state))).collect();
            (chunk_id, words.join(" "))
        })
        .collect()
}

/// A directory that is removed when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("socle-keyword-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
