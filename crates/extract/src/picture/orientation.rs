//! How a picture is turned and mirrored, as the tag `Orientation` says.

use socle_ocr::Picture;

/// The picture as it is to be seen. The tag counts from 1, which is as it is stored.
pub(super) fn upright(picture: Picture, orientation: Option<u16>) -> Picture {
    let (width, height) = (picture.width as usize, picture.height as usize);
    // Whether rows become columns, and which sides are exchanged then.
    let (is_transposed, flips_x, flips_y) = match orientation {
        Some(2) => (false, true, false),
        Some(3) => (false, true, true),
        Some(4) => (false, false, true),
        Some(5) => (true, false, false),
        Some(6) => (true, true, false),
        Some(7) => (true, true, true),
        Some(8) => (true, false, true),
        _ => return picture,
    };
    let bytes = picture.channels.bytes();
    let (wide, high) = if is_transposed { (height, width) } else { (width, height) };
    let mut pixels = Vec::with_capacity(picture.pixels.len());
    for y in 0..high {
        let y = if flips_y { high - 1 - y } else { y };
        for x in 0..wide {
            let x = if flips_x { wide - 1 - x } else { x };
            let (from_x, from_y) = if is_transposed { (y, x) } else { (x, y) };
            let at = (from_y * width + from_x) * bytes;
            pixels.extend_from_slice(picture.pixels.get(at..at + bytes).unwrap_or_default());
        }
    }
    Picture { width: wide as u32, height: high as u32, pixels, ..picture }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socle_ocr::Channels;

    #[test]
    fn all_eight_orientations_are_undone() {
        // The stored pictures of which each shows the rows "abc" and "def".
        for (orientation, width, stored) in [
            (1, 3, "abcdef"),
            (2, 3, "cbafed"),
            (3, 3, "fedcba"),
            (4, 3, "defabc"),
            (5, 2, "adbecf"),
            (6, 2, "cfbead"),
            (7, 2, "fcebda"),
            (8, 2, "daebfc"),
        ] {
            let pixels = stored.as_bytes().to_vec();
            let picture = Picture { width, height: 6 / width, channels: Channels::Grey, pixels, dpi: None };
            let seen = upright(picture, Some(orientation));
            assert_eq!((seen.width, seen.pixels.as_slice()), (3, &b"abcdef"[..]), "{orientation}");
        }
    }
}
