//! PDF. `hayro-syntax` parses the file and `hayro-font` its fonts; words, lines, columns, paragraphs, tables and
//! headings are reconstructed here from the positions of characters. Pages that are pictures are rendered with `hayro` and
//! recognised, if the caller can recognise text.
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
mod label;
mod legibility;
mod likeness;
mod line;
mod list;
mod metadata;
mod page_number;
mod page_picture;
mod paragraph;
mod picture_rules;
mod reading_order;
mod recognized;
mod render;
mod ruled_table;
mod running_headers;
mod scan;
mod tex_encoding;
mod unicode;
mod word;
mod writing;
mod xfa;

use crate::recognition::HINT;
use crate::{Limits, Writer};
use annotation::Form;
use content::Run;
use font::Fonts;
use glyph::{Page as Found, Rule};
use hayro_font::kurbo::Affine;
use hayro_syntax::object::{Object, Stream};
use hayro_syntax::page::{Page, Rotation};
use hayro_syntax::{DecryptionError, LoadPdfError, Pdf};
use line::Line;
pub(crate) use page_picture::is_loss;
pub(crate) use recognized::Recognition;
use recognized::Sizes;
use scan::{Need, characters, is_drawing, is_scan};
use socle_core::document::RecognizedPage;
use socle_core::{Error, Kind, Result};
use std::collections::HashMap;

/// Maximum number of pages of a document.
const MAX_PAGES: usize = 20_000;

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
    let Pages { sheets, without_text, unknown, .. } = pages(&pdf, writer)?;
    if xfa::is_placeholder(&pdf, &sheets) {
        return xfa::read(&pdf, writer);
    }
    let count = |count: usize| u32::try_from(count).ok().filter(|count| *count > 0);
    writer.metadata().pages_without_text = count(without_text);
    writer.metadata().unknown_characters = count(unknown);
    writing::write(sheets, Some(&pdf), writer)
}

/// Writes pictures that were recognised, each as a page.
///
/// # Errors
/// As [`crate::extract`].
pub(crate) fn write_pictures(recognitions: &[Recognition], writer: &mut Writer) -> Result<()> {
    let sizes = Sizes::of(recognitions);
    let mut sheets = Vec::with_capacity(recognitions.len());
    for (number, recognition) in (1..).zip(recognitions) {
        let (glyphs, rules) = recognition.glyphs(&sizes, &|_, _| false);
        writer.recognized(RecognizedPage { page: Some(number), ..recognition.page });
        let sheet = Sheet::of(Found { glyphs, rules, ..Found::default() }, recognition.bottom(&sizes));
        sheets.push(Sheet { permille: Some(recognition.page.permille), ..sheet });
    }
    writing::write(sheets, None, writer)
}

fn damaged() -> Error {
    Error::new(Kind::DamagedDocument, "PDF is damaged")
        .hint("Open it in a program that repairs such files, and save it again.")
}

fn open(bytes: &[u8]) -> Result<Pdf> {
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
    /// Whether any page has pictures.
    images: bool,
}

impl Pages {
    /// Counts what is missing of a page, which has a picture that was not looked at if `is_scan`. Returns the number of
    /// characters that are known.
    fn count(&mut self, found: &Found, is_scan: bool) -> usize {
        let (known, unknown) = characters(found);
        self.unknown += unknown;
        self.without_text += usize::from((found.images && known == 0) || unknown > known || is_scan);
        known
    }
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
    /// How sure the model is of its text, if that was recognised.
    permille: Option<u16>,
}

impl Sheet {
    /// The lines of what was found on a page whose lower edge is `bottom`.
    fn of(found: Found, bottom: f32) -> Self {
        let upright = found.glyphs.iter().filter(|glyph| glyph.angle == 0).count() * 2 > found.glyphs.len();
        let mut lines = line::lines(&found.glyphs, &found.rules).into_iter();
        let (lines, turned) = (lines.next().unwrap_or_default(), lines.collect());
        let lowest = lines.iter().map(|line: &Line| line.y).fold(0.0, f32::max);
        let bottom = if upright { found.bottom.unwrap_or(bottom) } else { lowest };
        Self { lines, turned, rules: found.rules, bottom, ..Self::default() }
    }
}

fn pages(pdf: &Pdf, writer: &mut Writer) -> Result<Pages> {
    let mut fonts = Fonts::new();
    let form = Form::of(pdf);
    let mut pages = Pages::default();
    let mut known = 0usize;
    let (mut waiting, mut waiting_found): (Vec<(usize, Need)>, Vec<Found>) = Default::default();
    for (at, page) in pdf.pages().iter().enumerate() {
        let mut found = run(page, &mut fonts, writer.limits(), &form)?;
        found.images |= is_drawing(&found);
        pages.images |= found.images;
        let need = Need::of(&found, page, writer.ocr());
        if need == Need::No {
            let has_hidden = found.glyphs.iter().any(|glyph| glyph.hidden);
            known += pages.count(&found, !has_hidden && is_scan(&found, page));
            pages.sheets.push(Sheet::of(found, page.render_dimensions().1));
        } else {
            waiting.push((at, need));
            waiting_found.push(found);
            pages.sheets.push(Sheet::default());
        }
    }
    let (recognized, unread) = scan::recognize(pdf, &waiting, &mut waiting_found, writer.ocr())?;
    (0..unread).for_each(|_| writer.unread_picture());
    let taken: HashMap<Option<u32>, u16> = recognized.iter().map(|page| (page.page, page.permille)).collect();
    for ((at, _), found) in waiting.iter().zip(waiting_found) {
        let Some(page) = pdf.pages().get(*at) else { continue };
        let permille = taken.get(&u32::try_from(at + 1).ok()).copied();
        known += if permille.is_some() { characters(&found).0 } else { pages.count(&found, false) };
        if let Some(sheet) = pages.sheets.get_mut(*at) {
            *sheet = Sheet { permille, ..Sheet::of(found, page.render_dimensions().1) };
        }
    }
    recognized.into_iter().for_each(|page| writer.recognized(page));
    if known == 0 && pages.unknown == 0 && pages.images {
        return Err(writer.no_text_but_pictures());
    }
    // Tolerates symbols without Unicode mapping, as in sheet music and formulas.
    if known * 4 < pages.unknown {
        return Err(Error::new(Kind::NotSupported, "fonts of the document do not map to characters").hint(HINT));
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
