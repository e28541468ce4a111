//! Database-independent logic of search: rank fusion, filters and facets, boosts, weights of rerankers, mean directions, diversification,
//! passages, highlighting, snippets, stored token vectors, and quality metrics.

pub mod boost;
pub mod direction;
pub mod filter;
pub mod fusion;
pub mod highlight;
pub mod metrics;
pub mod mmr;
pub mod neighbours;
pub mod rerank;
pub mod snippet;
pub mod token_vectors;
