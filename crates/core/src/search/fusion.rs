//! Makes one ranking of two: that of the vectors and that of the words.
//!
//! Each candidate should come with the scores of both legs, wherever it was found. Normalisation looks at the best
//! [`REFERENCE_DEPTH`] scores of a leg alone, so that a ranking does not depend on how many hits were asked for. Refuses
//! to tune itself to a data set: the constants hold for all.

use crate::{Error, Kind, Result};
use std::fmt;
use std::str::FromStr;

/// How many of the best scores of a leg normalisation looks at. More of them are left out.
pub const REFERENCE_DEPTH: usize = 100;

/// How many of the best scores say how far the first stands out. Fewer hits of words are taken to be followed by zeros.
const GAP_DEPTH: usize = 10;

/// What a leg counts even if its first hit does not stand out.
const BASE_WEIGHT: f64 = 2.0;

/// Keeps the first ranks of reciprocal rank fusion from deciding alone. The value of Cormack et al. 2009.
const RRF_K: f64 = 60.0;

/// Spread below which scores are taken to be equal, relative to the largest.
const EQUAL: f64 = 1e-9;

/// How two rankings become one. In the formulas, K is the leg of the words, D that of the vectors, w the keyword weight,
/// and s₁ ≥ s₂ ≥ … are the reference scores of a leg.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Fusion {
    /// `w·(2 + gap(K))·z(K) + (2 + gap(D))·z(D)`, w ≥ 0, default 1.15.
    ///
    /// `z = (s − mean) / std`, with mean and population standard deviation of the reference scores;
    /// `gap = (s₁ − mean(s₂ … s₁₀)) / std`: the leg whose first hit stands out counts more. Fewer than 10 hits of words are
    /// followed by zeros up to 10; a leg without hits, or whose scores are all equal, does not count. Where that is so of both,
    /// as with a single document, the score is the similarity, and w more where a word matches. Standard scores as in
    /// Renda and Straccia, Web metasearch: rank vs. score based rank aggregation methods (2003); the weight by the gap is
    /// our own, the best of eight on seven test sets.
    #[default]
    Adaptive,
    /// `w/(60 + rank(K)) + 1/(60 + rank(D))`, w ≥ 0, default 1. Equal scores share the better rank; what is not among the
    /// reference scores of a leg gets nothing from it. Cormack, Clarke and Büttcher, Reciprocal rank fusion outperforms
    /// Condorcet and individual rank learning methods (2009).
    Rrf,
    /// `w·m(K) + (1 − w)·m(D)`, w from 0 to 1, default 0.5, with `m = (s − min) / (max − min)` over the reference scores,
    /// at least 0 and at most 1; where all are equal, 1 for those that reach them. Fewer than [`REFERENCE_DEPTH`] hits of
    /// words are all there are, so that their min is 0. Convex combination as in Bruch, Gai and Ingber, An analysis of
    /// fusion functions for hybrid retrieval (2022).
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

/// Something that at least one leg has found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Which chunk it is.
    pub chunk_id: i64,
    /// Similarity to the query, greater is better. Missing, or NaN as for a vector of zeros: taken to be as bad as the last
    /// reference score.
    pub vector: Option<f64>,
    /// BM25 score. Missing: taken to be 0, no word of the query occurs.
    pub keyword: Option<f64>,
}

/// A candidate with its place in the one ranking.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fused {
    /// Which chunk it is.
    pub chunk_id: i64,
    /// What the ranking goes by, greater is better. Its range depends on the fusion.
    pub score: f64,
    /// The similarity after normalisation, before weights: z, 1/(60 + rank) or m. `None` if the leg found nothing.
    pub vector: Option<f64>,
    /// The BM25 score after normalisation, before weights. `None` if the leg found nothing.
    pub keyword: Option<f64>,
}

/// Ranks candidates, best first, equal ones by rising `chunk_id`. `vector_reference` and `keyword_reference` are the best
/// scores of each leg, the same numbers as those of the candidates; their order does not matter. `keyword_weight` is that
/// of the [`Fusion`], its default if `None`.
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
    let vector_leg = Leg::new(fusion, vector_reference, 0);
    let keyword_leg = Leg::new(fusion, keyword_reference, GAP_DEPTH);
    let vector_weight = if fusion == Fusion::MinMax { 1.0 - weight } else { 1.0 };
    let nothing_to_compare = [&vector_leg, &keyword_leg].into_iter().flatten().all(Leg::is_even);
    let mut fused: Vec<Fused> = candidates
        .iter()
        .map(|candidate| {
            let vector = vector_leg.as_ref().map(|leg| leg.normalise(candidate.vector.unwrap_or(f64::NAN)));
            let keyword = keyword_leg.as_ref().map(|leg| leg.normalise(candidate.keyword.unwrap_or(0.0)));
            let part = |leg: &Option<Leg>, score: Option<f64>, weight: f64| {
                leg.as_ref().zip(score).map_or(0.0, |(leg, score)| weight * leg.weight * score)
            };
            let score = if nothing_to_compare {
                let matched = candidate.keyword.is_some_and(|score| score > 0.0);
                let vector = vector_leg.as_ref().map_or(0.0, |leg| leg.worst);
                vector + if keyword_leg.is_some() && matched { weight } else { 0.0 }
            } else {
                part(&keyword_leg, keyword, weight) + part(&vector_leg, vector, vector_weight)
            };
            // -0 becomes 0.
            let score = score + 0.0;
            Fused { chunk_id: candidate.chunk_id, score, vector, keyword }
        })
        .collect();
    fused.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.chunk_id.cmp(&b.chunk_id)));
    Ok(fused)
}

/// How many standard deviations each score is above the mean of all; 0 where all are equal. What is not a number counts as
/// the least.
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

/// What the scores of a leg are measured against.
struct Leg {
    scale: Scale,
    /// How much the leg counts by itself.
    weight: f64,
    /// The last reference score.
    worst: f64,
}

enum Scale {
    Standard { mean: f64, deviation: f64 },
    Rank(Vec<f64>),
    Range { least: f64, greatest: f64 },
}

impl Leg {
    /// `None` if there is nothing to measure against. Fewer than `padding` scores are followed by zeros where the fusion
    /// wants that.
    fn new(fusion: Fusion, reference: &[f64], padding: usize) -> Option<Self> {
        let mut scores: Vec<f64> = reference.iter().copied().filter(|score| score.is_finite()).collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        scores.truncate(REFERENCE_DEPTH);
        let (greatest, worst) = (*scores.first()?, *scores.last()?);
        let (scale, weight) = match fusion {
            Fusion::Adaptive => {
                scores.resize(scores.len().max(padding), 0.0);
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

    /// All scores are equal, and the fusion goes by their differences.
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

/// 0 for none.
fn mean(scores: &[f64]) -> f64 {
    scores.iter().fold(0.0, |sum, score| sum + score) / scores.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const VECTOR: [f64; 12] = [0.92, 0.71, 0.70, 0.66, 0.61, 0.60, 0.58, 0.55, 0.52, 0.51, 0.40, 0.31];
    const KEYWORD: [f64; 3] = [14.2, 9.5, 8.1];

    fn candidates(scores: &[(f64, f64)]) -> Vec<Candidate> {
        let scores = scores.iter().zip(1..);
        scores
            .map(|((vector, keyword), chunk_id)| Candidate { chunk_id, vector: Some(*vector), keyword: Some(*keyword) })
            .collect()
    }

    fn example() -> Vec<Candidate> {
        candidates(&[(0.92, 0.0), (0.71, 14.2), (0.40, 9.5), (0.25, 8.1), (0.31, 0.0)])
    }

    fn order(fused: &[Fused]) -> Vec<i64> {
        fused.iter().map(|hit| hit.chunk_id).collect()
    }

    #[test]
    fn standard_scores_do_not_depend_on_scale() {
        let scores = standard_scores(&[1.0, 3.0, 2.0]);
        assert_eq!(scores, standard_scores(&[110.0, 130.0, 120.0]));
        assert!((scores[1] - 1.5_f64.sqrt()).abs() < 1e-12 && scores[2] == 0.0);
        assert_eq!(standard_scores(&[5.0, 5.0]), [0.0, 0.0]);
        assert_eq!(standard_scores(&[f64::NAN, 1.0, 2.0]), standard_scores(&[1.0, 1.0, 2.0]));
        assert_eq!(standard_scores(&[f64::NAN]), [0.0]);
        assert_eq!(standard_scores(&[]), [0.0; 0]);
    }

    #[test]
    fn ties_go_by_chunk() {
        let tied = candidates(&[(0.3, 1.0), (0.9, 0.0), (0.3, 1.0), (0.3, 1.0)]);
        let reversed: Vec<Candidate> = tied.into_iter().rev().collect();
        let fused = fuse(Fusion::MinMax, Some(0.0), &reversed, &VECTOR, &KEYWORD).unwrap();
        assert_eq!(order(&fused), [2, 1, 3, 4]);
    }

    /// Compares with (chunk, score, vector, keyword) as calculated outside of this crate.
    fn assert_fused(fusion: Fusion, expected: &[(i64, f64, f64, f64)]) {
        let fused = fuse(fusion, None, &example(), &VECTOR, &KEYWORD).unwrap();
        assert_eq!(order(&fused), expected.iter().map(|row| row.0).collect::<Vec<_>>(), "{fusion}");
        for (hit, (_, score, vector, keyword)) in fused.iter().zip(expected) {
            let found = [hit.score, hit.vector.unwrap(), hit.keyword.unwrap()];
            for (found, expected) in found.iter().zip([score, vector, keyword]) {
                assert!((found - expected).abs() < 1e-12, "{fusion}: {found} is not {expected}");
            }
        }
    }

    #[test]
    fn adaptive_pads_the_words_and_lets_the_leg_that_stands_out_count_more() {
        assert_fused(
            Fusion::Adaptive,
            &[
                (2, 14.3800300039411, 0.8081161526073993, 2.176421015706121),
                (1, 5.903443385411528, 2.212566293690604, -0.6280416361112037),
                (3, 1.1418612620470459, -1.2651197699439969, 1.2481833774285558),
                (4, -4.386467937568779, -2.2682984421462855, 0.9716870596437491),
                (5, -10.865278790680888, -1.8670269732653701, -0.6280416361112037),
            ],
        );
    }

    #[test]
    fn reciprocal_ranks_come_from_the_reference_alone() {
        assert_fused(
            Fusion::Rrf,
            &[
                (2, 0.03252247488101534, 0.016129032258064516, 0.01639344262295082),
                (3, 0.03021353930031804, 0.014084507042253521, 0.016129032258064516),
                (1, 0.01639344262295082, 0.01639344262295082, 0.0),
                (4, 0.015873015873015872, 0.0, 0.015873015873015872),
                (5, 0.013888888888888888, 0.013888888888888888, 0.0),
            ],
        );
    }

    #[test]
    fn minmax_is_clamped_and_begins_at_0_for_words() {
        assert_fused(
            Fusion::MinMax,
            &[
                (2, 0.8278688524590163, 0.6557377049180326, 1.0),
                (1, 0.5, 1.0, 0.0),
                (3, 0.40827753405679984, 0.1475409836065574, 0.6690140845070423),
                (4, 0.2852112676056338, 0.0, 0.5704225352112676),
                (5, 0.0, 0.0, 0.0),
            ],
        );
    }

    #[test]
    fn a_leg_without_hits_or_without_differences_does_not_decide() {
        for fusion in [Fusion::Adaptive, Fusion::Rrf, Fusion::MinMax] {
            let fused = fuse(fusion, None, &example(), &VECTOR, &[]).unwrap();
            assert_eq!(fused[0].keyword, None);
            assert_eq!(order(&fused)[..2], [1, 2], "{fusion}");
            let fused = fuse(fusion, None, &example(), &[], &KEYWORD).unwrap();
            assert_eq!(order(&fused)[..3], [2, 3, 4], "{fusion}");
            let equal = candidates(&[(0.1 + 0.2, 5.0), (0.3, 6.0)]);
            let fused = fuse(fusion, None, &equal, &[0.1 + 0.2, 0.3], &[6.0, 5.0]).unwrap();
            assert_eq!(order(&fused)[0], 2 - i64::from(fusion != Fusion::Adaptive), "{fusion}");
            assert_eq!(
                fuse(fusion, None, &example(), &[], &[]).unwrap().iter().filter(|hit| hit.score != 0.0).count(),
                0
            );
        }
    }

    #[test]
    fn one_hit_of_words_among_few_vectors_is_defined() {
        let fused = fuse(Fusion::Adaptive, None, &candidates(&[(0.5, 3.0), (0.5, 0.0)]), &[0.5], &[3.0]).unwrap();
        assert_eq!(fused[0].vector, Some(0.0));
        // Mean 0.3, deviation 0.9: z = 3, and the gap is 3/0.9.
        assert!((fused[0].score - 1.15 * (2.0 + 3.0 / 0.9) * 3.0).abs() < 1e-9);
    }

    #[test]
    fn the_only_document_has_a_score() {
        let alone = candidates(&[(0.42, 0.0)]);
        let fused = fuse(Fusion::Adaptive, None, &alone, &[0.42], &[]).unwrap();
        assert_eq!((fused[0].score, fused[0].vector), (0.42, Some(0.0)));
        // As many equal hits of words as are looked at, or more: those rank above what has none of the words.
        let mut equal = candidates(&[(0.5, 0.0)]);
        equal.extend((2..=12).map(|chunk_id| Candidate { chunk_id, vector: Some(0.5), keyword: Some(3.0) }));
        let fused = fuse(Fusion::Adaptive, None, &equal, &[0.5; 12], &[3.0; 11]).unwrap();
        assert_eq!((fused[0].chunk_id, fused[0].score), (2, 0.5 + 1.15));
        assert_eq!((fused[11].chunk_id, fused[11].score), (1, 0.5));
        for fusion in [Fusion::Rrf, Fusion::MinMax] {
            assert!(fuse(fusion, None, &alone, &[0.42], &[]).unwrap()[0].score > 0.0, "{fusion}");
        }
    }

    #[test]
    fn no_score_is_less_than_nothing_and_nothing() {
        let equal = candidates(&[(0.3, 0.0), (0.1 + 0.2, 0.0)]);
        for fusion in [Fusion::Adaptive, Fusion::Rrf, Fusion::MinMax] {
            let fused = fuse(fusion, Some(0.0), &equal, &[0.3, 0.1 + 0.2], &[5.0]).unwrap();
            let scores = fused.iter().flat_map(|hit| [Some(hit.score), hit.vector, hit.keyword]).flatten();
            assert!(scores.into_iter().all(|score| score != 0.0 || score.is_sign_positive()), "{fusion}: -0");
        }
        assert!(standard_scores(&[0.3, 0.1 + 0.2]).iter().all(|score| score.is_sign_positive()));
    }

    #[test]
    fn a_missing_score_is_a_bad_one_and_never_poisons_the_others() {
        let mut with_gaps = example();
        with_gaps[0].vector = Some(f64::NAN);
        with_gaps[1].keyword = None;
        for fusion in [Fusion::Adaptive, Fusion::Rrf, Fusion::MinMax] {
            let fused = fuse(fusion, None, &with_gaps, &[VECTOR.as_slice(), &[f64::NAN]].concat(), &KEYWORD).unwrap();
            assert!(fused.iter().all(|hit| hit.score.is_finite()), "{fusion}");
            assert_ne!(order(&fused)[0], 1, "{fusion}");
        }
    }

    #[test]
    fn the_reference_ends_at_its_depth() {
        let long: Vec<f64> = (0..500).map(|at| 1.0 / f64::from(at + 1)).collect();
        for fusion in [Fusion::Adaptive, Fusion::Rrf, Fusion::MinMax] {
            let whole = fuse(fusion, None, &example(), &long, &KEYWORD).unwrap();
            assert_eq!(whole, fuse(fusion, None, &example(), &long[..REFERENCE_DEPTH], &KEYWORD).unwrap());
        }
    }

    #[test]
    fn names_and_weights_are_checked() {
        for name in Fusion::NAMES {
            assert_eq!(name.parse::<Fusion>().unwrap().to_string(), *name);
        }
        assert_eq!("RRF".parse::<Fusion>().unwrap_err().kind, Kind::InvalidArgument);
        let refused = |fusion, weight| fuse(fusion, Some(weight), &example(), &VECTOR, &KEYWORD).is_err();
        for fusion in [Fusion::Adaptive, Fusion::Rrf, Fusion::MinMax] {
            assert!([-0.1, f64::NAN, f64::INFINITY].iter().all(|weight| refused(fusion, *weight)));
            assert!(!refused(fusion, 0.0));
        }
        assert!(refused(Fusion::MinMax, 1.1) && !refused(Fusion::Rrf, 1.1));
    }

    proptest! {
        #[test]
        fn every_candidate_is_ranked_once_in_any_order_of_input(
            scores in proptest::collection::vec((-1.0..1.0_f64, 0.0..30.0_f64), 1..60), turn in 0..60_usize,
        ) {
            let given = candidates(&scores);
            let mut turned = given.clone();
            turned.rotate_left(turn % scores.len());
            let (vector, keyword): (Vec<f64>, Vec<f64>) = scores.iter().copied().unzip();
            for fusion in [Fusion::Adaptive, Fusion::Rrf, Fusion::MinMax] {
                let fused = fuse(fusion, None, &given, &vector, &keyword).unwrap();
                prop_assert_eq!(&fused, &fuse(fusion, None, &turned, &vector, &keyword).unwrap());
                let mut chunks = order(&fused);
                chunks.sort_unstable();
                prop_assert_eq!(chunks, given.iter().map(|candidate| candidate.chunk_id).collect::<Vec<_>>());
                prop_assert!(fused.is_sorted_by(|a, b| a.score >= b.score));
            }
        }

        #[test]
        fn a_candidate_better_in_both_legs_is_never_ranked_lower(
            scores in proptest::collection::vec((-1.0..1.0_f64, 0.0..30.0_f64), 2..40),
        ) {
            let (vector, keyword): (Vec<f64>, Vec<f64>) = scores.iter().copied().unzip();
            for fusion in [Fusion::Adaptive, Fusion::Rrf, Fusion::MinMax] {
                let fused = fuse(fusion, None, &candidates(&scores), &vector, &keyword).unwrap();
                let score = |at: usize| fused.iter().find(|hit| hit.chunk_id == at as i64 + 1).unwrap().score;
                for (at, a) in scores.iter().enumerate() {
                    for (other, b) in scores.iter().enumerate() {
                        prop_assert!(!(a.0 > b.0 && a.1 > b.1) || score(at) >= score(other));
                    }
                }
            }
        }
    }
}
