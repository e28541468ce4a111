//! The keyword index: BM25 over immutable segments that PostgreSQL keeps as rows.
//!
//! A request names the segments that are visible to its snapshot; together they are the index. `words`, `spelling`, `fold`,
//! `language`, `light_stemmer`, `english` and `analysis` turn text into terms; `segment_file`, `runs`, `storage`, `segment` and `chunk_language` read a segment; `build` writes one;
//! `query_unit`, `query_parser`, `query_plan`, `word_rule`, `vocabulary`, `compound`, `compile` and `search` answer queries,
//! with `exhaustive`, `score`, `field_weight` and `top_hits`; `suggest` and `folded_prefix` complete what is being typed; `cache` keeps
//! segments. Damaged segments and those of another format are refused.
//!
//! Outside of this module a segment is bytes with a digest: nothing else names tantivy.

pub mod analysis;
pub mod build;
pub mod cache;
pub mod chunk_language;
mod compile;
mod compound;
mod english;
pub mod exhaustive;
pub mod field_weight;
pub mod fold;
mod folded_prefix;
pub mod highlight;
pub mod incoming_segment;
pub mod language;
mod light_stemmer;
pub mod lru;
mod operator;
pub mod query_parser;
pub mod query_plan;
mod query_unit;
mod runs;
pub mod schema;
pub mod score;
pub mod search;
pub mod segment;
pub mod segment_file;
mod spelling;
pub mod statistics;
pub mod storage;
pub mod suggest;
pub mod task;
pub mod top_hits;
mod vocabulary;
pub mod word_rule;
pub mod words;

#[cfg(test)]
mod tests;
