//! Rank fusion of vector search and keyword search, the two legs of hybrid search.
//!
//! Each candidate should come with the scores of both legs, wherever it was found. Normalisation looks at the best
//! [`REFERENCE_DEPTH`] scores of a retriever alone, so that a ranking does not depend on how many hits were asked for.
//! Refuses to tune itself to a data set: the constants hold for all.

use crate::{Error, Kind, Result};
use std::fmt;
use std::str::FromStr;

/// Number of best scores per retriever that normalisation uses; others are ignored.
pub const REFERENCE_DEPTH: usize = 100;

/// Number of best scores from which the gap is computed. Fewer keyword scores are padded with zeros.
const GAP_DEPTH: usize = 10;

/// Weight of a retriever whose first hit has no gap.
const BASE_WEIGHT: f64 = 2.0;

/// The constant k of reciprocal rank fusion, as in Cormack et al. 2009; reduces the influence of the first ranks.
const RRF_K: f64 = 60.0;

/// Relative standard deviation up to which scores count as equal.
const EQUAL: f64 = 1e-9;

/// How two rankings become one. In the formulas, K is the scores by keyword, D those by vector, w the keyword
/// weight, and s₁ ≥ s₂ ≥ … are the reference scores of a retriever.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Fusion {
    /// `w·(2 + gap(K))·z(K) + (2 + gap(D))·z(D)`, w ≥ 0, default 1.15.
    ///
    /// `z = (s − mean) / std`, with mean and population standard deviation of the reference scores; `gap = (s₁ −
    /// mean(s₂ … s₁₀)) / std`: the retriever whose first hit stands out counts more. Fewer than 10 hits of words are followed
    /// by zeros up to 10, and more up to 100 if all of them are equal; a retriever without hits, or whose scores are all equal, does not count. Where that is so of both,
    /// as with a single document, the score is the similarity, and w more where a word matches. Standard scores as in
    /// Renda and Straccia, Web metasearch: rank vs. score based rank aggregation methods (2003); the weight by the gap
    /// is our own, the best of eight on seven test sets.
    #[default]
    Adaptive,
    /// `w/(60 + rank(K)) + 1/(60 + rank(D))`, w ≥ 0, default 1. Equal scores share the better rank; what is not among
    /// the reference scores of a retriever gets nothing from it. Cormack, Clarke and Büttcher, Reciprocal rank fusion
    /// outperforms Condorcet and individual rank learning methods (2009).
    Rrf,
    /// `w·m(K) + (1 − w)·m(D)`, w from 0 to 1, default 0.5, with `m = (s − min) / (max − min)` over the reference
    /// scores, at least 0 and at most 1; where all are equal, 1 for those that reach them. Fewer than
    /// [`REFERENCE_DEPTH`] hits of words are all there are, so that their min is 0. Convex combination as in Bruch, Gai
    /// and Ingber, An analysis of fusion functions for hybrid retrieval (2022).
    MinMax,
}

impl Fusion {
    /// The names that [`Fusion::from_str`] takes.
    pub const NAMES: &'static [&'static str] = &["adaptive", "rrf", "minmax"];

    /// The name used in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Adaptive => "adaptive",
            Self::Rrf => "rrf",
            Self::MinMax => "minmax",
        }
    }

    /// The keyword weight if none is given.
    pub fn default_keyword_weight(self) -> f64 {
        match self {
            Self::Adaptive => 1.15,
            Self::Rrf => 1.0,
            Self::MinMax => 0.5,
        }
    }

    fn check_keyword_weight(self, weight: f64) -> Result<()> {
        let greatest = if self == Self::MinMax { 1.0 } else { f64::MAX };
        if (0.0..=greatest).contains(&weight) {
            return Ok(());
        }
        let range = if self == Self::MinMax { "between 0 and 1" } else { "a finite number of at least 0" };
        Err(Error::new(Kind::InvalidArgument, format!("keyword weight of fusion \"{self}\" must be {range}"))
            .detail(format!("It is {weight}.")))
    }
}

impl fmt::Display for Fusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Fusion {
    type Err = Error;

    /// # Errors
    /// [`Kind::InvalidArgument`] for anything but one of [`Fusion::NAMES`].
    fn from_str(name: &str) -> Result<Self> {
        let all = [Self::Adaptive, Self::Rrf, Self::MinMax];
        all.into_iter().find(|fusion| fusion.name() == name).ok_or_else(|| {
            Error::new(Kind::InvalidArgument, format!("fusion \"{name}\" does not exist"))
                .hint(format!("The fusions are: {}.", Self::NAMES.join(", ")))
        })
    }
}

/// A chunk found by at least one retriever.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Identifier of the chunk.
    pub chunk_id: i64,
    /// Similarity to the query, greater is better. Missing, or NaN as for a vector of zeros: taken to be as bad as the
    /// last reference score.
    pub vector: Option<f64>,
    /// BM25 score. Missing: taken to be 0, no word of the query occurs.
    pub keyword: Option<f64>,
}

/// A candidate with its fused score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fused {
    /// Identifier of the chunk.
    pub chunk_id: i64,
    /// Fused score, greater is better. Its range depends on the fusion.
    pub score: f64,
    /// The similarity after normalisation, before weights: z, 1/(60 + rank) or m. `None` if the retriever found nothing.
    pub vector: Option<f64>,
    /// The BM25 score after normalisation, before weights. `None` if the retriever found nothing.
    pub keyword: Option<f64>,
}

/// Ranks candidates, best first, equal ones by rising `chunk_id`. `vector_reference` and `keyword_reference` are the
/// best scores of each retriever, the same numbers as those of the candidates; their order does not matter. `keyword_weight`
/// is that of the [`Fusion`], its default if `None`.
///
/// # Errors
/// [`Kind::InvalidArgument`] if the weight is out of the range of the fusion.
pub fn fuse(
    fusion: Fusion,
    keyword_weight: Option<f64>,
    candidates: &[Candidate],
    vector_reference: &[f64],
    keyword_reference: &[f64],
) -> Result<Vec<Fused>> {
    let weight = keyword_weight.unwrap_or_else(|| fusion.default_keyword_weight());
    fusion.check_keyword_weight(weight)?;
    let vector_scale = ScoreScale::new(fusion, vector_reference, 0);
    let keyword_scale = ScoreScale::new(fusion, keyword_reference, GAP_DEPTH);
    let vector_weight = if fusion == Fusion::MinMax { 1.0 - weight } else { 1.0 };
    let nothing_to_compare = [&vector_scale, &keyword_scale].into_iter().flatten().all(ScoreScale::is_even);
    let mut fused: Vec<Fused> = candidates
        .iter()
        .map(|candidate| {
            let vector = vector_scale.as_ref().map(|scale| scale.normalise(candidate.vector.unwrap_or(f64::NAN)));
            let keyword = keyword_scale.as_ref().map(|scale| scale.normalise(candidate.keyword.unwrap_or(0.0)));
            let part = |scale: &Option<ScoreScale>, score: Option<f64>, weight: f64| {
                scale.as_ref().zip(score).map_or(0.0, |(scale, score)| weight * scale.weight * score)
            };
            let score = if nothing_to_compare {
                let matched = candidate.keyword.is_some_and(|score| score > 0.0);
                let vector = vector_scale.as_ref().map_or(0.0, |scale| scale.worst);
                vector + if keyword_scale.is_some() && matched { weight } else { 0.0 }
            } else {
                part(&keyword_scale, keyword, weight) + part(&vector_scale, vector, vector_weight)
            };
            // -0 becomes 0.
            let score = score + 0.0;
            Fused { chunk_id: candidate.chunk_id, score, vector, keyword }
        })
        .collect();
    fused.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.chunk_id.cmp(&b.chunk_id)));
    Ok(fused)
}

/// The score from which a boost counts ([`crate::search::boost::boosted`]). For standard scores that of a candidate which
/// is, in each retriever, one standard deviation below the lowest reference score, padding included; else 0, below which
/// no score is. Depends on the reference scores alone, as the fused scores do.
pub fn floor(fusion: Fusion, keyword_weight: Option<f64>, vector_reference: &[f64], keyword_reference: &[f64]) -> f64 {
    if fusion != Fusion::Adaptive {
        return 0.0;
    }
    let weight = keyword_weight.unwrap_or_else(|| fusion.default_keyword_weight());
    let of = |reference: &[f64], padding: usize, weight: f64| {
        let scale = ScoreScale::new(fusion, reference, padding).filter(|scale| !scale.is_even())?;
        let lowest = if reference.len() < padding { scale.worst.min(0.0) } else { scale.worst };
        Some(weight * scale.weight * (scale.normalise(lowest) - 1.0))
    };
    let vector = of(vector_reference, 0, 1.0);
    let keyword = of(keyword_reference, GAP_DEPTH, weight);
    vector.into_iter().chain(keyword).sum()
}

/// Standard scores: the number of standard deviations above the mean; 0 if all scores are equal. Scores that are not
/// finite count as the minimum.
pub fn standard_scores(scores: &[f64]) -> Vec<f64> {
    let least = scores.iter().copied().filter(|score| score.is_finite()).fold(f64::INFINITY, f64::min);
    let known: Vec<f64> = scores
        .iter()
        .map(|score| if score.is_finite() { *score } else { least })
        .filter(|score| score.is_finite())
        .collect();
    if known.len() < scores.len() {
        return vec![0.0; scores.len()];
    }
    let mean = mean(&known);
    let deviation = (known.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / known.len().max(1) as f64).sqrt();
    let largest = known.iter().fold(0.0_f64, |largest, score| largest.max(score.abs()));
    let scale = if deviation <= EQUAL * largest { f64::INFINITY } else { deviation };
    known.iter().map(|score| (score - mean) / scale + 0.0).collect()
}

/// Normalisation of the scores of a retriever.
struct ScoreScale {
    scale: Scale,
    /// Weight of the retriever.
    weight: f64,
    /// The lowest reference score.
    worst: f64,
}

enum Scale {
    Standard { mean: f64, deviation: f64 },
    Rank(Vec<f64>),
    Range { least: f64, greatest: f64 },
}

impl ScoreScale {
    /// The normalisation by reference scores; `None` if there are none. Fewer than `padding` scores are padded with
    /// zeros if the fusion requires it.
    fn new(fusion: Fusion, reference: &[f64], padding: usize) -> Option<Self> {
        let mut scores: Vec<f64> = reference.iter().copied().filter(|score| score.is_finite()).collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        scores.truncate(REFERENCE_DEPTH);
        let (greatest, worst) = (*scores.first()?, *scores.last()?);
        let (scale, weight) = match fusion {
            Fusion::Adaptive => {
                scores.resize(scores.len().max(padding), 0.0);
                if padding > 0 && scores.iter().all(|score| *score == greatest) {
                    // What matches no word is below all that match, and that is all that is known.
                    scores.resize(REFERENCE_DEPTH.max(scores.len() + 1), 0.0);
                }
                let mean = mean(&scores);
                let variance = scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / scores.len() as f64;
                let deviation = variance.sqrt();
                let following = scores.get(1..scores.len().min(GAP_DEPTH)).unwrap_or_default();
                let largest = scores.iter().fold(0.0_f64, |largest, score| largest.max(score.abs()));
                let equal = following.is_empty() || deviation <= EQUAL * largest;
                // An infinite spread makes every standard score 0.
                let deviation = if equal { f64::INFINITY } else { deviation };
                let gap = if equal { 0.0 } else { (greatest - self::mean(following)) / deviation };
                (Scale::Standard { mean, deviation }, BASE_WEIGHT + gap)
            }
            Fusion::Rrf => (Scale::Rank(scores), 1.0),
            Fusion::MinMax => {
                // All that match are in a list that ends early, and what does not match has 0.
                let complete = padding > 0 && scores.len() < REFERENCE_DEPTH;
                (Scale::Range { least: if complete { worst.min(0.0) } else { worst }, greatest }, 1.0)
            }
        };
        Some(Self { scale, weight, worst })
    }

    /// Whether all scores are equal and the fusion depends on their differences.
    fn is_even(&self) -> bool {
        matches!(self.scale, Scale::Standard { deviation, .. } if deviation.is_infinite())
    }

    fn normalise(&self, score: f64) -> f64 {
        let known = score.is_finite();
        match &self.scale {
            Scale::Standard { mean, deviation } => ((if known { score } else { self.worst }) - mean) / deviation + 0.0,
            Scale::Rank(scores) => {
                let better = scores.partition_point(|other| *other > score);
                if known && better < scores.len() { 1.0 / (RRF_K + better as f64 + 1.0) } else { 0.0 }
            }
            Scale::Range { greatest, .. } if known && score >= *greatest => 1.0,
            Scale::Range { least, greatest } if known => ((score - least) / (greatest - least)).max(0.0),
            Scale::Range { .. } => 0.0,
        }
    }
}

/// Arithmetic mean; 0 of nothing.
fn mean(scores: &[f64]) -> f64 {
    scores.iter().fold(0.0, |sum, score| sum + score) / scores.len().max(1) as f64
}

#[cfg(test)]
mod tests;
