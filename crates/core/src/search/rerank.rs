//! How much a reranker counts relative to the first ranking, if the caller does not say.
//!
//! Refuses to look at more than the kind of the model and the query: spread and agreement of the scores did not
//! predict on three test sets whether reranking helps.

use crate::model::ModelKind;
use unicode_segmentation::UnicodeSegmentation;

/// Weight of a reranker: the largest that no test set of bench/README.md loses by.
const WEIGHT: f64 = 0.3;

/// Words of a query up to which a cross-encoder has its whole weight. They are trained on questions to search engines: those of
/// MS MARCO have 6 words on the mean.
const SHORT: f64 = 10.0;

/// Words of a query from which a cross-encoder has no weight.
const LONG: f64 = 14.0;

/// The weight of a reranker of this kind for a query, from 0 to 1. That of a cross-encoder falls with the length of the
/// query: on sets of long queries, it ranks worse than the two retrievers. Late interaction compares word by word.
pub fn default_weight(kind: ModelKind, query: &str) -> f64 {
    match kind {
        ModelKind::LateInteraction => WEIGHT,
        ModelKind::Embedding | ModelKind::Reranker | ModelKind::Ocr => {
            let words = query.unicode_words().count() as f64;
            WEIGHT * ((LONG - words) / (LONG - SHORT)).clamp(0.0, 1.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cross_encoder_counts_less_for_long_queries() {
        let weight = |words: usize| default_weight(ModelKind::Reranker, &"word ".repeat(words));
        assert_eq!((weight(1), weight(10)), (WEIGHT, WEIGHT));
        assert!((weight(12) - WEIGHT / 2.0).abs() < 1e-12);
        assert_eq!((weight(14), weight(2000)), (0.0, 0.0));
        assert_eq!(default_weight(ModelKind::LateInteraction, &"word ".repeat(14)), WEIGHT);
    }
}
