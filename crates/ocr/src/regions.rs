//! From the map of a detection graph to the regions that hold a line each.
//!
//! The post-processing of differentiable binarisation: Liao et al., Real-time Scene Text Detection with Differentiable
//! Binarization (2020), section 3.4.

use crate::shape::{self, Point, Rectangle};
use crate::tensor::Tensor;
use socle_core::Result;

/// A pixel belongs to text from this probability on; the value of the paper and of PP-OCR.
const PIXEL_THRESHOLD: f32 = 0.3;

/// Mean probability of the pixels of a region that is kept.
const REGION_THRESHOLD: f32 = 0.5;

/// The graph is trained on regions shrunk by 0.4 of area to perimeter; what undoes it on a line: 1.5 in the paper, 1.6 in
/// PP-OCR.
const GROWTH: f32 = 1.6;

/// Shortest side of a region in pixels of the map.
const MIN_SIDE: f32 = 2.0;

/// Most regions of a picture, the largest first: a page of a newspaper has less than 2,000 lines.
const MAX_REGIONS: usize = 4_000;

/// A region of text, which is one line as a rule, shrunk.
#[derive(Clone, Debug)]
pub struct Region {
    /// Its convex hull, in pixels of the picture.
    pub hull: Vec<Point>,
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
    rectangle.grown(width * height * GROWTH / (2.0 * (width + height)).max(1.0))
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
            let (left, right) = (run.start as f32 * scale.0, run.end as f32 * scale.0);
            let (top, bottom) = (y as f32 * scale.1, (y + 1) as f32 * scale.1);
            region.points.extend([(left, top), (right, top), (right, bottom), (left, bottom)]);
            region.probability += row[run.start..run.end].iter().map(|p| f64::from(*p)).sum::<f64>();
            region.pixels += run.end - run.start;
        }
    }
    collected.retain(|region| region.probability >= f64::from(REGION_THRESHOLD) * region.pixels.max(1) as f64);
    collected.sort_by_key(|region| std::cmp::Reverse(region.pixels));
    collected.truncate(MAX_REGIONS);
    let min_side = MIN_SIDE * scale.0.min(scale.1);
    let hulls = collected.into_iter().map(|region| shape::hull(region.points));
    let large = |hull: &Vec<Point>| {
        let smallest = Rectangle::smallest(hull);
        smallest.width.min(smallest.height) >= min_side
    };
    Ok(hulls.filter(large).map(|hull| Region { hull }).collect())
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
        let region = Region { hull: vec![(0.0, 0.0), (100.0, 0.0), (100.0, 10.0), (0.0, 10.0)] };
        let line = region.line(0.0);
        let by = 100.0 * 10.0 * GROWTH / 220.0;
        assert!((line.height - (10.0 + 2.0 * by)).abs() < 1e-3 && (line.width - (100.0 + 2.0 * by)).abs() < 1e-3);
    }
}
