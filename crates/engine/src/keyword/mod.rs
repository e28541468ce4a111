//! The keyword index: BM25 over immutable segments that PostgreSQL keeps as rows.
//!
//! A request names the segments that its snapshot sees; together they are the index. `words`, `fold`, `language` and
//! `analysis` turn text into terms, `blob`, `storage` and `segment` are a segment from the outside in, `build` makes
//! them, `scanner` and `search` answer queries. Refuses damaged segments and those of other formats.
//!
//! Who asks speaks the messages of `serve` and knows a segment as bytes with a digest: nothing outside of this module names
//! tantivy.

pub mod analysis;
pub mod blob;
pub mod build;
pub mod cache;
pub mod draft;
pub mod fold;
pub mod highlight;
pub mod language;
pub mod lru;
mod operator;
pub mod plan;
pub mod scan;
pub mod scanner;
pub mod schema;
pub mod score;
pub mod search;
pub mod segment;
pub mod statistics;
pub mod storage;
pub mod task;
pub mod top;
pub mod words;

#[cfg(test)]
mod tests;
