//! Pools the token vectors of a text into one vector (Sentence-Transformers, `models/Pooling.py`).

use super::session::Output;
use socle_core::model::Pooling;
use socle_core::{Error, Kind, Result};
use std::ops::Range;

/// Smallest norm by which a vector is divided, as in `torch.nn.functional.normalize`.
pub const MIN_NORM: f32 = 1e-12;

/// Returns one vector of `dimensions` numbers for each text, one after the other. `texts` are the ranges of tokens to be
/// pooled, which exclude padding at the end, and the prefix at the start where it is not pooled.
///
/// # Errors
/// `DimensionMismatch` when the output does not have the registered shape.
pub fn pool(output: &Output, pooling: Pooling, dimensions: usize, texts: &[Range<usize>]) -> Result<Vec<f32>> {
    let count = texts.len();
    match (pooling, output.shape.as_slice()) {
        (Pooling::None, [batch, width]) if *batch == count && *width == dimensions => Ok(output.values.clone()),
        (pooling, [batch, tokens, width])
            if pooling != Pooling::None
                && *batch == count
                && *width == dimensions
                && texts.iter().all(|text| text.end <= *tokens) =>
        {
            let mut pooled = Vec::with_capacity(count * dimensions);
            for (all, text) in output.values.chunks_exact(tokens * width).zip(texts) {
                pool_text(&all[..text.end * width], text.start, pooling, dimensions, &mut pooled);
            }
            Ok(pooled)
        }
        (_, shape) => {
            Err(Error::new(Kind::DimensionMismatch, format!("expected {dimensions} dimensions from the model"))
                .detail(format!("Its output has the shape {shape:?} for {count} texts.")))
        }
    }
}

/// Appends the vector of one text to `pooled`. `text` holds the vectors of its tokens without padding, of which the first
/// `skipped` are those of a prefix.
fn pool_text(text: &[f32], skipped: usize, pooling: Pooling, dimensions: usize, pooled: &mut Vec<f32>) {
    let start = pooled.len();
    let tokens = || text.chunks_exact(dimensions).skip(skipped);
    match pooling {
        Pooling::Cls => pooled.extend(text.iter().take(dimensions)),
        Pooling::Last => pooled.extend(text.iter().skip(text.len().saturating_sub(dimensions))),
        Pooling::Max => {
            let mut tokens = tokens();
            pooled.extend(tokens.next().unwrap_or_default());
            for token in tokens {
                for (greatest, value) in pooled[start..].iter_mut().zip(token) {
                    *greatest = greatest.max(*value);
                }
            }
        }
        Pooling::Mean | Pooling::MeanSqrtLen | Pooling::WeightedMean | Pooling::None => {
            pooled.resize(start + dimensions, 0.0);
            let mut weights = 0.0;
            for (at, token) in tokens().enumerate() {
                let weight = if pooling == Pooling::WeightedMean { (skipped + at + 1) as f32 } else { 1.0 };
                weights += weight;
                for (sum, value) in pooled[start..].iter_mut().zip(token) {
                    *sum += value * weight;
                }
            }
            let divisor = if pooling == Pooling::MeanSqrtLen { f32::sqrt(weights) } else { weights };
            if divisor > 0.0 {
                pooled[start..].iter_mut().for_each(|sum| *sum /= divisor);
            }
        }
    }
    // A text without tokens gets a zero vector.
    pooled.resize(start + dimensions, 0.0);
}

/// Checks vectors of `dimensions` numbers, and scales them to length 1 if `normalize` is set.
///
/// # Errors
/// `InferenceFailed` for a vector with NaN or infinity, and for a zero vector that has to be normalized.
pub fn finish(mut vectors: Vec<f32>, normalize: bool, dimensions: usize) -> Result<Vec<f32>> {
    for vector in vectors.chunks_exact_mut(dimensions) {
        if !vector.iter().all(|value| value.is_finite()) {
            return Err(Error::new(Kind::InferenceFailed, "the model returned a vector that is not finite")
                .detail("It contains NaN or infinity."));
        }
        if normalize {
            let norm = norm(vector);
            if norm < MIN_NORM {
                return Err(Error::new(Kind::InferenceFailed, "the model returned a zero vector")
                    .detail("It has no direction, so that no cosine distance to it exists."));
            }
            vector.iter_mut().for_each(|value| *value /= norm);
        }
    }
    Ok(vectors)
}

/// The Euclidean norm of a vector.
pub fn norm(vector: &[f32]) -> f32 {
    vector.iter().map(|value| value * value).sum::<f32>().sqrt()
}

/// The scores of pairs, from an output of shape `[batch, 1]` or `[batch]`.
///
/// # Errors
/// `DimensionMismatch` for another shape, `InferenceFailed` for NaN or infinity.
pub fn scores(output: &Output, pairs: usize) -> Result<Vec<f32>> {
    if output.values.len() != pairs || !matches!(output.shape.as_slice(), [_] | [_, 1]) {
        return Err(Error::new(Kind::DimensionMismatch, "expected one score for each pair from the model")
            .detail(format!("Its output has the shape {:?} for {pairs} pairs.", output.shape)));
    }
    finish(output.values.clone(), false, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two texts of three tokens, two dimensions; the second text is one token and padding.
    fn output() -> Output {
        Output { shape: vec![2, 3, 2], values: vec![1., 2., 3., 4., 5., 9., 6., 8., 100., 100., 100., 100.] }
    }

    #[test]
    fn padding_never_enters_a_vector() {
        let pooled = |pooling| pool(&output(), pooling, 2, &[0..3, 0..1]).unwrap();
        assert_eq!(pooled(Pooling::Mean), [3., 5., 6., 8.]);
        assert_eq!(pooled(Pooling::Cls), [1., 2., 6., 8.]);
        assert_eq!(pooled(Pooling::Last), [5., 9., 6., 8.]);
        assert_eq!(pooled(Pooling::Max), [5., 9., 6., 8.]);
        let root = 3_f32.sqrt();
        assert_eq!(pooled(Pooling::MeanSqrtLen), [9. / root, 15. / root, 6., 8.]);
        assert_eq!(pooled(Pooling::WeightedMean), [22. / 6., 37. / 6., 6., 8.]);
        assert_eq!(finish(pooled(Pooling::Mean), true, 2).unwrap()[2..], [0.6, 0.8]);
        let negative = Output { shape: vec![1, 2, 1], values: vec![-3., -2.] };
        assert_eq!(pool(&negative, Pooling::Max, 1, std::slice::from_ref(&(0..2))).unwrap(), [-2.]);
    }

    #[test]
    fn tokens_of_a_prefix_are_left_out() {
        let pooled = |pooling, text| pool(&output(), pooling, 2, &[text, 0..1]).unwrap()[..2].to_vec();
        assert_eq!(pooled(Pooling::Mean, 1..3), [4., 6.5]);
        assert_eq!(pooled(Pooling::WeightedMean, 1..3), [21. / 5., 35. / 5.]);
        assert_eq!(pooled(Pooling::Max, 2..3), [5., 9.]);
        assert_eq!(pooled(Pooling::Last, 1..3), [5., 9.]);
        for pooling in [Pooling::Mean, Pooling::Max, Pooling::MeanSqrtLen, Pooling::WeightedMean] {
            assert_eq!(pooled(pooling, 3..3), [0., 0.], "nothing is left");
        }
    }

    #[test]
    fn shapes_that_do_not_fit_are_errors() {
        let kind =
            |pooling, dimensions, texts: &[Range<usize>]| pool(&output(), pooling, dimensions, texts).unwrap_err().kind;
        assert_eq!(kind(Pooling::Mean, 3, &[0..3, 0..1]), Kind::DimensionMismatch);
        assert_eq!(kind(Pooling::None, 2, &[0..3, 0..1]), Kind::DimensionMismatch);
        assert_eq!(kind(Pooling::Mean, 2, std::slice::from_ref(&(0..3))), Kind::DimensionMismatch);
        assert_eq!(kind(Pooling::Mean, 2, &[0..4, 0..1]), Kind::DimensionMismatch);
        let flat = Output { shape: vec![2, 1], values: vec![0.5, -3.] };
        assert_eq!(scores(&flat, 2).unwrap(), [0.5, -3.]);
        assert!(scores(&flat, 1).is_err());
        assert!(scores(&Output { shape: vec![1, 2], values: vec![0.5, -3.] }, 2).is_err());
    }

    #[test]
    fn vectors_that_poison_an_index_are_errors() {
        for bad in [[f32::NAN, 0.], [f32::INFINITY, 0.], [0., 0.]] {
            assert_eq!(finish(bad.to_vec(), true, 2).unwrap_err().kind, Kind::InferenceFailed);
        }
    }
}
