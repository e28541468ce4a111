//! Models: from files that nobody has to trust to vectors that everybody can.
//!
//! `directory` opens files, `layout` reads their configuration, `graph` looks into the ONNX file before ONNX Runtime
//! does, `tokenizer` and `session` wrap the two libraries, `pooling` makes vectors, `inspect` puts all of that together
//! for registration, `registered` tells whether files have changed since, and `store` keeps loaded models within the
//! memory limit.

pub mod directory;
pub mod graph;
pub mod inspect;
pub mod layout;
pub mod loaded;
pub mod pooling;
pub mod registered;
pub mod runtime;
pub mod session;
pub mod store;
pub mod tokenizer;
