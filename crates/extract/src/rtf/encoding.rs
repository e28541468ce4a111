//! Code pages of the document and of its fonts.

use encoding_rs::Encoding;

/// The encoding of 8-bit text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CodePage {
    /// An encoding of the WHATWG standard.
    Web(&'static Encoding),
    /// A DOS code page: its upper 128 characters.
    Dos(&'static str),
    /// A symbol font, whose codes are not text.
    Symbol,
}

impl CodePage {
    /// The code page with this Windows number; `None` if it is unknown.
    pub fn numbered(number: i32) -> Option<Self> {
        let label = match number {
            437 => return Some(Self::Dos(DOS_437)),
            850 | 858 => return Some(Self::Dos(DOS_850)),
            42 => return Some(Self::Symbol),
            866 => "ibm866",
            874 => "windows-874",
            932 => "shift_jis",
            936 => "gbk",
            949 => "euc-kr",
            950 => "big5",
            1250..=1258 => return Encoding::for_label(format!("windows-{number}").as_bytes()).map(Self::Web),
            10000 => "macintosh",
            10007 => "x-mac-cyrillic",
            54936 => "gb18030",
            65001 => "utf-8",
            _ => return None,
        };
        Encoding::for_label(label.as_bytes()).map(Self::Web)
    }

    /// The code page of a font character set; `None` for that of the document.
    pub fn of_font(charset: i32) -> Option<Self> {
        Self::numbered(match charset {
            2 => 42,
            77 => 10000,
            128 => 932,
            129 | 130 => 949,
            134 => 936,
            136 => 950,
            161 => 1253,
            162 => 1254,
            163 => 1258,
            177 => 1255,
            178..=180 => 1256,
            186 => 1257,
            204 => 1251,
            222 => 874,
            238 => 1250,
            254 => 437,
            _ => return None,
        })
    }

    /// Decodes bytes.
    pub fn decode(self, bytes: &[u8]) -> String {
        let upper = |table: &str, byte: u8| table.chars().nth(usize::from(byte.wrapping_sub(128))).unwrap_or_default();
        match self {
            Self::Web(encoding) => encoding.decode_without_bom_handling(bytes).0.into_owned(),
            Self::Dos(table) => {
                bytes.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { upper(table, *byte) }).collect()
            }
            Self::Symbol => bytes.iter().filter_map(|byte| symbol(*byte)).collect(),
        }
    }
}

/// Characters that all symbol fonts share, and check marks; `None` for others.
fn symbol(byte: u8) -> Option<char> {
    match byte {
        b' ' => Some(' '),
        0xb7 => Some('•'),
        _ => None,
    }
}

const DOS_437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
     └┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

const DOS_850: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐\
     └┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u{ad}±‗¾¶§÷¸°¨·¹³²■\u{a0}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_pages_are_known() {
        let decoded = |number: i32, bytes: &[u8]| CodePage::numbered(number).unwrap().decode(bytes);
        assert_eq!(decoded(1250, b"Za\xbf\xf3\xb3\xe6"), "Zażółć");
        assert_eq!(decoded(1252, b"\x9cuvre \x80"), "œuvre €");
        assert_eq!(decoded(437, b"Gr\x94\xe1e \xff|"), "Größe \u{a0}|");
        assert_eq!(decoded(850, b"Gr\x94\xe1e \xff|"), "Größe \u{a0}|");
        assert_eq!(decoded(932, b"\x93\xfa\x96{"), "日本");
        assert_eq!(CodePage::of_font(238), CodePage::numbered(1250));
        assert_eq!(CodePage::of_font(0), None);
        assert_eq!([DOS_437, DOS_850].map(|table| table.chars().count()), [128, 128]);
    }
}
