//! Changed copies of each file of the tests: whatever comes of them, nothing panics. The same changes each time.
#![allow(clippy::unwrap_used, missing_docs)]

use socle_extract::{Limits, extract};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

const LIMITS: Limits = Limits { output: 1 << 20, unpacked: 1 << 22, depth: 4 };
/// Bytes of changed copies made of each file: about a tenth of a second without optimisation.
const BYTES: usize = 400_000;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// Numbers that look random (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }
}

fn change(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    const WORDS: [&[u8]; 12] = [
        b"<table><td>",
        b"</div>",
        b"<p hidden>",
        b"\n\n",
        b"--",
        b"=\n",
        b"\0\0",
        b"\xff\xff\xff\xff",
        b"\xc3",
        b">> ",
        b"```\n",
        b";\";",
    ];
    for _ in 0..=numbers.below(8) {
        let at = numbers.below(bytes.len());
        match numbers.below(6) {
            0 => bytes.truncate(at),
            1 if !bytes.is_empty() => bytes[at] = numbers.below(256) as u8,
            2 if !bytes.is_empty() => bytes[at] ^= 1 << numbers.below(8),
            3 => {
                let word = WORDS[numbers.below(WORDS.len())];
                bytes.splice(at..at, word.iter().copied());
            }
            4 => {
                let end = (at + numbers.below(200)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                let part = bytes[at..(at + numbers.below(200)).min(bytes.len())].to_vec();
                let to = numbers.below(bytes.len());
                bytes.splice(to..to, part);
            }
        }
    }
}

#[test]
fn changed_files_are_no_panic() {
    let mut paths = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files"), &mut paths);
    paths.sort();
    assert!(paths.len() > 30);
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for path in paths {
        let original = std::fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        for round in 0..(BYTES / original.len().max(1)).clamp(5, 200) {
            let mut bytes = original.clone();
            change(&mut bytes, &mut numbers);
            assert!(catch_unwind(|| extract(&bytes, None, Some(name), LIMITS)).is_ok(), "{name}, round {round}");
        }
    }
}

#[test]
fn the_same_bytes_give_the_same_text_each_time() {
    let mut paths = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files"), &mut paths);
    // Files of PDF have a test of their own.
    paths.retain(|path| path.extension().is_none_or(|ending| ending != "pdf"));
    for path in paths {
        let bytes = std::fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let first = extract(&bytes, None, Some(name), LIMITS);
        for _ in 0..5 {
            assert_eq!(extract(&bytes, None, Some(name), LIMITS), first, "{name}");
        }
    }
}
