//! The chunk table that exported chunks are put into: as `socle.create_corpus` makes it, so that it can adopt it, and without
//! a policy, because there may be no source.

use crate::catalog::CorpusSpec;
use crate::catalog::spec::{CorpusOptions, CorpusTables};
use crate::catalog::sql_template::{expand, identifier};
use crate::corpus::create::{create_chunk_table, vector_type};
use crate::corpus::source::Source;
use crate::pg::error::spi;
use crate::pg::{gucs, vector};
use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use socle_core::corpus::archive::{ArchivedChunk, key_kind};
use socle_core::corpus::array_literal;
use socle_core::corpus::manifest::{ArchivedKey, Manifest};
use socle_core::{Error, Kind, Result};

const INSERT: &str = include_str!("../../sql/archive/insert.sql");
const VECTOR_OID: &str = include_str!("../../sql/archive/vector_oid.sql");

/// Chunks inserted by one statement: some megabytes of vectors, or of token vectors.
const INSERT_ROWS: usize = 1_000;
const INSERT_ROWS_WITH_TOKENS: usize = 100;

/// A chunk table that is filled.
#[derive(Debug)]
pub struct ChunkTable {
    corpus: CorpusSpec,
    /// Definitions of the key columns, as SQL.
    definitions: String,
    insertion: String,
    vector: String,
    vector_oid: pg_sys::Oid,
}

impl ChunkTable {
    /// A table for the chunks that a manifest describes: for a source, with the key that it has; otherwise with that of the
    /// manifest.
    ///
    /// # Errors
    /// `InvalidArgument` for a source with another key, `NotSupported` for one whose type cannot be read.
    pub fn plan(
        name: &str,
        schema: String,
        manifest: &Manifest,
        source: Option<&Source>,
        token_vectors: bool,
    ) -> Result<Self> {
        let keys = match source {
            Some(source) => keys_of(source, manifest)?,
            None => manifest.corpus.key.iter().map(key_of).collect::<Result<_>>()?,
        };
        let corpus = spec(name, schema, manifest, &keys, token_vectors);
        let vector = vector_type(manifest.model.dimensions)?;
        let vector_oid = Spi::get_one::<pg_sys::Oid>(VECTOR_OID).map_err(spi)?.unwrap_or(pg_sys::InvalidOid);
        let definitions: Vec<String> =
            keys.iter().map(|key| format!("{} {} NOT NULL", identifier(&key.column), key.definition)).collect();
        let [values, arrays, aliases]: [String; 3] = [
            |at: usize, key: &Key| format!("{}n.key_{at}::{}", if at == 1 { "" } else { ", " }, key.type_name),
            |at: usize, _: &Key| format!(", ${}::text[]", at + 10),
            |at: usize, _: &Key| format!(", key_{at}"),
        ]
        .map(|part: fn(usize, &Key) -> String| keys.iter().enumerate().map(|(at, key)| part(at + 1, key)).collect());
        let bare = vector.split('(').next().unwrap_or_default();
        let extra = [
            ("archived_keys", values.as_str()),
            ("key_arrays", &arrays),
            ("key_aliases", &aliases),
            ("vector_type", bare),
            ("token_vectors_name", if token_vectors { ", token_vectors" } else { "" }),
        ];
        // The alias of the token vectors is there in any case, the column of that name only where they are stored.
        let insertion = expand(INSERT, &corpus, &extra);
        Ok(Self { definitions: definitions.join(",\n    "), insertion, vector, vector_oid, corpus })
    }

    /// Schema and name of the table.
    pub fn name(&self) -> (&str, &str) {
        (&self.corpus.tables.chunk_schema, &self.corpus.tables.chunk_table)
    }

    /// Creates the table, as the current user.
    ///
    /// # Errors
    /// Those of [`create_chunk_table`]; what PostgreSQL refuses is raised.
    pub fn create(&self) -> Result<()> {
        create_chunk_table(&self.corpus, &self.definitions, &self.vector)
    }

    /// Inserts chunks, as the current user.
    ///
    /// # Errors
    /// `Bug` when SPI refuses; what PostgreSQL refuses is raised.
    pub fn insert(&self, chunks: Vec<ArchivedChunk>) -> Result<()> {
        let has_tokens = self.corpus.options.token_model.is_some();
        let limit = if has_tokens { INSERT_ROWS_WITH_TOKENS } else { INSERT_ROWS };
        let mut chunks = chunks.into_iter();
        loop {
            let rows: Vec<ArchivedChunk> = chunks.by_ref().take(limit).collect();
            if rows.is_empty() {
                return Ok(());
            }
            pgrx::check_for_interrupts!();
            // Values of keys are read under the settings that they were written with.
            gucs::with_gucs(&gucs::RENDERING, || {
                Spi::connect_mut(|client| {
                    let arguments = self.arguments(rows)?;
                    client.update(self.insertion.as_str(), None, &arguments).map(drop).map_err(spi)
                })
            })?;
        }
    }

    fn arguments(&self, rows: Vec<ArchivedChunk>) -> Result<Vec<DatumWithOid<'static>>> {
        let numbers = |read: fn(&ArchivedChunk) -> i32| rows.iter().map(read).collect::<Vec<i32>>().into();
        let embeddings: Vec<Option<&[f32]>> = rows.iter().map(|row| Some(row.embedding.as_slice())).collect();
        let embeddings = vector::plain_array(self.vector_oid, &embeddings)?;
        let mut arguments = vec![
            numbers(|row| row.ordinal),
            rows.iter().map(|row| row.content.clone()).collect::<Vec<String>>().into(),
            rows.iter().map(|row| array_literal(&row.heading_path)).collect::<Vec<String>>().into(),
            rows.iter().map(|row| row.page).collect::<Vec<Option<i32>>>().into(),
            numbers(|row| row.start_offset),
            numbers(|row| row.end_offset),
            numbers(|row| row.token_count),
            rows.iter().map(|row| row.content_hash.clone()).collect::<Vec<Vec<u8>>>().into(),
            embeddings,
        ];
        let width = self.corpus.tables.chunk_key_columns.len();
        let mut keys: Vec<Vec<String>> = vec![Vec::with_capacity(rows.len()); width];
        let mut tokens: Vec<Option<Vec<u8>>> = Vec::with_capacity(rows.len());
        for row in rows {
            tokens.push(row.token_vectors);
            keys.iter_mut().zip(row.key).for_each(|(column, value)| column.push(value.into_text()));
        }
        arguments.push(tokens.into());
        arguments.extend(keys.into_iter().map(Into::into));
        Ok(arguments)
    }
}

/// A key column as the table has it.
struct Key {
    column: String,
    /// Its type, as SQL.
    type_name: String,
    /// Type and collation, as SQL.
    definition: String,
}

/// The key of a source. Only what is built in runs when its values are read.
fn keys_of(source: &Source, manifest: &Manifest) -> Result<Vec<Key>> {
    let (found, wanted) = (source.key.len(), manifest.corpus.key.len());
    if found != wanted {
        let message = format!("the key of table \"{}\" has {found} columns, that of the export {wanted}", source.table);
        return Err(Error::new(Kind::InvalidArgument, message));
    }
    let columns = source.key_names().into_iter().zip(&source.key);
    columns
        .map(|(column, key)| {
            key_kind(&key.type_name)?;
            Ok(Key { column, type_name: key.type_name.clone(), definition: key.definition.clone() })
        })
        .collect()
}

fn key_of(key: &ArchivedKey) -> Result<Key> {
    key_kind(&key.type_name)?;
    let collation = key.collation.as_ref();
    let collation = collation.map(|(schema, name)| format!(" COLLATE {}.{}", identifier(schema), identifier(name)));
    Ok(Key {
        column: key.column.clone(),
        type_name: key.type_name.clone(),
        definition: format!("{}{}", key.type_name, collation.unwrap_or_default()),
    })
}

/// As much of a corpus as its chunk table needs.
fn spec(name: &str, schema: String, manifest: &Manifest, keys: &[Key], token_vectors: bool) -> CorpusSpec {
    let definition = &manifest.corpus;
    let tokens = manifest.token_model.as_ref().filter(|_| token_vectors);
    CorpusSpec {
        name: name.to_string(),
        options: CorpusOptions {
            model: manifest.model.name.clone(),
            model_digest: manifest.model.digest.clone(),
            dimensions: manifest.model.dimensions,
            token_model: tokens.map(|model| model.name.clone()),
            token_model_digest: tokens.map(|model| model.digest.clone()),
            ..CorpusOptions::default()
        },
        tables: CorpusTables {
            source_schema: definition.source_schema.clone(),
            source_table: definition.source_table.clone(),
            key_columns: definition.key.iter().map(|key| key.source_column.clone()).collect(),
            chunk_key_columns: keys.iter().map(|key| key.column.clone()).collect(),
            chunk_schema: schema,
            chunk_table: format!("{name}_chunk"),
            ..CorpusTables::default()
        },
        ..CorpusSpec::default()
    }
}
