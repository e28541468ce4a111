//! What keeping a corpus true needs to know without a database: what is put before a chunk, which chunks of a document
//! changed, and when a failed change is tried again.

pub mod diff;
pub mod retry;
pub mod template;
