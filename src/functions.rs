//! SQL functions that need neither a corpus nor a search: each checks its arguments, asks the engine, and returns rows.

pub mod chunk;
pub mod embed;
pub mod extract;
pub mod installation;
pub mod rerank;
pub mod status;
