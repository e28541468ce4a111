//! The sizes of recognised lines: those that are measured differ by a few pixels where the type is the same.

use super::{Recognition, TextLine};

/// Sizes that differ by less than this factor are measured differences of one size.
const SAME_SIZE: f32 = 1.12;
/// Sizes up to which a line may be one of the text between two others, as a multiple of theirs.
const SLIGHTLY_LARGER: f32 = 1.3;
/// Distance of lines up to which they are of one paragraph, as a multiple of the usual distance. Headings are farther from the
/// text above them.
const SAME_LEADING: f32 = 1.15;
/// Distance up to which a line is next to another, as a multiple of the size.
const NEXT: f32 = 2.5;

/// The sizes of the recognised text of a document.
pub(in crate::pdf) struct Sizes {
    /// Usual size in pixels of pages whose resolution is not known.
    pub(super) pixels: Option<f32>,
    /// The sizes that occur, in points, those of most characters first.
    common: Vec<f32>,
}

impl Sizes {
    /// The sizes of these pages.
    pub(in crate::pdf) fn of(pages: &[Recognition]) -> Self {
        let unknown = pages.iter().filter(|page| page.dpi.is_none()).flat_map(|page| &page.lines);
        let mut sizes = Self { pixels: usual(unknown), common: Vec::new() };
        let mut rest: Vec<(f32, usize)> = Vec::new();
        for page in pages {
            let scale = page.scale(&sizes);
            rest.extend(page.lines.iter().map(|line| (line.size * scale, line.letters())));
        }
        while let Some(size) = most_common(&rest) {
            rest.retain(|(other, _)| !is_same(size, *other));
            sizes.common.push(size);
        }
        sizes
    }

    /// The common size that a measured one is meant to be.
    pub(super) fn same_as(&self, size: f32) -> f32 {
        self.common.iter().copied().find(|common| is_same(*common, size)).unwrap_or(size)
    }
}

impl TextLine {
    pub(super) fn letters(&self) -> usize {
        self.words.iter().map(|word| word.text.chars().count()).sum()
    }
}

fn is_same(a: f32, b: f32) -> bool {
    a.max(b) <= a.min(b) * SAME_SIZE
}

/// The size of most characters.
pub(super) fn usual<'l>(lines: impl IntoIterator<Item = &'l TextLine>) -> Option<f32> {
    most_common(&lines.into_iter().map(|line| (line.size, line.letters())).collect::<Vec<_>>())
}

/// The size that most characters are near to; of sizes that are as common, the smallest.
fn most_common(sizes: &[(f32, usize)]) -> Option<f32> {
    let mut sorted = sizes.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut best, mut found): (usize, Option<f32>) = (0, None);
    let (mut start, mut end, mut letters) = (0, 0, 0);
    for at in 0..sorted.len() {
        let size = sorted.get(at).map_or(0.0, |size| size.0);
        while sorted.get(end).is_some_and(|next| next.0 <= size * SAME_SIZE) {
            letters += sorted.get(end).map_or(0, |next| next.1);
            end += 1;
        }
        while start < at {
            letters -= sorted.get(start).map_or(0, |first| first.1);
            start += 1;
        }
        if letters > best {
            // The middle of the range by characters.
            let mut half = letters / 2;
            let middle = sorted.iter().take(end).skip(at).find(|(_, count)| {
                let is_here = half < *count;
                half = half.saturating_sub(*count);
                is_here
            });
            (best, found) = (letters, middle.map(|middle| middle.0));
        }
    }
    found.filter(|size| *size > 0.0)
}

/// Gives lines that were measured somewhat larger than the text, but stand as close to the lines above and below them as those of
/// the text do, the size of the text. A heading of that size is farther from what is above it.
pub(super) fn settle(lines: &mut [TextLine], body: f32) {
    let mut lines: Vec<&mut TextLine> = lines.iter_mut().filter(|line| line.angle == 0).collect();
    lines.sort_by(|a, b| a.baseline.total_cmp(&b.baseline));
    let below: Vec<Option<(usize, f32)>> = (0..lines.len()).map(|at| next_below(&lines, at, body)).collect();
    let mut distances: Vec<f32> = below.iter().flatten().map(|(_, distance)| *distance).collect();
    distances.sort_by(f32::total_cmp);
    let Some(usual) = distances.get(distances.len() / 2).copied() else { return };
    let is_close = |distance: f32| distance <= SAME_LEADING * usual;
    let mut is_close_above = vec![false; lines.len()];
    for (next, distance) in below.iter().flatten() {
        is_close_above.get_mut(*next).into_iter().for_each(|above| *above = is_close(*distance));
    }
    for at in drifting(&lines, &below, body, is_close) {
        lines.get_mut(at).into_iter().for_each(|line| line.size = body);
    }
    for ((line, below), is_close_above) in lines.iter_mut().zip(&below).zip(is_close_above) {
        let is_close_below = below.is_some_and(|(_, distance)| is_close(distance));
        let is_larger = !is_same(line.size, body) && line.size > body && line.size < SLIGHTLY_LARGER * body;
        if is_larger && is_close_above && is_close_below {
            line.size = body;
        }
    }
}

/// The lines that have another size than the text, and hardly another one than the line of the text next to them: on a photograph,
/// what is nearer is larger.
fn drifting(
    lines: &[&mut TextLine],
    below: &[Option<(usize, f32)>],
    body: f32,
    is_close: impl Fn(f32) -> bool,
) -> Vec<usize> {
    let mut is_text: Vec<bool> = lines.iter().map(|line| is_same(line.size, body)).collect();
    let mut found = Vec::new();
    let pairs =
        || below.iter().enumerate().filter_map(|(at, below)| below.map(|(next, distance)| (at, next, distance)));
    let pairs: Vec<_> = pairs().filter(|(.., distance)| is_close(*distance)).map(|(at, next, _)| (at, next)).collect();
    let upwards = pairs.iter().rev().map(|(at, next)| (*next, *at));
    for (from, to) in pairs.iter().copied().chain(upwards) {
        let is_known = |at: usize| is_text.get(at).is_some_and(|is_text| *is_text);
        let size = |at: usize| lines.get(at).map_or(0.0, |line| line.size);
        if is_known(from) && !is_known(to) && is_same(size(from), size(to)) {
            is_text.get_mut(to).into_iter().for_each(|is_text| *is_text = true);
            found.push(to);
        }
    }
    found
}

/// The next line below one, of those that are sorted by their baselines, and its distance.
fn next_below(lines: &[&mut TextLine], at: usize, body: f32) -> Option<(usize, f32)> {
    let line = lines.get(at)?;
    let edges = |line: &TextLine| Some((line.words.first()?.left, line.words.last()?.right));
    let (left, right) = edges(line)?;
    let below = lines.iter().enumerate().skip(at + 1).map(|(at, other)| (at, other, other.baseline - line.baseline));
    below
        .skip_while(|(.., distance)| *distance < body / 2.0)
        .take_while(|(.., distance)| *distance < NEXT * body)
        .find(|(_, other, _)| {
            edges(other).is_some_and(|(other_left, other_right)| {
                let shorter = (right - left).min(other_right - other_left);
                right.min(other_right) - left.max(other_left) > shorter / 2.0
            })
        })
        .map(|(at, _, distance)| (at, distance))
}

#[cfg(test)]
mod tests {
    use super::super::Placed;
    use super::*;

    /// Lines of these baselines and sizes, from the left to the right edge of a column.
    fn lines(places: &[(f32, f32)]) -> Vec<TextLine> {
        let line = |(baseline, size): &(f32, f32)| {
            let words = vec![Placed { text: "words of a line".into(), left: 10.0, right: 300.0 }];
            TextLine { words, angle: 0, baseline: *baseline, size: *size }
        };
        places.iter().map(line).collect()
    }

    fn settled(places: &[(f32, f32)]) -> Vec<f32> {
        let mut lines = lines(places);
        settle(&mut lines, 20.0);
        lines.iter().map(|line| line.size).collect()
    }

    #[test]
    fn a_line_within_a_paragraph_has_the_size_of_the_text() {
        let places = [(100.0, 20.0), (130.0, 20.0), (160.0, 24.0), (190.0, 20.0), (220.0, 20.0)];
        assert_eq!(settled(&places), [20.0; 5]);
    }

    #[test]
    fn a_heading_that_is_apart_from_the_text_above_keeps_its_size() {
        let places = [(100.0, 20.0), (130.0, 20.0), (175.0, 24.0), (205.0, 20.0), (235.0, 20.0)];
        assert_eq!(settled(&places), [20.0, 20.0, 24.0, 20.0, 20.0]);
        // Much larger ones, and the first of a page.
        let places = [(70.0, 24.0), (100.0, 20.0), (130.0, 20.0), (160.0, 30.0), (190.0, 20.0), (220.0, 20.0)];
        assert_eq!(settled(&places), [24.0, 20.0, 20.0, 30.0, 20.0, 20.0]);
    }

    #[test]
    fn lines_that_become_larger_step_by_step_have_one_size() {
        let places = [(100.0, 16.5), (130.0, 18.2), (160.0, 20.0), (190.0, 21.9), (220.0, 24.1), (250.0, 26.5)];
        // Two of them count as the size of the text anyway.
        assert_eq!(settled(&places), [20.0, 18.2, 20.0, 21.9, 20.0, 20.0]);
        // One that is larger at once is a heading.
        let places = [(100.0, 26.0), (130.0, 20.0), (160.0, 20.0), (190.0, 20.0), (220.0, 20.0), (250.0, 20.0)];
        assert_eq!(settled(&places)[..2], [26.0, 20.0]);
    }
}
