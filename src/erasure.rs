//! Erasing documents: `socle.forget`, which deletes and gives a receipt, `socle.wait_for_erasure`, and
//! `socle.verify_erasure`, which looks for what is left.
//!
//! A session deletes rows; what deleted rows leave behind is cleared away by a worker after the commit (`src/residue.rs`).
//! A receipt has no text and no key of a document, only hashes with a random salt of its own.

mod delete;
mod page_search;
mod receipt;
mod target;
mod verify;
mod wait;

use crate::catalog::CorpusSpec;
use crate::catalog::privileges::hold_source;
use crate::ledger::{self, Event, EventKind};
use crate::pg::arguments::Arguments;
use crate::pg::error::report;
use crate::pg::jsonb_key::Key;
use crate::pg::run_as::{as_superuser, current_user};
use crate::pg::value::canonical;
use crate::pg::{backend, spi};
use crate::supervisor::wake;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use receipt::Receipt;
use sha2::{Digest, Sha256};
use socle_core::{Error, Kind, Result};
use target::KeyForm;

const SAME_SOURCE: &str = include_str!("../sql/erasure/same_source.sql");
const INSERT: &str = include_str!("../sql/erasure/insert.sql");
const ROLE: &str = "SELECT pg_get_userbyid($1)::text";

#[pg_extern(sql = false)]
fn forget(call: pg_sys::FunctionCallInfo) -> Result<Key, ErrorReport> {
    erase(Arguments::new(call)).map_err(report)
}

fn erase(arguments: Arguments) -> Result<Key> {
    let name = arguments.short_text(0, "corpus")?;
    let name = name.ok_or_else(|| Error::new(Kind::InvalidArgument, "corpus must not be null"))?;
    let corpus = CorpusSpec::find(&name)?;
    corpus.require_owner()?;
    backend::prevent_if_read_only(c"socle.forget()");
    if backend::keeps_its_snapshot() {
        return Err(Error::new(Kind::ActiveTransaction, "socle.forget() needs isolation level READ COMMITTED")
            .detail("This transaction would not see, and so not delete, what workers have written since it began."));
    }
    hold_source(&corpus)?;
    let documents =
        target::documents(&corpus, arguments.limited_json(1, "source_key")?, arguments.limited_json(2, "filter")?)?;
    let mut receipt = Receipt::new(&corpus)?;
    let form = KeyForm::of(&corpus);
    let delete_source = arguments.boolean(3).unwrap_or_default();
    for document in &documents {
        receipt.add_key(&form.canonical(&document.key));
        receipt.rows_deleted += delete::source_row(&corpus, document, delete_source)?;
    }
    for name in spi::query_texts(SAME_SOURCE, &[corpus.name.as_str().into()])? {
        let Some(other) = CorpusSpec::try_find(&name)? else { continue };
        if other.require_owner().is_err() {
            receipt.leave(&other.name, "the caller does not own it");
        } else if other.tables.key_columns != corpus.tables.key_columns {
            receipt.leave(&other.name, "it has another key: see socle.corpus_status");
        } else {
            receipt.add_corpus(&other.name, &delete::from_corpus(&other, &documents)?);
            register(&receipt, &other)?;
        }
    }
    receipt.ledger_texts = erase_texts(&receipt, &form)?;
    wake::at_commit();
    let json = receipt.to_json()?;
    record(&receipt, &json);
    Ok(Key(json))
}

/// Erases the texts that the ledger keeps of answers that have cited one of the documents; returns how many. Files, and so gone
/// even if the transaction is rolled back.
fn erase_texts(receipt: &Receipt, form: &KeyForm) -> Result<u64> {
    ledger::erase_texts(&mut |data| {
        let mut citations = data["citations"].as_array().into_iter().flatten();
        citations.any(|citation| {
            let corpus = citation["corpus"].as_str().unwrap_or_default();
            let key = citation["source_key"].as_str().unwrap_or("null");
            receipt.corpora.iter().any(|erased| erased.corpus == corpus)
                && receipt.has_key(&form.canonical(&Key(key.to_string())))
        })
    })
}

/// Enters the erasure into the ledger: counts, and the hash of the receipt, which whoever holds it can compare.
fn record(receipt: &Receipt, json: &str) {
    let corpora: Vec<&str> = receipt.corpora.iter().map(|corpus| corpus.corpus.as_str()).collect();
    let sum = |count: fn(&receipt::Erased) -> u64| receipt.corpora.iter().map(count).sum::<u64>();
    let event = Event::new(EventKind::Erase)
        .with("erasure", receipt.erasure.as_str())
        .with("source", receipt.source.as_str())
        .with("corpora", corpora)
        .with("keys", receipt.keys.len())
        .with("rows_deleted", receipt.rows_deleted)
        .with("documents", sum(|corpus| corpus.documents))
        .with("chunks", sum(|corpus| corpus.chunks))
        .with("ledger_texts", receipt.ledger_texts)
        .with("receipt_sha256", receipt::hex(&Sha256::digest(canonical(json).0.as_bytes())));
    ledger::record(event);
}

/// Has a worker clear away what the deleted rows leave in a corpus, once this transaction has committed.
fn register(receipt: &Receipt, corpus: &CorpusSpec) -> Result<()> {
    let role = spi::query_text(ROLE, &[current_user().into()])?.unwrap_or_default();
    let arguments = [receipt.erasure.as_str().into(), corpus.name.as_str().into(), role.into()];
    as_superuser(|| spi::run(INSERT, &arguments))
}
