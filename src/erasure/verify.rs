//! `socle.verify_erasure`: looks for what is left of erased documents, in the rows of tables, in the keyword index, in the
//! pages of relations and in files, and says what it could not look at.

use super::page_search::{Found, Wanted, copies_of_models, files, is_former_segment, segment_cache};
use super::receipt::{Receipt, hex};
use super::target::KeyForm;
use super::wait;
use crate::catalog::CorpusSpec;
use crate::catalog::sql_template::expand;
use crate::corpus;
use crate::keyword_index::segments::{self, KeywordQuery, Question};
use crate::ledger::{self, Event, EventKind};
use crate::pg::arguments::Arguments;
use crate::pg::error::report;
use crate::pg::plan_cache;
use crate::pg::run_as::{as_log_owner, as_superuser, may_act_as};
use crate::residue;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::protocol::{FieldWeights, LEDGER_DIRECTORY, LEDGER_TEXT_DIRECTORY, QuerySyntax};
use socle_core::{Error, Kind, Result};
use std::cell::Cell;
use std::collections::HashSet;

const PRESENT: &str = include_str!("../../sql/erasure/present.sql");
const PRESENT_IN_SOURCE: &str = include_str!("../../sql/erasure/present_in_source.sql");
const CONTENTS: &str = "SELECT k.content_hash FROM {chunk} k";
const GONE: &str = include_str!("../../sql/keyword/gone_chunks.sql");
const SEGMENTS: &str = include_str!("../../sql/residue/segments_of_all.sql");

const AGAIN: &str = "call socle.forget() again";
const WAIT: &str = "CALL socle.wait_for_erasure(receipt)";

/// Hits of a word in the keyword index that are looked at.
const MAX_HITS: u32 = 10_000;

/// Directories of the data directory whose files are searched, whether socle erases from them, and what to do otherwise.
const DIRECTORIES: [(&str, bool, &str); 4] = [
    ("socle", true, WAIT),
    ("pg_wal", false, "it is overwritten when the file is used again: see the receipt"),
    ("base/pgsql_tmp", false, "it goes with the statement that has made it"),
    ("log", false, "delete old log files"),
];

/// Something that was found, or could not be looked at.
struct Finding {
    place: String,
    finding: String,
    occurrences: u64,
    is_residue: bool,
    remedy: String,
}

/// The rows of the result of `socle.verify_erasure`.
type Findings = TableIterator<
    'static,
    (
        name!(place, String),
        name!(finding, String),
        name!(occurrences, i64),
        name!(is_residue, bool),
        name!(remedy, String),
    ),
>;

#[pg_extern(sql = false)]
fn verify_erasure(call: pg_sys::FunctionCallInfo) -> Result<Findings, ErrorReport> {
    let findings = verified(Arguments::new(call)).map_err(report)?;
    Ok(TableIterator::new(
        findings
            .into_iter()
            .map(|found| (found.place, found.finding, found.occurrences.cast_signed(), found.is_residue, found.remedy)),
    ))
}

fn finding(
    place: impl Into<String>,
    finding: impl Into<String>,
    occurrences: u64,
    is_residue: bool,
    remedy: &str,
) -> Finding {
    Finding { place: place.into(), finding: finding.into(), occurrences, is_residue, remedy: remedy.into() }
}

/// Verifies an erasure, and enters the result into the ledger: counts, and no place, which may have the name of a table or file.
fn verified(arguments: Arguments) -> Result<Vec<Finding>> {
    let receipt = arguments.limited_json(0, "receipt")?;
    let receipt =
        Receipt::parse(&receipt.ok_or_else(|| Error::new(Kind::InvalidArgument, "receipt must not be null"))?)?;
    let words = words(arguments)?;
    let sees_files = may_act_as(pg_sys::Oid::from(pg_sys::ROLE_PG_READ_SERVER_FILES));
    let findings = verify(&receipt, &words, sees_files)?;
    let corpora: Vec<&str> = receipt.corpora.iter().map(|erased| erased.corpus.as_str()).collect();
    let event = Event::new(EventKind::VerifyErasure)
        .with("erasure", receipt.erasure.as_str())
        .with("corpora", corpora)
        .with("residues", findings.iter().filter(|found| found.is_residue).count())
        .with("words", words.len())
        .with("looked_at_files", sees_files);
    ledger::tell(&event);
    Ok(findings)
}

fn verify(receipt: &Receipt, words: &[String], sees_files: bool) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for left in &receipt.left {
        findings.push(finding(
            format!("corpus {}", left.corpus),
            format!("was left: {}", left.reason),
            1,
            true,
            "its owner can call socle.forget()",
        ));
    }
    for (corpus, reason) in wait::pending(receipt)? {
        findings.push(finding(format!("corpus {corpus}"), format!("the erasure is pending: {reason}"), 1, true, WAIT));
    }
    let mut tables: Vec<pg_sys::Oid> = Vec::new();
    for erased in &receipt.corpora {
        let Some(corpus) = CorpusSpec::try_find(&erased.corpus)? else { continue };
        corpus.require_owner()?;
        in_rows(receipt, &corpus, &mut findings)?;
        in_keywords(&corpus, words, &mut findings)?;
        for table in residue::tables(&corpus)? {
            if !tables.contains(&table) {
                tables.push(table);
            }
        }
    }
    if sees_files {
        in_pages_and_files(&Wanted::new(receipt, words), &tables, &mut findings)?;
    } else {
        let remedy = "call it as a superuser or a member of pg_read_server_files";
        findings.push(finding("pages of relations, files", "not looked at", 0, false, remedy));
    }
    if words.is_empty() {
        findings.push(finding(
            "texts",
            "not looked for: no words were given",
            0,
            false,
            "pass some rare words of the documents",
        ));
    }
    Ok(findings)
}

fn words(arguments: Arguments) -> Result<Vec<String>> {
    let texts = arguments.limited_texts(1, "words")?.map(|texts| texts.elements).unwrap_or_default();
    let words: Vec<String> = texts.into_iter().flatten().map(str::to_string).collect();
    if words.iter().any(|word| word.len() < 4) {
        return Err(Error::new(Kind::InvalidArgument, "words must have at least four bytes each")
            .detail("Shorter ones stand by chance in any large file."));
    }
    Ok(words)
}

/// Rows with an erased key, or with the content of an erased chunk.
fn in_rows(receipt: &Receipt, corpus: &CorpusSpec, findings: &mut Vec<Finding>) -> Result<()> {
    let owner = corpus::complete(corpus)?;
    let (keys, form) = (&corpus.tables.key_columns, KeyForm::of(corpus));
    let count = |sql: &str| -> Result<u64> {
        let found = Cell::new(0);
        as_log_owner(owner, || {
            plan_cache::rows(sql, &[], 0, |row| {
                let is_erased = receipt.has_key(&form.canonical(&row.key(1, keys)));
                found.set(found.get() + u64::from(is_erased));
            })
        })?;
        Ok(found.get())
    };
    for table in ["{chunk}", "{document}", "{change}"] {
        let found = count(&expand(&PRESENT.replace("{table}", table), corpus, &[]))?;
        if found > 0 {
            findings.push(finding(corpus.sql(table), "keys of erased documents", found, true, AGAIN));
        }
    }
    let found = count(&corpus.sql(PRESENT_IN_SOURCE))?;
    if found > 0 {
        findings.push(finding(
            corpus.sql("{source_table}"),
            "the source has rows of erased documents again",
            found,
            true,
            AGAIN,
        ));
    }
    let same = Cell::new(0);
    as_log_owner(owner, || {
        plan_cache::rows(&corpus.sql(CONTENTS), &[], 0, |row| {
            let content = row.get::<Vec<u8>>(1).unwrap_or_default();
            same.set(same.get() + u64::from(receipt.contents.contains(&receipt.hash(&content))));
        })
    })?;
    if same.get() > 0 {
        let remedy = "another document has the same text: erase it, too, if it should not have it";
        findings.push(finding(
            corpus.sql("{chunk}"),
            "chunks with the text of an erased one",
            same.get(),
            true,
            remedy,
        ));
    }
    Ok(())
}

/// Words that the keyword index finds in chunks that are gone.
fn in_keywords(corpus: &CorpusSpec, words: &[String], findings: &mut Vec<Finding>) -> Result<()> {
    let (segments, _) = segments::segments(corpus)?;
    let owner = corpus::complete(corpus)?;
    let mut found = 0;
    for word in words {
        let query = KeywordQuery {
            text: word,
            syntax: QuerySyntax::Natural,
            language: corpus.only_language(),
            visible_statistics: false,
            rules: &[],
            weights: FieldWeights::default(),
        };
        let hits = segments::ask(corpus, &segments, query, &Question { limit: MAX_HITS, ..Question::default() })?;
        let chunks: Vec<i64> = hits.hits.iter().map(|(chunk, _)| *chunk).collect();
        let sql = corpus.sql(GONE);
        found += as_log_owner(owner, || plan_cache::rows(&sql, &[chunks.into()], 0, drop))?.len();
    }
    if found > 0 {
        let place = format!("keyword index of corpus {}", corpus.name);
        findings.push(finding(place, "words of deleted chunks", found as u64, true, AGAIN));
    }
    Ok(())
}

/// Bytes of erased documents in pages and files.
fn in_pages_and_files(wanted: &Wanted<'_>, tables: &[pg_sys::Oid], findings: &mut Vec<Finding>) -> Result<()> {
    let mut add = |place: &str, found: Found, is_erased: bool, remedy: &str| {
        if found.words > 0 {
            findings.push(finding(place, "words", found.words, is_erased, remedy));
        }
        if found.contents > 0 {
            findings.push(finding(place, "hashes of erased chunks", found.contents, is_erased, remedy));
        }
    };
    let mut dead: Vec<(String, u64)> = Vec::new();
    for relation in residue::relations(tables)? {
        let holds_rows = relation.kind == "table" || relation.kind == "toast";
        let Some(found) = wanted.in_relation(relation.oid, holds_rows) else { continue };
        add(&relation.name, found, true, AGAIN);
        if found.dead_rows > 0 {
            dead.push((relation.name, found.dead_rows));
        }
    }
    let kept =
        as_superuser(|| plan_cache::rows(SEGMENTS, &[], 0, |row| row.get::<Vec<u8>>(1).map(|digest| hex(&digest))))?;
    let kept: HashSet<String> = kept.into_iter().flatten().collect();
    for (directory, is_erased, remedy) in DIRECTORIES {
        for path in files(directory).into_iter().filter(|path| !path.starts_with(copies_of_models())) {
            let found = wanted.in_file(&path);
            if found.is_something() {
                let (is_erased, remedy) = if path.starts_with(LEDGER_DIRECTORY) {
                    (false, "socle.prune_ledger() removes old entries")
                } else if path.starts_with(LEDGER_TEXT_DIRECTORY) {
                    (is_erased, "delete this file: the ledger can be verified without it")
                } else {
                    (is_erased && !is_former_segment(&path, &kept), remedy)
                };
                add(&path.display().to_string(), found, is_erased, remedy);
            }
        }
    }
    for (place, count) in dead {
        let what = "row versions that were deleted or replaced, maybe of other documents";
        findings.push(finding(place, what, count, false, "VACUUM, or call socle.forget() again"));
    }
    let cached = files(&segment_cache().display().to_string());
    let former = cached.iter().filter(|path| is_former_segment(path, &kept)).count() as u64;
    if former > 0 {
        let what = "files of segments that are none of this database, maybe of other databases";
        findings.push(finding("cache of the engine", what, former, false, "call socle.forget() again"));
    }
    let remedy = "look there: see log_directory and log_destination";
    findings.push(finding("logs outside of the data directory", "not looked at", 0, false, remedy));
    Ok(())
}
