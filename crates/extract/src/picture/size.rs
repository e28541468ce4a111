//! The size of a picture as its head states it, read without a decoder.

use super::Format;

/// Width and height in pixels; `None` if the head is damaged, or the decoder says it as well.
pub(super) fn stated(bytes: &[u8], format: Format) -> Option<(u32, u32)> {
    let byte = |at: usize| bytes.get(at).map(|byte| u32::from(*byte));
    let little = |at: usize, length: usize| {
        (0..length).rev().try_fold(0_u32, |number, place| Some(number << 8 | byte(at + place)?))
    };
    let big = |at: usize| (0..4).try_fold(0_u32, |number, place| Some(number << 8 | byte(at + place)?));
    match format {
        Format::Png if bytes.get(12..16)? == b"IHDR" => Some((big(16)?, big(20)?)),
        Format::Gif => Some((little(6, 2)?, little(8, 2)?)),
        // The oldest head has 12 bytes. A negative height says that the first row is the uppermost.
        Format::Bmp if little(14, 4)? == 12 => Some((little(18, 2)?, little(20, 2)?)),
        Format::Bmp if little(18, 4)? <= i32::MAX as u32 => {
            Some((little(18, 4)?, little(22, 4)?.cast_signed().unsigned_abs()))
        }
        Format::WebP => match bytes.get(12..16)? {
            b"VP8X" => Some((little(24, 3)? + 1, little(27, 3)? + 1)),
            b"VP8L" if byte(20)? == 0x2f => {
                Some((little(21, 4)? % (1 << 14) + 1, (little(21, 4)? >> 14) % (1 << 14) + 1))
            }
            b"VP8 " if bytes.get(23..26)? == b"\x9d\x01\x2a" => {
                Some((little(26, 2)? % (1 << 14), little(28, 2)? % (1 << 14)))
            }
            _ => None,
        },
        Format::Jpeg2000 => {
            let size = bytes.windows(4).position(|head| head == [0xff, 0x4f, 0xff, 0x51])?;
            let along = |at: usize| big(size + at)?.checked_sub(big(size + at + 8)?);
            Some((along(8)?, along(12)?))
        }
        Format::Bmp | Format::Jpeg | Format::Netpbm | Format::Png | Format::Tiff => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{DynamicImage, ImageFormat};
    use std::io::Cursor;

    #[test]
    fn the_size_is_that_of_the_picture() {
        let picture = DynamicImage::new_rgb8(300, 200);
        for (encoder, format) in [
            (ImageFormat::Png, Format::Png),
            (ImageFormat::Gif, Format::Gif),
            (ImageFormat::Bmp, Format::Bmp),
            (ImageFormat::WebP, Format::WebP),
        ] {
            let mut bytes = Cursor::new(Vec::new());
            picture.write_to(&mut bytes, encoder).unwrap();
            assert_eq!(stated(bytes.get_ref(), format), Some((300, 200)), "{format:?}");
            assert_eq!(stated(&bytes.get_ref()[..9], format), None, "{format:?}");
        }
        let lossy = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x2c\x01\xc8\0";
        assert_eq!(stated(lossy, Format::WebP), Some((300, 200)));
        let file = include_bytes!("../../tests/files/picture/line.jp2");
        assert_eq!(stated(file, Format::Jpeg2000), Some((300, 200)));
    }
}
