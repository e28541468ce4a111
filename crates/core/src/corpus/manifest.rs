//! The manifest of an exported corpus: what was exported, from what, made by which model, and the checksum of each file.

#[cfg(test)]
mod tests;

use super::archive::{ArchiveLayout, key_kind};
use super::template::Template;
use crate::protocol::MAX_INPUT_BYTES;
use crate::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Name of the file.
pub const MANIFEST: &str = "manifest.json";

/// Name of the file with the checksums of all others, as `sha256sum --check` reads it.
pub const CHECKSUMS: &str = "SHA256SUMS";

/// Value of [`Manifest::format`].
pub const FORMAT: &str = "socle corpus";

/// Value of [`Manifest::format_version`] that this version writes, and the highest that it reads.
pub const FORMAT_VERSION: u32 = 1;

/// Largest manifest in bytes: that of ten thousand files, with ample word rules.
pub const MAX_BYTES: u64 = 16 << 20;

/// Longest name of a column, table or schema in bytes.
const MAX_NAME_BYTES: usize = 63;

/// Longest name of a type in bytes: longer than that of any type that can be read.
const MAX_TYPE_BYTES: usize = 100;

/// Most columns of a table, as in PostgreSQL.
const MAX_COLUMNS: usize = 1_600;

/// Largest part of the file that the detail of an error repeats, in bytes.
const MAX_QUOTED_BYTES: usize = 200;

/// The manifest.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// When the snapshot was taken, as PostgreSQL writes it in UTC.
    pub exported_at: String,
    /// Version of socle.
    pub socle_version: String,
    /// Version of PostgreSQL.
    pub postgres_version: String,
    /// What the corpus was made from, and how.
    pub corpus: Definition,
    /// A statement that makes such a corpus.
    pub create_corpus: String,
    /// The model of the vectors.
    pub model: ArchivedModel,
    /// The model of the token vectors, if they were exported.
    pub token_model: Option<ArchivedModel>,
    /// The model that recognised the text of pictures in files, if one did.
    #[serde(default)]
    pub ocr_model: Option<ArchivedModel>,
    /// What the texts of files were extracted with; empty for texts of columns.
    #[serde(default)]
    pub extractors: Vec<ArchivedExtractor>,
    /// Tables with questions and judgments that were taken along.
    #[serde(default)]
    pub evaluation_sets: Vec<ArchivedTable>,
    /// Whether every chunk was exported that the snapshot and the row security of who exported show, and none of a document
    /// that has changed since.
    pub complete: bool,
    /// Why not.
    pub incomplete_because: Vec<String>,
    /// Whether row security applied to who exported, so that rows may be missing that others can see.
    pub row_security: bool,
    /// Number of documents that have a chunk here.
    pub document_count: u64,
    /// Number of chunks.
    pub chunk_count: u64,
    /// Number of chunks that were left out because their documents have changed since.
    pub left_out_count: u64,
    /// The files with the chunks, in order.
    pub files: Vec<ArchiveFile>,
}

/// What a corpus is made from, and how: the arguments of `socle.create_corpus`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Definition {
    /// Name of the corpus.
    pub name: String,
    /// Schema of the source.
    pub source_schema: String,
    /// Name of the source.
    pub source_table: String,
    /// The columns of its primary key.
    pub key: Vec<ArchivedKey>,
    /// The columns that make up a document.
    pub content: Vec<ContentColumn>,
    /// Column of the source with the title.
    pub title_column: Option<String>,
    /// Language of the documents, or `auto`.
    pub language: String,
    /// Column of the source with the language of a document.
    pub language_column: Option<String>,
    /// Template of what is put before a chunk when it is embedded.
    pub template: String,
    /// Largest chunk, in tokens.
    pub max_tokens: u32,
    /// Largest overlap of chunks, in tokens.
    pub overlap_tokens: u32,
    /// Format of the documents.
    pub format: String,
    /// Attempts until a change is set aside.
    pub max_attempts: i32,
    /// Parameter `m` of pgvector's HNSW index.
    pub hnsw_m: i32,
    /// Parameter `ef_construction` of pgvector's HNSW index.
    pub hnsw_ef_construction: i32,
    /// Which pictures of files are recognised; empty for texts.
    #[serde(default)]
    pub ocr: String,
    /// Synonyms, protected words and stop words, for the owner of the corpus alone.
    pub word_rules: Vec<ArchivedRule>,
}

/// A key column.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct ArchivedKey {
    /// Its name in the source.
    pub source_column: String,
    /// Its name in the files and in the chunk table.
    pub column: String,
    /// Its type, as PostgreSQL names it.
    pub type_name: String,
    /// Schema and name of its collation, where it is not that of the type.
    pub collation: Option<(String, String)>,
}

/// A column of the source that is part of a document.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct ContentColumn {
    /// Name of the column in the source.
    pub column: String,
    /// `text`, `document`, `large_object`, `media_type` or `file_name`.
    pub role: String,
}

/// A rule about words of queries, as `socle.word_rule` shows it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct ArchivedRule {
    /// `synonym`, `protected` or `stop_word`.
    pub kind: String,
    /// Language that a query must be searched in.
    pub language: Option<String>,
    /// Words of a query.
    pub term: String,
    /// What is searched for besides, for a synonym.
    pub replacements: Vec<String>,
}

/// A model that vectors were made with.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct ArchivedModel {
    /// Name under which the exporting database has registered it.
    pub name: String,
    /// Its digest: the same digest gives the same vectors.
    pub digest: String,
    /// Number of dimensions of the vectors.
    pub dimensions: u32,
    /// What is registered of it: parameters, licence, files with their SHA-256; `None` where it is not registered any more.
    pub registered: Option<serde_json::Value>,
}

/// A file of an export.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ArchiveFile {
    /// Name in the directory of the export, without a path.
    pub name: String,
    /// Number of rows.
    pub rows: u64,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 in hexadecimal digits.
    pub sha256: String,
}

/// What texts of files were extracted with.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ArchivedExtractor {
    /// As the column `extractor` of the chunk table has it; `None`: it is not known.
    pub extractor: Option<String>,
    /// Number of chunks.
    pub chunk_count: u64,
}

/// A table of the user, whose rows are in a file as texts.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ArchivedTable {
    /// Schema that it was exported from.
    pub schema: String,
    /// Name in that schema.
    pub table: String,
    /// The columns whose texts the file has, in this order.
    pub columns: Vec<ArchivedColumn>,
    /// Whether row security applied to who exported, so that rows may be missing that others can see.
    pub row_security: bool,
    /// The file.
    pub file: ArchiveFile,
}

impl ArchivedTable {
    /// Schema and name, as they are told.
    pub fn qualified(&self) -> String {
        format!("{}.{}", self.schema, self.table)
    }
}

/// A column of such a table.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ArchivedColumn {
    /// Name, also of the column of the file.
    pub name: String,
    /// Type that it had in the table, as PostgreSQL names it.
    pub type_name: String,
}

impl ArchivedColumn {
    /// Whether its values are JSON.
    pub fn is_json(&self) -> bool {
        matches!(self.type_name.as_str(), "json" | "jsonb")
    }
}

/// Name of the file with chunks number `number`, from 1.
pub fn part_name(number: usize) -> String {
    format!("chunks-{number:05}.parquet")
}

/// Name of the file with evaluation set number `number`, from 1.
pub fn evaluation_set_name(number: usize) -> String {
    format!("evaluation-{number:05}.parquet")
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// `DamagedDocument` for what is no manifest, or contradicts itself; `NotSupported` for one of a later version, or a key
    /// that cannot be read.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| damaged(&error.to_string()))?;
        if has_zero_byte(&value) {
            return Err(damaged("A text has a zero byte."));
        }
        let manifest: Self = serde_json::from_value(value).map_err(|error| damaged(&error.to_string()))?;
        if manifest.format != FORMAT {
            return Err(damaged(&format!("It does not describe a corpus: its format is \"{}\".", manifest.format)));
        }
        if manifest.format_version > FORMAT_VERSION {
            return Err(Error::new(Kind::NotSupported, "the export was made by a later version of socle").detail(
                format!("Its format has version {}, known are those up to {FORMAT_VERSION}.", manifest.format_version),
            ));
        }
        manifest.check_files()?;
        manifest.corpus.check()?;
        if manifest.model.dimensions == 0 {
            return Err(damaged("Dimensions are missing."));
        }
        manifest.layout()?;
        Ok(manifest)
    }

    /// Refuses files that no export writes.
    fn check_files(&self) -> Result<()> {
        let rows: u64 = self.files.iter().map(|file| file.rows).fold(0, u64::saturating_add);
        if rows != self.chunk_count {
            let counted = self.chunk_count;
            return Err(damaged(&format!("Its files have {rows} rows together, and it counts {counted} chunks.")));
        }
        for (number, file) in (1..).zip(&self.files) {
            check_file(number, file, &part_name(number))?;
        }
        for (number, table) in (1..).zip(&self.evaluation_sets) {
            check_file(number, &table.file, &evaluation_set_name(number))?;
            let columns = table.columns.iter();
            let names = columns.clone().map(|column| &column.name).chain([&table.schema, &table.table]);
            if table.columns.len() > MAX_COLUMNS
                || !names.into_iter().all(|name| (1..=MAX_NAME_BYTES).contains(&name.len()))
                || columns.clone().any(|column| column.type_name.len() > MAX_TYPE_BYTES)
            {
                return Err(damaged(&format!("The columns of evaluation set {number} are not those of a table.")));
            }
        }
        Ok(())
    }

    /// What the files look like.
    ///
    /// # Errors
    /// Those of [`key_kind`].
    pub fn layout(&self) -> Result<ArchiveLayout> {
        let keys = self.corpus.key.iter().map(|key| Ok((key.column.clone(), key_kind(&key.type_name)?)));
        Ok(ArchiveLayout {
            keys: keys.collect::<Result<_>>()?,
            dimensions: self.model.dimensions,
            token_vectors: self.token_model.is_some(),
        })
    }

    /// The lines of [`CHECKSUMS`]; `own` is the SHA-256 of the manifest.
    pub fn checksums(&self, own: &str) -> String {
        let sets = self.evaluation_sets.iter().map(|table| &table.file);
        let files = self.files.iter().chain(sets).map(|file| (file.sha256.as_str(), file.name.as_str()));
        files.chain([(own, MANIFEST)]).map(|(sum, name)| format!("{sum}  {name}\n")).collect()
    }
}

impl Definition {
    /// The template.
    ///
    /// # Errors
    /// `DamagedDocument` for a text that is none.
    pub fn parsed_template(&self) -> Result<Template> {
        Template::parse(&self.template, self.title_column.as_deref()).map_err(|error| damaged(&error.message))
    }

    /// Refuses what no corpus has.
    fn check(&self) -> Result<()> {
        if self.key.is_empty() {
            return Err(damaged("The key is missing."));
        }
        let keys = self.key.iter().flat_map(|key| [&key.source_column, &key.column]);
        let collations = self.key.iter().filter_map(|key| key.collation.as_ref());
        let names = [&self.name, &self.source_schema, &self.source_table].into_iter();
        let names = names.chain(keys).chain(collations.flat_map(|(schema, name)| [schema, name]));
        let names = names.chain(self.content.iter().map(|content| &content.column));
        let mut names = names.chain(&self.title_column).chain(&self.language_column);
        if !names.all(|name| (1..=MAX_NAME_BYTES).contains(&name.len())) {
            return Err(damaged(&format!("A name is empty or has more than {MAX_NAME_BYTES} bytes.")));
        }
        if self.key.iter().any(|key| key.type_name.len() > MAX_TYPE_BYTES) {
            return Err(damaged(&format!("The name of a type has more than {MAX_TYPE_BYTES} bytes.")));
        }
        let roles = ["text", "document", "large_object", "media_type", "file_name"];
        if !self.content.iter().all(|content| roles.contains(&content.role.as_str())) {
            return Err(damaged("The role of a column does not exist."));
        }
        let kinds = ["synonym", "protected", "stop_word"];
        if !self.word_rules.iter().all(|rule| kinds.contains(&rule.kind.as_str())) {
            return Err(damaged("The kind of a rule about words does not exist."));
        }
        self.check_numbers()?;
        self.parsed_template().map(drop)
    }

    fn check_numbers(&self) -> Result<()> {
        let (m, ef_construction) = (self.hnsw_m, self.hnsw_ef_construction);
        let is_sound = [
            ("max_tokens", (1..=i32::MAX.unsigned_abs()).contains(&self.max_tokens)),
            ("overlap_tokens", self.overlap_tokens < self.max_tokens),
            ("max_attempts", self.max_attempts >= 1),
            ("hnsw_m", (2..=100).contains(&m)),
            ("hnsw_ef_construction", (4..=1000).contains(&ef_construction) && ef_construction >= 2 * m),
        ];
        match is_sound.iter().find(|(_, is_sound)| !is_sound) {
            Some((name, _)) => Err(damaged(&format!("The value of {name} is not one that a corpus has."))),
            None => Ok(()),
        }
    }
}

/// Refuses a file that no export writes.
fn check_file(number: usize, file: &ArchiveFile, name: &str) -> Result<()> {
    if file.name != name {
        return Err(damaged(&format!("File {number} is not named \"{name}\".")));
    }
    if file.bytes > MAX_INPUT_BYTES as u64 {
        return Err(damaged(&format!("\"{name}\" has more than {MAX_INPUT_BYTES} bytes.")));
    }
    if file.sha256.len() != 64 || !file.sha256.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(damaged(&format!("\"{name}\" has no SHA-256.")));
    }
    Ok(())
}

fn damaged(why: &str) -> Error {
    let end = why.floor_char_boundary(MAX_QUOTED_BYTES);
    let more = if end < why.len() { "..." } else { "" };
    Error::new(Kind::DamagedDocument, format!("{MANIFEST} is damaged")).detail(format!("{}{more}", &why[..end]))
}

/// Whether any text has a zero byte, which PostgreSQL cannot store.
fn has_zero_byte(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(elements) => elements.iter().any(has_zero_byte),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_zero_byte(value)),
        _ => false,
    }
}
