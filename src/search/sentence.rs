//! The sentence of a passage that is nearest to the query by meaning: the snippet where no word of the query stands.
//! Sentences are embedded by the model of the corpus: it costs as much as embedding so many texts, and is done if asked for.

use super::prefetch::similarity;
use super::scope::Scope;
use crate::catalog::model_of;
use crate::engine_client::embedding;
use socle_core::Result;
use socle_core::protocol::Role;
use socle_core::search::snippet;
use std::ops::Range;

/// Most sentences of a passage that are compared, the first ones: a chunk of the default size has fewer.
const MAX_SENTENCES: usize = 32;

/// The nearest sentence of each text, cut to `length` characters; `None` where there is none, or the query has no vector.
///
/// # Errors
/// Those of the model, and of [`embedding::vectors`].
pub fn nearest(scope: &Scope<'_>, texts: &[&str], length: usize) -> Result<Vec<Option<Range<usize>>>> {
    let Some(query) = scope.vector().filter(|_| !texts.is_empty()) else { return Ok(vec![None; texts.len()]) };
    let of_text = texts.iter().map(|text| snippet::sentences(text, length, MAX_SENTENCES));
    let ranges: Vec<Vec<Range<usize>>> = of_text.collect();
    let sentences = texts.iter().zip(&ranges);
    let sentences: Vec<&str> =
        sentences.flat_map(|(text, ranges)| ranges.iter().map(|range| &text[range.clone()])).collect();
    let vectors = embedding::vectors(&model_of(scope.corpus)?, Role::Passage, true, &sentences, None)?;
    let mut similarities = vectors.iter().map(|vector| similarity(query, vector));
    let best = |ranges: Vec<Range<usize>>| {
        let compared = ranges.into_iter().zip(&mut similarities).filter(|(_, similarity)| !similarity.is_nan());
        // Of equals, the first.
        let best = compared.reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.map(|(range, _)| range)
    };
    Ok(ranges.into_iter().map(best).collect())
}
