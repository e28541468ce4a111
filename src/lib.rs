//! socle, the PostgreSQL side: SQL functions, settings, the supervisor of the engine. The only code that knows
//! Postgres.
//!
//! Terms, each with one meaning throughout:
//! *source* a table of the user · *document* what one row or file holds · *chunk* a piece of a document that fits a
//! model · *embedding* the vector of a text · *model* a registered graph with its tokenizer and parameters · *digest*
//! the identity of a model · *generator* a registered language model, and the process that holds it · *endpoint* a registered
//! server that text may be sent to · *egress process* the one that sends it · *corpus* a source
//! with its chunks, kept in sync · *change log* the queue of a corpus: one row for each pending change · *job* one such
//! change · *batch* many keys in one row of the change log · *lease* the time for which a worker has claimed a job ·
//! *resync* a comparison of source and chunks as a whole · *segment* an immutable part of the keyword index ·
//! *retriever* what finds candidates, by vectors or by keywords · *scope* the chunks that a search may return ·
//! *engine* the process that holds models · *lane* a queue of the engine, interactive or bulk · *supervisor* the
//! background worker that runs the engine and the generator · *sync worker* the background worker that keeps the corpora
//! of one database in sync · *index worker* the background worker that builds one vector index.
//!
//! Each module uses only those before it in this list: pg, model_files, supervisor, child_client, egress_client, ledger,
//! engine_client, generator_client, language_model, endpoint, model, generator, catalog, capture, worker, keyword_index, vector_index,
//! residue, corpus, sync, search, answer, import, archive, model_package, erasure, functions.

mod answer;
mod archive;
mod capture;
mod catalog;
mod child_client;
mod corpus;
mod egress_client;
mod endpoint;
mod engine_client;
mod erasure;
mod functions;
mod generator;
mod generator_client;
mod import;
mod keyword_index;
mod language_model;
mod ledger;
mod model;
mod model_files;
mod model_package;
mod pg;
mod residue;
mod search;
mod supervisor;
mod sync;
mod vector_index;
mod worker;

use pgrx::prelude::*;

pgrx::pg_module_magic!(name, version);

/// Runs when the library is loaded: in the postmaster with `shared_preload_libraries`, else in the first session that
/// calls a function. Defines settings and nothing that could fail.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    pg::gucs::define();
    pg::label::define();
    supervisor::register_at_start();
}
