//! Rankings as calculated outside of this crate, and what holds for all.

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
        assert_eq!(fuse(fusion, None, &example(), &[], &[]).unwrap().iter().filter(|hit| hit.score != 0.0).count(), 0);
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
    assert_eq!((fused[0].chunk_id, fused[11].chunk_id), (2, 1));
    assert!(fused[0].score > 0.0 && fused[11].score < 0.0);
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

#[test]
fn boosts_count_from_below_every_reference_score() {
    for keyword in [KEYWORD.as_slice(), &VECTOR, &[]] {
        let floor = floor(Fusion::Adaptive, None, &VECTOR, keyword);
        let worst = VECTOR.iter().zip(keyword.iter().chain(std::iter::repeat(&0.0)));
        let worst: Vec<(f64, f64)> = worst.map(|(vector, keyword)| (*vector, *keyword)).collect();
        let fused = fuse(Fusion::Adaptive, None, &candidates(&worst), &VECTOR, keyword).unwrap();
        // A standard deviation of each retriever counts at least twice.
        assert!(fused.iter().all(|fused| fused.score >= floor + 2.0), "{floor}: {fused:?}");
    }
    for fusion in [Fusion::Rrf, Fusion::MinMax] {
        assert_eq!(floor(fusion, None, &VECTOR, &KEYWORD), 0.0);
    }
    assert_eq!(floor(Fusion::Adaptive, None, &[0.7, 0.7], &[]), 0.0, "nothing to compare");
}

#[test]
fn many_equal_hits_of_words_count() {
    // Fifteen tickets have the number that was asked for, with equal scores; none of them is near in meaning.
    for count in [15, 100, 150] {
        let candidates: Vec<Candidate> = (0..count + 50)
            .map(|at| Candidate {
                chunk_id: at,
                vector: Some(if at < count { 0.2 } else { 0.5 + at as f64 * 1e-4 }),
                keyword: (at < count).then_some(3.5),
            })
            .collect();
        let vector: Vec<f64> = candidates.iter().filter_map(|candidate| candidate.vector).collect();
        let keyword: Vec<f64> = candidates.iter().filter_map(|candidate| candidate.keyword).collect();
        let fused = fuse(Fusion::Adaptive, None, &candidates, &vector, &keyword).unwrap();
        assert!(fused.iter().take(10).all(|fused| fused.chunk_id < count), "{count}");
    }
}
