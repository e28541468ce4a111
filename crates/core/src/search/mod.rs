//! What a search needs to know without a database: how two rankings become one, what a filter means in SQL, which hits say
//! the same, what a hit looks like, and how good a ranking is.

pub mod filter;
pub mod fusion;
pub mod highlight;
pub mod metrics;
pub mod mmr;
pub mod neighbours;
