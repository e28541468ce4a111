//! Heading detection: by the outline of the document, else by font size and weight.

use super::list;
use super::paragraph::Paragraph;
use hayro_syntax::Pdf;
use hayro_syntax::object::{Dict, ObjectIdentifier, String as PdfString};
use std::collections::{BTreeMap, BTreeSet};

/// Minimum font size of a heading relative to the text.
const LARGER: f32 = 1.12;
/// Maximum length of a heading in lines, in characters, and in characters of a bold one.
const MAX_LINES: usize = 4;
const MAX_LETTERS: usize = 200;
const MAX_BOLD_LETTERS: usize = 120;
/// Maximum length of a heading that ends like a sentence, and minimum relative font size of a longer one, which is a
/// title.
const MAX_SENTENCE: usize = 40;
const TITLE: f32 = 1.4;
/// Maximum number of outline entries, and maximum depth.
const MAX_ENTRIES: usize = 20_000;
const MAX_DEPTH: u8 = 20;

/// A heading style: font size in half points, and whether it is bold. Larger ones come first.
type Look = (std::cmp::Reverse<i32>, std::cmp::Reverse<bool>);

/// The heading levels of a document.
#[derive(Debug)]
pub(super) struct Headings {
    /// Font size of the text.
    body: f32,
    /// Whether most of the text is bold, so that weight does not indicate headings.
    bold: bool,
    outline: BTreeMap<String, u8>,
    levels: BTreeMap<Look, u8>,
}

impl Headings {
    /// Determines the levels from all paragraphs of a document; the arguments include the number of characters in
    /// tables.
    pub(super) fn find<'p>(
        pdf: Option<&Pdf>,
        body: f32,
        tables: usize,
        paragraphs: impl Iterator<Item = &'p Paragraph>,
    ) -> Self {
        let outline = pdf.map(outline).unwrap_or_default();
        let mut headings = Self { body, bold: false, outline, levels: BTreeMap::new() };
        let paragraphs: Vec<&Paragraph> = paragraphs.collect();
        let letters = |paragraph: &Paragraph| paragraph.lines.iter().map(|line| line.text().len()).sum::<usize>();
        let all: usize = tables + paragraphs.iter().map(|paragraph| letters(paragraph)).sum::<usize>();
        let bold = paragraphs.iter().filter(|paragraph| paragraph.lines.iter().all(|line| line.bold));
        headings.bold = bold.map(|paragraph| letters(paragraph)).sum::<usize>() * 3 > all;
        let mut votes: BTreeMap<Look, BTreeMap<u8, usize>> = BTreeMap::new();
        for paragraph in paragraphs {
            if let Some(look) = headings.look(paragraph) {
                let vote = votes.entry(look).or_default();
                if let Some(level) = headings.outlined(paragraph) {
                    *vote.entry(level).or_default() += 1;
                }
            }
        }
        let (mut above, mut last) = (0, None);
        for (look, vote) in votes {
            let most = vote.into_iter().max_by_key(|(level, count)| (*count, std::cmp::Reverse(*level)));
            // Nearly equal sizes count as one.
            let same = last.is_some_and(|last: Look| last.1 == look.1 && look.0.0 * 100 >= last.0.0 * 94);
            let next = if same { above } else { above + 1 };
            let level = most.map_or(next, |(level, _)| level).clamp(1, 6);
            headings.levels.insert(look, level);
            (above, last) = (level, Some(look));
        }
        headings
    }

    /// The level of a paragraph, if it is a heading.
    pub(super) fn level(&self, paragraph: &Paragraph) -> Option<u8> {
        let look = self.look(paragraph)?;
        self.outlined(paragraph).or_else(|| self.levels.get(&look).copied())
    }

    fn outlined(&self, paragraph: &Paragraph) -> Option<u8> {
        self.outline.get(&plain(&super::paragraph::joined(&paragraph.lines))).copied()
    }

    /// The style of a paragraph, if it may be a heading.
    fn look(&self, paragraph: &Paragraph) -> Option<Look> {
        let lines = &paragraph.lines;
        let text = super::paragraph::joined(lines);
        let letters = text.chars().count();
        let size = lines.iter().map(|line| line.size).reduce(f32::max)?;
        let bold = lines.iter().all(|line| line.bold);
        if paragraph.code
            || paragraph.turned
            || lines.first()?.words.first().is_some_and(|word| list::is_bullet(&word.text))
        {
            return None;
        }
        if lines.len() > MAX_LINES || letters > MAX_LETTERS {
            return None;
        }
        if text.chars().filter(|c| c.is_alphabetic()).count() < 2 || text.contains("....") || text.contains(". . .") {
            return None;
        }
        // Sentences in large type, as in a notice, are text.
        let sentence = letters > MAX_SENTENCE && text.ends_with(['.', ',', ';', ':', '-']);
        let wide = letters > MAX_BOLD_LETTERS && size < TITLE * self.body;
        let large = size > LARGER * self.body && !sentence && !wide;
        let strong = bold
            && !self.bold
            && size > 0.95 * self.body
            && letters <= MAX_BOLD_LETTERS
            && lines.len() <= 2
            && !text.ends_with(['.', ',', ';', ':', '-']);
        let named = (bold || size > 1.03 * self.body) && self.outlined(paragraph).is_some();
        (large || strong || named).then_some((std::cmp::Reverse((size * 2.0).round() as i32), std::cmp::Reverse(bold)))
    }
}

/// A title without spaces and punctuation, for comparison.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The titles of the outline with their levels.
fn outline(pdf: &Pdf) -> BTreeMap<String, u8> {
    let mut titles = BTreeMap::new();
    let mut seen: BTreeSet<ObjectIdentifier> = BTreeSet::new();
    let catalog = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id());
    let first = catalog.and_then(|catalog| catalog.get::<Dict<'_>>("Outlines")?.get::<Dict<'_>>("First"));
    let mut open: Vec<(u8, Dict<'_>)> = first.map(|first| (1, first)).into_iter().collect();
    while let Some((level, entry)) = open.pop() {
        if titles.len() > MAX_ENTRIES || entry.obj_id().is_some_and(|id| !seen.insert(id)) {
            continue;
        }
        if let Some(title) = entry.get::<PdfString<'_>>("Title") {
            let title = plain(&super::metadata::text_string(title.as_bytes()));
            if title.len() > 1 {
                titles.entry(title).or_insert(level);
            }
        }
        if let Some(next) = entry.get::<Dict<'_>>("Next") {
            open.push((level, next));
        }
        if let Some(first) = entry.get::<Dict<'_>>("First").filter(|_| level < MAX_DEPTH) {
            open.push((level + 1, first));
        }
    }
    titles
}
