//! The chunks of a corpus that one search may return: statements with the filter of the search, run as the caller, and
//! pending changes, read as the owner.

use super::prefetch::PrefetchedHits;
use super::request::SearchRequest;
use super::source_columns::{self, Compiled};
use crate::capture;
use crate::catalog::CorpusSpec;
use crate::catalog::privileges;
use crate::catalog::sql_template::{expand, identifier};
use crate::pg::plan_cache::{self, PlanMode};
use crate::pg::run_as::as_log_owner;
use crate::pg::{gucs, value, vector};
use crate::vector_index::is_indexed_whole;
use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use pgrx::prelude::*;
use socle_core::protocol::{SegmentDigest, WordRule};
use socle_core::search::boost::Boosts;
use socle_core::search::filter::{Condition, Parameter};
use socle_core::{Error, Kind, Result};
use std::collections::HashSet;
use std::rc::Rc;

const MANY: &str = include_str!("../../sql/search/many.sql");
const ELIGIBLE: &str = include_str!("../../sql/search/eligible.sql");
const STALE: &str = include_str!("../../sql/search/stale.sql");
const FRESH: &str = include_str!("../../sql/search/fresh.sql");
const TYPES: &str = include_str!("../../sql/search/search_types.sql");

/// Condition that the document of a chunk passes; a sub-select, as in the policy of the chunk table.
const PASSES: &str = "(SELECT {condition} FROM {source} s WHERE {same s k})";

/// Most chunks that are listed once and compared one by one, without an index.
const MAX_LISTED: usize = 5_000;

/// Most chunks that are listed for BM25 statistics.
const MAX_COUNTED: usize = 1_000_000;

/// Number of the first parameter of a filter, after the vector and the chunks.
const FIRST_PARAMETER: usize = 3;

type Freshness = (Option<TimestampWithTimeZone>, bool);

/// Chunks whose documents have changed since they were chunked.
#[derive(Debug, Default)]
pub struct Stale {
    /// Changes of their documents have not been processed yet.
    pub waiting: HashSet<i64>,
    /// Their documents are gone.
    pub gone: HashSet<i64>,
}

/// One corpus within one search.
#[derive(Debug)]
pub struct Scope<'a> {
    /// The corpus that is searched.
    pub corpus: &'a CorpusSpec,
    /// The segments of its keyword index that the snapshot sees, once they are looked up.
    pub segments: Vec<SegmentDigest>,
    /// Rules about words that the query may have.
    pub rules: Vec<WordRule>,
    /// Every chunk that passes, ascending; `None` when there are many, or nothing restricts them.
    pub eligible: Option<Vec<i64>>,
    /// Whether row security applies to the caller.
    pub secured: bool,
    /// Whether something restricts the chunks that pass: row security or a filter.
    pub restricted: bool,
    /// [`Self::fresh_at`], and whether there are changes that are not in the chunks.
    freshness: Freshness,
    /// The first keyword hits, found while the query was embedded.
    pub prefetched: Option<PrefetchedHits>,
    /// Every chunk that passes, where BM25 statistics are those of these chunks.
    counted: Option<Vec<i64>>,
    /// Documents are checked although no filter needs it, as some are gone.
    looks_at_documents: bool,
    vector: Option<Rc<[f32]>>,
    vector_type: pg_sys::Oid,
    filter: Condition,
    /// What scores are multiplied by.
    pub boosts: Option<Boosts>,
    /// The column that results are grouped by, as SQL.
    pub group: Option<String>,
    distance: String,
}

impl<'a> Scope<'a> {
    /// Compiles the filter and checks what the caller may see.
    ///
    /// # Errors
    /// Errors of the filter; missing privileges of the caller are raised.
    pub fn new(corpus: &'a CorpusSpec, request: &SearchRequest) -> Result<Self> {
        let Compiled { filter, boosts, group } = source_columns::compile(corpus, request, FIRST_PARAMETER)?;
        let ReaderTypes { schema, vector: vector_type, secured } = reader_types(corpus)?;
        let mut scope = Self {
            corpus,
            segments: Vec::new(),
            rules: Vec::new(),
            eligible: None,
            secured,
            restricted: filter.sql != "true" || secured,
            freshness: freshness(corpus)?,
            prefetched: None,
            counted: None,
            looks_at_documents: false,
            vector: None,
            vector_type,
            filter,
            boosts,
            group,
            distance: distance(corpus, &schema),
        };
        // Whether there are too many is known from the documents as a rule, which costs a tenth of a join.
        if scope.restricted && scope.ids(MANY, &[], MAX_LISTED + 1)? != [MAX_LISTED as i64 + 1] {
            let mut eligible = scope.ids(ELIGIBLE, &[], MAX_LISTED + 1)?;
            if eligible.len() <= MAX_LISTED {
                eligible.sort_unstable();
                scope.eligible = Some(eligible);
            }
        }
        if request.visible_statistics && !scope.list_all(MAX_COUNTED)? {
            return Err(Error::new(
                Kind::InputTooLong,
                format!("score_statistics => 'visible' counts words in at most {MAX_COUNTED} chunks"),
            )
            .detail(format!("More chunks of corpus \"{}\" pass.", corpus.name))
            .hint("Use score_statistics => 'corpus', or a filter."));
        }
        Ok(scope)
    }

    /// Lists every chunk that passes, for [`Self::listed`], where something restricts them. False if they are more than
    /// `limit`.
    ///
    /// # Errors
    /// Those of [`Self::rows`].
    pub fn list_all(&mut self, limit: usize) -> Result<bool> {
        if self.restricted { self.list_present(limit) } else { Ok(true) }
    }

    /// Like [`Self::list_all`], also where nothing restricts the chunks: the keyword index has deleted ones, too.
    ///
    /// # Errors
    /// Those of [`Self::rows`].
    pub fn list_present(&mut self, limit: usize) -> Result<bool> {
        if self.listed().is_some() {
            return Ok(true);
        }
        let all = self.ids(ELIGIBLE, &[], limit + 1)?;
        if all.len() > limit {
            return Ok(false);
        }
        self.counted = Some(all);
        Ok(true)
    }

    /// From now on, excludes chunks without a document.
    pub fn look_at_documents(&mut self) {
        (self.looks_at_documents, self.restricted, self.prefetched) = (true, true, None);
    }

    /// Whether chunks without a document are excluded.
    pub fn looks_at_documents(&self) -> bool {
        self.looks_at_documents
    }

    /// Sets the vector of the query, which chunks are compared with from now on.
    pub fn compare_with(&mut self, vector: Rc<[f32]>) {
        self.vector = Some(vector);
    }

    /// The vector of the query, once it is known.
    pub fn vector(&self) -> Option<&[f32]> {
        self.vector.as_deref()
    }

    /// The type OID of the vectors of the corpus.
    pub fn vector_type(&self) -> pg_sys::Oid {
        self.vector_type
    }

    /// The chunks that keyword hits are restricted to, where they are listed.
    pub fn listed(&self) -> Option<&Vec<i64>> {
        self.eligible.as_ref().or(self.counted.as_ref())
    }

    /// The first column of a statement; see [`Self::rows`].
    pub fn ids(&self, statement: &str, chunks: &[i64], limit: usize) -> Result<Vec<i64>> {
        self.rows(statement, chunks, limit, |row| row.get::<i64>(1).unwrap_or_default())
    }

    /// Runs a statement of `sql/search` as the caller. Its parameters are the vector of the query, `chunks`, and the values
    /// of the filter.
    ///
    /// # Errors
    /// Those of [`plan_cache::rows`].
    pub fn rows<T>(
        &self,
        statement: &str,
        chunks: &[i64],
        limit: usize,
        read: impl FnMut(plan_cache::Row) -> T,
    ) -> Result<Vec<T>> {
        self.rows_with(statement, &[], &[], chunks, limit, read)
    }

    /// Like [`Self::rows`], with `more` names in braces, and `further` values from
    /// [`Self::next_parameter`] on.
    ///
    /// # Errors
    /// Those of [`plan_cache::rows`].
    pub fn rows_with<T>(
        &self,
        statement: &str,
        more: &[(&str, &str)],
        further: &[Parameter],
        chunks: &[i64],
        limit: usize,
        read: impl FnMut(plan_cache::Row) -> T,
    ) -> Result<Vec<T>> {
        let passes = if self.filter.sql == "true" && !self.looks_at_documents {
            "true".to_string()
        } else {
            expand(PASSES, self.corpus, &[("condition", &self.filter.sql)])
        };
        let title = self
            .corpus
            .options
            .title_column
            .as_deref()
            .map_or("NULL::text".into(), |title| format!("s.{}", identifier(title)));
        let limit = limit.to_string();
        let extra = [
            ("condition", self.filter.sql.as_str()),
            ("passes k", &passes),
            ("distance", if self.vector.is_some() { &self.distance } else { "NULL" }),
            ("title", &title),
            ("limit", &limit),
            // The statements that read the neighbours of a chunk have no other limit.
            ("reach", &limit),
        ];
        let sql = expand(statement, self.corpus, &[&extra, more].concat());
        let mut parameters = vec![self.vector_parameter()?, chunks.to_vec().into()];
        let values = self.filter.parameters.iter().chain(further);
        parameters.extend(values.map(|parameter| value::parameter(&parameter.value, parameter.type_id.into())));
        // The number of rows that pass a filter depends on its values.
        let planned = if self.filter.parameters.is_empty() { PlanMode::Generic } else { PlanMode::Custom };
        privileges::as_reader(self.corpus, || plan_cache::planned_rows(&sql, &parameters, 0, planned, read))
    }

    /// Number of the first parameter that a statement may have besides those of the scope.
    pub fn next_parameter(&self) -> usize {
        FIRST_PARAMETER + self.filter.parameters.len()
    }

    /// Describes the scope for an explanation.
    pub fn describe(&self) -> String {
        match &self.eligible {
            Some(eligible) => format!("{} chunks pass", eligible.len()),
            None if self.restricted => format!("more than {MAX_LISTED} chunks pass"),
            None => "every chunk passes".to_string(),
        }
    }

    fn vector_parameter(&self) -> Result<DatumWithOid<'static>> {
        Ok(match &self.vector {
            Some(values) => vector::datum(values)?.parameter(self.vector_type),
            None => DatumWithOid::null_oid(self.vector_type),
        })
    }

    /// Those of the chunks whose documents have changed since: they must not be returned, or only marked as stale.
    ///
    /// # Errors
    /// Those of [`plan_cache::rows`].
    pub fn stale(&self, chunks: Vec<i64>) -> Result<Stale> {
        stale_chunks(self.corpus, self.freshness.1, chunks)
    }

    /// The time up to which every change of the source is in the chunks.
    pub fn fresh_at(&self) -> Option<TimestampWithTimeZone> {
        self.freshness.0
    }
}

/// Those of the chunks whose documents have changed since. `has_changes`: whether there are changes that are not in the
/// chunks, see [`freshness`].
///
/// # Errors
/// Those of [`plan_cache::rows`].
pub fn stale_chunks(corpus: &CorpusSpec, has_changes: bool, chunks: Vec<i64>) -> Result<Stale> {
    let mut stale = Stale::default();
    let Some(owner) = corpus.tables.owner else { return Ok(stale) };
    let pending = capture::has_pending(corpus.tables.change.unwrap_or_default().into());
    if !pending && !has_changes {
        return Ok(stale);
    }
    let sql = expand(STALE, corpus, &[]);
    let limit = gucs::max_document_bytes() as i64;
    let arguments = [chunks.into(), pending.into(), limit.into()];
    let found = gucs::with_gucs(&gucs::RENDERING, || {
        as_log_owner(owner.into(), || {
            plan_cache::rows(&sql, &arguments, 0, |row| {
                (row.get::<i64>(1).unwrap_or_default(), row.get::<bool>(2) == Some(true))
            })
        })
    })?;
    for (chunk, is_there) in found {
        if is_there {
            stale.waiting.insert(chunk)
        } else {
            stale.gone.insert(chunk)
        };
    }
    Ok(stale)
}

/// The type of the vectors of a corpus, and whether row security applies to the caller.
#[derive(Debug)]
pub struct ReaderTypes {
    /// Schema of pgvector, as SQL.
    pub schema: String,
    /// OID of the type of the vectors, which is checked.
    pub vector: pg_sys::Oid,
    /// Whether row security applies to the caller.
    pub secured: bool,
}

/// What a statement over the chunks of a corpus has to know of types and of row security.
///
/// # Errors
/// `NotInState` for a corpus without vectors, or whose column of vectors was changed.
pub fn reader_types(corpus: &CorpusSpec) -> Result<ReaderTypes> {
    let source = pg_sys::Oid::from(corpus.tables.source.unwrap_or_default());
    let chunk = pg_sys::Oid::from(corpus.tables.chunk.unwrap_or_default());
    let types = plan_cache::rows(TYPES, &[source.into(), chunk.into()], 1, |row| {
        (row.get::<String>(1), row.get::<pg_sys::Oid>(2), row.get::<bool>(3))
    })?;
    let Some((Some(schema), Some(vector), secured)) = types.into_iter().next() else {
        return Err(Error::new(Kind::NotInState, format!("corpus \"{}\" has no vectors", corpus.name))
            .hint("See socle.corpus_status for the reason."));
    };
    privileges::check_vector(corpus, vector)?;
    Ok(ReaderTypes { schema, vector, secured: secured == Some(true) })
}

/// [`Scope::fresh_at`], and whether there are changes that are not in the chunks.
///
/// # Errors
/// Those of [`plan_cache::rows`].
pub fn freshness(corpus: &CorpusSpec) -> Result<Freshness> {
    let Some(owner) = corpus.tables.owner else { return Ok((None, false)) };
    let sql = expand(FRESH, corpus, &[]);
    let found = as_log_owner(owner.into(), || {
        plan_cache::rows(&sql, &[], 1, |row| (row.get(1), row.get::<bool>(2) == Some(true)))
    })?;
    Ok(found.into_iter().next().unwrap_or((None, true)))
}

/// Distance of a chunk from the query as SQL, in the form that the vector index is built for.
fn distance(corpus: &CorpusSpec, schema: &str) -> String {
    if is_indexed_whole(corpus.options.dimensions) {
        return format!("k.embedding OPERATOR({schema}.<=>) $1");
    }
    let half = format!("{schema}.halfvec({})", corpus.options.dimensions);
    format!("k.embedding::{half} OPERATOR({schema}.<=>) $1::{half}")
}
