//! `socle.verify_corpus`: compares source and chunks, and chunks and keyword index, looks whether stored token vectors can be
//! read, and has differences repaired.

use super::lifecycle::{REQUEST_RESYNC, complete, own_corpus};
use crate::catalog::sql_template::expand;
use crate::catalog::{CorpusSpec, token_model_of};
use crate::engine_client;
use crate::keyword_index::segments;
use crate::ledger::{self, Event, EventKind};
use crate::pg::arguments::Arguments;
use crate::pg::backend;
use crate::pg::error::report;
use crate::pg::jsonb_key::Key;
use crate::pg::run_as::{as_owner, as_superuser};
use crate::pg::{gucs, plan_cache, spi};
use crate::supervisor::wake;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::Result;
use socle_core::protocol::{Request, Response};
use socle_core::search::token_vectors::{self, TokenVectors};
use std::collections::HashSet;

const VERIFY: &str = include_str!("../../sql/corpus/verify.sql");
const DAMAGED: &str = include_str!("../../sql/corpus/corrupted.sql");
const FORGET_DAMAGED: &str = include_str!("../../sql/corpus/forget_damaged.sql");
const DELETE_STRAYS: &str = include_str!("../../sql/corpus/delete_strays.sql");
const ALL_CHUNKS: &str = include_str!("../../sql/corpus/all_chunks.sql");
const TOKEN_VECTORS: &str = include_str!("../../sql/corpus/token_vectors.sql");
const DELETE_CHUNKS: &str = include_str!("../../sql/corpus/delete_chunks.sql");
const KEYWORD_FORGET: &str = include_str!("../../sql/corpus/keyword_forget.sql");

/// What is wrong, the key of the document, and more about it.
type Problem = (String, Key, String);

/// A row of the result of `socle.verify_corpus`.
type Problems = TableIterator<'static, (name!(problem, String), name!(source_key, Key), name!(detail, String))>;

#[pg_extern(sql = false)]
fn verify_corpus(call: pg_sys::FunctionCallInfo) -> Result<Problems, ErrorReport> {
    let verified = || -> Result<Problems> {
        let corpus = own_corpus(call, "corpus")?;
        let repair = Arguments::new(call).boolean(1).unwrap_or_default();
        if repair {
            backend::prevent_if_read_only(c"socle.verify_corpus()");
        }
        let owner = complete(&corpus)?;
        let problems = as_owner(owner, || -> Result<Vec<_>> {
            let damaged = corpus.sql(DAMAGED);
            let sql = expand(VERIFY, &corpus, &[("damaged", &damaged)]);
            let mut problems = gucs::with_gucs(&gucs::RENDERING, || problems(&sql, &corpus.tables.key_columns))?;
            let (chunks, unreadable) = token_problems(&corpus)?;
            problems.extend(unreadable);
            if repair && !problems.is_empty() {
                // Their documents are damaged then, and chunked again.
                spi::run(&corpus.sql(DELETE_CHUNKS), &[chunks.into()])?;
                spi::run(&expand(FORGET_DAMAGED, &corpus, &[("damaged", &damaged)]), &[])?;
                spi::run(&corpus.sql(DELETE_STRAYS), &[])?;
                spi::run(&corpus.sql(REQUEST_RESYNC), &[])?;
                wake::at_commit();
            }
            Ok(problems)
        })?;
        let words = keyword_problems(&corpus, owner)?;
        if repair && !words.is_empty() {
            as_superuser(|| spi::run(KEYWORD_FORGET, &[corpus.name.as_str().into()]))?;
            wake::at_commit();
        }
        let words = words.into_iter().map(|detail| ("keywords".to_string(), Key("null".into()), detail));
        let problems: Vec<_> = problems.into_iter().chain(words).collect();
        ledger::record(
            Event::new(EventKind::VerifyCorpus)
                .with("corpus", corpus.name.as_str())
                .with("problems", problems.len())
                .with("repair", repair),
        );
        Ok(TableIterator::new(problems))
    };
    verified().map_err(report)
}

fn problems(sql: &str, keys: &[String]) -> Result<Vec<Problem>> {
    plan_cache::rows(sql, &[(gucs::max_document_bytes() as i64).into()], 0, |row| {
        (row.get(1).unwrap_or_default(), row.key(3, keys), row.get(2).unwrap_or_default())
    })
}

/// Chunks whose token vectors are not what a model of this kind gives, and their documents. A chunk without any is none of
/// them: the model scores it. Nothing is looked at while the model is not registered, which searches tell.
fn token_problems(corpus: &CorpusSpec) -> Result<(Vec<i64>, Vec<Problem>)> {
    let Some((width, most)) = token_model_of(corpus).ok().flatten().map(|model| (model.dimensions, model.max_tokens))
    else {
        return Ok((Vec::new(), Vec::new()));
    };
    let (width, most) = (width as usize, most as usize);
    let sql = corpus.sql(TOKEN_VECTORS);
    let found = gucs::with_gucs(&gucs::RENDERING, || {
        plan_cache::rows(&sql, &[], 0, |row| {
            pgrx::check_for_interrupts!();
            let is_sound = row.with_bytes(2, token_vectors::size(width, most), |bytes| {
                bytes.is_some_and(|bytes| TokenVectors::read(bytes, width, most).is_some())
            });
            (is_sound == Some(false))
                .then(|| (row.get::<i64>(1).unwrap_or_default(), row.key(3, &corpus.tables.key_columns)))
        })
    })?;
    let (chunks, keys): (Vec<i64>, Vec<Key>) = found.into_iter().flatten().unzip();
    let detail = |chunk: &i64| format!("the token vectors of chunk {chunk} cannot be read");
    let problems = chunks.iter().zip(keys).map(|(chunk, key)| ("token_vectors".to_string(), key, detail(chunk)));
    Ok((chunks.clone(), problems.collect()))
}

/// Problems of the keyword index; none while it is still being completed.
fn keyword_problems(corpus: &CorpusSpec, owner: pg_sys::Oid) -> Result<Vec<String>> {
    let mut damaged = Vec::new();
    for digest in segments::digests(corpus)? {
        if !segments::is_intact(corpus, &digest)? {
            let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            damaged.push(format!("segment {name} is not what was written"));
        }
    }
    if !damaged.is_empty() {
        return Ok(damaged);
    }
    // In the snapshot of the calling statement, like everything else here.
    let now = CorpusSpec::find_to_read(&corpus.name)?;
    if now.progress.keyword_missing_count > 0 || now.progress.state == "filling" {
        return Ok(Vec::new());
    }
    let mut covered: HashSet<i64> = HashSet::new();
    for segment in segments::segments(corpus)?.0 {
        let request = Request::KeywordList { segment };
        let mut source = |digest: &_, numbers| segments::parts(corpus, digest, numbers);
        match segments::with_segments(&request, &mut source)?.pop() {
            Some(Response::KeywordChunks(chunks)) => covered.extend(chunks),
            _ => return Err(engine_client::unexpected()),
        }
    }
    let sql = corpus.sql(ALL_CHUNKS);
    let all = as_owner(owner, || plan_cache::rows(&sql, &[], 0, |row| row.get::<i64>(1).unwrap_or_default()))?;
    let missing = all.iter().filter(|chunk| !covered.contains(chunk)).count();
    Ok(if missing == 0 { Vec::new() } else { vec![format!("{missing} chunks are in no segment")] })
}
