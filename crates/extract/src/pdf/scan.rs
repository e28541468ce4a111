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

/// Share of a page that a picture covers which is the page.
const WHOLE_PAGE: f64 = 0.6;
/// Number of characters over such a picture that are a stamp or a page number and not its text; and of those in a few rows, which
/// may be what an office or a program has printed on top of it.
const FEW_CHARACTERS: usize = 100;
const HEADER_CHARACTERS: usize = 400;
const HEADER_ROWS: usize = 3;
/// Number of hidden characters over such a picture that need not be the text of all of it: a program may advertise itself there.
const FEW_HIDDEN: usize = 300;
/// Smallest picture that is recognised beside text, in square points: one by two centimetres.
const LEAST_AREA: f64 = 28.0 * 57.0;
/// Number of curves and lines of a page without text whose letters are drawn as outlines.
const MANY_STROKES: usize = 400;
/// Length up to which a straight line is a stroke of a letter or of a bar beside it, as a multiple of the largest size of text.
const LONGEST_STROKE: f32 = 2.5;
/// Confidence from which a recognised text may replace one that the page has, in thousandths.
const SURE_PERMILLE: u16 = 700;
/// Characters of words by which texts are compared.
const LONG_WORD: usize = 4;
/// By how much the size of a character that is recognised may differ from that of the page: boxes of what is slanted are rough.
const SAME_SIZE: f32 = 2.0;
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
    /// It is a picture with little text on top, which stays, unless it is hidden and the picture has more.
    Scan,
    /// It is a picture with a hidden text, which is replaced if the model is sure.
    HiddenText,
    /// It has text, and pictures that may have more.
    Beside,
}

/// Number of characters of a page that are known, apart from spaces, and of those that are unknown.
pub(super) fn characters(found: &Found) -> (usize, usize) {
    let unknown = found.glyphs.iter().filter(|glyph| glyph.c == UNKNOWN).count();
    (found.glyphs.iter().filter(|glyph| !glyph.c.is_whitespace()).count() - unknown, unknown)
}

/// Whether a page draws what may be letters, and has no text.
pub(super) fn is_drawing(found: &Found) -> bool {
    found.strokes > MANY_STROKES && characters(found).0 == 0
}

/// Whether a page is a picture with little text on top.
pub(super) fn is_scan(found: &Found, page: &Page<'_>) -> bool {
    let (width, height) = page.render_dimensions();
    if found.picture_area <= WHOLE_PAGE * f64::from(width * height).max(1.0) {
        return false;
    }
    let visible = || found.glyphs.iter().filter(|glyph| !glyph.hidden && !glyph.c.is_whitespace());
    let count = visible().count();
    count < FEW_CHARACTERS
        || (count < HEADER_CHARACTERS && {
            let rows: HashSet<(i16, i32)> = visible().map(|glyph| (glyph.angle, glyph.y as i32)).collect();
            rows.len() <= HEADER_ROWS
        })
}

impl Need {
    /// What a page needs.
    pub(super) fn of(found: &Found, page: &Page<'_>, ocr: &Ocr) -> Self {
        if !ocr.is_on() || render::scale(page).is_none() {
            return Self::No;
        }
        let (known, unknown) = characters(found);
        if (found.images && known == 0) || unknown > known {
            return Self::Instead;
        }
        let hidden = found.glyphs.iter().filter(|glyph| glyph.hidden).count();
        let is_hidden = hidden * 2 > found.glyphs.len();
        if Legibility::of(&found.glyphs).is_doubtful(is_hidden) {
            return Self::IfBetter;
        }
        match is_scan(found, page) {
            true if ocr.is_always() && hidden > 0 => Self::HiddenText,
            true if hidden < FEW_HIDDEN => Self::Scan,
            _ if ocr.is_always() && found.picture_area >= LEAST_AREA && !is_hidden => Self::Beside,
            _ => Self::No,
        }
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
            page.images &= recognition.page.characters > 0 || recognition.is_unreadable() || damaged.contains(&at);
        }
    }
    Ok((taken, unread))
}

/// Takes what was recognised on a page, unless what it has is better. Returns whether any of it was taken.
fn take(found: &mut Found, need: Need, recognition: &Recognition, sizes: &Sizes) -> bool {
    let mut existing = std::mem::take(&mut found.glyphs);
    let stays = matches!(need, Need::Scan | Need::HiddenText | Need::Beside);
    let mut replaced = Vec::new();
    if replaces_hidden(need, &existing, recognition) {
        replaced = existing.extract_if(.., |glyph| glyph.hidden).collect();
    }
    let covers = Coverage::of(if stays { &existing } else { &[] });
    let (mut glyphs, rules) = recognition.glyphs(sizes, &|place, size| covers.has(place, size));
    glyphs.truncate(MAX_GLYPHS);
    let is_taken = !glyphs.is_empty()
        && match need {
            Need::No => false,
            Need::Instead | Need::Scan | Need::HiddenText | Need::Beside => true,
            Need::IfBetter => {
                recognition.page.permille >= SURE_PERMILLE
                    && Legibility::of(&glyphs).is_better_than(Legibility::of(&existing))
            }
        };
    if !is_taken {
        existing.append(&mut replaced);
        found.glyphs = existing;
        return false;
    }
    if stays {
        recognition.turn(&mut existing, sizes);
        existing.append(&mut glyphs);
        found.glyphs = existing;
    } else {
        found.glyphs = glyphs;
    }
    // What the page itself draws is where the picture has it, unless the picture was turned. Of a page without text, the
    // short lines may be strokes of letters that are drawn.
    if !recognition.is_upright() {
        found.rules.clear();
    } else if need == Need::Instead {
        let least = LONGEST_STROKE * found.glyphs.iter().map(|glyph| glyph.size).fold(0.0, f32::max);
        found.rules.retain(|rule| rule.to - rule.from > least);
    }
    found.rules.extend(rules);
    if !recognition.is_upright() {
        found.bottom = Some(recognition.bottom(sizes));
    }
    true
}

/// Whether what was recognised takes the place of the hidden text of a page: other programs put the text of a scan there, and
/// some of them something else.
fn replaces_hidden(need: Need, existing: &[Glyph], recognition: &Recognition) -> bool {
    let hidden: String =
        existing.iter().filter(|glyph| glyph.hidden && !glyph.c.is_whitespace()).map(|glyph| glyph.c).collect();
    if hidden.is_empty() || recognition.page.permille < SURE_PERMILLE {
        return false;
    }
    // The same text is not exchanged for one that is read again.
    let is_another = || {
        let words: Vec<&str> = recognition.words().filter(|word| word.chars().count() >= LONG_WORD).collect();
        words.iter().filter(|word| hidden.contains(**word)).count() * 2 < words.len()
    };
    (need == Need::HiddenText || (need == Need::Scan && is_another()))
        && !has_other_letters(&hidden, recognition.words())
}

/// Whether a text is written with letters that are not in what was recognised, because the model has none of them: those of
/// another script, or with other accents. Letters of English do not count.
fn has_other_letters<'w>(text: &str, recognised: impl Iterator<Item = &'w str>) -> bool {
    /// Share of the letters of a text that are not those of English, from which it is so written: one of so many.
    const LEAST_SHARE: usize = 20;
    let letters = text.chars().filter(|c| c.is_alphabetic());
    let is_special = |c: &char| c.is_alphabetic() && !c.is_ascii();
    let mut special: HashMap<char, (usize, usize)> = HashMap::new();
    letters.clone().filter(is_special).for_each(|c| special.entry(c).or_default().0 += 1);
    for c in recognised.flat_map(str::chars).filter(is_special) {
        special.entry(c).or_default().1 += 1;
    }
    let sum = |of: fn(usize, usize) -> usize| special.values().map(|(here, there)| of(*here, *there)).sum::<usize>();
    let (count, found) = (sum(|here, _| here), sum(usize::min));
    let lacking = sum(|here, there| if there == 0 { here } else { 0 });
    let is_much = |count: usize| count * LEAST_SHARE >= letters.clone().count().max(1);
    is_much(lacking) || (is_much(count) && found * 2 < count)
}

/// Where a page has text, and of which size, strip by strip.
struct Coverage(HashMap<i32, Vec<(f32, f32, f32)>>);

impl Coverage {
    fn of(glyphs: &[Glyph]) -> Self {
        let mut strips: HashMap<i32, Vec<(f32, f32, f32)>> = HashMap::new();
        for glyph in glyphs.iter().filter(|glyph| !glyph.c.is_whitespace()) {
            let ((x0, x1), (y0, y1)) = glyph.extent();
            let rows = (y0 / STRIP) as i32..=(y1 / STRIP) as i32;
            for strip in rows.take(64) {
                strips.entry(strip).or_default().push((x0, x1, glyph.size));
            }
        }
        Self(strips)
    }

    /// Whether a character of this size is there. Under the large letters of a watermark, there is other text.
    fn has(&self, (x, y): (f32, f32), size: f32) -> bool {
        let is_like = |other: f32| other < SAME_SIZE * size && size < SAME_SIZE * other;
        let strip = self.0.get(&((y / STRIP) as i32));
        strip.is_some_and(|strip| strip.iter().any(|(x0, x1, other)| x > *x0 && x < *x1 && is_like(*other)))
    }
}
