//! Which segments of a keyword index become one: levels of sizes ten apart, as log-structured merge trees have them.
//!
//! Every chunk is rewritten once for each level, and an index of a million chunks has some thirty segments.

/// Segments of one level that become one.
const FAN_OUT: usize = 10;

/// Most chunks in a segment that is made from others: merging more takes too long and too much memory at a time.
pub const MAX_MERGED: u64 = 1_000_000;

/// The positions of the segments that are to become one, given the number of chunks in each; `None` when all is well.
pub fn due(chunk_counts: &[u32]) -> Option<Vec<usize>> {
    let level = |count: u32| count.max(1).ilog10();
    let mut order: Vec<usize> = (0..chunk_counts.len()).collect();
    order.sort_by_key(|at| chunk_counts[*at]);
    let mut from = 0;
    while from < order.len() {
        let here = level(chunk_counts[order[from]]);
        let length = order[from..].iter().take_while(|at| level(chunk_counts[**at]) == here).count();
        if length >= FAN_OUT {
            let mut total = 0;
            let chosen: Vec<usize> = order[from..from + length]
                .iter()
                .copied()
                .take_while(|at| {
                    total += u64::from(chunk_counts[*at]);
                    total <= MAX_MERGED
                })
                .collect();
            // Two that are as large as may be stay two.
            if chosen.len() > 1 {
                return Some(chosen);
            }
        }
        from += length;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_of_a_level_become_one() {
        assert_eq!(due(&[1; 9]), None);
        assert_eq!(due(&[1; 10]).map(|chosen| chosen.len()), Some(10));
        assert_eq!(due(&[5, 200, 7, 300, 9]), None);
        let mixed: Vec<u32> = (0..10).flat_map(|_| [3, 50_000]).take(19).collect();
        let chosen = due(&mixed).unwrap();
        assert!(chosen.iter().all(|at| mixed[*at] == 3), "the small level first");
    }

    #[test]
    fn nothing_larger_than_may_be_is_made() {
        assert_eq!(due(&[1_500_000; 12]), None);
        let chosen = due(&[400_000; 10]).unwrap();
        assert_eq!(chosen.len(), 2);
    }

    #[test]
    fn single_changes_leave_few_segments() {
        let mut segments: Vec<u32> = Vec::new();
        let mut rewritten = 0_u64;
        for _ in 0..100_000 {
            segments.push(1);
            while let Some(chosen) = due(&segments) {
                let total: u32 = chosen.iter().map(|at| segments[*at]).sum();
                rewritten += u64::from(total);
                let mut at = 0;
                segments.retain(|_| {
                    at += 1;
                    !chosen.contains(&(at - 1))
                });
                segments.push(total);
            }
            assert!(segments.len() <= 54, "{segments:?}");
        }
        assert!(rewritten <= 6 * 100_000, "{rewritten}");
    }
}
