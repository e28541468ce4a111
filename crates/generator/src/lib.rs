//! The socle generator: language models in a process of their own, so that neither a crash nor the memory of one can reach
//! PostgreSQL or the engine.
//!
//! A request (`request`) arrives at the thread that owns all connections (`server`, `connection`). A thread of its own
//! (`service`) loads its model (`store`), writes its prompt (`template`, `prompt`), and hands it to the thread that computes
//! (`decoder`), which runs all requests of a model together (`batcher`, `schedule`), by as many `threads` as find a processor. Tokens are chosen by `sampler`, under a
//! `constraint`, and become text in `stop`. Responses go back through `responses`. A model is tried before registration in a
//! process of its own (`trial`). `llama` has the calls of llama.cpp.

pub mod batcher;
pub mod connection;
pub mod constraint;
pub mod decoder;
pub mod llama;
pub mod progress;
pub mod prompt;
pub mod request;
pub mod responses;
pub mod sampler;
pub mod schedule;
pub mod server;
pub mod service;
pub mod statistics;
pub mod stop;
pub mod store;
pub mod template;
pub mod threads;
pub mod trial;
