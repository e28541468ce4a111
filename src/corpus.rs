//! Corpora: the functions that create, alter, monitor and drop them.
//!
//! Functions act as the caller; the rows of `socle.corpus` are written on behalf of owners only, and everything that
//! touches user data runs as the owner of the corpus, which is the owner of its chunk table.

mod alter;
mod binding_check;
pub mod create;
mod ddl_command;
mod ddl_events;
mod lifecycle;
pub mod options;
mod rekey;
mod restore;
pub mod source;
mod status;
pub mod swap;
mod sync_procedure;
mod verify;
mod wait;
mod wait_reason;
mod word_rules;

pub use lifecycle::complete;
