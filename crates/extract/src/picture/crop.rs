//! The part of a picture that a document shows. What its author has cut off is taken off the pixels before anything is
//! recognised.

use super::Format;
use socle_ocr::Picture;

/// Lengths of [`Crop::Lengths`] in an inch.
const MICROMETRES: f64 = 25_400.0;
/// Pixels of an inch where the file of a picture does not say: what office programs assume.
const USUAL_DPI: f64 = 96.0;

/// What is cut off at the sides of a picture: left, top, right, bottom. A negative number is empty room around it, and cuts
/// off nothing.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub(crate) enum Crop {
    /// The whole picture is shown.
    #[default]
    Nothing,
    /// Shares of its width and height, in hundred thousandths.
    Shares([i32; 4]),
    /// Micrometres at its own size, which follows from its pixels and its resolution.
    Lengths([i32; 4]),
}

impl Crop {
    /// The whole of [`Crop::Shares`].
    pub(crate) const WHOLE: i32 = 100_000;

    /// The part of a picture that is shown, whatever its orientation; `None` if that is nothing. `file` is what it was
    /// decoded from.
    pub(super) fn shown(self, picture: Picture, file: &[u8], format: Format) -> Option<Picture> {
        let (width, height) = (f64::from(picture.width), f64::from(picture.height));
        let pixels = match self {
            Self::Nothing => return Some(picture),
            Self::Shares(sides) => along(sides, |side| side / f64::from(Self::WHOLE), width, height),
            Self::Lengths(sides) => {
                let (x, y) = dpi(file, format).unwrap_or((USUAL_DPI, USUAL_DPI));
                along(sides, |side| side / MICROMETRES, x, y)
            }
        };
        let [left, top, right, bottom] = pixels;
        // A pixel that is shown in part is left out.
        let columns = left.ceil() as usize..(width - right).floor().max(0.0) as usize;
        let rows = top.ceil() as usize..(height - bottom).floor().max(0.0) as usize;
        if columns.is_empty() || rows.is_empty() {
            return None;
        }
        let (bytes, whole) = (picture.channels.bytes(), picture.width as usize);
        let mut kept = Vec::with_capacity(columns.len() * rows.len() * bytes);
        for row in rows.clone() {
            let part = (row * whole + columns.start) * bytes..(row * whole + columns.end) * bytes;
            kept.extend_from_slice(picture.pixels.get(part)?);
        }
        Some(Picture { width: columns.len() as u32, height: rows.len() as u32, pixels: kept, ..picture })
    }
}

/// What is cut off in pixels, of sides of which `share` is the share of `width` or `height`.
fn along(sides: [i32; 4], share: impl Fn(f64) -> f64, width: f64, height: f64) -> [f64; 4] {
    let [left, top, right, bottom] = sides.map(|side| share(f64::from(side.max(0))));
    [left * width, top * height, right * width, bottom * height]
}

/// Pixels of an inch, across and down, as the head of a file states them.
fn dpi(bytes: &[u8], format: Format) -> Option<(f64, f64)> {
    const METRE: f64 = 39.3701;
    let whole = |at: usize| Some(f64::from(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?)));
    let short = |at: usize| Some(f64::from(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?)));
    let little = |at: usize| Some(f64::from(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?)));
    let (x, y, inch) = match format {
        Format::Png => {
            let head = bytes.get(..bytes.windows(4).position(|four| four == b"IDAT")?)?;
            let at = head.windows(4).position(|four| four == b"pHYs")?;
            (whole(at + 4)?, whole(at + 8)?, (*bytes.get(at + 12)? == 1).then_some(METRE)?)
        }
        Format::Jpeg if bytes.get(6..11)? == b"JFIF\0" => {
            let inch = match *bytes.get(13)? {
                1 => 1.0,
                2 => 2.54,
                _ => return None,
            };
            (short(14)?, short(16)?, inch)
        }
        Format::Bmp => (little(38)?, little(42)?, METRE),
        _ => return None,
    };
    let (x, y) = (if inch == METRE { x / inch } else { x * inch }, if inch == METRE { y / inch } else { y * inch });
    (x >= 1.0 && y >= 1.0).then_some((x, y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use socle_ocr::Channels;

    /// The pixels that are left of a picture of four by three, whose pixels are numbers.
    fn left(crop: Crop, file: &[u8], format: Format) -> Option<(u32, u32, Vec<u8>)> {
        let pixels: Vec<u8> = (0..12).collect();
        let picture = Picture { width: 4, height: 3, channels: Channels::Grey, pixels, dpi: None };
        crop.shown(picture, file, format).map(|picture| (picture.width, picture.height, picture.pixels))
    }

    #[test]
    fn what_was_cut_off_is_gone_and_room_around_a_picture_is_nothing() {
        let shares = |sides| left(Crop::Shares(sides), b"", Format::Png);
        assert_eq!(left(Crop::Nothing, b"", Format::Png), Some((4, 3, (0..12).collect())));
        assert_eq!(shares([25_000, 0, 50_000, 0]), Some((1, 3, vec![1, 5, 9])));
        assert_eq!(shares([0, 34_000, 0, 0]), Some((4, 1, (8..12).collect())));
        assert_eq!(shares([-50_000, 0, 0, 66_000]), Some((4, 1, (0..4).collect())));
        for all in [[50_000, 0, 50_000, 0], [0, 120_000, 0, 0], [0, 0, i32::MAX, 0]] {
            assert_eq!(shares(all), None, "{all:?}");
        }
    }

    #[test]
    fn lengths_are_those_of_the_picture_at_its_own_size() {
        // Two pixels: at 96 of an inch; at the 5,000 of a metre that a PNG states; at 50 of an inch, and 20 of a centimetre.
        let png = b"\x89PNG....pHYs\0\0\x13\x88\0\0\x13\x88\x01....IDAT";
        let jfif =
            |unit: u8, many: u8| [b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01", &[unit, 0, many, 0, many][..]].concat();
        for (file, format, length) in [
            (b"".to_vec(), Format::Png, 529),
            (png.to_vec(), Format::Png, 400),
            (jfif(1, 50), Format::Jpeg, 1016),
            (jfif(2, 20), Format::Jpeg, 1000),
            (jfif(0, 20), Format::Jpeg, 529),
        ] {
            let found = left(Crop::Lengths([length, 0, 0, 0]), &file, format);
            assert_eq!(found, Some((2, 3, vec![2, 3, 6, 7, 10, 11])), "{format:?} {length}");
        }
    }
}
