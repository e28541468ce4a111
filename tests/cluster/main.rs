//! socle on real clusters: processes, crashes, interrupts, roles, standbys. One file for each subject.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod answer;
mod archive;
mod clients;
mod corpus;
mod crash;
mod database;
mod demo;
mod document;
mod egress;
mod erasure;
mod generator;
mod interrupt;
mod ledger;
mod manual;
mod memory;
mod model;
mod model_package;
mod monitoring;
mod reference;
mod search;
mod settings;
mod shutdown;
mod standby;
mod start;
mod update;
mod web;

use postgres::Client;
use socle_tests::error_of;

/// Embeds one text and returns the number of dimensions.
fn embed(client: &mut Client, text: &str) -> Result<i32, postgres::Error> {
    client.query_one("SELECT vector_dims(socle.embed($1, 'minilm'))", &[&text]).map(|row| row.get(0))
}

/// The SQLSTATE a statement fails with.
fn sqlstate<T>(result: Result<T, postgres::Error>) -> String {
    error_of(&result.err().expect("the statement succeeded")).0
}
