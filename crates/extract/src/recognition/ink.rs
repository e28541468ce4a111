//! Where a picture is dark, as one bit a pixel: from it, the size and the baseline of recognised lines are measured, and
//! the straight lines of tables are found.

use socle_ocr::{Channels, Picture};
use std::ops::Range;

/// Skew below which a picture is not turned, in degrees: a line across the page then descends by less than its own height.
const STRAIGHT_DEGREES: f32 = 0.1;

/// The dark pixels of a picture.
#[derive(Clone, Debug)]
pub(crate) struct Ink {
    width: usize,
    height: usize,
    /// Number of words of a row in `bits`.
    stride: usize,
    bits: Vec<u64>,
}

impl Ink {
    fn empty(width: usize, height: usize) -> Self {
        let stride = width.div_ceil(64);
        Self { width, height, stride, bits: vec![0; stride * height] }
    }

    /// The dark pixels of a picture. On most pages, the writing is dark and there is less of it than of the ground; where it
    /// is the other way round, the light pixels are taken.
    pub(crate) fn of(picture: &Picture) -> Self {
        let channels = picture.channels.bytes();
        let grey = |pixel: &[u8]| match (picture.channels, pixel) {
            (Channels::Rgb, [red, green, blue]) => {
                ((u32::from(*red) * 77 + u32::from(*green) * 150 + u32::from(*blue) * 29) >> 8) as u8
            }
            (_, pixel) => pixel.first().copied().unwrap_or(u8::MAX),
        };
        let mut counts = [0_u64; 256];
        for pixel in picture.pixels.chunks_exact(channels) {
            if let Some(count) = counts.get_mut(usize::from(grey(pixel))) {
                *count += 1;
            }
        }
        let threshold = threshold(&counts);
        let dark: u64 = counts.iter().take(threshold).sum();
        let inverted = dark * 2 > counts.iter().sum::<u64>();
        let mut ink = Self::empty(picture.width as usize, picture.height as usize);
        for (row, line) in
            picture.pixels.chunks_exact((ink.width * channels).max(1)).zip(ink.bits.chunks_mut(ink.stride.max(1)))
        {
            for (at, pixel) in row.chunks_exact(channels).enumerate() {
                let is_dark = usize::from(grey(pixel)) < threshold;
                if let Some(bits) = line.get_mut(at / 64) {
                    *bits |= u64::from(is_dark != inverted) << (at % 64);
                }
            }
        }
        ink
    }

    /// Pixels of a row.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Number of rows.
    pub(crate) fn height(&self) -> usize {
        self.height
    }

    /// Whether a pixel is dark; none is outside of the picture.
    pub(crate) fn at(&self, x: usize, y: usize) -> bool {
        x < self.width && self.bits.get(y * self.stride + x / 64).is_some_and(|bits| bits >> (x % 64) & 1 == 1)
    }

    /// Number of dark pixels of a row between two columns.
    pub(crate) fn in_row(&self, y: usize, columns: Range<usize>) -> usize {
        columns.filter(|x| self.at(*x, y)).count()
    }

    /// Number of dark pixels of a column between two rows.
    pub(crate) fn in_column(&self, x: usize, rows: Range<usize>) -> usize {
        rows.filter(|y| self.at(x, *y)).count()
    }

    /// The picture put upright by quarter turns clockwise, and straight.
    pub(crate) fn upright(self, rotation: u8, skew_degrees: f32) -> Self {
        let rotation = rotation % 4;
        if rotation == 0 && skew_degrees.abs() < STRAIGHT_DEGREES {
            return self;
        }
        let (width, height) =
            if rotation.is_multiple_of(2) { (self.width, self.height) } else { (self.height, self.width) };
        let mut upright = Self::empty(width, height);
        let (sin, cos) = f64::from(skew_degrees).to_radians().sin_cos();
        let (middle_x, middle_y) = (width as f64 / 2.0, height as f64 / 2.0);
        let (last_x, last_y) = (self.width as f64 - 1.0, self.height as f64 - 1.0);
        for y in 0..height {
            for x in 0..width {
                let (right, down) = (x as f64 + 0.5 - middle_x, y as f64 + 0.5 - middle_y);
                let (u, v) = (middle_x + right * cos - down * sin - 0.5, middle_y + right * sin + down * cos - 0.5);
                let (from_x, from_y) = match rotation {
                    0 => (u, v),
                    1 => (v, last_y - u),
                    2 => (last_x - u, last_y - v),
                    _ => (last_x - v, u),
                };
                if from_x > -0.5 && from_y > -0.5 && self.at((from_x + 0.5) as usize, (from_y + 0.5) as usize) {
                    upright.set(x, y);
                }
            }
        }
        upright
    }

    /// Makes a pixel light.
    pub(crate) fn clear(&mut self, x: usize, y: usize) {
        if x < self.width
            && let Some(bits) = self.bits.get_mut(y * self.stride + x / 64)
        {
            *bits &= !(1 << (x % 64));
        }
    }

    fn set(&mut self, x: usize, y: usize) {
        if let Some(bits) = self.bits.get_mut(y * self.stride + x / 64) {
            *bits |= 1 << (x % 64);
        }
    }
}

/// The grey below which a pixel is dark: the one that parts dark and light best (Otsu, 1979).
fn threshold(counts: &[u64; 256]) -> usize {
    let all: f64 = counts.iter().sum::<u64>() as f64;
    let sum: f64 = counts.iter().enumerate().map(|(grey, count)| grey as f64 * *count as f64).sum();
    let (mut below, mut sum_below, mut best, mut found) = (0.0, 0.0, 0.0, 128);
    for (grey, count) in counts.iter().enumerate() {
        below += *count as f64;
        sum_below += grey as f64 * *count as f64;
        let above = all - below;
        if below == 0.0 || above == 0.0 {
            continue;
        }
        let apart = sum_below / below - (sum - sum_below) / above;
        let between = below * above * apart * apart;
        if between > best {
            (best, found) = (between, grey + 1);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, rows: &[&str]) -> Picture {
        let pixels = rows.iter().flat_map(|row| row.bytes().map(|byte| if byte == b'#' { 30 } else { 220 })).collect();
        Picture { width, height: rows.len() as u32, channels: Channels::Grey, pixels, dpi: None }
    }

    fn drawn(ink: &Ink) -> Vec<String> {
        (0..ink.height()).map(|y| (0..ink.width()).map(|x| if ink.at(x, y) { '#' } else { '.' }).collect()).collect()
    }

    #[test]
    fn writing_is_what_there_is_less_of() {
        let dark = picture(5, &["#....", ".#...", "....."]);
        let mut light = dark.clone();
        light.pixels.iter_mut().for_each(|byte| *byte = 255 - *byte);
        assert_eq!(drawn(&Ink::of(&dark)), ["#....", ".#...", "....."]);
        assert_eq!(drawn(&Ink::of(&light)), ["#....", ".#...", "....."]);
    }

    #[test]
    fn pages_are_put_upright_by_quarter_turns_clockwise() {
        let ink = || Ink::of(&picture(3, &["##.", "...", "..."]));
        assert_eq!(drawn(&ink().upright(0, 0.0)), ["##.", "...", "..."]);
        assert_eq!(drawn(&ink().upright(1, 0.0)), ["..#", "..#", "..."]);
        assert_eq!(drawn(&ink().upright(2, 0.0)), ["...", "...", ".##"]);
        assert_eq!(drawn(&ink().upright(3, 0.0)), ["...", "#..", "#.."]);
    }

    #[test]
    fn a_line_that_descends_becomes_level() {
        let mut pixels = vec![255_u8; 400 * 100];
        for x in 0..400_usize {
            let y = (50.0 + (x as f64 - 200.0) * 2_f64.to_radians().tan()).round() as usize;
            for thick in 0..3 {
                pixels[(y + thick) * 400 + x] = 0;
            }
        }
        let page = Picture { width: 400, height: 100, channels: Channels::Grey, pixels, dpi: None };
        let ink = Ink::of(&page).upright(0, 2.0);
        let most = (0..100).map(|y| ink.in_row(y, 0..400)).max().unwrap();
        assert!(most > 380, "{most}");
    }
}
