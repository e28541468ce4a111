//! Joins lines to paragraphs and paragraphs to text: finds ends of paragraphs, intended line breaks, and hyphens that
//! are due to line breaking.

use super::line::Line;
use super::list::{self, Mark};
use std::collections::HashSet;

/// The words of a document, to distinguish hyphens in words from hyphenation.
#[derive(Debug, Default)]
pub(super) struct Words(HashSet<String>);

/// Maximum number of words stored.
const MAX_WORDS: usize = 200_000;

/// The lines of a paragraph.
#[derive(Debug)]
pub(super) struct Paragraph {
    pub(super) lines: Vec<Line>,
    /// For each line, whether an intended line break precedes it.
    breaks: Vec<bool>,
    /// Whether it is a list item.
    pub(super) item: bool,
    /// Whether it is preformatted.
    pub(super) code: bool,
    /// Whether it is not in the main direction of the page.
    pub(super) turned: bool,
}

impl Words {
    /// Stores the words of a line except for the last, which may be hyphenated.
    pub(super) fn learn(&mut self, line: &Line) {
        let whole = line.words.len().saturating_sub(1);
        for word in line.words.iter().take(whole) {
            let word = word.text.trim_matches(|c: char| !c.is_alphanumeric());
            if self.0.len() < MAX_WORDS && word.chars().count() > 3 {
                self.0.insert(word.to_lowercase());
            }
        }
    }

    fn knows(&self, word: &str) -> bool {
        self.0.contains(&word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase())
    }
}

impl Paragraph {
    /// Its text with intended line breaks.
    pub(super) fn text(&self, words: &Words) -> String {
        let mut text = String::new();
        for (at, line) in self.lines.iter().enumerate() {
            let wanted = self.breaks.get(at).copied().unwrap_or(false);
            append(&mut text, &line.text(), wanted, words);
        }
        text
    }

    /// Whether it continues in `next`, which is in the next column or on the next page.
    pub(super) fn goes_on_in(&self, next: &Self) -> bool {
        let (Some(last), Some(first)) = (self.lines.last(), next.lines.first()) else { return false };
        let (end, start) = (last.text(), first.text());
        !(self.code || next.code || next.item)
            && last.bold == first.bold
            && (last.size - first.size).abs() < 0.04 * last.size
            && start.chars().next().is_some_and(char::is_lowercase)
            && end.chars().last().is_some_and(|c| c.is_alphanumeric() || matches!(c, ',' | '-' | '\u{2010}' | '\u{ad}'))
    }

    /// Appends the lines of its continuation.
    pub(super) fn take(&mut self, next: Self) {
        self.breaks.push(false);
        self.breaks.extend(next.breaks.into_iter().skip(1));
        self.lines.extend(next.lines);
    }

    /// Moves the rest of a hyphenated word from the next page to this one.
    pub(super) fn take_rest(&mut self, next: &mut Self) {
        let (Some(last), Some(first)) = (self.lines.last(), next.lines.first_mut()) else { return };
        let cut = last.text().ends_with(['-', '\u{2010}', '\u{ad}']);
        if cut && let Some(rest) = first.split_off(1) {
            let word = std::mem::replace(first, rest);
            self.lines.push(word);
            self.breaks.push(false);
        }
    }

    /// Its lines with indentation, as source code.
    pub(super) fn program(&self) -> String {
        let left = self.lines.iter().map(|line| line.x0).fold(f32::MAX, f32::min);
        let mut text = String::new();
        let mut last: Option<&Line> = None;
        for line in &self.lines {
            // The width of a character in a monospaced font.
            let letters: usize = line.words.iter().map(|word| word.text.chars().count()).sum();
            let width: f32 = line.words.iter().map(|word| word.x1 - word.x0).sum::<f32>() / letters.max(1) as f32;
            let count = |gap: f32| if width > 0.1 { ((gap / width).round().max(0.0) as usize).min(200) } else { 0 };
            if let Some(last) = last {
                text.push('\n');
                if line.y - last.y > 1.7 * line.size {
                    text.push('\n');
                }
            }
            text.push_str(&" ".repeat(count(line.x0 - left)));
            let mut end = line.x0;
            for word in &line.words {
                text.push_str(&" ".repeat(count(word.x0 - end)));
                text.push_str(&word.text);
                end = word.x1;
            }
            last = Some(line);
        }
        text
    }
}

/// Joins lines to one.
pub(super) fn joined(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        append(&mut text, &line.text(), false, &Words::default());
    }
    text
}

/// Appends a line to a text, resolving hyphenation.
fn append(text: &mut String, line: &str, wanted: bool, words: &Words) {
    let Some(first) = line.chars().next() else { return };
    let Some(last) = text.chars().last() else {
        text.push_str(line);
        return;
    };
    if matches!(last, '-' | '\u{2010}' | '\u{ad}') && !wanted {
        match hyphen(text, line, words) {
            Hyphen::Drop => drop(text.pop()),
            Hyphen::Keep => {}
            Hyphen::Space => text.push(' '),
        }
    } else if wanted {
        text.push('\n');
    } else if !(ideographic(last) && ideographic(first)) {
        text.push(' ');
    }
    text.push_str(line);
}

/// The meaning of a hyphen at the end of a line.
enum Hyphen {
    /// Hyphenation: it is removed.
    Drop,
    /// Part of a compound word: it is kept, without a space after it.
    Keep,
    /// A suspended hyphen or a dash: it is kept, with a space after it.
    Space,
}

fn hyphen(text: &str, line: &str, words: &Words) -> Hyphen {
    /// Conjunctions that follow a suspended hyphen.
    const AND: [&str; 9] = ["und", "oder", "bzw", "bzw.", "sowie", "and", "or", "et", "ou"];
    /// Words that French attaches with a hyphen.
    const HUNG: [&str; 24] = [
        "il", "ils", "elle", "elles", "on", "je", "tu", "nous", "vous", "ce", "ci", "là", "même", "mêmes", "être",
        "le", "la", "les", "moi", "y", "dessous", "dessus", "delà", "après",
    ];
    let before = text.rsplit(char::is_whitespace).next().unwrap_or_default();
    let stem = before.trim_end_matches(['-', '\u{2010}', '\u{ad}']);
    let first = line.split(char::is_whitespace).next().unwrap_or_default();
    let part = stem.rsplit('-').next().unwrap_or_default();
    let (Some(last), Some(next)) = (stem.chars().last(), first.chars().next()) else { return Hyphen::Space };
    if before.ends_with('\u{ad}') {
        return Hyphen::Drop;
    }
    if AND.contains(&first.trim_end_matches(',')) {
        return Hyphen::Space;
    }
    if !last.is_alphabetic() || !next.is_lowercase() {
        return if next.is_alphanumeric() { Hyphen::Keep } else { Hyphen::Space };
    }
    if words.knows(&format!("{stem}{first}")) {
        return Hyphen::Drop;
    }
    let word = first.trim_end_matches(|c: char| !c.is_alphanumeric());
    let hung = HUNG.contains(&word) || word.starts_with("t-");
    // "state-of-" continues a compound word, and so does "x-".
    let chain = part.chars().count() <= if stem.contains('-') { 3 } else { 1 };
    if hung || chain || words.knows(&format!("{stem}-{first}")) { Hyphen::Keep } else { Hyphen::Drop }
}

/// Whether a character is of a script without spaces between words.
fn ideographic(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}' | '\u{20000}'..='\u{3ffff}')
        && !matches!(c, '\u{3130}'..='\u{318f}')
}

/// Splits the lines of a block into paragraphs; `program` tells which lines are source code.
pub(super) fn paragraphs(lines: Vec<Line>, program: impl Fn(&Line) -> bool) -> Vec<Paragraph> {
    let edges = Edges::of(&lines);
    let mut paragraphs: Vec<Paragraph> = Vec::new();
    for line in lines {
        let code = program(&line);
        let text = line.text();
        let found = list::item(&text).map(|(mark, _)| mark);
        let last = paragraphs.last_mut().filter(|last| last.code == code);
        if let Some(paragraph) = last
            && let Some(before) = paragraph.lines.last()
        {
            if code {
                paragraph.lines.push(line);
                continue;
            }
            let ended = edges.ended(before, &line);
            if !edges.begins(paragraph, before, &line, found.as_ref(), ended) {
                paragraph.breaks.push(ended && !before.text().ends_with(['-', '\u{2010}', '\u{ad}']));
                paragraph.lines.push(line);
                continue;
            }
        }
        let item = found.is_some() && !code;
        paragraphs.push(Paragraph { lines: vec![line], breaks: vec![false], item, code, turned: false });
    }
    paragraphs
}

/// The layout of the lines of a block.
struct Edges {
    left: f32,
    right: f32,
    /// Step from line to line in points.
    step: Option<f32>,
}

impl Edges {
    fn of(lines: &[Line]) -> Self {
        let mut steps: Vec<f32> = lines
            .windows(2)
            .filter_map(|pair| match pair {
                [a, b] if (a.size - b.size).abs() < 0.08 * a.size => Some((b.y - a.y) / a.size),
                _ => None,
            })
            .collect();
        steps.sort_by(f32::total_cmp);
        Self {
            left: lines.iter().map(|line| line.x0).fold(f32::MAX, f32::min),
            right: lines.iter().map(|line| line.x1).fold(f32::MIN, f32::max),
            // The step inside paragraphs is among the smaller ones.
            step: steps.get(steps.len() / 3).copied(),
        }
    }

    /// Whether the first word of the next line would have fitted on a line, so that the break is intended.
    fn ended(&self, before: &Line, line: &Line) -> bool {
        let first = line.words.first().map_or(0.0, |word| word.x1 - word.x0);
        before.x1 + first + 0.7 * before.size < self.right
    }

    /// Whether a line starts a new paragraph.
    fn begins(&self, paragraph: &Paragraph, before: &Line, line: &Line, mark: Option<&Mark>, ended: bool) -> bool {
        let size = before.size.max(line.size);
        if (before.size - line.size).abs() > 0.08 * size || (before.bold != line.bold && (ended || line.bold)) {
            return true;
        }
        let step = (line.y - before.y) / size;
        if step > self.step.map_or(1.6, |usual| (usual * 1.25).max(usual + 0.12)) {
            return true;
        }
        let text = before.text();
        let finished = text.trim_end_matches(['"', '”', '“', '»', ')', ']']).ends_with(['.', '!', '?', ':', ';', '…']);
        match mark {
            Some(Mark::Bullet) => return ended || paragraph.item || finished || line.x0 > before.x0,
            Some(mark) => {
                let counts_on = match (list::item(&first_text(paragraph)), mark) {
                    (Some((Mark::Number(last), _)), Mark::Number(number)) => *number == last + 1,
                    _ => false,
                };
                return ended || finished || counts_on || line.x0 - before.x0 > 0.5 * size;
            }
            None => {}
        }
        let indented = line.x0 - before.x0 > 0.8 * size && before.x0 - self.left < 0.4 * size && !paragraph.item;
        let outdented = paragraph.item && paragraph.lines.first().is_some_and(|first| line.x0 < first.x0 - 0.3 * size);
        (ended && finished) || ((indented || outdented) && (ended || finished))
    }
}

fn first_text(paragraph: &Paragraph) -> String {
    paragraph.lines.first().map(Line::text).unwrap_or_default()
}
