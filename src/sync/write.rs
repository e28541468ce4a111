//! Writes results in one short transaction, for those documents only that are still claimed.

use super::Job;
use super::claim::{Claim, changes};
use super::document::{Document, NewChunk};
use super::token_vectors::TokenVectors;
use crate::catalog::sql_template;
use crate::keyword_index::build::{self, Indexed, Segment};
use crate::pg::value;
use crate::pg::vector;
use crate::worker::transaction::{WorkerError, as_corpus_owner, as_corpus_owner_over, transaction};
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

const FENCE: &str = include_str!("../../sql/sync/fence.sql");
const INSERT_CHUNKS: &str = include_str!("../../sql/sync/insert_chunks.sql");
const TOKEN_VECTORS: &str = include_str!("../../sql/sync/token_vectors.sql");
const MOVE_CHUNKS: &str = include_str!("../../sql/sync/move_chunks.sql");
const UPDATE_RECOGNITION: &str = include_str!("../../sql/sync/update_recognition.sql");
const UPDATE_EXTRACTOR: &str = include_str!("../../sql/sync/update_extractor.sql");
const DELETE_CHUNKS: &str = include_str!("../../sql/sync/delete_chunks.sql");
const STORE_DOCUMENTS: &str = include_str!("../../sql/sync/store_documents.sql");
const REMOVE_CHUNKS: &str = include_str!("../../sql/sync/remove_document_chunks.sql");
const REMOVE_DOCUMENTS: &str = include_str!("../../sql/sync/remove_documents.sql");
const FINISH: &str = include_str!("../../sql/sync/finish.sql");
const NUMBERS: &str = include_str!("../../sql/sync/chunk_numbers.sql");
const COUNT_PROGRESS: &str = include_str!("../../sql/sync/count_progress.sql");

/// Chunks inserted by one INSERT: some megabytes of vectors, or of token vectors.
const INSERT_ROWS: usize = 1_000;
const INSERT_ROWS_WITH_TOKENS: usize = 100;

/// Ids of the new chunks, by job id of the document and index in it.
#[derive(Debug)]
pub struct Numbered(HashMap<(i64, usize), i64>);

impl Numbered {
    /// The indexed parts of the new chunks.
    pub fn indexed(&self, documents: &[Document]) -> Vec<Indexed> {
        let added = documents.iter().flat_map(|document| document.diff.added.iter().map(move |at| (document, *at)));
        added
            .filter_map(|(document, at)| {
                let new = &document.chunks[at];
                Some(Indexed {
                    chunk_id: *self.0.get(&(document.claim.job_id, at))?,
                    context: new.context.clone(),
                    content: new.chunk.content.clone(),
                    language: document.language.clone(),
                })
            })
            .collect()
    }
}

/// What is written besides the documents themselves.
#[derive(Debug)]
pub struct Ready {
    /// The computed vectors, by chunk hash.
    pub vectors: HashMap<[u8; 32], Vec<f32>>,
    /// The computed token vectors, by chunk hash.
    pub token_vectors: TokenVectors,
    /// The ids of new chunks.
    pub numbered: Numbered,
    /// The segment with their keywords, unless these are indexed later.
    pub segment: Option<Segment>,
}

/// Draws ids for new chunks, which the engine has to know before they are written.
///
/// # Errors
/// Whatever Postgres raises.
pub fn number_chunks(job: &Job, documents: &[Document]) -> Result<Numbered, WorkerError> {
    let places: Vec<(i64, usize)> = documents
        .iter()
        .flat_map(|document| document.diff.added.iter().map(|at| (document.claim.job_id, *at)))
        .collect();
    if places.is_empty() {
        return Ok(Numbered(HashMap::new()));
    }
    let chunk = pg_sys::Oid::from(job.corpus.tables.chunk.unwrap_or_default());
    let numbers: Vec<i64> = transaction(|| {
        as_corpus_owner(&job.corpus, || {
            Spi::connect_mut(|client| {
                let rows = client.update(NUMBERS, None, &[chunk.into(), (places.len() as i64).into()])?;
                rows.map(|row| Ok(row.get::<i64>(1)?.unwrap_or_default())).collect()
            })
        })
    })?;
    Ok(Numbered(places.into_iter().zip(numbers).collect()))
}

/// Writes the results for the documents, and deletes their changes.
///
/// # Errors
/// Whatever Postgres raises; then nothing was written.
pub fn write(job: &Job, documents: &[Document], ready: Ready, took: Duration) -> Result<(), WorkerError> {
    transaction(|| {
        let counts = as_corpus_owner_over(&job.corpus, rows(documents), || {
            Spi::connect_mut(|client| replace(job, documents, &ready, client))
        })?;
        let Counts { embedded, reused, deleted, done } = counts;
        let uncovered = if ready.segment.is_some() { 0 } else { ready.numbered.0.len() };
        if let Some(segment) = ready.segment {
            build::store(&job.corpus, segment)?;
        }
        let arguments = [
            job.corpus.name.as_str().into(),
            embedded.into(),
            reused.into(),
            f64::from(value::count(done)).into(),
            took.as_secs_f64().into(),
            i64::from(value::count(uncovered)).into(),
            i64::from(value::count(deleted)).into(),
        ];
        // Last, because workers of one corpus block each other here.
        Ok(Spi::run_with_args(COUNT_PROGRESS, &arguments)?)
    })
}

/// Approximate number of rows that are written or deleted for the documents.
fn rows(documents: &[Document]) -> u64 {
    documents.iter().map(|document| (1 + document.chunks.len() + document.stored.len()) as u64).sum()
}

/// Numbers of chunks and documents.
struct Counts {
    /// Chunks that were embedded.
    embedded: i64,
    /// Chunks that got the vector of an equal one, or kept theirs.
    reused: i64,
    /// Chunks that were deleted.
    deleted: usize,
    /// Documents that are done.
    done: usize,
}

fn replace(
    job: &Job,
    documents: &[Document],
    ready: &Ready,
    client: &mut SpiClient<'_>,
) -> Result<Counts, WorkerError> {
    let job_ids: Vec<i64> = documents.iter().map(|document| document.claim.job_id).collect();
    let fence = job.corpus.sql(FENCE);
    let mut held: HashSet<i64> = HashSet::new();
    for row in client.update(fence.as_str(), None, &[job_ids.into(), job.lease.into()])? {
        held.extend(row.get::<i64>(1)?);
    }
    let documents: Vec<&Document> = documents.iter().filter(|document| held.contains(&document.claim.job_id)).collect();
    let gone: Vec<i64> =
        documents.iter().filter(|document| !document.present).map(|document| document.claim.job_id).collect();
    let mut deleted = 0;
    if !gone.is_empty() {
        deleted += client.update(job.corpus.sql(REMOVE_CHUNKS).as_str(), None, &[gone.clone().into()])?.len();
        client.update(job.corpus.sql(REMOVE_DOCUMENTS).as_str(), None, &[gone.into()])?;
    }
    let changed: Vec<&Document> = documents.iter().copied().filter(|document| document.is_changed()).collect();
    let reused = insert(job, &changed, ready, client)?;
    deleted += changed.iter().map(|document| document.diff.removed.len()).sum::<usize>();
    let kept = rearrange(job, &changed, client)?;
    let claims: Vec<Claim> = documents.iter().map(|document| document.claim.clone()).collect();
    client.update(job.corpus.sql(FINISH).as_str(), None, &[changes(&claims).into(), job.lease.into()])?;
    Ok(Counts { embedded: ready.vectors.len() as i64, reused: reused + kept, deleted, done: documents.len() })
}

/// The statement that inserts new chunks, with the columns that not every chunk table has, in this order.
fn insertion(job: &Job) -> String {
    let tokens = job.token_model.as_ref().map(|_| ("token_vectors", "bytea", job.corpus.sql(TOKEN_VECTORS)));
    let recognition = job.ocr.as_ref().map(|_| {
        let name = "recognition_confidence";
        (name, "real", format!("n.{name}"))
    });
    let extractor = job.has_extractor.then(|| ("extractor", "text", "n.extractor".to_string()));
    let [mut names, mut values, mut arrays] = [const { String::new() }; 3];
    for (number, (name, kind, value)) in (12..).zip([tokens, recognition, extractor].into_iter().flatten()) {
        names.push_str(&format!(", {name}"));
        values.push_str(&format!(", {value}"));
        arrays.push_str(&format!(", ${number}::{kind}[]"));
    }
    let extra = [
        ("vector_type", job.vector_type.as_str()),
        ("optional_names", &names),
        ("optional_values", &values),
        ("optional_arrays", &arrays),
    ];
    sql_template::expand(INSERT_CHUNKS, &job.corpus, &extra)
}

/// Inserts new chunks. Returns how many got the vector of an equal one.
fn insert(job: &Job, documents: &[&Document], ready: &Ready, client: &mut SpiClient<'_>) -> Result<i64, WorkerError> {
    let vectors = &ready.vectors;
    let added: Vec<(i64, usize, &NewChunk)> = documents
        .iter()
        .flat_map(|document| document.diff.added.iter().map(|at| (document.claim.job_id, *at, &document.chunks[*at])))
        .collect();
    let has_tokens = job.token_model.is_some();
    let sql = insertion(job);
    for rows in added.chunks(if has_tokens { INSERT_ROWS_WITH_TOKENS } else { INSERT_ROWS }) {
        let embeddings: Vec<Option<&[f32]>> =
            rows.iter().map(|(.., new)| vectors.get(&new.hash).map(Vec::as_slice)).collect();
        let embeddings = vector::plain_array(job.vector_oid, &embeddings)?;
        let mut arguments = vec![
            rows.iter().map(|(job_id, ..)| *job_id).collect::<Vec<i64>>().into(),
            rows.iter().map(|(_, at, _)| value::position(*at)).collect::<Vec<i32>>().into(),
            rows.iter().map(|(.., new)| new.chunk.content.clone()).collect::<Vec<String>>().into(),
            rows.iter().map(|(.., new)| new.heading_literal.clone()).collect::<Vec<String>>().into(),
            rows.iter().map(|(.., new)| value::position(new.chunk.start)).collect::<Vec<i32>>().into(),
            rows.iter().map(|(.., new)| value::position(new.chunk.end)).collect::<Vec<i32>>().into(),
            rows.iter().map(|(.., new)| value::count(new.chunk.size)).collect::<Vec<i32>>().into(),
            rows.iter().map(|(.., new)| new.hash.to_vec()).collect::<Vec<Vec<u8>>>().into(),
            embeddings,
            rows.iter()
                .map(|(job_id, at, _)| ready.numbered.0.get(&(*job_id, *at)).copied())
                .collect::<Vec<_>>()
                .into(),
            rows.iter().map(|(.., new)| new.page).collect::<Vec<Option<i32>>>().into(),
        ];
        if has_tokens {
            let of_row = |(.., new): &(_, _, &NewChunk)| ready.token_vectors.get(&new.hash).cloned();
            arguments.push(rows.iter().map(of_row).collect::<Vec<Option<Vec<u8>>>>().into());
        }
        if job.ocr.is_some() {
            arguments
                .push(rows.iter().map(|(.., new)| new.recognition_confidence).collect::<Vec<Option<f32>>>().into());
        }
        if job.has_extractor {
            arguments.push(rows.iter().map(|(.., new)| new.extractor.clone()).collect::<Vec<Option<String>>>().into());
        }
        client.update(sql.as_str(), None, &arguments)?;
    }
    let mut first: HashSet<[u8; 32]> = HashSet::new();
    Ok(added.iter().filter(|(.., new)| !vectors.contains_key(&new.hash) || !first.insert(new.hash)).count() as i64)
}

/// Deletes removed chunks, updates those with another position, and records what each document was made from. Returns
/// how many chunks stay.
fn rearrange(job: &Job, documents: &[&Document], client: &mut SpiClient<'_>) -> Result<i64, WorkerError> {
    let removed: Vec<i64> = documents
        .iter()
        .flat_map(|document| document.diff.removed.iter().map(|at| document.stored[*at].chunk_id))
        .collect();
    if !removed.is_empty() {
        client.update(job.corpus.sql(DELETE_CHUNKS).as_str(), None, &[removed.into()])?;
    }
    let kept = documents.iter().flat_map(|document| {
        document.diff.kept.iter().map(|(old, new)| (&document.stored[*old], *new, &document.chunks[*new]))
    });
    let moved: Vec<_> = kept.clone().filter(|(old, at, new)| old.differs(*at, new)).collect();
    if !moved.is_empty() {
        let arguments = [
            moved.iter().map(|(old, ..)| old.chunk_id).collect::<Vec<i64>>().into(),
            moved.iter().map(|(_, at, _)| value::position(*at)).collect::<Vec<i32>>().into(),
            moved.iter().map(|(.., new)| new.heading_literal.clone()).collect::<Vec<String>>().into(),
            moved.iter().map(|(.., new)| value::position(new.chunk.start)).collect::<Vec<i32>>().into(),
            moved.iter().map(|(.., new)| value::position(new.chunk.end)).collect::<Vec<i32>>().into(),
            moved.iter().map(|(.., new)| value::count(new.chunk.size)).collect::<Vec<i32>>().into(),
            moved.iter().map(|(.., new)| new.page).collect::<Vec<Option<i32>>>().into(),
        ];
        client.update(job.corpus.sql(MOVE_CHUNKS).as_str(), None, &arguments)?;
    }
    if job.ocr.is_some() {
        let arguments = [
            kept.clone().map(|(old, ..)| old.chunk_id).collect::<Vec<i64>>().into(),
            kept.clone().map(|(.., new)| new.recognition_confidence).collect::<Vec<Option<f32>>>().into(),
        ];
        client.update(job.corpus.sql(UPDATE_RECOGNITION).as_str(), None, &arguments)?;
    }
    if job.has_extractor {
        let arguments = [
            kept.clone().map(|(old, ..)| old.chunk_id).collect::<Vec<i64>>().into(),
            kept.clone().map(|(.., new)| new.extractor.clone()).collect::<Vec<Option<String>>>().into(),
        ];
        client.update(job.corpus.sql(UPDATE_EXTRACTOR).as_str(), None, &arguments)?;
    }
    if !documents.is_empty() {
        let arguments = [
            documents.iter().map(|document| document.claim.job_id).collect::<Vec<i64>>().into(),
            documents.iter().map(|document| document.hash.clone()).collect::<Vec<Vec<u8>>>().into(),
            documents.iter().map(|document| value::count(document.chunks.len())).collect::<Vec<i32>>().into(),
            documents.iter().map(|document| document.language.clone()).collect::<Vec<Option<String>>>().into(),
        ];
        client.update(job.corpus.sql(STORE_DOCUMENTS).as_str(), None, &arguments)?;
    }
    Ok(kept.count() as i64)
}
