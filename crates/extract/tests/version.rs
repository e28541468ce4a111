//! The version of the extraction, which is kept with each text, changes when texts change.
#![allow(clippy::unwrap_used, missing_docs)]

use socle_core::answer::content_hash;
use socle_core::document::EXTRACTION_VERSION;
use socle_extract::{Limits, extract};
use std::path::{Path, PathBuf};

const LIMITS: Limits = Limits { output: 1 << 24, unpacked: 1 << 26, depth: 8 };

/// The version that was released last, whose texts cannot change any more; `None` while none was.
const RELEASED: Option<u32> = None;

/// The present version, and the SHA-256 of all that it makes of the files in `tests/files`.
const PRESENT: (u32, &str) = (1, "6da38f5037ea0728a7a70425eff187f77468c1e7f6c9668f34f205695132b8b6");

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

#[test]
fn another_text_has_another_version() {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files"), &mut found);
    found.sort();
    assert!(found.len() > 30, "{}", found.len());
    let mut all = String::new();
    for path in &found {
        let name = path.file_name().unwrap().to_str().unwrap();
        let extracted = extract(&std::fs::read(path).unwrap(), None, Some(name), LIMITS);
        all.push_str(&format!("{name}: {extracted:?}\n"));
    }
    let digest = content_hash(&all);
    assert!(
        (EXTRACTION_VERSION, digest.as_str()) == PRESENT && RELEASED != Some(EXTRACTION_VERSION),
        "What is extracted from some file has changed: the constant PRESENT of this test becomes ({EXTRACTION_VERSION}, \"{digest}\"). \
         If version {EXTRACTION_VERSION} was released (RELEASED: {RELEASED:?}), raise EXTRACTION_VERSION in \
         crates/core/src/document/extractor.rs first."
    );
}
