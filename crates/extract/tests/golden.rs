//! Whole documents, written by real programs, against what they are known to say.
#![allow(clippy::unwrap_used, missing_docs)]

use socle_core::document::BlockKind;
use socle_extract::{Limits, extract};

const LIMITS: Limits = Limits { output: 1 << 24, unpacked: 1 << 26, depth: 8 };

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/files/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn pages_are_read_as_they_are_seen() {
    for name in ["handbook", "report"] {
        let document = extract(&file(&format!("html/{name}.html")), None, None, LIMITS).unwrap();
        let wanted = String::from_utf8(file(&format!("html/{name}.md"))).unwrap();
        assert_eq!(document.markdown, wanted.trim_end(), "{name}");
        assert_eq!(document.metadata.language.as_deref(), Some("en"));
        let code = document.rows().find(|row| row.kind == BlockKind::Code).unwrap();
        assert_eq!(code.heading_path[..], ["Safety in the workshop", "Limits"][usize::from(name == "report")..]);
    }
}
