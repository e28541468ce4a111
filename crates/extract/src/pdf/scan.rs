//! Which pages are recognised, and what becomes of the text that they have already.

#[cfg(test)]
mod tests;

use super::content::MAX_GLYPHS;
use super::font::UNKNOWN;
use super::glyph::{Glyph, Page as Found};
use super::legibility::Legibility;
use super::page_picture::Pictures;
use super::recognized::{Recognition, Sizes};
use super::render;
use crate::recognition::Ocr;
use hayro_syntax::Pdf;
use hayro_syntax::page::Page;
use socle_core::Result;
use socle_core::document::RecognizedPage;
use std::collections::{HashMap, HashSet};

/// Share of a page that a picture covers which is the page, and number of characters beside it that are a stamp or a
/// page number and not its text.
const WHOLE_PAGE: f64 = 0.6;
const FEW_CHARACTERS: usize = 100;
/// Smallest picture that is recognised beside text, in square points: one by two centimetres.
const LEAST_AREA: f64 = 28.0 * 57.0;
/// Number of curves of a page without text whose letters are drawn as outlines.
const MANY_CURVES: usize = 400;
/// Confidence from which a recognised text may replace one that is painted, in thousandths.
const SURE_PERMILLE: u16 = 700;
/// Height in points of the strips in which glyphs are sought.
const STRIP: f32 = 8.0;

/// What recognition is to do for a page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Need {
    /// Nothing.
    No,
    /// It has no text, or none that can be read.
    Instead,
    /// Its text is doubtful: that of which more is legible is taken.
    IfBetter,
    /// It has text, and pictures that may have more.
    Beside,
}

/// Number of characters of a page that are known, apart from spaces, and of those that are unknown.
pub(super) fn characters(found: &Found) -> (usize, usize) {
    let unknown = found.glyphs.iter().filter(|glyph| glyph.c == UNKNOWN).count();
    (found.glyphs.iter().filter(|glyph| !glyph.c.is_whitespace()).count() - unknown, unknown)
}

impl Need {
    /// What a page needs.
    pub(super) fn of(found: &Found, page: &Page<'_>, ocr: &Ocr) -> Self {
        if !ocr.is_on() || render::scale(page).is_none() {
            return Self::No;
        }
        let (known, unknown) = characters(found);
        let (width, height) = page.render_dimensions();
        let share = found.picture_area / f64::from(width * height).max(1.0);
        let is_picture = found.images || found.curves > MANY_CURVES;
        if (is_picture && known == 0) || unknown > known {
            return Self::Instead;
        }
        let is_invisible = found.invisible * 2 > found.glyphs.len();
        if Legibility::of(&found.glyphs).is_doubtful(is_invisible) {
            return Self::IfBetter;
        }
        let is_scan = share > WHOLE_PAGE && known < FEW_CHARACTERS;
        let is_wanted = ocr.is_always() && found.picture_area >= LEAST_AREA && !is_invisible;
        if is_scan || is_wanted { Self::Beside } else { Self::No }
    }
}

/// Renders and recognises the pages `wanted`, by index, and changes what was `found` on each of them. Returns what was
/// recognised, and the number of pictures that are damaged or too large.
///
/// # Errors
/// Those of rendering and of the recognizer.
pub(super) fn recognize(
    pdf: &Pdf,
    wanted: &[(usize, Need)],
    found: &mut [Found],
    ocr: &mut Ocr,
) -> Result<(Vec<RecognizedPage>, usize)> {
    if wanted.is_empty() {
        return Ok(Default::default());
    }
    let pages = pdf.pages();
    let mut recognitions: Vec<Recognition> = Vec::with_capacity(wanted.len());
    let (mut pictures, mut damaged, mut unread) = (Pictures::default(), HashSet::new(), 0);
    let mut picture = |at: usize| {
        let page = wanted.get(at).and_then(|(page, _)| pages.get(*page)).ok_or_else(super::damaged)?;
        let findings = pictures.of_page(page);
        let (picture, is_drawn) = if findings.is_too_large { (render::blank(), false) } else { render::picture(page)? };
        // The renderer also comes upon pictures in patterns and fonts.
        unread += findings.unread.max(usize::from(!is_drawn && !findings.is_damaged));
        if findings.is_damaged || !is_drawn {
            damaged.insert(at);
        }
        Ok(picture)
    };
    ocr.recognize(wanted.len(), &mut picture, &mut |read| recognitions.push(Recognition::of(read)))?;
    let sizes = Sizes::of(&recognitions);
    let mut taken = Vec::new();
    for (at, (((number, need), recognition), page)) in wanted.iter().zip(&recognitions).zip(found).enumerate() {
        if take(page, *need, recognition, &sizes) {
            taken.push(RecognizedPage { page: u32::try_from(number + 1).ok(), ..recognition.page });
        } else {
            // Otherwise a blank page, or a picture without text: nothing of it is missing.
            page.images &= recognition.page.characters > 0 || damaged.contains(&at);
        }
    }
    Ok((taken, unread))
}

/// Takes what was recognised on a page, unless what it has is better. Returns whether any of it was taken.
fn take(found: &mut Found, need: Need, recognition: &Recognition, sizes: &Sizes) -> bool {
    let existing = std::mem::take(&mut found.glyphs);
    let covers = Coverage::of(if need == Need::Beside { &existing } else { &[] });
    let (mut glyphs, rules) = recognition.glyphs(sizes, &|x, y| covers.has(x, y));
    glyphs.truncate(MAX_GLYPHS);
    let is_taken = !glyphs.is_empty()
        && match need {
            Need::No => false,
            Need::Instead => true,
            Need::Beside => recognition.is_upright() || existing.len() < FEW_CHARACTERS,
            Need::IfBetter => {
                recognition.page.permille >= SURE_PERMILLE
                    && Legibility::of(&glyphs).is_better_than(Legibility::of(&existing))
            }
        };
    if !is_taken {
        found.glyphs = existing;
        return false;
    }
    found.glyphs = match need {
        Need::Beside if recognition.is_upright() => existing.into_iter().chain(glyphs).collect(),
        _ => glyphs,
    };
    // What the page itself draws is where the picture has it, unless the picture was turned.
    if !recognition.is_upright() {
        found.rules.clear();
    }
    found.rules.extend(rules);
    if !recognition.is_upright() {
        found.bottom = Some(recognition.bottom(sizes));
    }
    true
}

/// Where a page has text.
struct Coverage(HashMap<i32, Vec<(f32, f32)>>);

impl Coverage {
    fn of(glyphs: &[Glyph]) -> Self {
        let mut strips: HashMap<i32, Vec<(f32, f32)>> = HashMap::new();
        for glyph in glyphs.iter().filter(|glyph| glyph.angle == 0 && !glyph.c.is_whitespace()) {
            let rows = ((glyph.y - 0.9 * glyph.size) / STRIP) as i32..=((glyph.y + 0.3 * glyph.size) / STRIP) as i32;
            for strip in rows.take(64) {
                strips.entry(strip).or_default().push((glyph.x0 - 0.2 * glyph.size, glyph.x1 + 0.2 * glyph.size));
            }
        }
        Self(strips)
    }

    fn has(&self, x: f32, y: f32) -> bool {
        self.0.get(&((y / STRIP) as i32)).is_some_and(|strip| strip.iter().any(|(x0, x1)| x > *x0 && x < *x1))
    }
}
