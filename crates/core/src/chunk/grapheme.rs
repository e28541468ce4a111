//! Where a text must not be cut: inside an extended grapheme cluster (Unicode Standard Annex 29).
//!
//! Answers for any byte offset, also for those that other segmentations propose: the sentences and words of ICU, which
//! follow another version of Unicode, and the elements of Markdown, which end between a letter and its accent.

use super::slice;
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// The clusters of more than one character in a stretch of a text, in bytes of that text.
pub(super) struct Clusters {
    long: Vec<Range<usize>>,
}

impl Clusters {
    /// Reads `range` of `text`. It must start between two clusters; one that its end cuts counts as ending there.
    pub(super) fn new(text: &str, range: Range<usize>) -> Self {
        let start = range.start;
        let long = slice(text, range)
            .grapheme_indices(true)
            .filter(|(_, cluster)| cluster.len() > 1 && cluster.chars().nth(1).is_some())
            .map(|(at, cluster)| start + at..start + at + cluster.len())
            .collect();
        Self { long }
    }

    fn around(&self, at: usize) -> Option<&Range<usize>> {
        let next = self.long.partition_point(|cluster| cluster.end <= at);
        self.long.get(next).filter(|cluster| cluster.start < at)
    }

    /// The last boundary at or before `at`, which must lie between two characters.
    pub(super) fn floor(&self, at: usize) -> usize {
        self.around(at).map_or(at, |cluster| cluster.start)
    }

    /// The first boundary at or after `at`, which must lie between two characters.
    pub(super) fn ceiling(&self, at: usize) -> usize {
        self.around(at).map_or(at, |cluster| cluster.end)
    }

    /// The end of the cluster of `text` that starts at `at`.
    pub(super) fn end_of_first(&self, text: &str, at: usize) -> usize {
        let length = slice(text, at..text.len()).chars().next().map_or(0, char::len_utf8);
        self.ceiling(at + length)
    }
}

/// Whether `second` belongs to the cluster that `first` begins. One of them is white space.
pub(super) fn join(first: char, second: char) -> bool {
    // U+0300 is the first combining mark, U+0600 the first sign that takes what follows into its cluster.
    (first >= '\u{600}' || second >= '\u{300}') && String::from_iter([first, second]).graphemes(true).nth(1).is_none()
}
