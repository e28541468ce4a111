//! Corpora: what `socle.corpus` says of each, and the functions that create, change, watch and end them.
//!
//! Whoever calls a function acts as himself; the rows of `socle.corpus` are written for owners alone, and everything that
//! touches user data runs as the owner of the corpus, which is the owner of its chunk table.

mod alter;
mod binding_check;
mod create;
mod ddl_command;
pub mod ddl_events;
mod lifecycle;
mod options;
mod rekey;
mod restore;
mod source;
mod status;
pub mod swap;
mod sync_procedure;
mod verify;
mod wait;
mod wait_reason;
