//! Builds a segment from chunks, and merges segments into one.
//!
//! Both work in memory and write the result as a stream. Chunk identifiers have to be unique.

use super::analysis::{Analyser, FieldTerms};
use super::language::{Language, detect_all};
use super::query_plan::TextField;
use super::runs;
use super::schema::{Fields, Part, settings, tokenizers};
use super::segment::{Segment, build_failed, catch_damage};
use super::segment_file::{Header, LENGTHS, write};
use socle_core::protocol::{KeywordChunk, SegmentSummary};
use socle_core::{Error, Kind, Result};
use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};
use std::sync::Arc;
use tantivy::directory::{OwnedBytes, RamDirectory};
use tantivy::fastfield::AliveBitSet;
use tantivy::indexer::merge_filtered_segments;
use tantivy::{BitSet, Directory, Index, SegmentMeta, SingleSegmentIndexWriter, TantivyDocument};

/// Initial memory of the writer of tantivy in bytes; it grows as needed.
const WRITER_BYTES: usize = 15 << 20;

/// Chunks between two checks whether the request was cancelled.
const CANCEL_INTERVAL: usize = 256;

/// A chunk to be indexed.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    /// Its identifier, by which hits name it.
    pub chunk_id: i64,
    /// Name or code of its language; `None` to use the default or detect it.
    pub language: Option<String>,
    /// The title of its document.
    pub title: String,
    /// The headings that it stands under.
    pub headings: String,
    /// Other context, which is indexed with the text.
    pub context: String,
    /// Its text.
    pub content: String,
}

impl From<KeywordChunk<'_>> for Chunk {
    fn from(chunk: KeywordChunk<'_>) -> Self {
        Self {
            chunk_id: chunk.chunk_id,
            language: chunk.language.map(str::to_string),
            title: chunk.title.to_string(),
            headings: chunk.headings.to_string(),
            context: chunk.context.to_string(),
            content: chunk.content.to_string(),
        }
    }
}

/// Builds a segment from chunks and writes it to `into`. `language` is that of chunks without one; the languages of
/// chunks are detected where both are `None`. `known` are the languages of other chunks of the corpus, with their numbers.
///
/// # Errors
/// `InvalidArgument` for an unknown language, a duplicate identifier, or no chunks; `Cancelled`.
pub fn build(
    language: Option<&str>,
    known: &[(Language, u32)],
    chunks: &[Chunk],
    is_cancelled: &dyn Fn() -> bool,
    into: &mut impl Write,
) -> Result<SegmentSummary> {
    let languages = languages(language, known, chunks)?;
    let mut order: Vec<(&Chunk, Language)> = chunks.iter().zip(languages).collect();
    order.sort_by_key(|(chunk, _)| chunk.chunk_id);
    let ids: Vec<i64> = order.iter().map(|(chunk, _)| chunk.chunk_id).collect();
    let (Some(first), Some(last)) = (ids.first(), ids.last()) else {
        return Err(Error::new(Kind::InvalidArgument, "a segment must have at least one chunk"));
    };
    if ids.is_sorted_by(|one, next| one < next) {
        let directory = RamDirectory::create();
        let index = fill(&directory, &order, is_cancelled)?;
        let mut counts = BTreeMap::new();
        order.iter().for_each(|(_, language)| *counts.entry(language.name().to_string()).or_insert(0) += 1);
        return finish(&index, &directory, *first..*last, counts, into);
    }
    Err(Error::new(Kind::InvalidArgument, "a segment must not have two chunks of the same identifier"))
}

fn languages(language: Option<&str>, known: &[(Language, u32)], chunks: &[Chunk]) -> Result<Vec<Language>> {
    let default = language.map(Language::named).transpose()?;
    let given: Vec<Option<Language>> = chunks
        .iter()
        .map(|chunk| chunk.language.as_deref().map(Language::named).transpose().map(|own| own.or(default)))
        .collect::<Result<_>>()?;
    if given.iter().all(Option::is_some) {
        return Ok(given.into_iter().flatten().collect());
    }
    let texts: Vec<&str> = chunks.iter().map(|chunk| chunk.content.as_str()).collect();
    Ok(given.into_iter().zip(detect_all(&texts, known)).map(|(given, detected)| given.unwrap_or(detected)).collect())
}

fn fill(directory: &RamDirectory, chunks: &[(&Chunk, Language)], is_cancelled: &dyn Fn() -> bool) -> Result<Index> {
    let fields = Fields::new();
    let builder = Index::builder().schema(fields.schema.clone()).settings(settings()).tokenizers(tokenizers());
    let mut writer: SingleSegmentIndexWriter =
        builder.single_segment_index_writer(directory.clone(), WRITER_BYTES).map_err(|error| build_failed(&error))?;
    let mut analyser = Analyser::default();
    for (at, (chunk, language)) in chunks.iter().enumerate() {
        if at % CANCEL_INTERVAL == 0 && is_cancelled() {
            return Err(cancelled());
        }
        // The line feed keeps the last word of the context apart from the first of the text.
        let content = format!("{}\n{}", chunk.context, chunk.content);
        let mut document = TantivyDocument::new();
        document.add_i64(fields.chunk_id, chunk.chunk_id);
        for (part, text) in Part::ALL.into_iter().zip([&content, &chunk.title, &chunk.headings]) {
            if part == Part::Content || !text.is_empty() {
                let mut terms = FieldTerms::default();
                analyser.analyse(*language, text, &mut terms);
                document.add_text(fields.of(part, TextField::Stem), &terms.stem);
                document.add_text(fields.of(part, TextField::Word), &terms.word);
            }
        }
        document.add_text(fields.language, language.name());
        writer.add_document(document).map_err(|error| build_failed(&error))?;
    }
    writer.finalize().map_err(|error| build_failed(&error))
}

/// Merges segments, leaving out the `deleted` chunks, and writes the result to `into`. `None` when no chunk is left.
///
/// # Errors
/// `InvalidArgument` for no segments, `DamagedIndex`, `Cancelled`.
pub fn merge(
    segments: &[Arc<Segment>],
    deleted: &[i64],
    is_cancelled: &dyn Fn() -> bool,
    into: &mut impl Write,
) -> Result<Option<SegmentSummary>> {
    let mut deleted = deleted.to_vec();
    deleted.sort_unstable();
    let mut counts = BTreeMap::new();
    let mut alive = Vec::new();
    let mut parts = Vec::new();
    for segment in segments {
        if is_cancelled() {
            return Err(cancelled());
        }
        for (language, count) in &segment.header().languages {
            *counts.entry(language.clone()).or_insert(0) += *count;
        }
        let gone = segment.documents(&deleted);
        if gone.len() == segment.chunk_count() as usize {
            continue;
        }
        alive.push((!gone.is_empty()).then(|| alive_bitset(&gone, segment.chunk_count())));
        parts.extend(catch_damage(|| segment.index().searchable_segments())?);
    }
    if parts.is_empty() {
        return if segments.is_empty() {
            Err(Error::new(Kind::InvalidArgument, "a merge must have at least one segment"))
        } else {
            Ok(None)
        };
    }
    let directory = RamDirectory::create();
    let index = catch_damage(|| merge_filtered_segments(&parts, settings(), alive, directory.clone()))?;
    let column = catch_damage(|| {
        let reader = index.reader()?.searcher().segment_reader(0).fast_fields().i64(super::schema::CHUNK_ID)?;
        Ok(reader.values)
    })?;
    let last = column.num_vals().saturating_sub(1);
    finish(&index, &directory, column.get_val(0)..column.get_val(last), counts, into).map(Some)
}

/// The bit set of all documents but `gone`, as tantivy reads it.
fn alive_bitset(gone: &[u32], count: u32) -> AliveBitSet {
    let mut set = BitSet::with_max_value_and_full(count);
    gone.iter().for_each(|doc| set.remove(*doc));
    let mut bytes = Vec::new();
    // Writing to memory cannot fail.
    let _ = set.serialize(&mut bytes);
    AliveBitSet::open(OwnedBytes::new(bytes))
}

fn finish(
    index: &Index,
    directory: &RamDirectory,
    chunk_ids: std::ops::Range<i64>,
    languages: BTreeMap<String, u32>,
    into: &mut impl Write,
) -> Result<SegmentSummary> {
    let meta = index.load_metas().map_err(|error| build_failed(&error))?;
    let chunk_count = meta.segments.iter().map(SegmentMeta::max_doc).sum();
    let mut files = Vec::new();
    for path in meta.list_segment_files() {
        let extension = path.extension().map(|extension| extension.to_string_lossy().into_owned());
        // The list includes files that this segment does not have.
        if let (Some(extension), Ok(file)) = (extension, directory.open_read(&path)) {
            let bytes = file.read_bytes().map_err(|error| build_failed(&error.into()))?;
            // Most chunks have no title and no headings, or those of their neighbours.
            let bytes = if extension == LENGTHS { OwnedBytes::new(runs::encode(&bytes)) } else { bytes };
            files.push((extension, bytes));
        }
    }
    files.sort_by(|one, other| one.0.cmp(&other.0));
    let sizes = files.iter().map(|(extension, bytes)| (extension.clone(), bytes.len() as u64)).collect();
    let header = Header::new(chunk_ids, chunk_count, languages.into_iter().collect(), sizes);
    let readers = files.into_iter().map(|(_, bytes)| Box::new(Cursor::new(bytes)) as Box<dyn Read>).collect();
    write(&header, readers, into)
}

fn cancelled() -> Error {
    Error::new(Kind::Cancelled, "building a segment of the keyword index was cancelled")
}
