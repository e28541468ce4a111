//! The fields of a segment. A change here or in the analysis raises `KEYWORD_FORMAT`.

use super::analysis::TermTokenizer;
use tantivy::schema::{Field, IndexRecordOption, NumericOptions, Schema, TextFieldIndexing, TextOptions};
use tantivy::store::Compressor;
use tantivy::tokenizer::TokenizerManager;
use tantivy::{IndexSettings, IndexSortByField, Order};

/// Name of the field with the identifier of the chunk, by which the documents of every segment are sorted: equal
/// scores come in order, and lists of identifiers are found by search instead of an index.
pub const CHUNK_ID: &str = "chunk_id";

const TOKENIZER: &str = "encoded";

/// The fields.
#[derive(Clone, Debug)]
pub struct Fields {
    /// All of them.
    pub schema: Schema,
    /// See [`CHUNK_ID`].
    pub chunk_id: Field,
    /// See [`super::analysis`].
    pub stem: Field,
    /// See [`super::analysis`].
    pub word: Field,
}

impl Fields {
    /// The fields of every segment.
    pub fn new() -> Self {
        let text = |record| {
            TextOptions::default()
                .set_indexing_options(TextFieldIndexing::default().set_tokenizer(TOKENIZER).set_index_option(record))
        };
        let mut builder = Schema::builder();
        let chunk_id = builder.add_i64_field(CHUNK_ID, NumericOptions::default().set_fast());
        let stem = builder.add_text_field("stem", text(IndexRecordOption::WithFreqs));
        let word = builder.add_text_field("word", text(IndexRecordOption::WithFreqsAndPositions));
        Self { schema: builder.build(), chunk_id, stem, word }
    }
}

impl Default for Fields {
    fn default() -> Self {
        Self::new()
    }
}

/// Nothing is stored, so nothing is compressed.
pub fn settings() -> IndexSettings {
    IndexSettings {
        sort_by_field: Some(IndexSortByField { field: CHUNK_ID.into(), order: Order::Asc }),
        docstore_compression: Compressor::None,
        docstore_compress_dedicated_thread: false,
        ..IndexSettings::default()
    }
}

/// The tokenizers that the fields name.
pub fn tokenizers() -> TokenizerManager {
    // tantivy asks for the default one for fields of numbers, too.
    let manager = TokenizerManager::default();
    manager.register(TOKENIZER, TermTokenizer::default());
    manager
}
