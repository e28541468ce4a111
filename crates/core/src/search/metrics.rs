//! Retrieval metrics by relevance judgments, as `trec_eval` computes them.
//!
//! Unjudged documents count as irrelevant.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// Measures of one query, or their means over many. All from 0 to 1, greater is better.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quality {
    /// Normalised discounted cumulative gain: the grade of each document by the binary logarithm of its rank + 1,
    /// against the best order of all judged documents. Järvelin and Kekäläinen, Cumulated gain-based evaluation of IR
    /// techniques (2002), with the grade itself as gain.
    pub ndcg: f64,
    /// Fraction of the relevant documents that was found.
    pub recall: f64,
    /// Reciprocal of the rank of the first relevant document; 0 if none was found.
    pub reciprocal_rank: f64,
}

/// Measures the first `k` documents of a ranking, best first. A document that occurs again, as it does when several of
/// its chunks are hits, counts where it occurs first. `grades` are the judgments of the query; 0 and less is
/// irrelevant.
///
/// `None` without any judgment: such a query is left out of means. One whose judged documents are all irrelevant has 0
/// in everything.
pub fn measure<D: Eq + Hash>(ranking: &[D], grades: &HashMap<D, i32>, k: usize) -> Option<Quality> {
    if grades.is_empty() {
        return None;
    }
    let mut ideal: Vec<i32> = grades.values().copied().filter(|grade| *grade > 0).collect();
    ideal.sort_unstable_by(|a, b| b.cmp(a));
    let mut seen = HashSet::new();
    let found: Vec<i32> = ranking
        .iter()
        .filter(|document| seen.insert(*document))
        .take(k)
        .map(|document| grades.get(document).copied().unwrap_or_default().max(0))
        .collect();
    let best = gain(ideal.iter().take(k));
    let first = found.iter().position(|grade| *grade > 0);
    Some(Quality {
        ndcg: if best > 0.0 { gain(found.iter()) / best } else { 0.0 },
        recall: found.iter().filter(|grade| **grade > 0).count() as f64 / ideal.len().max(1) as f64,
        reciprocal_rank: first.map_or(0.0, |at| 1.0 / (at as f64 + 1.0)),
    })
}

/// The mean of each measure, `None` of nothing. Every query with judgments belongs into it, also one that found nothing
/// (`trec_eval -c`).
pub fn mean(qualities: &[Quality]) -> Option<Quality> {
    let of = |value: fn(&Quality) -> f64| qualities.iter().map(value).sum::<f64>() / qualities.len() as f64;
    (!qualities.is_empty()).then(|| Quality {
        ndcg: of(|quality| quality.ndcg),
        recall: of(|quality| quality.recall),
        reciprocal_rank: of(|quality| quality.reciprocal_rank),
    })
}

fn gain<'a>(grades: impl Iterator<Item = &'a i32>) -> f64 {
    // Not sum(), which is -0 of nothing.
    grades.zip(2_i32..).fold(0.0, |sum, (grade, rank)| sum + f64::from(*grade) / f64::from(rank).log2())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn grades(judged: &[(&'static str, i32)]) -> HashMap<&'static str, i32> {
        judged.iter().copied().collect()
    }

    fn assert_quality(found: Option<Quality>, ndcg: f64, recall: f64, reciprocal_rank: f64) {
        let found = found.unwrap();
        for (found, expected) in [(found.ndcg, ndcg), (found.recall, recall), (found.reciprocal_rank, reciprocal_rank)]
        {
            assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
        }
    }

    #[test]
    fn grades_are_gains() {
        // The example of Järvelin and Kekäläinen's measure that is found everywhere: 3 2 3 0 1 2.
        let judged = grades(&[("a", 3), ("b", 2), ("c", 3), ("d", 0), ("e", 1), ("f", 2)]);
        let ranking = ["a", "b", "c", "d", "e", "f"];
        assert_quality(measure(&ranking, &judged, 6), 0.9608081943360617, 1.0, 1.0);
        assert_quality(measure(&ranking, &judged, 3), 0.9777813616305049, 0.6, 1.0);
        let turned = ["x", "d", "e", "a"];
        assert_quality(measure(&turned, &judged, 10), 0.25094957047602506, 0.4, 1.0 / 3.0);
    }

    #[test]
    fn a_document_counts_once_and_where_it_occurs_first() {
        let judged = grades(&[("a", 1), ("b", 1)]);
        let twice = ["x", "x", "x", "a", "a", "b"];
        assert_eq!(measure(&twice, &judged, 3), measure(&["x", "a", "b"], &judged, 3));
    }

    #[test]
    fn what_is_not_judged_or_not_relevant_counts_nothing() {
        let judged = grades(&[("a", -1), ("b", 0)]);
        assert_eq!(measure(&["a", "b"], &judged, 10), Some(Quality::default()));
        assert_eq!(measure(&["a"], &grades(&[]), 10), None);
        assert_eq!(measure(&[], &grades(&[("a", 1)]), 10), Some(Quality::default()));
        for nothing in [measure(&[], &grades(&[("a", 1)]), 10), measure(&[], &judged, 10)] {
            assert!(nothing.unwrap().ndcg.is_sign_positive(), "not -0");
            assert!(mean(&[nothing.unwrap()]).unwrap().ndcg.is_sign_positive());
        }
        assert_eq!(measure(&["a"], &grades(&[("a", 1)]), 0), Some(Quality::default()));
        // A negative grade does not make the ideal worse.
        assert_quality(measure(&["a"], &grades(&[("a", 2), ("b", -5)]), 10), 1.0, 1.0, 1.0);
    }

    #[test]
    fn means_are_over_queries() {
        let good = Quality { ndcg: 1.0, recall: 0.5, reciprocal_rank: 1.0 };
        let expected = Quality { ndcg: 0.5, recall: 0.25, reciprocal_rank: 0.5 };
        assert_eq!(mean(&[good, Quality::default()]), Some(expected));
        assert_eq!(mean(&[]), None);
    }

    proptest! {
        #[test]
        fn the_best_order_has_1_and_none_has_more(judged in proptest::collection::hash_map(0..20_u8, -1..4_i32, 1..20), k in 1..25_usize) {
            let mut best: Vec<u8> = judged.keys().copied().collect();
            let any = measure(&best, &judged, k).unwrap();
            best.sort_by_key(|document| -judged[document]);
            let quality = measure(&best, &judged, k).unwrap();
            let relevant = judged.values().any(|grade| *grade > 0);
            prop_assert!((quality.ndcg - f64::from(u8::from(relevant))).abs() < 1e-12);
            prop_assert!(any.ndcg <= quality.ndcg + 1e-12 && any.recall <= quality.recall);
        }
    }
}
