//! From the output of a graph to one vector for each text (Sentence-Transformers, `models/Pooling.py`).

use super::session::Output;
use socle_core::model::Pooling;
use socle_core::{Error, Kind, Result};

/// Smallest norm that is divided by, as in `torch.nn.functional.normalize`.
const MIN_NORM: f32 = 1e-12;

/// One vector of `dimensions` numbers for each text, one after the other. `lengths` counts the tokens of each text.
///
/// # Errors
/// `DimensionMismatch` when the output has another shape than the model is registered with, `InferenceFailed` when a
/// vector holds NaN or infinity or is all zero where it has to be normalised.
pub fn pool(
    output: &Output,
    pooling: Pooling,
    normalize: bool,
    dimensions: usize,
    lengths: &[usize],
) -> Result<Vec<f32>> {
    let texts = lengths.len();
    let pooled = match (pooling, output.shape.as_slice()) {
        (Pooling::None, [batch, width]) if *batch == texts && *width == dimensions => output.values.clone(),
        (Pooling::Mean | Pooling::Cls | Pooling::Last, [batch, tokens, width])
            if *batch == texts && *width == dimensions && lengths.iter().all(|length| length <= tokens) =>
        {
            let mut pooled = Vec::with_capacity(texts * dimensions);
            for (text, length) in output.values.chunks_exact(tokens * width).zip(lengths) {
                pool_text(&text[..length * width], pooling, dimensions, &mut pooled);
            }
            pooled
        }
        (_, shape) => {
            return Err(Error::new(
                Kind::DimensionMismatch,
                format!("expected {dimensions} dimensions from the model"),
            )
            .detail(format!("Its output has the shape {shape:?} for {texts} texts.")));
        }
    };
    finish(pooled, normalize, dimensions)
}

/// `text` holds the vectors of the tokens that the mask keeps.
fn pool_text(text: &[f32], pooling: Pooling, dimensions: usize, pooled: &mut Vec<f32>) {
    let start = pooled.len();
    match pooling {
        Pooling::Cls => pooled.extend(text.iter().take(dimensions)),
        Pooling::Last => pooled.extend(text.iter().skip(text.len().saturating_sub(dimensions))),
        Pooling::Mean | Pooling::None => {
            pooled.resize(start + dimensions, 0.0);
            for token in text.chunks_exact(dimensions) {
                for (sum, value) in pooled[start..].iter_mut().zip(token) {
                    *sum += value;
                }
            }
            let count = (text.len() / dimensions).max(1) as f32;
            pooled[start..].iter_mut().for_each(|sum| *sum /= count);
        }
    }
    // A text without any token has no vector of a token.
    pooled.resize(start + dimensions, 0.0);
}

fn finish(mut vectors: Vec<f32>, normalize: bool, dimensions: usize) -> Result<Vec<f32>> {
    for vector in vectors.chunks_exact_mut(dimensions) {
        if !vector.iter().all(|value| value.is_finite()) {
            return Err(Error::new(Kind::InferenceFailed, "the model returned a vector that is not finite")
                .detail("It contains NaN or infinity."));
        }
        if normalize {
            let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
            if norm < MIN_NORM {
                return Err(Error::new(Kind::InferenceFailed, "the model returned a zero vector")
                    .detail("It has no direction, so that no cosine distance to it exists."));
            }
            vector.iter_mut().for_each(|value| *value /= norm);
        }
    }
    Ok(vectors)
}

/// One score for each pair out of `logits [batch, 1]` or `[batch]`.
///
/// # Errors
/// As [`pool`].
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
        let pooled = |pooling| pool(&output(), pooling, false, 2, &[3, 1]).unwrap();
        assert_eq!(pooled(Pooling::Mean), [3., 5., 6., 8.]);
        assert_eq!(pooled(Pooling::Cls), [1., 2., 6., 8.]);
        assert_eq!(pooled(Pooling::Last), [5., 9., 6., 8.]);
        assert_eq!(pool(&output(), Pooling::Mean, true, 2, &[3, 1]).unwrap()[2..], [0.6, 0.8]);
    }

    #[test]
    fn shapes_that_do_not_fit_are_errors() {
        let kind = |pooling, dimensions, lengths: &[usize]| {
            pool(&output(), pooling, false, dimensions, lengths).unwrap_err().kind
        };
        assert_eq!(kind(Pooling::Mean, 3, &[3, 1]), Kind::DimensionMismatch);
        assert_eq!(kind(Pooling::None, 2, &[3, 1]), Kind::DimensionMismatch);
        assert_eq!(kind(Pooling::Mean, 2, &[3]), Kind::DimensionMismatch);
        assert_eq!(kind(Pooling::Mean, 2, &[4, 1]), Kind::DimensionMismatch);
        let flat = Output { shape: vec![2, 1], values: vec![0.5, -3.] };
        assert_eq!(scores(&flat, 2).unwrap(), [0.5, -3.]);
        assert!(scores(&flat, 1).is_err());
        assert!(scores(&Output { shape: vec![1, 2], values: vec![0.5, -3.] }, 2).is_err());
    }

    #[test]
    fn vectors_that_poison_an_index_are_errors() {
        for bad in [[f32::NAN, 0.], [f32::INFINITY, 0.], [0., 0.]] {
            let output = Output { shape: vec![1, 2], values: bad.to_vec() };
            let error = pool(&output, Pooling::None, true, 2, &[1]).unwrap_err();
            assert_eq!(error.kind, Kind::InferenceFailed);
        }
    }
}
