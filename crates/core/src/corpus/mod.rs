//! Database-independent logic of corpora: templates, chunk differences, retries, key types, merge policy.

pub mod archive;
pub mod diff;
pub mod key;
pub mod manifest;
pub mod merge;
pub mod name;
pub mod retry;
pub mod template;

use sha2::{Digest, Sha256};

/// Hash of the embedded text of a chunk: SHA-256 over the length of its context in bytes, as 64-bit little-endian, the
/// context, and the content.
pub fn chunk_hash(head: &str, content: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update((head.len() as u64).to_le_bytes());
    hash.update(head);
    hash.update(content);
    hash.finalize().into()
}

/// A `text[]` literal with all elements quoted.
pub fn array_literal(elements: &[String]) -> String {
    let mut literal = String::from("{");
    for (at, element) in elements.iter().enumerate() {
        literal.push_str(if at == 0 { "\"" } else { ",\"" });
        for character in element.chars() {
            if matches!(character, '"' | '\\') {
                literal.push('\\');
            }
            literal.push(character);
        }
        literal.push('"');
    }
    literal.push('}');
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_and_content_do_not_run_into_each_other() {
        assert_ne!(chunk_hash("ab", "c"), chunk_hash("a", "bc"));
        assert_eq!(chunk_hash("a", "b"), chunk_hash("a", "b"));
    }

    #[test]
    fn array_literals_keep_what_postgres_would_read_otherwise() {
        let elements = ["a\"b", "c\\d", "", "{,}", "NULL"].map(str::to_string);
        assert_eq!(array_literal(&elements), r#"{"a\"b","c\\d","","{,}","NULL"}"#);
        assert_eq!(array_literal(&[]), "{}");
    }
}
