//! From the lines of pages to Markdown: running headers, paragraphs, tables, headings and lists. The lines may come from the
//! characters of a PDF or from words that were recognised in pictures.

use super::glyph::Rule;
use super::heading::Headings;
use super::line::Line;
use super::list::{self, Mark};
use super::paragraph::{self, Paragraph, Words};
use super::reading_order::{self, Part};
use super::{Sheet, ruled_table, running_headers};
use crate::Writer;
use hayro_syntax::Pdf;
use socle_core::Result;
use std::collections::BTreeMap;

/// A block of a page.
enum Piece {
    Paragraph(Paragraph),
    Table(Vec<Vec<String>>),
}

/// Writes the pages, each with its number. The outline of `pdf` tells headings.
///
/// # Errors
/// As [`crate::extract`].
pub(super) fn write(mut sheets: Vec<Sheet>, pdf: Option<&Pdf>, writer: &mut Writer) -> Result<()> {
    running_headers::remove(&mut sheets);
    let body = body(sheets.iter().flat_map(|sheet| &sheet.lines)).unwrap_or_default();
    let mut words = Words::default();
    sheets
        .iter()
        .flat_map(|sheet| sheet.lines.iter().chain(sheet.turned.iter().flatten()))
        .for_each(|line| words.learn(line));
    let mut found: Vec<Contents> = sheets.into_iter().map(|sheet| contents_of(sheet, body)).collect();
    mend(&mut found);
    let paragraphs = found.iter().flat_map(Contents::pieces).filter_map(|piece| match piece {
        Piece::Paragraph(paragraph) => Some(paragraph),
        Piece::Table(_) => None,
    });
    let tables = found.iter().flat_map(Contents::pieces).map(|piece| match piece {
        Piece::Table(rows) => rows.iter().flatten().map(String::len).sum::<usize>(),
        Piece::Paragraph(_) => 0,
    });
    let headings = Headings::find(pdf, body.size, tables.sum(), paragraphs);
    let mut pen = Pen { writer, headings, words, marks: Vec::new(), last: 0.0 };
    for (number, contents) in (1..).zip(found) {
        pen.writer.page(number);
        pen.writer.set_permille(contents.permille);
        pen.marks.clear();
        for piece in contents.head.into_iter().chain(contents.body).chain(contents.foot) {
            pen.write(piece)?;
        }
    }
    pen.writer.set_permille(None);
    Ok(())
}

/// The blocks of a page: those of a running header that first occurs on it, of the text, and of a running footer.
struct Contents {
    head: Vec<Piece>,
    body: Vec<Piece>,
    foot: Vec<Piece>,
    /// See [`Sheet::permille`].
    permille: Option<u16>,
}

impl Contents {
    fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.head.iter().chain(&self.body).chain(&self.foot)
    }
}

fn contents_of(sheet: Sheet, body: Body) -> Contents {
    let margin = |lines: Vec<Line>| {
        let paragraphs = lines.into_iter().flat_map(|line| paragraph::paragraphs(vec![line], |_| false));
        paragraphs.map(Piece::Paragraph).collect()
    };
    let mut pieces = Vec::new();
    arrange(sheet.lines, &sheet.rules, body, &mut pieces);
    let upright = pieces.len();
    for lines in sheet.turned {
        arrange(lines, &[], body, &mut pieces);
    }
    for piece in pieces.iter_mut().skip(upright) {
        if let Piece::Paragraph(paragraph) = piece {
            paragraph.turned = true;
        }
    }
    Contents { head: margin(sheet.head), body: pieces, foot: margin(sheet.foot), permille: sheet.permille }
}

/// The most common appearance of text.
#[derive(Clone, Copy)]
pub(super) struct Body {
    pub(super) size: f32,
    mono: bool,
}

impl Default for Body {
    fn default() -> Self {
        Self { size: 10.0, mono: false }
    }
}

pub(super) fn body<'l>(lines: impl Iterator<Item = &'l Line>) -> Option<Body> {
    let mut sizes: BTreeMap<(i32, bool), usize> = BTreeMap::new();
    for line in lines {
        let letters: usize = line.words.iter().map(|word| word.text.len()).sum();
        *sizes.entry(((line.size * 2.0).round() as i32, line.mono)).or_default() += letters;
    }
    let ((size, mono), _) = sizes.into_iter().max_by_key(|(look, letters)| (*letters, *look))?;
    Some(Body { size: size as f32 / 2.0, mono })
}

/// Arranges the lines of a page as paragraphs and tables in reading order.
fn arrange(mut lines: Vec<Line>, rules: &[Rule], body: Body, pieces: &mut Vec<Piece>) {
    let tables = ruled_table::tables(rules, &mut lines);
    let start = pieces.len();
    for part in reading_order::parts(lines, tables) {
        match part {
            Part::Table(table) => pieces.push(Piece::Table(table.rows)),
            Part::Lines(lines) => {
                let mut paragraphs = paragraph::paragraphs(lines, |line| line.mono && !body.mono).into_iter();
                let first = paragraphs.next();
                // A paragraph may continue in the next column.
                match (pieces.get_mut(start..).and_then(<[Piece]>::last_mut), first) {
                    (Some(Piece::Paragraph(last)), Some(first)) if last.goes_on_in(&first) => last.take(first),
                    (_, first) => pieces.extend(first.map(Piece::Paragraph)),
                }
                pieces.extend(paragraphs.map(Piece::Paragraph));
            }
        }
    }
}

/// Joins words that are hyphenated across pages; paragraphs stay on their pages.
fn mend(pages: &mut [Contents]) {
    for at in 1..pages.len() {
        let (before, after) = pages.split_at_mut(at);
        let last = before.last_mut().and_then(|page| page.body.last_mut());
        if let (Some(Piece::Paragraph(last)), Some(Piece::Paragraph(first))) =
            (last, after.first_mut().and_then(|page| page.body.first_mut()))
            && last.goes_on_in(first)
        {
            last.take_rest(first);
        }
    }
}

/// Writes blocks and tracks the nesting of lists.
struct Pen<'w> {
    writer: &'w mut Writer,
    headings: Headings,
    words: Words,
    /// Horizontal positions of the markers of open lists.
    marks: Vec<f32>,
    /// Position of the last line of the last item.
    last: f32,
}

impl Pen<'_> {
    fn write(&mut self, piece: Piece) -> Result<()> {
        let paragraph = match piece {
            Piece::Table(rows) => {
                self.marks.clear();
                return self.writer.table(&rows);
            }
            Piece::Paragraph(paragraph) => paragraph,
        };
        let text = paragraph.text(&self.words);
        if let Some(level) = self.headings.level(&paragraph) {
            self.marks.clear();
            return self.writer.heading(level, &text);
        }
        if let Some((mark, rest)) = list::item(&text).filter(|_| paragraph.item) {
            let depth = self.depth(&paragraph);
            let number = if let Mark::Number(number) = mark { Some(number) } else { None };
            return self.writer.list_item(depth, number, rest);
        }
        self.marks.clear();
        if paragraph.code { self.writer.code(None, &paragraph.program()) } else { self.writer.paragraph(&text) }
    }

    /// The depth of an item, by the horizontal position of its marker.
    fn depth(&mut self, item: &Paragraph) -> usize {
        let (Some(first), Some(last)) = (item.lines.first(), item.lines.last()) else { return 0 };
        // A list restarts in the next column.
        if first.y < self.last {
            self.marks.clear();
        }
        self.last = last.y;
        let near = 0.5 * first.size;
        self.marks.retain(|mark| *mark < first.x0 + near);
        if self.marks.last().is_none_or(|mark| *mark < first.x0 - near) {
            self.marks.push(first.x0);
        }
        self.marks.len().saturating_sub(1)
    }
}
