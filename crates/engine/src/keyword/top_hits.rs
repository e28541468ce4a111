//! Keeps the best hits: by descending score, then by ascending identifier.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A chunk and its score. The greatest hit is the best.
#[derive(Clone, Copy, Debug)]
pub struct Hit {
    /// Identifier of the chunk.
    pub chunk_id: i64,
    /// BM25 score.
    pub score: f32,
}

impl Ord for Hit {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then_with(|| other.chunk_id.cmp(&self.chunk_id))
    }
}

impl PartialOrd for Hit {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Hit {}

impl PartialEq for Hit {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

/// The best hits that come after a given one.
#[derive(Debug)]
pub struct TopHits {
    /// The hits, with the worst on top.
    heap: BinaryHeap<std::cmp::Reverse<Hit>>,
    limit: usize,
    after: Option<Hit>,
}

impl TopHits {
    /// Keeps the best `limit` hits that come after `after`.
    pub fn new(limit: usize, after: Option<Hit>) -> Self {
        Self { heap: BinaryHeap::new(), limit, after }
    }

    /// Adds a hit if it is among the best.
    pub fn push(&mut self, hit: Hit) {
        if self.limit == 0 || self.after.is_some_and(|after| hit >= after) {
            return;
        }
        if self.heap.len() < self.limit {
            self.heap.push(std::cmp::Reverse(hit));
        } else if let Some(mut worst) = self.heap.peek_mut()
            && hit > worst.0
        {
            worst.0 = hit;
        }
    }

    /// The least score by which a further hit may be among the best; `None` while there are fewer than the limit.
    pub fn least_score(&self) -> Option<f32> {
        (self.heap.len() == self.limit).then(|| self.heap.peek().map_or(f32::MAX, |worst| worst.0.score))
    }

    /// The hits, best first, and whether the limit was reached, so that there may be more.
    pub fn into_sorted(self) -> (Vec<Hit>, bool) {
        let full = self.limit > 0 && self.heap.len() == self.limit;
        (self.heap.into_sorted_vec().into_iter().map(|hit| hit.0).collect(), full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_come_by_score_then_identifier_and_after_the_last_page() {
        let all = [(1, 2.0), (2, 3.0), (3, 2.0), (4, 1.0), (5, 3.0)];
        let page = |limit, after: Option<(f32, i64)>| {
            let mut top = TopHits::new(limit, after.map(|(score, chunk_id)| Hit { chunk_id, score }));
            all.iter().rev().for_each(|(chunk_id, score)| top.push(Hit { chunk_id: *chunk_id, score: *score }));
            let (hits, more) = top.into_sorted();
            (hits.into_iter().map(|hit| hit.chunk_id).collect::<Vec<_>>(), more)
        };
        assert_eq!(page(2, None), (vec![2, 5], true));
        assert_eq!(page(2, Some((3.0, 5))), (vec![1, 3], true));
        assert_eq!(page(2, Some((2.0, 3))), (vec![4], false));
        assert_eq!(page(0, None), (vec![], false));
    }
}
