//! Merge policy of the keyword index: levels of segments by powers of ten, as in log-structured merge trees.
//!
//! Each chunk is rewritten once per level, and an index of a million chunks has about thirty segments.

/// Number of segments of one level that are merged.
const FAN_OUT: usize = 10;

/// Maximum number of chunks in a merged segment, which bounds time and memory of a merge.
pub const MAX_MERGED: u64 = 1_000_000;

/// Number of mergeable segments above which the smallest are merged even if no level is full.
const MAX_SEGMENTS: usize = 40;

/// Minimum number of chunks of a segment that is rewritten alone; smaller ones are soon merged.
const MIN_REWRITTEN: u32 = 1_000;

/// Number of further deletions after which a segment of `count` chunks, of which `deleted` are deleted, is rewritten
/// alone: at three tenths, a balance between the cost of deleted chunks in searches and of rewriting. `None` for a
/// segment that is too small.
pub fn deletions_until_rewrite(count: u32, deleted: u64) -> Option<u64> {
    (count >= MIN_REWRITTEN).then(|| (u64::from(count) * 3).div_ceil(10).saturating_sub(deleted))
}

/// Indexes of the segments to merge, given the number of chunks in each; `None` if there is nothing to merge.
pub fn segments_to_merge(chunk_counts: &[u32]) -> Option<Vec<usize>> {
    let level = |count: u32| count.max(1).ilog10();
    let mut order: Vec<usize> = (0..chunk_counts.len()).collect();
    order.sort_by_key(|at| chunk_counts[*at]);
    let mut from = 0;
    while from < order.len() {
        let here = level(chunk_counts[order[from]]);
        let length = order[from..].iter().take_while(|at| level(chunk_counts[**at]) == here).count();
        if length >= FAN_OUT
            && let Some(chosen) = within_limit(chunk_counts, &order[from..from + length])
        {
            return Some(chosen);
        }
        from += length;
    }
    let small = order.iter().take_while(|at| u64::from(chunk_counts[**at]) < MAX_MERGED / 2).count();
    if small > MAX_SEGMENTS { within_limit(chunk_counts, &order[..FAN_OUT]) } else { None }
}

/// The longest prefix of `segments` with at most [`MAX_MERGED`] chunks; `None` if that is fewer than two.
fn within_limit(chunk_counts: &[u32], segments: &[usize]) -> Option<Vec<usize>> {
    let mut total = 0;
    let fits = |at: &usize| {
        total += u64::from(chunk_counts[*at]);
        total <= MAX_MERGED
    };
    let chosen: Vec<usize> = segments.iter().copied().take_while(fits).collect();
    (chosen.len() > 1).then_some(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_of_a_level_become_one() {
        assert_eq!(segments_to_merge(&[1; 9]), None);
        assert_eq!(segments_to_merge(&[1; 10]).map(|chosen| chosen.len()), Some(10));
        assert_eq!(segments_to_merge(&[5, 200, 7, 300, 9]), None);
        let mixed: Vec<u32> = (0..10).flat_map(|_| [3, 50_000]).take(19).collect();
        let chosen = segments_to_merge(&mixed).unwrap();
        assert!(chosen.iter().all(|at| mixed[*at] == 3), "the small level first");
    }

    #[test]
    fn nothing_larger_than_may_be_is_made() {
        assert_eq!(segments_to_merge(&[1_500_000; 12]), None);
        let chosen = segments_to_merge(&[400_000; 10]).unwrap();
        assert_eq!(chosen.len(), 2);
    }

    #[test]
    fn a_segment_is_worn_when_three_tenths_are_dead() {
        assert_eq!(deletions_until_rewrite(999, 999), None);
        assert_eq!(deletions_until_rewrite(1_000, 0), Some(300));
        assert_eq!(deletions_until_rewrite(1_001, 300), Some(1));
        assert_eq!(deletions_until_rewrite(1_001, 301), Some(0));
        assert_eq!(deletions_until_rewrite(u32::MAX, u64::MAX), Some(0));
    }

    #[test]
    fn no_more_than_forty_stay_that_may_become_one() {
        let levels: Vec<u32> = (0..6).flat_map(|level| [10_u32.pow(level); 9]).collect();
        let chosen = segments_to_merge(&levels).unwrap();
        assert_eq!(chosen.len(), 10, "the smallest");
        assert!(chosen.iter().all(|at| levels[*at] <= 10));
        assert_eq!(segments_to_merge(&levels[..40]), None);
        assert_eq!(segments_to_merge(&[900_000; 60]), None, "those as large as may be are many in a large corpus");
    }

    #[test]
    fn single_changes_leave_few_segments() {
        let mut segments: Vec<u32> = Vec::new();
        let mut rewritten = 0_u64;
        for _ in 0..100_000 {
            segments.push(1);
            while let Some(chosen) = segments_to_merge(&segments) {
                let total: u32 = chosen.iter().map(|at| segments[*at]).sum();
                rewritten += u64::from(total);
                let mut at = 0;
                segments.retain(|_| {
                    at += 1;
                    !chosen.contains(&(at - 1))
                });
                segments.push(total);
            }
            assert!(segments.len() <= 41, "{segments:?}");
        }
        assert!(rewritten <= 6 * 100_000, "{rewritten}");
    }
}
