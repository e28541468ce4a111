//! Packages of models: `socle.export_model`, `socle.import_model`; whom to trust: `socle.trust_key`, `socle.distrust_key`; and who
//! may use a model: `socle.grant_model`, `socle.revoke_model`.
//!
//! A package is taken apart here, by safe code that knows headers of tar and the manifest (crate `socle-package`); what its files
//! mean is left to the engine and the generator, in their sandboxes. Bytes come and go in parts of a megabyte.

mod export;
mod grant;
mod import;
mod key;
