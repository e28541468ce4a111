//! The socle engine: models, tokenizers, documents and the keyword index in a process of their own, so that a crash in
//! one of their libraries cannot reach PostgreSQL's shared memory.
//!
//! A request (`request`) arrives at the thread that owns all connections (`server`), waits in the queue of its lane
//! (`scheduler`, `lane`), is served by a worker thread (`worker`) with `model`, `keyword` or `document`, and its response
//! goes back to the server thread through `response_queue`. Nothing here links against PostgreSQL.

pub mod batch_queue;
pub mod document;
pub mod keyword;
pub mod lane;
pub mod model;
pub mod old_supervisor;
pub mod pending_response;
pub mod picture;
pub mod request;
pub mod response_queue;
pub mod round_robin;
pub mod scheduler;
pub mod server;
pub mod statistics;
pub mod streamed_response;
pub mod worker;
