//! The ledger: an append-only file of what has happened, in which nothing can be changed, left out or put in without that being
//! seen. Knows neither PostgreSQL nor any network, and not what its entries are about.
//!
//! An entry is a JSON object in canonical form, and a line of the file is `hex(sha256(previous hash, body)) SP body LF`, where the
//! previous hash is that of the line before, in hexadecimal. A chain of such lines has an origin of its own, drawn at random, and
//! lies in a directory of that name, cut into segments. All lines together are also the leaves of a Merkle tree as in RFC 6962,
//! whose root, kept elsewhere, holds whoever could rewrite a whole chain to what it said.
//!
//! One process writes ([`Ledger`]). Everybody who may read the files reads ([`read`], [`verify`]).

pub mod checkpoint;
pub mod entry;
pub mod fault;
pub mod hash;
pub mod json;
pub mod key;
pub mod place;
pub mod read;
mod recovery;
pub mod segment;
pub mod time;
pub mod tree;
pub mod verify;
mod writer;

pub use checkpoint::Checkpoint;
pub use entry::{Draft, Entry, Stamp};
pub use fault::Fault;
pub use hash::Hash;
pub use place::Place;
pub use writer::{Ledger, Pruned};
