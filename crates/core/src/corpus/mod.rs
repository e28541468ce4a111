//! What keeping a corpus true needs to know without a database: what is put before a chunk, which chunks of a document
//! changed, and when a failed change is tried again.

pub mod diff;
pub mod key;
pub mod merge;
pub mod name;
pub mod retry;
pub mod template;

use sha2::{Digest, Sha256};

/// Identity of what is embedded for a chunk: SHA-256 over the length of what stands before it in bytes, as 64 bits
/// little-endian, that text, and the chunk.
pub fn chunk_hash(head: &str, content: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update((head.len() as u64).to_le_bytes());
    hash.update(head);
    hash.update(content);
    hash.finalize().into()
}

/// A `text[]` as Postgres reads it: every element in quotation marks.
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
