//! The egress process: the only one of socle that may open a connection to anything but this cluster. Sends requests to
//! registered endpoints for sessions, and passes their answers on.
//!
//! Also the one that writes the ledger: what leaves is written there first.
//!
//! Shut by default: each request names its endpoint and the corpora that it has text of, and each of these has to allow the
//! endpoint. Which addresses and URLs there may be, what is written and how it is read, is decided in
//! [`socle_core::endpoint`]. Knows nothing of PostgreSQL.

pub mod call;
pub mod caller;
pub mod dns;
pub mod intent;
pub mod ledger;
pub mod resolver;
pub mod sandbox;
pub mod server;
pub mod share;
pub mod task;
pub mod transport;
pub mod trust;
