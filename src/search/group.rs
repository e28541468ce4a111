//! Groups of results: those of one document, or with one value in a column of the source. A result is a chunk of a group
//! that has fewer better ones than a group may have.
//!
//! Groups by a value reach across corpora, those by a document do not. A row without a value is a group of its own.

use super::rank::Ranked;
use super::request::SearchRequest;
use super::scope::Scope;
use super::select::by_corpus;
use crate::catalog::sql_template::identifier;
use crate::pg::plan_cache::{Row, in_own_memory_context};
use sha2::{Digest, Sha256};
use socle_core::Result;
use std::collections::HashMap;

const GROUPS: &str = include_str!("../../sql/search/groups.sql");
const GROUP_SIZES: &str = include_str!("../../sql/search/group_sizes.sql");
const DOCUMENTS: &str = include_str!("../../sql/search/documents.sql");

/// What the chunks of a group have in common.
#[derive(Eq, Hash, PartialEq)]
enum Group {
    /// The hash of a value as text, which may be megabytes.
    Value([u8; 32]),
    /// The index of a corpus, and the key of a document.
    Document(usize, Vec<Option<String>>),
}

/// The best candidates of each group, in the order of `ranked`.
///
/// # Errors
/// Those of [`Scope::rows`].
pub fn best(
    scopes: &[&Scope<'_>],
    ranked: Vec<(usize, Ranked)>,
    request: &SearchRequest,
) -> Result<Vec<(usize, Ranked)>> {
    let mut numbers: HashMap<Group, usize> = HashMap::new();
    let mut groups: HashMap<(usize, i64), usize> = HashMap::new();
    for (at, chunks) in by_corpus(scopes.len(), &ranked).into_iter().enumerate() {
        // Without candidates, too: a caller that may not read it is refused whether there are any or not.
        if chunks.is_empty() && scopes[at].group.is_none() {
            continue;
        }
        let columns = scopes[at].corpus.tables.key_columns.len();
        // Equal values may be written differently: one of them stands for all.
        let value = scopes[at].group.as_ref().map_or_else(
            || "NULL::text".to_string(),
            |column| format!("first_value({column}) OVER (PARTITION BY {column} ORDER BY k.chunk_id)"),
        );
        let found = scopes[at].rows_with(GROUPS, &[("group", &value)], &[], &chunks, 0, |row| {
            let document = || Group::Document(at, (3..).take(columns).map(|column| row.text(column)).collect());
            let value = in_own_memory_context(|| row.text(2).map(|value| Sha256::digest(value).into()));
            (row.get::<i64>(1).unwrap_or_default(), value.map_or_else(document, Group::Value))
        })?;
        for (chunk, group) in found {
            let next = numbers.len();
            groups.insert((at, chunk), *numbers.entry(group).or_insert(next));
        }
    }
    let mut sizes = vec![0; numbers.len()];
    let mut is_among = |group: &usize| {
        sizes[*group] += 1;
        sizes[*group] <= request.group_size
    };
    Ok(ranked
        .into_iter()
        .filter(|(at, ranked)| groups.get(&(*at, ranked.chunk_id)).is_some_and(&mut is_among))
        .collect())
}

/// Most results that groups allow, counted up to the limit of the request in each corpus: more cannot be found.
///
/// # Errors
/// Those of [`Scope::rows`].
pub fn most(scopes: &[&Scope<'_>], request: &SearchRequest) -> Result<usize> {
    let mut all = 0;
    for scope in scopes {
        let count = |row: Row| row.get::<i64>(1).unwrap_or_default();
        let found = if scope.group.is_none() && request.group_size == 1 {
            scope.rows(DOCUMENTS, &[], request.limit, count)?
        } else {
            let keys = scope.corpus.tables.key_columns.iter().map(|key| format!("s.{}", identifier(key)));
            let keys: Vec<String> = match &scope.group {
                Some(column) => {
                    let of_document = keys.map(|key| format!("CASE WHEN {column} IS NULL THEN {key} END"));
                    std::iter::once(column.clone()).chain(of_document).collect()
                }
                None => keys.collect(),
            };
            let keys = keys.join(", ");
            let size = request.group_size.to_string();
            scope.rows_with(GROUP_SIZES, &[("most", &size), ("group keys", &keys)], &[], &[], 0, count)?
        };
        all += usize::try_from(found.into_iter().next().unwrap_or_default()).unwrap_or_default();
    }
    Ok(all)
}
