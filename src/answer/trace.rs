//! `socle.trace`: from an answer to the documents that it cites, from a citation or a vector to the document, the model and every
//! answer that the ledger has of it.
//!
//! What the ledger has is shown to those who may read it. Of documents nothing is shown but whether the caller may see that a
//! citation still holds, and that only of a citation that the caller has passed: to look it up runs policies of the source's owner as
//! the caller, who may read the ledger. An answer is traced without reading any source.

use super::cite;
use crate::catalog::privileges::may_read_extractor;
use crate::catalog::{CorpusSpec, sql_template};
use crate::ledger::{self, LedgerEntry};
use crate::pg::arguments::Arguments;
use crate::pg::error::report;
use crate::pg::jsonb_key::Key;
use crate::pg::run_as::as_self;
use crate::pg::{plan_cache, value};
use crate::search::with_corpora;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use socle_core::protocol::VERSION;
use socle_core::{Error, Kind, Result};

const CHUNK: &str = include_str!("../../sql/answer/trace_chunk.sql");

type Row = (String, Option<String>, Option<Key>, Key);

type Rows = TableIterator<
    'static,
    (name!(step, String), name!(corpus_name, Option<String>), name!(source_key, Option<Key>), name!(detail, Key)),
>;

#[pg_extern(sql = false)]
fn trace_answer(call: pg_sys::FunctionCallInfo) -> Result<Rows, ErrorReport> {
    let traced = || -> Result<Vec<Row>> {
        let Some(answer) = Arguments::new(call).content(0, "answer")? else { return Ok(Vec::new()) };
        ledger::require_reader();
        let hash = ledger::keyed(&answer)?;
        let mut rows = Vec::new();
        ledger::for_each(&mut |entry| {
            if entry.data["answer_hmac"] == hash.as_str() {
                rows.push(told(entry));
                rows.extend(Told::all(entry).iter().map(Told::step).collect::<Result<Vec<_>>>()?);
            }
            Ok(())
        })?;
        Ok(rows)
    };
    traced().map(TableIterator::new).map_err(report)
}

#[pg_extern(sql = false)]
fn trace_citation(call: pg_sys::FunctionCallInfo) -> Result<Rows, ErrorReport> {
    let traced = || -> Result<Vec<Row>> {
        let Some(json) = Arguments::new(call).json(0) else { return Ok(Vec::new()) };
        let state = cite::state_of(&json)?.name;
        let citation: Citation<'_> = serde_json::from_str(&json).map_err(|_| damaged())?;
        let mut rows = vec![citation.step(citation.source_key.get(), Some(state))];
        if let Some(corpus) = CorpusSpec::try_find(&citation.corpus)? {
            rows.push(model(&corpus));
        }
        rows.extend(answers(&citation.corpus, citation.source_key.get())?);
        Ok(rows)
    };
    traced().map(TableIterator::new).map_err(report)
}

#[pg_extern(sql = false)]
fn trace_chunk(call: pg_sys::FunctionCallInfo) -> Result<Rows, ErrorReport> {
    let traced = || -> Result<Vec<Row>> {
        let arguments = Arguments::new(call);
        let Some(name) = arguments.short_text(0, "corpus")? else { return Ok(Vec::new()) };
        let Some(chunk) = arguments.i64(1) else { return Ok(Vec::new()) };
        let found = with_corpora(std::slice::from_ref(&name), |corpora| {
            let Some(corpus) = corpora.first() else { return Ok(None) };
            let keys = &corpus.tables.key_columns;
            let extractor = if may_read_extractor(corpus) { ", 'extractor', k.extractor" } else { "" };
            let sql = sql_template::expand(CHUNK, corpus, &[("extractor", extractor)]);
            let found = as_self(|| {
                plan_cache::rows(&sql, &[chunk.into()], 1, |row| {
                    (row.get::<String>(1).unwrap_or_default(), row.key(2, keys))
                })
            })?;
            Ok(found.into_iter().next().map(|(chunk, key)| (chunk, key, model(corpus))))
        })?;
        let Some((detail, key, model)) = found else {
            return Err(Error::new(Kind::InvalidArgument, format!("corpus \"{name}\" has no chunk {chunk}"))
                .detail("It may have been replaced since, or belong to a row that you may not read."));
        };
        let answers = answers(&name, &key.0)?;
        let vector = ("vector".to_string(), Some(name), Some(key), Key(detail));
        Ok([vector, model].into_iter().chain(answers).collect())
    };
    traced().map(TableIterator::new).map_err(report)
}

/// The step of an entry of the ledger.
fn told(entry: &LedgerEntry) -> Row {
    let mut data = entry.data.clone();
    if let Some(fields) = data.as_object_mut() {
        fields.remove("citations");
    }
    let detail =
        json!({"chain": entry.chain, "number": entry.number, "at": entry.at, "role": entry.role, "data": data});
    (entry.kind.clone(), None, None, value::canonical(&detail.to_string()))
}

/// A citation, with its key as JSON, whose numbers keep all their digits.
#[derive(Deserialize)]
struct Citation<'a> {
    corpus: String,
    #[serde(borrow)]
    source_key: &'a RawValue,
    start_offset: i32,
    end_offset: i32,
    content_sha256: String,
    extractor: Option<String>,
}

impl Citation<'_> {
    /// The step of a citation: where it stands, and whether it still does, if that is known.
    fn step(&self, key: &str, state: Option<&str>) -> Row {
        let mut detail = json!({
            "start_offset": self.start_offset,
            "end_offset": self.end_offset,
            "content_sha256": self.content_sha256,
        });
        if let Some(extractor) = &self.extractor {
            detail["extractor"] = extractor.as_str().into();
        }
        if let Some(state) = state {
            detail["state"] = state.into();
        }
        let (corpus, key) = (Some(self.corpus.clone()), Some(value::canonical(key)));
        ("citation".to_string(), corpus, key, value::canonical(&detail.to_string()))
    }
}

/// A citation of the ledger, which has the key as a text.
#[derive(Deserialize)]
struct Told {
    corpus: String,
    source_key: String,
    start_offset: i32,
    end_offset: i32,
    content_sha256: String,
    extractor: Option<String>,
}

impl Told {
    fn all(entry: &LedgerEntry) -> Vec<Self> {
        let citations = entry.data["citations"].as_array().into_iter().flatten();
        citations.filter_map(|citation| serde_json::from_value(citation.clone()).ok()).collect()
    }

    fn step(&self) -> Result<Row> {
        let citation = Citation {
            corpus: self.corpus.clone(),
            source_key: serde_json::from_str(&self.source_key).map_err(|_| damaged())?,
            start_offset: self.start_offset,
            end_offset: self.end_offset,
            content_sha256: self.content_sha256.clone(),
            extractor: self.extractor.clone(),
        };
        Ok(citation.step(&self.source_key, None))
    }
}

fn damaged() -> Error {
    Error::new(Kind::DamagedLedger, "a citation in the ledger is not one")
}

/// The step of a corpus: what its vectors are made with.
fn model(corpus: &CorpusSpec) -> Row {
    let detail = json!({
        "source": format!("{}.{}", corpus.tables.source_schema, corpus.tables.source_table),
        "model": corpus.options.model,
        "model_digest": corpus.options.model_digest,
        "max_tokens": corpus.options.max_tokens,
        "overlap_tokens": corpus.options.overlap_tokens,
        "socle_version": VERSION,
    });
    ("model".to_string(), Some(corpus.name.clone()), None, value::canonical(&detail.to_string()))
}

/// The steps of all answers that cite a document, for those who may read the ledger.
fn answers(corpus: &str, key: &str) -> Result<Vec<Row>> {
    if !ledger::is_reader() {
        pgrx::notice!("answers are not shown: they are in socle.ledger, which you may not read");
        return Ok(Vec::new());
    }
    let key = value::canonical(key).0;
    let mut rows = Vec::new();
    ledger::for_each(&mut |entry| {
        let is_it = |told: &Told| told.corpus == corpus && value::canonical(&told.source_key).0 == key;
        let cites = Told::all(entry).iter().any(is_it);
        if cites {
            rows.push(told(entry));
        }
        Ok(())
    })?;
    Ok(rows)
}
