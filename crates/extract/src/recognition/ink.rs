//! Where a picture is dark, as one bit a pixel: from it, the size and the baseline of recognised lines are measured, and
//! the straight lines of tables are found.

use socle_ocr::{Channels, Picture};
use std::ops::Range;

/// Skew below which a picture is not turned, in degrees: a line across the page then descends by less than its own height.
const STRAIGHT_DEGREES: f32 = 0.1;
/// Most parts along a side of a picture, and least pixels along a side of a part, which is higher than a line of small writing.
const MOST_PARTS: usize = 64;
const LEAST_SIDE: usize = 32;
/// Share of dark pixels from which the ground may be in shade. Writing covers less.
const SHADE: f64 = 0.3;
/// How far writing and ground are apart in shade, as a share of dark and light in the whole picture. Grain is less.
const LEAST_CONTRAST: f64 = 0.25;

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
        let parts = Parts::of(picture);
        let thresholds = parts.thresholds();
        let dark: u64 = parts.counts.iter().zip(&thresholds).map(|(counts, threshold)| below(counts, *threshold)).sum();
        let inverted = dark * 2 > parts.counts.iter().flatten().map(|count| u64::from(*count)).sum();
        let mut ink = Self::empty(picture.width as usize, picture.height as usize);
        for piece in pieces(picture, parts.side) {
            let threshold = thresholds.get(piece.part).copied().unwrap_or_default();
            for (at, pixel) in piece.pixels.chunks_exact(picture.channels.bytes()).enumerate() {
                if (usize::from(grey(picture.channels, pixel)) < threshold) != inverted {
                    ink.set(piece.x + at, piece.y);
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

fn grey(channels: Channels, pixel: &[u8]) -> u8 {
    match (channels, pixel) {
        (Channels::Rgb, [red, green, blue]) => {
            ((u32::from(*red) * 77 + u32::from(*green) * 150 + u32::from(*blue) * 29) >> 8) as u8
        }
        (_, pixel) => pixel.first().copied().unwrap_or(u8::MAX),
    }
}

/// Pixels of one row and one part of a picture.
struct Piece<'p> {
    x: usize,
    y: usize,
    part: usize,
    pixels: &'p [u8],
}

/// The rows of a picture that is divided into square parts, cut at the sides of these.
fn pieces(picture: &Picture, side: usize) -> impl Iterator<Item = Piece<'_>> {
    let (width, channels) = (picture.width as usize, picture.channels.bytes());
    let rows = picture.pixels.chunks_exact((width * channels).max(1)).enumerate();
    rows.flat_map(move |(y, row)| {
        let first = y / side * width.div_ceil(side);
        let pieces = row.chunks(side * channels).enumerate();
        pieces.map(move |(at, pixels)| Piece { x: at * side, y, part: first + at, pixels })
    })
}

/// How many pixels have which grey, in square parts of a picture.
struct Parts {
    /// Pixels of a side, parts of a row, and the rows of parts.
    side: usize,
    columns: usize,
    rows: usize,
    counts: Vec<Counts>,
}

type Counts = [u32; 256];

impl Parts {
    fn of(picture: &Picture) -> Self {
        let (width, height) = (picture.width as usize, picture.height as usize);
        let side = width.max(height).div_ceil(MOST_PARTS).max(LEAST_SIDE);
        let (columns, rows) = (width.div_ceil(side), height.div_ceil(side));
        let mut counts = vec![[0; 256]; columns * rows];
        for piece in pieces(picture, side) {
            let Some(counts) = counts.get_mut(piece.part) else { continue };
            for pixel in piece.pixels.chunks_exact(picture.channels.bytes()) {
                if let Some(count) = counts.get_mut(usize::from(grey(picture.channels, pixel))) {
                    *count += 1;
                }
            }
        }
        Self { side, columns, rows, counts }
    }

    /// The grey below which pixels are dark, of each part: that of the whole picture, but where most of a part and of those
    /// around it is dark by that, as in the shade of a photocopy, the one that parts writing and ground there.
    fn thresholds(&self) -> Vec<usize> {
        let (whole, contrast) = threshold(&sum(&self.counts));
        let of_part = |at: usize| {
            let (x, y) = (at % self.columns, at / self.columns);
            let rows = y.saturating_sub(1)..(y + 2).min(self.rows);
            let columns = x.saturating_sub(1)..(x + 2).min(self.columns);
            let around = rows.flat_map(|row| columns.clone().map(move |column| row * self.columns + column));
            let counts = sum(around.filter_map(|at| self.counts.get(at)));
            let all: u64 = counts.iter().map(|count| u64::from(*count)).sum();
            if (below(&counts, whole) as f64) < SHADE * all as f64 {
                return whole;
            }
            let (local, apart) = threshold(&counts);
            if apart < LEAST_CONTRAST * contrast { whole } else { whole.min(local) }
        };
        (0..self.counts.len()).map(of_part).collect()
    }
}

fn sum<'c>(parts: impl IntoIterator<Item = &'c Counts>) -> Counts {
    let mut sum = [0_u32; 256];
    for counts in parts {
        sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum = sum.saturating_add(*count));
    }
    sum
}

/// Number of pixels below a grey.
fn below(counts: &Counts, threshold: usize) -> u64 {
    counts.iter().take(threshold).map(|count| u64::from(*count)).sum()
}

/// The grey below which a pixel is dark: the one that parts dark and light best (Otsu, 1979); and the difference of their
/// means.
fn threshold(counts: &Counts) -> (usize, f64) {
    let all: f64 = counts.iter().map(|count| f64::from(*count)).sum();
    let sum: f64 = counts.iter().enumerate().map(|(grey, count)| grey as f64 * f64::from(*count)).sum();
    let (mut below, mut sum_below, mut best, mut found) = (0.0, 0.0, 0.0, (128, 0.0));
    for (grey, count) in counts.iter().enumerate() {
        below += f64::from(*count);
        sum_below += grey as f64 * f64::from(*count);
        let above = all - below;
        if below == 0.0 || above == 0.0 {
            continue;
        }
        let apart = (sum - sum_below) / above - sum_below / below;
        let between = below * above * apart * apart;
        if between > best {
            (best, found) = (between, (grey + 1, apart));
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
    fn writing_is_told_from_ground_in_shade() {
        let (width, height) = (256_usize, 128_usize);
        let is_writing = |at: usize| at / width % 12 < 2 && at % 6 < 3;
        // The right half is in shade, with grain.
        let ground = |at: usize| if at % width < width / 2 { 220 } else { 90 + (at * 7 % 11) as u8 };
        let pixels = (0..width * height).map(|at| if is_writing(at) { 30 } else { ground(at) }).collect();
        let (width, height) = (width as u32, height as u32);
        let ink = Ink::of(&Picture { width, height, channels: Channels::Grey, pixels, dpi: None });
        // Parts at the edge of the shade are judged with those around them, some of which are in the light.
        let is_edge = |at: &usize| (128..160).contains(&(at % 256));
        let wrong = |at: &usize| ink.at(at % 256, at / 256) != is_writing(*at);
        assert_eq!((0..256 * 128).filter(|at| !is_edge(at) && wrong(at)).count(), 0);
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
