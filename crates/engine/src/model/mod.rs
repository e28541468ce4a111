//! Models: registration, loading, tokenizing, inference and pooling. The files of a model are untrusted input.
//!
//! `layout` reads the configuration in their files, with `configuration`, `modules`, `prompt` and `position`;
//! `graph` checks the ONNX file before ONNX Runtime loads it; `runtime`, `session` and `tokenizer` wrap the libraries;
//! `pooling` and `head` compute vectors, the latter with weights that `safetensors` and `float16` read; `loaded` is a model
//! of these, and `ocr` one that reads pictures. `inspect` registers a model, with `trial` runs, `inspect_ocr` one of the latter, `registered` detects later changes of its files, and `store` keeps the `resident`
//! models within the memory limit.

pub mod configuration;
pub mod float16;
pub mod graph;
pub mod head;
pub mod inspect;
pub mod inspect_ocr;
pub mod late_interaction;
pub mod layout;
pub mod loaded;
pub mod modules;
pub mod ocr;
pub mod pooling;
pub mod position;
pub mod prompt;
pub mod registered;
pub mod resident;
pub mod runtime;
pub mod safetensors;
pub mod session;
pub mod store;
pub mod tokenizer;
mod trial;
