//! Reads the pixels of a picture at another size and place, with its contrast stretched.

use crate::picture::Picture;
use crate::shape::{Place, Point, distance};
use crate::tensor::Tensor;

/// Parts of the pixels that are darker than what is black on the page, and lighter than what is white, in per mille.
const TAIL_PER_MILLE: usize = 10;

/// Difference of lightness between the two, below which contrast is stretched. Print on paper has more than 180.
const FULL_CONTRAST: u8 = 160;

/// Smallest difference that is stretched. A page with less is empty.
const MIN_CONTRAST: u8 = 16;

/// Every how many pixels lightness is looked at.
const STEP: usize = 7;

/// What the bytes of a picture become: from −1 for black to 1 for white, as the graphs take them.
#[derive(Clone, Debug)]
pub struct Tones([f32; 256]);

impl Tones {
    /// The tones of a picture, which has been checked.
    pub fn of(picture: &Picture) -> Self {
        let (low, high) = contrast(picture, picture.channels.bytes());
        let value = |byte: usize| {
            let stretched = (byte as f32 - f32::from(low)) / (f32::from(high) - f32::from(low));
            stretched.clamp(0.0, 1.0) * 2.0 - 1.0
        };
        Self(std::array::from_fn(value))
    }
}

/// The pixels of a picture as numbers.
pub struct Pixels<'a> {
    picture: &'a Picture,
    width: usize,
    height: usize,
    channels: usize,
    tones: &'a Tones,
}

impl<'a> Pixels<'a> {
    /// The pixels of a picture, which has been checked, in its tones.
    pub fn new(picture: &'a Picture, tones: &'a Tones) -> Self {
        let channels = picture.channels.bytes();
        Self { picture, width: picture.width as usize, height: picture.height as usize, channels, tones }
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (f32, f32) {
        (self.width as f32, self.height as f32)
    }

    /// The whole picture with so many rows and columns. When it becomes smaller, each new pixel is the mean of those that
    /// it covers.
    pub fn scaled(&self, height: usize, width: usize) -> Tensor {
        if width > self.width || height > self.height {
            let (along, across) = (self.width as f32 / width as f32, self.height as f32 / height as f32);
            return self.piece((0.0, 0.0), (along, 0.0), (0.0, across), (height, width), |_| (0.0, 0.0));
        }
        let mut tensor = Tensor::picture(height, width);
        let plane = height * width;
        let columns = shares(self.width, width);
        let mut sums = vec![0.0_f32; width * self.channels];
        for (to, rows) in shares(self.height, height).chunk_by(|a, b| a.1 == b.1).enumerate() {
            sums.fill(0.0);
            let weight: f32 = rows.iter().map(|(_, _, share)| share).sum();
            for (from, _, share) in rows {
                self.add_row(*from, *share / weight, &columns, &mut sums);
            }
            for x in 0..width {
                for channel in 0..3 {
                    let own = if self.channels == 3 { 2 - channel } else { 0 };
                    tensor.values[channel * plane + to * width + x] = sums[x * self.channels + own];
                }
            }
        }
        tensor
    }

    /// Adds a row of the picture, whose columns have these shares in new ones.
    fn add_row(&self, row: usize, share: f32, columns: &[(usize, usize, f32)], sums: &mut [f32]) {
        let bytes = &self.picture.pixels[row * self.width * self.channels..][..self.width * self.channels];
        for (from, to, part) in columns {
            for channel in 0..self.channels {
                let value = self.tones.0[usize::from(bytes[from * self.channels + channel])];
                sums[to * self.channels + channel] += value * part * share;
            }
        }
    }

    /// A line with so many rows and columns, straightened.
    pub fn line(&self, place: &Place, (height, width): (usize, usize)) -> Tensor {
        let [origin, right, _, below] = place.corners;
        let part = |to: Point, parts: f32| ((to.0 - origin.0) / parts, (to.1 - origin.1) / parts);
        let down = part(below, distance(origin, below).max(1.0));
        let sag = |column: f32| {
            let sag = place.sag(column / width as f32);
            (down.0 * sag, down.1 * sag)
        };
        self.piece(origin, part(right, width as f32), part(below, height as f32), (height, width), sag)
    }

    /// A piece of the picture whose corner left above is `origin`: `along` leads from one new pixel to the next of its row,
    /// `across` to the next row; what is in a column is `off` by so much. Beyond its edges, the picture goes on as at the edge.
    fn piece(
        &self,
        origin: Point,
        along: Point,
        across: Point,
        (height, width): (usize, usize),
        off: impl Fn(f32) -> Point,
    ) -> Tensor {
        let mut tensor = Tensor::picture(height, width);
        let plane = height * width;
        // As many samples for each new pixel as it covers old ones, so that thin strokes are not skipped.
        let samples = |step: Point| (step.0.hypot(step.1) - 0.1).ceil().clamp(1.0, 8.0) as usize;
        let (right, down) = (samples(along), samples(across));
        let weight = 1.0 / (right * down) as f32;
        let off: Vec<Point> = (0..width).map(|x| off(x as f32 + 0.5)).collect();
        for y in 0..height {
            for (x, off) in off.iter().enumerate() {
                let origin = (origin.0 + off.0, origin.1 + off.1);
                let mut sum = [0.0_f32; 3];
                for sample in 0..right * down {
                    let u = x as f32 + ((sample % right) as f32 + 0.5) / right as f32;
                    let v = y as f32 + ((sample / right) as f32 + 0.5) / down as f32;
                    let at = (origin.0 + u * along.0 + v * across.0, origin.1 + u * along.1 + v * across.1);
                    self.add_sample(at, &mut sum);
                }
                for channel in 0..3 {
                    let own = if self.channels == 3 { 2 - channel } else { 0 };
                    tensor.values[channel * plane + y * width + x] = sum[own] * weight;
                }
            }
        }
        tensor
    }

    /// Adds the values at a place between pixels, in the order of the picture.
    fn add_sample(&self, (x, y): Point, sum: &mut [f32; 3]) {
        let (x, y) = (x - 0.5, y - 0.5);
        let (left, top) = (x.floor(), y.floor());
        let (right_share, below_share) = (x - left, y - top);
        let column = |at: f32| (at.max(0.0) as usize).min(self.width - 1) * self.channels;
        let row = |at: f32| (at.max(0.0) as usize).min(self.height - 1) * self.width * self.channels;
        let (left, right) = (column(left), column(left + 1.0));
        let (top, bottom) = (row(top), row(top + 1.0));
        for (channel, sum) in sum.iter_mut().enumerate().take(self.channels) {
            let value = |at: usize| self.tones.0[usize::from(self.picture.pixels[at + channel])];
            let above = value(top + left) * (1.0 - right_share) + value(top + right) * right_share;
            let below = value(bottom + left) * (1.0 - right_share) + value(bottom + right) * right_share;
            *sum += above * (1.0 - below_share) + below * below_share;
        }
    }
}

/// Which of `from` old rows or columns have which share in which of `to` new ones, which are fewer.
fn shares(from: usize, to: usize) -> Vec<(usize, usize, f32)> {
    let step = to as f64 / from as f64;
    let mut shares = Vec::with_capacity(from + to);
    for old in 0..from {
        let (begin, end) = (old as f64 * step, (old + 1) as f64 * step);
        let (first, last) = (begin as usize, (end as usize).min(to - 1));
        for new in first..=last {
            let share = end.min((new + 1) as f64) - begin.max(new as f64);
            if share > 1e-9 {
                shares.push((old, new, share as f32));
            }
        }
    }
    shares.sort_by_key(|(old, new, _)| (*new, *old));
    shares
}

/// The lightness that is taken as black and as white.
fn contrast(picture: &Picture, channels: usize) -> (u8, u8) {
    let mut counts = [0_usize; 256];
    let mut all = 0;
    for pixel in picture.pixels.chunks_exact(channels).step_by(STEP) {
        let lightness = pixel.iter().map(|byte| usize::from(*byte)).sum::<usize>() / channels;
        counts[lightness] += 1;
        all += 1;
    }
    let tail = all * TAIL_PER_MILLE / 1000;
    let low = beyond((0..=255).zip(counts), tail).unwrap_or(0);
    let high = beyond((0..=255).zip(counts).rev(), tail).unwrap_or(255);
    let range = high.saturating_sub(low);
    if (MIN_CONTRAST..FULL_CONTRAST).contains(&range) { (low, high) } else { (0, 255) }
}

/// The first lightness with more than `tail` pixels up to it.
fn beyond(mut counts: impl Iterator<Item = (u8, usize)>, tail: usize) -> Option<u8> {
    let mut seen = 0;
    counts.find_map(|(lightness, count)| {
        seen += count;
        (seen > tail).then_some(lightness)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Channels;

    fn grey(width: u32, pixels: Vec<u8>) -> Picture {
        Picture { width, height: pixels.len() as u32 / width, channels: Channels::Grey, pixels, dpi: None }
    }

    #[test]
    fn a_smaller_picture_has_the_means_of_what_it_covers() {
        let picture = grey(4, vec![0, 255, 255, 255, 0, 255, 0, 0]);
        let tones = Tones::of(&picture);
        let small = Pixels::new(&picture, &tones).scaled(1, 2);
        assert_eq!(small.shape, [1, 3, 1, 2]);
        assert!(small.values.chunks(2).all(|plane| (plane[0] - 0.0).abs() < 1e-6 && (plane[1] - 0.0).abs() < 1e-6));
        let third = Pixels::new(&picture, &tones).scaled(2, 3);
        assert!((third.values[0] - (-0.5)).abs() < 1e-6, "{:?}", third.values);
    }

    #[test]
    fn colours_come_blue_first() {
        let picture = Picture { width: 1, height: 1, channels: Channels::Rgb, pixels: vec![255, 0, 51], dpi: None };
        let values = Pixels::new(&picture, &Tones::of(&picture)).scaled(1, 1).values;
        assert!(values.iter().zip([-0.6, -1.0, 1.0]).all(|(a, b)| (a - b).abs() < 1e-6), "{values:?}");
    }

    #[test]
    fn a_piece_is_read_in_any_direction_and_goes_on_beyond_the_edge() {
        let picture = grey(2, vec![0, 255, 0, 255]);
        let tones = Tones::of(&picture);
        let pixels = Pixels::new(&picture, &tones);
        let turned = pixels.piece((0.0, 2.0), (0.0, -1.0), (1.0, 0.0), (2, 2), |_| (0.0, 0.0));
        assert_eq!(turned.values[..4], [-1.0, -1.0, 1.0, 1.0]);
        let beyond = pixels.piece((-2.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1, 3), |_| (0.0, 0.0));
        assert_eq!(beyond.values[..3], [-1.0, -1.0, -1.0]);
    }

    #[test]
    fn weak_contrast_is_stretched_and_an_empty_page_stays_empty() {
        let mut weak = vec![200; 7 * 1000];
        weak.iter_mut().step_by(2).for_each(|pixel| *pixel = 170);
        let picture = grey(7, weak);
        let values = Tones::of(&picture).0;
        assert_eq!((values[170], values[200]), (-1.0, 1.0));
        let empty = grey(7, vec![200; 7 * 1000]);
        assert!((Tones::of(&empty).0[200] - (200.0 / 255.0 * 2.0 - 1.0)).abs() < 1e-6);
    }
}
