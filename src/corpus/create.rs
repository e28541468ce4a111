//! `socle.create_corpus`: checks everything first, then creates the tables, the policy, the triggers and the row, and
//! leaves the fill to the sync worker.

use super::lifecycle;
use super::options::{self, CreateCorpusOptions};
use super::source::Source;
use crate::catalog::CorpusSpec;
use crate::catalog::spec::CorpusOptions;
use crate::catalog::sql_template::{expand, identifier, literal};
use crate::ledger::{self, Event, EventKind};
use crate::pg::arguments::Arguments;
use crate::pg::backend;
use crate::pg::error::{report, spi};
use crate::pg::run_as;
use crate::pg::{gucs, relation, spi};
use crate::supervisor::wake;
use crate::vector_index;
use crate::{egress_client, engine_client, model};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::endpoint::refusal;
use socle_core::model::ModelSpec;
use socle_core::protocol::{Request, Response};
use socle_core::{Error, Kind, Result};

const INSERT: &str = include_str!("../../sql/corpus/insert_corpus.sql");
const BIND: &str = include_str!("../../sql/corpus/bind_corpus.sql");
const TABLES: &str = include_str!("../../sql/corpus/create_tables.sql");
const CHUNK_TABLE: &str = include_str!("../../sql/corpus/create_chunk_table.sql");
const INLINE: &str = "ALTER TABLE {chunk} ALTER COLUMN embedding SET STORAGE PLAIN";
const TOKEN_COLUMN: &str = include_str!("../../sql/corpus/create_token_column.sql");
const RECOGNITION_COLUMN: &str = include_str!("../../sql/corpus/create_recognition_column.sql");
const EXTRACTOR_COLUMN: &str = include_str!("../../sql/corpus/create_extractor_column.sql");
const CHUNK_COLUMNS: &str = include_str!("../../sql/corpus/chunk_columns.sql");
const PROTECT: &str = include_str!("../../sql/corpus/protect_chunks.sql");
const TRIGGERS: &str = include_str!("../../sql/corpus/create_triggers.sql");

/// Largest default chunk size, in tokens.
const DEFAULT_TOKENS: u32 = 512;

/// Most dimensions of vectors that are stored inline, where every comparison finds them, while the text is moved to
/// TOAST: two such rows fit into a page. By default Postgres would move the vector, which is the larger value.
const MAX_INLINE_DIMENSIONS: u32 = 900;

/// Value of `language` for a corpus that has the language of each chunk detected.
pub const DETECTED: &str = "auto";

#[pg_extern(sql = false)]
fn create_corpus(call: pg_sys::FunctionCallInfo) -> Result<pg_sys::Oid, ErrorReport> {
    create(Arguments::new(call)).map_err(report)
}

fn create(arguments: Arguments) -> Result<pg_sys::Oid> {
    backend::prevent_if_read_only(c"socle.create_corpus()");
    let options = CreateCorpusOptions::read(arguments)?;
    if let Some(existing) = CorpusSpec::try_find(&options.name)? {
        if !options.if_not_exists {
            return Err(Error::new(Kind::AlreadyExists, format!("corpus \"{}\" already exists", options.name))
                .hint("Choose another name, or drop it first with socle.drop_corpus()."));
        }
        pgrx::notice!("corpus \"{}\" already exists, skipping", options.name);
        return Ok(existing.tables.chunk.unwrap_or_default().into());
    }
    let source = Source::read(options.source)?;
    let spec = model::embedding_model(options.model.clone())?;
    let token_model = options.token_model.as_deref().map(model::token_model).transpose()?;
    let corpus = options.corpus(&source, &spec, token_model.as_ref())?;
    options::note_missing_letters(options.ocr.model.as_ref(), &corpus);
    let corpus = create_objects(&corpus, &source, &spec)?;
    let event = Event::new(EventKind::CreateCorpus)
        .with("corpus", corpus.name.as_str())
        .with("source", format!("{}.{}", corpus.tables.source_schema, corpus.tables.source_table))
        .with("model_digest", corpus.options.model_digest.as_str())
        .with("egress", corpus.options.egress.clone());
    ledger::record(if corpus.options.egress.is_empty() { event } else { event.required() });
    Ok(corpus.tables.chunk.unwrap_or_default().into())
}

/// Creates a corpus whose options have been checked.
pub fn create_objects(corpus: &CorpusSpec, source: &Source, model: &ModelSpec) -> Result<CorpusSpec> {
    require_egress(corpus, source, model)?;
    try_chunking(corpus, model)?;
    run_as::as_owner(source.owner, || make(corpus, source, model))?;
    let corpus = register(corpus)?;
    let options = &corpus.options;
    let models = [Some(&options.model), options.token_model.as_ref(), options.ocr_model.as_ref()];
    // Whoever drops one waits for this transaction, or is done.
    models.into_iter().flatten().try_for_each(|name| model::require_still(name))?;
    run_as::as_owner(source.owner, || lifecycle::start(&corpus, true))?;
    wake::at_commit();
    Ok(corpus)
}

/// Checks that nothing of a corpus that allows endpoints is labelled as not to leave; that it allows the endpoint that its model runs on, if it does, and that the caller may use it: its texts and
/// the questions to it are sent there.
fn require_egress(corpus: &CorpusSpec, source: &Source, model: &ModelSpec) -> Result<()> {
    if !corpus.options.egress.is_empty() {
        egress_client::require_unlabelled(&corpus.name, source.oid.to_u32(), corpus.text_columns())?;
    }
    let Some(served) = &model.served else { return Ok(()) };
    let endpoint = &served.endpoint.name;
    if let Some(error) = refusal(endpoint, &[corpus.policy()]) {
        return Err(error
            .detail(format!(
                "Model \"{}\" runs there, and would be sent all texts of the corpus and all questions to it.",
                model.name
            ))
            .hint(format!(
                "Pass egress => ARRAY[{}] if that is intended, or a model on this machine.",
                literal(endpoint)
            )));
    }
    egress_client::find(endpoint).map(drop)
}

/// The canonical name of a language, or [`DETECTED`].
pub fn parsed_language(name: &str) -> Result<String> {
    if name == DETECTED { Ok(name.to_string()) } else { Ok(socle_core::language::canonical(name)?.to_string()) }
}

/// Raises `NotSupported` for vectors that cannot be indexed, or that the cosine distance of the index would order in
/// another way than the model intends.
pub fn check_dimensions(model: &ModelSpec) -> Result<()> {
    if !model.is_cosine() {
        let (name, similarity) = (&model.name, model.similarity.name());
        return Err(Error::new(Kind::NotSupported, format!("model \"{name}\" compares vectors by {similarity}"))
            .detail("A corpus compares vectors by cosine, which would order them differently.")
            .hint("Register the model with normalized => true if that is acceptable, or use another model."));
    }
    let limit = vector_index::MAX_INDEX_DIMENSIONS[1];
    if model.dimensions <= limit {
        return Ok(());
    }
    Err(Error::new(Kind::NotSupported, format!("model \"{}\" has {} dimensions", model.name, model.dimensions))
        .detail(format!("An HNSW index of pgvector allows at most {limit}.")))
}

/// Raises `InvalidArgument` unless chunks are longer than their overlap.
pub fn check_overlap(max_tokens: u32, overlap_tokens: u32) -> Result<()> {
    if overlap_tokens < max_tokens {
        return Ok(());
    }
    Err(Error::new(Kind::InvalidArgument, "overlap must be smaller than chunk size")
        .detail(format!("The overlap is {overlap_tokens}, the chunk size {max_tokens}.")))
}

/// Default chunk size in tokens: the window of the model, `DEFAULT_TOKENS` at most, less a quarter where title and
/// headings need room.
pub fn default_tokens(model: &ModelSpec, template: &str) -> u32 {
    let window = model.max_tokens.min(DEFAULT_TOKENS);
    if template == "{content}" { window } else { (window - window / 4).max(1) }
}

/// Lets the engine refuse now what it would refuse for every document.
fn try_chunking(corpus: &CorpusSpec, model: &ModelSpec) -> Result<()> {
    let request = Request::Chunk {
        model: Some(model.clone()),
        max_size: Some(corpus.options.max_tokens),
        overlap: corpus.options.overlap_tokens,
        format: corpus.parsed_format()?,
        previous: Vec::new(),
        content: "a",
    };
    match engine_client::ask(request)?.pop() {
        Some(Response::Failed { error, .. }) => Err(error),
        _ => Ok(()),
    }
}

/// Creates the tables and triggers. To be called as the owner.
fn make(corpus: &CorpusSpec, source: &Source, model: &ModelSpec) -> Result<()> {
    let vector = vector_type(model.dimensions)?;
    let definitions = source.key_definitions("");
    let not_null = source.key_definitions(" NOT NULL");
    let batches = source.batch_definitions();
    let extra = [("key_definitions", definitions.as_str()), ("batch_definitions", &batches)];
    spi::execute(&expand(TABLES, corpus, &extra))?;
    if !adopt(corpus, source, &vector)? {
        create_chunk_table(corpus, &not_null, &vector)?;
    }
    protect(corpus)?;
    let capture = identifier(&format!("socle_capture_{}", corpus.name));
    spi::execute(&expand(TRIGGERS, corpus, &[("capture_trigger", capture.as_str())]))
}

/// Creates the chunk table, without its policy. `key_definitions` are those of its key columns, `vector` the type of its
/// vectors, as SQL.
pub fn create_chunk_table(corpus: &CorpusSpec, key_definitions: &str, vector: &str) -> Result<()> {
    let comment = literal(&chunk_comment(corpus));
    let extra =
        [("key_definitions_not_null", key_definitions), ("vector", vector), ("chunk_comment", comment.as_str())];
    spi::execute(&expand(CHUNK_TABLE, corpus, &extra))?;
    if corpus.options.dimensions <= MAX_INLINE_DIMENSIONS {
        spi::execute(&corpus.sql(INLINE))?;
    }
    if corpus.options.token_model.is_some() {
        spi::execute(&corpus.sql(TOKEN_COLUMN))?;
    }
    create_columns_of_files(corpus)
}

/// Adds the columns of a chunk table whose documents are files, where they are not there.
fn create_columns_of_files(corpus: &CorpusSpec) -> Result<()> {
    if corpus.has_files() {
        spi::execute(&corpus.sql(EXTRACTOR_COLUMN))?;
    }
    if corpus.options.ocr_model.is_some() {
        spi::execute(&corpus.sql(RECOGNITION_COLUMN))?;
    }
    Ok(())
}

/// Creates the policy of the chunk table.
pub fn protect(corpus: &CorpusSpec) -> Result<()> {
    gucs::with_gucs(&[gucs::QUIET], || spi::execute(&corpus.sql(PROTECT)))
}

/// Comment on the chunk table, for readers without socle, and for adoption.
pub fn chunk_comment(corpus: &CorpusSpec) -> String {
    let CorpusOptions { model, token_model, .. } = &corpus.options;
    let of_tokens = token_model.as_deref().map(|model| format!(", of tokens of \"{model}\"")).unwrap_or_default();
    format!(
        "chunks of corpus \"{}\", source {}.{}; vectors of model \"{model}\"{of_tokens}, {}",
        corpus.name,
        corpus.tables.source_schema,
        corpus.tables.source_table,
        digests(corpus)
    )
}

/// The end of [`chunk_comment`]: what the vectors are.
fn digests(corpus: &CorpusSpec) -> String {
    let of_tokens = corpus.options.token_model_digest.as_deref();
    let of_tokens = of_tokens.map(|digest| format!(", of tokens {digest}")).unwrap_or_default();
    format!("digest {}{of_tokens}", corpus.options.model_digest)
}

/// Adopts a chunk table with the same columns, left by an earlier corpus or extension; false if there is none.
fn adopt(corpus: &CorpusSpec, source: &Source, vector: &str) -> Result<bool> {
    let names = [corpus.tables.chunk_schema.as_str().into(), corpus.tables.chunk_table.as_str().into()];
    let found = Spi::connect(|client| {
        let rows = client.select(CHUNK_COLUMNS, Some(1), &names)?;
        if rows.is_empty() {
            return Ok(None);
        }
        let row = rows.first();
        Ok(Some((row.get::<String>(1)?, row.get::<String>(2)?, row.get::<pg_sys::Oid>(3)?)))
    })
    .map_err(spi)?;
    let Some((columns, comment, owner)) = found else { return Ok(false) };
    let key = source.key_names().into_iter().zip(&source.key);
    let key = key.map(|(name, column)| format!("{} {}", identifier(&name), column.definition));
    let rest = [
        "ordinal integer",
        "content text",
        "heading_path text[]",
        "page integer",
        "start_offset integer",
        "end_offset integer",
        "token_count integer",
        "content_hash bytea",
    ];
    let mut wanted = vec!["chunk_id bigint".to_string()];
    wanted.extend(key);
    wanted.extend(rest.map(str::to_string));
    wanted.push(format!("embedding {vector}"));
    wanted.extend(corpus.options.token_model.iter().map(|_| "token_vectors bytea".to_string()));
    wanted.sort_unstable();
    let taken = Error::new(Kind::AlreadyExists, format!("relation \"{}\" already exists", corpus.tables.chunk_table));
    if owner != Some(source.owner) || columns.as_deref() != Some(wanted.join(", ").as_str()) {
        return Err(taken.hint(
            "It is not a chunk table of this source and model: rename or drop it, or name the corpus differently.",
        ));
    }
    if !comment.unwrap_or_default().ends_with(&digests(corpus)) {
        return Err(taken
            .detail("Its comment does not say that its vectors are of this model.")
            .hint("Drop it, or name the corpus differently."));
    }
    gucs::with_gucs(&[gucs::QUIET], || create_columns_of_files(corpus))?;
    pgrx::notice!("adopting the chunk table \"{}\"", corpus.tables.chunk_table);
    let sql = expand(
        "DROP POLICY IF EXISTS socle_source_row ON {chunk}; COMMENT ON TABLE {chunk} IS {comment}",
        corpus,
        &[("comment", &literal(&chunk_comment(corpus)))],
    );
    spi::execute(&sql)?;
    Ok(true)
}

/// Inserts the row of `socle.corpus` and binds it.
fn register(corpus: &CorpusSpec) -> Result<CorpusSpec> {
    let row = serde_json::to_value(corpus)
        .map_err(|error| Error::new(Kind::Bug, "could not encode a corpus").detail(error.to_string()))?;
    run_as::as_superuser(|| spi::run(INSERT, &[pgrx::JsonB(row).into()]))?;
    bind(&corpus.name)?;
    CorpusSpec::find(&corpus.name)
}

/// Binds a corpus to its relations and columns as they are now. False when one of them does not exist.
pub fn bind(name: &str) -> Result<bool> {
    let bound = run_as::as_superuser(|| {
        Spi::connect_mut(|client| client.update(BIND, None, &[name.into()]).map(|rows| rows.len()))
    });
    let bound = bound.map_err(spi)? > 0;
    if bound && let Some(corpus) = CorpusSpec::try_find(name)? {
        for table in lifecycle::tree(&corpus)? {
            // Sessions may have cached that there is nothing to record for it.
            backend::invalidate_relation(table);
        }
        [corpus.tables.change, corpus.tables.document]
            .into_iter()
            .flatten()
            .for_each(|table| relation::depend_on_extension(table.into()));
    }
    Ok(bound)
}

/// The type of pgvector with schema and dimensions, as SQL.
pub fn vector_type(dimensions: u32) -> Result<String> {
    let schema = spi::query_text(vector_index::VECTOR_SCHEMA, &[])?;
    let schema = schema.ok_or_else(|| Error::new(Kind::NotSupported, "the extension \"vector\" is not installed"))?;
    Ok(format!("{}.vector({dimensions})", identifier(&schema)))
}
