//! The schema of a segment. A change here or in the analysis needs another `KEYWORD_FORMAT`.

use super::analysis::TermTokenizer;
use super::query_plan::TextField;
use tantivy::schema::{Field, IndexRecordOption, NumericOptions, Schema, TextFieldIndexing, TextOptions};
use tantivy::store::Compressor;
use tantivy::tokenizer::TokenizerManager;
use tantivy::{IndexSettings, IndexSortByField, Order};

/// Name of the field with the identifier of the chunk. The documents of every segment are sorted by it, so that hits of
/// equal score come in order, and documents are found by identifier without another index.
pub const CHUNK_ID: &str = "chunk_id";

/// Name of [`TermTokenizer`] in the schema.
const TOKENIZER: &str = "encoded";

/// A part of a chunk, which is a field of its own to a search.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// Its text.
    Content,
    /// The title of its document.
    Title,
    /// The headings that it stands under.
    Headings,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 3] = [Self::Content, Self::Title, Self::Headings];
}

/// Number of text fields: two for each part.
pub const TEXT_FIELDS: usize = 2 * Part::ALL.len();

/// The schema and its fields.
#[derive(Clone, Debug)]
pub struct Fields {
    /// The schema.
    pub schema: Schema,
    /// The field [`CHUNK_ID`].
    pub chunk_id: Field,
    /// Folded stems of each part, see [`super::analysis`].
    stems: [Field; 3],
    /// Normalized words of each part with positions, see [`super::analysis`].
    words: [Field; 3],
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
        let mut fields = |prefix: &str| {
            let stem = builder.add_text_field(&format!("{prefix}stem"), text(IndexRecordOption::WithFreqs));
            let word = builder.add_text_field(&format!("{prefix}word"), text(IndexRecordOption::WithFreqsAndPositions));
            (stem, word)
        };
        let [content, title, headings] = ["", "title_", "headings_"].map(&mut fields);
        // After the text fields, which are numbered.
        let name = TextFieldIndexing::default().set_tokenizer("raw").set_index_option(IndexRecordOption::Basic);
        let language =
            builder.add_text_field("language", TextOptions::default().set_indexing_options(name.set_fieldnorms(false)));
        let stems = [content.0, title.0, headings.0];
        let words = [content.1, title.1, headings.1];
        Self { schema: builder.build(), chunk_id, stems, words, language }
    }

    /// A field of a part.
    pub fn of(&self, part: Part, field: TextField) -> Field {
        match field {
            TextField::Stem => self.stems[part as usize],
            TextField::Word => self.words[part as usize],
        }
    }

    /// The text fields, in the order of [`Self::number`].
    pub fn texts(&self) -> [Field; TEXT_FIELDS] {
        let [content, title, headings] = self.stems;
        let [content_word, title_word, headings_word] = self.words;
        [content, content_word, title, title_word, headings, headings_word]
    }

    /// Whether a text field is of the contents.
    pub fn is_content(field: Field) -> bool {
        Self::number(field) < 2
    }

    /// The number of a text field, less than [`TEXT_FIELDS`].
    pub fn number(field: Field) -> usize {
        // The identifier is the field before them.
        (field.field_id() as usize).saturating_sub(1).min(TEXT_FIELDS - 1)
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
