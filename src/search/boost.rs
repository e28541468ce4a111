//! Boosts the candidates of one corpus by values of its source, read as the caller.

use super::rank::Ranked;
use super::scope::Scope;
use super::trace::Trace;
use crate::pg::plan_cache::Row;
use socle_core::Result;
use socle_core::search::boost::Boosts;
use std::collections::HashMap;

const VALUES: &str = include_str!("../../sql/search/boost_values.sql");

/// Multiplies what scores have above `floor` by the factor of their row, and orders them anew.
///
/// # Errors
/// Those of [`Scope::rows`].
pub fn apply(scope: &Scope<'_>, boosts: &Boosts, floor: f64, ranked: &mut [Ranked], trace: &mut Trace) -> Result<()> {
    let step = ("boost", scope.corpus.name.as_str());
    let chunks: Vec<i64> = ranked.iter().map(|ranked| ranked.chunk_id).collect();
    let texts: Vec<bool> = boosts.are_texts().collect();
    let sql = boosts.sql();
    let read = |row: Row| {
        let number = |(is_text, column): (&bool, i32)| match is_text {
            // Every text of a numeric is a number of Rust, infinite where it is too large.
            true => row.text(column).and_then(|text| text.parse().ok()),
            false => row.get::<f64>(column),
        };
        let values: Vec<Option<f64>> = texts.iter().zip(2..).map(number).collect();
        (row.get::<i64>(1).unwrap_or_default(), boosts.factor(&values))
    };
    // Without candidates, too: a caller that may not read it is refused whether there are any or not.
    let found =
        trace.timed(step, || scope.rows_with(VALUES, &[("values", &sql)], &boosts.parameters, &chunks, 0, read))?;
    let factors: HashMap<i64, f64> = found.into_iter().collect();
    let none = boosts.factor(&[]);
    for ranked in ranked.iter_mut() {
        ranked.multiply(factors.get(&ranked.chunk_id).copied().unwrap_or(none), floor);
    }
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
    trace.note(step, || {
        let least = factors.values().copied().fold(f64::INFINITY, f64::min);
        let most = factors.values().copied().fold(0.0, f64::max);
        let range = if factors.is_empty() { String::new() } else { format!(", factors from {least:.4} to {most:.4}") };
        format!("{} candidates by {}{range}; scores count from {floor:.4}", ranked.len(), boosts.columns())
    });
    Ok(())
}
