//! From the map of a detection graph to the regions that hold a line each.
//!
//! The post-processing of differentiable binarisation: Liao et al., Real-time Scene Text Detection with Differentiable
//! Binarization (2020), section 3.4.

use crate::shape::{self, Point, Rectangle, sag};
use crate::tensor::Tensor;
use socle_core::Result;

/// A pixel belongs to text from this probability on; the value of the paper and of PP-OCR.
const PIXEL_THRESHOLD: f32 = 0.3;

/// Mean probability of the pixels of a region that is kept.
const REGION_THRESHOLD: f32 = 0.5;

/// The graph is trained on regions shrunk by 0.4 of area to perimeter; what undoes it on a line: 1.5 in the paper, 1.6 in
/// PP-OCR. Along a line, less would cut off its last full stop.
const GROWTH: f32 = 1.6;

/// The same across a line. With less, letters are higher in what the recognition graph is given, and fewer accents and commas
/// are read wrongly; with 1.2, ends of letters are cut off.
const GROWTH_ACROSS: f32 = 1.3;

/// Shortest side of a region in pixels of the map.
const MIN_SIDE: f32 = 2.0;

/// Most regions of a picture, the largest first: a page of a newspaper has less than 2,000 lines.
const MAX_REGIONS: usize = 4_000;

/// How much longer than high a region is of which it is asked whether it is bent.
const BENT_RATIO: f32 = 8.0;

/// How much of its height the middle of a region is off at least where it is bent, and at most.
const BENT: std::ops::Range<f32> = 0.15..3.0;

/// A region of text, which is one line as a rule, shrunk.
#[derive(Clone, Debug)]
pub struct Region {
    /// Its convex hull in pixels of the picture, of a bent line once it is straightened.
    pub hull: Vec<Point>,
    /// As [`crate::shape::Place::bend`].
    pub bend: f32,
}

impl Region {
    /// The rectangle of the whole line, in this direction.
    pub fn line(&self, angle: f32) -> Rectangle {
        grown(Rectangle::around(&self.hull, angle))
    }

    /// The smallest rectangle of the whole line.
    pub fn smallest(&self) -> Rectangle {
        grown(Rectangle::smallest(&self.hull))
    }
}

fn grown(rectangle: Rectangle) -> Rectangle {
    let (width, height) = (rectangle.width, rectangle.height);
    let by = width * height / (2.0 * (width + height)).max(1.0);
    let (long, short) = (2.0 * GROWTH * by, 2.0 * GROWTH_ACROSS * by);
    let (along, across) = if width >= height { (long, short) } else { (short, long) };
    Rectangle { width: width + along, height: height + across, ..rectangle }
}

/// Pixels of a row from `start` to before `end`, and the number of their region.
struct Run {
    start: usize,
    end: usize,
    region: usize,
}

#[derive(Default)]
struct Collected {
    points: Vec<Point>,
    probability: f64,
    pixels: usize,
    /// Its first column, and the one after its last.
    columns: (usize, usize),
    sums: Sums,
}

/// Sums over the pixels of a region, of which the parabola through its middle is made: of the powers of the column, which goes
/// from −1 to 1, and of those times the row.
#[derive(Default)]
struct Sums {
    powers: [f64; 5],
    rows: [f64; 3],
}

impl Sums {
    fn add(&mut self, column: f64, row: f64) {
        let mut power = 1.0;
        for at in 0..5 {
            self.powers[at] += power;
            if let Some(rows) = self.rows.get_mut(at) {
                *rows += power * row;
            }
            power *= column;
        }
    }

    /// How much lower its ends are than its middle: the method of least squares.
    fn bend(&self) -> f64 {
        let [n, x, xx, xxx, xxxx] = self.powers;
        let [y, xy, xxy] = self.rows;
        let determinant = |a: [f64; 3], b: [f64; 3], c: [f64; 3]| {
            a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0])
        };
        determinant([n, x, y], [x, xx, xy], [xx, xxx, xxy]) / determinant([n, x, xx], [x, xx, xxx], [xx, xxx, xxxx])
    }
}

impl Collected {
    /// From −1 for its first column to 1 for its last.
    fn at(&self, column: f64) -> f64 {
        let (first, end) = (self.columns.0 as f64, self.columns.1 as f64);
        (2.0 * column - first - end) / (end - first).max(1.0)
    }

    /// How much lower its ends are than its middle, in rows of the map; 0 unless that is clear.
    fn bend(&self) -> f32 {
        let width = (self.columns.1 - self.columns.0) as f32;
        let height = self.pixels as f32 / width.max(1.0);
        let bend = self.sums.bend() as f32;
        if width > BENT_RATIO * height && BENT.contains(&(bend.abs() / height)) { bend } else { 0.0 }
    }

    /// The region in pixels of the picture, `scale` of which are a pixel of the map.
    fn region(self, scale: (f32, f32)) -> Region {
        let bend = self.bend();
        let straight = |point: &Point| {
            let at = self.at(f64::from(point.0)) as f32;
            (point.0 * scale.0, (point.1 - sag(bend, at)) * scale.1)
        };
        Region { hull: shape::hull(self.points.iter().map(straight).collect()), bend: bend * scale.1 }
    }
}

/// The regions of a map, whose pixels are `scale` pixels of the picture wide and high.
///
/// # Errors
/// `InferenceFailed` when the map is none.
pub fn regions(map: &Tensor, scale: (f32, f32)) -> Result<Vec<Region>> {
    let (height, width) = map.table()?;
    let mut joined: Vec<usize> = Vec::new();
    let mut rows: Vec<Vec<Run>> = Vec::with_capacity(height);
    for row in map.values.chunks_exact(width) {
        let above = rows.last().map_or(&[][..], Vec::as_slice);
        let runs = runs(row, above, &mut joined);
        rows.push(runs);
    }
    let mut collected: Vec<Collected> = joined.iter().map(|_| Collected::default()).collect();
    for (y, (row, runs)) in map.values.chunks_exact(width).zip(&rows).enumerate() {
        for run in runs {
            let Some(region) = collected.get_mut(root(&joined, run.region)) else { continue };
            let (left, right) = (run.start as f32, run.end as f32);
            let (top, bottom) = (y as f32, (y + 1) as f32);
            region.columns = match region.pixels {
                0 => (run.start, run.end),
                _ => (region.columns.0.min(run.start), region.columns.1.max(run.end)),
            };
            region.points.extend([(left, top), (right, top), (right, bottom), (left, bottom)]);
            region.probability += row[run.start..run.end].iter().map(|p| f64::from(*p)).sum::<f64>();
            region.pixels += run.end - run.start;
        }
    }
    for (y, runs) in rows.iter().enumerate() {
        for run in runs {
            let Some(region) = collected.get_mut(root(&joined, run.region)) else { continue };
            for column in run.start..run.end {
                region.sums.add(region.at(column as f64 + 0.5), y as f64 + 0.5);
            }
        }
    }
    collected.retain(|region| region.probability >= f64::from(REGION_THRESHOLD) * region.pixels.max(1) as f64);
    collected.sort_by_key(|region| std::cmp::Reverse(region.pixels));
    collected.truncate(MAX_REGIONS);
    let min_side = MIN_SIDE * scale.0.min(scale.1);
    let large = |region: &Region| {
        let smallest = Rectangle::smallest(&region.hull);
        smallest.width.min(smallest.height) >= min_side
    };
    Ok(collected.into_iter().map(|region| region.region(scale)).filter(large).collect())
}

/// The runs of text in a row. A run takes the region of those that it touches above, also at a corner, and joins them.
fn runs(row: &[f32], above: &[Run], joined: &mut Vec<usize>) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut above = above.iter().peekable();
    let mut at = 0;
    while let Some(first) = row[at..].iter().position(|p| *p > PIXEL_THRESHOLD) {
        let start = at + first;
        let length = row[start..].iter().position(|p| *p <= PIXEL_THRESHOLD);
        let end = length.map_or(row.len(), |length| start + length);
        let mut region = None;
        while above.next_if(|run| run.end < start).is_some() {}
        while let Some(touched) = above.peek().filter(|run| run.start <= end) {
            let of_touched = root(joined, touched.region);
            match region {
                None => region = Some(of_touched),
                Some(own) if own != of_touched => joined[of_touched.max(own)] = of_touched.min(own),
                Some(_) => {}
            }
            region = region.map(|own| root(joined, own));
            if touched.end > end {
                // It may touch the next run as well.
                break;
            }
            above.next();
        }
        let region = region.unwrap_or_else(|| {
            joined.push(joined.len());
            joined.len() - 1
        });
        runs.push(Run { start, end, region });
        at = end;
    }
    runs
}

/// The region that stands for all that were joined with this one.
fn root(joined: &[usize], mut region: usize) -> usize {
    while joined[region] != region {
        region = joined[region];
    }
    region
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(rows: &[&str]) -> Tensor {
        let values = rows.iter().flat_map(|row| row.bytes()).map(|byte| if byte == b'#' { 0.9 } else { 0.1 });
        Tensor { shape: vec![1, 1, rows.len(), rows[0].len()], values: values.collect() }
    }

    fn boxes(rows: &[&str]) -> Vec<(f32, f32, f32, f32)> {
        let mut boxes: Vec<_> = regions(&map(rows), (2.0, 2.0))
            .unwrap()
            .iter()
            .map(|region| {
                let rectangle = Rectangle::around(&region.hull, 0.0);
                let [(left, top), _, (right, bottom), _] = rectangle.corners();
                (left, top, right, bottom)
            })
            .collect();
        boxes.sort_by(|a, b| a.partial_cmp(b).unwrap());
        boxes
    }

    #[test]
    fn regions_are_told_apart_and_joined_below() {
        let rows = [
            "##..##....##..",
            "##..##....##..",
            ".####.....##..",
            ".####....##...",
            "..............",
            ".......##.....",
            ".......##.....",
        ];
        assert_eq!(boxes(&rows), [(0.0, 0.0, 12.0, 8.0), (14.0, 10.0, 18.0, 14.0), (18.0, 0.0, 24.0, 8.0)]);
    }

    #[test]
    fn a_run_that_spans_two_joins_both_and_what_is_thin_is_left_out() {
        assert_eq!(boxes(&["######", "##..##", "##..##", "######", "......", "######"]), [(0.0, 0.0, 12.0, 8.0)]);
        assert_eq!(boxes(&["......"]), []);
    }

    #[test]
    fn a_line_is_grown_to_the_size_of_its_letters() {
        let hull = vec![(0.0, 0.0), (100.0, 0.0), (100.0, 10.0), (0.0, 10.0)];
        let region = Region { hull, bend: 0.0 };
        let line = region.line(0.0);
        let by = 2.0 * 100.0 * 10.0 / 220.0;
        let (width, height) = (100.0 + GROWTH * by, 10.0 + GROWTH_ACROSS * by);
        assert!((line.height - height).abs() < 1e-3 && (line.width - width).abs() < 1e-3, "{line:?}");
    }

    #[test]
    fn a_line_that_sags_is_straightened_and_a_straight_one_is_not_bent() {
        let sagging = |depth: f32| {
            let mut values = vec![0.1; 200 * 60];
            for x in 0..180 {
                let at = (x as f32 - 89.5) / 90.0;
                let top = (30.0 + depth * at * at).round() as usize;
                (top..top + 10).for_each(|y| values[y * 200 + x + 10] = 0.9);
            }
            regions(&Tensor { shape: vec![1, 1, 60, 200], values }, (2.0, 2.0)).unwrap().remove(0)
        };
        let bent = sagging(8.0);
        assert!((bent.bend - 16.0).abs() < 1.0, "{}", bent.bend);
        let rectangle = Rectangle::around(&bent.hull, 0.0);
        assert!((rectangle.height - 20.0).abs() < 3.0, "{rectangle:?}");
        assert_eq!(sagging(0.0).bend, 0.0);
    }
}
