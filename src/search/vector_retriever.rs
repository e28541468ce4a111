//! The vector retriever: the nearest chunks among those that pass, by the vector index or by comparing all.

use super::scope::Scope;
use crate::pg::{gucs, plan_cache, value};
use pgrx::pg_sys;
use socle_core::Result;
use std::ffi::{CStr, CString};

const NEAREST: &str = include_str!("../../sql/search/nearest.sql");
const NEAREST_EXACT: &str = include_str!("../../sql/search/nearest_exact.sql");
const INDEX_SCANS: &str = include_str!("../../sql/search/index_scans.sql");
const NEAREST_OF: &str = include_str!("../../sql/search/nearest_of.sql");

/// Smallest width of a search in the vector index, and pgvector's largest (`hnsw.ef_search`).
const EF_SEARCH: (usize, usize) = (100, 1_000);

/// How the nearest chunks were found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ScanMethod {
    /// Few chunks pass: each was compared.
    Listed,
    /// As the planner chose, which is the vector index when there is one and it pays.
    Indexed,
    /// As the planner chose, known to have used the index of this name.
    Index(String),
    /// As the planner chose, known to have used no index.
    NoIndex,
    /// The index returned fewer than requested: everything that passes was compared.
    Exact,
}

impl ScanMethod {
    /// Describes the method for an explanation.
    pub fn describe(&self) -> String {
        match self {
            Self::Listed => "each of the few chunks that pass compared".into(),
            Self::Indexed => "by the vector index where the planner takes it".into(),
            Self::Index(name) => format!("by index \"{name}\""),
            Self::NoIndex => "without a vector index, as the planner chose".into(),
            Self::Exact => "the index returned too few: every chunk that passes compared".into(),
        }
    }
}

/// Chunks and cosine similarities, most similar first; fewer than `count` only if no more pass. Whether an index was
/// used is determined only if it is to be `explained`.
///
/// # Errors
/// Those of [`Scope::rows`].
pub fn nearest(scope: &Scope<'_>, count: usize, explained: bool) -> Result<(Vec<(i64, f64)>, ScanMethod)> {
    if let Some(eligible) = &scope.eligible {
        return Ok((run(scope, NEAREST_OF, eligible, count)?, ScanMethod::Listed));
    }
    let before = if explained { scans(scope)? } else { Vec::new() };
    let look = |further: &CStr| with_settings(scope, count, further, || run(scope, NEAREST, &[], count));
    // Where nothing is filtered, the first look is enough but for deleted rows, and costs a tenth less.
    let mut found = if scope.restricted || count > EF_SEARCH.1 { Vec::new() } else { look(c"off")? };
    if found.len() < count {
        found = look(c"relaxed_order")?;
    }
    if found.len() < count {
        return Ok((exact(scope, count)?, ScanMethod::Exact));
    }
    let after = if before.is_empty() { Vec::new() } else { scans(scope)? };
    let used = after.into_iter().find(|scans| !before.contains(scans));
    let path = match used {
        Some((name, _)) => ScanMethod::Index(name),
        None if before.is_empty() => ScanMethod::Indexed,
        None => ScanMethod::NoIndex,
    };
    Ok((found, path))
}

/// The vector indexes, and how often this transaction has scanned each.
fn scans(scope: &Scope<'_>) -> Result<Vec<(String, i64)>> {
    let chunk = pg_sys::Oid::from(scope.corpus.tables.chunk.unwrap_or_default());
    plan_cache::rows(INDEX_SCANS, &[chunk.into()], 0, |row| {
        (row.get::<String>(1).unwrap_or_default(), row.get::<i64>(2).unwrap_or_default())
    })
}

/// Like [`nearest`], without any index.
///
/// # Errors
/// Those of [`Scope::rows`].
pub fn exact(scope: &Scope<'_>, count: usize) -> Result<Vec<(i64, f64)>> {
    run(scope, NEAREST_EXACT, &[], count)
}

fn run(scope: &Scope<'_>, statement: &str, chunks: &[i64], count: usize) -> Result<Vec<(i64, f64)>> {
    let mut found = scope.rows(statement, chunks, count, |row| {
        // A vector of zeros has no cosine distance.
        (row.get::<i64>(1).unwrap_or_default(), 1.0 - row.get::<f64>(2).unwrap_or(f64::NAN))
    })?;
    // The index may return a nearer chunk later; ties by `chunk_id`, so that the order is always the same.
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    Ok(found)
}

/// Has pgvector look at as many candidates as are wanted and go `further` while a filter removes them, and turns off
/// JIT for statements that take a millisecond.
fn with_settings<T>(scope: &Scope<'_>, count: usize, further: &CStr, work: impl FnOnce() -> T) -> T {
    let width = CString::new(count.clamp(EF_SEARCH.0, EF_SEARCH.1).to_string()).unwrap_or_default();
    let settings: [(&CStr, &CStr); 3] =
        [(c"hnsw.ef_search", &width), (c"hnsw.iterative_scan", further), (c"jit", c"off")];
    // Before the library of pgvector is loaded, its settings do not exist.
    value::load_library(scope.vector_type());
    gucs::with_gucs(&settings, work)
}
