//! The picture of a line as it is given to the recognition graph, and the words that come back.

use crate::characters::Read;
use crate::pixels::Pixels;
use crate::shape::{Place, Point};
use crate::tensor::Tensor;
use std::ops::Range;

/// Height of a line in pixels: what the graphs of PP-OCR are trained with.
pub const HEIGHT: usize = 48;

/// Width of a line as it is read, as a share of what belongs to its height. Narrower letters are read as well, and the work is
/// in proportion to the width; with 0.75, those of closely set lines are read badly.
const WIDTH_SHARE: f32 = 0.85;

/// Longest line that is read at once, in pixels. Longer ones are cut at a gap.
const MAX_WIDTH: usize = 3_200;

/// Most characters of a line that is read at once: PP-OCR says one for each 8 pixels.
pub const LONGEST_LINE: u32 = (MAX_WIDTH / 8) as u32;

/// Shortest width of what is read, in pixels; a shorter line is followed by its background.
const MIN_WIDTH: usize = 48;

/// Share of the height that a gap between letters has at least where words are told apart though the graph reads no space:
/// the columns of a table. Words are 0.2 to 0.3 apart.
const COLUMN_GAP: f32 = 0.5;

/// Probability of a space from which there is one, though a letter or nothing is more probable: in closely set lines. Inside of
/// words, it is below 0.05.
const PROBABLE_SPACE: f32 = 0.2;

/// How far from a character that was read its own ink may be, as a share of the height; and the width of the ink of a character
/// that was not. Both are generous: a few letters that are read as others count for nothing.
const REACH: f32 = 0.6;
const CHARACTER_WIDTH: f32 = 0.4;

/// Share of the height from which the ink of a column may be a letter. Dots and rules are lower.
const LETTER_HEIGHT: f32 = 0.25;

/// A line as it is given to the recognition graph.
#[derive(Clone, Debug)]
pub struct Line {
    /// Where it is in the picture.
    pub place: Place,
    /// Its pixels. The line itself has `width` columns, the rest is background.
    pub pixels: Tensor,
    width: usize,
    /// Columns of its pixels.
    given: usize,
    /// For each column whether there is something on the background.
    inked: Vec<bool>,
    /// For each column whether that is as high as letters are.
    tall: Vec<bool>,
}

/// What was read in a line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadLine {
    /// Its words.
    pub words: Vec<LineWord>,
    /// About how many characters there are of which nothing was read, as of letters that the model cannot write.
    pub unread: f32,
}

/// A word of a line: its text, how sure it is, and which columns of the line it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct LineWord {
    /// Its characters.
    pub text: String,
    /// Mean over its characters, from 0 to 1.
    pub confidence: f32,
    /// Its corners in the picture.
    pub quad: [Point; 4],
}

impl Line {
    /// The line at a place: one, or several where it is too long for one.
    pub fn cut_out(pixels: &Pixels<'_>, place: Place) -> Vec<Self> {
        let whole = Self::new(pixels, place);
        if whole.width <= MAX_WIDTH {
            return vec![whole];
        }
        let cut = whole.widest_gap(whole.width / 4..whole.width * 3 / 4);
        let share = cut as f32 / whole.width as f32;
        let [a, b, c, d] = place.corners;
        let (above, below) = (between(a, b, share), between(d, c, share));
        let mut lines = Self::cut_out(pixels, Place::straight([a, above, below, d]));
        lines.extend(Self::cut_out(pixels, Place::straight([above, b, c, below])));
        lines
    }

    fn new(pixels: &Pixels<'_>, place: Place) -> Self {
        let ratio = place.length() / place.height().max(1.0);
        let width = ((ratio * HEIGHT as f32 * WIDTH_SHARE).round() as usize).max(1);
        let mut piece = pixels.line(&place, (HEIGHT, width));
        let (inked, tall) = ink(&piece, width);
        if width < MIN_WIDTH {
            piece = widened(&piece, width);
        }
        let given = width.max(MIN_WIDTH);
        Self { place, pixels: piece, width, given, inked, tall }
    }

    /// The pixels of a place alone, at the full width that belongs to its height.
    pub fn alone(pixels: &Pixels<'_>, place: &Place) -> Tensor {
        let ratio = place.length() / place.height().max(1.0);
        let width = ((ratio * HEIGHT as f32).round() as usize).clamp(1, MAX_WIDTH);
        let piece = pixels.line(place, (HEIGHT, width));
        if width < MIN_WIDTH { widened(&piece, width) } else { piece }
    }

    /// The middle of the line, of four times the height, as the direction graph takes it.
    pub fn middle(&self) -> Tensor {
        const PIECE: usize = 4 * HEIGHT;
        let mut piece = Tensor::picture(HEIGHT, PIECE);
        let columns = self.width.min(PIECE);
        let first = (self.width - columns) / 2;
        for (from, to) in self.pixels.values.chunks_exact(self.given).zip(piece.values.chunks_exact_mut(PIECE)) {
            to[..columns].copy_from_slice(&from[first..first + columns]);
        }
        piece
    }

    /// Its pixels, which are needed once: words are found without them.
    pub fn take_pixels(&mut self) -> Tensor {
        std::mem::take(&mut self.pixels)
    }

    /// The middle of the widest gap between letters in these columns, or their middle.
    fn widest_gap(&self, columns: Range<usize>) -> usize {
        let middle = (columns.start + columns.end) / 2;
        gaps(&self.inked, columns).max_by_key(ExactSizeIterator::len).map_or(middle, |gap| (gap.start + gap.end) / 2)
    }

    /// What was read, and how much was not.
    pub fn read(&self, read: &[Read<'_>]) -> ReadLine {
        let words = self.words(read);
        let unit = HEIGHT as f32 * WIDTH_SHARE;
        let reach = (REACH * unit) as usize;
        let mut is_unread = self.tall.clone();
        for read in read.iter().filter(|read| !read.text.trim().is_empty()) {
            let column = (read.at * self.given as f32) as usize;
            let reached = column.saturating_sub(reach).min(self.width)..(column + reach).min(self.width);
            is_unread[reached].fill(false);
        }
        let columns = is_unread.iter().filter(|unread| **unread).count();
        ReadLine { words, unread: columns as f32 / (CHARACTER_WIDTH * unit) }
    }

    /// The words of what was read, in its order.
    fn words(&self, read: &[Read<'_>]) -> Vec<LineWord> {
        let column = |read: &Read<'_>| ((read.at * self.given as f32) as usize).min(self.width.saturating_sub(1));
        let mut words: Vec<Vec<&Read<'_>>> = Vec::new();
        let mut apart = true;
        for read in read {
            if read.text.trim().is_empty() {
                apart = true;
                continue;
            }
            let last = words.last().and_then(|word| word.last()).map(|last| column(last));
            let far =
                |last: usize| self.gap(last, column(read)).len() as f32 > COLUMN_GAP * WIDTH_SHARE * HEIGHT as f32;
            apart |= read.space_before >= PROBABLE_SPACE;
            match words.last_mut() {
                Some(word) if !apart && !last.is_some_and(far) => word.push(read),
                _ => words.push(vec![read]),
            }
            apart = false;
        }
        let ends = words.iter().map(|word| (column(word[0]), column(word[word.len() - 1]))).collect::<Vec<_>>();
        // The graph may be surest of a letter beside it, so that the ends of a line are sought from the other end of its word.
        let word = |(at, word): (usize, &Vec<&Read<'_>>)| {
            let before = at.checked_sub(1).map(|before| self.gap(ends[before].1, ends[at].0).end);
            let after = ends.get(at + 1).map(|next| self.gap(ends[at].1, next.0).start);
            let first = before.unwrap_or_else(|| self.edge(0..ends[at].1 + 1));
            let last = after.unwrap_or_else(|| self.far_edge(ends[at].0..self.width));
            LineWord {
                text: word.iter().map(|read| read.text).collect(),
                confidence: word.iter().map(|read| read.confidence).sum::<f32>() / word.len() as f32,
                quad: self.part(first..last.max(first + 1)),
            }
        };
        words.iter().enumerate().map(word).collect()
    }

    /// The widest gap between the letters at two columns; the middle between them where there is none.
    fn gap(&self, from: usize, to: usize) -> Range<usize> {
        let middle = (from + to) / 2;
        gaps(&self.inked, from..to).max_by_key(ExactSizeIterator::len).unwrap_or(middle..middle)
    }

    /// The first column with a letter.
    fn edge(&self, columns: Range<usize>) -> usize {
        let start = columns.start;
        columns.clone().find(|column| self.inked[*column]).unwrap_or(start)
    }

    /// The column after the last with a letter.
    fn far_edge(&self, columns: Range<usize>) -> usize {
        let end = columns.end;
        columns.rev().find(|column| self.inked[*column]).map_or(end, |last| last + 1)
    }

    /// The corners of some of the columns.
    fn part(&self, columns: Range<usize>) -> [Point; 4] {
        let [a, b, c, d] = self.place.corners;
        let (from, to) = (columns.start as f32 / self.width as f32, columns.end as f32 / self.width as f32);
        let sag = self.place.sag((from + to) / 2.0) / self.place.height().max(1.0);
        let off = ((d.0 - a.0) * sag, (d.1 - a.1) * sag);
        [between(a, b, from), between(a, b, to), between(d, c, to), between(d, c, from)]
            .map(|(x, y)| (x + off.0, y + off.1))
    }
}

fn between(a: Point, b: Point, share: f32) -> Point {
    (a.0 + (b.0 - a.0) * share, a.1 + (b.1 - a.1) * share)
}

/// The stretches of these columns without letters.
fn gaps(inked: &[bool], columns: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let mut at = columns.start;
    std::iter::from_fn(move || {
        let part = inked.get(at..columns.end)?;
        let start = at + part.iter().position(|inked| !inked)?;
        let end =
            inked[start..columns.end].iter().position(|inked| *inked).map_or(columns.end, |length| start + length);
        at = end;
        Some(start..end)
    })
}

/// The line with its background on the right, up to [`MIN_WIDTH`].
fn widened(piece: &Tensor, width: usize) -> Tensor {
    let mut wide = Tensor::picture(HEIGHT, MIN_WIDTH);
    for (from, to) in piece.values.chunks_exact(width).zip(wide.values.chunks_exact_mut(MIN_WIDTH)) {
        to[..width].copy_from_slice(from);
        to[width..].fill(from[width - 1]);
    }
    wide
}

/// For each column whether it has pixels of the colour that fewer have, and whether these are as high as letters: the two colours
/// are told apart so that both vary least (Otsu 1979).
fn ink(piece: &Tensor, width: usize) -> (Vec<bool>, Vec<bool>) {
    const LEVELS: usize = 32;
    let plane = HEIGHT * width;
    let lightness = |at: usize| (piece.values[at] + piece.values[plane + at] + piece.values[2 * plane + at]) / 3.0;
    let level = |at: usize| (((lightness(at) + 1.0) / 2.0 * LEVELS as f32) as usize).min(LEVELS - 1);
    let mut counts = [0.0_f32; LEVELS];
    (0..plane).for_each(|at| counts[level(at)] += 1.0);
    let total: f32 = counts.iter().enumerate().map(|(level, count)| level as f32 * count).sum();
    let (mut best, mut threshold, mut darker, mut sum) = (0.0, LEVELS, 0.0, 0.0);
    let mut dark_is_ink = true;
    for (level, count) in counts.iter().enumerate() {
        darker += count;
        sum += level as f32 * count;
        let lighter = plane as f32 - darker;
        if darker == 0.0 || lighter == 0.0 {
            continue;
        }
        let apart = darker * lighter * (sum / darker - (total - sum) / lighter).powi(2);
        if apart > best {
            (best, threshold, dark_is_ink) = (apart, level, darker <= lighter);
        }
    }
    // What is next to the line above and below is left out.
    let rows = HEIGHT / 8..HEIGHT * 7 / 8;
    let is_ink = |x: usize, y: usize| best > 0.0 && (level(y * width + x) <= threshold) == dark_is_ink;
    let extent = |x: usize| {
        let first = rows.clone().find(|y| is_ink(x, *y))?;
        let last = rows.clone().rfind(|y| is_ink(x, *y))?;
        Some(last + 1 - first)
    };
    let least = (LETTER_HEIGHT * HEIGHT as f32) as usize;
    (0..width).map(|x| extent(x).map_or((false, false), |height| (true, height >= least))).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::{Channels, Picture};
    use crate::pixels::Tones;

    /// A picture with bars of black at these columns, 40 rows high.
    fn bars(width: usize, bars: &[Range<usize>]) -> Picture {
        let row: Vec<u8> = (0..width).map(|x| if bars.iter().any(|bar| bar.contains(&x)) { 0 } else { 255 }).collect();
        let pixels = row.repeat(HEIGHT);
        Picture { width: width as u32, height: HEIGHT as u32, channels: Channels::Grey, pixels, dpi: None }
    }

    fn whole(picture: &Picture) -> Vec<Line> {
        let (width, height) = (picture.width as f32, picture.height as f32);
        Line::cut_out(
            &Pixels::new(picture, &Tones::of(picture)),
            Place::straight([(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)]),
        )
    }

    fn read(text: &'static str, column: usize, of: usize) -> Read<'static> {
        Read { text, at: column as f32 / of as f32, confidence: 0.9, space_before: 0.0 }
    }

    #[test]
    fn words_end_where_their_letters_do() {
        let picture = bars(200, &[10..20, 25..35, 50..60, 65..80]);
        let line = &whole(&picture)[0];
        let letters =
            [read("a", 15, 200), read("b", 29, 200), read(" ", 42, 200), read("c", 55, 200), read("d", 72, 200)];
        let words = line.words(&letters);
        let column = 1.0 / WIDTH_SHARE;
        for (word, (text, left, right)) in words.iter().zip([("ab", 10.0, 35.0), ("cd", 50.0, 80.0)]) {
            assert_eq!(word.text, text);
            assert!((word.quad[0].0 - left).abs() <= column && (word.quad[1].0 - right).abs() <= column, "{word:?}");
        }
        assert_eq!((words.len(), words[0].quad[2].1), (2, HEIGHT as f32));
    }

    #[test]
    fn a_line_ends_with_its_letters_though_the_graph_reads_them_beside() {
        let picture = bars(200, &[30..40, 45..55]);
        let words = whole(&picture)[0].words(&[read("a", 20, 200), read("b", 70, 200)]);
        let (left, right) = (words[0].quad[0].0, words[0].quad[1].0);
        assert!((left - 30.0).abs() < 2.0 && (right - 55.0).abs() < 2.0, "{words:?}");
    }

    #[test]
    fn a_space_that_is_only_probable_parts_words() {
        let picture = bars(200, &[10..20, 25..35, 50..60, 65..80]);
        let mut letters = [read("a", 15, 200), read("b", 29, 200), read("c", 55, 200), read("d", 72, 200)];
        (letters[1].space_before, letters[2].space_before) = (0.05, 0.3);
        let words = whole(&picture)[0].words(&letters);
        assert_eq!(words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>(), ["ab", "cd"]);
    }

    #[test]
    fn columns_far_apart_are_words_though_no_space_was_read() {
        let picture = bars(200, &[10..20, 24..34, 100..110]);
        let letters = [read("1", 15, 200), read("2", 29, 200), read("3", 105, 200)];
        let words = whole(&picture)[0].words(&letters);
        assert_eq!(words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>(), ["12", "3"]);
    }

    #[test]
    fn letters_of_which_nothing_was_read_are_counted() {
        let letters: Vec<_> = (0..40).map(|at| at * 24 + 2..at * 24 + 13).collect();
        let picture = bars(1_000, &letters);
        let line = &whole(&picture)[0];
        let at = |number: usize| read("a", number * 24 + 8, 1_000);
        let unread = |read: Vec<Read<'_>>| line.read(&read).unread;
        assert_eq!(unread((0..40).map(at).collect()), 0.0);
        assert!(unread((0..40).filter(|at| at % 5 > 0).map(at).collect()) < 0.5, "what lies between letters is theirs");
        let (half, all) = (unread((0..20).map(at).collect()), unread(Vec::new()));
        assert!((9.0..14.0).contains(&half) && (20.0..26.0).contains(&all), "{half} {all}");
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_at_a_gap() {
        let long = 5_000;
        let letters: Vec<_> = (0..long).step_by(20).filter(|x| !(2_700..2_740).contains(x)).map(|x| x..x + 8).collect();
        let picture = bars(long, &letters);
        let lines = whole(&picture);
        assert_eq!(lines.len(), 2);
        assert!((lines[0].place.corners[1].0 - 2_714.0).abs() < 2.0, "{:?}", lines[0].place);
        assert_eq!(lines[1].place.corners[0], lines[0].place.corners[1]);
    }

    #[test]
    fn a_short_line_is_followed_by_background() {
        let picture = bars(20, std::slice::from_ref(&(5..10)));
        let line = &whole(&picture)[0];
        assert_eq!(line.pixels.shape, [1, 3, HEIGHT, MIN_WIDTH]);
        assert_eq!((line.pixels.values[5], line.pixels.values[MIN_WIDTH - 1]), (-1.0, 1.0));
        let words = line.words(&[read("i", 5, MIN_WIDTH)]);
        assert!((words[0].quad[0].0 - 5.0).abs() <= 1.25 && (words[0].quad[1].0 - 10.0).abs() <= 1.25, "{words:?}");
    }
}
