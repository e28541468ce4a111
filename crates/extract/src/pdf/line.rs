//! Joins words to lines: words side by side without a wide gap.

use super::bidi;
use super::glyph::{Glyph, Rule};
use super::list;
use super::word::{WORD_GAP, Word, without_doubles, words};
use std::collections::HashMap;

/// Maximum gap between words of a line, as a multiple of the font size, which justified text seldom exceeds; and the
/// same for source code.
const LINE_GAP: f32 = 0.9;
const CODE_GAP: f32 = 20.0;
/// Maximum distance of a list item from its marker, as a multiple of the font size.
const MARK_GAP: f32 = 4.0;

/// Limits per page or line, which bound the time on hostile pages: more vertical rules are a drawing, more markers,
/// pieces side by side or words are not lists or lines.
const MAX_RULES: usize = 2_000;
const MAX_MARKS: usize = 2_000;
const MAX_BESIDE: usize = 64;
const MAX_WORDS: usize = 2_000;
/// Number of words of a line whose font size is examined.
const MOST_SIZES: usize = 40;

/// A line of words.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) words: Vec<Word>,
    pub(super) x0: f32,
    pub(super) x1: f32,
    pub(super) y: f32,
    /// Font size of most of its characters.
    pub(super) size: f32,
    pub(super) bold: bool,
    pub(super) mono: bool,
    pub(super) vertical: bool,
    /// As [`Glyph::tagged`].
    pub(super) tagged: bool,
}

impl Line {
    fn new(words: Vec<Word>) -> Self {
        let vertical = words.iter().any(|word| word.vertical);
        let mut line =
            Self { words, x0: 0.0, x1: 0.0, y: 0.0, size: 0.0, bold: false, mono: false, vertical, tagged: false };
        line.measure();
        line
    }

    /// Derives position and font from the words.
    fn measure(&mut self) {
        let letters = |word: &Word| word.text.chars().count();
        let all: usize = self.words.iter().map(letters).sum();
        let share = |of: fn(&Word) -> bool| self.words.iter().filter(|word| of(word)).map(letters).sum::<usize>();
        self.bold = share(|word| word.bold) * 10 > all * 9;
        self.mono = share(|word| word.mono) * 10 > all * 9;
        self.tagged = self.words.iter().all(|word| word.tagged);
        self.x0 = self.words.iter().map(|word| word.x0).fold(f32::MAX, f32::min);
        self.x1 = self.words.iter().map(|word| word.x1).fold(f32::MIN, f32::max);
        // The font size is that of most characters, the baseline that of the longest word of that size.
        let near = |word: &Word, size: f32| (word.size - size).abs() < 0.04 * size;
        let of_size = |size: f32| self.words.iter().filter(|word| near(word, size)).map(letters).sum::<usize>();
        let size = self.words.iter().take(MOST_SIZES).map(|word| word.size).max_by_key(|size| of_size(*size));
        let size = size.unwrap_or_default();
        let longest = self.words.iter().filter(|word| near(word, size)).max_by_key(|word| letters(word));
        if let Some(word) = longest {
            (self.y, self.size) = (word.y, word.size);
        }
    }

    /// Upper edge of its characters.
    pub(super) fn top(&self) -> f32 {
        self.y - 0.75 * self.size
    }

    /// Lower edge of its characters.
    pub(super) fn bottom(&self) -> f32 {
        self.y + 0.25 * self.size
    }

    /// Its text in logical order. Small raised digits become superscript characters, so that they do not merge with
    /// words.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut before: Option<&Word> = None;
        for word in &self.words {
            if before.is_some_and(|before| apart(before, word)) {
                text.push(' ');
            }
            let small = word.size < 0.85 * self.size;
            let raised = small && self.y - word.y > 0.15 * self.size;
            if raised && word.text.chars().all(|c| c.is_ascii_digit()) {
                text.extend(word.text.chars().filter_map(superscript));
            } else {
                text.push_str(&word.text);
            }
            before = Some(word);
        }
        bidi::to_reading_order(text)
    }

    /// Splits it before the word at index `at`; `None` if nothing would follow.
    pub(super) fn split_off(&mut self, at: usize) -> Option<Self> {
        if at == 0 || at >= self.words.len() {
            return None;
        }
        let rest = Self::new(self.words.split_off(at));
        self.measure();
        Some(rest)
    }

    /// Appends what stands right of it.
    pub(super) fn join(&mut self, other: Self) {
        self.words.extend(other.words);
        self.measure();
    }
}

/// Whether there is a space between two words of a line.
fn apart(before: &Word, word: &Word) -> bool {
    // Superscripts are small and may be somewhat apart.
    let raised = word.size < 0.85 * before.size && before.y - word.y > 0.15 * before.size;
    let least = if raised { 2.0 * WORD_GAP * before.size } else { WORD_GAP * before.size.min(word.size) };
    before.spaces > 0 || word.x0 - before.x1 > least || list::is_bullet(&before.text)
}

fn superscript(digit: char) -> Option<char> {
    "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().nth(digit.to_digit(10)? as usize)
}

/// The lines of a page grouped by writing direction; the main direction comes first.
pub(super) fn lines(glyphs: &[Glyph], rules: &[Rule]) -> Vec<Vec<Line>> {
    let mut directions: Vec<(i16, Vec<Glyph>)> = Vec::new();
    for glyph in glyphs {
        match directions.iter_mut().find(|(angle, _)| *angle == glyph.angle) {
            Some((_, list)) => list.push(*glyph),
            None => directions.push((glyph.angle, vec![*glyph])),
        }
    }
    directions.sort_by_key(|(_, list)| std::cmp::Reverse(list.len()));
    directions
        .into_iter()
        .map(|(angle, glyphs)| {
            let mut rules: Vec<Rule> = rules.iter().filter(|rule| angle == 0 && rule.vertical).copied().collect();
            if rules.len() > MAX_RULES {
                rules.clear();
            }
            let words = without_doubles(words(&bidi::left_to_right(glyphs)));
            with_marks(merge(follow(words, &rules), &rules))
        })
        .filter(|lines| !lines.is_empty())
        .collect()
}

/// Whether a vertical rule is between two words.
fn ruled(rules: &[Rule], left: &Word, right: &Word) -> bool {
    let middle = left.y - 0.3 * left.size;
    let (from, to) = (left.x1 - 0.3 * left.size, right.x0 + 0.3 * right.size);
    rules.iter().any(|rule| rule.at > from && rule.at < to && rule.from < middle && rule.to > middle)
}

/// Joins words that were drawn consecutively on a line.
fn follow(words: Vec<Word>, rules: &[Rule]) -> Vec<Line> {
    let mut rows: Vec<Vec<Word>> = Vec::new();
    for word in words {
        let goes_on = rows.last().is_some_and(|row| follows_in(row, &word, rules));
        match rows.last_mut().filter(|_| goes_on) {
            Some(row) => row.push(word),
            None => rows.push(vec![word]),
        }
    }
    let edge = |row: Option<&Vec<Word>>| Some((row?.first()?.x0, row?.last()?.x1));
    let edges: Vec<Option<(f32, f32)>> = rows.iter().map(|row| edge(Some(row))).collect();
    let mut lines = Vec::new();
    for (at, row) in rows.into_iter().enumerate() {
        let beside: Vec<(f32, f32)> =
            [at.checked_sub(1), Some(at + 1)].into_iter().flatten().filter_map(|at| *edges.get(at)?).collect();
        if is_justified(&row, &beside) {
            lines.push(Line::new(row));
            continue;
        }
        let mut line: Vec<Word> = Vec::new();
        for word in row {
            if line.last().is_some_and(|last| is_wide(last, &word)) {
                lines.push(Line::new(std::mem::take(&mut line)));
            }
            line.push(word);
        }
        lines.push(Line::new(line));
    }
    lines
}

/// Whether a word is on the baseline of the words before it.
fn follows_in(row: &[Word], word: &Word, rules: &[Rule]) -> bool {
    /// Number of preceding words among which one is sought that is neither super- nor subscript.
    const BACK: usize = 8;
    let Some(last) = row.last() else { return false };
    let near = || row.iter().rev().take(BACK);
    let size = near().map(|word| word.size).fold(word.size, f32::max);
    let base = near().find(|word| word.size > 0.85 * size).unwrap_or(last);
    let gap = word.x0 - last.end;
    // A superscript may be above a subscript.
    let stacked = last.size.min(word.size) < 0.85 * size && word.x0 > last.x0 - 0.3 * size;
    (beside(last, word) || beside(base, word)) && (gap > -0.5 * size || stacked) && !ruled(rules, last, word)
}

/// Whether the gap between two words is too wide for one line.
fn is_wide(last: &Word, word: &Word) -> bool {
    // Source code may contain wide gaps; elsewhere, several spaces align columns.
    let both_mono = last.mono && word.mono;
    let widest = if both_mono { CODE_GAP } else { LINE_GAP };
    word.x0 - last.end > widest * last.size.max(word.size) || (last.spaces > 3 && !last.mono)
}

/// Whether wide gaps are due to justification: each has a space, and all are alike, or the line ends where its
/// neighbours do.
fn is_justified(row: &[Word], around: &[(f32, f32)]) -> bool {
    let (Some(first), Some(last)) = (row.first(), row.last()) else { return false };
    let mut gaps = Vec::new();
    for pair in row.windows(2) {
        let [left, right] = pair else { continue };
        if left.spaces == 0 && right.x0 - left.x1 > WORD_GAP * left.size {
            return false;
        }
        if left.spaces > 0 {
            gaps.push(right.x0 - left.x1);
        }
    }
    let narrow = gaps.iter().copied().fold(f32::MAX, f32::min);
    let wide = gaps.iter().copied().fold(f32::MIN, f32::max);
    let near = 0.1 * first.size;
    let filled = around.iter().any(|(x0, x1)| (x0 - first.x0).abs() < near && (x1 - last.x1).abs() < near);
    (gaps.len() >= 3 && wide - narrow < 0.25 * first.size && wide < 8.0 * first.size) || (filled && !gaps.is_empty())
}

/// Whether two words are on one line, including super- and subscripts.
fn beside(a: &Word, b: &Word) -> bool {
    let (low, high) = ((a.y + 0.2 * a.size).min(b.y + 0.2 * b.size), (a.y - 0.75 * a.size).max(b.y - 0.75 * b.size));
    low - high > 0.5 * a.size.min(b.size)
}

/// Joins pieces of a line that were not drawn in order.
fn merge(mut lines: Vec<Line>, rules: &[Rule]) -> Vec<Line> {
    /// Height in points of the strips in which neighbours are sought.
    const STRIP: f32 = 4.0;
    lines.sort_by(|a, b| a.x0.total_cmp(&b.x0));
    let mut merged: Vec<Line> = Vec::with_capacity(lines.len());
    let mut strips: HashMap<i32, Vec<usize>> = HashMap::new();
    for line in lines {
        let strip = (line.y / STRIP) as i32;
        let near = (strip - 1..=strip + 1).filter_map(|strip| strips.get(&strip));
        let near = near.flat_map(|strip| strip.iter().rev().take(MAX_BESIDE));
        let left = near.copied().find(|at| {
            merged.get(*at).is_some_and(|left| {
                let size = left.size.min(line.size);
                let gap = line.x0 - left.x1;
                let (Some(last), Some(first)) = (left.words.last(), line.words.first()) else { return false };
                left.words.len() < MAX_WORDS
                    && (left.y - line.y).abs() < 0.25 * size
                    && gap < 0.4 * size
                    && gap > -0.3 * size
                    && !ruled(rules, last, first)
            })
        });
        match left.and_then(|at| merged.get_mut(at)) {
            Some(left) => left.join(line),
            None => {
                strips.entry(strip).or_default().push(merged.len());
                merged.push(line);
            }
        }
    }
    merged.sort_by(|a, b| a.y.total_cmp(&b.y).then(a.x0.total_cmp(&b.x0)));
    merged
}

/// Joins list markers to their items across the gap.
fn with_marks(lines: Vec<Line>) -> Vec<Line> {
    let mut out: Vec<Line> = Vec::with_capacity(lines.len());
    let mut marks: Vec<Line> = Vec::new();
    for line in lines {
        let text = line.text();
        let mark = list::is_mark(&text) || list::is_section(&text, line.bold);
        if mark && marks.len() < MAX_MARKS { marks.push(line) } else { out.push(line) }
    }
    for mark in marks {
        let item = out
            .iter_mut()
            .filter(|line| (line.y - mark.y).abs() < 0.3 * line.size)
            .filter(|line| line.x0 > mark.x0 && line.x0 - mark.x1 < MARK_GAP * line.size)
            .filter(|line| list::is_mark(&mark.text()) || (line.bold == mark.bold && line.size < 1.2 * mark.size))
            .min_by(|a, b| a.x0.total_cmp(&b.x0));
        match item {
            Some(item) => {
                let mut words = mark.words;
                if let Some(last) = words.last_mut() {
                    last.spaces = last.spaces.max(1);
                }
                words.append(&mut item.words);
                item.words = words;
                item.measure();
            }
            None => out.push(mark),
        }
    }
    out.sort_by(|a, b| a.y.total_cmp(&b.y).then(a.x0.total_cmp(&b.x0)));
    out
}
