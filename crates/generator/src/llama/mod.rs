//! llama.cpp, behind safe functions: all calls of it are in this folder.
//!
//! `declarations` states its functions, `library` loads it, `model` and `context` are what is made with it.

pub mod context;
pub mod declarations;
pub mod library;
pub mod model;
