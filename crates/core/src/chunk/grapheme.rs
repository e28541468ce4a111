//! Boundaries of extended grapheme clusters (Unicode Standard Annex 29): the only positions at which a text is cut.
//!
//! Answers for any byte offset, because other segmentations propose offsets inside clusters: the sentences and words of
//! ICU follow another version of Unicode, and Markdown elements may end between a letter and its accent.

use super::slice;
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// The clusters of more than one character in a range of a text, as byte ranges of that text.
pub(super) struct Clusters {
    long: Vec<Range<usize>>,
}

impl Clusters {
    /// Segments `range` of `text`, which must start at a cluster boundary. A cluster that crosses its end is cut there.
    pub(super) fn new(text: &str, range: Range<usize>) -> Self {
        let start = range.start;
        let long = slice(text, range)
            .grapheme_indices(true)
            .filter(|(_, cluster)| cluster.len() > 1 && cluster.chars().nth(1).is_some())
            .map(|(at, cluster)| start + at..start + at + cluster.len())
            .collect();
        Self { long }
    }

    /// The cluster that `at` is inside of.
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

/// Whether two adjacent characters, of which one is white space, form one cluster.
pub(super) fn form_one_cluster(first: char, second: char) -> bool {
    // U+0300 is the first combining mark, U+0600 the first prepended concatenation mark.
    (first >= '\u{600}' || second >= '\u{300}') && String::from_iter([first, second]).graphemes(true).nth(1).is_none()
}
