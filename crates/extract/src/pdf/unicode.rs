//! Unicode mappings of fonts that `hayro-font` does not support: character collections of CJK fonts, predefined
//! ToUnicode CMaps, and malformed ones.

use hayro_cmap::{BfString, CMap, CMapName, CidFamily, load_embedded};
use hayro_syntax::object::{Array, Dict, Object, Stream, String as PdfString};
use std::cell::OnceCell;
use std::collections::BTreeMap;

/// Maximum number of entries of a map.
const MAX_ENTRIES: usize = 70_000;
/// Maximum length of the text of a code in bytes.
const MAX_TEXT: usize = 64;

/// Ranges by first code: last code, and text of the first code.
type Ranges = BTreeMap<u32, (u32, String)>;

/// A mapping from codes to text.
#[derive(Default)]
pub(super) struct Unicode<'a> {
    font: Dict<'a>,
    /// A ToUnicode CMap that the parser rejects.
    refused: bool,
    ranges: OnceCell<Ranges>,
    /// The codes are UTF-16.
    identity: bool,
    /// From codes to CIDs of a character collection, and from these to Unicode.
    collection: OnceCell<Option<(CMap, CMap)>>,
}

impl<'a> Unicode<'a> {
    /// The mapping of a font.
    pub(super) fn of(font: &Dict<'a>) -> Self {
        let mut unicode = Self { font: font.clone(), ..Self::default() };
        match font.get::<Object<'_>>("ToUnicode") {
            Some(Object::Stream(stream)) => {
                let bytes = stream.decoded_data();
                unicode.refused = bytes.is_ok_and(|bytes| CMap::parse(&bytes, load_embedded).is_none());
            }
            Some(Object::Name(name)) => {
                unicode.identity = name.as_ref().starts_with(b"Identity") && is_of_characters(font);
            }
            _ => {}
        }
        unicode
    }

    /// Whether this mapping takes precedence over the parser, which cannot read the CMap of the font.
    pub(super) fn is_first(&self) -> bool {
        self.refused
    }

    /// The text of a code; `None` if it has none.
    pub(super) fn text(&self, code: u32) -> Option<String> {
        let ranges = self.ranges.get_or_init(|| {
            let stream = self.font.get::<Stream<'_>>("ToUnicode");
            stream.and_then(|stream| stream.decoded_data().ok().map(|bytes| ranges(&bytes))).unwrap_or_default()
        });
        if let Some((first, (last, text))) = ranges.range(..=code).next_back()
            && code <= *last
        {
            return next(text, code - first);
        }
        let Some((encoding, characters)) = self.collection.get_or_init(|| collection(&self.font)) else {
            return char::from_u32(code).filter(|c| self.identity && !c.is_control()).map(String::from);
        };
        let cid = (1..=4).find_map(|length| encoding.lookup_cid_code(code, length))?;
        match characters.lookup_bf_string(cid)? {
            BfString::Char(c) => Some(c.to_string()),
            BfString::String(text) => Some(text),
        }
    }
}

/// Whether the codes of a font whose ToUnicode map is `Identity` can be UTF-16: a font with a CIDToGIDMap does not use
/// glyph numbers as codes.
fn is_of_characters(font: &Dict<'_>) -> bool {
    let Some(descendant) = descendant(font) else { return false };
    let embedded = descendant.get::<Dict<'_>>("FontDescriptor").is_some_and(|descriptor| {
        ["FontFile", "FontFile2", "FontFile3"].into_iter().any(|key| descriptor.contains_key(key))
    });
    !embedded || descendant.get::<Stream<'_>>("CIDToGIDMap").is_some()
}

fn descendant<'a>(font: &Dict<'a>) -> Option<Dict<'a>> {
    font.get::<Array<'a>>("DescendantFonts")?.iter::<Dict<'a>>().next()
}

/// The maps of a font with an Adobe character collection.
fn collection(font: &Dict<'_>) -> Option<(CMap, CMap)> {
    let descendant = descendant(font)?;
    let encoding = match font.get::<Object<'_>>("Encoding")? {
        Object::Name(name) => match CMapName::from_bytes(name.as_ref()) {
            CMapName::IdentityH => CMap::identity_h(),
            CMapName::IdentityV => CMap::identity_v(),
            known => CMap::parse(load_embedded(known)?, load_embedded)?,
        },
        Object::Stream(stream) => CMap::parse(&stream.decoded_data().ok()?, load_embedded)?,
        _ => return None,
    };
    let named = encoding.metadata().character_collection.as_ref().map(|collection| collection.family.clone());
    let stated = || {
        let info = descendant.get::<Dict<'_>>("CIDSystemInfo")?;
        let part = |key| info.get::<PdfString<'_>>(key);
        Some(CidFamily::from_registry_ordering(part("Registry")?.as_bytes(), part("Ordering")?.as_bytes()))
    };
    let family = named.filter(|family| family.ucs2_cmap().is_some()).or_else(stated)?;
    let characters = CMap::parse(load_embedded(family.ucs2_cmap()?)?, load_embedded)?;
    Some((encoding, characters))
}

/// The text with its last character advanced by `by`.
fn next(text: &str, by: u32) -> Option<String> {
    let mut chars: Vec<char> = text.chars().collect();
    if let Some(last) = chars.last_mut() {
        *last = char::from_u32(u32::from(*last).checked_add(by)?)?;
    }
    Some(chars.into_iter().collect())
}

/// A token of a ToUnicode CMap, as far as it is used.
enum Piece {
    Bytes(Vec<u8>),
    Open,
    Close,
}

/// Parses the entries of a ToUnicode CMap and ignores everything else.
fn ranges(bytes: &[u8]) -> Ranges {
    let mut ranges = BTreeMap::new();
    let mut rest = bytes;
    while let Some(at) = find(rest, b"beginbf") {
        rest = rest.get(at + b"beginbf".len()..).unwrap_or_default();
        let length = find(rest, b"endbf").or_else(|| find(rest, b"beginbf")).unwrap_or(rest.len());
        let (section, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        read(&mut pieces(section).into_iter(), section.starts_with(b"range"), &mut ranges);
        rest = after;
    }
    ranges
}

/// Parses a section of single codes or of ranges.
fn read(pieces: &mut dyn Iterator<Item = Piece>, in_ranges: bool, ranges: &mut Ranges) {
    let mut codes: Vec<u32> = Vec::new();
    let wanted = if in_ranges { 2 } else { 1 };
    while let Some(piece) = pieces.next() {
        let (Some(first), Some(last)) = (codes.first().copied(), codes.last().copied()) else {
            codes.extend(code(&piece));
            continue;
        };
        if codes.len() < wanted {
            codes.extend(code(&piece));
            continue;
        }
        codes.clear();
        match piece {
            Piece::Bytes(bytes) => insert(ranges, first, last, &bytes),
            Piece::Open => {
                for (at, bytes) in (first..).zip(pieces.map_while(|piece| match piece {
                    Piece::Bytes(bytes) => Some(bytes),
                    _ => None,
                })) {
                    insert(ranges, at, at, &bytes);
                }
            }
            Piece::Close => {}
        }
    }
}

fn code(piece: &Piece) -> Option<u32> {
    let Piece::Bytes(bytes) = piece else { return None };
    (1..=4).contains(&bytes.len()).then(|| bytes.iter().fold(0, |code, byte| code << 8 | u32::from(*byte)))
}

fn insert(ranges: &mut Ranges, first: u32, last: u32, bytes: &[u8]) {
    let units: Vec<u16> = match bytes {
        [one] => vec![u16::from(*one)],
        bytes => {
            bytes.chunks_exact(2).map(|pair| pair.iter().fold(0, |unit, byte| unit << 8 | u16::from(*byte))).collect()
        }
    };
    let text =
        String::from_utf16(&units).ok().filter(|text| !text.is_empty() && text.len() <= MAX_TEXT && text != "\0");
    if let Some(text) = text.filter(|_| first <= last && ranges.len() < MAX_ENTRIES) {
        ranges.insert(first, (last, text));
    }
}

/// Tokenizes hexadecimal strings and the brackets around lists of them.
fn pieces(section: &[u8]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = section;
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'[' => pieces.push(Piece::Open),
            b']' => pieces.push(Piece::Close),
            b'<' => {
                let length = after.iter().position(|byte| *byte == b'>').unwrap_or(after.len());
                let (digits, after) = after.split_at_checked(length).unwrap_or((after, &[]));
                let digits: Vec<u8> =
                    digits.iter().filter_map(|byte| char::from(*byte).to_digit(16)?.try_into().ok()).collect();
                pieces.push(Piece::Bytes(
                    digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect(),
                ));
                rest = after;
            }
            _ => {}
        }
    }
    pieces
}

fn find(bytes: &[u8], word: &[u8]) -> Option<usize> {
    bytes.windows(word.len()).position(|window| window == word)
}

#[cfg(test)]
mod tests {
    use super::{Unicode, ranges};

    #[test]
    fn maps_are_read_for_what_they_say() {
        let map = b"/CMapName /Adobe-Identity-UC> def 2 beginbfchar <01> <0041>\n<0002><> <0003> <D83D DE00> endbfchar \
            1 beginbfrange <0010> <0012> <0061> <0020> <0021> [<0078> <0066 0069>] endbfrange 1 beginbfchar <0005> <0042";
        let unicode = Unicode { ranges: ranges(map).into(), ..Unicode::default() };
        let text = |code| unicode.text(code);
        assert_eq!(
            [1, 3, 0x10, 0x12, 0x20, 0x21, 5].map(text).map(Option::unwrap),
            ["A", "😀", "a", "c", "x", "fi", "B"]
        );
        assert_eq!([2, 4, 0x13, 0x22].map(text), [None, None, None, None]);
        assert!(ranges(b"beginbfrange <0000> <ffffffff> <0041> endbfrange <41> [ ] <").len() < 2);
        assert!(ranges(b"beginbfchar").is_empty() && ranges(b"").is_empty());
    }
}
