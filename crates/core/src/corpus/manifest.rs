//! The manifest of an exported corpus: what was exported, from what, made by which model, and the checksum of each file.

use super::archive::{ArchiveLayout, key_kind};
use crate::{Error, Kind, Result};
use serde::{Deserialize, Serialize};

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
    /// Its name.
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
    /// Its name.
    pub name: String,
    /// Its digest: the same digest gives the same vectors.
    pub digest: String,
    /// Number of dimensions of the vectors.
    pub dimensions: u32,
    /// What is registered of it: parameters, licence, files with their SHA-256; `None` where it is not registered any more.
    pub registered: Option<serde_json::Value>,
}

/// A file with chunks.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct ArchiveFile {
    /// Its name.
    pub name: String,
    /// Number of rows.
    pub rows: u64,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 in hexadecimal digits.
    pub sha256: String,
}

/// Name of the file with chunks number `number`, from 1.
pub fn part_name(number: usize) -> String {
    format!("chunks-{number:05}.parquet")
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// `DamagedDocument` for what is no manifest, or contradicts itself; `NotSupported` for one of a later version, or a key
    /// that cannot be read.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let damaged = |why: String| Error::new(Kind::DamagedDocument, format!("{MANIFEST} is damaged")).detail(why);
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        if manifest.format != FORMAT {
            return Err(damaged(format!("It does not describe a corpus: its format is \"{}\".", manifest.format)));
        }
        if manifest.format_version > FORMAT_VERSION {
            return Err(Error::new(Kind::NotSupported, "the export was made by a later version of socle").detail(
                format!("Its format has version {}, known are those up to {FORMAT_VERSION}.", manifest.format_version),
            ));
        }
        let rows: u64 = manifest.files.iter().map(|file| file.rows).fold(0, u64::saturating_add);
        if rows != manifest.chunk_count {
            let counted = manifest.chunk_count;
            return Err(damaged(format!("Its files have {rows} rows together, and it counts {counted} chunks.")));
        }
        for (at, file) in manifest.files.iter().enumerate() {
            if file.name != part_name(at + 1) {
                return Err(damaged(format!("File {} is named \"{}\".", at + 1, file.name)));
            }
        }
        if manifest.corpus.key.is_empty() || manifest.model.dimensions == 0 {
            return Err(damaged("Key or dimensions are missing.".into()));
        }
        manifest.layout()?;
        Ok(manifest)
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
        let files = self.files.iter().map(|file| (file.sha256.as_str(), file.name.as_str()));
        files.chain([(own, MANIFEST)]).map(|(sum, name)| format!("{sum}  {name}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let key = ArchivedKey { column: "source_id".into(), type_name: "bigint".into(), ..ArchivedKey::default() };
        let file = ArchiveFile { name: part_name(1), rows: 3, bytes: 10, sha256: "ab".into() };
        Manifest {
            format: FORMAT.into(),
            format_version: 1,
            corpus: Definition { key: vec![key], ..Definition::default() },
            model: ArchivedModel { dimensions: 2, ..ArchivedModel::default() },
            chunk_count: 3,
            files: vec![file],
            ..Manifest::default()
        }
    }

    fn parsed(manifest: &Manifest) -> Result<Manifest> {
        Manifest::parse(&serde_json::to_vec(manifest).unwrap())
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        assert_eq!(parsed(&manifest()).unwrap(), manifest());
        assert_eq!(manifest().checksums("cd"), "ab  chunks-00001.parquet\ncd  manifest.json\n");
    }

    #[test]
    fn one_that_contradicts_itself_is_refused() {
        let kind = |change: &dyn Fn(&mut Manifest)| {
            let mut changed = manifest();
            change(&mut changed);
            parsed(&changed).unwrap_err().kind
        };
        assert_eq!(kind(&|manifest| manifest.chunk_count = 4), Kind::DamagedDocument);
        assert_eq!(kind(&|manifest| manifest.files[0].name = "../chunks-00001.parquet".into()), Kind::DamagedDocument);
        assert_eq!(kind(&|manifest| manifest.format = "zip".into()), Kind::DamagedDocument);
        assert_eq!(kind(&|manifest| manifest.corpus.key.clear()), Kind::DamagedDocument);
        assert_eq!(kind(&|manifest| manifest.model.dimensions = 0), Kind::DamagedDocument);
        assert_eq!(kind(&|manifest| manifest.format_version = 2), Kind::NotSupported);
        let evil = |manifest: &mut Manifest| manifest.corpus.key[0].type_name = "int DEFAULT evil()".into();
        assert_eq!(kind(&evil), Kind::NotSupported);
        assert_eq!(Manifest::parse(b"{}").unwrap_err().kind, Kind::DamagedDocument);
    }
}
