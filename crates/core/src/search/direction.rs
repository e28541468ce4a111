//! The mean direction of vectors: what a document of several chunks is compared by.

/// The sum of vectors of length 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Direction(Vec<f64>);

impl Direction {
    /// Adds the direction of a vector. One of zeros, or of another number of dimensions than the first, has none.
    pub fn add(&mut self, vector: &[f32]) {
        let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        if !(length.is_finite() && length > 0.0) {
            return;
        }
        if self.0.is_empty() {
            self.0 = vec![0.0; vector.len()];
        }
        if self.0.len() == vector.len() {
            self.0.iter_mut().zip(vector).for_each(|(sum, value)| *sum += f64::from(*value) / length);
        }
    }

    /// The mean direction as a vector of length 1; `None` where there is none, as of opposite vectors.
    pub fn mean(&self) -> Option<Vec<f32>> {
        let length = self.0.iter().map(|value| value.powi(2)).sum::<f64>().sqrt();
        // What is left of opposite vectors is rounding.
        (length > 1e-9).then(|| self.0.iter().map(|value| (value / length) as f32).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(vectors: &[&[f32]]) -> Option<Vec<f32>> {
        let mut direction = Direction::default();
        vectors.iter().for_each(|vector| direction.add(vector));
        direction.mean()
    }

    #[test]
    fn every_vector_counts_the_same_whatever_its_length() {
        assert_eq!(mean(&[&[3.0, 4.0]]), Some(vec![0.6, 0.8]));
        let half = std::f32::consts::FRAC_1_SQRT_2;
        assert_eq!(mean(&[&[100.0, 0.0], &[0.0, 0.001]]), Some(vec![half, half]));
    }

    #[test]
    fn without_a_direction_there_is_no_mean() {
        assert_eq!(mean(&[]), None);
        assert_eq!(mean(&[&[0.0, 0.0]]), None);
        assert_eq!(mean(&[&[1.0, -0.3], &[-1.0, 0.3]]), None);
        assert_eq!(mean(&[&[f32::NAN, 1.0], &[f32::INFINITY, 1.0]]), None);
        assert_eq!(mean(&[&[0.0, 0.0], &[0.0, 2.0], &[1.0, 1.0, 1.0]]), Some(vec![0.0, 1.0]));
    }
}
