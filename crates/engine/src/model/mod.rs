//! Models: from files that nobody has to trust to vectors that everybody can.
//!
//! `directory` opens files, `layout` reads their configuration (`modules`, `prompt` and `position` parts of it), `graph`
//! looks into the ONNX file before ONNX Runtime does, `tokenizer` and `session` wrap the two libraries, `pooling` and
//! `head` make vectors, the latter with weights from `safetensors` (`float16` reads short numbers), `inspect` puts all of that together for
//! registration, `registered` tells whether files have changed since, and `store` keeps loaded models within the memory
//! limit.

pub mod directory;
pub mod float16;
pub mod graph;
pub mod head;
pub mod inspect;
pub mod layout;
pub mod loaded;
pub mod modules;
pub mod pooling;
pub mod position;
pub mod prompt;
pub mod registered;
pub mod runtime;
pub mod safetensors;
pub mod session;
pub mod store;
pub mod tokenizer;
