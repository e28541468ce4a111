//! Bullets of lists: a recogniser does not see a small mark that stands alone. They are found in the picture, as dark spots
//! before lines, at the same place before two lines or more.

use super::{Placed, TextLine};
use crate::pdf::list;
use crate::recognition::Ink;
use std::ops::Range;

/// All of these are multiples of the size of the text: the gap between a bullet and its line, the width and height of a
/// bullet, and how far left of it nothing is.
const GAP: Range<f32> = 0.2..4.0;
const SIDE: Range<f32> = 0.12..0.5;
const FREE: f32 = 0.6;
/// How far above the baseline its middle is: lower ones are full stops and leaders.
const MIDDLE: Range<f32> = 0.12..0.55;
/// By how much bullets of one list may be apart from one another across the page.
const SAME_PLACE: f32 = 0.2;
/// Share of its rectangle that is dark; and how much longer than wide it may be.
const LEAST_DARK: f32 = 0.5;
const MOST_OBLONG: f32 = 1.4;
/// Most lines of a page that are looked at.
const MAX_LINES: usize = 2_000;

/// A spot before a line that may be a bullet, in pixels.
struct Spot {
    line: usize,
    left: f32,
    right: f32,
    height: f32,
    size: f32,
    baseline: f32,
}

/// Puts bullets before the lines that have them in the picture.
pub(super) fn add(lines: &mut [TextLine], ink: &Ink) {
    let spots: Vec<Spot> = (0..lines.len().min(MAX_LINES)).filter_map(|at| spot(lines, at, ink)).collect();
    let is_alike = |a: &Spot, b: &Spot| {
        (a.left - b.left).abs() <= SAME_PLACE * a.size
            && (a.height - b.height).abs() <= 1.0 + 0.25 * a.height
            && (a.baseline - b.baseline).abs() > a.size / 2.0
    };
    for spot in spots.iter().filter(|spot| spots.iter().any(|other| is_alike(spot, other))) {
        if let Some(line) = lines.get_mut(spot.line) {
            line.words.insert(0, Placed { text: "•".into(), left: spot.left, right: spot.right });
        }
    }
}

/// The spot before a line, if nothing else is there.
fn spot(lines: &[TextLine], at: usize, ink: &Ink) -> Option<Spot> {
    let line = lines.get(at).filter(|line| line.angle == 0)?;
    let first = line.words.first().filter(|word| !list::is_mark(&word.text))?;
    let (size, baseline) = (line.size, line.baseline);
    let pixel = |place: f32| place.max(0.0) as usize;
    let rows = pixel(baseline - 0.8 * size)..pixel(baseline + 0.1 * size);
    let is_dark = |x: usize| ink.in_column(x, rows.clone()) > 0;
    let (farthest, nearest) = (pixel(first.left - GAP.end * size), pixel(first.left - GAP.start * size));
    // From the text to the left: a gap, the spot, and nothing.
    let right = (farthest..nearest).rev().find(|x| is_dark(*x))? + 1;
    let widest = pixel(SIDE.end * size);
    let left = right - (0..right).rev().take(widest + 1).take_while(|x| is_dark(*x)).count();
    let is_free = (pixel(left as f32 - FREE * size)..left).all(|x| !is_dark(x));
    let is_gap = (right..pixel(first.left - 1.0)).all(|x| !is_dark(x));
    if !is_free || !is_gap || right + pixel(GAP.start * size) > pixel(first.left) {
        return None;
    }
    let is_row = |y: &usize| ink.in_row(*y, left..right) > 0;
    let (top, bottom) = (rows.clone().find(is_row)?, rows.clone().rev().find(is_row)? + 1);
    let (wide, high) = ((right - left) as f32, (bottom - top) as f32);
    let dark: usize = (top..bottom).map(|y| ink.in_row(y, left..right)).sum();
    let middle = baseline - (top + bottom) as f32 / 2.0;
    let is_bullet = [wide, high].iter().all(|side| SIDE.contains(&(side / size)))
        && wide.max(high) <= MOST_OBLONG * wide.min(high) + 1.0
        && dark as f32 >= LEAST_DARK * wide * high
        && MIDDLE.contains(&(middle / size));
    let is_read = lines
        .iter()
        .filter(|line| (line.baseline - baseline).abs() < size)
        .any(|line| line.words.iter().any(|word| word.left < right as f32 + 1.0 && word.right > left as f32 - 1.0));
    let (left, right) = (left as f32, right as f32);
    (is_bullet && !is_read).then_some(Spot { line: at, left, right, height: high, size, baseline })
}

#[cfg(test)]
mod tests {
    use super::*;
    use socle_ocr::{Channels, Picture};

    const WIDTH: usize = 400;

    /// A page with lines of size 20 at these baselines, and dark rectangles: from the left, from the top, wide and high.
    fn read(baselines: &[usize], spots: &[(usize, usize, usize, usize)]) -> Vec<String> {
        let mut pixels = vec![255_u8; WIDTH * 300];
        let mut fill = |x: usize, y: usize, wide: usize, high: usize| {
            (y..y + high).for_each(|y| pixels[y * WIDTH + x..y * WIDTH + x + wide].fill(0));
        };
        let mut lines: Vec<TextLine> = Vec::new();
        for baseline in baselines {
            fill(100, baseline - 10, 60, 10);
            let words = vec![Placed { text: "text".into(), left: 100.0, right: 160.0 }];
            lines.push(TextLine { words, angle: 0, baseline: *baseline as f32, size: 20.0 });
        }
        spots.iter().for_each(|(x, y, wide, high)| fill(*x, *y, *wide, *high));
        let picture = Picture { width: WIDTH as u32, height: 300, channels: Channels::Grey, pixels, dpi: None };
        add(&mut lines, &Ink::of(&picture));
        let text = |line: &TextLine| line.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
        lines.iter().map(text).collect()
    }

    #[test]
    fn spots_at_one_place_before_several_lines_are_bullets() {
        // The second line of the first item has none.
        let found = read(&[100, 130, 160], &[(70, 92, 6, 6), (70, 152, 6, 6)]);
        assert_eq!(found, ["• text", "text", "• text"]);
    }

    #[test]
    fn other_spots_are_no_bullets() {
        let plain = ["text", "text"];
        // One alone, and two at different places.
        assert_eq!(read(&[100, 130], &[(70, 92, 6, 6)]), plain);
        assert_eq!(read(&[100, 130], &[(70, 92, 6, 6), (60, 122, 6, 6)]), plain);
        // Full stops, a rule, dashes, letters that were not read, and specks of dust.
        assert_eq!(read(&[100, 130], &[(70, 97, 3, 3), (70, 127, 3, 3)]), plain);
        assert_eq!(read(&[100, 130], &[(70, 60, 3, 100)]), plain);
        assert_eq!(read(&[100, 130], &[(70, 94, 12, 2), (70, 124, 12, 2)]), plain);
        assert_eq!(read(&[100, 130], &[(60, 92, 6, 6), (70, 92, 6, 6), (60, 122, 6, 6), (70, 122, 6, 6)]), plain);
        assert_eq!(read(&[100, 130], &[(70, 94, 1, 1), (70, 124, 1, 1)]), plain);
    }
}
