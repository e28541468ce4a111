//! The T1 (Cork) encoding of TeX, for bitmap fonts, whose glyph names are `a` and the code and carry no other
//! information. The older OT1 encoding has the same letters.

use hayro_syntax::object::{Array, Dict, Name, Object};

/// Codes from 128 on, as far as they differ from Latin-1.
const UPPER: &str = "ĂĄĆČĎĚĘĞĹĽŁŃŇŊŐŔŘŚŠŞŤŢŰŮŸŹŽŻĲİđ§ăąćčďěęğĺľłńňŋőŕřśšşťţűůÿźžżĳ¡¿£";

/// Whether a font is a TeX bitmap font with original codes. Some programs renumber glyphs from 0, which makes codes
/// meaningless.
pub(super) fn is_bitmap(font: &Dict<'_>) -> bool {
    if font.get::<Name<'_>>("Subtype").is_none_or(|subtype| subtype.as_ref() != b"Type3") {
        return false;
    }
    let names = font.get::<Dict<'_>>("Encoding").and_then(|encoding| encoding.get::<Array<'_>>("Differences"));
    let Some(names) = names else { return false };
    let (mut code, mut named, mut gaps) = (0i64, 0usize, 0usize);
    for entry in names.iter::<Object<'_>>().take(1024) {
        match entry {
            Object::Number(number) => {
                gaps += usize::from(number.as_i64() != code || code == 0 && number.as_i64() > 0);
                code = number.as_i64();
            }
            Object::Name(name) => {
                if name.as_ref() == b".notdef" {
                    gaps += 1;
                } else if name.as_str().strip_prefix('a') == Some(code.to_string().as_str()) {
                    named += 1;
                } else {
                    return false;
                }
                code += 1;
            }
            _ => return false,
        }
    }
    named > 0 && gaps > 0
}

/// The character of a code; `None` if it has none.
pub(super) fn character(code: u32) -> Option<&'static str> {
    const LIGATURES: [&str; 5] = ["ff", "fi", "fl", "ffi", "ffl"];
    const LETTERS: &str =
        " !\"#$%&’()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_‘abcdefghijklmnopqrstuvwxyz{|}~-";
    const LATIN: &str = "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖŒØÙÚÛÜÝÞẞàáâãäåæçèéêëìíîïðñòóôõöœøùúûüýþß";
    const QUOTES: &str = "“”„«»–—";
    match code {
        // From OT1; the accents that T1 has there are not used alone.
        11..=15 => LIGATURES.get(code as usize - 11).copied(),
        16..=22 => nth(QUOTES, code - 16),
        27..=31 => LIGATURES.get(code as usize - 27).copied(),
        32..=127 => nth(LETTERS, code - 32),
        128..=191 => nth(UPPER, code - 128),
        192..=255 => nth(LATIN, code - 192),
        _ => None,
    }
}

fn nth(letters: &'static str, at: u32) -> Option<&'static str> {
    let (from, c) = letters.char_indices().nth(at as usize)?;
    letters.get(from..from + c.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::{UPPER, character};

    #[test]
    fn tables_are_complete() {
        assert_eq!(UPPER.chars().count(), 64);
        assert_eq!(
            [65, 122, 127, 128, 161, 191, 192, 233, 255, 28].map(character),
            [
                Some("A"),
                Some("z"),
                Some("-"),
                Some("Ă"),
                Some("ą"),
                Some("£"),
                Some("À"),
                Some("é"),
                Some("ß"),
                Some("fi")
            ]
        );
    }
}
