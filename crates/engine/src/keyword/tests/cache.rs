//! The cache of segments: files that are damaged, removed or left unfinished.

use super::*;
use crate::keyword::cache::{Acquired, SegmentCache};
use crate::keyword::segment_file::hex;
use socle_core::Kind;
use socle_core::protocol::SEGMENT_PART;
use std::path::Path;

/// A segment that is too large to be read into memory completely.
fn large() -> (SegmentDigest, Vec<u8>) {
    let all = texts(120_000, 11);
    let pairs: Vec<(i64, &str)> = all.iter().map(|(id, text)| (*id, text.as_str())).collect();
    let (digest, bytes) = segment_bytes(Some("simple"), &pairs);
    assert!(bytes.len() > SEGMENT_PART * 2, "{}", bytes.len());
    (digest, bytes)
}

fn store(cache: &SegmentCache, digest: SegmentDigest, bytes: &[u8]) -> socle_core::Result<bool> {
    let mut complete = false;
    for (number, part) in bytes.chunks(SEGMENT_PART).enumerate() {
        assert!(!complete);
        complete = cache.store(1, digest, bytes.len() as u64, (number * SEGMENT_PART) as u64, part)?;
    }
    Ok(complete)
}

fn acquire(cache: &SegmentCache, digest: SegmentDigest) -> Option<Vec<Arc<Segment>>> {
    match cache.acquire(&[digest]).unwrap() {
        Acquired::All(segments) => Some(segments),
        Acquired::Missing(missing) => {
            assert_eq!(missing, [digest]);
            None
        }
    }
}

fn names(directory: &Path) -> Vec<String> {
    std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn what_is_stored_is_found_also_by_the_next_engine() {
    let scratch = Scratch::new();
    for (digest, bytes) in [segment_bytes(Some("english"), &[(1, "w1")]), large()] {
        let cache = SegmentCache::new(&scratch.0);
        assert!(acquire(&cache, digest).is_none());
        assert!(store(&cache, digest, &bytes).unwrap());
        let found = ids(&acquire(&cache, digest).unwrap(), "w1");
        assert!(!found.is_empty());
        let next = SegmentCache::new(&scratch.0);
        assert_eq!(ids(&acquire(&next, digest).unwrap(), "w1"), found);
        assert!(names(&scratch.0).contains(&hex(&digest)));
    }
}

#[test]
fn damaged_files_are_missing_and_can_be_stored_again() {
    let scratch = Scratch::new();
    for (digest, bytes) in [segment_bytes(Some("english"), &[(1, "w1")]), large()] {
        let path = scratch.0.join(hex(&digest));
        let flip = |path: &Path| {
            let mut bytes = std::fs::read(path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 4;
            std::fs::write(path, bytes).unwrap();
        };
        let cut = |path: &Path| std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(99).unwrap();
        let delete = |path: &Path| std::fs::remove_file(path).unwrap();
        let damages: [&dyn Fn(&Path); 3] = [&flip, &cut, &delete];
        for damage in damages {
            let cache = SegmentCache::new(&scratch.0);
            assert!(store(&cache, digest, &bytes).unwrap());
            damage(&path);
            let cache = SegmentCache::new(&scratch.0);
            assert!(acquire(&cache, digest).is_none());
            assert!(!path.exists());
            assert!(store(&cache, digest, &bytes).unwrap());
            assert!(!ids(&acquire(&cache, digest).unwrap(), "w1").is_empty());
        }
    }
}

#[test]
fn an_open_file_may_be_deleted_but_not_changed() {
    let scratch = Scratch::new();
    let (digest, bytes) = large();
    let cache = SegmentCache::new(&scratch.0);
    assert!(store(&cache, digest, &bytes).unwrap());
    let path = scratch.0.join(hex(&digest));
    let open = acquire(&cache, digest).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(ids(&open, "w1 w2").len(), 10);
    assert_eq!(ids(&acquire(&cache, digest).unwrap(), "w3").len(), 10);

    let cache = SegmentCache::new(&scratch.0);
    assert!(store(&cache, digest, &bytes).unwrap());
    let open = acquire(&cache, digest).unwrap();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(bytes.len() as u64 / 4).unwrap();
    let error = search(&open, &request("w1 w2 w3 \"w4 w5\""), &|| false).unwrap_err();
    assert_eq!(error.kind, Kind::DamagedIndex);
    assert_eq!(cache.forget_damaged(&open), [digest]);
    assert!(acquire(&cache, digest).is_none());
}

#[test]
fn without_a_directory_segments_are_in_memory() {
    let scratch = Scratch::new();
    let cache = SegmentCache::new(&scratch.0.join("missing"));
    let (digest, bytes) = large();
    assert!(store(&cache, digest, &bytes).unwrap());
    assert!(!ids(&acquire(&cache, digest).unwrap(), "w1").is_empty());
    assert_eq!(names(&scratch.0), Vec::<String>::new());
}

#[test]
fn what_is_not_what_it_says_is_refused_and_leaves_nothing() {
    let scratch = Scratch::new();
    let cache = SegmentCache::new(&scratch.0);
    let (digest, bytes) = large();
    let other = segment_bytes(Some("english"), &[(1, "w1")]).0;
    assert_eq!(store(&cache, other, &bytes).unwrap_err().kind, Kind::DamagedIndex);
    let kind = |byte_count, offset, bytes: &[u8]| cache.store(1, digest, byte_count, offset, bytes).unwrap_err().kind;
    assert_eq!(kind(10, 5, &bytes[..6]), Kind::InvalidArgument);
    assert_eq!(kind(10, u64::MAX, &bytes[..6]), Kind::InvalidArgument);
    assert_eq!(kind(10, 0, &[]), Kind::InvalidArgument);
    assert_eq!(kind(u64::MAX, 0, &bytes[..SEGMENT_PART + 1]), Kind::InvalidArgument);
    assert_eq!(names(&scratch.0), Vec::<String>::new());
    let older = {
        let mut bytes = segment_bytes(Some("english"), &[(1, "w1")]).1;
        bytes[8] = 99;
        bytes
    };
    let digest = { <sha2::Sha256 as sha2::Digest>::digest(&older).into() };
    assert_eq!(store(&cache, digest, &older).unwrap_err().kind, Kind::OutdatedIndex);
    assert_eq!(names(&scratch.0), Vec::<String>::new());
}

#[test]
fn unfinished_segments_go_with_their_connection_and_their_engine() {
    let scratch = Scratch::new();
    let (digest, bytes) = large();
    let cache = SegmentCache::new(&scratch.0);
    assert!(!cache.store(1, digest, bytes.len() as u64, 0, &bytes[..SEGMENT_PART]).unwrap());
    assert_eq!(names(&scratch.0).len(), 1);
    cache.forget_connection(2);
    assert_eq!(names(&scratch.0).len(), 1);
    cache.forget_connection(1);
    assert_eq!(names(&scratch.0).len(), 0);
    std::fs::write(scratch.0.join("7.part"), "left").unwrap();
    std::fs::write(scratch.0.join("note"), "not ours").unwrap();
    SegmentCache::new(&scratch.0);
    assert_eq!(names(&scratch.0), ["note"]);
}
