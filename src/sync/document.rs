//! From claimed documents to chunks with vectors: reads, chunks, compares, embeds. No transaction is open while the engine
//! works.

use super::Job;
use super::claim::{self, Claim, LEASE_SECONDS};
use super::content::{self, Content};
use super::slice::{Failure, SliceState};
use crate::egress_client;
use crate::engine_client;
use crate::engine_client::batch;
use crate::pg::gucs;
use crate::pg::value;
use crate::worker::owner_code_timeout;
use crate::worker::transaction::{WorkerError, as_corpus_owner, transaction};
use pgrx::prelude::*;
use socle_core::chunk::Chunk;
use socle_core::chunk::Format;
use socle_core::corpus::diff::{Diff, diff};
use socle_core::corpus::template::ContextFields;
use socle_core::corpus::{array_literal, chunk_hash};
use socle_core::document::extractor;
use socle_core::protocol::{Request, Response, Role};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

const SIZE: &str = include_str!("../../sql/sync/size.sql");
const READ: &str = include_str!("../../sql/sync/read.sql");
const STORED: &str = include_str!("../../sql/sync/stored.sql");
const KNOWN: &str = include_str!("../../sql/sync/known.sql");
const KNOWN_TOKENS: &str = include_str!("../../sql/sync/known_tokens.sql");

/// A claimed document, as far as it has to be processed.
#[derive(Debug)]
pub struct Document {
    /// The claim on it.
    pub claim: Claim,
    /// Whether the source has the row.
    pub present: bool,
    /// Its content, if it has to be chunked.
    pub content: Option<Content>,
    /// Values of the columns that the template names.
    values: Vec<Option<String>>,
    /// Its language according to the source, if any.
    pub language: Option<String>,
    /// The language that its stored chunks were indexed in.
    stored_language: Option<String>,
    /// Hash of all of that.
    pub hash: Vec<u8>,
    /// The chunks that it has now.
    pub chunks: Vec<NewChunk>,
    /// The chunks in the chunk table.
    pub stored: Vec<StoredChunk>,
    /// The difference between the two.
    pub diff: Diff,
}

/// A chunk of the current content.
#[derive(Debug)]
pub struct NewChunk {
    /// The chunk as [`socle_core::chunk`] made it.
    pub chunk: Chunk,
    /// What the template puts before it when it is embedded.
    pub head: String,
    /// The same by fields of the keyword index.
    pub context: ContextFields,
    /// Hash of chunk and head.
    pub hash: [u8; 32],
    /// Its headings as an array literal of Postgres.
    pub heading_literal: String,
    /// Page that it begins on, from 1.
    pub page: Option<i32>,
    /// How sure the model was that recognised text of it, from 0 to 1, if any was.
    pub recognition_confidence: Option<f32>,
    /// What it was extracted from a file with.
    pub extractor: Option<String>,
}

/// A chunk in the chunk table.
#[derive(Debug)]
pub struct StoredChunk {
    /// Its `chunk_id`.
    pub chunk_id: i64,
    ordinal: i32,
    heading_path: Vec<String>,
    page: Option<i32>,
    start: i32,
    end: i32,
    size: i32,
    hash: Vec<u8>,
    content: String,
}

impl Document {
    /// Whether it has to be chunked again.
    pub fn is_changed(&self) -> bool {
        self.present && self.content.is_some()
    }

    /// Forgets the hashes of stored chunks whose text is another than theirs, so that they are replaced: an adopted table may
    /// come from anywhere. The texts are not needed afterwards, and freed.
    fn distrust_other_texts(&mut self) {
        let now: HashMap<&[u8], &str> =
            self.chunks.iter().map(|new| (new.hash.as_slice(), new.chunk.content.as_str())).collect();
        for chunk in &mut self.stored {
            let content = std::mem::take(&mut chunk.content);
            if now.get(chunk.hash.as_slice()).is_some_and(|text| *text != content) {
                chunk.hash.clear();
            }
        }
    }
}

impl StoredChunk {
    /// Whether it has to be updated to be chunk number `at`, from 0, of its document.
    pub fn differs(&self, at: usize, new: &NewChunk) -> bool {
        let chunk = &new.chunk;
        self.ordinal != value::position(at)
            || self.start != value::position(chunk.start)
            || self.end != value::position(chunk.end)
            || self.size != value::count(chunk.size)
            || self.page != new.page
            || self.heading_path != chunk.heading_path
    }
}

/// Sizes of documents in bytes, in the order of the claims.
pub fn sizes(job: &Job, claims: &[Claim]) -> Result<Vec<u64>, WorkerError> {
    let job_ids: Vec<i64> = claims.iter().map(|claim| claim.job_id).collect();
    let sql = job.corpus.sql(SIZE);
    let sizes: HashMap<i64, i64> = transaction(|| {
        as_corpus_owner(&job.corpus, || {
            Spi::connect(|client| {
                let rows = client.select(sql.as_str(), None, &[job_ids.clone().into()])?;
                rows.map(|row| Ok((row.get(1)?.unwrap_or_default(), row.get(2)?.unwrap_or_default()))).collect()
            })
        })
    })?;
    Ok(job_ids.iter().map(|job_id| sizes.get(job_id).copied().unwrap_or_default().unsigned_abs()).collect())
}

/// Reads documents; the content only of those that changed.
pub fn read(job: &Job, claims: &[Claim]) -> Result<Vec<Document>, WorkerError> {
    let mut by_leader: HashMap<i64, &Claim> = claims.iter().map(|claim| (claim.job_id, claim)).collect();
    let job_ids: Vec<i64> = claims.iter().map(|claim| claim.job_id).collect();
    let sql = job.corpus.sql(READ);
    let limit = gucs::max_document_bytes() as i64;
    transaction(|| {
        as_corpus_owner(&job.corpus, || {
            Spi::connect(|client| {
                let mut documents = Vec::with_capacity(claims.len());
                for row in client.select(sql.as_str(), None, &[job_ids.clone().into(), limit.into()])? {
                    let job_id = row.get::<i64>(1)?.unwrap_or_default();
                    let Some(claim) = by_leader.remove(&job_id) else { continue };
                    let unchanged = row.get::<bool>(4)?.unwrap_or_default();
                    let content = if unchanged { None } else { Some(Content::read(job, &row, limit)?) };
                    documents.push(Document {
                        claim: claim.clone(),
                        present: row.get::<bool>(2)?.unwrap_or_default(),
                        hash: row.get::<Vec<u8>>(3)?.unwrap_or_default(),
                        content,
                        values: row.get::<Vec<Option<String>>>(6)?.unwrap_or_default(),
                        language: row.get::<String>(7)?,
                        stored_language: row.get::<String>(8)?,
                        chunks: Vec::new(),
                        stored: Vec::new(),
                        diff: Diff::default(),
                    });
                }
                Ok(documents)
            })
        })
    })
}

/// Chunks the documents that changed.
pub async fn chunk(job: &Job, state: &SliceState, documents: &mut [Document]) -> Result<(), Failure> {
    let format = job.corpus.parsed_format().map_err(|error| Failure::new("chunk", error))?;
    let changed: Vec<usize> = (0..documents.len()).filter(|at| documents[*at].is_changed()).collect();
    let mut results: Vec<Vec<Chunk>> = vec![Vec::new(); changed.len()];
    let mut culprit = None;
    content::check_sizes(documents, &changed, gucs::max_input_bytes())?;
    let request = |number: usize| Ok(Some(chunking(job, format, &documents[changed[number]])));
    let mut answered = |number: usize, answers: Vec<Response>| {
        for answer in answers {
            match answer {
                Response::Chunks { chunks, .. } => results[number].extend(chunks),
                Response::Failed { error, .. } => {
                    culprit = Some(number);
                    return Err(error);
                }
                _ => return Err(engine_client::unexpected()),
            }
        }
        Ok(())
    };
    state.exchange(changed.len(), &request, &mut answered).await.map_err(|error| match culprit {
        Some(number) => Failure::of(documents[changed[number]].claim.job_id, "chunk", error),
        None => Failure::new("chunk", error),
    })?;
    let ocr_digest = job.ocr.as_ref().map(|ocr| ocr.model.digest());
    for (at, chunks) in changed.into_iter().zip(results) {
        let document = &mut documents[at];
        // The text may be megabytes, and is no longer needed.
        let origin = document.content.replace(Content::default()).map(Content::origin).unwrap_or_default();
        let columns = &job.corpus.options.template_columns;
        let value = |name: &str| {
            let at = columns.iter().position(|column| column == name)?;
            document.values.get(at)?.as_deref()
        };
        document.chunks = chunks
            .into_iter()
            .map(|chunk| {
                let head = job.template.head(&chunk.heading_path, value);
                let context = job.template.fields(&chunk.heading_path, value);
                let hash = chunk_hash(&head, &chunk.content);
                let page = origin.pages.at(chunk.start);
                let heading_literal = array_literal(&chunk.heading_path);
                let recognition_confidence = origin.certainty.at(chunk.start..chunk.end);
                let page = page.map(u32::cast_signed);
                let recognized_by = recognition_confidence.and(ocr_digest.as_deref());
                let extractor = job.has_extractor.then(|| extractor(recognized_by));
                NewChunk { hash, head, context, heading_literal, page, recognition_confidence, extractor, chunk }
            })
            .collect();
        document.distrust_other_texts();
    }
    Ok(())
}

fn chunking<'a>(job: &Job, format: Format, document: &'a Document) -> Request<'a> {
    Request::Chunk {
        model: Some(job.model.clone()),
        max_size: Some(job.corpus.options.max_tokens),
        overlap: job.corpus.options.overlap_tokens,
        format,
        previous: document.stored.iter().map(|chunk| chunk.content.as_str()).collect(),
        content: document.content.as_ref().map_or("", Content::text),
    }
}

/// Reads the stored chunks of documents that changed.
pub fn stored(job: &Job, documents: &mut [Document]) -> Result<(), WorkerError> {
    let places: HashMap<i64, usize> = documents
        .iter()
        .enumerate()
        .filter(|(_, document)| document.is_changed())
        .map(|(at, document)| (document.claim.job_id, at))
        .collect();
    let job_ids: Vec<i64> = places.keys().copied().collect();
    let sql = job.corpus.sql(STORED);
    transaction(|| {
        as_corpus_owner(&job.corpus, || {
            Spi::connect(|client| {
                for row in client.select(sql.as_str(), None, &[job_ids.clone().into()])? {
                    let Some(at) = places.get(&row.get::<i64>(1)?.unwrap_or_default()) else { continue };
                    documents[*at].stored.push(StoredChunk {
                        chunk_id: row.get(2)?.unwrap_or_default(),
                        ordinal: row.get(3)?.unwrap_or_default(),
                        heading_path: row.get(4)?.unwrap_or_default(),
                        start: row.get(5)?.unwrap_or_default(),
                        end: row.get(6)?.unwrap_or_default(),
                        size: row.get(7)?.unwrap_or_default(),
                        hash: row.get(8)?.unwrap_or_default(),
                        content: row.get(9)?.unwrap_or_default(),
                        page: row.get(10)?,
                    });
                }
                Ok(())
            })
        })
    })
}

/// Hashes of added chunks that need not be computed: an equal chunk of the corpus has the same.
#[derive(Debug, Default)]
pub struct Known {
    /// Vectors.
    pub vectors: HashSet<Vec<u8>>,
    /// Vectors of their tokens.
    pub token_vectors: HashSet<Vec<u8>>,
}

/// Compares new with stored chunks, and returns what is known of added ones.
pub fn compare(job: &Job, documents: &mut [Document]) -> Result<Known, WorkerError> {
    let mut added: HashSet<Vec<u8>> = HashSet::new();
    for document in documents.iter_mut().filter(|document| document.is_changed()) {
        let stored: Vec<&[u8]> = document.stored.iter().map(|chunk| chunk.hash.as_slice()).collect();
        let now: Vec<&[u8]> = document.chunks.iter().map(|chunk| chunk.hash.as_slice()).collect();
        // In another language a chunk has other keywords: it is another chunk, with the same vector.
        let same: &[&[u8]] = if document.language == document.stored_language { &stored } else { &[] };
        document.diff = diff(same, &now);
        if same.is_empty() {
            document.diff.removed = (0..stored.len()).collect();
        }
        added.extend(document.diff.added.iter().map(|at| document.chunks[*at].hash.to_vec()));
    }
    if added.is_empty() {
        return Ok(Known::default());
    }
    let added: Vec<Vec<u8>> = added.into_iter().collect();
    let known = |statement: &str| -> Result<HashSet<Vec<u8>>, WorkerError> {
        Spi::connect(|client| {
            let rows = client.select(job.corpus.sql(statement).as_str(), None, &[added.clone().into()])?;
            rows.map(|row| Ok(row.get::<Vec<u8>>(1)?.unwrap_or_default())).collect()
        })
    };
    transaction(|| {
        as_corpus_owner(&job.corpus, || {
            let token_vectors = if job.token_model.is_some() { known(KNOWN_TOKENS)? } else { HashSet::new() };
            Ok(Known { vectors: known(KNOWN)?, token_vectors })
        })
    })
}

/// The added chunks whose hashes are not known, each text once, with their documents.
pub fn unknown<'a>(documents: &'a [Document], known: &HashSet<Vec<u8>>) -> Vec<(&'a Document, &'a NewChunk)> {
    let mut seen: HashSet<[u8; 32]> = HashSet::new();
    let added = documents.iter().flat_map(|document| document.diff.added.iter().map(move |at| (document, *at)));
    added
        .map(|(document, at)| (document, &document.chunks[at]))
        .filter(|(_, chunk)| !known.contains(chunk.hash.as_slice()) && seen.insert(chunk.hash))
        .collect()
}

/// Extends the lease on documents while the engine works on them.
pub struct LeaseExtension<'a> {
    job: &'a Job,
    claims: Vec<Claim>,
    extended: Instant,
}

impl<'a> LeaseExtension<'a> {
    /// For documents whose lease has been taken or extended just now.
    pub fn begin(job: &'a Job, documents: &[Document]) -> Self {
        let claims = documents.iter().map(|document| document.claim.clone()).collect();
        Self { job, claims, extended: Instant::now() }
    }

    /// Extends the lease if that is due.
    pub fn extend_if_due(&mut self) {
        if self.extended.elapsed() > Duration::from_secs_f64(LEASE_SECONDS / 4.0) {
            self.extended = Instant::now();
            // A lease that could not be extended is noticed when the result is written.
            let _ = claim::extend(&self.job.corpus, self.job.lease, &self.claims);
        }
    }
}

/// Embeds every text that has no vector yet, once.
pub async fn embed(
    job: &Job,
    state: &SliceState,
    documents: &[Document],
    known: &HashSet<Vec<u8>>,
) -> Result<HashMap<[u8; 32], Vec<f32>>, Failure> {
    let texts = unknown(documents, known);
    let contents: Vec<&str> = texts.iter().map(|(_, chunk)| chunk.chunk.content.as_str()).collect();
    let requests = batch::split(&job.model, &contents);
    let width = job.model.dimensions as usize;
    let mut vectors = HashMap::with_capacity(texts.len());
    let mut culprit = None;
    let lease = RefCell::new(LeaseExtension::begin(job, documents));
    let shut = RefCell::new(None);
    let request = |number: usize| {
        // A door may have been shut since the last request.
        require_open(job).map_err(|trouble| {
            let error = engine_client::unexpected();
            shut.replace(Some(trouble));
            error
        })?;
        lease.borrow_mut().extend_if_due();
        Ok(Some(Request::Embed {
            model: job.model.clone(),
            role: Role::Passage,
            truncate: false,
            heads: texts[requests[number].clone()].iter().map(|(_, chunk)| chunk.head.as_str()).collect(),
            contents: contents[requests[number].clone()].to_vec(),
        }))
    };
    let mut answered = |number: usize, mut answers: Vec<Response>| {
        match answers.pop() {
            Some(Response::Vectors(values)) if values.len() == requests[number].len() * width => {
                let chunks = texts[requests[number].clone()].iter().map(|(_, chunk)| chunk.hash);
                vectors.extend(chunks.zip(values.chunks_exact(width).map(<[f32]>::to_vec)));
            }
            Some(Response::Failed { error, item }) => {
                let at = item.map(|item| requests[number].start + item as usize);
                culprit = at.and_then(|at| texts.get(at)).map(|(document, _)| document.claim.job_id);
                return Err(error);
            }
            _ => return Err(engine_client::unexpected()),
        }
        lease.borrow_mut().extend_if_due();
        Ok(())
    };
    let done = if job.model.served.is_some() {
        owner_code_timeout::waiting(|| engine_client::exchange_as_made(requests.len(), &request, &mut answered))
    } else {
        state.exchange(requests.len(), &request, &mut answered).await
    };
    done.map_err(|error| match (culprit, shut.take()) {
        (_, Some(trouble)) => Failure::in_step("embed")(trouble),
        (Some(job_id), _) => Failure::of(job_id, "embed", error),
        (None, _) => Failure::new("embed", error),
    })?;
    Ok(vectors)
}

/// Checks that by now the owner of the corpus may use the endpoint that its model runs on, if it does, and that the corpus allows
/// it. In a transaction of its own: none is open while a model works.
fn require_open(job: &Job) -> Result<(), WorkerError> {
    let Some(served) = &job.model.served else { return Ok(()) };
    let policies = [job.corpus.policy()];
    transaction(|| as_corpus_owner(&job.corpus, || Ok(egress_client::require_open(&served.endpoint, &policies)?)))
}
