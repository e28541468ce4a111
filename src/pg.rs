//! Access to PostgreSQL for the rest of the library: arguments and values, settings, statements, roles, locks, waits.
//! Knows nothing of corpora, models or the engine.

pub mod allocator;
pub mod arguments;
pub mod backend;
pub mod error;
pub mod extension_version;
pub mod gucs;
pub mod jsonb_key;
pub mod lock;
pub mod plan_cache;
pub mod procedure;
pub mod run_as;
pub mod spi;
pub mod subtransaction;
pub mod value;
pub mod vector;
pub mod version;
pub mod wait;
