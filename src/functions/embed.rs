//! `socle.embed`, `socle.embed_query`, `socle.count_tokens`.

use crate::engine_client::embedding::vectors;
use crate::pg::arguments::{Arguments, Texts};
use crate::pg::error::report;
use crate::pg::gucs;
use crate::pg::vector::{self, VectorDatum};
use crate::{engine_client, model};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::array::array_elements;
use socle_core::protocol::{Request, Response, Role};
use socle_core::{Error, Kind, Result, memory};

/// Memory in bytes that has to be left before an array of vectors is made.
const SPARE_BYTES: usize = 1 << 20;

type SqlResult = Result<Option<VectorDatum>, ErrorReport>;

/// The last text that one call site embedded. An expression such as `ORDER BY embedding <-> socle.embed_query('…')` is
/// evaluated once for each row; the vector is computed once.
#[derive(Default)]
struct Memo {
    digest: String,
    /// `socle.truncate_input`, which may change between two rows.
    truncate: bool,
    content: String,
    vector: Vec<f32>,
}

#[pg_extern(sql = false)]
fn embed(call: pg_sys::FunctionCallInfo) -> SqlResult {
    one(call, Role::Passage, "content").map_err(report)
}

#[pg_extern(sql = false)]
fn embed_query(call: pg_sys::FunctionCallInfo) -> SqlResult {
    one(call, Role::Query, "query").map_err(report)
}

/// Raises `InvalidArgument` for a list that a client has sent without its type: where both `text` and `text[]` are
/// possible, PostgreSQL takes it for a text.
fn check_is_one(content: &str) -> Result<()> {
    if array_elements(content).is_none() {
        return Ok(());
    }
    Err(Error::new(Kind::InvalidArgument, "content is an array literal passed as one text")
        .detail("A parameter without a type is resolved as text, and this value is a valid array literal.")
        .hint(
            "Cast a list: socle.embed($1::text[]). For one text that looks like an array: (socle.embed(ARRAY[$1]))[1].",
        ))
}

fn one(call: pg_sys::FunctionCallInfo, role: Role, name: &str) -> Result<Option<VectorDatum>> {
    let arguments = Arguments::new(call);
    let Some(content) = arguments.content(0, name)? else { return Ok(None) };
    check_not_blank(&content, name)?;
    if role == Role::Passage && arguments.is_written_out(0) {
        check_is_one(&content)?;
    }
    let spec = model::embedding_model(arguments.short_text(1, "model")?)?.of_corpora([]);
    let (digest, truncate) = (spec.digest(), gucs::truncate_input());
    let memo = arguments.memory_of_call_site::<Memo>();
    let mut memo = memo.borrow_mut();
    if memo.digest != digest || memo.truncate != truncate || memo.content != content {
        let vector = vectors(&spec, role, truncate, &[&content], None)?.pop().unwrap_or_default();
        *memo = Memo { digest, truncate, content, vector };
    }
    vector::datum(&memo.vector).map(Some)
}

#[pg_extern(sql = false)]
fn embed_array(call: pg_sys::FunctionCallInfo) -> SqlResult {
    many(Arguments::new(call)).map_err(report)
}

fn many(arguments: Arguments) -> Result<Option<VectorDatum>> {
    let Some(texts) = arguments.limited_texts(0, "contents")? else { return Ok(None) };
    let spec = model::embedding_model(arguments.short_text(1, "model")?)?.of_corpora([]);
    let Texts { elements, .. } = &texts;
    let mut present = memory::with_capacity(elements.len())?;
    let mut positions = memory::with_capacity(elements.len())?;
    for (at, element) in elements.iter().enumerate() {
        if let Some(element) = element {
            check_not_blank(element, &format!("element {} of contents", at + 1))?;
            present.push(*element);
            positions.push(at);
        }
    }
    vector::check_array_size(elements.len(), spec.dimensions as usize)?;
    // The vectors as they come, each as a datum, and all as one array. Errors need some memory, too.
    memory::ensure(elements.len().saturating_mul(3 * vector::size(spec.dimensions as usize)) + SPARE_BYTES)?;
    let computed = vectors(&spec, Role::Passage, gucs::truncate_input(), &present, Some(("contents", &positions)))?;
    let mut all = memory::with_capacity(elements.len())?;
    all.resize(elements.len(), None);
    for (at, vector) in positions.into_iter().zip(computed) {
        all[at] = Some(vector);
    }
    vector::array(arguments, &all, &texts).map(Some)
}

#[pg_extern(sql = false)]
fn count_tokens(call: pg_sys::FunctionCallInfo) -> Result<Option<i32>, ErrorReport> {
    let count = || -> Result<Option<i32>> {
        let arguments = Arguments::new(call);
        let Some(content) = arguments.content(0, "content")? else { return Ok(None) };
        let model = model::any_model(arguments.short_text(1, "model")?)?;
        match engine_client::ask(Request::CountTokens { model, content: &content })?.pop() {
            Some(Response::Count(count)) => Ok(Some(count.cast_signed())),
            Some(Response::Failed { error, .. }) => Err(error),
            _ => Err(engine_client::unexpected()),
        }
    };
    count().map_err(report)
}

/// Raises `InvalidArgument` for a blank text: whatever vector it got, it would be near to something.
fn check_not_blank(text: &str, name: &str) -> Result<()> {
    if !text.trim().is_empty() {
        return Ok(());
    }
    Err(Error::new(Kind::InvalidArgument, format!("{name} must not be empty or only white space"))
        .hint("Leave such texts out, or pass NULL, which gives NULL."))
}
