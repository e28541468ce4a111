//! The row of a corpus in `socle.corpus`, and the state of its tables in the system catalogs.

use super::sql_template;
use crate::model;
use crate::pg::{plan_cache, run_as, spi, value};
use serde::{Deserialize, Serialize};
use socle_core::chunk::Format;
use socle_core::corpus::template::Template;
use socle_core::document::{Ocr, OcrMode};
use socle_core::endpoint::CorpusPolicy;
use socle_core::model::ModelSpec;
use socle_core::{Error, Kind, Result, hint, language};

const FIND: &str = include_str!("../../sql/corpus/find_corpus.sql");
const SUCCESSOR: &str = include_str!("../../sql/corpus/successor.sql");
const NAMES: &str = include_str!("../../sql/corpus/corpus_names.sql");

/// What a content column holds.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Text.
    Text,
    /// A file, as `bytea`.
    Document,
    /// A file, as the OID of a large object.
    LargeObject,
    /// The media type of the file.
    MediaType,
    /// The name of the file.
    FileName,
}

/// A row of `socle.corpus`, joined with the current state of its relations in the system catalogs.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct CorpusSpec {
    /// Name of the corpus.
    pub name: String,
    /// Name of the corpus that this one is to replace.
    pub replaces: Option<String>,
    /// What a corpus is made from and how: the options of `socle.create_corpus`.
    #[serde(flatten)]
    pub options: CorpusOptions,
    /// The source and the tables of a corpus: their names and keys, and what the system catalogs have of them now.
    #[serde(flatten)]
    pub tables: CorpusTables,
    /// How far a corpus is, and whether it can be worked on.
    #[serde(flatten)]
    pub progress: CorpusProgress,
    /// Columns of the source whose types are not built in.
    #[serde(skip)]
    pub foreign_columns: Vec<String>,
}

/// What a corpus is made from and how: the options of `socle.create_corpus`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct CorpusOptions {
    /// Columns of the source that make up a document.
    pub content_columns: Vec<String>,
    /// Roles of the content columns.
    pub content_roles: Vec<Role>,
    /// Column of the source that `{title}` stands for.
    pub title_column: Option<String>,
    /// Language of the documents, or `auto`.
    pub language: String,
    /// Column of the source with the language of a document.
    pub language_column: Option<String>,
    /// Template of what is put before a chunk when it is embedded.
    pub template: String,
    /// Columns of the source that the template names.
    pub template_columns: Vec<String>,
    /// Name of the model.
    pub model: String,
    /// Digest of the model that computed the vectors.
    pub model_digest: String,
    /// Number of dimensions of the vectors.
    pub dimensions: u32,
    /// Largest chunk, in tokens.
    pub max_tokens: u32,
    /// Largest overlap of chunks, in tokens.
    pub overlap_tokens: u32,
    /// Name of the [`Format`] of the documents.
    pub format: String,
    /// Attempts until a change is set aside.
    pub max_attempts: i32,
    /// Parameter `m` of pgvector's HNSW index.
    pub hnsw_m: i32,
    /// Parameter `ef_construction` of pgvector's HNSW index.
    pub hnsw_ef_construction: i32,
    /// Name of the model of late interaction whose token vectors are stored, if any are.
    pub token_model: Option<String>,
    /// Digest of that model.
    pub token_model_digest: Option<String>,
    /// Endpoints that may be sent its questions and passages.
    pub egress: Vec<String>,
    /// Name of the [`OcrMode`] of its files.
    pub ocr: String,
    /// Name of the model that recognises their pictures, if any does.
    pub ocr_model: Option<String>,
    /// Digest of that model.
    pub ocr_model_digest: Option<String>,
}

/// The source and the tables of a corpus: their names and keys, and what the system catalogs have of them now.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct CorpusTables {
    /// Schema of the source.
    pub source_schema: String,
    /// Name of the source.
    pub source_table: String,
    /// Whether the source is partitioned.
    pub partitioned: bool,
    /// Columns of the primary key of the source.
    pub key_columns: Vec<String>,
    /// Equality operators of the key columns, as SQL.
    pub key_operators: Vec<String>,
    /// Names of the key columns in the tables of the corpus.
    pub chunk_key_columns: Vec<String>,
    /// Schema of chunk table, change log and document table.
    pub chunk_schema: String,
    /// Name of the chunk table.
    pub chunk_table: String,
    /// Name of the change log.
    pub change_table: String,
    /// Name of the document table.
    pub document_table: String,
    /// OID of the source, if it exists.
    pub source: Option<u32>,
    /// OID of the chunk table, if it exists.
    pub chunk: Option<u32>,
    /// OID of the change log, if it exists.
    pub change: Option<u32>,
    /// OID of the document table, if it exists.
    pub document: Option<u32>,
    /// OID of the owner of the chunk table.
    pub owner: Option<u32>,
    /// Chunk table of the corpus to be replaced, if that has vectors of the same model.
    pub donor: Option<String>,
    /// Chunk table of the corpus to be replaced, if that has token vectors of the same model.
    pub token_donor: Option<String>,
}

/// How far a corpus is, and whether it can be worked on.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct CorpusProgress {
    /// `filling`, `active`, `paused` or `broken`.
    pub state: String,
    /// Why it is paused or broken, or what hinders it at the moment.
    pub state_reason: Option<String>,
    /// Changes up to this time belong to the first fill: its creation, later the end of that fill.
    pub filled_to: String,
    /// Counts chunks that may be missing in the keyword index; 0 when it is complete.
    pub keyword_missing_count: i64,
    /// Whether `socle.corpus_binding` has a row for it.
    pub bound: bool,
    /// Whether the key still tells which row a chunk belongs to.
    pub key_holds: bool,
}

impl CorpusSpec {
    /// Finds a corpus by name.
    ///
    /// # Errors
    /// `UnknownCorpus`, with the existing names.
    pub fn find(name: &str) -> Result<Self> {
        match Self::try_find(name)? {
            Some(corpus) => Ok(corpus),
            None => Err(unknown(name)?),
        }
    }

    /// Finds a corpus by name, if there is one.
    ///
    /// # Errors
    /// `Bug` when the tables of socle cannot be read.
    pub fn try_find(name: &str) -> Result<Option<Self>> {
        spi::query_text(FIND, &[name.into()])?.map(|row| Self::parse(name, &row)).transpose()
    }

    /// Like [`Self::find`], in the snapshot of the calling statement, for functions that change nothing.
    ///
    /// # Errors
    /// Those of [`Self::find`].
    pub fn find_to_read(name: &str) -> Result<Self> {
        let rows = plan_cache::rows(FIND, &[name.into()], 1, |row| row.get::<String>(1).unwrap_or_default())?;
        rows.first().map_or_else(|| Err(unknown(name)?), |row| Self::parse(name, row))
    }

    pub fn parse(name: &str, row: &str) -> Result<Self> {
        let mut corpus: Self = serde_json::from_str(row).map_err(|error| {
            Error::new(Kind::Bug, format!("the row of corpus \"{name}\" in socle.corpus is damaged"))
                .detail(error.to_string())
        })?;
        corpus.foreign_columns = corpus.columns_of_foreign_types();
        Ok(corpus)
    }

    fn columns_of_foreign_types(&self) -> Vec<String> {
        let Some(source) = self.tables.source else { return Vec::new() };
        let is_foreign = |column: &&str| {
            value::column_type(source.into(), column).is_some_and(|column_type| !value::is_built_in(column_type))
        };
        self.read_columns()
            .into_iter()
            .chain(self.options.language_column.as_deref())
            .filter(is_foreign)
            .map(str::to_string)
            .collect()
    }

    /// The corpus that is to replace this one, if it is being altered.
    ///
    /// # Errors
    /// Those of [`Self::try_find`].
    pub fn successor(&self) -> Result<Option<Self>> {
        spi::query_text(SUCCESSOR, &[self.name.as_str().into()])?.map_or(Ok(None), |name| Self::try_find(&name))
    }

    /// The language of all documents; `None` where it is detected for each chunk or read from a column.
    pub fn only_language(&self) -> Option<&'static str> {
        language::canonical(&self.options.language).ok().filter(|_| self.options.language_column.is_none())
    }

    /// Columns of the source that chunks depend on, without duplicates.
    pub fn read_columns(&self) -> Vec<&str> {
        let mut columns: Vec<&str> = Vec::new();
        for column in self.options.content_columns.iter().chain(&self.options.template_columns) {
            if !columns.contains(&column.as_str()) {
                columns.push(column);
            }
        }
        columns
    }

    /// Whether documents are files.
    pub fn has_files(&self) -> bool {
        self.options.content_roles.first().is_some_and(|role| *role != Role::Text)
    }

    /// The first content column with that role.
    pub fn content_column(&self, wanted: Role) -> Option<&str> {
        let at = self.options.content_roles.iter().position(|role| *role == wanted)?;
        self.options.content_columns.get(at).map(String::as_str)
    }

    /// The template, parsed.
    ///
    /// # Errors
    /// Those of [`Template::parse`].
    pub fn parsed_template(&self) -> Result<Template> {
        Template::parse(&self.options.template, self.options.title_column.as_deref())
    }

    /// The format, parsed.
    ///
    /// # Errors
    /// `InvalidArgument` when the row was changed by hand.
    pub fn parsed_format(&self) -> Result<Format> {
        self.options.format.parse()
    }

    /// Checks that the caller may act as the owner.
    ///
    /// # Errors
    /// `NotPermitted`.
    pub fn require_owner(&self) -> Result<()> {
        let owns = match self.tables.owner {
            Some(owner) => run_as::may_act_as(owner.into()),
            None => run_as::is_superuser(),
        };
        if owns {
            return Ok(());
        }
        // The owner of a corpus may also drop the one that was to replace it, even if that belonged to another role.
        if let Some(old) = &self.replaces
            && let Some(old) = Self::try_find(old)?
        {
            return old.require_owner();
        }
        Err(Error::new(Kind::NotPermitted, format!("must be owner of corpus \"{}\"", self.name))
            .detail("The owner of a corpus is the owner of its chunk table."))
    }

    /// The columns of its source that its texts are taken from, with their titles and what its template names.
    pub fn text_columns(&self) -> Vec<String> {
        let CorpusOptions { content_columns, title_column, template_columns, .. } = &self.options;
        content_columns.iter().chain(title_column).chain(template_columns).cloned().collect()
    }

    /// What it says about endpoints.
    pub fn policy(&self) -> CorpusPolicy {
        CorpusPolicy { name: self.name.clone(), egress: self.options.egress.clone() }
    }

    /// SQL over the tables of this corpus; see [`sql_template::expand`].
    pub fn sql(&self, statement: &str) -> String {
        sql_template::expand(statement, self, &[])
    }
}

fn unknown(name: &str) -> Result<Error> {
    let names = spi::query_texts(NAMES, &[])?;
    let error = Error::new(Kind::UnknownCorpus, format!("corpus \"{name}\" does not exist"));
    Ok(error.hint(hint::for_name(name, &names, "Corpora are", "No corpus exists: see socle.create_corpus().")))
}

/// The model that a corpus was created with, as it is registered now.
///
/// # Errors
/// Those of [`model::find_for_corpus`]; `NotInState` when a model of another digest has its name.
pub fn model_of(corpus: &CorpusSpec) -> Result<ModelSpec> {
    let model = registered(corpus, &VECTORS, &corpus.options.model, &corpus.options.model_digest)?;
    Ok(model.of_corpora([corpus.policy()]))
}

/// The model of the token vectors of a corpus, if it has any, as it is registered now.
///
/// # Errors
/// Those of [`model_of`].
pub fn token_model_of(corpus: &CorpusSpec) -> Result<Option<ModelSpec>> {
    match (&corpus.options.token_model, &corpus.options.token_model_digest) {
        (Some(name), Some(digest)) => registered(corpus, &TOKEN_VECTORS, name, digest).map(Some),
        _ => Ok(None),
    }
}

/// How the pictures of the files of a corpus are recognised, if they are.
///
/// # Errors
/// Those of [`model_of`].
pub fn ocr_of(corpus: &CorpusSpec) -> Result<Option<Ocr>> {
    let options = &corpus.options;
    let mode = OcrMode::parse(&options.ocr).unwrap_or_default();
    match (&options.ocr_model, &options.ocr_model_digest) {
        (Some(name), Some(digest)) if mode != OcrMode::Off => {
            registered(corpus, &RECOGNIZED_TEXT, name, digest).map(|model| Some(Ocr { mode, model, refusal: None }))
        }
        _ => Ok(None),
    }
}

/// What a model makes of a corpus.
struct Made {
    /// What it is, in messages.
    what: &'static str,
    /// The argument of `socle.alter_corpus` that names another.
    argument: &'static str,
    /// The argument with which the corpus does without, if it can.
    without: Option<&'static str>,
}

const VECTORS: Made = Made { what: "the vectors", argument: "model", without: None };
const TOKEN_VECTORS: Made =
    Made { what: "the token vectors", argument: "token_model", without: Some("token_model => ''") };
const RECOGNIZED_TEXT: Made =
    Made { what: "the recognized text", argument: "ocr_model", without: Some("ocr => 'off'") };

fn registered(corpus: &CorpusSpec, made: &Made, name: &str, digest: &str) -> Result<ModelSpec> {
    let Made { what, argument, without } = made;
    let way_out = |error: Error| {
        let (replaces, corpus) = (&corpus.replaces, sql_template::literal(&corpus.name));
        if replaces.is_some() {
            return error.hint(format!(
                "Register the model of that digest under this name again and call socle.resume_corpus({corpus}), or cancel the change: socle.drop_corpus({corpus})."
            ));
        }
        let without = without.map(|without| format!(", or do without: socle.alter_corpus({corpus}, {without})"));
        error.hint(format!(
            "Register the model of that digest under this name again and call socle.resume_corpus({corpus}), or choose another: socle.alter_corpus({corpus}, {argument} => ...){}.",
            without.unwrap_or_default()
        ))
    };
    let spec = model::find_for_corpus(name).map_err(|error| match error.kind {
        Kind::UnknownModel => way_out(error.detail(format!("The digest of the model of {what} is {digest}."))),
        _ => error,
    })?;
    if spec.digest() == digest {
        return Ok(spec);
    }
    let message = format!("model \"{name}\" is not the model that corpus \"{}\" was created with", corpus.name);
    Err(way_out(
        Error::new(Kind::NotInState, message)
            .detail(format!("Its digest is {}, that of the model of {what} is {digest}.", spec.digest())),
    ))
}

/// Checks all models that a corpus was created with.
///
/// # Errors
/// Those of [`model_of`].
pub fn check_models(corpus: &CorpusSpec) -> Result<()> {
    model_of(corpus)?;
    token_model_of(corpus)?;
    ocr_of(corpus).map(drop)
}
