//! The arguments of `socle.create_corpus`, checked, and the corpus that they describe.

use super::create::{DETECTED, check_dimensions, check_overlap, default_tokens, parsed_language};
use super::source::Source;
use crate::catalog::CorpusSpec;
use crate::catalog::spec::{CorpusOptions, CorpusProgress, CorpusTables, Role};
use crate::pg::arguments::{Arguments, Texts};
use crate::{endpoint, model};
use pgrx::pg_sys;
use socle_core::array::array_elements;
use socle_core::chunk::Format;
use socle_core::corpus::template::Template;
use socle_core::document::OcrMode;
use socle_core::model::ModelSpec;
use socle_core::{Error, Kind, Result};

/// Longest name of a corpus, in bytes: names of tables and triggers are derived from it.
const MAX_NAME_BYTES: usize = 43;

/// Occurs in the names of corpora that are to replace others, and in no other name.
pub const SHADOW: char = '~';

/// Arguments of `socle.create_corpus`.
pub struct CreateCorpusOptions {
    /// Name of the corpus.
    pub name: String,
    /// OID of the source.
    pub source: pg_sys::Oid,
    content: Vec<String>,
    document: Option<String>,
    media_type: Option<String>,
    file_name: Option<String>,
    title: Option<String>,
    language: String,
    language_column: Option<String>,
    /// Name of the model, if given.
    pub model: Option<String>,
    max_tokens: Option<i32>,
    overlap_tokens: i32,
    format: Option<Format>,
    template: Option<String>,
    chunk_schema: Option<String>,
    max_attempts: i32,
    hnsw_m: i32,
    hnsw_ef_construction: i32,
    /// Name of the model of token vectors, if any are to be stored.
    pub token_model: Option<String>,
    /// Endpoints that may be sent its questions and passages.
    pub egress: Vec<String>,
    /// Which pictures of its files are recognised, and by which model.
    pub ocr: OcrChoice,
    /// Leaves an existing corpus as it is.
    pub if_not_exists: bool,
}

impl CreateCorpusOptions {
    /// Reads the arguments of `socle.create_corpus`.
    ///
    /// # Errors
    /// `InvalidArgument` for what is missing, out of range or contradictory.
    pub fn read(arguments: Arguments) -> Result<Self> {
        let number = |at: usize, name: &str, default: i32, range: std::ops::RangeInclusive<i32>| {
            let value = arguments.i32(at).unwrap_or(default);
            if range.contains(&value) {
                return Ok(value);
            }
            Err(invalid(&format!("{name} must be between {} and {}", range.start(), range.end())))
        };
        let name = arguments.short_text(0, "name")?.filter(|text| !text.is_empty());
        let name = name.ok_or_else(|| invalid("name must not be null or empty"))?;
        check_name(&name)?;
        let max_tokens = arguments.i32(7);
        if max_tokens.is_some_and(|size| size < 1) {
            return Err(invalid("max_tokens must be at least 1"));
        }
        let (hnsw_m, hnsw_ef_construction) =
            (number(13, "hnsw_m", 16, 2..=100)?, number(14, "hnsw_ef_construction", 128, 4..=1000)?);
        if hnsw_ef_construction < 2 * hnsw_m {
            return Err(invalid("hnsw_ef_construction must be at least twice hnsw_m"));
        }
        let options = Self {
            source: arguments.oid(1).ok_or_else(|| invalid("source must not be null"))?,
            content: arguments.names(2).unwrap_or_default(),
            document: arguments.name(16),
            media_type: arguments.name(17),
            file_name: arguments.name(18),
            title: arguments.name(3),
            language: parsed_language(arguments.short_text(4, "language")?.as_deref().unwrap_or(DETECTED))?,
            language_column: arguments.name(5),
            model: arguments.short_text(6, "model")?,
            max_tokens,
            overlap_tokens: number(8, "overlap_tokens", 0, 0..=i32::MAX)?,
            format: arguments.short_text(9, "format")?.map(|format| format.parse()).transpose()?,
            template: arguments.short_text(10, "template")?,
            chunk_schema: arguments.name(11),
            max_attempts: number(12, "max_attempts", 5, 1..=1000)?,
            hnsw_m,
            hnsw_ef_construction,
            if_not_exists: arguments.boolean(15).unwrap_or_default(),
            token_model: arguments.short_text(19, "token_model")?.filter(|name| !name.is_empty()),
            egress: egress(arguments, 20)?.unwrap_or_default(),
            ocr: ocr(arguments, 21, arguments.name(16).is_some())?,
            name,
        };
        options.check_contents()?;
        Ok(options)
    }

    /// Checks that documents are either texts or files.
    fn check_contents(&self) -> Result<()> {
        match (self.content.is_empty(), &self.document) {
            (true, None) => Err(invalid("content must name at least one column")
                .hint("Alternatively, name a column that holds files with the argument document.")),
            (false, Some(_)) => {
                Err(invalid("content and document are mutually exclusive")
                    .detail("A document is either text or a file."))
            }
            (false, None) if self.media_type.is_some() || self.file_name.is_some() => {
                Err(invalid("media_type and file_name require files")
                    .hint("Name the column that holds the files with the argument document."))
            }
            (true, Some(_)) if self.format.is_some_and(|format| format != Format::Markdown) => {
                Err(invalid("format belongs to content").detail("The text of files is markdown."))
            }
            _ => Ok(()),
        }
    }

    /// The content columns with their roles.
    fn contents(&self, source: &Source) -> Result<Vec<(String, Role)>> {
        let mut columns: Vec<(String, Role)> = Vec::new();
        if let Some(document) = &self.document {
            columns.push((document.clone(), source.document_role(document)?));
            let hints = [(&self.media_type, Role::MediaType), (&self.file_name, Role::FileName)];
            for (column, role) in hints {
                let Some(column) = column else { continue };
                let what = if role == Role::MediaType { "The argument media_type" } else { "The argument file_name" };
                source.require_text(column, what)?;
                columns.push((column.clone(), role));
            }
        }
        for column in &self.content {
            if columns.iter().any(|(seen, _)| seen == column) {
                return Err(invalid(&format!("content names column \"{column}\" twice")));
            }
            source.require_text(column, "The argument content")?;
            columns.push((column.clone(), Role::Text));
        }
        Ok(columns)
    }

    /// The row of `socle.corpus` for these options.
    ///
    /// # Errors
    /// `UnknownColumn`, `WrongColumnType`; `InvalidArgument` for what does not fit the model.
    pub fn corpus(&self, source: &Source, model: &ModelSpec, token_model: Option<&ModelSpec>) -> Result<CorpusSpec> {
        let (content_columns, content_roles) = self.contents(source)?.into_iter().unzip();
        if let Some(title) = &self.title {
            source.require_text(title, "The argument title")?;
        }
        if let Some(column) = &self.language_column {
            source.require_text(column, "The argument language_column")?;
        }
        let text = self.template.clone().unwrap_or_else(|| Template::default_for(self.title.as_deref()).to_string());
        let template = Template::parse(&text, self.title.as_deref())?;
        for column in template.columns() {
            source.require_column(column, "The template")?;
        }
        check_dimensions(model)?;
        let max_tokens = self.max_tokens.map_or_else(|| default_tokens(model, &text), i32::unsigned_abs);
        check_overlap(max_tokens, self.overlap_tokens.unsigned_abs())?;
        let format = if self.document.is_some() { Format::Markdown } else { self.format.unwrap_or(Format::Plain) };
        Ok(CorpusSpec {
            name: self.name.clone(),
            options: CorpusOptions {
                content_columns,
                content_roles,
                title_column: self.title.clone(),
                language: self.language.clone(),
                language_column: self.language_column.clone(),
                template_columns: template.columns().into_iter().map(str::to_string).collect(),
                model: model.name.clone(),
                model_digest: model.digest(),
                dimensions: model.dimensions,
                max_tokens,
                overlap_tokens: self.overlap_tokens.unsigned_abs(),
                format: format.name().to_string(),
                max_attempts: self.max_attempts,
                hnsw_m: self.hnsw_m,
                hnsw_ef_construction: self.hnsw_ef_construction,
                template: text,
                token_model: token_model.map(|model| model.name.clone()),
                token_model_digest: token_model.map(ModelSpec::digest),
                egress: self.egress.clone(),
                ocr: self.ocr.mode.name().to_string(),
                ocr_model: self.ocr.model.as_ref().map(|model| model.name.clone()),
                ocr_model_digest: self.ocr.model.as_ref().map(ModelSpec::digest),
            },
            tables: CorpusTables {
                source_schema: source.schema.clone(),
                source_table: source.table.clone(),
                partitioned: source.partitioned,
                key_columns: source.key.iter().map(|column| column.name.clone()).collect(),
                key_operators: source.key.iter().map(|column| column.operator.clone()).collect(),
                chunk_key_columns: source.key_names(),
                chunk_schema: self.chunk_schema.clone().unwrap_or_else(|| source.schema.clone()),
                chunk_table: format!("{}_chunk", self.name),
                change_table: format!("{}_change", self.name),
                document_table: format!("{}_document", self.name),
                ..CorpusTables::default()
            },
            progress: CorpusProgress { state: "filling".into(), ..CorpusProgress::default() },
            ..CorpusSpec::default()
        })
    }
}

/// Which pictures of files are recognised, and by which model, if any.
#[derive(Debug, Default)]
pub struct OcrChoice {
    /// Which.
    pub mode: OcrMode,
    /// The model of `socle.ocr_model`, unless nothing is recognised.
    pub model: Option<ModelSpec>,
}

/// Says which letters of the language of a corpus the model that recognises its pictures, if any, cannot write.
pub fn note_missing_letters(model: Option<&ModelSpec>, corpus: &CorpusSpec) {
    let Some((model, graphs)) = model.and_then(|model| Some((model, model.ocr.as_ref()?))) else { return };
    let Some(language) = corpus.only_language() else { return };
    let letters = graphs.missing_letters(language);
    if !letters.is_empty() {
        pgrx::notice!(
            "model \"{}\" cannot write these letters of {language}, and leaves them out or recognizes others for them: {letters}",
            model.name
        );
    }
}

/// The argument `ocr`, `auto` if it is NULL, with the model of the session.
///
/// # Errors
/// `InvalidArgument`; those of [`model::ocr_model`].
pub fn ocr(arguments: Arguments, at: usize, has_files: bool) -> Result<OcrChoice> {
    let Some(mode) = model::ocr_mode(arguments.short_text(at, "ocr")?)? else {
        // A model that the session names is used without being asked for.
        let model = if has_files { model::ocr_model()? } else { None };
        return Ok(OcrChoice { mode: OcrMode::Auto, model });
    };
    require_files("ocr", has_files)?;
    let model = if mode == OcrMode::Off { None } else { model::ocr_model()? };
    if mode == OcrMode::Always && model.is_none() {
        return Err(model::no_ocr_model());
    }
    Ok(OcrChoice { mode, model })
}

/// Refuses an argument that is about files, of a corpus that has none.
///
/// # Errors
/// `InvalidArgument`.
pub fn require_files(argument: &str, has_files: bool) -> Result<()> {
    if has_files {
        return Ok(());
    }
    Err(invalid(&format!("{argument} requires files"))
        .hint("Name the column that holds the files with the argument document."))
}

/// The argument `egress`: names of endpoints that exist, each once.
///
/// # Errors
/// `InvalidArgument` for NULL among them, `UnknownModel` for an endpoint that does not exist.
pub fn egress(arguments: Arguments, at: usize) -> Result<Option<Vec<String>>> {
    let Some(Texts { elements, .. }) = arguments.limited_texts(at, "egress")? else { return Ok(None) };
    let names: Option<Vec<String>> = elements.into_iter().map(|name| name.map(str::to_string)).collect();
    let mut names = names.ok_or_else(|| invalid("egress must not contain NULL"))?;
    endpoint::require_all(&names)?;
    names.sort();
    names.dedup();
    Ok(Some(names))
}

/// Refuses a name that a corpus cannot have.
///
/// # Errors
/// `InvalidArgument`.
pub fn check_name(name: &str) -> Result<()> {
    if name.len() > MAX_NAME_BYTES {
        return Err(invalid(&format!("name of a corpus has {} bytes, the limit is {MAX_NAME_BYTES}", name.len()))
            .detail("Names of tables and triggers are made from it."));
    }
    if array_elements(name).is_some() {
        return Err(invalid(&format!("name of a corpus must not be a list, as \"{name}\" is"))
            .detail("Clients that do not declare parameter types send lists of corpora in this form."));
    }
    if name.contains(SHADOW) {
        return Err(invalid(&format!("name of a corpus must not contain \"{SHADOW}\""))
            .detail("Such names are reserved for corpora that socle.alter_corpus() fills."));
    }
    Ok(())
}

fn invalid(message: &str) -> Error {
    Error::new(Kind::InvalidArgument, message)
}
