//! Ink in colour over dark text, as that of stamps and signatures: it is taken off the page and becomes a picture of its own,
//! so that both can be read. Lines that a stamp lies across are found and read badly otherwise.
//!
//! Colour that does not touch dark text is left where it is: it is a heading, a link or a drawing, which is read in its place.

use socle_ocr::{Channels, Picture};
use std::ops::Range;

/// Most stamps of a page; what is coloured beyond these stays on it.
const MOST_STAMPS: usize = 8;
/// Cells along the longer side of a page, and least pixels of the side of a cell. Cells with colour that touch are one stamp.
const CELLS: usize = 128;
const LEAST_CELL: usize = 8;
/// Share of a cell that is coloured at least, as one of so many pixels.
const COLOURED_CELL: usize = 32;
/// Least cells along the longer and the shorter side of a stamp: 12 by 9 millimetres on A4, which is more than a line.
const LEAST_SIDES: (usize, usize) = (5, 4);
/// Difference of the largest and the smallest of red, green and blue from which a pixel is coloured, and from which it may be
/// the edge of a coloured stroke. The colour that a JPEG picture has beside black letters is weaker than the first.
const COLOURED: u8 = 50;
const TINTED: u8 = 24;
/// The largest of red, green and blue above which colour is an ink that is lighter than writing.
const LIGHT: u8 = 140;
/// The same up to which a pixel is of dark writing, with ink over it or without.
const DARK: u8 = 110;
/// Pixels between a coloured pixel and a dark one that touch.
const REACH: usize = 2;
/// Share of the coloured pixels of a stamp that touch dark ones at least, as one of so many; and how many these are at least.
const TOUCHING: usize = 100;
const LEAST_TOUCHING: usize = 48;
/// Share of the dark pixels of a stamp that no coloured one is near at least, as one of so many, and how many these are at least:
/// writing goes on beside the stamp. In coloured writing in a JPEG picture, dark pixels are edges of its strokes.
const FREE: usize = 8;
const LEAST_FREE: usize = 48;
/// Share of the rectangle around a stamp that is coloured at most. What is fuller was marked with a highlighter, or is a
/// photograph.
const FULLEST: f64 = 0.4;

#[derive(Clone, Copy, Eq, PartialEq)]
enum Ink {
    /// Neither of the others.
    Ground,
    Coloured,
    Dark,
}

fn ink(pixel: &[u8]) -> Ink {
    let (most, tint) = tint(pixel);
    if most <= DARK {
        Ink::Dark
    } else if most > LIGHT && tint >= COLOURED {
        Ink::Coloured
    } else {
        Ink::Ground
    }
}

/// The largest of red, green and blue, and the difference to the smallest.
fn tint(pixel: &[u8]) -> (u8, u8) {
    let most = pixel.iter().copied().max().unwrap_or_default();
    (most, most - pixel.iter().copied().min().unwrap_or_default())
}

/// Counts of pixels in a cell, and later in a stamp.
#[derive(Clone, Copy, Default)]
struct Counts {
    coloured: usize,
    touching: usize,
    dark: usize,
    /// Dark ones that no coloured one is near: they are not the edges of coloured strokes.
    free: usize,
}

/// Takes stamps off a page. What was below them stays.
pub(super) fn take_off(page: &mut Picture) -> Vec<Picture> {
    if page.channels != Channels::Rgb {
        return Vec::new();
    }
    let cells = Cells::of(page);
    let mut stamps: Vec<Vec<usize>> = cells.groups().into_iter().filter(|group| cells.is_stamp(group)).collect();
    stamps.sort_by_key(|group| std::cmp::Reverse(group.len()));
    stamps.truncate(MOST_STAMPS);
    stamps.sort_by_key(|group| group.iter().min().copied());
    stamps.iter().map(|group| cells.cut_out(group, page)).collect()
}

/// The page in square cells.
struct Cells {
    /// Pixels of a side.
    side: usize,
    columns: usize,
    counts: Vec<Counts>,
}

impl Cells {
    fn of(page: &Picture) -> Self {
        let (width, height) = (page.width as usize, page.height as usize);
        let side = (width.max(height) / CELLS).max(LEAST_CELL);
        let columns = width.div_ceil(side);
        let mut counts = vec![Counts::default(); columns * height.div_ceil(side)];
        let mut blocks = Blocks::new(side, width, height);
        let mut before: Vec<Vec<Ink>> = Vec::new();
        for (y, row) in page.pixels.chunks_exact((width * 3).max(1)).enumerate() {
            let inks: Vec<Ink> = row.chunks_exact(3).map(ink).collect();
            let above = before.len().checked_sub(REACH).and_then(|at| before.get(at));
            for (x, own) in inks.iter().enumerate().filter(|(_, own)| **own != Ink::Ground) {
                let Some(count) = counts.get_mut(y / side * columns + x / side) else { continue };
                let near = [x.checked_sub(REACH).and_then(|x| inks.get(x)), above.and_then(|above| above.get(x))];
                let meets = |other| near.iter().flatten().any(|near| **near == other);
                match own {
                    Ink::Dark => {
                        blocks.add_dark(x, y);
                        count.dark += 1;
                        count.touching += usize::from(meets(Ink::Coloured));
                    }
                    _ => {
                        blocks.add_coloured(x, y);
                        count.coloured += 1;
                        count.touching += usize::from(meets(Ink::Dark));
                    }
                }
            }
            before.push(inks);
            if before.len() > REACH {
                before.remove(0);
            }
        }
        for (x, y, dark) in blocks.free() {
            counts.get_mut(y / side * columns + x / side).into_iter().for_each(|count| count.free += dark);
        }
        Self { side, columns, counts }
    }

    /// Cells with colour, those that touch one another together.
    fn groups(&self) -> Vec<Vec<usize>> {
        let least = (self.side * self.side / COLOURED_CELL).max(1);
        let mut is_left: Vec<bool> = self.counts.iter().map(|counts| counts.coloured >= least).collect();
        let mut groups = Vec::new();
        for first in 0..is_left.len() {
            let mut group = Vec::new();
            let mut open = vec![first];
            while let Some(at) = open.pop() {
                match is_left.get_mut(at) {
                    Some(is_left) if *is_left => *is_left = false,
                    _ => continue,
                }
                group.push(at);
                open.extend(self.around(at));
            }
            if !group.is_empty() {
                groups.push(group);
            }
        }
        groups
    }

    /// A cell and those that touch it.
    fn around(&self, at: usize) -> impl Iterator<Item = usize> {
        let (columns, row, column) = (self.columns, at / self.columns, at % self.columns);
        let rows = row.saturating_sub(1)..(row + 2).min(self.counts.len() / columns);
        rows.flat_map(move |row| {
            (column.saturating_sub(1)..(column + 2).min(columns)).map(move |column| row * columns + column)
        })
    }

    /// The columns and rows of cells around a group.
    fn sides(&self, group: &[usize]) -> (Range<usize>, Range<usize>) {
        let range = |of: &dyn Fn(usize) -> usize| {
            let first = group.iter().map(|at| of(*at)).min().unwrap_or_default();
            first..group.iter().map(|at| of(*at)).max().unwrap_or_default() + 1
        };
        (range(&|at| at % self.columns), range(&|at| at / self.columns))
    }

    fn is_stamp(&self, group: &[usize]) -> bool {
        let (columns, rows) = self.sides(group);
        let (long, short) = (columns.len().max(rows.len()), columns.len().min(rows.len()));
        let mut all = Counts::default();
        for counts in group.iter().filter_map(|at| self.counts.get(*at)) {
            all.coloured += counts.coloured;
            all.touching += counts.touching;
            all.dark += counts.dark;
            all.free += counts.free;
        }
        let area = long * short * self.side * self.side;
        long >= LEAST_SIDES.0
            && short >= LEAST_SIDES.1
            // Otherwise, it is dark writing in colour, with its edges.
            && all.coloured > all.dark
            && all.touching >= (all.coloured / TOUCHING).max(LEAST_TOUCHING)
            && all.free >= (all.dark / FREE).max(LEAST_FREE)
            && all.coloured as f64 <= FULLEST * area as f64
    }

    /// Takes the ink of a group off the page and returns it in grey, as much of the page as is around it.
    fn cut_out(&self, group: &[usize], page: &mut Picture) -> Picture {
        let mut is_own = vec![false; self.counts.len()];
        for at in group.iter().flat_map(|at| self.around(*at)) {
            is_own.get_mut(at).into_iter().for_each(|own| *own = true);
        }
        let (columns, rows) = self.sides(group);
        let pixels = |cells: Range<usize>, side: u32| {
            cells.start.saturating_sub(1) * self.side..((cells.end + 1) * self.side).min(side as usize)
        };
        let (columns, rows) = (pixels(columns, page.width), pixels(rows, page.height));
        let ground = ground(page, &columns, &rows);
        let stride = page.width as usize * 3;
        let mut stamp = Vec::with_capacity(columns.len() * rows.len());
        for y in rows.clone() {
            let row = page.pixels.get_mut(y * stride + columns.start * 3..y * stride + columns.end * 3);
            for (x, pixel) in columns.clone().zip(row.unwrap_or_default().chunks_exact_mut(3)) {
                let (most, tint) = tint(pixel);
                let is_own = is_own.get(y / self.side * self.columns + x / self.side).is_some_and(|own| *own);
                if !is_own || tint < TINTED {
                    stamp.push(u8::MAX);
                    continue;
                }
                // Where writing shows through the ink, the stamp is as dark as elsewhere.
                stamp.push(if most <= LIGHT { u8::MAX - COLOURED.max(tint) } else { u8::MAX - tint });
                if most > LIGHT {
                    pixel.fill(ground);
                }
            }
        }
        let (width, height) = (columns.len() as u32, rows.len() as u32);
        Picture { width, height, channels: Channels::Grey, pixels: stamp, dpi: page.dpi }
    }
}

/// The page in blocks of a quarter of the side of a cell.
struct Blocks {
    side: usize,
    columns: usize,
    is_coloured: Vec<bool>,
    dark: Vec<usize>,
}

impl Blocks {
    fn new(cell: usize, width: usize, height: usize) -> Self {
        let side = (cell / 4).max(2);
        let (columns, rows) = (width.div_ceil(side), height.div_ceil(side));
        Self { side, columns, is_coloured: vec![false; columns * rows], dark: vec![0; columns * rows] }
    }

    fn add_dark(&mut self, x: usize, y: usize) {
        self.dark.get_mut(y / self.side * self.columns + x / self.side).into_iter().for_each(|dark| *dark += 1);
    }

    fn add_coloured(&mut self, x: usize, y: usize) {
        let block = self.is_coloured.get_mut(y / self.side * self.columns + x / self.side);
        block.into_iter().for_each(|is_coloured| *is_coloured = true);
    }

    /// The corner of each block with dark pixels that is beside no coloured one, and how many these are.
    fn free(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let is_near = |at: usize| {
            let (row, column) = (at / self.columns, at % self.columns);
            (row.saturating_sub(1)..row + 2).any(|row| {
                let blocks =
                    row * self.columns + column.saturating_sub(1)..row * self.columns + (column + 2).min(self.columns);
                self.is_coloured
                    .get(blocks.start..blocks.end.min(self.is_coloured.len()))
                    .is_some_and(|blocks| blocks.contains(&true))
            })
        };
        let dark = self.dark.iter().enumerate().filter(move |(at, dark)| **dark > 0 && !is_near(*at));
        dark.map(|(at, dark)| (at % self.columns * self.side, at / self.columns * self.side, *dark))
    }
}

/// The grey of the paper in a part of a page: nine of ten pixels are not lighter.
fn ground(page: &Picture, columns: &Range<usize>, rows: &Range<usize>) -> u8 {
    let mut counts = [0_usize; 256];
    let stride = page.width as usize * 3;
    for y in rows.clone() {
        let row = page.pixels.get(y * stride + columns.start * 3..y * stride + columns.end * 3);
        for pixel in row.unwrap_or_default().chunks_exact(3) {
            let least = pixel.iter().copied().min().unwrap_or_default();
            counts.get_mut(usize::from(least)).into_iter().for_each(|count| *count += 1);
        }
    }
    let above = columns.len() * rows.len() / 10;
    let mut seen = 0;
    let grey = (0..=u8::MAX).rev().find(|grey| {
        seen += counts.get(usize::from(*grey)).copied().unwrap_or_default();
        seen > above
    });
    grey.unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 600;
    const HEIGHT: usize = 400;
    const RED: [u8; 3] = [229, 145, 149];

    /// A page with rows of letters, under translucent ink where `is_inked` says so.
    fn page(ink: [u8; 3], is_inked: impl Fn(usize, usize) -> bool) -> Picture {
        let pixel = |at: usize| {
            let (x, y) = (at % WIDTH, at / WIDTH);
            match (is_letter(x, y), is_inked(x, y)) {
                (false, false) => [250; 3],
                (true, false) => [10; 3],
                (false, true) => ink,
                (true, true) => [94, 9, 14],
            }
        };
        let pixels = (0..WIDTH * HEIGHT).flat_map(pixel).collect();
        Picture { width: WIDTH as u32, height: HEIGHT as u32, channels: Channels::Rgb, pixels, dpi: Some(150.0) }
    }

    fn is_letter(x: usize, y: usize) -> bool {
        (100..300).contains(&y) && y % 20 < 9 && x % 12 < 3 && (50..550).contains(&x)
    }

    /// A frame and a bar through it.
    fn is_stamp(x: usize, y: usize) -> bool {
        let is_inside = (200..400).contains(&x) && (150..250).contains(&y);
        is_inside && (!(206..394).contains(&x) || !(156..244).contains(&y) || (195..205).contains(&y))
    }

    #[test]
    fn a_stamp_is_taken_off_and_the_writing_below_it_stays() {
        let mut stamped = page(RED, is_stamp);
        let stamps = take_off(&mut stamped);
        assert_eq!(stamps.len(), 1);
        let tint_left = stamped.pixels.chunks_exact(3).filter(|pixel| ink(pixel) == Ink::Coloured).count();
        let dark = |page: &Picture| page.pixels.chunks_exact(3).filter(|pixel| ink(pixel) == Ink::Dark).count();
        assert_eq!((tint_left, dark(&stamped)), (0, dark(&page(RED, |_, _| false))));
        // The stamp has all of its own strokes, also where letters are below them, and no letter.
        let strokes = (0..WIDTH * HEIGHT).filter(|at| is_stamp(at % WIDTH, at / WIDTH)).count();
        assert_eq!(stamps[0].pixels.iter().filter(|grey| **grey < 220).count(), strokes);
        assert_eq!((stamps[0].channels, stamps[0].dpi), (Channels::Grey, Some(150.0)));
    }

    #[test]
    fn colour_that_touches_no_writing_stays_where_it_is() {
        let above = page(RED, |x, y| is_stamp(x, y + 155));
        let mut read = above.clone();
        assert!(take_off(&mut read).is_empty());
        assert_eq!(read, above);
    }

    #[test]
    fn what_is_marked_with_a_highlighter_stays() {
        let marked = page([255, 255, 90], |x, y| (200..400).contains(&x) && (156..250).contains(&y));
        let mut read = marked.clone();
        assert!(take_off(&mut read).is_empty());
        assert_eq!(read, marked);
    }

    #[test]
    fn writing_in_dark_colour_is_no_stamp() {
        // Letters of dark red with lighter edges.
        let mut coloured = page(RED, |_, _| false);
        for y in 0..HEIGHT {
            for x in 0..WIDTH {
                let pixel = &mut coloured.pixels[(y * WIDTH + x) * 3..][..3];
                if is_letter(x, y) {
                    pixel.copy_from_slice(&[100, 0, 0]);
                } else if is_letter(x + 1, y) {
                    pixel.copy_from_slice(&[170, 110, 110]);
                }
            }
        }
        let mut read = coloured.clone();
        assert!(take_off(&mut read).is_empty());
        assert_eq!(read, coloured);
    }

    #[test]
    fn coloured_writing_with_dark_edges_is_no_stamp() {
        // As JPEG makes of writing in blue: much of a stroke is as dark as black writing.
        let mut coloured = page(RED, |_, _| false);
        for (at, pixel) in coloured.pixels.chunks_exact_mut(3).enumerate() {
            let (x, y) = (at % WIDTH, at / WIDTH);
            // Lines that are set closely, so that the paragraph is one piece of colour.
            if (50..550).contains(&x) && (100..300).contains(&y) && y % 20 < 16 && x % 8 < 3 {
                pixel.copy_from_slice(if y % 3 == 0 { &[30, 30, 90] } else { &[20, 20, 200] });
            }
        }
        let mut read = coloured.clone();
        assert!(take_off(&mut read).is_empty());
        assert_eq!(read, coloured);
    }

    #[test]
    fn a_grey_page_has_no_stamps() {
        let pixels = vec![200; WIDTH * HEIGHT];
        let mut grey =
            Picture { width: WIDTH as u32, height: HEIGHT as u32, channels: Channels::Grey, pixels, dpi: None };
        assert!(take_off(&mut grey).is_empty());
    }
}
