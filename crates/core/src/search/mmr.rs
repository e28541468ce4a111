//! Diversification of results by maximal marginal relevance (MMR), so that near-duplicates do not fill a list.

use crate::{Error, Kind, Result};

/// Chooses up to `limit` candidates by maximal marginal relevance (Carbonell and Goldstein, The use of MMR,
/// diversity-based reranking for reordering documents and producing summaries, 1998) and returns their positions in the
/// order of choice.
///
/// Each time the one with the greatest `(1 − diversity) · relevance − diversity · s` is taken, s being its greatest
/// cosine similarity to those already taken, 0 for the first; relevance is brought to 0..1 by its least and greatest
/// value, all 1 if they are equal. `diversity` is 1 − λ of the paper: 0 orders by relevance alone, 1 does not look at
/// relevance after the first. Equal ones keep the order of the input. Vectors need not have length 1; one of zeros is
/// like no other. Takes time in proportion to `limit` · candidates · dimensions, and calls `between` before each
/// choice, which may end it.
///
/// # Errors
/// [`Kind::InvalidArgument`] if `diversity` is not between 0 and 1 or there are not as many vectors as relevances,
/// [`Kind::DimensionMismatch`] if vectors differ in length.
pub fn diversify(
    relevance: &[f64],
    vectors: &[&[f32]],
    diversity: f64,
    limit: usize,
    between: &mut dyn FnMut(),
) -> Result<Vec<usize>> {
    if !(0.0..=1.0).contains(&diversity) {
        return Err(Error::new(Kind::InvalidArgument, "diversity must be between 0 and 1")
            .detail(format!("It is {diversity}.")));
    }
    if relevance.len() != vectors.len() {
        return Err(Error::new(Kind::InvalidArgument, "every candidate needs one relevance and one vector"));
    }
    let dimensions = vectors.first().map_or(0, |vector| vector.len());
    if let Some(other) = vectors.iter().map(|vector| vector.len()).find(|length| *length != dimensions) {
        let message = format!("expected {dimensions} dimensions, not {other}");
        return Err(Error::new(Kind::DimensionMismatch, message));
    }
    let relevance = normalised(relevance);
    let lengths: Vec<f64> = vectors.iter().map(|vector| dot(vector, vector).sqrt()).collect();
    let mut similarity: Vec<Option<f64>> = vec![None; vectors.len()];
    let mut open: Vec<usize> = (0..vectors.len()).collect();
    let mut chosen = Vec::with_capacity(limit.min(vectors.len()));
    while chosen.len() < limit {
        between();
        let mut best: Option<(usize, f64)> = None;
        for (place, &at) in open.iter().enumerate() {
            let value = (1.0 - diversity) * relevance[at] - diversity * similarity[at].unwrap_or(0.0);
            // For diversity 1 the first is the most relevant, too.
            let value = if chosen.is_empty() { relevance[at] } else { value };
            if best.is_none_or(|(_, best)| value > best) {
                best = Some((place, value));
            }
        }
        let Some((place, _)) = best else { break };
        let taken = open.remove(place);
        chosen.push(taken);
        if diversity > 0.0 {
            for &at in &open {
                let length = lengths[at] * lengths[taken];
                let cosine = if length > 0.0 { dot(vectors[at], vectors[taken]) / length } else { 0.0 };
                similarity[at] = Some(similarity[at].map_or(cosine, |greatest| greatest.max(cosine)));
            }
        }
    }
    Ok(chosen)
}

/// Scales relevance to 0..1. Values that are not finite count as the minimum.
fn normalised(relevance: &[f64]) -> Vec<f64> {
    let finite = || relevance.iter().copied().filter(|value| value.is_finite());
    let least = finite().fold(f64::INFINITY, f64::min);
    let greatest = finite().fold(f64::NEG_INFINITY, f64::max);
    let range = greatest - least;
    let place = |value: f64| match () {
        () if !value.is_finite() => 0.0,
        () if range > 0.0 => (value - least) / range,
        () => 1.0,
    };
    relevance.iter().map(|value| place(*value)).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn without_diversity_relevance_decides() {
        let vectors: [&[f32]; 4] = [&[1.0, 0.0]; 4];
        assert_eq!(diversify(&[0.5, 2.0, 0.5, f64::NAN], &vectors, 0.0, 10, &mut || ()).unwrap(), [1, 0, 2, 3]);
        assert_eq!(diversify(&[0.5, 2.0, 0.5, 1.0], &vectors, 0.0, 2, &mut || ()).unwrap(), [1, 3]);
        assert_eq!(diversify(&[], &[], 0.5, 2, &mut || ()).unwrap(), Vec::<usize>::new());
        assert_eq!(diversify(&[1.0], &[&[1.0]], 0.5, 0, &mut || ()).unwrap(), Vec::<usize>::new());
    }

    #[test]
    fn a_copy_waits_for_what_is_new() {
        // The second is a copy of the first, of another length.
        let vectors: [&[f32]; 3] = [&[1.0, 0.0], &[3.0, 0.0], &[0.0, 1.0]];
        // After the first, the copy has 0.5 · 0.9 − 0.5 · 1, the other 0.5 · 0 − 0.5 · 0.
        assert_eq!(diversify(&[1.0, 0.9, 0.0], &vectors, 0.5, 3, &mut || ()).unwrap(), [0, 2, 1]);
        // 0.9 · 0.9 − 0.1 · 1 = 0.71 against 0.
        assert_eq!(diversify(&[1.0, 0.9, 0.0], &vectors, 0.1, 3, &mut || ()).unwrap(), [0, 1, 2]);
    }

    #[test]
    fn diversity_alone_still_begins_with_the_most_relevant() {
        let vectors: [&[f32]; 4] = [&[1.0, 0.0], &[0.6, 0.8], &[-1.0, 0.0], &[0.0, 0.0]];
        assert_eq!(diversify(&[0.0, 1.0, 0.0, 0.0], &vectors, 1.0, 4, &mut || ()).unwrap(), [1, 2, 3, 0]);
    }

    #[test]
    fn bad_arguments_are_refused() {
        for diversity in [-0.1, 1.1, f64::NAN] {
            assert_eq!(diversify(&[1.0], &[&[1.0]], diversity, 1, &mut || ()).unwrap_err().kind, Kind::InvalidArgument);
        }
        assert_eq!(diversify(&[1.0], &[], 0.5, 1, &mut || ()).unwrap_err().kind, Kind::InvalidArgument);
        let uneven: [&[f32]; 2] = [&[1.0], &[1.0, 2.0]];
        assert_eq!(diversify(&[1.0, 1.0], &uneven, 0.5, 1, &mut || ()).unwrap_err().kind, Kind::DimensionMismatch);
    }

    proptest! {
        #[test]
        fn each_is_chosen_once_and_a_shorter_list_is_the_start_of_a_longer(
            candidates in proptest::collection::vec((0.0..1.0_f64, proptest::array::uniform3(-1.0..1.0_f32)), 1..30),
            diversity in 0.0..=1.0_f64, limit in 0..30_usize,
        ) {
            let relevance: Vec<f64> = candidates.iter().map(|candidate| candidate.0).collect();
            let vectors: Vec<&[f32]> = candidates.iter().map(|candidate| candidate.1.as_slice()).collect();
            let all = diversify(&relevance, &vectors, diversity, usize::MAX >> 8, &mut || ()).unwrap();
            let mut sorted = all.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..candidates.len()).collect::<Vec<_>>());
            let some = diversify(&relevance, &vectors, diversity, limit, &mut || ()).unwrap();
            prop_assert_eq!(&some[..], &all[..limit.min(all.len())]);
        }
    }
}
