//! Difference between the stored and the current chunks of a document.

use std::collections::HashMap;
use std::hash::Hash;

/// The difference between the stored and the current chunks of a document, as indexes into the two lists.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Diff {
    /// Pairs of stored and current chunks that are equal, ascending by the latter.
    pub kept: Vec<(usize, usize)>,
    /// Stored chunks that the document no longer has, ascending.
    pub removed: Vec<usize>,
    /// Current chunks that are not stored, ascending.
    pub added: Vec<usize>,
}

/// Compares chunks by hash. Repeated chunks are paired in order, so that they keep their positions.
pub fn diff<H: Eq + Hash>(stored: &[H], now: &[H]) -> Diff {
    let mut places: HashMap<&H, Vec<usize>> = HashMap::new();
    for (at, hash) in stored.iter().enumerate().rev() {
        places.entry(hash).or_default().push(at);
    }
    let mut diff = Diff::default();
    for (at, hash) in now.iter().enumerate() {
        match places.get_mut(hash).and_then(Vec::pop) {
            Some(old) => diff.kept.push((old, at)),
            None => diff.added.push(at),
        }
    }
    diff.removed = places.into_values().flatten().collect();
    diff.removed.sort_unstable();
    diff
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_edit_in_the_middle_touches_what_it_changed() {
        let difference = diff(&["a", "b", "c", "d"], &["a", "x", "y", "c", "d"]);
        assert_eq!(difference.kept, [(0, 0), (2, 3), (3, 4)]);
        assert_eq!(difference.removed, [1]);
        assert_eq!(difference.added, [1, 2]);
    }

    #[test]
    fn repeated_chunks_keep_their_places() {
        let difference = diff(&["a", "a", "b"], &["a", "b", "a", "a"]);
        assert_eq!(difference.kept, [(0, 0), (2, 1), (1, 2)]);
        assert_eq!(difference.added, [3]);
        assert_eq!(difference.removed, Vec::<usize>::new());
    }

    proptest! {
        #[test]
        fn every_chunk_is_accounted_for_once(stored in proptest::collection::vec(0..5u8, 0..20), now in proptest::collection::vec(0..5u8, 0..20)) {
            let difference = diff(&stored, &now);
            let mut old: Vec<usize> = difference.kept.iter().map(|pair| pair.0).chain(difference.removed.clone()).collect();
            let mut new: Vec<usize> = difference.kept.iter().map(|pair| pair.1).chain(difference.added.clone()).collect();
            old.sort_unstable();
            new.sort_unstable();
            prop_assert_eq!(old, (0..stored.len()).collect::<Vec<_>>());
            prop_assert_eq!(new, (0..now.len()).collect::<Vec<_>>());
            for (old, new) in difference.kept {
                prop_assert_eq!(stored[old], now[new]);
            }
            // As many are kept as can be: none is both removed and added.
            for removed in difference.removed {
                prop_assert!(!difference.added.iter().any(|added| now[*added] == stored[removed]));
            }
        }
    }
}
