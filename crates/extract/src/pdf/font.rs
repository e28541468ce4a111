//! Fonts: the characters and the width of each code, and whether the font is bold or monospaced. Outlines are not
//! drawn, and system fonts are not used.

use super::unicode::Unicode;
use super::{bidi, tex_encoding};
use hayro_cmap::BfString;
use hayro_font::{CMapResolverFn, Font, FontCache, FontGlyph, FontQuery, FontResolverFn};
use hayro_syntax::object::{Array, Dict, Name, Object};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// Represents a glyph that the font does not map to Unicode.
pub(super) const UNKNOWN: char = char::REPLACEMENT_CHARACTER;

/// Character width of an unreadable font, in thousandths of the font size.
const USUAL_WIDTH: f64 = 500.0;

/// Maximum length of the widths array: a font has 65,536 codes, and the array contains codes and widths.
const MAX_WIDTHS: i64 = 4_000_000;

/// The fonts of a document, each read once.
pub(super) struct Fonts<'a> {
    cache: FontCache<'a>,
    standard: FontResolverFn,
    cmaps: CMapResolverFn,
    faces: HashMap<(usize, usize), Rc<Face<'a>>>,
}

/// A font of the document.
pub(super) struct Face<'a> {
    font: Option<Font<'a>>,
    pub(super) bold: bool,
    pub(super) mono: bool,
    /// Actual size as a multiple of the nominal font size: 1 except for Type 3 fonts.
    pub(super) scale: f64,
    /// Whether its codes are those of TeX.
    tex: bool,
    /// Whether its codes have two bytes, if nothing else is known.
    wide: bool,
    unicode: Unicode<'a>,
    codes: RefCell<HashMap<u32, Rc<Code>>>,
}

/// A code of a font.
pub(super) struct Code {
    /// Its characters, with ligatures decomposed.
    pub(super) text: Box<str>,
    /// Horizontal and vertical displacement in thousandths of the font size; vertical fonts use the latter.
    pub(super) advance: (f64, f64),
}

impl<'a> Fonts<'a> {
    pub(super) fn new() -> Self {
        let standard: FontResolverFn = Arc::new(|query| match query {
            FontQuery::Standard(font) => Some(font.get_font_data()),
            FontQuery::Fallback(font) => Some(font.pick_standard_font().get_font_data()),
        });
        let cmaps: CMapResolverFn = Arc::new(hayro_cmap::load_embedded);
        Self { cache: FontCache::new(), standard, cmaps, faces: HashMap::new() }
    }

    /// The font of a font dictionary.
    pub(super) fn face(&mut self, dict: &Dict<'a>) -> Rc<Face<'a>> {
        let key = (dict.data().as_ptr() as usize, dict.data().len());
        if let Some(face) = self.faces.get(&key) {
            return Rc::clone(face);
        }
        let font = if is_sound(dict) { self.cache.font(dict, &self.standard, &self.cmaps) } else { None };
        let face = Rc::new(Face::new(dict, font));
        self.faces.insert(key, Rc::clone(&face));
        face
    }
}

impl<'a> Face<'a> {
    fn new(dict: &Dict<'a>, font: Option<Font<'a>>) -> Self {
        let descendant = dict.get::<Array<'a>>("DescendantFonts").and_then(|fonts| fonts.iter::<Dict<'a>>().next());
        let descriptor = dict
            .get::<Dict<'a>>("FontDescriptor")
            .or_else(|| descendant.and_then(|font| font.get::<Dict<'a>>("FontDescriptor")))
            .unwrap_or_default();
        let flags = descriptor.get::<i64>("Flags").unwrap_or(0);
        let name = dict.get::<Name<'a>>("BaseFont").map(|name| name.as_str().to_ascii_lowercase()).unwrap_or_default();
        let weight = descriptor.get::<f64>("FontWeight").unwrap_or(0.0);
        // Bits 19 and 1 of the flags (ISO 32000-1, table 123).
        let bold = names_bold(&name) || flags & (1 << 18) != 0 || weight >= 600.0;
        let mono = names_mono(&name) || flags & 1 != 0;
        Self {
            font,
            bold,
            mono,
            scale: drawn_height(dict).unwrap_or(1.0),
            tex: tex_encoding::is_bitmap(dict),
            wide: dict.get::<Name<'a>>("Subtype").is_some_and(|subtype| subtype.as_ref() == b"Type0"),
            unicode: Unicode::of(dict),
            codes: RefCell::default(),
        }
    }

    /// Whether its writing mode is vertical.
    pub(super) fn vertical(&self) -> bool {
        self.font.as_ref().is_some_and(|font| !font.is_horizontal())
    }

    /// The code at the start of a string and its length in bytes; `None` for an empty string.
    pub(super) fn read(&self, bytes: &[u8]) -> Option<(u32, usize)> {
        let first = *bytes.first()?;
        let Some(font) = &self.font else {
            return Some(match (self.wide, bytes.get(1)) {
                (true, Some(second)) => (u32::from(first) << 8 | u32::from(*second), 2),
                _ => (u32::from(first), 1),
            });
        };
        let (code, length) = font.read_code(bytes, 0);
        Some((code, length.max(1)))
    }

    /// Characters and width of a code.
    pub(super) fn code(&self, code: u32) -> Rc<Code> {
        if let Some(known) = self.codes.borrow().get(&code) {
            return Rc::clone(known);
        }
        let shown = Rc::new(match &self.font {
            Some(font) => self.shown(font, code),
            None => {
                let ascii = u8::try_from(code).ok().filter(|code| code.is_ascii() && !self.wide).map(char::from);
                let text = self.unicode.text(code).unwrap_or_else(|| ascii.unwrap_or(UNKNOWN).to_string());
                Code { text: text.into(), advance: (USUAL_WIDTH, 0.0) }
            }
        });
        self.codes.borrow_mut().insert(code, Rc::clone(&shown));
        shown
    }

    fn shown(&self, font: &Font<'a>, code: u32) -> Code {
        let advance = font.code_advance(code);
        let mapped = || match font.glyph(font.map_code(code), code) {
            FontGlyph::Outline(glyph) => glyph.as_unicode(),
            FontGlyph::Type3(glyph) => glyph.as_unicode(),
        };
        let mapped = || match mapped()? {
            BfString::Char('\0') => None,
            BfString::Char(c) => Some(c.to_string()),
            BfString::String(text) => Some(text),
        };
        let first = if self.unicode.is_first() { self.unicode.text(code) } else { None };
        let found =
            first.or_else(mapped).or_else(|| tex_encoding::character(code).filter(|_| self.tex).map(str::to_string));
        let found = found.or_else(|| self.unicode.text(code));
        let mut text = String::new();
        match found {
            Some(found) => found.chars().for_each(|c| push_expanded(&mut text, c)),
            None => text.push(UNKNOWN),
        }
        // Ligatures are decomposed in visual order.
        let text = bidi::reverse_rtl(&text);
        Code { text: text.into(), advance: (advance.x, advance.y) }
    }
}

/// Whether the widths array has a plausible size, because the parser expands it as far as the file demands.
fn is_sound(dict: &Dict<'_>) -> bool {
    if dict.get::<i64>("FirstChar").is_some_and(|first| !(0..=0xff).contains(&first)) {
        return false;
    }
    let descendant = dict.get::<Array<'_>>("DescendantFonts").and_then(|fonts| fonts.iter::<Dict<'_>>().next());
    ["W", "W2"].into_iter().filter_map(|key| descendant.as_ref()?.get::<Array<'_>>(key)).all(|widths| {
        // Either a code and a list, or the first and last code with one or three widths.
        let mut total = 0i64;
        let mut first = None;
        for entry in widths.iter::<Object<'_>>() {
            match (entry, first) {
                (Object::Number(number), None) => first = Some(number.as_i64()),
                (Object::Number(number), Some(from)) => {
                    total = total.saturating_add(number.as_i64().saturating_sub(from).max(0));
                    first = Some(number.as_i64());
                }
                _ => first = None,
            }
        }
        total <= MAX_WIDTHS
    })
}

/// Appends a character: decomposes ligatures, and maps private-use characters of symbol fonts.
fn push_expanded(text: &mut String, c: char) {
    match c {
        '\u{fb00}' => text.push_str("ff"),
        '\u{fb01}' => text.push_str("fi"),
        '\u{fb02}' => text.push_str("fl"),
        '\u{fb03}' => text.push_str("ffi"),
        '\u{fb04}' => text.push_str("ffl"),
        '\u{fb05}' | '\u{fb06}' => text.push_str("st"),
        '\t' | '\n' | '\r' | '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{3000}' => text.push(' '),
        '\u{f0b7}' | '\u{f0a8}' | '\u{f06c}' | '\u{f09f}' => text.push('•'),
        '\u{f0a7}' | '\u{f06e}' => text.push('▪'),
        '\u{f0d8}' => text.push('➢'),
        '\u{f0fc}' => text.push('✓'),
        '\u{f0e0}' => text.push('→'),
        '\u{f02d}' => text.push('-'),
        '\u{e000}'..='\u{f8ff}' => text.push(UNKNOWN),
        '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' => {}
        c if c.is_control() => {}
        c => text.push(c),
    }
}

/// Whether a font name, in lower case, is that of a bold font; `cmbx`, `sfbx` and `…b8r` are TeX names.
fn names_bold(name: &str) -> bool {
    ["bold", "black", "heavy", "demi", "-bd", "cmbx", "sfbx", "ecbx", "cmssbx"].iter().any(|part| name.contains(part))
        || (name.contains("nimbus") && name.contains("-medi"))
        || name.ends_with("b8r")
        || name.ends_with("b8t")
}

fn names_mono(name: &str) -> bool {
    ["mono", "courier", "cmtt", "sftt", "ectt", "consol", "typewriter"].iter().any(|part| name.contains(part))
        && !name.contains("monotype")
}

/// Actual size of a Type 3 font, whose matrix is arbitrary.
fn drawn_height(dict: &Dict<'_>) -> Option<f64> {
    let subtype = dict.get::<Name<'_>>("Subtype")?;
    if subtype.as_ref() != b"Type3" {
        return None;
    }
    let matrix = dict.get::<[f64; 6]>("FontMatrix")?;
    let bounds = dict.get::<[f64; 4]>("FontBBox")?;
    // The bounding box includes accents and descenders: about a fifth more than the font size.
    let height = ((bounds[3] - bounds[1]) * matrix[3]).abs() / 1.2;
    (height.is_finite() && height > 1e-6).then_some(height)
}
