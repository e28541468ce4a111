//! PDF. The file is parsed by `hayro-syntax` and its fonts by `hayro-font`; what the characters on a page say – words,
//! lines, columns, paragraphs, tables, headings – is found out here, from where they stand. Images are never decoded.
//!
//! Not read: what script or structure tags say about the order, and text that is drawn as outlines.

mod aligned;
mod bidi;
mod content;
mod flow;
mod font;
mod furniture;
mod glyph;
mod grid;
mod heading;
mod line;
mod list;
mod metadata;
mod order;
mod tex;
mod unpack;
mod word;

use crate::{Limits, Writer};
use content::Run;
use flow::{Paragraph, Words};
use font::Fonts;
use glyph::{Page as Found, Rule};
use hayro_font::kurbo::Affine;
use hayro_syntax::object::{Array, Dict, Name, Object, Stream};
use hayro_syntax::page::{Page, Rotation};
use hayro_syntax::{DecryptionError, LoadPdfError, Pdf};
use heading::Headings;
use line::Line;
use list::Mark;
use order::Part;
use socle_core::{Error, Kind, Result};
use std::collections::HashMap;

/// Most pages of a document.
const MAX_PAGES: usize = 20_000;

/// What a page holds, in order.
enum Piece {
    Paragraph(Paragraph),
    Table(Vec<Vec<String>>),
}

/// Writes what the document says. Pages that are images without text add nothing to it; how many there are is in
/// [`pages_without_text`](socle_core::document::Metadata::pages_without_text). If there are no others, that is an error.
///
/// # Errors
/// See [`crate::extract`].
pub fn read(bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let pdf = open(bytes)?;
    if pdf.pages().len() > MAX_PAGES {
        return Err(Error::new(Kind::InputTooLong, format!("document has more than {MAX_PAGES} pages")));
    }
    metadata::read(&pdf, writer.metadata());
    let pages = pages(&pdf, writer.limits())?;
    writer.metadata().pages_without_text = u32::try_from(pages.without_text).ok().filter(|count| *count > 0);
    let body = body(&pages.lines);
    let mut words = Words::default();
    pages.lines.iter().chain(pages.turned.iter().flatten()).flatten().for_each(|line| words.learn(line));
    let mut found: Vec<Vec<Piece>> = Vec::new();
    for ((lines, turned), rules) in pages.lines.into_iter().zip(pages.turned).zip(&pages.rules) {
        let mut pieces = Vec::new();
        arrange(lines, rules, body, &mut pieces);
        let upright = pieces.len();
        for lines in turned {
            arrange(lines, &[], body, &mut pieces);
        }
        for piece in pieces.iter_mut().skip(upright) {
            if let Piece::Paragraph(paragraph) = piece {
                paragraph.turned = true;
            }
        }
        found.push(pieces);
    }
    mend(&mut found);
    let paragraphs = found.iter().flatten().filter_map(|piece| match piece {
        Piece::Paragraph(paragraph) => Some(paragraph),
        Piece::Table(_) => None,
    });
    let headings = Headings::find(&pdf, body.size, paragraphs);
    let mut pen = Pen { writer, headings, words, marks: Vec::new(), last: 0.0 };
    for (number, pieces) in (1..).zip(found) {
        pen.writer.page(number);
        pen.marks.clear();
        for piece in pieces {
            pen.write(piece)?;
        }
    }
    Ok(())
}

fn open(bytes: &[u8]) -> Result<Pdf> {
    let damaged = || {
        Error::new(Kind::DamagedDocument, "PDF is damaged")
            .hint("Open it in a program that repairs such files, and save it anew.")
    };
    let pdf = Pdf::new(bytes.to_vec()).map_err(|error| match error {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => {
            Error::new(Kind::NotSupported, "document is encrypted")
                .hint("Remove its password, for example by printing it to a new PDF.")
        }
        LoadPdfError::Decryption(DecryptionError::UnsupportedAlgorithm) => {
            Error::new(Kind::NotSupported, "document is encrypted in a way that is not known")
                .hint("Remove its encryption, for example by printing it to a new PDF.")
        }
        LoadPdfError::Decryption(_) | LoadPdfError::Invalid => damaged(),
    })?;
    if pdf.pages().is_empty() { Err(damaged()) } else { Ok(pdf) }
}

/// All pages of a document.
#[derive(Default)]
struct Pages {
    /// Lines in the direction that most of the page has.
    lines: Vec<Vec<Line>>,
    /// Lines in other directions.
    turned: Vec<Vec<Vec<Line>>>,
    rules: Vec<Vec<Rule>>,
    /// Pages that are images without text.
    without_text: usize,
}

fn pages(pdf: &Pdf, limits: &mut Limits) -> Result<Pages> {
    let mut fonts = Fonts::new();
    let mut pages = Pages::default();
    let (mut images, mut known, mut unknown) = (false, 0usize, 0usize);
    for page in pdf.pages().iter() {
        let found = run(page, &mut fonts, limits)?;
        images |= found.images;
        let lost = found.glyphs.iter().filter(|glyph| glyph.c == font::UNKNOWN).count();
        unknown += lost;
        let seen = found.glyphs.iter().filter(|glyph| !glyph.c.is_whitespace()).count();
        known += seen - lost;
        pages.without_text += usize::from(found.images && seen == 0);
        let mut lines = line::lines(&found.glyphs, &found.rules).into_iter();
        pages.lines.push(lines.next().unwrap_or_default());
        pages.turned.push(lines.collect());
        pages.rules.push(found.rules);
    }
    if known == 0 && unknown == 0 && images {
        return Err(Error::new(Kind::NotSupported, "document has no text: its pages are images")
            .hint("Run it through a program that recognizes text (OCR) first."));
    }
    // Scores and formulas are full of signs without a name.
    if known * 4 < unknown {
        return Err(Error::new(Kind::NotSupported, "document does not say which characters its fonts show")
            .hint("Run it through a program that recognizes text (OCR) first."));
    }
    furniture::remove(&mut pages.lines);
    Ok(pages)
}

/// What stands on a page.
fn run<'a>(page: &Page<'a>, fonts: &mut Fonts<'a>, limits: &mut Limits) -> Result<Found> {
    let bytes = contents(page, limits)?;
    let mut run = Run::new(fonts, limits, upright(page));
    run.run(&bytes, page.resources())?;
    // Fields of forms and text that was put on the page later.
    for annotation in page.raw().get::<Array<'a>>("Annots").iter().flat_map(|list| list.iter::<Dict<'a>>()) {
        let subtype = annotation.get::<Name<'a>>("Subtype");
        let shown = annotation.get::<i64>("F").unwrap_or(0) & 0b10_0010 == 0;
        if !shown || !subtype.is_some_and(|name| matches!(name.as_ref(), b"Widget" | b"FreeText" | b"Stamp")) {
            continue;
        }
        let appearance = annotation.get::<Dict<'a>>("AP").and_then(|looks| match looks.get::<Object<'a>>("N")? {
            Object::Stream(stream) => Some(stream),
            Object::Dict(states) => states.get::<Stream<'a>>(annotation.get::<Name<'a>>("AS")?),
            _ => None,
        });
        if let (Some(stream), Some(rect)) = (appearance, annotation.get::<[f64; 4]>("Rect")) {
            run.annotation(&stream, rect, page.resources())?;
        }
    }
    Ok(run.finish())
}

/// The instructions of a page, which may be in several pieces.
fn contents(page: &Page<'_>, limits: &mut Limits) -> Result<Vec<u8>> {
    let streams: Vec<Stream<'_>> = match page.raw().get::<Object<'_>>("Contents") {
        Some(Object::Stream(stream)) => vec![stream],
        Some(Object::Array(list)) => list.iter::<Stream<'_>>().collect(),
        _ => Vec::new(),
    };
    let mut bytes = Vec::new();
    for stream in streams {
        if let Some(more) = unpack::unpack(&stream, limits)? {
            bytes.extend_from_slice(&more);
            bytes.push(b'\n');
        }
    }
    Ok(bytes)
}

/// Leads from the coordinates of a page to points from its upper left corner as it is shown.
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

/// How most of the text looks.
#[derive(Clone, Copy)]
struct Body {
    size: f32,
    mono: bool,
}

fn body(pages: &[Vec<Line>]) -> Body {
    let mut sizes: HashMap<(i32, bool), usize> = HashMap::new();
    for line in pages.iter().flatten() {
        let letters: usize = line.words.iter().map(|word| word.text.len()).sum();
        *sizes.entry(((line.size * 2.0).round() as i32, line.mono)).or_default() += letters;
    }
    let most = sizes.into_iter().max_by_key(|(look, letters)| (*letters, *look));
    most.map_or(Body { size: 10.0, mono: false }, |((size, mono), _)| Body { size: size as f32 / 2.0, mono })
}

/// Puts the lines of a page in order, as paragraphs and tables.
fn arrange(mut lines: Vec<Line>, rules: &[Rule], body: Body, pieces: &mut Vec<Piece>) {
    let tables = grid::tables(rules, &mut lines);
    let start = pieces.len();
    for part in order::parts(lines, tables) {
        match part {
            Part::Table(table) => pieces.push(Piece::Table(table.rows)),
            Part::Lines(lines) => {
                let mut paragraphs = flow::paragraphs(lines, |line| line.mono && !body.mono).into_iter();
                let first = paragraphs.next();
                // What the end of a column cut goes on in the next.
                match (pieces.get_mut(start..).and_then(<[Piece]>::last_mut), first) {
                    (Some(Piece::Paragraph(last)), Some(first)) if last.goes_on_in(&first) => last.take(first),
                    (_, first) => pieces.extend(first.map(Piece::Paragraph)),
                }
                pieces.extend(paragraphs.map(Piece::Paragraph));
            }
        }
    }
}

/// Puts words together that the end of a page cut; the paragraphs stay on their pages.
fn mend(pages: &mut [Vec<Piece>]) {
    for at in 1..pages.len() {
        let (before, after) = pages.split_at_mut(at);
        let last = before.last_mut().and_then(|page| page.last_mut());
        if let (Some(Piece::Paragraph(last)), Some(Piece::Paragraph(first))) =
            (last, after.first_mut().and_then(|page| page.first_mut()))
            && last.goes_on_in(first)
        {
            last.take_rest(first);
        }
    }
}

/// Writes pieces, and knows how deep a list is.
struct Pen<'w> {
    writer: &'w mut Writer,
    headings: Headings,
    words: Words,
    /// Where the marks of the open lists stand.
    marks: Vec<f32>,
    /// The line on which the last item ended.
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

    /// How deep an item is, by where its mark stands among those before it.
    fn depth(&mut self, item: &Paragraph) -> usize {
        let (Some(first), Some(last)) = (item.lines.first(), item.lines.last()) else { return 0 };
        // The next column begins a list anew.
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
