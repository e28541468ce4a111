//! Pure logic of socle: protocol, errors, chunking, rank fusion, and the scheduling of workers.
//!
//! Independent of PostgreSQL and ONNX Runtime and without input or output, so that everything here can be tested and
//! fuzzed without a server.

pub mod answer;
pub mod array;
pub mod chunk;
pub mod corpus;
pub mod document;
pub mod endpoint;
pub mod error;
pub mod fair_queue;
pub mod generator;
pub mod hint;
pub mod language;
pub mod memory;
pub mod model;
pub mod oom;
pub mod protocol;
pub mod search;

pub use error::{Error, Kind, Result};
