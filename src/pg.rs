//! Access to PostgreSQL for the rest of the library: arguments and values, settings, statements, roles, locks, waits.
//! Knows nothing of corpora, models or the engine.
//!
//! The functions of PostgreSQL that need `unsafe` are called here, behind functions that are safe to call on the main
//! thread of a PostgreSQL process; what looks into catalogs or tables is called inside a transaction. Elsewhere `unsafe`
//! remains only where PostgreSQL calls this library: `tests/project` has the list.

pub mod allocator;
pub mod arguments;
pub mod backend;
pub mod background_worker;
pub mod callback;
pub mod client;
pub mod column;
pub mod database;
pub mod error;
pub mod event_trigger;
pub mod extension_version;
pub mod gucs;
pub mod heap;
pub mod jsonb_key;
pub mod label;
pub mod lock;
pub mod page;
pub mod plan_cache;
pub mod privilege;
pub mod procedure;
pub mod relation;
pub mod run_as;
pub mod snapshot;
pub mod spi;
pub mod subtransaction;
pub mod timeout;
pub mod transaction;
pub mod transaction_values;
pub mod trigger_call;
pub mod utility;
pub mod value;
pub mod vector;
pub mod version;
pub mod wait;
pub mod worker_process;
