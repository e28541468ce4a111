//! Labels of encodings, and the 7-bit encodings UTF-7, HZ and ISO-2022, which mails still use and the WHATWG standard
//! lacks. They cannot be detected, only declared.

use encoding_rs::{EUC_KR, Encoding, GBK};

/// The encoding with this label, in common spellings.
pub(super) fn named(label: &str) -> Option<&'static Encoding> {
    let label = label.trim().trim_matches(['"', '\'']);
    Encoding::for_label(label.as_bytes()).or_else(|| {
        let label = label.to_ascii_lowercase();
        let number = ["windows", "cp", "win", "ms", "ibm"].iter().find_map(|start| label.strip_prefix(start))?;
        let number = number.trim_start_matches(['-', '_']).parse().ok()?;
        Encoding::for_label(code_page(number)?.as_bytes())
    })
}

/// The WHATWG label of a Windows code page.
pub(crate) fn code_page(number: u32) -> Option<String> {
    Some(match number {
        437 | 850 | 1252 => "windows-1252".to_string(),
        874 | 1250..=1258 => format!("windows-{number}"),
        932 => "shift_jis".to_string(),
        936 => "gbk".to_string(),
        949 | 51_949 => "euc-kr".to_string(),
        950 => "big5".to_string(),
        866 => "ibm866".to_string(),
        10_000 => "macintosh".to_string(),
        20_866 => "koi8-r".to_string(),
        21_866 => "koi8-u".to_string(),
        28_591..=28_605 => format!("iso-8859-{}", number - 28_590),
        50_220..=50_222 => "iso-2022-jp".to_string(),
        51_932 => "euc-jp".to_string(),
        54_936 => "gb18030".to_string(),
        _ => return None,
    })
}

/// Decodes a 7-bit encoding; `None` if `label` is not one.
pub(super) fn seven_bits(bytes: &[u8], label: &str) -> Option<String> {
    if !bytes.is_ascii() {
        return None;
    }
    match label.trim().to_ascii_lowercase().as_str() {
        "utf-7" | "utf7" | "csutf7" | "unicode-1-1-utf-7" | "x-unicode-2-0-utf-7" | "csunicode11utf7" => {
            Some(utf_7(bytes))
        }
        "hz-gb-2312" | "hz" => Some(hz(bytes)),
        "iso-2022-kr" | "csiso2022kr" => Some(shifted(bytes, EUC_KR)),
        "iso-2022-cn" | "iso-2022-cn-ext" => Some(shifted(bytes, GBK)),
        _ => None,
    }
}

/// UTF-7 (RFC 2152): UTF-16 in Base64 between a plus and a minus.
fn utf_7(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'+' {
            text.push(char::from(*first));
            continue;
        }
        let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')).count();
        let (packed, after) = rest.split_at(length);
        rest = after.strip_prefix(b"-").unwrap_or(after);
        if packed.is_empty() {
            text.push('+');
            continue;
        }
        let bytes = crate::base64::decode(packed);
        let units = bytes.chunks_exact(2).filter_map(|two| two.try_into().ok()).map(u16::from_be_bytes);
        text.extend(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
    }
    text
}

/// HZ (RFC 1843): GB 2312 without the high bits, between `~{` and `~}`.
fn hz(bytes: &[u8]) -> String {
    let mut wide = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    let mut is_shifted = false;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let sign = after.first().copied().filter(|_| *first == b'~');
        match sign {
            Some(b'{') => is_shifted = true,
            Some(b'}') => is_shifted = false,
            Some(b'~') => wide.push(b'~'),
            // A line continuation.
            Some(b'\n') => {}
            _ => {
                wide.push(if is_shifted && first.is_ascii_graphic() { first | 0x80 } else { *first });
                is_shifted &= *first != b'\n';
                continue;
            }
        }
        rest = after.get(1..).unwrap_or_default();
    }
    GBK.decode_without_bom_handling(&wide).0.into_owned()
}

/// ISO-2022: characters without their high bits between shift-out and shift-in.
fn shifted(bytes: &[u8], encoding: &'static Encoding) -> String {
    let mut wide = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    let mut is_shifted = false;
    while let Some((first, after)) = rest.split_first() {
        rest = match (first, after) {
            // Designates the character set.
            (0x1b, [b'$', b')' | b'*' | b'+', _, after @ ..]) => after,
            (0x1b, [b'N' | b'O', after @ ..]) => after,
            _ => {
                match first {
                    0x0e => is_shifted = true,
                    0x0f => is_shifted = false,
                    _ => wide.push(if is_shifted && first.is_ascii_graphic() { first | 0x80 } else { *first }),
                }
                after
            }
        };
    }
    encoding.decode_without_bom_handling(&wide).0.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_of_seven_bits_are_read() {
        let read = |text: &[u8], label: &str| seven_bits(text, label).unwrap();
        assert_eq!(
            read(b"Die Fr+APY-sche und +AOQ-hnliches: 1 +- 2, +ZeVnLIqe-.", "UTF-7"),
            "Die Frösche und ähnliches: 1 + 2, 日本語."
        );
        assert_eq!(read(b"+2D3eAA-", "utf-7"), "😀");
        assert_eq!(read(b"This ~~ is ~{;aRi~}.~\nEnd", "hz-gb-2312"), "This ~ is 会议.End");
        assert_eq!(read(b"\x1b$)C\x0e0!3*\x0f abc", "iso-2022-kr"), "가나 abc");
        assert_eq!(seven_bits(b"a", "utf-8"), None);
        assert_eq!(seven_bits(b"\xe4", "utf-7"), None);
        assert_eq!(named("cp932").unwrap().name(), "Shift_JIS");
        assert_eq!(named("\"Windows_1250\"").unwrap().name(), "windows-1250");
        assert!(named("unknown-8bit").is_none());
    }
}
