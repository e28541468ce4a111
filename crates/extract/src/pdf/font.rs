//! Fonts: which characters a code stands for, how wide it is, and whether the face is bold or of fixed width. Outlines are
//! never drawn, and fonts of the system are never looked for.

use super::unicode::Unicode;
use super::{bidi, tex_encoding};
use hayro_cmap::BfString;
use hayro_font::{CMapResolverFn, Font, FontCache, FontGlyph, FontQuery, FontResolverFn};
use hayro_syntax::object::{Array, Dict, Name, Object};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// Stands for a glyph whose character the font does not tell.
pub(super) const UNKNOWN: char = char::REPLACEMENT_CHARACTER;

/// Width of a character in a font that cannot be read, in thousandths of its size.
const USUAL_WIDTH: f64 = 500.0;

/// Most widths of a font in all: a font has 65,536 codes, and widths themselves are counted with the codes.
const MAX_WIDTHS: i64 = 4_000_000;

/// The fonts of a document, each read once.
pub(super) struct Fonts<'a> {
    cache: FontCache<'a>,
    standard: FontResolverFn,
    cmaps: CMapResolverFn,
    faces: HashMap<(usize, usize), Rc<Face<'a>>>,
}

/// A font.
pub(super) struct Face<'a> {
    font: Option<Font<'a>>,
    pub(super) bold: bool,
    pub(super) mono: bool,
    /// Height of the letters in units of the size that the page asks for: 1 but for fonts that are drawn (Type 3).
    pub(super) scale: f64,
    /// Its codes are those of TeX.
    tex: bool,
    /// Its codes are of two bytes, as far as nothing else is known of them.
    wide: bool,
    unicode: Unicode<'a>,
    codes: RefCell<HashMap<u32, Rc<Code>>>,
}

/// What a code of a font shows.
pub(super) struct Code {
    /// The characters; ligatures are taken apart.
    pub(super) text: Box<str>,
    /// How far to go on, in thousandths of the size; vertical fonts go along the second.
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

    /// The font that a dictionary describes.
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

    /// Whether its lines go from top to bottom.
    pub(super) fn vertical(&self) -> bool {
        self.font.as_ref().is_some_and(|font| !font.is_horizontal())
    }

    /// The code at the start of a string, and how many bytes it takes.
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

    /// What a code shows.
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
        // The letters of a ligature, too, from left to right.
        let text = bidi::reverse_rtl(&text);
        Code { text: text.into(), advance: (advance.x, advance.y) }
    }
}

/// Whether the tables of widths are of a size that a font can have. The parser fills them as far as the file says.
fn is_sound(dict: &Dict<'_>) -> bool {
    if dict.get::<i64>("FirstChar").is_some_and(|first| !(0..=0xff).contains(&first)) {
        return false;
    }
    let descendant = dict.get::<Array<'_>>("DescendantFonts").and_then(|fonts| fonts.iter::<Dict<'_>>().next());
    ["W", "W2"].into_iter().filter_map(|key| descendant.as_ref()?.get::<Array<'_>>(key)).all(|widths| {
        // Either the first code and a list, or the first, the last and one width or three.
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

/// Adds a character: ligatures as their letters, and the signs that symbol fonts keep in the private area as what they
/// look like.
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

/// Bold by the name of the face, in lower case; `cmbx`, `sfbx` and `…b8r` are how TeX calls them.
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

/// Height of the letters of a drawn font: its matrix may make them any size.
fn drawn_height(dict: &Dict<'_>) -> Option<f64> {
    let subtype = dict.get::<Name<'_>>("Subtype")?;
    if subtype.as_ref() != b"Type3" {
        return None;
    }
    let matrix = dict.get::<[f64; 6]>("FontMatrix")?;
    let bounds = dict.get::<[f64; 4]>("FontBBox")?;
    // A bounding box holds accents and descenders too: about a fifth more than the size.
    let height = ((bounds[3] - bounds[1]) * matrix[3]).abs() / 1.2;
    (height.is_finite() && height > 1e-6).then_some(height)
}
