//! SQL functions that need neither a corpus nor a search: each checks its arguments, asks the engine or the generator, and
//! returns rows.

pub mod chunk;
pub mod embed;
pub mod extract;
pub mod generate;
pub mod installation;
pub mod processes;
pub mod rerank;
pub mod status;
