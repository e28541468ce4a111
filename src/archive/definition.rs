//! What the manifest says of a corpus: its definition, its model, and the statement that makes such a corpus.

use crate::catalog::CorpusSpec;
use crate::catalog::spec::Role;
use crate::catalog::sql_template::{identifier, literal};
use crate::pg::plan_cache;
use pgrx::pg_sys;
use socle_core::corpus::array_literal;
use socle_core::corpus::manifest::{ArchivedKey, ArchivedModel, ArchivedRule, ContentColumn, Definition};
use socle_core::{Error, Kind, Result};

const KEY_TYPES: &str = include_str!("../../sql/archive/key_types.sql");
const REGISTERED: &str = include_str!("../../sql/archive/registered.sql");
const WORD_RULES: &str = include_str!("../../sql/archive/word_rules.sql");

/// The definition of a corpus, as the caller may know it.
///
/// # Errors
/// Those of [`plan_cache::rows`].
pub fn of(corpus: &CorpusSpec) -> Result<Definition> {
    let options = &corpus.options;
    let columns = options.content_columns.iter().zip(&options.content_roles);
    Ok(Definition {
        name: corpus.name.clone(),
        source_schema: corpus.tables.source_schema.clone(),
        source_table: corpus.tables.source_table.clone(),
        key: keys(corpus)?,
        content: columns
            .map(|(column, role)| ContentColumn { column: column.clone(), role: role_name(*role).to_string() })
            .collect(),
        title_column: options.title_column.clone(),
        language: options.language.clone(),
        language_column: options.language_column.clone(),
        template: options.template.clone(),
        max_tokens: options.max_tokens,
        overlap_tokens: options.overlap_tokens,
        format: options.format.clone(),
        max_attempts: options.max_attempts,
        hnsw_m: options.hnsw_m,
        hnsw_ef_construction: options.hnsw_ef_construction,
        ocr: if corpus.has_files() { options.ocr.clone() } else { String::new() },
        word_rules: plan_cache::rows(WORD_RULES, &[corpus.name.as_str().into()], 0, |row| ArchivedRule {
            kind: row.get(1).unwrap_or_default(),
            language: row.get(2),
            term: row.get(3).unwrap_or_default(),
            replacements: row.get(4).unwrap_or_default(),
        })?,
    })
}

fn keys(corpus: &CorpusSpec) -> Result<Vec<ArchivedKey>> {
    let tables = &corpus.tables;
    let chunk = pg_sys::Oid::from(tables.chunk.unwrap_or_default());
    let arguments = [chunk.into(), tables.chunk_key_columns.clone().into()];
    let types = plan_cache::rows(KEY_TYPES, &arguments, 0, |row| {
        (row.get::<String>(1).unwrap_or_default(), row.get::<String>(2).zip(row.get::<String>(3)))
    })?;
    let names = tables.key_columns.iter().zip(&tables.chunk_key_columns).zip(types);
    Ok(names
        .map(|((source_column, column), (type_name, collation))| ArchivedKey {
            source_column: source_column.clone(),
            column: column.clone(),
            type_name,
            collation,
        })
        .collect())
}

/// A model that vectors of a corpus were made with.
///
/// # Errors
/// Those of [`plan_cache::rows`].
pub fn model(name: &str, digest: &str, dimensions: u32) -> Result<ArchivedModel> {
    let found = plan_cache::rows(REGISTERED, &[name.into(), digest.into()], 1, |row| row.get::<String>(1))?;
    let registered = found.into_iter().flatten().next().and_then(|row| serde_json::from_str(&row).ok());
    Ok(ArchivedModel { name: name.to_string(), digest: digest.to_string(), dimensions, registered })
}

/// Columns of a definition, by the arguments of `socle.create_corpus` that name them.
#[derive(Debug, Default)]
pub struct Contents {
    /// The argument `content`.
    pub content: Vec<String>,
    /// The argument `document`.
    pub document: Option<String>,
    /// The argument `media_type`.
    pub media_type: Option<String>,
    /// The argument `file_name`.
    pub file_name: Option<String>,
}

/// The columns of a definition.
///
/// # Errors
/// `DamagedDocument` for a role that does not exist.
pub fn contents(definition: &Definition) -> Result<Contents> {
    let mut contents = Contents::default();
    for ContentColumn { column, role } in &definition.content {
        match role.as_str() {
            "text" => contents.content.push(column.clone()),
            "document" | "large_object" => contents.document = Some(column.clone()),
            "media_type" => contents.media_type = Some(column.clone()),
            "file_name" => contents.file_name = Some(column.clone()),
            other => return Err(Error::new(Kind::DamagedDocument, format!("role \"{other}\" does not exist"))),
        }
    }
    Ok(contents)
}

/// A statement that makes such a corpus, for whoever reads the manifest.
///
/// # Errors
/// Those of [`contents`].
pub fn create_statement(definition: &Definition, model: &str, token_model: Option<&str>) -> Result<String> {
    let Contents { content, document, media_type, file_name } = contents(definition)?;
    let source = format!("{}.{}", identifier(&definition.source_schema), identifier(&definition.source_table));
    let texts = (!content.is_empty()).then(|| array_literal(&content));
    let is_file = document.is_some();
    let arguments = [
        ("source", Some(source)),
        ("content", texts),
        ("document", document),
        ("media_type", media_type),
        ("file_name", file_name),
        ("title", definition.title_column.clone()),
        ("language", Some(definition.language.clone())),
        ("language_column", definition.language_column.clone()),
        ("model", Some(model.to_string())),
        ("format", (!is_file).then(|| definition.format.clone())),
        ("template", Some(definition.template.clone())),
        ("token_model", token_model.map(str::to_string)),
        ("ocr", Some(definition.ocr.clone()).filter(|mode| is_file && !mode.is_empty())),
    ];
    let arguments = arguments.into_iter().filter_map(|(name, text)| Some(format!(", {name} => {}", literal(&text?))));
    let numbers = [
        ("max_tokens", i64::from(definition.max_tokens)),
        ("overlap_tokens", i64::from(definition.overlap_tokens)),
        ("max_attempts", i64::from(definition.max_attempts)),
        ("hnsw_m", i64::from(definition.hnsw_m)),
        ("hnsw_ef_construction", i64::from(definition.hnsw_ef_construction)),
    ];
    let numbers = numbers.iter().map(|(name, number)| format!(", {name} => {number}"));
    let arguments: String = arguments.chain(numbers).collect();
    Ok(format!("SELECT socle.create_corpus({}{arguments});", literal(&definition.name)))
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Text => "text",
        Role::Document => "document",
        Role::LargeObject => "large_object",
        Role::MediaType => "media_type",
        Role::FileName => "file_name",
    }
}
