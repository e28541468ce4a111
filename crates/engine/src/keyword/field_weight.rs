//! What an occurrence of a word counts in each part of a chunk: BM25F (Robertson and Zaragoza, The Probabilistic Relevance
//! Framework: BM25 and Beyond, 2009, section 3.6). Weighted occurrences, each divided by the relative length of its field,
//! are summed over the fields before they are saturated, so that a word of the title and the text counts once.
//!
//! A chunk that has the word in its content alone has the score of plain BM25 as tantivy computes it, to the last bit.

use super::query_plan::TextField;
use super::schema::{Fields, Part, TEXT_FIELDS};
use super::segment::Segment;
use super::statistics::CollectionStatistics;
use socle_core::protocol::FieldWeights;
use std::sync::Arc;
use tantivy::fieldnorm::FieldNormReader;
use tantivy::schema::Field;

/// Saturation of term frequencies, and how much lengths count: those of tantivy.
const K1: f32 = 1.2;
const B: f32 = 0.75;

/// The parts of chunks that a query is searched in, with their weights.
#[derive(Clone, Debug)]
pub struct SearchedParts {
    /// The parts.
    pub parts: Vec<Part>,
    weights: [f32; Part::ALL.len()],
}

impl SearchedParts {
    /// Parts with a weight that any of the segments has.
    pub fn new(weights: FieldWeights, segments: &[Arc<Segment>]) -> Self {
        let weights = [weights.content, weights.title, weights.headings];
        let is_searched =
            |part: &Part| weights[*part as usize] > 0.0 && segments.iter().any(|segment| segment.has(*part));
        Self { parts: Part::ALL.into_iter().filter(is_searched).collect(), weights }
    }

    /// The weight of a part.
    pub fn weight(&self, part: Part) -> f32 {
        self.weights[part as usize]
    }
}

/// What one occurrence counts by the length of its field, as tantivy encodes lengths.
pub type LengthFactors = Arc<[f32; 256]>;

/// The factors of all fields that are searched; none where the content is the only part.
#[derive(Clone, Debug, Default)]
pub struct FieldFactors([Option<LengthFactors>; TEXT_FIELDS]);

impl FieldFactors {
    /// The factors by these statistics.
    pub fn new(searched: &SearchedParts, statistics: &CollectionStatistics, fields: &Fields) -> Self {
        let mut all = Self::default();
        if searched.parts == [Part::Content] {
            return all;
        }
        for part in &searched.parts {
            for field in [TextField::Stem, TextField::Word].map(|field| fields.of(*part, field)) {
                let mean = statistics.mean_length(*part, field);
                all.0[Fields::number(field)] = Some(Arc::new(length_factors(searched.weight(*part), mean)));
            }
        }
        all
    }

    /// The factors of a field.
    pub fn of(&self, field: Field) -> Option<LengthFactors> {
        self.0[Fields::number(field)].clone()
    }
}

fn length_factors(weight: f32, mean: f32) -> [f32; 256] {
    let mut factors = [0.0; 256];
    for (id, factor) in (0..=u8::MAX).zip(&mut factors) {
        let length = FieldNormReader::id_to_fieldnorm(id) as f32;
        *factor = weight / (1.0 - B + B * length / mean);
    }
    factors
}

/// The score for a sum of weighted occurrences; `scale` is that of [`scale`].
pub fn saturated(scale: f32, occurrences: f32) -> f32 {
    scale * (occurrences / (K1 + occurrences))
}

/// The limit of the score of a term that `doc_freq` of `chunks` have, however often it occurs.
pub fn scale(doc_freq: u64, chunks: u64) -> f32 {
    let others = chunks.saturating_sub(doc_freq) as f32;
    (1.0 + (others + 0.5) / (doc_freq as f32 + 0.5)).ln() * (1.0 + K1)
}

/// Factor of the score of a single occurrence in a field without length, by which it reaches the limit. Block-max WAND
/// bounds titles and headings by it, whatever their lengths and weights.
pub const TO_THE_LIMIT: f32 = K1 * (1.0 - B) + 1.0;

#[cfg(test)]
mod tests {
    use super::*;
    use tantivy::query::Bm25Weight;

    fn close(one: f32, other: f32) -> bool {
        (one - other).abs() <= 1e-5 * other.abs()
    }

    #[test]
    fn a_single_field_of_weight_one_has_the_score_of_bm25() {
        for (doc_freq, chunks, mean) in [(1, 10, 7.5), (90, 100, 120.0), (3, 1_000_000, 33.0)] {
            let plain = Bm25Weight::for_one_term_without_explain(doc_freq, chunks, mean);
            let factors = length_factors(1.0, mean);
            for length in [0, 1, 39, 77, 255] {
                for frequency in [1, 2, 30] {
                    let own = saturated(scale(doc_freq, chunks), frequency as f32 * factors[usize::from(length)]);
                    assert!(close(own, plain.score(length, frequency)), "{length} {frequency}");
                }
            }
        }
    }

    #[test]
    fn occurrences_are_summed_before_they_are_saturated() {
        // By hand: a title of mean length (factor 3), a text of twice the mean length (1 / 1.75), 5 of 9 chunks.
        let (title, text) = (length_factors(3.0, 4.0)[4], length_factors(1.0, 6.0)[12]);
        assert!(close(title, 3.0) && close(text, 1.0 / 1.75));
        let occurrences = 1.0 * 3.0 + 2.0 / 1.75;
        let expected = (1.0_f32 + 4.5 / 5.5).ln() * 2.2 * occurrences / (1.2 + occurrences);
        assert!(close(saturated(scale(5, 9), title + 2.0 * text), expected));
        let apart = saturated(scale(5, 9), title) + saturated(scale(5, 9), 2.0 * text);
        assert!(apart > 1.3 * expected, "a sum of scores would count a word of both fields twice");
    }

    #[test]
    fn the_bound_of_a_title_is_never_below_its_score() {
        // As UpperBoundStatistics has it: the mean length is without limit.
        let bound = Bm25Weight::for_one_term_without_explain(2, 50, 1e12).boost_by(TO_THE_LIMIT);
        for weight in [0.01, 1.0, 100.0] {
            let factors = length_factors(weight, 5.0);
            for (length, frequency) in [(0, 1), (1, 1), (5, 3), (255, 1_000)] {
                let own = saturated(scale(2, 50), frequency as f32 * factors[usize::from(length)]);
                assert!(own <= bound.score(length, 1) * (1.0 + 1e-6), "{weight} {length} {frequency}");
            }
        }
    }
}
