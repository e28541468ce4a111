//! Pure logic of socle: what a request is, what an error is, how a text becomes chunks, how two rankings become one.
//!
//! Knows neither Postgres nor ONNX Runtime and does no input or output, so that everything here can be tested, fuzzed
//! and reasoned about without a server.

pub mod array;
pub mod chunk;
pub mod corpus;
pub mod document;
pub mod error;
pub mod fair_queue;
pub mod language;
pub mod memory;
pub mod model;
pub mod oom;
pub mod protocol;
pub mod search;

pub use error::{Error, Kind, Result};
