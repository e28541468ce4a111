//! The keyword index (BM25) of a corpus: segments that the engine builds and reads, stored as rows of PostgreSQL.

pub mod build;
pub mod corruption_flag;
pub mod merge;
pub mod segments;
