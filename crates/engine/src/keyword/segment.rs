//! A segment that is open for searching and merging.
//!
//! tantivy asserts on bytes that cannot be: whatever it panics at becomes an error here.

use super::blob::{Contents, Header, damaged};
use super::schema::{CHUNK_ID, Fields};
use super::storage::{SegmentDirectory, Storage};
use crate::panic_message;
use socle_core::protocol::SegmentDigest;
use socle_core::{Error, Kind, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tantivy::columnar::ColumnValues;
use tantivy::fieldnorm::FieldNormReader;
use tantivy::schema::Field;
use tantivy::{DocId, Index, ReloadPolicy, Searcher, SegmentReader, TantivyError};

/// An open segment.
pub struct Segment {
    /// Its name.
    pub digest: SegmentDigest,
    /// Its bytes.
    pub storage: Arc<Storage>,
    /// The fields of all segments.
    pub fields: Arc<Fields>,
    contents: Arc<Contents>,
    index: Index,
    searcher: Searcher,
    chunk_ids: Arc<dyn ColumnValues<i64>>,
    /// Lengths of fields `stem` and `word`.
    lengths: [FieldNormReader; 2],
}

impl std::fmt::Debug for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Segment").field("header", self.header()).finish_non_exhaustive()
    }
}

impl Segment {
    /// Opens a segment whose bytes are known to be those of the digest.
    ///
    /// # Errors
    /// `DamagedIndex`, `OutdatedIndex`.
    pub fn open(digest: SegmentDigest, storage: Arc<Storage>, fields: &Arc<Fields>) -> Result<Self> {
        let contents = Arc::new(Contents::read(storage.len(), |range| storage.read(range))?);
        let [n0, n1, n2, n3, n4, n5, n6, n7, ..] = digest;
        let name = u64::from_le_bytes([n0, n1, n2, n3, n4, n5, n6, n7]);
        guarded(|| {
            let index = Index::open(SegmentDirectory::new(storage.clone(), contents.clone(), name))?;
            let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).doc_store_cache_num_blocks(1);
            let searcher = reader.try_into()?.searcher();
            let segment = searcher.segment_reader(0);
            let missing = || TantivyError::InternalError("the segment lacks a column".into());
            let chunk_ids = segment.fast_fields().i64(CHUNK_ID)?.values;
            let length = |field: Field| segment.fieldnorms_readers().get_field(field)?.ok_or_else(missing);
            let lengths = [length(fields.stem)?, length(fields.word)?];
            Ok((index, searcher.clone(), chunk_ids, lengths))
        })
        .and_then(|(index, searcher, chunk_ids, lengths)| {
            if chunk_ids.num_vals() != contents.header.chunk_count {
                return Err(damaged("it has other chunks than its header says"));
            }
            Ok(Self { digest, storage, fields: fields.clone(), contents, index, searcher, chunk_ids, lengths })
        })
    }

    /// What it says of itself.
    pub fn header(&self) -> &Header {
        &self.contents.header
    }

    /// Tantivy's view of it.
    pub fn reader(&self) -> &SegmentReader {
        self.searcher.segment_reader(0)
    }

    /// Tantivy's view of it and its schema.
    pub fn searcher(&self) -> &Searcher {
        &self.searcher
    }

    /// The index that has only this segment.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Chunks in it.
    pub fn chunk_count(&self) -> DocId {
        self.contents.header.chunk_count
    }

    /// The identifier of a document; documents are sorted by it.
    pub fn chunk_id(&self, doc: DocId) -> i64 {
        self.chunk_ids.get_val(doc)
    }

    /// Lengths of a text field in terms.
    pub fn lengths(&self, field: Field) -> &FieldNormReader {
        &self.lengths[usize::from(field == self.fields.word)]
    }

    /// The documents of identifiers, both ascending.
    pub fn documents(&self, chunk_ids: &[i64]) -> Vec<DocId> {
        let header = self.header();
        let from = chunk_ids.partition_point(|id| *id < header.min_chunk_id);
        let to = chunk_ids.partition_point(|id| *id <= header.max_chunk_id);
        let mut documents = Vec::new();
        let mut doc = 0;
        for id in chunk_ids.get(from..to).unwrap_or_default() {
            doc = self.first_from(doc, *id);
            if doc < self.chunk_count() && self.chunk_id(doc) == *id {
                documents.push(doc);
                doc += 1;
            }
        }
        documents
    }

    /// The first document at or after `from` whose identifier is not less, by leaps of growing length: lists of
    /// identifiers may be short or dense.
    fn first_from(&self, from: DocId, chunk_id: i64) -> DocId {
        let count = self.chunk_count();
        let (mut low, mut leap) = (from, 1);
        while low < count && low + leap < count && self.chunk_id(low + leap) < chunk_id {
            low += leap;
            leap = leap.saturating_mul(2).min(count);
        }
        let mut high = (low + leap).min(count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.chunk_id(middle) < chunk_id {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// Runs something of tantivy's on bytes that may be damaged.
///
/// # Errors
/// `DamagedIndex` when it fails or panics.
pub fn guarded<T>(work: impl FnOnce() -> tantivy::Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| damaged(&error.to_string())),
        Err(panic) => Err(damaged(&panic_message(panic.as_ref()))),
    }
}

/// The error for what tantivy refuses although nothing was read that could be damaged.
pub fn failed(error: &TantivyError) -> Error {
    Error::new(Kind::Bug, "could not build a segment of the keyword index").detail(error.to_string())
}
