//! PDF. `hayro-syntax` parses the file and `hayro-font` its fonts; words, lines, columns, paragraphs, tables and
//! headings are reconstructed here from the positions of characters. Images are not decoded.
//!
//! Not supported: reading order from structure tags, JavaScript, and text drawn as outlines.

mod aligned_table;
mod annotation;
mod bidi;
mod content;
mod decompress;
mod font;
mod glyph;
mod heading;
mod line;
mod list;
mod metadata;
mod page_number;
mod paragraph;
mod reading_order;
mod ruled_table;
mod running_headers;
mod tex_encoding;
mod unicode;
mod word;
mod xfa;

use crate::{Limits, Writer};
use annotation::Form;
use content::Run;
use font::Fonts;
use glyph::{Page as Found, Rule};
use hayro_font::kurbo::Affine;
use hayro_syntax::object::{Object, Stream};
use hayro_syntax::page::{Page, Rotation};
use hayro_syntax::{DecryptionError, LoadPdfError, Pdf};
use heading::Headings;
use line::Line;
use list::Mark;
use paragraph::{Paragraph, Words};
use reading_order::Part;
use socle_core::{Error, Kind, Result};
use std::collections::BTreeMap;

/// Maximum number of pages of a document.
const MAX_PAGES: usize = 20_000;

/// A block of a page.
enum Piece {
    Paragraph(Paragraph),
    Table(Vec<Vec<String>>),
}

/// Reads the document and writes it as Markdown. Pages whose text cannot be read, such as scans, are left out and
/// counted in [`pages_without_text`](socle_core::document::Metadata::pages_without_text). If there are no others, that
/// is an error.
///
/// # Errors
/// As [`crate::extract`].
pub fn read(bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let pdf = open(bytes)?;
    if pdf.pages().len() > MAX_PAGES {
        return Err(Error::new(Kind::InputTooLong, format!("document has more than {MAX_PAGES} pages")));
    }
    metadata::read(&pdf, writer.metadata());
    let Pages { mut sheets, without_text, unknown } = pages(&pdf, writer.limits())?;
    if xfa::is_placeholder(&pdf, &sheets) {
        return xfa::read(&pdf, writer);
    }
    let count = |count: usize| u32::try_from(count).ok().filter(|count| *count > 0);
    writer.metadata().pages_without_text = count(without_text);
    writer.metadata().unknown_characters = count(unknown);
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
    let headings = Headings::find(&pdf, body.size, tables.sum(), paragraphs);
    let mut pen = Pen { writer, headings, words, marks: Vec::new(), last: 0.0 };
    for (number, contents) in (1..).zip(found) {
        pen.writer.page(number);
        pen.marks.clear();
        for piece in contents.head.into_iter().chain(contents.body).chain(contents.foot) {
            pen.write(piece)?;
        }
    }
    Ok(())
}

/// The blocks of a page: those of a running header that first occurs on it, of the text, and of a running footer.
struct Contents {
    head: Vec<Piece>,
    body: Vec<Piece>,
    foot: Vec<Piece>,
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
    Contents { head: margin(sheet.head), body: pieces, foot: margin(sheet.foot) }
}

fn open(bytes: &[u8]) -> Result<Pdf> {
    let damaged = || {
        Error::new(Kind::DamagedDocument, "PDF is damaged")
            .hint("Open it in a program that repairs such files, and save it again.")
    };
    let pdf = Pdf::new(bytes.to_vec()).map_err(|error| match error {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => {
            Error::new(Kind::NotSupported, "document is encrypted")
                .hint("Remove its password, for example by printing it to a new PDF.")
        }
        LoadPdfError::Decryption(DecryptionError::UnsupportedAlgorithm) => {
            Error::new(Kind::NotSupported, "document is encrypted by an unknown method")
                .hint("Remove its encryption, for example by printing it to a new PDF.")
        }
        LoadPdfError::Decryption(_) | LoadPdfError::Invalid => damaged(),
    })?;
    if pdf.pages().is_empty() { Err(damaged()) } else { Ok(pdf) }
}

/// All pages of a document.
#[derive(Default)]
struct Pages {
    sheets: Vec<Sheet>,
    /// Number of pages that are images without text or whose characters are mostly unknown.
    without_text: usize,
    /// Number of characters on all pages that fonts do not map to Unicode.
    unknown: usize,
}

/// The lines of a page.
#[derive(Default)]
struct Sheet {
    /// Lines in the main direction of the page.
    lines: Vec<Line>,
    /// Lines in other directions.
    turned: Vec<Vec<Line>>,
    rules: Vec<Rule>,
    /// Lower end of the page, in the coordinates of its lines.
    bottom: f32,
    /// Running headers and footers that first occur here.
    head: Vec<Line>,
    foot: Vec<Line>,
}

fn pages(pdf: &Pdf, limits: &mut Limits) -> Result<Pages> {
    let mut fonts = Fonts::new();
    let form = Form::of(pdf);
    let mut pages = Pages::default();
    let (mut images, mut known) = (false, 0usize);
    for page in pdf.pages().iter() {
        let found = run(page, &mut fonts, limits, &form)?;
        images |= found.images;
        let lost = found.glyphs.iter().filter(|glyph| glyph.c == font::UNKNOWN).count();
        pages.unknown += lost;
        let seen = found.glyphs.iter().filter(|glyph| !glyph.c.is_whitespace()).count() - lost;
        known += seen;
        pages.without_text += usize::from((found.images && seen == 0) || lost > seen);
        let upright = found.glyphs.iter().filter(|glyph| glyph.angle == 0).count() * 2 > found.glyphs.len();
        let mut lines = line::lines(&found.glyphs, &found.rules).into_iter();
        let (lines, turned) = (lines.next().unwrap_or_default(), lines.collect());
        let lowest = lines.iter().map(|line: &Line| line.y).fold(0.0, f32::max);
        let bottom = if upright { page.render_dimensions().1 } else { lowest };
        pages.sheets.push(Sheet { lines, turned, rules: found.rules, bottom, ..Sheet::default() });
    }
    if known == 0 && pages.unknown == 0 && images {
        return Err(Error::new(Kind::NotSupported, "document has no text: its pages are images")
            .hint("Run it through a program that recognizes text (OCR) first."));
    }
    // Tolerates symbols without Unicode mapping, as in sheet music and formulas.
    if known * 4 < pages.unknown {
        return Err(Error::new(Kind::NotSupported, "fonts of the document do not map to characters")
            .hint("Run it through a program that recognizes text (OCR) first."));
    }
    Ok(pages)
}

/// Runs the content stream of a page.
fn run<'a>(page: &Page<'a>, fonts: &mut Fonts<'a>, limits: &mut Limits, form: &Form<'a>) -> Result<Found> {
    let bytes = contents(page, limits)?;
    let mut run = Run::new(fonts, limits, form.resources.as_ref(), upright(page));
    run.run(&bytes, page.resources())?;
    form.draw(&mut run, page)?;
    Ok(run.finish())
}

/// The content stream of a page, which may be split.
fn contents(page: &Page<'_>, limits: &mut Limits) -> Result<Vec<u8>> {
    let streams: Vec<Stream<'_>> = match page.raw().get::<Object<'_>>("Contents") {
        Some(Object::Stream(stream)) => vec![stream],
        Some(Object::Array(list)) => list.iter::<Stream<'_>>().collect(),
        _ => Vec::new(),
    };
    let mut bytes = Vec::new();
    for stream in streams {
        if let Some(more) = decompress::unpack(&stream, limits)? {
            bytes.extend_from_slice(&more);
            bytes.push(b'\n');
        }
    }
    Ok(bytes)
}

/// The transformation from page coordinates to points from the upper left corner of the page as displayed.
fn upright(page: &Page<'_>) -> Affine {
    let area = page.intersected_crop_box();
    let (width, height) = (area.width(), area.height());
    let turn = match page.rotation() {
        Rotation::None => Affine::IDENTITY,
        Rotation::Horizontal => Affine::new([0.0, 1.0, -1.0, 0.0, height, 0.0]),
        Rotation::Flipped => Affine::new([-1.0, 0.0, 0.0, -1.0, width, height]),
        Rotation::FlippedHorizontal => Affine::new([0.0, -1.0, 1.0, 0.0, 0.0, width]),
    };
    turn * Affine::new([1.0, 0.0, 0.0, -1.0, -area.x0, area.y1])
}

/// The most common appearance of text.
#[derive(Clone, Copy)]
struct Body {
    size: f32,
    mono: bool,
}

impl Default for Body {
    fn default() -> Self {
        Self { size: 10.0, mono: false }
    }
}

fn body<'l>(lines: impl Iterator<Item = &'l Line>) -> Option<Body> {
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
