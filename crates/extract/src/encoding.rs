//! Character encodings of text: by byte order mark, by validity, by declaration, and finally by statistical detection.

mod charset;
mod declaration;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
pub(crate) use charset::code_page;
use charset::{named, seven_bits};
pub(crate) use declaration::declared;
use encoding_rs::{Encoding, ISO_2022_JP, ISO_8859_15, UTF_16BE, UTF_16LE, WINDOWS_1252};
use std::borrow::Cow;

/// Number of bytes examined to detect UTF-16 and UTF-32.
const SAMPLE: usize = 1 << 16;

/// Decodes `bytes`. `declared`: label of the encoding that the document declares; ignored where the bytes contradict
/// it.
pub(crate) fn decode<'a>(bytes: &'a [u8], declared: Option<&str>) -> Cow<'a, str> {
    if let Some(text) = declared.and_then(|label| seven_bits(bytes, label)) {
        return text.into();
    }
    if let Some(text) = wide(bytes) {
        return text.into();
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let declared = declared.and_then(named);
    let shifts = bytes.windows(2).any(|pair| matches!(pair, b"\x1b$" | b"\x1b("));
    if let (Ok(text), false) = (std::str::from_utf8(bytes), shifts) {
        // Short GBK text may be valid UTF-8 by coincidence; the declaration then decides.
        let is_short = || !text.is_ascii() && text.chars().all(|c| c.len_utf8() <= 2);
        let wide = declared.filter(|encoding| is_multi_byte(encoding) && is_short());
        let other = wide.and_then(|encoding| encoding.decode_without_bom_handling_and_without_replacement(bytes));
        return other.unwrap_or(text.into());
    }
    if let Some(text) = broken_utf8(bytes) {
        return text.into();
    }
    if let Some(declared) = declared.filter(|encoding| encoding.is_ascii_compatible() || shifts) {
        let text = read_as(declared, bytes);
        // A few invalid bytes do not contradict the declaration.
        let wrong = text.chars().filter(|c| *c == char::REPLACEMENT_CHARACTER).count();
        if wrong * 100 <= text.chars().count() {
            return text;
        }
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(bytes, true);
    let mut encoding = detector.guess(None, Utf8Detection::Deny);
    if encoding == WINDOWS_1252 && is_latin_9(bytes) {
        encoding = ISO_8859_15;
    }
    read_as(encoding, bytes)
}

/// Decodes in a known encoding. Tolerates escape sequences without text between them in ISO-2022-JP, which occur in
/// mail and are errors for the WHATWG decoder.
fn read_as<'a>(encoding: &'static Encoding, bytes: &'a [u8]) -> Cow<'a, str> {
    let is_switch = |rest: &[u8]| matches!(rest, [0x1b, b'$' | b'(', b'@'..=b'J', ..]);
    if encoding != ISO_2022_JP || !bytes.windows(6).any(|six| is_switch(six) && six.get(3..).is_some_and(is_switch)) {
        return encoding.decode_without_bom_handling(bytes).0;
    }
    let mut kept = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        if is_switch(rest) && rest.get(3..).is_some_and(is_switch) {
            rest = rest.get(3..).unwrap_or_default();
            continue;
        }
        kept.push(*first);
        rest = after;
    }
    encoding.decode_without_bom_handling(&kept).0.into_owned().into()
}

/// Decodes a short text, as in a mail header, in its declared encoding; `None` if the label is unknown. Too short for
/// detection, so the declaration is believed unless the bytes are invalid.
pub(crate) fn stated(bytes: &[u8], label: &str) -> Option<String> {
    if let Some(text) = seven_bits(bytes, label) {
        return Some(text);
    }
    let encoding = named(label)?;
    if encoding != encoding_rs::UTF_8 && !is_multi_byte(&encoding) {
        return Some(decode(bytes, Some(label)).into_owned());
    }
    let text = read_as(encoding, bytes);
    let wrong = text.chars().filter(|c| *c == char::REPLACEMENT_CHARACTER).count();
    // The last character may be truncated.
    let is_right = wrong <= 1 || wrong * 20 <= text.chars().count();
    Some(if is_right { text.into_owned() } else { decode(bytes, Some(label)).into_owned() })
}

fn is_multi_byte(encoding: &&'static Encoding) -> bool {
    !encoding.is_single_byte() && *encoding != encoding_rs::UTF_8 && *encoding != UTF_16LE && *encoding != UTF_16BE
}

/// Decodes UTF-16 and UTF-32, with or without a byte order mark; `None` for other text. Only these contain zero bytes.
fn wide(bytes: &[u8]) -> Option<String> {
    let utf_32 = |bytes: &[u8], read: fn([u8; 4]) -> u32| {
        let characters = bytes.chunks_exact(4).filter_map(|chunk| chunk.try_into().ok()).map(read);
        characters.map(|c| char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER)).collect::<String>()
    };
    let utf_16 = |bytes: &[u8], encoding: &'static Encoding| encoding.decode_without_bom_handling(bytes).0.into_owned();
    match bytes {
        [0xff, 0xfe, 0, 0, rest @ ..] => return Some(utf_32(rest, u32::from_le_bytes)),
        [0, 0, 0xfe, 0xff, rest @ ..] => return Some(utf_32(rest, u32::from_be_bytes)),
        [0xff, 0xfe, rest @ ..] => return Some(utf_16(rest, UTF_16LE)),
        [0xfe, 0xff, rest @ ..] => return Some(utf_16(rest, UTF_16BE)),
        _ => {}
    }
    let sample = bytes.get(..SAMPLE).unwrap_or(bytes);
    if !sample.contains(&0) || has_stray_zeros(sample) {
        return None;
    }
    let quads = sample.chunks_exact(4);
    let count = quads.len();
    let (low, high) = quads.fold((0, 0), |(low, high), quad| match quad {
        [_, _, 0..=2, 0] => (low + 1, high),
        [0, 0..=2, _, _] => (low, high + 1),
        _ => (low, high),
    });
    if count > 0 && low == count {
        return Some(utf_32(bytes, u32::from_le_bytes));
    }
    if count > 0 && high == count {
        return Some(utf_32(bytes, u32::from_be_bytes));
    }
    [UTF_16LE, UTF_16BE]
        .into_iter()
        .find(|encoding| is_utf_16(sample, encoding))
        .map(|encoding| utf_16(bytes, encoding))
}

/// Whether a sample is UTF-8 text with a few stray zero bytes: in UTF-16, each space and line break would have one.
fn has_stray_zeros(sample: &[u8]) -> bool {
    let is_utf_8 = std::str::from_utf8(sample).map_or_else(|error| error.error_len().is_none(), |_| true);
    let zeros = sample.iter().filter(|byte| **byte == 0).count();
    let spaces = sample.iter().filter(|byte| matches!(byte, b' ' | b'\n')).count();
    is_utf_8 && zeros.saturating_mul(4) < spaces
}

/// Whether a sample is plausible UTF-16: valid, without control characters, and with spaces or line breaks.
fn is_utf_16(sample: &[u8], encoding: &'static Encoding) -> bool {
    let pairs: Vec<u16> = sample
        .chunks_exact(2)
        .filter_map(|pair| pair.try_into().ok())
        .map(if encoding == UTF_16LE { u16::from_le_bytes } else { u16::from_be_bytes })
        .collect();
    let is_control = |unit: u16| (unit < 0x20 && !matches!(unit, 9..=13)) || matches!(unit, 0x7f..=0x9f | 0xfff0..);
    // U+2000 and U+0A00 are a space and a line feed in the wrong byte order.
    let swapped = |unit: u16| matches!(unit, 0x2000 | 0x0a00 | 0x0d00 | 0x0900 | 0x3000);
    let spaces = pairs.iter().filter(|unit| matches!(unit, 9 | 10 | 13 | 0x20 | 0x3000)).count();
    let narrow = pairs.iter().filter(|unit| **unit < 0x100).count();
    let wrong = pairs.iter().filter(|unit| swapped(**unit)).count();
    let private = pairs.iter().filter(|unit| matches!(unit, 0xe000..=0xf8ff)).count();
    let last = pairs.len().saturating_sub(1);
    let invalid = char::decode_utf16(pairs.iter().copied()).enumerate().any(|(at, read)| read.is_err() && at < last);
    !invalid
        && !pairs.is_empty()
        && !pairs.iter().any(|unit| is_control(*unit))
        && ((spaces > 0 && wrong <= spaces) || narrow * 2 > pairs.len())
        && private * 10 <= pairs.len()
}

/// Decodes UTF-8 with some invalid bytes, which are decoded as windows-1252, because such files are often concatenated
/// from several sources; `None` if it is mostly invalid. Drops a truncated character at the end.
fn broken_utf8(bytes: &[u8]) -> Option<String> {
    let bytes = match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => bytes.get(..error.valid_up_to()).unwrap_or(bytes),
        _ => bytes,
    };
    let (mut right, mut wrong) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        right += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        wrong += usize::from(!chunk.invalid().is_empty());
    }
    // Text in other encodings is valid UTF-8 only in places.
    if right < wrong.saturating_mul(2).max(1) {
        return None;
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.push_str(&WINDOWS_1252.decode_without_bom_handling(chunk.invalid()).0);
    }
    Some(text)
}

/// Whether Latin text is ISO-8859-15 and not windows-1252, from which it differs in eight characters: windows-1252
/// would have the rare currency sign, or fractions and accents inside words.
fn is_latin_9(bytes: &[u8]) -> bool {
    if bytes.iter().any(|byte| matches!(byte, 0x80..=0x9f)) {
        return false;
    }
    let letter = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphabetic() || *byte >= 0xc0);
    bytes.iter().enumerate().any(|(at, byte)| {
        let before = letter(at.checked_sub(1).and_then(|at| bytes.get(at)));
        let after = bytes.get(at + 1);
        match byte {
            0xa4 => true,
            0xbd => before || matches!(after, Some(b'u' | b'i')),
            0xbc => matches!(after, Some(b'u' | b'U')),
            0xa6 | 0xa8 | 0xb4 | 0xb8 => before && letter(after),
            0xbe => before && after.is_none_or(|byte| !byte.is_ascii_digit()),
            _ => false,
        }
    })
}

/// Whether `bytes` are text in any encoding.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    /// Characters at the beginning, where binary files have a head of small numbers.
    const HEAD: usize = 64;
    let sample = bytes.get(..SAMPLE).unwrap_or(bytes);
    let text = decode(sample, None);
    let odd =
        |c: char| (c.is_control() && !c.is_ascii_whitespace() && c != '\u{1b}') || c == char::REPLACEMENT_CHARACTER;
    let count = text.chars().filter(|c| odd(*c)).count();
    let in_head = text.chars().take(HEAD).filter(|c| odd(*c)).count();
    // Tolerates a few stray bytes.
    count * 20 <= text.chars().count()
        && in_head * 4 <= HEAD
        && (is_unicode(sample) || !is_noise(&text) && !is_filled(sample))
}

/// Whether `bytes` are certainly text: valid UTF-8, UTF-16 or UTF-32.
pub(crate) fn is_unicode(bytes: &[u8]) -> bool {
    let sample = bytes.get(..SAMPLE).unwrap_or(bytes);
    // The last character of the sample may be truncated.
    let is_utf_8 = std::str::from_utf8(sample).map_or_else(|error| error.error_len().is_none(), |_| true);
    (is_utf_8 && !sample.contains(&0))
        || matches!(sample, [0xff, 0xfe, ..] | [0xfe, 0xff, ..])
        || wide(sample).is_some()
}

/// Whether most of `bytes` is what white pixels and empty memory are filled with.
fn is_filled(bytes: &[u8]) -> bool {
    bytes.iter().filter(|byte| **byte == 0xff).count() * 2 > bytes.len()
}

/// Whether a text of a detected encoding is noise: raw audio decoded as Latin letters has upper-case letters inside
/// words, adjacent letters of different scripts, and symbols between letters.
fn is_noise(text: &str) -> bool {
    /// Minimum number of pairs for a decision.
    const LEAST: usize = 64;
    let sign = |c: char| {
        matches!(c, '\u{a1}'..='\u{bf}' | '×' | '÷' | '\u{192}' | '\u{2c6}' | '\u{2dc}') && !is_punctuation(c)
    };
    let script = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' => 1,
        '\u{370}'..='\u{3ff}' => 2,
        '\u{400}'..='\u{4ff}' => 3,
        '\u{590}'..='\u{5ff}' => 4,
        '\u{600}'..='\u{6ff}' => 5,
        '\u{e00}'..='\u{e7f}' => 6,
        _ => 0,
    };
    let (mut pairs, mut odd) = (0_usize, 0_usize);
    for (a, b) in text.chars().zip(text.chars().skip(1)).filter(|(a, b)| !a.is_whitespace() && !b.is_whitespace()) {
        pairs += 1;
        let mixed = script(a) != script(b) && script(a) > 0 && script(b) > 0;
        let inside = (a.is_alphabetic() && sign(b)) || (sign(a) && b.is_alphabetic());
        odd += usize::from(mixed || inside || (a.is_lowercase() && b.is_uppercase()));
    }
    pairs >= LEAST && odd * 10 > pairs
}

/// Signs beyond ASCII that stand beside letters in texts.
fn is_punctuation(c: char) -> bool {
    matches!(c, '«' | '»' | '·' | '°' | 'º' | 'ª' | '§' | '®' | '©' | '´' | '¿' | '¡' | '£' | '\u{ad}')
}
