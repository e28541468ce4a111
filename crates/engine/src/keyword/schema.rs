//! The schema of a segment. A change here or in the analysis needs another `KEYWORD_FORMAT`.

use super::analysis::TermTokenizer;
use tantivy::schema::{Field, IndexRecordOption, NumericOptions, Schema, TextFieldIndexing, TextOptions};
use tantivy::store::Compressor;
use tantivy::tokenizer::TokenizerManager;
use tantivy::{IndexSettings, IndexSortByField, Order};

/// Name of the field with the identifier of the chunk. The documents of every segment are sorted by it, so that hits of
/// equal score come in order, and documents are found by identifier without another index.
pub const CHUNK_ID: &str = "chunk_id";

/// Name of [`TermTokenizer`] in the schema.
const TOKENIZER: &str = "encoded";

/// The schema and its fields.
#[derive(Clone, Debug)]
pub struct Fields {
    /// The schema.
    pub schema: Schema,
    /// The field [`CHUNK_ID`].
    pub chunk_id: Field,
    /// Folded stems, see [`super::analysis`].
    pub stem: Field,
    /// Normalized words with positions, see [`super::analysis`].
    pub word: Field,
    /// The name of the language that the chunk was analysed in.
    pub language: Field,
}

impl Fields {
    /// The schema of every segment.
    pub fn new() -> Self {
        let text = |record| {
            TextOptions::default()
                .set_indexing_options(TextFieldIndexing::default().set_tokenizer(TOKENIZER).set_index_option(record))
        };
        let mut builder = Schema::builder();
        let chunk_id = builder.add_i64_field(CHUNK_ID, NumericOptions::default().set_fast());
        let stem = builder.add_text_field("stem", text(IndexRecordOption::WithFreqs));
        let word = builder.add_text_field("word", text(IndexRecordOption::WithFreqsAndPositions));
        let name = TextFieldIndexing::default().set_tokenizer("raw").set_index_option(IndexRecordOption::Basic);
        let language =
            builder.add_text_field("language", TextOptions::default().set_indexing_options(name.set_fieldnorms(false)));
        Self { schema: builder.build(), chunk_id, stem, word, language }
    }
}

impl Default for Fields {
    fn default() -> Self {
        Self::new()
    }
}

/// Index settings. No field is stored, so that the document store needs no compression.
pub fn settings() -> IndexSettings {
    IndexSettings {
        sort_by_field: Some(IndexSortByField { field: CHUNK_ID.into(), order: Order::Asc }),
        docstore_compression: Compressor::None,
        docstore_compress_dedicated_thread: false,
        ..IndexSettings::default()
    }
}

/// The tokenizers that the schema names.
pub fn tokenizers() -> TokenizerManager {
    // tantivy needs the default one for numeric fields.
    let manager = TokenizerManager::default();
    manager.register(TOKENIZER, TermTokenizer::default());
    manager
}
