//! An open segment, for searching and merging.
//!
//! tantivy panics on some damaged bytes; [`catch_damage`] turns that into an error.

use super::analysis::UNACCENTED;
use super::language::Language;
use super::query_plan::TextField;
use super::schema::{CHUNK_ID, Fields, Part, TEXT_FIELDS};
use super::segment_file::{Contents, Header, damaged};
use super::storage::{SegmentDirectory, Storage};
use socle_child::panic_message;
use socle_core::protocol::SegmentDigest;
use socle_core::{Error, Kind, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tantivy::columnar::ColumnValues;
use tantivy::fieldnorm::FieldNormReader;
use tantivy::schema::Field;
use tantivy::{DocId, Index, InvertedIndexReader, ReloadPolicy, Searcher, SegmentReader, TantivyError};

/// An open segment.
pub struct Segment {
    /// SHA-256 of its bytes, which is its name.
    pub digest: SegmentDigest,
    /// Where its bytes are.
    pub storage: Arc<Storage>,
    /// The fields, which are the same in all segments.
    pub fields: Arc<Fields>,
    contents: Arc<Contents>,
    index: Index,
    searcher: Searcher,
    chunk_ids: Arc<dyn ColumnValues<i64>>,
    languages: Vec<(Language, u32)>,
    /// By [`Fields::number`].
    texts: [TextIndex; TEXT_FIELDS],
    has_unaccented: bool,
}

/// The readers of a text field, which are kept open.
struct TextIndex {
    lengths: FieldNormReader,
    inverted: Arc<InvertedIndexReader>,
    /// Number of chunks that have any term in it.
    filled: u32,
}

impl std::fmt::Debug for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Segment").field("header", self.header()).finish_non_exhaustive()
    }
}

impl Segment {
    /// Opens a segment. The caller has verified that its bytes have the digest.
    ///
    /// # Errors
    /// `DamagedIndex`, `OutdatedIndex`.
    pub fn open(digest: SegmentDigest, storage: Arc<Storage>, fields: &Arc<Fields>) -> Result<Self> {
        let contents = Arc::new(Contents::read(storage.len(), |range| storage.read(range))?);
        let [n0, n1, n2, n3, n4, n5, n6, n7, ..] = digest;
        let name = u64::from_le_bytes([n0, n1, n2, n3, n4, n5, n6, n7]);
        catch_damage(|| {
            let index = Index::open(SegmentDirectory::new(storage.clone(), contents.clone(), name)?)?;
            let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).doc_store_cache_num_blocks(1);
            let searcher = reader.try_into()?.searcher();
            let segment = searcher.segment_reader(0);
            let missing = || TantivyError::InternalError("the segment lacks a column".into());
            let chunk_ids = segment.fast_fields().i64(CHUNK_ID)?.values;
            let count = segment.max_doc();
            let text = |field: Field| -> tantivy::Result<TextIndex> {
                let lengths = segment.fieldnorms_readers().get_field(field)?.ok_or_else(missing)?;
                let inverted = segment.inverted_index(field)?;
                let filled = match inverted.total_num_tokens() {
                    0 => 0,
                    _ => (0..count).map(|doc| u32::from(lengths.fieldnorm_id(doc) > 0)).sum(),
                };
                Ok(TextIndex { lengths, inverted, filled })
            };
            let [one, two, three, four, five, six] = fields.texts().map(text);
            let texts = [one?, two?, three?, four?, five?, six?];
            let mut has_unaccented = false;
            for part in Part::ALL {
                let mut words = texts[Fields::number(fields.of(part, TextField::Word))].inverted.terms().stream()?;
                has_unaccented |=
                    words.advance() && words.key().starts_with(UNACCENTED.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Ok((index, searcher.clone(), chunk_ids, texts, has_unaccented))
        })
        .and_then(|(index, searcher, chunk_ids, texts, has_unaccented)| {
            if chunk_ids.num_vals() != contents.header.chunk_count {
                return Err(damaged("its number of chunks is not that of its header"));
            }
            let languages = contents.header.languages().collect();
            let fields = fields.clone();
            Ok(Self { digest, storage, fields, contents, index, searcher, chunk_ids, languages, texts, has_unaccented })
        })
    }

    /// Its header.
    pub fn header(&self) -> &Header {
        &self.contents.header
    }

    /// Its languages and the number of chunks of each.
    pub fn languages(&self) -> impl Iterator<Item = (Language, u32)> {
        self.languages.iter().copied()
    }

    /// The reader that tantivy has for it.
    pub fn reader(&self) -> &SegmentReader {
        self.searcher.segment_reader(0)
    }

    /// The searcher that tantivy has for it.
    pub fn searcher(&self) -> &Searcher {
        &self.searcher
    }

    /// The index that has only this segment.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Number of chunks.
    pub fn chunk_count(&self) -> DocId {
        self.contents.header.chunk_count
    }

    /// The identifier of the chunk that is this document. Documents are sorted by it.
    pub fn chunk_id(&self, doc: DocId) -> i64 {
        self.chunk_ids.get_val(doc)
    }

    /// Lengths of the documents in a text field, in terms.
    pub fn lengths(&self, field: Field) -> &FieldNormReader {
        &self.text(field).lengths
    }

    /// Dictionary and posting lists of a text field.
    pub fn inverted(&self, field: Field) -> &InvertedIndexReader {
        &self.text(field).inverted
    }

    /// Whether it has terms of [`super::analysis::unaccented_term`].
    pub fn has_unaccented(&self) -> bool {
        self.has_unaccented
    }

    /// Number of chunks that have any term in a text field.
    pub fn filled(&self, field: Field) -> u32 {
        self.text(field).filled
    }

    /// Whether any chunk has words in a part.
    pub fn has(&self, part: Part) -> bool {
        self.filled(self.fields.of(part, TextField::Word)) > 0
    }

    fn text(&self, field: Field) -> &TextIndex {
        &self.texts[Fields::number(field)]
    }

    /// The documents of the chunks with these identifiers, as far as it has them. `chunk_ids` have to ascend; the result
    /// does.
    pub fn documents(&self, chunk_ids: &[i64]) -> Vec<DocId> {
        let header = self.header();
        let from = chunk_ids.partition_point(|id| *id < header.min_chunk_id);
        let to = chunk_ids.partition_point(|id| *id <= header.max_chunk_id);
        let mut documents = Vec::new();
        let mut doc = 0;
        for id in chunk_ids.get(from..to).unwrap_or_default() {
            doc = self.lower_bound(doc, *id);
            if doc < self.chunk_count() && self.chunk_id(doc) == *id {
                documents.push(doc);
                doc += 1;
            }
        }
        documents
    }

    /// The first document at or after `from` whose chunk identifier is not less than `chunk_id`. Interpolation search,
    /// because identifiers are mostly spread evenly, then exponential search from the position it gives.
    fn lower_bound(&self, from: DocId, chunk_id: i64) -> DocId {
        let count = self.chunk_count();
        let is_less = |doc: DocId| doc < count && self.chunk_id(doc) < chunk_id;
        if !is_less(from) {
            return from;
        }
        let (here, last) = (i128::from(self.chunk_id(from)), i128::from(self.header().max_chunk_id));
        let share = (i128::from(chunk_id) - here) * i128::from(count - 1 - from) / (last - here).max(1);
        let guess = from + u32::try_from(share).unwrap_or_default().min(count - 1 - from);
        // Invariant: documents below `low` are less, those from `high` on are not.
        let (mut low, mut high, mut leap) = (from, count, 1);
        if is_less(guess) {
            low = guess;
            while is_less(low.saturating_add(leap)) {
                low += leap;
                leap = leap.saturating_mul(2);
            }
            high = low.saturating_add(leap).min(count);
        } else {
            high = high.min(guess);
            while high > low && !is_less(high.saturating_sub(leap).max(low)) {
                high = high.saturating_sub(leap).max(low);
                leap = leap.saturating_mul(2);
            }
            low = high.saturating_sub(leap).max(low);
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if is_less(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// Calls tantivy on bytes that may be damaged.
///
/// # Errors
/// `DamagedIndex` when `work` fails or panics.
pub fn catch_damage<T>(work: impl FnOnce() -> tantivy::Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| damaged(&error.to_string())),
        Err(panic) => Err(damaged(&panic_message(panic.as_ref()))),
    }
}

/// The error when tantivy fails although it has read no bytes that could be damaged.
pub fn build_failed(error: &TantivyError) -> Error {
    Error::new(Kind::Bug, "could not build a segment of the keyword index").detail(error.to_string())
}
