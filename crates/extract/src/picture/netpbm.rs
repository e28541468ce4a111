//! Netpbm pictures (PBM, PGM, PPM, PAM) are told from texts that begin in the same way: a letter, a digit, numbers.

use crate::encoding::is_unicode;

/// Bytes that are examined.
const SAMPLE: usize = 1 << 16;
/// Most bytes of the head of a PAM.
const PAM_HEAD: usize = 1024;

/// Whether bytes are such a picture: of the binary kinds, exactly as much data as the head says follows, or something that
/// is no text; of the plain ones, numbers and nothing else.
pub(super) fn is_netpbm(bytes: &[u8]) -> bool {
    let [b'P', kind @ b'1'..=b'7', rest @ ..] = bytes else { return false };
    let (samples, bits, has_maximum) = match kind {
        b'1' | b'4' => (1, 1, false),
        b'3' | b'6' => (3, 8, true),
        b'2' | b'5' => (1, 8, true),
        _ => {
            let head = rest.get(..PAM_HEAD).unwrap_or(rest);
            return head.starts_with(b"\n") && head.windows(8).any(|line| line == b"\nENDHDR\n");
        }
    };
    let Some((width, rest)) = number(rest) else { return false };
    let Some((height, rest)) = number(rest) else { return false };
    let Some((maximum, rest)) = (if has_maximum { number(rest) } else { Some((1, rest)) }) else { return false };
    if width == 0 || height == 0 || !(1..=65_535).contains(&maximum) {
        return false;
    }
    if *kind < b'4' {
        let data = rest.get(..SAMPLE).unwrap_or(rest);
        let mut lines = data.split(|byte| *byte == b'\n');
        return lines.all(|line| {
            let numbers = line.split(|byte| *byte == b'#').next().unwrap_or_default();
            numbers.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_whitespace())
        }) && rest.len() as u64 >= width * height * samples;
    }
    let bits = if maximum > 255 { 2 * bits } else { bits };
    // One character of white space ends the head.
    let expected = (width * samples * bits).div_ceil(8) * height + 1;
    rest.len() as u64 == expected || !is_unicode(rest.get(..SAMPLE).unwrap_or(rest))
}

/// The number that follows white space and comments, and what is behind it.
fn number(mut bytes: &[u8]) -> Option<(u64, &[u8])> {
    /// More digits no size has.
    const DIGITS: usize = 9;
    let before = bytes.len();
    loop {
        bytes = bytes.trim_ascii_start();
        let Some(comment) = bytes.strip_prefix(b"#") else { break };
        bytes = comment.get(comment.iter().position(|byte| *byte == b'\n')?..)?;
    }
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = bytes.split_at_checked(digits)?;
    let number = std::str::from_utf8(number).ok().filter(|number| (1..=DIGITS).contains(&number.len()))?;
    (bytes.len() < before && rest.first().is_none_or(u8::is_ascii_whitespace)).then_some((number.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_begin_as_a_picture_does_are_texts() {
        for picture in [
            &b"P1 2 2 0110"[..],
            b"P1\n# by hand\n2 2\n0 1 # first\n1 0\n",
            b"P2\n2 1\n15\n0 15\n",
            b"P3 1 1 255 1 2 3",
            b"P4\n9 1\n\x80\0",
            b"P5\n2 2\n255\n\xff\xff\xff\xff",
            // Cut off, but no text; and one of pixels that are letters.
            b"P5\n200 200\n255\n\xff\xff\x80\x91\xff",
            b"P5 4 1 255\nabcd",
            b"P6\n1 1\n65535\n\0\x01\0\x02\0\x03",
            b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nTUPLTYPE GRAYSCALE\nENDHDR\nx",
        ] {
            assert!(is_netpbm(picture), "{}", picture.escape_ascii());
        }
        for text in [
            &b"P1"[..],
            b"P1 and P2 are processes",
            b"P1 10 20",
            b"P2 3 4 5 6 words",
            b"P5 3 4 5 words",
            b"P5 300 100 255 and so on",
            b"P6\n",
            b"P7 1 2",
            b"P5\n0 0\n255\n",
            b"P8 1 1 1 1",
            b"PS 1 1",
        ] {
            assert!(!is_netpbm(text), "{}", text.escape_ascii());
        }
    }
}
